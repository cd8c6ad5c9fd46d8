//! What of a dataset is shown to people and to programs.

use shardmill_formats::Codec;
use shardmill_prep::dataset::{contact_sheet, inspect};
use shardmill_prep::{IngestOptions, PrepError, ingest};

use crate::kit::{Fixture, SIDE, damage, jpeg_pixels, prep_ok, records};

#[test]
fn a_contact_sheet_is_a_jpeg_of_a_split() {
    let fixture = Fixture::new(Codec::Raw);
    let sheet = |split: Option<&str>, records| {
        let bytes = contact_sheet(&fixture.shards(), split, records).unwrap();
        jpeg_pixels(&bytes)
    };
    assert_eq!(sheet(Some("val"), 40).dimensions(), (6 * 128, 140));
    assert_eq!(sheet(Some("train"), 9).dimensions(), (8 * 128, 2 * 140));
    assert_eq!(sheet(None, 1).dimensions(), (128, 140));
    // The first tile is the first record, which is larger here by 124/24.
    let first = &records(&fixture.shards())[0];
    let one = sheet(Some("train"), 1);
    let at = |x: u32, y: u32| one.get_pixel(2 + x * 124 / 24 + 2, 2 + y * 124 / 24 + 2).0;
    let place = (12 * SIDE + 12) as usize * 3;
    for (found, stored) in at(12, 12).iter().zip(&first.rgb[place..]) {
        assert!(found.abs_diff(*stored) < 40, "{found} {stored}");
    }
    let text = contact_sheet(&fixture.shards(), Some("tset"), 4)
        .unwrap_err()
        .to_string();
    assert!(text.contains("no split \"tset\""), "{text}");
    assert!(contact_sheet(&fixture.shards(), None, 0).is_err());
    damage(&fixture.shards());
    assert!(matches!(
        contact_sheet(&fixture.shards(), None, 4),
        Err(PrepError::Shard { .. })
    ));
}

#[test]
fn json_is_what_the_programs_print() {
    let fixture = Fixture::new(Codec::Raw);
    let shards = fixture.shards();
    let folder = shards.to_str().unwrap();
    let printed = prep_ok(&["inspect", folder, "--json"]);
    let found = inspect(&shards).unwrap();
    assert_eq!(printed, found.to_json() + "\n");
    let json: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(json["class_counts"][0][1][0], 10);
    let classes = json["classes_in_batch_of_128"]["train"].as_f64().unwrap();
    assert_eq!(Some(classes), found.classes_in_batch("train", 128));
    assert!(
        found
            .to_string()
            .contains(&format!("holds {classes:.1} classes"))
    );
    assert_eq!(found.classes_in_batch("tset", 128), None);
    let printed = prep_ok(&["verify", folder, "--json"]);
    let verified = shardmill_prep::verify(&shards, 1, false).unwrap();
    assert_eq!(printed, verified.to_json() + "\n");
    // The dataset is complete; only the time that the look took differs.
    let images = fixture.path("images");
    let (images, side) = (images.to_str().unwrap(), SIDE.to_string());
    let arguments = [
        "ingest",
        images,
        "--out",
        folder,
        "--size",
        &side,
        "--shard-records",
        "8",
        "--json",
    ];
    let printed = prep_ok(&arguments);
    let mut options = IngestOptions::new(images, &shards);
    (options.size, options.shard_records) = (SIDE, 8);
    let mut parsed: [serde_json::Value; 2] = [printed, ingest(&options).unwrap().to_json()]
        .map(|text| serde_json::from_str(&text).unwrap());
    for json in &mut parsed {
        json["seconds"] = 0.into();
    }
    assert_eq!(parsed[0], parsed[1]);
    assert_eq!(parsed[0]["records"]["train"], 30);
}
