use std::fs;

use serde_json::Value;

use crate::study::{done, message, results, shards, study};

#[test]
fn a_race_searches_for_rates_then_trains_every_arm_at_its_own() {
    let work = tempfile::tempdir().unwrap();
    let shards = shards(work.path(), "shards", 32);
    let out = work.path().join("out");
    let flags = "--seeds 1 --epochs 1 --set batch_size=8";
    let text = done(study("relu", &shards, &out, flags));
    for words in [
        "search    5 rates x 2 epochs",
        "0 of 10 results are known; 44 epochs are left",
        "relu, tanh; 1 trial of each with seed 1",
        "2 trials x 1 epoch, ",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let found = results(&out.join("results"));
    let plan = &found["study.json"];
    assert_eq!(plan["training_error"]["enough"], 25.0);
    for arm in ["relu", "tanh"] {
        let trial = &found[&format!("{arm}-1.json")];
        assert_eq!(trial["settings"]["model"]["activation"], arm);
        assert_eq!(trial["settings"]["recipe"]["sgd"]["weight_decay"], 0.0);
        let chosen = trial["settings"]["recipe"]["lr"].as_f64().unwrap();
        let searched = &found[&format!("{arm}-lr{chosen}-1000.json")];
        // The chosen one went on, or has reached the error before.
        let epochs = searched["epochs"].as_f64().unwrap();
        assert!(epochs == 6.0 || searched["ending"] == "reached", "{epochs}");
        let tried = found
            .keys()
            .filter(|name| name.starts_with(&format!("{arm}-lr")));
        assert!(tried.count() >= 5, "{arm}");
        // Two measurements an epoch and one before; three steps to an epoch.
        let curve = trial["curve"].as_array().unwrap();
        let measured: Vec<u64> = curve
            .iter()
            .map(|point| point["step"].as_u64().unwrap())
            .collect();
        assert!([0, 2, 3].starts_with(&measured), "{measured:?}");
    }
    let markdown = fs::read_to_string(out.join("relu.md")).unwrap();
    assert!(
        markdown.contains("six times faster") && markdown.contains("relu.svg"),
        "{markdown}"
    );
    for words in [
        "here 24 images of 3 classes",
        "Rates that the search chose: ",
        "What differs from recipe `fig1` in every arm: ",
    ] {
        assert!(markdown.contains(words), "{words}: {markdown}");
    }
    assert!(
        !markdown.contains("`recipe.lr`") && !markdown.contains("`lr`"),
        "{markdown}"
    );
    // Once more nothing is trained.
    let text = done(study("relu", &shards, &out, "--json"));
    assert!(results(&out.join("results")) == found);
    // A result without measurements would not bring the search on.
    let path = out.join("results/relu-lr0.001-1000.json");
    let mut cut = found["relu-lr0.001-1000.json"].clone();
    (cut["curve"], cut["seconds"]) = (Value::Array(Vec::new()), Value::from(1.0));
    fs::write(&path, cut.to_string()).unwrap();
    let text_of_error = message(study("relu", &shards, &out, ""));
    assert!(
        text_of_error.contains("relu-lr0.001-1000.json has no measurement"),
        "{text_of_error}"
    );
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["trials"].as_array().unwrap().len(), 2);
    assert_eq!(report["missing"], Value::Array(Vec::new()));
}
