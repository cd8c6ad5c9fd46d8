//! The decoder beside libjpeg-turbo, which a Python with Pillow in `SHARDMILL_JPEG_PEER` brings.

use shardmill_jpeg::{Damage, Decoder, Error, Extent, Image, Limits, Options, Region, Report};
use shardmill_jpeg_kit::{Answer, Peer, Question, Random, Verdict, grid, mutate, seeds, write};

fn peer() -> Peer {
    let python = std::env::var("SHARDMILL_JPEG_PEER");
    Peer::start(&python.expect("SHARDMILL_JPEG_PEER names a Python")).unwrap()
}

const OPTIONS: Options = Options {
    extent: Extent::Whole,
    damage: shardmill_jpeg::OnDamage::Refuse,
    limits: Limits {
        pixels: 1 << 22,
        scans: 100,
    },
};

/// All pixels of a stream.
fn rgb(decoder: &mut Decoder, bytes: &[u8]) -> Result<(Vec<u8>, Report), Error> {
    let image = Image::parse(bytes)?;
    let region = Region::whole(image.width(), image.height());
    let mut rgb = Vec::new();
    let report = decoder.rgb(&image, region, OPTIONS, &mut |strip| {
        rgb.truncate(strip.top * region.right * 3);
        rgb.extend_from_slice(strip.rgb);
    })?;
    Ok((rgb, report))
}

/// The largest difference of two pictures' levels.
fn difference(a: &[u8], b: &[u8]) -> u8 {
    let pairs = a.iter().zip(b);
    let most = pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
    if a.len() == b.len() { most } else { u8::MAX }
}

fn ask(peer: &mut Peer, bytes: &[u8]) -> Answer {
    peer.decode(bytes, Question::default()).unwrap()
}

#[test]
#[ignore = "needs a Python with Pillow in SHARDMILL_JPEG_PEER"]
fn every_kind_of_stream_has_libjpegs_pixels_to_the_bit() {
    let (mut peer, mut decoder) = (peer(), Decoder::default());
    let (mut faults, mut count) = (Vec::new(), 0);
    for (name, jpeg) in grid() {
        let bytes = write(&jpeg);
        let answer = ask(&mut peer, &bytes);
        let is_decoded = answer.verdict == Verdict::Decoded;
        match rgb(&mut decoder, &bytes) {
            Ok((found, report)) if is_decoded && report == Report::default() => {
                count += 1;
                let most = difference(&found, &answer.rgb);
                if most > 0 || answer.warnings > 0 {
                    faults.push(format!("{name}: {most} levels, {}", answer.text));
                }
            }
            // Levels that no pixels have are refused here alone.
            Err(Error::Damaged(Damage::Level)) => {}
            Err(Error::Unsupported(_)) if !is_decoded => {}
            found => faults.push(format!("{name}: {:?}, {}", found.err(), answer.text)),
        }
    }
    let shown = faults[..faults.len().min(30)].join("\n");
    assert!(faults.is_empty(), "{} of {count}:\n{shown}", faults.len());
}

#[test]
#[ignore = "needs a Python with Pillow in SHARDMILL_JPEG_PEER"]
fn what_libjpeg_warns_of_or_refuses_is_never_accepted_without_being_counted() {
    let (mut peer, mut decoder) = (peer(), Decoder::default());
    let mut random = Random::new(7);
    let whole: Vec<Vec<u8>> = grid().step_by(11).map(|(_, jpeg)| write(&jpeg)).collect();
    let seeds = seeds().into_iter().map(|(_, bytes)| bytes);
    let rounds = std::env::var("SHARDMILL_JPEG_ROUNDS").map_or(10, |n| n.parse().unwrap());
    let mutants = (0..rounds).flat_map(|_| &whole);
    let mutants = mutants.map(|bytes| mutate(bytes, &mut random));
    let (mut faults, mut accepted, mut all) = (Vec::new(), 0, 0);
    for bytes in seeds.chain(mutants) {
        all += 1;
        let Ok((found, report)) = rgb(&mut decoder, &bytes) else {
            continue;
        };
        let answer = ask(&mut peer, &bytes);
        if answer.verdict == Verdict::PassedOver {
            continue;
        }
        accepted += 1;
        let silent = report == Report::default();
        let most = difference(&found, &answer.rgb);
        let decoded = answer.verdict == Verdict::Decoded;
        if silent && (!decoded || answer.warnings > 0) || decoded && most > 2 {
            let text = format!("{most} levels, {report:?}, {}", answer.text);
            if let Ok(folder) = std::env::var("SHARDMILL_JPEG_FAULTS") {
                std::fs::write(format!("{folder}/{}.jpg", faults.len()), &bytes).unwrap();
            }
            faults.push(text);
        }
    }
    let shown = faults[..faults.len().min(30)].join("\n");
    assert!(
        faults.is_empty(),
        "{} of {accepted} of {all}:\n{shown}",
        faults.len()
    );
}
