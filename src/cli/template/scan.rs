//! A template's text in pieces: plain text, and the words of each action.
//!
//! Lives here: delimiters, trim markers, comments, quoting.
//! Must not: know which words make sense together.
//! Called by: `parse`.
//! Always true: each word knows its place, and whether a space stands before it.

use super::Place;
use crate::error::Result;

/// Plain text, or what stands between two braces and two braces.
#[derive(Debug)]
pub enum Piece {
    /// Written as it is.
    Text(String),
    /// The words of an action.
    Action(Vec<Word>, Place),
}

/// One word of an action.
#[derive(Clone, Debug)]
pub struct Word {
    pub token: Token,
    pub place: Place,
    /// A space, or the action's beginning, stands before it.
    pub apart: bool,
}

/// What a word is.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// `range`, `upper`, `true`.
    Name(String),
    /// `.Names`.
    Field(String),
    /// `.`
    Dot,
    /// `$x`, `$` (empty).
    Variable(String),
    Text(String),
    Integer(i64),
    Float(f64),
    /// `|`
    Pipe,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `,`
    Comma,
    /// `:=`
    Declare,
    /// `=`
    Assign,
}

pub fn scan(text: &str) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut trim_next = false;
    while let Some(open) = rest.find("{{") {
        let (mut plain, after) = rest.split_at(open);
        let place = place_of(text, after);
        let mut inner = &after[2..];
        if let Some(trimmed) = inner.strip_prefix('-')
            && trimmed.starts_with([' ', '\t', '\r', '\n'])
        {
            plain = plain.trim_end();
            inner = &trimmed[1..];
        }
        if trim_next {
            plain = plain.trim_start();
        }
        push_text(&mut pieces, plain);
        let end = close_of(inner).ok_or_else(|| place.error("this action has no closing }}"))?;
        let (mut body, next) = (&inner[..end], &inner[end + 2..]);
        trim_next = false;
        if let Some(trimmed) = body.strip_suffix('-')
            && trimmed.ends_with([' ', '\t', '\r', '\n'])
        {
            body = trimmed;
            trim_next = true;
        }
        let comment = body.trim();
        if comment.starts_with("/*") {
            if !comment.ends_with("*/") || comment.len() < 4 {
                return Err(place.error("this comment does not end with */}}"));
            }
        } else {
            pieces.push(Piece::Action(words(text, body)?, place));
        }
        rest = next;
    }
    push_text(
        &mut pieces,
        if trim_next { rest.trim_start() } else { rest },
    );
    Ok(pieces)
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
}

/// Returns where the closing braces stand; those inside quotes do not count.
fn close_of(inner: &str) -> Option<usize> {
    if inner.trim_start().starts_with("/*") {
        let end = inner.find("*/")?;
        return inner[end..].find("}}").map(|n| end + n);
    }
    let bytes = inner.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'}' if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            quote @ (b'"' | b'`' | b'\'') => {
                at += 1;
                while at < bytes.len() && bytes[at] != quote {
                    at += if bytes[at] == b'\\' && quote != b'`' {
                        2
                    } else {
                        1
                    };
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// `part` is a slice of `text`.
fn place_of(text: &str, part: &str) -> Place {
    let offset = part.as_ptr() as usize - text.as_ptr() as usize;
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |n| n + 1);
    Place {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

fn words(whole: &str, body: &str) -> Result<Vec<Word>> {
    let mut out = Vec::new();
    let mut rest = body;
    let mut apart = true;
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() {
            rest = &rest[first.len_utf8()..];
            apart = true;
            continue;
        }
        let place = place_of(whole, rest);
        let (token, length) = word(rest, first, place)?;
        out.push(Word {
            token,
            place,
            apart,
        });
        rest = &rest[length..];
        apart = false;
    }
    Ok(out)
}

fn word(rest: &str, first: char, place: Place) -> Result<(Token, usize)> {
    let name_length = |text: &str| {
        text.find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(text.len())
    };
    let simple = |token| Ok((token, 1));
    match first {
        '|' => simple(Token::Pipe),
        '(' => simple(Token::Open),
        ')' => simple(Token::Close),
        ',' => simple(Token::Comma),
        '=' => simple(Token::Assign),
        ':' if rest.starts_with(":=") => Ok((Token::Declare, 2)),
        '"' | '\'' => quoted(rest, first, place),
        '`' => match rest[1..].find('`') {
            Some(end) => Ok((Token::Text(rest[1..=end].to_owned()), end + 2)),
            None => Err(place.error("this text has no closing `")),
        },
        '$' => {
            let length = name_length(&rest[1..]);
            Ok((Token::Variable(rest[1..=length].to_owned()), length + 1))
        }
        '.' if !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
            match name_length(&rest[1..]) {
                0 => simple(Token::Dot),
                length => Ok((Token::Field(rest[1..=length].to_owned()), length + 1)),
            }
        }
        c if c.is_ascii_digit() || c == '-' || c == '+' || c == '.' => number(rest, place),
        c if c.is_alphabetic() || c == '_' => {
            let length = name_length(rest);
            Ok((Token::Name(rest[..length].to_owned()), length))
        }
        other => Err(place.error(format!("\"{other}\" has no meaning here"))),
    }
}

fn number(rest: &str, place: Place) -> Result<(Token, usize)> {
    let length = rest[1..]
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '.')
        .map_or(rest.len(), |n| n + 1);
    let text = &rest[..length];
    let integer = match text.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    };
    if let Some(integer) = integer {
        return Ok((Token::Integer(integer), length));
    }
    match text.parse() {
        Ok(float) => Ok((Token::Float(float), length)),
        Err(_) => Err(place.error(format!("\"{text}\" is no number"))),
    }
}

/// Text in quotes, with Go's escapes; a single quote holds one character, which is a number.
fn quoted(rest: &str, quote: char, place: Place) -> Result<(Token, usize)> {
    let open = || place.error(format!("this text has no closing {quote}"));
    let mut out = String::new();
    let mut letters = rest.char_indices().skip(1);
    loop {
        let (at, letter) = letters.next().ok_or_else(open)?;
        if letter == quote {
            let token = match (quote, out.chars().next()) {
                ('\'', Some(letter)) if out.chars().count() == 1 => {
                    Token::Integer(i64::from(u32::from(letter)))
                }
                ('\'', _) => return Err(place.error("single quotes hold one character")),
                _ => Token::Text(out),
            };
            return Ok((token, at + 1));
        }
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        let (_, escape) = letters.next().ok_or_else(open)?;
        let digits = match escape {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        if digits > 0 {
            let code: String = letters.by_ref().take(digits).map(|(_, c)| c).collect();
            let letter = u32::from_str_radix(&code, 16).ok().and_then(char::from_u32);
            out.push(
                letter
                    .ok_or_else(|| place.error(format!("\"\\{escape}{code}\" is no character")))?,
            );
            continue;
        }
        out.push(match escape {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'v' => '\x0b',
            '\\' | '"' | '\'' => escape,
            other => return Err(place.error(format!("\"\\{other}\" is no escape"))),
        });
    }
}
