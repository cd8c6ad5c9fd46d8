use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::study::{TINY, done, results, shards, study};

#[test]
fn a_study_killed_at_any_moment_ends_in_the_results_of_an_undisturbed_one() {
    let work = tempfile::tempdir().unwrap();
    let shards = shards(work.path(), "shards", 72);
    let (whole, killed) = (work.path().join("whole"), work.path().join("killed"));
    // Building the program is no part of the study.
    let command = study("dropout", &shards, &whole, TINY);
    let start = Instant::now();
    done(command);
    let length = start.elapsed().as_secs_f64();
    let mut within = 0;
    for attempt in 1..=6 {
        let mut command = study("dropout", &shards, &killed, TINY);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Spread by the golden ratio, so that no two moments are alike.
        let share = f64::from(attempt) * 0.618_034 % 1.0 / 2.0;
        std::thread::sleep(Duration::from_secs_f64(length * share));
        let ended = child.try_wait().unwrap().is_some();
        let _ = child.kill();
        child.wait().unwrap();
        within += u32::from(!ended && killed.is_dir());
    }
    assert!(within > 0, "no kill came before the end");
    done(study("dropout", &shards, &killed, TINY));
    assert!(results(&whole.join("results")) == results(&killed.join("results")));
    for arm in ["with-1", "without-2"] {
        let [a, b] =
            [&whole, &killed].map(|out| fs::read(out.join(arm).join("last.safetensors")).unwrap());
        assert!(a == b, "{arm} ends in other bytes");
    }
    assert!(!killed.join("timing").exists(), "a timing is left behind");
}

/// Ends after a step, with what is done so far, and goes on with the command that it prints.
#[cfg(unix)]
#[test]
fn an_interrupted_study_says_how_to_go_on() {
    let work = tempfile::tempdir().unwrap();
    let shards = shards(work.path(), "shards", 72);
    let out = work.path().join("out");
    let flags = "--seeds 1 --epochs 4000 --width 0.05 --crop 64 --set batch_size=8";
    let mut command = study("pooling", &shards, &out, flags);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let metrics = out.join("overlapping-1/metrics.jsonl");
    let start = Instant::now();
    while !fs::read_to_string(&metrics).is_ok_and(|text| text.contains("\"epoch\":2")) {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "no epoch in a minute"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("2 trials are missing; go on with") && text.contains("--out"),
        "{text}"
    );
    assert!(out.join("overlapping-1/last.safetensors").is_file());
    assert!(!out.join("results/overlapping-1.json").exists());
}
