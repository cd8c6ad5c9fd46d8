//! What the programs print: everything, through here.
//!
//! A reader that goes away (`| head`) is no error. What is left is not printed, the work is done, and the
//! exit code is the work's own: 0, or 1 where `prep verify` found damage. Programs that do nothing but
//! print ask whether anybody still reads, and end with 0.

use std::io::{self, ErrorKind, IsTerminal, Write};

use crate::printable::printable_lines;

/// Prints text to the standard output, with control characters escaped as by [`printable_lines`], and gives
/// whether anybody still reads: `false` is a closed pipe.
///
/// # Errors
/// A standard output that refuses for another reason, such as a file on a full disk.
pub fn print(text: &str) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let colour = wants_colour(out.is_terminal());
    send(&mut out, text, colour)
}

/// Prints text to the standard error, with control characters escaped as by [`printable_lines`]. What cannot
/// be printed there is told nowhere.
pub fn say(text: &str) {
    // In one piece, so that other threads' lines do not mix with it.
    let mut out = io::stderr().lock();
    let colour = wants_colour(out.is_terminal());
    let _ = send(&mut out, text, colour);
}

/// What lines may begin with that asks for attention, and its colour: bold red, bold yellow, bold cyan.
const MARKS: [(&str, &str); 3] = [("error:", "31"), ("warning:", "33"), ("note:", "36")];

/// Whether text may have colours: on a terminal that has them, unless the user sets `NO_COLOR`
/// (no-color.org) to anything.
#[must_use]
pub fn wants_colour(is_terminal: bool) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    is_terminal && !set("NO_COLOR") && !dumb
}

/// Printable text with `error:`, `warning:` and `note:` at the beginning of its lines in colour.
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
            format!("the standard output refuses: {error}"),
        )),
    }
}

/// Like `println!`, through [`console::print`](crate::console::print): gives an [`io::Result`](std::io::Result)
/// of nothing, in which a closed pipe is no error.
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

    /// Takes some bytes, and then refuses as it was told to.
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
    fn a_closed_pipe_is_told_and_a_full_disk_is_an_error() {
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
