//! Functions of `impl` blocks that stand away from their types.

use super::{NONE, arrows, graph};

#[test]
fn an_impl_block_away_from_its_type_is_an_arrow_to_it() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "pub struct A;\nfn f() { A::made() }"),
        (
            "b.rs",
            "impl super::a::A { pub fn made() {} }\nimpl Clone for super::a::A {}",
        ),
        ("c.rs", "pub fn f() { crate::a::A::made() }"),
    ];
    // What calls the function by its path uses the block too.
    assert_eq!(arrows(&files), ["a -> b", "b -> a", "c -> a", "c -> b"]);
}

#[test]
fn the_call_of_a_method_leads_to_its_block() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "pub struct A;\npub fn made() -> A { A }"),
        (
            "b.rs",
            "use crate::a::A;\nimpl A { pub fn shown(&self) {} }",
        ),
        (
            "c.rs",
            "use crate::a;\npub fn f() { a::made().shown() }\nfn g() { assert!(a::made().shown()) }",
        ),
        // Cannot have a value of `A`: this is another crate's method.
        ("d.rs", "fn f(x: Other) { x.shown() }"),
    ];
    let found = graph(&files);
    assert_eq!(
        found.places("c", "b"),
        ["c.rs:2  .shown()  -> b.rs", "c.rs:3  .shown()  -> b.rs"]
    );
    assert_eq!(found.places("d", ""), NONE);
    assert_eq!(found.methods_that_hide(), NONE);
}

#[test]
fn a_method_whose_calls_cannot_be_followed_is_reported() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        (
            "a/mod.rs",
            "mod below;\npub struct A;\npub struct C;\nimpl C { fn shown(&self) {} }",
        ),
        (
            "a/below.rs",
            "impl super::A { fn hidden(&self) {} }\nimpl super::C { fn hidden(&self) {} }",
        ),
        (
            "b.rs",
            "impl super::a::A {\n    pub fn shown(&self) {}\n    pub fn cast(&self) {}\n    pub fn alone(&self) {}\n}",
        ),
    ];
    let expected = ["b.rs:1  impl A of a/mod.rs: shown, cast"];
    assert_eq!(graph(&files).methods_that_hide(), expected);
}
