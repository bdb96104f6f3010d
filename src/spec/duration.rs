//! Lengths of time: `1h2m` typed, `10 minutes` shown.
//!
//! Lives here: Go's grammar for durations and docker's words for them.
//! Must not: read a clock.
//! Called by: `cli`.
//! Always true: what is shown is docker's wording, so that scripts that match
//! it go on working.

use std::time::Duration;

use crate::error::{Error, Kind, Result};

/// Parses a duration as Go has it: `1h2m`, `1.5s`, `300ms`; a bare number is seconds.
pub fn parse(text: &str) -> Result<Duration> {
    let bad = || {
        Error::of(
            Kind::Usage,
            format!("\"{text}\" is no duration: write for example 10s, 1m30s or 2h"),
        )
    };
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).map_err(|_| bad());
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let number_end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(bad)?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let number: f64 = number.parse().map_err(|_| bad())?;
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return Err(bad()),
        };
        total += Duration::try_from_secs_f64(number * seconds).map_err(|_| bad())?;
        rest = next;
    }
    if text.is_empty() {
        Err(bad())
    } else {
        Ok(total)
    }
}

/// Shows a duration as docker does: `51 seconds`, `About a minute`, `10 minutes`, `4 weeks`.
pub fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours) = (
        seconds / 60,
        (duration.as_secs_f64() / 3600.0).round() as u64,
    );
    match seconds {
        0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        _ if minutes == 1 => "About a minute".to_owned(),
        _ if minutes < 60 => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        _ if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    #[test]
    fn go_durations_and_bare_seconds() {
        assert_eq!(super::parse("1h2m").ok(), Some(Duration::from_secs(3720)));
        assert_eq!(super::parse("1.5s").ok(), Some(Duration::from_millis(1500)));
        assert_eq!(super::parse("10").ok(), Some(Duration::from_secs(10)));
        for text in ["", "h", "1x", "-1s", "1h2"] {
            assert!(super::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn docker_words() {
        for (seconds, words) in [
            (0, "Less than a second"),
            (51, "51 seconds"),
            (60, "About a minute"),
            (600, "10 minutes"),
            (3600, "About an hour"),
            (7200, "2 hours"),
            (4 * 7 * 86400, "4 weeks"),
            (800 * 86400, "2 years"),
        ] {
            assert_eq!(super::human(Duration::from_secs(seconds)), words);
        }
    }
}
