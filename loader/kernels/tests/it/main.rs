//! The kernels against their definitions, on every set of instructions that this processor has.

mod canvas;
mod colour;
mod kernel;
mod limits;
mod naive;
mod pages;
mod reference;
mod resize;
