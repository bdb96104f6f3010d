//! What holds of every text, for the fuzz targets and for tests on many texts.
//!
//! Lives here: the properties, one function for each reader of untrusted text.
//! Must not: know texts; `tests/fuzz/seeds` and `tests/corpus` hold them.
//! Called by: `tests/fuzz`, which has these sources as its own, and the tests below.
//! Always true: whatever a text is, reading it ends, and does not panic.

use crate::build::dockerfile::{Instruction, Step, Word};
use crate::build::ignore::Ignore;
use crate::build::problem::Span;
use crate::build::{check, mount, parse, pattern, word};

/// A Dockerfile is read, or refused with a place that is in it; what was read can be
/// checked, and its words expanded.
pub fn dockerfile(text: &str) {
    let file = match parse::parse(text) {
        Ok(file) => file,
        Err(problem) => {
            is_in(problem.at, text);
            let error = problem.into_error("Dockerfile", text).to_string();
            assert!(!error.is_empty());
            return;
        }
    };
    for warning in check::check(&file, text, None) {
        is_in(warning.at, text);
        assert!(warning.shown("Dockerfile", text).contains(warning.rule));
    }
    for stage in &file.stages {
        expand(&stage.image, file.escape);
        stage.steps.iter().for_each(|one| step(one, file.escape));
    }
    file.globals.iter().for_each(|one| step(one, file.escape));
}

fn is_in(at: Span, text: &str) {
    let lines = text.split('\n').count().max(1);
    assert!(at.line as usize <= lines, "{at:?} of {lines} lines");
}

fn expand(text: &Word, escape: char) {
    let values = |name: &str| (!name.is_empty()).then(|| format!("<{name}>"));
    for values in [&values as word::Values<'_>, &|_: &str| None] {
        drop(word::expand(&text.text, escape, values));
        drop(word::expand_heredoc(&text.text, escape, values));
    }
    drop(word::variables(&text.text, escape));
    drop(mount::parse(&text.text));
}

fn step(step: &Step, escape: char) {
    match &step.instruction {
        Instruction::Env(pairs) | Instruction::Label(pairs) => {
            for (name, value) in pairs {
                expand(name, escape);
                expand(value, escape);
            }
        }
        Instruction::Arg(pairs) => pairs.iter().filter_map(|(_, v)| v.as_ref()).for_each(|v| {
            expand(v, escape);
        }),
        Instruction::Expose(words) | Instruction::Volume(words) => {
            words.iter().for_each(|word| expand(word, escape));
        }
        Instruction::Workdir(word) | Instruction::User(word) | Instruction::StopSignal(word) => {
            expand(word, escape);
        }
        Instruction::OnBuild { step: inner, .. } => self::step(inner, escape),
        _ => {}
    }
}

/// What `.dockerignore` leaves out is found by a walk that skips whatever cannot hold
/// anything that stays: the same as without skipping.
pub fn ignore(text: &str, path: &[u8]) {
    let Ok(ignore) = Ignore::parse(text) else {
        return;
    };
    let out = ignore.excludes(path);
    for (at, _) in path.iter().enumerate().filter(|(_, b)| **b == b'/') {
        let above = &path[..at];
        if !out && ignore.excludes(above) {
            assert!(
                ignore.may_include_below(above),
                "{:?} stays, and a walk would not come to it",
                String::from_utf8_lossy(path)
            );
        }
    }
}

/// A pattern matches or does not, and cuts a value at characters.
pub fn patterns(pattern: &str, value: &str) {
    if let Ok(parsed) = pattern::Path::parse(pattern.as_bytes()) {
        let matched = parsed.matches(value.as_bytes());
        if pattern::Path::is_plain(pattern.as_bytes()) && matched {
            assert_eq!(pattern, value);
        }
    }
    let shell = pattern::Shell::new(pattern);
    for greedy in [false, true] {
        assert!(value.ends_with(shell.without_prefix(value, greedy)));
        assert!(value.starts_with(shell.without_suffix(value, greedy)));
        drop(shell.replaced(value, "x", greedy));
    }
}

/// Parts bytes at their first NUL.
pub fn two(data: &[u8]) -> (&[u8], &[u8]) {
    let at = data.iter().position(|b| *b == 0).unwrap_or(data.len());
    (&data[..at], data.get(at + 1..).unwrap_or_default())
}

/// Both targets' reading of raw bytes.
pub fn ignore_bytes(data: &[u8]) {
    let (text, path) = two(data);
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    ignore(text, path);
    if let Ok(path) = std::str::from_utf8(path)
        && text.len() < 512
        && path.len() < 512
    {
        patterns(text, path);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{dockerfile, ignore_bytes};

    fn below(name: &str) -> Vec<Vec<u8>> {
        let root = std::env::var("RPOD_TEST_SOURCE").unwrap_or(env!("CARGO_MANIFEST_DIR").into());
        let mut pending = vec![PathBuf::from(root).join(name)];
        let mut all = Vec::new();
        while let Some(path) = pending.pop() {
            match std::fs::read_dir(&path) {
                Ok(entries) => pending.extend(entries.flatten().map(|entry| entry.path())),
                Err(_) => all.extend(std::fs::read(&path)),
            }
        }
        all.sort();
        assert!(all.len() >= 3, "{name} has too few texts");
        all
    }

    /// The text with some bytes changed, doubled, taken out or taken from another text;
    /// the same in every run.
    fn mutated(text: &[u8], other: &[u8], round: u64) -> Vec<u8> {
        let mut state = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ text.len() as u64;
        let mut next = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % (below.max(1) as u64)).unwrap_or(0)
        };
        let mut out = text.to_vec();
        for _ in 0..=next(4) {
            let at = next(out.len());
            let special = b"\\\n\"'$`{}[]#<>=:-!*?/,. \t\r\0\xff";
            match next(5) {
                0 if !out.is_empty() => out[at] = special[next(special.len())],
                1 => out.insert(at, special[next(special.len())]),
                2 if !out.is_empty() => drop(out.drain(at..(at + next(20)).min(out.len()))),
                3 => {
                    let piece = out[at..(at + next(40)).min(out.len())].to_vec();
                    out.splice(at..at, piece);
                }
                _ => {
                    let from = next(other.len());
                    let piece = other[from..(from + next(60)).min(other.len())].to_vec();
                    out.splice(at..at, piece);
                }
            }
        }
        out
    }

    fn on_all(texts: &[Vec<u8>], property: fn(&[u8])) {
        for (n, text) in texts.iter().enumerate() {
            property(text);
            if text.len() > 4 << 10 {
                continue;
            }
            for round in 0..40 {
                let other = &texts[(n + round) % texts.len()];
                property(&mutated(text, other, round as u64));
            }
        }
    }

    #[test]
    fn dockerfiles_and_what_is_nearly_one_are_read_or_refused() {
        let mut texts = below("tests/fuzz/seeds/dockerfile");
        texts.extend(below("tests/corpus"));
        on_all(&texts, |data| {
            if let Ok(text) = std::str::from_utf8(data) {
                dockerfile(text);
            }
        });
    }

    #[test]
    fn what_is_left_out_is_the_same_with_and_without_skipping() {
        on_all(&below("tests/fuzz/seeds/ignore"), ignore_bytes);
    }
}
