//! What the `.json` beside an image of a WebDataset says of it.

use serde_json::Value;

use super::samples::is_wnid;
use super::written_label::WrittenLabel;

/// Fields of a `.json` that may hold the label.
const LABEL: [&str; 11] = [
    "label",
    "cls",
    "labels",
    "target",
    "class_id",
    "class_idx",
    "class_index",
    "label_id",
    "label_idx",
    "category_id",
    "class",
];
/// Fields that may hold the synset, the class's words, and the image's name.
const SYNSET: [&str; 4] = ["synset", "wnid", "synset_id", "wordnet_id"];
const CLASS: [&str; 5] = [
    "class_name",
    "classname",
    "label_name",
    "category_name",
    "class",
];
const NAME: [&str; 2] = ["filename", "file_name"];

/// What is used of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    pub(super) label: Option<WrittenLabel>,
    pub(super) synset: Option<String>,
    pub(super) words: Option<String>,
    pub(super) name: Option<String>,
    /// The key of a Shardmill record. Of other sets it says nothing.
    pub(super) key: Option<String>,
}

impl Notes {
    /// Reads a `.json`; the error says what is wrong with it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let json: Value =
            serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
        let found = |names: &[&str]| names.iter().find_map(|name| json.get(name));
        let text = |names: &[&str]| found(names).and_then(Value::as_str).map(str::to_owned);
        let (mut synset, mut words) = (text(&SYNSET), text(&CLASS));
        if synset.is_none() && words.as_deref().is_some_and(is_wnid) {
            synset = words.take();
        }
        let fields = LABEL
            .iter()
            .filter_map(|name| Some((*name, json.get(name)?)));
        let mut labels = Vec::new();
        for (at, (name, value)) in fields.enumerate() {
            match label(name, value) {
                Ok(Some(label)) => labels.push((name, label)),
                // Of other fields than the first nothing is needed.
                Err(message) if at == 0 => return Err(message),
                _ if at == 0 => break,
                _ => {}
            }
        }
        check_alike(&labels)?;
        let label = labels.into_iter().next().map(|(_, label)| label);
        Ok(Self {
            label,
            synset,
            words,
            name: text(&NAME),
            key: text(&["key"]),
        })
    }

    /// The label, if only words give it.
    pub(super) fn in_words(&self) -> Result<Option<WrittenLabel>, String> {
        let words = self.synset.as_deref().or(self.words.as_deref());
        words.map(WrittenLabel::read).transpose()
    }
}

/// The label that a field holds; `None` if it holds none, or says it in words, and is asked last.
fn label(name: &str, value: &Value) -> Result<Option<WrittenLabel>, String> {
    let kind = match value {
        Value::Null => return Ok(None),
        Value::String(_) if CLASS.contains(&name) => return Ok(None),
        Value::String(text) => return WrittenLabel::read(text).map(Some),
        Value::Number(number) => return WrittenLabel::read(&number.to_string()).map(Some),
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
        Value::Bool(_) => "true or false",
    };
    Err(format!(
        "its field {name:?} holds {kind}: expected a number or the name of a class"
    ))
}

/// Refuses fields that say different labels. A number and a name may mean the same.
fn check_alike(labels: &[(&str, WrittenLabel)]) -> Result<(), String> {
    for (at, (name, label)) in labels.iter().enumerate() {
        let other = labels[..at]
            .iter()
            .find(|(_, other)| other.contradicts(label));
        if let Some((other_name, other)) = other {
            return Err(format!(
                "its fields {other_name:?} and {name:?} say different labels, {other} and {label}: remove one \
                 of the two"
            ));
        }
    }
    Ok(())
}
