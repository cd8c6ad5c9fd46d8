//! The trainer's arithmetic against independent implementations of it:
//!
//! - `oracle`: the operations written again from their definitions, in f64, and finite differences
//! - `convolution`, `winograd`, `pooling`, `normalisation`, `linear`: each kernel against its twin
//! - `autograd`: the same kernels through candle's backward pass
//! - `activations`: the outputs of layers, beside the logits
//! - `network`: whole training steps: finite differences, repeatability, memory reuse, learning
//! - `fig1`: the same for the network of the paper's Fig. 1
//! - `pytorch`: values and gradients that PyTorch computed (`tests/reference/`)
//! - `torchvision`, `mean_image`: exchanged files, against torchvision and against what went in

mod activations;
mod autograd;
mod convolution;
mod fig1;
mod linear;
mod mean_image;
mod network;
mod normalisation;
pub(crate) mod oracle;
mod pooling;
mod pytorch;
mod torchvision;
mod winograd;
