//! One picture of a run for a terminal of any size.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType, LineGauge, Paragraph};
use shardmill_formats::Printable;

use crate::tools::watch::Summary;
use crate::tools::watch::curves::{Curve, range, thinned};
use crate::tools::watch::status::Activity;

/// The two colours of curves: of training and of validation.
const TRAINING: Color = Color::Cyan;
const VALIDATION: Color = Color::Yellow;

/// Smallest terminal that has every panel, and the smallest that has charts of loss and error.
const FULL: [u16; 2] = [64, 20];
const CHARTS: [u16; 2] = [30, 10];

/// Draws the run. Without colours the curves are told apart by their marks.
pub(crate) fn draw(frame: &mut Frame<'_>, summary: &Summary, colours: bool) {
    let painter = Painter { summary, colours };
    let area = frame.area();
    if summary.status.activity == Activity::Waiting {
        painter.text(
            frame,
            area,
            vec![painter.title(), painter.activity(), KEYS.into()],
        );
    } else if area.width >= FULL[0] && area.height >= FULL[1] {
        painter.full(frame, area);
    } else if area.width >= CHARTS[0] && area.height >= CHARTS[1] {
        painter.charts(frame, area);
    } else {
        painter.text(frame, area, painter.head());
    }
}

const KEYS: &str = "q ends this; the run goes on";

/// What is drawn, and how.
#[derive(Clone, Copy)]
struct Painter<'a> {
    summary: &'a Summary,
    colours: bool,
}

/// A curve with the way it is drawn.
struct Series<'a> {
    curve: &'a Curve,
    is_validation: bool,
}

/// A chart with a frame.
struct Panel<'a> {
    title: Line<'a>,
    series: Vec<Series<'a>>,
    /// Whether the vertical axis begins at 0.
    from_zero: bool,
    /// Whether the vertical axis is logarithmic.
    is_logarithmic: bool,
    /// Digits after the point of the axis's numbers.
    digits: usize,
}

impl Painter<'_> {
    fn style(self, colour: Color) -> Style {
        if self.colours {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }

    fn text(self, frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'_>>) {
        frame.render_widget(Paragraph::new(lines), area);
    }

    /// Everything: numbers, loss and errors, and rate, speed and waiting below; warnings.
    fn full(self, frame: &mut Frame<'_>, area: Rect) {
        let warnings = self.warnings();
        let rows = Layout::vertical([
            Constraint::Length(3),
            Constraint::Length(1),
            Constraint::Min(8),
            Constraint::Length(6),
            Constraint::Length(warnings.len() as u16),
            Constraint::Length(1),
        ]);
        let [head, gauge, large, small, notes, keys] = rows.areas(area);
        self.text(frame, head, self.head());
        self.gauge(frame, gauge);
        let halves: [Rect; 2] = Layout::horizontal([Constraint::Fill(1); 2]).areas(large);
        self.panel(frame, halves[0], &self.loss());
        self.panel(frame, halves[1], &self.errors());
        let thirds: [Rect; 3] = Layout::horizontal([Constraint::Fill(1); 3]).areas(small);
        let curves = &self.summary.curves;
        for (area, (title, curve, is_logarithmic)) in thirds.into_iter().zip([
            (" learning rate ", &curves.lr, true),
            (" images a second ", &curves.speed, false),
            (" wait for data, % ", &curves.wait, false),
        ]) {
            let panel = Panel {
                title: title.into(),
                series: vec![Series {
                    curve,
                    is_validation: false,
                }],
                from_zero: !is_logarithmic,
                is_logarithmic,
                digits: 0,
            };
            self.panel(frame, area, &panel);
        }
        self.text(frame, notes, warnings);
        self.text(frame, keys, vec![KEYS.into()]);
    }

    /// The numbers above the charts of loss and error, or of error alone.
    fn charts(self, frame: &mut Frame<'_>, area: Rect) {
        let [head, charts] =
            Layout::vertical([Constraint::Length(3), Constraint::Min(1)]).areas(area);
        self.text(frame, head, self.head());
        if charts.height < 14 {
            self.panel(frame, charts, &self.errors());
            return;
        }
        let halves: [Rect; 2] = Layout::vertical([Constraint::Fill(1); 2]).areas(charts);
        self.panel(frame, halves[0], &self.loss());
        self.panel(frame, halves[1], &self.errors());
    }

    fn title(self) -> Line<'static> {
        self.summary.status.title().into()
    }

    fn activity(self) -> Line<'static> {
        self.summary.status.activity().into()
    }

    /// Three lines of numbers.
    fn head(self) -> Vec<Line<'static>> {
        let status = &self.summary.status;
        let third = status
            .validation_line()
            .unwrap_or_else(|| status.activity());
        vec![self.title(), status.training_line().into(), third.into()]
    }

    fn gauge(self, frame: &mut Frame<'_>, area: Rect) {
        let status = &self.summary.status;
        let eta = status
            .eta()
            .map_or(String::new(), |eta| format!("eta {eta}  "));
        let label = format!("{eta}{}", status.activity());
        let gauge = LineGauge::default()
            .ratio(status.share_done())
            .label(label)
            .filled_style(self.style(TRAINING));
        frame.render_widget(gauge, area);
    }

    /// The last warnings, one line each, and how many there were before.
    fn warnings(self) -> Vec<Line<'static>> {
        let status = &self.summary.status;
        let earlier = status.warning_count - status.warnings.len();
        let mut lines: Vec<Line<'static>> = Vec::new();
        for (number, warning) in status.warnings.iter().enumerate() {
            let more = if number == 0 && earlier > 0 {
                format!("({earlier} earlier) ")
            } else {
                String::new()
            };
            let text = format!("{more}{}", Printable(warning));
            lines.push(Span::styled(text, self.style(Color::Red)).into());
        }
        lines
    }

    fn loss(&self) -> Panel<'_> {
        let curves = &self.summary.curves;
        Panel {
            title: self.legend(" loss: "),
            series: vec![
                Series {
                    curve: &curves.loss,
                    is_validation: false,
                },
                Series {
                    curve: &curves.val_loss,
                    is_validation: true,
                },
            ],
            from_zero: false,
            is_logarithmic: false,
            digits: 2,
        }
    }

    fn errors(&self) -> Panel<'_> {
        let curves = &self.summary.curves;
        Panel {
            title: self.legend(" top-1, top-5 error, %: "),
            series: vec![
                Series {
                    curve: &curves.top1,
                    is_validation: false,
                },
                Series {
                    curve: &curves.top5,
                    is_validation: false,
                },
                Series {
                    curve: &curves.val_top1,
                    is_validation: true,
                },
                Series {
                    curve: &curves.val_top5,
                    is_validation: true,
                },
            ],
            from_zero: true,
            is_logarithmic: false,
            digits: 0,
        }
    }

    /// A title that says which marks are whose.
    fn legend(self, title: &'static str) -> Line<'static> {
        let mut spans = vec![title.into(), Span::styled("⠒ train", self.style(TRAINING))];
        if !self.summary.curves.val_loss.is_empty() {
            spans.push(Span::styled(" • val", self.style(VALIDATION)));
        }
        spans.push(" ".into());
        spans.into()
    }

    fn panel(self, frame: &mut Frame<'_>, area: Rect, panel: &Panel<'_>) {
        let block = Block::bordered().title(panel.title.clone());
        let inner = block.inner(area);
        let scaled = |value: f64| {
            if panel.is_logarithmic {
                value.log10()
            } else {
                value
            }
        };
        // A cell of braille has two dots beside each other.
        let dots = 2 * usize::from(inner.width);
        let curves: Vec<Curve> = panel
            .series
            .iter()
            .map(|series| {
                let points = thinned(series.curve, dots);
                let points = points.into_iter().map(|(x, y)| (x, scaled(y)));
                points.filter(|(_, y)| y.is_finite()).collect()
            })
            .collect();
        let all = curves.concat();
        let Some([mut least, mut largest]) = range(&all) else {
            frame.render_widget(Paragraph::new("nothing yet").block(block), area);
            return;
        };
        if panel.from_zero {
            (least, largest) = (0.0, largest.max(1.0));
        } else if largest - least < 1e-9 {
            (least, largest) = (least - 0.5, largest + 0.5);
        }
        let end = all
            .iter()
            .map(|point| point.0)
            .fold(f64::MIN_POSITIVE, f64::max);
        let datasets = panel.series.iter().zip(&curves).map(|(series, curve)| {
            let (marker, kind, colour) = if series.is_validation {
                (Marker::Dot, GraphType::Scatter, VALIDATION)
            } else {
                (Marker::Braille, GraphType::Line, TRAINING)
            };
            let data = Dataset::default().data(curve).marker(marker);
            data.graph_type(kind).style(self.style(colour))
        });
        let number = |value: f64| {
            if panel.is_logarithmic {
                format!("{:.0e}", 10_f64.powf(value))
            } else {
                format!("{value:.*}", panel.digits)
            }
        };
        let (x, y) = (Axis::default(), Axis::default());
        let x = x
            .bounds([0.0, end])
            .labels(["0".to_owned(), format!("epoch {end:.1}")]);
        let y = y
            .bounds([least, largest])
            .labels([number(least), number(largest)]);
        let chart = Chart::new(datasets.collect());
        let chart = chart.block(block).x_axis(x).y_axis(y).legend_position(None);
        frame.render_widget(chart, area);
    }
}
