//! Windows and reflections that consecutive images share.

use shardmill_formats::Codec;
use shardmill_loader::{Dataset, LastBatch, Loader, LoaderBuilder, Mix, Order, Output, Policy};

use crate::{builder, dataset, kit, modern};

const CROP: usize = 16;
const SHARED: u64 = 4;

/// Top, left, and whether it is reflected.
type Place = (usize, usize, bool);

/// The one window of `sample`'s pixels that `image` shows.
fn place(image: &[u8], sample: usize) -> Place {
    let (record, width) = (kit::pixels(sample), kit::SHAPE.width as usize);
    let shows = |(top, left, flip): &Place| {
        (0..CROP * CROP).all(|k| {
            let (y, x) = (k / CROP, k % CROP);
            let from = left + if *flip { CROP - 1 - x } else { x };
            let from = ((top + y) * width + from) * 3;
            image[3 * k..3 * k + 3] == record[from..from + 3]
        })
    };
    let (down, right) = (kit::SHAPE.height as usize - CROP, width - CROP);
    let all = (0..=down).flat_map(|top| (0..=right).map(move |left| (top, left)));
    let all = all.flat_map(|(top, left)| [(top, left, false), (top, left, true)]);
    let found: Vec<Place> = all.filter(shows).collect();
    assert_eq!(found.len(), 1, "sample {sample} is at {found:?}");
    found[0]
}

/// The places and samples of an epoch, in its order.
fn places(builder: LoaderBuilder, epoch: u64) -> Vec<(Place, u64)> {
    let loader = builder.output(Output::U8).build().unwrap();
    let mut all = Vec::new();
    for batch in loader.epoch(epoch) {
        let batch = batch.unwrap();
        let images = batch.images_u8().chunks_exact(CROP * CROP * 3);
        for ((image, index), area) in images.zip(batch.indices()).zip(batch.areas()) {
            let place = place(image, *index as usize % kit::SAMPLES);
            let told = (area.top as usize, area.left as usize, area.flip);
            assert_eq!(told, place, "what the batch says of itself");
            assert_eq!([area.height, area.width], [CROP as u32; 2]);
            all.push((place, *index));
        }
    }
    all
}

fn shared(dataset: &Dataset) -> LoaderBuilder {
    builder(dataset).draw_every(SHARED)
}

#[test]
fn a_run_of_places_shares_its_window_and_the_next_has_another() {
    let (_folder, dataset) = dataset(Codec::Raw);
    for order in [Order::Global, Order::blocks(), Order::Sequential] {
        let all = places(shared(&dataset).batch_size(6).order(order), 1);
        let runs: Vec<Place> = all.chunks(SHARED as usize).map(|run| run[0].0).collect();
        for (run, first) in all.chunks(SHARED as usize).zip(&runs) {
            assert!(run.iter().all(|(place, _)| place == first), "{order:?}");
        }
        let mut distinct = runs.clone();
        distinct.sort_unstable();
        distinct.dedup();
        // Six runs at 90 places: two may fall together.
        assert!(distinct.len() >= runs.len() - 1, "{order:?}: {runs:?}");
        // Runs are drawn by their number and the epoch, not by who is in them.
        let other_order = places(shared(&dataset).order(Order::Sequential), 1);
        let other_epoch = places(shared(&dataset).order(order), 2);
        let only = |of: &[(Place, u64)]| of.iter().map(|(place, _)| *place).collect::<Vec<_>>();
        assert_eq!(only(&all), only(&other_order));
        assert_ne!(only(&all), only(&other_epoch));
    }
}

#[test]
fn threads_batches_and_ranks_do_not_change_shared_windows() {
    let (_folder, dataset) = dataset(Codec::Raw);
    let oracle = places(shared(&dataset), 0);
    for (threads, size) in [(0, 1), (1, 23), (2, 5), (8, 6)] {
        let found = places(shared(&dataset).threads(threads).batch_size(size), 0);
        assert_eq!(found, oracle, "{threads} threads, batches of {size}");
    }
    let padded = || shared(&dataset).batch_size(6).last_batch(LastBatch::Pad);
    let whole = places(padded(), 0);
    // What fills the last batch up looks as it did at the beginning.
    assert_eq!(whole[..kit::SAMPLES], oracle);
    assert_eq!(whole[kit::SAMPLES..], oracle[..1]);
    let ranks = [0, 1].map(|rank| places(padded().rank(rank, 2).threads(2), 0));
    for (step, global) in whole.chunks(6).enumerate() {
        let parts = ranks.each_ref().map(|of| &of[step * 3..step * 3 + 3]);
        assert_eq!(parts.concat(), global);
    }
}

#[test]
fn mixes_share_windows_too() {
    let (_folder, dataset) = dataset(Codec::Raw);
    let mix = Mix::new([(dataset.clone(), 1), (dataset, 2)]).unwrap();
    let all = places(
        Loader::builder(mix)
            .batch_size(5)
            .draw_every(SHARED)
            .policy(Policy::Train {
                crop: CROP as u32,
                flip: true,
                color_std: 0.0,
            }),
        0,
    );
    for run in all.chunks(SHARED as usize) {
        assert!(run.iter().all(|(place, _)| *place == run[0].0));
    }
}

#[test]
fn one_draw_for_each_image_is_the_default_and_none_is_refused() {
    let (_folder, dataset) = dataset(Codec::Raw);
    let default = places(builder(&dataset), 3);
    assert_eq!(places(builder(&dataset).draw_every(1), 3), default);
    assert!(default.chunks(4).any(|run| run[0].0 != run[1].0));
    let refused = |builder: LoaderBuilder| builder.build().unwrap_err().to_string();
    assert!(refused(builder(&dataset).draw_every(0)).contains("1 draws for each"));
    let centre = builder(&dataset).policy(Policy::Center { crop: 16 });
    assert!(centre.clone().draw_every(1).build().is_ok());
    assert!(refused(centre.draw_every(2)).contains("training policies"));
    // Resized windows take it as well.
    assert!(modern(&dataset, 16).draw_every(32).build().is_ok());
}
