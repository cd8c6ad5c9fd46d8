//! The parts of images that excite channels most.

use maud::html;
use shardmill_formats::Class;
use shardmill_loader::Dataset;

use super::super::units::Units;
use super::dataset::class_name;
use crate::report::page::{Block, Figure};
use crate::report::photo::{Cut, PhotoError, part};

/// Longest side of a patch in pixels.
const SIDE: usize = 72;

/// # Errors
/// A record that is damaged.
pub(in crate::report) fn blocks(judged: &Dataset, units: &Units) -> Result<Vec<Block>, PhotoError> {
    let mut blocks = Vec::new();
    if units.patches.is_empty() {
        blocks.push(Block::Missing(
            "The patches that excite channels most: the page was made with --no-images.".to_owned(),
        ));
    } else {
        let mut rows = Vec::new();
        for found in &units.patches {
            let mut patches = Vec::new();
            for patch in &found.patches {
                let label = usize::try_from(patch.label).ok();
                let class: Option<&Class> = label.and_then(|label| judged.classes().get(label));
                let text = class.map_or_else(|| "no label".to_owned(), class_name);
                let alt = format!("{text}, output {:.2}", patch.value);
                let window = &patch.window;
                let cut = Cut {
                    top: window.top,
                    left: window.left,
                    height: window.height,
                    width: window.width,
                };
                patches.push((alt.clone(), part(judged, patch.sample, cut, SIDE, alt)?));
            }
            let name = format!("{}, channel {}", found.channel.layer, found.channel.channel);
            rows.push(html! {
                div.group {
                    p { (name) }
                    div.photos {
                        @for (alt, picture) in &patches { span.photo.patch title=(alt) { (picture) } }
                        @if patches.is_empty() { span.soft.small { "0 on every image" } }
                    }
                }
            });
        }
        blocks.push(Block::Figure(Figure::new(
            html! { div.groups style=("--group:20rem") { @for row in &rows { (row) } } },
            html! {
                "The parts of images that excite some channels of the deeper convolutions most, the strongest first, each from \
                 another image. A part is what the unit sees, its receptive field, cut at the border of the view. A row of fewer \
                 parts is of a channel whose output is above 0 on so few of the images. Channels are numbered from 0, as in \
                 the checkpoint's tensors."
            },
        )));
    }
    Ok(blocks)
}
