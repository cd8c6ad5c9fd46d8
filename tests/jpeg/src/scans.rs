//! Scripts: the scans of a whole picture.

use crate::random::Random;
use crate::scan::Scan;

/// One scan of all components.
#[must_use]
pub fn interleaved(components: usize) -> Vec<Scan> {
    vec![Scan::whole(&all(components))]
}

/// A scan for each component.
#[must_use]
pub fn each(components: usize) -> Vec<Scan> {
    all(components).iter().map(|&c| Scan::whole(&[c])).collect()
}

/// The first component alone, then the others together.
#[must_use]
pub fn first_apart(components: usize) -> Vec<Scan> {
    let all = all(components);
    let (first, others) = all.split_at(1);
    let mut scans = vec![Scan::whole(first)];
    if !others.is_empty() {
        scans.push(Scan::whole(others));
    }
    scans
}

/// All but the last component together, then the last, later components first.
#[must_use]
pub fn last_apart(components: usize) -> Vec<Scan> {
    let all = all(components);
    let (others, last) = all.split_at(components - 1);
    let mut scans = vec![Scan::whole(last)];
    if !others.is_empty() {
        scans.push(Scan::whole(others));
    }
    scans
}

/// Progressive, spectral selection alone: DC of all components, then all AC of each.
#[must_use]
pub fn banded(components: usize) -> Vec<Scan> {
    let all = all(components);
    let mut scans = vec![Scan::part(&all, 0..=0, 0, 0)];
    scans.extend(all.iter().map(|&c| Scan::part(&[c], 1..=63, 0, 0)));
    scans
}

/// Progressive with spectral selection and successive approximation, as libjpeg's default script is:
/// two bands of the first component, one of the others, each with one or two refinements.
#[must_use]
pub fn refined(components: usize) -> Vec<Scan> {
    let all = all(components);
    let (first, others) = all.split_at(1);
    let mut scans = vec![
        Scan::part(&all, 0..=0, 0, 1),
        Scan::part(first, 1..=5, 0, 2),
    ];
    let of_others = |scans: &mut Vec<Scan>, high, low| {
        scans.extend(others.iter().map(|&c| Scan::part(&[c], 1..=63, high, low)));
    };
    of_others(&mut scans, 0, 1);
    scans.push(Scan::part(first, 6..=63, 0, 2));
    scans.push(Scan::part(first, 1..=63, 2, 1));
    scans.push(Scan::part(&all, 0..=0, 1, 0));
    of_others(&mut scans, 1, 0);
    scans.push(Scan::part(first, 1..=63, 1, 0));
    scans
}

/// Progressive with a random legal script: DC interleaved in random groups or apart, AC in random
/// bands, each with up to three refinements, in a random order that keeps each coefficient's own.
#[must_use]
pub fn random(components: usize, seed: u64) -> Vec<Scan> {
    let mut random = Random::new(seed);
    let mut queues: Vec<Vec<Scan>> = Vec::new();
    // The DC scans come first: AC scans of a component must follow its first DC scan (T.81, G.1.1.1.1).
    let mut scans = Vec::new();
    for group in dc_groups(components, &mut random) {
        let bits = random.below(4) as u8;
        scans.push(Scan::part(&group, 0..=0, 0, bits));
        queues.push(refinements(&group, (0, 0), bits));
    }
    for component in 0..components {
        let mut first = 1;
        while first <= 63 {
            let wanted = first + random.below(40) as u8;
            let last = if wanted > 56 { 63 } else { wanted };
            let bits = random.below(4) as u8;
            let mut queue = vec![Scan::part(&[component], first..=last, 0, bits)];
            queue.extend(refinements(&[component], (first, last), bits));
            queues.push(queue);
            first = last + 1;
        }
    }
    queues.retain(|queue| !queue.is_empty());
    while !queues.is_empty() {
        let at = random.below(queues.len());
        scans.push(queues[at].remove(0));
        queues.retain(|queue| !queue.is_empty());
    }
    scans
}

/// The scans that send the bits below `bits` one by one.
fn refinements(components: &[usize], (first, last): (u8, u8), bits: u8) -> Vec<Scan> {
    (0..bits)
        .rev()
        .map(|low| Scan::part(components, first..=last, low + 1, low))
        .collect()
}

fn dc_groups(components: usize, random: &mut Random) -> Vec<Vec<usize>> {
    match random.below(3) {
        0 => vec![all(components)],
        1 => all(components).iter().map(|&c| vec![c]).collect(),
        _ => {
            let split = 1 + random.below(components);
            let all = all(components);
            let (a, b) = all.split_at(split.min(components));
            [a, b]
                .into_iter()
                .filter(|group| !group.is_empty())
                .map(<[usize]>::to_vec)
                .collect()
        }
    }
}

fn all(components: usize) -> Vec<usize> {
    (0..components).collect()
}
