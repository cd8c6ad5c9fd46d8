//! A panic of a decoder rejects one image and nothing else.
//!
//! The libraries that decode are written by others and are fed with whatever people have: that none of
//! them ever indexes past an end cannot be proved from here.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

use shardmill_formats::panic_message;

thread_local! {
    /// Whether the thread is inside of [`guarded`].
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Calls `work`; a panic becomes an error with its message.
///
/// What `work` has changed may be half done after a panic: the caller must replace it.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let outer = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    result.map_err(|payload| panic_message(&*payload).unwrap_or("it panicked").to_owned())
}

/// Keeps panics that become rejects from being printed as if the program had failed; all others are
/// printed as before.
///
/// It replaces the panic hook of the process, so it is for a program's `main`, and no library calls it.
pub fn silence_decoder_panics() {
    let before = take_hook();
    set_hook(Box::new(move |info| {
        // The flag is gone while a thread ends, where nothing is decoded.
        if !GUARDED.try_with(Cell::get).unwrap_or(false) {
            before(info);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_message_and_ends_the_guard() {
        let numbers = [1, 2, 3];
        let index = std::hint::black_box(7);
        let found = guarded(|| numbers[index]);
        let message = "index out of bounds: the len is 3 but the index is 7";
        assert_eq!(found, Err(message.to_owned()));
        assert!(!GUARDED.get());
        assert_eq!(guarded(|| GUARDED.get()), Ok(true));
        // One within another leaves the outer one on.
        let within = guarded(|| {
            let _ = guarded(|| panic!("inner"));
            GUARDED.get()
        });
        assert_eq!(within, Ok(true));
        assert!(!GUARDED.get());
    }
}
