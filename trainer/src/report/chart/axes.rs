//! The axes of a chart, and the plotting crate's layout of them.

use std::sync::Arc;

use kuva::TickFormat;
use kuva::plot::LegendPosition;
use kuva::render::layout::Layout;
use kuva::render::plots::Plot;
use kuva::render::theme::Theme;

use super::label::label;
use super::number::number;

/// Everything about a chart but its data.
#[derive(Clone, Debug)]
pub(crate) struct Chart<'a> {
    /// Unique on its page; letters, digits and `-`. Names within the SVG begin with it.
    pub(crate) id: &'a str,
    /// What it shows, for people who cannot see it.
    pub(crate) alt: &'a str,
    pub(crate) x: Axis<'a>,
    pub(crate) y: Axis<'a>,
    pub(crate) size: Size,
}

/// The space of a chart, in the units of its letters, which are 13 high. On a page a chart is as wide as
/// its column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Default for Size {
    /// Two charts side by side on a wide screen, one on a phone.
    fn default() -> Self {
        Self {
            width: 480.0,
            height: 300.0,
        }
    }
}

/// An axis.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Axis<'a> {
    /// Quantity and unit.
    pub(crate) label: &'a str,
    pub(crate) scale: Scale,
    /// Where it begins; `None`: at the lowest value.
    pub(crate) low: Option<f64>,
    /// Where it ends; `None`: at the highest value.
    pub(crate) high: Option<f64>,
    /// Whether only whole numbers are marked, as for epochs.
    pub(crate) whole: bool,
    /// Whether it has no numbers and no grid, since its values mean nothing.
    pub(crate) bare: bool,
}

/// How an axis maps values to places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scale {
    #[default]
    Linear,
    Logarithmic,
}

impl Chart<'_> {
    /// Whether a value has a place.
    pub(super) fn shows(&self, x: f64, y: f64) -> bool {
        let on = |axis: &Axis<'_>, value: f64| match axis.scale {
            Scale::Linear => value.abs() <= LARGEST,
            Scale::Logarithmic => (1.0 / LARGEST..=LARGEST).contains(&value),
        };
        on(&self.x, x) && on(&self.y, y)
    }
}

/// Lowest and highest value of both axes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extent {
    x: Span,
    y: Span,
}

/// From the lowest to the highest value.
#[derive(Clone, Copy, Debug)]
struct Span {
    low: f64,
    high: f64,
}

impl Default for Span {
    /// Of no values.
    fn default() -> Self {
        Self {
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
        }
    }
}

impl Span {
    fn add(&mut self, value: f64) {
        (self.low, self.high) = (self.low.min(value), self.high.max(value));
    }
}

impl Extent {
    pub(super) fn add(&mut self, x: f64, y: f64) {
        self.x.add(x);
        self.y.add(y);
    }
}

/// The ends of an axis: never the same, and with some room around values.
fn ends(axis: &Axis<'_>, span: Span) -> (f64, f64) {
    let (low, high) = match (span.low.is_finite(), axis.scale) {
        (true, _) => (span.low, span.high),
        (false, Scale::Linear) => (0.0, 1.0),
        (false, Scale::Logarithmic) => (1.0, 10.0),
    };
    let (mut first, mut last) = (axis.low.unwrap_or(low), axis.high.unwrap_or(high));
    if first >= last {
        (first, last) = match axis.scale {
            Scale::Linear => (first - 0.5, first + 0.5),
            Scale::Logarithmic => (first / 2.0, first * 2.0),
        };
    }
    let room = match axis.scale {
        Scale::Linear => (last - first) * 0.04,
        Scale::Logarithmic => return (first / 1.2, last * 1.2),
    };
    if axis.low.is_none() {
        // Quantities that are not negative do not begin below 0.
        first = if first >= 0.0 {
            (first - room).max(0.0)
        } else {
            first - room
        };
    }
    if axis.high.is_none() {
        last += room;
    }
    (first, last)
}

/// Beside the axes, so that charts under each other have their places under each other.
const LEFT: f64 = 80.0;
pub(super) const RIGHT: f64 = 20.0;

/// The largest value that has a place, and the inverse of the least on a logarithmic axis: the plotting crate marks
/// powers of ten beyond both ends, and does not end where these are infinite.
const LARGEST: f64 = 1e100;

/// Marks of an axis.
const TICKS: usize = 5;

pub(super) fn layout(chart: &Chart<'_>, extent: &Extent, plots: &[Plot], legend: bool) -> Layout {
    let (x, y) = (ends(&chart.x, extent.x), ends(&chart.y, extent.y));
    // It knows the names of the legend from the plots; the ranges are ours.
    let mut layout = Layout::auto_from_plots(plots)
        .with_width(chart.size.width)
        .with_height(chart.size.height)
        .with_ticks(TICKS)
        .with_x_axis_min(x.0)
        .with_x_axis_max(x.1)
        .with_y_axis_min(y.0)
        .with_y_axis_max(y.1)
        .with_x_label(label(chart.x.label))
        .with_y_label(label(chart.y.label))
        .with_label_size(13)
        .with_tick_size(12)
        .with_body_size(13)
        .with_theme(theme(!(chart.x.bare && chart.y.bare)))
        .with_force_margins(LEFT, RIGHT)
        .with_y_tick_format(format(&chart.y))
        .with_legend_box(false)
        .with_legend_position(LegendPosition::OutsideBottomColumns);
    (layout.x_range, layout.y_range) = (x, y);
    layout.show_legend = legend;
    if chart.x.scale == Scale::Logarithmic {
        layout = layout.with_log_x();
    }
    if chart.y.scale == Scale::Logarithmic {
        layout = layout.with_log_y();
    }
    if chart.x.whole && chart.x.scale == Scale::Linear {
        let step = whole_step(x.1 - x.0);
        layout = layout
            .with_x_tick_step(step)
            .with_x_tick_format(TickFormat::Integer);
    }
    if chart.x.bare {
        layout = layout.with_x_tick_format(format(&chart.x));
    }
    layout
}

/// How the numbers of an axis are written.
fn format(axis: &Axis<'_>) -> TickFormat {
    if axis.bare {
        TickFormat::Custom(Arc::new(|_| String::new()))
    } else {
        TickFormat::Custom(Arc::new(number))
    }
}

/// A whole step of 1, 2 or 5 times a power of ten that gives about [`TICKS`] marks.
fn whole_step(span: f64) -> f64 {
    let wanted = (span / TICKS as f64).max(1.0);
    let power = 10_f64.powf(wanted.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    steps
        .into_iter()
        .find(|step| *step >= wanted * 0.999)
        .unwrap_or(wanted)
}

/// The plotting crate's colours, all of them variables of the style sheet.
fn theme(show_grid: bool) -> Theme {
    let var = |name: &str| format!("var(--{name})");
    Theme {
        background: "none".to_owned(),
        axis_color: var("axis"),
        grid_color: var("grid"),
        tick_color: var("axis"),
        text_color: var("text"),
        legend_bg: "none".to_owned(),
        legend_border: "none".to_owned(),
        font_family: Some("system-ui, sans-serif".to_owned()),
        show_grid,
        ..Theme::light()
    }
}
