//! Text for a terminal: strings from a dataset cannot move the cursor, change the title, reorder a line
//! or begin a new one.

use std::borrow::Cow;
use std::fmt::{self, Write};

/// Displays a string from a dataset as one line: control characters, line separators and characters that
/// reorder a line are escaped like `\u001b`.
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `pad` keeps the width of a column.
        f.pad(&escape(self.0, |_| false))
    }
}

/// Text of several lines for a terminal: everything that [`Printable`] escapes is escaped, except line
/// feeds and tabs.
///
/// JSON has the same notation, so a JSON object stays the same object.
#[must_use]
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escape(text, |c| matches!(c, '\n' | '\t'))
}

fn escape(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let must_go = |c: char| acts(c) && !stays(c);
    let Some(first) = text.find(must_go) else {
        return Cow::Borrowed(text);
    };
    let mut escaped = String::with_capacity(text.len() + 16);
    escaped.push_str(&text[..first]);
    for c in text[first..].chars() {
        if must_go(c) {
            // All of them are below 0x10000: four digits are enough.
            write!(escaped, "\\u{:04x}", u32::from(c)).expect("a string takes all");
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Whether a terminal acts on a character instead of showing it.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}'..='\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_one_line_and_keeps_its_letters() {
        let shown = |text| Printable(text).to_string();
        assert_eq!(shown("tench, Tinca tinca"), "tench, Tinca tinca");
        assert_eq!(shown("Käse \u{1f9c0} \u{5b57}"), "Käse \u{1f9c0} \u{5b57}");
        assert_eq!(
            shown("\u{1b}]0;owned\u{7}\u{1b}[2J"),
            r"\u001b]0;owned\u0007\u001b[2J"
        );
        assert_eq!(
            shown("a\nerror: b\r\t\0\u{7f}"),
            r"a\u000aerror: b\u000d\u0009\u0000\u007f"
        );
        assert_eq!(
            shown("\u{9b}31m\u{202e}gpj\u{2066}\u{2069}\u{2028}"),
            r"\u009b31m\u202egpj\u2066\u2069\u2028"
        );
    }

    #[test]
    fn a_width_counts_for_names_too() {
        assert_eq!(format!("[{:<8}]", Printable("val")), "[val     ]");
        assert_eq!(format!("[{:>8}]", Printable("a\u{7}")), r"[ a\u0007]");
    }

    proptest! {
        #[test]
        fn no_text_gets_through_and_json_stays_the_same_object(text in ".{0,40}|[\0-\u{9f}\u{2020}-\u{2070}]{0,40}") {
            let line = Printable(&text).to_string();
            prop_assert!(!line.chars().any(acts));
            let json = serde_json::to_string(&text).unwrap();
            let sent = printable_lines(&json);
            prop_assert!(!sent.chars().any(acts));
            prop_assert_eq!(serde_json::from_str::<String>(&sent).unwrap(), text);
        }

        #[test]
        fn lines_stay_lines(lines in prop::collection::vec("[a-z\t]{0,9}", 0..5)) {
            let text = lines.join("\n");
            prop_assert_eq!(printable_lines(&text), text.as_str());
        }
    }
}
