//! Commands that are killed at any moment go on where they stopped and end in the same bytes, and until then
//! nothing of theirs looks finished.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use shardmill_formats::Codec;
use shardmill_prep::{IngestOptions, ingest, unfinished};

use crate::kit::{files, prep, prep_ok};

/// Kills of each command, at least.
const KILLS: u32 = 8;

/// A dataset of 320 images in shards of 20, large enough for a command to take a while.
fn dataset(folder: &Path) -> PathBuf {
    let source = folder.join("source");
    for i in 0..320_u32 {
        let split = if i % 5 == 0 { "val" } else { "train" };
        let path = source.join(format!("{split}/class-{}/{i}.bmp", i % 3));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let noise = |x: u32, y: u32| (x * 31 + y * 17 + i * 101).wrapping_mul(2_654_435_761) >> 27;
        image::RgbImage::from_fn(96, 96, |x, y| {
            image::Rgb([(x * 2 + i) as u8, (y * 2) as u8, noise(x, y) as u8])
        })
        .save(path)
        .unwrap();
    }
    let shards = folder.join("shards");
    let mut options = IngestOptions::new(source, &shards);
    (options.codec, options.size, options.shard_records) = (Codec::Raw, 96, 20);
    ingest(&options).unwrap();
    shards
}

fn spawn(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_prep"))
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Whether a folder may be taken for whatever is made in it.
fn looks_finished(out: &Path) -> bool {
    let Ok(entries) = fs::read_dir(out) else {
        return false;
    };
    let mut names = entries.map(|entry| entry.unwrap().file_name());
    // Nothing, or what is hidden.
    unfinished(out).is_none() && names.any(|name| !name.to_string_lossy().starts_with('.'))
}

/// Kills a command again and again until it ends by itself, and compares.
fn survives(folder: &Path, command: &[&str], last: &str) {
    let [whole, out] = ["whole", "out"].map(|name| folder.join(name));
    let with_out = |out: &Path| {
        let mut arguments: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        arguments.extend(["--threads", "1", "--out"].map(str::to_owned));
        arguments.push(out.to_str().unwrap().to_owned());
        arguments
    };
    let run =
        |arguments: &[String]| spawn(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let start = Instant::now();
    assert!(run(&with_out(&whole)).wait().unwrap().success());
    let duration = start.elapsed();
    let expected = files(&whole);
    let (mut kills, mut resumed, mut attempts) = (0, 0, 0_u32);
    while kills < KILLS {
        for tries in 0_u32.. {
            // Moments spread by the golden section over the time of an undisturbed run.
            attempts += 1;
            let share = (f64::from(attempts) * 0.618_034 % 1.0).max(0.1);
            let mut child = run(&with_out(&out));
            // More and more of it: a disk that has become slower must not keep the end away for ever.
            let patience = 1.0 + f64::from(tries) / 16.0;
            std::thread::sleep(duration.mul_f64(share * patience));
            let ended = child.try_wait().unwrap();
            let _ = child.kill();
            let status = ended.unwrap_or(child.wait().unwrap());
            if status.success() {
                break;
            }
            // A process with an exit code was not killed, and another try would fail in the same way.
            if let Some(code) = status.code() {
                let mut errors = String::new();
                child.stderr.unwrap().read_to_string(&mut errors).unwrap();
                panic!("{command:?}: exit code {code} after {kills} kills: {errors}");
            }
            kills += 1;
            // It may have finished except for its last message.
            assert!(
                out.join(last).exists() || !looks_finished(&out),
                "{command:?}"
            );
            let journal = unfinished(&out).map(|work| out.join(format!("{work}.journal")));
            let done = journal.map_or(0, |path| {
                fs::read_to_string(path).map_or(0, |text| text.lines().count())
            });
            resumed += u32::from(done > 1);
            // What a kill within the writing of the last file leaves, a moment too short to be hit.
            let staging = out.join(".unfinished");
            let made_in = if staging.exists() { &staging } else { &out };
            if done > 1 && ![&staging, &out].iter().any(|at| at.join(last).exists()) {
                fs::write(made_in.join(format!("{last}.part")), "{").unwrap();
            }
        }
        assert!(files(&out) == expected, "{command:?}: other bytes");
        assert_eq!(
            fs::read_dir(&out).unwrap().count(),
            fs::read_dir(&whole).unwrap().count()
        );
        fs::remove_dir_all(&out).unwrap();
    }
    assert!(
        resumed > 0,
        "{command:?}: no run of {kills} was killed after its first shard"
    );
    fs::remove_dir_all(&whole).unwrap();
}

#[test]
fn kills_of_a_conversion_and_a_subset_change_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    let shards = dataset(folder.path());
    let shards = shards.to_str().unwrap();
    survives(
        folder.path(),
        &["convert", shards, "--codec", "zstd"],
        "manifest.json",
    );
    let part = ["subset", shards, "--fraction", "0.8"];
    survives(folder.path(), &part, "manifest.json");
}

#[test]
fn kills_of_an_export_change_no_byte_and_leave_nothing_that_looks_whole() {
    let folder = tempfile::tempdir().unwrap();
    let shards = dataset(folder.path());
    let shards = shards.to_str().unwrap();
    for (format, records) in [("folder", "10000"), ("webdataset", "30"), ("parquet", "30")] {
        let command = ["export", shards, "--to", format, "--shard-records", records];
        survives(folder.path(), &command, "shardmill.json");
    }
}

/// Runs a command until it has finished something, and stops it with a signal. `None` if it was too quick.
#[cfg(target_os = "linux")]
fn interrupted(arguments: &[&str], out: &Path, signal: &str) -> Option<(Option<i32>, String)> {
    // The signals may be ignored in the shell that runs the tests.
    let mut child = Command::new("env")
        .args(["--default-signal=INT,TERM,HUP", env!("CARGO_BIN_EXE_prep")])
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while unfinished(out).is_none() {
        if child.try_wait().unwrap().is_some() || start.elapsed() > Duration::from_secs(60) {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let pid = child.id().to_string();
    let _ = Command::new("kill")
        .args([&format!("-{signal}"), &pid])
        .status();
    let status = child.wait().unwrap();
    let mut text = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    (!status.success()).then_some((status.code(), text))
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_command_says_how_to_resume() {
    let folder = tempfile::tempdir().unwrap();
    let shards = dataset(folder.path());
    let source = folder.path().join("source");
    let (source, shards) = (source.to_str().unwrap(), shards.to_str().unwrap());
    let out = folder.path().join("out");
    for (command, signal) in [
        (
            &["ingest", source, "--size", "96", "--shard-records", "20"][..],
            "INT",
        ),
        (&["convert", shards, "--codec", "zstd"], "INT"),
        (&["subset", shards, "--fraction", "0.8"], "TERM"),
        (&["export", shards, "--to", "folder"], "INT"),
    ] {
        let target = ["--out", out.to_str().unwrap(), "--threads", "1"];
        let arguments = [command, &target].concat();
        let stopped = (0..20).find_map(|_| {
            let _ = fs::remove_dir_all(&out);
            interrupted(&arguments, &out, signal)
        });
        let (code, text) = stopped.expect("one of twenty is stopped in time");
        assert_eq!(code, Some(130), "{command:?}: {text}");
        assert!(
            text.contains("the same command resumes"),
            "{command:?}: {text}"
        );
        if command[0] == "export" {
            let refused = prep(&["ingest", out.to_str().unwrap(), "--out", "nowhere"]);
            let errors = String::from_utf8_lossy(&refused.stderr);
            assert_eq!(refused.status.code(), Some(1), "{errors}");
            assert!(errors.contains("this export is not finished"), "{errors}");
        } else {
            let refused = prep(&["verify", out.to_str().unwrap()]);
            let errors = String::from_utf8_lossy(&refused.stderr);
            assert!(errors.contains("is not finished"), "{errors}");
        }
        prep_ok(&arguments);
        fs::remove_dir_all(&out).unwrap();
    }
}
