//! All sections in their order, and the file.

use maud::html;
use shardmill_formats::{Causes, Printable, errln};

use super::contents::sections;
use super::error::ReportError;
use super::findings::Findings;
use super::material::Material;
use super::options::ReportOptions;
use super::outcome::{
    AgreementFigure, CheckpointUsed, KeyFigures, MissingPart, SectionMade, Written,
};
use super::sections::overview::{self, Overview};
use super::subjects::Subjects;
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
    let answers = match Subjects::of(&material) {
        Err(reason) => Err(reason.to_owned()),
        Ok(subjects) => match Findings::make(options, &material.history, subjects) {
            Ok(Some(findings)) => Ok((subjects, findings)),
            Ok(None) => return Ok(None),
            // Such as a damaged record; what the log says is as good as it was.
            Err(error) => Err(Causes(&error).to_string()),
        },
    };
    let whole = Page {
        title: overview::title(&material),
        lead: overview::lead(&material, &overview),
        sections: sections(&material, &answers),
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
        figures: figures(
            &overview,
            answers.as_ref().ok().map(|(_, findings)| findings),
        ),
    }))
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
