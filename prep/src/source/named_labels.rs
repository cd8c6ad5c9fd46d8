//! Labels of images by the names of their files.

use std::collections::HashMap;

/// What a table says of images by their names.
#[derive(Default)]
pub(super) struct NamedLabels(HashMap<String, Line>);

/// A line of a table.
struct Line {
    class: String,
    number: u64,
    used: bool,
}

impl NamedLabels {
    /// Takes a line. The error says that another one contradicts it.
    pub(super) fn add(&mut self, name: &str, class: &str, number: u64) -> Result<(), String> {
        let line = || Line {
            class: class.to_owned(),
            number,
            used: false,
        };
        let first = self.0.entry(name.to_owned()).or_insert_with(line);
        match first.class == class {
            true => Ok(()),
            false => Err(format!(
                "{name} has two labels, {} in line {} and {class} here: remove one of the two",
                first.class, first.number
            )),
        }
    }

    /// The class of an image, by the name of its file with or without its extension.
    pub(super) fn class(&mut self, file_name: &str) -> Option<&str> {
        let stem = file_name
            .rsplit_once('.')
            .map_or(file_name, |(stem, _)| stem);
        let name = [file_name, stem]
            .into_iter()
            .find(|name| self.0.contains_key(*name))?;
        let line = self.0.get_mut(name)?;
        line.used = true;
        Some(&line.class)
    }

    /// The images that were never looked up, sorted.
    pub(super) fn absent(&self) -> Vec<&str> {
        let unused = self.0.iter().filter(|(_, line)| !line.used);
        let mut names: Vec<&str> = unused.map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
    }
}
