//! The list of studies, and what is said where none can be begun.

use std::path::Path;

use serde_json::json;
use shardmill_formats::outln;

use crate::cli::Format;
use crate::study::{Plan, STUDIES};

/// Prints the studies.
pub(super) fn list(format: Format, called: &str) -> anyhow::Result<()> {
    if format.json {
        let studies = STUDIES.map(|study| {
            let arms: Vec<&str> = study.arms.iter().map(|arm| arm.name).collect();
            json!({
                "name": study.name,
                "about": study.about,
                "paper": study.paper,
                "arms": arms,
            })
        });
        outln!("{}", json!({ "studies": studies.as_slice() }))?;
        return Ok(());
    }
    for study in STUDIES {
        outln!("{:<13} {}", study.name, study.about)?;
    }
    outln!("\nbegin one, and go on with it, with")?;
    outln!("  {called} study lrn --shards DIR")?;
    Ok(())
}

/// What to say about a folder without a study's settings, where nothing is to be trained.
pub(super) fn no_settings(results: &Path) -> String {
    let folder = results.display();
    match Plan::results_in(results) {
        0 => format!(
            "there are no results in {folder}; give the images to train on with `--shards DIR`"
        ),
        found => format!(
            "{folder} has {found} results but not the study.json that they share; restore it, or give `--shards DIR` \
             and the flags that the study began with, and it is written again"
        ),
    }
}

/// What to say about a study that does not exist.
pub(super) fn unknown(name: &str) -> String {
    let names = STUDIES.map(|study| study.name);
    format!("there is no study {name}; there are {}", names.join(", "))
}
