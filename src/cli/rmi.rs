//! `rpod rmi`: names of images go, and images that nothing names.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::usage;
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::{Kind, Result};
use crate::ops;
use crate::ops::rmi::{Options, Removed};

/// Remove images
#[derive(Debug, Parser)]
pub struct Args {
    /// Remove all images, each with all its names
    #[arg(short, long)]
    all: bool,
    /// Remove also what a container uses; what is not there is no error
    #[arg(short, long)]
    force: bool,
    /// Take it for no error that one is not there
    #[arg(short, long)]
    ignore: bool,
    /// Keep untagged parents; rpod never removes them
    #[arg(long)]
    no_prune: bool,
    /// Remove it only if it is for this platform
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// Image
    #[arg(value_name = "IMAGE")]
    names: Vec<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let session = door.session()?;
        let names = match (self.all, self.names.is_empty()) {
            (true, true) => ops::rmi::all(&session)?,
            (false, false) => self.names,
            (true, false) => return Err(usage("--all names all images already".to_owned())),
            (false, true) => {
                return Err(usage("`rpod rmi` needs an IMAGE".to_owned())
                    .hint("`rpod images` lists the images there are"));
            }
        };
        let options = Options {
            force: self.force,
            all_names: self.all,
            platform: self.platform.as_deref().map(str::parse).transpose()?,
        };
        let is_no_error = self.force || self.ignore || self.all;
        door.each(&names, |name| {
            let done = match ops::rmi::remove(&session, name, &options) {
                Err(error) if is_no_error && error.kind() == Kind::NotFound => return Ok(()),
                done => done?,
            };
            done.iter().try_for_each(|one| match one {
                Removed::Untagged(name) => terminal::line(&format!("Untagged: {name}")),
                Removed::Deleted(id) => terminal::line(&format!("Deleted: {id}")),
            })
        })
    }
}
