//! The client for an address: which store it is, and how long its requests may take.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::path::Path as ObjectPath;
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, ObjectStoreScheme, RetryConfig};
use url::{Position, Url};

use crate::address::shown;
use crate::error::{Cause, StoreError};

/// Longest time until a connection is made, and without a byte from it.
const CONNECT: &str = "10 seconds";
const SILENCE: &str = "20 seconds";
/// A shard may take hours over a slow link: what ends a request is silence.
const REQUEST: &str = "7 days";
/// A busy server is asked again within a request; what a lost connection leaves undone is asked for in a
/// new one (`attempts`).
const RETRY: RetryConfig = RetryConfig {
    backoff: BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(2),
        base: 2.0,
    },
    max_retries: 3,
    retry_timeout: Duration::from_secs(60),
};

/// Parses an address. Slashes at its end mean nothing.
pub(super) fn parse(address: &str) -> Result<Url, StoreError> {
    let address = address.trim_end_matches('/');
    let url = Url::parse(address).map_err(|error| StoreError::Address {
        address: shown(address),
        advice: format!(
            "this is no address of an object store ({error}); give one such as s3://bucket/imagenet"
        ),
    })?;
    let secret = !url.username().is_empty()
        && !matches!(url.scheme(), "az" | "azure" | "abfs" | "abfss")
        || url.password().is_some()
        || url.query().is_some();
    if url.path().contains("//") {
        return Err(StoreError::Address {
            address: shown(address),
            advice: "two slashes follow one another in the name; give it with one of them"
                .to_owned(),
        });
    }
    if secret || url.fragment().is_some() {
        return Err(StoreError::Address {
            address: shown(address),
            advice: "give the address alone; credentials, keys and tokens are taken from the environment, where no \
                     log sees them"
                .to_owned(),
        });
    }
    Ok(url)
}

/// The prefix that an address names within its bucket.
pub(super) fn prefix(url: &Url, address: &str) -> Result<ObjectPath, StoreError> {
    let parsed = ObjectStoreScheme::parse(url).map_err(|error| StoreError::Address {
        address: address.to_owned(),
        advice: format!("{error}; give one such as s3://bucket/imagenet"),
    })?;
    Ok(parsed.1)
}

/// What a client is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Answers that come piece by piece: silence ends a request.
    Read,
    /// Long uploads, during which a server is silent.
    Write,
}

/// Makes the client for an address, with what the environment says of servers and credentials.
pub(super) fn connect(url: &Url, purpose: Purpose) -> Result<Arc<dyn ObjectStore>, StoreError> {
    // Another library of this process may have chosen one before; any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let silence = match purpose {
        Purpose::Read => SILENCE,
        Purpose::Write => REQUEST,
    };
    let limits = [
        (ClientConfigKey::ConnectTimeout, CONNECT),
        (ClientConfigKey::ReadTimeout, silence),
        (ClientConfigKey::Timeout, REQUEST),
    ];
    let refused = |source: object_store::Error| StoreError::Address {
        address: url.to_string(),
        advice: format!(
            "the environment's settings for this kind of store make no client: {}",
            Cause::new(&source.to_string())
        ),
    };
    let (scheme, _) = ObjectStoreScheme::parse(url).map_err(|error| refused(error.into()))?;
    Ok(match scheme {
        ObjectStoreScheme::AmazonS3 => {
            // Objects are deleted one by one, which every server knows.
            let builder = AmazonS3Builder::from_env()
                .with_url(url.to_string())
                .with_disable_bulk_delete(true)
                .with_retry(RETRY);
            let builder = limits.into_iter().fold(builder, |builder, (key, value)| {
                builder.with_config(AmazonS3ConfigKey::Client(key), value)
            });
            Arc::new(builder.build().map_err(refused)?)
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            let builder = GoogleCloudStorageBuilder::from_env();
            let builder = builder.with_url(url.to_string()).with_retry(RETRY);
            let builder = limits.into_iter().fold(builder, |builder, (key, value)| {
                builder.with_config(GoogleConfigKey::Client(key), value)
            });
            Arc::new(builder.build().map_err(refused)?)
        }
        ObjectStoreScheme::MicrosoftAzure => {
            let builder = MicrosoftAzureBuilder::from_env();
            let builder = builder.with_url(url.to_string()).with_retry(RETRY);
            let builder = limits.into_iter().fold(builder, |builder, (key, value)| {
                builder.with_config(AzureConfigKey::Client(key), value)
            });
            Arc::new(builder.build().map_err(refused)?)
        }
        ObjectStoreScheme::Http => {
            let builder = HttpBuilder::new()
                .with_url(&url[..Position::BeforePath])
                .with_retry(RETRY);
            // Whoever writes http:// has chosen it.
            let open = if url.scheme() == "http" {
                "true"
            } else {
                "false"
            };
            let builder = limits
                .into_iter()
                .chain([(ClientConfigKey::AllowHttp, open)])
                .fold(builder, |builder, (key, value)| {
                    builder.with_config(key, value)
                });
            Arc::new(builder.build().map_err(refused)?)
        }
        _ => {
            return Err(StoreError::Address {
                address: url.to_string(),
                advice: "give an address that begins with s3, gs, az or https".to_owned(),
            });
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_an_address_are_refused_and_not_repeated() {
        for address in [
            "https://me:swordfish@host/data",
            "https://host/data?sig=swordfish",
            "https://swordfish@host/data",
            "s3://swordfish:a@bucket/data",
        ] {
            let error = parse(address).unwrap_err().to_string();
            assert!(!error.contains("swordfish"), "{error}");
            assert!(error.contains("environment"), "{error}");
        }
        assert!(parse("az://container@account/data").is_ok());
    }

    #[test]
    fn slashes_at_the_end_mean_nothing_and_two_within_are_refused_in_words() {
        for address in ["s3://b/raw", "s3://b/raw/", "s3://b/raw//", "s3://b/raw///"] {
            let url = parse(address).unwrap();
            assert_eq!(prefix(&url, address).unwrap().as_ref(), "raw", "{address}");
        }
        assert_eq!(
            prefix(&parse("s3://b//").unwrap(), "s3://b")
                .unwrap()
                .as_ref(),
            ""
        );
        let error = parse("s3://b/a//raw").unwrap_err().to_string();
        assert!(error.contains("two slashes"), "{error}");
        for address in ["s3://", "s3:///", "s3:///raw"] {
            let error = parse(address).and_then(|url| prefix(&url, address));
            let error = error.unwrap_err().to_string();
            assert!(error.contains("s3://bucket/imagenet"), "{error}");
        }
    }
}
