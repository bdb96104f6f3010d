//! `rpod system …`: df, check, migrate, reset.
use std::collections::BTreeMap;

use clap::Parser;
use serde_json::{Map, Value, json};

use crate::cli::door::Door;
use crate::cli::render::list::{self, Field, Look, Row};
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::cli::{failure, images, ps};
use crate::error::Result;
use crate::ops;
use crate::ops::df::{Total, Usage};
use crate::ops::ps::Size;
use crate::spec::{duration, size};

const TOTALS: &[Field] = &[
    ("Type", "TYPE"),
    ("TotalCount", "TOTAL"),
    ("Active", "ACTIVE"),
    ("Size", "SIZE"),
    ("Reclaimable", "RECLAIMABLE"),
];

const VOLUMES: &[Field] = &[
    ("Name", "VOLUME NAME"),
    ("Links", "LINKS"),
    ("Size", "SIZE"),
];

const IMAGE_TABLE: &str = "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}";
const CONTAINER_TABLE: &str = "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}";

/// Show what the store takes on the disk
#[derive(Debug, Parser)]
#[command(
    after_help = "The size of images counts their blobs and their files, each once; with --verbose the files alone."
)]
pub struct Df {
    /// Show as a Go template says, or as table or json
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show each image, container and volume
    #[arg(short, long)]
    verbose: bool,
}

impl Act for Df {
    fn act(self, door: &Door) -> Result<u8> {
        let usage = ops::df::usage(&door.session()?)?;
        if !self.verbose {
            let rows: Vec<Row> = usage.totals.iter().map(total).collect();
            list::show(
                &Look {
                    fields: TOTALS,
                    table: "table {{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
                    only: None,
                    format: self.format.as_deref(),
                },
                &rows,
            )?;
            return Ok(0);
        }
        match self.format.as_deref() {
            None | Some("" | "table") => terminal::answer(&tables(&usage)?)?,
            Some("json") => terminal::line(&objects(&usage).to_string())?,
            Some(format) => {
                let template = crate::cli::template::Template::parse(format)?;
                terminal::line(&template.fill(&objects(&usage))?)?;
            }
        }
        Ok(0)
    }
}

/// Show what is broken in the store, and mend it
#[derive(Debug, Parser)]
#[command(
    after_help = "Exits with 1 when something is broken, and with --repair when something still is. With --force, the anonymous volumes of a container go with it."
)]
pub struct Check {
    /// Compare sizes alone, and unpack no layer to compare it
    #[arg(short, long)]
    quick: bool,
    /// Fetch, unpack or make again what is broken
    #[arg(short, long)]
    repair: bool,
    /// With --repair, remove containers that cannot be mended
    #[arg(short, long)]
    force: bool,
    /// Take for broken a layer or blob that nothing has needed for so long
    #[arg(short, long, value_name = "DURATION", default_value = "24h")]
    max: String,
}

impl Act for Check {
    fn act(self, door: &Door) -> Result<u8> {
        let options = ops::check::Options {
            quick: self.quick,
            repair: self.repair,
            force: self.force,
            max: duration::parse(&self.max)?,
        };
        let checked = ops::check::check(&door.session()?, options)?;
        let found = &checked.found;
        let mut out = String::new();
        out.extend(
            checked
                .mended
                .iter()
                .map(|f| format!("mended: {}\n", f.sentence())),
        );
        out.extend(
            found
                .faults
                .iter()
                .map(|f| format!("broken: {}\n", f.sentence())),
        );
        let result = match found.faults.len() {
            0 => "nothing is broken".to_owned(),
            1 => "1 thing is broken".to_owned(),
            many => format!("{many} things are broken"),
        };
        out += &format!(
            "Checked {} images, {} layers and {} containers: {result}\n",
            found.images, found.layers, found.containers
        );
        terminal::answer(&out)?;
        for error in &checked.failures {
            failure::say(error);
        }
        Ok(u8::from(!found.faults.is_empty()))
    }
}

/// Remove everything: containers, images, networks, volumes
#[derive(Debug, Parser)]
#[command(after_help = "Logins and settings stay.")]
pub struct Reset {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

impl Act for Reset {
    fn act(self, door: &Door) -> Result<u8> {
        let session = door.session()?;
        let warning = "This will remove:\n  - all containers, also those that run\n  - all images and the build cache\n  - all networks\n  - all volumes, and what is in them\n";
        if !self.force && !terminal::consents(warning) {
            return Ok(0);
        }
        ops::reset::reset(&session)?;
        Ok(0)
    }
}

/// Look for what an earlier rpod or other subordinate ids left in the store
#[derive(Debug, Parser)]
#[command(
    after_help = "Removes layers that were unpacked for other subordinate ids. Exits with 1 when something cannot go on as it is."
)]
pub struct Migrate {}

impl Act for Migrate {
    fn act(self, door: &Door) -> Result<u8> {
        let found = ops::migrate::migrate(&door.session()?)?;
        let mut out: String = found.stuck.iter().map(|one| format!("{one}\n")).collect();
        out += &format!(
            "Looked at {} containers and {} images: ",
            found.containers, found.images
        );
        out += &match (found.layers, found.stuck.is_empty()) {
            (0, true) => "nothing to migrate\n".to_owned(),
            (0, false) => "nothing was removed\n".to_owned(),
            (1, _) => "removed 1 layer of other subordinate ids\n".to_owned(),
            (layers, _) => format!("removed {layers} layers of other subordinate ids\n"),
        };
        terminal::answer(&out)?;
        Ok(u8::from(!found.stuck.is_empty()))
    }
}

fn total(total: &Total) -> Row {
    let mut reclaimable = size::decimal(total.reclaimable);
    if let Some(part) = (total.reclaimable * 100).checked_div(total.bytes) {
        reclaimable = format!("{reclaimable} ({part}%)");
    }
    let fields = BTreeMap::from([
        ("Type", total.kind.to_owned()),
        ("TotalCount", total.count.to_string()),
        ("Active", total.active.to_string()),
        ("Size", size::decimal(total.bytes)),
        ("Reclaimable", reclaimable),
    ]);
    Row {
        fields,
        labels: BTreeMap::new(),
    }
}

fn tables(usage: &Usage) -> Result<String> {
    let draw = |fields, table, rows: &[Row]| {
        let look = Look {
            fields,
            table,
            only: None,
            format: None,
        };
        list::draw(&look, rows)
    };
    let (images, containers, volumes) = rows(usage);
    let cache = &usage.totals[3];
    Ok(format!(
        "Images space usage:\n\n{}\nContainers space usage:\n\n{}\nLocal Volumes space usage:\n\n{}\nBuild cache usage: {}\n",
        draw(images::FIELDS, IMAGE_TABLE, &images)?,
        draw(ps::FIELDS, CONTAINER_TABLE, &containers)?,
        draw(VOLUMES, "table {{.Name}}\t{{.Links}}\t{{.Size}}", &volumes)?,
        size::decimal(cache.bytes)
    ))
}

fn rows(usage: &Usage) -> (Vec<Row>, Vec<Row>, Vec<Row>) {
    let images = usage.images.iter().map(|one| images::row(one, false));
    let containers = usage.containers.iter().map(|(one, written)| {
        let size = Size {
            written: *written,
            whole: *written,
        };
        let mut row = ps::row(one, Some(size), false);
        row.fields.insert("Size", size::decimal(*written));
        row
    });
    let volumes = usage.volumes.iter().map(|one| Row {
        fields: BTreeMap::from([
            ("Name", one.name.clone()),
            ("Links", one.links.to_string()),
            ("Size", size::decimal(one.bytes)),
        ]),
        labels: BTreeMap::new(),
    });
    (images.collect(), containers.collect(), volumes.collect())
}

fn objects(usage: &Usage) -> Value {
    let object = |row: Row| {
        let fields = row
            .fields
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.into()));
        Value::Object(fields.collect::<Map<_, _>>())
    };
    let (images, containers, volumes) = rows(usage);
    let all = |rows: Vec<Row>| rows.into_iter().map(object).collect::<Vec<_>>();
    json!({
        "Images": all(images),
        "Containers": all(containers),
        "Volumes": all(volumes),
        "BuildCache": [],
    })
}
