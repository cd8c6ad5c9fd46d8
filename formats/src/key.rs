//! The rules for keys: the name of a record's source, as a relative path that is safe to use.

use crate::schema::KEY_LIMIT;

/// Why a key is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No bytes.
    #[error("it is empty")]
    Empty,
    /// More than 4096 bytes.
    #[error("it is longer than {KEY_LIMIT} bytes")]
    Long,
    /// Bytes that are not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// A NUL, control character or backslash.
    #[error("it holds a control character or a backslash")]
    Character,
    /// Starts with `/` or a drive letter.
    #[error("it is an absolute path")]
    Absolute,
    /// A component that is empty, `.` or `..`.
    #[error("it has an empty component, `.` or `..`")]
    Component,
}

/// Checks a key: UTF-8, 1 to 4096 bytes, components separated by `/`, none of them empty, `.` or
/// `..`, no control character, no backslash, no drive letter.
///
/// # Errors
/// The first rule that the key breaks.
pub fn check_key(key: &[u8]) -> Result<&str, KeyError> {
    if key.is_empty() {
        return Err(KeyError::Empty);
    }
    if key.len() > KEY_LIMIT {
        return Err(KeyError::Long);
    }
    let text = std::str::from_utf8(key).map_err(|_| KeyError::NotUtf8)?;
    if is_plain(key) {
        Ok(text)
    } else {
        check_slowly(text)
    }
}

/// Whether the key needs no closer check, which holds for nearly every key. A dataset has millions of
/// keys, which are all checked when it is opened; these loops have no branches, so that the compiler
/// vectorises them.
fn is_plain(key: &[u8]) -> bool {
    let odd = |&byte: &u8| byte < 0x20 || byte == 0x7f || byte == b'\\' || byte == b':';
    let characters = key.iter().fold(false, |any, byte| any | odd(byte));
    // What follows a separator; the key itself begins as if it followed one.
    let follows = |byte: u8| byte == b'/' || byte == b'.';
    let components = (key.iter().zip(&key[1..])).fold(false, |any, (&byte, &next)| {
        any | ((byte == b'/') & follows(next))
    });
    !characters && !components && !follows(key[0]) && key[key.len() - 1] != b'/'
}

fn check_slowly(key: &str) -> Result<&str, KeyError> {
    if key
        .bytes()
        .any(|byte| byte < 0x20 || byte == 0x7f || byte == b'\\')
    {
        return Err(KeyError::Character);
    }
    let bytes = key.as_bytes();
    let drive = bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':';
    if bytes[0] == b'/' || drive {
        return Err(KeyError::Absolute);
    }
    if key
        .split('/')
        .any(|part| part.is_empty() || part == "." || part == "..")
    {
        return Err(KeyError::Component);
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_quick_look_agrees_with_the_rules(key in "[a/.:\\\\\x00\x1f\x7f ßz]{1,12}") {
            if is_plain(key.as_bytes()) {
                prop_assert_eq!(check_slowly(&key), Ok(key.as_str()));
            }
        }
    }

    #[test]
    fn ordinary_names_pass() {
        for key in [
            "a",
            "train/n01440764/n01440764_10026.JPEG",
            "mit Leerzeichen/ß…é.jpg",
            "..a/b..",
            "ab:c",
        ] {
            assert_eq!(check_key(key.as_bytes()), Ok(key), "{key}");
        }
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        let long = "x".repeat(KEY_LIMIT + 1);
        let cases: [(&[u8], KeyError); 14] = [
            (b"", KeyError::Empty),
            (long.as_bytes(), KeyError::Long),
            (b"a\xff", KeyError::NotUtf8),
            (b"a\0b", KeyError::Character),
            (b"a\nb", KeyError::Character),
            (b"a\\b", KeyError::Character),
            (b"/etc/passwd", KeyError::Absolute),
            (b"C:/x", KeyError::Absolute),
            (b"../x", KeyError::Component),
            (b"a/../../x", KeyError::Component),
            (b"a/..", KeyError::Component),
            (b"a//b", KeyError::Component),
            (b"a/", KeyError::Component),
            (b"./a", KeyError::Component),
        ];
        for (key, error) in cases {
            assert_eq!(
                check_key(key),
                Err(error),
                "{}",
                String::from_utf8_lossy(key)
            );
        }
    }
}
