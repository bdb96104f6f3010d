//! `COPY` and `ADD`.
//!
//! Lives here: their words, expanded; what `ADD` fetches; paths joined to `WORKDIR`.
//! Must not: look at any file.
//! Called by: `plan`.
//! Always true: a target is absolute; with a slash at its end it is a directory.

use super::scope::Scope;
use super::stage::{is_remote, plain_copy};
use super::{Planner, Row};
use crate::build::dockerfile::{Add, Copy, Source, Step, Word};
use crate::build::problem::Problem;
use crate::build::word;
use crate::error::Result;
use crate::ops::build::chmod;
use crate::ops::build::graph::{Chmod, CopyWork, From, Work};

impl<'a> Planner<'a> {
    pub(super) fn copy(
        &mut self,
        scope: &mut Scope<'a>,
        step: &Step,
        copy: &Copy,
        add: Option<&Add>,
    ) -> Result<()> {
        let from = match &copy.from {
            None => From::Context(0),
            Some(word) => {
                let name = self.value(scope, word)?;
                self.from(scope, &name, word.at)?
            }
        };
        let target = self.value(scope, &copy.target)?;
        let mut work = CopyWork {
            chown: copy
                .chown
                .as_ref()
                .map(|w| self.value(scope, w))
                .transpose()?,
            chmod: copy
                .chmod
                .as_ref()
                .map(|w| self.chmod(scope, w))
                .transpose()?,
            link: copy.link,
            parents: copy.parents,
            unpack: add.is_some_and(|add| add.unpack != Some(false)),
            unpack_fetched: add.is_some_and(|add| add.unpack == Some(true)),
            ..plain_copy(from, &directory_kept(&scope.workdir(), &target))
        };
        for word in &copy.exclude {
            work.exclude.push(self.value(scope, word)?);
        }
        for source in &copy.sources {
            match source {
                Source::Inline(heredoc) => {
                    let content = match heredoc.expand {
                        false => heredoc.content.clone(),
                        true => word::expand_heredoc(&heredoc.content, self.file.escape, &|name| {
                            scope.variable(name)
                        })
                        .map_err(|why| self.fault(heredoc.at, why))?,
                    };
                    work.inline.push((heredoc.name.clone(), content));
                }
                Source::Path(word) => {
                    let path = self.value(scope, word)?;
                    match add {
                        Some(add) if is_remote(&path) => {
                            let checksum = add.checksum.as_ref().map(|w| self.value(scope, w));
                            let checksum = checksum.transpose()?;
                            let fetched = self
                                .outside
                                .fetch(&path, checksum.as_deref(), add.keep_git_dir)
                                .map_err(|error| self.placed(error, word.at))?;
                            work.fetched.push(fetched);
                        }
                        _ => work.paths.push(path),
                    }
                }
            }
        }
        if let Some(word) = add.and_then(|add| add.checksum.as_ref())
            && work.fetched.is_empty()
        {
            return Err(self.fault(
                word.at,
                "--checksum is for what is fetched from an address, and nothing here is",
            ));
        }
        let several = work.paths.len() + work.inline.len() + work.fetched.len() > 1;
        if several && !work.target.ends_with('/') {
            return Err(Problem::new(
                copy.target.at,
                "with more than one source, the target is a directory",
            )
            .label(format!("expected \"{target}/\""))
            .into_error(self.name, self.text));
        }
        let created_by = format!("{} # buildkit", step.text);
        let id = self.node(scope, step, step.text.clone(), Work::Copy(Box::new(work)));
        scope.done.rows.push(Row {
            created_by,
            step: Some(id),
        });
        Ok(())
    }

    fn chmod(&self, scope: &Scope<'_>, word: &Word) -> Result<Chmod> {
        let text = self.value(scope, word)?;
        if let Ok(mode) = u32::from_str_radix(&text, 8)
            && mode <= 0o7777
        {
            return Ok(Chmod::Octal(mode));
        }
        match chmod::apply(&text, 0, false) {
            Some(_) => Ok(Chmod::Symbolic(text)),
            None => Err(Problem::new(word.at, format!("\"{text}\" is no mode"))
                .label("expected a number such as 755, or letters such as u=rwX,go=rX")
                .into_error(self.name, self.text)),
        }
    }
}

/// Joins a path to the working directory; `.` and `..` are done away with.
pub(super) fn absolute(workdir: &str, path: &str) -> String {
    let whole = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{workdir}/{path}")
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The same; what is a directory by its spelling keeps its slash.
fn directory_kept(workdir: &str, path: &str) -> String {
    let is_directory = path.is_empty()
        || path.ends_with('/')
        || matches!(path.rsplit('/').next(), Some("." | ".."));
    let path = absolute(workdir, path);
    match is_directory && path != "/" {
        true => format!("{path}/"),
        false => path,
    }
}
