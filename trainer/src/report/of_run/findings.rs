//! What the network makes of images: guesses, features and neighbours, computed for the page.

use shardmill_formats::Stream;

use super::draw::{drawn, seed};
use super::error::ReportError;
use super::material::{Chosen, Data};
use super::options::ReportOptions;
use super::plane::Plane;
use super::subjects::Subjects;
use super::units::Units;
use crate::analysis::{
    Agreement, Features, Neighbour, PredictOptions, Predicted, Predictions, Search, predict_split,
};
use crate::net::layer;
use crate::net::scores::Scores;
use crate::run::log::{History, Screen};
use crate::run::{Subject, View, data};

/// The layer whose outputs are compared.
const LAYER: &str = "fc7";

/// Neighbours of each image that are shown.
pub(super) const NEIGHBOURS: usize = 6;

/// Most training images among which neighbours are found: those of larger sets take hours on a CPU.
const MOST_TRAINING: u64 = 200_000;

/// Images that are hidden in part.
const OCCLUDED: usize = 4;

/// What a network makes of the images of a split.
#[derive(Debug)]
pub(super) struct Findings {
    /// From the centre view.
    pub(super) predictions: Predictions,
    /// The scores of the views that are known.
    pub(super) scores: Vec<ViewScores>,
    /// Why there are none, in words, or the nearest training images of each image.
    pub(super) neighbours: Result<Neighbours, String>,
    pub(super) units: Units,
}

/// Errors from some views.
#[derive(Clone, Copy, Debug)]
pub(super) struct ViewScores {
    pub(super) view: View,
    pub(super) scores: Scores,
}

/// The nearest training images.
#[derive(Debug)]
pub(super) struct Neighbours {
    pub(super) layer: String,
    /// Values of a feature vector.
    pub(super) len: usize,
    /// For each image of the split, nearest first.
    pub(super) lists: Vec<Vec<Neighbour>>,
    pub(super) agreement: Agreement,
    /// Why there is none, in words, or the images in a plane.
    pub(super) plane: Result<Plane, String>,
}

impl Findings {
    /// Judges every image of the split, and finds the nearest training images of each. `None` after a request
    /// to stop.
    ///
    /// # Errors
    /// A checkpoint or dataset that cannot be read, or that do not belong together.
    pub(super) fn make(
        options: &ReportOptions,
        history: &History,
        subjects: Subjects<'_>,
    ) -> Result<Option<Self>, ReportError> {
        let Subjects {
            chosen,
            data,
            judged,
        } = subjects;
        let mut screen = Screen::new(options.display);
        let mut subject = Subject::new(&chosen.path, &data.folder, judged.split());
        (subject.compute, subject.threads) = (options.compute, options.threads);
        let same = judged.split() == data::TRAIN;
        let mut predict = PredictOptions::new(subject);
        predict.stop = options.stop.clone();
        let refused = no_neighbours(chosen, data, same)?;
        predict.layer = refused.is_none().then(|| LAYER.to_owned());
        let Some(found) = predicted(&predict, View::Center.name(), &mut screen)? else {
            return Ok(None);
        };
        let predictions = found.predictions;
        let mut scores = vec![ViewScores {
            view: View::Center,
            scores: scores_of(&predictions),
        }];
        match ten_views(&predict, history, &predictions, &mut screen)? {
            Some(ten) => scores.push(ten),
            None => return Ok(None),
        }
        let neighbours = match (refused, found.features) {
            (Some(reason), _) => Err(reason),
            (None, None) => Err(format!("there are no outputs of {LAYER}")),
            (None, Some(queries)) => match neighbours(&mut predict, queries, same, &mut screen)? {
                Some(found) => Ok(found),
                None => return Ok(None),
            },
        };
        let right = predictions.items.iter().filter(|item| item.rank == 0);
        let hidden = drawn(right, OCCLUDED, seed(&predictions.items, Stream::Split));
        let mut subject = Subject::new(&chosen.path, &data.folder, judged.split());
        subject.threads = options.threads;
        let samples = hidden.into_iter().map(|item| item.sample).collect();
        let units = Units::make(options, &subject, samples)?;
        Ok(units.map(|units| Self {
            predictions,
            scores,
            neighbours,
            units,
        }))
    }
}

/// Why no neighbours are looked for, if there is a reason.
fn no_neighbours(chosen: &Chosen, data: &Data, same: bool) -> Result<Option<String>, ReportError> {
    if same && data.train.len() == 1 {
        return Ok(Some("there is one training image, and no other".to_owned()));
    }
    if data.train.len() > MOST_TRAINING {
        return Ok(Some(format!(
            "the {} training images are more than the {MOST_TRAINING} that a page looks through; `train features` \
             and `train neighbours` do it for any number",
            data.train.len()
        )));
    }
    let layers = layer::layers(&chosen.state.model)?;
    let has = layers.iter().any(|layer| layer.name() == LAYER);
    Ok((!has).then(|| format!("this network has no layer {LAYER}")))
}

fn predicted(
    options: &PredictOptions,
    what: &str,
    screen: &mut Screen,
) -> Result<Option<Predicted>, ReportError> {
    let split = options.subject.split.clone();
    let found = predict_split(options, |done, of| {
        screen.follow(done, of, format_args!("{what} of {split}: {done} of {of}"));
    })?;
    screen.end();
    Ok(found)
}

/// Errors and mean loss of predictions, as an evaluation gives them.
fn scores_of(predictions: &Predictions) -> Scores {
    let items = &predictions.items;
    let losses = items
        .iter()
        .map(|item| -libm::log(item.label_probability.max(f64::MIN_POSITIVE)));
    Scores {
        samples: items.len() as u64,
        loss: losses.sum::<f64>() / items.len() as f64,
        top1_error: predictions.error(1),
        top5_error: predictions.error(5),
    }
}

/// The scores from ten views: those of the log where they are of this checkpoint, or else an evaluation. `None`
/// after a request to stop.
fn ten_views(
    predict: &PredictOptions,
    history: &History,
    predictions: &Predictions,
    screen: &mut Screen,
) -> Result<Option<ViewScores>, ReportError> {
    let view = View::Ten;
    let logged = history.evaluations.iter().rev().find(|point| {
        point.views == view
            && point.step == predictions.step
            && point.split == predictions.split
            && point.scores.samples == predictions.items.len() as u64
    });
    if let Some(point) = logged {
        return Ok(Some(ViewScores {
            view,
            scores: point.scores,
        }));
    }
    let options = PredictOptions {
        view,
        layer: None,
        ..predict.clone()
    };
    let found = predicted(&options, view.name(), screen)?;
    Ok(found.map(|found| ViewScores {
        view,
        scores: scores_of(&found.predictions),
    }))
}

/// The nearest training images of each image. `None` after a request to stop.
fn neighbours(
    predict: &mut PredictOptions,
    queries: Features,
    same: bool,
    screen: &mut Screen,
) -> Result<Option<Neighbours>, ReportError> {
    let base = if same {
        None
    } else {
        data::TRAIN.clone_into(&mut predict.subject.split);
        let Some(found) = predicted(predict, LAYER, screen)? else {
            return Ok(None);
        };
        found.features
    };
    let base = base.as_ref().unwrap_or(&queries);
    let search = Search {
        count: NEIGHBOURS,
        same,
        stop: predict.stop.clone(),
    };
    let lists = search.run(&queries, base, |done, of| {
        screen.follow(done, of, format_args!("neighbours: {done} of {of}"))
    })?;
    screen.end();
    let Some(lists) = lists else {
        return Ok(None);
    };
    let agreement = Agreement::of(
        &queries.labels,
        &base.labels,
        &lists,
        &[1, NEIGHBOURS],
        same,
    );
    let plane = Plane::of(&queries, &predict.stop, screen)?;
    Ok(plane.map(|plane| Neighbours {
        layer: queries.layer,
        len: queries.len,
        lists,
        agreement,
        plane,
    }))
}
