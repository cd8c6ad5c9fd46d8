//! A classifier that sees nothing but mean colours, to show what the network does not rely on.

use shardmill_loader::{Dataset, LoaderError};

/// Top-1 error, in percent, of giving each image of `val` the class whose mean colour over `train`
/// is nearest to the image's mean colour.
///
/// # Errors
/// A record that cannot be read.
pub fn color_error(train: &Dataset, val: &Dataset) -> Result<f64, LoaderError> {
    let classes = train.classes().len();
    let (mut sums, mut counts) = (vec![[0.0; 3]; classes], vec![0.0; classes]);
    for (label, color) in colors(train)? {
        for (sum, value) in sums[label].iter_mut().zip(color) {
            *sum += value;
        }
        counts[label] += 1.0;
    }
    let means: Vec<[f64; 3]> = sums
        .iter()
        .zip(&counts)
        .map(|(sum, count)| sum.map(|value| value / f64::max(*count, 1.0)))
        .collect();
    let distance =
        |a: [f64; 3], b: [f64; 3]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    let (mut wrong, mut total) = (0.0, 0.0);
    for (label, color) in colors(val)? {
        let nearest = (0..classes)
            .filter(|&class| counts[class] > 0.0)
            .min_by(|&a, &b| distance(means[a], color).total_cmp(&distance(means[b], color)));
        wrong += f64::from(u8::from(nearest != Some(label)));
        total += 1.0;
    }
    Ok(100.0 * wrong / total)
}

/// Label and mean colour of every labelled sample.
fn colors(dataset: &Dataset) -> Result<Vec<(usize, [f64; 3])>, LoaderError> {
    let mut rgb = vec![0; dataset.shape().bytes()];
    let mut colors = Vec::new();
    for i in 0..dataset.len() {
        let Ok(label) = usize::try_from(dataset.label(i)) else {
            continue;
        };
        dataset.read(i, &mut rgb)?;
        let mut sum = [0_u64; 3];
        for pixel in rgb.chunks_exact(3) {
            for (sum, value) in sum.iter_mut().zip(pixel) {
                *sum += u64::from(*value);
            }
        }
        colors.push((
            label,
            sum.map(|sum| sum as f64 / dataset.shape().pixels() as f64),
        ));
    }
    Ok(colors)
}
