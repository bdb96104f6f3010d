//! Go's text/template, over JSON values: what `--format` takes.
//!
//! ```text
//! "{{range .Mounts}}{{.Source | upper}} {{end}}"
//!    scan  → pieces of text and actions, white space trimmed   (scan.rs)
//!    parse → nodes: text, pipelines, if, range, with           (parse.rs)
//!    run   → text, with a dot, variables and functions         (run.rs, functions.rs, print.rs)
//! ```
//!
//! Lives here: the language as docker's users know it, without `define`,
//! `template` and `block`.
//! Must not: know what the values mean.
//! Called by: `cli::render::list`, and the verbs that show one thing.
//! Always true: an error says the line and the column of the template; a
//! template never runs code and never loops without end.

mod functions;
mod parse;
mod print;
mod run;
mod scan;

use serde_json::Value;

use crate::error::{Error, Kind, Result};

/// A template that was understood.
#[derive(Debug)]
pub struct Template {
    nodes: Vec<parse::Node>,
}

/// What `.Name "argument"` on the outermost value calls.
pub type Methods<'a> = &'a dyn Fn(&str, &[Value]) -> Option<Value>;

/// How a template is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Over a thing.
    Value,
    /// Over the names of columns: functions leave their text as it is.
    Headers,
}

impl Template {
    /// Understands a template.
    ///
    /// # Errors
    /// `Usage`, with the place of what is wrong.
    pub fn parse(text: &str) -> Result<Self> {
        let nodes = parse::parse(text)?;
        Ok(Self { nodes })
    }

    /// Writes the template with its values filled in.
    pub fn run(&self, data: &Value, methods: Methods<'_>, mode: Mode) -> Result<String> {
        run::run(&self.nodes, data, methods, mode)
    }

    /// Writes the template over a value that has no methods.
    pub fn fill(&self, data: &Value) -> Result<String> {
        self.run(data, &|_, _| None, Mode::Value)
    }
}

/// A place in a template: a line and a column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
}

impl Place {
    fn error(self, why: impl std::fmt::Display) -> Error {
        Error::of(
            Kind::Usage,
            format!(
                "cannot use the template: {}:{}: {why}",
                self.line, self.column
            ),
        )
    }
}

#[cfg(test)]
mod tests;
