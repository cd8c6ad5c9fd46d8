//! Images to tiles of transformed values, and back.

use crate::cpu::ops::winograd::lines::{LANES, Line, both, load};
use crate::cpu::ops::winograd::plan::Plan;

/// How tiles lie over images, and their values in memory.
pub(crate) struct Grid {
    /// Rows and columns of the image.
    size: (usize, usize),
    channels: usize,
    /// Zeros above and to the left of the image.
    before: usize,
    /// Tiles of one image, and along its rows.
    tiles: (usize, usize),
    /// Floats from one frequency to the next.
    step: usize,
}

impl Grid {
    /// The grid over the inputs.
    pub(crate) fn inputs(plan: &Plan) -> Self {
        Self {
            size: (plan.shape.height, plan.shape.width),
            channels: plan.shape.inputs,
            before: plan.shape.before,
            tiles: (plan.image_tiles(), plan.columns()),
            step: plan.input_step(),
        }
    }

    /// The grid over the outputs.
    pub(crate) fn outputs(plan: &Plan) -> Self {
        Self {
            size: (plan.shape.output_height(), plan.shape.output_width()),
            channels: plan.shape.outputs,
            before: 0,
            tiles: (plan.image_tiles(), plan.columns()),
            step: plan.output_step(),
        }
    }

    /// Where the positions of a tile of `S` by `S` lie in an image; `None` outside of it.
    #[inline(always)]
    fn places<const S: usize>(&self, tile: usize) -> [[Option<usize>; S]; S] {
        let (first_y, first_x) = (tile / self.tiles.1 * 2, tile % self.tiles.1 * 2);
        let mut places = [[None; S]; S];
        for (row, places) in places.iter_mut().enumerate() {
            for (column, place) in places.iter_mut().enumerate() {
                let y = (first_y + row).wrapping_sub(self.before);
                let x = (first_x + column).wrapping_sub(self.before);
                if y < self.size.0 && x < self.size.1 {
                    *place = Some((y * self.size.1 + x) * self.channels);
                }
            }
        }
        places
    }

    /// Writes the `T` by `T` values that `L` makes of every tile of `S` by `S` positions.
    #[inline(always)]
    pub(crate) fn take<L: Line<S, T>, const S: usize, const T: usize>(
        &self,
        images: &[f32],
        values: &mut [f32],
    ) {
        let len = self.size.0 * self.size.1 * self.channels;
        for (number, image) in images.chunks_exact(len).enumerate() {
            for tile in 0..self.tiles.0 {
                let places = self.places::<S>(tile);
                let first = (number * self.tiles.0 + tile) * self.channels;
                for channel in (0..self.channels).step_by(LANES) {
                    let mut block = [[[0.0; LANES]; S]; S];
                    for (i, row) in block.iter_mut().enumerate() {
                        for (j, lane) in row.iter_mut().enumerate() {
                            if let Some(place) = places[i][j] {
                                *lane = load(image, place + channel);
                            }
                        }
                    }
                    let block = both::<L, S, T>(&block);
                    for (i, row) in block.iter().enumerate() {
                        for (j, lane) in row.iter().enumerate() {
                            let at = (i * T + j) * self.step + first + channel;
                            values[at..at + LANES].copy_from_slice(lane);
                        }
                    }
                }
            }
        }
    }

    /// Makes `S` by `S` positions of every tile's `T` by `T` values. Where tiles overlap, `ADD` must be
    /// set: it gives the images the sum over the tiles.
    #[inline(always)]
    pub(crate) fn give<L: Line<T, S>, const T: usize, const S: usize, const ADD: bool>(
        &self,
        values: &[f32],
        images: &mut [f32],
    ) {
        let len = self.size.0 * self.size.1 * self.channels;
        for (number, image) in images.chunks_exact_mut(len).enumerate() {
            if ADD {
                image.fill(0.0);
            }
            for tile in 0..self.tiles.0 {
                let places = self.places::<S>(tile);
                let first = (number * self.tiles.0 + tile) * self.channels;
                for channel in (0..self.channels).step_by(LANES) {
                    let mut block = [[[0.0; LANES]; T]; T];
                    for (i, row) in block.iter_mut().enumerate() {
                        for (j, lane) in row.iter_mut().enumerate() {
                            *lane = load(values, (i * T + j) * self.step + first + channel);
                        }
                    }
                    let block = both::<L, T, S>(&block);
                    for (i, row) in block.iter().enumerate() {
                        for (j, lane) in row.iter().enumerate() {
                            let Some(place) = places[i][j] else { continue };
                            let at = place + channel;
                            let image = &mut image[at..at + LANES];
                            for (value, &new) in image.iter_mut().zip(lane) {
                                *value = if ADD { *value + new } else { new };
                            }
                        }
                    }
                }
            }
        }
    }
}
