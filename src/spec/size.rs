//! Sizes in bytes: `64m` typed, `7.72MB` shown.
//!
//! Lives here: docker's grammar for sizes and its two ways to show them.
//! Must not: know what the bytes are of.
//! Called by: `cli`, `build`, `spec::mount`.
//! Always true: `k`, `m`, `g`, `t` typed are powers of 1024; units shown are
//! powers of 1000, as docker has both.

use crate::error::{Error, Kind, Result};

/// Parses a size as docker takes it: a number with `b`, `k`, `m`, `g`, `t`, in either case, `kb` and `kib` as well.
pub fn parse(text: &str) -> Result<u64> {
    let bad = || {
        Error::of(
            Kind::Usage,
            format!("\"{text}\" is no size: write a number with b, k, m or g, for example 64m"),
        )
    };
    let lower = text.to_ascii_lowercase();
    let split = lower
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(lower.len());
    let (number, unit) = lower.split_at(split);
    let number: f64 = number.parse().map_err(|_| bad())?;
    let shift = match unit.trim() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(bad()),
    };
    let bytes = number * (1u64 << shift) as f64;
    if !(0.0..9.0e18).contains(&bytes) {
        return Err(bad());
    }
    Ok(bytes as u64)
}

/// Shows a size with three digits and a decimal unit: `0B`, `617B`, `7.72MB`, `864MB`.
pub fn decimal(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        // 999.5 would be shown as 1e+03 of the unit before.
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    let digits: usize = match value {
        v if unit == "B" || v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    let mut number = format!("{value:.digits$}");
    if number.contains('.') {
        number.truncate(number.trim_end_matches('0').trim_end_matches('.').len());
    }
    format!("{number}{unit}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn typed_sizes_are_binary() {
        assert_eq!(super::parse("64m").ok(), Some(64 << 20));
        assert_eq!(super::parse("1.5GiB").ok(), Some(3 << 29));
        assert_eq!(super::parse("10").ok(), Some(10));
        assert!(super::parse("x").is_err() && super::parse("1z").is_err());
    }

    #[test]
    fn shown_sizes_are_decimal_with_three_digits() {
        for (bytes, text) in [
            (0, "0B"),
            (617, "617B"),
            (3072, "3.07kB"),
            (336_000, "336kB"),
            (7_720_000, "7.72MB"),
            (95_900_000, "95.9MB"),
            (864_000_000, "864MB"),
            (1_500_000_000, "1.5GB"),
        ] {
            assert_eq!(super::decimal(bytes), text);
        }
    }
}
