//! Values at x and y, joined by lines or not.

use kuva::plot::{BandPlot, LinePlot, LineStyle, ScatterPlot};
use kuva::render::plots::Plot;

use super::axes::{Chart, Extent, layout};
use super::label::{hover, label};
use super::number::number;
use super::series::{Point, Range, Series, Stroke};
use super::svg::Svg;

/// Radius of the target of a mouse, and of a mark.
const TARGET: f64 = 6.0;
const MARK: f64 = 3.0;

/// Values at x and y. Every point says its values on hover.
pub(crate) fn lines(chart: &Chart<'_>, series: &[Series]) -> Svg {
    let mut extent = Extent::default();
    let mut plots = Vec::new();
    let mut targets = Vec::new();
    let mut omitted = 0;
    for one in series {
        let runs = runs(chart, &one.points);
        omitted += one.points.len() - runs.iter().map(Vec::len).sum::<usize>();
        let bands = one
            .band
            .iter()
            .filter(|range| chart.shows(range.x, range.low) && chart.shows(range.x, range.high));
        let bands: Vec<&Range> = bands.collect();
        if bands.len() > 1 {
            for range in &bands {
                extent.add(range.x, range.low);
                extent.add(range.x, range.high);
            }
            let values = |value: fn(&Range) -> f64| {
                bands.iter().map(|range| value(range)).collect::<Vec<_>>()
            };
            let band = BandPlot::new(
                values(|range| range.x),
                values(|range| range.low),
                values(|range| range.high),
            );
            let band = band.with_color(one.colour.css()).with_opacity(0.18);
            plots.push(Plot::Band(band));
        }
        let mut legend = Some(label(&one.name)).filter(|name| !name.is_empty());
        for run in runs {
            run.iter().for_each(|point| extent.add(point.x, point.y));
            let places = || run.iter().map(|point| (point.x, point.y));
            if one.stroke != Stroke::None && run.len() > 1 {
                let mut line = LinePlot::new()
                    .with_data(places())
                    .with_color(one.colour.css())
                    .with_stroke_width(2.0);
                if one.stroke == Stroke::Dashed {
                    line = line.with_line_style(LineStyle::Dashed);
                }
                line.legend_label = legend.take();
                plots.push(Plot::Line(line));
            }
            if one.marks || one.stroke == Stroke::None || run.len() == 1 {
                let mut marks = ScatterPlot::new()
                    .with_data(places())
                    .with_size(MARK)
                    .with_color(one.colour.css());
                marks.legend_label = legend.take();
                plots.push(Plot::Scatter(marks));
            }
            let titles = run.iter().map(|point| title(chart, one, point));
            let target = ScatterPlot::new()
                .with_data(places())
                .with_size(TARGET)
                .with_color(one.colour.css())
                .with_marker_opacity(0.0)
                .with_tooltip_labels(titles);
            targets.push(Plot::Scatter(target));
        }
    }
    plots.extend(targets);
    let named = series.iter().filter(|one| !one.name.is_empty()).count();
    let layout = layout(chart, &extent, &plots, named > 1);
    Svg::new(chart, kuva::render_to_svg(plots, layout), omitted)
}

/// Points without lines, such as a map of features.
pub(crate) fn scatter(chart: &Chart<'_>, series: &[Series]) -> Svg {
    let points: Vec<Series> = series
        .iter()
        .map(|one| Series {
            stroke: Stroke::None,
            ..one.clone()
        })
        .collect();
    lines(chart, &points)
}

/// The points in stretches without a gap.
fn runs<'p>(chart: &Chart<'_>, points: &'p [Point]) -> Vec<Vec<&'p Point>> {
    let stretches = points.split(|point| !chart.shows(point.x, point.y));
    stretches
        .filter(|run| !run.is_empty())
        .map(|run| run.iter().collect())
        .collect()
}

fn title(chart: &Chart<'_>, series: &Series, point: &Point) -> String {
    if let Some(title) = &point.title {
        return hover(title);
    }
    let (x, y) = (number(point.x), number(point.y));
    let text = match &*series.name {
        "" => format!("{} {x}: {y}", chart.x.label),
        name => format!("{name}, {} {x}: {y}", chart.x.label),
    };
    hover(&text)
}
