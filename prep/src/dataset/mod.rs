//! What is done with a finished dataset.

pub(crate) mod convert;
pub(crate) mod export;
pub(crate) mod extract;
pub(crate) mod inspect;
pub(crate) mod montage;
mod nearest;
pub(crate) mod subset;
pub(crate) mod verify;
