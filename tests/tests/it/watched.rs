//! `train watch`, and the progress that `train` shows itself, on real terminals.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use serde_json::Value;
use shardmill_prep::{IngestOptions, ingest};
use shardmill_tests::{Program, SMALL_SIDE, Terminal, run, write_small};

const SIZE: [u16; 2] = [80, 24];

/// Shards of 24 images in `shards` under `folder`.
fn shards(folder: &Path) {
    write_small(
        &folder.join("tree"),
        &["cats", "dogs"],
        &[("train", 12), ("val", 2)],
    );
    let mut options = IngestOptions::new(folder.join("tree"), folder.join("shards"));
    options.size = SMALL_SIDE;
    ingest(&options).unwrap();
}

/// The command line of a short training in `folder`.
fn training(folder: &Path, epochs: u64) -> String {
    let line = format!(
        "--shards @/shards --out @/run --width 0.05 --crop 64 --batch-size 4 --lr 0.001 --log-every 2 \
         --epochs {epochs}"
    );
    line.replace('@', folder.to_str().unwrap())
}

/// Trains with a command line, and gives the standard output and the standard error.
fn train(line: &str) -> [String; 2] {
    let words: Vec<&str> = line.split(' ').collect();
    let (code, stdout, stderr) = run(Program::Train, &words);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    [stdout, stderr]
}

/// `train` with these words and variables; a terminal that has colours, and no CI, unless they say else.
fn command<'a>(
    words: impl IntoIterator<Item = &'a str>,
    variables: &[(&'static str, &'static str)],
) -> Command {
    let mut command = Program::Train.command();
    command.args(words).env("TERM", "xterm-256color");
    command.env_remove("CI").env_remove("NO_COLOR");
    command.envs(variables.iter().copied());
    command
}

/// Every file under a folder, with its bytes and its time.
fn files(folder: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let time = fs::metadata(&path).unwrap().modified().unwrap();
            let name = path.to_str().unwrap().to_owned();
            found.insert(name, (fs::read(&path).unwrap(), time));
        }
    }
    found
}

#[test]
fn a_run_is_waited_for_watched_and_left_alone() {
    let work = tempfile::tempdir().unwrap();
    shards(work.path());
    let out = work.path().join("run");
    let watch = command(["watch", out.to_str().unwrap()], &[]);
    let mut terminal = Terminal::start(watch, SIZE);
    terminal.wait_for("there is no metrics.jsonl yet");
    assert!(!out.exists());
    assert!(!terminal.is_as_a_shell_expects());
    // A training finds the folder free, and one that goes on finds its lock free.
    train(&training(work.path(), 2));
    terminal.wait_for("finished: all 2 epochs are trained");
    train(&(training(work.path(), 3) + " --resume"));
    terminal.wait_for("finished: all 3 epochs are trained");
    let before = files(&out);
    terminal.resize([60, 18]);
    terminal.wait_for("top-1, top-5 error, %");
    // Any other key changes nothing.
    terminal.press("x");
    terminal.press("q");
    assert_eq!(terminal.wait(), Some(0));
    assert_eq!(files(&out), before);
    assert!(terminal.is_as_a_shell_expects());
    // It leaves the second screen and shows the cursor.
    let sent = terminal.sent();
    assert!(sent.contains("\u{1b}[?1049l") && sent.contains("\u{1b}[?25h"));
}

#[test]
fn escape_control_c_and_a_signal_give_the_terminal_back() {
    let work = tempfile::tempdir().unwrap();
    let out = work.path().to_str().unwrap();
    for end in ["\u{1b}", "\u{3}", "kill"] {
        let mut terminal = Terminal::start(command(["watch", out], &[]), SIZE);
        terminal.wait_for("q ends this");
        if end == "kill" {
            let id = terminal.id().to_string();
            let killed = Command::new("kill").arg(id).status().unwrap();
            assert!(killed.success());
        } else {
            terminal.press(end);
        }
        assert_eq!(terminal.wait(), Some(0), "{end:?}");
        assert!(terminal.is_as_a_shell_expects(), "{end:?}");
    }
}

#[test]
fn without_colours_none_is_sent_and_a_dumb_terminal_gets_text() {
    let work = tempfile::tempdir().unwrap();
    shards(work.path());
    train(&training(work.path(), 1));
    let out = work.path().join("run").to_str().unwrap().to_owned();
    let coloured = |variables| {
        let mut terminal = Terminal::start(command(["watch", &out], variables), SIZE);
        terminal.wait_for("q ends this");
        terminal.press("q");
        assert_eq!(terminal.wait(), Some(0));
        // The sequences that set a colour: of the 8, of the 16, or of 256.
        let sent = terminal.sent();
        ["\u{1b}[38;", "\u{1b}[36m", "\u{1b}[33m"]
            .iter()
            .any(|colour| sent.contains(colour))
    };
    assert!(coloured(&[]));
    assert!(!coloured(&[("NO_COLOR", "1")]));

    for variable in [("TERM", "dumb"), ("CI", "true")] {
        let mut terminal = Terminal::start(command(["watch", &out], &[variable]), SIZE);
        terminal.wait_for("finished: its one epoch is trained");
        assert_eq!(terminal.wait(), Some(0));
        assert!(!terminal.sent().contains('\u{1b}'), "{}", terminal.sent());
    }
}

#[test]
fn a_run_is_printed_once_as_text_and_as_an_object_and_what_is_none_is_named() {
    let work = tempfile::tempdir().unwrap();
    shards(work.path());
    train(&training(work.path(), 1));
    let out = work.path().join("run").to_str().unwrap().to_owned();
    let (code, stdout, stderr) = run(Program::Train, &["watch", &out]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(
        stdout.contains("finished: its one epoch is trained"),
        "{stdout}"
    );
    assert!(stdout.contains("val top-1 %"), "{stdout}");
    assert!(!stdout.contains(['\u{1b}', '\r']), "{stdout}");
    let (code, stdout, _) = run(Program::Train, &["watch", &out, "--json"]);
    assert_eq!((code, stdout.lines().count()), (Some(0), 1));
    let object: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(object["activity"], "finished");
    assert_eq!(object["training"]["step"], 6);

    let file = format!("{out}/metrics.jsonl");
    for (words, code, message) in [
        (vec![&*file], 1, "is no folder"),
        (vec!["none", "--once"], 1, "there is no run in none yet"),
        (vec![&*out, &*out], 2, "shows one run, and 2 are given"),
    ] {
        let words = [vec!["watch"], words].concat();
        let (found, stdout, stderr) = run(Program::Train, &words);
        assert_eq!(found, Some(code), "{words:?}: {stdout}{stderr}");
        assert!(stderr.contains(message), "{words:?}: {stderr}");
    }
}

/// Text without its escape sequences.
fn plain(text: &str) -> String {
    let mut letters = text.chars();
    let mut plain = String::new();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            letters.by_ref().find(|letter| letter.is_ascii_alphabetic());
        } else {
            plain.push(letter);
        }
    }
    plain
}

#[test]
fn the_bar_of_a_training_keeps_to_80_columns_and_a_log_has_plain_lines() {
    let work = tempfile::tempdir().unwrap();
    shards(work.path());
    let line = training(work.path(), 2);
    let again = || fs::remove_dir_all(work.path().join("run")).unwrap();

    let mut terminal = Terminal::start(command(line.split(' '), &[]), SIZE);
    assert_eq!(terminal.wait(), Some(0));
    let sent = terminal.sent();
    let is_bar = |line: &&str| line.contains(" eta ");
    let text = plain(&sent);
    let pieces = text.split(['\r', '\n']);
    let bars: Vec<&str> = pieces.filter(is_bar).collect();
    assert!(!bars.is_empty(), "{sent}");
    for bar in bars {
        assert!(bar.chars().count() <= 80, "{bar}");
    }
    again();

    // A log, and terminals that keep every picture of a bar.
    let [stdout, stderr] = train(&line);
    let mut logs = vec![stdout + &stderr];
    for variable in [("TERM", "dumb"), ("CI", "true")] {
        again();
        let mut terminal = Terminal::start(
            command(line.split(' '), &[variable, ("NO_COLOR", "1")]),
            SIZE,
        );
        assert_eq!(terminal.wait(), Some(0));
        // The terminal's own ends of lines.
        logs.push(terminal.sent().replace("\r\n", "\n"));
    }
    for log in logs {
        assert!(!log.contains(['\r', '\u{1b}']), "{log}");
        let steps: Vec<&str> = log
            .lines()
            .filter(|line| line.contains(" step ") && line.contains(" eta "))
            .collect();
        assert_eq!(steps.len(), 6, "{log}");
        for step in steps {
            assert!(step.chars().count() <= 80, "{step}");
        }
    }
}
