//! `rpod ps`: which containers there are.
use std::collections::BTreeMap;

use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::{filter, usage};
use crate::cli::render::list::{self, Field, Look, Row};
use crate::cli::render::{ports, table};
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;
use crate::ops::ps::{Size, Summary};
use crate::spec::container::{NetworkMode, Record, State, Status};
use crate::spec::mount::Source;
use crate::spec::time::Time;
use crate::spec::{duration, size};

pub(super) const FIELDS: &[Field] = &[
    ("ID", "CONTAINER ID"),
    ("Image", "IMAGE"),
    ("Command", "COMMAND"),
    ("CreatedAt", "CREATED AT"),
    ("RunningFor", "CREATED"),
    ("Status", "STATUS"),
    ("State", "STATE"),
    ("Ports", "PORTS"),
    ("Names", "NAMES"),
    ("Size", "SIZE"),
    ("Labels", "LABELS"),
    ("Mounts", "MOUNTS"),
    ("LocalVolumes", "LOCAL VOLUMES"),
    ("Networks", "NETWORKS"),
    ("Platform", "PLATFORM"),
];

const TABLE: &str =
    "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";

/// List containers
#[derive(Debug, Parser)]
#[command(
    after_help = "Filters: ancestor, before, exited, expose, id, label, name, network, publish,\n\
                  since, status, volume"
)]
pub struct Args {
    /// Show also those that do not run
    #[arg(short, long)]
    all: bool,
    /// Show those that fit (can be repeated)
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Show as a Go template says, or as table or json
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show the newest so many, whether they run or not
    #[arg(
        short = 'n',
        long,
        value_name = "NUMBER",
        allow_negative_numbers = true
    )]
    last: Option<i64>,
    /// Show the newest, whether it runs or not
    #[arg(short, long)]
    latest: bool,
    /// Cut nothing off
    #[arg(long)]
    no_trunc: bool,
    /// Show only ids
    #[arg(short, long)]
    quiet: bool,
    /// Show how much each has written
    #[arg(short, long)]
    size: bool,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let last = match self.last {
            None | Some(-1) if self.latest => Some(1),
            None | Some(-1) => None,
            Some(number) => Some(
                usize::try_from(number)
                    .map_err(|_| usage(format!("--last {number} is no number of containers")))?,
            ),
        };
        let session = door.session()?;
        let options = ops::ps::Options {
            all: self.all,
            last,
            filters: filter::pairs(&self.filter)?,
        };
        let measure = self.size || self.format.as_deref().is_some_and(|f| f.contains(".Size"));
        let rows: Vec<Row> = ops::ps::list(&session, &options)?
            .iter()
            .map(|one| {
                let size = measure.then(|| ops::ps::size(&session, &one.record));
                row(one, size, self.no_trunc)
            })
            .collect();
        let table = if self.size {
            format!("{TABLE}\t{{{{.Size}}}}")
        } else {
            TABLE.to_owned()
        };
        list::show(
            &Look {
                fields: FIELDS,
                table: &table,
                only: self.quiet.then_some("ID"),
                format: self.format.as_deref(),
            },
            &rows,
        )?;
        Ok(0)
    }
}

pub(super) fn row(one: &Summary, measured: Option<Size>, whole: bool) -> Row {
    let Summary { record, state } = one;
    let cut = |text: &str, most: usize| {
        if whole {
            text.to_owned()
        } else {
            table::cut(text, most)
        }
    };
    let words: Vec<&str> = record
        .entrypoint
        .iter()
        .chain(&record.command)
        .map(String::as_str)
        .collect();
    let mounts: Vec<String> = record
        .mounts
        .iter()
        .map(|m| cut(&mount_name(&m.source, &m.target), 15))
        .collect();
    let volumes = record
        .mounts
        .iter()
        .filter(|m| matches!(m.source, Source::Volume(_)))
        .count();
    let labels: Vec<String> = record
        .labels
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    let fields = BTreeMap::from([
        (
            "ID",
            if whole {
                record.id.as_str()
            } else {
                record.id.short()
            }
            .to_owned(),
        ),
        ("Image", record.image.clone()),
        ("Command", quoted(&cut(&words.join(" "), 20))),
        ("CreatedAt", moment(record.created)),
        (
            "RunningFor",
            format!("{} ago", duration::human(record.created.age())),
        ),
        ("Status", status(state)),
        ("State", state.word().to_owned()),
        (
            "Ports",
            if state.status == Status::Running {
                ports::cell(&state.ports, &record.expose)
            } else {
                String::new()
            },
        ),
        ("Names", record.name.to_string()),
        ("Size", measured.map(size_text).unwrap_or_default()),
        ("Labels", labels.join(",")),
        ("Mounts", mounts.join(",")),
        ("LocalVolumes", volumes.to_string()),
        ("Networks", networks(record)),
        (
            "Platform",
            crate::spec::platform::Platform::host().to_string(),
        ),
    ]);
    Row {
        fields,
        labels: record.labels.clone(),
    }
}

fn quoted(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|c| match c {
            '"' => vec!['\\', '"'],
            '\\' => vec!['\\', '\\'],
            '\n' => vec!['\\', 'n'],
            '\t' => vec!['\\', 't'],
            c if c.is_control() => vec!['\u{fffd}'],
            c => vec![c],
        })
        .collect();
    format!("\"{escaped}\"")
}

fn mount_name(source: &Source, target: &str) -> String {
    match source {
        Source::Bind(path) => path.clone(),
        Source::Volume(name) => name.clone(),
        Source::Anonymous | Source::Device(_) | Source::Tmpfs { .. } => target.to_owned(),
    }
}

fn networks(record: &Record) -> String {
    match record.network {
        NetworkMode::Bridge | NetworkMode::Private => {
            let places = record.attachments();
            let names: Vec<&str> = places.iter().map(|a| a.network.as_str()).collect();
            names.join(",")
        }
        ref mode => mode.name(&[]),
    }
}

fn size_text(size: Size) -> String {
    format!(
        "{} (virtual {})",
        size::decimal(size.written),
        size::decimal(size.whole)
    )
}

/// `Up 10 minutes`, `Exited (0) 3 seconds ago`, `Created`.
fn status(state: &State) -> String {
    let since = |time: Option<Time>| time.map(|t| duration::human(t.age())).unwrap_or_default();
    let code = state.exit_code.unwrap_or(0);
    match state.status {
        Status::Created => "Created".to_owned(),
        Status::Running if state.paused => {
            format!("{} (Paused)", up(&since(state.started)))
        }
        Status::Running => up(&since(state.started)),
        Status::Restarting if state.finished.is_some() => {
            format!("Restarting ({code}) {} ago", since(state.finished))
        }
        Status::Restarting => format!("Restarting ({code})"),
        Status::Exited if state.finished.is_some() => {
            format!("Exited ({code}) {} ago", since(state.finished))
        }
        Status::Exited => format!("Exited ({code})"),
        Status::Removing => "Removal In Progress".to_owned(),
        Status::Dead => "Dead".to_owned(),
    }
}

fn up(since: &str) -> String {
    format!("Up {since}").trim_end().to_owned()
}

/// `2024-08-04 18:51:00 +0000 UTC`.
pub fn moment(time: Time) -> String {
    let text = time.to_string();
    let (date, rest) = text.split_once('T').unwrap_or((&text, ""));
    let clock = rest.get(..8).unwrap_or(rest);
    format!("{date} {clock} +0000 UTC")
}

#[cfg(test)]
mod tests {
    use super::{moment, quoted, status};
    use crate::spec::container::{State, Status};
    use crate::spec::time::Time;

    #[test]
    fn a_status_reads_as_dockers() {
        let mut state = State::created("boot");
        assert_eq!(status(&state), "Created");
        state.status = Status::Running;
        state.started = Time::parse_since("10m").ok();
        assert_eq!(status(&state), "Up 10 minutes");
        state.status = Status::Exited;
        state.exit_code = Some(137);
        assert_eq!(status(&state), "Exited (137)");
        state.finished = Time::parse_since("3s").ok();
        assert_eq!(status(&state), "Exited (137) 3 seconds ago");
        state.status = Status::Restarting;
        assert_eq!(status(&state), "Restarting (137) 3 seconds ago");
    }

    #[test]
    fn texts_are_quoted_and_times_are_in_utc() {
        assert_eq!(quoted("sh -c \"x\\y\"\n"), "\"sh -c \\\"x\\\\y\\\"\\n\"");
        let time = "2024-08-04T18:51:00Z".parse().expect("a time");
        assert_eq!(moment(time), "2024-08-04 18:51:00 +0000 UTC");
    }
}
