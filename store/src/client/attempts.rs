//! What an answer means, and asking again.

use std::error::Error as _;
use std::future::Future;
use std::time::{Duration, Instant};

use object_store::Error;

use crate::error::{Cause, StoreError};
use crate::tried::Tried;

/// Requests in a row that bring nothing before the last one's error counts.
const ATTEMPTS: u32 = 6;
/// Longest time without progress after which another attempt is made: a server that takes requests and
/// never answers fails each of them late.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where clouds tell their machines' credentials, which are asked when the environment has none.
const METADATA: [&str; 3] = [
    "169.254.169.254",
    "metadata.google.internal",
    "169.254.170.2",
];

/// How rustls says that it does not trust a certificate.
const UNTRUSTED: &str = "invalid peer certificate";

/// Pause before attempt `failed + 1`: half a second, and twice as long each time, 15 seconds in all. With
/// the client's own retries of a server that answers "busy", a dead one takes about half a minute.
fn pause(failed: u32) -> Duration {
    Duration::from_millis(500) * 2_u32.pow(failed.saturating_sub(1).min(4))
}

/// Repeats a request until it succeeds, fails for good, or has failed [`ATTEMPTS`] times.
pub(super) async fn with_attempts<T, F>(
    address: &str,
    request: impl FnMut() -> F + Send,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, Error>> + Send,
{
    with_attempts_within(address, PATIENCE, request).await
}

/// As [`with_attempts`], but begins no attempt when `patience` has passed: a request that moves many bytes may
/// take longer than [`PATIENCE`].
pub(super) async fn with_attempts_within<T, F>(
    address: &str,
    patience: Duration,
    mut request: impl FnMut() -> F + Send,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, Error>> + Send,
{
    let mut attempts = Attempts::within(patience);
    loop {
        match request().await {
            Ok(found) => return Ok(found),
            Err(error) => attempts.failed(meaning(error, address)).await?,
        }
    }
}

/// Attempts that have brought nothing.
pub(super) struct Attempts {
    failed: u32,
    since: Instant,
    patience: Duration,
}

impl Attempts {
    pub(super) fn new() -> Self {
        Self::within(PATIENCE)
    }

    fn within(patience: Duration) -> Self {
        Self {
            failed: 0,
            since: Instant::now(),
            patience,
        }
    }

    /// Waits before the next attempt, or gives back the error if there shall be none.
    pub(super) async fn failed(&mut self, error: StoreError) -> Result<(), StoreError> {
        self.failed += 1;
        let time = self.since.elapsed();
        let over = self.failed == ATTEMPTS || time >= self.patience;
        match error {
            StoreError::Failed {
                address, source, ..
            } if over => {
                let tried = Tried::new(&address, self.failed, time);
                return Err(StoreError::Failed {
                    address,
                    tried,
                    source,
                });
            }
            error if !is_passing(&error) => return Err(error),
            _ => {}
        }
        tokio::time::sleep(pause(self.failed)).await;
        Ok(())
    }
}

/// The error of one attempt.
pub(super) fn failed(address: String, source: Cause) -> StoreError {
    StoreError::Failed {
        tried: Tried::new(&address, 1, Duration::ZERO),
        address,
        source,
    }
}

/// Whether the same request may succeed later.
const fn is_passing(error: &StoreError) -> bool {
    matches!(error, StoreError::Failed { .. })
}

/// The error of this crate for one of `object_store`'s.
pub(super) fn meaning(error: Error, address: &str) -> StoreError {
    let address = address.to_owned();
    match error {
        Error::NotFound { .. } => StoreError::Missing(address),
        Error::AlreadyExists { .. } | Error::Precondition { .. } => StoreError::Exists(address),
        Error::PermissionDenied { source, .. } | Error::Unauthenticated { source, .. } => {
            StoreError::Denied {
                address,
                source: Cause::new(&source.to_string()),
            }
        }
        Error::NotImplemented { .. } => StoreError::Address {
            address,
            advice: "this kind of store can be read and not be written; give one such as s3://bucket/imagenet"
                .to_owned(),
        },
        // Ranges are all that is asked for and that a server may not support.
        Error::NotSupported { .. } => StoreError::Ranges(address),
        other => {
            let text = other.to_string();
            if text.contains("non-partial") {
                return StoreError::Ranges(address);
            }
            // reqwest says what happened in the last of its causes alone.
            let mut text = text;
            let mut cause = other.source();
            while let Some(error) = cause {
                let more = error.to_string();
                if !text.contains(&more) {
                    text = format!("{text}: {more}");
                }
                cause = error.source();
            }
            of_status(&text, address)
        }
    }
}

/// The error of a request whose kind is in its text alone, as a list's always is.
fn of_status(text: &str, address: String) -> StoreError {
    let has = |codes: &[u16]| {
        let said = |code: &u16| text.contains(&format!("non-2xx status code: {code}"));
        codes.iter().any(said)
    };
    let source = Cause::new(text);
    if METADATA.iter().any(|service| text.contains(service)) {
        StoreError::NoCredentials { address, source }
    } else if has(&[401, 403]) {
        StoreError::Denied { address, source }
    } else if text.contains("NoSuchBucket") || has(&[404]) {
        StoreError::Missing(address)
    } else if has(&[400, 405, 416, 501]) && !text.contains("RequestTimeout") {
        StoreError::Refused { address, source }
    } else if text.contains(UNTRUSTED) {
        StoreError::Certificate { address, source }
    } else {
        failed(address, source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let of = |answer: &str| {
            let text =
                format!("Error performing GET - Server returned non-2xx status code: {answer}");
            of_status(&text, "s3://bucket/x".to_owned())
        };
        assert!(matches!(
            of("404 Not Found: NoSuchBucket"),
            StoreError::Missing(_)
        ));
        assert!(matches!(
            of("403 Forbidden: AccessDenied"),
            StoreError::Denied { .. }
        ));
        assert!(matches!(
            of("400 Bad Request: InvalidArgument"),
            StoreError::Refused { .. }
        ));
        for answer in [
            "400 Bad Request: RequestTimeout",
            "503 Service Unavailable",
            "409 Conflict",
        ] {
            assert!(is_passing(&of(answer)), "{answer}");
        }
    }
}
