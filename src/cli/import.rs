//! `rpod import`: an image of a tar of files.
use std::io;

use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::{name_to_give, usage};
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;

/// Make an image of a tar of files
#[derive(Debug, Parser)]
pub struct Args {
    /// Change a setting: CMD, ENTRYPOINT, ENV, EXPOSE … (can be repeated)
    #[arg(short, long = "change", value_name = "INSTRUCTION")]
    changes: Vec<String>,
    /// Say what it is and why
    #[arg(short, long)]
    message: Option<String>,
    /// Say that it is for this platform: linux/arm64
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// Print nothing but the image's id
    #[arg(short, long)]
    quiet: bool,
    /// A tar, compressed or not; - is standard input
    #[arg(value_name = "FILE|URL|-", allow_hyphen_values = true)]
    source: String,
    /// The image's name
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        if self.source == "-" && terminal::stdin_is_terminal() {
            return Err(usage(
                "there is nothing to import: standard input is a terminal".to_owned(),
            )
            .hint("name a file: `rpod import files.tar`"));
        }
        let request = ops::import::Request {
            source: self.source,
            name: self.name.as_deref().map(name_to_give).transpose()?,
            message: self.message,
            changes: self.changes,
            platform: self.platform.as_deref().map(str::parse).transpose()?,
        };
        let id = ops::import::import(&door.open(self.quiet)?, &request, &mut io::stdin())?;
        terminal::line(id.as_str())?;
        Ok(0)
    }
}
