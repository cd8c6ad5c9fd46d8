//! WebDataset.

use std::fs;

use super::{Layout, Work, keys};

#[test]
fn samples_are_read_from_tars_of_every_packing() {
    let work = Work::new();
    work.tar(
        "train-0.tar",
        &[
            ("a/n00000002_1.jpg", b"one"),
            ("a/n00000002_1.cls", b"0\n"),
            (
                "b/n00000002_1.JSON",
                br#"{"label": 1, "filename": "x/n00000001_7.JPEG"}"#,
            ),
            ("b/n00000002_1.JPEG", b"two"),
            ("readme.txt", b"no sample"),
        ],
    );
    work.tar("val-0.tar.gz", &[("8.png", b"three"), ("8.cls", b"1")]);
    work.tar(
        "val-1.tar.zst",
        &[
            ("8.json", br#"{"cls": "0", "x": [1]}"#),
            ("8.webp", b"four"),
        ],
    );
    work.tar("test.tgz", &[("9.jpg", b"five")]);
    let images = work.images();
    let expected = [
        ("test/9.jpg", -1),
        ("train/n00000001/n00000001_7.JPEG", 0),
        ("train/n00000002/n00000002_1.jpg", 1),
        ("val/n00000001/8.png", 0),
        ("val/n00000002/8.webp", 1),
    ];
    assert_eq!(keys(&images), expected);
    let bytes: Vec<&[u8]> = images.values().map(|(_, bytes)| &**bytes).collect();
    assert_eq!(bytes, [&b"five"[..], b"two", b"one", b"three", b"four"]);
    assert_eq!(
        fs::read_dir(work.0.path()).unwrap().count(),
        1,
        "nothing is left beside"
    );
}

#[test]
fn splits_may_be_folders() {
    let work = Work::new();
    for folder in ["train", "validation", "test", "tools"] {
        fs::create_dir(work.source().join(folder)).unwrap();
    }
    let sample = |label: &'static [u8]| [("a.jpg", &b"image"[..]), ("a.cls", label)];
    work.tar("train/0000.tar", &sample(b"0"));
    work.tar(
        "train/validated.tar.gz",
        &[("b.jpg", b"x"), ("b.cls", b"1")],
    );
    work.tar("validation/0000.tar", &sample(b"1"));
    work.tar("test/0000.tar", &[("c.png", b"y")]);
    work.tar("tools/programs.tar", &[("d.jpg", b"no split")]);
    let expected = [
        ("test/c.png", -1),
        ("train/0000/a.jpg", 0),
        ("train/0001/b.jpg", 1),
        ("val/0001/a.jpg", 1),
    ];
    assert_eq!(work.list().unwrap().layout, Layout::WebDataset);
    assert_eq!(keys(&work.images()), expected);
    // Neither those in the folder itself nor those in folders of splits are left out.
    work.tar("val-1.tar", &[("e.jpg", b"z"), ("e.cls", b"0")]);
    assert_eq!(work.images().len(), 5);
}

#[test]
fn folders_of_classes_with_tars_beside_them_are_no_tars() {
    let work = Work::new();
    fs::create_dir_all(work.source().join("train/n00000001")).unwrap();
    fs::write(work.source().join("train/n00000001/a.jpg"), b"image").unwrap();
    fs::create_dir(work.source().join("test")).unwrap();
    for stray in ["train/backup.tar", "test/all.tar"] {
        work.tar(stray, &[("a.jpg", b"x"), ("a.cls", b"0")]);
    }
    assert_eq!(work.list().unwrap().layout, Layout::ClassFolders);
}

#[test]
fn the_training_tar_s_tars_are_read_where_they_lie() {
    for folder in ["", "train/", "ILSVRC2012_img_train/"] {
        let work = Work::new();
        fs::create_dir_all(work.source().join(folder)).unwrap();
        let tar = |synset: &str, members: &[(&str, &[u8])]| {
            work.tar(&format!("{folder}{synset}.tar"), members);
        };
        tar(
            "n00000002",
            &[("n00000002_7.JPEG", b"one"), (".DS_Store", b"x")],
        );
        tar(
            "n00000001",
            &[("n00000001_1.JPEG", b"two"), ("n00000001_2.JPEG", b"three")],
        );
        let expected = [
            ("train/n00000001/n00000001_1.JPEG", 0),
            ("train/n00000001/n00000001_2.JPEG", 0),
            ("train/n00000002/n00000002_7.JPEG", 1),
        ];
        assert_eq!(work.list().unwrap().layout, Layout::Official, "{folder}");
        let images = work.images();
        assert_eq!(keys(&images), expected, "{folder}");
        let bytes: Vec<&[u8]> = images.values().map(|(_, bytes)| &**bytes).collect();
        assert_eq!(bytes, [&b"two"[..], b"three", b"one"]);
        // One that is none of them must not be left out without a word.
        tar("more", &[("n00000003_1.JPEG", b"four")]);
        let error = work.list().unwrap_err().to_string();
        assert!(error.contains("more.tar: it lies among"), "{error}");
    }
}

#[test]
fn a_tar_of_numbers_keeps_them() {
    let work = Work::new();
    work.tar(
        "a.tar",
        &[
            ("x.jpg", b"1"),
            ("x.cls", b"12"),
            ("y.jpg", b"2"),
            ("y.cls", b"3"),
        ],
    );
    let expected = [("train/0003/y.jpg", 3), ("train/0012/x.jpg", 12)];
    assert_eq!(keys(&work.images()), expected);
}

#[test]
fn a_bomb_is_refused() {
    let zeros = vec![0; 64 << 20];
    for name in ["bomb.tar.gz", "bomb.tar.zst"] {
        for member in ["x.jpg", "x.bin"] {
            let work = Work::new();
            let path = work.tar(name, &[(member, &zeros)]);
            assert!(fs::metadata(&path).unwrap().len() < 1 << 20);
            let error = work.error();
            assert!(
                error.contains(name) && error.contains("damaged or hostile"),
                "{error}"
            );
        }
    }
}

#[test]
fn hostile_names_give_keys_inside() {
    let work = Work::new();
    work.tar(
        "train.tar",
        &[
            ("../../x.jpg", b"1"),
            ("../../x.cls", b"0"),
            ("/abs.jpg", b"2"),
            ("/abs.cls", b"0"),
            ("C:\\w.jpg", b"3"),
            ("C:\\w.cls", b"0"),
            ("j.jpg", b"4"),
            (
                "j.json",
                br#"{"label": 0, "filename": "../../etc/passwd", "synset": "../up"}"#,
            ),
            ("k.jpg", b"5"),
            ("k.json", br#"{"label": 0, "filename": "a/.."}"#),
        ],
    );
    let images = work.images();
    let names = ["abs.jpg", "k.jpg", "passwd", "w.jpg", "x.jpg"];
    let expected = names.map(|name| format!("train/.._up/{name}"));
    assert_eq!(images.into_keys().collect::<Vec<_>>(), expected);
}

#[test]
fn samples_that_contradict_are_named() {
    type Members<'a> = &'a [(&'a str, &'a [u8])];
    let cases: [(Members<'_>, &str); 5] = [
        (
            &[("s/x.jpg", b"1")],
            "s/x.jpg has no label: expected s/x.cls",
        ),
        (
            &[("x.jpg", b"1"), ("x.png", b"2")],
            "x.jpg and x.png are two images",
        ),
        (
            &[("x.jpg", b"1"), ("x.json", b"{")],
            "x.json: it is no JSON",
        ),
        (
            &[
                ("x.jpg", b"1"),
                ("x.cls", b"1"),
                ("x.json", br#"{"label": 2}"#),
            ],
            "x.cls says label 1, its .json 2",
        ),
        (&[("x.cls", b"1")], "hold no images"),
    ];
    for (members, expected) in cases {
        let work = Work::new();
        work.tar("a.tar", members);
        let error = work.error();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_name_that_repeats_over_tars_and_folders_gets_a_number() {
    let work = Work::new();
    work.tar(
        "a.tar",
        &[
            ("x.jpg", b"1"),
            ("x.cls", b"0"),
            ("s/x.jpg", b"2"),
            ("s/x.cls", b"0"),
        ],
    );
    work.tar("b.tar.gz", &[("x.jpg", b"3"), ("x.cls", b"0")]);
    let images = work.images();
    let found: Vec<_> = images
        .iter()
        .map(|(key, (_, bytes))| (&**key, &**bytes))
        .collect();
    let expected: [(&str, &[u8]); 3] = [
        ("train/0000/x.jpg", b"1"),
        ("train/0000/x~2.jpg", b"2"),
        ("train/0000/x~3.jpg", b"3"),
    ];
    assert_eq!(found, expected);
}
