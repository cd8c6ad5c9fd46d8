//! The shape of a schema: a list of elements that says of each how many of those behind it are its fields.

use std::io;

use super::wrong;

/// Most groups within groups. The crate calls itself for each, and a list within a list takes four.
const DEPTH: usize = 256;

/// The groups that an element may stand in, outermost first, by the number of fields that each still misses.
#[derive(Default)]
pub(super) struct Tree {
    open: Vec<u64>,
}

impl Tree {
    /// Adds an element with so many fields.
    ///
    /// # Errors
    /// If it stands too deep.
    pub(super) fn add(&mut self, fields: u64) -> io::Result<()> {
        while self.open.pop_if(|missing| *missing == 0).is_some() {}
        if let Some(missing) = self.open.last_mut() {
            *missing -= 1;
        }
        if fields > 0 {
            self.open.push(fields);
        }
        if self.open.len() > DEPTH {
            return Err(wrong("groups of its schema stand too deep within groups"));
        }
        Ok(())
    }

    /// Ends the schema.
    ///
    /// # Errors
    /// If a group misses fields. The crate takes memory for all that a group claims.
    pub(super) fn end(&self) -> io::Result<()> {
        if self.open.iter().any(|missing| *missing > 0) {
            return Err(wrong("its schema claims more fields than it has"));
        }
        Ok(())
    }
}
