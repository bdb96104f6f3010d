//! Rate limits: how much a server lets us have, and when again.
//!
//! ```text
//! Retry-After: 120  or  Wed, 21 Oct 2026 07:28:00 GMT         RFC 9110, 10.2.3
//! RateLimit-Limit: 100;w=21600   RateLimit-Remaining: 7;w=21600   RateLimit-Reset: 30
//! RateLimit: "default";r=7;t=30                               the IETF's drafts
//! X-RateLimit-Reset, X-Retry-After: 1700000000                Docker Hub, seconds since 1970
//! ```
//!
//! Lives here: reading these headers, and saying a time to come.
//! Must not: wait.
//! Called by: `http`, `registry`.
//! Always true: a number that could be a date since 1970 is one.

use std::time::Duration;

use hyper::header::{HeaderMap, RETRY_AFTER};
use jiff::Timestamp;

/// Seconds that are no length of time any more: 30 years.
const EPOCH: u64 = 30 * 365 * 86400;

/// What a server says of its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// How many it lets us have.
    pub limit: Option<u64>,
    /// In how long.
    pub window: Option<Duration>,
    /// How many are left.
    pub remaining: Option<u64>,
}

impl Allowance {
    /// Reads it out of an answer's headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let parts = |name| text(headers, name).map(|text| (number(text), parameter(text, 'w')));
        let (limit, window) = parts("ratelimit-limit").unwrap_or_default();
        let remaining = parts("ratelimit-remaining").and_then(|(number, _)| number);
        let short = || parameter(text(headers, "ratelimit")?, 'r');
        Self {
            limit,
            window: window.map(Duration::from_secs),
            remaining: remaining.or_else(short),
        }
    }

    /// Says how many are left, when they are few.
    pub fn is_short(&self) -> Option<u64> {
        let (limit, remaining) = (self.limit?, self.remaining?);
        (remaining.saturating_mul(10) <= limit).then_some(remaining)
    }
}

/// Returns in how long a server wants to be asked again.
pub fn again_in(headers: &HeaderMap) -> Option<Duration> {
    let named = [
        RETRY_AFTER.as_str(),
        "x-retry-after",
        "ratelimit-reset",
        "x-ratelimit-reset",
    ];
    named
        .into_iter()
        .find_map(|name| time_to(text(headers, name)?))
        .or_else(|| parameter(text(headers, "ratelimit")?, 't').map(Duration::from_secs))
}

/// Says a time to come: `in 59 minutes, at 14:02:11 UTC`.
pub fn at(wait: Duration) -> String {
    let then = Timestamp::now()
        .checked_add(wait)
        .unwrap_or(Timestamp::MAX)
        .to_zoned(jiff::tz::TimeZone::UTC);
    let when = if wait < Duration::from_secs(86400) {
        then.strftime("%H:%M:%S UTC")
    } else {
        then.strftime("%Y-%m-%d %H:%M:%S UTC")
    };
    format!("in {}, at {when}", at_most(wait))
}

/// Says a length of time: `59 minutes`.
pub fn at_most(wait: Duration) -> String {
    let minutes = wait.as_secs().div_ceil(60);
    match wait.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        0..7200 => format!("{minutes} minutes"),
        _ => format!("{} hours", minutes.div_ceil(60)),
    }
}

fn time_to(text: &str) -> Option<Duration> {
    let now = Timestamp::now();
    let then = match text.trim().parse::<u64>() {
        Ok(seconds) if seconds < EPOCH => return Some(Duration::from_secs(seconds)),
        Ok(seconds) => Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?,
        Err(_) => jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp(),
    };
    Some(Duration::try_from(then.duration_since(now)).unwrap_or(Duration::ZERO))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Returns what stands before the first `;`.
fn number(text: &str) -> Option<u64> {
    text.split([';', ',']).next()?.trim().parse().ok()
}

fn parameter(text: &str, name: char) -> Option<u64> {
    text.split(';').find_map(|part| {
        let (key, value) = part.split_once('=')?;
        (key.trim().len() == 1 && key.trim().starts_with(name))
            .then(|| value.trim().parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hyper::header::{HeaderMap, HeaderName, HeaderValue};
    use jiff::{Timestamp, ToSpan};

    use super::{Allowance, again_in, at};

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        all.iter()
            .map(|(name, value)| {
                let value = HeaderValue::from_str(value).expect("a value");
                (HeaderName::from_static(name), value)
            })
            .collect()
    }

    #[test]
    fn a_time_is_read_in_every_form() {
        let soon = Timestamp::now() + 90.seconds();
        let date = soon.to_zoned(jiff::tz::TimeZone::UTC);
        let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let epoch = soon.as_second().to_string();
        for (name, value, least, most) in [
            ("retry-after", "120", 120, 120),
            ("retry-after", date.as_str(), 85, 90),
            ("x-retry-after", epoch.as_str(), 85, 90),
            ("ratelimit-reset", "30", 30, 30),
            ("x-ratelimit-reset", epoch.as_str(), 85, 90),
            ("ratelimit", "\"default\";r=7;t=44", 44, 44),
            ("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ] {
            let wait = again_in(&headers(&[(name, value)])).expect(value);
            let range = Duration::from_secs(least)..=Duration::from_secs(most);
            assert!(range.contains(&wait), "{name}: {value}: {wait:?}");
        }
        for value in ["soon", "", "-3"] {
            assert_eq!(
                again_in(&headers(&[("retry-after", value)])),
                None,
                "{value}"
            );
        }
    }

    #[test]
    fn an_allowance_that_runs_short_is_seen() {
        let hub = |left: &str| {
            Allowance::of(&headers(&[
                ("ratelimit-limit", "100;w=21600"),
                ("ratelimit-remaining", left),
            ]))
        };
        assert_eq!(hub("76;w=21600").is_short(), None);
        assert_eq!(hub("7;w=21600").is_short(), Some(7));
        assert_eq!(hub("0").window, Some(Duration::from_secs(21600)));
        assert_eq!(Allowance::of(&HeaderMap::new()).is_short(), None);
    }

    #[test]
    fn times_to_come_are_said_in_few_words() {
        for (seconds, begin) in [
            (7, "in 7 s, at "),
            (3540, "in 59 minutes, at "),
            (20_000, "in 6 hours, at "),
        ] {
            let text = at(Duration::from_secs(seconds));
            assert!(text.starts_with(begin) && text.ends_with(" UTC"), "{text}");
        }
        at(Duration::MAX);
    }
}
