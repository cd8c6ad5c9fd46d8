//! The label of one image as the source writes it: a number, or the name of a class.

use std::collections::BTreeMap;
use std::fmt;

use super::NO_LABEL;
use super::samples::{LARGEST_LABEL, is_wnid};

/// A label as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WrittenLabel {
    /// A whole number, [`NO_LABEL`] for none, and how it is written.
    Number(i64, Box<str>),
    /// The name of a class.
    Text(Box<str>),
}

impl WrittenLabel {
    /// Reads a label; the error says what is wrong with it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(number) = text.parse() {
            return match (NO_LABEL..=LARGEST_LABEL).contains(&number) {
                true => Ok(Self::Number(number, text.into())),
                false => Err(format!("label {text} is not one of 0 to {LARGEST_LABEL}")),
            };
        }
        let shown: String = text.chars().take(40).collect();
        let digit = text
            .trim_start_matches(['+', '-', '.'])
            .starts_with(|c: char| c.is_ascii_digit());
        if digit && text.parse::<f64>().is_ok() {
            return Err(format!(
                "label {shown} is no whole number: write it as one of 0 to {LARGEST_LABEL}"
            ));
        }
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(format!(
                "label {shown:?} is not one of 0 to {LARGEST_LABEL}, nor the name of a class"
            ));
        }
        Ok(Self::Text(text.into()))
    }
}

impl WrittenLabel {
    /// Whether another label of the same image means another class: of two numbers or two names, but not of a
    /// synset and a name, which may mean the same.
    pub(super) fn contradicts(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(one, _), Self::Number(other, _)) => one != other,
            (Self::Text(one), Self::Text(other)) => one != other && is_wnid(one) == is_wnid(other),
            _ => false,
        }
    }
}

impl fmt::Display for WrittenLabel {
    /// As it is written, a name in quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(_, written) => f.write_str(written),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// The labels of a source: all numbers, or all names of classes, which get numbers of their own.
#[derive(Debug, Default)]
pub(super) struct Labels {
    /// How each number is written.
    numbers: BTreeMap<i64, Box<str>>,
    names: BTreeMap<Box<str>, i64>,
}

impl Labels {
    /// The number of a label. The error says that it does not go with those before it.
    pub(super) fn number(&mut self, label: WrittenLabel) -> Result<i64, String> {
        match label {
            WrittenLabel::Number(NO_LABEL, _) => Ok(NO_LABEL),
            WrittenLabel::Number(number, written) => {
                if let Some((name, _)) = self.names.first_key_value() {
                    return Err(mixed(&written, name));
                }
                let before = self
                    .numbers
                    .entry(number)
                    .or_insert_with(|| written.clone());
                match *before == written {
                    true => Ok(number),
                    false => Err(format!(
                        "label {number} is written {written:?} here, but {before:?} before: write it in \
                         one way"
                    )),
                }
            }
            WrittenLabel::Text(name) => {
                if let Some((_, number)) = self.numbers.first_key_value() {
                    return Err(mixed(number, &name));
                }
                let next = self.names.len() as i64;
                Ok(*self.names.entry(name).or_insert(next))
            }
        }
    }

    /// The largest number.
    pub(super) fn largest(&self) -> Option<i64> {
        self.numbers.last_key_value().map(|(&number, _)| number)
    }

    /// The names of classes by their numbers; empty if the labels are numbers.
    pub(super) fn names(&self) -> BTreeMap<i64, &str> {
        let pairs = self.names.iter();
        pairs.map(|(name, &number)| (number, &**name)).collect()
    }
}

fn mixed(number: &str, name: &str) -> String {
    format!(
        "some labels are numbers ({number}), others names of classes ({name:?}): use one of the two"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_whole_numbers_or_names_and_nothing_between() {
        let number = |number, text: &str| Ok(WrittenLabel::Number(number, text.into()));
        assert_eq!(WrittenLabel::read(" 12\n"), number(12, "12"));
        assert_eq!(WrittenLabel::read("-1"), number(NO_LABEL, "-1"));
        assert_eq!(
            WrittenLabel::read("n01440764"),
            Ok(WrittenLabel::Text("n01440764".into()))
        );
        assert_eq!(
            WrittenLabel::read("inf"),
            Ok(WrittenLabel::Text("inf".into()))
        );
        for wrong in ["3.0", "-0.5", "1e3", ".5", "-2", "1000001", "", "a\u{1b}b"] {
            assert!(WrittenLabel::read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn one_number_written_in_two_ways_and_numbers_among_names_are_errors() {
        let see = |texts: &[&str]| {
            let mut labels = Labels::default();
            texts
                .iter()
                .map(|text| labels.number(WrittenLabel::read(text).unwrap()))
                .collect::<Result<Vec<_>, _>>()
        };
        assert_eq!(see(&["1", "10", "1", "-1"]), Ok(vec![1, 10, 1, -1]));
        assert_eq!(see(&["b", "a", "b"]), Ok(vec![0, 1, 0]));
        let error = see(&["1", "01"]).unwrap_err();
        assert!(error.contains("\"01\" here, but \"1\" before"), "{error}");
        for mixed in [["1", "a"], ["a", "1"]] {
            let error = see(&mixed).unwrap_err();
            assert!(
                error.contains("numbers (1)") && error.contains("(\"a\")"),
                "{error}"
            );
        }
    }
}
