//! `train summary`.

use clap::Args;
#[cfg(feature = "cuda")]
use shardmill_formats::outln;

use crate::cli::model::ModelArgs;
use crate::cli::recipe::{RecipeChoice, set_values};
use crate::cli::{Execute, Format};
#[cfg(feature = "cuda")]
use crate::cuda::asked_convolutions;
#[cfg(feature = "cuda")]
use crate::net::config::ModelConfig;
#[cfg(feature = "cuda")]
use crate::net::layer::layers;
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
    /// Print every convolution as cuDNN is asked for it in bf16, for `standin/plans`
    #[cfg(feature = "cuda")]
    #[arg(long, hide = true)]
    convolutions: bool,
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
        #[cfg(feature = "cuda")]
        if self.convolutions {
            return print_convolutions(&model);
        }
        self.format.print(&Summary::of(&model)?)?;
        Ok(0)
    }
}

/// Prints the convolutions of a network on a GPU, a line each: layer, passes, height, width, inputs, outputs, kernel,
/// stride, padding and groups.
#[cfg(feature = "cuda")]
fn print_convolutions(model: &ModelConfig) -> anyhow::Result<u8> {
    for asked in asked_convolutions(&layers(model)?) {
        let s = asked.shape;
        outln!(
            "{} {} {} {} {} {} {} {} {} {}",
            asked.layer,
            asked.passes,
            s.height,
            s.width,
            s.inputs,
            s.outputs,
            s.kernel,
            s.stride,
            s.before,
            s.groups
        )?;
    }
    Ok(0)
}
