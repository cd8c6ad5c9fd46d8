//! One of several processes that nothing connects trains nothing, whatever launcher has started it.

use std::process::Command;

use shardmill_tests::Program;

/// Every variable of a launcher that `train` reads.
const VARIABLES: [&str; 9] = [
    "RANK",
    "WORLD_SIZE",
    "OMPI_COMM_WORLD_RANK",
    "OMPI_COMM_WORLD_SIZE",
    "PMI_RANK",
    "PMI_SIZE",
    "PMIX_RANK",
    "SLURM_PROCID",
    "SLURM_NTASKS",
];

/// `train` under a launcher that sets these variables and no others.
fn launched(variables: &[(&str, &str)], words: &[&str]) -> (Option<i32>, String) {
    let mut command: Command = Program::Train.command();
    for name in VARIABLES {
        command.env_remove(name);
    }
    let output = command
        .envs(variables.iter().copied())
        .args(words)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

#[test]
fn one_of_several_processes_is_refused_by_its_launchers_names_and_writes_nothing() {
    let work = tempfile::tempdir().unwrap();
    let path = |name: &str| work.path().join(name).to_str().unwrap().to_owned();
    let (out, shards) = (path("run"), path("shards"));
    let train = ["--shards", &shards, "--out", &out];
    let torchrun = [("RANK", "1"), ("WORLD_SIZE", "2")];
    let slurm = [("SLURM_PROCID", "3"), ("SLURM_NTASKS", "4")];
    for (variables, said) in [
        (
            &torchrun[..],
            ["process 1 of 2", "RANK and WORLD_SIZE", "mpirun"],
        ),
        (
            &slurm,
            ["process 3 of 4", "SLURM_PROCID and SLURM_NTASKS", "mpirun"],
        ),
        // The nearest launcher counts.
        (
            &[&slurm[..], &torchrun].concat(),
            ["process 1 of 2", "RANK and WORLD_SIZE", "mpirun"],
        ),
        (
            &[("RANK", "2"), ("WORLD_SIZE", "2")],
            ["RANK is \"2\"", "WORLD_SIZE is \"2\"", "expected"],
        ),
        (
            &[("SLURM_PROCID", "one"), ("SLURM_NTASKS", "2")],
            ["SLURM_PROCID is \"one\"", "SLURM_NTASKS", "expected"],
        ),
    ] {
        let (code, text) = launched(variables, &train);
        assert_eq!(code, Some(1), "{variables:?}: {text}");
        assert!(text.starts_with("error: "), "{text}");
        for word in said {
            assert!(
                text.contains(word),
                "{variables:?} said {text:?}, not {word:?}"
            );
        }
        for other in [
            "study relu --shards d",
            "demo --out d",
            "--eval-only --shards d",
        ] {
            let words: Vec<&str> = other.split(' ').collect();
            let (code, text) = launched(variables, &words);
            assert_eq!(code, Some(1), "{other}: {text}");
            assert!(text.contains(said[0]), "{other}: {text}");
        }
    }
    assert!(!work.path().join("run").exists());
}

#[test]
fn processes_that_are_to_use_gpus_are_refused() {
    let torchrun = [("RANK", "0"), ("WORLD_SIZE", "2")];
    let words = ["--shards", "nowhere", "--device", "cuda"];
    let (code, text) = launched(&torchrun, &words);
    assert_eq!(code, Some(1));
    assert!(text.contains("--device cuda:0,1"), "{text}");
}

#[test]
fn a_launcher_of_one_process_changes_nothing_and_half_of_one_is_noted() {
    let one = [("OMPI_COMM_WORLD_RANK", "0"), ("OMPI_COMM_WORLD_SIZE", "1")];
    for (variables, word) in [(&one[..], ""), (&[("RANK", "1")], "RANK is ignored")] {
        let words = ["--shards", "nowhere", "--rank-timeout", "9"];
        let (code, text) = launched(variables, &words);
        assert_eq!(code, Some(1));
        assert!(text.contains("there is no dataset in nowhere"), "{text}");
        assert!(text.contains("--rank-timeout is not used"), "{text}");
        assert!(text.contains(word), "{text}");
    }
}
