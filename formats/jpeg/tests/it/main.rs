//! The decoder from outside, over streams that the kit writes, and beside libjpeg-turbo's pixels.

mod headers; // what is refused by name, and what is warned of
mod keep; // damage that is kept
mod limits; // memory and time that an image may take
mod naive; // what the planes are compared with
mod peer; // beside libjpeg-turbo
mod pixels; // libjpeg-turbo's pixels, to the bit
mod planes; // every kind of stream, beside the definition
mod regions; // parts of images, beside the whole
mod windows; // parts of images as RGB, beside the whole
