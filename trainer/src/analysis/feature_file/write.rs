//! Writes the features of a split to a file, batch by batch.

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;

use shardmill_formats::{ShardEntry, crc32c};

use crate::analysis::feature_file::layout::Layout;
use crate::analysis::feature_file::partial::PartialFile;
use crate::analysis::feature_file::{Description, ShardId};
use crate::analysis::{AnalysisError, layers};
use crate::net::Model;
use crate::run::pass::{Pass, Verdict};
use crate::run::subject::Examined;
use crate::run::{Stop, Subject, View};

/// Which features are written, and where to.
#[derive(Clone, Debug)]
pub struct FeatureOptions {
    /// The network and the images.
    pub subject: Subject,
    /// The layer.
    pub layer: String,
    /// The file.
    pub out: PathBuf,
    /// Whether to replace the file, and to begin again where an unfinished one cannot be gone on with.
    pub force: bool,
    /// Asks, from another thread, for an early end; the next call goes on.
    pub stop: Stop,
}

impl FeatureOptions {
    /// The features after fc7.
    #[must_use]
    pub fn new(subject: Subject, out: impl Into<PathBuf>) -> Self {
        Self {
            subject,
            layer: "fc7".to_owned(),
            out: out.into(),
            force: false,
            stop: Stop::default(),
        }
    }
}

/// What is going to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeaturePlan {
    /// Images.
    pub images: u64,
    /// Features of an image.
    pub len: u64,
    /// Bytes of the whole file.
    pub bytes: u64,
    /// Images whose features an earlier call has written.
    pub done: u64,
    /// Which network and which images.
    pub description: Description,
}

/// Writes a layer's outputs for the images of a split, from the centre view.
///
/// ```no_run
/// use shardmill_trainer::Subject;
/// use shardmill_trainer::analysis::{FeatureOptions, FeatureWriter};
///
/// let subject = Subject::new("run/best.safetensors", "shards", "val");
/// let writer = FeatureWriter::open(&FeatureOptions::new(subject, "val.safetensors"))?;
/// println!("{} bytes", writer.plan().bytes);
/// let finished = writer.run(|done, of| println!("{done} of {of}"))?;
/// # Ok::<(), shardmill_trainer::analysis::AnalysisError>(())
/// ```
pub struct FeatureWriter {
    examined: Examined,
    /// The layer's number.
    layer: usize,
    file: PartialFile,
    plan: FeaturePlan,
    out: PathBuf,
    stop: Stop,
}

impl FeatureWriter {
    /// Opens network and images, and makes the unfinished file or goes on with it.
    ///
    /// # Errors
    /// A checkpoint or dataset that cannot be read, or that do not belong together; a layer that the network does
    /// not have; a file that is there already, or that does not fit on the disk.
    pub fn open(options: &FeatureOptions) -> Result<Self, AnalysisError> {
        if options.out.exists() && !options.force {
            return Err(AnalysisError::Exists {
                path: options.out.clone(),
            });
        }
        if options.out.is_dir() {
            let is_folder = io::ErrorKind::IsADirectory.into();
            return Err(AnalysisError::io("write", &options.out)(is_folder));
        }
        let examined = Examined::open(&options.subject)?;
        let layer = layers::number(examined.engine.model().layers(), &options.layer)?;
        let description = describe(&examined, layer);
        let layout = Layout::new(&examined.dataset, &description);
        let batch = examined.batch_images(View::Center) as u64;
        let file = PartialFile::open(&options.out, layout, batch, options.force)?;
        let layout = &file.layout;
        Ok(Self {
            plan: FeaturePlan {
                images: layout.rows,
                len: layout.row_bytes / 4,
                bytes: layout.bytes(),
                done: file.done,
                description,
            },
            examined,
            layer,
            file,
            out: options.out.clone(),
            stop: options.stop.clone(),
        })
    }

    /// What is going to be written.
    #[must_use]
    pub fn plan(&self) -> &FeaturePlan {
        &self.plan
    }

    /// Computes and writes what is missing. `progress` is called with the number of images done and that of all.
    /// The result is whether the file is finished: not after a request to stop, and then a writer with the
    /// same options goes on.
    ///
    /// # Errors
    /// What engine, loader and disk report; then too a writer with the same options goes on.
    pub fn run(mut self, mut progress: impl FnMut(u64, u64)) -> Result<bool, AnalysisError> {
        let loader = self.examined.loader(View::Center)?;
        let Examined { state, engine, .. } = &mut self.examined;
        let pass = Pass {
            layers: &[self.layer],
            skip: self.plan.done,
            ..Pass::new(View::Center)
        };
        // Both closures write: the rows of a batch, then what makes them safe.
        let file = RefCell::new(self.file);
        let mut row = Vec::new();
        let each = |verdict: Verdict| {
            row.clear();
            row.extend(verdict.activations[0].iter().flat_map(|v| v.to_le_bytes()));
            file.borrow_mut().append(&row)
        };
        let mut saved = Ok(());
        let images = self.plan.images;
        let finished = pass.run(&mut **engine, state, &loader, each, |done| {
            progress(done, images);
            let stop = self.stop.is_requested() && done < images;
            saved = file.borrow_mut().batch_done(done, stop);
            saved.is_ok() && !stop
        });
        let finished = finished.and_then(|finished| saved.map(|()| finished));
        let finished = finished.inspect_err(|_| file.borrow().discard_if_empty())?;
        if finished {
            file.into_inner().finish(&self.out)?;
        }
        Ok(finished)
    }
}

/// What the metadata of a file says.
fn describe(examined: &Examined, layer: usize) -> Description {
    let Examined {
        dataset,
        state,
        engine,
        ..
    } = examined;
    let layer = &engine.model().layers()[layer];
    let shards = &dataset.manifest().splits[dataset.split()].shards;
    let shard = |shard: &ShardEntry| ShardId {
        file: shard.file.clone(),
        records: shard.records,
        blake3: shard.blake3.clone(),
    };
    Description {
        layer: layer.name().to_owned(),
        shape: layers::shape(layer),
        split: dataset.split().to_owned(),
        epoch: state.progress.epoch,
        step: state.progress.step,
        weights: weights_checksum(engine.model()),
        classes: dataset.classes().to_vec(),
        shards: shards.iter().map(shard).collect(),
    }
}

/// CRC-32C over the CRC-32C of each parameter's values, in their order.
fn weights_checksum(model: &Model) -> String {
    let parts = model.parameters().iter().flat_map(|parameter| {
        let values = parameter.values();
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        crc32c(&bytes).to_le_bytes()
    });
    format!("{:08x}", crc32c(&parts.collect::<Vec<u8>>()))
}
