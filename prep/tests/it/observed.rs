//! Work that a program follows and stops.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use shardmill_formats::Codec;
use shardmill_prep::dataset::{
    ConvertOptions, ExportFormat, ExportOptions, SubsetOptions, convert, export, subset,
    verify_observed,
};
use shardmill_prep::{IngestOptions, Observe, Observer, PrepError, ingest, unfinished};

use crate::kit::{Fixture, SIDE, damage, files, manifest};

/// Records what is reported, and stops the work once `stop_at` items of a kind of work are done.
#[derive(Default)]
struct Watch {
    /// By work: the most that was done, and of how many.
    reported: Mutex<BTreeMap<&'static str, (u64, Option<u64>)>>,
    stop_at: Option<(&'static str, u64)>,
    /// A journal that must name something finished before.
    journal: Option<PathBuf>,
    is_waited_for: AtomicBool,
    stopped: AtomicBool,
}

impl Observe for Watch {
    fn progress(&self, work: &'static str, done: u64, total: Option<u64>) {
        {
            let mut reported = self.reported.lock().unwrap();
            let entry = reported.entry(work).or_insert((0, total));
            entry.0 = entry.0.max(done);
            assert_eq!(entry.1, total, "{work}");
        }
        if self
            .stop_at
            .is_some_and(|(at, count)| at == work && done >= count)
        {
            // Another thread writes the reports.
            let lines = |path: &PathBuf| fs::read_to_string(path).map_or(0, |j| j.lines().count());
            // One waits. The other's image may be one that the first shard needs.
            if self.is_waited_for.swap(true, SeqCst) {
                return;
            }
            let start = Instant::now();
            while self.journal.as_ref().is_some_and(|path| lines(path) < 2) {
                assert!(
                    start.elapsed() < Duration::from_secs(60),
                    "nothing is finished"
                );
                std::thread::yield_now();
            }
            self.stopped.store(true, SeqCst);
        }
    }

    fn is_cancelled(&self) -> bool {
        self.stopped.load(SeqCst)
    }
}

fn watch(stop_at: Option<(&'static str, u64)>) -> (Arc<Watch>, Observer) {
    watch_until(stop_at, None)
}

fn watch_until(
    stop_at: Option<(&'static str, u64)>,
    journal: Option<PathBuf>,
) -> (Arc<Watch>, Observer) {
    let watch = Arc::new(Watch {
        stop_at,
        journal,
        ..Watch::default()
    });
    (watch.clone(), Observer::new(watch))
}

fn reported(watch: &Watch, work: &str) -> Option<(u64, Option<u64>)> {
    watch.reported.lock().unwrap().get(work).copied()
}

/// As the fixture's own ingest, into `out`.
fn options(fixture: &Fixture, out: &Path, observer: Observer) -> IngestOptions {
    let mut options = IngestOptions::new(fixture.path("images"), out);
    (options.size, options.shard_records, options.threads) = (SIDE, 8, 2);
    options.observer = observer;
    options
}

fn assert_stopped<T: std::fmt::Debug>(result: Result<T, PrepError>) {
    assert!(matches!(result, Err(PrepError::Stopped)), "{result:?}");
}

#[test]
fn an_observer_is_told_of_every_image_and_changes_no_byte() {
    let fixture = Fixture::new(Codec::Raw);
    let (watch, observer) = watch(None);
    let out = fixture.path("out");
    ingest(&options(&fixture, &out, observer.clone())).unwrap();
    assert_eq!(files(&out), files(&fixture.shards()));
    // 36 pictures and one that is none.
    assert_eq!(reported(&watch, "ingest"), Some((37, Some(37))));
    let (listed, total) = reported(&watch, "list").unwrap();
    assert!(listed >= 37 && total.is_none(), "{listed} {total:?}");
    verify_observed(&out, 2, false, &observer).unwrap();
    assert_eq!(reported(&watch, "verify"), Some((36, Some(36))));
}

#[test]
fn what_cannot_be_reread_counts_as_done() {
    let fixture = Fixture::new(Codec::Raw);
    damage(&fixture.shards());
    let gone = manifest(&fixture.shards()).splits["val"].shards[0]
        .file
        .clone();
    fs::remove_file(fixture.shards().join(gone)).unwrap();
    let (watch, observer) = watch(None);
    let found = verify_observed(&fixture.shards(), 1, false, &observer).unwrap();
    assert!(found.faults.len() >= 2);
    assert_eq!(reported(&watch, "verify"), Some((36, Some(36))));
}

#[test]
fn an_ingest_that_is_stopped_goes_on_with_the_same_call() {
    let fixture = Fixture::new(Codec::Raw);
    let out = fixture.path("out");
    let journal = out.join("ingest-0-of-1.journal");
    let (_, observer) = watch_until(Some(("ingest", 12)), Some(journal));
    assert_stopped(ingest(&options(&fixture, &out, observer)));
    assert_eq!(unfinished(&out), Some("ingest"));
    assert!(!out.join("manifest.json").exists());
    let (watch, observer) = watch(None);
    ingest(&options(&fixture, &out, observer)).unwrap();
    let (done, total) = reported(&watch, "ingest").unwrap();
    assert!(done < 37 && total == Some(done), "{done} {total:?}");
    assert_eq!(files(&out), files(&fixture.shards()));
}

#[test]
fn one_that_is_stopped_while_it_lists_leaves_nothing() {
    let fixture = Fixture::new(Codec::Raw);
    let out = fixture.path("out");
    for count in [0, 5, 40, 60] {
        let (watch, observer) = watch(Some(("list", count)));
        assert_stopped(ingest(&options(&fixture, &out, observer)));
        assert_eq!(reported(&watch, "ingest"), None);
        assert!(!out.exists());
    }
    // A table, whose rows are looked at one by one.
    let table = fixture.path("images/list.csv");
    fs::write(&table, "path,label\ntrain/n01/n01_train_0.v1.png,a\n").unwrap();
    let (watch, observer) = watch(None);
    watch.stopped.store(true, SeqCst);
    let mut options = options(&fixture, &out, observer);
    options.source = table;
    assert_stopped(ingest(&options));
    assert!(!out.exists());
}

#[test]
fn packed_sources_are_stopped_too() {
    let fixture = Fixture::new(Codec::Raw);
    for (format, work) in [
        (ExportFormat::WebDataset, "read tars"),
        (ExportFormat::Parquet, "unpack"),
    ] {
        let source = fixture.path(work);
        export(&ExportOptions::new(fixture.shards(), &source, format)).unwrap();
        let out = fixture.path("out");
        let (watch, observer) = watch(Some((work, 0)));
        let mut options = options(&fixture, &out, observer);
        options.source = source;
        assert_stopped(ingest(&options));
        let (done, total) = reported(&watch, work).unwrap();
        assert!(done < 1 && total.is_some(), "{work}");
        assert!(!out.exists());
    }
}

#[test]
fn every_long_work_is_stopped_and_goes_on() {
    let fixture = Fixture::new(Codec::Raw);
    let shards = fixture.shards();
    let (_, observer) = watch(Some(("verify", 9)));
    assert_stopped(verify_observed(&shards, 1, false, &observer));
    let run = |work: &'static str, out: &Path, observer: Observer| match work {
        "convert" => {
            let mut options = ConvertOptions::new(&shards, out, Codec::Zstd);
            options.observer = observer;
            convert(&options).map(drop)
        }
        "subset" => {
            let mut options = SubsetOptions::new(&shards, out);
            options.observer = observer;
            subset(&options).map(drop)
        }
        _ => {
            let mut options = ExportOptions::new(&shards, out, ExportFormat::WebDataset);
            (options.observer, options.shard_records) = (observer, 8);
            export(&options).map(drop)
        }
    };
    for work in ["convert", "subset", "export"] {
        let (whole, out) = (fixture.path(&format!("{work} whole")), fixture.path(work));
        run(work, &whole, Observer::default()).unwrap();
        let journal = out.join(format!("{work}.journal"));
        let (watched, observer) = watch_until(Some((work, 12)), Some(journal));
        assert_stopped(run(work, &out, observer));
        assert!(reported(&watched, work).unwrap().0 >= 12);
        assert_eq!(unfinished(&out), Some(work));
        run(work, &out, Observer::default()).unwrap();
        assert!(files(&out) == files(&whole), "{work}");
    }
}
