//! `train recipe`, and the recipe that the flags ask for.

use clap::Args;
use shardmill_formats::{console, errln, outln};

use crate::cli::Execute;
use crate::recipe::setup::{NAMES, Setup};

/// The flags of `train recipe`.
#[derive(Args, Debug)]
pub(super) struct ShowArgs {
    /// A recipe's name, or a TOML file; without one, the names, or `paper` with --set
    #[arg(value_name = "NAME|FILE")]
    recipe: Option<String>,
    /// Replace a value, as in `model.lrn.k=1`
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Execute for ShowArgs {
    fn execute(self, _: &str) -> anyhow::Result<u8> {
        if self.recipe.is_none() && self.set.is_empty() {
            for (name, text) in NAMES {
                outln!("{name:<14} {text}")?;
            }
            return Ok(0);
        }
        let base = self.recipe.as_deref().map(Setup::open).transpose()?;
        let setup = set_values(base.unwrap_or_default(), &self.set)?;
        console::print(&setup.to_string())?;
        Ok(0)
    }
}

/// The flags of the commands that start from a recipe.
#[derive(Args, Debug)]
pub(super) struct RecipeChoice {
    /// The recipe to start from: paper, net145, owt, small, large-batch, fig1, or a TOML
    /// file (see `train recipe`)
    /// [default: paper]
    #[arg(long, value_name = "NAME|FILE")]
    recipe: Option<String>,
    /// Replace any value of the recipe, as in `model.lrn.k=1` or `color_until=67`
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl RecipeChoice {
    /// The recipe of `--recipe`.
    pub(super) fn named(&self) -> anyhow::Result<Option<Setup>> {
        Ok(self.recipe.as_deref().map(Setup::open).transpose()?)
    }

    /// The values of `--set`.
    pub(super) fn assignments(&self) -> &[String] {
        &self.set
    }

    /// Refuses values of `--set` that `setup` does not have in the end, because another flag or another
    /// `--set` gives the same key.
    pub(super) fn check_kept(&self, setup: &Setup) -> anyhow::Result<()> {
        for assignment in &self.set {
            if setup.clone().set(assignment)? != *setup {
                anyhow::bail!(
                    "`--set {assignment}` and another flag give different values to the same key: give \
                     one of them"
                );
            }
        }
        Ok(())
    }
}

/// `setup` with single values replaced.
pub(super) fn set_values<'a>(
    setup: Setup,
    assignments: impl IntoIterator<Item = &'a String>,
) -> anyhow::Result<Setup> {
    Ok(setup.set_all(assignments.into_iter().map(String::as_str))?)
}

/// Says which values of a recipe are not used because `--init` keeps the network, scale and mean of the
/// checkpoint.
pub(super) fn note_unused(named: &Setup, kept: &Setup) {
    let chosen = named.differences(&Setup::default());
    let unused: Vec<String> = named
        .differences(kept)
        .into_iter()
        .filter(|unused| {
            let key = &unused.key;
            let kept = key.starts_with("model.") || key == "scale" || key == "mean";
            kept && chosen.iter().any(|other| other.key == *key)
        })
        .map(|d| format!("{} = {} (the checkpoint's is {})", d.key, d.first, d.second))
        .collect();
    if !unused.is_empty() {
        errln!(
            "note: with --init the network, scale and mean are the checkpoint's; these values of the \
             recipe are not used: {}",
            unused.join(", ")
        );
    }
}
