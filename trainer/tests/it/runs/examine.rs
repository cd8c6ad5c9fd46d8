use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use safetensors::SafeTensors;
use shardmill_trainer::analysis::{
    FeatureFile, FeatureOptions, FeatureWriter, Features, PredictOptions, Rows, predict_split,
};
use shardmill_trainer::settings::Softmax;
use shardmill_trainer::{EvalOptions, Stop, Subject, View, evaluate, train};

use crate::runs::dataset::{CLASSES, options, write, write_splits};

/// A dataset and a network that has seen it, with the two in it.
struct Work {
    _folder: tempfile::TempDir,
    shards: PathBuf,
    checkpoint: PathBuf,
    path: PathBuf,
}

impl Work {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let shards = path.join("shards");
        write(&shards, &CLASSES);
        let mut options = options(&shards, &path.join("run"));
        options.max_steps = Some(4);
        Self {
            checkpoint: train(&options).unwrap().last,
            shards,
            path,
            _folder: folder,
        }
    }

    fn subject(&self, split: &str) -> Subject {
        Subject::new(&self.checkpoint, &self.shards, split)
    }
}

#[test]
fn predictions_have_the_errors_of_an_evaluation() {
    let work = Work::new();
    let some = work.path.join("some");
    write(&some, &["n01", "n03"]);
    for (shards, subset) in [
        (&work.shards, None),
        (&some, Some(Softmax::Subset)),
        (&some, Some(Softmax::All)),
    ] {
        let mut eval = EvalOptions::new(&work.checkpoint, shards);
        (eval.split, eval.subset) = ("train".to_owned(), subset);
        eval.views = vec![View::Center, View::Two, View::Ten];
        let scores = evaluate(&eval).unwrap();
        for (view, scores) in [
            (View::Center, scores.center),
            (View::Two, scores.two),
            (View::Ten, scores.ten),
        ] {
            let scores = scores.unwrap();
            let mut subject = work.subject("train");
            (subject.shards, subject.subset) = (shards.clone(), subset);
            let mut options = PredictOptions::new(subject);
            options.view = view;
            let found = predict_split(&options, |_, _| ()).unwrap().unwrap();
            let found = found.predictions;
            assert_eq!(found.error(1), scores.top1_error);
            assert_eq!(found.error(5), scores.top5_error);
            assert_eq!(found.items.len() as u64, scores.samples);
            let loss: f64 = found.items.iter().map(|i| -i.label_probability.ln()).sum();
            assert!((loss / 22.0 - scores.loss).abs() < 1e-12);
            for (number, item) in found.items.iter().enumerate() {
                assert_eq!(item.sample, number as u64);
                assert_eq!(item.top.len(), found.classes.min(5));
                let sorted = item.top.is_sorted_by(|a, b| a.probability >= b.probability);
                assert!(sorted, "{item:?}");
                assert_eq!(item.top[item.rank].label, item.label, "{item:?}");
            }
        }
    }
}

#[test]
fn features_are_of_the_centre_view_whatever_the_views() {
    let work = Work::new();
    let with = |view| {
        let mut options = PredictOptions::new(work.subject("val"));
        (options.view, options.layer) = (view, Some("fc7".to_owned()));
        let found = predict_split(&options, |_, _| ()).unwrap().unwrap();
        found.features.unwrap()
    };
    let center = with(View::Center);
    assert_eq!(center.values.len(), 9 * center.len);
    assert_eq!(center.labels, [0, 1, 2, 0, 1, 2, 0, 1, 2]);
    for view in [View::Two, View::Ten] {
        // Products of other sizes may round otherwise.
        let other = with(view);
        for (found, expected) in other.values.iter().zip(&center.values) {
            assert!((found - expected).abs() <= 1e-4 * expected.abs().max(1.0));
        }
    }
    let mut options = PredictOptions::new(work.subject("val"));
    options.layer = Some("fc9".to_owned());
    let error = predict_split(&options, |_, _| ()).unwrap_err().to_string();
    assert!(
        error.contains("no layer \"fc9\"") && error.contains("fc7, drop2, fc8"),
        "{error}"
    );
    options.layer = None;
    options.stop.request();
    assert_eq!(predict_split(&options, |_, _| ()).unwrap(), None);
}

fn in_memory(work: &Work, layer: &str) -> Features {
    let mut options = PredictOptions::new(work.subject("train"));
    options.layer = Some(layer.to_owned());
    let found = predict_split(&options, |_, _| ()).unwrap().unwrap();
    found.features.unwrap()
}

fn writer(work: &Work, out: &Path) -> FeatureOptions {
    FeatureOptions::new(work.subject("train"), out)
}

#[test]
fn a_file_of_features_is_read_by_the_stock_reader_and_leads_back_to_the_images() {
    let work = Work::new();
    let out = work.path.join("features.safetensors");
    let writer = FeatureWriter::open(&writer(&work, &out)).unwrap();
    let bytes = writer.plan().bytes;
    let last = AtomicU64::new(0);
    assert!(
        writer
            .run(|done, of| last.store(done * 100 + of, Ordering::Relaxed))
            .unwrap()
    );
    assert_eq!(last.into_inner(), 22 * 100 + 22);
    let expected = in_memory(&work, "fc7");
    let file = FeatureFile::open(&out).unwrap();
    assert!(*file.read(0..22).unwrap() == *expected.values);
    assert_eq!(file.labels(), expected.labels);

    let raw = fs::read(&out).unwrap();
    assert_eq!(raw.len() as u64, bytes);
    let (_, header) = SafeTensors::read_metadata(&raw).unwrap();
    let strings = header.metadata().clone().unwrap();
    assert_eq!((&*strings["layer"], &*strings["split"]), ("fc7", "train"));
    assert!(strings["classes"].contains("n02") && strings["shards"].contains("blake3"));
    let stock = SafeTensors::deserialize(&raw).unwrap();
    assert_eq!(
        stock.tensor("features").unwrap().shape(),
        [22, expected.len]
    );
    let integers = |name: &str| -> Vec<i64> {
        let view = stock.tensor(name).unwrap();
        let values = view.data().as_chunks().0.iter();
        values.map(|&v| i64::from_le_bytes(v)).collect()
    };
    let offsets = integers("key_offsets");
    let keys = stock.tensor("keys").unwrap();
    for (row, bounds) in offsets.windows(2).enumerate() {
        let key = &keys.data()[bounds[0] as usize..bounds[1] as usize];
        assert_eq!(key, format!("train/{row}").as_bytes());
        assert_eq!(integers("sample")[row], row as i64);
        assert_eq!(
            (integers("shard")[row], integers("record")[row]),
            (0, row as i64)
        );
    }
}

#[test]
fn an_unfinished_file_of_features_is_gone_on_with() {
    let work = Work::new();
    let mut options = writer(&work, &work.path.join("whole"));
    assert!(
        FeatureWriter::open(&options)
            .unwrap()
            .run(|_, _| ())
            .unwrap()
    );
    let whole = fs::read(&options.out).unwrap();

    // Cut within a row, with the number of rows that are safely there before it.
    options.out = work.path.join("parted");
    let partial = work.path.join("parted.partial");
    let file = FeatureFile::open(&work.path.join("whole")).unwrap();
    let row = 4 * file.row_len();
    for rows in [0_u64, 7, 22] {
        let mut bytes = whole[..whole.len() - 22 * row + rows as usize * row].to_vec();
        bytes[..8].copy_from_slice(&rows.to_le_bytes());
        bytes.extend_from_slice(&[255; 9]);
        fs::write(&partial, bytes).unwrap();
        let writer = FeatureWriter::open(&options).unwrap();
        // Whole batches only, or all.
        assert_eq!(writer.plan().done, if rows == 22 { 22 } else { 0 });
        assert!(writer.run(|_, _| ()).unwrap());
        assert!(fs::read(&options.out).unwrap() == whole, "{rows}");
        assert!(!partial.exists());
        fs::remove_file(&options.out).unwrap();
    }

    // Of another layer, or no such file at all.
    for other in [whole[..whole.len() / 2].to_vec(), b"mine".to_vec()] {
        let mut other = other;
        other[0] ^= 1;
        if other.len() > 300 {
            other[300] ^= 1;
        }
        fs::write(&partial, &other).unwrap();
        let error = FeatureWriter::open(&options)
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(error.contains("unfinished file of another"), "{error}");
        assert!(fs::read(&partial).unwrap() == other, "it was touched");
    }
    options.force = true;
    assert!(
        FeatureWriter::open(&options)
            .unwrap()
            .run(|_, _| ())
            .unwrap()
    );
    assert!(fs::read(&options.out).unwrap() == whole);
    options.force = false;
    let error = FeatureWriter::open(&options)
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("exists") && error.contains("--force"),
        "{error}"
    );
}

#[test]
fn a_stopped_pass_goes_on_where_it_was_and_ends_in_the_same_bytes() {
    let work = Work::new();
    // Three batches of the engine's 80 images.
    let many = work.path.join("many");
    write_splits(&many, &CLASSES, &[("train", 170)]);
    let mut options = writer(&work, &work.path.join("whole"));
    options.subject.shards = many;
    let whole = FeatureWriter::open(&options).unwrap();
    assert!(whole.run(|_, _| ()).unwrap());

    options.out = work.path.join("parted");
    for stops in [80, 160] {
        let writer = FeatureWriter::open(&options).unwrap();
        assert_eq!(writer.plan().done, stops - 80);
        let stop = options.stop.clone();
        let finished = writer.run(|done, of| {
            assert_eq!((done, of), (stops, 170));
            stop.request();
        });
        assert!(!finished.unwrap() && !options.out.exists());
        options.stop = Stop::default();
    }
    let writer = FeatureWriter::open(&options).unwrap();
    assert_eq!(writer.plan().done, 160);
    assert!(writer.run(|_, _| ()).unwrap());
    let [whole, parted] = ["whole", "parted"].map(|name| fs::read(work.path.join(name)).unwrap());
    assert!(whole == parted);
}

#[test]
fn two_writers_do_not_share_a_file() {
    let work = Work::new();
    let options = writer(&work, &work.path.join("shared"));
    let first = FeatureWriter::open(&options).unwrap();
    let error = FeatureWriter::open(&options)
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(error.contains("another process is writing"), "{error}");
    assert!(first.run(|_, _| ()).unwrap());
}
