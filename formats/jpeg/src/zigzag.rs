//! The order in which the coefficients of a block come (ITU-T T.81, figure A.6).

/// Place of each coefficient within a block, in the order of the data but column by column, as the transform
/// wants it; after the last one any place will do, for runs that lead too far.
pub(crate) const ZIGZAG: [u8; 80] = turned([
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
    63, 63, 63, 63, 63, 63,
]);

const fn turned(mut places: [u8; 80]) -> [u8; 80] {
    let mut k = 0;
    while k < places.len() {
        places[k] = places[k] % 8 * 8 + places[k] / 8;
        k += 1;
    }
    places
}
