use super::*;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn the_verdict_names_who_is_waited_for() {
    let mut meter = Meter {
        threads: 2,
        wall: ms(100),
        wait: ms(1),
        idle: ms(166),
        decode: ms(20),
        augment: ms(14),
        ..Meter::default()
    };
    assert_eq!(
        meter.verdict().to_string(),
        "consumer-bound: loader idle 83%"
    );
    (meter.wait, meter.idle, meter.decode) = (ms(90), ms(0), ms(186));
    assert_eq!(
        meter.verdict_on(4).to_string(),
        "decode-bound (93%): add threads, or re-encode with prep convert --codec raw"
    );
    assert!((meter.data_wait() - 0.9).abs() < 1e-9);
    (meter.read, meter.decode) = (ms(150), ms(36));
    assert_eq!(meter.verdict().bottleneck, Bottleneck::Read);
    // Without threads of its own a loader cannot wait for the consumer.
    (meter.threads, meter.idle) = (0, ms(1000));
    assert_eq!(meter.verdict().bottleneck, Bottleneck::Read);
}

#[test]
fn every_stage_has_a_name_and_its_time() {
    let mut meter = Meter {
        threads: 2,
        samples: 50,
        wall: ms(200),
        wait: ms(150),
        read: ms(1),
        decode: ms(2),
        transform: ms(4),
        augment: ms(8),
        buffer: ms(16),
        idle: ms(32),
        ..Meter::default()
    };
    let stages = meter.stages();
    assert_eq!(meter.total(), ms(63));
    assert!((meter.samples_per_second() - 250.0).abs() < 1e-9);
    assert!(Meter::default().samples_per_second() == 0.0);
    let line = meter.to_string();
    let start = "read 1.6%, decode 3.2%, transform 6.3%, augment 12.7%, buffer 25.4%, idle 50.8%; \
                 data wait 75.00%; memory-bound (25%)";
    assert!(line.starts_with(start), "{line}");
    // The verdict's word is that of the stage.
    for (name, _) in &stages[..5] {
        let mut one = Meter::default();
        *match *name {
            "read" => &mut one.read,
            "decode" => &mut one.decode,
            "transform" => &mut one.transform,
            "augment" => &mut one.augment,
            _ => &mut one.buffer,
        } = ms(1);
        assert_eq!(one.verdict().bottleneck.to_string(), *name);
    }
    meter.wait = ms(0);
    assert_eq!(meter.verdict().bottleneck.name(), "consumer");
}

#[test]
fn a_verdict_advises_what_can_be_done() {
    let mut meter = Meter {
        threads: 4,
        wall: ms(100),
        wait: ms(90),
        augment: ms(400),
        output: Some(Output::U8),
        codec: Some(Codec::Raw),
        ..Meter::default()
    };
    let advice = |meter: &Meter, cores| {
        let text = meter.verdict_on(cores).to_string();
        text.split_once("%): ").unwrap().1.to_owned()
    };
    // The batches are u8 already, and a fifth core is there or is not.
    assert_eq!(advice(&meter, 5), "add threads");
    let all = "every core has a thread: the machine cannot do more";
    assert_eq!(advice(&meter, 4), all);
    meter.output = Some(Output::F32);
    let u8 = "choose u8 and normalise on the device";
    assert_eq!(advice(&meter, 5), format!("add threads, or {u8}"));
    assert_eq!(advice(&meter, 2), format!("every core has a thread; {u8}"));
    // A transform has raw records copied, and no codec is faster.
    (meter.augment, meter.decode) = (ms(0), ms(400));
    assert_eq!(advice(&meter, 4), all);
}

#[test]
fn time_goes_to_the_stage_that_ends() {
    let mut clock = Clock::start();
    std::thread::sleep(ms(20));
    clock.lap(Stage::Decode);
    std::thread::sleep(ms(10));
    clock.restart();
    clock.lap(Stage::Augment);
    let mut meter = Meter::default();
    meter.accumulate(&clock.drain());
    meter.accumulate(&clock.drain());
    assert!(meter.decode >= ms(20) && meter.decode < ms(2000), "{meter}");
    assert!(meter.augment < ms(8), "{meter}");
    assert_eq!(meter.total(), meter.decode + meter.augment);
}
