//! Circles in a graph of numbered nodes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub(super) type Edges = BTreeSet<(usize, usize)>;

/// For every edge that lies on a circle, the shortest circle through it; smallest first, each once,
/// beginning with its lowest node. Without edges on circles there are none.
pub(super) fn circles(edges: &Edges) -> Vec<Vec<usize>> {
    let next = successors(edges);
    let mut found = BTreeSet::new();
    for (from, to) in edges {
        if let Some(mut circle) = shortest_path(&next, *to, *from) {
            let lowest = (0..circle.len()).min_by_key(|at| circle[*at]).unwrap_or(0);
            circle.rotate_left(lowest);
            found.insert((circle.len(), circle));
        }
    }
    found.into_iter().map(|(_, circle)| circle).collect()
}

/// The strongly connected components of two nodes and more, largest first.
pub(super) fn strongly_connected(edges: &Edges) -> Vec<BTreeSet<usize>> {
    let next = successors(edges);
    let nodes: BTreeSet<usize> = edges.iter().flat_map(|(from, to)| [*from, *to]).collect();
    let reached: BTreeMap<usize, BTreeSet<usize>> = nodes
        .iter()
        .map(|node| (*node, reach(&next, *node)))
        .collect();
    let mut found = BTreeSet::new();
    for (node, reached_from) in &reached {
        let component: BTreeSet<usize> = reached_from
            .iter()
            .filter(|other| reached[other].contains(node))
            .copied()
            .collect();
        if component.len() > 1 {
            found.insert(component);
        }
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(|component| std::cmp::Reverse(component.len()));
    found
}

type Successors = BTreeMap<usize, BTreeSet<usize>>;

fn successors(edges: &Edges) -> Successors {
    let mut next = Successors::new();
    for (from, to) in edges {
        next.entry(*from).or_default().insert(*to);
    }
    next
}

/// What can be reached from a node by one edge or more.
fn reach(next: &Successors, start: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![start];
    while let Some(node) = waiting.pop() {
        for to in next.get(&node).into_iter().flatten() {
            if found.insert(*to) {
                waiting.push(*to);
            }
        }
    }
    found
}

/// The nodes from one to another, both included.
fn shortest_path(next: &Successors, from: usize, to: usize) -> Option<Vec<usize>> {
    let mut before = BTreeMap::from([(from, from)]);
    let mut waiting = VecDeque::from([from]);
    while let Some(node) = waiting.pop_front() {
        if node == to {
            let mut path = vec![to];
            while path.last() != Some(&from) {
                path.push(before[path.last()?]);
            }
            path.reverse();
            return Some(path);
        }
        for after in next.get(&node).into_iter().flatten() {
            if !before.contains_key(after) {
                before.insert(*after, node);
                waiting.push_back(*after);
            }
        }
    }
    None
}
