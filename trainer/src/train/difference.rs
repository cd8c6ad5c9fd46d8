//! Where two values differ, so that a message can name it.

use serde::Serialize;
use serde_json::Value;

/// A field's name and its two values.
pub(super) type Difference = (String, String, String);

/// The first field in which two values of one type differ.
pub(super) fn difference<T: Serialize>(stored: &T, given: &T) -> Option<Difference> {
    differences(stored, given).into_iter().next()
}

/// Every field in which two values of one type differ.
pub(super) fn differences<T: Serialize>(stored: &T, given: &T) -> Vec<Difference> {
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
            found.push((name.to_owned(), stored.to_string(), given.to_string()));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::difference;
    use crate::config::Recipe;
    use crate::schedule::ScheduleConfig;

    #[test]
    fn names_the_field() {
        let paper = Recipe::default();
        assert_eq!(difference(&paper, &paper), None);
        let mut other = paper.clone();
        other.sgd.momentum = 0.5;
        let found = difference(&paper, &other).unwrap();
        assert_eq!((&*found.0, &*found.2), ("sgd.momentum", "0.5"));
        let other = Recipe {
            schedule: ScheduleConfig::steps(vec![1]),
            ..paper.clone()
        };
        assert_eq!(difference(&paper, &other).unwrap().0, "schedule");
    }
}
