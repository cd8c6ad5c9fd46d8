use super::{NET_145_MILESTONES, Observation, Passed, ScheduleConfig, ScheduleState};

/// The beginning of the epoch after so many.
fn after(epochs: u64) -> Passed {
    Passed { epochs, share: 0.0 }
}

#[test]
fn steps_fall_where_net_145_did() {
    let config = ScheduleConfig::steps(NET_145_MILESTONES.to_vec());
    let lr = |finished| ScheduleState::default().lr(&config, 0.01, after(finished));
    let expected = [
        (0, 0.01),
        (24, 0.01),
        (25, 0.001),
        (50, 0.001),
        (51, 1e-4),
        (79, 1e-5),
    ];
    for (finished, rate) in expected {
        assert_eq!(lr(finished), rate, "after {finished} epochs");
    }
}

/// Evaluations, one every `every` steps, after which the rate falls.
fn falls(every: u64, error: impl Fn(u64) -> f64) -> Vec<u64> {
    falls_once_learned(every, error, |_| true)
}

fn falls_once_learned(
    every: u64,
    error: impl Fn(u64) -> f64,
    has_learned: impl Fn(u64) -> bool,
) -> Vec<u64> {
    let (config, mut state) = (ScheduleConfig::default(), ScheduleState::default());
    (1..=100)
        .filter(|&evaluation| {
            let seen = Observation {
                step: evaluation * every,
                error: error(evaluation),
                has_learned: has_learned(evaluation),
            };
            state.observe(&config, seen)
        })
        .collect()
}

#[test]
fn plateau_falls_after_five_evaluations_without_a_tenth_of_a_point() {
    let errors = [50.0, 49.95, 49.92, 49.95, 49.91, 49.93];
    let found = falls(10_000, |evaluation| {
        errors
            .get(evaluation as usize - 1)
            .copied()
            .unwrap_or(60.0 - evaluation as f64)
    });
    assert_eq!(found[0], 6);
}

#[test]
fn a_fall_divides_the_rate() {
    let config = ScheduleConfig::default();
    let state = ScheduleState {
        drops: 2,
        ..ScheduleState::default()
    };
    assert_eq!(state.lr(&config, 0.01, after(6)), 1e-4);
}

#[test]
fn plateau_counts_a_tenth_of_a_point_as_progress() {
    let found = falls(10_000, |evaluation| 90.0 - 0.125 * evaluation as f64);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn plateau_falls_three_times_at_most() {
    assert_eq!(falls(10_000, |_| 70.0), [6, 11, 16]);
}

#[test]
fn a_thousand_steps_pass_before_each_fall_however_short_the_epochs() {
    assert_eq!(falls(50, |_| 70.0), [21, 41, 61]);
    // Two classes of 100 images in batches of 64: 90 epochs end before the first fall.
    assert!(falls(4, |_| 50.0).is_empty());
}

#[test]
fn nothing_falls_before_the_loss_has_left_its_start() {
    let found = falls_once_learned(10_000, |_| 90.0, |evaluation| evaluation > 20);
    assert_eq!(found, [25, 30, 35]);
}

#[test]
fn a_state_of_before_evaluations_were_counted_goes_on() {
    let config: ScheduleConfig = serde_json::from_str(
        r#"{"kind":"plateau","factor":10.0,"threshold":0.1,"patience":5,"max_drops":3}"#,
    )
    .unwrap();
    let mut state: ScheduleState =
        serde_json::from_str(r#"{"drops":1,"best":50.0,"since":7}"#).unwrap();
    state.count_evaluations(11);
    let seen = Observation {
        step: 60,
        error: 50.0,
        has_learned: true,
    };
    assert!(
        state.observe(&config, seen),
        "five epochs after the seventh"
    );
    assert_eq!(state.drops, 2);
}

#[test]
fn refuses_milestones_that_do_not_rise() {
    assert!(ScheduleConfig::steps(vec![5, 5]).problem().is_some());
    assert!(ScheduleConfig::steps(vec![5, 6]).problem().is_none());
}

#[test]
fn warm_up_rises_with_every_image_and_then_falls() {
    let config = ScheduleConfig::warm_up();
    assert_eq!(config.problem(), None);
    let lr = |epochs, share| ScheduleState::default().lr(&config, 0.08, Passed { epochs, share });
    // From the paper's rate to that of eight times its batch.
    assert_eq!(lr(0, 0.0), 0.01);
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} and {b}");
    close(lr(0, 0.5), 0.017);
    close(lr(2, 0.5), 0.045);
    // The end of an epoch is the beginning of the next.
    assert_eq!(lr(1, 1.0), lr(2, 0.0));
    close(lr(4, 1.0), 0.08);
    for (epochs, rate) in [(5, 0.08), (29, 0.08), (30, 0.008), (60, 0.0008), (80, 8e-5)] {
        for share in [0.0, 0.5, 1.0] {
            close(lr(epochs, share), rate);
        }
    }
    assert_eq!(
        config.to_string(),
        "lr rises from 0.125 of it in 5 epochs, then / 10 after epoch 30, 60, 80"
    );
}

#[test]
fn refuses_a_warm_up_that_is_none() {
    let problem = |epochs, start, milestones: &[u64]| {
        let config = ScheduleConfig::WarmUp {
            epochs,
            start,
            factor: 10.0,
            milestones: milestones.to_vec(),
        };
        config.problem().unwrap_or_default()
    };
    assert_eq!(problem(5, 1.0, &[5, 6]), "");
    assert_eq!(problem(1, 0.001, &[]), "");
    assert!(problem(0, 0.5, &[]).contains("at least 1 epoch"));
    for start in [0.0, -1.0, 1.1, f64::NAN] {
        assert!(problem(5, start, &[]).contains("start is"), "{start}");
    }
    assert!(problem(5, 0.5, &[4, 9]).contains("begin with 4, before the end"));
    assert!(problem(5, 0.5, &[9, 9]).contains("must rise"));
}
