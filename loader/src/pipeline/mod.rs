//! How samples become batches: what is planned, who works on what, and where the time goes.

mod batch;
mod buffers;
mod channel;
mod epoch;
mod feed;
mod fill;
mod meter;
mod needs;
mod plan;
mod pool;
mod prefetch;
mod readahead;
mod room;
mod rows;
mod slots;
mod transform;

pub use batch::Batch;
pub use epoch::Epoch;
pub use meter::{Bottleneck, Meter, Verdict};
pub use transform::{Random, Sample};

pub(crate) use feed::Sessions;
pub(crate) use plan::{Normalization, Plan};
pub(crate) use pool::Pool;
pub(crate) use room::check as check_memory;
pub(crate) use transform::{Around, Transform};
