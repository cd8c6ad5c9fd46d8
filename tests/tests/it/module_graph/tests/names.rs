//! Which module a name leads to.

use super::super::{ModuleGraph, Sources};
use super::{NONE, arrows, circles, graph};

#[test]
fn re_exports_are_followed_to_what_is_defined() {
    let files = [
        (
            "lib.rs",
            "mod a; mod b;\npub use a::Outer as Renamed;\npub use b::{self, deep::Inner};",
        ),
        ("a.rs", "pub struct Outer;\npub fn f(_: crate::Inner) {}"),
        (
            "b/mod.rs",
            "pub mod deep;\nuse crate::Renamed;\npub use self::deep::Inner;",
        ),
        ("b/deep.rs", "pub struct Inner;"),
    ];
    assert_eq!(arrows(&files), ["a -> b", "b -> a"]);
    let graph = graph(&files);
    assert_eq!(
        graph.places("a", "b"),
        ["a.rs:2  crate::Inner  -> b/deep.rs"]
    );
    // No file of `b` that reaches `a` is reached from there: the circle is one of folders.
    assert_eq!(graph.circles_of_files(), NONE);
    assert_eq!(graph.circles_within("").len(), 1);
}

#[test]
fn globs_are_followed() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::*;\npub fn g() -> Item { item() }"),
        ("b.rs", "pub use crate::c::*;"),
        (
            "c.rs",
            "pub struct Item;\npub fn item() -> Item { crate::a::g() }",
        ),
    ];
    assert_eq!(arrows(&files), ["a -> c", "c -> a"]);
    assert_eq!(circles(&files), ["a.rs -> c.rs -> a.rs"]);
}

#[test]
fn a_private_import_does_not_pass_through_a_glob() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::*;\nfn f(item: Item) {}"),
        ("b.rs", "use crate::c::Item;\nfn f(item: Item) {}"),
        ("c.rs", "pub struct Item;"),
    ];
    assert_eq!(arrows(&files), ["b -> c"]);
}

#[test]
fn a_re_export_from_elsewhere_is_an_arrow() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "pub use crate::b::B;"),
        ("b.rs", "pub struct B;"),
        ("c.rs", "use crate::a::B;"),
    ];
    assert_eq!(arrows(&files), ["a -> b", "c -> b"]);
}

#[test]
fn tests_are_left_out_and_every_other_cfg_counts() {
    let files = [
        (
            "lib.rs",
            "mod a; mod b; mod c; mod d;\n#[cfg(test)] mod kit;",
        ),
        (
            "a.rs",
            "#[cfg(test)] use crate::b::B;
            #[cfg(test)] mod tests { use crate::b::B; }
            #[cfg(all(test, unix))] fn f() { crate::b::b() }
            #[test] fn g() { crate::b::b() }
            #[cfg(feature = \"cuda\")] use crate::c::C;
            #[cfg(not(test))] use crate::d::D;
            #[cfg(any(test, loom))] fn h(_: C) {}",
        ),
        ("b.rs", "pub struct B;\npub fn b() {}"),
        ("c.rs", "pub struct C;"),
        ("d.rs", "pub struct D;"),
    ];
    assert_eq!(arrows(&files), ["a -> c", "a -> d"]);
}

#[test]
fn two_modules_of_one_name_for_two_cfgs_both_count() {
    let files = [
        (
            "lib.rs",
            "#[cfg(feature = \"cuda\")] mod a;\n#[cfg(not(feature = \"cuda\"))] #[path = \"none.rs\"] mod a;
            mod b; mod c;",
        ),
        ("a.rs", "use crate::b::B;\npub fn run() {}"),
        ("none.rs", "use crate::c::C;\npub fn run() {}"),
        ("b.rs", "pub struct B;"),
        ("c.rs", "pub struct C;"),
    ];
    assert_eq!(arrows(&files), ["a -> b", "a -> c"]);
}

#[test]
fn two_imports_of_one_name_for_two_cfgs_both_count() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        (
            "a.rs",
            "#[cfg(loom)] pub use crate::b::Flag;\n#[cfg(not(loom))] pub use crate::c::Flag;",
        ),
        ("b.rs", "pub struct Flag;"),
        ("c.rs", "pub struct Flag;"),
        ("d.rs", "use crate::a::Flag;"),
    ];
    assert_eq!(arrows(&files), ["a -> b", "a -> c", "d -> b", "d -> c"]);
}

#[test]
fn modules_inside_a_file_count_as_the_file() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        (
            "a.rs",
            "mod inner { use super::f; use super::super::b; pub fn g() { b::b(); f() } }\nfn f() {}",
        ),
        ("b.rs", "pub fn b() {}"),
    ];
    assert_eq!(arrows(&files), ["a -> b"]);
}

#[test]
fn macros_are_read_as_tokens() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        (
            "a.rs",
            "use crate::b;\nfn f() { assert_eq!(vec![b::one(1)], [x.c::<u8>(), crate::c::N]) }",
        ),
        ("b.rs", "pub fn one(x: u8) {}"),
        (
            "c.rs",
            "pub const N: usize = 1;\nmacro_rules! m { ($x:ident) => { $crate::d::d($x) } }",
        ),
        ("d.rs", "pub fn d() {}"),
    ];
    assert_eq!(arrows(&files), ["a -> b", "a -> c", "c -> d"]);
}

#[test]
fn macros_by_example_are_found_by_path_and_by_order() {
    let files = [
        ("lib.rs", "#[macro_use] mod a; mod b; mod c; mod d;"),
        ("a.rs", "macro_rules! passed { () => {} }"),
        (
            "b.rs",
            "macro_rules! named { () => {} }\npub(crate) use named;",
        ),
        ("c.rs", "passed!();\ncrate::b::named!();"),
        ("d.rs", "use crate::b::named;\nnamed!();"),
    ];
    assert_eq!(arrows(&files), ["c -> a", "c -> b", "d -> b"]);
}

#[test]
fn a_function_and_a_module_of_one_name_are_told_apart() {
    let files = [
        ("lib.rs", "mod train; mod a; mod b;\npub use train::train;"),
        (
            "train/mod.rs",
            "mod begin;\npub mod options;\npub use begin::train;",
        ),
        ("train/begin.rs", "pub fn train() {}"),
        ("train/options.rs", "pub struct Options;"),
        ("a.rs", "use crate::train;\nfn f() { train() }"),
        (
            "b.rs",
            "use crate::train;\nfn f(train: u8, _: train::options::Options) { g(train) }",
        ),
    ];
    let graph = graph(&files);
    assert_eq!(
        graph.places("a", "train"),
        ["a.rs:2  train  -> train/begin.rs"]
    );
    let expected = ["b.rs:2  train::options::Options  -> train/options.rs"];
    assert_eq!(graph.places("b", "train"), expected);
}

#[test]
fn names_of_other_crates_and_of_a_function_are_no_arrows() {
    let files = [
        (
            "lib.rs",
            "mod a; mod image; mod b;\npub use std::path::Path;",
        ),
        (
            "a.rs",
            "use image::Rgb;\nuse ::image::Rgba;\nfn f<T: Default>(x: T) -> crate::Path { T::default() }",
        ),
        ("image.rs", "pub struct Rgb;\npub struct T;"),
        (
            "b.rs",
            "fn f() { use crate::image::Rgb; struct T; let _ = (Rgb, T); }",
        ),
    ];
    assert_eq!(arrows(&files), ["b -> image"]);
}

#[test]
fn an_item_of_another_crate_belongs_to_the_module_that_passes_it_on() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d;\npub use a::bounded;"),
        ("a.rs", "pub use crossbeam_channel::bounded;"),
        ("b.rs", "use super::a::bounded;"),
        ("c.rs", "use super::a;\nfn f() { a::bounded() }"),
        ("d.rs", "use crate::bounded;"),
    ];
    assert_eq!(arrows(&files), ["b -> a", "c -> a", "d -> a"]);
}

#[test]
fn an_enum_is_used_by_its_variants() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "pub enum Kind { One, Two }"),
        ("b.rs", "use crate::a::Kind::{One, Two};"),
        (
            "c.rs",
            "use super::a;\nfn f(k: u8) { match k { a::Kind::One => {} _ => {} } }",
        ),
    ];
    assert_eq!(arrows(&files), ["b -> a", "c -> a"]);
}

#[test]
fn what_leads_nowhere_is_reported() {
    let files = [
        ("lib.rs", "mod a;"),
        ("a.rs", "use crate::gone::Item;\nfn f() { super::absent() }"),
    ];
    let graph = ModuleGraph::new(&Sources::made_up(&files));
    let expected = ["a.rs:1  use crate::gone::Item", "a.rs:2  super::absent"];
    assert_eq!(graph.unresolved(), expected);
}
