//! One shard of an ingest that several machines share: what is handed to the process that makes it, and the making.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::begin::manifest;
use super::fill::fill;
use super::journal::{IngestHeader, Journal, ShardLine, choices};
use super::objects::ObjectPart;
use super::options::IngestOptions;
use super::plan::{Plan, SplitPlan};
use super::remaining::{PlannedShard, Remaining};
use super::shard_work::ShardWork;
use super::work::PartWork;
use crate::error::PrepError;
use crate::io::Place;
use crate::part::Part;
use crate::source::{Container, Entry, Reader};

/// What all shards of an ingest have in common.
#[derive(Serialize, Deserialize)]
pub(super) struct SharedPlan {
    pub(super) header: IngestHeader,
    /// The folder that keys are relative to.
    pub(super) root: OsString,
    /// Files that hold more than one image, by number.
    pub(super) containers: Vec<OsString>,
}

/// A shard to make.
#[derive(Serialize, Deserialize)]
pub(super) struct ShardTask<'a> {
    pub(super) split: String,
    /// Its number in the split.
    pub(super) shard: usize,
    /// Number of shards of the split.
    pub(super) shards: usize,
    /// Its number among all shards.
    pub(super) number: usize,
    /// Its images, in order.
    pub(super) entries: Cow<'a, [Entry]>,
}

/// Makes one shard of a [`SharedIngest`](super::SharedIngest), in any process that can read the source and write to the output. `plan` is
/// [`plan`](super::SharedIngest::plan) and `task` one of its [`task`](super::SharedIngest::task)s; `options` are
/// those of the ingest, with threads and a folder for temporary files of this machine's own. Returns what
/// [`record`](super::SharedIngest::record) takes.
///
/// It may be called again for the same shard, after a failure or while another process makes it: the bytes are the
/// same, and the file or the object gets its name when it is whole.
///
/// # Errors
/// The plan is of another version of this program or of other options, the output is not the one of the ingest, or as
/// [`ingest`](fn@super::ingest).
pub fn make_shard(options: &IngestOptions, plan: &[u8], task: &[u8]) -> Result<String, PrepError> {
    let wrong = |message: String| PrepError::Parts {
        folder: options.out.clone(),
        message,
    };
    let unread = |error: serde_json::Error| {
        wrong(format!(
            "this is no task of this version of Shardmill ({error}): install the same version on every machine"
        ))
    };
    let plan: SharedPlan = serde_json::from_slice(plan).map_err(unread)?;
    let task: ShardTask<'_> = serde_json::from_slice(task).map_err(unread)?;
    let ours = choices(&manifest(options, "", Vec::new(), 0));
    if let Some(what) = ours.changed_from(&choices(&plan.header.manifest)) {
        return Err(wrong(format!(
            "this machine would make other shards than the one that began the ingest ({what}): install the same \
             version of Shardmill on every machine"
        )));
    }
    let known = ["train", "val", "test"].into_iter();
    let split = known
        .clone()
        .find(|split| *split == task.split)
        .ok_or_else(|| wrong(format!("a task names the split {:?}", task.split)))?;
    let containers = plan.containers.into_iter();
    let containers = containers
        .map(|path| Container::Path(path.into()))
        .collect();
    let reader = Reader::new(Path::new(&plan.root), containers);
    let one = Plan {
        fingerprint: plan.header.fingerprint.clone(),
        splits: vec![SplitPlan::of_shard(split, task.entries.into_owned())],
    };
    let images = &one.splits[0].entries;
    let remaining = Remaining {
        shards: vec![PlannedShard {
            split: 0,
            shard: task.shard,
            shards: task.shards,
            images: images.len(),
        }],
        images: images.iter().collect(),
    };
    // How many rejects there are on all machines is known to the one that began.
    let options = IngestOptions {
        max_rejects: None,
        ..options.clone()
    };
    let work = begin_shard(&options, plan.header, task.number)?;
    let kept = work.kept();
    let made = fill(&options, &one, &remaining, work, &reader);
    let finished = made.and_then(|mut work| work.keep().map(|()| work));
    let work = finished.map_err(|error| kept.explain(error))?;
    let line: Option<&ShardLine> = work.lines().first();
    Ok(serde_json::to_string(&line).expect("a journal's line becomes JSON"))
}

/// Takes the output of an ingest that another process began, for one shard.
fn begin_shard(
    options: &IngestOptions,
    header: IngestHeader,
    number: usize,
) -> Result<PartWork, PrepError> {
    match Place::new(&options.out)? {
        Place::Folder(folder) => {
            let journal = Part::WHOLE.journal_in(&folder);
            let theirs = Journal::header_of(&journal).ok().flatten();
            if theirs.is_none_or(|theirs| theirs.fingerprint != header.fingerprint) {
                return Err(PrepError::Parts {
                    message: format!(
                        "there is no {} of the ingest that makes this shard: give an --out that every machine \
                         sees, on a shared file system, or an address such as s3://bucket/dataset",
                        journal.display()
                    ),
                    folder,
                });
            }
            Ok(PartWork::Shard(Box::new(ShardWork::new(folder, header))))
        }
        Place::Store(store) => {
            let part = ObjectPart::of_shard(store, header, &options.work_parent(), number)?;
            Ok(PartWork::Store(Box::new(part)))
        }
    }
}
