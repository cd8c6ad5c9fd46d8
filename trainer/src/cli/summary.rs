//! `train summary`.

use crate::recipe::setup::Setup;
use crate::tools::summary::summary;
use clap::Args;
use shardmill_formats::{console, outln};

use crate::cli::model::ModelArgs;
use crate::cli::recipe;

/// The flags of `train summary`.
#[derive(Args, Debug)]
pub(crate) struct SummaryArgs {
    /// The recipe whose network is meant: paper, net145, owt, small, or a TOML file [default: paper]
    #[arg(long, value_name = "NAME|FILE")]
    recipe: Option<String>,
    /// Replace a value of the recipe, as in `model.lrn.k=1`
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Number of classes [default: 1000]
    #[arg(long, value_name = "N")]
    classes: Option<usize>,
    #[command(flatten)]
    model: ModelArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl SummaryArgs {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut base = recipe::read(self.recipe.as_deref(), &[], Setup::default())?;
        base.model = self.model.begin(base.model);
        let mut setup = recipe::read(None, &self.set, base)?;
        setup.model = self.model.apply(setup.model);
        recipe::check_kept(&self.set, &setup)?;
        let mut model = setup.model;
        model.classes = self.classes.unwrap_or(model.classes);
        let summary = summary(&model)?;
        if self.json {
            outln!("{}", serde_json::to_string(&summary)?)?;
        } else {
            console::print(&summary.to_string())?;
        }
        Ok(())
    }
}
