//! Class folders, official files and Kaggle's folder.

use std::fs;
use std::path::Path;

use super::{Case, Right, check, picture, pictures};

#[test]
fn folders_come_out_right() {
    check("sources.tar", CASES);
}

/// Three synsets of training, and four validation images in one folder.
const TRAIN: [&str; 6] = [
    "train/n01440764/n01440764_0.JPEG",
    "train/n01440764/n01440764_1.JPEG",
    "train/n01443537/n01443537_0.JPEG",
    "train/n01443537/n01443537_1.JPEG",
    "train/n01484850/n01484850_0.JPEG",
    "train/n01484850/n01484850_1.JPEG",
];
pub(super) const SYNSETS: [&str; 3] = ["n01440764", "n01443537", "n01484850"];
pub(super) const TRAINED: super::Records = &[
    ("train/n01440764/n01440764_0.JPEG", 0),
    ("train/n01440764/n01440764_1.JPEG", 0),
    ("train/n01443537/n01443537_0.JPEG", 1),
    ("train/n01443537/n01443537_1.JPEG", 1),
    ("train/n01484850/n01484850_0.JPEG", 2),
    ("train/n01484850/n01484850_1.JPEG", 2),
];
pub(super) const VALIDATED: super::Records = &[
    ("val/n01440764/ILSVRC2012_val_00000002.JPEG", 0),
    ("val/n01443537/ILSVRC2012_val_00000001.JPEG", 1),
    ("val/n01443537/ILSVRC2012_val_00000004.JPEG", 1),
    ("val/n01484850/ILSVRC2012_val_00000003.JPEG", 2),
];

pub(super) fn train_and_flat_val(folder: &Path) {
    pictures(folder, &TRAIN);
    for number in 1..=4 {
        picture(&folder.join(format!("val/ILSVRC2012_val_0000000{number}.JPEG")));
    }
}

fn two_classes_and_flat_val(folder: &Path) {
    for synset in &SYNSETS[..2] {
        for number in 0..3 {
            picture(&folder.join(format!("train/{synset}/{synset}_{number}.JPEG")));
        }
    }
    for number in 1..=4 {
        picture(&folder.join(format!("val/ILSVRC2012_val_0000000{number}.JPEG")));
    }
}

#[cfg(unix)]
fn latin(folder: &Path) {
    use std::os::unix::ffi::OsStrExt;
    for name in [&b"caf\xe9"[..], b"caf\xe8", b"plain"] {
        let class = folder.join(std::ffi::OsStr::from_bytes(name));
        pictures(&class, &["0.jpg", "1.jpg"]);
    }
}

const CASES: &[Case] = &[
    Case {
        name: "PARTS",
        source: "A6",
        arguments: &[],
        make: |folder| {
            pictures(folder, &["A6/cat/1.jpg", "A6/dog/1.jpg"]);
            fs::create_dir(folder.join("A6/empty")).unwrap();
        },
        right: Right::Dataset {
            classes: &["cat", "dog", "empty"],
            splits: &[("train", &[("cat/1.jpg", 0), ("dog/1.jpg", 1)])],
            rejects: &[],
            says: &[],
        },
    },
    Case {
        name: "A1",
        source: "",
        arguments: &[],
        make: two_classes_and_flat_val,
        right: Right::Refused {
            says: &[
                "val: it holds 4 images and no class folders",
                "LOC_val_solution.csv",
                "--without val",
            ],
        },
    },
    Case {
        name: "A1",
        source: "",
        arguments: &["--without", "val"],
        make: two_classes_and_flat_val,
        right: Right::Dataset {
            classes: &["n01440764", "n01443537"],
            splits: &[(
                "train",
                &[
                    ("train/n01440764/n01440764_0.JPEG", 0),
                    ("train/n01440764/n01440764_1.JPEG", 0),
                    ("train/n01440764/n01440764_2.JPEG", 0),
                    ("train/n01443537/n01443537_0.JPEG", 1),
                    ("train/n01443537/n01443537_1.JPEG", 1),
                    ("train/n01443537/n01443537_2.JPEG", 1),
                ],
            )],
            rejects: &[],
            says: &["4 files: in a split that was left out (val/ILSVRC2012_val_00000001.JPEG"],
        },
    },
    Case {
        name: "A2validation",
        source: "",
        arguments: &[],
        make: |folder| splits(folder, "train", "validation"),
        right: BOTH_SPLITS,
    },
    Case {
        name: "A3training",
        source: "",
        arguments: &[],
        make: |folder| splits(folder, "training", "validation"),
        right: BOTH_SPLITS,
    },
    Case {
        name: "A4",
        source: "",
        arguments: &[],
        make: |folder| {
            for class in 0..12 {
                picture(&folder.join(format!("{class}/x.jpg")));
            }
        },
        right: Right::Dataset {
            classes: &[
                "0000", "0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009",
                "0010", "0011",
            ],
            splits: &[(
                "train",
                &[
                    ("0000/x.jpg", 0),
                    ("0001/x.jpg", 1),
                    ("0002/x.jpg", 2),
                    ("0003/x.jpg", 3),
                    ("0004/x.jpg", 4),
                    ("0005/x.jpg", 5),
                    ("0006/x.jpg", 6),
                    ("0007/x.jpg", 7),
                    ("0008/x.jpg", 8),
                    ("0009/x.jpg", 9),
                    ("0010/x.jpg", 10),
                    ("0011/x.jpg", 11),
                ],
            )],
            rejects: &[],
            says: &["sorted as numbers (9 before 10); torchvision's ImageFolder"],
        },
    },
    Case {
        name: "A9",
        source: "",
        arguments: &[],
        make: |folder| {
            for split in ["train", "val"] {
                pictures(
                    &folder.join("imagenette2").join(split),
                    &["cat/1.jpg", "dog/1.jpg"],
                );
            }
        },
        right: Right::Refused {
            says: &[
                "the set seems to be in",
                "imagenette2: give that folder",
                "--layout class-folders",
            ],
        },
    },
    #[cfg(unix)]
    Case {
        name: "A10",
        source: "",
        arguments: &[],
        make: latin,
        right: Right::Dataset {
            classes: &["caf%E8", "caf%E9", "plain"],
            splits: &[(
                "train",
                &[
                    ("caf%E8/0.jpg", 0),
                    ("caf%E8/1.jpg", 0),
                    ("caf%E9/0.jpg", 1),
                    ("caf%E9/1.jpg", 1),
                    ("plain/0.jpg", 2),
                    ("plain/1.jpg", 2),
                ],
            )],
            rejects: &[],
            says: &[],
        },
    },
    Case {
        name: "B16",
        source: "",
        arguments: &[],
        make: |folder| {
            pictures(&folder.join("img"), &["0.jpg", "1.jpg"]);
            fs::write(folder.join("train.csv"), "path,label\nimg/0.jpg,0\n").unwrap();
            fs::write(folder.join("val.csv"), "path,label\nimg/1.jpg,0\n").unwrap();
        },
        right: Right::Refused {
            says: &[
                "\"img\" is its only folder",
                "train.csv, val.csv",
                "give a table as SRC",
            ],
        },
    },
    Case {
        name: "C12",
        source: "C12",
        arguments: &[],
        make: |folder| {
            fs::create_dir_all(folder.join("C12/default/train")).unwrap();
            fs::write(folder.join("C12/default/train/0000.parquet"), "PAR1").unwrap();
        },
        right: Right::Refused {
            says: &["the set seems to be in", "C12/default: give that folder"],
        },
    },
    Case {
        name: "CF",
        source: "",
        arguments: &[],
        make: |folder| {
            train_and_flat_val(folder);
            let labels = [1, 0, 2, 1].iter().zip(1..);
            let lines =
                labels.map(|(label, n)| format!("ILSVRC2012_val_0000000{n}.JPEG {label}\n"));
            fs::write(folder.join("val.txt"), lines.collect::<String>()).unwrap();
        },
        right: Right::Dataset {
            classes: &SYNSETS,
            splits: &[("train", TRAINED), ("val", VALIDATED)],
            rejects: &[],
            says: &["labels of val come from val.txt", "1 file: read for labels"],
        },
    },
    Case {
        name: "NESTED",
        source: "A20b",
        arguments: &[],
        make: |folder| pictures(&folder.join("A20b/dog"), &["back/1.jpg", "front/1.jpg"]),
        right: Right::Refused {
            says: &["A20b/dog: give that folder", "--layout class-folders"],
        },
    },
    Case {
        name: "NESTED",
        source: "A20b",
        arguments: &["--layout", "class-folders"],
        make: |folder| pictures(&folder.join("A20b/dog"), &["back/1.jpg", "front/1.jpg"]),
        right: Right::Dataset {
            classes: &["dog"],
            splits: &[("train", &[("dog/back/1.jpg", 0), ("dog/front/1.jpg", 0)])],
            rejects: &[],
            says: &[],
        },
    },
];

/// The validation images are labelled by the development kit, whose ids are in no order; made here they
/// are labelled by Tiny ImageNet's table.
#[test]
fn flat_validation_images_are_labelled_by_what_lies_beside_them() {
    check(
        "sources.tar",
        &[Case {
            name: "OFM",
            source: "",
            arguments: &[],
            make: |folder| {
                train_and_flat_val(folder);
                fs::create_dir(folder.join("val/images")).unwrap();
                let mut table = String::new();
                for (number, class) in [1, 0, 2, 1].iter().enumerate() {
                    let name = format!("ILSVRC2012_val_0000000{}.JPEG", number + 1);
                    let (from, to) = (folder.join("val"), folder.join("val/images"));
                    fs::rename(from.join(&name), to.join(&name)).unwrap();
                    table += &format!("{name}\t{}\t0\t0\t63\t63\n", SYNSETS[*class]);
                }
                fs::write(folder.join("val/val_annotations.txt"), table).unwrap();
            },
            right: Right::Dataset {
                classes: &SYNSETS,
                splits: &[("train", TRAINED), ("val", VALIDATED)],
                rejects: &[],
                says: &["labels of val come from "],
            },
        }],
    );
}

fn splits(folder: &Path, train: &str, val: &str) {
    let names = [
        "cat/0.jpg",
        "cat/1.jpg",
        "cat/2.jpg",
        "dog/0.jpg",
        "dog/1.jpg",
        "dog/2.jpg",
    ];
    pictures(&folder.join(train), &names);
    pictures(
        &folder.join(val),
        &["cat/0.jpg", "cat/1.jpg", "dog/0.jpg", "dog/1.jpg"],
    );
}

const BOTH_SPLITS: Right = Right::Dataset {
    classes: &["cat", "dog"],
    splits: &[
        (
            "train",
            &[
                ("train/cat/0.jpg", 0),
                ("train/cat/1.jpg", 0),
                ("train/cat/2.jpg", 0),
                ("train/dog/0.jpg", 1),
                ("train/dog/1.jpg", 1),
                ("train/dog/2.jpg", 1),
            ],
        ),
        (
            "val",
            &[
                ("val/cat/0.jpg", 0),
                ("val/cat/1.jpg", 0),
                ("val/dog/0.jpg", 1),
                ("val/dog/1.jpg", 1),
            ],
        ),
    ],
    rejects: &[],
    says: &[],
};
