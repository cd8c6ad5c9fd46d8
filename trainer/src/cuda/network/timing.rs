//! What the GPU takes for each layer: events on its stream between the layers, where somebody asks for them.

use candle_core::cuda_backend::cudarc::driver::CudaEvent;
use candle_core::cuda_backend::cudarc::driver::sys::CUevent_flags;

use crate::cuda::conv::PassReport;
use crate::cuda::device::{CudaError, ErrorContext};
use crate::cuda::network::Network;

/// The end of a part of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// The work before it counts for nothing.
    Begin,
    /// The batch's bytes have become conv1's input.
    Input,
    Forward(usize),
    /// The loss, and the gradient of the logits.
    Loss,
    Backward(usize),
    /// The sum over several GPUs, and the update.
    Update,
}

/// The events of a step so far.
pub(super) struct Timing(Vec<(Mark, CudaEvent)>);

/// Seconds of a part of a step on a GPU.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StageSeconds {
    /// A layer, `input`, `loss` or `sgd`.
    pub(crate) stage: String,
    /// Of its forward pass, or of all of it.
    pub(crate) forward: f64,
    /// Of its backward pass, where it has one.
    pub(crate) backward: Option<f64>,
}

/// An algorithm of a convolution, for a pass over so many images.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LayerAlgorithm {
    /// The layer.
    pub(crate) layer: String,
    /// The images.
    pub(crate) rows: usize,
    /// What was chosen.
    pub(crate) report: PassReport,
}

impl Network {
    /// Begins to time the parts of the next step.
    pub(crate) fn begin_timing(&mut self) {
        self.timing = Some(Timing(Vec::new()));
    }

    /// Notes that the queued work reaches to here, if a step is timed.
    pub(super) fn mark(&mut self, mark: Mark) -> Result<(), CudaError> {
        let Some(Timing(events)) = &mut self.timing else {
            return Ok(());
        };
        let event = self
            .device
            .stream
            .record_event(Some(CUevent_flags::CU_EVENT_DEFAULT));
        events.push((mark, event.context("record the time")?));
        Ok(())
    }

    /// Waits for the step that was timed, and returns what its parts took, in the order of the layers.
    pub(crate) fn end_timing(&mut self) -> Result<Vec<StageSeconds>, CudaError> {
        let events = self
            .timing
            .take()
            .map(|timing| timing.0)
            .unwrap_or_default();
        let mut spent = Vec::new();
        for pair in events.windows(2) {
            let [(_, before), (mark, event)] = pair else {
                unreachable!("windows of two")
            };
            let milliseconds = before.elapsed_ms(event).context("read the time")?;
            spent.push((*mark, f64::from(milliseconds) / 1e3));
        }
        let of = |mark: Mark| {
            let of_mark = spent.iter().filter(|(found, _)| *found == mark);
            of_mark.map(|(_, seconds)| seconds).sum::<f64>()
        };
        let whole = |stage: &str, mark| StageSeconds {
            stage: stage.to_owned(),
            forward: of(mark),
            backward: None,
        };
        let layers = self.layers.iter().enumerate();
        let layers = layers.map(|(index, layer)| StageSeconds {
            stage: layer.name().to_owned(),
            forward: of(Mark::Forward(index)),
            backward: Some(of(Mark::Backward(index))),
        });
        let ends = [whole("loss", Mark::Loss), whole("sgd", Mark::Update)];
        Ok([whole("input", Mark::Input)]
            .into_iter()
            .chain(layers)
            .chain(ends)
            .collect())
    }

    /// What the searches have chosen so far, by layer and number of rows.
    pub(crate) fn algorithms(&self) -> Vec<LayerAlgorithm> {
        let mut plans: Vec<_> = self.plans.iter().collect();
        plans.sort_by_key(|((index, rows, _), _)| (*index, *rows));
        let reports = plans.into_iter().flat_map(|((index, rows, _), plan)| {
            plan.reports().into_iter().map(|report| LayerAlgorithm {
                layer: self.layers[*index].name().to_owned(),
                rows: *rows,
                report,
            })
        });
        reports.collect()
    }
}
