//! Where two values differ, so that a message can name it.

use serde::Serialize;
use serde_json::Value;

/// The first field in which two values of one type differ: its name and both values.
pub(super) fn difference<T: Serialize>(stored: &T, given: &T) -> Option<(String, String, String)> {
    let json = |value: &T| serde_json::to_value(value).expect("plain data becomes JSON");
    first("", &json(stored), &json(given))
}

fn first(name: &str, stored: &Value, given: &Value) -> Option<(String, String, String)> {
    match (stored, given) {
        (Value::Object(stored), Value::Object(given)) if stored.keys().eq(given.keys()) => stored
            .iter()
            .zip(given.values())
            .find_map(|((key, stored), given)| {
                let name = if name.is_empty() {
                    key.clone()
                } else {
                    format!("{name}.{key}")
                };
                first(&name, stored, given)
            }),
        _ => (stored != given).then(|| (name.to_owned(), stored.to_string(), given.to_string())),
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
