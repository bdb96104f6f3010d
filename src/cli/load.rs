//! `rpod load`: images from an archive.
use std::io;

use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::usage;
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;
use crate::ops::load::Loaded;

/// Load images from an archive or an OCI layout
#[derive(Debug, Parser)]
pub struct Args {
    /// Read this file or directory instead of standard input
    #[arg(short, long, value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    input: Option<String>,
    /// Take only images for this platform: linux/arm64
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// Say nothing while loading
    #[arg(short, long)]
    quiet: bool,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let path = self.input.as_deref().filter(|path| *path != "-");
        if path.is_none() && terminal::stdin_is_terminal() {
            return Err(
                usage("there is nothing to load: standard input is a terminal".to_owned())
                    .hint("name a file: `rpod load -i images.tar`"),
            );
        }
        let session = door.open(self.quiet)?;
        let platform = self.platform.as_deref().map(str::parse).transpose()?;
        let loaded = ops::load::load(&session, path, platform.as_ref(), &mut io::stdin())?;
        for one in loaded {
            terminal::line(&match one {
                Loaded::Name(name) => format!("Loaded image: {name}"),
                Loaded::Id(id) => format!("Loaded image ID: {id}"),
            })?;
        }
        Ok(0)
    }
}
