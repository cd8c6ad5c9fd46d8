//! libjpeg-turbo, through a process that `tests/reference/jpeg_peer.py` is.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::process::{Child, Command, Stdio};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../reference/jpeg_peer.py");

/// A process that decodes streams with libjpeg-turbo. It ends when this is dropped.
#[derive(Debug)]
pub struct Peer(Child);

/// What to ask beside the pixels. `Default` is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// What Pillow makes of the stream.
    pub pillow: bool,
    /// Smooth the blocks of an unfinished progressive picture, as libjpeg does by default.
    pub smooth: bool,
    /// The pixels of the library's transform in floating point.
    pub floats: bool,
}

/// What libjpeg-turbo makes of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether there are pixels.
    pub verdict: Verdict,
    /// How often it warned; an error after the last row of pixels counts as one.
    pub warnings: u32,
    /// The error, or the first warning.
    pub text: String,
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// What Pillow says, if it was asked.
    pub pillow: Option<Pillow>,
    /// The pixels, interleaved RGB, if there are any. CMYK is converted as Pillow does it.
    pub rgb: Vec<u8>,
    /// The same from the transform in floating point, if that was asked. Where the two differ much, the
    /// stream leads to levels that pixels do not have, and no pixels are right.
    pub floats: Vec<u8>,
}

/// Whether a stream was decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is no picture.
    Refused,
    /// There are pixels, whatever they are worth.
    Decoded,
    /// It was not decoded, since it has too many pixels.
    PassedOver,
}

/// What Pillow makes of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pillow {
    /// The same pixels.
    Same,
    /// An error.
    Refuses,
    /// Other pixels.
    Other,
}

impl Peer {
    /// Starts the process with this Python, which needs Pillow.
    ///
    /// # Errors
    ///
    /// If there is no such program.
    pub fn start(python: &str) -> Result<Self> {
        let mut command = Command::new(python);
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        pipes.arg(SCRIPT).spawn().map(Self)
    }

    /// Decodes a stream.
    ///
    /// # Errors
    ///
    /// If the process has ended, which it says why on standard error, or gives no sensible answer.
    pub fn decode(&mut self, stream: &[u8], question: Question) -> Result<Answer> {
        let options = u8::from(question.pillow)
            | u8::from(question.smooth) << 1
            | u8::from(question.floats) << 2;
        let length =
            u32::try_from(stream.len()).map_err(|_| senseless("the stream is too long"))?;
        let mut request = vec![options];
        request.extend(length.to_le_bytes());
        request.extend(stream);
        let stdin = self.0.stdin.as_mut().ok_or(ErrorKind::BrokenPipe)?;
        stdin.write_all(&request)?;
        stdin.flush()?;
        let verdict = match self.number()? {
            0 => Verdict::Refused,
            1 => Verdict::Decoded,
            2 => Verdict::PassedOver,
            _ => return Err(senseless("the answer has an unknown status")),
        };
        let warnings = self.number()?;
        let (width, height) = (self.number()? as usize, self.number()? as usize);
        // The number of components follows from the stream.
        let _components = self.number()?;
        let pillow = match self.number()? {
            0 => None,
            1 => Some(Pillow::Same),
            2 => Some(Pillow::Refuses),
            _ => Some(Pillow::Other),
        };
        Ok(Answer {
            verdict,
            warnings,
            text: String::from_utf8_lossy(&self.bytes()?).into_owned(),
            width,
            height,
            pillow,
            rgb: self.bytes()?,
            floats: self.bytes()?,
        })
    }

    fn number(&mut self) -> Result<u32> {
        let mut bytes = [0; 4];
        let stdout = self.0.stdout.as_mut().ok_or(ErrorKind::BrokenPipe)?;
        stdout.read_exact(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn bytes(&mut self) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.number()? as usize];
        let stdout = self.0.stdout.as_mut().ok_or(ErrorKind::BrokenPipe)?;
        stdout.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The process ends with its input.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn senseless(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}
