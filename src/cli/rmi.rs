//! `rpod rmi`: names of images go, and images that nothing names.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::{Kind, Result};
use crate::ops;
use crate::ops::rmi::{Options, Removed};

/// Remove images
#[derive(Debug, Parser)]
pub struct Args {
    /// Remove also what a container uses; what is not there is no error
    #[arg(short, long)]
    force: bool,
    /// Image
    #[arg(value_name = "IMAGE", required = true)]
    names: Vec<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let session = door.session()?;
        let options = Options {
            force: self.force,
            all_names: false,
        };
        door.each(&self.names, |name| {
            let done = match ops::rmi::remove(&session, name, options) {
                Err(error) if self.force && error.kind() == Kind::NotFound => return Ok(()),
                done => done?,
            };
            done.iter().try_for_each(|one| match one {
                Removed::Untagged(name) => terminal::line(&format!("Untagged: {name}")),
                Removed::Deleted(id) => terminal::line(&format!("Deleted: {id}")),
            })
        })
    }
}
