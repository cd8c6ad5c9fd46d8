//! WebDataset's tars.

use std::fs::{self, File};
use std::path::Path;

use shardmill_prep::{IngestOptions, estimate};
use tar::{Builder, EntryType, Header};

use super::{Case, Right, check, picture};

#[test]
fn tars_come_out_right() {
    check("sources.tar", CASES);
}

/// A tar of pictures with these names, each with its `.cls`.
fn tar(path: &Path, members: &[(&str, &str)]) -> Builder<File> {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let pictures = tempfile::tempdir().unwrap();
    let mut tar = Builder::new(File::create(path).unwrap());
    for (name, label) in members {
        let file = pictures.path().join(name);
        picture(&file);
        let stem = name.rsplit_once('.').unwrap().0;
        add(&mut tar, name, &fs::read(file).unwrap());
        add(&mut tar, &format!("{stem}.cls"), label.as_bytes());
    }
    tar
}

fn add(tar: &mut Builder<File>, name: &str, bytes: &[u8]) {
    let mut header = Header::new_gnu();
    header.set_size(bytes.len() as u64);
    tar.append_data(&mut header, name, bytes).unwrap();
}

const CASES: &[Case] = &[
    Case {
        name: "D5",
        source: "D5",
        arguments: &[],
        make: |folder| {
            let members = [
                ("000000.jpg", "0"),
                ("000001.jpg", "1"),
                ("000002.jpg", "2"),
            ];
            for name in ["train-000000.tar", "train-000001.tar"] {
                tar(&folder.join("D5").join(name), &members)
                    .finish()
                    .unwrap();
            }
        },
        right: Right::Dataset {
            classes: &["0000", "0001", "0002"],
            splits: &[(
                "train",
                &[
                    ("train/0000/000000.jpg", 0),
                    ("train/0000/000000~2.jpg", 0),
                    ("train/0001/000001.jpg", 1),
                    ("train/0001/000001~2.jpg", 1),
                    ("train/0002/000002.jpg", 2),
                    ("train/0002/000002~2.jpg", 2),
                ],
            )],
            rejects: &[],
            says: &[],
        },
    },
    Case {
        name: "D6",
        source: "",
        arguments: &[],
        make: |folder| {
            let members =
                ["a", "b"].map(|f| [0, 1, 2].map(|n| (format!("{f}/000{n}.jpg"), "0".to_owned())));
            let members: Vec<(&str, &str)> = members
                .iter()
                .flatten()
                .map(|(n, l)| (&**n, &**l))
                .collect();
            tar(&folder.join("train-000000.tar"), &members)
                .finish()
                .unwrap();
        },
        right: Right::Dataset {
            classes: &["0000"],
            splits: &[(
                "train",
                &[
                    ("train/0000/0000.jpg", 0),
                    ("train/0000/0000~2.jpg", 0),
                    ("train/0000/0001.jpg", 0),
                    ("train/0000/0001~2.jpg", 0),
                    ("train/0000/0002.jpg", 0),
                    ("train/0000/0002~2.jpg", 0),
                ],
            )],
            rejects: &[],
            says: &[],
        },
    },
    Case {
        name: "D9",
        source: "",
        arguments: &[],
        make: |folder| {
            let members = [
                ("0000.jpg", "0"),
                ("0001.bmp", "1"),
                ("0002.gif", "2"),
                ("0003.jfif", "3"),
            ];
            tar(&folder.join("train-000000.tar"), &members)
                .finish()
                .unwrap();
        },
        right: Right::Dataset {
            classes: &["0000", "0001", "0002", "0003"],
            splits: &[(
                "train",
                &[
                    ("train/0000/0000.jpg", 0),
                    ("train/0001/0001.bmp", 1),
                    ("train/0002/0002.gif", 2),
                    ("train/0003/0003.jfif", 3),
                ],
            )],
            rejects: &[],
            says: &[],
        },
    },
    Case {
        name: "D19",
        source: "",
        arguments: &[],
        make: |folder| {
            let members = [("0000.jpg", "0"), ("0001.jpg", "1"), ("0002.jpg", "2")];
            let mut tar = tar(&folder.join("train-000000.tar"), &members);
            let mut link = Header::new_gnu();
            link.set_entry_type(EntryType::Link);
            link.set_size(0);
            tar.append_link(&mut link, "0009.jpg", "0000.jpg").unwrap();
            add(&mut tar, "0009.cls", b"1");
            tar.finish().unwrap();
        },
        right: Right::Dataset {
            classes: &["0000", "0001", "0002"],
            splits: &[(
                "train",
                &[
                    ("train/0000/0000.jpg", 0),
                    ("train/0001/0001.jpg", 1),
                    ("train/0001/0009.jpg", 1),
                    ("train/0002/0002.jpg", 2),
                ],
            )],
            rejects: &[],
            says: &[],
        },
    },
];

/// `prep plan` has no output folder to unpack beside.
#[test]
fn a_plan_of_a_compressed_tar_needs_no_output_folder() {
    let work = tempfile::tempdir().unwrap();
    let plain = work.path().join("plain.tar");
    tar(&plain, &[("0.jpg", "0"), ("1.jpg", "1")])
        .finish()
        .unwrap();
    let packed = work.path().join("source/train.tar.zst");
    fs::create_dir(work.path().join("source")).unwrap();
    fs::write(
        &packed,
        zstd::encode_all(File::open(&plain).unwrap(), 1).unwrap(),
    )
    .unwrap();
    for source in [packed, work.path().join("source")] {
        let plan = estimate(&IngestOptions::new(source, ""), 10).unwrap();
        assert_eq!((plan.images["train"], plan.sample_rejects), (2, 0));
    }
}

/// A tar that was unpacked: its class folder named in Latin-1 keeps its images.
#[cfg(unix)]
#[test]
fn a_class_folder_out_of_an_old_tar_keeps_its_images() {
    let make = |folder: &Path| {
        let mut tar = Builder::new(File::create(folder.join("set.tar")).unwrap());
        let file = folder.join("0.jpg");
        picture(&file);
        for class in [&b"a"[..], b"b\xE9b\xE9"] {
            for number in 0..3_u8 {
                let name = [class, b"/", &[b'0' + number], b".jpg"].concat();
                let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(&name);
                tar.append_path_with_name(&file, name).unwrap();
            }
        }
        tar.finish().unwrap();
    };
    super::each("hostile.tar", "nonutf8-class", make, |folder| {
        let set = folder.join("set");
        tar::Archive::new(File::open(folder.join("set.tar")).unwrap())
            .unpack(&set)
            .unwrap();
        let mut options = IngestOptions::new(&set, folder.join("out"));
        options.size = 8;
        let summary = shardmill_prep::ingest(&options).unwrap();
        assert_eq!((summary.images(), summary.manifest.classes.len()), (6, 2));
        let odd = &summary.manifest.classes[1].synset;
        assert!(odd.starts_with("b%") && odd.is_ascii(), "{odd}");
    });
}

/// A development kit whose `meta.mat` claims structs without fields.
#[test]
fn a_kit_that_claims_structs_without_end_is_refused() {
    let make = |folder: &Path| {
        let mut mat = vec![b' '; 124];
        mat.extend([0, 1, b'I', b'M']);
        let element = |kind: u32, data: &[u8]| {
            let mut bytes = kind.to_le_bytes().to_vec();
            bytes.extend((data.len() as u32).to_le_bytes());
            bytes.extend(data);
            bytes.resize(8 + data.len().next_multiple_of(8), 0);
            bytes
        };
        let parts = [
            element(6, &[2, 0, 0, 0, 0, 0, 0, 0]),
            element(5, &[255, 255, 255, 255, 1, 0, 0, 0]),
            element(1, b"synsets"),
            element(5, &[32, 0, 0, 0]),
            element(1, b""),
        ];
        mat.extend(element(14, &parts.concat()));
        fs::write(folder.join("meta.mat"), mat).unwrap();
    };
    super::each("hostile.tar", "mat-no-fields", make, |folder| {
        let data = folder.join("set/ILSVRC2012_devkit_t12/data");
        fs::create_dir_all(&data).unwrap();
        fs::copy(folder.join("meta.mat"), data.join("meta.mat")).unwrap();
        fs::write(data.join("ILSVRC2012_validation_ground_truth.txt"), "1\n").unwrap();
        tar(&folder.join("set/ILSVRC2012_img_val.tar"), &[])
            .finish()
            .unwrap();
        let options = IngestOptions::new(folder.join("set"), folder.join("out"));
        let error = shardmill_prep::ingest(&options).unwrap_err().to_string();
        assert!(
            error.contains("meta.mat: its structs have 0 fields"),
            "{error}"
        );
    });
}
