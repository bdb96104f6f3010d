//! `rpod kill`: a signal for containers' programs.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;

/// Send a signal to containers
#[derive(Debug, Parser)]
pub struct Args {
    /// Send this signal
    #[arg(short, long, default_value = "KILL")]
    signal: String,
    /// Container
    #[arg(value_name = "CONTAINER", required = true)]
    names: Vec<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let session = door.session()?;
        door.each(&self.names, |name| {
            ops::kill::kill(&session, name, &self.signal)?;
            terminal::line(name)
        })
    }
}
