//! Which recipes go with which studies.

use std::error::Error as _;

use crate::recipe::setup::NAMES;
use crate::study::catalogue::STUDIES;
use crate::study::dataset::{DatasetIdentity, SplitIdentity};
use crate::study::plan::{Plan, Request};

/// What a study says to a request about images of ten classes, where it refuses.
fn refusal(study: &str, recipe: &str, sets: &[&str]) -> Option<String> {
    let dataset = DatasetIdentity {
        classes: 10,
        synsets_crc32c: "00000000".to_owned(),
        record: [256, 256],
        train: SplitIdentity {
            split: "train".to_owned(),
            images: 1000,
            shards_crc32c: "00000000".to_owned(),
        },
        validation: None,
    };
    let request = Request {
        recipe: Some(recipe.to_owned()),
        sets: sets.iter().map(|set| (*set).to_owned()).collect(),
        ..Request::default()
    };
    let study = STUDIES.iter().find(|known| known.name == study).unwrap();
    let error = Plan::new(study, &request, dataset, None).err()?;
    let source = error.source().map(|source| format!(": {source}"));
    Some(format!("{error}{}", source.unwrap_or_default()))
}

#[test]
fn no_study_accepts_a_recipe_that_makes_its_arms_alike() {
    let mut refused = Vec::new();
    for study in STUDIES {
        for (recipe, _) in NAMES {
            let text = refusal(study.name, recipe, &[]).unwrap_or_default();
            if text.contains("are the same network") {
                refused.push(format!("{} {recipe}", study.name));
            }
        }
    }
    assert_eq!(
        refused,
        ["columns owt", "columns fig1", "lrn owt", "lrn fig1"]
    );
    let text = refusal("lrn", "owt", &[]).unwrap();
    assert_eq!(
        text,
        "with recipe owt the arms with and without are the same network, since `model.lrn=none` and \
         `model.map_norm=none` change nothing there; choose another `--recipe`"
    );
    // A value of the command line may do the same, or a change that ends before it begins.
    let text = refusal("pooling", "small", &["model.pooling=non-overlapping"]).unwrap();
    assert!(text.contains("leave the `--set` out"), "{text}");
    let text = refusal("augmentation", "small", &["color_until=0"]).unwrap();
    assert!(text.contains("arms colour and crops"), "{text}");
    assert_eq!(refusal("lrn", "small", &[]), None);
}
