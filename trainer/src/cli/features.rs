//! `train features`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use shardmill_formats::{Printable, counted, errln, outln, size};

use crate::analysis::{Description, FeatureOptions, FeaturePlan, FeatureWriter};
use crate::cli::Execute;
use crate::cli::cache::CacheArgs;
use crate::cli::device::DeviceArgs;
use crate::cli::signals::{self, INTERRUPTED};
use crate::cli::split::split_of;
use crate::run::Subject;
use crate::run::data::VAL;
use crate::run::log::{Display, Screen};

/// What is said when the work is asked to stop.
const STOPPING: &str = "stopping after this batch; once more ends it at once";

/// The flags of `train features`.
#[derive(Args, Debug)]
#[command(after_help = "\
Example: train features --checkpoint run/best.safetensors --shards shards --split val --out val.safetensors

The file holds `features` f32 [n, len], `labels` i64 [n], and for each image its number in the split (`sample`), its \
place (`shard`, `record`) and its key (`keys`, `key_offsets`). It is written in parts, so it may be larger than the \
memory. Until it is whole it is called FILE.partial; the same command goes on with that.")]
pub(super) struct FeaturesArgs {
    /// The checkpoint, such as RUN/best.safetensors
    #[arg(long, value_name = "FILE")]
    checkpoint: PathBuf,
    /// Folder of shards with the classes that the network was trained on, or its address in an object store
    #[arg(long, value_name = "DIR")]
    shards: PathBuf,
    /// The split [default: the one that the network was validated on, `val` unless it was trained with
    /// `--val-split`]
    #[arg(long, value_name = "NAME")]
    split: Option<String>,
    /// The layer whose outputs are written, after its activation and without dropout; `train summary` prints
    /// their names
    #[arg(long, value_name = "NAME", default_value = "fc7")]
    layer: String,
    /// The new safetensors file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace the file, and begin again where FILE.partial is of other features
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    device: DeviceArgs,
    /// Loader threads
    #[arg(long, value_name = "T", default_value_t = 1)]
    threads: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    cache: CacheArgs,
}

impl Execute for FeaturesArgs {
    fn execute(self, _: &str) -> anyhow::Result<u8> {
        let mut subject = Subject::new(&self.checkpoint, &self.shards, VAL);
        subject.split = split_of(&self.checkpoint, self.split)?;
        subject.compute = self.device.compute()?;
        subject.threads = self.threads;
        subject.cache = self.cache.options();
        let mut options = FeatureOptions::new(subject, &self.out);
        (options.layer, options.force) = (self.layer, self.force);
        let _listening = signals::listen(&options.stop, STOPPING)?;
        let mut screen = Screen::new(match self.json {
            true => Display::Json,
            false => Display::Auto,
        });
        let writer = FeatureWriter::open(&options)?;
        let plan = writer.plan().clone();
        screen.say(announcement(&plan, &self.out.display().to_string()));
        screen.begin(plan.images, plan.done);
        let mut last = plan.done;
        let finished = writer.run(|done, of| {
            last = done;
            screen.update(done, format_args!("{done} of {of}"));
        })?;
        screen.end();
        if !finished {
            errln!(
                "stopped after {last} of {} images; the same command goes on",
                plan.images
            );
            return Ok(INTERRUPTED);
        }
        if self.json {
            let Description {
                layer,
                split,
                epoch,
                step,
                ..
            } = &plan.description;
            let object = json!({
                "file": self.out.display().to_string(),
                "layer": layer,
                "split": split,
                "epoch": epoch,
                "step": step,
                "images": plan.images,
                "features": plan.len,
                "bytes": plan.bytes,
            });
            outln!("{object}")?;
        } else {
            outln!("{}", Printable(&self.out.display().to_string()))?;
        }
        Ok(0)
    }
}

/// What is going to be written, in words.
fn announcement(plan: &FeaturePlan, file: &str) -> String {
    let Description { layer, split, .. } = &plan.description;
    let images = counted(plan.images, "image", "images");
    let mut text = format!(
        "{layer} of {images} of split {}: {} values each, {} in {}",
        Printable(split),
        plan.len,
        size(plan.bytes),
        Printable(file)
    );
    if plan.done > 0 {
        let done = counted(plan.done, "image", "images");
        text += &format!("\ngoing on after {done} that an earlier command has done");
    }
    text
}
