//! WebDataset's tars.
