//! `rpod commit`: an image of what a container is now.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::{image_format, name_to_give};
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::{Context, Result};
use crate::ops;

/// Make an image of what a container is now
#[derive(Debug, Parser)]
pub struct Args {
    /// Who made it: "Ann <ann@example.org>"
    #[arg(short, long, default_value = "", hide_default_value = true)]
    author: String,
    /// Change a setting: CMD, ENTRYPOINT, ENV, EXPOSE … (can be repeated)
    #[arg(short, long = "change", value_name = "INSTRUCTION")]
    changes: Vec<String>,
    /// Write its manifest as oci or docker
    #[arg(short, long, default_value = "oci")]
    format: String,
    /// Write the image's id to this file
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    iidfile: Option<String>,
    /// Say what was changed and why
    #[arg(short, long, default_value = "", hide_default_value = true)]
    message: String,
    /// Pause the container meanwhile
    #[arg(short, long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", hide_possible_values = true)]
    pause: bool,
    /// Print nothing but the image's id
    #[arg(short, long)]
    quiet: bool,
    /// Make one layer of the image's and the container's own
    #[arg(long)]
    squash: bool,
    /// Container
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// The image's name
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let request = ops::commit::Request {
            container: self.container,
            name: self.name.as_deref().map(name_to_give).transpose()?,
            author: self.author,
            message: self.message,
            changes: self.changes,
            pause: self.pause,
            squash: self.squash,
            format: image_format(&self.format)?,
        };
        let id = ops::commit::commit(&door.open(self.quiet)?, &request)?;
        if let Some(path) = &self.iidfile {
            std::fs::write(path, id.as_str()).what(|| format!("cannot write \"{path}\""))?;
        }
        terminal::line(id.as_str())?;
        Ok(0)
    }
}
