//! The views of an image.

use serde::{Deserialize, Serialize};

/// The views of an image that a network judges it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// The centre window.
    Center,
    /// The centre window and its mirror image; the two softmax outputs are averaged.
    Two,
    /// The four corners, the centre, and their mirror images; the ten softmax outputs are averaged.
    /// Paper, section 4.1.
    Ten,
}

impl View {
    /// Number of windows.
    pub(crate) const fn count(self) -> usize {
        match self {
            Self::Center => 1,
            Self::Two => 2,
            Self::Ten => 10,
        }
    }

    /// Which of the windows is the centre, not mirrored.
    pub(crate) const fn center(self) -> usize {
        match self {
            Self::Center | Self::Two => 0,
            // After the four corners.
            Self::Ten => 4,
        }
    }

    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Center => "centre view",
            Self::Two => "two views",
            Self::Ten => "ten views",
        }
    }
}
