use shardmill_kernels::{MemoryLimits, store_around_caches};

#[test]
fn memory_is_faster_than_a_disk_and_slower_than_light() {
    let limits = MemoryLimits::measure(1).unwrap();
    for rate in [limits.copy, limits.store] {
        assert!((1e8..1e13).contains(&rate), "{limits:?}");
    }
}

#[test]
fn every_byte_is_stored_around_the_caches() {
    for start in [0, 1, 31] {
        let mut bytes = vec![0; 1000];
        store_around_caches(&mut bytes[start..]);
        assert!(bytes[start..].iter().all(|byte| *byte == 3));
        assert!(bytes[..start].iter().all(|byte| *byte == 0));
    }
}
