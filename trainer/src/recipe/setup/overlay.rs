//! Replaces values of a recipe by their keys.
//!
//! The recipe becomes a tree of plain values, so that the structs alone say which keys exist.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::net::config::{LrnConfig, ModelConfig, Variant};
use crate::recipe::NONE;
use crate::recipe::augmentation::Cropping;
use crate::recipe::schedule::{NET_145_MILESTONES, ScheduleConfig};
use crate::recipe::setup::error::similar;
use crate::recipe::setup::{Setup, SetupError};

/// Keys that may be [`NONE`].
const OPTIONAL: [&str; 8] = [
    "kernel_radius",
    "color_until",
    "sgd.bias_lr",
    "model.init.std_conv1",
    "model.lrn",
    "model.map_norm",
    "model.removed_conv",
    "val_split",
];

/// Tables with a kind, which decides what other keys they have. A word alone is a kind.
const KINDS: [&str; 2] = ["schedule", "cropping"];

/// Without [`lrn`](ModelConfig::lrn) this key has no meaning.
const WITHIN: &str = "lrn_within_columns";

/// The key that the other keys of the network start from.
const VARIANT: &str = "model.variant";

/// `base` with the values of `table`.
pub(super) fn overlay(base: Setup, table: &toml::Table) -> Result<Setup, SetupError> {
    let mut setup = base;
    replace(&mut tree(&setup), "", table)?;
    // Once more for each key, so that a message can name it.
    let mut leaves = leaves("", table);
    // A variant brings its own choices, which the others then change.
    leaves.sort_by_key(|(key, _)| key != VARIANT);
    for (key, value) in leaves {
        let mut tree = tree(&setup);
        replace(&mut tree, "", &nested(&key, value))?;
        setup = read(tree).map_err(|reason| SetupError::value(key, reason))?;
    }
    Ok(setup)
}

fn tree(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(map)) => map,
        _ => unreachable!("a struct becomes an object"),
    }
}

/// Every value by its dotted key; a table whose keys depend on each other is one value.
fn leaves(prefix: &str, table: &toml::Table) -> Vec<(String, toml::Value)> {
    let mut found = Vec::new();
    for (key, value) in table {
        let key = format!("{prefix}{key}");
        match value {
            toml::Value::Table(inner) if !KINDS.contains(&&*key) => {
                found.extend(leaves(&format!("{key}."), inner));
            }
            _ => found.push((key, value.clone())),
        }
    }
    found
}

/// A table with one value, in the tables that its dotted key names.
pub(super) fn nested(key: &str, value: toml::Value) -> toml::Table {
    let value = key.rsplit('.').fold(value, |value, key| {
        toml::Value::Table(toml::Table::from_iter([(key.to_owned(), value)]))
    });
    match value {
        toml::Value::Table(table) => table,
        _ => unreachable!("a key has at least one part"),
    }
}

fn read(mut root: Map<String, Value>) -> Result<Setup, String> {
    let model = root.remove("model").unwrap_or_default();
    let text = |error: serde_json::Error| error.to_string();
    Ok(Setup {
        recipe: serde_json::from_value(Value::Object(root)).map_err(text)?,
        model: serde_json::from_value(model).map_err(text)?,
    })
}

fn replace(
    tree: &mut Map<String, Value>,
    prefix: &str,
    table: &toml::Table,
) -> Result<(), SetupError> {
    if prefix == "model." {
        change_variant(tree, table);
    }
    for (name, value) in table {
        let key = format!("{prefix}{name}");
        let Some(old) = tree.get_mut(name) else {
            let known: Vec<&str> = tree.keys().map(String::as_str).collect();
            let (nearest, known) = similar(name, &known);
            return Err(SetupError::UnknownKey {
                key,
                nearest,
                known,
            });
        };
        if let toml::Value::Float(number) = value
            && !number.is_finite()
        {
            let reason = format!("{number} is not a finite number");
            return Err(SetupError::value(key, reason));
        }
        let kind = word(&key, value);
        let value = kind.as_ref().unwrap_or(value);
        if KINDS.contains(&&*key) {
            change_kind(&key, old, value);
        }
        if key == "conv1_lr" {
            *old = later_rates(value).map_err(|error| SetupError::value(key, error))?;
            continue;
        }
        if let (Value::Null, toml::Value::Table(_)) = (&*old, value) {
            *old = default_table(&key);
        }
        match (old, value) {
            (Value::Object(inner), toml::Value::Table(table)) => {
                replace(inner, &format!("{key}."), table)?;
            }
            (old, toml::Value::String(word)) if word == NONE && OPTIONAL.contains(&&*key) => {
                *old = Value::Null;
            }
            (old, value) => {
                let new = serde_json::to_value(value);
                *old = new.map_err(|error| SetupError::value(key, error))?;
            }
        }
    }
    if prefix == "model." && tree["lrn"].is_null() && !table.contains_key(WITHIN) {
        tree.insert(WITHIN.to_owned(), Value::Bool(false));
    }
    Ok(())
}

/// conv1's later rates. A rate of 0 freezes the layer unless the text says otherwise; only in old
/// checkpoints does the lack of the key mean `false`.
fn later_rates(value: &toml::Value) -> Result<Value, serde_json::Error> {
    let mut rates = serde_json::to_value(value)?;
    for rate in rates.as_array_mut().into_iter().flatten() {
        let zero = rate["lr"].as_f64() == Some(0.0);
        if let Value::Object(rate) = rate {
            rate.entry("frozen").or_insert(Value::Bool(zero));
        }
    }
    Ok(rates)
}

/// The table that a word alone stands for: its kind.
fn word(key: &str, value: &toml::Value) -> Option<toml::Value> {
    let word = value.as_str().filter(|_| KINDS.contains(&key))?;
    let table = [("kind".to_owned(), toml::Value::String(word.to_owned()))];
    Some(toml::Value::Table(toml::Table::from_iter(table)))
}

/// Another kind has other keys: they start from the defaults of that kind.
fn change_kind(key: &str, old: &mut Value, new: &toml::Value) {
    let kind = new.get("kind").and_then(toml::Value::as_str);
    let default = match (key, kind) {
        ("schedule", Some("plateau")) => json!(ScheduleConfig::default()),
        ("schedule", Some("steps")) => json!(ScheduleConfig::steps(NET_145_MILESTONES.to_vec())),
        ("schedule", Some("warm-up")) => json!(ScheduleConfig::warm_up()),
        ("cropping", Some("fixed")) => json!(Cropping::Fixed),
        ("cropping", Some("random")) => json!(Cropping::Random),
        ("cropping", Some("resized")) => json!(Cropping::resized()),
        _ => return,
    };
    if old["kind"] != json!(kind) {
        *old = default;
    }
}

/// Another variant starts from its own defaults; only a number of classes that was chosen stays.
fn change_variant(model: &mut Map<String, Value>, new: &toml::Table) {
    let word = new.get("variant").and_then(toml::Value::as_str);
    let Some(Ok(variant)) = word.map(|word| serde_json::from_value::<Variant>(json!(word))) else {
        return;
    };
    // A value of a wrong type is reported where all of them are read.
    if let Ok(old) = serde_json::from_value::<ModelConfig>(Value::Object(model.clone())) {
        *model = tree(&old.changed_to(variant));
    }
}

/// The values that a table starts from where there was none.
fn default_table(key: &str) -> Value {
    let config = match key {
        "model.map_norm" => LrnConfig::NET_145_MAPS,
        "model.lrn" => LrnConfig::default(),
        _ => return Value::Null,
    };
    serde_json::to_value(config).expect("plain data becomes JSON")
}
