//! `shardmill._core`: the loader and prep for Python. It is thin on purpose: code that reads better in Python is in
//! `python/shardmill/`, the package that users import.

#![deny(unsafe_code)]

#[cfg(Py_GIL_DISABLED)]
compile_error!(
    "shardmill does not support free-threaded Python yet: build it for a Python with the GIL (python3.13, not python3.13t)"
);

mod batch;
mod dataset;
mod epoch;
mod errors;
mod lend;
mod loader;
mod observe;
mod prepare;
mod programs;
mod settings;
mod shared;
mod transform;
mod writer;

use pyo3::prelude::*;

/// The compiled part of the package.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    errors::load(module.py())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<dataset::Dataset>()?;
    module.add_function(wrap_pyfunction!(dataset::is_address, module)?)?;
    module.add_class::<loader::Loader>()?;
    module.add_class::<epoch::Epoch>()?;
    module.add_class::<batch::Batch>()?;
    module.add_class::<lend::BFloat16Array>()?;
    module.add_function(wrap_pyfunction!(errors::end, module)?)?;
    module.add_class::<writer::Writer>()?;
    prepare::register(module)?;
    shared::register(module)?;
    programs::register(module)?;
    Ok(())
}
