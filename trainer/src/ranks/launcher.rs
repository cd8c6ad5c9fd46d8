//! Finds rank and number of ranks in a launcher's environment.

use super::error::RankError;

/// A launcher's variables.
struct Launcher {
    rank: &'static str,
    size: &'static str,
    /// The number of processes on this machine.
    local_size: &'static str,
}

/// torchrun's, then those of Open MPI's and MPICH's mpirun, then Slurm's: mpirun in a batch job of Slurm leaves the job's variables in place, which then
/// are those of the job and not of the process.
const LAUNCHERS: [Launcher; 4] = [
    Launcher {
        rank: "RANK",
        size: "WORLD_SIZE",
        local_size: "LOCAL_WORLD_SIZE",
    },
    Launcher {
        rank: "OMPI_COMM_WORLD_RANK",
        size: "OMPI_COMM_WORLD_SIZE",
        local_size: "OMPI_COMM_WORLD_LOCAL_SIZE",
    },
    Launcher {
        rank: "PMI_RANK",
        size: "PMI_SIZE",
        local_size: "MPI_LOCALNRANKS",
    },
    Launcher {
        rank: "SLURM_PROCID",
        size: "SLURM_NTASKS",
        local_size: "SLURM_NTASKS_PER_NODE",
    },
];

/// A process that a launcher started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Launched {
    pub(crate) rank: usize,
    pub(crate) size: usize,
    /// The number of processes on this machine, where the launcher says.
    pub(crate) local_size: Option<usize>,
    /// The variables that say so.
    pub(crate) variables: String,
    /// Whether MPI may connect the processes: mpirun has started them, or Slurm with PMI.
    pub(crate) has_mpi: bool,
}

/// What the environment says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Finding {
    /// One of several processes; `None` for a process alone.
    pub(crate) launched: Option<Launched>,
    /// A variable that is not used, in words.
    pub(crate) note: Option<String>,
}

/// What the environment says that `variable` reads.
///
/// # Errors
/// Variables that are not a rank and a number of ranks.
pub(crate) fn find(variable: impl Fn(&str) -> Option<String>) -> Result<Finding, RankError> {
    let mut finding = Finding::default();
    for launcher in &LAUNCHERS {
        let (Some(rank), Some(size)) = (variable(launcher.rank), variable(launcher.size)) else {
            if launcher.rank == "RANK"
                && let Some(rank) = variable("RANK")
            {
                finding.note = Some(format!(
                    "RANK is {rank} in the environment, but WORLD_SIZE is missing: RANK is ignored"
                ));
            }
            continue;
        };
        let numbers = (rank.trim().parse::<usize>(), size.trim().parse::<usize>());
        let (number, count) = match numbers {
            (Ok(number), Ok(count)) if number < count => (number, count),
            _ => {
                return Err(RankError::Environment {
                    rank_name: launcher.rank,
                    rank,
                    size_name: launcher.size,
                    size,
                });
            }
        };
        if count > 1 {
            let local_size = variable(launcher.local_size).and_then(|n| n.trim().parse().ok());
            finding.launched = Some(Launched {
                rank: number,
                size: count,
                local_size: local_size.filter(|&n| n > 0),
                variables: format!("{} and {}", launcher.rank, launcher.size),
                has_mpi: ["OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMIX_RANK"]
                    .iter()
                    .any(|name| variable(name).is_some()),
            });
        }
        // The first launcher that speaks is the nearest.
        break;
    }
    Ok(finding)
}

#[cfg(test)]
mod tests {
    use super::{Finding, RankError, find};

    fn found(variables: &[(&str, &str)]) -> Result<Finding, RankError> {
        find(|name| {
            let of_name = variables.iter().find(|(key, _)| *key == name);
            of_name.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn each_launcher_is_found_the_nearest_first() {
        let torchrun = [("RANK", "1"), ("WORLD_SIZE", "2")];
        let mpi = [
            ("OMPI_COMM_WORLD_RANK", "2"),
            ("OMPI_COMM_WORLD_SIZE", "3"),
            ("OMPI_COMM_WORLD_LOCAL_SIZE", "1"),
        ];
        let mpich = [
            ("PMI_RANK", "1"),
            ("PMI_SIZE", "4"),
            ("MPI_LOCALNRANKS", "2"),
        ];
        let slurm = [("SLURM_PROCID", "0"), ("SLURM_NTASKS", "4")];
        for (variables, rank, size, local_size, has_mpi) in [
            (&torchrun[..], 1, 2, None, false),
            (&mpi, 2, 3, Some(1), true),
            (&slurm, 0, 4, None, false),
            (&mpich, 1, 4, Some(2), true),
            (&[&slurm[..], &mpi].concat(), 2, 3, Some(1), true),
            (&[&slurm[..], &mpi, &torchrun].concat(), 1, 2, None, true),
            (
                &[&slurm[..], &[("PMIX_RANK", "0")]].concat(),
                0,
                4,
                None,
                true,
            ),
        ] {
            let launched = found(variables).unwrap().launched.unwrap();
            assert_eq!(
                (
                    launched.rank,
                    launched.size,
                    launched.local_size,
                    launched.has_mpi
                ),
                (rank, size, local_size, has_mpi),
                "{variables:?}"
            );
        }
    }

    #[test]
    fn one_process_is_alone_and_half_a_launcher_is_noted() {
        assert_eq!(found(&[]).unwrap(), Finding::default());
        let one = [("OMPI_COMM_WORLD_RANK", "0"), ("OMPI_COMM_WORLD_SIZE", "1")];
        assert_eq!(found(&one).unwrap(), Finding::default());
        // mpirun with one process in a job of several.
        let job = [("SLURM_PROCID", "0"), ("SLURM_NTASKS", "4")];
        assert_eq!(found(&[&one[..], &job].concat()).unwrap().launched, None);
        let half = found(&[("RANK", "1")]).unwrap();
        assert_eq!(half.launched, None);
        assert!(half.note.unwrap().contains("WORLD_SIZE is missing"));
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused_by_their_names() {
        for (rank, size) in [("x", "2"), ("2", "2"), ("-1", "2"), ("0", "0"), ("0", "")] {
            let error = found(&[("RANK", rank), ("WORLD_SIZE", size)]).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(&format!("RANK is {rank:?}")), "{text}");
            assert!(text.contains(&format!("WORLD_SIZE is {size:?}")), "{text}");
        }
    }
}
