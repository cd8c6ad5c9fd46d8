//! When rejects stop an ingest.

use super::options::IngestOptions;
use crate::error::PrepError;
use crate::reject::{OnError, RejectLine, count_by_reason, first_ones};

/// Fails after the last of `rejects` if the options say so; `images` were listed.
pub(super) fn check(
    options: &IngestOptions,
    images: u64,
    rejects: &[RejectLine],
) -> Result<(), PrepError> {
    let Some(last) = rejects.last() else {
        return Ok(());
    };
    if options.on_error == OnError::Stop {
        return Err(PrepError::Rejected {
            key: last.key.clone(),
            reason: last.reason.to_string(),
            message: last.message.clone(),
        });
    }
    let limit = options.max_rejects.map(|limit| limit.of(images));
    if limit.is_none_or(|limit| rejects.len() as u64 <= limit) {
        return Ok(());
    }
    let reasons: Vec<String> = count_by_reason(rejects)
        .into_iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    Err(PrepError::TooManyRejects {
        limit: limit.unwrap_or_default(),
        reasons: reasons.join(", "),
        rejects: first_ones(rejects),
    })
}

#[cfg(test)]
mod tests {
    use super::super::options::MaxRejects;
    use super::*;
    use crate::reject::Reject;

    fn lines() -> Vec<RejectLine> {
        let reasons = [Reject::Empty, Reject::NotAnImage, Reject::Empty];
        let line = |(i, reason): (usize, &Reject)| RejectLine::new(&format!("a/{i}.jpg"), reason);
        reasons.iter().enumerate().map(line).collect()
    }

    #[test]
    fn a_stop_names_the_image_and_the_reason() {
        let mut options = IngestOptions::new("a", "b");
        assert!(check(&options, 10, &lines()).is_ok());
        options.on_error = OnError::Stop;
        assert!(check(&options, 10, &[]).is_ok());
        let message = check(&options, 10, &lines()[..1]).unwrap_err().to_string();
        assert!(
            message.starts_with("a/0.jpg: the file is empty (empty)"),
            "{message}"
        );
    }

    #[test]
    fn a_limit_counts_by_reason() {
        let mut options = IngestOptions::new("a", "b");
        options.max_rejects = Some(MaxRejects::Percent(20.0));
        assert!(check(&options, 10, &lines()[..2]).is_ok());
        let message = check(&options, 10, &lines()).unwrap_err().to_string();
        assert!(
            message.starts_with("more than 2 images could not be used (2 empty, 1 not-an-image)"),
            "{message}"
        );
    }
}
