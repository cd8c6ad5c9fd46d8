//! Times for people.

use std::time::Duration;

/// A time in its two largest units: `3d04h`, `2h07m`, `7m31s`, `31s`.
pub(crate) fn in_two_units(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, _, _) => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::in_two_units;

    #[test]
    fn times_have_two_units() {
        let text = [31, 451, 7620, 273_600].map(|s| in_two_units(Duration::from_secs(s)));
        assert_eq!(text, ["31s", "7m31s", "2h07m", "3d04h"]);
    }
}
