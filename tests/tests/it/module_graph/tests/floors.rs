//! Arrows against the floors.

use super::super::Floors;
use super::{NONE, graph};

const HOUSE: [(&str, &str); 6] = [
    ("lib.rs", "mod net; mod cpu; mod cuda; mod engine;"),
    ("net.rs", "pub struct Net;"),
    ("cpu.rs", "use crate::net::Net;\npub fn train(_: Net) {}"),
    ("cuda/mod.rs", "pub mod device;\nuse device::Device;"),
    ("cuda/device.rs", "pub struct Device;"),
    (
        "engine.rs",
        "use crate::{cpu, cuda};\nfn f() { cpu::train(); cuda::device::Device; }",
    ),
];

const FLOORS: Floors = Floors {
    floors: &[&["net"], &["cpu", "cuda::device"], &["cuda"], &["engine"]],
    strangers: &[("cpu", "cuda")],
};

fn faults_with(changed: (&'static str, &'static str)) -> Vec<String> {
    let files = HOUSE.map(|(path, text)| {
        if path == changed.0 {
            changed
        } else {
            (path, text)
        }
    });
    FLOORS.faults(&graph(&files))
}

#[test]
fn arrows_down_are_no_faults() {
    assert_eq!(FLOORS.faults(&graph(&HOUSE)), NONE);
}

#[test]
fn an_arrow_up_is_found() {
    let changed = (
        "net.rs",
        "pub struct Net;\nfn f() { crate::cpu::train(Net) }",
    );
    let expected = "net -> cpu (points up)\n        net.rs:2  crate::cpu::train";
    assert_eq!(faults_with(changed), [expected]);
}

#[test]
fn modules_of_one_floor_and_strangers_do_not_know_each_other() {
    let changed = (
        "cuda/device.rs",
        "pub struct Device;\nuse crate::engine as _;\nfn f() { crate::cpu::train() }",
    );
    let strangers = "cuda::device -> cpu (must not know each other)";
    let faults = faults_with(changed);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with(strangers), "{faults:?}");

    let changed = ("cuda/mod.rs", "pub mod device;\nuse crate::cpu::train;");
    let faults = faults_with(changed);
    assert!(
        faults[0].starts_with("cuda -> cpu (must not know each other)"),
        "{faults:?}"
    );

    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B;"),
        ("b.rs", "pub struct B;"),
    ];
    let floors = Floors {
        floors: &[&["a", "b"]],
        strangers: &[],
    };
    let expected = "a -> b (stand on one floor)\n        a.rs:1  use crate::b::B";
    assert_eq!(floors.faults(&graph(&files)), [expected]);
}

#[test]
fn a_module_without_a_floor_and_a_floor_without_a_module_are_faults() {
    let files = [
        ("lib.rs", "mod net; mod other;"),
        ("net.rs", ""),
        ("other.rs", ""),
    ];
    let floors = Floors {
        floors: &[&["net"], &["cpu"]],
        strangers: &[],
    };
    let expected = [
        "other has no floor in the table",
        "the table has a floor for cpu, which is no module",
    ];
    assert_eq!(floors.faults(&graph(&files)), expected);
}

#[test]
fn what_lib_rs_defines_stands_above_all_modules() {
    let files = [
        ("lib.rs", "mod net;\npub const SIDE: usize = 256;"),
        ("net.rs", "use crate::SIDE;"),
        ("main.rs", "use made_up::SIDE;"),
    ];
    let floors = Floors {
        floors: &[&["net"]],
        strangers: &[],
    };
    let expected = "net -> lib.rs (is the roof)\n        net.rs:1  use crate::SIDE";
    assert_eq!(floors.faults(&graph(&files)), [expected]);
}
