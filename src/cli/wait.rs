//! `rpod wait`: until containers end.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;

/// Wait until containers end, and print their exit statuses
#[derive(Debug, Parser)]
pub struct Args {
    /// Container
    #[arg(value_name = "CONTAINER", required = true)]
    names: Vec<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let session = door.session()?;
        door.each(&self.names, |name| {
            let status = ops::wait::wait(&session, name)?;
            terminal::line(&status.to_string())
        })
    }
}
