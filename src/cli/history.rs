//! `rpod history`: how an image was made.
use std::collections::BTreeMap;

use clap::{ArgAction, Parser};

use crate::cli::door::Door;
use crate::cli::ps::moment;
use crate::cli::render::list::{self, Field, Look};
use crate::cli::render::table;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;
use crate::ops::history::Step;
use crate::spec::{duration, size};

const FIELDS: &[Field] = &[
    ("ID", "IMAGE"),
    ("CreatedSince", "CREATED"),
    ("CreatedAt", "CREATED AT"),
    ("CreatedBy", "CREATED BY"),
    ("Size", "SIZE"),
    ("Comment", "COMMENT"),
    ("Tags", "TAGS"),
];

/// Letters of a step that a table shows, as docker has it.
const STEP_WIDTH: usize = 45;

/// Show how an image was made
#[derive(Debug, Parser)]
pub struct Args {
    /// Show as a Go template says, or as table or json
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show sizes and times for people; =false shows bytes and moments
    #[arg(
        short = 'H',
        long,
        num_args = 0..=1,
        default_value = "true",
        default_missing_value = "true",
        action = ArgAction::Set,
        value_name = "BOOL"
    )]
    human: bool,
    /// Cut nothing off
    #[arg(long)]
    no_trunc: bool,
    /// Show only ids
    #[arg(short, long)]
    quiet: bool,
    /// Image
    #[arg(value_name = "IMAGE")]
    image: String,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let steps = ops::history::history(&door.session()?, &self.image)?;
        let rows: Vec<list::Row> = steps.iter().map(|step| self.row(step)).collect();
        let time = if self.human {
            "CreatedSince"
        } else {
            "CreatedAt"
        };
        let table = format!(
            "table {{{{.ID}}}}\t{{{{.{time}}}}}\t{{{{.CreatedBy}}}}\t{{{{.Size}}}}\t{{{{.Comment}}}}"
        );
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

impl Args {
    fn row(&self, step: &Step) -> list::Row {
        let id = match &step.id {
            None => "<missing>",
            Some(id) if self.no_trunc => id.as_str(),
            Some(id) => id.short(),
        };
        let words = step.created_by.replace('\t', " ");
        let fields = BTreeMap::from([
            ("ID", id.to_owned()),
            (
                "CreatedSince",
                step.created.map_or_else(
                    || "N/A".to_owned(),
                    |t| format!("{} ago", duration::human(t.age())),
                ),
            ),
            ("CreatedAt", step.created.map(moment).unwrap_or_default()),
            (
                "CreatedBy",
                if self.no_trunc {
                    words
                } else {
                    table::cut(&words, STEP_WIDTH)
                },
            ),
            (
                "Size",
                if self.human {
                    size::decimal(step.size)
                } else {
                    step.size.to_string()
                },
            ),
            ("Comment", step.comment.clone()),
            ("Tags", step.tags.join(", ")),
        ]);
        list::Row {
            fields,
            labels: BTreeMap::new(),
        }
    }
}
