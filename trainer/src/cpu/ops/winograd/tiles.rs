//! Images to tiles of transformed values, and back.

use crate::cpu::ops::vectorised;
use crate::cpu::ops::winograd::{LANES, Plan, Transform, both, load};

/// How tiles cover images, and where their values are in memory.
pub(super) struct Grid {
    /// Rows of the image.
    height: usize,
    /// Columns of the image.
    width: usize,
    channels: usize,
    /// Zeros above and to the left of the image.
    before: usize,
    /// Tiles of one image.
    tiles: usize,
    /// Tiles along its rows.
    columns: usize,
    /// Floats from one frequency to the next.
    step: usize,
}

impl Grid {
    /// The grid over the inputs.
    pub(super) fn inputs(plan: &Plan) -> Self {
        Self {
            height: plan.shape.height,
            width: plan.shape.width,
            channels: plan.shape.inputs,
            before: plan.shape.before,
            tiles: plan.image_tiles(),
            columns: plan.columns(),
            step: plan.input_step(),
        }
    }

    /// The grid over the outputs.
    pub(super) fn outputs(plan: &Plan) -> Self {
        Self {
            height: plan.shape.output_height(),
            width: plan.shape.output_width(),
            channels: plan.shape.outputs,
            before: 0,
            tiles: plan.image_tiles(),
            columns: plan.columns(),
            step: plan.output_step(),
        }
    }

    /// Where in an image the positions of a tile of `S` by `S` are; `None` outside of it.
    #[inline(always)]
    fn places<const S: usize>(&self, tile: usize) -> [[Option<usize>; S]; S] {
        let (first_y, first_x) = (tile / self.columns * 2, tile % self.columns * 2);
        let mut places = [[None; S]; S];
        for (row, places) in places.iter_mut().enumerate() {
            for (column, place) in places.iter_mut().enumerate() {
                let y = (first_y + row).wrapping_sub(self.before);
                let x = (first_x + column).wrapping_sub(self.before);
                if y < self.height && x < self.width {
                    *place = Some((y * self.width + x) * self.channels);
                }
            }
        }
        places
    }

    /// Transforms every tile of `S` by `S` positions into `T` by `T` values.
    pub(super) fn to_frequencies<L: Transform<S, T>, const S: usize, const T: usize>(
        &self,
        images: &[f32],
        values: &mut [f32],
    ) {
        vectorised(
            #[inline(always)]
            || {
                let len = self.height * self.width * self.channels;
                for (number, image) in images.chunks_exact(len).enumerate() {
                    for tile in 0..self.tiles {
                        let places = self.places::<S>(tile);
                        let first = (number * self.tiles + tile) * self.channels;
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
            },
        );
    }

    /// Transforms every tile's `T` by `T` values into `S` by `S` positions. Where tiles overlap, `ADD`
    /// must be set: it gives the images the sum over the tiles.
    pub(super) fn to_positions<
        L: Transform<T, S>,
        const T: usize,
        const S: usize,
        const ADD: bool,
    >(
        &self,
        values: &[f32],
        images: &mut [f32],
    ) {
        vectorised(
            #[inline(always)]
            || {
                let len = self.height * self.width * self.channels;
                for (number, image) in images.chunks_exact_mut(len).enumerate() {
                    if ADD {
                        image.fill(0.0);
                    }
                    for tile in 0..self.tiles {
                        let places = self.places::<S>(tile);
                        let first = (number * self.tiles + tile) * self.channels;
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
            },
        );
    }
}
