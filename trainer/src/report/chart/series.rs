//! What a chart shows.

/// A line, points, or both.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    /// For the legend and on hover; text from anywhere.
    pub(crate) name: String,
    pub(crate) colour: Colour,
    pub(crate) stroke: Stroke,
    /// Whether each point has a mark. A point that stands alone has one in any case.
    pub(crate) marks: bool,
    /// In rising order of x where there is a line.
    pub(crate) points: Vec<Point>,
    /// A range around the line; in rising order of x.
    pub(crate) band: Vec<Range>,
}

/// A colour of the page's style sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    /// One of [`SERIES_COLOURS`] that are told apart; others begin again.
    Series(usize),
    /// For what is not the point.
    Muted,
    /// For what is right.
    Right,
    /// For what is wrong.
    Wrong,
}

impl Default for Colour {
    fn default() -> Self {
        Self::Series(0)
    }
}

/// Colours of the style sheet that are told apart.
pub(crate) const SERIES_COLOURS: usize = 12;

impl Colour {
    /// As a value of CSS.
    pub(crate) fn css(self) -> String {
        match self {
            Self::Series(number) => format!("var(--series-{})", number % SERIES_COLOURS + 1),
            Self::Muted => "var(--muted)".to_owned(),
            Self::Right => "var(--right)".to_owned(),
            Self::Wrong => "var(--wrong)".to_owned(),
        }
    }
}

/// How points are joined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stroke {
    #[default]
    Solid,
    Dashed,
    /// Not at all.
    None,
}

/// A value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
    /// What hovering shows; `None`: the series' name and both values.
    pub(crate) title: Option<String>,
}

impl Point {
    /// A point that shows its values.
    pub(crate) const fn new(x: f64, y: f64) -> Self {
        Self { x, y, title: None }
    }
}

/// What a value ranges over at one place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    pub(crate) x: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}
