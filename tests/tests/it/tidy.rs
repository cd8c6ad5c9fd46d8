//! Rules about the source itself: which crate may see which, where unsafe code may stand, how long
//! a file may be, and that docs/format.md says what schema.rs says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest source file, in lines.
const LONGEST: usize = 400;

/// Crate folders and the Shardmill crates each may depend on.
const ARROWS: [(&str, &[&str]); 13] = [
    ("formats", &["jpeg"]),
    // It knows nothing of shards.
    ("formats/jpeg", &["jpeg-kit"]),
    ("prep", &["formats", "jpeg", "jpeg-kit", "store"]),
    ("store", &["formats"]),
    ("loader", &["formats", "kernels", "store"]),
    ("loader/kernels", &[]),
    ("trainer", &["formats", "loader", "prep", "store"]),
    (
        "tests",
        &["formats", "jpeg", "jpeg-kit", "loader", "prep", "trainer"],
    ),
    // What tests a decoder knows none.
    ("tests/jpeg", &[]),
    ("fuzz", &["tests"]),
    (
        "benches",
        &[
            "formats", "jpeg", "kernels", "loader", "prep", "tests", "trainer",
        ],
    ),
    ("python", &["formats", "loader", "prep", "store"]),
    ("python/train", &["trainer"]),
];

/// Where unsafe code may stand: the memory maps, the pixel kernels, the gemm call, CUDA, the test
/// that forks, and what lends batches to Python.
const UNSAFE: [&str; 7] = [
    "store/src/mapped.rs",
    "loader/src/data/mmap.rs",
    "loader/kernels/src/",
    "loader/tests/it/fork.rs",
    "trainer/src/cpu/ops/gemm.rs",
    "trainer/src/cuda/",
    "python/src/lend.rs",
];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every Rust file of every crate, as (path relative to the root, text).
fn sources() -> Vec<(String, String)> {
    let found = files("rs");
    assert!(
        found.len() > 30,
        "only {} source files were found",
        found.len()
    );
    found
}

/// Every file of every crate with this extension; what was built is left out.
fn files(extension: &str) -> Vec<(String, String)> {
    // What lies in another's folder is found with it.
    let crates = ARROWS.iter().map(|(name, _)| *name);
    let mut folders: Vec<PathBuf> = crates
        .filter(|name| !name.contains('/'))
        .map(|name| root().join(name))
        .collect();
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy();
            let is_built = name == "target" || name.starts_with('.');
            if path.is_dir() {
                if !is_built {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                let name = path
                    .strip_prefix(root())
                    .unwrap()
                    .to_string_lossy()
                    .replace('\\', "/");
                found.push((name, read(&path)));
            }
        }
    }
    found
}

#[test]
fn arrows_point_down_only() {
    for (name, allowed) in ARROWS {
        let manifest: toml::Table = read(root().join(name).join("Cargo.toml")).parse().unwrap();
        let mut seen = BTreeSet::new();
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let table = manifest.get(section).and_then(|value| value.as_table());
            seen.extend(table.into_iter().flat_map(|table| table.keys().cloned()));
        }
        for dependency in seen.iter().filter_map(|key| key.strip_prefix("shardmill-")) {
            assert!(
                allowed.contains(&dependency),
                "{name} must not depend on {dependency}"
            );
        }
        let names_candle = seen.iter().any(|key| key.starts_with("candle"));
        assert!(
            !names_candle || name == "trainer",
            "{name} must not name candle"
        );
    }
}

#[test]
fn unsafe_stands_only_where_it_is_allowed_and_is_explained() {
    let word = ["un", "safe"].concat();
    for (name, text) in sources() {
        let code = |line: &&str| !line.trim_start().starts_with("//");
        let uses = |line: &str| {
            line.split(|c: char| !c.is_alphanumeric() && c != '_')
                .any(|token| token == word)
        };
        // This file speaks of it and holds none.
        if name.ends_with("it/tidy.rs") || !text.lines().filter(code).any(uses) {
            continue;
        }
        let allowed = UNSAFE.iter().any(|place| name.starts_with(place));
        assert!(allowed, "{name} holds unsafe code");
        let mut head = text.lines().take_while(|line| line.starts_with("//!"));
        let contract = head.any(|line| line.contains("Contract"));
        assert!(
            contract,
            "{name} must state its contract in its first lines"
        );
        assert!(
            text.contains("SAFETY:"),
            "{name} must note why each use is sound"
        );
    }
    for (name, lint) in [
        ("formats", "forbid"),
        ("formats/jpeg", "forbid"),
        ("prep", "forbid"),
        ("loader", "deny"),
        ("loader/kernels", "deny"),
        ("trainer", "deny"),
        ("python", "deny"),
        ("tests/jpeg", "forbid"),
    ] {
        let text = read(root().join(name).join("src/lib.rs"));
        assert!(
            text.contains(&format!("#![{lint}({word}_code)]")),
            "{name} must {lint} it"
        );
    }
}

/// `println!` panics when nobody reads any more; `formats/src/console.rs` and what goes through it do not.
#[test]
fn programs_print_through_the_console_alone() {
    for (name, text) in sources() {
        let is_program = ["formats/src/", "prep/src/", "loader/src/", "trainer/src/"];
        if !is_program.iter().any(|place| name.starts_with(place)) {
            continue;
        }
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        for (at, line) in code.enumerate() {
            let prints = ["println!(", "print!("]
                .iter()
                .any(|word| line.contains(word));
            assert!(
                !prints,
                "{name}, {at}: print through outln!, errln! or console::print: {line}"
            );
        }
    }
}

/// Programs print an error's causes after it, so its own text leaves them out.
#[test]
fn no_error_quotes_its_source() {
    let attribute = ["#[", "error("].concat();
    let mut seen = 0;
    for (name, text) in sources() {
        for (at, _) in text.match_indices(&attribute) {
            let (message, variant) = text[at..].split_once(")]").unwrap();
            let head = variant.trim_start().lines().next().unwrap_or("");
            let has_source = head.contains("#[from]") || head.contains("#[source]");
            let quotes = message.contains("{source") || (has_source && message.contains("{0"));
            assert!(
                !quotes,
                "{name}: {message} quotes what is printed behind it"
            );
            seen += 1;
        }
    }
    assert!(seen > 50, "only {seen} messages were found");
}

#[test]
fn files_stay_short() {
    for (name, text) in sources().into_iter().chain(files("py")) {
        let lines = text.lines().count();
        assert!(
            lines <= LONGEST,
            "{name} has {lines} lines: one noun per file, at most {LONGEST}"
        );
    }
}

#[test]
fn format_md_says_what_the_schema_says() {
    let schema = read(root().join("formats/src/schema.rs"));
    let document = read(root().join("docs/format.md"));
    let mut names = 0;
    for line in schema.lines().filter(|line| line.starts_with("pub const ")) {
        let (name, value) = line.split_once('=').unwrap();
        let value = value.trim().trim_end_matches(';');
        if let Some(text) = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'))
        {
            assert!(
                document.contains(text),
                "docs/format.md does not name {text:?} ({name})"
            );
            names += 1;
        }
    }
    assert!(names >= 20, "only {names} names were found in schema.rs");
    use shardmill_formats::schema;
    for (fact, constant) in [
        ("next multiple of 4096", schema::DATA_ALIGNMENT == 4096),
        ("multiple of 8", schema::TENSOR_ALIGNMENT == 8),
        ("longer than 1 MiB", schema::HEADER_LIMIT == 1 << 20),
        ("1 to 4096 bytes of UTF-8", schema::KEY_LIMIT == 4096),
        ("decimal, 1 to 8192", schema::SIDE_LIMIT == 8192),
        ("at most 64 MiB", schema::MANIFEST_LIMIT == 64 << 20),
        ("-1 throughout", schema::UNLABELLED == -1),
        ("the major version is not 1", schema::MAJOR == 1),
    ] {
        assert!(
            document.contains(fact) && constant,
            "docs/format.md and schema.rs differ on {fact:?}"
        );
    }
}

#[test]
fn changes_are_recorded() {
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        read(root().join("CHANGELOG.md")).contains(version),
        "CHANGELOG.md lacks {version}"
    );
}

/// `tools/release.sh` takes a version's notes from CHANGELOG.md, up to the next heading.
#[cfg(unix)]
#[test]
fn a_release_has_the_notes_of_its_version() {
    let notes = |version: &str| {
        let script = root().join("tools/release.sh");
        let mut command = std::process::Command::new(script);
        command.args(["--notes", version]).output().unwrap()
    };
    let version = env!("CARGO_PKG_VERSION");
    let changes = read(root().join("CHANGELOG.md"));
    let headings = changes.split("\n## ");
    let mut sections = headings.filter_map(|section| section.split_once('\n'));
    let is_meant = |heading: &str| heading.split(' ').next() == Some(version);
    let section = sections.find(|(heading, _)| is_meant(heading));
    let (_, expected) = section.expect("a section of this version");
    let found = notes(version);
    assert!(found.status.success());
    let text = String::from_utf8(found.stdout).unwrap();
    assert_eq!(text.trim_end(), expected.trim());

    let refused = notes("0.0.0");
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8(refused.stderr).unwrap();
    let sentence = "error: CHANGELOG.md has no section for version 0.0.0";
    assert!(text.starts_with(sentence), "{text}");
}

/// The Python package and the fuzzer are built apart, of the same sources and the same versions of what they need.
#[test]
fn other_workspaces_lock_what_the_workspace_locks() {
    let locked = |path: &str| -> BTreeSet<(String, String)> {
        let lock: toml::Table = read(root().join(path)).parse().unwrap();
        let packages = lock["package"].as_array().unwrap().iter();
        packages
            .map(|package| {
                let text = |key: &str| package[key].as_str().unwrap().to_owned();
                (text("name"), text("version"))
            })
            .collect()
    };
    let workspace = locked("Cargo.lock");
    let names: BTreeSet<&String> = workspace.iter().map(|(name, _)| name).collect();
    let paths = [
        "fuzz/Cargo.lock",
        "python/Cargo.lock",
        "python/train/Cargo.lock",
        "examples/rust_project/Cargo.lock",
    ];
    for path in paths {
        let found = locked(path);
        let others: Vec<_> = found
            .difference(&workspace)
            .filter(|(name, _)| names.contains(name))
            .collect();
        assert!(
            others.is_empty(),
            "{path} has other versions than Cargo.lock: copy that over it and run cargo in its folder: {others:?}"
        );
    }
}
