use super::*;
use crate::augment::reference;

const SHAPE: RecordShape = RecordShape {
    height: reference::HEIGHT as u32,
    width: reference::WIDTH as u32,
};

#[test]
fn windows_are_resized_as_torchvision_does_it() {
    let mut canvas = Canvas::default();
    for (words, wanted) in reference::lines("resize") {
        let numbers: Vec<usize> = words.iter().map(|word| word.parse().unwrap()).collect();
        let view = View {
            top: numbers[0],
            left: numbers[1],
            height: numbers[2],
            width: numbers[3],
            ..View::default()
        };
        // Weights are rounded to 16 bits here and to 22 there.
        let found = canvas.draw(&reference::picture(), SHAPE, &view, numbers[4]);
        reference::assert_close(found, &wanted, 0.08, &words.join(" "));
    }
}

#[test]
fn pixels_outside_the_window_have_no_say() {
    let view = View {
        top: 9,
        left: 11,
        height: 20,
        width: 13,
        ..View::default()
    };
    let mut record = reference::picture();
    let mut canvas = Canvas::default();
    let wanted = canvas.draw(&record, SHAPE, &view, 10).to_vec();
    for (k, value) in record.iter_mut().enumerate() {
        let (y, x) = (k / 3 / reference::WIDTH, k / 3 % reference::WIDTH);
        if !(9..29).contains(&y) || !(11..24).contains(&x) {
            *value = !*value;
        }
    }
    assert_eq!(canvas.draw(&record, SHAPE, &view, 10), wanted);
}
