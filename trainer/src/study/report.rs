//! Writes the report of a study: a page, Markdown and its figures.

use std::path::{Path, PathBuf};

use maud::html;

use crate::study::catalogue::{Kind, Study};
use crate::study::comparison_report::comparison_report;
use crate::study::document::Document;
use crate::study::error::StudyError;
use crate::study::findings::Findings;
use crate::study::json_file::write_text;
use crate::study::race_report::race_report;

/// The report of what a study has come to.
pub(crate) fn report(study: &Study, findings: &Findings) -> Document {
    match study.kind {
        Kind::Race => race_report(study, findings),
        // An ensemble has findings of its own.
        Kind::Comparison | Kind::Ensemble => comparison_report(study, findings),
    }
}

/// Writes `NAME.html`, `NAME.md` and the figures that the latter shows to `out`, and returns the files.
///
/// # Errors
/// What the file system refuses.
pub(crate) fn write_report(
    document: &Document,
    name: &str,
    out: &Path,
) -> Result<Vec<PathBuf>, StudyError> {
    let foot = html! { p { "Written by " code { "train study " (name) } ", shardmill " (env!("CARGO_PKG_VERSION")) "." } };
    let page = out.join(format!("{name}.html"));
    write_text(&page, &document.page(foot).html())?;
    let markdown = out.join(format!("{name}.md"));
    write_text(&markdown, &document.markdown())?;
    let mut files = vec![page, markdown];
    for (file, text) in document.figures() {
        let path = out.join(file);
        write_text(&path, &text)?;
        files.push(path);
    }
    Ok(files)
}
