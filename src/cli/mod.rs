//! Doors for people: one file a verb, from arguments to a request to what is shown.
//!
//! ```text
//! words typed → verbs (which verb?) → words (docker's flags made plain)
//!   → clap (typed values) → the verb's file: a request for ops → render
//!   → failure (what went wrong) → exit status
//! ```
//!
//! Lives here: flags, help, rendering, and the last words of a failure.
//! Must not: decide what a verb means (`ops`).
//! Called by: `main`.
//! Always true: standard output has the answer, standard error everything else.
//! Only the verb that was typed builds its table of flags, and `--version` none,
//! so that the way to a container's start is short.

mod attach;
mod build;
mod builder;
mod commit;
mod completion;
mod cp;
mod create;
mod diff;
mod door;
mod exec;
mod export;
mod failure;
mod flags;
mod help;
mod history;
mod image;
mod images;
mod import;
mod info;
mod inspect;
mod kill;
mod load;
mod login;
mod logout;
mod logs;
mod manifest;
mod mount;
mod network;
mod pause;
mod port;
mod prune;
mod ps;
mod pull;
mod push;
mod rename;
mod render;
mod restart;
mod rm;
mod rmi;
mod run;
mod save;
mod search;
mod start;
mod stop;
#[cfg(test)]
mod surface;
mod system;
mod tag;
mod template;
mod unshare;
mod untag;
mod verbs;
mod version;
mod volume;
mod wait;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::cli::door::Door;
use crate::cli::render::terminal::{self, Level};
use crate::cli::verbs::{Found, Verb};
use crate::cli::words::Plain;
use crate::error::{Error, Kind, Result};
use crate::ops::launch::Roles;

/// Runs the command line and returns the exit status.
pub fn main(roles: Roles) -> ExitCode {
    let words = std::env::args_os().skip(1);
    let (outcome, runs) = match as_text(words).and_then(|words| before_verb(&words)) {
        Ok(Start::Verb(found)) => (enter(&found, roles), found.verb.runs),
        Ok(Start::Answered) => (Ok(0), false),
        Err(error) => (Err(error), false),
    };
    match outcome {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            failure::say(&error);
            ExitCode::from(failure::status(&error, runs))
        }
    }
}

/// What the words before a verb came to.
enum Start {
    /// They asked for something that is answered already.
    Answered,
    /// A verb, and its words.
    Verb(Found),
}

/// Requests, records and JSON are text, so words have to be.
fn as_text(words: impl Iterator<Item = OsString>) -> Result<Vec<String>> {
    words
        .map(|word| {
            word.into_string().map_err(|word| {
                Error::of(Kind::Usage, format!("the word {word:?} is not valid UTF-8"))
            })
        })
        .collect()
}

/// Reads rpod's own flags, and finds the verb.
fn before_verb(words: &[String]) -> Result<Start> {
    let mut rest = words;
    while let Some((word, after)) = rest.split_first() {
        rest = after;
        match word.as_str() {
            "--version" | "-v" => {
                terminal::line(&version::line())?;
                return Ok(Start::Answered);
            }
            "--help" | "-h" => {
                terminal::answer(&help::all())?;
                return Ok(Start::Answered);
            }
            "--debug" | "-D" => terminal::set_level(Level::Debug),
            "--log-level" | "-l" => {
                let Some((level, after)) = rest.split_first() else {
                    return Err(Error::of(Kind::Usage, format!("{word} needs a value")));
                };
                rest = after;
                terminal::set_level(level_of(level)?);
            }
            other if other.starts_with("--log-level=") => {
                terminal::set_level(level_of(&other["--log-level=".len()..])?);
            }
            "help" => {
                terminal::answer(&help::about(rest)?)?;
                return Ok(Start::Answered);
            }
            other if other.starts_with('-') => {
                return Err(Error::of(Kind::Usage, format!("unknown flag: {other}"))
                    .hint("a verb's own flags stand after it: `rpod run --rm …`"));
            }
            _ => return verbs::find(word, rest).map(Start::from_found),
        }
    }
    terminal::answer(&help::all())?;
    Ok(Start::Answered)
}

impl Start {
    fn from_found(found: verbs::Search) -> Self {
        match found {
            verbs::Search::Verb(found) => Self::Verb(found),
            verbs::Search::Answered => Self::Answered,
        }
    }
}

fn level_of(text: &str) -> Result<Level> {
    match text.to_ascii_lowercase().as_str() {
        "debug" | "trace" => Ok(Level::Debug),
        "info" | "warn" | "warning" => Ok(Level::Warn),
        "error" | "fatal" | "panic" => Ok(Level::Error),
        _ => Err(Error::of(
            Kind::Usage,
            format!("\"{text}\" is no level: debug, info, warn, error and fatal are"),
        )),
    }
}

/// Does what a verb says.
fn enter(found: &Found, roles: Roles) -> Result<u8> {
    let Found {
        verb,
        called,
        words,
    } = found;
    let mut command = verb.command(called);
    match words::plain(verb, &command, called, words)? {
        Plain::Help => {
            terminal::answer(&help::of(&mut command))?;
            Ok(0)
        }
        Plain::Words(words) => {
            let usage = verb.usage_of(called);
            let matches = command
                .try_get_matches_from_mut(std::iter::once("rpod".to_owned()).chain(words))
                .map_err(|error| missing(verb, failure::of_clap(&error, &usage)))?;
            (verb.run)(&matches, &Door::new(roles))
        }
    }
}

/// A verb may have better advice for somebody who left its operand out.
fn missing(verb: &Verb, error: Error) -> Error {
    match verb.when_empty {
        Some(hint) if error.to_string().ends_with(" missing") => error.hint(hint),
        _ => error,
    }
}

#[cfg(test)]
mod tests;
