//! The last words of a failure, and the exit status.
//!
//! ```text
//! Error: cannot stop container "web": …
//! also: …                          what failed while clearing up
//! hint: …                          what mends it
//! ```
//!
//! Lives here: how an [`Error`] is drawn, which status it gives, and clap's
//! errors in our words.
//! Must not: find out why something failed.
//! Called by: `cli::main`, and verbs that go on after one of several failed.
//! Always true: an error is said once, on standard error; lines end where the
//! error ends, and hold no control characters a hostile name could bring.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::render::style;
use crate::cli::render::terminal;
use crate::error::{Error, Kind};

/// Nobody reads what is said: not worth a word.
pub const NOBODY_READS: &str = "nobody reads standard output any more";

/// Says an error.
pub fn say(error: &Error) {
    if is_quiet(error) {
        return;
    }
    terminal::complain(&text(error, style::standard_error()));
}

/// Returns the exit status of an error. `runs` is true of the verbs whose status is otherwise the container's.
pub fn status(error: &Error, runs: bool) -> u8 {
    match error.kind() {
        _ if is_quiet(error) => 0,
        Kind::CannotInvoke if runs => 126,
        Kind::CommandNotFound if runs => 127,
        _ if runs => 125,
        _ => 1,
    }
}

fn is_quiet(error: &Error) -> bool {
    error.kind() == Kind::BrokenPipe && error.to_string() == NOBODY_READS
}

fn text(error: &Error, colour: bool) -> String {
    let paint = |code: &str, word: &str| {
        if colour {
            format!("\x1b[{code}m{word}\x1b[0m")
        } else {
            word.to_owned()
        }
    };
    let mut out = String::new();
    let heading = paint("1;31", "Error:");
    let sentence = plain(&error.to_string());
    out.push_str(&match error.kind() {
        Kind::Internal => format!(
            "{heading} internal: {sentence} (this is a bug in rpod; rerun with --log-level=debug)\n"
        ),
        _ => format!("{heading} {sentence}\n"),
    });
    if terminal::is_debugging() {
        out.push_str(&format!(
            "debug: kind {:?}, errno {:?}\n",
            error.kind(),
            error.errno()
        ));
    }
    for also in error.also_failed() {
        out.push_str(&format!("{} {}\n", paint("1;33", "also:"), plain(also)));
    }
    for hint in error.hints() {
        out.push_str(&format!("{} {}\n", paint("1;36", "hint:"), plain(hint)));
    }
    out
}

/// Text without control characters but the end of a line and the tab.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Says what clap found wrong in our words. `usage` is the verb's line.
pub fn of_clap(error: &clap::Error, usage: &str) -> Error {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(list)) => Some(list.join(", ")),
        _ => None,
    };
    let argument = context(ContextKind::InvalidArg).unwrap_or_default();
    let flag = argument.split([' ', '=', '[']).next().unwrap_or_default();
    let value = context(ContextKind::InvalidValue).unwrap_or_default();
    let why = match error.kind() {
        ErrorKind::MissingRequiredArgument => {
            let are = if argument.contains(", ") { "are" } else { "is" };
            format!("{} {are} missing", words_of(&argument))
        }
        ErrorKind::UnknownArgument => format!("\"{argument}\" is one word too many"),
        ErrorKind::ArgumentConflict => format!(
            "{flag} and {} exclude each other",
            context(ContextKind::PriorArg).unwrap_or_default()
        ),
        ErrorKind::InvalidValue if value.is_empty() => format!("{flag} needs a value"),
        ErrorKind::InvalidValue => format!(
            "{flag} cannot be \"{value}\": one of {}",
            context(ContextKind::ValidValue).unwrap_or_default()
        ),
        ErrorKind::ValueValidation => {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            format!(
                "{flag} cannot be \"{value}\": {}",
                cause.unwrap_or_default()
            )
        }
        _ => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            first.trim_start_matches("error: ").to_owned()
        }
    };
    Error::of(Kind::Usage, why).hint(format!("usage: `{usage}`"))
}

/// `<CONTAINER>...` → `CONTAINER`.
fn words_of(argument: &str) -> String {
    argument
        .replace(['<', '>', '[', ']'], "")
        .replace("...", "")
}

#[cfg(test)]
mod tests {
    use crate::error::{Error, Kind};

    #[test]
    fn an_error_is_drawn_with_what_also_failed_and_what_mends_it() {
        let error = Error::new("no space left on device")
            .what("cannot pull \"x\x1b[2J\"")
            .also("cannot delete \"y\"")
            .hint("run `df`");
        assert_eq!(
            super::text(&error, false),
            "Error: cannot pull \"x\u{fffd}[2J\": no space left on device\n\
             also: cannot delete \"y\"\nhint: run `df`\n"
        );
        let error = Error::internal("no such step");
        assert_eq!(
            super::text(&error, false),
            "Error: internal: no such step (this is a bug in rpod; rerun with --log-level=debug)\n"
        );
    }

    #[test]
    fn the_status_is_podmans() {
        for (kind, runs, status) in [
            (Kind::Failed, true, 125),
            (Kind::Failed, false, 1),
            (Kind::Usage, true, 125),
            (Kind::Usage, false, 1),
            (Kind::CannotInvoke, true, 126),
            (Kind::CommandNotFound, true, 127),
            (Kind::NotFound, false, 1),
        ] {
            assert_eq!(super::status(&Error::of(kind, "x"), runs), status);
        }
        let gone = Error::of(Kind::BrokenPipe, super::NOBODY_READS);
        assert_eq!(super::status(&gone, true), 0);
    }
}
