//! What was tried before a server counts as one that does not answer.

use std::fmt;
use std::time::Duration;

use crate::address::shown;

/// Attempts at a request that brought nothing, and what to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Requests in a row.
    pub attempts: u32,
    /// Time since the first of them began.
    pub time: Duration,
    /// Which server was asked, and why that one.
    pub server: String,
}

impl Tried {
    /// Attempts at an address, whose server the environment may name.
    #[must_use]
    pub fn new(address: &str, attempts: u32, time: Duration) -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        let server = server(address, variable);
        Self {
            attempts,
            time,
            server,
        }
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.attempts == 1 { "" } else { "s" };
        write!(
            f,
            "no answer that helps to {} attempt{plural} within {} s; check that the server runs and that this machine \
             reaches it; {}",
            self.attempts,
            self.time.as_secs_f64().ceil(),
            self.server
        )
    }
}

/// Which server an address leads to, by the variables from which `object_store` takes one.
fn server(address: &str, variable: impl Fn(&str) -> Option<String>) -> String {
    let scheme = address.split(':').next().unwrap_or_default();
    let (names, cloud): (&[&str], _) = match scheme.to_ascii_lowercase().as_str() {
        "s3" | "s3a" => (
            &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT", "AWS_ENDPOINT_URL"],
            "Amazon S3",
        ),
        "gs" => (&["GOOGLE_BASE_URL"], "Google Cloud Storage"),
        "az" | "azure" | "abfs" | "abfss" => (
            // The first is the emulator's.
            &[
                "AZURITE_BLOB_STORAGE_URL",
                "AZURE_ENDPOINT",
                "AZURE_STORAGE_ENDPOINT",
            ],
            "Azure Storage",
        ),
        _ => return "the address names the server".to_owned(),
    };
    let mut set = names
        .iter()
        .filter_map(|name| Some((name, variable(name).filter(|value| !value.is_empty())?)));
    match set.next() {
        Some((name, value)) => format!("{name} is {}", without_user(&value)),
        None => format!(
            "{} is not set, so the servers of {cloud} were asked",
            names[names.len() - 1]
        ),
    }
}

/// The address of a server without a name and a password before it.
fn without_user(value: &str) -> String {
    let value = shown(value);
    match value.rsplit_once('@') {
        Some((_, host)) => host.to_owned(),
        None => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_that_was_asked_is_named_without_credentials() {
        let of = |address, set: (&str, &str)| {
            server(address, |name| (name == set.0).then(|| set.1.to_owned()))
        };
        for value in ["http://me:swordfish@host:9", "me:swordfish@host:9"] {
            let text = of("s3://b/a", ("AWS_ENDPOINT", value));
            assert!(text.starts_with("AWS_ENDPOINT is "), "{text}");
            assert!(
                text.ends_with("host:9") || text.ends_with("host:9/"),
                "{text}"
            );
            assert!(!text.contains("swordfish"), "{text}");
        }
        let text = of("s3://b/a", ("GOOGLE_BASE_URL", "http://host"));
        assert_eq!(
            text,
            "AWS_ENDPOINT_URL is not set, so the servers of Amazon S3 were asked"
        );
        assert_eq!(
            of("gs://b/a", ("GOOGLE_BASE_URL", "http://host:9")),
            "GOOGLE_BASE_URL is http://host:9/"
        );
        assert_eq!(
            of("https://host/a", ("AWS_ENDPOINT", "x")),
            "the address names the server"
        );
    }

    #[test]
    fn attempts_and_seconds_are_counted() {
        let tried = Tried::new("http://host/a", 6, Duration::from_millis(15_200));
        assert_eq!(
            tried.to_string(),
            "no answer that helps to 6 attempts within 16 s; check that the server runs and that this machine reaches \
             it; the address names the server"
        );
    }
}
