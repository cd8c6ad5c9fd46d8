//! Blocks that are transformed two by two, as many as the widest registers hold.

use pulp::cast;

use crate::integer::{Block, flat};
use crate::lanes::Lanes;
use crate::planes::Plane;
use crate::tables::Steps;
use crate::transform::Transform;
use crate::zigzag::ZIGZAG;

/// Place of each coefficient, in the order of the data, row by row; as long as [`ZIGZAG`].
const PLACES: [u8; 80] = {
    let mut places = ZIGZAG;
    let mut k = 0;
    while k < places.len() {
        places[k] = places[k] % 8 * 8 + places[k] / 8;
        k += 1;
    }
    places
};

/// Transforms blocks two by two.
pub(crate) struct Integer<L> {
    lanes: L,
    /// Step sizes of each component.
    steps: [Block; 4],
    blocks: [Block; 2],
    /// Where the first of the two blocks goes, if there is one: its component, and the place in the plane.
    waiting: Option<(usize, usize)>,
}

impl<L: Lanes> Integer<L> {
    /// For the step sizes of each component.
    pub(crate) fn new(steps: &[Steps; 4], lanes: L) -> Self {
        // They are listed column by column.
        let turned = |steps: &Steps| std::array::from_fn(|i| steps[i % 8 * 8 + i / 8] as i16);
        Self {
            lanes,
            steps: steps.each_ref().map(turned),
            blocks: [[0; 64]; 2],
            waiting: None,
        }
    }

    #[inline(always)]
    fn pair(&mut self, planes: &mut [Plane], places: [(usize, usize); 2]) {
        let steps = places.map(|(component, _)| &self.steps[component & 3]);
        let levels = self.lanes.levels(&self.blocks, steps);
        let [(component, start), (other, behind)] = places;
        if (other, behind) == (component, start + 8) {
            planes[component].put(start, &levels);
        } else {
            let blocks: [[[u8; 8]; 2]; 8] = cast(levels);
            planes[component].put(start, &blocks.map(|[row, _]| row));
            planes[other].put(behind, &blocks.map(|[_, row]| row));
        }
    }
}

impl<L: Lanes> Transform for Integer<L> {
    const PLACES: [u8; 80] = PLACES;

    #[inline(always)]
    fn block(&mut self) -> &mut Block {
        let block = &mut self.blocks[usize::from(self.waiting.is_some())];
        *block = [0; 64];
        block
    }

    #[inline(always)]
    fn put(&mut self, planes: &mut [Plane], component: usize, start: usize, length: usize) {
        if length == 1 {
            let value = self.blocks[usize::from(self.waiting.is_some())][0];
            let level = flat(value, self.steps[component & 3][0]);
            planes[component].put(start, &[[level; 8]; 8]);
            return;
        }
        match self.waiting.take() {
            None => self.waiting = Some((component, start)),
            Some(first) => self.pair(planes, [first, (component, start)]),
        }
    }

    #[inline(always)]
    fn flush(&mut self, planes: &mut [Plane]) {
        if let Some(last) = self.waiting.take() {
            self.blocks[1] = self.blocks[0];
            self.pair(planes, [last; 2]);
        }
    }
}
