//! What lies in class folders' places and is no class: counted, said, or refused.

use std::fs;
use std::path::Path;

use shardmill_prep::source::PassedKind;
use shardmill_prep::{IngestOptions, IngestSummary, Layout, ingest};

use crate::cases::pictures;

fn options(work: &Path) -> IngestOptions {
    let mut options = IngestOptions::new(work.join("source"), work.join("out"));
    options.size = 8;
    options
}

fn ingested(work: &Path) -> Result<IngestSummary, String> {
    ingest(&options(work)).map_err(|error| error.to_string())
}

/// A source of pictures.
fn made(names: &[&str]) -> tempfile::TempDir {
    let work = tempfile::tempdir().unwrap();
    pictures(&work.path().join("source"), names);
    work
}

fn classes(summary: &IngestSummary) -> Vec<&str> {
    let classes = summary.manifest.classes.iter();
    classes.map(|class| &*class.synset).collect()
}

fn count(summary: &IngestSummary, kind: PassedKind) -> u64 {
    summary.passed_over.of(kind).map_or(0, |files| files.files)
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_dead_link_in_a_split_is_counted() {
        for root in ["", "ILSVRC/Data/CLS-LOC"] {
            let work = tempfile::tempdir().unwrap();
            let data = work.path().join("source").join(root);
            pictures(&data, &["train/cat/0.jpg", "val/cat/1.jpg"]);
            for split in ["train", "val"] {
                symlink("/nowhere", data.join(split).join("dog")).unwrap();
            }
            let summary = ingested(work.path()).unwrap();
            assert_eq!(count(&summary, PassedKind::Dangling), 2, "{root}");
        }
    }

    #[test]
    fn a_link_that_is_passed_over_is_one_thing() {
        let work = made(&["train/cat/0.jpg", "val/cat/1.jpg"]);
        let source = work.path().join("source");
        pictures(&work.path().join("elsewhere"), &["1.jpg", "2.jpg", "3.jpg"]);
        symlink("..", source.join("train/up")).unwrap();
        symlink("cat", source.join("train/.old")).unwrap();
        symlink("../../elsewhere", source.join("val/.more")).unwrap();
        let summary = ingested(work.path()).unwrap();
        assert_eq!(count(&summary, PassedKind::Loop), 1);
        assert_eq!(count(&summary, PassedKind::Hidden), 2);
        // A split that is a link, too.
        let work = made(&["train/cat/0.jpg"]);
        let source = work.path().join("source");
        pictures(&work.path().join("elsewhere"), &["cat/1.jpg", "cat/2.jpg"]);
        symlink("../elsewhere", source.join("val")).unwrap();
        let mut options = options(work.path());
        options.without = vec!["val"];
        let summary = ingest(&options).unwrap();
        assert_eq!(count(&summary, PassedKind::LeftOut), 1);
    }

    /// As another user where the tests run as root, whom nothing is hidden from.
    #[test]
    fn a_folder_that_cannot_be_read_is_counted() {
        let work = made(&[
            "train/cat/0.jpg",
            "train/.cache/1.jpg",
            "val/cat/2.jpg",
            "extra/3.jpg",
        ]);
        let path = |name: &str| work.path().join(name);
        let mode = |name: &str, mode| {
            fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        let hidden = ["source/train/.cache", "source/val/cat", "source/extra"];
        fs::create_dir(path("made")).unwrap();
        mode("made", 0o777);
        mode("", 0o755);
        hidden.iter().for_each(|name| mode(name, 0));
        let program = path("prep");
        fs::copy(env!("CARGO_BIN_EXE_prep"), &program).unwrap();
        let mut command = Command::new(program);
        command.args(["ingest", "source", "--out", "made/out", "--size", "8"]);
        command
            .args(["--without", "val", "--json"])
            .current_dir(path(""));
        if fs::metadata(path("made")).unwrap().uid() == 0 {
            command.uid(65534).gid(65534);
        }
        let output = command.output().unwrap();
        hidden.iter().for_each(|name| mode(name, 0o755));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let unreadable = &json["passed_over"]["unreadable"];
        assert_eq!(unreadable["files"], 3, "{json}");
        assert_eq!(unreadable["examples"][0], "extra", "{json}");
    }
}

#[test]
fn what_systems_put_beside_classes_is_no_class() {
    let work = made(&[
        "cat/0.jpg",
        "zebra/1.jpg",
        "@eaDir/cat/t.jpg",
        "zebra/@eaDir/1.jpg/thumb.jpg",
        "lost+found/2.jpg",
        "$RECYCLE.BIN/3.jpg",
        "System Volume Information/4.jpg",
        "__MACOSX/5.jpg",
        "#recycle/6.jpg",
    ]);
    let summary = ingested(work.path()).unwrap();
    assert_eq!(classes(&summary), ["cat", "zebra"]);
    assert_eq!(count(&summary, PassedKind::System), 7);
}

#[test]
fn a_folder_of_all_images_beside_their_labels_is_no_class() {
    for (names, texts) in [
        (
            &["train/images/0.jpg", "val/images/1.jpg"][..],
            &["train/labels/0.txt"][..],
        ),
        (&["train/img/0.jpg"], &[]),
        (&["data/0.jpg"], &["labels/0.txt"]),
        (&["images/0.jpg", "annotations/0.png"], &[]),
    ] {
        let work = made(names);
        for text in texts {
            let path = work.path().join("source").join(text);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "0 0.5 0.5 1 1\n").unwrap();
        }
        let error = ingested(work.path()).unwrap_err();
        assert!(error.contains("is called like no class"), "{error}");
        assert!(error.contains("--layout class-folders"), "{error}");
        let mut options = options(work.path());
        options.layout = Some(Layout::ClassFolders);
        assert!(ingest(&options).is_ok(), "{names:?}");
    }
    // Beside other classes it is one.
    let work = made(&["cat/0.jpg", "images/1.jpg"]);
    assert_eq!(classes(&ingested(work.path()).unwrap()), ["cat", "images"]);
}

#[test]
fn class_folders_without_a_file_are_said() {
    let work = made(&["train/a/0.jpg"]);
    for name in ["b", "c", "d", "e", "f", "g", "h"] {
        fs::create_dir(work.path().join("source/train").join(name)).unwrap();
    }
    let summary = ingested(work.path()).unwrap();
    assert_eq!(classes(&summary).len(), 8);
    let notes = summary.notes.join("\n");
    assert!(
        notes.contains(
            "7 class folders hold no image: train/b, train/c, train/d, train/e, train/f, ..."
        ),
        "{notes}"
    );
}

#[test]
fn a_class_that_is_called_like_a_split_and_holds_folders_does_not_hide_the_others() {
    for names in [
        ["train/0.jpg", "train/more/1.jpg", "car/2.jpg", "bus/3.jpg"],
        [
            "bullet_train/a/0.jpg",
            "bullet_train/b/1.jpg",
            "car/2.jpg",
            "bus/3.jpg",
        ],
    ] {
        let work = made(&names);
        let error = ingested(work.path()).unwrap_err();
        for words in ["bus, car", "--layout class-folders"] {
            assert!(error.contains(words), "{words}: {error}");
        }
        let mut options = options(work.path());
        options.layout = Some(Layout::ClassFolders);
        let summary = ingest(&options).unwrap();
        assert_eq!(classes(&summary).len(), 3, "{names:?}");
        assert_eq!(summary.images(), 4);
    }
    // A split it is, and what lies beside it is said.
    let work = made(&["train/cat/0.jpg", "train/dog/1.jpg", "extra/2.jpg"]);
    let summary = ingested(work.path()).unwrap();
    assert_eq!(classes(&summary), ["cat", "dog"]);
    let notes = summary.notes.join("\n");
    assert!(notes.contains("train is taken for a split"), "{notes}");
    assert!(notes.contains("extra"), "{notes}");
}
