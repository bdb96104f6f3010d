//! From a Dockerfile to the graph: every instruction of the stages that are needed,
//! with its variables expanded, in docker's order of precedence.
//!
//! ```text
//! ARG before FROM ─▶ FROM … AS ─▶ stage: settings, variables, last step, history
//! ```
//!
//! A stage is looked at when something needs it, so what the target does not need is
//! neither pulled nor checked for what only shows when it is built.
//!
//! Lives here: what is asked of a plan and what one is; the walk through the stages
//! that are needed. What each instruction means is in the rooms below.
//! Must not: run, copy or fetch anything: images, repositories and secrets come
//! through [`Outside`].
//! Called by: `ops::build`.
//! Always true: a fault names the file, its line and its column.

mod copy;
mod run;
mod scope;
mod settings;
mod stage;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use self::scope::{Done, Scope, object, set_env, set_pair, strings};
use crate::build::dockerfile::{Dockerfile, Instruction, Stage, Step, Word};
use crate::build::problem::{Problem, Span, excerpt};
use crate::build::word;
use crate::error::{Error, Result};
use crate::image::assemble::{Config, History};
use crate::ops::build::graph::{Fetch, Graph, Id, Node, RunNetwork, Times, Work};
use crate::spec::digest::Digest;
use crate::spec::platform::Platform;

pub use self::stage::is_remote;

/// What an image brings to a stage.
#[derive(Clone, Debug)]
pub struct Base {
    /// Its layers from the lowest.
    pub layers: Vec<Digest>,
    /// Its configuration.
    pub config: Config,
    /// When it was made, in seconds since 1970.
    pub created: i64,
}

/// What a plan needs of the world.
pub trait Outside {
    /// Returns an image, pulled if need be.
    fn image(&mut self, name: &str, platform: Option<&Platform>) -> Result<Base>;
    /// Returns the number of a named context's directory, if there is one of that name;
    /// `Err` with an image's name when it is one.
    fn context(&mut self, name: &str) -> Result<Option<Named>>;
    /// Fetches what `ADD` names.
    fn fetch(&mut self, url: &str, checksum: Option<&str>, keep_git: bool) -> Result<Fetch>;
    /// Returns a secret.
    fn secret(&mut self, id: &str) -> Result<Option<Vec<u8>>>;
    /// Returns the socket of an SSH agent.
    fn agent(&mut self, id: &str) -> Result<Option<std::path::PathBuf>>;
}

/// What `--build-context` says of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A directory, by its number.
    Directory(usize),
    /// An image.
    Image(String),
}

/// What was asked of a build, as far as it changes the plan.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// `--build-arg`.
    pub args: BTreeMap<String, String>,
    /// `--target`.
    pub target: Option<String>,
    /// `--platform`; none is this machine's.
    pub platforms: Vec<Platform>,
    /// `--from`: takes the place of the first image.
    pub from: Option<String>,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
    /// `--env`.
    pub env: Vec<(String, String)>,
    /// `--unsetenv`.
    pub unset_env: Vec<String>,
    /// `--unsetlabel`.
    pub unset_labels: Vec<String>,
    /// `--no-cache`, or the stages of `--no-cache-filter`.
    pub no_cache: NoCache,
    /// `--network`.
    pub network: Option<RunNetwork>,
    /// `--allow network.host`: a `RUN` may ask for the machine's network.
    pub host_network: bool,
    /// `--volume`: paths here and inside, read-only or not.
    pub volumes: Vec<(std::path::PathBuf, String, bool)>,
    /// `SOURCE_DATE_EPOCH`.
    pub epoch: Option<i64>,
    /// `--timestamp`.
    pub timestamp: Option<i64>,
    /// `--rewrite-timestamp=false`.
    pub keep_times: bool,
    /// `--security-opt`-like: `RUN --security=insecure` is allowed.
    pub insecure: bool,
}

/// Which steps are not taken from the cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NoCache {
    /// All are.
    #[default]
    Nothing,
    /// None is.
    Everything,
    /// Those of these stages are not.
    Stages(Vec<String>),
}

/// A plan.
#[derive(Debug, Default)]
pub struct Plan {
    /// The steps, of all platforms.
    pub graph: Graph,
    /// What is made, for each platform.
    pub targets: Vec<Target>,
    /// Of every step of the file, where it stands, and its line as an error shows it.
    pub places: BTreeMap<Id, (String, String)>,
    /// Of every `RUN`, what an image of the state before it would say.
    pub states: BTreeMap<Id, State>,
    /// The instructions of all stages that are needed, in the file's order.
    pub lines: Vec<Line>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// What is made for one platform.
#[derive(Debug)]
pub struct Target {
    /// The platform that was asked for.
    pub platform: Platform,
    /// The target's last step; none is an empty image.
    pub last: Option<Id>,
    /// The configuration of what the target builds upon.
    pub base: Config,
    /// What the image says of its containers.
    pub settings: Map<String, Value>,
    /// Who made it.
    pub author: Option<String>,
    /// The lines of history that are new.
    pub rows: Vec<Row>,
    /// When all of it was made, in seconds since 1970.
    pub created: i64,
}

/// An instruction that is carried out.
#[derive(Clone, Debug)]
pub struct Line {
    /// As typed, on one line.
    pub text: String,
    /// Its step, if it makes files.
    pub step: Option<Id>,
}

/// A line of history.
#[derive(Clone, Debug)]
pub struct Row {
    /// What made it.
    pub created_by: String,
    /// The step that made its layer.
    pub step: Option<Id>,
}

/// What a container in the state before a step would be given.
#[derive(Clone, Debug)]
pub struct State {
    /// The configuration of what its stage builds upon.
    pub base: Config,
    /// The image's settings there.
    pub settings: Map<String, Value>,
}

/// The oldest time of an image that builds upon nothing: the first that every archive
/// format can hold (1980-01-01).
pub const EARLIEST: i64 = 315_532_800;

/// Makes the plan.
pub fn plan(
    file: &Dockerfile,
    name: &str,
    text: &str,
    wishes: &Wishes,
    outside: &mut dyn Outside,
) -> Result<Plan> {
    let mut plan = Plan::default();
    let platforms: Vec<Option<Platform>> = match wishes.platforms.as_slice() {
        [] => vec![None],
        all => all.iter().cloned().map(Some).collect(),
    };
    for platform in platforms {
        let mut planner = Planner {
            file,
            name,
            text,
            wishes,
            outside: &mut *outside,
            platform,
            plan: &mut plan,
            globals: BTreeMap::new(),
            done: vec![None; file.stages.len()],
            images: BTreeMap::new(),
            lines: BTreeMap::new(),
            used_args: Vec::new(),
        };
        planner.globals()?;
        let target = planner.target()?;
        let total = planner.stage(target)?;
        planner.finish(total);
    }
    Ok(plan)
}

/// A place in a file, in the words of an error.
fn place(name: &str, at: Span) -> String {
    format!("{name}:{}:{}", at.line, at.column)
}

struct Planner<'a> {
    file: &'a Dockerfile,
    name: &'a str,
    text: &'a str,
    wishes: &'a Wishes,
    outside: &'a mut dyn Outside,
    /// What is built for; none is this machine's.
    platform: Option<Platform>,
    plan: &'a mut Plan,
    globals: BTreeMap<String, Option<String>>,
    done: Vec<Option<Done>>,
    /// Images that files are copied from, by name.
    images: BTreeMap<String, Id>,
    /// The instructions of each stage.
    lines: BTreeMap<usize, Vec<Line>>,
    used_args: Vec<String>,
}
impl<'a> Planner<'a> {
    /// Keeps where in the file a step stands.
    fn remember(&mut self, id: Id, at: Span) {
        let lines = excerpt(self.text, at, "");
        let place = place(self.name, at);
        self.plan.places.insert(id, (place, lines));
    }

    /// Shows where in the file an error comes from.
    fn placed(&self, error: Error, at: Span) -> Error {
        let lines = excerpt(self.text, at, "");
        error.what(place(self.name, at)).drawn(&lines)
    }

    fn fault(&self, at: Span, message: impl Into<String>) -> Error {
        Problem::new(at, message).into_error(self.name, self.text)
    }

    fn expand(&self, text: &Word, values: word::Values<'_>) -> Result<String> {
        word::expand(&text.text, self.file.escape, values).map_err(|why| self.fault(text.at, why))
    }

    /// `ARG` before the first `FROM`.
    fn globals(&mut self) -> Result<()> {
        for step in &self.file.globals {
            let Instruction::Arg(pairs) = &step.instruction else {
                continue;
            };
            for (name, default) in pairs {
                let value = match (self.wishes.args.get(&name.text), default) {
                    (Some(given), _) => Some(given.clone()),
                    (None, Some(default)) => Some(self.expand(default, &|name| self.global(name))?),
                    (None, None) => None,
                };
                self.used_args.push(name.text.clone());
                self.globals.insert(name.text.clone(), value);
            }
        }
        Ok(())
    }

    fn global(&self, name: &str) -> Option<String> {
        match self.globals.get(name) {
            Some(value) => value.clone(),
            None => self.platform_arg(name),
        }
    }

    /// The arguments every file has: what is built for, and where.
    fn platform_arg(&self, name: &str) -> Option<String> {
        let (of, part) = match name.strip_prefix("TARGET") {
            Some("STAGE") => {
                return Some(
                    self.wishes
                        .target
                        .clone()
                        .unwrap_or_else(|| "default".to_owned()),
                );
            }
            Some(part) => (self.platform.clone().unwrap_or_else(Platform::host), part),
            None => (Platform::host(), name.strip_prefix("BUILD")?),
        };
        match part {
            "PLATFORM" => Some(of.to_string()),
            "OS" => Some(of.os),
            "ARCH" => Some(of.architecture),
            "VARIANT" => Some(of.variant.unwrap_or_default()),
            _ => None,
        }
    }

    fn target(&self) -> Result<usize> {
        let Some(target) = &self.wishes.target else {
            return Ok(self.file.stages.len() - 1);
        };
        if let Some(number) = self.find_stage(target, self.file.stages.len()) {
            return Ok(number);
        }
        let names: Vec<&str> = self
            .file
            .stages
            .iter()
            .filter_map(|stage| stage.name.as_deref())
            .collect();
        let error = Error::of(
            crate::error::Kind::Usage,
            format!("{} has no stage \"{target}\"", self.name),
        );
        Err(
            match crate::spec::suggest::nearest(target, names.iter().copied()) {
                Some(near) => error.hint(format!("did you mean `--target {near}`?")),
                None if names.is_empty() => error.hint("name stages with `FROM … AS name`"),
                None => error.hint(format!("its stages are {}", names.join(", "))),
            },
        )
    }

    /// Returns the number of a stage before `before`, by its name or number.
    fn find_stage(&self, name: &str, before: usize) -> Option<usize> {
        let lower = name.to_lowercase();
        let by_name = self.file.stages[..before]
            .iter()
            .rposition(|stage| stage.name.as_deref() == Some(lower.as_str()));
        by_name.or_else(|| name.parse().ok().filter(|number| *number < before))
    }

    fn stage(&mut self, number: usize) -> Result<Done> {
        if let Some(done) = &self.done[number] {
            return Ok(done.clone());
        }
        let stage = &self.file.stages[number];
        let done = self.begin(stage, number)?;
        let shell = strings(&done.settings, "Shell")
            .unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned()]);
        let mut scope = Scope {
            stage,
            number,
            done,
            args: Vec::new(),
            shell,
            cmd_is_ours: false,
            count: 1,
            total: self.total_of(stage),
        };
        let from = Line {
            text: stage.text.clone(),
            step: scope.done.last,
        };
        self.lines.entry(number).or_default().push(from);
        self.triggers(&mut scope)?;
        for step in &stage.steps {
            self.step(&mut scope, step)?;
        }
        self.done[number] = Some(scope.done.clone());
        Ok(scope.done)
    }

    /// `[build 2/5]`; the only stage has no name, and the only platform is not told.
    fn title(&self, stage: &Stage, number: usize, count: usize, total: usize) -> String {
        let platform = match &self.platform {
            Some(platform) if self.wishes.platforms.len() > 1 => format!("{platform} "),
            _ => String::new(),
        };
        match &stage.name {
            Some(name) => format!("[{platform}{name} {count}/{total}]"),
            None if self.file.stages.len() == 1 => format!("[{platform}{count}/{total}]"),
            None => format!("[{platform}stage-{number} {count}/{total}]"),
        }
    }

    fn total_of(&self, stage: &Stage) -> usize {
        stage.steps.iter().filter(|step| makes_files(step)).count() + 1
    }

    fn no_cache(&self, stage: &Stage) -> bool {
        match &self.wishes.no_cache {
            NoCache::Nothing => false,
            NoCache::Everything => true,
            NoCache::Stages(names) => stage
                .name
                .as_ref()
                .is_some_and(|name| names.iter().any(|n| n.eq_ignore_ascii_case(name))),
        }
    }

    /// What becomes of the times of files that a step makes upon an image of a time.
    fn times(&self, base: i64) -> Times {
        match (
            self.wishes.keep_times,
            self.wishes.timestamp,
            self.wishes.epoch,
        ) {
            (_, Some(time), _) => Times::Exactly(time),
            (true, ..) => Times::Kept,
            (_, _, Some(epoch)) => Times::Most(base.min(epoch)),
            _ => Times::Most(base),
        }
    }

    fn add(&mut self, node: Node) -> Id {
        self.plan.graph.nodes.push(node);
        self.plan.graph.nodes.len() - 1
    }

    fn step(&mut self, scope: &mut Scope<'a>, step: &Step) -> Result<()> {
        let before = scope.count;
        self.instruction(scope, step)?;
        let line = Line {
            text: step.text.clone(),
            step: scope.done.last.filter(|_| scope.count > before),
        };
        self.lines.entry(scope.number).or_default().push(line);
        Ok(())
    }

    /// Expands a word with the variables of the stage.
    fn value(&self, scope: &Scope<'_>, text: &Word) -> Result<String> {
        self.expand(text, &|name| scope.variable(name))
    }

    fn node(&mut self, scope: &mut Scope<'a>, step: &Step, text: String, work: Work) -> Id {
        scope.count += 1;
        let name = format!(
            "{} {text}",
            self.title(scope.stage, scope.number, scope.count, scope.total)
        );
        let id = self.add(Node {
            name,
            text,
            parent: scope.done.last,
            work,
            times: self.times(scope.done.created),
            no_cache: self.no_cache(scope.stage),
        });
        self.remember(id, step.at);
        scope.done.last = Some(id);
        id
    }

    fn finish(self, mut done: Done) {
        for (name, value) in &self.wishes.env {
            set_pair(&mut done.env, name.clone(), value.clone());
        }
        done.env
            .retain(|(name, _)| !self.wishes.unset_env.contains(name));
        if !self.wishes.env.is_empty() || !self.wishes.unset_env.is_empty() {
            set_env(&mut done.settings, &done.env);
        }
        if !self.wishes.labels.is_empty() || !self.wishes.unset_labels.is_empty() {
            let labels = object(&mut done.settings, "Labels");
            labels.retain(|name, _| !self.wishes.unset_labels.contains(name));
            for (name, value) in &self.wishes.labels {
                labels.insert(name.clone(), json!(value));
            }
        }
        for name in self.wishes.args.keys() {
            let known = self.used_args.contains(name) || name.to_lowercase().ends_with("_proxy");
            if !known
                && !matches!(name.as_str(), "SOURCE_DATE_EPOCH" | "BUILDKIT_INLINE_CACHE")
                && self.platform_arg(name).is_none()
            {
                let text = format!(
                    "the build argument \"{name}\" was not used: no needed stage has ARG {name}"
                );
                if !self.plan.warnings.contains(&text) {
                    self.plan.warnings.push(text);
                }
            }
        }
        let created = self
            .wishes
            .timestamp
            .or(self.wishes.epoch)
            .unwrap_or(done.created);
        self.plan.targets.push(Target {
            platform: self.platform.unwrap_or_else(Platform::host),
            last: done.last,
            base: done.base,
            settings: done.settings,
            author: done.author,
            rows: done.rows,
            created,
        });
        self.plan.lines.extend(self.lines.into_values().flatten());
    }
}

fn makes_files(step: &Step) -> bool {
    matches!(
        step.instruction,
        Instruction::Run(_) | Instruction::Copy(_) | Instruction::Add(..) | Instruction::Workdir(_)
    )
}

/// The history of the image: the rows, with the layers their steps made.
pub fn history(row: &Row) -> History {
    History {
        created_by: row.created_by.clone(),
        author: String::new(),
        comment: "buildkit.dockerfile.v0".to_owned(),
    }
}
