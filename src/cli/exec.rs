//! `rpod exec`: another program in a running container.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::pairs;
use crate::cli::render::terminal;
use crate::cli::run::exit_status;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;

/// Run another program in a running container
#[derive(Debug, Parser)]
pub struct Args {
    /// Leave it in the background
    #[arg(short, long)]
    detach: bool,
    /// Keep standard input open
    #[arg(short, long)]
    interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    tty: bool,
    /// Set a variable; without = it takes yours (can be repeated)
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    env: Vec<String>,
    /// Read variables from a file (can be repeated)
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    env_file: Vec<String>,
    /// Start in this directory
    #[arg(short, long, value_name = "DIRECTORY")]
    workdir: Option<String>,
    /// Run as this user
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Give it every right that you have
    #[arg(long)]
    privileged: bool,
    /// Type these keys to detach; the default is ctrl-p,ctrl-q
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<String>,
    /// Container
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// Program and its words
    #[arg(
        value_name = "COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required = true
    )]
    command: Vec<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        if !self.detach && self.tty && self.interactive && !terminal::stdin_is_terminal() {
            terminal::warn("standard input is no terminal, so -t may not work as expected");
        }
        let request = ops::exec::Request {
            container: self.container,
            command: self.command,
            detach: self.detach,
            interactive: self.interactive,
            tty: self.tty,
            env: pairs::environment(&self.env_file, &self.env)?,
            workdir: self.workdir,
            user: self.user,
            privileged: self.privileged,
            detach_keys: self.detach_keys,
        };
        let status = ops::exec::exec(&door.session()?, &request)?;
        Ok(exit_status(status))
    }
}
