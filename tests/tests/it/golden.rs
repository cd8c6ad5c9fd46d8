//! Datasets that earlier versions wrote are kept for ever and must still give the same samples.

use std::path::Path;

use shardmill_formats::{Codec, crc32c};
use shardmill_loader::Dataset;
use shardmill_prep::{IngestOptions, ingest, verify};
use shardmill_tests::photo;

/// CRC-32C of the pixels of each sample of `tests/golden/v1-*`, in order. JPEG pixels depend on the
/// decoder's rounding, so there only keys and labels are compared.
const PIXELS: [u32; 4] = [3_932_797_350, 3_269_432_314, 1_655_629_500, 3_002_289_557];

/// What was written: two classes of two pictures, records of 8x8.
fn write(folder: &Path, codec: Codec) {
    let tree = tempfile::tempdir().unwrap();
    for class in 0..2_u32 {
        let place = tree.path().join(format!("train/n0000000{class}"));
        std::fs::create_dir_all(&place).unwrap();
        for i in 0..2 {
            photo(10, 9, class * 2 + i)
                .save(place.join(format!("{i}.png")))
                .unwrap();
        }
    }
    let mut options = IngestOptions::new(tree.path(), folder);
    (options.codec, options.size) = (codec, 8);
    ingest(&options).unwrap();
}

#[test]
fn version_1_still_opens() {
    // `SHARDMILL_GOLDEN=DIR` writes the datasets of the present version there.
    if let Some(target) = std::env::var_os("SHARDMILL_GOLDEN") {
        Codec::ALL
            .into_iter()
            .for_each(|codec| write(&Path::new(&target).join(format!("v1-{codec}")), codec));
    }
    for codec in Codec::ALL {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("golden/v1-{codec}"));
        assert_eq!(verify(&folder, 1, false).unwrap().faults, []);
        let dataset = Dataset::open(&folder, "train").unwrap();
        assert_eq!((dataset.len(), dataset.codec()), (4, codec));
        let mut found = Vec::new();
        let mut names = Vec::new();
        for i in 0..4 {
            let mut rgb = [0; 8 * 8 * 3];
            dataset.read(i, &mut rgb).unwrap();
            found.push(crc32c(&rgb));
            names.push((dataset.label(i), dataset.key(i).to_owned()));
        }
        if codec.is_lossless() {
            assert_eq!(found, PIXELS, "{codec}");
        }
        names.sort();
        let expected = |label: i64, i: u8| (label, format!("train/n0000000{label}/{i}.png"));
        assert_eq!(
            names,
            [
                expected(0, 0),
                expected(0, 1),
                expected(1, 0),
                expected(1, 1)
            ]
        );
    }
}
