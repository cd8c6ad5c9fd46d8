//! How samples become batches: what is planned, who works on what, and where the time goes.

mod batch;
mod buffers;
mod channel;
mod epoch;
mod fill;
mod meter;
mod plan;
mod pool;
mod prefetch;
mod readahead;
pub(crate) mod room;
mod slots;
mod transform;

pub use batch::Batch;
pub use epoch::Epoch;
pub use meter::{Bottleneck, Meter, Verdict};
pub use transform::{Random, Sample};

pub(crate) use plan::{Normalization, Plan, steps};
pub(crate) use pool::Pool;
pub(crate) use transform::{Around, Transform};
