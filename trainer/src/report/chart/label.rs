//! Names within a chart.

use shardmill_formats::Printable;

/// Most letters of what hovering shows.
const LONGEST_HOVER: usize = 200;
/// Most letters of a label.
const LONGEST_LABEL: usize = 60;

/// A name from anywhere, on one line, without control characters, and not too long.
fn shortened(text: &str, letters: usize) -> String {
    let text = Printable(text).to_string();
    match text.char_indices().nth(letters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// What hovering shows.
pub(super) fn hover(text: &str) -> String {
    shortened(text, LONGEST_HOVER)
}

/// A label. The plotting crate reads text between dollar signs as a formula, which no name is.
pub(super) fn label(text: &str) -> String {
    shortened(text, LONGEST_LABEL).replace('$', "＄")
}
