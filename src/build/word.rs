//! Words: quotes taken away, variables put in.
//!
//! ```text
//! $name ${name} ${name:-w} ${name-w} ${name:+w} ${name+w} ${name:?w} ${name?w}
//! ${name#p} ${name##p} ${name%p} ${name%%p} ${name/p/w} ${name//p/w}
//! 'as it stands'  "with $variables"  \escaped
//! ```
//!
//! Lives here: [`expand`], as the Dockerfile reference has it ("Environment
//! replacement"), and which variables a word names.
//! Must not: know where values come from.
//! Called by: `check`, `ops::build`.
//! Always true: what a word makes is at most [`LIMIT`] bytes; words in words are
//! at most [`DEPTH`] deep.

use crate::build::pattern::Shell;

/// Bytes of an expanded word at most.
const LIMIT: usize = 1 << 20;

/// Words within words at most.
const DEPTH: usize = 64;

/// Values of variables.
pub type Values<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Puts variables into a word and takes its quotes away.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn expand(text: &str, escape: char, values: Values<'_>) -> Result<String, String> {
    Expander::new(text, escape, values, Quotes::Removed).all()
}

/// Puts variables into a heredoc: quotes are characters like any other.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn expand_heredoc(text: &str, escape: char, values: Values<'_>) -> Result<String, String> {
    Expander::new(text, escape, values, Quotes::Kept).all()
}

/// Returns the variables that a word names, and whether it says what to do without each.
pub fn variables(text: &str, escape: char) -> Vec<(String, bool)> {
    let seen = std::cell::RefCell::new(Vec::new());
    // A value for everything, so that every branch that needs one is walked.
    let values = |name: &str| {
        seen.borrow_mut().push(name.to_owned());
        None
    };
    let mut expander = Expander::new(text, escape, &values, Quotes::Removed);
    expander.lenient = true;
    let guarded = match expander.all() {
        Ok(_) | Err(_) => expander.guarded,
    };
    let mut out: Vec<(String, bool)> = Vec::new();
    for name in seen.into_inner() {
        let is_guarded = guarded.contains(&name);
        if !out.iter().any(|(other, _)| *other == name) {
            out.push((name, is_guarded));
        }
    }
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    Removed,
    Kept,
}

struct Expander<'a> {
    letters: std::iter::Peekable<std::str::Chars<'a>>,
    escape: char,
    values: Values<'a>,
    quotes: Quotes,
    out_bytes: usize,
    depth: usize,
    /// `${x:?}` without a value is no fault.
    lenient: bool,
    /// Variables that stand with a modifier for when they have no value.
    guarded: Vec<String>,
}

impl<'a> Expander<'a> {
    fn new(text: &'a str, escape: char, values: Values<'a>, quotes: Quotes) -> Self {
        Self {
            letters: text.chars().peekable(),
            escape,
            values,
            quotes,
            out_bytes: 0,
            depth: 0,
            lenient: false,
            guarded: Vec::new(),
        }
    }

    fn all(&mut self) -> Result<String, String> {
        self.until(None)
    }

    /// Reads up to a character that stands in no quotes, or to the end; takes that character.
    fn until(&mut self, ends: Option<&[char]>) -> Result<String, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(format!("it has words in words, more than {DEPTH} deep"));
        }
        let mut out = String::new();
        loop {
            match self.letters.peek().copied() {
                None if ends.is_some() => return Err("a ${ is not closed".to_owned()),
                None => break,
                Some(c) if ends.is_some_and(|ends| ends.contains(&c)) => break,
                Some('\'') if self.quotes == Quotes::Removed => self.single(&mut out)?,
                Some('"') if self.quotes == Quotes::Removed => self.double(&mut out)?,
                Some('$') => self.dollar(&mut out)?,
                Some(c) if c == self.escape => {
                    self.letters.next();
                    self.escaped(&mut out);
                }
                Some(c) => {
                    self.letters.next();
                    self.push(&mut out, c);
                }
            }
            self.check_size(&out)?;
        }
        self.depth -= 1;
        Ok(out)
    }

    fn escaped(&mut self, out: &mut String) {
        match (self.letters.next(), self.quotes) {
            (None, _) => self.push(out, self.escape),
            (Some(c), Quotes::Removed) => self.push(out, c),
            (Some(c), Quotes::Kept) => {
                // In a heredoc only what would mean something else is escaped.
                if c != '$' && c != self.escape {
                    self.push(out, self.escape);
                }
                self.push(out, c);
            }
        }
    }

    fn single(&mut self, out: &mut String) -> Result<(), String> {
        self.letters.next();
        loop {
            match self.letters.next() {
                None => return Err("a ' is not closed".to_owned()),
                Some('\'') => return Ok(()),
                Some(c) => self.push(out, c),
            }
        }
    }

    fn double(&mut self, out: &mut String) -> Result<(), String> {
        self.letters.next();
        loop {
            match self.letters.peek().copied() {
                None => return Err("a \" is not closed".to_owned()),
                Some('"') => {
                    self.letters.next();
                    return Ok(());
                }
                Some('$') => self.dollar(out)?,
                Some(c) if c == self.escape => {
                    self.letters.next();
                    match self.letters.next() {
                        Some(c @ ('"' | '$')) => self.push(out, c),
                        Some(c) if c == self.escape => self.push(out, c),
                        Some(c) => {
                            self.push(out, self.escape);
                            self.push(out, c);
                        }
                        None => return Err("a \" is not closed".to_owned()),
                    }
                }
                Some(c) => {
                    self.letters.next();
                    self.push(out, c);
                }
            }
            self.check_size(out)?;
        }
    }

    fn dollar(&mut self, out: &mut String) -> Result<(), String> {
        self.letters.next();
        if self.letters.peek() != Some(&'{') {
            let name = self.name();
            if name.is_empty() {
                self.push(out, '$');
            } else {
                let value = (self.values)(&name).unwrap_or_default();
                self.append(out, &value)?;
            }
            return Ok(());
        }
        self.letters.next();
        let name = self.name();
        let next = self.letters.next();
        if name.is_empty() {
            return Err("a ${ is followed by no name of a variable".to_owned());
        }
        let value = (self.values)(&name);
        let text = match next {
            Some('}') => value.unwrap_or_default(),
            Some(':') => {
                let modifier = self.letters.next();
                let set = value.filter(|v| !v.is_empty());
                self.with_default(&name, set, modifier, ":")?
            }
            Some(modifier @ ('-' | '+' | '?')) => {
                self.with_default(&name, value, Some(modifier), "")?
            }
            Some(modifier @ ('#' | '%')) => self.without_end(value, modifier)?,
            Some('/') => self.replaced(value)?,
            Some(other) => {
                return Err(format!("\"{other}\" means nothing in ${{{name}{other}…}}"));
            }
            None => return Err("a ${ is not closed".to_owned()),
        };
        self.append(out, &text)
    }

    /// `${name:-word}` and its relatives; `colon` is how it was written.
    fn with_default(
        &mut self,
        name: &str,
        set: Option<String>,
        modifier: Option<char>,
        colon: &str,
    ) -> Result<String, String> {
        let modifier = match modifier {
            Some(modifier @ ('-' | '+' | '?')) => modifier,
            _ => {
                return Err(format!(
                    "${{{name}{colon}…}} has no such form: there are {colon}-, {colon}+ and {colon}?"
                ));
            }
        };
        self.guarded.push(name.to_owned());
        let word = self.braced_word()?;
        match (modifier, set) {
            ('-', Some(value)) => Ok(value),
            ('-', None) => Ok(word),
            ('+', Some(_)) => Ok(word),
            ('?', Some(value)) => Ok(value),
            ('?', None) if !self.lenient => Err(match word.as_str() {
                "" => format!("the variable {name} has no value"),
                why => format!("the variable {name} has no value: {why}"),
            }),
            _ => Ok(String::new()),
        }
    }

    /// `${name#pattern}`, `##`, `%`, `%%`.
    fn without_end(&mut self, value: Option<String>, modifier: char) -> Result<String, String> {
        let greedy = self.letters.next_if_eq(&modifier).is_some();
        let pattern = Shell::new(&self.braced_pattern(&['}'])?);
        self.letters.next();
        let value = value.unwrap_or_default();
        Ok(match modifier {
            '#' => pattern.without_prefix(&value, greedy).to_owned(),
            _ => pattern.without_suffix(&value, greedy).to_owned(),
        })
    }

    /// `${name/pattern/word}`, `//`.
    fn replaced(&mut self, value: Option<String>) -> Result<String, String> {
        let all = self.letters.next_if_eq(&'/').is_some();
        let pattern = Shell::new(&self.braced_pattern(&['/', '}'])?);
        let with = match self.letters.next() {
            Some('/') => self.braced_word()?,
            _ => String::new(),
        };
        let replaced = pattern.replaced(&value.unwrap_or_default(), &with, all);
        if replaced.len() > LIMIT {
            return Err(too_long());
        }
        Ok(replaced)
    }

    fn braced_word(&mut self) -> Result<String, String> {
        let word = self.until(Some(&['}']))?;
        self.letters.next();
        Ok(word)
    }

    /// Reads a pattern: an escape stays, because it escapes what would be a wildcard.
    fn braced_pattern(&mut self, ends: &[char]) -> Result<String, String> {
        let mut out = String::new();
        loop {
            match self.letters.peek().copied() {
                None => return Err("a ${ is not closed".to_owned()),
                Some(c) if ends.contains(&c) => return Ok(out),
                Some('$') => self.dollar(&mut out)?,
                Some(c) if c == self.escape => {
                    self.letters.next();
                    if let Some(c) = self.letters.next() {
                        if c != '/' && c != '}' {
                            out.push('\\');
                        }
                        out.push(c);
                    }
                }
                Some(c) => {
                    self.letters.next();
                    out.push(c);
                }
            }
            self.check_size(&out)?;
        }
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        match self.letters.peek() {
            // `$1`, `$@`: parameters of a shell, which have no value here.
            Some(c) if c.is_ascii_digit() || "@*#?-!".contains(*c) && name.is_empty() => {
                let special = *c;
                // `$-x` and the like stay as they are: no build has such variables.
                if special.is_ascii_digit() {
                    name.push(special);
                    self.letters.next();
                }
                return name;
            }
            _ => {}
        }
        while let Some(c) = self
            .letters
            .next_if(|c| c.is_ascii_alphanumeric() || *c == '_')
        {
            name.push(c);
        }
        name
    }

    fn push(&mut self, out: &mut String, c: char) {
        out.push(c);
    }

    fn append(&mut self, out: &mut String, text: &str) -> Result<(), String> {
        out.push_str(text);
        self.out_bytes += text.len();
        if self.out_bytes > LIMIT * 4 {
            return Err(too_long());
        }
        self.check_size(out)
    }

    fn check_size(&self, out: &str) -> Result<(), String> {
        if out.len() > LIMIT {
            Err(too_long())
        } else {
            Ok(())
        }
    }
}

fn too_long() -> String {
    format!("with its variables it is longer than {LIMIT} bytes")
}

#[cfg(test)]
mod tests {
    use super::{expand, expand_heredoc, variables};

    fn values(name: &str) -> Option<String> {
        match name {
            "v" => Some("value".to_owned()),
            "empty" => Some(String::new()),
            "path" => Some("/a/b/c.tar.gz".to_owned()),
            "star" => Some("a*b".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn forms_of_the_reference() {
        for (text, result) in [
            ("plain", "plain"),
            ("$v", "value"),
            ("${v}x", "valuex"),
            ("$vx", ""),
            ("a$none-b", "a-b"),
            ("\\$v", "$v"),
            ("'$v'", "$v"),
            ("\"$v '$v'\"", "value 'value'"),
            ("\"a\\\"b\\n\"", "a\"b\\n"),
            ("a\\ b", "a b"),
            ("${none:-x}", "x"),
            ("${empty:-x}", "x"),
            ("${empty-x}", ""),
            ("${v:-x}", "value"),
            ("${none:-a ${v} b}", "a value b"),
            ("${none:-'}'}", "}"),
            ("${v:+x}", "x"),
            ("${none:+x}", ""),
            ("${empty:+x}", ""),
            ("${empty+x}", "x"),
            ("${v:?no}", "value"),
            ("${path#*/}", "a/b/c.tar.gz"),
            ("${path##*/}", "c.tar.gz"),
            ("${path%.*}", "/a/b/c.tar"),
            ("${path%%.*}", "/a/b/c"),
            ("${path/b/x}", "/a/x/c.tar.gz"),
            ("${path//\\//-}", "-a-b-c.tar.gz"),
            ("${path/none/x}", "/a/b/c.tar.gz"),
            ("${path//\\//}", "abc.tar.gz"),
            ("${star#a\\*}", "b"),
            ("${v/?/$none}", "alue"),
            ("$", "$"),
            ("a$ b", "a$ b"),
            ("100%", "100%"),
            ("ä$v", "ävalue"),
            ("x\\", "x\\"),
        ] {
            assert_eq!(expand(text, '\\', &values).as_deref(), Ok(result), "{text}");
        }
        assert_eq!(expand("C:\\x`$v", '`', &values).as_deref(), Ok("C:\\x$v"));
    }

    #[test]
    fn a_heredoc_keeps_its_quotes() {
        let text = "a='$v' \"b\" \\$v \\n $none\n";
        assert_eq!(
            expand_heredoc(text, '\\', &values).as_deref(),
            Ok("a='value' \"b\" $v \\n \n")
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, why) in [
            ("${v", "not closed"),
            ("${", "no name"),
            ("${}", "no name"),
            ("'x", "not closed"),
            ("\"x", "not closed"),
            ("${v^^}", "means nothing"),
            ("${v:x}", "no such form"),
            ("${none:?set it}", "none has no value: set it"),
            ("${none?}", "none has no value"),
        ] {
            let error = expand(text, '\\', &values).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn growth_and_depth_have_an_end() {
        let long = |_: &str| Some("x".repeat(100_000));
        assert!(expand(&"$a".repeat(1000), '\\', &long).is_err());
        assert!(expand(&"${a//x/$a}".repeat(3), '\\', &long).is_err());
        assert!(expand(&"${none:-".repeat(10_000), '\\', &values).is_err());
    }

    #[test]
    fn variables_of_a_word() {
        assert_eq!(
            variables("$a/${b:-$c}'$d'${a}", '\\'),
            [
                ("a".to_owned(), false),
                ("b".to_owned(), true),
                ("c".to_owned(), false)
            ]
        );
    }
}
