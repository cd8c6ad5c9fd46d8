//! Tar files of samples.
//!
//! WebDataset takes what precedes the first dot of a name for the key of a sample. Keys of records
//! hold dots and slashes, so a sample is called by its number in the split, and its own key stands
//! in its JSON. The first member of each tar holds the classes, under a name that readers pass over.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

use super::sample::{Context, Sample, Unit};
use crate::error::PrepError;
use crate::io::safe_path::{Tree, component};
use crate::io::{PART, file};
use crate::source::class_table::{ClassTable, MEMBER};

pub(super) struct Sink<'a> {
    context: Context<'a>,
    split: String,
    /// The classes, as JSON.
    table: String,
    /// Tar files of the split so far.
    tars: u64,
    open: Option<OpenTar>,
}

struct OpenTar {
    name: String,
    part: PathBuf,
    tar: tar::Builder<BufWriter<File>>,
    unit: Unit,
}

/// Name of a tar file.
pub(super) fn tar_name(split: &str, number: u64) -> String {
    format!("{split}-{number:06}.tar")
}

impl<'a> Sink<'a> {
    pub(super) fn new(context: Context<'a>) -> Self {
        Self {
            context,
            split: String::new(),
            table: String::new(),
            tars: 0,
            open: None,
        }
    }

    pub(super) fn begin(&mut self, split: &str, finished: u64) {
        self.table = ClassTable::json(self.context.manifest, split);
        self.split = component(split);
        self.tars = finished;
    }

    pub(super) fn add(
        &mut self,
        tree: &mut Tree,
        sample: &Sample,
    ) -> Result<Option<Unit>, PrepError> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.create(tree)?,
        };
        let label = usize::try_from(sample.label).ok();
        let class = label.and_then(|label| self.context.manifest.classes.get(label));
        let json = serde_json::json!({
            "key": sample.key,
            "label": sample.label,
            "synset": class.map(|class| &class.synset),
            "class_name": class.map(|class| &class.name),
        });
        let (json, label) = (json.to_string(), sample.label.to_string());
        let parts: [(&str, &[u8]); 3] = [
            (self.context.extension, &sample.image),
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
        open.unit.records += 1;
        open.unit.image_bytes += sample.image.len() as u64;
        let full = open.unit.records >= self.context.shard_records;
        self.open = Some(open);
        if full { self.end(tree) } else { Ok(None) }
    }

    /// Finishes the open file.
    pub(super) fn end(&mut self, tree: &mut Tree) -> Result<Option<Unit>, PrepError> {
        let Some(OpenTar {
            name,
            part,
            tar,
            unit,
        }) = self.open.take()
        else {
            return Ok(None);
        };
        let file = tar
            .into_inner()
            .and_then(|file| {
                file.into_inner()
                    .map_err(std::io::IntoInnerError::into_error)
            })
            .map_err(PrepError::io(&part))?;
        tree.rename(&part, &file, &name)?;
        file::sync_folder(tree.root())?;
        Ok(Some(Unit { files: 1, ..unit }))
    }

    fn create(&mut self, tree: &mut Tree) -> Result<OpenTar, PrepError> {
        let name = tar_name(&self.split, self.tars);
        let (part, file) = tree.file(&[&format!("{name}.{PART}")])?;
        self.tars += 1;
        let mut tar = tar::Builder::new(BufWriter::new(file));
        append(&mut tar, MEMBER, self.table.as_bytes()).map_err(PrepError::io(&part))?;
        Ok(OpenTar {
            name,
            part,
            tar,
            unit: Unit::default(),
        })
    }
}

/// Appends a file without an owner or a time, so that equal exports have equal bytes.
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
