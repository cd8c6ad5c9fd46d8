//! What a person sees.

use std::fmt::Display as Text;
use std::io::{IsTerminal, Write, stderr, stdout};

use indicatif::{ProgressBar, ProgressStyle};
use shardmill_formats::{console, printable_lines};

/// What is shown while a network is trained or evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Display {
    /// A bar on a terminal, and a log line now and then elsewhere: in a file, on a terminal that cannot move
    /// its cursor (`TERM=dumb`), and where `CI` is set.
    #[default]
    Auto,
    /// The lines of `metrics.jsonl` on the standard output, text on the standard error.
    Json,
    /// Nothing.
    Quiet,
}

/// The terminal, or the stream that replaces it.
#[derive(Debug)]
pub(crate) struct Screen {
    display: Display,
    bar: Option<ProgressBar>,
}

impl Screen {
    pub(crate) fn new(display: Display) -> Self {
        Self { display, bar: None }
    }

    /// Shows a bar of `total` things, `done` of them done, where there is a terminal that can redraw it.
    pub(crate) fn begin(&mut self, total: u64, done: u64) {
        if self.display == Display::Auto && console::can_redraw(stderr().is_terminal()) {
            let style = ProgressStyle::with_template("{bar:8} eta {eta} {wide_msg}");
            let bar = ProgressBar::new(total)
                .with_style(style.expect("the template is well formed"))
                .with_position(done);
            bar.reset_eta();
            self.bar = Some(bar);
        }
    }

    /// Moves the bar and changes the text behind it.
    pub(crate) fn update(&self, done: u64, text: impl Text) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(printable_lines(&text.to_string()).into_owned());
        }
    }

    /// Shows a bar of `total` things, `done` of them done, and this text behind it, until the bar is ended.
    pub(crate) fn follow(&mut self, done: u64, total: u64, text: impl Text) {
        if self.bar.is_none() {
            self.begin(total, 0);
        }
        self.update(done, text);
    }

    /// Changes the text behind the bar.
    pub(crate) fn note(&self, text: impl Text) {
        if let Some(bar) = &self.bar {
            bar.set_message(printable_lines(&text.to_string()).into_owned());
            bar.tick();
        }
    }

    /// Removes the bar.
    pub(crate) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Whether a bar is shown, which replaces lines of progress.
    pub(crate) fn has_bar(&self) -> bool {
        self.bar.is_some()
    }

    /// Shows text that stays.
    ///
    /// Training goes on after a closed pipe. Text out of a dataset or a checkpoint cannot control the
    /// terminal.
    pub(crate) fn say(&self, text: impl Text) {
        let text = text.to_string();
        let mut text = printable_lines(&text);
        let terminal = match self.display {
            Display::Json => stderr().is_terminal(),
            _ => stdout().is_terminal(),
        };
        if console::wants_colour(terminal) {
            text = console::coloured(&text).into();
        }
        match (&self.bar, self.display) {
            (_, Display::Quiet) => {}
            (Some(bar), _) => bar.suspend(|| drop(writeln!(stdout(), "{text}"))),
            (None, Display::Auto) => drop(writeln!(stdout(), "{text}")),
            (None, Display::Json) => drop(writeln!(stderr(), "{text}")),
        }
    }

    /// Prints a line of metrics, where that was asked for.
    pub(crate) fn line(&self, json: &str) {
        if self.display == Display::Json {
            drop(writeln!(stdout(), "{}", printable_lines(json)));
        }
    }
}

impl Drop for Screen {
    /// Otherwise an error message would follow an unfinished bar.
    fn drop(&mut self) {
        self.end();
    }
}
