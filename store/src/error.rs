//! Why an object store did not give or take what was asked of it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::tried::Tried;

/// An error of an object store. Addresses in it hold no credentials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The program cannot reach object stores.
    #[error(
        "{0}: this program was built without object stores; build it with `--features remote`, or copy the dataset into a folder"
    )]
    NotBuilt(String),
    /// The address makes no sense.
    #[error("{address}: {advice}")]
    Address {
        /// As it was given, without what may be secret.
        address: String,
        /// What would work.
        advice: String,
    },
    /// There is no such object.
    #[error("{0} does not exist")]
    Missing(String),
    /// The object is there already, and was not to be replaced.
    #[error("{0} exists already")]
    Exists(String),
    /// The server refuses these credentials.
    #[error(
        "{address}: the server denies access; set the credentials in the environment (such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) to those that may read it"
    )]
    Denied {
        /// The object.
        address: String,
        /// The server's words.
        source: Cause,
    },
    /// No credentials were found, so that the machine's cloud was asked for some, which has none.
    #[error(
        "{address}: no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what your store takes, in the environment; for a public bucket of S3, set AWS_SKIP_SIGNATURE=true"
    )]
    NoCredentials {
        /// The object.
        address: String,
        /// What the cloud's metadata service said.
        source: Cause,
    },
    /// The server ignores ranges.
    #[error(
        "{0}: the server answered a request for some bytes of the object with the whole object; Shardmill needs a server that answers ranges (status 206)"
    )]
    Ranges(String),
    /// An object has another size than its dataset says.
    #[error("{address} has {found} bytes; expected {expected}")]
    Length {
        /// The object.
        address: String,
        /// Its bytes.
        found: u64,
        /// What the manifest says.
        expected: u64,
    },
    /// An object's bytes are not those that its dataset describes.
    #[error(
        "{address} arrived damaged {attempts} times: its BLAKE3 is {found}; the manifest says {expected}: the object is damaged or another dataset's; upload it again"
    )]
    Damaged {
        /// The object.
        address: String,
        /// Times that it was fetched.
        attempts: u32,
        /// What arrived.
        found: String,
        /// What the manifest says.
        expected: String,
    },
    /// The server did not answer, or not in a way that helps.
    #[error("{address}: {tried}")]
    Failed {
        /// The object.
        address: String,
        /// How often and how long it was asked.
        tried: Tried,
        /// What went wrong last.
        source: Cause,
    },
    /// The server's certificate is none that this machine trusts.
    #[error(
        "{address}: the server's certificate is not trusted; if it is a server of your own, name the file of its authority's certificates in SSL_CERT_FILE"
    )]
    Certificate {
        /// The object.
        address: String,
        /// What is wrong with it.
        source: Cause,
    },
    /// The server does not do what was asked, and will not the next time.
    #[error("{address}: the server refuses the request")]
    Refused {
        /// The object.
        address: String,
        /// The server's words.
        source: Cause,
    },
    /// A local file cannot be read or written.
    #[error("{}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The cache cannot do what is asked of it; the text says why, and what would work.
    #[error("{0}")]
    Cache(String),
    /// The caller said to stop.
    #[error("the transfer was stopped")]
    Stopped,
}

/// What a server or a library said, as text in which nothing secret is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause(pub(crate) String);

/// Longest text of a cause, in characters.
const LONGEST: usize = 400;

impl Cause {
    /// A cause of these words. Values of the environment that look like credentials are taken out, as are
    /// the parts of an XML answer that may repeat them.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let secrets = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.to_str()?.to_ascii_uppercase();
            let secret = ["KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "SAS"];
            let is_secret = secret.iter().any(|word| name.contains(word));
            Some(value.into_string().ok()?).filter(|value| is_secret && value.len() >= 8)
        });
        Self::without(text, secrets)
    }

    fn without(text: &str, secrets: impl Iterator<Item = String>) -> Self {
        let mut text = in_words(text);
        for secret in secrets {
            text = text.replace(&secret, "[secret]");
        }
        if text.chars().count() > LONGEST {
            text = text.chars().take(LONGEST).chain("...".chars()).collect();
        }
        Self(text)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Cause {}

/// A message with code and words in place of an XML answer: others of its elements repeat what was signed.
fn in_words(text: &str) -> String {
    let Some(start) = text.find("<?xml").or_else(|| text.find("<Error")) else {
        return text.split_whitespace().collect::<Vec<_>>().join(" ");
    };
    let (before, answer) = text.split_at(start);
    let element = |name: &str| {
        let (_, rest) = answer.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
    };
    let said: Vec<_> = ["Code", "Message"]
        .iter()
        .filter_map(|name| element(name))
        .collect();
    let before: Vec<_> = before.split_whitespace().collect();
    format!("{} {}", before.join(" "), said.join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_keeps_the_words_and_no_secret() {
        let answer = "Server returned 403: <?xml version=\"1.0\"?>\n<Error><Code>SignatureDoesNotMatch</Code>\
            <Message>The signature of AKIDEXAMPLE differs</Message><AWSAccessKeyId>AKIDEXAMPLE</AWSAccessKeyId>\
            <StringToSign>AWS4-HMAC-SHA256</StringToSign></Error>";
        let cause = Cause::without(answer, ["AKIDEXAMPLE".to_owned()].into_iter());
        assert_eq!(
            cause.0,
            "Server returned 403: SignatureDoesNotMatch: The signature of [secret] differs"
        );
        let long = Cause::without(&"word ".repeat(200), std::iter::empty());
        assert_eq!(long.0.chars().count(), LONGEST + 3);
    }
}
