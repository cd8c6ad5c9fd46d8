//! Names of columns of tables and fields of samples: one table for lists, Parquet and JSON.

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// The path of an image.
    Path,
    /// The image itself.
    Image,
    /// Its label.
    Label,
    /// Its split.
    Split,
}

/// The names of a path, the likelier first, in lower case and without what stands between words.
const PATH: [&str; 26] = [
    "path",
    "paths",
    "filepath",
    "filepaths",
    "imagepath",
    "imgpath",
    "relativepath",
    "relpath",
    "file",
    "files",
    "filename",
    "filenames",
    "imagefile",
    "imagefilename",
    "imagefilepath",
    "imagename",
    "imgname",
    "image",
    "images",
    "img",
    "imgs",
    "picture",
    "photo",
    "imageid",
    "imgid",
    "id",
];
const IMAGE: [&str; 13] = [
    "image",
    "img",
    "images",
    "imgs",
    "picture",
    "photo",
    "imagebytes",
    "imagedata",
    "jpg",
    "jpeg",
    "png",
    "webp",
    "bytes",
];
const LABEL: [&str; 31] = [
    "label",
    "labels",
    "class",
    "classes",
    "cls",
    "target",
    "targets",
    "y",
    "category",
    "categories",
    "classlabel",
    "classid",
    "classidx",
    "classindex",
    "labelid",
    "labelidx",
    "labelindex",
    "categoryid",
    "synset",
    "synsetid",
    "wnid",
    "wordnetid",
    "finelabel",
    "classname",
    "labelname",
    "categoryname",
    "labeltext",
    "groundtruth",
    "gt",
    "truth",
    "coarselabel",
];
const SPLIT: [&str; 8] = [
    "split",
    "splits",
    "set",
    "subset",
    "partition",
    "datasplit",
    "dataset",
    "usage",
];

impl Field {
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Path => &PATH,
            Self::Image => &IMAGE,
            Self::Label => &LABEL,
            Self::Split => &SPLIT,
        }
    }

    /// Some of its names, for an error.
    pub(super) fn examples(self) -> String {
        self.names()[..6].join(", ")
    }
}

/// The columns that may hold the field, by the order of the table, the likeliest first.
pub(super) fn find(field: Field, columns: &[&str]) -> Vec<usize> {
    let simple: Vec<String> = columns.iter().map(|column| simple(column)).collect();
    let mut found: Vec<(usize, usize)> = simple
        .iter()
        .enumerate()
        .filter_map(|(at, column)| {
            let rank = field.names().iter().position(|name| name == column);
            rank.map(|rank| (rank, at))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, at)| at).collect()
}

/// Whether a name is one of some field's.
pub(super) fn is_known(column: &str) -> bool {
    let fields = [Field::Path, Field::Label, Field::Split];
    fields
        .iter()
        .any(|&field| !find(field, &[column]).is_empty())
}

/// `Image ID`, `image_id` and `imageId` as `imageid`.
fn simple(name: &str) -> String {
    let letters = name.chars().filter(|c| !matches!(c, '_' | '-' | ' ' | '.'));
    letters.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_however_they_are_spelt_and_the_likeliest_first() {
        let columns = [
            "id",
            "Image_Path",
            "Label Name",
            "labels",
            "coarse_label",
            "set",
            "width",
        ];
        assert_eq!(find(Field::Path, &columns), [1, 0]);
        assert_eq!(find(Field::Label, &columns), [3, 2, 4]);
        assert_eq!(find(Field::Split, &columns), [5]);
        assert!(!is_known("width") && !is_known(""));
        for field in [Field::Path, Field::Image, Field::Label, Field::Split] {
            let names = field.names();
            assert!(names.iter().all(|name| simple(name) == *name));
        }
    }
}
