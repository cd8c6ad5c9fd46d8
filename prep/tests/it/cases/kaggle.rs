//! Kaggle's folder, the folders around it, and the folder in it.

use std::fs;
use std::path::Path;

use super::folders::{SYNSETS, TRAINED, VALIDATED, train_and_flat_val};
use super::{Case, Right, check};

#[test]
fn kaggle_comes_out_right_from_every_folder() {
    check("sources.tar", CASES);
}

fn kaggle(folder: &Path) {
    train_and_flat_val(&folder.join("ILSVRC/Data/CLS-LOC"));
    let rows = [(3, 2), (1, 1), (4, 1), (2, 0)].map(|(number, class)| {
        let synset = SYNSETS[class];
        format!("ILSVRC2012_val_0000000{number},{synset} 1 2 3 4 {synset} 5 6 7 8 \n")
    });
    let table = format!("ImageId,PredictionString\n{}", rows.concat());
    fs::write(folder.join("LOC_val_solution.csv"), table).unwrap();
    let words = SYNSETS.map(|synset| format!("{synset} words of {synset}\n"));
    fs::write(folder.join("LOC_synset_mapping.txt"), words.concat()).unwrap();
}

const CASES: &[Case] = &[
    Case {
        name: "CLSLOC",
        source: "ILSVRC/Data/CLS-LOC",
        arguments: &[],
        make: kaggle,
        right: Right::Dataset {
            classes: &SYNSETS,
            splits: &[("train", TRAINED), ("val", VALIDATED)],
            rejects: &[],
            says: &["LOC_val_solution.csv"],
        },
    },
    Case {
        name: "CLSLOC",
        source: "ILSVRC/Data",
        arguments: &[],
        make: kaggle,
        right: Right::Refused {
            says: &["the set seems to be in", "CLS-LOC: give that folder"],
        },
    },
    Case {
        name: "CLSLOC",
        source: "",
        arguments: &[],
        make: kaggle,
        right: Right::Dataset {
            classes: &SYNSETS,
            splits: &[("train", TRAINED), ("val", VALIDATED)],
            rejects: &[],
            says: &["2 files: read for labels"],
        },
    },
    Case {
        name: "KGP",
        source: "",
        arguments: &[],
        make: |folder| kaggle(&folder.join("imagenet-object-localization-challenge")),
        right: Right::Refused {
            says: &[
                "the set seems to be in",
                "imagenet-object-localization-challenge: give that folder",
            ],
        },
    },
];
