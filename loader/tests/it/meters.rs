//! Where the time of an epoch goes.

use std::time::Duration;

use shardmill_formats::Codec;
use shardmill_loader::{Bottleneck, Loader, LoaderError};

use crate::{builder, dataset, kit};

fn drain(loader: &Loader, pause: Duration) -> Result<shardmill_loader::Meter, LoaderError> {
    let mut epoch = loader.epoch(0);
    for batch in &mut epoch {
        batch?;
        std::thread::sleep(pause);
    }
    Ok(epoch.meter().clone())
}

#[test]
fn the_meter_finds_out_who_is_slow() {
    let (_folder, dataset) = dataset(Codec::Jpeg);
    for threads in [0, 2] {
        let builder = builder(&dataset).batch_size(2).threads(threads);
        let slow_consumer = builder.clone().build().unwrap();
        let meter = drain(&slow_consumer, Duration::from_millis(10)).unwrap();
        assert_eq!((meter.batches, meter.samples), (12, kit::SAMPLES as u64));
        assert_eq!((meter.threads, meter.replaced), (threads, 0));
        assert!(meter.decode > Duration::ZERO && meter.augment > Duration::ZERO);
        assert!(meter.transform.is_zero());
        // The wall ends with the last batch: eleven pauses lie before it.
        assert!(meter.wall >= Duration::from_millis(110), "{meter}");
        if threads == 2 {
            assert_eq!(meter.verdict().bottleneck, Bottleneck::Consumer, "{meter}");
            assert!(
                meter
                    .verdict()
                    .to_string()
                    .starts_with("consumer-bound: loader idle")
            );
        } else {
            assert!(meter.idle.is_zero());
        }
        let slow_transform = builder.transform(|_| {
            std::thread::sleep(Duration::from_millis(5));
            Ok(())
        });
        let meter = drain(&slow_transform.build().unwrap(), Duration::ZERO).unwrap();
        assert_eq!(meter.verdict().bottleneck, Bottleneck::Transform, "{meter}");
        assert!(meter.transform >= Duration::from_millis(5 * kit::SAMPLES as u64));
        assert!(
            meter.data_wait() > 0.5 && meter.data_wait() <= 1.0,
            "{meter}"
        );
    }
}
