//! `rpod start`: containers that are not running begin again.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::failure;
use crate::cli::flags::usage;
use crate::cli::render::terminal;
use crate::cli::run::exit_status;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;

/// Start containers, with their files as they were
#[derive(Debug, Parser)]
pub struct Args {
    /// Show its output and pass signals on until it ends
    #[arg(short, long)]
    attach: bool,
    /// Give it your input as well
    #[arg(short, long)]
    interactive: bool,
    /// Pass signals on to the program
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", hide_possible_values = true)]
    sig_proxy: bool,
    /// Type these keys to detach; the default is ctrl-p,ctrl-q
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<String>,
    /// Container
    #[arg(value_name = "CONTAINER", required = true)]
    names: Vec<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let attached = self.attach || self.interactive;
        if attached && self.names.len() > 1 {
            return Err(usage(
                "--attach and --interactive take one container".to_owned(),
            ));
        }
        let session = door.session()?;
        let options = ops::start::Options {
            attach: attached,
            interactive: self.interactive,
            sig_proxy: self.sig_proxy,
            detach_keys: self.detach_keys,
        };
        if attached {
            let status = ops::start::start(&session, &self.names[0], &options)?;
            return Ok(status.map_or(0, exit_status));
        }
        let mut status = 0;
        for name in &self.names {
            match ops::start::start(&session, name, &options) {
                Ok(_) => terminal::line(name)?,
                // docker's status of a start that failed in the background is 1.
                Err(error) => {
                    failure::say(&error);
                    status = 1;
                }
            }
        }
        Ok(status)
    }
}
