//! Points in time: RFC 3339 with nanoseconds, as records and logs have them.
//!
//! Lives here: [`Time`], its text and its parser.
//! Must not: read a clock except in [`Time::now`].
//! Called by: `store`, `monitor`, `ops`, `cli`.
//! Always true: text is in UTC with nine digits of a second, so that it sorts.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::spec::duration;

/// A point in time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Time(Timestamp);

impl Time {
    /// Returns the present, by the machine's clock.
    pub fn now() -> Self {
        Self(Timestamp::now())
    }

    /// Returns the time docker shows for "never": `0001-01-01T00:00:00Z`.
    pub fn zero_text() -> &'static str {
        "0001-01-01T00:00:00Z"
    }

    /// Returns how long ago it was; nothing for a time to come.
    pub fn age(self) -> Duration {
        Duration::try_from(Timestamp::now().duration_since(self.0)).unwrap_or(Duration::ZERO)
    }

    /// Returns the time so many seconds after 1970; what no calendar has is 1970 itself.
    pub fn from_unix(seconds: i64) -> Self {
        Self(Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// Returns seconds since 1970.
    pub fn unix(self) -> i64 {
        self.0.as_second()
    }

    /// Parses what `--since` and `--until` take: RFC 3339, seconds since 1970, or a duration before now.
    pub fn parse_since(text: &str) -> Result<Self> {
        if let Ok(time) = text.parse() {
            return Ok(time);
        }
        // Without a zone it is this machine's time, as docker takes it: here UTC, which
        // is what a static program can know without files of zones.
        if let Ok(civil) = text.parse::<jiff::civil::DateTime>()
            && let Ok(time) = civil.to_zoned(jiff::tz::TimeZone::UTC)
        {
            return Ok(Self(time.timestamp()));
        }
        if let Ok(seconds) = text.parse::<f64>()
            && let Ok(time) = Timestamp::from_nanosecond((seconds * 1e9) as i128)
        {
            return Ok(Self(time));
        }
        if let Ok(ago) = duration::parse(text)
            && let Ok(time) = Timestamp::now().checked_sub(ago)
        {
            return Ok(Self(time));
        }
        Err(Error::of(
            Kind::Usage,
            format!(
                "\"{text}\" is no time: write 2024-08-04T18:51:00Z, 10m, or seconds since 1970"
            ),
        ))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.9}", self.0)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Time {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.parse::<Timestamp>()
            .map(Self)
            .map_err(|_| Error::new(format!("\"{text}\" is no time as RFC 3339 writes it")))
    }
}

impl TryFrom<String> for Time {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Time> for String {
    fn from(time: Time) -> Self {
        time.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Time;

    #[test]
    fn text_sorts_and_comes_back() {
        let time: Time = "2024-08-04T18:51:00+02:00".parse().expect("it is one");
        assert_eq!(time.to_string(), "2024-08-04T16:51:00.000000000Z");
        assert_eq!(time.to_string().parse::<Time>().ok(), Some(time));
        for text in [
            "2020-01-02",
            "2020-01-02T00:00:00",
            "1577923200",
            "1577923200.0",
        ] {
            let time = Time::parse_since(text).expect(text);
            assert_eq!(time.unix(), 1_577_923_200, "{text}");
        }
        assert!(Time::parse_since("10m").is_ok_and(|t| t.age().as_secs() >= 599));
        assert!(Time::parse_since("yesterday").is_err());
    }
}
