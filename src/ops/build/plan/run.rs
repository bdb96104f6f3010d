//! `RUN`: its words, environment and mounts.
//!
//! Lives here: all that is expanded of a `RUN`, and the state before it.
//! Must not: run or mount anything.
//! Called by: `plan`.
//! Always true: secrets and proxies come into no text that is shown or kept.

use super::copy::absolute;
use super::scope::{Scope, text_of};
use super::{Planner, Row, State};
use crate::build::dockerfile::{Run, Step};
use crate::build::mount::{self, Mount};
use crate::build::problem::{Problem, Span};
use crate::error::Result;
use crate::ops::build::graph::{From, Hidden, RunMount, RunNetwork, RunWork, Times, Work};

impl<'a> Planner<'a> {
    pub(super) fn run(&mut self, scope: &mut Scope<'a>, step: &Step, run: &Run) -> Result<()> {
        let (words, script) = scope.run_words(run);
        let mut mounts = Vec::new();
        let mut quiet_env = self.proxies(scope);
        quiet_env.extend(self.epoch(scope));
        mounts.extend(script);
        for word in &run.mounts {
            let text = self.value(scope, word)?;
            let mount = mount::parse(&text).map_err(|why| self.fault(word.at, why))?;
            self.mount(scope, mount, word.at, &mut mounts, &mut quiet_env)?;
        }
        for (source, target, readonly) in &self.wishes.volumes {
            mounts.push(RunMount::Host {
                source: source.clone(),
                target: target.clone(),
                readonly: *readonly,
            });
        }
        let network = match &run.network {
            None => self.wishes.network.unwrap_or(RunNetwork::Default),
            Some(word) => match self.value(scope, word)?.as_str() {
                "none" => RunNetwork::None,
                "host" if self.wishes.host_network => RunNetwork::Host,
                "host" => {
                    return Err(
                        Problem::new(word.at, "RUN --network=host has to be allowed")
                            .hint("allow it with `rpod build --allow network.host`")
                            .into_error(self.name, self.text),
                    );
                }
                "default" => self.wishes.network.unwrap_or(RunNetwork::Default),
                other => {
                    return Err(self.fault(
                        word.at,
                        format!("a network of RUN is default, none or host, not \"{other}\""),
                    ));
                }
            },
        };
        let insecure = match &run.security {
            None => false,
            Some(word) => match self.value(scope, word)?.as_str() {
                "sandbox" => false,
                "insecure" if self.wishes.insecure => true,
                "insecure" => {
                    return Err(
                        Problem::new(word.at, "RUN --security=insecure has to be allowed")
                            .hint("allow it with `rpod build --allow security.insecure`")
                            .into_error(self.name, self.text),
                    );
                }
                other => {
                    return Err(self.fault(
                        word.at,
                        format!("security is sandbox or insecure, not \"{other}\""),
                    ));
                }
            },
        };
        let args: Vec<String> = scope.visible_args();
        let mut env: Vec<String> = args.clone();
        env.extend(scope.done.env.iter().map(|(n, v)| format!("{n}={v}")));
        let shown = words.join(" ");
        let created_by = if args.is_empty() {
            format!("RUN {shown} # buildkit")
        } else {
            format!("RUN |{} {} {shown} # buildkit", args.len(), args.join(" "))
        };
        let work = RunWork {
            words,
            env,
            quiet_env,
            workdir: scope.workdir(),
            user: text_of(&scope.done.settings, "User"),
            mounts,
            network,
            insecure,
            platform: scope.done.base.platform(),
        };
        let state = State {
            base: scope.done.base.clone(),
            settings: scope.done.settings.clone(),
        };
        let id = self.node(scope, step, step.text.clone(), Work::Run(Box::new(work)));
        self.plan.states.insert(id, state);
        scope.done.rows.push(Row {
            created_by,
            step: Some(id),
        });
        Ok(())
    }

    /// The time that files of the step will have, for programs that write times into what
    /// they make: python's compiler then trusts the source's content and not its time,
    /// which is about to be set. The step's key has the time already.
    fn epoch(&self, scope: &Scope<'_>) -> Option<String> {
        const NAME: &str = "SOURCE_DATE_EPOCH";
        if scope.variable(NAME).is_some() {
            return None;
        }
        match self.times(scope.done.created) {
            Times::Kept => None,
            Times::Most(time) | Times::Exactly(time) => Some(format!("{NAME}={time}")),
        }
    }

    /// Proxies are passed on, and are part of no key and no history.
    fn proxies(&self, scope: &Scope<'_>) -> Vec<String> {
        const NAMES: [&str; 10] = [
            "HTTP_PROXY",
            "http_proxy",
            "HTTPS_PROXY",
            "https_proxy",
            "FTP_PROXY",
            "ftp_proxy",
            "NO_PROXY",
            "no_proxy",
            "ALL_PROXY",
            "all_proxy",
        ];
        NAMES
            .iter()
            .filter(|name| scope.variable(name).is_none())
            .filter_map(|name| Some(format!("{name}={}", self.wishes.args.get(*name)?)))
            .collect()
    }

    fn mount(
        &mut self,
        scope: &Scope<'a>,
        mount: Mount,
        at: Span,
        mounts: &mut Vec<RunMount>,
        quiet_env: &mut Vec<String>,
    ) -> Result<()> {
        let target_of = |target: &str| absolute(&scope.workdir(), target);
        match mount {
            Mount::Bind {
                from,
                source,
                target,
                writable,
            } => {
                let from = match from {
                    None => From::Context(0),
                    Some(name) => self.from(scope, &name, at)?,
                };
                mounts.push(RunMount::Bind {
                    from,
                    source,
                    target: target_of(&target),
                    writable,
                });
            }
            Mount::Cache {
                id,
                from,
                source,
                target,
                readonly,
                sharing,
                mode,
                uid,
                gid,
            } => {
                let from = match from {
                    None => None,
                    Some(name) => Some((
                        self.from(scope, &name, at)?,
                        source.unwrap_or_else(|| "/".to_owned()),
                    )),
                };
                mounts.push(RunMount::Cache {
                    id,
                    from,
                    target: target_of(&target),
                    readonly,
                    sharing,
                    mode: mode.unwrap_or(0o755),
                    uid: uid.unwrap_or(0),
                    gid: gid.unwrap_or(0),
                });
            }
            Mount::Tmpfs { target, size } => mounts.push(RunMount::Tmpfs {
                target: target_of(&target),
                size,
            }),
            Mount::Secret {
                id,
                target,
                env,
                required,
                mode,
                uid,
                gid,
            } => {
                let Some(content) = self.outside.secret(&id)? else {
                    if required {
                        return Err(Problem::new(at, format!("there is no secret \"{id}\""))
                            .hint(format!("give it: `rpod build --secret id={id},src=FILE …`"))
                            .into_error(self.name, self.text));
                    }
                    return Ok(());
                };
                if let Some(variable) = env {
                    let text = String::from_utf8(content.clone()).map_err(|_| {
                        self.fault(
                            at,
                            format!("the secret \"{id}\" is not UTF-8, and cannot be a variable"),
                        )
                    })?;
                    quiet_env.push(format!("{variable}={text}"));
                }
                if let Some(target) = target {
                    mounts.push(RunMount::Secret {
                        content: Hidden(content),
                        target: target_of(&target),
                        mode,
                        uid,
                        gid,
                    });
                }
            }
            Mount::Ssh {
                id,
                target,
                required,
                ..
            } => {
                let Some(socket) = self.outside.agent(&id)? else {
                    if required {
                        return Err(Problem::new(at, format!("there is no SSH agent \"{id}\""))
                            .hint(format!("pass yours on: `rpod build --ssh {id} …`"))
                            .into_error(self.name, self.text));
                    }
                    return Ok(());
                };
                let number = mounts.iter().filter(|m| is_agent(m)).count();
                let target = target
                    .map(|t| target_of(&t))
                    .unwrap_or_else(|| format!("/run/buildkit/ssh_agent.{number}"));
                if number == 0 {
                    quiet_env.push(format!("SSH_AUTH_SOCK={target}"));
                }
                mounts.push(RunMount::Host {
                    source: socket,
                    target,
                    readonly: false,
                });
            }
        }
        Ok(())
    }
}

fn is_agent(mount: &RunMount) -> bool {
    matches!(mount, RunMount::Host { target, .. } if target.starts_with("/run/buildkit/ssh_agent."))
}
