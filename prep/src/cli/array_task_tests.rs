//! The variables are those that Slurm 22.05 was seen to set, and those that the others document.

use super::*;

/// The task in an environment, as `part variable`, or the error.
fn task(parts: Option<usize>, environment: &str) -> Result<String, String> {
    let variables: Vec<(&str, &str)> = environment
        .split_whitespace()
        .filter_map(|word| word.split_once('='))
        .collect();
    let variable = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, text)| (*text).to_owned())
    };
    ArrayTask::find(parts, &variable)
        .map(|task| task.to_string())
        .map_err(|error| error.to_string())
}

/// What a task of a job array of Slurm has in its batch script.
fn slurm(id: usize, count: usize, min: usize, max: usize, step: usize) -> String {
    format!(
        "SLURM_ARRAY_TASK_ID={id} SLURM_ARRAY_TASK_COUNT={count} SLURM_ARRAY_TASK_MIN={min} \
         SLURM_ARRAY_TASK_MAX={max} SLURM_ARRAY_TASK_STEP={step} SLURM_PROCID=0 "
    )
}

#[test]
fn every_scheduler_gives_a_part() {
    for (environment, expected) in [
        (
            slurm(3, 16, 0, 15, 1),
            "part 3/16, by SLURM_ARRAY_TASK_ID=3",
        ),
        // --array=1-3%2, and --array=0-15:4
        (slurm(1, 3, 1, 3, 1), "part 0/3, by SLURM_ARRAY_TASK_ID=1"),
        (
            slurm(12, 4, 0, 12, 4),
            "part 3/4, by SLURM_ARRAY_TASK_ID=12",
        ),
        (slurm(5, 1, 5, 5, 1), "part 0/1, by SLURM_ARRAY_TASK_ID=5"),
        (
            "SLURM_PROCID=1 SLURM_NTASKS=2 SLURM_STEP_NUM_TASKS=2".to_owned(),
            "part 1/2, by SLURM_PROCID=1",
        ),
        (
            "AWS_BATCH_JOB_ARRAY_INDEX=9 AWS_BATCH_JOB_ARRAY_SIZE=10".to_owned(),
            "part 9/10, by AWS_BATCH_JOB_ARRAY_INDEX=9",
        ),
        (
            "OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=2".to_owned(),
            "part 0/2, by OMPI_COMM_WORLD_RANK=0",
        ),
    ] {
        assert_eq!(task(None, &environment).as_deref(), Ok(expected));
    }
    for (environment, expected) in [
        (
            "JOB_COMPLETION_INDEX=7",
            "part 7/8, by JOB_COMPLETION_INDEX=7",
        ),
        (
            "AWS_BATCH_JOB_ARRAY_INDEX=2",
            "part 2/8, by AWS_BATCH_JOB_ARRAY_INDEX=2",
        ),
        // --array=3,5 of an array that was --array=0-7
        (&*slurm(5, 2, 3, 5, 1), "part 5/8, by SLURM_ARRAY_TASK_ID=5"),
    ] {
        assert_eq!(task(Some(8), environment).as_deref(), Ok(expected));
    }
}

#[test]
fn tasks_that_are_no_parts_are_refused() {
    for (parts, environment, expected) in [
        (None, slurm(3, 3, 1, 7, 1), "not numbered one after another"),
        (None, slurm(3, 3, 1, 7, 1), "(--array=0-2)"),
        (None, slurm(7, 3, 2, 6, 2), "not numbered one after another"),
        (
            None,
            "SLURM_ARRAY_TASK_ID=3".to_owned(),
            "no SLURM_ARRAY_TASK_COUNT",
        ),
        (
            Some(8),
            slurm(1, 8, 1, 8, 1),
            "numbered up to 8: number them from 0 to 7",
        ),
        (
            None,
            "JOB_COMPLETION_INDEX=3".to_owned(),
            "as in --part auto/8",
        ),
        (
            Some(3),
            "JOB_COMPLETION_INDEX=3".to_owned(),
            "number them from 0 to 2",
        ),
        (
            None,
            "AWS_BATCH_JOB_ARRAY_INDEX=3".to_owned(),
            "no AWS_BATCH_JOB_ARRAY_SIZE",
        ),
        (
            Some(8),
            "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=4".to_owned(),
            "of 4 tasks: start 8 tasks, or give --part auto/4",
        ),
        (
            None,
            "OMPI_COMM_WORLD_RANK=4 OMPI_COMM_WORLD_SIZE=4".to_owned(),
            "not below the number of tasks, 4",
        ),
        (
            None,
            "JOB_COMPLETION_INDEX=-1".to_owned(),
            "=\"-1\", which is no number",
        ),
    ] {
        let error = task(parts, &environment).unwrap_err();
        assert!(error.contains(expected), "{environment}: {error}");
    }
}

#[test]
fn two_schedulers_are_named_and_one_of_a_single_task_is_not_asked() {
    let step = |number: usize, count: usize| {
        format!("SLURM_PROCID={number} SLURM_STEP_NUM_TASKS={count} SLURM_NTASKS={count}")
    };
    let array = slurm(3, 16, 0, 15, 1).replace("SLURM_PROCID=0", "");
    let error = task(None, &(array.clone() + &step(1, 2))).unwrap_err();
    assert!(
        error.contains("SLURM_ARRAY_TASK_ID=3 and SLURM_PROCID=1"),
        "{error}"
    );
    // `srun prep` in the script of an array.
    let found = task(None, &(array + &step(0, 1)));
    assert_eq!(found.as_deref(), Ok("part 3/16, by SLURM_ARRAY_TASK_ID=3"));
    let mpi = "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=4 ";
    let error = task(None, &(mpi.to_owned() + &step(0, 2))).unwrap_err();
    assert!(
        error.contains("--part \"$OMPI_COMM_WORLD_RANK/N\""),
        "{error}"
    );
    assert!(task(None, &(mpi.to_owned() + &step(0, 1))).is_ok());
    let error = task(None, &(mpi.to_owned() + "JOB_COMPLETION_INDEX=1")).unwrap_err();
    assert!(error.contains("two schedulers"), "{error}");
}

#[test]
fn without_a_scheduler_what_was_looked_for_is_named() {
    let error = task(None, "").unwrap_err();
    for name in [
        "SLURM_ARRAY_TASK_ID",
        "SLURM_PROCID",
        "JOB_COMPLETION_INDEX",
        "AWS_BATCH_JOB_ARRAY_INDEX",
        "OMPI_COMM_WORLD_RANK",
        "--part 0/4",
    ] {
        assert!(error.contains(name), "{error}");
    }
    // A batch script with several tasks, and no srun.
    let error = task(None, "SLURM_PROCID=0 SLURM_NTASKS=4").unwrap_err();
    assert!(error.contains("srun did not start this process"), "{error}");
}
