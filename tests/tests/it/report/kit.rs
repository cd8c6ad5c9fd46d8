//! Runs and their pages, made as a user makes them, and what holds for every page.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Deref;
use std::path::Path;

use serde_json::Value;
use shardmill_tests::{HtmlPage, Work, write_small};

/// A narrow network, and a log line at every step.
pub(super) const FLAGS: &str = "--width 0.05 --crop 64 --batch-size 8 --lr 0.001 --log-every 1";

/// The most that a page may take, in bytes.
const LARGEST: usize = 5_000_000;

/// A folder of datasets, runs and pages.
pub(super) struct Pages(Work);

impl Deref for Pages {
    type Target = Work;

    fn deref(&self) -> &Work {
        &self.0
    }
}

impl Pages {
    pub(super) fn new() -> Self {
        Self(Work::new())
    }

    /// A dataset in `shards` with so many images of each class in each split.
    pub(super) fn dataset(&self, classes: &[&str], splits: &[(&str, u32)]) {
        write_small(&self.path("tree"), classes, splits);
        self.ingest("tree", "shards");
    }

    pub(super) fn train(&self, flags: &str) {
        self.say(&format!("--shards @shards --out @run {FLAGS} {flags}"));
    }

    /// The page about the run, which is kept as `name`.
    pub(super) fn report(&self, name: &str, flags: &str) -> Report {
        let out = format!("{name}.html");
        let line = format!("report @run --out @{out} --json {flags}");
        let json = self.say(&line);
        let html = fs::read_to_string(self.path(&out)).unwrap();
        if let Some(folder) = std::env::var_os("SHARDMILL_REPORT_PAGES") {
            fs::create_dir_all(&folder).unwrap();
            fs::write(Path::new(&folder).join(out), &html).unwrap();
        }
        let page = HtmlPage::read(&html).unwrap_or_else(|error| panic!("{name}: {error}"));
        let report = Report {
            json: serde_json::from_str(&json).unwrap(),
            page,
            html,
        };
        report.check();
        report
    }
}

/// A page and what the program said about it.
pub(super) struct Report {
    pub(super) json: Value,
    pub(super) html: String,
    page: HtmlPage,
}

impl Report {
    /// What holds for every page.
    fn check(&self) {
        let page = &self.page;
        assert!(self.html.len() < LARGEST, "{} bytes", self.html.len());
        assert_eq!(self.json["bytes"], self.html.len());
        // Nothing is fetched, and nothing runs.
        for element in &page.elements {
            for (name, value) in &element.attributes {
                let is_address =
                    ["src", "href", "srcset", "action", "data", "poster"].contains(&&**name);
                assert!(
                    !is_address || value.starts_with("data:") || value.starts_with('#'),
                    "{name} of {} is {value:.60}",
                    element.name
                );
                let inner = value.replace("url(#", "");
                assert!(
                    !inner.contains("url("),
                    "{name} of {} is {value:.60}",
                    element.name
                );
                assert!(!name.starts_with("on"), "{name} of {}", element.name);
            }
            let running = ["script", "iframe", "object", "embed"];
            assert!(!running.contains(&&*element.name), "{}", element.name);
        }
        // A picture's letters may be any.
        let (first, pictures) = self.html.split_once(";base64,").unwrap_or((&self.html, ""));
        let rest = pictures
            .split(";base64,")
            .map(|part| part.split_once('"').map_or("", |both| both.1));
        let text: String = std::iter::once(first).chain(rest).collect();
        for word in [
            "@import",
            "url(http",
            "url(\"",
            "NaN",
            "http-equiv=\"refresh",
        ] {
            assert!(!text.contains(word), "{word}");
        }
        // Names within the page are there once, and links lead to them.
        let ids: Vec<&str> = page
            .elements
            .iter()
            .map(|element| element.attribute("id"))
            .collect();
        let ids: Vec<&str> = ids.into_iter().filter(|id| !id.is_empty()).collect();
        let known: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), known.len(), "an id is there twice");
        for link in page.all("a") {
            let target = link.attribute("href").trim_start_matches('#');
            assert!(known.contains(target), "{target}");
        }
        for used in self.html.split("url(#").skip(1) {
            let id = used.split_once(')').unwrap().0;
            assert!(known.contains(id), "{id}");
        }
        // Headings go down by one step, below the only first one.
        let level = |name: &str| {
            name.strip_prefix('h')
                .and_then(|digit| digit.parse::<u8>().ok())
        };
        let levels: Vec<u8> = page
            .elements
            .iter()
            .filter_map(|element| level(&element.name))
            .collect();
        assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1);
        assert!(
            levels.windows(2).all(|pair| pair[1] <= pair[0] + 1),
            "{levels:?}"
        );
        // Every figure shows something, is numbered in its order, and says what it is.
        let figures = page.elements.iter().enumerate();
        let figures: Vec<usize> = figures
            .filter(|(_, element)| element.name == "figure")
            .map(|(at, _)| at)
            .collect();
        for (number, at) in figures.iter().enumerate() {
            let caption = &page.within(*at, &["figcaption"])[0].text;
            assert!(
                caption.starts_with(&format!("Figure {}. ", number + 1)),
                "{caption}"
            );
            let drawn = page.within(*at, &["svg", "img"]);
            assert!(!drawn.is_empty(), "{caption}");
            for part in drawn {
                let alt = match &*part.name {
                    "svg" => part.attribute("aria-label"),
                    _ => part.attribute("alt"),
                };
                assert!(!alt.is_empty(), "{caption}");
            }
            for chart in page.within(*at, &["svg"]) {
                let inside = page
                    .elements
                    .iter()
                    .position(|other| std::ptr::eq(other, chart));
                let marks = page.within(inside.unwrap(), &["path", "circle", "rect", "image"]);
                // A picture with words around it is one mark.
                let is_picture = marks.iter().any(|mark| mark.name == "image");
                assert!(is_picture || marks.len() > 1, "{caption}: {}", marks.len());
            }
        }
        let said: u64 = self.json["sections"]
            .as_array()
            .unwrap()
            .iter()
            .map(|section| section["figures"].as_u64().unwrap())
            .sum();
        assert_eq!(said as usize, figures.len());
        // Everything that is missing is said on the page and by the program.
        let missing = page
            .all("p")
            .filter(|p| p.attribute("class") == "missing")
            .count();
        assert_eq!(self.json["missing"].as_array().unwrap().len(), missing);
    }

    pub(super) fn sections(&self) -> Vec<&str> {
        let sections = self.json["sections"].as_array().unwrap();
        sections
            .iter()
            .map(|section| section["id"].as_str().unwrap())
            .collect()
    }

    /// Figures of a section.
    pub(super) fn figures(&self, id: &str) -> u64 {
        let sections = self.json["sections"].as_array().unwrap();
        let found = sections.iter().find(|section| section["id"] == id);
        found.unwrap_or_else(|| panic!("{id}"))["figures"]
            .as_u64()
            .unwrap()
    }

    pub(super) fn missing(&self) -> String {
        let parts = self.json["missing"].as_array().unwrap();
        let reasons = parts.iter().map(|part| part["reason"].as_str().unwrap());
        reasons.collect::<Vec<_>>().join("\n")
    }

    pub(super) fn expect(&self, words: &[&str]) {
        for word in words {
            assert!(self.html.contains(word), "{word}");
        }
    }

    pub(super) fn photographs(&self) -> usize {
        self.html.matches("data:image/jpeg").count()
    }
}
