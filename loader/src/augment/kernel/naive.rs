//! The kernel's definition, value by value.

use super::Window;
use crate::settings::Layout;

/// The byte of the window at (y, x, channel), after reflection.
pub(super) fn value(window: &Window<'_>, y: usize, x: usize, c: usize) -> u8 {
    let x = if window.flip { window.crop - 1 - x } else { x };
    window.rgb[((window.top + y) * window.width + window.left + x) * 3 + c]
}

/// Every (y, x, channel) of a window in the order of the layout.
pub(super) fn places(crop: usize, layout: Layout) -> Vec<(usize, usize, usize)> {
    let mut places = Vec::new();
    match layout {
        Layout::Nhwc => {
            for y in 0..crop {
                for x in 0..crop {
                    places.extend((0..3).map(|c| (y, x, c)));
                }
            }
        }
        Layout::Nchw => {
            for c in 0..3 {
                for y in 0..crop {
                    places.extend((0..crop).map(|x| (y, x, c)));
                }
            }
        }
    }
    places
}
