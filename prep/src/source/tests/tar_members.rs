//! Links, members of no use, and tars that break off or are.

use std::fs;
use std::path::Path;

use super::{PassedKind, Place, Reader, Work, keys};

/// A tar made by hand: name, kind, link, bytes.
fn linked(work: &Work, name: &str, members: &[(&str, u8, &str, &[u8])]) {
    let mut tar = Vec::new();
    for (name, kind, link, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_path(name).unwrap();
        header.set_entry_type(tar::EntryType::new(*kind));
        if !link.is_empty() {
            header.set_link_name(link).unwrap();
        }
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        tar.extend_from_slice(header.as_bytes());
        tar.extend_from_slice(bytes);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    fs::write(work.source().join(name), tar).unwrap();
}

#[test]
fn links_in_a_tar_lead_to_their_members_or_are_rejects() {
    let work = Work::new();
    linked(
        &work,
        "train.tar",
        &[
            ("0.jpg", b'0', "", b"one"),
            ("0.cls", b'0', "", b"0"),
            ("1.jpg", b'1', "0.jpg", b""),
            ("1.cls", b'1', "0.cls", b""),
            ("s/2.jpg", b'2', "../1.jpg", b""),
            ("s/2.cls", b'0', "", b"0"),
            ("3.jpg", b'1', "nowhere.jpg", b""),
            ("3.cls", b'0', "", b"0"),
            ("4.jpg", b'2', "4.jpg", b""),
            ("4.cls", b'0', "", b"0"),
            ("5.jpg", b'3', "", b""),
            ("5.cls", b'0', "", b"0"),
        ],
    );
    let listing = work.list().unwrap();
    let reader = Reader::new(Path::new("nowhere"), listing.containers);
    let mut bytes = Vec::new();
    let found = listing.splits["train"].iter().map(|entry| {
        let reject = reader.read(entry, &mut bytes).unwrap();
        let code = reject.map_or_else(
            || String::from_utf8(bytes.clone()).unwrap(),
            |r| r.code().to_owned(),
        );
        (entry.key.rsplit('/').next().unwrap().to_owned(), code)
    });
    let mut found: Vec<(String, String)> = found.collect();
    found.sort();
    let found: Vec<_> = found
        .iter()
        .map(|(name, what)| (&**name, &**what))
        .collect();
    let expected = [
        ("0.jpg", "one"),
        ("1.jpg", "one"),
        ("2.jpg", "one"),
        ("3.jpg", "missing"),
        ("4.jpg", "missing"),
        ("5.jpg", "not-a-file"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_tar_that_breaks_off_is_a_reject_and_what_came_before_is_kept() {
    let image: Vec<u8> = (0..9_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let members: [(&str, &[u8]); 4] = [
        ("0.jpg", &image),
        ("0.cls", b"0"),
        ("1.jpg", &image),
        ("1.cls", b"0"),
    ];
    for name in ["train-1.tar", "train-1.tar.gz", "train-1.tar.zst"] {
        let work = Work::new();
        work.tar("train-0.tar", &[("a.jpg", b"whole"), ("a.cls", b"0")]);
        let path = work.tar(name, &members);
        let whole = fs::read(&path).unwrap();
        // Twenty blocks and a half are inside of the second image, whatever the packing.
        let cut = if name.ends_with("tar") {
            12_000
        } else {
            whole.len() * 3 / 4
        };
        fs::write(&path, &whole[..cut]).unwrap();
        let listing = work.list().unwrap();
        let codes: Vec<_> = listing.splits["train"]
            .iter()
            .map(|entry| match &entry.place {
                Place::Rejected(reject) => (reject.code(), reject.to_string()),
                _ => ("", entry.key.to_string()),
            })
            .collect();
        let kept = codes.iter().filter(|(code, _)| code.is_empty()).count();
        assert!(kept >= 1, "{name}: {codes:?}");
        let cut = codes.iter().find(|(code, _)| *code == "cut").unwrap();
        assert!(
            cut.1.contains(name) && cut.1.contains("what comes behind is unknown"),
            "{cut:?}"
        );
    }
}

#[test]
fn members_of_no_use_are_counted_with_their_names() {
    let work = Work::new();
    work.tar(
        "train.tar",
        &[
            ("0.jpg", b"1"),
            ("0.cls", b"0"),
            ("0.txt", b"a caption"),
            ("0.npy", b"x"),
            ("1.cls", b"1"),
            ("README", b"words"),
            (".DS_Store", b"x"),
        ],
    );
    fs::write(work.source().join("notes.md"), "beside").unwrap();
    let passed = work.list().unwrap().passed;
    let of = |kind| passed.of(kind).unwrap().examples.join(" ");
    assert_eq!(of(PassedKind::NoImage), "0.npy 0.txt 1.cls README");
    assert_eq!(of(PassedKind::Text), "notes.md");
    assert_eq!(passed.files(), 6);
}

#[test]
fn class_names_in_cls_are_synsets_and_pictures_that_are_not_read_are_named() {
    let work = Work::new();
    work.tar(
        "train.tar",
        &[
            ("0.jpg", b"1"),
            ("0.cls", b"dog\n"),
            ("1.JFIF", b"2"),
            ("1.cls", b"cat"),
            ("2.heic", b"3"),
            ("2.cls", b"cat"),
        ],
    );
    let images = work.images();
    assert_eq!(
        keys(&images),
        [
            ("train/cat/1.JFIF", 0),
            ("train/cat/2.heic", 0),
            ("train/dog/0.jpg", 1)
        ]
    );
}

/// A name, a link or an extended header that claims gigabytes is refused before it is read.
#[test]
fn a_name_of_gigabytes_is_not_read() {
    for kind in [b'L', b'K', b'x', b'g'] {
        let work = Work::new();
        work.tar("a.tar", &[("x.jpg", b"1"), ("x.cls", b"0")]);
        let mut header = tar::Header::new_gnu();
        header.set_path("long").unwrap();
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_size(6 << 30);
        header.set_cksum();
        let mut bomb = header.as_bytes().to_vec();
        bomb.resize(4096, b'n');
        fs::write(work.source().join("b.tar"), bomb).unwrap();
        let listing = work.list().unwrap();
        let reject = listing.splits["train"]
            .iter()
            .find_map(|entry| match &entry.place {
                Place::Rejected(reject) => Some(reject.to_string()),
                _ => None,
            });
        let reject = reject.unwrap();
        assert!(reject.contains("6442450944 bytes"), "{reject}");
    }
}

/// What became of each entry of the official layout's tars: its name and the reason of its reject.
fn official(work: &Work) -> Vec<(String, &'static str)> {
    let listing = work.list().unwrap();
    let entries = listing.splits["train"].iter();
    let mut found: Vec<_> = entries
        .map(|entry| match &entry.place {
            Place::Rejected(reject) => (entry.key.to_string(), reject.code()),
            _ => (entry.key.to_string(), ""),
        })
        .collect();
    found.sort();
    found
}

#[test]
fn links_and_devices_in_the_official_tars_are_images_or_rejects() {
    let work = Work::new();
    linked(
        &work,
        "n00000001.tar",
        &[
            ("later.JPEG", b'2', "one.JPEG", b""),
            ("one.JPEG", b'0', "", b"one"),
            ("two.JPEG", b'1', "one.JPEG", b""),
            ("gone.JPEG", b'1', "nowhere.JPEG", b""),
            ("fifo.JPEG", b'6', "", b""),
        ],
    );
    let expected = [
        ("fifo.JPEG", "not-a-file"),
        ("gone.JPEG", "missing"),
        ("later.JPEG", ""),
        ("one.JPEG", ""),
        ("two.JPEG", ""),
    ];
    let expected = expected.map(|(name, code)| (format!("train/n00000001/{name}"), code));
    assert_eq!(official(&work), expected);
}

#[test]
fn an_official_tar_that_breaks_off_is_a_reject_and_what_came_before_is_kept() {
    let long = vec![7; 4000];
    let members: [(&str, &[u8]); 2] = [("a.JPEG", b"whole"), ("b.JPEG", &long)];
    let work = Work::new();
    let path = work.tar("n00000001.tar", &members);
    let whole = fs::read(&path).unwrap();
    for (len, cut) in [
        (2048, "n00000001/b.JPEG"),
        (1024, "n00000001/n00000001.tar"),
        (1200, "n00000001/n00000001.tar"),
    ] {
        fs::write(&path, &whole[..len]).unwrap();
        let expected = [("n00000001/a.JPEG", ""), (cut, "cut")];
        let expected = expected.map(|(name, code)| (format!("train/{name}"), code));
        assert_eq!(official(&work), expected, "{len}");
    }
    // The tar of tars, cut within its second tar.
    fs::remove_file(&path).unwrap();
    let first = whole.clone();
    let outer = work.tar(
        "ILSVRC2012_img_train.tar",
        &[("n00000001.tar", &first), ("n00000002.tar", &whole)],
    );
    let bytes = fs::read(&outer).unwrap();
    fs::write(&outer, &bytes[..512 + first.len() + 512 + 2048]).unwrap();
    let expected = [
        ("n00000001/a.JPEG", ""),
        ("n00000001/b.JPEG", ""),
        ("n00000002/a.JPEG", ""),
        ("n00000002/b.JPEG", "cut"),
    ];
    let expected = expected.map(|(name, code)| (format!("train/{name}"), code));
    assert_eq!(official(&work), expected);
}

#[test]
fn a_second_label_or_text_of_a_sample_never_takes_the_place_of_the_first() {
    let (plain, first, second) = (&b"1"[..], &b"{\"label\": 1}"[..], &b"{\"label\": 5}"[..]);
    let orders: [&[(&str, &[u8])]; 4] = [
        &[
            ("x.cls", plain),
            ("x.a.json", first),
            ("x.b.json", second),
            ("x.jpg", b"i"),
        ],
        &[("x.jpg", b"i"), ("x.b.json", second), ("x.json", first)],
        &[("x.more.cls", b"5"), ("x.cls", plain), ("x.jpg", b"i")],
        &[("x.cls", plain), ("x.more.cls", b"5"), ("x.jpg", b"i")],
    ];
    for members in orders {
        let work = Work::new();
        work.tar("train.tar", members);
        let images = work.images();
        assert_eq!(keys(&images), [("train/0001/x.jpg", 1)], "{members:?}");
        let passed = work.list().unwrap().passed;
        assert_eq!(
            passed.of(PassedKind::NoImage).unwrap().files,
            1,
            "{members:?}"
        );
    }
}
