//! What a training step is given besides its images, and what it reports.

/// What a step's dropout masks depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropoutKey {
    /// The run's seed.
    pub seed: u64,
    /// The step within the run.
    pub step: u64,
}

impl DropoutKey {
    /// The key of dropout layer number `layer`.
    #[must_use]
    pub const fn mask(self, layer: u32) -> MaskKey {
        let Self { seed, step } = self;
        MaskKey { seed, step, layer }
    }
}

/// Identifies the mask of one dropout layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaskKey {
    /// The run's seed.
    pub seed: u64,
    /// The step within the run.
    pub step: u64,
    /// The dropout layer within the network.
    pub layer: u32,
}

/// Where a step's dropout masks come from.
#[derive(Clone, Copy, Debug)]
pub enum Masks<'a> {
    /// From the generator.
    Drawn {
        /// The step's key.
        key: DropoutKey,
        /// The row of the step's whole batch that is the first one here.
        first: usize,
    },
    /// For each dropout layer, a factor for each of its values: 0, or `1 / (1 - rate)`.
    Given(&'a [Vec<f32>]),
}

/// Where a batch stands in its step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BatchPlace {
    /// What the dropout masks of the whole batch depend on.
    pub(crate) key: DropoutKey,
    /// The row of the whole batch that is this one's first: not 0 where this is the part of a later rank.
    pub(crate) first: usize,
    /// This batch's part of the step's images: the step's gradient is the sum of its batches' gradients times their
    /// shares. `None`: the step has one batch.
    pub(crate) share: Option<f32>,
}

/// What a training step reports about its batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepOutput {
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// Rows whose label has the highest logit.
    pub top1: usize,
    /// Rows whose label is among the five highest logits.
    pub top5: usize,
}

/// The metrics of a step, which may have several batches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StepMetrics {
    /// Number of images.
    pub(crate) images: usize,
    /// Their scores.
    pub(crate) output: StepOutput,
    /// The L2 norm of the gradient.
    pub(crate) norm: f64,
}
