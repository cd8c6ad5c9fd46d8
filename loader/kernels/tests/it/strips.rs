//! Windows that are written a strip at a time.

use proptest::prelude::*;
use shardmill_kernels::{Image, Kernel, Layout, Strip, Values, Window};

use crate::naive;
use crate::reference;
use crate::windows::{Case, KINDS, Kind, cases, in_strips, written};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_window_in_strips_is_the_whole_window(
        case in cases(),
        sizes in prop::collection::vec(1_usize..20, 1..4),
        copied in any::<bool>(),
        skip in prop_oneof![Just(0), 0_usize..33],
    ) {
        let case = Case { height: case.crop, width: case.crop, ..case };
        let (picture, width) = case.picture();
        let Case { crop, flip, border, .. } = case;
        let window = Window { rgb: &picture, width, top: border, left: border, crop, flip };
        let strip = Image { rgb: &picture, width }.strip(case.area());
        for layout in [Layout::Nhwc, Layout::Nchw] {
            let places = naive::places(crop, layout).into_iter();
            let defined: Vec<u32> = places.map(|(y, x, c)| naive::value(&window, y, x, c).into()).collect();
            for kind in KINDS {
                let wanted = written(kind, defined.len(), skip, |values| match values {
                    Values::Bytes(out) => Kernel::new(true).bytes(window, layout, out),
                    Values::Floats(affine, out) => Kernel::new(true).floats(window, affine, layout, out),
                });
                if matches!(kind, Kind::Bytes) {
                    prop_assert_eq!(&wanted, &defined);
                }
                for mut kernel in [Kernel::portable(), Kernel::new(false), Kernel::new(true)] {
                    let found = written(kind, defined.len(), skip, |values| {
                        let mut slot = kernel.slot(crop, flip, layout, values);
                        // From the last strip to the first: the order is the caller's.
                        let mut strips = Vec::new();
                        in_strips(strip, crop, &sizes, copied, |first, strip| {
                            strips.push((first, strip.rgb.to_vec(), strip.stride, strip.rows));
                        });
                        for (first, rgb, stride, rows) in strips.iter().rev() {
                            let (stride, rows) = (*stride, *rows);
                            slot.write(*first, Strip { rgb, stride, rows });
                        }
                    });
                    prop_assert!(found == wanted, "{:?} {:?}", kind, layout);
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "rows 3 to 5 of a window of 4")]
fn rows_beyond_a_slot_are_refused() {
    let picture = reference::picture();
    let strip = Strip {
        rgb: &picture,
        stride: reference::WIDTH * 3,
        rows: 2,
    };
    let mut out = [0; 48];
    let mut kernel = Kernel::new(false);
    kernel
        .slot(4, false, Layout::Nchw, Values::Bytes(&mut out))
        .write(3, strip);
}

#[test]
#[should_panic(expected = "does not hold 3 rows of 4 pixels")]
fn a_strip_that_lacks_bytes_is_refused() {
    let (rgb, mut out) = ([0; 35], [0; 48]);
    let mut kernel = Kernel::new(false);
    let strip = Strip {
        rgb: &rgb,
        stride: 12,
        rows: 3,
    };
    kernel
        .slot(4, false, Layout::Nhwc, Values::Bytes(&mut out))
        .write(0, strip);
}
