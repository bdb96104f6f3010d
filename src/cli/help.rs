//! What `--help` shows, and the whole tree of verbs for manuals and completions.
//!
//! Lives here: the page of all verbs, that of a noun, and the shape of a verb's.
//! Must not: know a flag.
//! Called by: `cli`, `verbs`, `completion`.
//! Always true: a verb is listed here only when it works.

use clap::{Arg, ArgAction, Command};

use crate::cli::verbs;
use crate::cli::verbs::{Group, NOUNS, Noun, Search, VERBS, Verb};
use crate::error::{Error, Kind, Result};

/// The order of a verb's page.
pub const TEMPLATE: &str = "\
Usage: {usage}

{about-with-newline}
{all-args}{after-help}";

/// One of rpod's own flags, before the verb.
struct Own {
    short: char,
    long: &'static str,
    about: &'static str,
    takes_value: bool,
}

const fn own(short: char, long: &'static str, about: &'static str, takes_value: bool) -> Own {
    Own {
        short,
        long,
        about,
        takes_value,
    }
}

/// rpod's own flags; `cli::before_verb` reads them.
const OPTIONS: &[Own] = &[
    own('v', "version", "Print the version", false),
    own('h', "help", "Print this help", false),
    own('D', "debug", "Say more about a failure", false),
    own(
        'l',
        "log-level",
        "Say as much: debug, info, warn, error or fatal",
        true,
    ),
];

const ABOUT: &str = "Containers for unprivileged users: no daemon, no root";

/// Returns the page of all verbs.
pub fn all() -> String {
    let mut out = format!("Usage: rpod [OPTIONS] COMMAND\n\n{ABOUT}\n");
    for (group, title) in [
        (Group::Common, "Common commands"),
        (Group::Containers, "Containers"),
        (Group::Images, "Images"),
        (Group::System, "This machine"),
    ] {
        out.push_str(&format!("\n{title}:\n"));
        for verb in VERBS.iter().filter(|verb| verb.group == group) {
            out.push_str(&row(verb.name, &about_of(verb)));
        }
    }
    out.push_str("\nBy noun:\n");
    for noun in NOUNS {
        out.push_str(&row(noun.name, noun.about));
    }
    out.push_str("\nOptions:\n");
    for flag in OPTIONS {
        let shown = format!("-{}, --{}", flag.short, flag.long);
        out.push_str(&format!("  {shown:<17} {}\n", flag.about));
    }
    out.push_str(
        "\nRun `rpod COMMAND --help` for a command's own page.\n\
         Try the image built into rpod: `rpod run -d -p 1234:8080 kubia`\n",
    );
    out
}

/// Returns the page of a noun.
pub fn noun(noun: &Noun) -> String {
    let mut out = format!(
        "Usage: rpod {} COMMAND\n\n{}\n\nCommands:\n",
        noun.name, noun.about
    );
    for (names, name) in noun.verbs {
        if let Some(verb) = verbs::named(name) {
            out.push_str(&row(names[0], &about_of(verb)));
        }
    }
    out.push_str(&format!(
        "\nRun `rpod {} COMMAND --help` for a command's own page.\n",
        noun.name
    ));
    out
}

/// Returns the page that `rpod help WORDS` asks for.
pub fn about(words: &[String]) -> Result<String> {
    let Some((first, rest)) = words.split_first() else {
        return Ok(all());
    };
    if rest.is_empty()
        && let Some(found) = NOUNS.iter().find(|noun| noun.name == first)
    {
        return Ok(noun(found));
    }
    match verbs::find(first, rest)? {
        Search::Verb(found) => Ok(of(&mut found.verb.command(&found.called))),
        Search::Answered => Err(Error::of(Kind::Usage, "there is no more help than that")),
    }
}

/// Returns a verb's page.
pub fn of(command: &mut Command) -> String {
    command.render_help().to_string()
}

/// Returns the whole tree, for manuals and completions.
pub fn tree() -> Command {
    let mut root = Command::new("rpod")
        .about(ABOUT)
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .args(OPTIONS.iter().map(|flag| {
            let action = if flag.takes_value {
                ArgAction::Set
            } else {
                ArgAction::SetTrue
            };
            Arg::new(flag.long)
                .short(flag.short)
                .long(flag.long)
                .help(flag.about)
                .action(action)
        }));
    for verb in VERBS.iter().filter(|verb| verb.group != Group::Noun) {
        root = root.subcommand(verb.command(verb.name));
    }
    for noun in NOUNS {
        let mut branch = Command::new(noun.name)
            .about(noun.about)
            .disable_help_subcommand(true)
            .subcommand_required(true);
        for (names, name) in noun.verbs {
            let Some(verb) = verbs::named(name) else {
                continue;
            };
            let called = format!("{} {}", noun.name, names[0]);
            branch = branch.subcommand(
                verb.command(&called)
                    .name(names[0])
                    .visible_aliases(&names[1..]),
            );
        }
        root = root.subcommand(branch);
    }
    root
}

fn about_of(verb: &Verb) -> String {
    verb.command(verb.name)
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn row(name: &str, about: &str) -> String {
    format!("  {name:<11} {about}\n")
}
