//! Why ranks cannot train together, or cannot go on.

/// Why ranks cannot train together, or cannot go on.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RankError {
    /// A launcher's variables make no sense.
    #[error(
        "{rank_name} is {rank:?} and {size_name} is {size:?} in the environment: expected two integers, a rank from 0 \
         to the number of processes minus 1; start train by mpirun, or unset both to train in this process alone"
    )]
    Environment {
        /// The variable with the rank.
        rank_name: &'static str,
        /// Its value.
        rank: String,
        /// The variable with the number of ranks.
        size_name: &'static str,
        /// Its value.
        size: String,
    },
    /// Several processes of a build that trains in one.
    #[error(
        "this is process {rank} of {size} by {variables} in the environment, and this build of train trains in one \
         process: each of them would train alone and write to the same folder; build it for several with `cargo build \
         --release --features mpi -p shardmill-trainer` and start it by mpirun (docs/training.md, \"Several \
         machines\"), or unset {variables} to train in this process alone"
    )]
    NoMpi {
        /// The process's rank.
        rank: usize,
        /// The number of processes.
        size: usize,
        /// The variables that say so.
        variables: String,
    },
    /// Several processes that nothing connects.
    #[error(
        "this is process {rank} of {size} by {variables} in the environment, but {found}: on CPUs ranks are \
         connected by MPI; start them with `mpirun -n {size} train ...`, or with `srun --mpi=pmix` in Slurm \
         (docs/training.md, \"Several machines\")"
    )]
    NotConnected {
        /// The process's rank.
        rank: usize,
        /// The number of processes.
        size: usize,
        /// The variables that say so.
        variables: String,
        /// What there is instead.
        found: String,
    },
    /// Several processes, each to use GPUs.
    #[error(
        "{size} processes cannot share GPUs: several processes train on CPUs only; on one machine `--device cuda:0,1` \
         in one process uses several GPUs"
    )]
    Gpu {
        /// The number of processes.
        size: usize,
    },
    /// A command that several processes do not share.
    #[error(
        "this is process {rank} of {size} by {variables} in the environment, and `{command}` is not shared by \
         processes: each of them would do the same; run it in one, or unset {variables}"
    )]
    NotShared {
        /// The command.
        command: &'static str,
        /// The process's rank.
        rank: usize,
        /// The number of processes.
        size: usize,
        /// The variables that say so.
        variables: String,
    },
    /// Ranks that do not answer.
    #[error(
        "{} sent nothing for {seconds} s: dead, stopped, cut off or slower than that; all ranks end, and the last \
         checkpoint is whole: go on from it with `--resume`, with `--rank-timeout SECONDS` if it only needs longer",
        ranks.join(", ")
    )]
    Silent {
        /// Their names.
        ranks: Vec<String>,
        /// How long they were waited for.
        seconds: u64,
    },
    /// A rank that has ended.
    #[error("{rank}: {why}")]
    Ended {
        /// Its name.
        rank: String,
        /// Its error.
        why: String,
    },
    /// Ranks that were started with different settings or datasets.
    #[error(
        "{rank} has {key} {found}, and rank 0 has {expected}: all ranks must have the same settings and the same \
         dataset; start all with the same command line, and give every machine the same files"
    )]
    Settings {
        /// The first rank that differs.
        rank: String,
        /// What differs.
        key: String,
        /// Its value there.
        found: String,
        /// Its value at rank 0.
        expected: String,
    },
    /// Ranks whose networks are no longer the same.
    #[error(
        "step {step}: {what} of {rank} is not that of rank 0, so no checkpoint was written, and the one before is \
         whole; a machine computes or remembers wrongly, or runs another build: take it out, and go on with \
         `--resume`"
    )]
    Drifted {
        /// The step.
        step: u64,
        /// The first tensor that differs.
        what: String,
        /// The first rank that differs.
        rank: String,
    },
}
