//! Settings from Python: names that `shardmill/settings.py` has checked.

use pyo3::prelude::*;
use shardmill_loader::{
    Advice, BadRecord, ColorJitter, LastBatch, Layout, Order, Output, Policy, Verify,
};

use crate::errors::plain;

/// How samples become rows, in the form of `shardmill.augment`.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct PolicyArgs {
    kind: String,
    crop: u32,
    flip: bool,
    color_std: f64,
    scale: (f64, f64),
    ratio: (f64, f64),
}

/// All settings of a loader, without its data.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Settings {
    pub(crate) global_batch_size: usize,
    pub(crate) seed: u64,
    pub(crate) threads: usize,
    pub(crate) prefetch: usize,
    policy: PolicyArgs,
    pub(crate) views: usize,
    pub(crate) draw_every: u64,
    color_jitter: Option<(f64, f64, f64, f64)>,
    pub(crate) mean: [f32; 3],
    pub(crate) std: [f32; 3],
    output: String,
    layout: String,
    last_batch: String,
    order: String,
    verify: String,
    on_bad_record: String,
    advice: String,
    pub(crate) rank: usize,
    pub(crate) world_size: usize,
}

/// Looks up the value of a name.
fn named<T: Copy>(py: Python<'_>, what: &str, name: &str, known: &[(&str, T)]) -> PyResult<T> {
    let found = known.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let text = format!("{what} is {name:?}; choose one of {}", names.join(", "));
        plain(py, "SettingError", &text)
    })
}

impl Settings {
    pub(crate) fn policy(&self, py: Python<'_>) -> PyResult<Policy> {
        let &PolicyArgs {
            ref kind,
            crop,
            flip,
            color_std,
            scale,
            ratio,
        } = &self.policy;
        let known = [
            (
                "random_crop",
                Policy::Train {
                    crop,
                    flip,
                    color_std,
                },
            ),
            (
                "random_resized_crop",
                Policy::RandomResizedCrop {
                    crop,
                    scale,
                    ratio,
                    flip,
                    color_std,
                },
            ),
            (
                "fixed_crop",
                Policy::FixedCrop {
                    crop,
                    flip,
                    color_std,
                },
            ),
            ("center", Policy::Center { crop }),
            ("two_view", Policy::TwoView { crop }),
            ("ten_view", Policy::TenView { crop }),
        ];
        named(py, "augment", kind, &known)
    }

    pub(crate) fn color_jitter(&self) -> Option<ColorJitter> {
        self.color_jitter
            .map(|(brightness, contrast, saturation, hue)| ColorJitter {
                brightness,
                contrast,
                saturation,
                hue,
            })
    }

    pub(crate) fn output(&self, py: Python<'_>) -> PyResult<Output> {
        let known = [
            ("float32", Output::F32),
            ("float16", Output::F16),
            ("bfloat16", Output::Bf16),
            ("uint8", Output::U8),
        ];
        named(py, "output", &self.output, &known)
    }

    pub(crate) fn layout(&self, py: Python<'_>) -> PyResult<Layout> {
        let known = [("nchw", Layout::Nchw), ("nhwc", Layout::Nhwc)];
        named(py, "layout", &self.layout, &known)
    }

    pub(crate) fn last_batch(&self, py: Python<'_>) -> PyResult<LastBatch> {
        let known = [
            ("keep", LastBatch::Keep),
            ("drop", LastBatch::Drop),
            ("pad", LastBatch::Pad),
        ];
        named(py, "last_batch", &self.last_batch, &known)
    }

    pub(crate) fn order(&self, py: Python<'_>) -> PyResult<Order> {
        self.order.parse().map_err(|advice: String| {
            let text = format!("order is {:?}; {advice}", self.order);
            plain(py, "SettingError", &text)
        })
    }

    pub(crate) fn verify(&self, py: Python<'_>) -> PyResult<Verify> {
        let known = [("first-read", Verify::FirstRead), ("never", Verify::Never)];
        named(py, "verify", &self.verify, &known)
    }

    pub(crate) fn on_bad_record(&self, py: Python<'_>) -> PyResult<BadRecord> {
        let known = [("stop", BadRecord::Stop), ("replace", BadRecord::Replace)];
        named(py, "on_bad_record", &self.on_bad_record, &known)
    }

    pub(crate) fn advice(&self, py: Python<'_>) -> PyResult<Advice> {
        let known = [
            ("auto", Advice::Auto),
            ("always", Advice::Always),
            ("never", Advice::Never),
        ];
        named(py, "advice", &self.advice, &known)
    }
}
