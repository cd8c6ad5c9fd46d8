//! Numbers in messages.

/// A number as short as it can be written: with an exponent where plain digits would be many.
pub(crate) fn number(value: f64) -> String {
    let plain = value == 0.0 || !value.is_finite() || (1e-5..1e16).contains(&value.abs());
    if plain {
        value.to_string()
    } else {
        format!("{value:e}")
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_short_and_the_same_number() {
        for value in [
            0.0,
            0.002,
            1e-5,
            9e-6,
            0.1 + 0.2,
            -3.5,
            1e15,
            1e16,
            1.7e308,
            5e-324,
            -1e300,
        ] {
            let text = number(value);
            assert!(text.len() <= 24, "{text}");
            assert_eq!(text.parse::<f64>().unwrap(), value, "{text}");
        }
        let words = [1e300, 1e-300, 0.5, f64::NAN].map(number);
        assert_eq!(words, ["1e300", "1e-300", "0.5", "NaN"]);
    }
}
