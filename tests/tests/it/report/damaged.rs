//! What is damaged costs the page only what it belongs to, and is named.

use std::fs;
use std::path::{Path, PathBuf};

use crate::report::CLASSES;
use crate::report::kit::Pages;

/// A run of one epoch, and its dataset.
fn trained() -> Pages {
    let work = Pages::new();
    work.dataset(&CLASSES[..3], &[("train", 2), ("val", 2)]);
    work.train("--epochs 1");
    work
}

/// Changes a byte of a file, so far before its end.
fn spoil(path: &Path, before_end: usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() - before_end;
    bytes[at] ^= 1;
    // Best and last checkpoint may be one file with two names.
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_shard_costs_the_answers_and_nothing_else() {
    let work = trained();
    let whole = work.report("whole", "");
    let shards = fs::read_dir(work.path("shards")).unwrap();
    let shards = shards.map(|entry| entry.unwrap().path());
    let is_judged = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("val") && name.ends_with(".safetensors")
    };
    let shard = shards.into_iter().find(is_judged).unwrap();
    let own = fs::read(&shard).unwrap();
    // A record's pixels, which are found when they are read; the tables of the shard; all of it.
    for damage in [Some(own.len() / 2), Some(1), None] {
        match damage {
            Some(before_end) => spoil(&shard, before_end),
            None => fs::remove_file(&shard).unwrap(),
        }
        let page = work.report(&format!("shard-{}", damage.unwrap_or(0)), "");
        let missing = page.missing();
        let name = shard.file_name().unwrap().to_str().unwrap();
        assert!(
            missing.contains("Accuracy by class") && missing.contains(name),
            "{missing}"
        );
        for section in ["dataset", "curves", "kernels", "growth"] {
            assert_eq!(page.figures(section), whole.figures(section), "{section}");
        }
        // What people see says it too.
        let said = work.say("report @run --out @said.html --force");
        assert!(
            said.contains("not in it: Accuracy by class") && said.contains(name),
            "{said}"
        );
        fs::write(&shard, &own).unwrap();
    }
}

#[test]
fn a_damaged_checkpoint_is_named_beside_the_one_that_is_whole() {
    let work = trained();
    spoil(&work.path("run/best.safetensors"), 1);
    let page = work.report("checkpoint", "");
    let missing = page.missing();
    assert!(missing.contains("`--checkpoint last`"), "{missing}");
    assert_eq!((page.figures("kernels"), page.figures("curves")), (0, 6));
    let last = work.report("last", "--checkpoint last");
    assert_eq!(last.figures("kernels"), 1);
    spoil(&work.path("run/last.safetensors"), 1);
    let error = work.refuse("report @run --out @none.html --checkpoint last", 1);
    assert!(error.contains("last.safetensors is damaged"), "{error}");
}

#[test]
fn snapshots_that_are_damaged_or_no_folder_are_named() {
    let work = trained();
    spoil(&work.path("run/kernels/epoch-0001.safetensors"), 1);
    let page = work.report("snapshot", "");
    let missing = page.missing();
    assert!(missing.contains("epoch-0001.safetensors"), "{missing}");
    assert_eq!(page.figures("growth"), 1);
    fs::remove_dir_all(work.path("run/kernels")).unwrap();
    fs::write(work.path("run/kernels"), "mine").unwrap();
    let page = work.report("kernels", "");
    let missing = page.missing();
    assert!(missing.contains("cannot read the folder"), "{missing}");
    assert_eq!((page.figures("growth"), page.figures("kernels")), (0, 1));
}
