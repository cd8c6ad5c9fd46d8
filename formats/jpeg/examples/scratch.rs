#![allow(missing_docs)]
use shardmill_jpeg::*;
use std::time::Instant;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let mut decoder = Decoder::default();
    if args[1] == "dump" {
        // list file: paths, one a line; output: path.rgb
        for path in std::fs::read_to_string(&args[2]).unwrap().lines() {
            let bytes = std::fs::read(path).unwrap();
            let out = format!("{path}.rgb");
            let _ = std::fs::remove_file(&out);
            let image = match Image::parse(&bytes) {
                Ok(i) => i,
                Err(e) => {
                    println!("{path}: {e}");
                    continue;
                }
            };
            let (w, h) = (image.width(), image.height());
            let mut rgb = Vec::new();
            match decoder.rgb(
                &image,
                Region::whole(w, h),
                Options::default(),
                &mut |s: Strip<'_>| {
                    assert_eq!(s.top * w * 3, rgb.len());
                    rgb.extend_from_slice(s.rgb)
                },
            ) {
                Ok(_) => {
                    assert_eq!(rgb.len(), w * h * 3);
                    std::fs::write(out, rgb).unwrap()
                }
                Err(e) => println!("{path}: {e}"),
            }
        }
        return;
    }
    // bench DIR kind size rounds
    let mut files: Vec<Vec<u8>> = Vec::new();
    let mut names: Vec<_> = std::fs::read_dir(&args[2])
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "jpg"))
        .collect();
    names.sort();
    for p in names {
        files.push(std::fs::read(p).unwrap());
    }
    let size: usize = args[4].parse().unwrap();
    let rounds: usize = args[5].parse().unwrap();
    let mut best = f64::MAX;
    let mut sum = 0u64;
    for _ in 0..rounds {
        let t = Instant::now();
        for f in &files {
            let image = Image::parse(f).unwrap();
            let (w, h) = (image.width(), image.height());
            let (left, top) = ((w - size) / 2, (h - size) / 2);
            let region = Region {
                left,
                top,
                right: left + size,
                bottom: top + size,
            };
            match args[3].as_str() {
                "planes" => {
                    let (p, _) = decoder.planes(&image, region, Options::default()).unwrap();
                    sum += u64::from(p[0].memory[0]);
                }
                "rgb" => {
                    decoder
                        .rgb(&image, region, Options::default(), &mut |s: Strip<'_>| {
                            sum += u64::from(s.rgb[s.rgb.len() / 2])
                        })
                        .unwrap();
                }
                _ => panic!(),
            }
        }
        best = best.min(t.elapsed().as_secs_f64() / files.len() as f64);
    }
    println!(
        "{} {size}: {:.4} ms best of {rounds} ({} files, {sum})",
        args[3],
        best * 1e3,
        files.len()
    );
}
