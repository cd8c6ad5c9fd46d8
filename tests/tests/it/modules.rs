//! Rules about the modules of every crate, read from the sources.

use std::fmt::Write;
use std::path::Path;

use crate::module_graph::{ModuleGraph, Sources};

/// The folders of the crates.
const CRATES: [&str; 6] = [
    "formats",
    "prep",
    "loader",
    "trainer",
    "python",
    "python/train",
];

fn graph(folder: &str) -> ModuleGraph {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    ModuleGraph::new(&Sources::read(&root.join(folder).join("src")))
}

/// Panics with what `faults` finds in each crate, if it finds anything.
fn expect_none(what: &str, faults: impl Fn(&ModuleGraph) -> Vec<String>) {
    let mut text = String::new();
    for folder in CRATES {
        let found = faults(&graph(folder));
        if !found.is_empty() {
            let _ = write!(text, "\n{folder}: {} {what}\n", found.len());
        }
        for (at, fault) in found.iter().enumerate() {
            let _ = writeln!(text, "{}. {fault}", at + 1);
        }
    }
    assert!(text.is_empty(), "{text}");
}

/// What could not be followed would be an arrow that nobody sees.
#[test]
fn every_path_is_followed() {
    expect_none("paths that lead nowhere", ModuleGraph::unresolved);
    let arrows = |folder| graph(folder).top_level_arrows().len();
    assert!(arrows("formats") > 20 && arrows("trainer") > 20);
}
