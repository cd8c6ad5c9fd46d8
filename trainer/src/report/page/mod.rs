//! One self-contained page: sections of text, numbered figures and tables, and the style sheet.
//!
//! Nothing on a page is fetched from anywhere, and no script runs on it. Text that is put into markup is
//! escaped there; text from datasets also goes through [`text`](super::text).

mod block;
mod file;

pub(crate) use block::{Block, Column, Figure, Table};
pub(crate) use file::{PageFileError, check_free, write};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use block::Numbers;

/// A page.
#[derive(Debug)]
pub(crate) struct Page {
    /// For the title bar and the heading; text from anywhere.
    pub(crate) title: String,
    /// What stands between the heading and the table of contents.
    pub(crate) lead: Markup,
    pub(crate) sections: Vec<Section>,
    /// The last lines: what wrote the page from what.
    pub(crate) foot: Markup,
}

/// A part of a page with its heading.
#[derive(Debug)]
pub(crate) struct Section {
    /// Unique on the page, for links; letters, digits and `-`.
    pub(crate) id: &'static str,
    pub(crate) title: String,
    pub(crate) blocks: Vec<Block>,
}

/// Pictures within the page, and its own styles; nothing runs.
const POLICY: &str = "script-src 'none'; connect-src 'none'; font-src 'none'; frame-src 'none'; media-src 'none'; \
                      object-src 'none'; base-uri 'none'; form-action 'none'; img-src data:";

const STYLE: &str = include_str!("style.css");

/// The style sheet's colours, light and dark, for a drawing in a file of its own.
pub(crate) fn colours() -> &'static str {
    STYLE.split("\n* ").next().unwrap_or(STYLE)
}

impl Page {
    /// The page as HTML.
    pub(crate) fn html(&self) -> String {
        let mut numbers = Numbers::default();
        let title = super::text::line(&self.title);
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    // Nothing is loaded from anywhere, whatever a name in the page looks like.
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    link rel="icon" href="data:,";
                    title { (title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    header {
                        h1 { (title) }
                        (self.lead)
                    }
                    @if self.sections.len() > 1 {
                        nav aria-label="Contents" {
                            h2 { "Contents" }
                            ol {
                                @for section in &self.sections {
                                    li { a href=(format!("#{}", section.id)) { (section.title) } }
                                }
                            }
                        }
                    }
                    main {
                        @for section in &self.sections {
                            section id=(section.id) {
                                h2 { (section.title) }
                                @for block in &section.blocks { (block.html(&mut numbers)) }
                            }
                        }
                    }
                    footer { (self.foot) }
                }
            }
        };
        page.into_string()
    }
}

#[cfg(test)]
mod tests;
