//! Small files of a source, read whole but never without a limit.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::PrepError;

/// Most bytes that are read of a file with labels or words. ImageNet's largest takes 19 MB.
pub(super) const LONGEST: u64 = 256 << 20;

/// Reads a text, without the mark of its bytes' order that some editors put before it. Bytes that are not UTF-8 are replaced: only names and words are looked for in it.
pub(super) fn read_text(path: &Path) -> Result<String, PrepError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| {
        if !file.metadata()?.is_file() {
            return Err(std::io::Error::other("it is not a plain file"));
        }
        file.take(LONGEST + 1).read_to_end(&mut bytes)
    });
    let len = read.map_err(PrepError::io(path))?;
    if len as u64 > LONGEST {
        let message = format!(
            "it has more than {} MB, which no file of labels or words has: move it away, or shorten it",
            LONGEST >> 20
        );
        return Err(PrepError::Source {
            path: path.to_owned(),
            message,
        });
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    Ok(String::from_utf8_lossy(text).into_owned())
}
