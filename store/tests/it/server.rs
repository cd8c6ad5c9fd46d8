//! A web server for files in memory, which answers ranges, and has faults when it is told to. Other crates
//! include this file, and none uses all of it.
#![allow(dead_code)]

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is wrong with an answer to a request for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// So many bytes are left out, and the length says so.
    Short(usize),
    /// The first byte is another one.
    Flip,
    /// Status 503.
    Busy,
    /// A range is answered with the whole file.
    Whole,
}

/// The server. It runs until the test ends.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    /// Faults of the next answers, and of all after them.
    next: VecDeque<Option<Fault>>,
    always: Option<Fault>,
    /// Ranges that were asked for.
    asked: Vec<(String, Option<(usize, usize)>)>,
    delay: Duration,
}

impl Server {
    pub(crate) fn start(files: &[(&str, Vec<u8>)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/data", listener.local_addr().unwrap());
        let files = files
            .iter()
            .map(|(name, bytes)| (format!("/data/{name}"), bytes.clone()));
        let state = State {
            files: files.collect(),
            ..State::default()
        };
        let server = Self {
            address,
            state: Arc::new(Mutex::new(state)),
        };
        let serving = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = serving.clone();
                std::thread::spawn(move || server.serve(&stream));
            }
        });
        server
    }

    /// The faults of the next answers.
    pub(crate) fn next(&self, faults: &[Fault]) {
        self.state.lock().unwrap().next = faults.iter().copied().map(Some).collect();
    }

    /// A fault of all answers from now on.
    pub(crate) fn always(&self, fault: Option<Fault>) {
        self.state.lock().unwrap().always = fault;
    }

    /// A pause before each answer.
    pub(crate) fn delay(&self, delay: Duration) {
        self.state.lock().unwrap().delay = delay;
    }

    /// Forgets and returns what was asked for: names, and ranges.
    pub(crate) fn asked(&self) -> Vec<(String, Option<(usize, usize)>)> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }

    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while self.answer(&mut reader, stream).is_some() {}
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }

    fn answer(&self, reader: &mut BufReader<&TcpStream>, mut stream: &TcpStream) -> Option<()> {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&len| len > 0)?;
        let mut words = line.split_whitespace();
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut range = None;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(bytes) = line.strip_prefix("range: bytes=") {
                let (start, end) = bytes.split_once('-')?;
                range = Some((start.parse().ok()?, end.parse::<usize>().ok()? + 1));
            }
        }
        let (found, fault, delay) = {
            let mut state = self.state.lock().unwrap();
            let name = path.trim_start_matches("/data/").to_owned();
            state.asked.push((name, range));
            let fault = state.next.pop_front().unwrap_or(state.always);
            (state.files.get(&path).cloned(), fault, state.delay)
        };
        std::thread::sleep(delay);
        let Some(file) = found else {
            return stream
                .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                .ok();
        };
        if fault == Some(Fault::Busy) {
            let busy = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n";
            return stream.write_all(busy).ok();
        }
        let (start, end) = match range {
            Some(range) if fault != Some(Fault::Whole) => range,
            _ => (0, file.len()),
        };
        let end = end.min(file.len());
        let mut body = file[start..end].to_vec();
        let status = match range {
            Some(_) if fault != Some(Fault::Whole) => format!(
                "206 Partial Content\r\nContent-Range: bytes {start}-{}/{}",
                end - 1,
                file.len()
            ),
            _ => "200 OK".to_owned(),
        };
        match fault {
            Some(Fault::Flip) => body[0] ^= 1,
            Some(Fault::Short(bytes)) => body.truncate(body.len().saturating_sub(bytes)),
            _ => {}
        }
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        if method == "HEAD" {
            return Some(());
        }
        match fault {
            Some(Fault::Cut(bytes)) => {
                stream.write_all(&body[..bytes.min(body.len())]).ok()?;
                None
            }
            _ => stream.write_all(&body).ok(),
        }
    }
}
