//! Which items only tests compile.

use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// Whether these attributes leave an item out of every build that is not for tests.
pub(super) fn is_only_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        if path.is_ident("test") {
            return true;
        }
        let holds = path.is_ident("cfg").then(|| {
            let condition: Option<Meta> = attribute.parse_args().ok();
            condition.and_then(|condition| without_tests(&condition))
        });
        holds.flatten() == Some(false)
    })
}

/// The value of a condition when `test` and `doctest` are off and nothing else is known.
fn without_tests(condition: &Meta) -> Option<bool> {
    let path = condition.path();
    if path.is_ident("test") || path.is_ident("doctest") {
        return Some(false);
    }
    let Meta::List(list) = condition else {
        return None;
    };
    let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    let parts: Vec<_> = parts.ok()?.iter().map(without_tests).collect();
    if path.is_ident("not") {
        parts.first().copied().flatten().map(|value| !value)
    } else if path.is_ident("all") {
        combined(&parts, false)
    } else if path.is_ident("any") {
        combined(&parts, true)
    } else {
        None
    }
}

/// `all` is false once one part is, `any` true once one part is.
fn combined(parts: &[Option<bool>], deciding: bool) -> Option<bool> {
    if parts.contains(&Some(deciding)) {
        Some(deciding)
    } else if parts.iter().all(|part| *part == Some(!deciding)) {
        Some(!deciding)
    } else {
        None
    }
}
