//! `rpod unshare`: a program in the user's own namespace.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;

/// Run a program, or your shell, in your own user namespace
#[derive(Debug, Parser)]
pub struct Args {
    /// Program and its words
    #[arg(
        value_name = "COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    command: Vec<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let status = ops::unshare::unshare(&door.session()?, &self.command)?;
        Ok(u8::try_from(status).unwrap_or(1))
    }
}
