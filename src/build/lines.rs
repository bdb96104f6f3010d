//! Lines: a file's text as instructions on one line each.
//!
//! ```text
//! # syntax=docker/dockerfile:1     directives, before anything else
//! # a comment                      dropped, also between the lines of an instruction
//! RUN one && \
//!     two                          joined: "RUN one &&     two"
//! COPY <<EOF /etc/motd             an instruction whose words open heredocs
//! hello
//! EOF
//! ```
//!
//! Lives here: [`Lines`], which gives one [`Line`] after the other; directives and
//! heredocs. A line knows where each of its characters stands in the file.
//! Must not: know an instruction, but which ones may open heredocs.
//! Called by: `parse`.
//! Always true: a text is read once, from its beginning to its end.

use crate::build::dockerfile::{CheckOptions, Heredoc};
use crate::build::problem::{Problem, Span};
use crate::spec::suggest;

/// Bytes of a file at most.
pub const LIMIT: usize = 4 << 20;

/// What stands before the first line.
#[derive(Debug)]
pub struct Directives {
    /// `# syntax=`.
    pub syntax: Option<String>,
    /// `# escape=`.
    pub escape: char,
    /// `# check=`.
    pub check: CheckOptions,
}

/// An instruction on one line.
#[derive(Debug)]
pub struct Line {
    /// Its characters.
    pub text: String,
    /// Where in `text` each piece of the file begins: byte, line and column of the file.
    pieces: Vec<(usize, u32, u32)>,
    /// What its words open.
    pub heredocs: Vec<Heredoc>,
}

impl Line {
    /// Returns where the bytes from `start` to `end` of the text are in the file.
    pub fn span(&self, start: usize, end: usize) -> Span {
        let piece = self.pieces.partition_point(|(at, ..)| *at <= start);
        let (at, line, column) = self.pieces[piece.saturating_sub(1)];
        let next = self
            .pieces
            .get(piece)
            .map_or(self.text.len(), |(at, ..)| *at);
        let count = |from: usize, to: usize| {
            let text = self.text.get(from..to.max(from)).unwrap_or_default();
            u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
        };
        Span {
            line,
            column: column + count(at, start),
            length: count(start, end.min(next).max(start)),
        }
    }
}

/// The lines of a file.
pub struct Lines<'a> {
    rest: &'a str,
    /// Number of the line that `rest` begins with.
    number: u32,
    escape: char,
    /// Lines of a continued instruction that hold nothing.
    pub empty_continuations: Vec<Span>,
}

impl<'a> Lines<'a> {
    /// Reads the directives of a text; what follows are its lines.
    pub fn new(text: &'a str) -> Result<(Directives, Self), Problem> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut directives = Directives {
            syntax: None,
            escape: '\\',
            check: CheckOptions::default(),
        };
        let mut lines = Self {
            rest: text,
            number: 1,
            escape: '\\',
            empty_continuations: Vec::new(),
        };
        let mut seen: Vec<String> = Vec::new();
        while let Some((key, value)) = directive(lines.peek()) {
            let at = whole(lines.number, lines.peek());
            if seen.contains(&key) {
                return Err(
                    Problem::new(at, format!("the directive \"{key}\" stands here twice"))
                        .label("take one of them out"),
                );
            }
            match key.as_str() {
                "syntax" => directives.syntax = Some(value),
                "escape" => directives.escape = escape(&value, at)?,
                _ => directives.check = check(&value, at)?,
            }
            seen.push(key);
            lines.advance();
        }
        lines.escape = directives.escape;
        Ok((directives, lines))
    }

    /// Returns the next instruction, or none at the end.
    pub fn next_line(&mut self) -> Result<Option<Line>, Problem> {
        while !self.rest.is_empty() && is_skipped(self.peek()) {
            self.advance();
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut line = Line {
            text: String::new(),
            pieces: Vec::new(),
            heredocs: Vec::new(),
        };
        loop {
            let (piece, number) = (self.peek(), self.number);
            self.advance();
            let (piece, column) = if line.pieces.is_empty() {
                let trimmed = piece.trim_start();
                (trimmed, piece.len() - trimmed.len())
            } else {
                (piece, 0)
            };
            let (kept, goes_on) = match continued(piece, self.escape) {
                Some(kept) => (kept, true),
                None => (piece.trim_end(), false),
            };
            let column = u32::try_from(column + 1).unwrap_or(u32::MAX);
            line.pieces.push((line.text.len(), number, column));
            line.text.push_str(kept);
            if !goes_on || !self.skip_to_continuation() {
                break;
            }
        }
        let end = line.text.trim_end().len();
        line.text.truncate(end);
        self.heredocs(&mut line)?;
        Ok(Some(line))
    }

    /// Goes to the line that continues an instruction; false where there is none.
    fn skip_to_continuation(&mut self) -> bool {
        while !self.rest.is_empty() {
            let line = self.peek();
            if line.trim().is_empty() {
                self.empty_continuations.push(whole(self.number, line));
            } else if !line.trim_start().starts_with('#') {
                return true;
            }
            self.advance();
        }
        false
    }

    fn heredocs(&mut self, line: &mut Line) -> Result<(), Problem> {
        for (opening, start) in openings(&line.text, self.escape) {
            let at = line.span(start, start + opening.text.len());
            let mut heredoc = Heredoc {
                opening: opening.text,
                name: opening.name,
                content: String::new(),
                raw: String::new(),
                expand: opening.expand,
                at,
            };
            loop {
                if self.rest.is_empty() {
                    let problem =
                        Problem::new(at, format!("the heredoc \"{}\" has no end", heredoc.name));
                    return Err(problem.label(format!(
                        "expected a line that is just {} further down",
                        heredoc.name
                    )));
                }
                let text = self.peek();
                self.advance();
                let bare = if opening.chomp {
                    text.trim_start_matches('\t')
                } else {
                    text
                };
                if bare == heredoc.name {
                    break;
                }
                heredoc.raw.push_str(text);
                heredoc.raw.push('\n');
                heredoc.content.push_str(bare);
                heredoc.content.push('\n');
            }
            line.heredocs.push(heredoc);
        }
        Ok(())
    }

    /// Returns the line that comes next, without its end.
    fn peek(&self) -> &'a str {
        let line = self.rest.split('\n').next().unwrap_or_default();
        line.strip_suffix('\r').unwrap_or(line)
    }

    fn advance(&mut self) {
        self.rest = match self.rest.find('\n') {
            Some(end) => &self.rest[end + 1..],
            None => "",
        };
        self.number = self.number.saturating_add(1);
    }
}

fn whole(line: u32, text: &str) -> Span {
    Span {
        line,
        column: 1,
        length: u32::try_from(text.chars().count()).unwrap_or(u32::MAX),
    }
}

fn is_skipped(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

/// `# key=value` of a directive there is; anything else ends the directives.
fn directive(line: &str) -> Option<(String, String)> {
    let (key, value) = line.trim_start().strip_prefix('#')?.split_once('=')?;
    let key = key.trim().to_lowercase();
    let known = matches!(key.as_str(), "syntax" | "escape" | "check");
    known.then(|| (key, value.trim().to_owned()))
}

fn escape(value: &str, at: Span) -> Result<char, Problem> {
    match value {
        "\\" => Ok('\\'),
        "`" => Ok('`'),
        other => Err(
            Problem::new(at, format!("the escape character cannot be \"{other}\""))
                .label("expected \\ or `"),
        ),
    }
}

fn check(value: &str, at: Span) -> Result<CheckOptions, Problem> {
    let mut options = CheckOptions::default();
    for part in value.split(';').map(str::trim).filter(|p| !p.is_empty()) {
        match part.split_once('=') {
            Some(("skip", rules)) => {
                options.skip = rules.split(',').map(|r| r.trim().to_owned()).collect();
            }
            Some(("error", "true")) => options.error = true,
            Some(("error", "false")) => options.error = false,
            _ => {
                return Err(Problem::new(at, format!("no check option \"{part}\""))
                    .label("expected skip=RULE,… or error=true"));
            }
        }
    }
    Ok(options)
}

/// Returns a piece without its escape at the end; none where the line ends with it.
fn continued(piece: &str, escape: char) -> Option<&str> {
    let kept = piece.trim_end().strip_suffix(escape)?;
    // An escaped escape is a character, not a continuation.
    let before = kept.chars().rev().take_while(|c| *c == escape).count();
    (before % 2 == 0).then_some(kept)
}

struct Opening {
    text: String,
    name: String,
    expand: bool,
    chomp: bool,
}

/// Finds the words that open heredocs, and where they are.
fn openings(text: &str, escape: char) -> Vec<(Opening, usize)> {
    let mut words = text.split_whitespace();
    let mut keyword = words.next().unwrap_or_default().to_uppercase();
    if keyword == "ONBUILD" {
        keyword = words.next().unwrap_or_default().to_uppercase();
    }
    if !matches!(keyword.as_str(), "RUN" | "COPY" | "ADD") || !text.contains("<<") {
        return Vec::new();
    }
    let words = shell_words(text, escape);
    // A list in JSON has no words of the shell.
    if words.get(1).is_some_and(|(word, _)| word.starts_with('[')) {
        return Vec::new();
    }
    words
        .into_iter()
        .filter_map(|(word, at)| Some((opening(word)?, at)))
        .collect()
}

/// `3<<-"EOF"`: a number of a descriptor, `<<`, perhaps `-`, a name perhaps in quotes.
fn opening(word: &str) -> Option<Opening> {
    let after = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let after = after.strip_prefix("<<")?;
    let (chomp, name) = match after.strip_prefix('-') {
        Some(name) => (true, name),
        None => (false, after),
    };
    if name.is_empty() || name.contains('<') {
        return None;
    }
    let bare: String = name
        .chars()
        .filter(|c| !matches!(c, '"' | '\'' | '\\'))
        .collect();
    let plain = !bare.is_empty() && !bare.contains(|c: char| "|&;()>$`".contains(c));
    plain.then(|| Opening {
        text: word.to_owned(),
        expand: bare == name,
        name: bare,
        chomp,
    })
}

/// Splits at blanks that stand in no quotes; where each word begins is beside it.
pub fn shell_words(text: &str, escape: char) -> Vec<(&str, usize)> {
    let mut words = Vec::new();
    let mut start = None;
    let mut quote = None;
    let mut letters = text.char_indices();
    while let Some((at, c)) = letters.next() {
        match (c, quote) {
            (c, None) if c.is_whitespace() => {
                if let Some(start) = start.take() {
                    words.push((&text[start..at], start));
                }
                continue;
            }
            (c, open) if c == escape && open != Some('\'') => {
                start.get_or_insert(at);
                letters.next();
                continue;
            }
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            _ => {}
        }
        start.get_or_insert(at);
    }
    if let Some(start) = start {
        words.push((&text[start..], start));
    }
    words
}

/// Says which directive a comment at the top was probably meant to be.
pub fn mistyped_directive(text: &str) -> Option<(Span, String)> {
    let line = text.lines().next()?;
    let (key, _) = line.trim_start().strip_prefix('#')?.split_once('=')?;
    let key = key.trim();
    if key.is_empty() || key.contains(char::is_whitespace) {
        return None;
    }
    let near = suggest::nearest(key, ["syntax", "escape", "check"].into_iter())?;
    (near != key.to_lowercase()).then(|| {
        let message = format!("\"{key}\" is no directive: perhaps \"{near}\" is meant");
        (whole(1, line), message)
    })
}

#[cfg(test)]
mod tests {
    use super::Lines;
    use crate::build::problem::Span;

    fn texts(text: &str) -> Vec<String> {
        let (_, mut lines) = Lines::new(text).expect("directives");
        let mut out = Vec::new();
        while let Some(line) = lines.next_line().expect("a line") {
            out.push(line.text);
        }
        out
    }

    #[test]
    fn continuations_comments_and_ends_of_lines() {
        for (text, lines) in [
            ("FROM a\nRUN b\n", vec!["FROM a", "RUN b"]),
            (
                "\u{feff}FROM a\r\n\r\n  # c\r\n\tRUN b \\\r\n  c",
                vec!["FROM a", "RUN b   c"],
            ),
            (
                "RUN a && \\\n# no\n\n  b \\   \n c",
                vec!["RUN a &&   b  c"],
            ),
            ("RUN a \\", vec!["RUN a"]),
            ("RUN echo a\\\\\nRUN b", vec!["RUN echo a\\\\", "RUN b"]),
            ("# escape=`\nRUN a `\n b c\\", vec!["RUN a  b c\\"]),
            (
                "# just a comment\n# escape=`\nRUN a \\\n b",
                vec!["RUN a  b"],
            ),
            ("", vec![]),
        ] {
            assert_eq!(texts(text), lines, "{text:?}");
        }
    }

    #[test]
    fn places_are_those_of_the_file() {
        let (_, mut lines) = Lines::new("\n  RUN ä \\\n  two\n").expect("directives");
        let line = lines.next_line().expect("a line").expect("one");
        let at = line.text.find("two").expect("it is there");
        assert_eq!(
            line.span(at, at + 3),
            Span {
                line: 3,
                column: 3,
                length: 3
            }
        );
        assert_eq!(
            line.span(4, 6),
            Span {
                line: 2,
                column: 7,
                length: 1
            }
        );
    }

    #[test]
    fn heredocs_with_and_without_quotes() {
        let text = "RUN <<A cat 3<<-\"B\" >x <<<no\n$x\nA\n\ty\n\tB\nCOPY a b";
        let (_, mut lines) = Lines::new(text).expect("directives");
        let line = lines.next_line().expect("a line").expect("one");
        let found: Vec<_> = line
            .heredocs
            .iter()
            .map(|h| (h.name.as_str(), h.content.as_str(), h.expand))
            .collect();
        assert_eq!(found, [("A", "$x\n", true), ("B", "y\n", false)]);
        assert_eq!(
            lines.next_line().expect("a line").expect("one").text,
            "COPY a b"
        );
        let (_, mut lines) = Lines::new("RUN <<EOF\nx").expect("directives");
        let problem = lines.next_line().expect_err("no end");
        assert!(problem.message.contains("has no end"), "{problem:?}");
        assert_eq!(
            texts("RUN [\"a\", \"<<EOF\"]\nRUN x"),
            ["RUN [\"a\", \"<<EOF\"]", "RUN x"]
        );
        assert_eq!(texts("CMD cat <<EOF\nRUN x").len(), 2);
    }

    #[test]
    fn directives_are_checked() {
        let (directives, _) =
            Lines::new("#syntax=docker/dockerfile:1\n# Escape = `\n# check=skip=A,B;error=true\n")
                .expect("directives");
        assert_eq!(directives.syntax.as_deref(), Some("docker/dockerfile:1"));
        assert_eq!(directives.escape, '`');
        assert_eq!(
            (directives.check.skip.len(), directives.check.error),
            (2, true)
        );
        for text in ["# escape=x\n", "# escape=`\n# escape=`\n", "# check=foo\n"] {
            assert!(Lines::new(text).is_err(), "{text}");
        }
    }
}
