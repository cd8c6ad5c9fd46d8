//! The parts of a check, each in a process of its own, and the report that they make up.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::Context;
use shardmill_formats::{console, errln};

use crate::compute::Precision;
use crate::cuda::device::Device;
use crate::run::Stop;
use crate::tools::check::{CheckOptions, CheckPart};
use crate::tools::doctor::Doctor;

/// Time between two looks at what a part has found.
const LOOK: Duration = Duration::from_millis(250);

/// What of the report is there.
struct Report<'a> {
    options: &'a CheckOptions,
    /// The GPU and the machine.
    head: String,
    parts: Vec<PartRun>,
}

/// A part, and how far it is.
#[derive(Clone, Debug)]
struct PartRun {
    part: CheckPart,
    state: State,
    /// What it has found.
    text: String,
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    LeftOut,
    Waiting,
    Running,
    /// It has ended; with what is wrong, if something is.
    Ended {
        seconds: f64,
        fault: Option<String>,
    },
}

/// Runs the parts one after the other, those that need images with `shards`. Returns whether everything holds.
///
/// # Errors
/// No such GPU, a report that cannot be written, or a stop.
pub(super) fn run(
    options: &CheckOptions,
    shards: Option<&Path>,
    stop: &Stop,
) -> anyhow::Result<bool> {
    let gpu = Device::open(options.number(), Precision::F32, false)?.describe()?;
    let chosen = options.chosen();
    let mut report = Report {
        options,
        head: format!("## {gpu}\n\n```\n{}```\n", Doctor::examine(shards)),
        parts: CheckPart::ALL
            .map(|part| PartRun {
                part,
                state: match chosen.contains(&part) {
                    true => State::Waiting,
                    false => State::LeftOut,
                },
                text: String::new(),
            })
            .into(),
    };
    for place in 0..report.parts.len() {
        if report.parts[place].state == State::Waiting {
            report.run_part(place, shards, stop)?;
        }
    }
    console::print(&report.markdown())?;
    Ok(report.first_fault().is_none())
}

impl Report<'_> {
    /// Runs a part, and writes the report whenever it has found more.
    fn run_part(&mut self, place: usize, shards: Option<&Path>, stop: &Stop) -> anyhow::Result<()> {
        let part = self.parts[place].part;
        errln!("{}", part.title());
        let file = self.options.beside(&format!(".{}", part.name()));
        let program = std::env::current_exe().context("find this program")?;
        let mut command = Command::new(program);
        command.args(["gpu-check", "--part", &part.name()]);
        command.arg("--out").arg(&file);
        if let Some(shards) = shards {
            command.arg("--shards").arg(shards);
        }
        command.args(["--card", &self.options.number().to_string()]);
        command.args(["--threads", &self.options.threads().to_string()]);
        let start = Instant::now();
        self.parts[place].state = State::Running;
        self.write()?;
        let mut child = command.spawn().context("run a part of the check")?;
        let status = loop {
            let status = child.try_wait().context("wait for a part of the check")?;
            let text = fs::read_to_string(&file).unwrap_or_default();
            if text != self.parts[place].text {
                self.parts[place].text = text;
                self.write()?;
            }
            match status {
                Some(status) => break status,
                None if stop.is_requested() => {
                    // It may have ended by the same Ctrl-C.
                    let _ = child.kill();
                    child.wait().context("end a part of the check")?;
                    let _ = fs::remove_file(&file);
                    anyhow::bail!(
                        "the check was stopped; what it found before is in {}",
                        self.options.out.display()
                    );
                }
                None => std::thread::sleep(LOOK),
            }
        };
        let own = &mut self.parts[place];
        own.text = fs::read_to_string(&file).unwrap_or_default();
        own.state = State::Ended {
            seconds: start.elapsed().as_secs_f64(),
            fault: fault(status),
        };
        self.write()?;
        // Its text is in the report.
        let _ = fs::remove_file(&file);
        Ok(())
    }

    /// The first part with which something is wrong.
    fn first_fault(&self) -> Option<CheckPart> {
        let mut parts = self.parts.iter();
        parts
            .find(|run| matches!(run.state, State::Ended { fault: Some(_), .. }))
            .map(|run| run.part)
    }

    fn markdown(&self) -> String {
        let unfinished = self
            .parts
            .iter()
            .find(|run| matches!(run.state, State::Waiting | State::Running));
        let verdict = match (self.first_fault(), unfinished) {
            (Some(part), _) => format!("**Something FAILED, first in {}.**", part.name()),
            (None, Some(run)) => format!(
                "Not finished: {} was still to end. What is below holds so far.",
                run.part.name()
            ),
            (None, None) => "Everything holds.".to_owned(),
        };
        let mut text = format!(
            "{}\n{verdict}\n\nThe error is the largest difference over the largest value of the CPU's, or \"in \
             length\" the length of the difference over that of the CPU's. Every part is a process of its own.\n",
            self.head
        );
        for PartRun {
            part,
            state,
            text: found,
        } in &self.parts
        {
            let _ = write!(text, "\n### {}\n\n{found}", part.title());
            let _ = match state {
                State::LeftOut => writeln!(text, "Left out."),
                State::Waiting => writeln!(text, "Not begun."),
                State::Running => writeln!(text, "\nNot ended."),
                State::Ended { seconds, fault } => match fault {
                    Some(fault) => writeln!(text, "\n**FAILED** after {seconds:.1} s: {fault}"),
                    None => writeln!(text, "\nAfter {seconds:.1} s."),
                },
            };
        }
        text
    }

    fn write(&self) -> anyhow::Result<()> {
        let out = &self.options.out;
        let partial: PathBuf = self.options.beside(".partial");
        fs::write(&partial, self.markdown())
            .and_then(|()| fs::rename(&partial, out))
            .with_context(|| format!("cannot write {}", out.display()))
    }
}

/// What an exit status says is wrong.
fn fault(status: ExitStatus) -> Option<String> {
    match status.code() {
        Some(0) => None,
        Some(1) => Some("something above does not hold".to_owned()),
        _ => Some(format!("the process ended with {status}")),
    }
}
