//! An ingest whose shards other processes make, on this machine or on others.

use std::borrow::Cow;
use std::ffi::OsString;
use std::time::Instant;

use super::begin::{Beginning, begin, reader_root};
use super::disk_space;
use super::journal::{ShardLine, is_done};
use super::limit;
use super::options::IngestOptions;
use super::plan::Plan;
use super::remaining::Remaining;
use super::shard_task::{ShardTask, SharedPlan};
use super::summary::IngestSummary;
use super::work::PartWork;
use crate::error::PrepError;
use crate::part::Part;
use crate::reject::RejectLine;
use crate::source::{Container, PassedOver, Reader, SourceRequest};

/// What a shared ingest finds when it begins.
pub enum SharedStart {
    /// The dataset is complete already.
    Complete(Box<IngestSummary>),
    /// There are shards to make.
    Unfinished(Box<SharedIngest>),
}

/// An ingest whose shards are made by [`make_shard`](super::make_shard), in other processes.
///
/// The source is listed and planned once, here. Every task holds the images of its shard, so nothing is listed twice,
/// and any number of machines may make shards, in any order and again after a failure. The output holds the journal of
/// an ingest on one machine, which a later run resumes, shared or not.
pub struct SharedIngest {
    options: IngestOptions,
    plan: Plan,
    work: PartWork,
    shared: Vec<u8>,
    /// The shards to make: index of the split, number in the split, number among all shards.
    left: Vec<(usize, usize, usize)>,
    /// Of all finished shards.
    rejects: Vec<RejectLine>,
    passed_over: PassedOver,
    notes: Vec<String>,
    start: Instant,
}

impl SharedIngest {
    /// Lists and plans the source, and takes the output as an ingest on one machine does.
    ///
    /// # Errors
    /// As [`ingest`](fn@super::ingest). A source whose images would have to be unpacked first is refused.
    pub fn begin(options: &IngestOptions) -> Result<SharedStart, PrepError> {
        let start = Instant::now();
        if options.part != Part::WHOLE {
            return Err(PrepError::OnePart(options.part));
        }
        // Other processes have other working directories.
        let absolute = std::path::absolute(&options.source);
        let mut options = IngestOptions {
            source: absolute.map_err(PrepError::io(&options.source))?,
            ..options.clone()
        };
        if !options.is_remote() {
            options.out = std::path::absolute(&options.out).map_err(PrepError::io(&options.out))?;
        }
        let request = SourceRequest {
            in_place: true,
            ..options.source_request()
        };
        let mut begun = match begin(&options, &request, start)? {
            Beginning::Complete(summary) => return Ok(SharedStart::Complete(summary)),
            Beginning::Unfinished(begun) => *begun,
        };
        let root = reader_root(&options.source);
        let paths = begun.containers.iter().map(|container| match container {
            Container::Path(path) => path.clone().into_os_string(),
            // Refused above, as the request demands.
            Container::Spool { folder, .. } => folder.clone().into_os_string(),
        });
        let shared = SharedPlan {
            header: begun.work.header().clone(),
            root: root.as_os_str().to_owned(),
            containers: paths.collect::<Vec<OsString>>(),
        };
        let reader = Reader::new(root, begun.containers);
        if !options.is_remote() {
            let remaining = Remaining::new(&begun.plan, &begun.work);
            disk_space::check(&options, begun.work.path(), &remaining, &reader)?;
        }
        begun.work.share();
        let lines = begun.work.lines().iter();
        Ok(SharedStart::Unfinished(Box::new(Self {
            rejects: lines.flat_map(|line| line.rejects.clone()).collect(),
            left: left(&begun.plan, &begun.work),
            shared: serde_json::to_vec(&shared).expect("a plan becomes JSON"),
            options,
            plan: begun.plan,
            work: begun.work,
            passed_over: begun.passed_over,
            notes: begun.notes,
            start,
        })))
    }

    /// Number of shards to make.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.left.len()
    }

    /// Number of shards that an earlier run finished.
    #[must_use]
    pub fn finished_before(&self) -> usize {
        self.plan.shard_names().len() - self.left.len()
    }

    /// What [`make_shard`](super::make_shard) needs for every shard, as JSON.
    #[must_use]
    pub fn plan(&self) -> &[u8] {
        &self.shared
    }

    /// Number of images of task `i`.
    #[must_use]
    pub fn images(&self, i: usize) -> usize {
        self.entries(i).len()
    }

    /// Task `i` for [`make_shard`](super::make_shard), as JSON; some 60 bytes for each image.
    #[must_use]
    pub fn task(&self, i: usize) -> Vec<u8> {
        let (split, shard, number) = self.left[i];
        let split = &self.plan.splits[split];
        let task = ShardTask {
            split: split.name.to_owned(),
            shard,
            shards: split.shards().len(),
            number,
            entries: Cow::Borrowed(self.entries(i)),
        };
        serde_json::to_vec(&task).expect("a task becomes JSON")
    }

    fn entries(&self, i: usize) -> &[crate::source::Entry] {
        let (split, shard, _) = self.left[i];
        let mut shards = self.plan.splits[split].shards();
        shards.nth(shard).expect("the plan has this shard")
    }

    /// Records a finished shard, which [`make_shard`](super::make_shard) returned, so that a later run resumes. One
    /// that is recorded already is passed over.
    ///
    /// # Errors
    /// The shard is not in the output, too many images were rejected, or the journal cannot be written.
    pub fn record(&mut self, line: &str) -> Result<(), PrepError> {
        let wrong = |message: String| PrepError::Parts {
            folder: self.options.out.clone(),
            message,
        };
        let line: ShardLine = serde_json::from_str(line)
            .map_err(|error| wrong(format!("a process returned no finished shard ({error})")))?;
        let is_planned = self
            .plan
            .splits
            .iter()
            .any(|split| split.name == line.split && line.shard < split.shards().len());
        if !is_planned {
            return Err(wrong(format!(
                "a process returned shard {} of {}, which is not planned",
                line.shard, line.split
            )));
        }
        if is_done(self.work.lines(), &line.split, line.shard) {
            return Ok(());
        }
        let rejects = line.rejects.clone();
        self.work.record(line)?;
        if rejects.is_empty() {
            return Ok(());
        }
        self.rejects.extend(rejects);
        let images = self.work.header().manifest.source.images;
        limit::check(&self.options, images, &self.rejects)
    }

    /// Completes the dataset once every shard is recorded.
    ///
    /// # Errors
    /// A shard is missing, or the manifest cannot be written. What is finished is kept.
    pub fn complete(self) -> Result<IngestSummary, PrepError> {
        let missing = left(&self.plan, &self.work).len();
        if missing > 0 {
            return Err(PrepError::Parts {
                folder: self.options.out,
                message: format!("{missing} shards are not finished: run the same command again"),
            });
        }
        let names = self.plan.shard_names();
        self.work.remove_unfinished(&names)?;
        let written = self.work.complete()?;
        let seconds = self.start.elapsed().as_secs_f64();
        Ok(written.summary(self.passed_over, self.notes, seconds))
    }
}

/// The shards that `work` does not name yet.
fn left(plan: &Plan, work: &PartWork) -> Vec<(usize, usize, usize)> {
    let mut number = 0;
    let mut left = Vec::new();
    for (at, split) in plan.splits.iter().enumerate() {
        for shard in 0..split.shards().len() {
            if !is_done(work.lines(), split.name, shard) {
                left.push((at, shard, number));
            }
            number += 1;
        }
    }
    left
}
