//! What the ranks of a run compare and put together.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Tensor;
use serde_json::{Value, json};
use shardmill_formats::crc32c;
use shardmill_loader::Dataset;

use crate::checkpoint::{CheckpointError, RunState};
use crate::net::scores::Tally;
use crate::ranks::{RankError, Ranks, agree};
use crate::run::error::TrainError;
use crate::run::training::{Run, Splits};
use crate::run::{TrainOptions, data};

/// Checks that all ranks are to do the same.
pub(super) fn compare_options(options: &TrainOptions, ranks: &Ranks) -> Result<(), TrainError> {
    let views: Vec<&str> = options.final_views.iter().map(|view| view.name()).collect();
    agree(
        ranks,
        &json!({
            "the version": env!("CARGO_PKG_VERSION"),
            "resume": options.resume,
            "seed": options.seed,
            "recipe": options.recipe,
            "model": options.model,
            "init": options.init.is_some(),
            "eval_every": options.eval_every,
            "log_every": options.log_every,
            "checkpoint_every": options.checkpoint_every,
            "max_steps": options.max_steps,
            "final_views": views,
            "training_error": options.training_error,
        }),
    )?;
    Ok(())
}

/// Checks that all ranks have the same dataset.
pub(super) fn compare_datasets(
    shards: &Path,
    splits: &Splits,
    ranks: &Ranks,
) -> Result<(), TrainError> {
    if ranks.is_alone() {
        return Ok(());
    }
    let of = |split: &Dataset| json!({ "split": split.split(), "images": split.len() });
    let dataset = json!({
        "a manifest.json with CRC-32C": data::manifest_checksum(shards),
        "training": of(&splits.train),
        "validation": splits.validation.as_ref().map_or(Value::Null, of),
    });
    agree(ranks, &dataset)?;
    Ok(())
}

impl Run<'_> {
    /// The sums of all ranks' tallies, in their order.
    pub(super) fn put_together(&self, own: Tally) -> Result<Tally, TrainError> {
        let numbers = [own.samples, own.loss.to_bits(), own.top1, own.top5];
        let mut bytes = [0; 32];
        for (to, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            to.copy_from_slice(&number.to_le_bytes());
        }
        let mut all = Tally::default();
        for bytes in self.ranks.gather(bytes)? {
            let [samples, loss, top1, top5] =
                std::array::from_fn(|i| u64::from_le_bytes(bytes.as_chunks().0[i]));
            all.samples += samples;
            all.loss += f64::from_bits(loss);
            all.top1 += top1;
            all.top5 += top5;
        }
        Ok(all)
    }

    /// Checks that all ranks have the same parameters, velocities and position, to the bit.
    pub(super) fn compare_ranks(
        &self,
        tensors: &BTreeMap<String, Tensor>,
    ) -> Result<(), TrainError> {
        if self.ranks.is_alone() {
            return Ok(());
        }
        let mut own = checksums(tensors)?;
        own.push((
            "the position".to_owned(),
            crc32c(position(&self.state).as_bytes()),
        ));
        let bytes = serde_json::to_vec(&own).expect("plain data becomes JSON");
        let all = self.ranks.gather_bytes(&bytes)?;
        let drifted = |(rank, of_rank): (usize, &Vec<u8>)| {
            let of_rank: Vec<(String, u32)> = serde_json::from_slice(of_rank).unwrap_or_default();
            let first: Vec<(String, u32)> = serde_json::from_slice(&all[0]).unwrap_or_default();
            let same = first.iter().zip(&of_rank).find(|(a, b)| a != b);
            let what = same.map_or("a set of tensors", |((name, _), _)| name);
            RankError::Drifted {
                step: self.state.progress.step,
                what: what.to_owned(),
                rank: self.ranks.name(rank),
            }
        };
        let other = all.iter().enumerate().find(|(_, bytes)| **bytes != all[0]);
        other.map_or(Ok(()), |other| Err(drifted(other).into()))
    }
}

/// The state of a run without what only rank 0 knows.
fn position(state: &RunState) -> String {
    let mut state = state.clone();
    state.progress.metrics_lines = 0;
    serde_json::to_string(&state.to_strings()).expect("plain data becomes JSON")
}

/// The CRC-32C of every tensor's bits.
fn checksums(tensors: &BTreeMap<String, Tensor>) -> Result<Vec<(String, u32)>, CheckpointError> {
    let checksum = |(name, tensor): (&String, &Tensor)| {
        let values = tensor.flatten_all().and_then(|flat| flat.to_vec1::<f32>());
        let values = values.map_err(|source| CheckpointError::Tensor {
            name: name.clone(),
            source,
        })?;
        Ok((name.clone(), crc32c(bytemuck::cast_slice(&values))))
    };
    tensors.iter().map(checksum).collect()
}
