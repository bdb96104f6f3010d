//! `rpod rm`: containers go.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;

/// Remove containers
#[derive(Debug, Parser)]
pub struct Args {
    /// Kill them first if they run; what is not there is no error
    #[arg(short, long)]
    force: bool,
    /// Remove their anonymous volumes as well
    #[arg(short, long)]
    volumes: bool,
    /// Container
    #[arg(value_name = "CONTAINER", required = true)]
    names: Vec<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let session = door.session()?;
        let options = ops::rm::Options {
            force: self.force,
            volumes: self.volumes,
        };
        door.each(&self.names, |name| {
            if ops::rm::remove(&session, name, options)? {
                terminal::line(name)?;
            }
            Ok(())
        })
    }
}
