//! The sections of a run's page, in their order.

use shardmill_formats::Causes;

use super::error::ReportError;
use super::findings::Findings;
use super::material::Material;
use super::sections::{
    classes, curves, dataset, filters, growth, guesses, kernels, layers, map, neighbours,
    occlusion, patches, recipe, views,
};
use super::subjects::Subjects;
use crate::report::page::{Block, Section};

/// All sections. Where something cannot be read, its section says so, and the others are as they would be.
pub(super) fn sections(
    material: &Material,
    answers: &Result<(Subjects<'_>, Findings), String>,
) -> Vec<Section> {
    let mut sections = vec![
        checked("dataset", "Dataset", dataset::blocks(material)),
        section("recipe", "Recipe", recipe::blocks(material)),
        section("curves", "Training", curves::blocks(material)),
        checked("network", "Network", layers::blocks(material)),
    ];
    let kernels = checked(
        "kernels",
        "Kernels of the first layer (the paper's Fig. 3)",
        kernels::blocks(material),
    );
    let growth = checked(
        "growth",
        "The kernels over the epochs",
        growth::blocks(material),
    );
    let (subjects, findings) = match answers {
        Ok((subjects, findings)) => (subjects, findings),
        Err(reason) => {
            let missing = Block::Missing(format!(
                "Accuracy by class, images with guesses, nearest training images, a map, ten views, filters, occlusion \
                 maps and patches: {reason}."
            ));
            sections.extend([kernels, growth]);
            sections.push(section("answers", "Answers to images", vec![missing]));
            return sections;
        }
    };
    let judged = subjects.judged;
    sections.extend([
        checked(
            "errors",
            "Accuracy by class",
            classes::blocks(material, judged, findings),
        ),
        kernels,
        growth,
        checked(
            "guesses",
            "Images and guesses (the paper's Fig. 4, left)",
            guesses::blocks(material, judged, findings),
        ),
        checked(
            "neighbours",
            "Nearest training images (the paper's Fig. 4, right)",
            neighbours::blocks(material, subjects.data, judged, findings),
        ),
        section("map", "A map of the images", map::blocks(judged, findings)),
        section(
            "views",
            "Ten views and the centre view (the paper's Table 1)",
            views::blocks(judged, findings),
        ),
        section(
            "filters",
            "Dead and duplicate filters",
            filters::blocks(&findings.units),
        ),
        checked(
            "occlusion",
            "What the network looks at (occlusion)",
            occlusion::blocks(judged, &findings.units),
        ),
        checked(
            "patches",
            "What excites single channels",
            patches::blocks(judged, &findings.units),
        ),
    ]);
    sections
}

fn section(id: &'static str, title: &str, blocks: Vec<Block>) -> Section {
    Section {
        id,
        title: title.to_owned(),
        blocks,
    }
}

/// A section whose material may be damaged.
fn checked(
    id: &'static str,
    title: &str,
    blocks: Result<Vec<Block>, impl Into<ReportError>>,
) -> Section {
    let blocks = blocks.unwrap_or_else(|error| {
        let error = error.into();
        vec![Block::Missing(format!("{title}: {}.", Causes(&error)))]
    });
    section(id, title, blocks)
}
