//! A part of an ingest into an object store, while it is made.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use shardmill_formats::MANIFEST_FILE;
use shardmill_store::Created;

use super::listing::{Listing, delete};
use super::upload::{Finished, Uploader};
use super::workspace::Workspace;
use super::{created, names};
use crate::error::PrepError;
use crate::ingest::dataset::{Dataset, Written};
use crate::ingest::journal::{IngestHeader, ShardLine};
use crate::io::objects::Store;
use crate::part::Part;
use crate::shards::REJECTS_FILE;

/// How a part begins.
pub(crate) struct Start<'a> {
    /// What is at the address.
    pub(crate) listing: Listing,
    pub(crate) header: IngestHeader,
    /// Folder around the one in which shards are made.
    pub(crate) parent: &'a Path,
}

/// A part under way. Dropped before anything is finished, it leaves nothing after.
pub(crate) struct ObjectPart {
    store: Store,
    header: IngestHeader,
    lines: Vec<ShardLine>,
    before: BTreeSet<String>,
    /// Whether this run made the header.
    made: bool,
    /// Whether something is finished, or may be.
    begun: Arc<AtomicBool>,
    // Before the folder that it uploads from.
    uploader: Uploader,
    workspace: Workspace,
}

impl ObjectPart {
    /// Begins the part that the header describes, or resumes it.
    ///
    /// # Errors
    /// The address holds other work, or the folder for shards cannot be used.
    pub(crate) fn take(start: Start<'_>) -> Result<Self, PrepError> {
        let Start {
            listing,
            header,
            parent,
        } = start;
        let (store, part) = (Store::clone(&listing.store), header.part);
        let planned = names::planned(&header);
        // Before the objects: if the headers differ, so do the objects.
        listing.check_headers(&header)?;
        listing.check_contents(&planned)?;
        let workspace = Workspace::new(parent, &id(&store, &header.fingerprint, part), planned)?;
        let name = names::header(part);
        let (header, lines, made) = if listing.objects.contains_key(&name) {
            let header = listing.header(part)?;
            let lines = listing.lines(&header, part)?;
            (header, lines, false)
        } else {
            let json = serde_json::to_vec(&header).expect("a journal's header becomes JSON");
            let made = created::small(&store, &name, json, false)? == Created::New;
            (header, Vec::new(), made)
        };
        let before: BTreeSet<String> = listing.objects.into_keys().collect();
        let begun = Arc::new(AtomicBool::new(!made));
        let uploader = Uploader::new(
            Store::clone(&store),
            part,
            workspace.path(),
            before.clone(),
            Arc::clone(&begun),
        )?;
        Ok(Self {
            store,
            header,
            lines,
            before,
            made,
            begun,
            uploader,
            workspace,
        })
    }

    /// One shard of an ingest that another process began. `number` is the shard's among all.
    ///
    /// # Errors
    /// The folder for shards cannot be used.
    pub(crate) fn of_shard(
        store: Store,
        header: IngestHeader,
        parent: &Path,
        number: usize,
    ) -> Result<Self, PrepError> {
        let planned = names::planned(&header);
        let folder = |number| {
            let part = Part {
                index: number,
                parts: planned.len(),
            };
            // The one of the whole belongs to the process that began.
            id(&store, &format!("{} shard", header.fingerprint), part)
        };
        // What processes that were killed on this machine left.
        for other in (0..planned.len()).map(folder) {
            if Workspace::is_there(parent, &other) {
                // Another process may be using it.
                let _ = Workspace::new(parent, &other, planned.clone());
            }
        }
        let workspace = Workspace::new(parent, &folder(number), planned)?;
        let begun = Arc::new(AtomicBool::new(true));
        let uploader = Uploader::new(
            Store::clone(&store),
            header.part,
            workspace.path(),
            BTreeSet::new(),
            Arc::clone(&begun),
        )?;
        Ok(Self {
            store,
            header,
            lines: Vec::new(),
            before: BTreeSet::new(),
            made: false,
            begun,
            uploader,
            workspace,
        })
    }

    /// From now on other processes create objects, so that the journal stays.
    pub(crate) fn share(&self) {
        self.begun.store(true, Ordering::Relaxed);
    }

    /// Notes a shard that another process uploaded with its line.
    pub(crate) fn note(&mut self, line: ShardLine) {
        self.lines.push(line);
    }

    pub(crate) fn address(&self) -> &str {
        self.store.address()
    }

    /// The folder in which shards are made.
    pub(crate) fn folder(&self) -> &Path {
        self.workspace.path()
    }

    pub(crate) const fn header(&self) -> &IngestHeader {
        &self.header
    }

    /// What is finished or on its way.
    pub(crate) fn lines(&self) -> &[ShardLine] {
        &self.lines
    }

    /// Whether something is, or may be, finished.
    pub(crate) fn begun(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.begun)
    }

    /// Queues a finished shard.
    pub(crate) fn append(&mut self, line: ShardLine) -> Result<(), PrepError> {
        self.uploader.add(Finished {
            shard: names::shard_of(&self.header, &line),
            line: line.clone(),
        })?;
        self.lines.push(line);
        Ok(())
    }

    /// Waits until every shard is uploaded, and keeps the part.
    pub(crate) fn finish(&mut self) -> Result<(), PrepError> {
        self.uploader.finish()?;
        self.begun.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Completes the dataset of an ingest in one part.
    pub(crate) fn complete(mut self) -> Result<Written, PrepError> {
        self.finish()?;
        let made = Dataset::new(self.address(), &self.header, self.lines.clone());
        let dataset = match made {
            Ok(dataset) => dataset,
            Err(error) => {
                // Without a shard the journal is all that is there.
                if self.lines.iter().all(|line| line.entry.is_none()) {
                    delete(&self.store, self.journal())?;
                }
                return Err(error);
            }
        };
        let written = write(&self.store, dataset, |name| self.before.contains(name))?;
        delete(&self.store, self.journal())?;
        Ok(written)
    }

    fn journal(&self) -> impl Iterator<Item = String> {
        let part = self.header.part;
        let lines = self.lines.iter();
        lines
            .map(move |line| names::line(part, &names::shard_of(&self.header, line)))
            .chain([names::header(part)])
    }
}

impl Drop for ObjectPart {
    fn drop(&mut self) {
        self.uploader.stop();
        if self.made && !self.begun.load(Ordering::Relaxed) {
            let _ = self.store.delete(&names::header(self.header.part));
        }
    }
}

/// Writes the list of rejects and, last, the manifest. `is_there` says of a name whether it is known to be taken.
pub(super) fn write(
    store: &Store,
    dataset: Dataset,
    is_there: impl Fn(&str) -> bool,
) -> Result<Written, PrepError> {
    if let Some(rejects) = dataset.rejects_file() {
        created::small(store, REJECTS_FILE, rejects, is_there(REJECTS_FILE))?;
    }
    let json = dataset.manifest_json(store.address_of(MANIFEST_FILE))?;
    created::small(store, MANIFEST_FILE, json, is_there(MANIFEST_FILE))?;
    Ok(dataset.written)
}

/// Removes the folder for shards in `parent` that a run which was killed after its last shard left.
pub(crate) fn clear(
    store: &Store,
    fingerprint: &str,
    part: Part,
    parent: &Path,
    planned: &BTreeSet<String>,
) {
    let id = id(store, fingerprint, part);
    if Workspace::is_there(parent, &id) {
        // Another process may be at the same point.
        let _ = Workspace::new(parent, &id, planned.clone());
    }
}

/// Names a part of an ingest on this machine.
fn id(store: &Store, fingerprint: &str, part: Part) -> String {
    let mut hash = blake3::Hasher::new();
    for text in [store.address(), fingerprint, &part.to_string()] {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize().to_hex()[..16].to_owned()
}
