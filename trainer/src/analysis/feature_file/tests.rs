use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;
use crate::analysis::Rows;

/// A safetensors file of two rows of three features, with this header.
fn write(path: &Path, header: &serde_json::Value) {
    let header = header.to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend([5_i64, 7].iter().flat_map(|v| v.to_le_bytes()));
    let values = [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0];
    bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    fs::write(path, bytes).unwrap();
}

fn header() -> serde_json::Value {
    json!({
        "labels": {"dtype": "I64", "shape": [2], "data_offsets": [0, 16]},
        "features": {"dtype": "F32", "shape": [2, 3], "data_offsets": [16, 40]},
    })
}

#[test]
fn another_programs_features_are_read_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("theirs.safetensors");
    write(&path, &header());
    let file = FeatureFile::open(&path).unwrap();
    assert_eq!((file.rows(), file.row_len()), (2, 3));
    assert_eq!(file.labels(), [5, 7]);
    assert_eq!(*file.read(1..2).unwrap(), [4.0, 5.0, 6.0]);
    assert_eq!(*file.description(), Description::default());
}

#[test]
fn what_is_no_file_of_features_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.safetensors");
    let refusal = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut header = header();
        change(&mut header);
        write(&path, &header);
        FeatureFile::open(&path).unwrap_err().to_string()
    };
    for (key, value, words) in [
        ("/labels/shape", json!([3]), "\"labels\" is not I64 [n]"),
        ("/labels/dtype", json!("I32"), "\"labels\" is not I64 [n]"),
        ("/features/dtype", json!("F16"), "\"features\" is not F32"),
        ("/features/shape", json!([6]), "\"features\" is not F32"),
        (
            "/features/shape",
            json!([u64::MAX, 3]),
            "\"features\" is not F32",
        ),
        (
            "/features/data_offsets",
            json!([24, 48]),
            "\"features\" is not F32",
        ),
    ] {
        let text = refusal(&|header| *header.pointer_mut(key).unwrap() = value.clone());
        assert!(
            text.contains(words) && text.contains("train features"),
            "{key}: {text}"
        );
    }
    // A label that none of the named classes has.
    let classes = |names: &[&str]| {
        let classes = names
            .iter()
            .map(|name| json!({"synset": name, "name": name}));
        json!({"classes": json!(classes.collect::<Vec<_>>()).to_string()})
    };
    let text = refusal(&|header| header["__metadata__"] = classes(&["a", "b", "c", "d", "e", "f"]));
    assert!(
        text.contains("the label of row 1 is 7, and the classes are 0 to 5"),
        "{text}"
    );
    let mut eight = header();
    eight["__metadata__"] = classes(&["a", "b", "c", "d", "e", "f", "g", "h"]);
    write(&path, &eight);
    assert_eq!(FeatureFile::open(&path).unwrap().labels(), [5, 7]);

    let text = refusal(&|header| drop(header.as_object_mut().unwrap().remove("features")));
    assert!(text.contains("no tensor \"features\""), "{text}");
    for bytes in [&b"short"[..], &[255; 64]] {
        fs::write(&path, bytes).unwrap();
        let text = FeatureFile::open(&path).unwrap_err().to_string();
        assert!(text.contains("not a whole file of features"), "{text}");
    }
}
