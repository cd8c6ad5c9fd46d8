//! Names as text: what the system or an archive calls a file, as UTF-8.

use std::ffi::OsStr;
use std::fmt::Write;
use std::path::Path;

/// A name as text. Bytes that are not UTF-8 become `%` and two hexadecimal digits, so that no two names
/// are mixed up and none is lost: Latin-1's `café` is `caf%E9`.
pub(super) fn from_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            write!(text, "%{byte:02X}").expect("memory can be written");
        }
    }
    text
}

/// [`from_bytes`] of a name that the system gives.
pub(super) fn from_os(name: &OsStr) -> String {
    #[cfg(unix)]
    {
        from_bytes(std::os::unix::ffi::OsStrExt::as_bytes(name))
    }
    #[cfg(not(unix))]
    {
        name.to_string_lossy().into_owned()
    }
}

/// A path relative to a folder, `/` between its components.
pub(super) fn relative(folder: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(folder).unwrap_or(path);
    let parts = relative.components();
    let parts: Vec<String> = parts.map(|part| from_os(part.as_os_str())).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_utf8_are_written_in_hexadecimal() {
        assert_eq!(from_bytes(b"caf\xe9"), "caf%E9");
        assert_eq!(from_bytes("café %41".as_bytes()), "café %41");
        assert_eq!(from_bytes(b"\xff\xfea\xc3"), "%FF%FEa%C3");
    }
}
