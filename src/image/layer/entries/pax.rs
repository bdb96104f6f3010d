//! Records of extended headers: `LENGTH KEY=VALUE\n` (pax(1), "pax Extended Header").
//!
//! Lives here: [`Extended`], all that records say of the entry that follows.
//! Must not: read the tar.
//! Called by: `entries`.
//! Always true: a value's end is told by the length alone, for it may hold
//! anything; the last record of a key wins.

use std::collections::BTreeMap;

use super::sparse::Keys;
use crate::error::{Error, Result};

/// What was said before a header.
#[derive(Clone, Debug, Default)]
pub struct Extended {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub uid: Option<u64>,
    pub gid: Option<u64>,
    pub mtime: Option<(i64, u32)>,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub sparse: Keys,
}

impl Extended {
    /// Takes the records of one extended header.
    pub fn take(&mut self, records: &[u8]) -> Result<()> {
        each_record(records, |key, value| self.record(key, value))
    }

    /// Takes those records of a global header that make sense for many entries:
    /// owner, group and time. A name or a size for all of them makes none.
    pub fn take_global(&mut self, records: &[u8]) -> Result<()> {
        each_record(records, |key, value| match key {
            b"uid" | b"gid" | b"mtime" => self.record(key, value),
            _ => Ok(()),
        })
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        // An empty value takes back what was said.
        let said = (!value.is_empty()).then_some(value);
        match key {
            b"path" => self.path = said.map(<[u8]>::to_vec),
            b"linkpath" => self.link = said.map(<[u8]>::to_vec),
            b"size" => self.size = said.map(decimal).transpose()?,
            b"uid" => self.uid = said.map(decimal).transpose()?,
            b"gid" => self.gid = said.map(decimal).transpose()?,
            b"mtime" => self.mtime = said.map(time).transpose()?,
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    self.xattrs.insert(name.to_vec(), value.to_vec());
                } else if let Some(name) = key.strip_prefix(b"LIBARCHIVE.xattr.") {
                    // Written beside the other form; what that says counts.
                    self.xattrs.entry(unquote(name)).or_insert(base64(value)?);
                } else if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
                    self.sparse.take(key, value)?;
                }
            }
        }
        Ok(())
    }
}

fn each_record(mut records: &[u8], mut each: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
    let bad = || Error::new("an extended header is not made of records");
    while !records.is_empty() {
        // Some writers fill the rest of the block within the size they give.
        if records.iter().all(|b| *b == 0) {
            break;
        }
        let space = records.iter().position(|b| *b == b' ').ok_or_else(bad)?;
        let length = usize::try_from(decimal(&records[..space])?).map_err(|_| bad())?;
        if length <= space + 1 || length > records.len() || records[length - 1] != b'\n' {
            return Err(bad());
        }
        let record = &records[space + 1..length - 1];
        let equals = record.iter().position(|b| *b == b'=').ok_or_else(bad)?;
        each(&record[..equals], &record[equals + 1..])?;
        records = &records[length..];
    }
    Ok(())
}

/// A number that is not negative, in decimal digits.
pub fn decimal(text: &[u8]) -> Result<u64> {
    let number = std::str::from_utf8(text)
        .ok()
        .filter(|t| t.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|t| t.parse().ok());
    number.ok_or_else(|| {
        let shown = text.escape_ascii().to_string();
        Error::new(format!("\"{shown:.40}\" is no number"))
    })
}

/// Seconds since 1970 with a fraction, perhaps before it.
fn time(text: &[u8]) -> Result<(i64, u32)> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut parts = digits.splitn(2, |b| *b == b'.');
    let whole = decimal(parts.next().unwrap_or_default())?;
    let seconds = i64::try_from(whole).map_err(|_| Error::new("a time is out of range"))?;
    let mut nanoseconds = 0;
    let fraction = parts.next().unwrap_or_default();
    for at in 0..9 {
        let digit = *fraction.get(at).unwrap_or(&b'0');
        if !digit.is_ascii_digit() {
            return Err(Error::new("a time has a fraction that is no number"));
        }
        nanoseconds = nanoseconds * 10 + u32::from(digit - b'0');
    }
    Ok(match (negative, nanoseconds) {
        (false, n) => (seconds, n),
        (true, 0) => (-seconds, 0),
        (true, n) => (-seconds - 1, 1_000_000_000 - n),
    })
}

/// `%XX` for bytes that a key cannot hold.
fn unquote(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let hex = (text[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|h| u8::from_str_radix(std::str::from_utf8(h).ok()?, 16).ok());
        at += if hex.is_some() { 3 } else { 1 };
        out.push(hex.unwrap_or_else(|| text[at - 1]));
    }
    out
}

/// RFC 4648, with or without the signs that fill it up.
fn base64(text: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut bits: u32 = 0;
    let mut count = 0;
    for byte in text.iter().filter(|b| !matches!(b, b'=' | b'\n' | b'\r')) {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return Err(Error::new("an extended attribute is not in base64")),
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{Extended, base64, time, unquote};

    fn said(records: &[u8]) -> Extended {
        let mut out = Extended::default();
        out.take(records).expect("records");
        out
    }

    #[test]
    fn a_value_may_hold_newlines_and_anything_else() {
        let records = b"32 SCHILY.xattr.user.a=x\n9 p=y\n\n12 path=a=b\n";
        let said = said(records);
        assert_eq!(said.xattrs[&b"user.a"[..]], b"x\n9 p=y\n");
        assert_eq!(said.path.as_deref(), Some(&b"a=b"[..]));
    }

    #[test]
    fn an_empty_value_takes_back_what_was_said_and_the_last_one_wins() {
        let said = said(b"12 path=old\n8 uid=1\n9 uid=70\n8 path=\n");
        assert_eq!(said.path, None);
        assert_eq!(said.uid, Some(70));
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for records in [
            &b"5 a=b\n"[..],
            b"7 a=b\n",
            b"x a=b\n",
            b"0 a=b\n",
            b"2 \n",
            b"6 ab_\n",
            b"99999999999999999999999 a=b\n",
            b"11 size=-1\n",
            b"-6 a=b\n",
        ] {
            let shown = records.escape_ascii();
            assert!(Extended::default().take(records).is_err(), "{shown}");
        }
    }

    #[test]
    fn times_have_fractions_on_both_sides_of_1970() {
        for (text, wanted) in [
            (&b"1350244992.023960108"[..], (1_350_244_992, 23_960_108)),
            (b"7", (7, 0)),
            (b"1.5", (1, 500_000_000)),
            (b"-1.5", (-2, 500_000_000)),
            (b"-3", (-3, 0)),
            (b"1.1234567891", (1, 123_456_789)),
        ] {
            assert_eq!(time(text).ok(), Some(wanted));
        }
        assert!(time(b"1.x").is_err() && time(b"--1").is_err());
    }

    #[test]
    fn libarchive_writes_names_quoted_and_values_in_base64() {
        assert_eq!(unquote(b"user.%41%zz%4"), b"user.A%zz%4");
        assert_eq!(base64(b"AQID/w==").ok(), Some(vec![1, 2, 3, 255]));
        assert_eq!(base64(b"aGk").ok(), Some(b"hi".to_vec()));
        let said = said(b"36 LIBARCHIVE.xattr.user%2Ea=YmFzZQ\n");
        assert_eq!(said.xattrs[&b"user.a"[..]], b"base");
    }

    #[test]
    fn a_global_header_speaks_of_owners_and_times_only() {
        let mut said = Extended::default();
        let records = b"12 path=all\n8 uid=3\n11 size=12\n";
        said.take_global(records).expect("records");
        assert_eq!((said.path, said.uid, said.size), (None, Some(3), None));
    }
}
