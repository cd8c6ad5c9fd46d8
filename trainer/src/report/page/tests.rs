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

fn table(caption: &str) -> Table {
    Table {
        caption: html! { (caption) },
        head: vec![Column::words("name"), Column::numbers("value")],
        rows: vec![vec![html! { "<b>" }, html! { "1" }]],
    }
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
                    Block::Table(table("In sight.")),
                    Block::Fold {
                        summary: "All".to_owned(),
                        blocks: vec![Block::Table(table("Folded."))],
                    },
                    Block::Table(table("Last.")),
                    Block::Missing("no <images>; give `--shards <DIR>`".to_owned()),
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
    // A folded table does not count, so that no number is missing among those in sight.
    for caption in ["<b>Table 1. </b>In sight.", "<b>Table 2. </b>Last."] {
        assert!(text.contains(caption), "{caption}");
    }
    assert!(text.contains("id=\"folded-table-1-caption\">Folded."));
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
fn what_stands_between_backticks_is_code() {
    assert!(
        page()
            .html()
            .contains("give <code>--shards &lt;DIR&gt;</code>")
    );
    let coded = |text: &str| crate::report::text::coded(text).into_string();
    assert_eq!(coded("`a` and `b`"), "<code>a</code> and <code>b</code>");
    assert_eq!(coded("one ` alone"), "one ` alone");
}

#[test]
fn contents_lead_to_the_sections() {
    let text = page().html();
    for id in ["first", "second"] {
        assert!(text.contains(&format!("href=\"#{id}\"")));
        assert_eq!(text.matches(&format!("id=\"{id}\"")).count(), 1);
    }
}
