//! The text of a chart: what the plotting crate wrote, made fit for a page that holds several.

use std::fmt::Write;

use maud::{Markup, PreEscaped, Render};

use super::axes::Chart;

/// A chart, or other drawing, as SVG.
#[derive(Clone, Debug)]
pub(crate) struct Svg {
    text: String,
    /// Values that have no place in it.
    pub(crate) omitted: usize,
}

impl Render for Svg {
    fn render(&self) -> Markup {
        PreEscaped(self.text.clone())
    }
}

impl Svg {
    /// `text` is what the plotting crate wrote.
    ///
    /// The names within it get the chart's own, since those of several charts would be the same; it is as
    /// wide as its column; and it says what it is.
    pub(super) fn new(chart: &Chart<'_>, text: String, omitted: usize) -> Self {
        let Some((head, body)) = text.split_once('>') else {
            return Self { text, omitted };
        };
        let side = |name: &str| {
            let value = head
                .split_once(&format!(" {name}=\""))
                .map(|(_, rest)| rest);
            let value = value
                .and_then(|rest| rest.split_once('"'))
                .map(|(value, _)| value);
            value.unwrap_or("100").to_owned()
        };
        let mut own = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" \
             font-family=\"system-ui, sans-serif\" fill=\"var(--text)\" aria-label=\"",
            side("width"),
            side("height")
        );
        let _ = write!(own, "{}\">", maud::html! { (chart.alt) }.into_string());
        let body = without(body, "<!--", "-->");
        let body = without(&body, "<style>", "</style>");
        own.push_str(&body.replace("kuva-clip-", &format!("{}-clip-", chart.id)));
        Self { text: own, omitted }
    }
}

/// `text` without the first thing between `from` and `to`.
fn without(text: &str, from: &str, to: &str) -> String {
    match text.split_once(from) {
        Some((before, rest)) => {
            let after = rest.split_once(to).map_or("", |(_, after)| after);
            format!("{before}{after}")
        }
        None => text.to_owned(),
    }
}
