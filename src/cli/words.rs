//! The words after a verb, as docker's flags have them, made plain for clap.
//!
//! docker's grammar differs from clap's: `--rm=false` and `-d=true` are flags
//! with a value, a flag's value may begin with `-`, and after the first operand
//! of `run` nothing is a flag. So the words are walked once with the verb's own
//! table of flags, and what clap reads has each flag with its value in one word.
//!
//! Lives here: that walk, and what is said when a flag is unknown, is not built
//! yet, or lacks its value.
//! Must not: know what a flag means.
//! Called by: `cli`, for the one verb that was typed.
//! Always true: a flag is understood or refused, never dropped.

use clap::{Arg, ArgAction, Command};

use crate::cli::verbs::Verb;
use crate::error::{Error, Kind, Result};
use crate::spec::{boolean, suggest};

/// What the words came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Plain {
    /// Words for clap.
    Words(Vec<String>),
    /// Help was asked for.
    Help,
}

/// Walks the words that follow a verb. `called` is the verb as typed (`container rm`).
pub fn plain(verb: &Verb, command: &Command, called: &str, words: &[String]) -> Result<Plain> {
    let mut walk = Walk {
        verb,
        called,
        flags: command
            .get_arguments()
            .filter(|a| !a.is_positional())
            .collect(),
        out: Vec::new(),
        words: words.iter(),
    };
    let help = walk.all()?;
    if help {
        return Ok(Plain::Help);
    }
    Ok(Plain::Words(
        walk.out.into_iter().map(|(_, word)| word).collect(),
    ))
}

struct Walk<'a> {
    verb: &'a Verb,
    called: &'a str,
    flags: Vec<&'a Arg>,
    /// Words for clap, each with the flag it belongs to.
    out: Vec<(Option<&'a Arg>, String)>,
    words: std::slice::Iter<'a, String>,
}

impl<'a> Walk<'a> {
    /// Says whether help was asked for.
    fn all(&mut self) -> Result<bool> {
        while let Some(word) = self.words.next() {
            let help = if word == "--" {
                self.rest();
                false
            } else if let Some(long) = word.strip_prefix("--") {
                self.long(word, long)?
            } else if word.len() > 1 && word.starts_with('-') {
                self.short(word)?
            } else {
                if self.verb.operands_end_flags {
                    self.rest_from(word);
                } else {
                    self.out.push((None, word.clone()));
                }
                false
            };
            if help {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn rest(&mut self) {
        self.out.push((None, "--".to_owned()));
        for word in self.words.by_ref() {
            self.out.push((None, word.clone()));
        }
    }

    fn rest_from(&mut self, first: &str) {
        self.out.push((None, "--".to_owned()));
        self.out.push((None, first.to_owned()));
        for word in self.words.by_ref() {
            self.out.push((None, word.clone()));
        }
    }

    fn long(&mut self, word: &str, long: &str) -> Result<bool> {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        let Some(flag) = self.find_long(name) else {
            return Err(self.unknown(&format!("--{name}"), word));
        };
        self.flag(flag, &format!("--{name}"), value.map(str::to_owned))
    }

    fn short(&mut self, word: &str) -> Result<bool> {
        let body = &word[1..];
        let name = body.split('=').next().unwrap_or(body);
        // docker reads `-username=x` as `-u sername=x`; nobody means that.
        if name.chars().count() > 1
            && let Some(flag) = self.find_long(name)
        {
            if self.verb.one_dash {
                let value = body.split_once('=').map(|(_, value)| value.to_owned());
                return self.flag(flag, &format!("--{name}"), value);
            }
            return Err(self
                .usage(format!(
                    "-{name} is no flag: a long flag begins with two dashes"
                ))
                .hint(format!("did you mean `-{word}`?")));
        }
        let mut rest = body;
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            let shown = format!("-{letter}");
            let Some(flag) = self.find_short(letter) else {
                return Err(self.unknown(&shown, word));
            };
            let value = rest.strip_prefix('=');
            if takes_nothing(flag) && value.is_none() {
                if self.flag(flag, &shown, None)? {
                    return Ok(true);
                }
                continue;
            }
            let value = match value {
                Some(value) => Some(value),
                None if rest.is_empty() => None,
                None => Some(rest),
            };
            return self.flag(flag, &shown, value.map(str::to_owned));
        }
        Ok(false)
    }

    /// Takes one flag; says whether it asks for help.
    fn flag(&mut self, flag: &'a Arg, shown: &str, value: Option<String>) -> Result<bool> {
        if takes_nothing(flag) {
            let on = match value {
                Some(value) => boolean::parse(&value).ok_or_else(|| {
                    self.usage(format!("{shown} is true or false, not \"{value}\""))
                })?,
                None => true,
            };
            if on && flag.get_id() == "help" {
                return Ok(true);
            }
            // The last word counts, so an earlier one is taken back.
            self.out
                .retain(|(owner, _)| owner.is_none_or(|o| o.get_id() != flag.get_id()));
            if on {
                self.out.push((Some(flag), form(flag, None)));
            }
            return Ok(false);
        }
        // A flag that may stand without a value is true then, and has false as well.
        let optional = flag.get_num_args().is_some_and(|n| n.min_values() == 0);
        let truth = !flag.get_possible_values().is_empty();
        let value = match value {
            Some(value) if optional && truth => Some(
                boolean::parse(&value)
                    .ok_or_else(|| {
                        self.usage(format!("{shown} is true or false, not \"{value}\""))
                    })?
                    .to_string(),
            ),
            Some(value) => Some(value),
            None if optional => None,
            None => Some(
                self.words
                    .next()
                    .cloned()
                    .ok_or_else(|| self.usage(format!("{shown} needs a value")))?,
            ),
        };
        self.out.push((Some(flag), form(flag, value.as_deref())));
        Ok(false)
    }

    fn find_long(&self, name: &str) -> Option<&'a Arg> {
        self.flags.iter().copied().find(|flag| {
            flag.get_long() == Some(name)
                || flag.get_all_aliases().is_some_and(|a| a.contains(&name))
        })
    }

    fn find_short(&self, letter: char) -> Option<&'a Arg> {
        self.flags.iter().copied().find(|flag| {
            flag.get_short() == Some(letter)
                || flag
                    .get_all_short_aliases()
                    .is_some_and(|a| a.contains(&letter))
        })
    }

    fn unknown(&self, shown: &str, word: &str) -> Error {
        let later = || self.verb.flags_to_come.iter().copied();
        if later().any(|flag| flag == shown) {
            return self
                .usage(format!("rpod has no {shown} for `{}` yet", self.called))
                .hint("leave it out; nothing else stands for it");
        }
        let longs = || self.flags.iter().filter_map(|flag| flag.get_long());
        let error = if word.starts_with("--") || word.len() == 2 {
            self.usage(format!("unknown flag: {shown}"))
        } else {
            self.usage(format!("unknown flag: {shown} in {word}"))
        };
        let typed = word.trim_start_matches('-');
        let typed = typed.split('=').next().unwrap_or(typed);
        match suggest::nearest(typed, longs()) {
            Some(near) => error.hint(format!("did you mean `--{near}`?")),
            None => error.hint(format!("`rpod {} --help` lists its flags", self.called)),
        }
    }

    fn usage(&self, why: String) -> Error {
        Error::of(Kind::Usage, why)
    }
}

fn takes_nothing(flag: &Arg) -> bool {
    matches!(
        flag.get_action(),
        ArgAction::SetTrue | ArgAction::SetFalse | ArgAction::Help
    )
}

/// One word that clap reads as this flag, whatever the value begins with.
fn form(flag: &Arg, value: Option<&str>) -> String {
    let name = match (flag.get_long(), flag.get_short()) {
        (Some(long), _) => format!("--{long}"),
        (None, Some(short)) => format!("-{short}"),
        (None, None) => String::new(),
    };
    match value {
        Some(value) => format!("{name}={value}"),
        None => name,
    }
}
