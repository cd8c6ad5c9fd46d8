//! The programs, run as a user runs them.

use std::fs;
use std::path::{Path, PathBuf};
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

    /// Where the program is; it is built if it is not there yet, or older than its source.
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
        if is_stale(&path) {
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

/// Whether a program is missing, of another checkout, or older than a file that it was built from, as
/// the list that cargo leaves beside it says. Testing one package does not build another's programs.
fn is_stale(program: &Path) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace");
    let modified = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let (Some(built), Ok(list)) = (
        modified(program),
        fs::read_to_string(program.with_extension("d")),
    ) else {
        return true;
    };
    // A space in a path is escaped; such a path is not found here, and cargo itself then decides.
    let list = list.split_once(": ").map_or("", |(_, sources)| sources);
    let sources: Vec<&Path> = list.split_whitespace().map(Path::new).collect();
    let newer = |source: &&Path| modified(source).is_none_or(|time| time > built);
    !sources.iter().any(|source| source.starts_with(root)) || sources.iter().any(newer)
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
