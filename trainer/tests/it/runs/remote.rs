//! Runs on a dataset behind a server; without the feature `remote`, what is said of its address.

#[cfg(feature = "remote")]
#[path = "../../../../store/tests/it/server.rs"]
mod server;

#[cfg(not(feature = "remote"))]
use shardmill_trainer::{TrainOptions, train};

#[cfg(not(feature = "remote"))]
#[test]
fn an_address_is_refused_in_words_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut options = crate::runs::dataset::options("s3://bucket/shards".as_ref(), &run);
    let refused = |options: &TrainOptions| train(options).unwrap_err().to_string();
    let said = refused(&options);
    assert!(said.contains("--features remote"), "{said}");
    // What becomes of an address that was a path on the way.
    options.shards = "s3:/bucket/shards".into();
    let said = refused(&options);
    assert!(said.contains("two slashes"), "{said}");
    assert!(!run.exists());
}

#[cfg(feature = "remote")]
mod over_a_server {
    use std::fs;
    use std::path::Path;

    use shardmill_prep::{DatasetWriter, Image, Sample, WriteOptions, class_list};
    use shardmill_trainer::settings::Order;
    use shardmill_trainer::{EvalOptions, TrainOptions, evaluate, train};

    use super::server::Server;
    use crate::runs::dataset::{CLASSES, SIDE, options};

    /// Bytes of a record, of which shards are the larger part.
    const RECORD: u64 = (SIDE * SIDE * 3) as u64;

    /// 22 images in shards of four to train on, and 9 to validate on.
    fn write(folder: &Path) {
        let mut options = WriteOptions::new(class_list(&CLASSES.map(str::to_owned)).unwrap());
        (options.size, options.shard_records, options.threads) = (SIDE, 4, 1);
        let mut writer = DatasetWriter::create(folder, options).unwrap();
        for (split, images) in [("train", 22_usize), ("val", 9)] {
            for number in 0..images {
                let pixel = |i: usize| (i * (number % CLASSES.len() + 3) + number * 7) as u8;
                let image = Image::Pixels {
                    width: SIDE,
                    height: SIDE,
                    channels: 3,
                    pixels: (0..RECORD as usize).map(pixel).collect(),
                };
                let (label, key) = ((number % CLASSES.len()) as i64, None);
                writer.push(split, Sample { image, label, key }).unwrap();
            }
        }
        writer.finish().unwrap();
    }

    fn serve(folder: &Path) -> Server {
        let files = fs::read_dir(folder).unwrap().map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        });
        let files: Vec<_> = files.collect();
        let files: Vec<_> = files
            .iter()
            .map(|(name, bytes)| (&**name, bytes.clone()))
            .collect();
        Server::start(&files)
    }

    #[test]
    fn a_run_over_a_server_is_that_on_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let [shards, cache] = ["shards", "cache"].map(|name| folder.path().join(name));
        write(&shards);
        let server = serve(&shards);
        // Five shards of six: two sets of two are in use at once.
        let small = 5 * 4 * RECORD;
        for (name, order, bytes) in [
            ("two", Order::Shards { together: 2 }, Some(small)),
            ("global", Order::Global, None),
        ] {
            let run = |place: &str| folder.path().join(format!("{name}-{place}"));
            let mut local = options(&shards, &run("local"));
            // Few images are in the works at once.
            (local.recipe.order, local.recipe.batch_size) = (order, 2);
            let mut remote = TrainOptions {
                shards: server.address.clone().into(),
                run: run("remote"),
                ..local.clone()
            };
            remote.cache.dir = Some(cache.join(name));
            remote.cache.bytes = bytes;
            let outcome = train(&local).unwrap();
            // In the middle of an epoch it stops and goes on.
            remote.max_steps = Some(8);
            assert!(!train(&remote).unwrap().finished);
            (remote.max_steps, remote.resume) = (None, true);
            assert!(train(&remote).unwrap().finished);
            let bytes = |run: &Path| fs::read(run.join("last.safetensors")).unwrap();
            assert!(bytes(&local.run) == bytes(&remote.run), "{name}");
            let log = fs::read_to_string(remote.run.join("metrics.jsonl")).unwrap();
            assert!(log.contains(&format!("\"shards\":\"{}\"", server.address)));
            assert!(!log.contains("\"manifest_crc32c\":null"), "{log}");

            let mut eval = EvalOptions::new(outcome.last, &server.address);
            eval.cache = remote.cache.clone();
            let scores = |eval: &EvalOptions| evaluate(eval).unwrap().center;
            let of_the_folder = EvalOptions {
                shards: shards.clone(),
                ..eval.clone()
            };
            assert_eq!(scores(&eval), scores(&of_the_folder));
        }
    }

    #[test]
    fn a_cache_that_is_too_small_is_known_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let [shards, cache, run] = ["shards", "cache", "run"].map(|name| folder.path().join(name));
        write(&shards);
        let server = serve(&shards);
        server.asked();
        let mut options = options(server.address.as_ref(), &run);
        (options.cache.dir, options.cache.bytes) = (Some(cache), Some(5 * 4 * RECORD));
        let refused = train(&options).unwrap_err().to_string();
        assert!(refused.contains("--cache-bytes"), "{refused}");
        assert!(refused.contains("--order shards"), "{refused}");
        assert!(!run.exists());
        // Every check needed ranges alone.
        let whole = server
            .asked()
            .into_iter()
            .filter(|(name, range)| range.is_none() && name.ends_with(".safetensors"));
        assert_eq!(whole.count(), 0);
    }
}
