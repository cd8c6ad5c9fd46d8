//! Names of exported files: those of the dataset, made safe.

use crate::io::safe_path::component;

/// Extensions of images, by what the bytes are.
const JPEG: [&str; 4] = ["jpg", "jpeg", "jpe", "jfif"];
const OTHERS: [&str; 6] = ["png", "gif", "bmp", "webp", "tif", "tiff"];

/// The name of a file in two parts that make one safe name: as it is where it ends as images of
/// `extension` do, with that extension in the place of another image's or after it otherwise.
pub(super) fn image_name(name: &str, extension: &str) -> (String, String) {
    let known = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty());
    let (stem, end) = match known {
        Some((stem, end)) => {
            let lower = end.to_ascii_lowercase();
            let jpeg = JPEG.contains(&lower.as_str());
            let same = lower == extension || jpeg && extension == JPEG[0];
            match (same, jpeg || OTHERS.contains(&lower.as_str())) {
                (true, _) => (stem, end),
                (false, true) => (stem, extension),
                (false, false) => (name, extension),
            }
        }
        None => (name, extension),
    };
    (component(stem), format!(".{end}"))
}

/// A key below its split: the folders as safe names, and the name of the file.
pub(super) fn below_split<'a>(key: &'a str, split: &str) -> (Vec<String>, &'a str) {
    let below = key
        .strip_prefix(split)
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or(key);
    let (folders, name) = below.rsplit_once('/').unwrap_or(("", below));
    let folders = folders.split('/').filter(|folder| !folder.is_empty());
    (folders.map(component).collect(), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_keeps_its_name_where_it_says_what_the_bytes_are() {
        for (name, extension, expected) in [
            ("a.JPEG", "jpg", "a.JPEG"),
            ("a.jfif", "jpg", "a.jfif"),
            ("a.JPEG", "png", "a.png"),
            ("a.PNG", "png", "a.PNG"),
            ("a.v1.png", "jpg", "a.v1.jpg"),
            ("a.v1", "png", "a.v1.png"),
            ("a", "png", "a.png"),
            (".png", "png", "_png.png"),
            ("", "jpg", "_.jpg"),
            ("CON.jpg", "jpg", "_CON.jpg"),
        ] {
            let (stem, end) = image_name(name, extension);
            assert_eq!(stem + &end, expected, "{name} {extension}");
        }
    }

    #[test]
    fn a_key_is_divided_below_its_split() {
        for (key, folders, name) in [
            ("train/n01/a/b.png", &["n01", "a"][..], "b.png"),
            ("test/b.png", &["test"], "b.png"),
            ("trainer/b.png", &["trainer"], "b.png"),
            ("train/../b.png", &["__"], "b.png"),
            ("b.png", &[], "b.png"),
        ] {
            let (found, rest) = below_split(key, "train");
            assert_eq!(
                (found.as_slice(), rest),
                (
                    &folders.iter().map(|f| (*f).to_owned()).collect::<Vec<_>>()[..],
                    name
                )
            );
        }
    }
}
