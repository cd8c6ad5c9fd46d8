use std::fs;
use std::process::Stdio;
use std::time::Duration;

use shardmill_formats::ShardIndex;
use shardmill_tests::{Program, photo};

#[test]
fn a_killed_ingest_leaves_no_half_shard_under_a_final_name() {
    let tree = tempfile::tempdir().unwrap();
    let class = tree.path().join("train/a");
    fs::create_dir_all(&class).unwrap();
    for i in 0..400 {
        photo(300, 280, i)
            .save(class.join(format!("{i}.jpg")))
            .unwrap();
    }
    let mut finished = 0;
    for round in 1..=6 {
        let out = tree.path().join(format!("out-{round}"));
        let mut command = Program::Prep.command();
        command
            .arg("ingest")
            .arg(tree.path())
            .arg("--out")
            .arg(&out)
            .args(["--shard-records", "40"]);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(60 * round));
        let _ = child.kill();
        child.wait().unwrap();
        let Ok(entries) = fs::read_dir(&out) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("safetensors") => {
                    let bytes = fs::read(&path).unwrap();
                    let index = ShardIndex::parse(&bytes).unwrap();
                    (0..index.len()).for_each(|i| index.verify_record(&bytes, i).unwrap());
                    finished += 1;
                }
                Some("part" | "json") => {}
                other => panic!("{} has the extension {other:?}", path.display()),
            }
        }
        let (code, _, stderr) = shardmill_tests::run(
            Program::Prep,
            &[
                "ingest",
                tree.path().to_str().unwrap(),
                "--out",
                out.to_str().unwrap(),
            ],
        );
        assert_eq!(
            code,
            Some(1),
            "a folder in use is not written into: {stderr}"
        );
    }
    assert!(
        finished > 0,
        "no round was killed between its first shard and its last"
    );
}
