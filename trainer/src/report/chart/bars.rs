//! Horizontal bars, each with a name.

use kuva::plot::BarPlot;
use kuva::render::plots::Plot;

use super::axes::{Axis, Chart, Extent, RIGHT, Scale, Size, layout};
use super::label::{hover, label};
use super::number::number;
use super::series::Colour;
use super::svg::Svg;

/// A bar.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    /// Text from anywhere.
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) colour: Colour,
    /// What hovering shows; `None`: the name and the value.
    pub(crate) title: Option<String>,
}

/// Height of a bar with the gap below it, and of all else of a chart.
const ROW: f64 = 24.0;
const FRAME: f64 = 70.0;

/// Letters of a bar's name, the width of one, and what is beside them.
const LETTERS: usize = 22;
const LETTER: f64 = 7.0;
const BESIDE: f64 = 24.0;

/// The first of several names, cut where it is long. Hovering shows all of it.
fn short(name: &str) -> String {
    let first = label(name.split(", ").next().unwrap_or_default());
    match first.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", first[..end].trim_end()),
        None => first,
    }
}

/// Bars below each other in their order, from 0 on. The height follows from their number; of the chart's
/// axes only x counts, which is linear.
pub(crate) fn bars(chart: &Chart<'_>, bars: &[Bar]) -> Svg {
    let shown: Vec<&Bar> = bars.iter().filter(|bar| bar.value.is_finite()).collect();
    let mut extent = Extent::default();
    extent.add(0.0, 0.5);
    for bar in &shown {
        extent.add(bar.value, shown.len() as f64 + 0.5);
    }
    let chart = Chart {
        x: Axis {
            scale: Scale::Linear,
            ..chart.x
        },
        y: Axis::default(),
        size: Size {
            height: FRAME + ROW * shown.len() as f64,
            ..chart.size
        },
        ..*chart
    };
    let mut plot = BarPlot::new().with_horizontal(true).with_width(0.7);
    // The first category is the lowest.
    for bar in shown.iter().rev() {
        plot = plot.with_colored_bar(short(&bar.name), bar.value, bar.colour.css());
    }
    let titles = shown.iter().rev().map(|bar| {
        let text = bar.title.clone();
        hover(&text.unwrap_or_else(|| format!("{}: {}", bar.name, number(bar.value))))
    });
    let plot = plot.with_tooltip_labels(titles);
    let names: Vec<String> = shown.iter().rev().map(|bar| short(&bar.name)).collect();
    let longest = names
        .iter()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0);
    let plots = [Plot::Bar(plot)];
    let layout = layout(&chart, &extent, &plots, false)
        .with_y_categories(names)
        .with_force_margins(BESIDE + LETTER * longest as f64, RIGHT)
        .with_y_axis_min(0.5)
        .with_y_axis_max(shown.len() as f64 + 0.5);
    let omitted = bars.len() - shown.len();
    let text = kuva::render_to_svg(plots.into(), layout);
    Svg::new(&chart, text, omitted)
}
