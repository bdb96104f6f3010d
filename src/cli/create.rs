//! `rpod create`: a new container that waits to be started.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::container::Flags;
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;

/// Create a container from an image and leave it to be started
#[derive(Debug, Parser)]
#[command(after_help = "Start it with `rpod start`")]
pub struct Args {
    /// docker's; what is attached is decided at the start
    #[arg(short, long, hide = true)]
    attach: Vec<String>,
    #[command(flatten)]
    flags: Flags,
    /// Image
    #[arg(value_name = "IMAGE")]
    image: String,
    /// Program and its words, instead of the image's
    #[arg(
        value_name = "COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    command: Vec<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let quiet = self.flags.quiet;
        let request = self.flags.request(self.image, self.command)?;
        let id = ops::create::create(&door.open(quiet)?, request)?;
        terminal::line(id.as_str())?;
        Ok(0)
    }
}
