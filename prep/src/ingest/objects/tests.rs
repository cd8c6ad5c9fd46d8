//! Journals over objects, in a store in memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use shardmill_formats::{Class, MANIFEST_FILE, Manifest, Source};

use super::{Holds, Listing, ObjectPart, Start, merge};
use crate::error::PrepError;
use crate::ingest::journal::{IngestHeader, Journal, ShardLine};
use crate::ingest::{IngestOptions, ingest_part};
use crate::io::Choices;
use crate::io::objects::Store;
use crate::io::objects::fake::Fake;
use crate::part::Part;

/// A local ingest in several parts that was not merged: its shards and its journals are what is uploaded.
struct Made {
    scratch: tempfile::TempDir,
    store: Arc<Fake>,
    journals: Vec<(IngestHeader, Vec<ShardLine>)>,
}

impl Made {
    fn new(parts: usize) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        for class in ["a", "b"] {
            let folder = scratch.path().join("images/train").join(class);
            fs::create_dir_all(&folder).unwrap();
            for i in 0..10_u8 {
                let image =
                    image::RgbImage::from_pixel(9, 9, image::Rgb([i * 20, 7, class.as_bytes()[0]]));
                image.save(folder.join(format!("{i}.png"))).unwrap();
            }
        }
        fs::write(scratch.path().join("images/train/a/broken.png"), "no image").unwrap();
        let mut options =
            IngestOptions::new(scratch.path().join("images"), scratch.path().join("local"));
        (options.size, options.shard_records) = (8, 3);
        for index in 0..parts {
            options.part = Part { index, parts };
            ingest_part(&options).unwrap();
        }
        let read = |index| {
            let part = Part { index, parts };
            let journal = Journal::open(&part.journal_in(&options.out))
                .unwrap()
                .unwrap();
            (journal.header.clone(), journal.lines.clone())
        };
        Self {
            journals: (0..parts).map(read).collect(),
            store: Arc::default(),
            scratch,
        }
    }

    fn store(&self) -> Store {
        Arc::clone(&self.store) as Store
    }

    fn local(&self) -> &Path {
        self.scratch.path()
    }

    fn take(&self, header: &IngestHeader) -> Result<ObjectPart, PrepError> {
        ObjectPart::take(Start {
            listing: Listing::new(&self.store())?,
            header: header.clone(),
            parent: &self.local().join("work"),
        })
    }

    /// Hands in the shards that are not finished.
    fn fill(&self, index: usize, shards: usize) -> Result<ObjectPart, PrepError> {
        let (header, lines) = &self.journals[index];
        let mut part = self.take(header)?;
        let done = part.lines().len();
        let left: Vec<_> = lines
            .iter()
            .filter(|line| !part.lines().contains(line))
            .cloned()
            .collect();
        assert_eq!(done + left.len(), lines.len());
        for line in left.into_iter().take(shards) {
            if let Some(entry) = &line.entry {
                let from = self.local().join("local").join(&entry.file);
                fs::copy(from, part.folder().join(&entry.file)).unwrap();
            }
            part.append(line)?;
        }
        part.finish()?;
        Ok(part)
    }

    fn names(&self) -> Vec<String> {
        self.store.objects().keys().cloned().collect()
    }
}

/// Shards that processes on several machines make, each its own, of an ingest that another one began.
#[test]
fn shards_made_apart_are_recorded_where_they_are_made() {
    let made = Made::new(2);
    let (header, lines) = &made.journals[0];
    let mut driver = made.take(header).unwrap();
    driver.share();
    let work = made.local().join("work");
    for (number, line) in lines.iter().enumerate().rev() {
        // The first is lost after its upload, or seems to be.
        for _ in 0..2 {
            let begun = ObjectPart::of_shard(made.store(), header.clone(), &work, number);
            let mut part = begun.unwrap();
            if let Some(entry) = &line.entry {
                let from = made.local().join("local").join(&entry.file);
                fs::copy(from, part.folder().join(&entry.file)).unwrap();
            }
            part.append(line.clone()).unwrap();
            part.finish().unwrap();
        }
        driver.note(line.clone());
    }
    // What a process that was killed left on this machine is removed by the next, and one that runs is left alone.
    let killed = ObjectPart::of_shard(made.store(), header.clone(), &work, 1).unwrap();
    let left = killed
        .folder()
        .join("train-00001-of-00007.safetensors.part");
    fs::write(&left, "half").unwrap();
    drop(ObjectPart::of_shard(made.store(), header.clone(), &work, 0).unwrap());
    assert!(left.exists());
    std::mem::forget(killed);
    assert!(ObjectPart::of_shard(made.store(), header.clone(), &work, 1).is_err());
    drop(driver);
    // A later run finds every shard, without the one that noted them.
    let again = made.take(header).unwrap();
    assert_eq!(again.lines().len(), lines.len());
    drop(again);
    drop(made.fill(1, usize::MAX).unwrap());
    merge(&made.store()).unwrap();
    assert!(made.names().contains(&MANIFEST_FILE.to_owned()));
    assert!(!made.names().iter().any(|name| name.contains("journal")));
}

fn text(result: Result<impl Sized, PrepError>) -> String {
    let error = anyhow::Error::from(result.err().expect("it is refused"));
    format!("{error:#}")
}

#[test]
fn parts_merge_to_the_bytes_of_a_folder() {
    let made = Made::new(2);
    for index in [1, 0] {
        let refused = text(merge(&made.store()));
        assert!(
            refused.contains("holds no part") || refused.contains("never begun"),
            "{refused}"
        );
        drop(made.fill(index, usize::MAX).unwrap());
    }
    assert!(!made.local().join("work/shardmill-ingest").exists());
    let merged = merge(&made.store()).unwrap();
    assert!(!merged.was_complete && merged.manifest.rejects.count == 1);
    crate::ingest::merge(&made.local().join("local")).unwrap();
    let here: BTreeMap<String, Vec<u8>> = fs::read_dir(made.local().join("local"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                fs::read(&path).unwrap(),
            )
        })
        .collect();
    assert_eq!(here, *made.store.objects());
    assert!(merge(&made.store()).unwrap().was_complete);
    assert_eq!(fs::read_dir(made.local().join("work")).unwrap().count(), 0);
}

#[test]
fn a_failed_upload_names_its_object_and_the_next_run_goes_on() {
    let made = Made::new(2);
    // The header, a shard with its line, and the next shard without it or its line.
    made.store.creations.store(5, Ordering::Relaxed);
    let failed = text(made.fill(0, usize::MAX));
    assert!(
        failed.contains("mem://bucket/") && failed.contains("connection was lost"),
        "{failed}"
    );
    made.store.creations.store(0, Ordering::Relaxed);
    let before = made.names();
    assert!(
        before.contains(&"ingest-0-of-2.journal/header.json".to_owned()),
        "{before:?}"
    );
    let part = made.fill(0, usize::MAX).unwrap();
    assert_eq!(part.lines().len(), made.journals[0].1.len());
    drop(part);
    drop(made.fill(1, usize::MAX).unwrap());
    merge(&made.store()).unwrap();
}

#[test]
fn nothing_finished_leaves_nothing() {
    let made = Made::new(2);
    drop(made.take(&made.journals[0].0).unwrap());
    assert_eq!(made.names(), [""; 0]);
}

#[test]
fn other_work_and_foreign_objects_are_refused() {
    let made = Made::new(2);
    drop(made.fill(0, 2).unwrap());
    let header = &made.journals[0].0;
    let mut other = header.clone();
    other.fingerprint = "other".to_owned();
    other.choices = Choices::default().with("--shard-records", 4);
    assert!(text(made.take(&other)).contains("--shard-records was 3 and is 4"));
    let mut other = header.clone();
    other.part.parts = 3;
    assert!(text(made.take(&other)).contains("--part was one of 2 and is one of 3"));
    made.store
        .objects()
        .insert("precious.txt".to_owned(), b"mine".to_vec());
    assert!(text(made.take(header)).contains("precious.txt"));
    let foreign = Made::new(2);
    foreign
        .store
        .objects()
        .insert("precious.txt".to_owned(), b"mine".to_vec());
    let listing = Listing::new(&foreign.store()).unwrap();
    assert!(text(listing.holds()).contains("not empty"));
}

#[test]
fn an_object_of_other_bytes_is_left_and_ends_the_ingest() {
    for replaces in [false, true] {
        let made = Made::new(2);
        // So that the journal is there, and the last shard is not.
        let (_, lines) = &made.journals[0];
        drop(made.fill(0, lines.len() - 1).unwrap());
        let entry = lines.last().unwrap().entry.clone().unwrap();
        let mut bytes = fs::read(made.local().join("local").join(&entry.file)).unwrap();
        made.store.replaces.store(replaces, Ordering::Relaxed);
        // The same bytes were uploaded before a kill; others were not.
        made.store
            .objects()
            .insert(entry.file.clone(), bytes.clone());
        let at = bytes.len() - 1;
        bytes[at] ^= 1;
        let kept = made.store.objects().clone();
        drop(made.fill(0, usize::MAX).unwrap());
        *made.store.objects() = kept;
        made.store
            .objects()
            .insert(entry.file.clone(), bytes.clone());
        let refused = text(made.fill(0, usize::MAX));
        assert!(
            refused.contains(&entry.file) && refused.contains("delete it"),
            "{refused}"
        );
        assert_eq!(made.store.objects()[&entry.file], bytes);
    }
}

#[test]
fn a_finished_shard_that_is_gone_or_cut_is_told() {
    let made = Made::new(2);
    drop(made.fill(0, usize::MAX).unwrap());
    let entry = made.journals[0].1[0].entry.clone().unwrap();
    made.store.objects().get_mut(&entry.file).unwrap().pop();
    let refused = text(made.take(&made.journals[0].0));
    assert!(
        refused.contains("but mem://bucket/ingest-0-of-2.journal/"),
        "{refused}"
    );
}

#[test]
fn a_manifest_beside_a_journal_is_a_whole_dataset() {
    let made = Made::new(2);
    for index in [0, 1] {
        drop(made.fill(index, usize::MAX).unwrap());
    }
    let journal: Vec<_> = made
        .store
        .objects()
        .clone()
        .into_iter()
        .filter(|(name, _)| name.contains('/'))
        .collect();
    merge(&made.store()).unwrap();
    let whole = made.names();
    // Killed while the journal was deleted: lines go before the header.
    made.store.objects().extend(
        journal
            .into_iter()
            .filter(|(name, _)| name.ends_with("header.json")),
    );
    let listing = Listing::new(&made.store()).unwrap();
    assert_eq!(listing.holds().unwrap(), Holds::Manifest);
    assert!(merge(&made.store()).unwrap().was_complete);
    assert_eq!(made.names(), whole);
}

#[test]
fn a_manifest_of_another_dataset_is_not_replaced() {
    let made = Made::new(2);
    drop(made.fill(0, usize::MAX).unwrap());
    drop(made.fill(1, usize::MAX).unwrap());
    let source = Source {
        layout: "class-folders".to_owned(),
        images: 1,
    };
    let classes = vec![Class {
        synset: "a".to_owned(),
        name: "a".to_owned(),
    }];
    let options = IngestOptions::new("", "");
    let other: Manifest = options.record().manifest(source, classes, 0);
    let json = other.to_json().into_bytes();
    made.store
        .objects()
        .insert(MANIFEST_FILE.to_owned(), json.clone());
    assert!(merge(&made.store()).is_err());
    assert_eq!(made.store.objects()[MANIFEST_FILE], json);
}
