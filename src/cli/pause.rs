//! `rpod pause` and `rpod unpause`: all processes of containers stop, and go on.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;

/// Stop all processes of containers where they are
#[derive(Debug, Parser)]
pub struct Args {
    /// Containers
    #[arg(required = true, value_name = "CONTAINER")]
    names: Vec<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let session = door.session()?;
        door.each(&self.names, |name| {
            ops::pause::pause(&session, name)?;
            terminal::line(name)
        })
    }
}

/// Let all processes of paused containers go on
#[derive(Debug, Parser)]
pub struct Unpause {
    /// Containers
    #[arg(required = true, value_name = "CONTAINER")]
    names: Vec<String>,
}

impl Act for Unpause {
    fn act(self, door: &Door) -> Result<u8> {
        let session = door.session()?;
        door.each(&self.names, |name| {
            ops::pause::unpause(&session, name)?;
            terminal::line(name)
        })
    }
}
