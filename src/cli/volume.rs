//! `rpod volume …`: create, ls, inspect, rm, prune.
use std::collections::BTreeMap;

use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::{filter, pairs, usage};
use crate::cli::inspect;
use crate::cli::render::list::{self, Field, Look, Row};
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::{Kind, Result};
use crate::ops;
use crate::ops::inspect::Noun;
use crate::spec::size;

/// Create a volume
#[derive(Debug, Parser)]
pub struct Create {
    /// Set a label (can be repeated)
    #[arg(long, value_name = "KEY[=VALUE]")]
    label: Vec<String>,
    /// Set an option (can be repeated)
    #[arg(short, long, value_name = "KEY=VALUE")]
    opt: Vec<String>,
    /// Take this driver; there is one, local
    #[arg(short, long, default_value = "local")]
    driver: String,
    /// docker's old way to name it
    #[arg(long = "name", hide = true)]
    old_name: Option<String>,
    /// Its name; without one it gets a random one
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

impl Act for Create {
    fn act(self, door: &Door) -> Result<u8> {
        if self.driver != "local" {
            return Err(
                usage(format!("there is no volume driver \"{}\"", self.driver))
                    .hint("rpod has one driver, local"),
            );
        }
        let name = ops::volume::create(
            &door.session()?,
            self.name.or(self.old_name).as_deref(),
            pairs::labels(&[], &self.label)?,
            pairs::options("--opt", &self.opt)?,
        )?;
        terminal::line(&name)?;
        Ok(0)
    }
}

const FIELDS: &[Field] = &[
    ("Driver", "DRIVER"),
    ("Name", "VOLUME NAME"),
    ("Scope", "SCOPE"),
    ("Mountpoint", "MOUNTPOINT"),
    ("Labels", "LABELS"),
    ("Links", "LINKS"),
    ("Size", "SIZE"),
    ("Status", "STATUS"),
    ("Availability", "AVAILABILITY"),
    ("Group", "GROUP"),
];

/// List volumes
#[derive(Debug, Parser)]
#[command(after_help = "Filters: dangling, driver, label, name")]
pub struct Ls {
    /// Show those that fit (can be repeated)
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Show as a Go template says, or as table or json
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show only names
    #[arg(short, long)]
    quiet: bool,
}

impl Act for Ls {
    fn act(self, door: &Door) -> Result<u8> {
        let session = door.session()?;
        let filters = filter::pairs(&self.filter)?;
        let rows: Vec<Row> = ops::volume::list(&session, &filters)?
            .into_iter()
            .map(|volume| {
                let labels: Vec<String> = volume
                    .labels
                    .iter()
                    .map(|(k, v)| format!("{k}={v}"))
                    .collect();
                let data = session.store.volume_data(&volume.name);
                let none = || "N/A".to_owned();
                let fields = BTreeMap::from([
                    ("Driver", "local".to_owned()),
                    ("Scope", "local".to_owned()),
                    ("Mountpoint", data.to_string_lossy().into_owned()),
                    ("Labels", labels.join(",")),
                    ("Links", none()),
                    ("Size", none()),
                    ("Status", none()),
                    ("Availability", none()),
                    ("Group", none()),
                    ("Name", volume.name),
                ]);
                Row {
                    fields,
                    labels: volume.labels,
                }
            })
            .collect();
        list::show(
            &Look {
                fields: FIELDS,
                table: "table {{.Driver}}\t{{.Name}}",
                only: self.quiet.then_some("Name"),
                format: self.format.as_deref(),
            },
            &rows,
        )?;
        Ok(0)
    }
}

/// Show everything known of volumes
#[derive(Debug, Parser)]
pub struct Inspect {
    /// Show as a Go template says, or as json
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Volume
    #[arg(value_name = "VOLUME", required = true)]
    names: Vec<String>,
}

impl Act for Inspect {
    fn act(self, door: &Door) -> Result<u8> {
        inspect::show(
            door,
            &self.names,
            Noun::Volume,
            false,
            self.format.as_deref(),
        )
    }
}

/// Remove volumes that no container uses
#[derive(Debug, Parser)]
pub struct Rm {
    /// Take it for no error that one is not there
    #[arg(short, long)]
    force: bool,
    /// Volume
    #[arg(value_name = "VOLUME", required = true)]
    names: Vec<String>,
}

impl Act for Rm {
    fn act(self, door: &Door) -> Result<u8> {
        let session = door.session()?;
        door.each(&self.names, |name| {
            match ops::volume::remove(&session, name, self.force) {
                Err(error) if self.force && error.kind() == Kind::NotFound => {}
                done => done?,
            }
            terminal::line(name)
        })
    }
}

/// Remove every volume that no container uses
#[derive(Debug, Parser)]
#[command(after_help = "Filters: label")]
pub struct Prune {
    /// Remove named ones as well, not only anonymous ones
    #[arg(short, long)]
    all: bool,
    /// Remove only those that fit (can be repeated)
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

impl Act for Prune {
    fn act(self, door: &Door) -> Result<u8> {
        let filters = filter::pairs(&self.filter)?;
        let session = door.session()?;
        let which = if self.all { "all" } else { "anonymous" };
        let warning =
            format!("This will remove {which} local volumes not used by at least one container.");
        if !self.force && !terminal::consents(&warning) {
            return Ok(0);
        }
        let pruned = ops::volume::prune(&session, self.all, &filters)?;
        let mut out = String::new();
        if !pruned.names.is_empty() {
            out.push_str("Deleted Volumes:\n");
            out.extend(pruned.names.iter().map(|name| format!("{name}\n")));
            out.push('\n');
        }
        out.push_str(&format!(
            "Total reclaimed space: {}\n",
            size::decimal(pruned.bytes)
        ));
        terminal::answer(&out)?;
        Ok(0)
    }
}
