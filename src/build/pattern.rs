//! Patterns: of paths as Go's `filepath.Match` has them, and of a shell's `${v#…}`.
//!
//! ```text
//! *  any run of characters (but /)     ?  one character (but /)
//! [a-z] [^a-z]  one of a class         \x  the character itself
//! **  any run of whole directories     (paths of .dockerignore, --exclude and COPY)
//! ```
//!
//! Lives here: [`Path`] and [`Shell`].
//! Must not: touch the disk.
//! Called by: `ignore`, `word`, `ops::build`.
//! Always true: matching takes at most the product of both lengths; nothing a
//! pattern holds makes it worse.

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// The byte itself.
    Byte(u8),
    /// `?`: one character.
    One,
    /// `*`: any run.
    Run,
    /// `**`: any run, over slashes as well.
    Deep,
    /// `[…]`: ranges of characters, or any but these.
    Class(Vec<(char, char)>, bool),
}

/// A pattern of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    pieces: Vec<Piece>,
    /// The bytes that every path that fits begins with, and those that it ends with:
    /// most paths are told by them not to fit.
    head: Vec<u8>,
    tail: Vec<u8>,
    /// How many slashes a path has that fits, where it can have no other number.
    slashes: Option<usize>,
}

impl Path {
    /// Reads a pattern; `**` is a run of whole directories.
    ///
    /// # Errors
    /// A sentence, when a class or an escape is not finished.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            at += 1;
            match byte {
                b'*' if text.get(at) == Some(&b'*') => {
                    while text.get(at) == Some(&b'*') {
                        at += 1;
                    }
                    // `**/x` is `x` as well.
                    if text.get(at) == Some(&b'/') && whole_directory(&pieces) {
                        at += 1;
                        pieces.push(Piece::Deep);
                        pieces.push(Piece::Byte(b'/'));
                    } else {
                        pieces.push(Piece::Deep);
                    }
                }
                b'*' => pieces.push(Piece::Run),
                b'?' => pieces.push(Piece::One),
                b'[' => at = class(text, at, &mut pieces)?,
                b'\\' => match text.get(at) {
                    Some(&escaped) => {
                        pieces.push(Piece::Byte(escaped));
                        at += 1;
                    }
                    None => return Err("it ends with a backslash".to_owned()),
                },
                other => pieces.push(Piece::Byte(other)),
            }
        }
        let byte = |piece: &Piece| match piece {
            Piece::Byte(byte) => Some(*byte),
            _ => None,
        };
        let head: Vec<u8> = pieces.iter().map_while(byte).collect();
        let mut tail: Vec<u8> = pieces.iter().rev().map_while(byte).collect();
        // The slash of `**/x` is in no path where the `**` is nothing.
        if pieces.len() > tail.len() && tail.last() == Some(&b'/') {
            tail.pop();
        }
        tail.reverse();
        let is_slash = |piece: &&Piece| **piece == Piece::Byte(b'/');
        let slashes = match pieces.contains(&Piece::Deep) {
            true => None,
            false => Some(pieces.iter().filter(is_slash).count()),
        };
        Ok(Self {
            pieces,
            head,
            tail,
            slashes,
        })
    }

    /// Says whether the path of something in a directory may fit, and not deeper in it;
    /// empty is the root.
    pub fn may_match_in(&self, directory: &[u8]) -> bool {
        let inner = directory.iter().filter(|byte| **byte == b'/').count();
        let slashes = inner + usize::from(!directory.is_empty());
        if self.slashes.is_some_and(|count| count != slashes) {
            return false;
        }
        let common = self.head.len().min(directory.len());
        self.head[..common] == directory[..common]
    }

    /// Says whether a pattern has anything but plain characters.
    pub fn is_plain(text: &[u8]) -> bool {
        !text.iter().any(|b| b"*?[\\".contains(b))
    }

    /// Says whether a whole path fits.
    pub fn matches(&self, path: &[u8]) -> bool {
        if !path.starts_with(&self.head) || !path.ends_with(&self.tail) {
            return false;
        }
        // The positions of the pattern that what was read so far can have led to.
        let mut now = vec![false; self.pieces.len() + 1];
        let mut next = now.clone();
        now[0] = true;
        self.skip_empty(&mut now, true);
        let mut at = 0;
        while at < path.len() {
            let (c, length) = character(&path[at..]);
            next.fill(false);
            for (i, piece) in self.pieces.iter().enumerate().filter(|(i, _)| now[*i]) {
                match piece {
                    Piece::Byte(byte) if length == 1 && *byte == path[at] => next[i + 1] = true,
                    Piece::Byte(_) if length > 1 => {
                        if let Some(end) = self.literal(i, &path[at..at + length]) {
                            next[end] = true;
                        }
                    }
                    Piece::One if c != Some('/') => next[i + 1] = true,
                    Piece::Run if c != Some('/') => next[i] = true,
                    Piece::Deep => next[i] = true,
                    Piece::Class(ranges, negated) if c != Some('/') => {
                        let inside = c.is_some_and(|c| {
                            ranges.iter().any(|(low, high)| (*low..=*high).contains(&c))
                        });
                        next[i + 1] |= inside != *negated;
                    }
                    _ => {}
                }
            }
            let directory_ended = path[at] == b'/';
            self.skip_empty(&mut next, directory_ended);
            std::mem::swap(&mut now, &mut next);
            at += length;
        }
        now[self.pieces.len()]
    }

    /// Says that the bytes of one character stand in the pattern from `i` on.
    fn literal(&self, i: usize, bytes: &[u8]) -> Option<usize> {
        let pieces = self.pieces.get(i..i + bytes.len())?;
        let same = pieces
            .iter()
            .zip(bytes)
            .all(|(piece, byte)| *piece == Piece::Byte(*byte));
        same.then_some(i + bytes.len())
    }

    /// A run may be nothing, and `**/` nothing where a directory begins.
    fn skip_empty(&self, positions: &mut [bool], at_directory: bool) {
        for i in 0..self.pieces.len() {
            if !positions[i] {
                continue;
            }
            match self.pieces[i] {
                Piece::Run => positions[i + 1] = true,
                Piece::Deep => {
                    let before_slash = self.pieces.get(i + 1) == Some(&Piece::Byte(b'/'));
                    if before_slash && whole_directory(&self.pieces[..i]) {
                        positions[i + 1] = true;
                        if at_directory {
                            positions[i + 2] = true;
                        }
                    } else {
                        positions[i + 1] = true;
                    }
                }
                _ => {}
            }
        }
    }
}

/// Says that a name begins behind these pieces.
fn whole_directory(pieces: &[Piece]) -> bool {
    pieces.last().is_none_or(|last| *last == Piece::Byte(b'/'))
}

/// Reads a class behind its `[`; returns where it ends.
fn class(text: &[u8], mut at: usize, pieces: &mut Vec<Piece>) -> Result<usize, String> {
    let unfinished = || "a [ is not closed".to_owned();
    let negated = text.get(at) == Some(&b'^');
    if negated {
        at += 1;
    }
    let mut ranges = Vec::new();
    loop {
        if text.get(at) == Some(&b']') && !ranges.is_empty() {
            pieces.push(Piece::Class(ranges, negated));
            return Ok(at + 1);
        }
        let low = class_character(text, &mut at).ok_or_else(unfinished)?;
        let mut high = low;
        if text.get(at) == Some(&b'-') {
            at += 1;
            high = class_character(text, &mut at).ok_or_else(unfinished)?;
        }
        ranges.push((low, high));
    }
}

fn class_character(text: &[u8], at: &mut usize) -> Option<char> {
    if matches!(text.get(*at), Some(b']' | b'-')) {
        return None;
    }
    if text.get(*at) == Some(&b'\\') {
        *at += 1;
    }
    let rest = text.get(*at..)?;
    if rest.is_empty() {
        return None;
    }
    let (c, length) = character(rest);
    *at += length;
    c
}

/// Returns the first character and its bytes; a byte that belongs to none is one that no class has.
fn character(bytes: &[u8]) -> (Option<char>, usize) {
    let end = bytes.len().min(4);
    let text = match std::str::from_utf8(&bytes[..end]) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    };
    match text.chars().next() {
        Some(c) => (Some(c), c.len_utf8()),
        None => (None, 1),
    }
}

/// A pattern of the shell, for parts of a variable's value: `*` and `?` match a slash.
#[derive(Debug)]
pub struct Shell {
    pieces: Vec<ShellPiece>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ShellPiece {
    Letter(char),
    One,
    Run,
}

impl Shell {
    /// Reads a pattern: `*`, `?`, and `\` before either.
    pub fn new(text: &str) -> Self {
        let mut letters = text.chars();
        let mut pieces = Vec::new();
        while let Some(c) = letters.next() {
            pieces.push(match c {
                '*' => ShellPiece::Run,
                '?' => ShellPiece::One,
                '\\' => ShellPiece::Letter(letters.next().unwrap_or('\\')),
                c => ShellPiece::Letter(c),
            });
        }
        Self { pieces }
    }

    /// Returns a value without the shortest or longest beginning that fits.
    pub fn without_prefix<'a>(&self, value: &'a str, greedy: bool) -> &'a str {
        match self.end_of_match(value, greedy) {
            Some(end) => &value[end..],
            None => value,
        }
    }

    /// Returns a value without the shortest or longest end that fits.
    pub fn without_suffix<'a>(&self, value: &'a str, greedy: bool) -> &'a str {
        let reversed: String = value.chars().rev().collect();
        let pattern = Self {
            pieces: self.pieces.iter().rev().copied().collect(),
        };
        match pattern.end_of_match(&reversed, greedy) {
            Some(end) => &value[..value.len() - end],
            None => value,
        }
    }

    /// Returns a value with the first or every longest part that fits replaced.
    pub fn replaced(&self, value: &str, with: &str, all: bool) -> String {
        let mut out = String::new();
        let mut rest = value;
        let mut done = false;
        while let Some(c) = rest.chars().next() {
            let found = if done {
                None
            } else {
                self.end_of_match(rest, true)
            };
            match found.filter(|end| *end > 0) {
                Some(end) => {
                    out.push_str(with);
                    rest = &rest[end..];
                    done = !all;
                }
                None => {
                    out.push(c);
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
        out
    }

    /// Returns where the shortest or longest match that begins at the beginning ends.
    fn end_of_match(&self, value: &str, greedy: bool) -> Option<usize> {
        let count = self.pieces.len();
        let mut now = vec![false; count + 1];
        now[0] = true;
        let close = |positions: &mut [bool]| {
            for i in 0..count {
                if positions[i] && self.pieces[i] == ShellPiece::Run {
                    positions[i + 1] = true;
                }
            }
        };
        close(&mut now);
        let mut found = now[count].then_some(0);
        for (at, c) in value.char_indices() {
            if found.is_some() && !greedy || !now.contains(&true) {
                break;
            }
            let mut next = vec![false; count + 1];
            for (i, piece) in self.pieces.iter().enumerate().filter(|(i, _)| now[*i]) {
                match piece {
                    ShellPiece::Run => next[i] = true,
                    ShellPiece::One => next[i + 1] = true,
                    ShellPiece::Letter(letter) => next[i + 1] |= *letter == c,
                }
            }
            close(&mut next);
            now = next;
            if now[count] {
                found = Some(at + c.len_utf8());
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::{Path, Shell};

    #[test]
    fn paths_as_go_has_them() {
        for (pattern, path, fits) in [
            ("abc", "abc", true),
            ("abc", "ab", false),
            ("*", "abc", true),
            ("*", "a/c", false),
            ("*c", "abc", true),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/f", true),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[e-g]", "abc", false),
            ("ab[^c]", "abc", false),
            ("ab[^e-g]", "abc", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("a?b", "a☺b", true),
            ("a[^a]b", "a☺b", true),
            ("a☺b", "a☺b", true),
            ("a???b", "a☺b", false),
            ("[a-ζ]*", "α", true),
            ("*[a-ζ]", "A", false),
            ("a?b", "a/b", false),
            ("a*b", "a/b", false),
            ("[\\]a]", "]", true),
            ("*x", "xxx", true),
            ("**", "a/b/c", true),
            ("**/foo", "foo", true),
            ("**/foo", "a/b/foo", true),
            ("**/foo", "a/bfoo", false),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "ab", false),
            ("a/**", "a/b/c", true),
            ("**.go", "a/b.go", true),
            ("**/*.go", "b.go", true),
            ("", "", true),
            ("", "a", false),
        ] {
            let pattern_ = Path::parse(pattern.as_bytes()).expect(pattern);
            assert_eq!(pattern_.matches(path.as_bytes()), fits, "{pattern} {path}");
        }
        for pattern in ["[]a]", "[", "[^", "[^bc", "a[", "[-]", "[x-]", "\\", "[a"] {
            assert!(Path::parse(pattern.as_bytes()).is_err(), "{pattern}");
        }
        assert!(Path::parse(b"a?c").expect("it is one").matches(b"a\xffc"));
    }

    #[test]
    fn what_is_told_by_its_ends_is_told_right() {
        for pattern in [
            "**/x",
            "a/**/x",
            "a**/x",
            "*/x",
            "?/x",
            "x/**",
            "a/*",
            "**",
            "*x",
            "ä*",
            "*ä",
            "a/**/b/**/c",
        ] {
            let with = Path::parse(pattern.as_bytes()).expect(pattern);
            let without = Path {
                head: Vec::new(),
                tail: Vec::new(),
                ..with.clone()
            };
            for path in [
                "x",
                "a/x",
                "a/b/x",
                "ab/x",
                "/x",
                "x/",
                "x/y",
                "a",
                "a/",
                "ä",
                "äb",
                "bä",
                "a/b/c",
                "a/b/x/c",
                "",
                "yx",
                "a/y/b/y/c",
            ] {
                let path = path.as_bytes();
                assert_eq!(
                    with.matches(path),
                    without.matches(path),
                    "{pattern} {path:?}"
                );
            }
        }
    }

    #[test]
    fn a_hostile_pattern_takes_no_longer() {
        let pattern = Path::parse("*a".repeat(500).as_bytes()).expect("it is one");
        assert!(
            !pattern.matches(
                "a".repeat(4000)
                    .as_bytes()
                    .split_last()
                    .expect("long")
                    .1
                    .to_vec()
                    .as_slice()
                    .split_at(499)
                    .0
            )
        );
        assert!(!pattern.matches(format!("{}b", "a".repeat(4000)).as_bytes()));
    }

    #[test]
    fn ends_of_values() {
        let shell = Shell::new("*.");
        assert_eq!(shell.without_prefix("a.b.c", false), "b.c");
        assert_eq!(shell.without_prefix("a.b.c", true), "c");
        let shell = Shell::new(".*");
        assert_eq!(shell.without_suffix("ä.b.ü", false), "ä.b");
        assert_eq!(shell.without_suffix("ä.b.ü", true), "ä");
        assert_eq!(Shell::new("?").replaced("abc", "xy", true), "xyxyxy");
        assert_eq!(Shell::new("").replaced("abc", "x", true), "abc");
    }
}
