//! Tells the crate which Python it is built for, so that a free-threaded one is refused in words.

fn main() {
    pyo3_build_config::use_pyo3_cfgs();
}
