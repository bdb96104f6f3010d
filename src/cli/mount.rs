//! `rpod mount`, `umount`, `image mount` and `image unmount`: files of containers and
//! images inside `rpod unshare`.
use clap::Parser;
use serde_json::json;

use crate::cli::door::Door;
use crate::cli::flags::usage;
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;
use crate::ops::mount::Mounted;
use crate::ops::{Session, ps};

/// Mount containers inside `rpod unshare`, or list what is mounted
#[derive(Debug, Parser)]
pub struct Args {
    /// Mount every container
    #[arg(short, long)]
    all: bool,
    /// List as json
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Container
    #[arg(value_name = "CONTAINER")]
    names: Vec<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let session = door.session()?;
        let names = if self.all {
            containers(&session)?
        } else {
            self.names
        };
        if names.is_empty() {
            return list(&ops::mount::containers(&session)?, self.format.as_deref());
        }
        let one = names.len() == 1 && !self.all;
        door.each(&names, |name| {
            let path = ops::mount::container(&session, name)?;
            say(one, name, &path.display().to_string())
        })
    }
}

/// End the mounts of containers
#[derive(Debug, Parser)]
pub struct Unmount {
    /// Unmount every container that is mounted
    #[arg(short, long)]
    all: bool,
    /// Unmount also what is in use
    #[arg(short, long)]
    force: bool,
    /// Container
    #[arg(value_name = "CONTAINER", required_unless_present = "all")]
    names: Vec<String>,
}

impl Act for Unmount {
    fn act(self, door: &Door) -> Result<u8> {
        let session = door.session()?;
        let names = if self.all {
            ids(ops::mount::containers(&session)?)
        } else {
            self.names
        };
        door.each(&names, |name| {
            terminal::line(&ops::mount::unmount(&session, name, self.force)?)
        })
    }
}

/// Mount images inside `rpod unshare`, or list what is mounted
#[derive(Debug, Parser)]
pub struct Image {
    /// Mount every image
    #[arg(short, long)]
    all: bool,
    /// List as json
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Image
    #[arg(value_name = "IMAGE")]
    names: Vec<String>,
}

impl Act for Image {
    fn act(self, door: &Door) -> Result<u8> {
        let session = door.session()?;
        let names = if self.all {
            images(&session)?
        } else {
            self.names
        };
        if names.is_empty() {
            return list(&ops::mount::images(&session)?, self.format.as_deref());
        }
        let one = names.len() == 1 && !self.all;
        door.each(&names, |name| {
            let path = ops::mount::image(&session, name)?;
            say(one, name, &path.display().to_string())
        })
    }
}

/// End the mounts of images
#[derive(Debug, Parser)]
pub struct UnmountImage {
    /// Unmount every image that is mounted
    #[arg(short, long)]
    all: bool,
    /// Unmount also what is in use
    #[arg(short, long)]
    force: bool,
    /// Image
    #[arg(value_name = "IMAGE", required_unless_present = "all")]
    names: Vec<String>,
}

impl Act for UnmountImage {
    fn act(self, door: &Door) -> Result<u8> {
        let session = door.session()?;
        let names = if self.all {
            ids(ops::mount::images(&session)?)
        } else {
            self.names
        };
        door.each(&names, |name| {
            terminal::line(&ops::mount::unmount_image(&session, name, self.force)?)
        })
    }
}

/// One path alone is for scripts; of several each is told with its name.
fn say(one: bool, name: &str, path: &str) -> Result<()> {
    if one {
        terminal::line(path)
    } else {
        terminal::line(&format!("{name} {path}"))
    }
}

fn containers(session: &Session) -> Result<Vec<String>> {
    let all = ps::all(session)?;
    Ok(all.iter().map(|one| one.record.name.to_string()).collect())
}

fn images(session: &Session) -> Result<Vec<String>> {
    let entries = session.store.image_entries()?;
    let name = |entry: &crate::store::images::Entry| match entry.name() {
        Some(name) => name.familiar(),
        None => entry.digest.hex().to_owned(),
    };
    Ok(entries.iter().map(name).collect())
}

fn ids(mounted: Vec<Mounted>) -> Vec<String> {
    mounted.into_iter().map(|one| one.id).collect()
}

fn list(mounted: &[Mounted], format: Option<&str>) -> Result<u8> {
    match format {
        None => {
            for one in mounted {
                let name = one.names.first().unwrap_or(&one.id);
                terminal::line(&format!("{name} {}", one.path.display()))?;
            }
        }
        Some("json") => {
            let all: Vec<_> = mounted
                .iter()
                .map(|one| json!({ "id": one.id, "Names": one.names, "mountpoint": one.path }))
                .collect();
            terminal::line(&serde_json::to_string_pretty(&all)?)?;
        }
        Some(other) => {
            return Err(usage(format!(
                "--format \"{other}\" is not known: json is, and lines without it"
            )));
        }
    }
    Ok(0)
}
