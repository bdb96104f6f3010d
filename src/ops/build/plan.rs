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
//! Lives here: stages, scopes of variables, settings and history of the image.
//! Must not: run, copy or fetch anything: images, repositories and secrets come
//! through [`Outside`].
//! Called by: `ops::build`.
//! Always true: a fault names the file, its line and its column.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::build::dockerfile::{
    Add, Command, Copy, Dockerfile, HealthCheck, Instruction, Run, Source, Stage, Step, Word,
};
use crate::build::mount::{self, Mount};
use crate::build::problem::{Problem, Span};
use crate::build::{parse, word};
use crate::error::{Error, Result};
use crate::image::assemble::{Config, History};
use crate::ops::build::chmod;
use crate::ops::build::graph::{
    Chmod, CopyWork, Fetch, From, Graph, Hidden, Id, Node, RunMount, RunNetwork, RunWork, Times,
    Work,
};
use crate::runtime::program::DEFAULT_PATH;
use crate::spec::digest::Digest;
use crate::spec::platform::Platform;

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
    /// `--platform`.
    pub platform: Option<Platform>,
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
#[derive(Debug)]
pub struct Plan {
    /// The steps.
    pub graph: Graph,
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
    /// Of every `RUN`, what an image of the state before it would say.
    pub states: BTreeMap<Id, State>,
    /// The instructions of all stages that are needed, in the file's order.
    pub lines: Vec<Line>,
    /// What the user should know.
    pub warnings: Vec<String>,
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
    let mut planner = Planner {
        file,
        name,
        text,
        wishes,
        outside,
        graph: Graph::default(),
        globals: BTreeMap::new(),
        done: vec![None; file.stages.len()],
        states: BTreeMap::new(),
        images: BTreeMap::new(),
        lines: BTreeMap::new(),
        used_args: Vec::new(),
        warnings: Vec::new(),
    };
    planner.globals()?;
    let target = planner.target()?;
    let total = planner.stage(target)?;
    planner.finish(total)
}

struct Planner<'a> {
    file: &'a Dockerfile,
    name: &'a str,
    text: &'a str,
    wishes: &'a Wishes,
    outside: &'a mut dyn Outside,
    graph: Graph,
    globals: BTreeMap<String, Option<String>>,
    done: Vec<Option<Done>>,
    states: BTreeMap<Id, State>,
    /// Images that files are copied from, by name.
    images: BTreeMap<String, Id>,
    /// The instructions of each stage.
    lines: BTreeMap<usize, Vec<Line>>,
    used_args: Vec<String>,
    warnings: Vec<String>,
}

/// A stage that was looked at.
#[derive(Clone, Debug)]
struct Done {
    base: Config,
    settings: Map<String, Value>,
    author: Option<String>,
    env: Vec<(String, String)>,
    rows: Vec<Row>,
    last: Option<Id>,
    created: i64,
}

/// A stage that is being looked at.
struct Scope<'a> {
    stage: &'a Stage,
    number: usize,
    done: Done,
    /// `ARG` of this stage, in order; none is declared without a value.
    args: Vec<(String, Option<String>)>,
    shell: Vec<String>,
    cmd_is_ours: bool,
    /// How many steps that make files were seen, and how many there are.
    count: usize,
    total: usize,
}

impl<'a> Planner<'a> {
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
            Some(part) => (
                self.wishes.platform.clone().unwrap_or_else(Platform::host),
                part,
            ),
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
        let file_steps = stage.steps.iter().filter(|step| makes_files(step)).count();
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
            total: file_steps + 1,
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

    fn begin(&mut self, stage: &'a Stage, number: usize) -> Result<Done> {
        let image = self.expand(&stage.image, &|name| self.global(name))?;
        if image.is_empty() {
            return Err(Problem::new(stage.image.at, "the image's name is empty")
                .label("nothing is left when its variables are put in")
                .hint("give the ARG a default before the first FROM, or pass it with --build-arg")
                .into_error(self.name, self.text));
        }
        let platform = match &stage.platform {
            None => self.wishes.platform.clone(),
            Some(word) => {
                let text = self.expand(word, &|name| self.global(name))?;
                let parsed = text
                    .parse()
                    .map_err(|error: Error| self.fault(word.at, error.to_string()))?;
                Some(parsed)
            }
        };
        if let Some(earlier) = self
            .find_stage(&image, number)
            .filter(|_| image.parse::<usize>().is_err())
        {
            return self.stage(earlier);
        }
        if image == "scratch" {
            let platform = platform.unwrap_or_else(Platform::host);
            let mut settings = Map::new();
            settings.insert("Env".into(), json!([format!("PATH={DEFAULT_PATH}")]));
            settings.insert("WorkingDir".into(), "/".into());
            return Ok(Done {
                base: Config::scratch(&platform),
                settings,
                author: None,
                env: vec![("PATH".to_owned(), DEFAULT_PATH.to_owned())],
                rows: Vec::new(),
                last: None,
                created: EARLIEST,
            });
        }
        let image = match self.outside.context(&image)? {
            Some(Named::Image(other)) => other,
            Some(Named::Directory(directory)) => {
                return self.stage_of_directory(stage, number, directory, platform.as_ref());
            }
            None => image,
        };
        let base = self
            .outside
            .image(&image, platform.as_ref())
            .map_err(|error| error.what(format!("{}:{}", self.name, stage.at.line)))?;
        let mut config = base.config.clone();
        let mut settings = config.settings().clone();
        let mut env: Vec<(String, String)> = Vec::new();
        for line in strings(&settings, "Env").unwrap_or_default() {
            let (name, value) = line.split_once('=').unwrap_or((&line, ""));
            env.push((name.to_owned(), value.to_owned()));
        }
        if !env.iter().any(|(name, _)| name == "PATH") {
            env.insert(0, ("PATH".to_owned(), DEFAULT_PATH.to_owned()));
            set_env(&mut settings, &env);
        }
        let node = self.add(Node {
            name: format!(
                "{} FROM {image}",
                label(self.file, stage, number, 1, self.total_of(stage))
            ),
            text: stage.text.clone(),
            parent: None,
            work: Work::Base(base.layers),
            times: Times::Kept,
            no_cache: false,
        });
        Ok(Done {
            base: config,
            settings,
            author: None,
            env,
            rows: Vec::new(),
            last: Some(node),
            created: base.created,
        })
    }

    /// `FROM` a named context that is a directory: its files on nothing.
    fn stage_of_directory(
        &mut self,
        stage: &Stage,
        number: usize,
        directory: usize,
        platform: Option<&Platform>,
    ) -> Result<Done> {
        let platform = platform.cloned().unwrap_or_else(Platform::host);
        let node = self.add(Node {
            name: format!(
                "{} {}",
                label(self.file, stage, number, 1, self.total_of(stage)),
                stage.text
            ),
            text: stage.text.clone(),
            parent: None,
            work: Work::Copy(Box::new(CopyWork {
                paths: vec![".".to_owned()],
                ..plain_copy(From::Context(directory), "/")
            })),
            times: self.times(EARLIEST),
            no_cache: self.no_cache(stage),
        });
        Ok(Done {
            base: Config::scratch(&platform),
            settings: Map::new(),
            author: None,
            env: Vec::new(),
            rows: vec![Row {
                created_by: format!("{} # buildkit", stage.text),
                step: Some(node),
            }],
            last: Some(node),
            created: EARLIEST,
        })
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
        self.graph.nodes.push(node);
        self.graph.nodes.len() - 1
    }

    /// `ONBUILD` of the image: done right after `FROM`, once.
    fn triggers(&mut self, scope: &mut Scope<'a>) -> Result<()> {
        let triggers = strings(&scope.done.settings, "OnBuild").unwrap_or_default();
        scope.done.settings.remove("OnBuild");
        for trigger in triggers {
            let step = parse::trigger(&trigger, self.file.escape).map_err(|problem| {
                problem
                    .into_error("ONBUILD of the image", &trigger)
                    .what(format!("{}:{}", self.name, scope.stage.at.line))
            })?;
            scope.total += usize::from(makes_files(&step));
            self.step(scope, &step)?;
        }
        Ok(())
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

    fn instruction(&mut self, scope: &mut Scope<'a>, step: &Step) -> Result<()> {
        match &step.instruction {
            Instruction::Run(run) => self.run(scope, step, run),
            Instruction::Copy(copy) => self.copy(scope, step, copy, None),
            Instruction::Add(copy, add) => self.copy(scope, step, copy, Some(add)),
            Instruction::Workdir(path) => self.workdir(scope, path),
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
                let value = health(scope, check.as_ref());
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

    /// Expands a word with the variables of the stage.
    fn value(&self, scope: &Scope<'_>, text: &Word) -> Result<String> {
        self.expand(text, &|name| scope.variable(name))
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
                for port in expanded_ports(text)
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

    fn workdir(&mut self, scope: &mut Scope<'a>, word: &Word) -> Result<()> {
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
        let id = self.node(scope, format!("WORKDIR {path}"), work);
        scope.done.rows.push(Row {
            created_by: format!("WORKDIR {path}"),
            step: Some(id),
        });
        Ok(())
    }

    fn node(&mut self, scope: &mut Scope<'a>, text: String, work: Work) -> Id {
        scope.count += 1;
        let name = format!(
            "{} {text}",
            label(
                self.file,
                scope.stage,
                scope.number,
                scope.count,
                scope.total
            )
        );
        let id = self.add(Node {
            name,
            text,
            parent: scope.done.last,
            work,
            times: self.times(scope.done.created),
            no_cache: self.no_cache(scope.stage),
        });
        scope.done.last = Some(id);
        id
    }

    fn from(&mut self, scope: &Scope<'a>, name: &str, at: Span) -> Result<From> {
        if name.is_empty() {
            return Err(self.fault(at, "the name of the stage or image is empty"));
        }
        if let Some(number) = self.find_stage(name, scope.number) {
            let done = self.stage(number)?;
            return Ok(From::Node(match done.last {
                Some(id) => id,
                None => self.empty(),
            }));
        }
        if self.find_stage(name, self.file.stages.len()) == Some(scope.number) {
            return Err(self.fault(at, "a stage cannot copy from itself"));
        }
        let image = match self.outside.context(name)? {
            Some(Named::Directory(directory)) => return Ok(From::Context(directory)),
            Some(Named::Image(image)) => image,
            None => name.to_owned(),
        };
        if let Some(id) = self.images.get(&image) {
            return Ok(From::Node(*id));
        }
        let base = self
            .outside
            .image(&image, self.wishes.platform.as_ref())
            .map_err(|error| {
                let error = error.what(format!("{}:{}:{}", self.name, at.line, at.column));
                let names: Vec<&str> = self.file.stages[..scope.number]
                    .iter()
                    .filter_map(|stage| stage.name.as_deref())
                    .collect();
                match crate::spec::suggest::nearest(name, names.into_iter()) {
                    Some(near) => error.hint(format!("did you mean the stage \"{near}\"?")),
                    None => error,
                }
            })?;
        let id = self.add(Node {
            name: format!("FROM {image}"),
            text: format!("FROM {image}"),
            parent: None,
            work: Work::Base(base.layers),
            times: Times::Kept,
            no_cache: false,
        });
        self.images.insert(image, id);
        Ok(From::Node(id))
    }

    fn empty(&mut self) -> Id {
        self.add(Node {
            name: "FROM scratch".to_owned(),
            text: "FROM scratch".to_owned(),
            parent: None,
            work: Work::Base(Vec::new()),
            times: Times::Kept,
            no_cache: false,
        })
    }

    fn copy(
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
                                .map_err(|error| {
                                    error.what(format!("{}:{}", self.name, word.at.line))
                                })?;
                            work.fetched.push(fetched);
                        }
                        _ => work.paths.push(path),
                    }
                }
            }
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
        let id = self.node(scope, step.text.clone(), Work::Copy(Box::new(work)));
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

    fn run(&mut self, scope: &mut Scope<'a>, step: &Step, run: &Run) -> Result<()> {
        let (words, script) = scope.run_words(run);
        let mut mounts = Vec::new();
        let mut quiet_env = self.proxies(scope);
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
            None => self.wishes.network.unwrap_or(RunNetwork::Host),
            Some(word) => match self.value(scope, word)?.as_str() {
                "none" => RunNetwork::None,
                "host" => RunNetwork::Host,
                "default" => self.wishes.network.unwrap_or(RunNetwork::Host),
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
        };
        let state = State {
            base: scope.done.base.clone(),
            settings: scope.done.settings.clone(),
        };
        let id = self.node(scope, step.text.clone(), Work::Run(Box::new(work)));
        self.states.insert(id, state);
        scope.done.rows.push(Row {
            created_by,
            step: Some(id),
        });
        Ok(())
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

    fn finish(mut self, mut done: Done) -> Result<Plan> {
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
            if !known && name != "SOURCE_DATE_EPOCH" && self.platform_arg(name).is_none() {
                self.warnings.push(format!(
                    "the build argument \"{name}\" was not used: no needed stage has ARG {name}"
                ));
            }
        }
        let created = self
            .wishes
            .timestamp
            .or(self.wishes.epoch)
            .unwrap_or(done.created);
        Ok(Plan {
            graph: self.graph,
            last: done.last,
            base: done.base,
            settings: done.settings,
            author: done.author,
            rows: done.rows,
            created,
            states: self.states,
            lines: self.lines.into_values().flatten().collect(),
            warnings: self.warnings,
        })
    }
}

impl Scope<'_> {
    /// `ENV` goes before `ARG`.
    fn variable(&self, name: &str) -> Option<String> {
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
    fn visible_args(&self) -> Vec<String> {
        self.args
            .iter()
            .filter(|(name, _)| !self.done.env.iter().any(|(n, _)| n == name))
            .filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)))
            .collect()
    }

    fn set(&mut self, key: &str, value: Value) {
        self.done.settings.insert(key.to_owned(), value);
    }

    fn object(&mut self, key: &str) -> &mut Map<String, Value> {
        object(&mut self.done.settings, key)
    }

    fn row(&mut self, created_by: String) {
        self.done.rows.push(Row {
            created_by,
            step: None,
        });
    }

    fn workdir(&self) -> String {
        match text_of(&self.done.settings, "WorkingDir") {
            path if path.is_empty() => "/".to_owned(),
            path => path,
        }
    }

    fn command(&self, command: &Command) -> Vec<String> {
        match command {
            Command::Exec(words) => words.clone(),
            Command::Shell(line) => self.shell.iter().cloned().chain([line.clone()]).collect(),
        }
    }

    /// The words of a `RUN`, and the file it is when its script begins with `#!`.
    fn run_words(&self, run: &Run) -> (Vec<String>, Option<RunMount>) {
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

fn is_agent(mount: &RunMount) -> bool {
    matches!(mount, RunMount::Host { target, .. } if target.starts_with("/run/buildkit/ssh_agent."))
}

fn plain_copy(from: From, target: &str) -> CopyWork {
    CopyWork {
        from,
        paths: Vec::new(),
        inline: Vec::new(),
        fetched: Vec::new(),
        target: target.to_owned(),
        chown: None,
        chmod: None,
        link: false,
        parents: false,
        exclude: Vec::new(),
        unpack: false,
        unpack_fetched: false,
    }
}

fn makes_files(step: &Step) -> bool {
    matches!(
        step.instruction,
        Instruction::Run(_) | Instruction::Copy(_) | Instruction::Add(..) | Instruction::Workdir(_)
    )
}

/// `[build 2/5]`; the only stage has no name.
fn label(file: &Dockerfile, stage: &Stage, number: usize, count: usize, total: usize) -> String {
    match &stage.name {
        Some(name) => format!("[{name} {count}/{total}]"),
        None if file.stages.len() == 1 => format!("[{count}/{total}]"),
        None => format!("[stage-{number} {count}/{total}]"),
    }
}

/// Says whether `ADD` fetches it.
pub fn is_remote(path: &str) -> bool {
    ["http://", "https://", "git://", "ssh://", "git@"]
        .iter()
        .any(|prefix| path.starts_with(prefix))
}

/// Joins a path to the working directory; `.` and `..` are done away with.
fn absolute(workdir: &str, path: &str) -> String {
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

fn health(scope: &Scope<'_>, check: Option<&HealthCheck>) -> Value {
    let Some(check) = check else {
        return json!({ "Test": ["NONE"] });
    };
    let mut value = Map::new();
    let mut test = match &check.command {
        Command::Exec(words) => {
            let mut all = vec!["CMD".to_owned()];
            all.extend(words.iter().cloned());
            all
        }
        Command::Shell(line) => vec!["CMD-SHELL".to_owned(), line.clone()],
    };
    if let (Command::Shell(line), Some(shell)) =
        (&check.command, strings(&scope.done.settings, "Shell"))
    {
        test = std::iter::once("CMD".to_owned())
            .chain(shell)
            .chain([line.clone()])
            .collect();
    }
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

fn strings(settings: &Map<String, Value>, key: &str) -> Option<Vec<String>> {
    let list = settings.get(key)?.as_array()?;
    Some(
        list.iter()
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect(),
    )
}

fn text_of(settings: &Map<String, Value>, key: &str) -> String {
    settings
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn object<'m>(settings: &'m mut Map<String, Value>, key: &str) -> &'m mut Map<String, Value> {
    let value = settings.entry(key.to_owned()).or_insert_with(|| json!({}));
    if !value.is_object() {
        *value = json!({});
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("it was made one"),
    }
}

fn set_pair(pairs: &mut Vec<(String, String)>, name: String, value: String) {
    match pairs.iter_mut().find(|(n, _)| *n == name) {
        Some(pair) => pair.1 = value,
        None => pairs.push((name, value)),
    }
}

fn set_env(settings: &mut Map<String, Value>, env: &[(String, String)]) {
    let lines: Vec<String> = env.iter().map(|(n, v)| format!("{n}={v}")).collect();
    settings.insert("Env".into(), json!(lines));
}

/// The history of the image: the rows, with the layers their steps made.
pub fn history(row: &Row) -> History {
    History {
        created_by: row.created_by.clone(),
        author: String::new(),
        comment: "buildkit.dockerfile.v0".to_owned(),
    }
}
