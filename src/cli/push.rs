//! `rpod push`: an image to its registry.
use std::path::PathBuf;

use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::compression::{Compression, manifest_format};
use crate::cli::flags::registry::Registry;
use crate::cli::flags::usage;
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::image::push::Wanted;
use crate::ops::push::{self, Done, Request};
use crate::spec::duration;

/// Push an image to its registry
#[derive(Debug, Parser)]
pub struct Args {
    /// Push every tag of the repository
    #[arg(short, long)]
    all_tags: bool,
    /// Write the digest of what was pushed to this file
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    digestfile: Option<PathBuf>,
    /// Print only the image's name when it is there
    #[arg(short, long)]
    quiet: bool,
    /// Push the image of this platform out of a list
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// Write the manifest as oci or v2s2 (docker's)
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
    /// How often more something that failed is tried
    #[arg(long, value_name = "N")]
    retry: Option<u32>,
    /// How long before it is tried again; it doubles
    #[arg(long, value_name = "DURATION")]
    retry_delay: Option<String>,
    #[command(flatten)]
    compression: Compression,
    #[command(flatten)]
    registry: Registry,
    /// Podman's; signatures are things of their own here, and none goes along
    #[arg(long, hide = true)]
    remove_signatures: bool,
    /// docker's; there is no such trust to disable
    #[arg(long, hide = true)]
    disable_content_trust: bool,
    /// Image
    #[arg(value_name = "IMAGE")]
    image: String,
    /// What it is to be called at the registry
    #[arg(value_name = "DESTINATION")]
    destination: Option<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        if self.all_tags && self.destination.is_some() {
            return Err(usage(
                "--all-tags is of one name, and there are two".to_owned(),
            ));
        }
        let says_tag = self
            .image
            .rsplit('/')
            .next()
            .is_some_and(|last| last.contains([':', '@']));
        if !self.quiet && !self.all_tags && !says_tag && self.destination.is_none() {
            terminal::complain("Using default tag: latest\n");
        }
        let wanted = Wanted {
            manifest: manifest_format(self.format.as_deref())?,
            ..self.compression.wanted()?
        };
        let delay = self.retry_delay.as_deref().map(duration::parse);
        let request = Request {
            image: self.image,
            destination: self.destination,
            all_tags: self.all_tags,
            quiet: self.quiet,
            wanted,
            platform: self.platform.as_deref().map(str::parse).transpose()?,
            retries: self.retry,
            delay: delay.transpose()?,
            asked: self.registry.asked()?,
        };
        let done = push::push(&door.open(self.quiet)?, &request)?;
        if let (Some(path), Some(last)) = (&self.digestfile, done.last()) {
            push::write_digest(path, &last.pushed)?;
        }
        for one in &done {
            say(one, self.quiet)?;
        }
        Ok(0)
    }
}

/// Says docker's closing line.
fn say(done: &Done, quiet: bool) -> Result<()> {
    if quiet {
        return terminal::line(&done.name.to_string());
    }
    let tag = done.name.tag.as_deref().unwrap_or_default();
    terminal::line(&format!(
        "{tag}: digest: {} size: {}",
        done.pushed.digest, done.pushed.size
    ))
}
