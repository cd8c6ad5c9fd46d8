//! Datasets, exports and output folders.
