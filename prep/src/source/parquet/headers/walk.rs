//! Passes over a header, value by value, by the types that they are written with.

use std::io::{self, ErrorKind, Read};

use super::kind::{
    BINARY, BYTE, DOUBLE, FALSE, I16, I32, I64, Kind, LIST, MAP, SET, STOP, STRUCT, Structure,
    TRUE, UUID,
};
use super::tree::Tree;
use super::wrong;

/// How deep values stand within values, as the crate allows.
const DEPTH: u32 = 64;

pub(super) struct Walk<'a, R> {
    bytes: &'a mut R,
    /// Bytes so far.
    pub(super) length: u64,
    /// The fields that the last element of the schema claims.
    children: u64,
}

impl<'a, R: Read> Walk<'a, R> {
    pub(super) const fn new(bytes: &'a mut R) -> Self {
        Self {
            bytes,
            length: 0,
            children: 0,
        }
    }

    /// Passes over a header.
    pub(super) fn header(&mut self, structure: &Structure) -> io::Result<()> {
        self.fields(structure, DEPTH)
    }

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

    /// A number with a sign, which is its lowest bit.
    fn signed(&mut self) -> io::Result<i64> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// Passes over a value that is written as a type, and fits it.
    fn value(&mut self, written: u8, kind: &Kind, depth: u32) -> io::Result<()> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(wrong("values stand too deep within values"));
        };
        match written {
            // A field's truth value stands in its type.
            TRUE | FALSE => Ok(()),
            BYTE => self.skip(1),
            I16 | I32 | I64 => {
                // The crate reads the lowest 32 bits.
                let number = self.signed()? as i32;
                if matches!(kind, Kind::Children) {
                    self.children = u64::try_from(number)
                        .map_err(|_| wrong("its schema has a group of less than no fields"))?;
                }
                Ok(())
            }
            DOUBLE => self.skip(8),
            UUID => self.skip(16),
            BINARY => {
                let length = self.number()?;
                self.skip(length)
            }
            LIST | SET => self.list(kind, depth),
            MAP => self.map(depth),
            STRUCT => self.fields(kind.structure(), depth),
            _ => Err(wrong("a value has a type that is none")),
        }
    }

    fn fields(&mut self, structure: &Structure, depth: u32) -> io::Result<()> {
        let mut number = 0;
        loop {
            let head = self.byte()?;
            let written = head & 15;
            if written == STOP {
                return Ok(());
            }
            number = match i16::from(head >> 4) {
                // The number is written out; the crate reads its lowest 16 bits.
                0 => self.signed()? as i16,
                more => i16::checked_add(number, more)
                    .ok_or_else(|| wrong("a field has a number that is too large"))?,
            };
            let kind = structure.field(number);
            if !kind.fits(written) {
                let name = structure.name;
                return Err(wrong(&format!(
                    "field {number} of {name} is written as type {written}, which Parquet does not give it"
                )));
            }
            self.value(written, kind, depth)?;
        }
    }

    fn list(&mut self, kind: &Kind, depth: u32) -> io::Result<()> {
        let head = self.byte()?;
        // Some programs write an empty list without the type of its elements.
        if head == 0 {
            return Ok(());
        }
        let count = match head >> 4 {
            15 => self.number()?,
            few => few.into(),
        };
        let written = element(head & 15)?;
        if count > 0 && !kind.element().fits(written) {
            return Err(wrong(&format!(
                "a list has elements of type {written}, which Parquet does not give it"
            )));
        }
        let mut tree = matches!(kind, Kind::Schema(_)).then(Tree::default);
        // Each takes a byte at least, so their number is that of the bytes at most.
        for _ in 0..count {
            self.children = 0;
            self.value(written, kind.element(), depth)?;
            if let Some(tree) = &mut tree {
                tree.add(self.children)?;
            }
        }
        tree.map_or(Ok(()), |tree| tree.end())
    }

    /// Passes over a map; Parquet has none.
    fn map(&mut self, depth: u32) -> io::Result<()> {
        let count = self.number()?;
        if count == 0 {
            return Ok(());
        }
        let kinds = self.byte()?;
        let (key, value) = (element(kinds >> 4)?, element(kinds & 15)?);
        for _ in 0..count {
            self.value(key, &Kind::Any, depth)?;
            self.value(value, &Kind::Any, depth)?;
        }
        Ok(())
    }
}

/// The type of a list's elements; not truth values, in which the crate would lose itself.
fn element(written: u8) -> io::Result<u8> {
    if matches!(written, TRUE | FALSE) {
        return Err(wrong(
            "a list of truth values stands where Parquet has none",
        ));
    }
    Ok(written)
}
