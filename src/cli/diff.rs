//! `rpod diff`: what containers have changed.
use clap::Parser;
use serde_json::json;

use crate::cli::door::Door;
use crate::cli::flags::usage;
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;
use crate::ops::diff::{Of, What};

/// Show what a container has changed, or an image's last layer
#[derive(Debug, Parser)]
pub struct Args {
    /// Print as json instead of lines
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Container or image
    #[arg(value_name = "CONTAINER|IMAGE")]
    name: String,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        show(door, &self.name, self.format.as_deref(), Of::Any)
    }
}

/// Show what a container has changed
#[derive(Debug, Parser)]
pub struct Container {
    /// Print as json instead of lines
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Container
    #[arg(value_name = "CONTAINER")]
    name: String,
}

impl Act for Container {
    fn act(self, door: &Door) -> Result<u8> {
        show(door, &self.name, self.format.as_deref(), Of::Container)
    }
}

/// Show what an image's last layer changes
#[derive(Debug, Parser)]
pub struct Image {
    /// Print as json instead of lines
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Image
    #[arg(value_name = "IMAGE")]
    name: String,
}

impl Act for Image {
    fn act(self, door: &Door) -> Result<u8> {
        show(door, &self.name, self.format.as_deref(), Of::Image)
    }
}

fn show(door: &Door, name: &str, format: Option<&str>, of: Of) -> Result<u8> {
    if let Some(other) = format.filter(|format| *format != "json") {
        return Err(usage(format!(
            "--format \"{other}\" is not known: json is, and lines without it"
        )));
    }
    let changes = ops::diff::diff(&door.session()?, name, of)?;
    if format.is_none() {
        for (what, path) in changes {
            terminal::line(&format!("{} {path}", what.letter()))?;
        }
        return Ok(0);
    }
    let of = |wanted: What| -> Vec<&String> {
        let fitting = changes.iter().filter(|(what, _)| *what == wanted);
        fitting.map(|(_, path)| path).collect()
    };
    let mut listed = serde_json::Map::new();
    for (key, what) in [
        ("added", What::Added),
        ("changed", What::Changed),
        ("deleted", What::Deleted),
    ] {
        let paths = of(what);
        if !paths.is_empty() {
            listed.insert(key.to_owned(), json!(paths));
        }
    }
    terminal::line(&serde_json::to_string_pretty(&listed)?)?;
    Ok(0)
}
