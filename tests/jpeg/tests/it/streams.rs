//! Whole streams: what the kit writes is what its description says, and stock decoders open it.
//!
//! `everything_legal_is_opened_by_pillow` is ignored by default; it needs the path of a Python with
//! Pillow in `SHARDMILL_JPEG_PEER`.

use shardmill_jpeg_kit::{
    Blocks, Coding, Content, Cut, Faults, Header, Jpeg, Pattern, Peer, Pillow, Plane, Process,
    Question, Random, Scan, Verdict, grid, mutate, scans, seeds, write,
};

/// The Python that `SHARDMILL_JPEG_PEER` names, at work.
fn peer() -> Peer {
    let python = std::env::var("SHARDMILL_JPEG_PEER");
    Peer::start(&python.expect("SHARDMILL_JPEG_PEER names a Python")).unwrap()
}

#[test]
#[ignore = "needs a Python with Pillow in SHARDMILL_JPEG_PEER; run by `.ci/python` and `just jpeg-peer`"]
fn everything_legal_is_opened_by_pillow() {
    let mut peer = peer();
    let mut faults = Vec::new();
    let mut count = 0;
    for (name, jpeg) in grid() {
        count += 1;
        let question = Question {
            pillow: true,
            ..Question::default()
        };
        let answer = peer.decode(&write(&jpeg), question).unwrap();
        let size = (
            usize::from(jpeg.frame.width),
            usize::from(jpeg.frame.height),
        );
        let is_opened = answer.verdict == Verdict::Decoded
            && answer.warnings == 0
            && answer.pillow == Some(Pillow::Same)
            && (answer.width, answer.height) == size
            && answer.rgb.len() == 3 * size.0 * size.1;
        // It has no colours for two components.
        let is_refused = jpeg.frame.components.len() == 2 && answer.verdict == Verdict::Refused;
        if !is_opened && !is_refused {
            faults.push(format!(
                "{name}: {:?} {:?} {}",
                answer.verdict, answer.pillow, answer.text
            ));
        }
    }
    let shown = faults[..faults.len().min(40)].join("\n");
    assert!(
        faults.is_empty(),
        "{} of {count} streams:\n{shown}",
        faults.len()
    );
    println!("{count} streams");
}

/// Components that are shown without conversion, so that pixels are samples.
fn plain(width: u16, height: u16, quality: u8) -> Jpeg {
    let mut jpeg = Jpeg::sampled(width, height, &[(1, 1); 3]).with_quality(quality);
    jpeg.headers = vec![Header::Adobe(0)];
    let plane = |component: usize| {
        let mut random = Random::new(component as u64 + u64::from(quality));
        let (width, height) = (usize::from(width), usize::from(height));
        let samples = (0..width * height).map(|_| random.below(256) as u8);
        Plane {
            width,
            height,
            samples: samples.collect(),
        }
    };
    jpeg.content = Content::Planes((0..3).map(plane).collect());
    jpeg
}

/// The transform keeps lengths (T.81, A.3.3), so a block's error is at most that of its coefficients,
/// half a step each, and what rounding the samples adds.
#[test]
#[ignore = "needs a Python with Pillow in SHARDMILL_JPEG_PEER; run by `.ci/python` and `just jpeg-peer`"]
fn pixels_come_back_within_the_error_of_quantisation() {
    let mut peer = peer();
    for quality in 1..=100 {
        let mut jpeg = plain(24, 16, quality);
        if quality % 2 == 0 {
            jpeg = jpeg.progressive(scans::random(3, u64::from(quality)));
        }
        let rgb = peer.decode(&write(&jpeg), Question::default()).unwrap().rgb;
        let tables = jpeg.tables_in_use();
        let Content::Planes(planes) = &jpeg.content else {
            unreachable!()
        };
        for (component, plane) in planes.iter().enumerate() {
            let steps = tables[component]
                .iter()
                .map(|&step| (f64::from(step) / 2.0).powi(2));
            // Half a level for each of 64 pixels, and as much for the integer transform.
            let most = steps.sum::<f64>().sqrt() + 8.0;
            for block in 0..6 {
                let error = (0..64).map(|at| {
                    let place = 24 * (8 * (block / 3) + at / 8) + 8 * (block % 3) + at % 8;
                    f64::from(plane.samples[place]) - f64::from(rgb[3 * place + component])
                });
                let length = error.map(|error| error * error).sum::<f64>().sqrt();
                assert!(length <= most, "quality {quality}: {length} of {most}");
            }
        }
    }
}

#[test]
fn the_smallest_picture_is_the_bytes_that_the_standard_says() {
    let mut jpeg = Jpeg::sampled(1, 1, &[(1, 1)]);
    jpeg.headers = vec![];
    jpeg.coding = Coding::Missing;
    let mut grid = Blocks::zeros((1, 1));
    grid.blocks[0][0] = -3;
    jpeg.content = Content::Coefficients(vec![grid]);
    let bytes = write(&jpeg);
    let (tables, rest) = bytes[2..].split_at(2 + 67);
    assert_eq!(bytes[..2], [0xFF, 0xD8]);
    assert_eq!(tables[..5], [0xFF, 0xDB, 0, 67, 0]);
    // Category 2 is 011 and -3 is 00; the end of the block is 1010 (T.81, tables K.3 and K.5).
    let expected = [
        &[0xFF, 0xC0, 0, 11, 8, 0, 1, 0, 1, 1, 1, 0x11, 0][..],
        &[0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0],
        &[0b0110_0101, 0b0111_1111],
        &[0xFF, 0xD9],
    ];
    assert_eq!(rest, expected.concat());
}

/// Where each marker of this code stands; entropy-coded data has no other marker than restarts.
fn places(bytes: &[u8], code: u8) -> Vec<usize> {
    (0..bytes.len() - 1)
        .filter(|&at| bytes[at..at + 2] == [0xFF, code])
        .collect()
}

#[test]
fn restart_markers_count_up_to_seven_in_every_scan() {
    let mut jpeg = Jpeg::sampled(80, 16, &[(1, 1), (1, 1), (1, 1)]);
    jpeg.scans = vec![Scan::whole(&[0]), Scan::whole(&[1, 2])];
    (jpeg.scans[0].restart, jpeg.scans[1].restart) = (1, 5);
    let bytes = write(&jpeg);
    assert_eq!(places(&bytes, 0xDD).len(), 2);
    // 20 blocks, a marker after each but the last; 20 units in fives.
    let markers = |code| places(&bytes, 0xD0 | code).len();
    assert_eq!(
        std::array::from_fn(|code| markers(code as u8)),
        [4, 4, 4, 2, 2, 2, 2, 2]
    );
}

#[test]
fn scans_of_one_component_leave_out_the_blocks_that_only_fill_units() {
    // 9x9 pixels: 2x2 blocks of luma as one unit, of which the picture needs all four; 17x9 needs 3x2
    // and its two units hold 4x2.
    let mut jpeg = Jpeg::sampled(17, 9, &[(2, 2), (1, 1), (1, 1)]);
    let count = |jpeg: &Jpeg| {
        let grids = jpeg.coefficients();
        let tokens = shardmill_jpeg_kit::tokens(jpeg, &jpeg.scans[0], &grids);
        let is_dc = |token: &&shardmill_jpeg_kit::Token| {
            let class = shardmill_jpeg_kit::Class::Dc;
            matches!(token, shardmill_jpeg_kit::Token::Symbol { class: c, .. } if *c == class)
        };
        tokens.iter().filter(is_dc).count()
    };
    assert_eq!(count(&jpeg), 2 * (4 + 1 + 1));
    jpeg.scans = scans::each(3);
    assert_eq!(count(&jpeg), 3 * 2);
}

#[test]
fn a_table_defined_again_belongs_to_the_components_whose_scans_follow() {
    let mut jpeg = Jpeg::sampled(8, 8, &[(1, 1), (1, 1)]);
    jpeg.frame
        .components
        .iter_mut()
        .for_each(|component| component.quantisation = 0);
    jpeg.scans = scans::each(2);
    jpeg.scans[1].quantisation = vec![shardmill_jpeg_kit::Quantisation::flat(0, 300)];
    jpeg.frame.process = Process::Extended;
    let tables = jpeg.tables_in_use();
    assert_eq!((tables[0][0], tables[1]), (8, [300; 64]));
    // A table of 16 bits has 2 + 1 + 128 bytes.
    let bytes = write(&jpeg);
    let wide = places(&bytes, 0xDB).pop().unwrap();
    assert_eq!(bytes[wide + 2..wide + 7], [0, 131, 0x10, 1, 44]);
}

#[test]
fn faults_stand_where_the_description_puts_them() {
    let ordinary = write(&Jpeg::default());
    let faulty = |faults| {
        write(&Jpeg {
            faults,
            ..Jpeg::default()
        })
    };
    let none = Faults::default;

    let endless = faulty(Faults {
        endless: true,
        ..none()
    });
    assert_eq!(endless, ordinary[..ordinary.len() - 2]);
    let trailing = faulty(Faults {
        trailing: vec![5; 3],
        ..none()
    });
    assert_eq!(trailing, [&ordinary[..], &[5; 3]].concat());
    let cut = faulty(Faults {
        cut: Some(Cut {
            at: 400,
            ended: true,
        }),
        ..none()
    });
    assert_eq!(cut, [&ordinary[..400], &[0xFF, 0xD9]].concat());

    let late = faulty(Faults {
        late_height: true,
        ..none()
    });
    let frame = places(&late, 0xC0)[0];
    assert_eq!(late[frame + 5..frame + 7], [0, 0]);
    assert_eq!(
        late[late.len() - 8..],
        [0xFF, 0xDC, 0, 4, 0, 16, 0xFF, 0xD9]
    );
    assert_eq!(places(&ordinary, 0xDC), []);

    // Before the frame header and before the scan header.
    let stray = faulty(Faults {
        stray: vec![9, 9],
        ..none()
    });
    assert_eq!(stray.len(), ordinary.len() + 4);
    for code in [0xC0, 0xDA] {
        let at = places(&stray, code)[0];
        assert_eq!(stray[at - 2..at], [9, 9]);
    }
    // Before JFIF, two DQT, SOF, four DHT, SOS and EOI.
    let filled = faulty(Faults { fill: 2, ..none() });
    assert_eq!(filled.len(), ordinary.len() + 2 * 10);
    let joined = write(&Jpeg {
        tables_apart: false,
        ..Jpeg::default()
    });
    assert_eq!(ordinary.len() - joined.len(), 4 * 4);
}

#[test]
fn seeds_are_many_and_small_and_have_names_of_their_own() {
    let seeds = seeds();
    let names: std::collections::BTreeSet<_> = seeds.iter().map(|(name, _)| name).collect();
    assert!((180..=260).contains(&seeds.len()), "{}", seeds.len());
    assert_eq!(names.len(), seeds.len());
    assert!(seeds.iter().all(|(_, bytes)| bytes.len() <= 4096));
    let is_plain = |name: &&String| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    assert!(names.iter().all(is_plain));
}

#[test]
fn the_same_seed_damages_a_stream_in_the_same_way() {
    let bytes = write(&Jpeg::default().painted(Pattern::Noise, 1));
    let damaged = |seed| mutate(&bytes, &mut Random::new(seed));
    assert_eq!(damaged(3), damaged(3));
    let others = (0..200).filter(|&seed| damaged(seed) != bytes).count();
    assert!(others > 180, "{others}");
    // Whatever is left after many faults is still something to damage.
    let mut random = Random::new(0);
    let mut left = bytes;
    for _ in 0..300 {
        left = mutate(&left, &mut random);
    }
}
