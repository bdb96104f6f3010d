//! `rpod save`: images as an archive.
use std::path::Path;

use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::usage;
use crate::cli::render::output;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;
use crate::ops::save::Form;

/// Write images as an archive
#[derive(Debug, Parser)]
pub struct Args {
    /// Write docker-archive, oci-archive, docker-dir or oci-dir
    #[arg(long, value_name = "FORM", default_value = "docker-archive")]
    format: String,
    /// Take several images, as always
    #[arg(short, long)]
    multi_image_archive: bool,
    /// Podman's; layers are written as they are kept, compressed or not
    #[arg(long, hide = true)]
    uncompressed: bool,
    /// Write to this file or directory instead of standard output
    #[arg(short, long, value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    output: Option<String>,
    /// Take only images for this platform: linux/arm64
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// Say nothing while saving
    #[arg(short, long)]
    quiet: bool,
    /// Image
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let form = match self.format.as_str() {
            "docker-archive" => Form::DockerArchive,
            "oci-archive" => Form::OciArchive,
            "docker-dir" => Form::DockerDir,
            "oci-dir" => Form::OciDir,
            other => {
                return Err(usage(format!(
                    "--format \"{other}\" is not known: docker-archive, oci-archive, docker-dir and oci-dir are"
                )));
            }
        };
        let platform = self.platform.as_deref().map(str::parse).transpose()?;
        let is_archive = matches!(form, Form::DockerArchive | Form::OciArchive);
        let example = format!("rpod save -o images.tar {}", self.images[0]);
        if is_archive {
            output::refuse_terminal(self.output.as_deref(), &example)?;
        }
        let session = door.open(self.quiet)?;
        let found = ops::save::find(&session, &self.images, platform.as_ref())?;
        if is_archive {
            return output::write(self.output.as_deref(), |file| {
                ops::save::to_stream(&session, &found, form, file)
            });
        }
        let Some(place) = &self.output else {
            return Err(usage(format!(
                "--format {} makes a directory: name it with -o",
                self.format
            )));
        };
        ops::save::to_directory(&session, &found, form, Path::new(place))?;
        Ok(0)
    }
}
