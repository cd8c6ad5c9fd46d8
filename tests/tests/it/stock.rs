use std::fs;
use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use shardmill_loader::Dataset;
use shardmill_prep::{IngestOptions, ingest};
use shardmill_tests::{real_images, write_tree};

fn check(source: &Path) {
    let work = tempfile::tempdir().unwrap();
    let out = work.path().join("shards");
    let mut options = IngestOptions::new(source, &out);
    options.shard_records = 70;
    let summary = ingest(&options).unwrap();
    let dataset = Dataset::open(&out, "train").unwrap();
    let mut sample = 0;
    for shard in &summary.manifest.splits["train"].shards {
        let bytes = fs::read(out.join(&shard.file)).unwrap();
        let stock = SafeTensors::deserialize(&bytes).unwrap();
        let (images, labels) = (
            stock.tensor("images").unwrap(),
            stock.tensor("labels").unwrap(),
        );
        assert_eq!(images.dtype(), Dtype::U8);
        assert_eq!(images.shape(), [shard.records as usize, 256, 256, 3]);
        for (record, label) in images
            .data()
            .chunks(256 * 256 * 3)
            .zip(labels.data().chunks(8))
        {
            let mut rgb = vec![0; 256 * 256 * 3];
            dataset.read(sample, &mut rgb).unwrap();
            assert!(rgb == record, "sample {sample}");
            assert_eq!(
                i64::from_le_bytes(label.try_into().unwrap()),
                dataset.label(sample)
            );
            sample += 1;
        }
    }
    assert_eq!(sample, dataset.len());
}

#[test]
fn the_stock_reader_sees_our_pixels() {
    let tree = tempfile::tempdir().unwrap();
    write_tree(tree.path());
    check(tree.path());
}

#[test]
fn the_stock_reader_sees_our_pixels_of_real_images() {
    let Some(tree) = real_images("stock_reader", "imagenet-samples.tar") else {
        return;
    };
    check(&tree.path().join("imagenet"));
}
