//! Looks at the headers of a Parquet file before they are read: the footer, and what stands before each page.
//!
//! They are structures of Thrift's compact protocol. The crate that reads them passes over fields that it does not
//! know, and takes truth values in a list for nothing, where the protocol gives each a byte: so a list that claims two
//! thousand million of them takes seconds, and a file has room for thousands of such lists. Parquet knows no list of
//! truth values that stands in one of these headers, so a header that holds one is refused.

use std::io::{self, ErrorKind, Read};

/// How deep values stand within values, as the crate allows.
const DEPTH: u32 = 64;

/// Types of values, as the protocol numbers them.
const STOP: u8 = 0;
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;
const UUID: u8 = 13;

/// Reads a header; gives its length in bytes.
///
/// # Errors
/// If the bytes end, are no header, or hold a list of truth values.
pub(super) fn length(bytes: &mut impl Read) -> io::Result<u64> {
    let mut walk = Walk { bytes, length: 0 };
    walk.value(STRUCT, DEPTH)?;
    Ok(walk.length)
}

struct Walk<'a, R> {
    bytes: &'a mut R,
    length: u64,
}

impl<R: Read> Walk<'_, R> {
    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.bytes.read_exact(&mut byte)?;
        self.length += 1;
        Ok(byte[0])
    }

    fn skip(&mut self, length: u64) -> io::Result<()> {
        let mut part = self.bytes.by_ref().take(length);
        if io::copy(&mut part, &mut io::sink())? < length {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.length += length;
        Ok(())
    }

    /// A number of at most 64 bits, seven to a byte, the lowest first.
    fn number(&mut self) -> io::Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(wrong("a number has too many bytes"))
    }

    /// Passes over a value of a field.
    fn value(&mut self, kind: u8, depth: u32) -> io::Result<()> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(wrong("values stand too deep within values"));
        };
        match kind {
            // A field's truth value stands in its type.
            TRUE | FALSE => Ok(()),
            BYTE => self.skip(1),
            I16 | I32 | I64 => self.number().map(|_| ()),
            DOUBLE => self.skip(8),
            UUID => self.skip(16),
            BINARY => {
                let length = self.number()?;
                self.skip(length)
            }
            LIST | SET => self.list(depth),
            MAP => self.map(depth),
            STRUCT => self.fields(depth),
            _ => Err(wrong("a value has a type that is none")),
        }
    }

    fn fields(&mut self, depth: u32) -> io::Result<()> {
        loop {
            let head = self.byte()?;
            if head & 15 == STOP {
                return Ok(());
            }
            // The field's number, if it does not follow from that of the last one.
            if head >> 4 == 0 {
                self.number()?;
            }
            self.value(head & 15, depth)?;
        }
    }

    fn list(&mut self, depth: u32) -> io::Result<()> {
        let head = self.byte()?;
        // Some programs write an empty list without the type of its elements.
        if head == 0 {
            return Ok(());
        }
        let count = match head >> 4 {
            15 => self.number()?,
            few => few.into(),
        };
        self.elements(count, &[head & 15], depth)
    }

    fn map(&mut self, depth: u32) -> io::Result<()> {
        let count = self.number()?;
        if count == 0 {
            return Ok(());
        }
        let kinds = self.byte()?;
        self.elements(count, &[kinds >> 4, kinds & 15], depth)
    }

    /// Passes over elements, each a value of every kind; each takes a byte at least, so their number is that of the
    /// bytes at most.
    fn elements(&mut self, count: u64, kinds: &[u8], depth: u32) -> io::Result<()> {
        if kinds.iter().any(|kind| matches!(*kind, TRUE | FALSE)) {
            return Err(wrong(
                "a list of truth values stands where Parquet has none",
            ));
        }
        for _ in 0..count {
            kinds.iter().try_for_each(|&kind| self.value(kind, depth))?;
        }
        Ok(())
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(
        ErrorKind::InvalidData,
        format!("a header is damaged: {what}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(mut bytes: &[u8]) -> Result<u64, ErrorKind> {
        length(&mut bytes).map_err(|error| error.kind())
    }

    #[test]
    fn a_header_is_as_long_as_its_fields() {
        let fields: [&[u8]; 9] = [
            &[0x11],
            &[0x12],
            &[0x13, 7],
            &[0x15, 0x80, 1],
            &[0x17, 1, 2, 3, 4, 5, 6, 7, 8],
            &[0x18, 2, b'a', b'b'],
            &[0x19, 0x25, 1, 2],
            &[0x1B, 1, 0x58, 9, 1, b'x'],
            // A structure in a field whose number is written out.
            &[0x0C, 0x40, 0x15, 3, 0],
        ];
        let mut header = fields.concat();
        header.push(0);
        let length = header.len() as u64;
        assert_eq!(found(&header), Ok(length));
        header.extend([0xFF; 3]);
        assert_eq!(found(&header), Ok(length), "what follows is not its own");
        for cut in 0..length as usize {
            assert_eq!(found(&header[..cut]), Err(ErrorKind::UnexpectedEof));
        }
    }

    #[test]
    fn truth_values_in_a_list_are_refused_whatever_their_number() {
        for header in [
            &[0x19, 0xF2, 0xFF, 0xFF, 0xFF, 0xFF, 7, 0][..],
            &[0x1A, 0x11, 1, 0],
            &[0x1B, 1, 0x12, 1, 1, 0],
            &[0x19, 0x1C, 0x19, 0x11, 1, 0, 0],
        ] {
            assert_eq!(found(header), Err(ErrorKind::InvalidData), "{header:?}");
        }
        // Without elements there is nothing to be lost in.
        assert_eq!(found(&[0x19, 0, 0]), Ok(3));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        assert_eq!(found(&[0x1E, 0]), Err(ErrorKind::InvalidData));
        assert_eq!(
            found(&[[0x16].as_slice(), &[0xFF; 11]].concat()),
            Err(ErrorKind::InvalidData)
        );
        assert_eq!(found(&[0x1C; 100]), Err(ErrorKind::InvalidData));
        // More elements than bytes, which are of lists within lists.
        assert_eq!(found(&[0x19; 100]), Err(ErrorKind::InvalidData));
        let many = [0x19, 0xF5, 0xFF, 0xFF, 0xFF, 0xFF, 7, 1, 2, 3];
        assert_eq!(found(&many), Err(ErrorKind::UnexpectedEof));
    }
}
