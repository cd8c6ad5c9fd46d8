//! `train recipe`, and the recipe that the flags ask for.

use crate::recipe::setup::{NAMES, Setup};
use clap::Args;
use shardmill_formats::{console, errln, outln};

/// The flags of `train recipe`.
#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// A recipe's name, or a TOML file; without one, the names, or `paper` with --set
    #[arg(value_name = "NAME|FILE")]
    recipe: Option<String>,
    /// Replace a value, as in `model.lrn.k=1`
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl ShowArgs {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match (&self.recipe, self.set.is_empty()) {
            (name, false) | (name @ Some(_), true) => {
                let setup = read(name.as_deref(), &self.set, Setup::default())?;
                console::print(&setup.to_string())?;
            }
            (None, true) => {
                for (name, text) in NAMES {
                    outln!("{name:<14} {text}")?;
                }
            }
        }
        Ok(())
    }
}

/// The recipe of this name or file, or else `base`, with single values replaced.
pub(crate) fn read(name: Option<&str>, set: &[String], base: Setup) -> anyhow::Result<Setup> {
    let mut setup = match name {
        Some(name) => Setup::open(name)?,
        None => base,
    };
    // What other values depend on comes first, whatever the order on the command line.
    let begins = |assignment: &&String| {
        let key = assignment.split('=').next().unwrap_or_default();
        BEGINNINGS.contains(&key.trim())
    };
    let rest = set.iter().filter(|assignment| !begins(assignment));
    for assignment in set.iter().filter(begins).chain(rest) {
        setup = setup.set(assignment)?;
    }
    Ok(setup)
}

/// Keys whose values bring others.
const BEGINNINGS: [&str; 5] = [
    "model.variant",
    "schedule",
    "schedule.kind",
    "cropping",
    "cropping.kind",
];

/// Refuses values that were given with `--set` and are others in the end, since another flag or another
/// `--set` has given the same key.
pub(crate) fn check_kept(set: &[String], setup: &Setup) -> anyhow::Result<()> {
    for assignment in set {
        if setup.clone().set(assignment)? != *setup {
            anyhow::bail!(
                "`--set {assignment}` and another flag give different values to the same key: give one \
                 of them"
            );
        }
    }
    Ok(())
}

/// Says which values of a recipe do not count where a run begins with the weights of another one, whose
/// network, scale and mean are kept.
pub(crate) fn tell_unused(named: &Setup, kept: &Setup) {
    let plain = Setup::default();
    let asked = named.differences(&plain);
    let unused: Vec<String> = named
        .differences(kept)
        .into_iter()
        .filter(|unused| {
            let key = &unused.key;
            let kept = key.starts_with("model.") || key == "scale" || key == "mean";
            kept && asked.iter().any(|other| other.key == *key)
        })
        .map(|d| format!("{} = {} (the checkpoint's is {})", d.key, d.first, d.second))
        .collect();
    if !unused.is_empty() {
        errln!(
            "note: with --init network, scale and mean are the checkpoint's; of the recipe these are not \
             used: {}",
            unused.join(", ")
        );
    }
}
