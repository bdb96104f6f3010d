//! `rpod attach`: our terminal becomes a running container's.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::run::exit_status;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;

/// Attach to a running container's input and output
#[derive(Debug, Parser)]
pub struct Args {
    /// Do not give it your input
    #[arg(long)]
    no_stdin: bool,
    /// Pass signals on to the program
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", hide_possible_values = true)]
    sig_proxy: bool,
    /// Type these keys to detach; the default is ctrl-p,ctrl-q
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<String>,
    /// Container
    #[arg(value_name = "CONTAINER")]
    name: String,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let options = ops::attach::Options {
            no_stdin: self.no_stdin,
            sig_proxy: self.sig_proxy,
            detach_keys: self.detach_keys,
        };
        let status = ops::attach::attach(&door.session()?, &self.name, &options)?;
        Ok(status.map_or(0, exit_status))
    }
}
