//! What a context leaves out: `.dockerignore`, `--exclude`.
//!
//! ```text
//! # a comment
//! *.log            in the context's own directory
//! **/*.log         anywhere
//! build            the directory and all that is in it
//! !build/keep      but not this: the last line that fits decides
//! ```
//!
//! Lives here: [`Ignore`], with docker's matching: a line fits a path, or a
//! directory that the path is in.
//! Must not: touch the disk.
//! Called by: `ops::build`.
//! Always true: paths have no leading slash.

use crate::build::pattern;

/// The lines of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignore {
    lines: Vec<Line>,
    exceptions: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    pattern: pattern::Path,
    /// Directories of the pattern, for a path that may lead to what fits.
    text: Vec<u8>,
    exception: bool,
}

impl Ignore {
    /// Reads a file.
    ///
    /// # Errors
    /// A sentence with the line's number, when a pattern is not finished or missing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut ignore = Self::default();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (number, line) in text.lines().enumerate() {
            if line.starts_with('#') {
                continue;
            }
            let line = line.trim();
            let (line, exception) = match line.strip_prefix('!') {
                Some(rest) => (rest.trim(), true),
                None => (line, false),
            };
            if exception && line.is_empty() {
                return Err(format!(
                    "line {}: a \"!\" alone excepts nothing",
                    number + 1
                ));
            }
            let text = plain(line);
            if text.is_empty() {
                continue;
            }
            let pattern =
                pattern::Path::parse(&text).map_err(|why| format!("line {}: {why}", number + 1))?;
            ignore.exceptions |= exception;
            ignore.lines.push(Line {
                pattern,
                text,
                exception,
            });
        }
        Ok(ignore)
    }

    /// Says whether a path is left out.
    pub fn excludes(&self, path: &[u8]) -> bool {
        let slash = path.iter().rposition(|b| *b == b'/');
        self.inside(&path[..slash.unwrap_or(0)]).excludes(path)
    }

    /// Returns what it says of all that is in a directory; empty is the root.
    pub fn inside(&self, directory: &[u8]) -> Inside<'_> {
        let fits = |line: &Line| !directory.is_empty() && fits(&line.pattern, directory);
        let lines = self.lines.iter().map(|line| (line, fits(line)));
        let counts = |(line, above): &(&Line, bool)| *above || line.pattern.may_match_in(directory);
        Inside {
            lines: lines.filter(counts).collect(),
        }
    }

    /// Says whether something in a directory that is left out may not be.
    pub fn may_include_below(&self, path: &[u8]) -> bool {
        self.exceptions
            && self
                .lines
                .iter()
                .any(|line| line.exception && leads_to(&line.text, path))
    }
}

/// The lines of a file that say anything of what is in a directory, and which of them fit
/// the directory.
pub struct Inside<'a> {
    lines: Vec<(&'a Line, bool)>,
}

impl Inside<'_> {
    /// Says that nothing in the directory is left out.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Says whether a path is left out that is in the directory, and not deeper.
    pub fn excludes(&self, path: &[u8]) -> bool {
        let mut out = false;
        for (line, above) in &self.lines {
            // A line that would change nothing need not be looked at.
            if line.exception == out && (*above || line.pattern.matches(path)) {
                out = !line.exception;
            }
        }
        out
    }
}

/// Says whether a pattern fits a path or a directory it is in.
fn fits(pattern: &pattern::Path, path: &[u8]) -> bool {
    if pattern.matches(path) {
        return true;
    }
    let slashes = path.iter().enumerate().filter(|(_, b)| **b == b'/');
    slashes
        .map(|(at, _)| &path[..at])
        .any(|above| pattern.matches(above))
}

/// Says whether what is below a directory can fit a pattern.
fn leads_to(pattern: &[u8], directory: &[u8]) -> bool {
    let mut parts = directory.split(|b| *b == b'/');
    for wanted in pattern.split(|b| *b == b'/') {
        if wanted.windows(2).any(|two| two == b"**") {
            return true;
        }
        let Some(part) = parts.next() else {
            return true;
        };
        let same = pattern::Path::parse(wanted).is_ok_and(|pattern| pattern.matches(part));
        if !same {
            return false;
        }
    }
    // The whole pattern is above the directory, and so fits all that is in it.
    true
}

/// `/a/./b/../c/` → `a/c`.
fn plain(line: &str) -> Vec<u8> {
    let mut parts: Vec<&str> = Vec::new();
    for part in line.split('/') {
        match part {
            "" | "." => {}
            // Beyond the context there is nothing to leave out.
            ".." if parts.last().is_none_or(|last| *last == "..") => {
                if !line.starts_with('/') {
                    parts.push(part);
                }
            }
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::Ignore;

    #[test]
    fn the_last_line_that_fits_decides() {
        let text = "# comment\n*.log\n**/*.tmp\nbuild/\n!build/keep\n!important.log\n/abs\nnode_modules\n a b \n";
        let ignore = Ignore::parse(text).expect("a file");
        for (path, out) in [
            ("x.log", true),
            ("d/x.log", false),
            ("important.log", false),
            ("x.tmp", true),
            ("d/e/x.tmp", true),
            ("build", true),
            ("build/x", true),
            ("build/keep", false),
            ("build/keep/deep", false),
            ("abs", true),
            ("node_modules/a/b", true),
            ("d/node_modules", false),
            ("a b", true),
            ("src/main.rs", false),
        ] {
            assert_eq!(ignore.excludes(path.as_bytes()), out, "{path}");
        }
        assert!(ignore.may_include_below(b"build"));
        assert!(!ignore.may_include_below(b"node_modules"));
    }

    #[test]
    fn everything_but_a_few() {
        let ignore = Ignore::parse("*\n!src\n!a/*/c\n!**/x.md").expect("a file");
        assert!(!ignore.excludes(b"src/lib.rs"));
        assert!(ignore.excludes(b"other/file"));
        assert!(!ignore.excludes(b"other/x.md"));
        assert!(ignore.may_include_below(b"other"));
        let ignore = Ignore::parse("*\n!a/*/c").expect("a file");
        assert!(ignore.may_include_below(b"a") && ignore.may_include_below(b"a/b"));
        assert!(!ignore.may_include_below(b"b"));
        assert!(Ignore::parse("[a-").is_err());
        assert!(Ignore::parse("a\n! ").is_err_and(|why| why.starts_with("line 2")));
        let ignore = Ignore::parse("../x\n/../y\na/../../z").expect("a file");
        assert!(!ignore.excludes(b"x") && ignore.excludes(b"y") && !ignore.excludes(b"z"));
    }
}
