//! Images of a dataset, small.

use shardmill_loader::{Dataset, LoaderError};

use super::picture::{Picture, PictureError, Pixels};

/// Why an image of a dataset cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PhotoError {
    /// The dataset refused.
    #[error(transparent)]
    Loader(#[from] LoaderError),
    /// The encoder refused.
    #[error(transparent)]
    Picture(#[from] PictureError),
}

/// Image `sample` of a split with sides of at most `side` pixels; `alt` says what it shows.
///
/// # Errors
/// A record that is damaged.
pub(crate) fn photo(
    dataset: &Dataset,
    sample: u64,
    side: usize,
    alt: String,
) -> Result<Picture, PhotoError> {
    let shape = dataset.shape();
    let mut pixels = Pixels {
        width: shape.width as usize,
        height: shape.height as usize,
        rgb: vec![0; shape.width as usize * shape.height as usize * 3],
    };
    dataset.read(sample, &mut pixels.rgb)?;
    Ok(Picture::jpeg(&pixels.shrunk(side), alt)?)
}
