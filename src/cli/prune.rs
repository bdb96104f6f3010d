//! `rpod container prune`, `image prune`, `system prune`: what nobody uses goes.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::{filter, usage};
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;
use crate::ops::prune::Pruned;
use crate::spec::size;

/// Remove all containers that do not run
#[derive(Debug, Parser)]
#[command(after_help = "Filters: label, label!, until")]
pub struct Container {
    /// Remove only those that fit (can be repeated)
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

impl Act for Container {
    fn act(self, door: &Door) -> Result<u8> {
        let filters = filter::pairs(&self.filter)?;
        let session = door.session()?;
        if !self.force && !terminal::consents("This will remove all stopped containers.") {
            return Ok(0);
        }
        let pruned = ops::prune::containers(&session, &filters)?;
        let out = block("Deleted Containers:", &pruned.names) + &total(pruned.bytes);
        terminal::answer(&out)?;
        Ok(0)
    }
}

/// Remove images that nothing names
#[derive(Debug, Parser)]
#[command(after_help = "Filters: dangling, label, label!, until")]
pub struct Image {
    /// Remove all that no container is made from
    #[arg(short, long)]
    all: bool,
    /// Remove only those that fit (can be repeated)
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

impl Act for Image {
    fn act(self, door: &Door) -> Result<u8> {
        let filters = filter::pairs(&self.filter)?;
        let session = door.session()?;
        let warning = format!("This will remove {}.", which_images(self.all));
        if !self.force && !terminal::consents(&warning) {
            return Ok(0);
        }
        let pruned = ops::prune::images(&session, self.all, &filters)?;
        terminal::answer(&(images(&pruned) + &total(pruned.bytes)))?;
        Ok(0)
    }
}

/// Remove all that is not used
#[derive(Debug, Parser)]
#[command(after_help = "Filters: label, label!, until")]
pub struct System {
    /// Remove also images with names that no container is made from
    #[arg(short, long)]
    all: bool,
    /// Remove only those that fit (can be repeated)
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Remove anonymous volumes that no container uses as well
    #[arg(long)]
    volumes: bool,
}

impl Act for System {
    fn act(self, door: &Door) -> Result<u8> {
        let filters = filter::pairs(&self.filter)?;
        if self.volumes && filters.iter().any(|(key, _)| key == "until") {
            return Err(usage(
                "the filter \"until\" cannot be used with --volumes: volumes have no age"
                    .to_owned(),
            ));
        }
        let session = door.session()?;
        if !self.force && !terminal::consents(&self.warning()) {
            return Ok(0);
        }
        let containers = ops::prune::containers(&session, &filters)?;
        let mut out = block("Deleted Containers:", &containers.names);
        let mut bytes = containers.bytes;
        // How old a network is says nothing, so with a moment asked for none goes.
        if !filters.iter().any(|(key, _)| key == "until") {
            out += &block(
                "Deleted Networks:",
                &ops::network::prune(&session, &filters)?,
            );
        }
        if self.volumes {
            let volumes = ops::volume::prune(&session, false, &filters)?;
            out += &block("Deleted Volumes:", &volumes.names);
            bytes += volumes.bytes;
        }
        let pruned = ops::prune::images(&session, self.all, &filters)?;
        out += &images(&pruned);
        bytes += pruned.bytes;
        // Steps have no labels, and an age only of their last use.
        if filters.is_empty() {
            let cache = ops::builder::prune(&session, self.all, None)?;
            out += &block("Deleted build cache objects:", &cache.ids);
            bytes += cache.bytes;
        }
        terminal::answer(&(out + &total(bytes)))?;
        Ok(0)
    }
}

impl System {
    fn warning(&self) -> String {
        let mut text = String::from(
            "This will remove:\n  - all stopped containers\n  - all networks not used by at least one container\n",
        );
        if self.volumes {
            text += "  - all anonymous volumes not used by at least one container\n";
        }
        text += &format!("  - {}\n", which_images(self.all));
        if self.filter.is_empty() {
            text += match self.all {
                true => "  - all build cache\n",
                false => "  - unused build cache\n",
            };
        }
        text += if self.all {
            "  - all downloads that were broken off\n"
        } else {
            "  - downloads that were broken off 7 days ago or earlier\n"
        };
        if !self.filter.is_empty() {
            text += "\n  Items to be pruned will be filtered with:\n";
            text.extend(self.filter.iter().map(|f| format!("  - {f}\n")));
        }
        text
    }
}

fn which_images(all: bool) -> &'static str {
    match all {
        true => "all images without at least one container associated to them",
        false => "all dangling images",
    }
}

fn images(pruned: &Pruned) -> String {
    block("Deleted Images:", &pruned.names) + &block("Deleted Partial Downloads:", &pruned.partials)
}

fn block(head: &str, names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    format!("{head}\n{}\n\n", names.join("\n"))
}

fn total(bytes: u64) -> String {
    format!("Total reclaimed space: {}\n", size::decimal(bytes))
}
