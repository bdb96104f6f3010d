//! Things shown whole: the JSON of `inspect`, `info` and `version`, or a template over it.
//!
//! Lives here: the meaning of `--format` for verbs that show one thing.
//! Must not: know a thing.
//! Called by: `inspect`, `info`, `version`.
//! Always true: JSON is indented by four spaces, as docker's is.

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};

use crate::cli::template::Template;
use crate::error::Result;

/// Returns JSON indented by four spaces, with the end of its last line.
pub fn indented(value: &Value) -> Result<String> {
    let mut bytes = Vec::new();
    let formatter = PrettyFormatter::with_indent(b"    ");
    value.serialize(&mut Serializer::with_formatter(&mut bytes, formatter))?;
    bytes.push(b'\n');
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns several things: an array, or a line each as a template says.
pub fn several(things: &[Value], format: Option<&Format>) -> Result<String> {
    match format {
        None => indented(&things.into()),
        Some(Format::Json) => Ok(format!("{}\n", serde_json::to_string(things)?)),
        Some(Format::Template(template)) => {
            let lines: Vec<String> = things
                .iter()
                .map(|thing| template.fill(thing))
                .collect::<Result<_>>()?;
            Ok(lines.iter().map(|line| format!("{line}\n")).collect())
        }
    }
}

/// What `--format` asks for.
#[derive(Debug)]
pub enum Format {
    /// JSON in one line.
    Json,
    /// A template.
    Template(Template),
}

impl Format {
    /// Understands the text after `--format`; nothing is none.
    pub fn parse(text: Option<&str>) -> Result<Option<Self>> {
        match text {
            None | Some("") => Ok(None),
            Some("json") => Ok(Some(Self::Json)),
            Some(text) => Template::parse(&text.replace("\\t", "\t").replace("\\n", "\n"))
                .map(Self::Template)
                .map(Some),
        }
    }

    /// Returns one thing as it asks for, in a line.
    pub fn one(&self, thing: &Value) -> Result<String> {
        Ok(match self {
            Self::Json => format!("{thing}\n"),
            Self::Template(template) => format!("{}\n", template.fill(thing)?),
        })
    }
}
