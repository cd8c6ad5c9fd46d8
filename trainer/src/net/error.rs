//! Errors of building, feeding and loading a network.

use crate::net::config::ModelConfigError;

/// Why a network could not be built, fed or loaded.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The configuration describes no network.
    #[error(transparent)]
    Config(#[from] ModelConfigError),
    /// The images do not fill whole rows of the batch.
    #[error("{found} image values for a batch of {rows}; expected {expected}")]
    ImageLength {
        /// Values given.
        found: usize,
        /// Values wanted: `rows * side * side * 3`.
        expected: usize,
        /// Labels given, one for each image.
        rows: usize,
    },
    /// A label names no class.
    #[error("label {label} in row {row} of the batch; the network has {classes} classes")]
    Label {
        /// The row.
        row: usize,
        /// The label.
        label: i64,
        /// Classes of the network.
        classes: usize,
    },
    /// A tensor is named that the network or optimiser does not have.
    #[error("no parameter is called {name}")]
    UnknownParameter {
        /// The name asked for.
        name: String,
    },
    /// A tensor has another shape than the one it is to replace.
    #[error("{name} has shape {found:?}; the network needs {expected:?}")]
    ParameterShape {
        /// The parameter.
        name: String,
        /// The shape given.
        found: Vec<usize>,
        /// The shape needed.
        expected: Vec<usize>,
    },
    /// candle refused an operation.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}
