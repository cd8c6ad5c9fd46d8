//! The pages of a Parquet column, looked at before they are decoded.
//!
//! The crate that reads Parquet takes memory for as many values as a dictionary claims, before it looks whether the
//! page has them: 32 bytes for each of up to two thousand million.

use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::RowGroupReader;

/// Bytes of the shortest value of a dictionary: the length of an empty text, or a whole number of 32 bits.
const SHORTEST: usize = 4;

/// The reader of a column of texts or whole numbers.
pub(super) fn column(group: &dyn RowGroupReader, at: usize) -> Result<ColumnReader> {
    let pages = CheckedPages(group.get_column_page_reader(at)?);
    let column = group.metadata().column(at).column_descr_ptr();
    Ok(get_column_reader(column, Box::new(pages)))
}

struct CheckedPages(Box<dyn PageReader>);

impl Iterator for CheckedPages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for CheckedPages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        self.0.get_next_page()?.map(checked).transpose()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.0.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.0.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.0.at_record_boundary()
    }
}

/// Refuses a dictionary that claims more values than it can have.
fn checked(page: Page) -> Result<Page> {
    let Page::DictionaryPage { buf, .. } = &page else {
        return Ok(page);
    };
    let (claimed, most) = (page.num_values() as usize, buf.len() / SHORTEST);
    if claimed > most {
        return Err(ParquetError::General(format!(
            "a dictionary claims {claimed} values, and has room for {most}"
        )));
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use parquet::basic::Encoding;

    use super::*;

    #[test]
    fn a_dictionary_has_room_for_the_values_that_it_claims() {
        let page = |num_values, length| Page::DictionaryPage {
            buf: Bytes::from(vec![0; length]),
            num_values,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        for (values, length) in [(0, 0), (1, 4), (3, 15), (4, 16)] {
            assert!(checked(page(values, length)).is_ok(), "{values} {length}");
        }
        for (values, length) in [(1, 3), (4, 15), (u32::MAX, 1000)] {
            let refused = checked(page(values, length)).unwrap_err().to_string();
            assert!(refused.contains("claims"), "{refused}");
        }
    }
}
