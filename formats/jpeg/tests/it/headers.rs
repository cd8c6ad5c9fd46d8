//! What is refused by name, and what libjpeg warns of.

use shardmill_jpeg::{ColourSpace, Damage, Decoder, Error, Image, Options, Warnings};
use shardmill_jpeg_kit::{Header, Jpeg, Process, Scan, scans, write};

use crate::planes::whole;

/// What is warned of, of a stream that has all of its pixels.
fn warnings(bytes: &[u8]) -> Warnings {
    let (_, report) = whole(&mut Decoder::default(), bytes, Options::default()).unwrap();
    assert_eq!(report.damage, None);
    report.warnings
}

fn refusal(bytes: &[u8]) -> Error {
    whole(&mut Decoder::default(), bytes, Options::default()).unwrap_err()
}

/// The place behind the first marker of this code.
fn behind(bytes: &[u8], marker: u8) -> usize {
    let found = bytes.windows(2).position(|pair| pair == [0xFF, marker]);
    found.unwrap() + 2
}

#[test]
fn kinds_that_are_not_known_are_named() {
    let ordinary = write(&Jpeg::default());
    let frame = behind(&ordinary, 0xC0);
    for (marker, name) in [
        (0xC3, "lossless"),
        (0xC5, "hierarchical"),
        (0xC7, "hierarchical"),
        (0xC9, "arithmetic-coded"),
        (0xCA, "arithmetic-coded"),
        (0xCF, "arithmetic-coded"),
    ] {
        let mut bytes = ordinary.clone();
        bytes[frame - 1] = marker;
        assert_eq!(refusal(&bytes), Error::Unsupported(name));
    }
    let mut deep = ordinary.clone();
    deep[frame + 2] = 12;
    assert_eq!(refusal(&deep), Error::Unsupported("12-bit"));
    let mut late = Jpeg::default();
    late.faults.late_height = true;
    let name = "DNL (its height behind the picture)";
    assert_eq!(refusal(&write(&late)), Error::Unsupported(name));
    let many = |count| write(&Jpeg::sampled(9, 9, &[(1, 1); 5][..count]));
    assert_eq!(refusal(&many(2)), Error::Unsupported("two-component"));
    assert_eq!(refusal(&many(5)), Error::Unsupported("many-component"));
}

#[test]
fn units_of_more_than_ten_blocks_are_refused_where_they_are_interleaved_only() {
    let mut jpeg = Jpeg::sampled(40, 40, &[(4, 4), (1, 1), (1, 1)]);
    let name = "more-than-ten-blocks-a-unit";
    assert_eq!(refusal(&write(&jpeg)), Error::Unsupported(name));
    jpeg.scans = scans::each(3);
    assert_eq!(warnings(&write(&jpeg)), Warnings::default());
    jpeg.scans = vec![Scan::whole(&[2]), Scan::whole(&[0, 1])];
    assert_eq!(refusal(&write(&jpeg)), Error::Unsupported(name));
}

#[test]
fn headers_that_give_no_picture_are_damage() {
    let none = |jpeg: Jpeg| matches!(refusal(&write(&jpeg)), Error::Damaged(Damage::Header(_)));
    assert!(none(Jpeg {
        quantisation: Vec::new(),
        ..Jpeg::default()
    }));
    let without_scans = Jpeg {
        scans: Vec::new(),
        ..Jpeg::default()
    };
    assert_eq!(
        refusal(&write(&without_scans)),
        Error::Damaged(Damage::Ends)
    );
    let twice = write(&Jpeg::default());
    let frame = behind(&twice, 0xC0) - 2;
    let length = 2 + usize::from(twice[frame + 3]);
    let segment = twice[frame..frame + length].to_vec();
    let twice = [&twice[..frame], &segment, &twice[frame..]].concat();
    let found = Error::Damaged(Damage::Header("it has two frame headers"));
    assert_eq!(refusal(&twice), found);
    // Progressive frames have no tables of their own accord.
    let mut bare = Jpeg::default().progressive(scans::refined(3));
    bare.coding = shardmill_jpeg_kit::Coding::Missing;
    bare.scans.truncate(1);
    let found = Damage::Header("a Huffman table is missing or makes no sense");
    assert_eq!(refusal(&write(&bare)), Error::Damaged(found));
    for bytes in [&b""[..], b"\xFF\xD8\xFF", b"\xFF\xD8"] {
        assert!(matches!(Image::parse(bytes), Err(Error::Damaged(_))));
    }
}

#[test]
fn a_scan_after_a_whole_picture_of_one_scan_is_damage() {
    let mut jpeg = Jpeg::default();
    jpeg.scans.push(jpeg.scans[0].clone());
    let found = Damage::Header("a scan follows a whole picture");
    assert_eq!(refusal(&write(&jpeg)), Error::Damaged(found));
}

#[test]
fn marks_of_colours_follow_libjpeg_and_unknown_ones_are_warned_of() {
    let with = |components: usize, headers: Vec<Header>| {
        let mut jpeg = Jpeg::sampled(9, 9, &[(1, 1); 4][..components]);
        jpeg.headers = headers;
        let bytes = write(&jpeg);
        let space = Image::parse(&bytes).unwrap().colour_space();
        (space, warnings(&bytes).adobe_transform)
    };
    let adobe = |transform| vec![Header::Adobe(transform)];
    let both = |transform| vec![Header::Jfif, Header::Adobe(transform)];
    assert_eq!(with(3, adobe(0)), (ColourSpace::Rgb, false));
    assert_eq!(with(3, adobe(1)), (ColourSpace::YCbCr, false));
    assert_eq!(with(3, adobe(2)), (ColourSpace::YCbCr, true));
    assert_eq!(with(3, both(0)), (ColourSpace::YCbCr, false));
    assert_eq!(with(3, both(9)), (ColourSpace::YCbCr, false));
    assert_eq!(with(4, both(0)), (ColourSpace::Cmyk, false));
    assert_eq!(with(4, adobe(1)), (ColourSpace::Ycck, true));
    assert_eq!(with(4, adobe(2)), (ColourSpace::Ycck, false));
    assert_eq!(with(1, adobe(7)), (ColourSpace::Grey, false));
    let mut later = Jpeg::default();
    let version_2 = b"JFIF\0\x02\x00\0\0\x01\0\x01\0\0".to_vec();
    later.headers = vec![Header::Application(0, version_2)];
    assert!(warnings(&write(&later)).jfif_version);
}

#[test]
fn bytes_without_meaning_are_warned_of_wherever_they_stand() {
    for jpeg in [
        Jpeg::default(),
        Jpeg {
            scans: scans::each(3),
            ..Jpeg::default()
        },
        Jpeg::default().progressive(scans::refined(3)),
    ] {
        let wanted = |warnings: Warnings, extra: bool, no_end: bool| {
            assert_eq!((warnings.extra_bytes, warnings.no_end), (extra, no_end));
        };
        wanted(warnings(&write(&jpeg)), false, false);
        let mut odd = jpeg.clone();
        odd.faults.fill = 3;
        odd.faults.trailing = vec![0xFF, 0xDA, 3, 4];
        wanted(warnings(&write(&odd)), false, false);
        odd.faults.stray = vec![1, 2, 3];
        wanted(warnings(&write(&odd)), true, false);
        odd = jpeg.clone();
        odd.faults.endless = true;
        wanted(warnings(&write(&odd)), false, true);
        // A comment, tables that nothing uses and a height that is known already stand behind the last scan.
        let bytes = write(&jpeg);
        let end = bytes.len() - 2;
        let comment = b"\xFF\xFE\0\x04ab\xFF\xDD\0\x04\0\x09\xFF\xDC\0\x04\0\x10";
        let commented = [&bytes[..end], comment, &bytes[end..]].concat();
        wanted(warnings(&commented), false, false);
        let unknown = [&bytes[..end], b"\xFF\x02\0\x02", &bytes[end..]].concat();
        wanted(warnings(&unknown), false, true);
    }
}

#[test]
fn scan_headers_that_say_too_little_are_warned_of_in_sequential_frames() {
    let mut jpeg = Jpeg::default();
    jpeg.frame.process = Process::Extended;
    let bytes = write(&jpeg);
    assert!(!warnings(&bytes).odd_header);
    let scan = behind(&bytes, 0xDA);
    let band = scan + usize::from(bytes[scan + 1]) - 3;
    let mut odd = bytes.clone();
    odd[band..band + 3].fill(0);
    assert!(warnings(&odd).odd_header);
}

#[test]
fn scans_out_of_turn_and_missing_ones_are_warned_of() {
    let jpeg = Jpeg::default().progressive(scans::refined(3));
    let all = jpeg.scans.clone();
    let with = |scans: Vec<Scan>| {
        let mut jpeg = jpeg.clone();
        jpeg.scans = scans;
        let found = warnings(&write(&jpeg));
        (found.progression, found.fewer_scans)
    };
    assert_eq!(with(all.clone()), (false, false));
    assert_eq!(with(all[..all.len() - 1].to_vec()), (false, true));
    assert_eq!(with([&all[..1], &all[..]].concat()), (true, false));
    // Without the first values of a component there is no picture.
    let mut alone = jpeg.clone();
    alone.scans = vec![Scan::part(&[0], 0..=0, 0, 0)];
    assert_eq!(refusal(&write(&alone)), Error::Damaged(Damage::Ends));
    let missing = Jpeg {
        scans: vec![Scan::whole(&[0]), Scan::whole(&[2])],
        ..Jpeg::default()
    };
    assert_eq!(refusal(&write(&missing)), Error::Damaged(Damage::Ends));
}

#[test]
fn the_first_exif_block_is_handed_out() {
    let mut jpeg = Jpeg::default();
    let exif = |orientation| Header::Exif {
        orientation,
        little: false,
    };
    jpeg.headers = vec![Header::Jfif, exif(6), exif(3)];
    let bytes = write(&jpeg);
    let image = Image::parse(&bytes).unwrap();
    let block = image.exif().unwrap();
    assert!(block.starts_with(b"MM\0\x2A"));
    assert_eq!(block[18..20], [0, 6]);
    let bytes = write(&Jpeg::default());
    assert_eq!(Image::parse(&bytes).unwrap().exif(), None);
}

#[test]
fn the_kind_of_an_image_is_known_before_it_is_decoded() {
    let of = |jpeg: &Jpeg| {
        let bytes = write(jpeg);
        let image = Image::parse(&bytes).unwrap();
        (image.ratios().collect::<Vec<_>>(), image.is_one_scan())
    };
    let halved = vec![(1, 1), (2, 2), (2, 2)];
    assert_eq!(of(&Jpeg::default()), (halved.clone(), true));
    let progressive = Jpeg::default().progressive(scans::refined(3));
    assert_eq!(of(&progressive), (halved, false));
    let finer = Jpeg::sampled(9, 9, &[(1, 1), (2, 2), (1, 2)]);
    assert_eq!(of(&finer), (vec![(2, 2), (1, 1), (2, 1)], true));
    let mut turned = finer.clone();
    turned.scans = vec![Scan::whole(&[1, 0, 2])];
    assert!(!of(&turned).1);
}
