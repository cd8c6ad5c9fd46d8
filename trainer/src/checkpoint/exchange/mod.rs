//! Weights in the names and layouts of other programs, as safetensors.
//!
//! Kernels become `[outputs, inputs / groups, height, width]` and the columns of the first fully
//! connected layer (fc6) run over channels, then rows, then columns of the last pool, as PyTorch flattens NCHW. A mean image becomes one more tensor,
//! [`MEAN_IMAGE`], `[3, side, side]`. Nothing else changes.

mod error;
mod file;

pub use error::ExchangeError;
pub use file::{Described, Imported, export, import};

use crate::net::config::Variant;

/// The tensor of the mean image in an exchanged file, under every naming: `[3, side, side]` on the 0-255
/// scale, `side` being that of the records.
pub const MEAN_IMAGE: &str = "mean_image";

/// Whose names the parameters have in an exchanged file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Naming {
    /// torchvision's `alexnet`, `features.0.weight` to `classifier.6.bias`; for alexnet-owt, as
    /// torchvision has no other network
    Torchvision,
    /// The paper's layer names, `conv1.weight` to `fc8.bias`, in PyTorch's layouts; for every network
    Pytorch,
}

/// torchvision's name of each layer of `alexnet-owt`: its place in the two sequences of modules.
const TORCHVISION: [(&str, &str); 8] = [
    ("conv1", "features.0"),
    ("conv2", "features.3"),
    ("conv3", "features.6"),
    ("conv4", "features.8"),
    ("conv5", "features.10"),
    ("fc6", "classifier.1"),
    ("fc7", "classifier.4"),
    ("fc8", "classifier.6"),
];

impl Naming {
    /// Refuses a network that these names do not fit.
    fn check(self, variant: Variant) -> Result<(), ExchangeError> {
        match (self, variant) {
            (Self::Torchvision, Variant::Alexnet | Variant::Fig1) => {
                Err(ExchangeError::NotTorchvisions)
            }
            _ => Ok(()),
        }
    }

    /// The name in an exchanged file of the parameter that is called `name` here.
    fn of(self, name: &str) -> String {
        let renamed = TORCHVISION.iter().find_map(|(ours, theirs)| {
            let part = name.strip_prefix(ours)?.strip_prefix('.')?;
            Some(format!("{theirs}.{part}"))
        });
        match self {
            Self::Torchvision => renamed.unwrap_or_else(|| name.to_owned()),
            Self::Pytorch => name.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Naming;

    #[test]
    fn layers_have_torchvisions_places() {
        assert_eq!(Naming::Torchvision.of("conv5.bias"), "features.10.bias");
        assert_eq!(Naming::Torchvision.of("fc8.weight"), "classifier.6.weight");
        assert_eq!(Naming::Pytorch.of("fc8.weight"), "fc8.weight");
    }
}
