//! What is at an address when an ingest begins.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::de::DeserializeOwned;
use shardmill_formats::{MANIFEST_FILE, Manifest};
use shardmill_store::StoreError;

use super::names::{self, Journalled};
use crate::error::PrepError;
use crate::ingest::folder;
use crate::ingest::journal::{IngestHeader, ShardLine};
use crate::io::objects::Store;
use crate::io::pool::OrderedPool;
use crate::io::{JournalHeader, Place};
use crate::part::Part;

/// Small objects that are read or deleted at once.
const AT_ONCE: usize = 8;
/// Longest header and longest line that are read, in bytes: twice the longest manifest.
const LONGEST: u64 = 128 << 20;

/// The objects at an address, listed once.
pub(crate) struct Listing {
    pub(super) store: Store,
    /// Sizes in bytes, by name.
    pub(super) objects: BTreeMap<String, u64>,
    /// The parts whose journals are there.
    pub(super) parts: BTreeSet<(usize, usize)>,
}

/// What the objects are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    Nothing,
    Unfinished,
    /// A manifest, and perhaps what is left of a journal.
    Manifest,
}

impl Listing {
    pub(crate) fn new(store: &Store) -> Result<Self, PrepError> {
        let listed = store.list().map_err(|error| match error {
            StoreError::Missing(_) => PrepError::Source {
                path: store.address().into(),
                message: "there is no such bucket: make it first, or correct the address"
                    .to_owned(),
            },
            error => PrepError::Store(error),
        })?;
        // Some programs make an empty object for the prefix itself.
        let objects = listed.into_iter().filter(|object| !object.name.is_empty());
        let objects: BTreeMap<String, u64> =
            objects.map(|object| (object.name, object.bytes)).collect();
        let parts = objects
            .keys()
            .filter_map(|name| match names::journalled(name) {
                Some((part, Journalled::Header)) => Some((part.parts, part.index)),
                _ => None,
            });
        Ok(Self {
            store: Store::clone(store),
            parts: parts.collect(),
            objects,
        })
    }

    /// # Errors
    /// Objects that no ingest made.
    pub(crate) fn holds(&self) -> Result<Holds, PrepError> {
        let has_manifest = self.objects.contains_key(MANIFEST_FILE);
        match (self.objects.is_empty(), has_manifest, self.parts.is_empty()) {
            (true, ..) => Ok(Holds::Nothing),
            (_, true, _) => Ok(Holds::Manifest),
            (_, false, false) => Ok(Holds::Unfinished),
            (_, false, true) => Err(PrepError::OutputInUse(self.address().into())),
        }
    }

    pub(crate) fn address(&self) -> &str {
        self.store.address()
    }

    pub(crate) fn store(&self) -> Store {
        Store::clone(&self.store)
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = Part> {
        self.parts
            .iter()
            .map(|&(parts, index)| Part { index, parts })
    }

    /// Refuses objects that do not belong to an ingest of these shards.
    pub(super) fn check_contents(&self, planned: &BTreeSet<String>) -> Result<(), PrepError> {
        let mut names = self.objects.keys();
        match names.find(|name| !names::is_ours(name, planned)) {
            None => Ok(()),
            Some(name) => Err(PrepError::OtherWork {
                folder: self.address().into(),
                what: format!(
                    "{name} does not belong to this plan: the source or the options have changed"
                ),
            }),
        }
    }

    pub(super) fn header(&self, part: Part) -> Result<IngestHeader, PrepError> {
        self.json(&names::header(part))
    }

    /// Refuses journals of other work.
    pub(super) fn check_headers(&self, header: &IngestHeader) -> Result<(), PrepError> {
        for part in self.parts() {
            header.check_same(Path::new(self.address()), &self.header(part)?)?;
        }
        Ok(())
    }

    /// The finished shards of a part of the ingest that `header` describes, whose objects must be there.
    pub(super) fn lines(
        &self,
        header: &IngestHeader,
        part: Part,
    ) -> Result<Vec<ShardLine>, PrepError> {
        let planned = names::planned(header);
        let names = planned
            .iter()
            .map(|shard| (shard, names::line(part, shard)));
        let names: Vec<(&String, String)> = names
            .filter(|(_, name)| self.objects.contains_key(name))
            .collect();
        let mut lines = Vec::new();
        OrderedPool::new(AT_ONCE).in_order(
            &names,
            || Ok(()),
            |(), (shard, name)| {
                let line: ShardLine = self.json(name)?;
                let is_of_shard = names::shard_of(header, &line) == **shard
                    && line
                        .entry
                        .as_ref()
                        .is_none_or(|entry| entry.file == **shard);
                match is_of_shard {
                    true => self.check_shard(name, &line).map(|()| line),
                    false => Err(self.damaged(name, "it names another shard")),
                }
            },
            |line| {
                lines.push(line);
                Ok(())
            },
        )?;
        Ok(lines)
    }

    /// Refuses a finished shard that is missing or has another size.
    fn check_shard(&self, name: &str, line: &ShardLine) -> Result<(), PrepError> {
        let Some(entry) = &line.entry else {
            return Ok(());
        };
        let found = self.objects.get(&entry.file).copied().unwrap_or_default();
        if found == entry.bytes {
            return Ok(());
        }
        Err(PrepError::Source {
            path: self.store.address_of(&entry.file).into(),
            message: format!(
                "has {found} bytes, but {} says {}: delete both and ingest again",
                self.store.address_of(name),
                entry.bytes
            ),
        })
    }

    /// The manifest of the dataset that the plan with this fingerprint must have made of these shards, and deletes
    /// what is left of its journal; `None` if it is another dataset.
    pub(crate) fn finished(
        &self,
        fingerprint: &str,
        planned: &BTreeSet<String>,
    ) -> Result<Option<Manifest>, PrepError> {
        let manifest = folder::finished(&Place::Store(self.store()), fingerprint, planned)?;
        // One that names no shard could be of any dataset.
        let manifest = manifest.filter(|manifest| !manifest.splits.is_empty());
        if manifest.is_some() {
            let names = self.objects.keys();
            let left = names.filter(|name| names::is_journal(name, planned));
            delete(&self.store, left.cloned())?;
        }
        Ok(manifest)
    }

    fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, PrepError> {
        let bytes = self.store.read(name, LONGEST).map_err(PrepError::Store)?;
        serde_json::from_slice(&bytes)
            .map_err(|error| self.damaged(name, &format!("it is damaged ({error})")))
    }

    fn damaged(&self, name: &str, what: &str) -> PrepError {
        PrepError::Source {
            path: self.store.address_of(name).into(),
            message: format!(
                "{what}: delete what is below {}, and begin again",
                self.address()
            ),
        }
    }
}

/// Deletes objects of a journal, the lines before the headers, so that a header is there as long as a line is.
pub(super) fn delete(store: &Store, names: impl Iterator<Item = String>) -> Result<(), PrepError> {
    let is_header =
        |name: &String| matches!(names::journalled(name), Some((_, Journalled::Header)));
    let (headers, lines): (Vec<String>, Vec<String>) = names.partition(is_header);
    for names in [lines, headers] {
        OrderedPool::new(AT_ONCE).in_order(
            &names,
            || Ok(()),
            |(), name| store.delete(name).map_err(PrepError::Store),
            |()| Ok(()),
        )?;
    }
    Ok(())
}
