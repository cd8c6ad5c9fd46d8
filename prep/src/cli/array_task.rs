//! The number that a scheduler gave this process among those that share an ingest.

use std::fmt;

use anyhow::{Result, anyhow, bail};

use crate::ingest::Part;

/// An environment, by the name of a variable.
type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A task of a job array, or of another kind of numbered job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ArrayTask {
    pub(super) part: Part,
    /// The variable with its number.
    pub(super) variable: &'static str,
    /// That number.
    number: usize,
}

/// How a scheduler numbers the tasks of a job.
struct Scheduler {
    name: &'static str,
    /// The variable with the number of this task.
    index: &'static str,
    numbering: Numbering,
}

/// What a scheduler says of the tasks together.
enum Numbering {
    /// From 0; this variable has their number.
    Count(&'static str),
    /// From 0, and their number is nowhere.
    Unknown,
    /// From any number, perhaps in steps, and perhaps with gaps.
    SlurmArray,
}

/// Slurm's own variables are those of its documentation of `sbatch` and `srun`; those of a step are set in what
/// `srun` starts, and not in the batch script.
const SCHEDULERS: [Scheduler; 5] = [
    Scheduler {
        name: "a job array of Slurm",
        index: "SLURM_ARRAY_TASK_ID",
        numbering: Numbering::SlurmArray,
    },
    Scheduler {
        name: "srun",
        index: "SLURM_PROCID",
        numbering: Numbering::Count("SLURM_STEP_NUM_TASKS"),
    },
    Scheduler {
        name: "an Indexed Job of Kubernetes",
        index: "JOB_COMPLETION_INDEX",
        numbering: Numbering::Unknown,
    },
    Scheduler {
        name: "an array job of AWS Batch",
        index: "AWS_BATCH_JOB_ARRAY_INDEX",
        numbering: Numbering::Count("AWS_BATCH_JOB_ARRAY_SIZE"),
    },
    Scheduler {
        name: "mpirun of Open MPI",
        index: "OMPI_COMM_WORLD_RANK",
        numbering: Numbering::Count("OMPI_COMM_WORLD_SIZE"),
    },
];

/// What a scheduler gave this process.
struct Given {
    scheduler: &'static Scheduler,
    number: usize,
    /// Number of tasks, if the scheduler says it.
    count: Option<usize>,
}

impl ArrayTask {
    /// The task that this process is. If `parts` is given, the scheduler's number is the number of the part, and
    /// otherwise its place among the tasks.
    ///
    /// # Errors
    /// No scheduler gave a number, several did, or the tasks are not numbered as parts are.
    pub(super) fn find(parts: Option<usize>, variable: Environment<'_>) -> Result<Self> {
        let mut found = Vec::new();
        for scheduler in &SCHEDULERS {
            found.extend(scheduler.given(variable)?);
        }
        // The only one of its kind says nothing of the others.
        if found.iter().any(|given| given.count != Some(1)) {
            found.retain(|given| given.count != Some(1));
        }
        let given = match &found[..] {
            [] => bail!(nothing(variable)),
            [given] => given,
            [first, second, ..] => bail!(
                "--part auto found the numbers of two schedulers, {first} and {second}: give the part itself, such as \
                 --part \"${}/N\" with the number of parts as N",
                second.scheduler.index
            ),
        };
        let part = match parts {
            Some(parts) => given.numbered(parts, variable)?,
            None => given.counted(variable)?,
        };
        Ok(Self {
            part,
            variable: given.scheduler.index,
            number: given.number,
        })
    }
}

impl fmt::Display for ArrayTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            part,
            variable,
            number,
        } = self;
        write!(f, "part {part}, by {variable}={number}")
    }
}

impl Scheduler {
    fn given(&'static self, variable: Environment<'_>) -> Result<Option<Given>> {
        let count = match self.numbering {
            Numbering::Count(name) => number(name, variable)?,
            Numbering::SlurmArray => number("SLURM_ARRAY_TASK_COUNT", variable)?,
            Numbering::Unknown => None,
        };
        // A batch script has a SLURM_PROCID too, which is always 0.
        if self.index == "SLURM_PROCID" && count.is_none() {
            return Ok(None);
        }
        let given = number(self.index, variable)?;
        Ok(given.map(|number| Given {
            scheduler: self,
            number,
            count,
        }))
    }
}

impl Given {
    /// The part of this task if the tasks are all there are.
    fn counted(&self, variable: Environment<'_>) -> Result<Part> {
        let index = self.scheduler.index;
        let parts = match self.scheduler.numbering {
            Numbering::SlurmArray => return self.in_slurm_array(variable),
            Numbering::Unknown => bail!(
                "--part auto found {self}, and {} does not say how many tasks there are: give their number, as in \
                 --part auto/8",
                self.scheduler.name
            ),
            Numbering::Count(name) => self.count.ok_or_else(|| {
                anyhow!("--part auto found {self}, but no {name}: give the number of tasks, as in --part auto/8")
            })?,
        };
        match self.number < parts {
            true => Ok(Part {
                index: self.number,
                parts,
            }),
            false => bail!(
                "{index}={} is not below the number of tasks, {parts}",
                self.number
            ),
        }
    }

    fn in_slurm_array(&self, variable: Environment<'_>) -> Result<Part> {
        let read = |name| {
            number(name, variable)?.ok_or_else(|| {
                anyhow!("--part auto found {self}, but no {name}: number the tasks from 0, and give their number, as in --part auto/8")
            })
        };
        let (count, min, max) = (
            read("SLURM_ARRAY_TASK_COUNT")?,
            read("SLURM_ARRAY_TASK_MIN")?,
            read("SLURM_ARRAY_TASK_MAX")?,
        );
        let step = number("SLURM_ARRAY_TASK_STEP", variable)?
            .unwrap_or(1)
            .max(1);
        let place = self.number.checked_sub(min).filter(|at| at % step == 0);
        let is_whole = max
            .checked_sub(min)
            .is_some_and(|span| span % step == 0 && span / step + 1 == count);
        match place.map(|at| at / step) {
            Some(index) if is_whole && index < count => Ok(Part {
                index,
                parts: count,
            }),
            _ => bail!(
                "--part auto found {self} in an array of {count} tasks from {min} to {max}, which are not numbered \
                 one after another: submit the array without gaps (--array=0-{}); or, to repeat some tasks of an \
                 array that was numbered from 0, give its number of tasks, as in --part auto/8",
                count.max(1) - 1
            ),
        }
    }

    /// The part of which this task has the number.
    fn numbered(&self, parts: usize, variable: Environment<'_>) -> Result<Part> {
        let largest = match self.scheduler.numbering {
            // A part of an array may be submitted again.
            Numbering::SlurmArray => number("SLURM_ARRAY_TASK_MAX", variable)?.unwrap_or_default(),
            Numbering::Count(_) | Numbering::Unknown => {
                if let Some(count) = self.count.filter(|&count| count != parts) {
                    bail!(
                        "--part auto/{parts} found {self} of {count} tasks: start {parts} tasks, or give \
                         --part auto/{count}"
                    );
                }
                0
            }
        }
        .max(self.number);
        match largest < parts {
            true => Ok(Part {
                index: self.number,
                parts,
            }),
            false => bail!(
                "--part auto/{parts} found {self} among tasks that are numbered up to {largest}: number them from 0 \
                 to {}",
                parts - 1
            ),
        }
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.scheduler.index, self.number)
    }
}

/// A number in the environment.
fn number(name: &str, variable: Environment<'_>) -> Result<Option<usize>> {
    let Some(text) = variable(name) else {
        return Ok(None);
    };
    let parsed = text.parse();
    parsed
        .map(Some)
        .map_err(|_| anyhow!("--part auto found {name}={text:?}, which is no number"))
}

/// Says what was looked for.
fn nothing(variable: Environment<'_>) -> String {
    let known = SCHEDULERS.iter();
    let known: Vec<String> = known
        .map(|scheduler| format!("{} ({})", scheduler.index, scheduler.name))
        .collect();
    let batch = match variable("SLURM_NTASKS") {
        Some(tasks) if tasks != "1" => {
            "; this job of Slurm has several tasks, but srun did not start this process"
        }
        _ => "",
    };
    format!(
        "--part auto found none of the numbers of schedulers, {}{batch}: give the part itself, such as --part 0/4",
        known.join(", ")
    )
}

#[cfg(test)]
#[path = "array_task_tests.rs"]
mod tests;
