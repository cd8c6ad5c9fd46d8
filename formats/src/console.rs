//! Everything that the programs print.
//!
//! A closed pipe (`| head`) is not an error. The rest of the output is dropped, the work is finished, and
//! the exit code is that of the work: 0, or 1 if `prep verify` found damage. Programs that only print can
//! ask whether the output is still read, and end with 0 if it is not.

use std::io::{self, ErrorKind, IsTerminal, Write};

use crate::printable::printable_lines;

/// Prints text to standard output, with control characters escaped as by [`printable_lines`]. Returns
/// `false` if standard output is a closed pipe.
///
/// # Errors
/// A standard output that fails for another reason, such as a file on a full disk.
pub fn print(text: &str) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let colour = wants_colour(out.is_terminal());
    send(&mut out, text, colour)
}

/// Prints text to standard error, with control characters escaped as by [`printable_lines`]. A failure to
/// print there is ignored.
pub fn say(text: &str) {
    // In one piece, so that lines of other threads do not mix with it.
    let mut out = io::stderr().lock();
    let colour = wants_colour(out.is_terminal());
    let _ = send(&mut out, text, colour);
}

/// Words at the beginning of lines that ask for attention, and their colours: bold red, bold yellow, bold
/// cyan.
const MARKS: [(&str, &str); 3] = [("error:", "31"), ("warning:", "33"), ("note:", "36")];

/// Whether to print colours: on a terminal that supports them, unless the user sets `NO_COLOR`
/// (no-color.org) to a value that is not empty.
#[must_use]
pub fn wants_colour(is_terminal: bool) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    is_terminal && !set("NO_COLOR") && !dumb
}

/// Whether to draw over lines, such as those of a progress bar: on a terminal that can move its cursor, but
/// not in continuous integration (`CI` is set there), whose logs keep every picture of a bar.
#[must_use]
pub fn can_redraw(is_terminal: bool) -> bool {
    let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    let dumb = std::env::var_os("TERM").map_or(cfg!(unix), |term| term == "dumb");
    is_terminal && !dumb && !ci
}

/// Printable text, with `error:`, `warning:` and `note:` at the beginning of lines in colour.
#[must_use]
pub fn coloured(text: &str) -> String {
    let lines = text.split_inclusive('\n').map(|line| {
        let mark = MARKS.iter().find(|(mark, _)| line.starts_with(mark));
        match mark {
            Some((mark, colour)) => format!("\x1b[1;{colour}m{mark}\x1b[0m{}", &line[mark.len()..]),
            None => line.to_owned(),
        }
    });
    lines.collect()
}

fn send(out: &mut impl Write, text: &str, colour: bool) -> io::Result<bool> {
    let mut text = printable_lines(text);
    if colour {
        text = coloured(&text).into();
    }
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(io::Error::new(
            error.kind(),
            format!("cannot write to the standard output: {error}"),
        )),
    }
}

/// Like `println!`, through [`console::print`](crate::console::print). Returns an
/// [`io::Result<()>`](std::io::Result), in which a closed pipe is not an error.
#[macro_export]
macro_rules! outln {
    ($($part:tt)*) => {
        $crate::console::print(&(::std::format!($($part)*) + "\n")).map(drop)
    };
}

/// Like `eprintln!`, through [`console::say`](crate::console::say).
#[macro_export]
macro_rules! errln {
    ($($part:tt)*) => {
        $crate::console::say(&(::std::format!($($part)*) + "\n"))
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Accepts some bytes, and then fails with a given kind of error.
    struct Refusing {
        room: Vec<u8>,
        kind: ErrorKind,
    }

    impl Write for Refusing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let free = self.room.capacity() - self.room.len();
            if free == 0 {
                return Err(self.kind.into());
            }
            let some = &bytes[..free.min(bytes.len())];
            self.room.extend_from_slice(some);
            Ok(some.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_reported_and_a_full_disk_is_an_error() {
        let sent = |room, kind| {
            let room = Vec::with_capacity(room);
            let mut out = Refusing { room, kind };
            let result = send(&mut out, "three\u{7}\nlines\n", false);
            (result, String::from_utf8(out.room).unwrap())
        };
        let (result, text) = sent(100, ErrorKind::BrokenPipe);
        assert!(result.unwrap());
        assert_eq!(text, "three\\u0007\nlines\n");
        let (result, text) = sent(8, ErrorKind::BrokenPipe);
        assert!(!result.unwrap());
        assert_eq!(text, "three\\u0");
        let error = sent(8, ErrorKind::StorageFull).0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert!(error.to_string().contains("standard output"), "{error}");
    }

    #[test]
    fn marks_are_coloured_and_what_data_says_is_not() {
        let text = coloured("error: a\nno error: b\nnote: \\u001b[31mc\n");
        assert_eq!(
            text,
            "\x1b[1;31merror:\x1b[0m a\nno error: b\n\x1b[1;36mnote:\x1b[0m \\u001b[31mc\n"
        );
    }
}
