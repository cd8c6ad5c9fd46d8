//! What is done with a finished dataset.

mod convert;
mod export;
mod extract;
mod inspect;
mod montage;
mod nearest;
mod subset;
mod verify;

pub use crate::shards::Rewritten;
pub use convert::{ConvertOptions, convert};
pub use export::{ExportFormat, ExportOptions, ExportSummary, export};
pub use extract::{Extracted, Selector, extract};
pub use inspect::{Inspection, inspect};
pub use montage::{contact_sheet, montage};
pub use subset::{SubsetOptions, subset};
pub use verify::{Fault, Verification, verify, verify_observed};
