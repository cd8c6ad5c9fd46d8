//! The decoder from outside, over streams that the kit writes, and beside libjpeg-turbo's pixels.

mod any; // any stream, for properties
mod faults; // on what the decoder and libjpeg-turbo differ
mod fixture; // libjpeg-turbo's pixels, to the bit
mod forms; // the same coefficients in every form
mod headers; // what is refused by name, and what is warned of
mod judge; // whether the decoder and libjpeg-turbo agree
mod keep; // damage that is kept
mod limits; // memory and time that an image may take
mod naive; // what the planes are compared with
mod naive_rgb; // what pixels are compared with
mod ours; // all pixels of a region at once
mod peer; // beside libjpeg-turbo
mod pixels; // pixels of every size and quality, beside the definition
mod planes; // every kind of stream, beside the definition
mod regions; // parts of images, beside the whole
mod rgb_regions; // the same for pixels
mod windows; // parts of images as RGB, beside the whole
