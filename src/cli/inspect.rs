//! `rpod inspect`, `container inspect`, `image inspect`: everything known of a thing.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::failure;
use crate::cli::flags::usage;
use crate::cli::render::terminal;
use crate::cli::render::thing::{self, Format};
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;
use crate::ops::inspect::Noun;

/// Show everything known of containers, images, volumes and networks
#[derive(Debug, Parser)]
pub struct Any {
    /// Show as a Go template says, or as json
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Measure how much a container has written
    #[arg(short, long)]
    size: bool,
    /// Look only for a container, image, volume or network
    #[arg(long = "type", value_name = "NOUN")]
    noun: Option<String>,
    /// Name or id
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

/// Show everything known of containers
#[derive(Debug, Parser)]
pub struct Container {
    /// Show as a Go template says, or as json
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Measure how much it has written
    #[arg(short, long)]
    size: bool,
    /// Container
    #[arg(value_name = "CONTAINER", required = true)]
    names: Vec<String>,
}

/// Show everything known of images
#[derive(Debug, Parser)]
pub struct Image {
    /// Show as a Go template says, or as json
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Image
    #[arg(value_name = "IMAGE", required = true)]
    names: Vec<String>,
}

impl Act for Any {
    fn act(self, door: &Door) -> Result<u8> {
        let noun = match self.noun.as_deref() {
            None => Noun::Any,
            Some("container") => Noun::Container,
            Some("image") => Noun::Image,
            Some("volume") => Noun::Volume,
            Some("network") => Noun::Network,
            Some(other) => {
                return Err(usage(format!(
                    "--type cannot be \"{other}\": container, image, volume or network"
                )));
            }
        };
        show(door, &self.names, noun, self.size, self.format.as_deref())
    }
}

impl Act for Container {
    fn act(self, door: &Door) -> Result<u8> {
        let format = self.format.as_deref();
        show(door, &self.names, Noun::Container, self.size, format)
    }
}

impl Act for Image {
    fn act(self, door: &Door) -> Result<u8> {
        show(
            door,
            &self.names,
            Noun::Image,
            false,
            self.format.as_deref(),
        )
    }
}

/// Shows what there is of the names, and says of the others that they are not there.
pub fn show(
    door: &Door,
    names: &[String],
    noun: Noun,
    size: bool,
    format: Option<&str>,
) -> Result<u8> {
    let format = Format::parse(format)?;
    let session = door.session()?;
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for name in names {
        match ops::inspect::inspect(&session, name, noun, size) {
            Ok(value) => found.push(value),
            Err(error) => missing.push(error),
        }
    }
    terminal::answer(&thing::several(&found, format.as_ref())?)?;
    for error in &missing {
        failure::say(error);
    }
    Ok(u8::from(!missing.is_empty()))
}
