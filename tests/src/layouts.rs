//! One set of images in every form that people hold the ILSVRC in.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use tar::{Builder, Header};

/// A class-folder tree, read and sorted.
pub(crate) struct Images(Vec<Image>);

/// Split, synset, file name, bytes.
pub(crate) type Image = (String, String, String, Vec<u8>);

impl Images {
    pub(crate) fn read(tree: &Path) -> Self {
        let mut images = Vec::new();
        for split in ["train", "val"] {
            for synset in names(&tree.join(split)) {
                let folder = tree.join(split).join(&synset);
                for name in names(&folder)
                    .into_iter()
                    .filter(|name| !name.starts_with('.'))
                {
                    let bytes = fs::read(folder.join(&name)).expect("an image can be read");
                    images.push((split.to_owned(), synset.clone(), name, bytes));
                }
            }
        }
        Self(images)
    }

    pub(crate) fn of<'a>(&'a self, split: &'a str) -> impl Iterator<Item = &'a Image> {
        self.0.iter().filter(move |image| image.0 == split)
    }

    pub(crate) fn synsets(&self) -> Vec<&str> {
        let mut synsets: Vec<&str> = self.0.iter().map(|image| image.1.as_str()).collect();
        synsets.sort_unstable();
        synsets.dedup();
        synsets
    }

    /// The validation images in the order of their numbers.
    fn validation(&self) -> Vec<&Image> {
        let mut images: Vec<_> = self.of("val").collect();
        images.sort_by_key(|image| &image.2);
        images
    }
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut names: Vec<_> = entries.flatten().map(name).collect();
    names.sort();
    names
}

/// Name of validation image `number`, from 1.
#[must_use]
pub fn val_name(number: usize) -> String {
    format!("ILSVRC2012_val_{number:08}.JPEG")
}

/// Writes the tree's images as the official tars with their development kit. The kit's ids run
/// against the order of the synsets, and it knows synsets that no image shows.
///
/// The validation images must be called [`val_name`]`(1..)`.
///
/// # Panics
/// If a file cannot be written.
pub fn write_official(tree: &Path, out: &Path) {
    let images = Images::read(tree);
    fs::create_dir_all(out).expect("a folder can be made");
    let mut train = Builder::new(create(&out.join("ILSVRC2012_img_train.tar")));
    for synset in images.synsets() {
        let mut inner = Builder::new(Vec::new());
        for (_, _, name, bytes) in images.of("train").filter(|image| image.1 == synset) {
            append(&mut inner, name, bytes);
        }
        let inner = inner.into_inner().expect("a tar can be ended");
        append(&mut train, &format!("{synset}.tar"), &inner);
    }
    train.finish().expect("a tar can be ended");
    let mut val = Builder::new(create(&out.join("ILSVRC2012_img_val.tar")));
    for (_, _, name, bytes) in images.validation() {
        append(&mut val, name, bytes);
    }
    val.finish().expect("a tar can be ended");
    let synsets = images.synsets();
    let id = |synset: &str| {
        let place = synsets
            .iter()
            .position(|s| *s == synset)
            .expect("a synset of the tree");
        synsets.len() - place
    };
    let truth: String = images
        .validation()
        .iter()
        .map(|image| format!("{}\n", id(&image.1)))
        .collect();
    let mut rows: Vec<(usize, String)> = synsets.iter().map(|s| (id(s), (*s).to_owned())).collect();
    rows.sort();
    rows.push((synsets.len() + 1, "n00001740".to_owned()));
    let file = create(&out.join("ILSVRC2012_devkit_t12.tar.gz"));
    let mut kit = Builder::new(GzEncoder::new(file, Compression::fast()));
    let folder = "ILSVRC2012_devkit_t12";
    append(
        &mut kit,
        &format!("{folder}/readme.txt"),
        b"a development kit",
    );
    append(&mut kit, &format!("{folder}/data/meta.mat"), &mat(&rows));
    let name = format!("{folder}/data/ILSVRC2012_validation_ground_truth.txt");
    append(&mut kit, &name, truth.as_bytes());
    kit.into_inner()
        .and_then(GzEncoder::finish)
        .expect("a kit can be ended");
}

/// Writes the tree's images as Kaggle packs them.
///
/// # Panics
/// If a file cannot be written.
pub fn write_kaggle(tree: &Path, out: &Path) {
    let images = Images::read(tree);
    let data = out.join("ILSVRC/Data/CLS-LOC");
    let mut solution = "ImageId,PredictionString\n".to_owned();
    for (split, synset, name, bytes) in &images.0 {
        let folder = match split.as_str() {
            "train" => data.join("train").join(synset),
            _ => data.join("val"),
        };
        fs::create_dir_all(&folder).expect("a folder can be made");
        fs::write(folder.join(name), bytes).expect("a file can be written");
        if split == "val" {
            let stem = name.split('.').next().unwrap_or_default();
            solution += &format!("{stem},{synset} 1 2 30 40 {synset} 5 6 70 80 \n");
        }
    }
    let words: String = images
        .synsets()
        .iter()
        .map(|synset| format!("{synset} words of {synset}, more\n"))
        .collect();
    fs::write(out.join("LOC_val_solution.csv"), solution).expect("a file can be written");
    fs::write(out.join("LOC_synset_mapping.txt"), words).expect("a file can be written");
}

/// Writes a list of the tree's images into the tree, and gives its path.
///
/// # Panics
/// If the file cannot be written.
#[must_use]
pub fn write_list(tree: &Path) -> PathBuf {
    let mut table = "path,synset,split\n".to_owned();
    for (split, synset, name, _) in Images::read(tree).0 {
        table += &format!("{split}/{synset}/{name},{synset},{split}\n");
    }
    let path = tree.join("list.csv");
    fs::write(&path, table).expect("a file can be written");
    path
}

pub(crate) fn create(path: &Path) -> File {
    File::create(path).expect("a file can be made")
}

pub(crate) fn append<W: Write>(tar: &mut Builder<W>, name: &str, bytes: &[u8]) {
    let mut header = Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, name, bytes)
        .expect("a member can be added");
}

/// A MATLAB 5 file with the array `synsets` as the development kit has it, compressed.
fn mat(rows: &[(usize, String)]) -> Vec<u8> {
    const FIELDS: [&str; 3] = ["ILSVRC2012_ID", "WNID", "words"];
    let mut body = head(2, &[rows.len() as u32, 1], "synsets");
    // Width of a field's name, then the names.
    body.extend(
        [5_u16, 4, 32, 0]
            .iter()
            .flat_map(|value| value.to_le_bytes()),
    );
    let mut names = vec![0; 32 * FIELDS.len()];
    for (i, name) in FIELDS.iter().enumerate() {
        names[32 * i..32 * i + name.len()].copy_from_slice(name.as_bytes());
    }
    body.extend(element(1, &names));
    for (id, synset) in rows {
        let mut number = head(6, &[1, 1], "");
        number.extend(element(9, &(*id as f64).to_le_bytes()));
        body.extend(element(14, &number));
        for value in [synset.clone(), format!("words of {synset}")] {
            let mut characters = head(4, &[1, value.len() as u32], "");
            let units: Vec<u8> = value.encode_utf16().flat_map(u16::to_le_bytes).collect();
            characters.extend(element(4, &units));
            body.extend(element(14, &characters));
        }
    }
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    packed
        .write_all(&element(14, &body))
        .expect("memory can be written");
    let packed = packed.finish().expect("memory can be written");
    let mut file = vec![b' '; 124];
    file.extend(0x0100_u16.to_le_bytes());
    file.extend(b"IM");
    file.extend(15_u32.to_le_bytes());
    file.extend((packed.len() as u32).to_le_bytes());
    file.extend(packed);
    file
}

/// Flags, sizes and name of a matrix.
fn head(class: u8, sizes: &[u32], name: &str) -> Vec<u8> {
    let mut head = element(6, &[class, 0, 0, 0, 0, 0, 0, 0]);
    let sizes: Vec<u8> = sizes.iter().flat_map(|size| size.to_le_bytes()).collect();
    head.extend(element(5, &sizes));
    head.extend(element(1, name.as_bytes()));
    head
}

fn element(kind: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = kind.to_le_bytes().to_vec();
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(data);
    bytes.resize(8 + data.len().next_multiple_of(8), 0);
    bytes
}
