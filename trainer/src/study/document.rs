//! What a study reports: text, tables and figures, once for people who read Markdown and once as a page.

use std::fmt::Write;

use maud::{Markup, html};
use shardmill_formats::Printable;

use crate::report::chart::Svg;
use crate::report::page::{
    Block, Column, Figure as PageFigure, Page, Section as PageSection, Table as PageTable,
};
use crate::study::figure::standalone;

/// A report.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// The heading.
    pub(crate) title: String,
    /// What stands below it, in sentences.
    pub(crate) lead: Vec<String>,
    /// Its parts.
    pub(crate) sections: Vec<Section>,
}

/// A part of a report.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    /// Letters only; unique.
    pub(crate) id: &'static str,
    /// The heading.
    pub(crate) title: String,
    /// What it says.
    pub(crate) parts: Vec<Part>,
}

/// A piece of a section.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// Sentences.
    Text(Vec<String>),
    /// A table.
    Table(Table),
    /// A figure.
    Figure(Figure),
}

/// A table; its first column has words, the others numbers.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// What it shows.
    pub(crate) caption: String,
    /// The heads of its columns.
    pub(crate) head: Vec<String>,
    /// Its cells; each row is as long as the head.
    pub(crate) rows: Vec<Vec<String>>,
}

/// A figure.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// The file that Markdown shows, without its folder.
    pub(crate) file: String,
    /// The chart.
    pub(crate) svg: Svg,
    /// What it shows.
    pub(crate) caption: Vec<String>,
}

impl Document {
    /// The report as Markdown, each sentence on a line; figures are files beside it.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("# {}\n\n{}\n", self.title, self.lead.join("\n"));
        for section in &self.sections {
            let _ = write!(text, "\n## {}\n", section.title);
            for part in &section.parts {
                text.push('\n');
                match part {
                    Part::Text(sentences) => text.push_str(&(sentences.join("\n") + "\n")),
                    Part::Table(table) => text.push_str(&table.markdown()),
                    Part::Figure(figure) => {
                        let caption = figure.caption.join("\n");
                        let alt = figure.caption.first().map_or("", |first| first);
                        let _ = write!(text, "![{alt}]({})\n\n{caption}\n", figure.file);
                    }
                }
            }
        }
        text
    }

    /// The report as a page that holds its figures itself.
    pub(crate) fn page(&self, foot: Markup) -> Page {
        let section = |section: &Section| PageSection {
            id: section.id,
            title: section.title.clone(),
            blocks: section.parts.iter().map(Part::block).collect(),
        };
        Page {
            title: self.title.clone(),
            lead: paragraph(&self.lead),
            sections: self.sections.iter().map(section).collect(),
            foot,
        }
    }

    /// The figures, each with its file's name and its text for a file of its own.
    pub(crate) fn figures(&self) -> Vec<(&str, String)> {
        let mut found = Vec::new();
        for part in self.sections.iter().flat_map(|section| &section.parts) {
            if let Part::Figure(figure) = part {
                found.push((&*figure.file, standalone(&figure.svg)));
            }
        }
        found
    }

    /// The tables as text.
    pub(crate) fn tables(&self) -> Vec<String> {
        let parts = self.sections.iter().flat_map(|section| &section.parts);
        let table = |part: &Part| match part {
            Part::Table(table) => Some(table.text()),
            _ => None,
        };
        parts.filter_map(table).collect()
    }
}

impl Part {
    fn block(&self) -> Block {
        match self {
            Self::Text(sentences) => Block::Prose(paragraph(sentences)),
            Self::Table(table) => Block::Table(table.html()),
            Self::Figure(figure) => {
                let caption = figure.caption.join(" ");
                Block::Figure(PageFigure::chart(&figure.svg, marked(&caption)))
            }
        }
    }
}

impl Table {
    fn markdown(&self) -> String {
        // A bar would end the cell.
        let row = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let rule: Vec<&str> = (0..self.head.len())
            .map(|place| if place == 0 { "---" } else { "---:" })
            .collect();
        let rows: String = self.rows.iter().map(|cells| row(cells)).collect();
        format!(
            "{}| {} |\n{rows}\n{}\n",
            row(&self.head),
            rule.join(" | "),
            self.caption
        )
    }

    /// For a terminal: columns under each other, with the caption above.
    fn text(&self) -> String {
        let lines = || std::iter::once(&self.head).chain(&self.rows);
        let width = |place: usize| {
            lines()
                .map(|cells| cells[place].chars().count())
                .max()
                .unwrap_or_default()
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let mut text = format!("{}\n", Printable(&self.caption));
        for cells in lines() {
            for (place, (cell, &width)) in cells.iter().zip(&widths).enumerate() {
                let cell = Printable(cell).to_string();
                let gap = if place == 0 { "" } else { "  " };
                let _ = match place {
                    0 => write!(text, "{cell:<width$}"),
                    _ => write!(text, "{gap}{cell:>width$}"),
                };
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }

    fn html(&self) -> PageTable {
        let column = |(place, title): (usize, &String)| match place {
            0 => Column::words(title),
            _ => Column::numbers(title),
        };
        let cell = |cell: &String| html! { (cell) };
        PageTable {
            caption: marked(&self.caption),
            head: self.head.iter().enumerate().map(column).collect(),
            rows: self
                .rows
                .iter()
                .map(|row| row.iter().map(cell).collect())
                .collect(),
        }
    }
}

fn paragraph(sentences: &[String]) -> Markup {
    html! { p { (marked(&sentences.join(" "))) } }
}

/// Text in which Markdown's backticks are code.
fn marked(text: &str) -> Markup {
    html! {
        @for (number, piece) in text.split('`').enumerate() {
            @if number % 2 == 1 { code { (piece) } } @else { (piece) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Table, marked};

    #[test]
    fn backticks_are_code_on_a_page_and_text_is_escaped() {
        let html = marked("a `b < c` d").into_string();
        assert_eq!(html, "a <code>b &lt; c</code> d");
    }

    #[test]
    fn a_table_is_the_same_in_markdown_and_as_text() {
        let table = Table {
            caption: "Errors.".to_owned(),
            head: ["arm", "error"].map(str::to_owned).into(),
            rows: vec![
                ["a|b", "1.50"].map(str::to_owned).into(),
                ["c", "12.25"].map(str::to_owned).into(),
            ],
        };
        let expected =
            "| arm | error |\n| --- | ---: |\n| a\\|b | 1.50 |\n| c | 12.25 |\n\nErrors.\n";
        assert_eq!(table.markdown(), expected);
        assert_eq!(
            table.text(),
            "Errors.\narm  error\na|b   1.50\nc    12.25\n"
        );
    }
}
