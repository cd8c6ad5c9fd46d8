//! Quotes in a CSV or TSV file: an unpaired quote would swallow the rows after it.
//!
//! The scan follows the crate `csv` byte by byte: a quote encloses a cell only where it is the cell's first
//! byte, a doubled one stands for itself, and everywhere else it is a letter.

use std::borrow::Cow;

/// What was found.
pub(super) struct Checked<'a> {
    /// The text, in which every quote that encloses a cell is closed.
    pub(super) text: Cow<'a, [u8]>,
    /// Cells that go over more than one line, in order.
    pub(super) cells: Vec<Cell>,
}

/// An enclosed cell of more than one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// Number of the line that it begins in, from 1.
    pub(super) line: u64,
    /// First byte after the opening quote, in the text that was given.
    begin: usize,
    /// The closing quote.
    end: usize,
}

impl Cell {
    /// The lines of the cell after the first, each with its number.
    pub(super) fn lines<'a>(&self, text: &'a [u8]) -> impl Iterator<Item = (u64, &'a [u8])> {
        let lines = text[self.begin..self.end].split(|&byte| byte == b'\n');
        (self.line..).zip(lines).skip(1)
    }
}

/// How a cell ends that begins with a quote.
enum End {
    /// At this quote, which a delimiter, a line's end or blanks follow.
    Closed(usize),
    /// At this quote, which something else follows: it belongs to another cell, most likely.
    Torn(usize),
    Never,
}

/// Looks for quotes that enclose more than they should. In a file of `delimiter` tabs, quotes are letters
/// unless they enclose a whole cell and no line in it `is_row`; elsewhere a quote that is never closed, or
/// closed in the middle of a cell of another line, is an error. It has the line.
pub(super) fn check<'a>(
    text: &'a [u8],
    delimiter: u8,
    is_row: &dyn Fn(&[u8]) -> bool,
) -> Result<Checked<'a>, (u64, String)> {
    let lenient = delimiter == b'\t';
    let (mut cells, mut letters) = (Vec::new(), Vec::new());
    let mut line = 1;
    let mut at = if text.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    while at < text.len() {
        let begin = at + 1;
        let end = match text[at] {
            b'"' => end(text, begin, delimiter),
            _ => {
                at = cell_end(text, at, delimiter);
                line += u64::from(text.get(at) == Some(&b'\n'));
                at += 1;
                continue;
            }
        };
        let close = match end {
            End::Closed(close) | End::Torn(close) => close,
            End::Never => text.len(),
        };
        let cell = Cell {
            line,
            begin,
            end: close,
        };
        let over = memchr::memchr(b'\n', &text[begin..close]).is_some();
        let swallows = || cell.lines(text).any(|(_, line)| is_row(line));
        let whole = match end {
            End::Closed(_) => !(lenient && over && swallows()),
            End::Torn(_) => !lenient && !over,
            End::Never => false,
        };
        if whole {
            if over {
                cells.push(cell);
            }
            line += memchr::memchr_iter(b'\n', &text[begin..close]).count() as u64;
            at = cell_end(text, close + 1, delimiter);
        } else if lenient {
            at = cell_end(text, begin, delimiter);
            letters.push((begin - 1, at));
        } else {
            let closed = line + memchr::memchr_iter(b'\n', &text[begin..close]).count() as u64;
            let what = match end {
                End::Torn(_) => format!("closed in the middle of a cell of line {closed}"),
                _ => "never closed".to_owned(),
            };
            let message = format!(
                "a quote that begins a cell is {what}, so that the rows behind it would be part of that cell: \
                 close it, double it inside of quotes, or remove it"
            );
            return Err((line, message));
        }
        line += u64::from(text.get(at) == Some(&b'\n'));
        at += 1;
    }
    Ok(Checked {
        text: enclosed(text, &letters),
        cells,
    })
}

/// The delimiter, the line feed or the end of the text after `at`.
fn cell_end(text: &[u8], at: usize, delimiter: u8) -> usize {
    memchr::memchr2(delimiter, b'\n', &text[at..]).map_or(text.len(), |found| at + found)
}

/// Where the cell ends whose first byte after its quote is at `begin`.
fn end(text: &[u8], begin: usize, delimiter: u8) -> End {
    let mut at = begin;
    while let Some(found) = memchr::memchr(b'"', &text[at..]) {
        let close = at + found;
        if text.get(close + 1) == Some(&b'"') {
            at = close + 2;
            continue;
        }
        let rest = &text[close + 1..cell_end(text, close + 1, delimiter)];
        return match rest.iter().all(u8::is_ascii_whitespace) {
            true => End::Closed(close),
            false => End::Torn(close),
        };
    }
    End::Never
}

/// The text with these cells, which begin with a quote that is a letter, put into quotes.
fn enclosed<'a>(text: &'a [u8], letters: &[(usize, usize)]) -> Cow<'a, [u8]> {
    if letters.is_empty() {
        return text.into();
    }
    let (mut made, mut done) = (Vec::with_capacity(text.len() + 4 * letters.len()), 0);
    for &(begin, end) in letters {
        made.extend_from_slice(&text[done..begin]);
        made.push(b'"');
        for &byte in &text[begin..end] {
            made.push(byte);
            if byte == b'"' {
                made.push(byte);
            }
        }
        made.push(b'"');
        done = end;
    }
    made.extend_from_slice(&text[done..]);
    made.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cells(text: &[u8], delimiter: u8, quoting: bool) -> Vec<Vec<Vec<u8>>> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(csv::Terminator::Any(b'\n'))
            .delimiter(delimiter)
            .quoting(quoting)
            .from_reader(text);
        let records = reader.byte_records().map(Result::unwrap);
        records
            .map(|record| record.iter().map(<[u8]>::to_vec).collect())
            .collect()
    }

    proptest! {
        /// Without a row in a cell, the number of the last line is what the crate counts.
        #[test]
        fn cells_of_lines_are_those_that_the_crate_reads(text in "[ab,\"\n ]{0,24}") {
            let Ok(checked) = check(text.as_bytes(), b',', &|_| false) else { return Ok(()) };
            prop_assert_eq!(&*checked.text, text.as_bytes());
            let read = cells(text.as_bytes(), b',', true);
            let over = read.iter().flatten().filter(|cell| cell.contains(&b'\n')).count();
            prop_assert_eq!(checked.cells.len(), over);
        }

        /// If every line is a row, quotes of a TSV never join two.
        #[test]
        fn lines_of_tabs_stay_rows(text in "[ab\t\"\n]{0,24}") {
            let checked = check(text.as_bytes(), b'\t', &|_| true).unwrap();
            let read = cells(&checked.text, b'\t', true);
            let plain = cells(text.as_bytes(), b'\t', false);
            prop_assert_eq!(read.len(), plain.len());
            for (line, (read, plain)) in read.iter().zip(&plain).enumerate() {
                if !plain.iter().any(|cell| cell.starts_with(b"\"")) {
                    prop_assert_eq!(read, plain, "line {}", line);
                }
            }
        }
    }

    #[test]
    fn a_quote_that_stands_alone_is_an_error_in_its_line_or_a_letter() {
        let error = |text: &str| check(text.as_bytes(), b',', &|_| false).err().unwrap();
        let (line, message) = error("a,\"b\"\n\n\"c\"\"\nd");
        assert_eq!(line, 3);
        assert!(message.contains("never closed"), "{message}");
        let (line, message) = error("a\nb,\"c\nd\"e\n");
        assert_eq!(line, 2);
        assert!(message.contains("of line 3"), "{message}");
        let checked = check(b"a\t\"b\n\"c\"\td\"\n", b'\t', &|_| false).unwrap();
        assert_eq!(&*checked.text, b"a\t\"\"\"b\"\n\"c\"\td\"\n");
    }
}
