//! Which modules of a crate may use which: floors, and arrows that point down only.

use std::collections::BTreeSet;

use super::graph::{ModuleGraph, is_path_within};

/// The floors of a crate, from the ground up. A module may use what stands on lower floors; modules
/// of one floor do not know each other. What a module holds belongs to it, unless it is listed too:
/// `cuda::device` may stand below `cuda`.
pub(crate) struct Floors {
    pub(crate) floors: &'static [&'static [&'static str]],
    /// Pairs that may not know each other, in either direction, on whatever floors they stand.
    pub(crate) strangers: &'static [(&'static str, &'static str)],
}

impl Floors {
    /// Of a crate that is one file.
    pub(crate) const NONE: Self = Self {
        floors: &[],
        strangers: &[],
    };

    /// What is against the floors, as a text for each fault.
    pub(crate) fn faults(&self, graph: &ModuleGraph) -> Vec<String> {
        let mut faults = self.differences(graph);
        let mut seen = BTreeSet::new();
        for ((from, to), places) in &graph.arrows {
            let (from, to) = (&graph.nodes[from].path, &graph.nodes[to].path);
            if to.is_empty() && from != "main" {
                faults.push(format!(
                    "{from} -> lib.rs (is the roof)\n        {}",
                    places[0]
                ));
            }
            let (Some((low, source)), Some((high, target))) = (self.entry(from), self.entry(to))
            else {
                continue;
            };
            let is_up = source != target && low <= high;
            let are_strangers = self.strangers.iter().any(|(one, other)| {
                let between = |a: &str, b: &str| is_path_within(from, a) && is_path_within(to, b);
                between(one, other) || between(other, one)
            });
            if (is_up || are_strangers) && seen.insert((source, target)) {
                let why = if are_strangers {
                    "must not know each other"
                } else if low == high {
                    "stand on one floor"
                } else {
                    "points up"
                };
                let places = self.places(graph, source, target);
                faults.push(format!("{source} -> {target} ({why})\n        {places}"));
            }
        }
        faults
    }

    /// The floor and the entry that a module belongs to: the longest that fits.
    fn entry(&self, path: &str) -> Option<(usize, &'static str)> {
        let floors = self.floors.iter().enumerate();
        let entries =
            floors.flat_map(|(floor, names)| names.iter().map(move |name| (floor, *name)));
        let fitting = entries.filter(|(_, name)| is_path_within(path, name));
        fitting.max_by_key(|(_, name)| name.len())
    }

    fn places(&self, graph: &ModuleGraph, source: &'static str, target: &'static str) -> String {
        let belongs = |path: &str, to: &str| self.entry(path).is_some_and(|(_, name)| name == to);
        let arrows = graph.arrows.iter().filter(|((from, to), _)| {
            belongs(&graph.nodes[from].path, source) && belongs(&graph.nodes[to].path, target)
        });
        let places = arrows.flat_map(|(_, places)| places.iter().map(ToString::to_string));
        places.collect::<Vec<_>>().join("\n        ")
    }

    /// Modules without a floor, and entries without a module.
    fn differences(&self, graph: &ModuleGraph) -> Vec<String> {
        let mut faults = Vec::new();
        for node in graph.nodes.values() {
            let is_root = node.path.is_empty() || node.path == "main";
            if !is_root && self.entry(&node.path).is_none() {
                faults.push(format!("{} has no floor in the table", node.path));
            }
        }
        for name in self.floors.iter().copied().flatten() {
            if !graph.nodes.values().any(|node| node.path == *name) {
                faults.push(format!(
                    "the table has a floor for {name}, which is no module"
                ));
            }
        }
        faults
    }
}
