//! `train summary`.

use clap::Args;
use shardmill_formats::{console, outln};
use shardmill_trainer::ModelConfig;
use shardmill_trainer::summary::summary;

use super::model::ModelArgs;

/// The flags of `train summary`.
#[derive(Args, Debug)]
pub(super) struct SummaryArgs {
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
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut model = self.model.apply(ModelConfig::default());
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
