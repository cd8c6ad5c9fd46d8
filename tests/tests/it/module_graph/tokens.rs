//! Paths in the tokens of a macro, which have no syntax that could be parsed.

use proc_macro2::{TokenStream, TokenTree};

use super::declare::text;

/// `crate::a::b` as it stands among tokens.
pub(super) struct TokenPath {
    pub(super) names: Vec<String>,
    pub(super) line: usize,
    /// Whether a `!` follows, which makes it a call of a macro.
    pub(super) is_macro: bool,
}

/// `.method(..)` as it stands among tokens.
pub(super) struct TokenCall {
    pub(super) method: String,
    pub(super) line: usize,
}

/// Every call of a method in these tokens, at any depth.
pub(super) fn calls(tokens: TokenStream) -> Vec<TokenCall> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => found.extend(calls(group.stream())),
            TokenTree::Ident(name) if at > 0 && punctuation(&tokens, at - 1) == Some('.') => {
                found.push(TokenCall {
                    method: text(name),
                    line: name.span().start().line,
                });
            }
            _ => {}
        }
    }
    found
}

/// Every path of these tokens, at any depth; fields and methods are none.
pub(super) fn paths(tokens: TokenStream) -> Vec<TokenPath> {
    let mut found = Vec::new();
    collect(tokens, &mut found);
    found
}

fn collect(tokens: TokenStream, found: &mut Vec<TokenPath>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => {
                collect(group.stream(), found);
                at += 1;
            }
            TokenTree::Ident(_) => at = take(&tokens, at, found),
            _ => at += 1,
        }
    }
}

/// Reads the path that begins `at` an identifier, and says where it ends.
fn take(tokens: &[TokenTree], at: usize, found: &mut Vec<TokenPath>) -> usize {
    let mut names = Vec::new();
    let line = tokens[at].span().start().line;
    let mut end = at;
    while let Some(TokenTree::Ident(ident)) = tokens.get(end) {
        names.push(text(ident));
        end += 1;
        if !is_separator(tokens, end) {
            break;
        }
        end += 2;
    }
    let before = |back: usize| at.checked_sub(back).and_then(|at| punctuation(tokens, at));
    let is_part = match before(1) {
        // `a.b`, but not `a..b`.
        Some('.') => before(2) != Some('.'),
        // `::a` and `Vec::<T>::a`, but not `x: a`.
        Some(':') => before(2) == Some(':'),
        // `'a`.
        Some('\'') => true,
        // `$crate` is a path and every other `$name` is none.
        Some('$') => names[0] != "crate",
        _ => false,
    };
    let is_macro = punctuation(tokens, end) == Some('!') && punctuation(tokens, end + 1).is_none();
    let is_field = punctuation(tokens, end) == Some(':') && names.len() == 1;
    if !is_part && !is_field {
        found.push(TokenPath {
            names,
            line,
            is_macro,
        });
    }
    end.max(at + 1)
}

fn punctuation(tokens: &[TokenTree], at: usize) -> Option<char> {
    match tokens.get(at)? {
        TokenTree::Punct(punct) => Some(punct.as_char()),
        _ => None,
    }
}

/// Whether `::` and one more identifier stand here.
fn is_separator(tokens: &[TokenTree], at: usize) -> bool {
    punctuation(tokens, at) == Some(':')
        && punctuation(tokens, at + 1) == Some(':')
        && matches!(tokens.get(at + 2), Some(TokenTree::Ident(_)))
}
