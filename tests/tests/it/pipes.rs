//! Nobody reads what a program prints: every command does its work all the same, says nothing of it, and
//! ends as it would have.

use std::ffi::OsStr;
use std::fs;
use std::io::pipe;
use std::path::Path;
use std::process::{Command, Stdio};

use shardmill_formats::ShardIndex;
use shardmill_prep::{IngestOptions, ingest};
use shardmill_tests::{Program, photo, run, write_tree};

/// Words of a command line; `@` in one stands for the scratch folder, `%` for a word that is new in each
/// round.
const LINES: [(Program, &str, i32); 51] = [
    (Program::Prep, "--help", 0),
    (Program::Prep, "--version", 0),
    (Program::Prep, "help convert", 0),
    (Program::Prep, "nonsense", 2),
    (Program::Prep, "ingest @tree --out @in% --size 72", 0),
    (
        Program::Prep,
        "ingest @tree --out @part% --size 72 --part 0/2 --json",
        0,
    ),
    (
        Program::Prep,
        "ingest @tree --out @part% --size 72 --part 1/2",
        0,
    ),
    (Program::Prep, "merge @part%", 0),
    (Program::Prep, "plan @tree", 0),
    (Program::Prep, "plan @tree --json", 0),
    (Program::Prep, "verify @shards", 0),
    (Program::Prep, "verify @shards --json", 0),
    (Program::Prep, "verify @damaged", 1),
    (Program::Prep, "inspect @shards --montage @sheet%.png", 0),
    (
        Program::Prep,
        "extract @shards --index 0 --out @image%.png",
        0,
    ),
    (
        Program::Prep,
        "export @shards --to folder --out @export%",
        0,
    ),
    (
        Program::Prep,
        "subset @shards --fraction 0.5 --out @half%",
        0,
    ),
    (
        Program::Prep,
        "convert @shards --codec zstd --out @zstd%",
        0,
    ),
    (Program::Loader, "--help", 0),
    (
        Program::Loader,
        "bench --shards @shards --seconds 0.01 --batch-size 4 --threads 1,2",
        0,
    ),
    (
        Program::Loader,
        "bench --shards @shards --seconds 0.01 --batch-size 4 --json",
        0,
    ),
    (Program::Loader, "bench --shards @nowhere", 1),
    (Program::Train, "--help", 0),
    (Program::Train, "--shards @nowhere", 1),
    (
        Program::Train,
        "--shards @shards --out @run% --width 0.05 --crop 64 --batch-size 5 --epochs 1 --max-steps 2",
        0,
    ),
    (
        Program::Train,
        "--shards @shards --out @run% --resume --json",
        0,
    ),
    (
        Program::Train,
        "--shards @shards --out @run% --eval-only",
        0,
    ),
    (
        Program::Train,
        "eval --checkpoint @run%/last.safetensors --shards @shards",
        0,
    ),
    (
        Program::Train,
        "eval --checkpoint @run%/last.safetensors --shards @shards --json",
        0,
    ),
    (
        Program::Train,
        "predict @photo.png --checkpoint @run%/last.safetensors",
        0,
    ),
    (
        Program::Train,
        "predict @photo.png --checkpoint @run%/last.safetensors --json",
        0,
    ),
    (
        Program::Train,
        "export @out%.safetensors --to pytorch --checkpoint @run%/last.safetensors",
        0,
    ),
    (
        Program::Train,
        "import @out%.safetensors --from pytorch --out @back%.safetensors",
        0,
    ),
    (
        Program::Train,
        "bench --batch-size 2 --steps 1 --width 0.05 --crop 64 --stages",
        0,
    ),
    (
        Program::Train,
        "demo --images @tree --out @demo% --epochs 1",
        0,
    ),
    (
        Program::Train,
        "report @run% --out @page%.html --no-images",
        0,
    ),
    (
        Program::Train,
        "report @run% --out @page%.json.html --no-images --json",
        0,
    ),
    (
        Program::Train,
        "features --checkpoint @run%/last.safetensors --shards @shards --out @features%.safetensors",
        0,
    ),
    (
        Program::Train,
        "neighbours --checkpoint @run%/last.safetensors --shards @shards",
        0,
    ),
    (
        Program::Train,
        "neighbours --checkpoint @run%/last.safetensors --shards @shards --json",
        0,
    ),
    (Program::Train, "watch @run%", 0),
    (Program::Train, "watch @run% --json", 0),
    (Program::Train, "compare @run% @demo%/run", 0),
    (Program::Train, "study", 0),
    (
        Program::Train,
        "study lrn --shards @shards --out @study% --width 0.05 --crop 64 --set batch_size=5 --epochs 1 --seeds 1",
        0,
    ),
    (Program::Train, "recipe", 0),
    (Program::Train, "recipe paper", 0),
    (Program::Train, "summary", 0),
    (Program::Train, "summary --json", 0),
    (Program::Train, "doctor", 0),
    (
        Program::Train,
        "gpu-check --shards @shards --out @report%",
        1,
    ),
];

#[test]
fn a_reader_that_goes_away_changes_nothing_but_what_is_read() {
    let work = tempfile::tempdir().unwrap();
    prepare(work.path());
    for program in [Program::Prep, Program::Loader, Program::Train] {
        for name in subcommands(program) {
            let runs = |line: &&(Program, &str, i32)| {
                line.0.path() == program.path() && line.1.split(' ').next() == Some(&name)
            };
            assert!(
                LINES.iter().any(|line| runs(&line)),
                "{program:?} {name} is run nowhere"
            );
        }
    }
    // Both streams are read, then one of them, then neither.
    for round in 0..3 {
        for (program, line, expected) in LINES {
            let mut command = program.command();
            command.args(words(line, work.path(), round));
            let child = if round == 0 {
                command
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
            } else {
                unread(&mut command, round == 2).spawn()
            };
            let output = child.unwrap().wait_with_output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(expected), "{line}: {errors}");
            assert!(!errors.contains("panicked"), "{line}: {errors}");
            if round == 0 {
                let printed = !output.stdout.is_empty() || expected != 0;
                assert!(printed, "{line} prints nothing, so it shows nothing here");
            }
            if round < 2 {
                assert_eq!(
                    errors.contains("error: "),
                    expected != 0,
                    "{line}: {errors}"
                );
            }
        }
    }
}

#[test]
#[cfg(unix)]
fn a_name_that_is_not_utf_8_is_printed_as_json() {
    use std::os::unix::ffi::OsStrExt;

    let work = tempfile::tempdir().unwrap();
    prepare(work.path());
    let odd = work.path().join(OsStr::from_bytes(b"odd\xff"));
    let (photo, shards) = (odd.join("photo.png"), odd.join("shards"));
    fs::create_dir(&odd).unwrap();
    fs::copy(work.path().join("photo.png"), &photo).unwrap();
    fs::rename(work.path().join("shards"), &shards).unwrap();
    let run = odd.join("run");
    let told = |program: Program, line: &str, places: &[&Path]| {
        let mut places = places.iter();
        let words = line.split(' ').map(|word| match word {
            "@" => places.next().unwrap().as_os_str(),
            word => OsStr::new(word),
        });
        let output = program.command().args(words).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    };
    let name = |place: &Path| place.display().to_string();
    let hexadecimal = |place: &Path| name(place).replace('\u{fffd}', "%FF");
    let object = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();

    let train = "--shards @ --out @ --width 0.05 --crop 64 --batch-size 5 --max-steps 1";
    told(Program::Train, train, &[&shards, &run]);
    let checkpoint = run.join("last.safetensors");
    let predict = "predict @ --checkpoint @ --json";
    let guess = object(&told(Program::Train, predict, &[&photo, &checkpoint]));
    assert_eq!(guess["image"], hexadecimal(&photo));
    let found = object(&told(
        Program::Train,
        "doctor --json --shards @",
        &[&shards],
    ));
    assert_eq!(found["shards"]["folder"], name(&shards));
    let bench = "bench --json --seconds 0.01 --batch-size 4 --shards @";
    let row = object(&told(Program::Loader, bench, &[&shards]));
    assert_eq!(row["shards"], name(&shards));
}

/// The words of a line.
fn words(line: &str, work: &Path, round: usize) -> Vec<String> {
    let scratch = format!("{}/", work.to_str().unwrap());
    let whole = |word: &str| word.replace('@', &scratch).replace('%', &round.to_string());
    line.split(' ').map(whole).collect()
}

/// Lets a command write into a pipe whose other end is closed: the standard output, and perhaps the
/// standard error too.
fn unread(command: &mut Command, errors: bool) -> &mut Command {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let twin = writer.try_clone().unwrap();
    command.stdout(writer);
    command.stderr(if errors { twin.into() } else { Stdio::piped() })
}

/// The names under "Commands:" in a program's help.
fn subcommands(program: Program) -> Vec<String> {
    let (code, help, _) = run(program, &["--help"]);
    assert_eq!(code, Some(0));
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    // What goes on from the line before is indented further.
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let names: Vec<String> = names
        .filter(|name| !matches!(*name, "" | "help"))
        .map(str::to_owned)
        .collect();
    assert!(!names.is_empty(), "{help}");
    names
}

/// A tree, its dataset, that dataset with a damaged record, and an image.
fn prepare(work: &Path) {
    write_tree(&work.join("tree"));
    for name in ["shards", "damaged"] {
        let mut options = IngestOptions::new(work.join("tree"), work.join(name));
        options.size = 72;
        ingest(&options).unwrap();
    }
    let shard = work.join("damaged/train-00000-of-00001.safetensors");
    let mut bytes = fs::read(&shard).unwrap();
    let range = ShardIndex::parse(&bytes).unwrap().record_range(&bytes, 1);
    bytes[range.start] ^= 1;
    fs::write(shard, bytes).unwrap();
    photo(80, 80, 1).save(work.join("photo.png")).unwrap();
}
