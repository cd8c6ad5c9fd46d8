//! The terminal while a run is watched.

use std::io::IsTerminal;
use std::io::{self, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};
use shardmill_formats::console;

use crate::run::Stop;
use crate::tools::watch::view::draw;
use crate::tools::watch::{Curves, Follower, Status, Summary, WatchError};

/// Time between looks at the file.
const INTERVAL: Duration = Duration::from_secs(1);

/// Time between looks at a request to stop.
const PATIENCE: Duration = Duration::from_millis(100);

/// The whole terminal, given back when this is dropped. `ratatui` gives it back on a panic too.
struct Screen(DefaultTerminal);

impl Screen {
    fn open() -> io::Result<Self> {
        ratatui::try_init().map(Self)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Shows the run in `run` until a key or `stop` ends it.
///
/// # Errors
/// A terminal that cannot be drawn on, or files that cannot be read; no file yet is waited for.
pub(crate) fn show(run: &Path, stop: &Stop) -> Result<(), WatchError> {
    let mut follower = Follower::new(run)?;
    let colours = console::wants_colour(stdout().is_terminal());
    let terminal = |source| WatchError::Terminal { source };
    let mut screen = Screen::open().map_err(terminal)?;
    loop {
        follower.poll()?;
        let summary = Summary {
            status: Status::of(&follower),
            curves: Curves::of(follower.history()),
        };
        let next = Instant::now() + INTERVAL;
        loop {
            let drawn = screen.0.draw(|frame| draw(frame, &summary, colours));
            drawn.map_err(terminal)?;
            match wait(next, stop).map_err(terminal)? {
                Heard::End => return Ok(()),
                Heard::Resized => {}
                Heard::Nothing => break,
            }
        }
    }
}

/// What came before the next look at the file.
enum Heard {
    Nothing,
    Resized,
    End,
}

/// Waits for a key, for another size of the terminal, or until `until`.
fn wait(until: Instant, stop: &Stop) -> io::Result<Heard> {
    loop {
        if stop.is_requested() {
            return Ok(Heard::End);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Heard::Nothing);
        }
        if !event::poll(left.min(PATIENCE))? {
            continue;
        }
        match event::read()? {
            Event::Key(key) if ends(key) => return Ok(Heard::End),
            Event::Resize(..) => return Ok(Heard::Resized),
            _ => {}
        }
    }
}

/// q, Esc and Ctrl-C.
fn ends(key: KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    key.is_press()
        && match key.code {
            KeyCode::Char('q' | 'Q') | KeyCode::Esc => true,
            KeyCode::Char('c') => control,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::ends;

    #[test]
    fn q_escape_and_control_c_end_it_and_other_keys_do_not() {
        let key = |code, modifiers| ends(KeyEvent::new(code, modifiers));
        assert!(key(KeyCode::Char('q'), KeyModifiers::NONE));
        assert!(key(KeyCode::Esc, KeyModifiers::NONE));
        assert!(key(KeyCode::Char('c'), KeyModifiers::CONTROL));
        assert!(!key(KeyCode::Char('c'), KeyModifiers::NONE));
        assert!(!key(KeyCode::Enter, KeyModifiers::NONE));
    }
}
