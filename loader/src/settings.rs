//! What a batch looks like.

pub use shardmill_kernels::Layout;

/// How samples become rows of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Policy {
    /// For training: a random window, a random reflection, and colour noise. (seed, epoch, sample)
    /// determine what is drawn for a sample.
    Train {
        /// Side of the window, in pixels.
        crop: u32,
        /// Whether half of the samples are reflected left to right.
        flip: bool,
        /// Standard deviation of the colour noise along each principal component, in units of that
        /// component's standard deviation; 0.1 in the paper. 0 turns it off.
        color_std: f64,
    },
    /// For training, as is usual for later networks: a random window of any size, resized bilinearly
    /// with antialiasing, a random reflection, and colour noise. (seed, epoch, sample) determine what
    /// is drawn for a sample.
    RandomResizedCrop {
        /// Side that the window is resized to, in pixels; it may be larger than the records.
        crop: u32,
        /// Smallest and largest share of the record's area, drawn uniformly; usually (0.08, 1).
        scale: (f64, f64),
        /// Smallest and largest ratio of width to height, uniform in its logarithm; usually
        /// (3/4, 4/3). Ten windows are tried; if none fits, the centre is used.
        ratio: (f64, f64),
        /// Whether half of the samples are reflected left to right.
        flip: bool,
        /// As for [`Train`](Self::Train).
        color_std: f64,
    },
    /// For training without random windows: the centre window of every sample, a random reflection, and
    /// colour noise. (seed, epoch, sample) determine what is drawn for a sample.
    FixedCrop {
        /// Side of the window, in pixels.
        crop: u32,
        /// Whether half of the samples are reflected left to right: the same ones as with
        /// [`Train`](Self::Train).
        flip: bool,
        /// As for [`Train`](Self::Train).
        color_std: f64,
    },
    /// For evaluation: the centre window.
    Center {
        /// Side of the window, in pixels.
        crop: u32,
    },
    /// For evaluation: two rows for each sample, the centre window and its reflection.
    TwoView {
        /// Side of the window, in pixels.
        crop: u32,
    },
    /// The paper's test: ten rows for each sample, the windows at top left, top right, bottom left,
    /// bottom right and centre, then their reflections in the same order.
    TenView {
        /// Side of the window, in pixels.
        crop: u32,
    },
}

impl Policy {
    /// Side of the window, in pixels.
    #[must_use]
    pub const fn crop(self) -> u32 {
        match self {
            Self::Train { crop, .. }
            | Self::RandomResizedCrop { crop, .. }
            | Self::FixedCrop { crop, .. }
            | Self::Center { crop }
            | Self::TwoView { crop }
            | Self::TenView { crop } => crop,
        }
    }

    /// Whether half of the samples are reflected.
    pub(crate) const fn flips(self) -> bool {
        match self {
            Self::Train { flip, .. }
            | Self::RandomResizedCrop { flip, .. }
            | Self::FixedCrop { flip, .. } => flip,
            Self::Center { .. } | Self::TwoView { .. } | Self::TenView { .. } => false,
        }
    }

    /// Whether windows are resized, so that they need not fit into a record.
    pub(crate) const fn resizes(self) -> bool {
        matches!(self, Self::RandomResizedCrop { .. })
    }

    /// Standard deviation of the colour noise; `None` for policies without randomness.
    pub(crate) const fn color_std(self) -> Option<f64> {
        match self {
            Self::Train { color_std, .. }
            | Self::RandomResizedCrop { color_std, .. }
            | Self::FixedCrop { color_std, .. } => Some(color_std),
            Self::Center { .. } | Self::TwoView { .. } | Self::TenView { .. } => None,
        }
    }

    /// Rows of a batch for each view of a sample; see [`views`](crate::LoaderBuilder::views).
    #[must_use]
    pub const fn rows_per_sample(self) -> usize {
        match self {
            Self::TenView { .. } => 10,
            Self::TwoView { .. } => 2,
            Self::Train { .. }
            | Self::RandomResizedCrop { .. }
            | Self::FixedCrop { .. }
            | Self::Center { .. } => 1,
        }
    }
}

/// Random changes of colour for training, as torchvision defines them, in a random order. (seed,
/// epoch, sample) determine what is drawn. They are applied before the colour noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColorJitter {
    /// The factor is uniform from `1 - brightness`, or 0, to `1 + brightness`.
    pub brightness: f64,
    /// The same for the contrast, the distance from the window's mean grey.
    pub contrast: f64,
    /// The same for the saturation, the distance from the pixel's grey.
    pub saturation: f64,
    /// Largest rotation of the hue to either side, as a fraction of a full circle; at most 0.5.
    pub hue: f64,
}

/// A value `v` of channel `c` becomes `(v - mean[c]) / std[c]`, on the 0-255 scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalize {
    /// Subtracted from R, G, B.
    pub mean: [f32; 3],
    /// Divides the difference.
    pub std: [f32; 3],
}

impl Normalize {
    /// Leaves values as they are.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            mean: [0.0; 3],
            std: [1.0; 3],
        }
    }

    /// Subtracts a mean without dividing, as AlexNet does.
    #[must_use]
    pub const fn mean(mean: [f32; 3]) -> Self {
        Self {
            mean,
            std: [1.0; 3],
        }
    }
}

/// Type of a batch's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Normalised values with colour noise.
    F32,
    /// The same, rounded to IEEE half precision: to nearest, ties to even.
    F16,
    /// The same, rounded to bfloat16: to nearest, ties to even.
    Bf16,
    /// The window's bytes; [`Batch::color_shift`](crate::Batch::color_shift) has the colour noise.
    U8,
}

impl Output {
    /// Bytes of a value.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::U8 => 1,
        }
    }

    /// The accessor of [`Batch`](crate::Batch) for values of this type.
    pub(crate) const fn accessor(self) -> &'static str {
        match self {
            Self::F32 => "images_f32",
            Self::F16 => "images_f16",
            Self::Bf16 => "images_bf16",
            Self::U8 => "images_u8",
        }
    }
}

/// What happens to samples that do not fill the last batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastBatch {
    /// They become a smaller batch.
    Keep,
    /// They are left out.
    Drop,
    /// They become a full batch, padded from the beginning of the epoch's order.
    Pad,
}
