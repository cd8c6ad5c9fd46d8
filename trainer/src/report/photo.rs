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

/// A rectangle of an image, in pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) top: usize,
    pub(crate) left: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
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
    Ok(Picture::jpeg(&pixels(dataset, sample)?.shrunk(side), alt)?)
}

/// Part of image `sample`, with sides of at most `side` pixels.
///
/// # Errors
/// A record that is damaged, or a part that is not within it.
pub(crate) fn part(
    dataset: &Dataset,
    sample: u64,
    cut: Cut,
    side: usize,
    alt: String,
) -> Result<Picture, PhotoError> {
    let whole = pixels(dataset, sample)?;
    let mut part = Pixels {
        width: cut.width,
        height: cut.height,
        rgb: Vec::with_capacity(cut.width * cut.height * 3),
    };
    // A cut that reaches beyond the image leaves too few bytes, which the encoder refuses.
    for row in whole
        .rgb
        .chunks_exact(whole.width * 3)
        .skip(cut.top)
        .take(cut.height)
    {
        part.rgb
            .extend(row.iter().skip(cut.left * 3).take(cut.width * 3));
    }
    if part.rgb.len() != cut.width * cut.height * 3 {
        return Ok(Picture::jpeg(&part, alt)?);
    }
    Ok(Picture::jpeg(&part.shrunk(side), alt)?)
}

fn pixels(dataset: &Dataset, sample: u64) -> Result<Pixels, LoaderError> {
    let shape = dataset.shape();
    let (width, height) = (shape.width as usize, shape.height as usize);
    let mut rgb = vec![0; width * height * 3];
    dataset.read(sample, &mut rgb)?;
    Ok(Pixels { width, height, rgb })
}
