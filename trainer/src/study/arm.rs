//! The arms of a study, each a change of one recipe.

/// One of the networks or trainings that a study compares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arm {
    /// In file names and for `--arms`.
    pub(crate) name: &'static str,
    /// In tables.
    pub(crate) title: &'static str,
    /// What differs from the study's recipe, as `train --set` takes it.
    pub(crate) sets: &'static [&'static str],
    /// What the paper says about its top-1 and top-5 error in points beside the first arm, for a table.
    pub(crate) paper: Option<&'static str>,
}

impl Arm {
    /// The paper's own arm, without a change.
    pub(super) const fn base(name: &'static str, title: &'static str) -> Self {
        Self {
            name,
            title,
            sets: &[],
            paper: None,
        }
    }

    /// An arm that changes something.
    pub(super) const fn changed(
        name: &'static str,
        title: &'static str,
        sets: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            title,
            sets,
            paper: None,
        }
    }

    /// The same arm with what the paper says about it.
    pub(super) const fn paper(mut self, text: &'static str) -> Self {
        self.paper = Some(text);
        self
    }
}
