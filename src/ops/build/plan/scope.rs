//! A stage while it is looked at: its variables and what its image says.
//!
//! Lives here: [`Done`], [`Scope`], and access to settings that are JSON.
//! Must not: know the file or the other stages.
//! Called by: all of `plan`.
//! Always true: `ENV` goes before `ARG`.

use serde_json::{Map, Value, json};

use super::Row;
use crate::build::dockerfile::{Command, Run, Stage};
use crate::image::assemble::Config;
use crate::ops::build::graph::{Id, RunMount};

/// A stage that was looked at.
#[derive(Clone, Debug)]
pub(super) struct Done {
    pub(super) base: Config,
    pub(super) settings: Map<String, Value>,
    pub(super) author: Option<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) rows: Vec<Row>,
    pub(super) last: Option<Id>,
    pub(super) created: i64,
}

/// A stage that is being looked at.
pub(super) struct Scope<'a> {
    pub(super) stage: &'a Stage,
    pub(super) number: usize,
    pub(super) done: Done,
    /// `ARG` of this stage, in order; none is declared without a value.
    pub(super) args: Vec<(String, Option<String>)>,
    pub(super) shell: Vec<String>,
    pub(super) cmd_is_ours: bool,
    /// How many steps that make files were seen, and how many there are.
    pub(super) count: usize,
    pub(super) total: usize,
}

impl Scope<'_> {
    /// `ENV` goes before `ARG`.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        let find = |pairs: &[(String, String)]| {
            pairs
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, v)| v.clone())
        };
        find(&self.done.env).or_else(|| {
            let arg = self.args.iter().find(|(n, _)| n == name)?;
            arg.1.clone()
        })
    }

    /// The arguments a program sees: with a value, and no variable of that name.
    pub(super) fn visible_args(&self) -> Vec<String> {
        self.args
            .iter()
            .filter(|(name, _)| !self.done.env.iter().any(|(n, _)| n == name))
            .filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)))
            .collect()
    }

    pub(super) fn set(&mut self, key: &str, value: Value) {
        self.done.settings.insert(key.to_owned(), value);
    }

    pub(super) fn object(&mut self, key: &str) -> &mut Map<String, Value> {
        object(&mut self.done.settings, key)
    }

    pub(super) fn row(&mut self, created_by: String) {
        self.done.rows.push(Row {
            created_by,
            step: None,
        });
    }

    pub(super) fn workdir(&self) -> String {
        match text_of(&self.done.settings, "WorkingDir") {
            path if path.is_empty() => "/".to_owned(),
            path => path,
        }
    }

    pub(super) fn command(&self, command: &Command) -> Vec<String> {
        match command {
            Command::Exec(words) => words.clone(),
            Command::Shell(line) => self.shell.iter().cloned().chain([line.clone()]).collect(),
        }
    }

    /// The words of a `RUN`, and the file it is when its script begins with `#!`.
    pub(super) fn run_words(&self, run: &Run) -> (Vec<String>, Option<RunMount>) {
        if let Some(script) = run.script()
            && script.content.starts_with("#!")
        {
            let target = format!("/dev/pipes/{}", script.name);
            let mount = RunMount::Script {
                content: script.content.clone(),
                target: target.clone(),
            };
            return (vec![target], Some(mount));
        }
        let words = match run.shell_text() {
            Some(text) => self.command(&Command::Shell(text)),
            None => self.command(&run.command),
        };
        (words, None)
    }
}

pub(super) fn strings(settings: &Map<String, Value>, key: &str) -> Option<Vec<String>> {
    let list = settings.get(key)?.as_array()?;
    Some(
        list.iter()
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect(),
    )
}

pub(super) fn text_of(settings: &Map<String, Value>, key: &str) -> String {
    settings
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

pub(super) fn object<'m>(
    settings: &'m mut Map<String, Value>,
    key: &str,
) -> &'m mut Map<String, Value> {
    let value = settings.entry(key.to_owned()).or_insert_with(|| json!({}));
    if !value.is_object() {
        *value = json!({});
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("it was made one"),
    }
}

pub(super) fn set_pair(pairs: &mut Vec<(String, String)>, name: String, value: String) {
    match pairs.iter_mut().find(|(n, _)| *n == name) {
        Some(pair) => pair.1 = value,
        None => pairs.push((name, value)),
    }
}

pub(super) fn set_env(settings: &mut Map<String, Value>, env: &[(String, String)]) {
    let lines: Vec<String> = env.iter().map(|(n, v)| format!("{n}={v}")).collect();
    settings.insert("Env".into(), json!(lines));
}
