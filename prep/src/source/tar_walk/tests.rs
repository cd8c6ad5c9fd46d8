//! Tars by hand, and bytes that are none.

use proptest::prelude::*;

use super::*;

/// A header with its bytes after it.
fn entry(name: &[u8], kind: EntryType, bytes: &[u8], size: u64) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_cksum();
    let mut all = header.as_bytes().to_vec();
    all.extend_from_slice(bytes);
    all.resize(all.len().next_multiple_of(BLOCK), 0);
    all
}

fn ended(mut tar: Vec<u8>) -> Vec<u8> {
    tar.resize(tar.len() + 2 * BLOCK, 0);
    tar
}

fn walk(tar: &[u8]) -> io::Result<Vec<(String, u64, u64)>> {
    let mut walk = Walk::new(Stream(tar));
    let mut found = Vec::new();
    while let Some(head) = walk.next()? {
        let name = String::from_utf8_lossy(&head.name).into_owned();
        found.push((name, head.offset, head.len));
    }
    Ok(found)
}

#[test]
fn a_name_of_six_gigabytes_is_refused_and_not_read() {
    for kind in [
        EntryType::GNULongName,
        EntryType::GNULongLink,
        EntryType::XHeader,
        EntryType::XGlobalHeader,
    ] {
        let tar = entry(b"././@LongLink", kind, b"x", 6_000_000_000);
        let error = walk(&tar).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{kind:?}");
        assert!(error.to_string().contains("6000000000 bytes"), "{error}");
    }
}

#[test]
fn long_names_extended_sizes_and_tars_one_behind_another_are_read() {
    let long = "d/".repeat(90) + "a.jpg";
    let mut tar = entry(
        b"././@LongLink",
        EntryType::GNULongName,
        format!("{long}\0").as_bytes(),
        186,
    );
    tar.extend(entry(b"short", EntryType::Regular, b"abc", 3));
    let records = b"16 path=p/b.jpg\n9 size=5\n";
    tar.extend(entry(
        b"pax",
        EntryType::XHeader,
        records,
        records.len() as u64,
    ));
    tar.extend(entry(b"no", EntryType::Regular, b"12345", 0));
    let mut two = ended(tar.clone());
    two.extend(ended(entry(b"c.jpg", EntryType::Regular, b"", 0)));
    let found = walk(&two).unwrap();
    let names: Vec<_> = found
        .iter()
        .map(|(name, _, len)| (name.as_str(), *len))
        .collect();
    assert_eq!(names, [(&*long, 3), ("p/b.jpg", 5), ("c.jpg", 0)]);
    for (_, offset, len) in &found[..2] {
        let bytes = &two[*offset as usize..(*offset + *len) as usize];
        assert!(bytes == b"abc" || bytes == b"12345");
    }
    // Without the mark of the end nobody knows whether something is missing.
    assert_eq!(walk(&tar).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    for len in [0, 100, 512, 1024, 1536, tar.len() - 1] {
        let error = walk(&tar[..len]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{len}");
    }
}

/// A stream without end, that counts what is read of it.
struct Endless<'a>(&'a [u8], u64);

impl Read for Endless<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = if self.0.is_empty() {
            bytes.fill(b'1');
            bytes.len()
        } else {
            self.0.read(bytes)?
        };
        self.1 += count as u64;
        Ok(count)
    }
}

impl Skip for Endless<'_> {
    fn skip(&mut self, count: u64) -> io::Result<bool> {
        let there = usize::try_from(count)
            .unwrap_or(usize::MAX)
            .min(self.0.len());
        self.0 = &self.0[there..];
        Ok(true)
    }
}

proptest! {
    #[test]
    fn mutated_headers_neither_panic_nor_make_it_read_without_bound(
        kind: u8,
        size: u64,
        at in 0_usize..4096,
        byte: u8,
        text in prop::collection::vec(any::<u8>(), 0..700),
        records in "([0-9]{1,3} (path|size|linkpath|GNU.sparse.x)=[0-9a-z]{0,9}\n?){0,4}",
    ) {
        let mut tar = entry(b"x", EntryType::new(kind), &text, size);
        tar.extend(entry(b"p", EntryType::XHeader, records.as_bytes(), records.len() as u64));
        tar.extend(entry(b"y.jpg", EntryType::Regular, &text, text.len() as u64));
        let mut tar = ended(tar);
        let _ = walk(&tar);
        let at = at % tar.len();
        tar[at] ^= byte;
        let _ = walk(&tar);
        let mut walk = Walk::new(Endless(&tar, 0));
        for _ in 0..8 {
            match walk.next() {
                Ok(Some(head)) => prop_assert!(head.name.len() as u64 <= LONGEST_EXTENSION),
                _ => break,
            }
        }
        prop_assert!(walk.inner.1 <= 9 * (LONGEST_EXTENSION + tar.len() as u64));
    }
}
