//! What differs, counted by kind, with the first stream of each kind kept as a file.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::judge::Judgement;

/// Most streams of a kind that are kept.
const KEPT: usize = 3;

/// Counts judgements.
pub(crate) struct Faults {
    folder: PathBuf,
    /// By what was judged; the numbers of streams, and where some of them lie.
    kinds: BTreeMap<String, Kind>,
    total: usize,
    faults: usize,
}

#[derive(Default)]
struct Kind {
    count: usize,
    kept: Vec<String>,
}

impl Faults {
    /// Nothing yet; streams are kept in a folder of this name.
    pub(crate) fn new(what: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("jpeg-peer");
        Self {
            folder: folder.join(what),
            kinds: BTreeMap::new(),
            total: 0,
            faults: 0,
        }
    }

    /// Counts a stream.
    pub(crate) fn add(&mut self, name: &str, bytes: &[u8], judgement: Judgement) {
        self.total += 1;
        let (kind, is_fault) = match judgement {
            Judgement::SamePixels => ("same pixels".to_owned(), false),
            Judgement::BothRefuse(why) => {
                (format!("both refuse ({})", without_numbers(&why)), false)
            }
            Judgement::WarnedAndRefused => ("libjpeg warns, ours refuses".to_owned(), false),
            Judgement::Exempt(why) => (format!("not compared: {why}"), false),
            Judgement::Fault(how) => (format!("FAULT {}", without_numbers(&how)), true),
        };
        let kind = self.kinds.entry(kind).or_default();
        kind.count += 1;
        if is_fault {
            self.faults += 1;
            if kind.kept.len() < KEPT {
                let file = self.folder.join(format!("{}.jpg", self.total));
                fs::create_dir_all(&self.folder).unwrap();
                fs::write(&file, bytes).unwrap();
                kind.kept
                    .push(format!("{name}, kept as {}", file.display()));
            }
        }
    }

    /// Prints the table, and panics if anything differs.
    pub(crate) fn finish(self) {
        println!("{} streams", self.total);
        for (kind, Kind { count, kept }) in &self.kinds {
            println!("{count:8}  {kind}");
            kept.iter()
                .for_each(|stream| println!("          {stream}"));
        }
        assert!(self.total > 0);
        assert_eq!(self.faults, 0, "streams on which the decoders differ");
    }
}

/// Messages of one kind differ in their numbers, some of which are hexadecimal.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    for part in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let end = part.trim_end_matches(|c: char| c.is_ascii_alphanumeric());
        let is_number = part.contains(|c: char| c.is_ascii_digit());
        match (is_number, end.is_empty()) {
            (false, _) => out.push_str(part),
            // The last part has no end; the others end with one character.
            (true, true) => out.push('#'),
            (true, false) => {
                out.push('#');
                out.extend(part.chars().last());
            }
        }
    }
    out
}
