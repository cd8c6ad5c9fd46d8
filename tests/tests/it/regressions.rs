//! What a fuzzer starts from and what it has found, replayed without a fuzzer.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use shardmill_tests::fuzz::TARGETS;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// Names in a folder; none if there is no folder.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect()
}

#[test]
fn every_seed_and_every_finding_passes_its_target() {
    for target in &TARGETS {
        let seeds = target.seeds();
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        let names_of_seeds: BTreeSet<&String> = seeds.iter().map(|(name, _)| name).collect();
        assert_eq!(
            names_of_seeds.len(),
            seeds.len(),
            "{}: seeds of one name",
            target.name
        );
        for (name, input) in &seeds {
            println!("{}: seed {name}", target.name);
            target.run(input);
        }
        let folder = fuzz().join("regressions").join(target.name);
        for name in names(&folder) {
            println!("{}: regression {name}", target.name);
            target.run(&fs::read(folder.join(&name)).unwrap());
        }
    }
}

#[test]
fn every_target_has_a_program_and_every_program_a_target() {
    let known: BTreeSet<String> = TARGETS
        .iter()
        .map(|target| target.name.to_owned())
        .collect();
    let programs: BTreeSet<String> = names(&fuzz().join("targets"))
        .iter()
        .map(|name| name.strip_suffix(".rs").unwrap().to_owned())
        .collect();
    assert_eq!(programs, known);
    let manifest: toml::Table = fs::read_to_string(fuzz().join("Cargo.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let listed = manifest["bin"].as_array().unwrap().iter();
    let listed: BTreeSet<String> = listed
        .map(|bin| bin["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(listed, known);
    let found = names(&fuzz().join("regressions"));
    assert!(found.is_subset(&known), "{:?}", found.difference(&known));
}
