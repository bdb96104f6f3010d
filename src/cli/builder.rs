//! `rpod builder prune` and `rpod builder du`: what builds keep.
use std::collections::BTreeMap;
use std::time::Duration;

use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::usage;
use crate::cli::render::list::{self, Field, Look};
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::{Context, Result};
use crate::ops::builder;
use crate::spec::{duration, size};

/// Delete what builds keep and no image is made of
#[derive(Debug, Parser)]
pub struct Prune {
    /// Delete cache mounts, what was fetched, and the steps of images as well
    #[arg(short, long)]
    all: bool,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Delete only what was not used for this long: until=24h (can be repeated)
    #[arg(long, value_name = "FILTER")]
    filter: Vec<String>,
}

impl Act for Prune {
    fn act(self, door: &Door) -> Result<u8> {
        let mut until = None;
        for filter in &self.filter {
            match filter.split_once('=') {
                Some(("until" | "unused-for", text)) => {
                    until = Some(duration::parse(text).what(|| format!("--filter {filter}"))?);
                }
                _ => {
                    return Err(usage(format!(
                        "--filter \"{filter}\" is no filter: until=DURATION is"
                    )));
                }
            }
        }
        let warning = if self.all {
            "This will remove all build cache."
        } else {
            "This will remove all dangling build cache."
        };
        if !self.force && !terminal::consents(warning) {
            return Ok(0);
        }
        let pruned = builder::prune(&door.session()?, self.all, until)?;
        for id in &pruned.ids {
            terminal::line(id)?;
        }
        terminal::line(&format!("Total:\t{}", size::decimal(pruned.bytes)))?;
        Ok(0)
    }
}

const FIELDS: &[Field] = &[
    ("ID", "ID"),
    ("Reclaimable", "RECLAIMABLE"),
    ("Size", "SIZE"),
    ("LastUsedSince", "LAST ACCESSED"),
    ("CacheType", "CACHE TYPE"),
    ("Description", "DESCRIPTION"),
];

/// Show what builds keep, and how much of the disk it takes
#[derive(Debug, Parser)]
pub struct Du {
    /// Show as a Go template says, or as table or json
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show what each is as well
    #[arg(long)]
    verbose: bool,
}

impl Act for Du {
    fn act(self, door: &Door) -> Result<u8> {
        let kept = builder::list(&door.session()?)?;
        let rows: Vec<list::Row> = kept.iter().map(row).collect();
        let table = if self.verbose {
            "table {{.ID}}\t{{.Reclaimable}}\t{{.Size}}\t{{.LastUsedSince}}\t{{.CacheType}}\t{{.Description}}"
        } else {
            "table {{.ID}}\t{{.Reclaimable}}\t{{.Size}}\t{{.LastUsedSince}}"
        };
        list::show(
            &Look {
                fields: FIELDS,
                table,
                only: None,
                format: self.format.as_deref(),
            },
            &rows,
        )?;
        if self.format.is_none() {
            let sum = |wanted: &dyn Fn(&builder::Kept) -> bool| -> u64 {
                kept.iter().filter(|k| wanted(k)).map(|k| k.size).sum()
            };
            terminal::line(&format!(
                "Reclaimable:\t{}",
                size::decimal(sum(&|k| !k.in_use))
            ))?;
            terminal::line(&format!("Total:\t\t{}", size::decimal(sum(&|_| true))))?;
        }
        Ok(0)
    }
}

fn row(kept: &builder::Kept) -> list::Row {
    let since = duration::human(Duration::from_secs(kept.unused));
    let fields = BTreeMap::from([
        ("ID", kept.id.clone()),
        ("Reclaimable", (!kept.in_use).to_string()),
        ("Size", size::decimal(kept.size)),
        ("LastUsedSince", format!("{since} ago")),
        ("CacheType", kept.kind.clone()),
        ("Description", kept.description.clone()),
    ]);
    list::Row {
        fields,
        labels: BTreeMap::new(),
    }
}
