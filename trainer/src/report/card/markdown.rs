//! Text and tables in Markdown.

use shardmill_formats::Printable;

/// Text from anywhere as plain text: on one line, and without meaning to Markdown or HTML.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::new();
    for letter in Printable(text).to_string().chars() {
        if matches!(
            letter,
            '\\' | '`'
                | '*'
                | '_'
                | '{'
                | '}'
                | '['
                | ']'
                | '<'
                | '>'
                | '('
                | ')'
                | '#'
                | '!'
                | '|'
                | '~'
                | '&'
        ) {
            plain.push('\\');
        }
        plain.push(letter);
    }
    plain
}

/// Text from anywhere between backticks.
pub(super) fn code(text: &str) -> String {
    format!("`{}`", Printable(text).to_string().replace('`', "'"))
}

/// Text from anywhere as a scalar of YAML: its quoted strings have the notation of JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(&Printable(text).to_string()).expect("a string becomes JSON")
}

/// A table of cells that are Markdown.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(head.to_vec()) + &line(vec!["---"; head.len()]);
    for row in rows {
        text += &line(row.iter().map(String::as_str).collect());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{code, plain, quoted, table};

    #[test]
    fn text_of_a_dataset_has_no_meaning() {
        assert_eq!(
            plain("a|b <i> [x](y)\n#"),
            r"a\|b \<i\> \[x\]\(y\)\u000a\#".replace(r"\u000a", r"\\u000a")
        );
        assert_eq!(code("a_b`c"), "`a_b'c`");
        assert_eq!(quoted("a \"b\"\n: c"), r#""a \"b\"\\u000a: c""#);
    }

    #[test]
    fn a_table_has_a_line_for_each_row() {
        let rows = [vec!["1".to_owned(), "2".to_owned()]];
        assert_eq!(
            table(&["a", "b"], &rows),
            "| a | b |\n| --- | --- |\n| 1 | 2 |\n"
        );
    }
}
