//! WebDataset.

use std::fs;

use super::{Work, keys};

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
        (&[("x.jpg", b"1"), ("x.json", b"{")], "x.json is no JSON"),
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
    let work = Work::new();
    let first = work.tar("a.tar", &[("x.jpg", b"1"), ("x.cls", b"0")]);
    let second = work.tar("b.tar.gz", &[("x.jpg", b"1"), ("x.cls", b"0")]);
    let error = work.error();
    for path in [first, second] {
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
}
