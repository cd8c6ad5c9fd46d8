//! The flags that choose a network.

use clap::Args;

use crate::net::config::{Activation, ModelConfig, Pooling, Variant};

/// The flags that choose a network.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Network")]
pub(super) struct ModelArgs {
    /// The network to start from [default: alexnet]
    #[arg(long, value_enum, value_name = "NAME")]
    variant: Option<Variant>,
    /// Multiply the width of every layer [default: 1, the paper's]
    #[arg(long, value_name = "FACTOR")]
    width: Option<f64>,
    /// Side of the square that the network sees [default: 224; of fig1 32]
    #[arg(long, value_name = "PIXELS", value_parser = side)]
    crop: Option<usize>,
    /// Share of fc6's and fc7's inputs dropped in training [default: 0.5; fig1 has none]
    #[arg(long, value_name = "SHARE")]
    dropout: Option<f32>,
    /// Leave out response normalisation, of net145 also that within maps
    #[arg(long)]
    no_lrn: bool,
    /// Pool 2x2 windows instead of overlapping 3x3 ones
    #[arg(long)]
    non_overlapping_pooling: bool,
    /// One column of half the width instead of two
    #[arg(long)]
    one_column: bool,
    /// The activation function; for training, tanh also sets standardised pixels, biases of 0 and weights of
    /// a standard deviation of 0.02, except in fig1 [default: relu]
    #[arg(long, value_enum, value_name = "NAME")]
    activation: Option<Activation>,
    /// Leave out a convolution, 2 to 5
    #[arg(long, value_name = "NUMBER")]
    remove_conv: Option<usize>,
}

/// A side in pixels. A word was meant for `--cropping`.
fn side(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| {
        "give a number of pixels; how training images are cut is `--cropping fixed`, `random` or \
         `resized`"
            .to_owned()
    })
}

impl ModelArgs {
    /// The activation function that was asked for.
    pub(super) fn activation(&self) -> Option<Activation> {
        self.activation
    }

    /// The network that the other flags start from: `base`, or that of another variant.
    pub(super) fn start_from(&self, base: ModelConfig) -> ModelConfig {
        base.changed_to(self.variant.unwrap_or(base.variant))
    }

    /// `base` with what the flags change.
    pub(super) fn apply(&self, base: ModelConfig) -> ModelConfig {
        let mut model = self.start_from(base);
        model.width = self.width.unwrap_or(model.width);
        model.input_size = self.crop.unwrap_or(model.input_size);
        model.dropout = self.dropout.unwrap_or(model.dropout);
        if self.no_lrn {
            // The paper's figure is of a run without any: net 148 of the authors' source.
            (model.lrn, model.lrn_within_columns) = (None, false);
            model.map_norm = None;
        }
        if self.non_overlapping_pooling {
            model.pooling = Pooling::NonOverlapping;
        }
        if self.one_column {
            // A single column has no border to stay within.
            (model.columns, model.lrn_within_columns) = (1, false);
        }
        model.activation = self.activation().unwrap_or(model.activation);
        model.removed_conv = self.remove_conv.or(model.removed_conv);
        model
    }
}

#[cfg(test)]
mod tests {
    use crate::recipe::setup::Setup;
    use crate::tools::summary::Summary;

    use super::*;

    /// The names of the normalisations of net 145 with these flags.
    fn norms(flags: &ModelArgs) -> String {
        let net145 = Setup::named("net145").unwrap().model;
        let table = Summary::of(&flags.apply(net145)).unwrap().to_string();
        let norm = |name: &&str| name.starts_with("norm") || name.starts_with("maps");
        // Behind the totals a line says again which are within columns.
        let rows = table.lines().take_while(|line| !line.starts_with("total"));
        let names = rows.filter_map(|line| line.split(' ').next());
        names.filter(norm).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn no_lrn_takes_the_normalisation_within_maps_out_too() {
        assert_eq!(norms(&ModelArgs::default()), "norm1 norm2 maps2");
        let no_lrn = ModelArgs {
            no_lrn: true,
            ..ModelArgs::default()
        };
        assert_eq!(norms(&no_lrn), "");
    }

    #[test]
    fn one_column_of_net_145_has_no_border() {
        let one_column = ModelArgs {
            one_column: true,
            ..ModelArgs::default()
        };
        let model = one_column.apply(Setup::named("net145").unwrap().model);
        assert!(model.columns == 1 && !model.lrn_within_columns);
        assert_eq!(norms(&one_column), "norm1 norm2 maps2");
    }
}
