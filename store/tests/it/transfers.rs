//! Reading objects over connections that break.

use std::fs::File;
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};

use shardmill_store::{Remote, StoreError};

use crate::bytes;
use crate::server::{Fault, Server};

/// More than two parts of a transfer.
const LARGE: usize = (33 << 20) + 5;

fn download(server: &Server, expected: &[u8]) -> Result<u64, StoreError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let file = File::options()
        .create_new(true)
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let arrived = AtomicU64::new(0);
    let count = |bytes| {
        arrived.fetch_add(bytes, Ordering::Relaxed);
        true
    };
    let remote = Remote::open(&server.address).unwrap();
    remote.download("a", expected.len() as u64, &file, &count)?;
    let mut found = Vec::new();
    File::open(path).unwrap().read_to_end(&mut found).unwrap();
    assert!(found == expected, "the file has other bytes");
    Ok(arrived.into_inner())
}

#[test]
fn whole_objects_ranges_and_sizes() {
    let expected = bytes(1000, 1);
    let server = Server::start(&[("a", expected.clone()), ("empty", vec![])]);
    let remote = Remote::open(&format!("{}/", server.address)).unwrap();
    assert_eq!(remote.address(), server.address);
    assert_eq!(remote.read("a", 2000).unwrap(), expected);
    assert_eq!(
        remote.read("a", 10).unwrap().len(),
        11,
        "longer than the limit"
    );
    assert_eq!(remote.read_range("a", 10..30).unwrap(), expected[10..30]);
    assert_eq!(remote.read_range("a", 990..2000).unwrap(), expected[990..]);
    assert_eq!(remote.size("a").unwrap(), Some(1000));
    assert_eq!(remote.size("b").unwrap(), None);
    let missing = remote.read("b", 10).unwrap_err();
    assert_eq!(
        missing.to_string(),
        format!("{}/b does not exist", server.address)
    );
    server.asked();
    remote.read_range("a", 0..4).unwrap();
    assert_eq!(
        server.asked(),
        [("a".to_owned(), Some((0, 4)))],
        "one request"
    );
}

#[test]
fn what_a_lost_connection_brought_is_kept() {
    let expected = bytes(LARGE, 2);
    let server = Server::start(&[("a", expected.clone())]);
    assert_eq!(download(&server, &expected).unwrap(), LARGE as u64);
    assert_eq!(server.asked().len(), 3);
    server.next(&[
        Fault::Cut(1 << 20),
        Fault::Busy,
        Fault::Cut(0),
        Fault::Cut(3 << 20),
    ]);
    let arrived = download(&server, &expected).unwrap();
    // Nothing is fetched twice but what was on its way when a connection ended.
    assert!(
        (LARGE as u64..LARGE as u64 + (4 << 20)).contains(&arrived),
        "{arrived}"
    );
}

#[test]
fn an_answer_that_is_too_short_is_gone_on_with() {
    let expected = bytes(200_000, 6);
    let server = Server::start(&[("a", expected.clone())]);
    server.next(&[Fault::Short(100_000)]);
    download(&server, &expected).unwrap();
}

#[test]
fn a_connection_that_always_breaks_is_an_error_and_no_hang() {
    let expected = bytes(100_000, 3);
    let server = Server::start(&[("a", expected.clone())]);
    server.always(Some(Fault::Cut(100)));
    let error = download(&server, &expected).unwrap_err();
    assert!(matches!(error, StoreError::Failed { .. }), "{error:?}");
}

#[test]
fn a_server_that_ignores_ranges_is_refused_in_words() {
    let expected = bytes(100_000, 4);
    let server = Server::start(&[("a", expected.clone())]);
    server.always(Some(Fault::Whole));
    let remote = Remote::open(&server.address).unwrap();
    let refused = remote.read_range("a", 5..10).unwrap_err();
    assert!(matches!(refused, StoreError::Ranges(_)), "{refused:?}");
    let refused = download(&server, &expected[..]).unwrap_err();
    assert!(matches!(refused, StoreError::Ranges(_)), "{refused:?}");
}

#[test]
fn an_object_of_another_size_is_refused() {
    let expected = bytes(100_000, 5);
    let server = Server::start(&[("a", expected.clone())]);
    let error = download(&server, &expected[..99_999]).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{}/a has 100000 bytes; expected 99999", server.address)
    );
}

#[test]
fn nobody_at_the_address_is_an_error_that_says_what_was_tried() {
    let remote = Remote::open("http://127.0.0.1:9/data").unwrap();
    let error = remote.read("a", 10).unwrap_err();
    let StoreError::Failed { tried, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(tried.attempts, 6);
    assert!(tried.time.as_secs() >= 15, "{tried:?}");
    let text = error.to_string();
    for words in [
        "http://127.0.0.1:9/data/a: no answer that helps to 6 attempts within ",
        "check that the server runs and that this machine reaches it",
    ] {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn slashes_at_the_end_of_an_address_mean_nothing() {
    let expected = bytes(1000, 7);
    let server = Server::start(&[("a", expected.clone())]);
    for slashes in ["", "/", "//", "///"] {
        let remote = Remote::open(&format!("{}{slashes}", server.address)).unwrap();
        assert_eq!(remote.address(), server.address);
        assert_eq!(remote.read("a", 2000).unwrap(), expected);
    }
    let refused = Remote::open(&format!("{}//deeper", server.address)).unwrap_err();
    assert!(refused.to_string().contains("two slashes"), "{refused}");
}
