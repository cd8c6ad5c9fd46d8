//! What the members of a WebDataset are for.

/// Members that are images which are read, by the end of their names.
const READ: [&str; 14] = [
    "jpg", "jpeg", "jpe", "jfif", "jif", "jfi", "png", "apng", "webp", "bmp", "dib", "gif", "tif",
    "tiff",
];
/// Members that are images of formats that are not: the user has them, so they are named.
const NOT_READ: [&str; 24] = [
    "ppm", "pgm", "pbm", "pnm", "heic", "heif", "avif", "jp2", "j2k", "jpx", "jxl", "tga", "ico",
    "qoi", "exr", "hdr", "psd", "svg", "dng", "cr2", "nef", "arw", "pcx", "xcf",
];
/// What a member is for, by the end of its name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Image { read: bool },
    Class,
    Notes,
}

impl Part {
    /// By what follows the first dot of a file's name; `None` if it is of no use.
    pub(super) fn of(extension: &str) -> Option<Self> {
        let last = extension.rsplit('.').next().unwrap_or_default();
        let last = last.to_ascii_lowercase();
        match last.as_str() {
            "cls" => Some(Self::Class),
            "json" => Some(Self::Notes),
            image if READ.contains(&image) => Some(Self::Image { read: true }),
            image if NOT_READ.contains(&image) => Some(Self::Image { read: false }),
            _ => None,
        }
    }

    /// Whether a member is the sample's rather than another one of the same part: an image that is read,
    /// `x.cls` rather than `x.more.cls`, else the one that came first. The error says that there are two images.
    pub(super) fn is_better(self, sample: &str, member: &str, other: &str) -> Result<bool, String> {
        let Self::Image { read } = self else {
            let plain = |member: &str| !member[sample.len() + 1..].contains('.');
            return Ok(plain(member) && !plain(other));
        };
        match (read, Self::of(other) == Some(Self::Image { read: true })) {
            (true, true) => Err(format!("{other} and {member} are two images of one sample")),
            (read, other) => Ok(read && !other),
        }
    }
}

/// A path in a tar without `.` and `..`, seen from `folder`.
pub(super) fn normal(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let from = if path.starts_with('/') { "" } else { folder };
    for part in from.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// A name or text of a tar.
pub(super) fn text(bytes: &[u8]) -> String {
    super::text::from_bytes(bytes)
}
