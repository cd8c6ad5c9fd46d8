//! Some kernels of the first layer over the epochs.

use maud::html;
use shardmill_formats::Causes;

use super::super::error::ReportError;
use super::super::kernel::{ENLARGED, GAP, PAPER, REM, paint};
use super::super::material::Material;
use crate::analysis::snapshots::Snapshots;
use crate::checkpoint::Snapshot;
use crate::report::page::{Block, Figure};
use crate::report::picture::{Picture, Pixels};

/// Kernels and epochs that are shown at most.
const KERNELS: usize = 12;
const EPOCHS: usize = 12;

/// # Errors
/// A folder of snapshots that cannot be read.
pub(in crate::report) fn blocks(material: &Material) -> Result<Vec<Block>, ReportError> {
    let found = Snapshots::read(&material.run)?;
    let usable: Vec<Kernels> = found.whole.iter().filter_map(Kernels::of).collect();
    // Of an older network, for example.
    let usual = usable.first().map(|kernels| (kernels.count, kernels.side));
    let usable: Vec<Kernels> = usable
        .into_iter()
        .filter(|kernels| usual == Some((kernels.count, kernels.side)))
        .collect();
    let mut blocks = Vec::new();
    if usable.is_empty() {
        blocks.push(Block::Missing(
            "The kernels over the epochs: the run's folder has no snapshots of them; `train` keeps one after every epoch \
             unless it is given --no-snapshots."
                .to_owned(),
        ));
    } else {
        blocks.push(Block::Figure(strip(&usable)?));
    }
    for fault in &found.damaged {
        blocks.push(Block::Missing(format!("{}.", Causes(fault))));
    }
    Ok(blocks)
}

/// conv1's kernels after an epoch.
struct Kernels {
    epoch: u64,
    count: usize,
    side: usize,
    /// `[count, side, side, 3]`.
    weights: Vec<f32>,
}

impl Kernels {
    /// `None` where they do not look at three channels in a square.
    fn of(snapshot: &Snapshot) -> Option<Self> {
        let &[count, side, across, 3] = snapshot.kernels.dims() else {
            return None;
        };
        let weights = snapshot
            .kernels
            .flatten_all()
            .and_then(|flat| flat.to_vec1())
            .ok()?;
        (side == across && count > 0).then_some(Self {
            epoch: snapshot.epoch,
            count,
            side,
            weights,
        })
    }
}

/// A row for each kernel, a column for each epoch.
fn strip(all: &[Kernels]) -> Result<Figure, ReportError> {
    let (count, side) = (all[0].count, all[0].side);
    let (rows, columns) = (count.min(KERNELS), all.len().min(EPOCHS));
    // The first and the last are among them.
    let spread = |place: usize, of: usize, from: usize| place * (from - 1) / (of - 1).max(1);
    let cell = side * ENLARGED + GAP;
    let (width, height) = (columns * cell + GAP, rows * cell + GAP);
    let mut pixels = Pixels {
        width,
        height,
        rgb: vec![PAPER; width * height * 3],
    };
    let len = side * side * 3;
    // The epochs stand above the columns.
    let letters = cell * 2 / 5;
    let head = letters + GAP;
    let mut epochs = Vec::new();
    let mut targets = Vec::new();
    for column in 0..columns {
        let kernels = &all[spread(column, columns, all.len())];
        epochs.push(kernels.epoch.to_string());
        for row in 0..rows {
            let number = spread(row, rows, count);
            let kernel = &kernels.weights[number * len..][..len];
            let (x, y) = (column * cell + GAP, row * cell + GAP);
            paint(&mut pixels, kernel, side, x, y);
            let shown = side * ENLARGED;
            targets.push(html! {
                rect x=(x) y=(head + y) width=(shown) height=(shown) fill="transparent" {
                    title { "kernel " (number + 1) " after epoch " (kernels.epoch) }
                }
            });
        }
    }
    let picture = Picture::png(&pixels, "")?;
    Ok(Figure::new(
        html! {
            svg.kernels xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {width} {}", height + head)) role="img"
                style=(format!("max-width:{}rem", REM * columns))
                aria-label="kernels of conv1, a row for each, over the epochs" {
                @for (column, epoch) in epochs.iter().enumerate() {
                    text x=(column * cell + GAP + side * ENLARGED / 2) y=(letters) font-size=(letters) { (epoch) }
                }
                image.pixelated href=(picture.address()) y=(head) width=(width) height=(height) {}
                @for target in &targets { (target) }
            }
        },
        html! {
            (rows) " of the " (count) " kernels of conv1, a row for each, and a column for each of the epochs that stand \
             above (0: the random weights at the start), each kernel scaled by its own largest weight."
        },
    ))
}
