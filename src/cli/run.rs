//! `rpod run`: a new container, started, and in the foreground watched to its end.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::container::Flags;
use crate::cli::flags::usage;
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;
use crate::ops::run::Outcome;

/// Create a container from an image and start it
#[derive(Debug, Parser)]
#[command(
    after_help = "Try the image built into rpod: `rpod run -d -p 1234:8080 kubia`\n\
                  After IMAGE nothing is a flag of rpod's: the rest is the program's"
)]
pub struct Args {
    /// Leave it in the background and print its id
    #[arg(short, long)]
    detach: bool,
    /// Attach to stdin, stdout or stderr (can be repeated)
    #[arg(short, long, value_name = "STREAM")]
    attach: Vec<String>,
    /// Pass signals on to the program
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", hide_possible_values = true)]
    sig_proxy: bool,
    /// Type these keys to detach; the default is ctrl-p,ctrl-q
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<String>,
    #[command(flatten)]
    flags: Flags,
    /// Image
    #[arg(value_name = "IMAGE")]
    image: String,
    /// Program and its words, instead of the image's
    #[arg(
        value_name = "COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    command: Vec<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let options = ops::run::Options {
            detach: self.detach,
            attach: streams(&self.attach)?,
            sig_proxy: self.sig_proxy,
            detach_keys: self.detach_keys,
        };
        if self.detach && !self.attach.is_empty() {
            return Err(usage("--detach and --attach exclude each other".to_owned()));
        }
        if !self.detach && self.flags.is_interactive_terminal() && !terminal::stdin_is_terminal() {
            terminal::warn("standard input is no terminal, so -t may not work as expected");
        }
        let quiet = self.flags.quiet;
        let request = self.flags.request(self.image, self.command)?;
        match ops::run::run(&door.open(quiet)?, request, options)? {
            Outcome::Detached(id) => {
                terminal::line(id.as_str())?;
                Ok(0)
            }
            Outcome::Exited(status) => Ok(exit_status(status)),
        }
    }
}

/// Reads `-a`.
fn streams(typed: &[String]) -> Result<Vec<String>> {
    typed
        .iter()
        .map(|name| match name.to_lowercase().as_str() {
            name @ ("stdin" | "stdout" | "stderr") => Ok(name.to_owned()),
            _ => Err(usage(format!(
                "--attach cannot be \"{name}\": stdin, stdout or stderr"
            ))),
        })
        .collect()
}

/// An exit status has eight bits (wait(2)).
pub fn exit_status(status: i32) -> u8 {
    u8::try_from(status & 0xff).unwrap_or(255)
}
