//! A recipe as the TOML file that gives it.

use std::fmt;

use serde_json::Value;

use crate::recipe::NONE;
use crate::recipe::setup::Setup;

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tree = serde_json::to_value(self).expect("plain data becomes JSON");
        fill(&mut tree);
        let text = toml::to_string(&tree).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

/// TOML cannot write nothing.
fn fill(tree: &mut Value) {
    match tree {
        Value::Null => *tree = Value::String(NONE.to_owned()),
        Value::Number(number) => {
            // An f32 is written by its own few digits, which give the same f32 again.
            let short = number
                .as_f64()
                .filter(|_| number.is_f64())
                .and_then(|wide| {
                    let narrow = wide as f32;
                    let digits = narrow.to_string().parse::<f64>().ok();
                    digits.filter(|_| f64::from(narrow) == wide)
                });
            if let Some(short) = short {
                *tree = short.into();
            }
        }
        Value::Object(map) => map.values_mut().for_each(fill),
        _ => {}
    }
}
