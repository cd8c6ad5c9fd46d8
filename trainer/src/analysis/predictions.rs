//! What a network predicts for every image of a split.

use serde::Serialize;

use crate::analysis::features::Features;
use crate::analysis::{AnalysisError, layers};
use crate::run::pass::{Pass, Verdict};
use crate::run::subject::Examined;
use crate::run::subset::Subset;
use crate::run::{Stop, Subject, View};

/// Guesses that are kept of each image.
const TOP: usize = 5;

/// What to predict, and how.
#[derive(Clone, Debug)]
pub struct PredictOptions {
    /// The network and the images.
    pub subject: Subject,
    /// By which windows an image is judged.
    pub view: View,
    /// A layer whose outputs are wanted too, such as `fc7`; always those of the centre view.
    pub layer: Option<String>,
    /// Asks, from another thread, for an early end.
    pub stop: Stop,
}

impl PredictOptions {
    /// Predictions from the centre view, without features.
    #[must_use]
    pub fn new(subject: Subject) -> Self {
        Self {
            subject,
            view: View::Center,
            layer: None,
            stop: Stop::default(),
        }
    }
}

/// One class of a prediction.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Guess {
    /// The class.
    pub label: usize,
    /// Its softmax output, averaged over the views.
    pub probability: f64,
}

/// What a network predicts for one image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// The image's number in the split.
    pub sample: u64,
    /// Its class.
    pub label: usize,
    /// Classes that come before its own, those of equal probability included.
    pub rank: usize,
    /// Up to five most probable classes, best first; of equal ones the lower label first.
    pub top: Vec<Guess>,
    /// The probability of its own class.
    pub label_probability: f64,
}

/// What a network predicts for the images of a split.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Predictions {
    /// The split.
    pub split: String,
    /// By which windows images were judged.
    pub view: View,
    /// Number of classes among which the network chose. Labels are indices into the network's classes; with
    /// [`Subject::subset`] over the outputs of a subset, into the dataset's.
    pub classes: usize,
    /// Finished epochs of the checkpoint.
    pub epoch: u64,
    /// Steps of the checkpoint.
    pub step: u64,
    /// One for each image, in the order of the split.
    pub items: Vec<Prediction>,
}

impl Predictions {
    /// Percentage of images whose class is not among the first `count`, as `train eval` counts them; not a number
    /// without images.
    #[must_use]
    pub fn error(&self, count: usize) -> f64 {
        let hits = self.items.iter().filter(|item| item.rank < count).count();
        let images = self.items.len() as f64;
        100.0 * (self.items.len() - hits) as f64 / images
    }
}

/// What one pass over a split gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Predicted {
    /// The predictions.
    pub predictions: Predictions,
    /// The outputs of the layer, where one was asked for: rows x len values in memory.
    pub features: Option<Features>,
}

/// Predicts the class of every image of a split, in one pass that gives the outputs of a layer too.
/// `progress` is called with the number of images done and that of all. `None` after a request to stop.
///
/// ```no_run
/// use shardmill_trainer::Subject;
/// use shardmill_trainer::analysis::{PredictOptions, predict_split};
///
/// let subject = Subject::new("run/best.safetensors", "shards", "val");
/// let mut options = PredictOptions::new(subject);
/// options.layer = Some("fc7".to_owned());
/// let found = predict_split(&options, |done, of| println!("{done} of {of}"))?;
/// let found = found.expect("nobody asked for a stop");
/// println!("top-1 error {:.2}%", found.predictions.error(1));
/// println!("{} features an image", found.features.unwrap().len);
/// # Ok::<(), shardmill_trainer::analysis::AnalysisError>(())
/// ```
///
/// # Errors
/// A checkpoint or dataset that cannot be read, or that do not belong together; a layer that the network does
/// not have.
pub fn predict_split(
    options: &PredictOptions,
    mut progress: impl FnMut(u64, u64),
) -> Result<Option<Predicted>, AnalysisError> {
    let mut examined = Examined::open(&options.subject)?;
    let loader = examined.loader(options.view)?;
    let Examined {
        dataset,
        state,
        subset,
        engine,
        ..
    } = &mut examined;
    let layers = engine.model().layers();
    let number = options.layer.as_ref();
    let number = number
        .map(|name| layers::number(layers, name))
        .transpose()?;
    let mut features = number.map(|number| {
        let len = layers[number].output_len();
        Features {
            layer: layers[number].name().to_owned(),
            split: options.subject.split.clone(),
            len,
            values: Vec::with_capacity(dataset.len() as usize * len),
            labels: (0..dataset.len()).map(|i| dataset.label(i)).collect(),
            classes: dataset.classes().to_vec(),
        }
    });
    let mut predictions = Predictions {
        split: options.subject.split.clone(),
        view: options.view,
        classes: subset.as_ref().map_or(state.classes.len(), Subset::choices),
        epoch: state.progress.epoch,
        step: state.progress.step,
        items: Vec::with_capacity(dataset.len() as usize),
    };
    let pass = Pass {
        subset: subset.as_ref(),
        layers: number.as_slice(),
        ..Pass::new(options.view)
    };
    let each = |verdict: Verdict| {
        predictions.items.push(prediction(&verdict));
        if let (Some(features), Some(values)) = (&mut features, verdict.activations.first()) {
            features.values.extend_from_slice(values);
        }
        Ok::<_, AnalysisError>(())
    };
    let total = dataset.len();
    let finished = pass.run(&mut **engine, state, &loader, each, |done| {
        progress(done, total);
        !options.stop.is_requested()
    })?;
    Ok(finished.then_some(Predicted {
        predictions,
        features,
    }))
}

/// What is kept of a verdict.
fn prediction(verdict: &Verdict) -> Prediction {
    let probabilities = verdict.probabilities;
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let guess = |&label: &usize| Guess {
        label,
        probability: probabilities[label],
    };
    Prediction {
        sample: verdict.sample,
        label: verdict.label,
        rank: verdict.rank,
        top: order.iter().take(TOP).map(guess).collect(),
        label_probability: probabilities[verdict.label],
    }
}
