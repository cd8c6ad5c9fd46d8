//! Fixes, before anything is decoded, which image goes to which place of which shard.

use shardmill_formats::{Permutation, Philox, Stream, schema, shard_file_name};

use super::options::IngestOptions;
use crate::decode::{DECODER, RESIZER};
use crate::source::{Entry, Listing, Place};

/// The places of a split.
#[derive(Debug)]
pub(crate) struct SplitPlan {
    pub(crate) name: &'static str,
    /// Entries in record order; consecutive runs of `shard_records` make a shard.
    pub(crate) entries: Vec<Entry>,
    shard_records: usize,
}

impl SplitPlan {
    /// The entries of one shard alone.
    pub(crate) fn of_shard(name: &'static str, entries: Vec<Entry>) -> Self {
        Self {
            name,
            shard_records: entries.len().max(1),
            entries,
        }
    }

    /// The entries of each shard, in order. Shards differ in size by at most one, so that the last
    /// is not a stump.
    pub(crate) fn shards(&self) -> impl ExactSizeIterator<Item = &[Entry]> {
        let count = self.entries.len().div_ceil(self.shard_records);
        (0..count).map(move |shard| {
            let bound = |i: usize| i * self.entries.len() / count;
            &self.entries[bound(shard)..bound(shard + 1)]
        })
    }
}

/// The whole plan.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) splits: Vec<SplitPlan>,
    /// Identifies everything that the bytes of the shards depend on.
    pub(crate) fingerprint: String,
}

impl Plan {
    /// Shuffles each split by the seed, so that reading a shard in order mixes classes.
    pub(crate) fn new(options: &IngestOptions, listing: &mut Listing) -> Self {
        let fingerprint = fingerprint(options, listing);
        let philox = Philox::new(options.seed, Stream::Plan);
        let splits = std::mem::take(&mut listing.splits);
        let splits = splits.into_iter().zip(0..).map(|((name, entries), tweak)| {
            let permutation = Permutation::new(entries.len() as u64, &philox, tweak);
            let mut entries: Vec<Option<Entry>> = entries.into_iter().map(Some).collect();
            let shuffled = (0..entries.len())
                .map(|i| {
                    entries[permutation.at(i as u64) as usize]
                        .take()
                        .expect("a permutation visits each once")
                })
                .collect();
            SplitPlan {
                name,
                entries: shuffled,
                shard_records: options.shard_records,
            }
        });
        Self {
            splits: splits.collect(),
            fingerprint,
        }
    }

    /// File names of every planned shard, splits one after another; a shard's place here is its number
    /// among the parts.
    pub(crate) fn shard_names(&self) -> Vec<String> {
        let names = self.splits.iter().flat_map(|split| {
            let count = split.shards().len();
            (0..count).map(move |shard| shard_file_name(split.name, shard, count))
        });
        names.collect()
    }
}

fn fingerprint(options: &IngestOptions, listing: &Listing) -> String {
    let mut hash = blake3::Hasher::new();
    let mut add = |part: &str| {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    };
    for part in [
        schema::VERSION,
        env!("CARGO_PKG_VERSION"),
        DECODER,
        RESIZER,
        options.decode.geometry(),
        options.decode.filter(),
        options.decode.exif.name(),
        options.decode.truncated.name(),
        options.decode.check.name(),
    ] {
        add(part);
    }
    let encode = options.record().encode_options();
    add(&format!(
        "{} {} {}",
        options.codec, encode.jpeg_quality, encode.zstd_level
    ));
    add(&format!(
        "{} {} {}",
        options.size, options.shard_records, options.seed
    ));
    for class in &listing.classes {
        add(&class.synset);
    }
    for (split, entries) in &listing.splits {
        add(split);
        for entry in entries {
            add(&entry.key);
            add(&entry.label.to_string());
            if let Place::Rejected(reject) = &entry.place {
                add(reject.code());
            }
        }
    }
    hash.finalize().to_hex()[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use shardmill_formats::Class;

    use super::*;
    use crate::decode::{Check, Exif, Filter, Resize, Truncated};
    use crate::source::Layout;

    fn listing(count: usize) -> Listing {
        let entries = (0..count)
            .map(|i| Entry {
                label: (i / 10) as i64,
                key: format!("{i:03}").into(),
                place: Place::Key,
            })
            .collect();
        Listing {
            layout: Layout::ClassFolders,
            classes: vec![Class {
                synset: "a".to_owned(),
                name: "a".to_owned(),
            }],
            splits: BTreeMap::from([("train", entries)]),
            passed: Default::default(),
            left_out: Default::default(),
            notes: Vec::new(),
            containers: Vec::new(),
        }
    }

    #[test]
    fn every_entry_is_placed_once_in_shards_of_even_size() {
        let mut options = IngestOptions::new("a", "b");
        options.shard_records = 30;
        let plan = Plan::new(&options, &mut listing(100));
        let sizes: Vec<usize> = plan.splits[0].shards().map(<[Entry]>::len).collect();
        assert_eq!(sizes, [25, 25, 25, 25]);
        let mut keys: Vec<_> = plan.splits[0]
            .entries
            .iter()
            .map(|entry| entry.key.clone())
            .collect();
        let in_order = keys.is_sorted();
        keys.sort();
        assert_eq!(
            keys,
            (0..100)
                .map(|i| format!("{i:03}").into())
                .collect::<Vec<Box<str>>>()
        );
        assert!(!in_order, "a shard must mix classes");
    }

    #[test]
    fn the_plan_depends_on_seed_options_and_listing_alone() {
        let options = IngestOptions::new("a", "b");
        let plan = |options: &IngestOptions, count| Plan::new(options, &mut listing(count));
        let first = plan(&options, 50);
        let again = plan(
            &IngestOptions {
                threads: 7,
                source: "elsewhere".into(),
                ..options.clone()
            },
            50,
        );
        assert_eq!(first.fingerprint, again.fingerprint);
        assert_eq!(first.splits[0].entries, again.splits[0].entries);
        let seeded = plan(
            &IngestOptions {
                seed: 1,
                ..options.clone()
            },
            50,
        );
        assert_ne!(first.splits[0].entries, seeded.splits[0].entries);
        for change in [
            |options: &mut IngestOptions| options.decode.resize = Resize::Squash,
            |options: &mut IngestOptions| options.decode.filter = Filter::Box,
            |options: &mut IngestOptions| options.decode.exif = Exif::Apply,
            |options: &mut IngestOptions| options.decode.truncated = Truncated::Pad,
            |options: &mut IngestOptions| options.decode.check = Check::Whole,
        ] {
            let mut changed = options.clone();
            change(&mut changed);
            assert_ne!(first.fingerprint, plan(&changed, 50).fingerprint);
        }
        for other in [
            seeded,
            plan(&options, 51),
            plan(
                &IngestOptions {
                    size: 32,
                    ..options.clone()
                },
                50,
            ),
        ] {
            assert_ne!(first.fingerprint, other.fingerprint);
        }
    }
}
