//! Instructions that make no files but change what the image says, and `WORKDIR`.
//!
//! Lives here: `ENV`, `LABEL`, `ARG`, `EXPOSE`, `CMD` and all others of their kind.
//! Must not: make a step other than that of `WORKDIR`.
//! Called by: `plan`, in the file's order.
//! Always true: all words of one instruction see the variables before it.

use serde_json::{Map, Value, json};

use super::copy::absolute;
use super::scope::{Scope, set_env, set_pair, strings, text_of};
use super::{Planner, Row};
use crate::build::dockerfile::{Command, HealthCheck, Instruction, Step, Word};
use crate::error::Result;
use crate::ops::build::graph::Work;

impl<'a> Planner<'a> {
    pub(super) fn instruction(&mut self, scope: &mut Scope<'a>, step: &Step) -> Result<()> {
        match &step.instruction {
            Instruction::Run(run) => self.run(scope, step, run),
            Instruction::Copy(copy) => self.copy(scope, step, copy, None),
            Instruction::Add(copy, add) => self.copy(scope, step, copy, Some(add)),
            Instruction::Workdir(path) => self.workdir(scope, step, path),
            Instruction::Env(pairs) => self.env(scope, pairs),
            Instruction::Label(pairs) => self.label(scope, pairs),
            Instruction::Arg(pairs) => self.arg(scope, pairs),
            Instruction::Cmd(command) => {
                let words = scope.command(command);
                scope.set("Cmd", json!(words));
                if matches!(command, Command::Shell(_)) {
                    scope.set("ArgsEscaped", json!(true));
                }
                scope.cmd_is_ours = true;
                scope.row(format!("CMD {}", quoted(&words)));
                Ok(())
            }
            Instruction::Entrypoint(command) => {
                let words = scope.command(command);
                scope.set("Entrypoint", json!(words));
                // The base's words were meant for the base's entry point.
                if !scope.cmd_is_ours {
                    scope.done.settings.remove("Cmd");
                }
                scope.row(format!("ENTRYPOINT {}", quoted(&words)));
                Ok(())
            }
            Instruction::Expose(ports) => self.expose(scope, ports),
            Instruction::User(user) => {
                let user = self.value(scope, user)?;
                scope.set("User", json!(user));
                scope.row(format!("USER {user}"));
                Ok(())
            }
            Instruction::Volume(paths) => {
                let mut all = Vec::new();
                for path in paths {
                    let path = self.value(scope, path)?;
                    if path.is_empty() {
                        return Err(self.fault(step.at, "a volume's path is empty"));
                    }
                    scope.object("Volumes").insert(path.clone(), json!({}));
                    all.push(path);
                }
                scope.row(format!("VOLUME [{}]", all.join(" ")));
                Ok(())
            }
            Instruction::Shell(words) => {
                scope.shell.clone_from(words);
                scope.set("Shell", json!(words));
                scope.row(format!("SHELL [{}]", words.join(" ")));
                Ok(())
            }
            Instruction::StopSignal(word) => {
                let signal = self.value(scope, word)?;
                if crate::sys::signal::number(&signal).is_none() {
                    return Err(self.fault(word.at, format!("\"{signal}\" is no signal")));
                }
                scope.set("StopSignal", json!(signal));
                scope.row(format!("STOPSIGNAL {signal}"));
                Ok(())
            }
            Instruction::OnBuild { trigger, .. } => {
                let mut all = strings(&scope.done.settings, "OnBuild").unwrap_or_default();
                all.push(trigger.clone());
                scope.set("OnBuild", json!(all));
                scope.row(format!("ONBUILD {trigger}"));
                Ok(())
            }
            Instruction::HealthCheck(check) => {
                let value = health(check.as_ref());
                scope.row(format!(
                    "HEALTHCHECK {}",
                    step.text.trim_start_matches("HEALTHCHECK ")
                ));
                scope.set("Healthcheck", value);
                Ok(())
            }
            Instruction::Maintainer(who) => {
                scope.done.author = Some(who.clone());
                scope.row(format!("MAINTAINER {who}"));
                Ok(())
            }
        }
    }

    fn env(&mut self, scope: &mut Scope<'a>, pairs: &[(Word, Word)]) -> Result<()> {
        // All of one instruction see the variables before it.
        let mut new = Vec::new();
        for (name, value) in pairs {
            new.push((self.value(scope, name)?, self.value(scope, value)?));
        }
        let shown: Vec<String> = new.iter().map(|(n, v)| format!("{n}={v}")).collect();
        for (name, value) in new {
            set_pair(&mut scope.done.env, name, value);
        }
        set_env(&mut scope.done.settings, &scope.done.env);
        scope.row(format!("ENV {}", shown.join(" ")));
        Ok(())
    }

    fn label(&mut self, scope: &mut Scope<'a>, pairs: &[(Word, Word)]) -> Result<()> {
        let mut shown = Vec::new();
        for (name, value) in pairs {
            let (name, value) = (self.value(scope, name)?, self.value(scope, value)?);
            shown.push(format!("{name}={value}"));
            scope.object("Labels").insert(name, json!(value));
        }
        scope.row(format!("LABEL {}", shown.join(" ")));
        Ok(())
    }

    fn arg(&mut self, scope: &mut Scope<'a>, pairs: &[(Word, Option<Word>)]) -> Result<()> {
        let mut shown = Vec::new();
        for (name, default) in pairs {
            let given = self.wishes.args.get(&name.text).cloned();
            self.used_args.push(name.text.clone());
            let value = match (given, default) {
                (Some(given), _) => Some(given),
                (None, Some(default)) => Some(self.value(scope, default)?),
                (None, None) => self.global(&name.text),
            };
            shown.push(match &value {
                Some(value) => format!("{}={value}", name.text),
                None => name.text.clone(),
            });
            scope.args.retain(|(other, _)| *other != name.text);
            scope.args.push((name.text.clone(), value));
        }
        scope.row(format!("ARG {}", shown.join(" ")));
        Ok(())
    }

    fn expose(&mut self, scope: &mut Scope<'a>, ports: &[Word]) -> Result<()> {
        let mut all = Vec::new();
        for word in ports {
            for text in self.value(scope, word)?.split_whitespace() {
                // As docker: of what is written as for a publication, the port inside.
                let port = text.rsplit_once(':').map_or(text, |(_, port)| port);
                for port in expanded_ports(port)
                    .ok_or_else(|| self.fault(word.at, format!("\"{text}\" is no port")))?
                {
                    scope.object("ExposedPorts").insert(port.clone(), json!({}));
                    all.push(port);
                }
            }
        }
        scope.row(format!("EXPOSE [{}]", all.join(" ")));
        Ok(())
    }

    fn workdir(&mut self, scope: &mut Scope<'a>, step: &Step, word: &Word) -> Result<()> {
        let path = self.value(scope, word)?;
        if path.is_empty() {
            return Err(self.fault(word.at, "the path is empty"));
        }
        let path = absolute(&scope.workdir(), &path);
        scope.set("WorkingDir", json!(path));
        let owner = text_of(&scope.done.settings, "User");
        let work = Work::Workdir {
            path: path.clone(),
            owner,
        };
        let id = self.node(scope, step, format!("WORKDIR {path}"), work);
        scope.done.rows.push(Row {
            created_by: format!("WORKDIR {path}"),
            step: Some(id),
        });
        Ok(())
    }
}

fn expanded_ports(text: &str) -> Option<Vec<String>> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return None;
    }
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then(|| {
        (first..=last)
            .map(|port| format!("{port}/{protocol}"))
            .collect()
    })
}

/// `["a" "b"]`, as docker's history has lists.
fn quoted(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    format!("[{}]", words.join(" "))
}

fn health(check: Option<&HealthCheck>) -> Value {
    let Some(check) = check else {
        return json!({ "Test": ["NONE"] });
    };
    let mut value = Map::new();
    let test = match &check.command {
        Command::Exec(words) => {
            let mut all = vec!["CMD".to_owned()];
            all.extend(words.iter().cloned());
            all
        }
        // Whoever runs it looks up the image's shell.
        Command::Shell(line) => vec!["CMD-SHELL".to_owned(), line.clone()],
    };
    value.insert("Test".into(), json!(test));
    for (key, duration) in [
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
    ] {
        if let Some(duration) = duration {
            let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
            value.insert(key.into(), json!(nanoseconds));
        }
    }
    if let Some(retries) = check.retries {
        value.insert("Retries".into(), json!(retries));
    }
    Value::Object(value)
}
