//! Where a stage begins: `FROM` an image, a stage, a named context or nothing; and the
//! stages and images that files are taken from.
//!
//! Lives here: the first step of a stage, and the triggers of its image.
//! Must not: know what an instruction means (`settings`, `copy`, `run`).
//! Called by: `plan`, and the instructions that name a stage.
//! Always true: an image that several name is one step.

use serde_json::{Map, json};

use super::scope::{Done, Scope, set_env, strings};
use super::{EARLIEST, Named, Planner, Row, makes_files};
use crate::build::check;
use crate::build::dockerfile::Stage;
use crate::build::parse;
use crate::build::problem::{Problem, Span};
use crate::error::{Error, Kind, Result};
use crate::image::assemble::Config;
use crate::ops::build::graph::{CopyWork, From, Id, Node, Times, Work};
use crate::runtime::program::DEFAULT_PATH;
use crate::spec::digest::Digest;
use crate::spec::platform::Platform;

impl<'a> Planner<'a> {
    pub(super) fn begin(&mut self, stage: &'a Stage, number: usize) -> Result<Done> {
        let image = match &self.wishes.from {
            Some(image) if number == 0 => image.clone(),
            _ => self.expand(&stage.image, &|name| self.global(name))?,
        };
        if image.is_empty() {
            return Err(Problem::new(stage.image.at, "the image's name is empty")
                .label("nothing is left when its variables are put in")
                .hint("give the ARG a default before the first FROM, or pass it with --build-arg")
                .into_error(self.name, self.text));
        }
        let platform = match &stage.platform {
            None => self.platform.clone(),
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
            .map_err(|error| match error.kind() {
                // Its name makes no sense, and is not what was typed.
                Kind::Usage if image != stage.image.text && error.hints().is_empty() => error.hint(
                    "give its ARG a default before the first FROM, or pass it with --build-arg",
                ),
                _ => error,
            })
            .map_err(|error| self.placed(error, stage.image.at))?;
        self.check_platform(stage, &image, platform.as_ref(), &base.config.platform())?;
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
        let title = self.title(stage, number, 1, self.total_of(stage));
        let node = self.base(format!("{title} FROM {image}"), &stage.text, base.layers);
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

    /// BuildKit's check of an image that is for another machine than was asked for: it
    /// is all that there is under its name.
    fn check_platform(
        &mut self,
        stage: &Stage,
        image: &str,
        wanted: Option<&Platform>,
        found: &Platform,
    ) -> Result<()> {
        let host = Platform::host();
        let wanted = wanted.unwrap_or(&host);
        if (&wanted.os, &wanted.architecture) == (&found.os, &found.architecture)
            || self.file.check.skips(check::BASE_PLATFORM)
        {
            return Ok(());
        }
        let warning = check::Warning {
            rule: check::BASE_PLATFORM,
            at: stage.image.at,
            message: format!("the image \"{image}\" is for {found}, and the stage for {wanted}"),
        };
        if self.file.check.error {
            return Err(self.fault(warning.at, warning.message));
        }
        let shown = warning.shown(self.name, self.text);
        if !self.plan.warnings.contains(&shown) {
            self.plan.warnings.push(shown);
        }
        Ok(())
    }

    /// `FROM` a named context that is a directory: its files on nothing.
    pub(super) fn stage_of_directory(
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
                self.title(stage, number, 1, self.total_of(stage)),
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

    /// `ONBUILD` of the image: done right after `FROM`, once.
    pub(super) fn triggers(&mut self, scope: &mut Scope<'a>) -> Result<()> {
        let triggers = strings(&scope.done.settings, "OnBuild").unwrap_or_default();
        scope.done.settings.remove("OnBuild");
        let first = self.plan.graph.nodes.len();
        for trigger in triggers {
            let step = parse::trigger(&trigger, self.file.escape).map_err(|problem| {
                problem
                    .into_error("ONBUILD of the image", &trigger)
                    .what(format!("{}:{}", self.name, scope.stage.at.line))
            })?;
            scope.total += usize::from(makes_files(&step));
            self.step(scope, &step)?;
        }
        // They stand in no file here but by the image's name.
        for id in first..self.plan.graph.nodes.len() {
            self.remember(id, scope.stage.at);
        }
        Ok(())
    }

    pub(super) fn from(&mut self, scope: &Scope<'a>, name: &str, at: Span) -> Result<From> {
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
            .image(&image, self.platform.as_ref())
            .map_err(|error| {
                let error = self.placed(error, at);
                let names: Vec<&str> = self.file.stages[..scope.number]
                    .iter()
                    .filter_map(|stage| stage.name.as_deref())
                    .collect();
                match crate::spec::suggest::nearest(name, names.into_iter()) {
                    Some(near) => error.hint(format!("did you mean the stage \"{near}\"?")),
                    None => error,
                }
            })?;
        let text = format!("FROM {image}");
        let id = self.base(text.clone(), &text, base.layers);
        self.images.insert(image, id);
        Ok(From::Node(id))
    }

    pub(super) fn empty(&mut self) -> Id {
        let text = "FROM scratch";
        self.base(text.to_owned(), text, Vec::new())
    }

    /// Adds a step that is the layers of an image.
    fn base(&mut self, name: String, text: &str, layers: Vec<Digest>) -> Id {
        self.add(Node {
            name,
            text: text.to_owned(),
            parent: None,
            work: Work::Base(layers),
            times: Times::Kept,
            no_cache: false,
        })
    }
}

/// Says whether `ADD` fetches it.
pub fn is_remote(path: &str) -> bool {
    ["http://", "https://", "git://", "ssh://", "git@"]
        .iter()
        .any(|prefix| path.starts_with(prefix))
}

pub(super) fn plain_copy(from: From, target: &str) -> CopyWork {
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
