//! Variables and labels, typed and in files.
//!
//! A file has one `KEY=VALUE` a line, as docker has it: white space before a
//! line goes, nothing else does; there are no quotes; lines that begin with `#`
//! and empty ones say nothing; a variable without `=` takes the caller's value,
//! and one the caller has not is left out.
//!
//! Lives here: that grammar.
//! Must not: know containers.
//! Called by: `flags::container`, `exec`, `volume`.
//! Always true: what is wrong in a file is said with its name and line; a file
//! has a largest size.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;

use crate::cli::flags::usage;
use crate::error::{Context, Result};

const LARGEST: u64 = 16 << 20;

/// Returns the variables of files and words, in this order, so that a word wins.
/// A word whose value the caller has not stays without `=`: it takes an image's variable away.
pub fn environment(files: &[String], words: &[String]) -> Result<Vec<String>> {
    environment_with(files, words, &|name| std::env::var(name).ok())
}

fn environment_with(
    files: &[String],
    words: &[String],
    caller: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<String>> {
    let mut out = Vec::new();
    for file in files {
        for (place, line) in lines("--env-file", file)? {
            let (name, value) = part(&place, &line, "variable")?;
            if let Some(value) = value.map(str::to_owned).or_else(|| caller(name)) {
                out.push(format!("{name}={value}"));
            }
        }
    }
    for word in words {
        match word.split_once('=') {
            Some(("", _)) => {
                return Err(usage(format!(
                    "--env \"{word}\" has no name before its \"=\""
                )));
            }
            None if word.is_empty() => return Err(usage("--env cannot be empty".to_owned())),
            Some(_) => out.push(word.clone()),
            None => match caller(word) {
                Some(value) => out.push(format!("{word}={value}")),
                None => out.push(word.clone()),
            },
        }
    }
    Ok(out)
}

/// Returns the labels of files and words; a word wins.
pub fn labels(files: &[String], words: &[String]) -> Result<BTreeMap<String, String>> {
    let mut out = BTreeMap::new();
    for file in files {
        for (place, line) in lines("--label-file", file)? {
            let (name, value) = part(&place, &line, "label")?;
            out.insert(name.to_owned(), value.unwrap_or_default().to_owned());
        }
    }
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        if name.is_empty() {
            return Err(usage(format!("--label \"{word}\" has no name")));
        }
        out.insert(name.to_owned(), value.to_owned());
    }
    Ok(out)
}

/// Returns the pairs of words that must have a `=`.
pub fn options(flag: &str, words: &[String]) -> Result<BTreeMap<String, String>> {
    words
        .iter()
        .map(|word| match word.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => Err(usage(format!(
                "{flag} \"{word}\" is not of the form KEY=VALUE"
            ))),
        })
        .collect()
}

fn part<'a>(place: &str, line: &'a str, noun: &str) -> Result<(&'a str, Option<&'a str>)> {
    let (name, value) = match line.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (line.trim_end(), None),
    };
    if name.is_empty() {
        return Err(usage(format!(
            "{place}: the {noun} has no name before its \"=\""
        )));
    }
    if name.contains(char::is_whitespace) {
        return Err(usage(format!(
            "{place}: the {noun}'s name \"{name}\" has white space in it"
        ))
        .hint("write KEY=VALUE, with no space before the \"=\" and no `export`"));
    }
    Ok((name, value))
}

/// Returns the lines that say something, each with its place.
fn lines(flag: &str, path: &str) -> Result<Vec<(String, String)>> {
    let what = || format!("cannot read {flag} \"{path}\"");
    let mut bytes = Vec::new();
    File::open(path)
        .what(what)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .what(what)?;
    if bytes.len() as u64 > LARGEST {
        return Err(usage(format!("{flag} \"{path}\" is larger than 16 MiB")));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut out = Vec::new();
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let place = format!("{path}:{}", at + 1);
        let line = std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line))
            .map_err(|_| usage(format!("{place}: the line is not valid UTF-8")))?
            .trim_start();
        if line.contains('\0') {
            return Err(usage(format!("{place}: the line has a NUL byte in it")));
        }
        if !line.is_empty() && !line.starts_with('#') {
            out.push((place, line.to_owned()));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    fn file(dir: &Path, text: &[u8]) -> Vec<String> {
        let path = dir.join("vars");
        std::fs::write(&path, text).expect("written");
        vec![path.to_string_lossy().into_owned()]
    }

    fn caller(name: &str) -> Option<String> {
        (name == "HOME").then(|| "/home/alice".to_owned())
    }

    #[test]
    fn files_come_first_and_nothing_is_unquoted() {
        let dir = tempfile::tempdir().expect("a directory");
        let text =
            b"\xef\xbb\xbf# a comment\n\n  A=1 \r\nB=\"q=2\"\nHOME\nGONE\nC=\n  # more\nD= x # y";
        let files = file(dir.path(), text);
        let words = ["A=2", "HOME", "GONE"].map(str::to_owned);
        assert_eq!(
            super::environment_with(&files, &words, &caller).expect("it reads"),
            [
                "A=1 ",
                "B=\"q=2\"",
                "HOME=/home/alice",
                "C=",
                "D= x # y",
                "A=2",
                "HOME=/home/alice",
                "GONE"
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let dir = tempfile::tempdir().expect("a directory");
        for (text, why) in [
            (
                &b"A=1\nexport B=2"[..],
                "vars:2: the variable's name \"export B\" has white space",
            ),
            (b"\n\n=x", "vars:3: the variable has no name"),
            (b"A=1\nB=\xff", "vars:2: the line is not valid UTF-8"),
            (b"A=\0", "vars:1: the line has a NUL byte"),
        ] {
            let files = file(dir.path(), text);
            let error = super::environment_with(&files, &[], &caller).expect_err(why);
            assert!(error.to_string().contains(why), "{error}");
        }
        let error = super::environment(&["/nowhere".to_owned()], &[]).expect_err("none");
        assert_eq!(
            error.to_string(),
            "cannot read --env-file \"/nowhere\": no such file or directory"
        );
        assert!(super::environment(&[], &["=x".to_owned()]).is_err());
    }

    #[test]
    fn labels_of_words_win_over_files() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = file(dir.path(), b"a=1\nb\n");
        let labels = super::labels(&files, &["a=2".to_owned(), "c".to_owned()]).expect("read");
        let labels: Vec<(&str, &str)> = labels.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(labels, [("a", "2"), ("b", ""), ("c", "")]);
    }
}
