//! A model card: what others need to know about exported weights, as Markdown with a head in YAML.

mod figures;
mod head;
mod markdown;
mod network;
mod training;

use crate::checkpoint::RunState;
use crate::checkpoint::exchange::Naming;
use crate::run::log::History;

/// What a card is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// The name of the weights' file, without its folder.
    pub(crate) file: &'a str,
    /// Its names and layouts.
    pub(crate) naming: Naming,
    /// What the checkpoint says.
    pub(crate) state: &'a RunState,
    /// Parameters of the network.
    pub(crate) parameters: usize,
    /// Side of the mean image, if the weights have one.
    pub(crate) mean_side: Option<usize>,
    /// What the run logged, if the checkpoint lies in its folder.
    pub(crate) history: Option<&'a History>,
    /// What the user calls the data.
    pub(crate) dataset: Option<&'a str>,
}

impl Subject<'_> {
    /// Whether the weights were trained here; otherwise they were imported.
    const fn is_trained(&self) -> bool {
        self.state.progress.step > 0
    }

    /// The name of the file without its extension.
    fn name(&self) -> &str {
        self.file.strip_suffix(".safetensors").unwrap_or(self.file)
    }
}

/// The card.
pub(crate) fn card(subject: &Subject<'_>) -> String {
    let parts = [
        head::yaml(subject),
        head::title(subject),
        network::network(subject),
        network::input(subject),
        network::data(subject),
        figures::figures(subject),
        training::training(subject),
        training::difference_table(subject),
        training::limits(subject),
    ];
    parts.join("\n")
}

/// Whether a history is that of a checkpoint's run.
pub(crate) fn belongs(history: &History, state: &RunState) -> bool {
    history.start.as_ref().is_some_and(|start| {
        let mut recipe = start.recipe.clone();
        recipe.epochs = state.recipe.epochs;
        start.seed == state.seed && recipe == state.recipe && start.model == state.model
    })
}

#[cfg(test)]
mod tests;
