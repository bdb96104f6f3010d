//! `rpod search`: images of registries by a word.
use std::collections::BTreeMap;

use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::registry::Registry;
use crate::cli::flags::{filter, usage};
use crate::cli::render::list::{self, Field, Look, Row};
use crate::cli::render::table;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::image::registry::search::Found;
use crate::ops;
use crate::ops::search::Request;

const FIELDS: &[Field] = &[
    ("Name", "NAME"),
    ("Description", "DESCRIPTION"),
    ("StarCount", "STARS"),
    ("IsOfficial", "OFFICIAL"),
    ("IsAutomated", "AUTOMATED"),
];

const TAG_FIELDS: &[Field] = &[("Name", "NAME"), ("Tag", "TAG")];

/// Letters of a description, as docker cuts it.
const DESCRIPTION: usize = 45;

/// Search registries for images
#[derive(Debug, Parser)]
#[command(after_help = "Filters: is-automated, is-official, stars")]
pub struct Args {
    /// Show those that fit (can be repeated)
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Show as a Go template says, or as table or json
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show at most so many
    #[arg(long, value_name = "N", default_value = "25")]
    limit: usize,
    /// List the tags of the repository TERM
    #[arg(long)]
    list_tags: bool,
    /// Cut nothing off
    #[arg(long)]
    no_trunc: bool,
    #[command(flatten)]
    registry: Registry,
    /// Word, perhaps with a registry before it: localhost:5000/word
    #[arg(value_name = "TERM")]
    term: String,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        if !(1..=100).contains(&self.limit) && !self.list_tags {
            return Err(usage(format!(
                "--limit {} makes no sense: it is 1 to 100",
                self.limit
            )));
        }
        let pairs = filter::pairs(&self.filter)?;
        let request = Request {
            term: self.term,
            most: self.limit,
            filters: pairs,
            asked: self.registry.asked()?,
        };
        let session = door.session()?;
        let (fields, table, rows) = if self.list_tags {
            let (image, tags) = ops::search::tags(&session, &request)?;
            let rows = tags.into_iter().map(|tag| Row {
                fields: BTreeMap::from([("Name", image.familiar_name()), ("Tag", tag)]),
                labels: BTreeMap::new(),
            });
            (TAG_FIELDS, "table {{.Name}}\t{{.Tag}}", rows.collect())
        } else {
            let found = ops::search::search(&session, &request)?;
            let rows = found.into_iter().map(|one| row(one, self.no_trunc));
            let table = "table {{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}";
            (FIELDS, table, rows.collect::<Vec<Row>>())
        };
        list::show(
            &Look {
                fields,
                table,
                only: None,
                format: self.format.as_deref(),
            },
            &rows,
        )?;
        Ok(0)
    }
}

fn row(found: Found, whole: bool) -> Row {
    let mark = |is: bool| if is { "[OK]" } else { "" }.to_owned();
    let description = if whole {
        found.description
    } else {
        table::cut(&found.description, DESCRIPTION)
    };
    Row {
        fields: BTreeMap::from([
            ("Name", found.name),
            ("Description", description),
            ("StarCount", found.stars.to_string()),
            ("IsOfficial", mark(found.official)),
            ("IsAutomated", mark(found.automated)),
        ]),
        labels: BTreeMap::new(),
    }
}
