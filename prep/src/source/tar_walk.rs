//! The members of a tar one after another, out of a file or a stream.
//!
//! No length in the tar is believed: names and extended headers over a limit are refused before they are
//! read, where a reader of tars commonly takes as much memory as the header says.

use std::io::{self, Read};
use std::mem::take;

use tar::{EntryType, Header};

const BLOCK: usize = 512;
/// Longest name, link or extended header that is read, in bytes.
const LONGEST_EXTENSION: u64 = 1 << 20;

/// Bytes that can be left out, faster than by reading them where that is possible.
pub(super) trait Skip: Read {
    /// Leaves out `count` bytes; `false` if there are not so many.
    fn skip(&mut self, count: u64) -> io::Result<bool>;
}

/// A stream, of which bytes are left out by reading them.
pub(super) struct Stream<R>(pub(super) R);

impl<R: Read> Read for Stream<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl<R: Read> Skip for Stream<R> {
    fn skip(&mut self, count: u64) -> io::Result<bool> {
        Ok(io::copy(&mut (&mut self.0).take(count), &mut io::sink())? == count)
    }
}

/// What a member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    /// The earlier member of this name.
    HardLink(Vec<u8>),
    /// The file at this path, seen from the member's folder.
    SymbolicLink(Vec<u8>),
    /// A sparse file, a device, or what no reader of images knows.
    Other,
}

/// A member, without its bytes.
#[derive(Clone, Debug)]
pub(super) struct TarHeader {
    pub(super) name: Vec<u8>,
    pub(super) kind: Kind,
    /// First byte, counted from the first one of the tar.
    pub(super) offset: u64,
    pub(super) len: u64,
}

impl TarHeader {
    /// Whether the member's bytes continue after the `len` bytes that the tar has.
    pub(super) fn ends_after(&self, len: u64) -> bool {
        let end = self.offset.checked_add(self.len);
        end.is_none_or(|end| end > len)
    }
}

/// A tar that is read. As a [`Read`] it gives the bytes of the member that came last.
pub(super) struct Walk<R> {
    inner: R,
    position: u64,
    /// Bytes left of the member, and of the padding after it.
    left: u64,
    padding: u64,
    /// Whether zeros were seen where a header was expected: the mark of the end.
    ended: bool,
}

/// What extended headers say of the member after them.
#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

impl<R: Skip> Walk<R> {
    pub(super) const fn new(inner: R) -> Self {
        Self {
            inner,
            position: 0,
            left: 0,
            padding: 0,
            ended: false,
        }
    }

    /// The next member; `None` after the last one. Members after the mark of the end, as of tars that
    /// were written one after another, are members too.
    ///
    /// A tar that breaks off is an error of kind [`io::ErrorKind::UnexpectedEof`], one that is none of kind
    /// [`io::ErrorKind::InvalidData`].
    pub(super) fn next(&mut self) -> io::Result<Option<TarHeader>> {
        let mut extended = Extended::default();
        let mut any = false;
        loop {
            self.leave()?;
            let Some(header) = self.header()? else {
                return match any {
                    true => Err(cut()),
                    false if self.ended => Ok(None),
                    false => Err(no_end()),
                };
            };
            let kind = header.entry_type();
            let global = kind == EntryType::XGlobalHeader;
            if global || kind == EntryType::XHeader {
                let text = self.extension(&header)?;
                // A global header changes no name and no length.
                if !global {
                    extended.read(&text)?;
                }
            } else if kind == EntryType::GNULongName {
                extended.name = Some(without_end(self.extension(&header)?));
            } else if kind == EntryType::GNULongLink {
                extended.link = Some(without_end(self.extension(&header)?));
            } else {
                return self.member(&header, extended).map(Some);
            }
            any = true;
        }
    }

    /// Leaves what was not read of the last member, and its padding, as [`next`](Self::next) does.
    pub(super) fn leave(&mut self) -> io::Result<()> {
        let rest = take(&mut self.left)
            .checked_add(take(&mut self.padding))
            .ok_or_else(cut)?;
        self.position = self.position.checked_add(rest).ok_or_else(cut)?;
        if rest > 0 && !self.inner.skip(rest)? {
            return Err(cut());
        }
        Ok(())
    }

    /// The next header whose sum is right; `None` at the end of the bytes.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let mut header = Header::new_old();
        loop {
            let count = fill(&mut self.inner, header.as_mut_bytes())?;
            self.position += count as u64;
            let block = header.as_bytes();
            match count {
                0 => return Ok(None),
                BLOCK if block.iter().all(|&byte| byte == 0) => self.ended = true,
                BLOCK if is_header(&header) => {
                    self.ended = false;
                    return Ok(Some(header));
                }
                // Less than a block of zeros is padding of a kind.
                _ if self.ended && block[..count].iter().all(|&byte| byte == 0) => {}
                BLOCK => {
                    let at = self.position - BLOCK as u64;
                    return Err(damaged(format!("there is no header of a tar at byte {at}")));
                }
                _ => return Err(cut()),
            }
        }
    }

    /// The bytes of an extended header.
    fn extension(&mut self, header: &Header) -> io::Result<Vec<u8>> {
        let len = header.entry_size()?;
        if len > LONGEST_EXTENSION {
            let message = format!("a member's name or extended header has {len} bytes");
            return Err(damaged(message));
        }
        self.begin(len);
        let mut text = Vec::new();
        self.take(len).read_to_end(&mut text)?;
        match text.len() as u64 == len {
            true => Ok(text),
            false => Err(cut()),
        }
    }

    /// Leaves the rest of a sparse member's map, which is between its header and its bytes.
    fn leave_map(&mut self) -> io::Result<()> {
        let mut block = [0; BLOCK];
        for _ in 0..LONGEST_EXTENSION / BLOCK as u64 {
            if fill(&mut self.inner, &mut block)? < BLOCK {
                return Err(cut());
            }
            self.position += BLOCK as u64;
            if block[504] == 0 {
                return Ok(());
            }
        }
        Err(damaged("the map of a sparse member has no end".to_owned()))
    }

    fn begin(&mut self, len: u64) {
        self.left = len;
        self.padding = (BLOCK as u64 - len % BLOCK as u64) % BLOCK as u64;
    }

    fn member(&mut self, header: &Header, extended: Extended) -> io::Result<TarHeader> {
        let kind = header.entry_type();
        let sparse = kind == EntryType::GNUSparse;
        if sparse && header.as_gnu().is_some_and(|gnu| gnu.is_extended()) {
            self.leave_map()?;
        }
        let len = match extended.size {
            Some(len) => len,
            None => header.entry_size()?,
        };
        self.begin(len);
        let name = extended
            .name
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let link = extended
            .link
            .or_else(|| header.link_name_bytes().map(|link| link.into_owned()))
            .unwrap_or_default();
        let kind = match kind {
            _ if extended.sparse => Kind::Other,
            EntryType::Regular | EntryType::Continuous if name.ends_with(b"/") => Kind::Folder,
            EntryType::Regular | EntryType::Continuous => Kind::File,
            EntryType::Directory => Kind::Folder,
            EntryType::Link => Kind::HardLink(link),
            EntryType::Symlink => Kind::SymbolicLink(link),
            _ => Kind::Other,
        };
        Ok(TarHeader {
            name,
            kind,
            offset: self.position,
            len,
        })
    }
}

impl<R: Read> Read for Walk<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let most = most.min(bytes.len());
        let count = self.inner.read(&mut bytes[..most])?;
        self.left -= count as u64;
        self.position += count as u64;
        Ok(count)
    }
}

impl Extended {
    /// Takes the records of a pax header, `LENGTH KEY=VALUE` and a newline each.
    fn read(&mut self, mut text: &[u8]) -> io::Result<()> {
        let wrong = || damaged("an extended header of its is damaged".to_owned());
        while !text.is_empty() {
            let blank = text
                .iter()
                .position(|&byte| byte == b' ')
                .ok_or_else(wrong)?;
            let len = std::str::from_utf8(&text[..blank]).ok();
            let len: usize = len.and_then(|len| len.parse().ok()).ok_or_else(wrong)?;
            let record = text.get(blank + 1..len).ok_or_else(wrong)?;
            let record = record.strip_suffix(b"\n").ok_or_else(wrong)?;
            let equals = record.iter().position(|&byte| byte == b'=');
            let (key, value) = record.split_at(equals.ok_or_else(wrong)?);
            let value = &value[1..];
            match key {
                b"path" => self.name = Some(value.to_owned()),
                b"linkpath" => self.link = Some(value.to_owned()),
                b"size" => {
                    let digits = std::str::from_utf8(value).ok();
                    let size = digits.and_then(|digits| digits.parse().ok());
                    self.size = Some(size.ok_or_else(wrong)?);
                }
                _ => self.sparse |= key.starts_with(b"GNU.sparse."),
            }
            text = &text[len..];
        }
        Ok(())
    }
}

/// Whether the header's own sum is that of its bytes, signed or unsigned as old programs had it.
fn is_header(header: &Header) -> bool {
    let Ok(said) = header.cksum() else {
        return false;
    };
    let bytes = header.as_bytes().iter().enumerate();
    // The sum's own field counts as blanks.
    let bytes = bytes.map(|(at, &byte)| if (148..156).contains(&at) { b' ' } else { byte });
    let (unsigned, signed) = bytes.fold((0_u32, 0_i32), |(unsigned, signed), byte| {
        (unsigned + u32::from(byte), signed + i32::from(byte as i8))
    });
    said == unsigned || i64::from(said) == i64::from(signed)
}

/// Reads until `bytes` is full or nothing is left; the number of bytes read.
fn fill(inner: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while count < bytes.len() {
        match inner.read(&mut bytes[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// A long name ends with a NUL.
fn without_end(mut name: Vec<u8>) -> Vec<u8> {
    let end = name.iter().position(|&byte| byte == 0);
    name.truncate(end.unwrap_or(name.len()));
    name
}

pub(super) fn cut() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the tar ends inside of a member",
    )
}

fn no_end() -> io::Error {
    let message = "the tar ends without a mark of its end, as one that was cut";
    io::Error::new(io::ErrorKind::UnexpectedEof, message)
}

fn damaged(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests;
