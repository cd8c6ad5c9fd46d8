//! Text from datasets and numbers, as a page shows them.

use maud::{Markup, html};
use shardmill_formats::Printable;

/// Most letters of a name.
const LONGEST: usize = 80;

/// Text from anywhere, on one line and without control characters.
pub(crate) fn line(text: &str) -> String {
    Printable(text).to_string()
}

/// A name from anywhere: on one line, without control characters, and cut where it is too long to read.
pub(crate) fn name(text: &str) -> String {
    let text = line(text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Text from anywhere as [`line`], what stands between backticks as code.
pub(crate) fn coded(text: &str) -> Markup {
    let text = line(text);
    let parts: Vec<&str> = text.split('`').collect();
    // Of an odd number of backticks, one has no partner.
    if parts.len().is_multiple_of(2) {
        return html! { (text) };
    }
    html! {
        @for (place, part) in parts.iter().enumerate() {
            @if place.is_multiple_of(2) { (part) } @else { code { (part) } }
        }
    }
}

/// `60,965,224`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time in words: `2 h 5 min`, `41 s`.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    let (hours, minutes) = (whole / 3600, whole / 60 % 60);
    match (hours, minutes) {
        (0, 0) => format!("{whole} s"),
        (0, _) => format!("{minutes} min {} s", whole % 60),
        _ => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_times_are_words() {
        assert_eq!(
            [0, 999, 1000, 60_965_224].map(grouped).join(" "),
            "0 999 1,000 60,965,224"
        );
        assert_eq!(
            [0.4, 59.6, 3599.0, 7500.0, f64::NAN]
                .map(duration)
                .join(", "),
            "0 s, 1 min 0 s, 59 min 59 s, 2 h 5 min, 0 s"
        );
    }

    #[test]
    fn a_name_is_short_and_on_one_line() {
        assert_eq!(name("tench\n\u{1b}[2J"), r"tench\u000a\u001b[2J");
        assert_eq!(name(&"ö".repeat(500)).chars().count(), 81);
    }
}
