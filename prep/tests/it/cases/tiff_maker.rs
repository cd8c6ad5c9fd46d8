//! TIFFs put together by hand, of the size of the cases' pictures (TIFF 6.0, section 2).

use super::decoders::SIDE;

/// Sides in pixels.
const ACROSS: usize = SIDE as usize;

/// A TIFF's directory: numbers of tags, and their values.
#[derive(Clone)]
pub(super) struct Tiff(Vec<(u16, Vec<u32>)>);

/// Tiles of one side.
pub(super) struct Tiles {
    side: usize,
    data: Vec<Vec<u8>>,
}

impl Tiles {
    /// With the data of each in another form.
    pub(super) fn map(self, change: impl FnMut(Vec<u8>) -> Vec<u8>) -> Self {
        Self {
            data: self.data.into_iter().map(change).collect(),
            ..self
        }
    }
}

impl Tiff {
    /// One of 8-bit samples, unpacked; `colours` is what they mean.
    pub(super) fn new(colours: u32, samples: usize) -> Self {
        let tags = [(256, SIDE), (257, SIDE), (259, 1), (262, colours)];
        let mut tags: Vec<_> = tags.map(|(tag, value)| (tag, vec![value])).into();
        tags.push((258, vec![8; samples]));
        tags.push((277, vec![samples as u32]));
        Self(tags)
    }

    /// With another tag, or another value for one.
    pub(super) fn with(mut self, tag: u16, values: &[u32]) -> Self {
        self.0.retain(|(known, _)| *known != tag);
        self.0.push((tag, values.to_vec()));
        self
    }

    /// With its data in one strip.
    pub(super) fn strip(self, data: Vec<u8>) -> Vec<u8> {
        self.with(278, &[SIDE]).data(&[data], 273, 279)
    }

    pub(super) fn file(self, tiles: &Tiles) -> Vec<u8> {
        let side = [tiles.side as u32];
        let tiff = self.with(322, &side).with(323, &side);
        tiff.data(&tiles.data, 324, 325)
    }

    fn data(self, data: &[Vec<u8>], offsets: u16, lengths: u16) -> Vec<u8> {
        let mut file = b"II*\0\0\0\0\0".to_vec();
        let (mut starts, mut counts) = (Vec::new(), Vec::new());
        for part in data {
            starts.push(file.len() as u32);
            counts.push(part.len() as u32);
            file.extend_from_slice(part);
        }
        let mut tags = self.with(offsets, &starts).with(lengths, &counts).0;
        tags.sort();
        // Values that do not fit into their entries stand before the directory.
        let mut directory = (tags.len() as u16).to_le_bytes().to_vec();
        for (tag, values) in &tags {
            // Integers of 16 bits, except places and lengths.
            let long = [offsets, lengths].contains(tag);
            let bytes: Vec<u8> = match long {
                true => values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect(),
                false => values
                    .iter()
                    .flat_map(|value| (*value as u16).to_le_bytes())
                    .collect(),
            };
            let mut value = [0; 4];
            match value.get_mut(..bytes.len()) {
                Some(place) => place.copy_from_slice(&bytes),
                None => {
                    value = (file.len() as u32).to_le_bytes();
                    file.extend(bytes);
                }
            }
            directory.extend(tag.to_le_bytes());
            directory.extend(if long { [4, 0] } else { [3, 0] });
            directory.extend((values.len() as u32).to_le_bytes());
            directory.extend(value);
        }
        let place = (file.len() as u32).to_le_bytes();
        file[4..8].copy_from_slice(&place);
        file.extend(directory);
        file.extend([0; 4]);
        file
    }
}

/// Samples in tiles of `side` pixels a side, pixel by pixel; what is beyond the picture is noise.
pub(super) fn tiled(samples: &[u8], each: usize, side: usize) -> Tiles {
    let tiles = ACROSS.div_ceil(side);
    let tile = |place: usize| {
        let (top, left) = (place / tiles * side, place % tiles * side);
        let pixels = (0..side * side).flat_map(|at| {
            let (y, x) = (top + at / side, left + at % side);
            (0..each).map(move |sample| match y < ACROSS && x < ACROSS {
                true => samples[(y * ACROSS + x) * each + sample],
                false => (at * 37 + sample) as u8,
            })
        });
        pixels.collect()
    };
    Tiles {
        side,
        data: (0..tiles * tiles).map(tile).collect(),
    }
}

/// The same with tiles of its own for each sample.
pub(super) fn tiled_planes(samples: &[u8], each: usize, side: usize) -> Tiles {
    let plane = |sample: usize| {
        let plane: Vec<u8> = samples.iter().skip(sample).step_by(each).copied().collect();
        tiled(&plane, 1, side).data
    };
    Tiles {
        side,
        data: (0..each).flat_map(plane).collect(),
    }
}
