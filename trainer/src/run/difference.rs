//! Where two values differ, so that a message can name it.

use serde::Serialize;
use serde_json::Value;

/// A field's name and its two values.
pub(crate) type Difference = (String, String, String);

/// The first field in which two values of one type differ.
pub(crate) fn difference<T: Serialize>(stored: &T, given: &T) -> Option<Difference> {
    differences(stored, given).into_iter().next()
}

/// Every field in which two values of one type differ.
pub(crate) fn differences<T: Serialize>(stored: &T, given: &T) -> Vec<Difference> {
    let json = |value: &T| serde_json::to_value(value).expect("plain data becomes JSON");
    let mut found = Vec::new();
    collect("", &json(stored), &json(given), &mut found);
    found
}

fn collect(name: &str, stored: &Value, given: &Value, found: &mut Vec<Difference>) {
    match (stored, given) {
        (Value::Object(stored), Value::Object(given)) if stored.keys().eq(given.keys()) => {
            for ((key, stored), given) in stored.iter().zip(given.values()) {
                let name = if name.is_empty() {
                    key.clone()
                } else {
                    format!("{name}.{key}")
                };
                collect(&name, stored, given, found);
            }
        }
        _ if stored != given => {
            found.push((name.to_owned(), text(stored), text(given)));
        }
        _ => {}
    }
}

/// A value as it was meant: what f32 makes of 0.3 is 0.3 and no longer number, and nothing is `none`.
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
    use super::difference;
    use crate::recipe::Recipe;
    use crate::recipe::schedule::ScheduleConfig;

    #[test]
    fn names_the_field() {
        let paper = Recipe::default();
        assert_eq!(difference(&paper, &paper), None);
        let mut other = paper.clone();
        other.sgd.momentum = 0.5;
        let found = difference(&paper, &other).unwrap();
        assert_eq!((&*found.0, &*found.2), ("sgd.momentum", "0.5"));
        other.sgd.momentum = 0.3;
        let found = difference(&paper, &other).unwrap();
        assert_eq!((&*found.1, &*found.2), ("0.9", "0.3"));
        let other = Recipe {
            schedule: ScheduleConfig::steps(vec![1]),
            ..paper.clone()
        };
        assert_eq!(difference(&paper, &other).unwrap().0, "schedule");
    }
}
