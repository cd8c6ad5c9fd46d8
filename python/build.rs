//! Tells the crate which Python it is built for, so that a free-threaded build fails with a clear message.

fn main() {
    pyo3_build_config::use_pyo3_cfgs();
}
