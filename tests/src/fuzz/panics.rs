//! Panics that somebody catches and that a fuzzer would therefore not find.

use std::collections::BTreeSet;
use std::panic::{Location, set_hook, take_hook};
use std::sync::{Mutex, Once, PoisonError};

/// The last panic in code of this project.
static OWN: Mutex<Option<String>> = Mutex::new(None);
/// Places in other crates that have panicked.
static OTHERS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Notes every panic of this process from now on.
pub(super) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // A fuzzer's own hook aborts the process, and with it what is caught. What nobody catches still reaches
        // the fuzzer, which ends there.
        drop(take_hook());
        let print = take_hook();
        set_hook(Box::new(move |info| {
            let location = info.location();
            let place = location.map_or_else(|| "an unknown place".to_owned(), Location::to_string);
            if is_other(&place) {
                let mut others = OTHERS.lock().unwrap_or_else(PoisonError::into_inner);
                if others.insert(place.clone()) {
                    eprintln!("guarded panic: {place}");
                }
                return;
            }
            // The asserts of tests are not caught.
            if !place.contains("tests/") {
                *OWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(info.to_string());
            }
            print(info);
        }));
    });
}

/// The panic in code of this project since the last call.
pub(super) fn caught() -> Option<String> {
    OWN.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Whether a place is in the sources of a dependency, where cargo unpacks them.
fn is_other(place: &str) -> bool {
    let place = place.replace('\\', "/");
    place.contains("/registry/src/") || place.contains("/git/checkouts/")
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn places_in_dependencies_are_told_from_our_own() {
        assert!(is_other(
            "/home/x/.cargo/registry/src/index.crates.io-1/tiff-0.11.3/src/a.rs:1:2"
        ));
        assert!(is_other("C:\\x\\registry\\src\\index\\tiff\\a.rs:1:2"));
        assert!(!is_other("prep/src/decode/bmp.rs:1:2"));
        assert!(!is_other("/rustc/0123/library/alloc/src/raw_vec.rs:1:2"));
    }

    #[test]
    fn a_panic_that_is_caught_is_noted() {
        watch();
        // The place is that of this file, under `tests/`, so the standard library's stands for one of ours.
        let length = usize::MAX;
        assert!(catch_unwind(|| Vec::<u64>::with_capacity(std::hint::black_box(length))).is_err());
        assert!(caught().is_some_and(|text| text.contains("capacity overflow")));
        assert_eq!(caught(), None);
    }
}
