//! A fault in a file, shown where it is.
//!
//! ```text
//! Containerfile:7:1: unknown instruction "RUNN"
//!      7 | RUNN apk add curl
//!        | ^^^^ did you mean RUN?
//! ```
//!
//! Lives here: [`Span`] and [`Problem`], and how one is drawn.
//! Must not: decide that something is a fault.
//! Called by: the other files of this room, `ops::build`.
//! Always true: what is drawn of a line is at most [`WIDTH`] characters of it.

use crate::error::{Error, Kind};

/// Characters of a line that are shown at most.
const WIDTH: usize = 160;

/// A place in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Line, the first is 1.
    pub line: u32,
    /// Character in the line, the first is 1.
    pub column: u32,
    /// Characters, on this line.
    pub length: u32,
}

/// What is wrong at a place, and what was probably meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub at: Span,
    /// What is wrong.
    pub message: String,
    /// Stands behind the marker: what was expected, or probably meant.
    pub label: String,
    /// An action that mends it.
    pub hint: Option<String>,
}

impl Problem {
    /// Returns a fault with nothing behind its marker.
    pub fn new(at: Span, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
            label: String::new(),
            hint: None,
        }
    }

    /// Says what was expected, or probably meant.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds an action that mends it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Turns it into the error that ends a build. `name` is the file's, `text` its content.
    pub fn into_error(self, name: &str, text: &str) -> Error {
        let drawn = format!(
            "{name}:{}:{}: {}\n{}",
            self.at.line,
            self.at.column,
            self.message,
            excerpt(text, self.at, &self.label)
        );
        let error = Error::of(Kind::Usage, drawn);
        match self.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// Draws the line of a place with a marker below it.
pub fn excerpt(text: &str, at: Span, label: &str) -> String {
    let line = text
        .lines()
        .nth(at.line.saturating_sub(1) as usize)
        .unwrap_or_default();
    let column = at.column.saturating_sub(1) as usize;
    // A long line is shown from a little before the place.
    let from = if column + (at.length as usize) < WIDTH {
        0
    } else {
        column.saturating_sub(WIDTH / 4)
    };
    let shown: String = line
        .chars()
        .skip(from)
        .take(WIDTH)
        .map(|c| if c == '\t' { ' ' } else { c })
        .collect();
    let before = column - from;
    let room = shown.chars().count().saturating_sub(before).max(1);
    let marker = "^".repeat((at.length.max(1) as usize).min(room));
    let gap = " ".repeat(shown.chars().take(before).map(cells).sum());
    format!(
        "{:>6} | {shown}\n       | {gap}{marker}{}{label}",
        at.line,
        if label.is_empty() { "" } else { " " }
    )
}

/// How many places of a terminal's line a character takes: East Asian ones take two.
pub fn cells(c: char) -> usize {
    match c as u32 {
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::{Problem, Span};

    #[test]
    fn a_fault_is_shown_where_it_is() {
        let at = Span {
            line: 2,
            column: 1,
            length: 4,
        };
        let error = Problem::new(at, "unknown instruction \"RUNN\"")
            .label("did you mean RUN?")
            .hint("read the manual")
            .into_error("Containerfile", "FROM x\nRUNN apk add curl\n");
        assert_eq!(
            error.to_string(),
            "Containerfile:2:1: unknown instruction \"RUNN\"\n     2 | RUNN apk add curl\n       | ^^^^ did you mean RUN?"
        );
        assert_eq!(error.hints(), ["read the manual"]);
    }

    #[test]
    fn a_place_beyond_the_line_and_a_long_line_are_drawn() {
        let at = Span {
            line: 1,
            column: 5001,
            length: 3,
        };
        let text = "x".repeat(10_000);
        assert!(super::excerpt(&text, at, "here").len() < 500);
        let at = Span {
            line: 9,
            column: 7,
            length: 0,
        };
        assert!(super::excerpt("FROM x", at, "").contains("     9 | \n"));
    }
}
