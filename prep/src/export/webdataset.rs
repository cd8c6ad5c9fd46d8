//! Tar files of samples.
//!
//! WebDataset takes what precedes the first dot of a name for the key of a sample. Keys of records
//! hold dots and slashes, so a sample is called by its number in the split, and its own key stands
//! in its JSON.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

use shardmill_formats::Manifest;

use super::{Context, Sample};
use crate::error::PrepError;
use crate::safe_path::Tree;

pub(super) struct Sink<'a> {
    pub(super) tree: Tree,
    manifest: &'a Manifest,
    extension: &'static str,
    shard_records: u64,
    split: String,
    /// Tar files of the split so far.
    shards: u64,
    open: Option<OpenTar>,
}

struct OpenTar {
    name: String,
    part: PathBuf,
    tar: tar::Builder<BufWriter<File>>,
    samples: u64,
}

impl<'a> Sink<'a> {
    pub(super) fn new(tree: Tree, context: &Context<'a>) -> Self {
        Self {
            tree,
            manifest: context.manifest,
            extension: context.extension,
            shard_records: context.shard_records,
            split: String::new(),
            shards: 0,
            open: None,
        }
    }

    pub(super) fn begin(&mut self, split: String) {
        self.split = split;
        self.shards = 0;
    }

    pub(super) fn add(&mut self, sample: &Sample) -> Result<(), PrepError> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.create()?,
        };
        let label = usize::try_from(sample.label).ok();
        let class = label.and_then(|label| self.manifest.classes.get(label));
        let json = serde_json::json!({
            "key": sample.key,
            "label": sample.label,
            "synset": class.map(|class| &class.synset),
            "class_name": class.map(|class| &class.name),
        });
        let (json, label) = (json.to_string(), sample.label.to_string());
        let parts: [(&str, &[u8]); 3] = [
            (self.extension, &sample.image),
            ("cls", label.as_bytes()),
            ("json", json.as_bytes()),
        ];
        for (extension, bytes) in parts {
            append(
                &mut open.tar,
                &format!("{:09}.{extension}", sample.index),
                bytes,
            )
            .map_err(PrepError::io(&open.part))?;
        }
        open.samples += 1;
        let full = open.samples >= self.shard_records;
        self.open = Some(open);
        if full { self.end() } else { Ok(()) }
    }

    /// Finishes the open file.
    pub(super) fn end(&mut self) -> Result<(), PrepError> {
        let Some(OpenTar {
            name, part, tar, ..
        }) = self.open.take()
        else {
            return Ok(());
        };
        let file = tar
            .into_inner()
            .and_then(|file| {
                file.into_inner()
                    .map_err(std::io::IntoInnerError::into_error)
            })
            .map_err(PrepError::io(&part))?;
        self.tree.rename(&part, &file, &name)
    }

    fn create(&mut self) -> Result<OpenTar, PrepError> {
        let name = format!("{}-{:06}.tar", self.split, self.shards);
        let (part, file) = self.tree.file(&[&format!("{name}.part")])?;
        self.shards += 1;
        Ok(OpenTar {
            name,
            part,
            tar: tar::Builder::new(BufWriter::new(file)),
            samples: 0,
        })
    }
}

/// Appends a file that belongs to nobody and has no time, so that equal exports have equal bytes.
fn append(
    tar: &mut tar::Builder<BufWriter<File>>,
    name: &str,
    bytes: &[u8],
) -> std::io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append(&header, bytes)
}
