//! A network that begins with the weights of another.

use std::path::Path;

use shardmill_formats::Class;

use crate::checkpoint::Checkpoint;
use crate::net::Model;
use crate::run::error::TrainError;

/// The last layer: it belongs to the classes.
const LAST: &str = "fc8.";

/// Copies the parameters of `checkpoint` into `model`, but for the last layer if the classes are
/// others; says whether that is so.
///
/// # Errors
/// A parameter that the checkpoint lacks or that has another shape there.
pub(crate) fn copy(
    model: &mut Model,
    classes: &[Class],
    checkpoint: &Checkpoint,
    path: &Path,
) -> Result<bool, TrainError> {
    let stored = &checkpoint.state.classes;
    let same = stored.len() == classes.len()
        && stored
            .iter()
            .zip(classes)
            .all(|(a, b)| a.synset == b.synset);
    let names: Vec<(String, Vec<usize>)> = model
        .parameters()
        .iter()
        .map(|p| (p.name().to_owned(), p.tensor().dims().to_vec()))
        .collect();
    for (name, shape) in names {
        if name.starts_with(LAST) && !same {
            continue;
        }
        let tensor = checkpoint.tensors.get(&name);
        let Some(tensor) = tensor.filter(|tensor| tensor.dims() == shape) else {
            return Err(TrainError::Init {
                path: path.into(),
                name,
                found: tensor.map_or_else(|| "none".to_owned(), |t| format!("{:?}", t.dims())),
                expected: shape,
            });
        };
        model.set_parameter(&name, tensor)?;
    }
    Ok(!same)
}
