//! A program on a pseudo terminal, with a keyboard and a screen.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// Longest wait for what a program should show or do.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that runs on a terminal.
pub struct Terminal {
    child: Child,
    keyboard: File,
    /// The program's end of the terminal, kept open until its settings are read after the program's end.
    line: Option<File>,
    /// Whether they were a shell's then.
    is_restored: bool,
    shown: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
    size: [u16; 2],
}

impl Terminal {
    /// Starts a program on a terminal of `size` columns and rows.
    ///
    /// # Panics
    /// If the system has no pseudo terminal, or the program does not start.
    #[must_use]
    pub fn start(mut command: Command, size: [u16; 2]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("the terminal is ours");
        unlockpt(&master).expect("the terminal opens");
        let name = ptsname(&master, Vec::new()).expect("the terminal has a name");
        let line = open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
        let line = File::from(line.expect("the terminal's line"));
        let keyboard = File::from(master);
        let end = || Stdio::from(line.try_clone().expect("another handle"));
        command.stdin(end()).stdout(end()).stderr(end());
        set_size(&keyboard, size);
        let shown = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&shown);
        let mut screen = keyboard.try_clone().expect("another handle");
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.extend(&bytes[..count]);
            }
        });
        // The command holds handles of the line and is dropped here: they would keep the reader waiting.
        let child = command.spawn().expect("the program starts");
        Self {
            child,
            keyboard,
            line: Some(line),
            is_restored: false,
            shown,
            reader: Some(reader),
            size,
        }
    }

    /// Everything that was sent to the terminal so far.
    #[must_use]
    pub fn sent(&self) -> String {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// What stands on the screen, row by row: text and moves of the cursor to a place are followed, colours
    /// and modes are passed over.
    #[must_use]
    pub fn screen(&self) -> String {
        let [columns, rows] = self.size.map(usize::from);
        let mut cells = vec![vec![' '; columns]; rows];
        let [mut x, mut y] = [0, 0];
        let text = self.sent();
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '\u{1b}' => {
                    if letters.next() != Some('[') {
                        continue;
                    }
                    let mut numbers = String::new();
                    let last = letters.by_ref().find(|letter| {
                        numbers.push(*letter);
                        letter.is_ascii_alphabetic()
                    });
                    numbers.pop();
                    match last {
                        Some('H') => {
                            let mut places = numbers.split(';').map(str::parse);
                            let mut next = || places.next().and_then(Result::ok).unwrap_or(1);
                            [y, x] = [next() - 1, next() - 1];
                        }
                        Some('J') => cells.fill(vec![' '; columns]),
                        _ => {}
                    }
                }
                '\r' => x = 0,
                '\n' => y += 1,
                letter => {
                    if let Some(cell) = cells.get_mut(y).and_then(|row| row.get_mut(x)) {
                        *cell = letter;
                    }
                    x += 1;
                }
            }
        }
        let rows = cells.into_iter().map(|row| row.into_iter().collect());
        rows.collect::<Vec<String>>().join("\n")
    }

    /// Waits until the screen shows `words`.
    ///
    /// # Panics
    /// If it does not within a minute.
    pub fn wait_for(&self, words: &str) {
        let start = Instant::now();
        while !self.screen().contains(words) {
            assert!(
                start.elapsed() < PATIENCE,
                "no {words:?} on\n{}",
                self.screen()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses keys.
    ///
    /// # Panics
    /// If the terminal takes none.
    pub fn press(&mut self, keys: &str) {
        self.keyboard
            .write_all(keys.as_bytes())
            .expect("the terminal takes keys");
    }

    /// Changes the terminal's size.
    pub fn resize(&mut self, size: [u16; 2]) {
        set_size(&self.keyboard, size);
        self.size = size;
    }

    /// The program's number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the terminal shows what is typed and hands it over line by line, as a shell expects it: now,
    /// or at the program's end.
    ///
    /// # Panics
    /// If the terminal does not say.
    #[must_use]
    pub fn is_as_a_shell_expects(&self) -> bool {
        let Some(line) = &self.line else {
            return self.is_restored;
        };
        let modes = tcgetattr(line).expect("the terminal's modes").local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    }

    /// Waits for the program's end, and until all that it sent has arrived. Gives its exit code, `None` after
    /// a signal.
    ///
    /// # Panics
    /// If it does not end within a minute; it is killed then.
    pub fn wait(&mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the program's end") {
                self.is_restored = self.is_as_a_shell_expects();
                // The last handle of the line: the reader comes to an end.
                self.line = None;
                if let Some(reader) = self.reader.take() {
                    reader.join().expect("the reader only reads");
                }
                return status.code();
            }
            if start.elapsed() > PATIENCE {
                let _ = self.child.kill();
                panic!("it does not end:\n{}", self.screen());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn set_size(terminal: &File, [columns, rows]: [u16; 2]) {
    let size = Winsize {
        ws_col: columns,
        ws_row: rows,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(terminal, size).expect("the terminal has a size");
}
