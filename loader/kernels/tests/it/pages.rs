use shardmill_kernels::Pages;

#[test]
fn memory_is_kept_while_it_is_enough() {
    let mut pixels = Pages::default();
    assert!(pixels.values::<f32>().is_empty());
    pixels.resize(4096).unwrap();
    let place = pixels.values::<u8>().as_ptr();
    assert!(place.addr().is_multiple_of(4096));
    pixels.values_mut::<f32>().fill(2.0);
    pixels.resize(16).unwrap();
    assert_eq!(pixels.values::<f32>(), [2.0; 4]);
    assert_eq!(pixels.values::<u8>().as_ptr(), place);
    pixels.resize(8192).unwrap();
    assert_eq!(pixels.values::<u8>().len(), 8192);
}
