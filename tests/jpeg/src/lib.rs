//! A writer of JPEG streams for tests of decoders: every stream that the sequential and progressive
//! Huffman modes of ITU-T T.81 allow with samples of 8 bits, and many that they do not allow.
//!
//! [`Jpeg`] describes a stream: frame, content, tables, scans, headers and faults. Its `Default` is
//! the ordinary baseline JPEG with halved chroma. [`write()`] turns the description into bytes.
//! The kit knows no decoder of ours. What it writes is judged by libjpeg-turbo, which [`Peer`] asks.
//!
//! ```
//! use shardmill_jpeg_kit::{Coding, Jpeg, Pattern, Process, scans, write};
//!
//! let ordinary = write(&Jpeg::default());
//! assert_eq!(ordinary[..2], [0xFF, 0xD8]);
//!
//! // Chroma finer than luma, progressive, with a restart marker after every second unit.
//! let mut odd = Jpeg::sampled(33, 17, &[(1, 1), (2, 2), (2, 1)]).painted(Pattern::Edges, 7);
//! odd.frame.process = Process::Progressive;
//! odd.scans = scans::refined(3);
//! odd.scans.iter_mut().for_each(|scan| scan.restart = 2);
//! odd.coding = Coding::Optimised;
//! assert!(write(&odd).len() < 4096);
//! ```

#![forbid(unsafe_code)]

mod bits;
mod blocks;
mod content;
mod dct;
mod entropy;
mod frame;
mod grid;
mod header;
mod huffman;
mod jpeg;
mod mutate;
mod peer;
mod plane;
mod progressive;
mod quantisation;
mod random;
mod scan;
pub mod scans;
mod seeds;
mod sequential;
mod standard;
mod tables;
mod token;
mod write;
mod zigzag;

pub use bits::EntropyCoded;
pub use blocks::Blocks;
pub use content::{Content, Pattern, random_coefficients};
pub use dct::forward;
pub use entropy::tokens;
pub use frame::{Component, Frame, Process};
pub use grid::{SAMPLINGS, grid};
pub use header::Header;
pub use huffman::HuffmanTable;
pub use jpeg::{Cut, Faults, Jpeg};
pub use mutate::mutate;
pub use peer::{Answer, Peer, Pillow, Question, Verdict};
pub use plane::Plane;
pub use quantisation::Quantisation;
pub use random::Random;
pub use scan::Scan;
pub use seeds::seeds;
pub use tables::Coding;
pub use token::{Class, Token};
pub use write::write;
pub use zigzag::ZIGZAG;
