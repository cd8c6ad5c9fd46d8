//! Class folders, official files and Kaggle's folder.

use super::{Case, Right, check, pictures};

#[test]
fn folders_come_out_right() {
    check("sources.tar", &CASES);
}

const CASES: [Case; 1] = [Case {
    name: "PARTS",
    source: "A6",
    arguments: &[],
    make: |folder| pictures(folder, &["A6/cat/1.jpg", "A6/dog/1.jpg"]),
    right: Right::Dataset {
        classes: &["cat", "dog"],
        splits: &[("train", &[("cat/1.jpg", 0), ("dog/1.jpg", 1)])],
        rejects: &[],
        says: &[],
    },
}];
