//! What the search for algorithms has chosen, for people.

use std::fmt::Debug;

use candle_core::cuda_backend::cudarc::cudnn::sys;

use super::{Pass, Plan, SEARCH_ROWS};

/// A pass of a convolution and its algorithm.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PassReport {
    /// `forward`, `data` (the input's gradient) or `weight`.
    pub(crate) pass: &'static str,
    /// cuDNN's name of the algorithm, without its prefix.
    pub(crate) algorithm: String,
    /// cuDNN's name of the arithmetic, without its prefix.
    pub(crate) math: String,
    /// Images that it was timed on.
    pub(crate) timed_rows: usize,
    /// Milliseconds for these, unless cuDNN's ranking was taken without a trial.
    pub(crate) milliseconds: Option<f32>,
    /// Bytes of workspace.
    pub(crate) workspace: usize,
}

impl Plan {
    /// The passes that were planned.
    pub(crate) fn reports(&self) -> Vec<PassReport> {
        let rows = self.geometry.rows.min(SEARCH_ROWS);
        let forward = self
            .forward
            .as_ref()
            .map(|pass| pass.report("forward", rows));
        let data = self.data.as_ref().map(|pass| pass.report("data", rows));
        let weight = self.filter.as_ref().map(|pass| pass.report("weight", rows));
        [forward, data, weight].into_iter().flatten().collect()
    }
}

impl<A: Debug> Pass<A> {
    fn report(&self, pass: &'static str, timed_rows: usize) -> PassReport {
        PassReport {
            pass,
            algorithm: algorithm(&self.algorithm),
            math: math(self.math),
            timed_rows,
            milliseconds: self.milliseconds,
            workspace: self.workspace,
        }
    }
}

/// A name such as `CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM` as `implicit_precomp_gemm`; the gradients'
/// algorithms have numbers.
fn algorithm(value: &impl Debug) -> String {
    let name = format!("{value:?}");
    let own = name
        .split_once("_ALGO_")
        .map_or(name.as_str(), |(_, own)| own);
    own.to_lowercase()
}

/// A name such as `CUDNN_TENSOR_OP_MATH` as `tensor_op_math`.
fn math(value: sys::cudnnMathType_t) -> String {
    let name = format!("{value:?}");
    name.trim_start_matches("CUDNN_").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{algorithm, math, sys};

    #[test]
    fn names_are_cudnns_without_their_prefix() {
        use sys::cudnnConvolutionBwdFilterAlgo_t::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1 as ONE;
        use sys::cudnnConvolutionFwdAlgo_t::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM as GEMM;
        assert_eq!(
            [algorithm(&GEMM), algorithm(&ONE)],
            ["implicit_precomp_gemm", "1"]
        );
        assert_eq!(math(sys::cudnnMathType_t::CUDNN_FMA_MATH), "fma_math");
    }
}
