//! `train summary`.

use clap::Args;

use crate::cli::model::ModelArgs;
use crate::cli::recipe::{RecipeChoice, set_values};
use crate::cli::{Execute, Format};
use crate::tools::summary::Summary;

/// The flags of `train summary`.
#[derive(Args, Debug)]
pub(super) struct SummaryArgs {
    #[command(flatten)]
    recipe: RecipeChoice,
    /// Number of classes [default: 1000; of fig1 10]
    #[arg(long, value_name = "N")]
    classes: Option<usize>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    format: Format,
}

impl Execute for SummaryArgs {
    fn execute(self, _: &str) -> anyhow::Result<u8> {
        let mut base = self.recipe.named()?.unwrap_or_default();
        base.model = self.model.start_from(base.model);
        let mut setup = set_values(base, self.recipe.assignments())?;
        setup.model = self.model.apply(setup.model);
        self.recipe.check_kept(&setup)?;
        let mut model = setup.model;
        model.classes = self.classes.unwrap_or(model.classes);
        self.format.print(&Summary::of(&model)?)?;
        Ok(0)
    }
}
