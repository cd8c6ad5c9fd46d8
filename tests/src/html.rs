//! A strict reader of the HTML that the programs write: enough to tell a well-formed page from another.

use std::collections::BTreeMap;

/// A page that was read.
#[derive(Debug, Default)]
pub struct HtmlPage {
    /// The elements in the order of their start tags.
    pub elements: Vec<HtmlElement>,
}

/// An element.
#[derive(Debug, Default)]
pub struct HtmlElement {
    /// The tag.
    pub name: String,
    /// The attributes; those without a value have an empty one.
    pub attributes: BTreeMap<String, String>,
    /// The number of the element around it.
    pub parent: Option<usize>,
    /// The text in it and in what it holds, with entities as they stand.
    pub text: String,
}

/// Elements without an end tag.
const VOID: [&str; 6] = ["meta", "link", "img", "br", "hr", "input"];

impl HtmlPage {
    /// Reads a page.
    ///
    /// # Errors
    /// What is not well-formed: an element that is not closed, an attribute given twice or without quotes, a
    /// character that must be escaped, and text that is a control character.
    pub fn read(html: &str) -> Result<Self, String> {
        let mut rest = html.strip_prefix("<!DOCTYPE html>").ok_or("no doctype")?;
        let mut page = Self::default();
        let mut open: Vec<usize> = Vec::new();
        while !rest.is_empty() {
            let end = rest.find('<').unwrap_or(rest.len());
            page.add_text(&open, &rest[..end])?;
            rest = &rest[end..];
            if rest.is_empty() {
                break;
            }
            let end = tag_end(rest).ok_or_else(|| format!("a tag has no end: {}", start(rest)))?;
            let tag = &rest[1..end];
            rest = &rest[end + 1..];
            if let Some(name) = tag.strip_prefix('/') {
                let last = open.pop().map(|number| &*page.elements[number].name);
                if last != Some(name) {
                    return Err(format!("</{name}> closes {last:?}"));
                }
                continue;
            }
            let element = element(tag.trim_end_matches('/'), open.last().copied())?;
            let name = element.name.clone();
            page.elements.push(element);
            if VOID.contains(&&*name) || tag.ends_with('/') {
                continue;
            }
            if name == "style" || name == "script" {
                let close = format!("</{name}>");
                rest = rest.split_once(&close).ok_or("raw text has no end")?.1;
                continue;
            }
            open.push(page.elements.len() - 1);
        }
        match open.pop() {
            Some(number) => Err(format!("{} is not closed", page.elements[number].name)),
            None => Ok(page),
        }
    }

    fn add_text(&mut self, open: &[usize], text: &str) -> Result<(), String> {
        check_text(text)?;
        if open.is_empty() && !text.trim().is_empty() {
            return Err(format!("text outside of all elements: {}", start(text)));
        }
        for &number in open {
            self.elements[number].text.push_str(text);
        }
        Ok(())
    }

    /// All elements of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a HtmlElement> {
        self.elements
            .iter()
            .filter(move |element| element.name == name)
    }

    /// The elements of this name within element number `number`.
    #[must_use]
    pub fn within(&self, number: usize, names: &[&str]) -> Vec<&HtmlElement> {
        let is_inside = |element: &&HtmlElement| {
            let mut parent = element.parent;
            while let Some(outer) = parent.filter(|outer| *outer != number) {
                parent = self.elements[outer].parent;
            }
            parent == Some(number)
        };
        let named = self
            .elements
            .iter()
            .filter(|element| names.contains(&&*element.name));
        named.filter(is_inside).collect()
    }
}

impl HtmlElement {
    /// An attribute's value; empty where it has none.
    #[must_use]
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// The place of the `>` that ends the tag at the beginning of `text`; one in quotes does not.
fn tag_end(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.find(|letter| {
        quoted ^= letter == '"';
        letter == '>' && !quoted
    })
}

fn element(tag: &str, parent: Option<usize>) -> Result<HtmlElement, String> {
    let (name, mut rest) = tag.split_at(tag.find(' ').unwrap_or(tag.len()));
    let mut element = HtmlElement {
        name: name.to_owned(),
        parent,
        ..HtmlElement::default()
    };
    let plain = |name: &str| {
        !name.is_empty()
            && name
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "-:".contains(letter))
    };
    if !plain(name) {
        return Err(format!("<{}> is no element", start(tag)));
    }
    while !rest.trim_start().is_empty() {
        rest = rest.trim_start();
        let end = rest.find(['=', ' ']).unwrap_or(rest.len());
        let key = &rest[..end];
        let mut value = "";
        rest = &rest[end..];
        if let Some(quoted) = rest.strip_prefix("=\"") {
            let end = quoted.find('"').ok_or("an attribute has no end")?;
            value = &quoted[..end];
            rest = &quoted[end + 1..];
        } else if rest.starts_with('=') {
            return Err(format!("{key} of <{name}> has no quotes"));
        }
        check_text(value)?;
        let twice = element
            .attributes
            .insert(key.to_owned(), value.to_owned())
            .is_some();
        if twice || !plain(key) {
            return Err(format!("{key:?} of <{name}> is given twice or no name"));
        }
    }
    Ok(element)
}

/// Whether text needs no escape: a `&` begins an entity, and nothing controls what shows it.
fn check_text(text: &str) -> Result<(), String> {
    if let Some(letter) = text
        .chars()
        .find(|letter| letter.is_control() && *letter != '\n')
    {
        return Err(format!("text holds {letter:?}"));
    }
    for (place, _) in text.match_indices('&') {
        let entity = text[place + 1..]
            .split_once(';')
            .map_or("", |(entity, _)| entity);
        if !["amp", "lt", "gt", "quot", "apos", "#39"].contains(&entity) {
            return Err(format!("a & is not escaped: {}", start(&text[place..])));
        }
    }
    Ok(())
}

/// The beginning of a text, for messages.
fn start(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::HtmlPage;

    #[test]
    fn a_page_is_read() {
        let page = "<!DOCTYPE html><html><p id=\"a>b\" hidden>x <b>y</b></p><br><g/></html>\n";
        let page = HtmlPage::read(page).unwrap();
        let names: Vec<&str> = page.elements.iter().map(|element| &*element.name).collect();
        assert_eq!(names, ["html", "p", "b", "br", "g"]);
        assert_eq!(page.elements[1].text, "x y");
        assert_eq!(page.elements[1].attribute("id"), "a>b");
        assert_eq!(page.within(1, &["b", "g"]).len(), 1);
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for wrong in [
            "<html></html>",
            "<!DOCTYPE html><html><p></html>",
            "<!DOCTYPE html><html><p></b></html>",
            "<!DOCTYPE html><html>a & b</html>",
            "<!DOCTYPE html><html id=a></html>",
            "<!DOCTYPE html><html id=\"a\" id=\"b\"></html>",
            "<!DOCTYPE html><html>\u{1b}</html>",
            "<!DOCTYPE html><html></html>text",
        ] {
            assert!(HtmlPage::read(wrong).is_err(), "{wrong}");
        }
    }
}
