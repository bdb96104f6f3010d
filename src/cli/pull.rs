//! `rpod pull`: an image from its registry.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::registry::Registry;
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;
use crate::spec::platform::Platform;
use crate::spec::reference::Reference;

/// Pull an image from its registry
#[derive(Debug, Parser)]
pub struct Args {
    /// Take the image of this platform
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// Print only the image's name when it is there
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    registry: Registry,
    /// docker's; there is no such trust to disable
    #[arg(long, hide = true)]
    disable_content_trust: bool,
    /// Image
    #[arg(value_name = "IMAGE")]
    image: String,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let reference: Reference = self.image.parse()?;
        if !self.quiet && reference.digest.is_none() && !says_tag(&self.image) {
            terminal::complain("Using default tag: latest\n");
        }
        let request = ops::pull::Request {
            reference,
            platform: self
                .platform
                .as_deref()
                .map(str::parse::<Platform>)
                .transpose()?,
            quiet: self.quiet,
            asked: self.registry.asked()?,
        };
        ops::pull::pull(&door.open(self.quiet)?, &request)?;
        terminal::line(&request.reference.to_string())?;
        Ok(0)
    }
}

fn says_tag(typed: &str) -> bool {
    typed
        .rsplit('/')
        .next()
        .is_some_and(|last| last.contains(':'))
}
