//! `train recipe`, and the recipe that the flags ask for.

use clap::Args;
use shardmill_formats::{console, outln};
use shardmill_trainer::setup::{NAMES, Setup};

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

impl ShowArgs {
    pub(super) fn run(self) -> anyhow::Result<()> {
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
pub(super) fn read(name: Option<&str>, set: &[String], base: Setup) -> anyhow::Result<Setup> {
    let mut setup = match name {
        Some(name) => Setup::open(name)?,
        None => base,
    };
    for assignment in set {
        setup = setup.set(assignment)?;
    }
    Ok(setup)
}
