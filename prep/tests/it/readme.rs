//! What README.md shows is so.

use std::fs;

use shardmill_formats::Codec;

use crate::kit::Fixture;

const README: &str = include_str!("../../../README.md");

/// The codec of the folder that a line of README.md makes.
fn codec_of(folder: &str) -> Codec {
    let out = format!("--out {folder}");
    let line = README.lines().find(|line| {
        let mut behind = line.split(&out).skip(1);
        behind.any(|rest| rest.is_empty() || rest.starts_with(' '))
    });
    let line = line.unwrap_or_else(|| panic!("no line of README.md makes {folder}"));
    let (_, codec) = line.split_once("--codec ").expect(line);
    codec.split(' ').next().unwrap().parse().unwrap()
}

/// The tensors of a shard, as its header names them.
fn tensors(codec: Codec) -> Vec<String> {
    let fixture = Fixture::new(codec);
    let shard = fs::read_dir(fixture.shards()).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        (path.extension()? == "safetensors").then_some(path)
    });
    let bytes = fs::read(shard.unwrap()).unwrap();
    let length = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    let header: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    header.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn the_lines_in_python_read_the_shards_that_the_lines_before_made() {
    let mut blocks = README.split("```python\n").skip(1);
    let python = blocks.find(|block| {
        let code = block.split("```").next().unwrap();
        code.contains("load_file(")
    });
    let python = python.unwrap().split("```").next().unwrap();
    let loads: Vec<&str> = python.split("load_file(\"").skip(1).collect();
    let mut used = 0;
    for load in &loads {
        let codec = codec_of(load.split('/').next().unwrap());
        let there = tensors(codec);
        for name in load.split("t[\"").skip(1) {
            let name = name.split('"').next().unwrap();
            assert!(
                there.iter().any(|t| t == name),
                "codec {codec} has no {name:?}"
            );
            used += 1;
        }
    }
    assert!(loads.len() >= 2 && used >= 5, "{python}");
}
