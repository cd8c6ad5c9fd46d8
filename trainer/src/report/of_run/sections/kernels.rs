//! The paper's Fig. 3: conv1's kernels, and how much each column looks at colour.

use maud::{Markup, PreEscaped, html};

use super::super::error::ReportError;
use super::super::kernel::{ENLARGED, GAP, PAPER, REM, paint};
use super::super::material::{Chosen, Material};
use crate::analysis::colour::{self, ColumnColour};
use crate::checkpoint::Checkpoint;
use crate::net::ModelError;
use crate::report::page::{Block, Column, Figure, Table};
use crate::report::picture::{Picture, Pixels};
use crate::report::text::grouped;

/// Kernels of a row: with two columns side by side on a wide screen, each is nearly 60 pixels wide.
const ACROSS: usize = 8;

/// Kernels that a column shows at most; a network of the paper's width has 48.
const MOST: usize = 384;

/// conv1's weights.
struct Kernels {
    /// `[count, side, side, 3]`.
    weights: Vec<f32>,
    count: usize,
    side: usize,
}

/// # Errors
/// A checkpoint that cannot be read.
pub(in crate::report) fn blocks(material: &Material) -> Result<Vec<Block>, ReportError> {
    let mut blocks = Vec::new();
    match &material.checkpoint {
        Err(reason) => blocks.push(Block::Missing(format!("The kernels: {reason}."))),
        Ok(chosen) => match Kernels::read(chosen)? {
            Some(kernels) => blocks.extend(drawn(chosen, &kernels)?),
            None => blocks.push(Block::Missing(
                "The kernels: the checkpoint's conv1 does not look at three channels.".to_owned(),
            )),
        },
    }
    Ok(blocks)
}

impl Kernels {
    fn read(chosen: &Chosen) -> Result<Option<Self>, ReportError> {
        let checkpoint = Checkpoint::read(&chosen.path)?;
        let Some(tensor) = checkpoint.tensors.get("conv1.weight") else {
            return Ok(None);
        };
        let &[count, side, across, 3] = tensor.dims() else {
            return Ok(None);
        };
        if side != across {
            return Ok(None);
        }
        let weights = tensor.flatten_all().and_then(|flat| flat.to_vec1());
        Ok(Some(Self {
            weights: weights.map_err(ModelError::from)?,
            count,
            side,
        }))
    }

    fn kernel(&self, number: usize) -> &[f32] {
        let len = self.side * self.side * 3;
        &self.weights[number * len..][..len]
    }
}

fn drawn(chosen: &Chosen, kernels: &Kernels) -> Result<Vec<Block>, ReportError> {
    let model = &chosen.state.model;
    let columns = colour::columns(&kernels.weights, kernels.count, model);
    let mut first = 0;
    let mut parts = Vec::new();
    for (place, column) in columns.iter().enumerate() {
        let label = match columns.len() {
            1 => "the only column".to_owned(),
            _ => format!("column {}", place + 1),
        };
        parts.push(html! {
            div.column {
                p.soft { (label) ": kernels " (first + 1) " to " (first + column.kernels.len()) }
                (grid(kernels, first, column, &label)?)
            }
        });
        first += column.kernels.len();
    }
    let progress = &chosen.state.progress;
    let cut = columns.iter().any(|column| column.kernels.len() > MOST);
    let figure = Figure::new(
        html! { div.columns { @for part in &parts { (part) } } },
        html! {
            "The " (kernels.count) " kernels of conv1, " (kernels.side) "×" (kernels.side) "×3, after epoch "
            (progress.epoch) " (step " (grouped(progress.step)) "), each scaled by its own largest weight; middle grey is \
             0. Hovering shows a kernel's colour selectivity."
            @if cut { " Only the first " (MOST) " of each column are shown." }
            @if progress.step == 0 { " These are the random weights that the run began with." }
        },
    );
    let share =
        |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
    let rows = columns.iter().enumerate().map(|(place, column)| {
        let name = match columns.len() {
            1 => "all".to_owned(),
            _ => format!("column {}", place + 1),
        };
        let above = column
            .kernels
            .iter()
            .flatten()
            .filter(|value| **value > 0.5)
            .count();
        vec![
            html! { (name) },
            html! { (column.kernels.len()) },
            html! { (share(column.mean)) },
            html! { (share(column.median)) },
            html! { (above) },
        ]
    });
    let table = Block::Table(Table {
        caption: html! {
            "Colour selectivity S of the kernels: the share of a kernel's energy off the grey axis, S = 1 − "
            "Σ" sub { "yx" } "(w" sub { "R" } "+w" sub { "G" } "+w" sub { "B" } ")² / (3 Σ" sub { "yx" } "(w"
            sub { "R" } "²+w" sub { "G" } "²+w" sub { "B" } "²)). A kernel that weighs the three channels alike has 0, \
             one that sees nothing of a grey image has 1, and random weights, as at the start, have 2/3 in the mean."
        },
        head: vec![
            Column::words(""),
            Column::numbers("kernels"),
            Column::numbers("mean S"),
            Column::numbers("median S"),
            Column::numbers("S above 0.5"),
        ],
        rows: rows.collect(),
    });
    let said = Block::Prose(html! {
        p {
            @if columns.len() == 2 {
                "The paper says of its own network (section 6.1 and Fig. 3) that the kernels on GPU 1 are largely \
                 colour-agnostic while those on GPU 2 are largely colour-specific, in every run, “modulo a renumbering of \
                 the GPUs”. Whether the two columns of this run differ in that way is what the table shows."
            } @else {
                "This network has one column, so there are no two halves to compare. The paper's network has two, and the \
                 paper says (section 6.1) that one becomes largely colour-agnostic and the other largely colour-specific."
            }
        }
    });
    Ok(vec![said, Block::Figure(figure), table, all(&columns)])
}

/// Every kernel's selectivity, for those who want the numbers.
fn all(columns: &[ColumnColour]) -> Block {
    let kernels = columns
        .iter()
        .enumerate()
        .flat_map(|(place, column)| column.kernels.iter().map(move |value| (place + 1, value)));
    let rows = kernels.enumerate().map(|(number, (column, value))| {
        vec![
            html! { (number + 1) },
            html! { (column) },
            html! { @match value { Some(value) => (format!("{value:.3}")), None => "–" } },
        ]
    });
    Block::Fold {
        summary: "The selectivity of every kernel".to_owned(),
        blocks: vec![Block::Table(Table {
            caption: html! { "Colour selectivity of each kernel; – where all weights are 0." },
            head: vec![
                Column::numbers("kernel"),
                Column::numbers("column"),
                Column::numbers("S"),
            ],
            rows: rows.collect(),
        })],
    }
}

/// The kernels of a column in rows, as one picture with a target over each.
fn grid(
    kernels: &Kernels,
    first: usize,
    column: &ColumnColour,
    label: &str,
) -> Result<Markup, ReportError> {
    let shown = column.kernels.len().min(MOST);
    let across = ACROSS.min(shown.max(1));
    let cell = kernels.side * ENLARGED + GAP;
    let (width, height) = (across * cell + GAP, shown.div_ceil(across) * cell + GAP);
    let mut pixels = Pixels {
        width,
        height,
        rgb: vec![PAPER; width * height * 3],
    };
    let mut targets = String::new();
    for (number, selectivity) in column.kernels.iter().take(shown).enumerate() {
        let (x, y) = (number % across * cell + GAP, number / across * cell + GAP);
        paint(
            &mut pixels,
            kernels.kernel(first + number),
            kernels.side,
            x,
            y,
        );
        let value = selectivity.map_or_else(
            || "all weights are 0".to_owned(),
            |value| format!("S {value:.3}"),
        );
        let side = kernels.side * ENLARGED;
        targets += &html! {
            rect x=(x) y=(y) width=(side) height=(side) fill="transparent" {
                title { "kernel " (first + number + 1) ", " (label) ": " (value) }
            }
        }
        .into_string();
    }
    let picture = Picture::png(&pixels, "")?;
    let text = format!("the kernels of {label}");
    Ok(html! {
        svg.kernels xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {width} {height}")) role="img"
            style=(format!("max-width:{}rem", REM * across)) aria-label=(text) {
            image.pixelated href=(picture.address()) width=(width) height=(height) {}
            (PreEscaped(targets))
        }
    })
}
