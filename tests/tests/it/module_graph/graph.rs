//! The modules of a crate as files, and every arrow between them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::circles::{Edges, circles, strongly_connected};
use super::declare;
use super::methods::Methods;
use super::sources::Sources;
use super::uses::{Place, uses};

/// One file.
pub(super) struct Node {
    /// `net::layer`; empty for `lib.rs`.
    pub(super) path: String,
    file: String,
    parent: Option<usize>,
}

/// Which file of a crate uses which, and where.
pub(crate) struct ModuleGraph {
    pub(super) nodes: BTreeMap<usize, Node>,
    pub(super) arrows: Arrows,
    unresolved: Vec<Place>,
    methods: Methods,
}

/// The places behind each arrow.
pub(super) type Arrows = BTreeMap<(usize, usize), Vec<Place>>;

impl ModuleGraph {
    pub(crate) fn new(sources: &Sources) -> Self {
        let mut modules = declare::modules(sources);
        modules.mark_imports();
        let methods = Methods::new(&modules);
        let found = uses(&modules, &methods);
        let mut arrows = Arrows::new();
        for arrow in found.arrows {
            arrows
                .entry((arrow.from, arrow.to))
                .or_default()
                .push(arrow.place);
        }
        let files = modules.all.iter().enumerate();
        let files = files.filter(|(at, module)| module.whole_file == *at);
        let nodes = files.map(|(at, module)| {
            let node = Node {
                path: module.path.clone(),
                file: module.file.clone(),
                parent: module.parent.map(|parent| modules.all[parent].whole_file),
            };
            (at, node)
        });
        Self {
            nodes: nodes.collect(),
            arrows,
            unresolved: found.unresolved,
            methods,
        }
    }

    /// Paths that say that they stay in the crate and lead nowhere known: arrows would be missed.
    pub(crate) fn unresolved(&self) -> Vec<String> {
        self.unresolved.iter().map(ToString::to_string).collect()
    }

    /// Methods that stand neither in their type's module nor below it, and share their name with
    /// another method of the crate: their calls cannot be followed, so arrows would be missed.
    pub(crate) fn methods_that_hide(&self) -> Vec<String> {
        let away = self.methods.away.iter();
        let away = away.filter(|away| !self.is_within(away.block, away.home));
        let faults = away.filter_map(|away| {
            let hidden = self.methods.not_followed(away);
            let home = &self.nodes[&away.home].file;
            let place = &away.place;
            (!hidden.is_empty()).then(|| format!("{place} of {home}: {}", hidden.join(", ")))
        });
        faults.collect()
    }

    /// Circles of files, smallest first, with the places behind each arrow. A module's use of one
    /// that holds it closes no circle.
    pub(crate) fn circles_of_files(&self) -> Vec<String> {
        let mut arrows = self.arrows.clone();
        arrows.retain(|(from, to), _| !self.is_within(*from, *to));
        self.describe(&arrows, |node| &self.nodes[&node].file)
    }

    /// Circles among what stands side by side in a module, each taken with all that it holds:
    /// among the top-level modules for the root's path, which is empty.
    pub(crate) fn circles_within(&self, path: &str) -> Vec<String> {
        let Some(above) = self.find(path) else {
            return Vec::new();
        };
        let arrows = self.contracted(above);
        self.describe(&arrows, |node| &self.nodes[&node].path)
    }

    /// The paths of all modules that hold others.
    pub(crate) fn folders(&self) -> Vec<String> {
        let parents: BTreeSet<usize> = self.nodes.values().filter_map(|node| node.parent).collect();
        parents
            .iter()
            .map(|parent| self.nodes[parent].path.clone())
            .collect()
    }

    /// The sets of files that all reach each other, as a line each.
    pub(crate) fn strongly_connected_files(&self) -> Vec<String> {
        let edges = self.arrows.keys().copied();
        let edges: Edges = edges
            .filter(|(from, to)| !self.is_within(*from, *to))
            .collect();
        let line = |component: &BTreeSet<usize>| {
            let files: Vec<_> = component
                .iter()
                .map(|node| self.nodes[node].file.as_str())
                .collect();
            format!("{} files: {}", files.len(), files.join(" "))
        };
        strongly_connected(&edges).iter().map(line).collect()
    }

    /// Every arrow between top-level modules and how many places are behind it.
    pub(crate) fn top_level_arrows(&self) -> Vec<(String, String, usize)> {
        let Some(root) = self.find("") else {
            return Vec::new();
        };
        let arrows = self.contracted(root).into_iter();
        let name = |node: usize| self.nodes[&node].path.clone();
        arrows
            .map(|((from, to), places)| (name(from), name(to), places.len()))
            .collect()
    }

    /// The places where a module, or what it holds, uses another one or what that holds.
    pub(crate) fn places(&self, from: &str, to: &str) -> Vec<String> {
        let belongs = |node: usize, path: &str| is_path_within(&self.nodes[&node].path, path);
        let arrows = self.arrows.iter();
        let between =
            arrows.filter(|((source, target), _)| belongs(*source, from) && belongs(*target, to));
        let line =
            |place: &Place, target: usize| format!("{place}  -> {}", self.nodes[&target].file);
        between
            .flat_map(|((_, target), places)| places.iter().map(|place| line(place, *target)))
            .collect()
    }

    fn find(&self, path: &str) -> Option<usize> {
        let found = self.nodes.iter().find(|(_, node)| node.path == path);
        found.map(|(at, _)| *at)
    }

    /// Whether `above` is `node` or holds it.
    fn is_within(&self, node: usize, above: usize) -> bool {
        let mut at = Some(node);
        while let Some(here) = at {
            if here == above {
                return true;
            }
            at = self.nodes[&here].parent;
        }
        false
    }

    /// The arrows among the children of a module, each child with all that it holds.
    fn contracted(&self, above: usize) -> Arrows {
        let child = |node: usize| {
            let mut at = node;
            while let Some(parent) = self.nodes[&at].parent {
                if parent == above {
                    return Some(at);
                }
                at = parent;
            }
            None
        };
        let mut found = Arrows::new();
        for ((from, to), places) in &self.arrows {
            if let (Some(from), Some(to)) = (child(*from), child(*to))
                && from != to
            {
                found
                    .entry((from, to))
                    .or_default()
                    .extend(places.iter().cloned());
            }
        }
        found
    }

    /// A text for each circle: its arrows, and the places behind each of them.
    fn describe<'a>(&'a self, arrows: &Arrows, name: impl Fn(usize) -> &'a str) -> Vec<String> {
        /// Places that are shown of each arrow.
        const SHOWN: usize = 4;
        let edges: Edges = arrows.keys().copied().collect();
        let text = |circle: &Vec<usize>| {
            let around = circle.iter().chain(circle.first());
            let names: Vec<_> = around.clone().map(|node| name(*node)).collect();
            let mut text = names.join(" -> ");
            for (from, to) in circle.iter().zip(around.skip(1)) {
                let places = &arrows[&(*from, *to)];
                let _ = write!(text, "\n    {} -> {}", name(*from), name(*to));
                for place in places.iter().take(SHOWN) {
                    let _ = write!(text, "\n        {place}");
                }
                if places.len() > SHOWN {
                    let _ = write!(text, "\n        and {} more", places.len() - SHOWN);
                }
            }
            text
        };
        circles(&edges).iter().map(text).collect()
    }
}

/// Whether `path` is `above` or stands below it; everything stands below the root.
pub(super) fn is_path_within(path: &str, above: &str) -> bool {
    let rest = path.strip_prefix(above);
    above.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}
