//! All sections in their order, and the file.

use maud::html;
use shardmill_formats::{Printable, errln};

use super::error::ReportError;
use super::findings::Findings;
use super::material::{Data, Material};
use super::options::ReportOptions;
use super::outcome::{
    AgreementFigure, CheckpointUsed, KeyFigures, MissingPart, SectionMade, Written,
};
use super::sections::overview::Overview;
use super::sections::{
    classes, curves, dataset, filters, growth, guesses, kernels, layers, map, neighbours,
    occlusion, overview, patches, recipe, views,
};
use crate::report::page::{self, Block, Page, Section};
use crate::report::text::name;
use crate::run::View;

/// Writes the page about a run. `None` after a request to stop; then there is no page.
///
/// # Errors
/// No log of a run, a page that exists, or something that was asked for by name and cannot be used.
pub(crate) fn report(options: &ReportOptions) -> Result<Option<Written>, ReportError> {
    page::check_free(&options.out, options.force)?;
    let material = Material::read(options)?;
    let overview = Overview::of(&material);
    let findings = match subjects(&material) {
        Err(_) => None,
        Ok(subjects) => {
            let found = Findings::make(
                options,
                &material.history,
                subjects.chosen,
                subjects.data,
                subjects.judged,
            )?;
            match found {
                Some(found) => Some(found),
                None => return Ok(None),
            }
        }
    };
    let mut sections = vec![
        dataset::section(&material)?,
        recipe::section(&material),
        curves::section(&material),
        layers::section(&material)?,
    ];
    match (subjects(&material), &findings) {
        (Ok(subjects), Some(findings)) => {
            let judged = subjects.judged;
            sections.push(classes::section(&material, judged, findings)?);
            sections.push(kernels::section(&material)?);
            sections.push(growth::section(&material)?);
            sections.push(guesses::section(&material, judged, findings)?);
            sections.push(neighbours::section(
                &material,
                subjects.data,
                judged,
                findings,
            )?);
            sections.push(map::section(judged, findings));
            sections.push(views::section(judged, findings));
            sections.push(filters::section(&findings.units));
            sections.push(occlusion::section(judged, &findings.units)?);
            sections.push(patches::section(judged, &findings.units)?);
        }
        (Err(reason), _) => {
            sections.push(kernels::section(&material)?);
            sections.push(growth::section(&material)?);
            sections.push(Section {
                id: "answers",
                title: "Answers to images".to_owned(),
                blocks: vec![Block::Missing(format!(
                    "Accuracy by class, images with guesses, nearest training images, a map, ten views, filters, occlusion maps and \
                     patches: {reason}."
                ))],
            });
        }
        (Ok(_), None) => {}
    }
    let whole = Page {
        title: overview::title(&material),
        lead: overview::lead(&material, &overview),
        sections,
        foot: foot(&material),
    };
    let html = whole.html();
    if options.stop.is_requested() {
        return Ok(None);
    }
    page::write(&options.out, &html, options.force)?;
    if let Err(reason) = &material.data {
        errln!(
            "note: the page has no images of the dataset and no answers to them: {}",
            Printable(reason)
        );
    }
    Ok(Some(Written {
        page: options.out.clone(),
        bytes: html.len() as u64,
        checkpoint: material
            .checkpoint
            .as_ref()
            .ok()
            .map(|chosen| CheckpointUsed {
                file: chosen.path.clone(),
                epoch: chosen.state.progress.epoch,
                step: chosen.state.progress.step,
            }),
        missing: missing(&whole.sections),
        sections: whole.sections.iter().map(made).collect(),
        figures: figures(&overview, findings.as_ref()),
    }))
}

/// What the answers to images need.
struct Subjects<'m> {
    chosen: &'m super::material::Chosen,
    data: &'m Data,
    judged: &'m shardmill_loader::Dataset,
}

/// What the answers to images need, or what is missing of it.
fn subjects(material: &Material) -> Result<Subjects<'_>, &str> {
    let chosen = material.checkpoint.as_ref().map_err(|reason| &**reason)?;
    let data = material.data.as_ref().map_err(|reason| &**reason)?;
    let judged = data.judged.as_ref().map_err(|reason| &**reason)?;
    Ok(Subjects {
        chosen,
        data,
        judged,
    })
}

fn foot(material: &Material) -> maud::Markup {
    let run = material
        .run
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    html! {
        p {
            "Written by " code { "train report" } " of Shardmill " (env!("CARGO_PKG_VERSION")) " from the run "
            code { (name(&run)) } ". The page holds all that it shows and fetches nothing. “The paper” is Krizhevsky, \
             Sutskever and Hinton, “ImageNet Classification with Deep Convolutional Neural Networks”, NIPS 2012."
        }
    }
}

fn made(section: &Section) -> SectionMade {
    let mut made = SectionMade {
        id: section.id,
        title: section.title.clone(),
        figures: 0,
        tables: 0,
    };
    for block in section.blocks.iter().flat_map(Block::all) {
        match block {
            Block::Figure(_) => made.figures += 1,
            Block::Row(figures) => made.figures += figures.len(),
            Block::Table(_) => made.tables += 1,
            _ => {}
        }
    }
    made
}

fn missing(sections: &[Section]) -> Vec<MissingPart> {
    let mut parts = Vec::new();
    for section in sections {
        for block in section.blocks.iter().flat_map(Block::all) {
            if let Block::Missing(reason) = block {
                parts.push(MissingPart {
                    section: section.id,
                    reason: reason.clone(),
                });
            }
        }
    }
    parts
}

fn figures(overview: &Overview, findings: Option<&Findings>) -> KeyFigures {
    let of = |view: View| {
        let scores = findings.into_iter().flat_map(|findings| &findings.scores);
        scores
            .into_iter()
            .find(|found| found.view == view)
            .map(|found| found.scores)
    };
    let agreement = findings.and_then(|findings| findings.neighbours.as_ref().ok());
    let agreement = agreement
        .map(|found| &found.agreement)
        .into_iter()
        .flat_map(|agreement| {
            agreement
                .counts
                .iter()
                .zip(&agreement.shares)
                .map(|(count, share)| AgreementFigure {
                    count: *count,
                    share: *share,
                    chance: agreement.chance,
                })
        });
    KeyFigures {
        epochs: overview.epochs,
        planned_epochs: overview.planned,
        finished: overview.is_finished(),
        steps: overview.steps,
        seconds: overview.seconds,
        parameters: overview.parameters,
        best: overview.best.as_ref().map(|best| best.scores),
        center: of(View::Center),
        ten: of(View::Ten),
        neighbours: agreement.collect(),
    }
}
