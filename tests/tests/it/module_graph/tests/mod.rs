//! What counts as an arrow and as a circle, on small crates that are made up.

mod circles;
mod floors;
mod methods;
mod names;

use super::{ModuleGraph, Sources};

fn graph(files: &[(&str, &str)]) -> ModuleGraph {
    let graph = ModuleGraph::new(&Sources::made_up(files));
    assert_eq!(graph.unresolved(), [""; 0]);
    graph
}

/// `from -> to` for every arrow between top-level modules.
fn arrows(files: &[(&str, &str)]) -> Vec<String> {
    let arrows = graph(files).top_level_arrows().into_iter();
    arrows
        .map(|(from, to, _)| format!("{from} -> {to}"))
        .collect()
}

/// The first line of each circle of files.
fn circles(files: &[(&str, &str)]) -> Vec<String> {
    let circles = graph(files).circles_of_files().into_iter();
    circles
        .map(|text| text.lines().next().unwrap().to_owned())
        .collect()
}

const NONE: [&str; 0] = [];
