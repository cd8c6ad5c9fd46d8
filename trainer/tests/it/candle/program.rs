use std::path::Path;

use candle_core::Device;
use clap::Parser;

use crate::candle::example::network::AlexNet;
use crate::candle::example::{Arguments, run};
use crate::runs::dataset::{CLASSES, write, write_splits};

/// Runs the example on a folder with further arguments.
fn train(shards: &Path, arguments: &str) -> anyhow::Result<f32> {
    let program = ["candle_alexnet", "--shards", shards.to_str().unwrap()];
    let arguments = program.into_iter().chain(arguments.split_whitespace());
    run(&Arguments::try_parse_from(arguments)?)
}

#[test]
fn it_trains_from_shards() {
    let folder = tempfile::tempdir().unwrap();
    let shards = folder.path().join("shards");
    write(&shards, &CLASSES);
    // Seven steps reach the second epoch.
    let loss = train(&shards, "--width 0.05 --batch-size 4 --steps 7 --lr 0.0001").unwrap();
    assert!(loss > 0.0 && loss < 100.0, "{loss}");
}

#[test]
fn wrong_input_is_answered_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let shards = folder.path().join("shards");
    let message = |arguments: &str| train(&shards, arguments).unwrap_err().to_string();
    assert!(message("").contains("prep ingest"));
    write_splits(&shards, &CLASSES, &[("train", 6), ("test", 2)]);
    assert!(message("--batch-size 7").contains("lower --batch-size"));
    assert!(message("--batch-size 0").contains('0'));
    assert!(message("--device gpu").contains("expected cpu or cuda"));
    assert!(message("--lr=-1").contains("--lr"));
    assert!(message("--lr nan").contains("--lr"));
    assert!(message("--width 0 --batch-size 2").contains("width"));
    let small = AlexNet::new(3, 63, 0.1, &Device::Cpu).err().unwrap();
    assert!(small.to_string().contains("63 pixels"), "{small}");
}
