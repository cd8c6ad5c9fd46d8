//! Which arguments are addresses of object stores, and which are folders.

use std::path::Path;

/// Schemes of addresses that the crate `object_store` reads, and that people have their shards at.
const SCHEMES: [&str; 9] = [
    "s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "http", "https",
];

/// The address that a path on a command line is, such as `s3://bucket/imagenet`; `None` for a folder.
#[must_use]
pub fn address(path: &Path) -> Option<&str> {
    let text = path.to_str()?;
    let (scheme, _) = text.split_once("://")?;
    is_scheme(scheme).then_some(text)
}

/// The scheme of an address that lost one of its slashes, as `pathlib` makes of it: `s3:/bucket/imagenet`.
#[must_use]
pub fn misspelt(path: &Path) -> Option<&str> {
    let text = path.to_str()?;
    let (scheme, rest) = text.split_once(":/")?;
    (is_scheme(scheme) && !rest.starts_with('/')).then_some(scheme)
}

/// An address without what may be secret in it.
pub(crate) fn shown(address: &str) -> String {
    let address = address.split(['?', '#']).next().unwrap_or_default();
    match address.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = host.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}/{path}")
        }
        None => address.to_owned(),
    }
}

fn is_scheme(text: &str) -> bool {
    SCHEMES
        .iter()
        .any(|scheme| scheme.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_folders() {
        for text in [
            "s3://bucket",
            "S3://bucket/a",
            "https://host/a/b",
            "az://c@account/p",
        ] {
            assert_eq!(address(Path::new(text)), Some(text));
        }
        for text in [
            "shards",
            "/data/s3",
            "s3:/bucket",
            "s3",
            "file:///data",
            "c:/data",
            "a://b",
        ] {
            assert_eq!(address(Path::new(text)), None, "{text}");
        }
        assert_eq!(misspelt(Path::new("s3:/bucket/a")), Some("s3"));
        assert_eq!(misspelt(Path::new("s3://bucket/a")), None);
        assert_eq!(misspelt(Path::new("d:/bucket/a")), None);
    }
}
