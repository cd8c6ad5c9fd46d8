//! What a panic said.

use std::any::Any;

/// The message of a panic that was caught; `None` if its payload is no text.
#[must_use]
pub fn panic_message(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())
}

#[cfg(test)]
mod tests {
    use std::panic::{catch_unwind, panic_any};

    use super::*;

    #[test]
    fn a_message_is_found_whether_it_was_formatted_or_not() {
        let said = |work: fn()| {
            let payload = catch_unwind(work).unwrap_err();
            panic_message(&*payload).map(str::to_owned)
        };
        assert_eq!(said(|| panic!("plain")).as_deref(), Some("plain"));
        assert_eq!(
            said(|| panic!("number {}", std::hint::black_box(7))).as_deref(),
            Some("number 7")
        );
        assert_eq!(said(|| panic_any(7)), None);
    }
}
