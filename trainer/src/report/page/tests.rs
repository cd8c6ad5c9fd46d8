use maud::html;

use super::*;
use crate::report::chart::{Axis, Chart, Point, Series, Size, lines};

fn chart(id: &str) -> Figure {
    let chart = Chart {
        id,
        alt: "a line",
        x: Axis::default(),
        y: Axis::default(),
        size: Size::default(),
    };
    let series = Series {
        points: vec![Point::new(0.0, 1.0), Point::new(1.0, f64::NAN)],
        ..Series::default()
    };
    Figure::chart(&lines(&chart, &[series]), html! { "A line." })
}

fn page() -> Page {
    Page {
        title: "</title><script>alert(1)</script>\u{1b}".to_owned(),
        lead: html! { p { "lead" } },
        sections: vec![
            Section {
                id: "first",
                title: "<First>".to_owned(),
                blocks: vec![
                    Block::Figure(chart("a")),
                    Block::Row(vec![chart("b"), chart("c")]),
                ],
            },
            Section {
                id: "second",
                title: "Second".to_owned(),
                blocks: vec![
                    Block::Fold {
                        summary: "All".to_owned(),
                        blocks: vec![Block::Table(Table {
                            caption: html! { "Numbers." },
                            head: vec![Column::words("name"), Column::numbers("value")],
                            rows: vec![vec![html! { "<b>" }, html! { "1" }]],
                        })],
                    },
                    Block::Missing("no <images>; give --shards".to_owned()),
                ],
            },
        ],
        foot: html! {},
    }
}

#[test]
fn figures_and_tables_are_numbered_in_their_order() {
    let text = page().html();
    for number in 1..=3 {
        assert_eq!(text.matches(&format!("Figure {number}. ")).count(), 1);
    }
    assert!(text.contains("Table 1. "));
    assert!(text.contains("left out: 1."), "{text}");
}

#[test]
fn text_is_escaped_and_nothing_is_fetched() {
    let text = page().html();
    assert!(!text.contains("<script") && !text.contains('\u{1b}'));
    for own in ["&lt;First&gt;", "&lt;b&gt;", "no &lt;images&gt;"] {
        assert!(text.contains(own), "{own}");
    }
    for address in [
        "src=\"http",
        "href=\"http",
        "url(http",
        "@import",
        "src=\"//",
    ] {
        assert!(!text.contains(address), "{address}");
    }
}

#[test]
fn contents_lead_to_the_sections() {
    let text = page().html();
    for id in ["first", "second"] {
        assert!(text.contains(&format!("href=\"#{id}\"")));
        assert_eq!(text.matches(&format!("id=\"{id}\"")).count(), 1);
    }
}
