//! From the parts of an ingest in an object store to a dataset.

use std::collections::BTreeMap;

use shardmill_formats::MANIFEST_FILE;

use super::listing::{Holds, Listing, delete};
use super::{names, part};
use crate::error::PrepError;
use crate::ingest::dataset::{Dataset, Merged, Written};
use crate::ingest::journal::{IngestHeader, ShardLine, check_whole};
use crate::io::Place;
use crate::io::objects::Store;
use crate::shards::{each_shard, read_manifest};

/// As [`merge`](crate::ingest::merge) in a folder.
pub(crate) fn merge(store: &Store) -> Result<Merged, PrepError> {
    let address = store.address();
    let parts = |message: String| PrepError::Parts {
        folder: address.into(),
        message,
    };
    let listing = Listing::new(store)?;
    let complete = |manifest| Merged {
        manifest,
        warned: BTreeMap::new(),
        warnings: Vec::new(),
        was_complete: true,
    };
    let holds = match listing.holds() {
        Err(PrepError::OutputInUse(_)) => Holds::Nothing,
        holds => holds?,
    };
    if holds == Holds::Manifest && listing.parts.is_empty() {
        let place = Place::Store(Store::clone(store));
        let (_, manifest) = read_manifest(&place)?;
        each_shard(&place, &manifest, |_, _| Ok(()), |_, ()| Ok(()))?;
        return Ok(complete(manifest));
    }
    let mut headers = Vec::new();
    for part in listing.parts() {
        headers.push(listing.header(part)?);
    }
    let Some(first) = headers.first() else {
        let nothing = "holds no part of an ingest: give the --out of `prep ingest --part i/n`";
        return Err(parts(nothing.to_owned()));
    };
    let differs = |other: &&IngestHeader| {
        other.fingerprint != first.fingerprint || other.part.parts != first.part.parts
    };
    if let Some(other) = headers.iter().find(differs) {
        return Err(parts(format!(
            "{} and {} are parts of different ingests: delete those of one of them",
            store.address_of(&names::header(first.part)),
            store.address_of(&names::header(other.part))
        )));
    }
    let planned = names::planned(first);
    if holds == Holds::Manifest {
        return match listing.finished(&first.fingerprint, &planned)? {
            Some(manifest) => Ok(complete(manifest)),
            None => Err(parts(format!(
                "{MANIFEST_FILE} is of another dataset than the parts: give every dataset an address of its own"
            ))),
        };
    }
    let mut journals: Vec<(&IngestHeader, Vec<ShardLine>)> = Vec::new();
    for header in &headers {
        journals.push((header, listing.lines(header, header.part)?));
    }
    let all = journals.iter().map(|(header, lines)| (*header, &**lines));
    check_whole(address.as_ref(), first, &all.collect::<Vec<_>>())?;
    let lines = journals.iter().flat_map(|(_, lines)| lines.clone());
    let dataset = Dataset::new(address, first, lines.collect())?;
    let Written {
        manifest,
        warned,
        warnings,
        ..
    } = part::write(store, dataset, |name| listing.objects.contains_key(name))?;
    let names = listing.objects.keys();
    let journal = names.filter(|name| names::is_journal(name, &planned));
    delete(store, journal.cloned())?;
    Ok(Merged {
        manifest,
        warned,
        warnings,
        was_complete: false,
    })
}
