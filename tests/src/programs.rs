//! The programs, run as a user runs them.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Mutex;

/// A program of the project.
#[derive(Clone, Copy, Debug)]
pub enum Program {
    /// `prep`.
    Prep,
    /// `loader`.
    Loader,
    /// `train`.
    Train,
}

impl Program {
    const fn name(self) -> &'static str {
        match self {
            Self::Prep => "prep",
            Self::Loader => "loader",
            Self::Train => "train",
        }
    }

    /// Where the program is; it is built if it is not there yet.
    ///
    /// # Panics
    /// If it cannot be built.
    #[must_use]
    pub fn path(self) -> PathBuf {
        static BUILDING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = BUILDING
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let test = std::env::current_exe().expect("a test knows where it is");
        // The test is in target/PROFILE/deps, the program in target/PROFILE.
        let profile = test
            .ancestors()
            .nth(2)
            .expect("a test lies in target/PROFILE/deps");
        let path = profile.join(format!("{}{}", self.name(), std::env::consts::EXE_SUFFIX));
        if !path.is_file() {
            let mut build =
                Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            build
                .args(["build", "--quiet", "--bin", self.name(), "--target-dir"])
                .arg(profile.parent().expect("a parent"));
            if profile.ends_with("release") {
                build.arg("--release");
            }
            let status = build
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .arg("--manifest-path")
                .arg("../Cargo.toml")
                .status();
            assert!(
                status.is_ok_and(|status| status.success()),
                "{} cannot be built",
                self.name()
            );
        }
        path
    }

    /// A command that runs the program.
    #[must_use]
    pub fn command(self) -> Command {
        Command::new(self.path())
    }
}

/// Runs a program to its end and gives its exit code, standard output and standard error.
///
/// # Panics
/// If it cannot be started.
#[must_use]
pub fn run(program: Program, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = program
        .command()
        .args(arguments)
        .output()
        .expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code(), text(stdout), text(stderr))
}
