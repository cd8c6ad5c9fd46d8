//! An error says each cause once, whichever program prints it.

use std::fs;
use std::path::Path;

use shardmill_formats::{Codec, ShardIndex};
use shardmill_prep::{IngestOptions, ingest};
use shardmill_tests::{Program, photo, run, write_tree};

/// The part of a line that stands in it twice.
fn repeated(line: &str) -> Option<&str> {
    let parts = line.split([':', ';', ',', '(', ')']).map(str::trim);
    let mut parts = parts.filter(|part| part.len() >= 8);
    parts.find(|part| line.matches(part).count() > 1)
}

#[test]
fn repetitions_are_found() {
    let found = repeated("train-0.safetensors: record 28: record 28 (key \"a\"): damaged");
    assert_eq!(found, Some("record 28"));
    let found = repeated("error: shard x: it ends early; try again: it ends early");
    assert_eq!(found, Some("it ends early"));
    assert_eq!(
        repeated("error: there is no file x/y/z: give another"),
        None
    );
}

#[test]
fn no_program_repeats_a_cause() {
    let work = tempfile::tempdir().unwrap();
    let path = |name: &str| work.path().join(name);
    write_tree(&path("tree"));
    for name in [
        "shards", "flipped", "lost", "key", "version", "no-json", "cut",
    ] {
        let mut options = IngestOptions::new(path("tree"), path(name));
        (options.codec, options.size) = (Codec::Zstd, 72);
        ingest(&options).unwrap();
    }
    let shard = |name: &str| path(name).join("train-00000-of-00001.safetensors");
    let whole = fs::read(shard("shards")).unwrap();
    let index = ShardIndex::parse(&whole).unwrap();
    let changed = |name: &str, at: usize, value: u8| {
        let mut bytes = whole.clone();
        bytes[at] = value;
        fs::write(shard(name), bytes).unwrap();
    };
    let record = index.record_range(&whole, 1).start;
    changed("flipped", record + 9, !whole[record + 9]);
    let key = index.key(&whole, 1).as_ptr().addr() - whole.as_ptr().addr();
    changed("key", key, b'/');
    fs::remove_file(shard("lost")).unwrap();
    fs::write(shard("cut"), &whole[..whole.len() - 1]).unwrap();
    for (name, from, to) in [("version", "\"1.0\"", "\"2.0\""), ("no-json", "{", "[")] {
        let file = path(name).join("manifest.json");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replacen(from, to, 1)).unwrap();
    }
    fs::write(path("words"), "no picture, no recipe, no weights").unwrap();
    photo(80, 80, 1).save(path("photo.png")).unwrap();

    let mut lines = Vec::new();
    for name in ["flipped", "lost", "key", "version", "no-json", "cut"] {
        let damaged = [
            (Program::Prep, format!("verify @{name}"), true),
            (
                Program::Prep,
                format!("convert @{name} --codec raw --out @out"),
                true,
            ),
            // What lies in a record is not looked at.
            (Program::Prep, format!("inspect @{name}"), name != "flipped"),
            (
                Program::Loader,
                format!("bench --shards @{name} --seconds 0.01"),
                true,
            ),
            (
                Program::Train,
                format!("--shards @{name} --out @run-{name} --width 0.05 --crop 64 --epochs 1"),
                true,
            ),
        ];
        let damaged = damaged.into_iter().filter(|line| line.2);
        lines.extend(damaged.map(|(program, line, _)| (program, line)));
    }
    for (program, line) in [
        (Program::Prep, "ingest @nowhere --out @out"),
        (Program::Prep, "ingest @tree --out @words/out"),
        (
            Program::Prep,
            "extract @shards --index 0 --out @words/out.png",
        ),
        (Program::Prep, "export @flipped --to folder --out @out"),
        (Program::Loader, "bench --shards @words"),
        (
            Program::Train,
            "eval --checkpoint @nowhere --shards @shards",
        ),
        (Program::Train, "eval --checkpoint @words --shards @shards"),
        (
            Program::Train,
            "predict @nowhere --checkpoint @run/last.safetensors",
        ),
        (
            Program::Train,
            "predict @words --checkpoint @run/last.safetensors",
        ),
        (Program::Train, "import @words --from pytorch --out @out"),
        (Program::Train, "recipe @words"),
        (Program::Train, "recipe @tree"),
        (Program::Train, "--shards @shards --out @words/out"),
    ] {
        lines.push((program, line.to_owned()));
    }
    let network = "--shards @shards --out @run --width 0.05 --crop 64 --batch-size 5 --max-steps 1";
    let (code, _, errors) = told(Program::Train, network, work.path());
    assert_eq!(code, Some(0), "{errors}");
    for (program, line) in lines {
        let (code, _, errors) = told(program, &line, work.path());
        assert_eq!(code, Some(1), "{program:?} {line}: {errors}");
        assert!(errors.contains("error: "), "{program:?} {line}: {errors}");
        for text in errors.lines() {
            assert_eq!(repeated(text), None, "{program:?} {line}: {text}");
        }
    }
}

fn told(program: Program, line: &str, work: &Path) -> (Option<i32>, String, String) {
    let line = line.replace('@', &format!("{}/", work.to_str().unwrap()));
    run(program, &line.split(' ').collect::<Vec<_>>())
}
