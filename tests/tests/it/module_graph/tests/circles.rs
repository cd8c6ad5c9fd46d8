//! What is a circle and what is none.

use super::{NONE, circles, graph};

#[test]
fn a_circle_of_two_is_found_with_its_places() {
    let found = graph(&[
        ("lib.rs", "mod a;\nmod b;"),
        ("a.rs", "use crate::b::B;\npub struct A(B);"),
        ("b.rs", "\npub struct B;\nfn f(a: &crate::a::A) {}"),
    ]);
    let expected = "a.rs -> b.rs -> a.rs
    a.rs -> b.rs
        a.rs:1  use crate::b::B
    b.rs -> a.rs
        b.rs:3  crate::a::A";
    assert_eq!(found.circles_of_files(), [expected]);
    assert_eq!(found.strongly_connected_files(), ["2 files: a.rs b.rs"]);
    assert_eq!(found.circles_within("").len(), 1);
}

#[test]
fn a_circle_of_three_is_found_and_a_chain_is_none() {
    let [root, a, b] = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "pub fn a() { super::b::b() }"),
        ("b.rs", "use super::c; pub fn b() { c::c() }"),
    ];
    let back = ("c.rs", "pub fn c() { crate::a::a() }");
    assert_eq!(
        circles(&[root, a, b, back]),
        ["a.rs -> b.rs -> c.rs -> a.rs"]
    );
    let end = ("c.rs", "pub fn c() {}");
    assert_eq!(circles(&[root, a, b, end]), NONE);
}

#[test]
fn a_childs_use_of_its_parent_closes_no_circle() {
    let files = [
        ("lib.rs", "mod a;"),
        (
            "a/mod.rs",
            "mod child;\npub use child::Child;\npub struct Parent(child::Child);",
        ),
        (
            "a/child.rs",
            "use super::Parent;\npub struct Child;\nimpl From<Parent> for Child {}",
        ),
    ];
    assert_eq!(circles(&files), NONE);
    // The parent's own use is an arrow, its re-export is none.
    assert_eq!(
        graph(&files).places("", "a::child"),
        ["a/mod.rs:3  child::Child  -> a/child.rs"]
    );
}

#[test]
fn what_a_parent_only_re_exports_is_no_arrow_of_it() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        (
            "a/mod.rs",
            "mod one;\nmod two;\npub use one::One;\npub use two::Two;",
        ),
        ("a/one.rs", "use super::Two;\npub struct One(Two);"),
        ("a/two.rs", "use crate::b::B;\npub struct Two(B);"),
        ("b.rs", "pub struct B;\nfn f(_: crate::a::One) {}"),
    ];
    assert_eq!(
        circles(&files),
        ["a/one.rs -> a/two.rs -> b.rs -> a/one.rs"]
    );
}

#[test]
fn a_circle_of_folders_is_found_in_the_folder_that_holds_them() {
    let files = [
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod one;\nmod two;"),
        ("a/one/mod.rs", "pub mod x;\npub mod y;"),
        ("a/one/x.rs", "use super::super::two::Two;"),
        ("a/one/y.rs", "pub struct Y;"),
        ("a/two.rs", "use crate::a::one::y::Y;\npub struct Two(Y);"),
    ];
    let graph = graph(&files);
    assert_eq!(graph.circles_of_files(), NONE);
    assert_eq!(graph.folders(), ["", "a", "a::one"]);
    assert_eq!(graph.circles_within(""), NONE);
    let found = graph.circles_within("a");
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("a::one -> a::two -> a::one\n"),
        "{found:?}"
    );
}
