//! What the integration tests need: small image trees of every odd kind, real images where they are
//! at hand, and the programs themselves.

#![forbid(unsafe_code)]

mod data;
pub mod fuzz;
mod html;
mod layouts;
mod packed;
mod programs;
mod small;
#[cfg(unix)]
mod terminal;
mod tree;
mod work;

pub use data::{note, real_images};
pub use html::{HtmlElement, HtmlPage};
pub use layouts::{val_name, write_kaggle, write_list, write_official};
pub use packed::{Packing, write_parquet, write_webdataset};
pub use programs::{Program, run};
pub use small::{SMALL_SIDE, write_small};
#[cfg(unix)]
pub use terminal::Terminal;
pub use tree::{TREE_CLASSES, TREE_IMAGES, photo, photo_jpeg, write_tree};
pub use work::Work;
