//! What a section is made of.

use maud::{Markup, PreEscaped, html};

use crate::report::chart::Svg;

/// A part of a section.
#[derive(Debug)]
pub(crate) enum Block {
    /// Text as it is.
    Prose(Markup),
    /// A heading within the section.
    Heading(String),
    /// A figure as wide as the page.
    Figure(Figure),
    /// Figures side by side where there is room.
    Row(Vec<Figure>),
    /// A table with its number.
    Table(Table),
    /// Something that is shown on a click, such as a long list.
    Fold { summary: String, blocks: Vec<Block> },
    /// What is not there, and how to get it.
    Missing(String),
}

/// A figure with its number and caption.
#[derive(Debug)]
pub(crate) struct Figure {
    body: Markup,
    caption: Markup,
    omitted: usize,
}

impl Figure {
    /// A chart.
    pub(crate) fn chart(svg: &Svg, caption: Markup) -> Self {
        Self {
            body: maud::Render::render(svg),
            caption,
            omitted: svg.omitted,
        }
    }

    /// Charts under each other; `omitted` values have no place in them.
    pub(crate) fn charts(charts: &[&Svg], caption: Markup, omitted: usize) -> Self {
        Self {
            body: html! { @for chart in charts { (chart) } },
            caption,
            omitted,
        }
    }

    /// Pictures, or whatever shows something.
    pub(crate) const fn new(body: Markup, caption: Markup) -> Self {
        Self {
            body,
            caption,
            omitted: 0,
        }
    }

    fn html(&self, numbers: &mut Numbers) -> Markup {
        numbers.figures += 1;
        html! {
            figure id=(format!("figure-{}", numbers.figures)) {
                (self.body)
                figcaption {
                    b { "Figure " (numbers.figures) ". " }
                    (self.caption)
                    @if self.omitted > 0 {
                        " Values that are no numbers, or not above 0 on a logarithmic axis, are left out: "
                        (self.omitted) "."
                    }
                }
            }
        }
    }
}

/// A table with its number and caption; one that is folded away has no number, so that the numbers in sight have no
/// gaps. Rows may be longer than a screen is wide: it scrolls by itself, and shadows at its edges show that.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) caption: Markup,
    /// The heads of the columns.
    pub(crate) head: Vec<Column>,
    /// Cells; each row is as long as the head.
    pub(crate) rows: Vec<Vec<Markup>>,
}

/// The head of a column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    title: String,
    is_number: bool,
    is_wide: bool,
}

impl Column {
    /// A column of words.
    pub(crate) fn words(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            is_number: false,
            is_wide: false,
        }
    }

    /// A column of numbers, which stand under each other.
    pub(crate) fn numbers(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            is_number: true,
            is_wide: false,
        }
    }

    /// A column of words that has room for several on a line, on a phone too.
    pub(crate) fn wide(title: impl Into<String>) -> Self {
        Self {
            is_wide: true,
            ..Self::words(title)
        }
    }
}

impl Table {
    fn html(&self, numbers: &mut Numbers) -> Markup {
        let id = if numbers.folds > 0 {
            numbers.hidden += 1;
            format!("folded-table-{}", numbers.hidden)
        } else {
            numbers.tables += 1;
            format!("table-{}", numbers.tables)
        };
        let class = |place: usize| {
            let number = self.head.get(place).is_some_and(|column| column.is_number);
            let wide = self.head.get(place).is_some_and(|column| column.is_wide);
            number.then_some("number").or(wide.then_some("wide"))
        };
        let caption = format!("{id}-caption");
        html! {
            div.table id=(id) {
                p.caption id=(caption) {
                    @if numbers.folds == 0 { b { "Table " (numbers.tables) ". " } }
                    (self.caption)
                }
                div.scroll tabindex="0" role="region" aria-labelledby=(caption) {
                    table aria-labelledby=(caption) {
                    thead {
                        tr {
                            @for (place, column) in self.head.iter().enumerate() {
                                th scope="col" class=[class(place)] { (column.title) }
                            }
                        }
                    }
                    tbody {
                        @for row in &self.rows {
                            tr {
                                @for (place, cell) in row.iter().enumerate() {
                                    @if place == 0 {
                                        th scope="row" class=[class(place)] { (cell) }
                                    } @else {
                                        td class=[class(place)] { (cell) }
                                    }
                                }
                            }
                        }
                    }
                    }
                }
            }
        }
    }
}

/// Figures and tables so far.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    figures: usize,
    tables: usize,
    /// Tables that are folded away, and folds around the block.
    hidden: usize,
    folds: usize,
}

impl Block {
    /// The block, and all that are folded in it.
    pub(crate) fn all(&self) -> Vec<&Self> {
        let inner = match self {
            Self::Fold { blocks, .. } => blocks.iter().flat_map(Self::all).collect(),
            _ => Vec::new(),
        };
        std::iter::once(self).chain(inner).collect()
    }

    pub(super) fn html(&self, numbers: &mut Numbers) -> Markup {
        match self {
            Self::Prose(text) => html! { (PreEscaped(&text.0)) },
            Self::Heading(title) => html! { h3 { (title) } },
            Self::Figure(figure) => figure.html(numbers),
            Self::Row(figures) => html! {
                div.row { @for figure in figures { (figure.html(numbers)) } }
            },
            Self::Table(table) => table.html(numbers),
            Self::Fold { summary, blocks } => {
                numbers.folds += 1;
                let inner: Vec<Markup> = blocks.iter().map(|block| block.html(numbers)).collect();
                numbers.folds -= 1;
                html! {
                    details {
                        summary { (summary) }
                        @for block in &inner { (block) }
                    }
                }
            }
            Self::Missing(text) => html! {
                p.missing { b { "Not here. " } (super::super::text::coded(text)) }
            },
        }
    }
}
