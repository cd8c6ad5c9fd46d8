use std::fs;

use shardmill_formats::Codec;
use shardmill_prep::PrepError;
use shardmill_prep::dataset::{Selector, extract};

use crate::kit::{Fixture, prep, prep_ok, records};

#[test]
fn jpg_is_the_stored_bytes_and_png_the_pixels() {
    let fixture = Fixture::new(Codec::Jpeg);
    let all = records(&fixture.shards());
    let record = &all[17];
    let (jpg, png) = (fixture.path("a.JPG"), fixture.path("a.png"));
    let key = Selector::Key(record.key.clone());
    let image = extract(&fixture.shards(), &key, None, &jpg, false).unwrap();
    assert_eq!(
        (image.split.as_str(), image.index, image.label),
        ("train", 17, record.label)
    );
    assert_eq!(fs::read(&jpg).unwrap(), record.stored);
    extract(&fixture.shards(), &Selector::Index(17), None, &png, false).unwrap();
    assert_eq!(image::open(&png).unwrap().to_rgb8().into_raw(), record.rgb);
    // A key is found in any split, a number counts in the one that is named.
    let last = all.last().unwrap();
    let found = extract(
        &fixture.shards(),
        &Selector::Key(last.key.clone()),
        None,
        &fixture.path("b.jpg"),
        false,
    );
    assert_eq!(found.unwrap().split, "val");
    let found = extract(
        &fixture.shards(),
        &Selector::Index(5),
        Some("val"),
        &fixture.path("c.jpg"),
        false,
    );
    assert_eq!(found.unwrap().key, last.key);
}

#[test]
fn what_is_not_there_is_named_with_what_is() {
    let fixture = Fixture::new(Codec::Raw);
    let target = fixture.path("a.png");
    let message = |selector: &Selector, split| {
        extract(&fixture.shards(), selector, split, &target, false)
            .unwrap_err()
            .to_string()
    };
    let text = message(
        &Selector::Key("train/n02/n02_trian_3.v1.png".to_owned()),
        None,
    );
    assert!(
        text.contains(r#"the nearest: "train/n02/n02_train_3.v1.png""#),
        "{text}"
    );
    let text = message(&Selector::Key("n03_val_1.v1.png".to_owned()), None);
    assert!(
        text.contains(r#"the nearest: "val/n03/n03_val_1.v1.png""#),
        "{text}"
    );
    let text = message(&Selector::Index(30), None);
    assert!(text.contains("holds 30 records, so give 0 to 29"), "{text}");
    let text = message(&Selector::Index(0), Some("test"));
    assert!(text.contains("the dataset has train, val"), "{text}");
    assert!(!target.exists());
}

#[test]
fn a_file_is_replaced_by_force_alone() {
    let fixture = Fixture::new(Codec::Zstd);
    let target = fixture.path("a.png");
    fs::write(&target, "mine").unwrap();
    let run = |force| extract(&fixture.shards(), &Selector::Index(0), None, &target, force);
    assert!(matches!(run(false), Err(PrepError::Exists(_))));
    assert_eq!(fs::read(&target).unwrap(), b"mine");
    run(true).unwrap();
    assert_eq!(
        image::open(&target).unwrap().to_rgb8().into_raw(),
        records(&fixture.shards())[0].rgb
    );
    #[cfg(unix)]
    {
        let (link, elsewhere) = (fixture.path("link.png"), fixture.path("elsewhere"));
        fs::write(&elsewhere, "mine").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
        assert!(extract(&fixture.shards(), &Selector::Index(0), None, &link, false).is_err());
        extract(&fixture.shards(), &Selector::Index(0), None, &link, true).unwrap();
        assert_eq!(
            fs::read(&elsewhere).unwrap(),
            b"mine",
            "a link is not followed"
        );
    }
}

#[test]
fn endings_that_the_codec_cannot_serve_are_refused() {
    let fixture = Fixture::new(Codec::Raw);
    for name in ["a.jpg", "a.gif", "a"] {
        let result = extract(
            &fixture.shards(),
            &Selector::Index(0),
            None,
            &fixture.path(name),
            false,
        );
        assert!(matches!(result, Err(PrepError::Option { .. })), "{name}");
    }
}

#[test]
fn the_program_wants_a_key_or_a_number() {
    let fixture = Fixture::new(Codec::Raw);
    let (shards, target) = (fixture.shards(), fixture.path("a.png"));
    let (shards, target) = (shards.to_str().unwrap(), target.to_str().unwrap());
    let usage = prep(&["extract", shards, "--out", target]);
    assert_eq!(usage.status.code(), Some(2));
    let usage = prep(&[
        "extract", shards, "--key", "a", "--index", "1", "--out", target,
    ]);
    assert_eq!(usage.status.code(), Some(2));
    let text = prep_ok(&["extract", shards, "--index", "3", "--out", target]);
    assert!(text.contains("train record 3"), "{text}");
    let again = prep(&["extract", shards, "--index", "3", "--out", target]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("--force"));
}
