//! What the commands say of themselves and of arguments that they do not use.

use std::ffi::OsString;
use std::process::Output;

use shardmill_formats::Codec;
use shardmill_prep::{Layout, run_command_line};

use crate::kit::{Fixture, prep, prep_ok};

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_help_names_every_form_of_a_source() {
    for command in ["ingest", "plan"] {
        let help = prep_ok(&[command, "--help"]);
        for layout in Layout::ALL {
            assert!(help.contains(layout.name()), "no {layout:?} in {help}");
        }
    }
    let help = prep_ok(&["ingest", "--help"]);
    assert!(
        help.contains("WebDataset") && help.contains("Parquet"),
        "{help}"
    );
}

#[test]
fn a_quality_that_a_codec_does_not_have_is_said() {
    let fixture = Fixture::new(Codec::Raw);
    let (images, shards) = (fixture.path("images"), fixture.shards());
    let (out, converted) = (fixture.path("out"), fixture.path("converted"));
    let (images, shards) = (images.to_str().unwrap(), shards.to_str().unwrap());
    let (out, converted) = (out.to_str().unwrap(), converted.to_str().unwrap());
    for arguments in [
        ["ingest", images, "--out", out, "--codec", "raw"],
        ["convert", shards, "--out", converted, "--codec", "zstd"],
    ] {
        let codec = arguments[5];
        let output = prep(&[&arguments[..], &["--quality", "80"]].concat());
        assert!(output.status.success());
        let said = format!("note: --quality 80 is not used: codec {codec} has none\n");
        assert!(texts(&output).1.contains(&said), "{output:?}");
    }
    let jpeg = fixture.path("jpeg");
    let jpeg = jpeg.to_str().unwrap();
    let output = prep(&[
        "ingest",
        images,
        "--out",
        jpeg,
        "--codec",
        "jpeg",
        "--quality",
        "80",
    ]);
    assert!(!texts(&output).1.contains("not used"), "{output:?}");
}

#[test]
fn a_subset_of_everything_is_said_to_be_one() {
    let fixture = Fixture::new(Codec::Raw);
    let (shards, out) = (fixture.shards(), fixture.path("out"));
    let arguments = [
        "subset",
        shards.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    let said = texts(&prep(&arguments)).1;
    assert!(
        said.contains("note: without --classes, --fraction or --per-class every record is copied"),
        "{said}"
    );
    let out = fixture.path("half");
    let arguments = [
        "subset",
        shards.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--fraction",
        "0.5",
    ];
    let said = texts(&prep(&arguments)).1;
    assert!(!said.contains("note:"), "{said}");
}

#[test]
fn shards_are_no_images() {
    let fixture = Fixture::new(Codec::Raw);
    let (shards, out) = (fixture.shards(), fixture.path("out"));
    let (shards, out) = (shards.to_str().unwrap(), out.to_str().unwrap());
    for arguments in [&["ingest", shards, "--out", out][..], &["plan", shards]] {
        let output = prep(arguments);
        assert!(!output.status.success());
        let said = texts(&output).1;
        for words in [
            "is a dataset of shards already",
            "prep convert",
            "prep subset",
        ] {
            assert!(said.contains(words), "no {words:?} in {said}");
        }
    }
}

#[test]
fn small_sets_have_megabytes_and_tenths_of_seconds() {
    let fixture = Fixture::new(Codec::Raw);
    let images = fixture.path("images");
    let plan = prep_ok(&["plan", images.to_str().unwrap()]);
    for codec in ["raw", "zstd", "jpeg"] {
        let line = plan.lines().find(|line| line.starts_with(codec)).unwrap();
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, size, "MB", seconds, "s"] = fields[..] else {
            panic!("{line:?}");
        };
        assert!(size.parse::<f64>().unwrap() > 0.0, "{line}");
        assert!(
            seconds.contains('.') && seconds.parse::<f64>().is_ok(),
            "{line}"
        );
    }
    // 36 images of 256 by 256 pixels, and the file that is none.
    assert!(plan.contains("7.1 MB"), "{plan}");
}

#[test]
fn where_nothing_was_done_there_is_no_speed() {
    let fixture = Fixture::new(Codec::Raw);
    let (images, out) = (fixture.path("images"), fixture.path("out"));
    let (images, out) = (images.to_str().unwrap(), out.to_str().unwrap());
    let first = prep_ok(&["ingest", images, "--out", out]);
    assert!(first.contains(" a second)"), "{first}");
    let second = prep_ok(&["ingest", images, "--out", out]);
    assert!(second.contains("nothing was done\n"), "{second}");
    assert!(
        second.contains("37 images of 3 classes, codec raw"),
        "{second}"
    );
    assert!(!second.contains("a second"), "{second}");
    let json = prep_ok(&["ingest", images, "--out", out, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json["images_per_second"].is_null(), "{json}");
}

#[test]
fn a_misspelt_option_is_not_advised_to_be_a_value() {
    let output = prep(&["ingest", "images", "--ot", "n4"]);
    assert_eq!(output.status.code(), Some(2));
    let said = texts(&output).1;
    assert!(said.contains("unexpected argument '--ot'"), "{said}");
    assert!(!said.contains("-- --ot"), "{said}");
}

/// As a Python process may do: its signals can be taken over only once.
#[test]
fn the_program_runs_several_times_in_one_process() {
    let fixture = Fixture::new(Codec::Raw);
    let run = |words: &[&OsString]| run_command_line("prep", words.iter().copied().cloned());
    let word = |text: &str| OsString::from(text);
    let images = fixture.path("images").into_os_string();
    for out in ["first", "second"] {
        let out = fixture.path(out);
        let path = out.clone().into_os_string();
        assert_eq!(run(&[&word("ingest"), &images, &word("--out"), &path]), 0);
        assert!(out.join("manifest.json").is_file());
        assert_eq!(run(&[&word("verify"), &path]), 0);
    }
    assert_eq!(run(&[&word("verify"), &images]), 1);
    assert_eq!(run(&[&word("verify")]), 2);
    assert_eq!(run(&[&word("--version")]), 0);
}
