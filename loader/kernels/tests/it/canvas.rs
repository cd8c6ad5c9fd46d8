use shardmill_kernels::{Canvas, Image, Rectangle, Step, Tint};

use crate::reference;

fn image(rgb: &[u8]) -> Image<'_> {
    Image {
        rgb,
        width: reference::WIDTH,
    }
}

#[test]
fn windows_are_resized_as_torchvision_does_it() {
    let mut canvas = Canvas::default();
    let picture = reference::picture();
    let kinds = ["resize", "tensor"].map(reference::lines);
    for (words, wanted) in kinds.into_iter().flatten() {
        let numbers: Vec<usize> = words.iter().map(|word| word.parse().unwrap()).collect();
        let area = Rectangle {
            top: numbers[0],
            left: numbers[1],
            height: numbers[2],
            width: numbers[3],
        };
        let found = canvas.draw(image(&picture), area, None, numbers[4]);
        reference::assert_close(found, &wanted, 0.03, &words.join(" "));
    }
}

#[test]
fn pixels_outside_the_window_have_no_say() {
    let area = Rectangle {
        top: 9,
        left: 11,
        height: 20,
        width: 13,
    };
    let mut record = reference::picture();
    let mut canvas = Canvas::default();
    let wanted = canvas.draw(image(&record), area, None, 10).to_vec();
    for (k, value) in record.iter_mut().enumerate() {
        let (y, x) = (k / 3 / reference::WIDTH, k / 3 % reference::WIDTH);
        if !(9..29).contains(&y) || !(11..24).contains(&x) {
            *value = !*value;
        }
    }
    assert_eq!(canvas.draw(image(&record), area, None, 10), wanted);
}

#[test]
fn steps_agree_with_torchvision() {
    let picture = reference::picture();
    let window = Rectangle {
        top: 12,
        left: 20,
        height: 16,
        width: 16,
    };
    let mut canvas = Canvas::default();
    for (words, wanted) in reference::lines("jitter") {
        let (mut steps, mut factors) = (Step::ALL, [1.0, 1.0, 1.0, 0.0]);
        for (i, step) in words[0].split(',').enumerate() {
            let (name, factor) = step.split_once(':').unwrap();
            let names = ["brightness", "contrast", "saturation", "hue"];
            let place = names.iter().position(|known| *known == name).unwrap();
            let from = steps.iter().position(|s| *s == Step::ALL[place]).unwrap();
            steps.swap(i, from);
            factors[place] = factor.parse().unwrap();
        }
        let tint = Tint::new(steps, factors);
        let found = canvas.draw(image(&picture), window, Some(&tint), 16);
        assert_eq!(found, wanted, "{}", words[0]);
    }
}
