//! The values in which two recipes differ, for messages.

use serde::Serialize;
use serde_json::Value;

/// A value in which two others differ, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its dotted key.
    pub key: String,
    /// What it is in the first.
    pub first: String,
    /// What it is in the second.
    pub second: String,
}

/// Every field in which two values of one type differ.
pub(crate) fn differences<T: Serialize>(first: &T, second: &T) -> Vec<Difference> {
    let json = |value: &T| serde_json::to_value(value).expect("plain data becomes JSON");
    let mut found = Vec::new();
    collect("", &json(first), &json(second), &mut found);
    found
}

/// A value of a recipe, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Its dotted key.
    pub(crate) key: String,
    pub(crate) text: String,
}

/// Every value of a recipe or network, in the order of its fields' names.
pub(crate) fn settings<T: Serialize>(value: &T) -> Vec<Setting> {
    let mut found = Vec::new();
    let json = serde_json::to_value(value).expect("plain data becomes JSON");
    list("", &json, &mut found);
    found
}

fn list(name: &str, value: &Value, found: &mut Vec<Setting>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                list(&joined(name, key), value, found);
            }
        }
        _ => found.push(Setting {
            key: name.to_owned(),
            text: text(value),
        }),
    }
}

/// A key within what is called `name`.
fn joined(name: &str, key: &str) -> String {
    match name {
        "" => key.to_owned(),
        _ => format!("{name}.{key}"),
    }
}

fn collect(name: &str, first: &Value, second: &Value, found: &mut Vec<Difference>) {
    match (first, second) {
        (Value::Object(first), Value::Object(second)) if first.keys().eq(second.keys()) => {
            for ((key, first), second) in first.iter().zip(second.values()) {
                collect(&joined(name, key), first, second, found);
            }
        }
        _ if first != second => found.push(Difference {
            key: name.to_owned(),
            first: text(first),
            second: text(second),
        }),
        _ => {}
    }
}

/// A value as it was written: the f32 nearest to 0.3 is 0.3 and has no more digits; null is `none`.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Number(number) => match number.as_f64() {
            Some(wide) if number.is_f64() && f64::from(wide as f32) == wide => {
                (wide as f32).to_string()
            }
            _ => number.to_string(),
        },
        Value::Object(object) => {
            let fields = object
                .iter()
                .map(|(key, value)| format!("{key} {}", text(value)));
            format!("({})", fields.collect::<Vec<_>>().join(", "))
        }
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(text).collect();
            format!("[{}]", values.join(", "))
        }
        Value::String(word) => word.clone(),
        Value::Bool(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{differences, settings};
    use crate::recipe::Recipe;
    use crate::recipe::schedule::ScheduleConfig;

    #[test]
    fn every_value_has_its_key() {
        let found = settings(&Recipe::default());
        let text = |key: &str| {
            found
                .iter()
                .find(|setting| setting.key == key)
                .map(|s| &*s.text)
        };
        assert_eq!(text("sgd.weight_decay"), Some("0.0005"));
        assert_eq!(text("schedule.kind"), Some("plateau"));
        assert_eq!(text("val_split"), Some("none"));
        assert_eq!(text("conv1_lr"), Some("[]"));
    }

    #[test]
    fn names_the_field() {
        let paper = Recipe::default();
        assert_eq!(differences(&paper, &paper), []);
        let mut other = paper.clone();
        for (momentum, text) in [(0.5, "0.5"), (0.3, "0.3")] {
            other.sgd.momentum = momentum;
            let found = differences(&paper, &other).remove(0);
            assert_eq!(
                [&*found.key, &*found.first, &*found.second],
                ["sgd.momentum", "0.9", text]
            );
        }
        let other = Recipe {
            schedule: ScheduleConfig::steps(vec![1]),
            ..paper.clone()
        };
        assert_eq!(differences(&paper, &other)[0].key, "schedule");
    }
}
