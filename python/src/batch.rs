//! A batch that Python holds.

use std::sync::Arc;

use numpy::ndarray::Array2;
use numpy::{IntoPyArray, PyArray1, PyArray2};
use pyo3::prelude::*;
use shardmill_loader::Output;

use crate::errors::check_not_ending;
use crate::lend::{self, BFloat16Array, Lent};

/// A batch. A later batch reuses its memory once this object and everything made from
/// [`images`](Batch::images) is gone.
#[pyclass(frozen, module = "shardmill._core")]
pub(crate) struct Batch {
    lent: Arc<Lent>,
    /// Whether no batch of the epoch comes after it.
    last: bool,
}

impl Batch {
    /// A batch with `views` rows for each sample; several views get an axis of their own.
    pub(crate) fn new(
        batch: shardmill_loader::Batch,
        views: usize,
        output: Output,
        last: bool,
    ) -> Self {
        let [rows, rest @ ..] = batch.shape();
        let mut shape = match views {
            1 => vec![rows],
            _ => vec![rows / views, views],
        };
        shape.extend(rest);
        Self {
            lent: Arc::new(Lent::new(batch, shape, output)),
            last,
        }
    }
}

#[pymethods]
impl Batch {
    /// The pixels, in the type of the loader's output.
    fn images<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        check_not_ending(py)?;
        if self.lent.output() == Output::Bf16 {
            return Ok(Bound::new(py, BFloat16Array::new(self.lent.clone()))?.into_any());
        }
        lend::array(py, &self.lent)
    }

    /// int64 `[samples]`.
    fn labels<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<i64>>> {
        check_not_ending(py)?;
        Ok(PyArray1::from_slice(py, self.lent.rest().labels()))
    }

    /// int64 `[samples]`, the type of indices in torch and numpy.
    fn indices<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<i64>>> {
        check_not_ending(py)?;
        let indices = self.lent.rest().indices().iter();
        let indices: Vec<i64> = indices.map(|&index| index as i64).collect();
        Ok(indices.into_pyarray(py))
    }

    fn keys(&self) -> Vec<&str> {
        let batch = self.lent.rest();
        (0..batch.len()).map(|i| batch.key(i)).collect()
    }

    /// float32 `[rows, 3]`; empty unless the output is uint8.
    fn color_shift<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        check_not_ending(py)?;
        let shifts = self.lent.rest().color_shift();
        let shifts = Array2::from_shape_fn((shifts.len(), 3), |(row, c)| shifts[row][c]);
        Ok(shifts.into_pyarray(py))
    }

    /// int32 `[rows, 5]`: top, left, height, width, flipped.
    fn areas<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<i32>>> {
        check_not_ending(py)?;
        let areas = self.lent.rest().areas();
        let value = |(row, column): (usize, usize)| {
            let area = areas[row];
            let values = [area.top, area.left, area.height, area.width];
            values
                .get(column)
                .map_or_else(|| i32::from(area.flip), |&value| value as i32)
        };
        Ok(Array2::from_shape_fn((areas.len(), 5), value).into_pyarray(py))
    }

    /// Place in the batch, index of the damaged sample, index of the sample that replaces it.
    fn replaced(&self) -> Vec<(usize, u64, u64)> {
        let replaced = self.lent.rest().replaced().iter();
        replaced.map(|one| (one.place, one.bad, one.by)).collect()
    }

    #[getter]
    fn valid(&self) -> usize {
        self.lent.rest().valid()
    }

    /// Samples of the epoch up to and including this batch, over all ranks.
    #[getter]
    fn samples_after(&self) -> u64 {
        self.lent.rest().samples_after()
    }

    #[getter]
    fn last(&self) -> bool {
        self.last
    }

    fn __len__(&self) -> usize {
        self.lent.rest().len()
    }
}
