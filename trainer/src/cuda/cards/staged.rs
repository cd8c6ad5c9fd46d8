//! Batches that stay on the cards, for measuring, and what only a check asks for.

use std::sync::Arc;

use crate::cuda::cards::CardsEngine;
use crate::cuda::device::error::CudaError;
use crate::cuda::feed::{Pixels, Staged};
use crate::cuda::slice::Slice;
use crate::net::DropoutKey;

/// A batch on the cards, a slice on each.
#[derive(Clone, Debug)]
pub(crate) struct StagedSlices {
    rows: usize,
    slices: Arc<Vec<Staged>>,
}

impl CardsEngine {
    /// Brings a batch with labels onto the cards, of which `pixels` gives what there is of it. It has a
    /// row for each card and more.
    pub(crate) fn stage<B: Send + Sync + 'static>(
        &mut self,
        batch: &Arc<B>,
        pixels: fn(&B) -> Pixels<'_>,
    ) -> Result<StagedSlices, CudaError> {
        let labels = pixels(batch).labels;
        self.state.model.check_labels(labels)?;
        let (rows, cards) = (labels.len(), self.crew.len());
        let (batch, begin) = (Arc::clone(batch), self.begin());
        let slices = self.crew.all(move |place, card| {
            begin
                .as_ref()
                .map_or(Ok(()), |state| card.begin(&state.sgd))?;
            card.stage(pixels(&batch).part(Slice::of(place, cards, rows)))
        })?;
        let slices = Arc::new(slices);
        Ok(StagedSlices { rows, slices })
    }

    /// [`accumulate`](Self::accumulate) of a batch that is on the cards; it stays there.
    pub(crate) fn accumulate_staged(
        &mut self,
        batch: &StagedSlices,
        key: DropoutKey,
    ) -> Result<(), CudaError> {
        let StagedSlices { rows, slices } = batch.clone();
        let cards = self.crew.len();
        self.crew.all(move |place, card| {
            let slice = Slice::of(place, cards, rows);
            card.accumulate_staged(&slices[place], slice, key, None)
        })?;
        self.note(rows);
        Ok(())
    }

    /// A forward pass without dropout over a batch that is on the cards.
    pub(crate) fn infer(&mut self, batch: &StagedSlices) -> Result<(), CudaError> {
        let slices = Arc::clone(&batch.slices);
        self.crew
            .all(move |place, card| card.infer(&slices[place]))?;
        Ok(())
    }

    /// Waits until all queued work is done.
    pub(crate) fn wait(&mut self) -> Result<(), CudaError> {
        self.crew.all(|_, card| card.gpu().wait())?;
        Ok(())
    }

    /// Whether all cards have the same parameters and velocities, to the bit.
    pub(crate) fn agree(&mut self) -> Result<bool, CudaError> {
        for number in 0..self.state.model.parameters().len() {
            let len = self.state.model.parameters()[number].len();
            let values = self.crew.all(move |_, card| {
                let (mut values, mut velocity) = (vec![0.0; len], vec![0.0; len]);
                card.read(number, &mut values, &mut velocity)?;
                values.append(&mut velocity);
                Ok(values)
            })?;
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            let first = bits(&values[0]);
            if values.iter().any(|values| bits(values) != first) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
