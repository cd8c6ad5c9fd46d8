//! The source files of a crate, read from a folder or made up by a test.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The text of every Rust file, by its path relative to `src`, with `/` between the parts.
pub(crate) struct Sources {
    files: BTreeMap<String, String>,
    /// What the crate's library is called in a path, as in `shardmill_loader::Loader`.
    library: String,
}

impl Sources {
    /// Reads the crate whose `src` folder this is.
    pub(crate) fn read(src: &Path) -> Self {
        let mut files = BTreeMap::new();
        collect(src, "", &mut files);
        let manifest = src.parent().map(|folder| folder.join("Cargo.toml"));
        let manifest = manifest.and_then(|path| fs::read_to_string(path).ok());
        let library = manifest.as_deref().and_then(package_name);
        Self {
            files,
            library: library.unwrap_or_default(),
        }
    }

    /// A crate `made_up` of these (path, text) pairs.
    #[cfg(test)]
    pub(crate) fn made_up(files: &[(&str, &str)]) -> Self {
        let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        Self {
            files: files.iter().map(owned).collect(),
            library: "made_up".to_owned(),
        }
    }

    pub(super) fn library(&self) -> &str {
        &self.library
    }

    pub(super) fn contains(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    pub(super) fn parse(&self, path: &str) -> syn::File {
        let text = &self.files[path];
        syn::parse_file(text).unwrap_or_else(|error| {
            panic!("{path}, line {}: {error}", error.span().start().line);
        })
    }
}

/// The first `name = "..."` of a manifest, as paths spell it.
fn package_name(manifest: &str) -> Option<String> {
    let line = manifest.lines().find(|line| line.starts_with("name"))?;
    Some(line.split('"').nth(1)?.replace('-', "_"))
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) {
    let entries = fs::read_dir(folder);
    let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if path.is_dir() {
            collect(&path, &format!("{prefix}{name}/"), files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path);
            let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            files.insert(format!("{prefix}{name}"), text);
        }
    }
}
