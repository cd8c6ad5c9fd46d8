//! The decoder from outside, over streams that are written here and streams beside libjpeg-turbo's pixels.

mod pixels; // libjpeg-turbo's pixels, to the bit
mod windows; // parts of images as RGB, beside the whole
