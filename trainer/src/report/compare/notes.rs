//! What a reader of a comparison must know.

use shardmill_formats::Printable;

use crate::checkpoint::RunState;
use crate::report::chart::SERIES_COLOURS;
use crate::report::compare::run::ComparedRun;

/// What forbids a comparison, and what is unfinished or unreadable.
pub(super) fn notes(runs: &[ComparedRun]) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some((first, others)) = runs.split_first() {
        notes.extend(others.iter().filter_map(|other| other_data(first, other)));
    }
    for run in runs {
        let name = Printable(&run.name);
        if run.history.start.is_none() {
            notes.push(format!(
                "The log of {name} has lost its first line, so its recipe is unknown and its epochs are counted \
                 in steps."
            ));
        }
        match run.planned_epochs {
            Some(planned) if run.epochs < planned => notes.push(format!(
                "{name} has trained {} of {planned} epochs.",
                run.epochs
            )),
            _ => {}
        }
        if run.last.is_none() {
            notes.push(format!("{name} has not been validated."));
        }
        if run.history.unknown_lines > 0 {
            notes.push(format!(
                "{} lines of the log of {name} could not be read, such as those of a later version.",
                run.history.unknown_lines
            ));
        }
    }
    if runs.len() > SERIES_COLOURS {
        notes.push(format!(
            "Charts have {SERIES_COLOURS} colours, so that the runs after the {SERIES_COLOURS}th share theirs with earlier \
             ones; hover for a run's name."
        ));
    }
    notes
}

/// In what the data of two runs differ.
fn other_data(first: &ComparedRun, other: &ComparedRun) -> Option<String> {
    let names = format!("{} and {}", Printable(&first.name), Printable(&other.name));
    let (a, b) = (first.history.start.as_ref()?, other.history.start.as_ref()?);
    if a.classes != b.classes {
        return Some(format!(
            "{names} have {} and {} classes: their losses and errors cannot be compared.",
            a.classes, b.classes
        ));
    }
    if let (Some(a), Some(b)) = (&first.state, &other.state) {
        let synsets = |run: &RunState| {
            let classes = run.classes.iter();
            classes
                .map(|class| class.synset.clone())
                .collect::<Vec<_>>()
        };
        if synsets(a) != synsets(b) {
            return Some(format!(
                "{names} have other classes: their losses and errors cannot be compared."
            ));
        }
    }
    if a.train_images != b.train_images {
        return Some(format!(
            "{} was trained on {} images and {} on {}, so on different data.",
            Printable(&first.name),
            a.train_images,
            Printable(&other.name),
            b.train_images
        ));
    }
    if (&a.val_split, a.val_images) != (&b.val_split, b.val_images) {
        let split = |split: &Option<String>, images| match split {
            Some(split) => format!("{images} images of split {}", Printable(split)),
            None => "nothing".to_owned(),
        };
        return Some(format!(
            "{names} were validated on {} and {}: those errors cannot be compared.",
            split(&a.val_split, a.val_images),
            split(&b.val_split, b.val_images)
        ));
    }
    None
}
