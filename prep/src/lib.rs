//! prep.
