use maud::Render;

use super::*;

fn chart<'a>() -> Chart<'a> {
    Chart {
        id: "loss",
        alt: "the \"loss\" falls <fast>",
        x: Axis {
            label: "epoch",
            whole: true,
            ..Axis::default()
        },
        y: Axis {
            label: "loss",
            ..Axis::default()
        },
        size: Size::default(),
    }
}

fn series(name: &str, values: &[f64]) -> Series {
    let points = (1..).zip(values).map(|(x, y)| Point::new(f64::from(x), *y));
    Series {
        name: name.to_owned(),
        points: points.collect(),
        ..Series::default()
    }
}

fn text(svg: &Svg) -> String {
    svg.render().into_string()
}

#[test]
fn a_line_has_a_target_with_its_values_at_every_point() {
    let svg = lines(
        &chart(),
        &[series("training", &[2.5, 1.25]), series("val", &[2.0, 1.5])],
    );
    let text = text(&svg);
    assert!(
        text.contains("<title>training, epoch 2: 1.25</title>"),
        "{text}"
    );
    assert_eq!(text.matches("<title>").count(), 4);
    assert_eq!(text.matches("stroke=\"var(--series-1)\"").count() % 2, 0);
    assert!(text.contains("id=\"loss-clip-"));
    assert!(!text.contains("kuva") && !text.contains("<style"));
    assert!(
        text.contains("aria-label=\"the &quot;loss&quot; falls &lt;fast&gt;\""),
        "{text}"
    );
}

#[test]
fn what_is_no_number_is_a_gap_and_is_counted() {
    let values = [3.0, 2.0, f64::NAN, 1.0, f64::INFINITY, 0.5, 0.25];
    let svg = lines(&chart(), &[series("a", &values)]);
    assert_eq!(svg.omitted, 2);
    let text = text(&svg);
    assert_eq!(text.matches("<path").count(), 2, "{text}");
    for wrong in ["NaN", "inf"] {
        assert!(!text.contains(wrong));
    }
}

#[test]
fn a_logarithmic_axis_leaves_out_what_is_not_above_zero() {
    let logarithmic = Chart {
        y: Axis {
            scale: Scale::Logarithmic,
            ..chart().y
        },
        ..chart()
    };
    let svg = lines(&logarithmic, &[series("a", &[0.01, 0.0, 0.001])]);
    assert_eq!(svg.omitted, 1);
    assert!(!text(&svg).contains("NaN"));
}

#[test]
fn nothing_and_a_single_value_are_charts() {
    for values in [&[][..], &[0.0], &[7.0], &[2.0, 2.0], &[f64::NAN]] {
        let text = text(&lines(&chart(), &[series("a", values)]));
        assert!(
            text.starts_with("<svg") && text.ends_with("</svg>"),
            "{values:?}"
        );
        assert!(
            !text.contains("NaN") && !text.contains("inf"),
            "{values:?}: {text}"
        );
    }
}

#[test]
fn names_from_anywhere_are_text() {
    let name = "<script>$alert$\u{1b}[2J".to_owned() + &"x".repeat(5000);
    let bar = Bar {
        name: name.clone(),
        value: 3.0,
        colour: Colour::Right,
        title: None,
    };
    let drawn = [
        text(&lines(
            &chart(),
            &[series(&name, &[1.0, 2.0]), series("b", &[1.0])],
        )),
        text(&bars(&chart(), &[bar])),
    ];
    for text in drawn {
        assert!(text.contains("&lt;script&gt;"), "{text}");
        assert!(!text.contains("<script") && !text.contains('\u{1b}'));
        assert!(text.len() < 20_000, "{}", text.len());
    }
}

#[test]
fn bars_stand_in_their_order() {
    let bar = |name: &str, value| Bar {
        name: name.to_owned(),
        value,
        colour: Colour::Series(0),
        title: None,
    };
    let svg = bars(
        &chart(),
        &[bar("first", 3.0), bar("second", 1.0), bar("none", f64::NAN)],
    );
    assert_eq!(svg.omitted, 1);
    let text = text(&svg);
    let y_of = |name: &str| {
        let title = text.find(&format!("<title>{name}")).unwrap();
        let rest = text[title..].split_once(" y=\"").unwrap().1;
        rest.split_once('"').unwrap().0.parse::<f64>().unwrap()
    };
    assert!(y_of("first: 3") < y_of("second: 1"));
}

#[test]
fn values_beyond_every_power_of_ten_are_left_out_and_counted() {
    for scale in [Scale::Linear, Scale::Logarithmic] {
        let mut chart = chart();
        chart.y.scale = scale;
        let far = [f64::MAX, f64::MIN_POSITIVE, f64::INFINITY];
        let svg = lines(&chart, &[series("a", &[&far[..], &[1.0, 2.0]].concat())]);
        let expected = if scale == Scale::Linear { 2 } else { 3 };
        assert_eq!(svg.omitted, expected);
    }
}

#[test]
fn numbers_have_four_digits_that_count() {
    for (value, text) in [
        (3.0, "3"),
        (0.01, "0.01"),
        (2.318_585, "2.319"),
        (81.234_5, "81.23"),
        (12_345.6, "12346"),
        (0.000_012_345, "1.234e-5"),
        (-0.5, "-0.5"),
    ] {
        assert_eq!(number(value), text);
    }
}
