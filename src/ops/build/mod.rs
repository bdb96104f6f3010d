//! `build`: from a Dockerfile and a context to an image.
//!
//! ```text
//! context, Dockerfile ─▶ plan ─▶ graph ─▶ solve ─▶ step, step, …  ─▶ output
//!                         │                        (copy, run)        image, files
//!                         └ images pulled, URLs and repositories fetched
//! ```
//!
//! 1. the Dockerfile is read and checked, the context found
//! 2. the plan: what the target needs, all variables put in, images pulled
//! 3. a child in the user's namespace does the steps, side by side where it can
//! 4. the same child puts the image together and gives it its names
//!
//! Lives here: that order, and what is asked of a build.
//! Must not: draw, or know a flag.
//! Called by: `cli`.
//! Always true: what is in the cache is found by content, so a build that was
//! killed goes on where it stopped, and two at once do the same work once.

pub mod agent;
pub mod event;
pub mod graph;
pub mod plan;
pub mod run;

mod ahead;
mod archive;
pub mod cache;
mod chmod;
mod clock;
mod context;
mod copy;
mod facts;
mod fetch;
mod files;
mod foreign;
mod fresh;
mod gather;
mod hashes;
mod network;
mod output;
mod remote;
mod send;
mod solve;
mod squash;
mod step;
mod summary;

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use serde::{Deserialize, Serialize};

use crate::build::dockerfile::Dockerfile;
use crate::build::{check, parse};
use crate::error::{Context, Error, Kind, Result};
use crate::image::assemble::{Config, Format};
use crate::ops::access::Asked;
use crate::ops::build::agent::Agent;
use crate::ops::build::context::Found;
use crate::ops::build::event::{Event, Listener, Speaker};
use crate::ops::build::graph::Fetch;
use crate::ops::build::plan::{Base, Named, Outside, Plan, Wishes};
use crate::ops::build::step::Site;
use crate::ops::{Session, network as networks, pull, sweep};
use crate::process::identity::Identity;
use crate::process::userns;
use crate::runtime::cgroup::Group;
use crate::spec::container::PullPolicy;
use crate::spec::digest::Digest;
use crate::spec::network::PRIVATE;
use crate::spec::platform::Platform;
use crate::spec::reference::Reference;
use crate::spec::time::Time;
use crate::store::images::{Entry, Image, Layer};
use crate::sys::{namespace, process};

pub use context::Source;
pub use output::Output;

/// What is asked of a build.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The context.
    pub context: Source,
    /// `-f`, as typed.
    pub file: Option<String>,
    /// `-t`.
    pub tags: Vec<Reference>,
    /// What changes the plan.
    pub wishes: Wishes,
    /// `--build-context`.
    pub contexts: BTreeMap<String, String>,
    /// `--secret`: what each says.
    pub secrets: BTreeMap<String, Vec<u8>>,
    /// `--ssh`: an agent for each name.
    pub agents: BTreeMap<String, Agent>,
    /// `--pull`.
    pub pull: PullPolicy,
    /// Settings of every `RUN`.
    pub runs: run::Settings,
    /// `--cache-ttl`.
    pub ttl: Option<Duration>,
    /// `--format`.
    pub format: Format,
    /// `--annotation`.
    pub annotations: BTreeMap<String, String>,
    /// `-o`.
    pub outputs: Vec<Output>,
    /// `--manifest`: a list that the images are put into.
    pub list: Option<Reference>,
    /// `--squash`, `--squash-all`.
    pub squash: Squash,
    /// `--layers=false`: nothing is kept for other builds.
    pub forgetful: bool,
    /// `--jobs`.
    pub jobs: Option<usize>,
    /// `--cache-from`.
    pub cache_from: Vec<cache::Place>,
    /// `--cache-to`.
    pub cache_to: Vec<cache::Export>,
    /// `--cache-to type=inline`: the image tells which steps made it.
    pub inline_cache: bool,
    /// `--quiet`: a push says nothing.
    pub quiet: bool,
    /// How registries are to be spoken to.
    pub asked: Asked,
    /// `--retry`.
    pub retries: Option<u32>,
    /// `--retry-delay`.
    pub delay: Option<Duration>,
    /// `--check`: nothing is built.
    pub check: bool,
    /// `--ignorefile`.
    pub ignore_file: Option<PathBuf>,
}

/// Which layers become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Squash {
    /// None.
    #[default]
    Nothing,
    /// Those that are new.
    New,
    /// Those of the base as well.
    All,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Built {
    /// The image's id, or the digest of a list; none when only files were asked for.
    pub id: Option<Digest>,
    /// The digest of its manifest or list.
    pub manifest: Option<Digest>,
    /// The same, as the index has it.
    pub entry: Option<Entry>,
    /// The image of each platform.
    pub images: Vec<Entry>,
    /// What `--cache-to` is to send, each for itself.
    pub caches: Vec<Entry>,
}

/// Sees what happens.
pub trait Watch {
    /// The steps are known.
    fn plan(&mut self, plan: &Plan);
    /// Something happened.
    fn event(&mut self, event: &Event);
    /// Some time has gone by.
    fn tick(&mut self);
    /// Nothing more happens; with an image, all went well.
    fn end(&mut self, built: Option<&Built>);
}

/// How often whoever watches is woken.
const TICK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// Builds.
pub fn build(session: &Session, request: &Request, watch: &mut dyn Watch) -> Result<Built> {
    let identity = Identity::of(&session.host)?;
    session.store.prepare_build()?;
    let _lease = session.store.lease()?;
    let found = context::find(session, request)?;
    let file = parse::parse(&found.text)
        .map_err(|problem| problem.into_error(&found.name, &found.text))?;
    look_over(session, &file, &found, request.check)?;
    if request.check {
        return Ok(Built::default());
    }
    let parent = request.runs.cgroup_parent.as_deref();
    let group = Group::find(&request.runs.limits, parent)?;
    if request.wishes.no_cache != plan::NoCache::Everything {
        cache::bring_in(session, request)?;
    }
    let agents = start_agents(session, request)?;
    let mut world = World::new(session, request, &found);
    for (id, agent) in &agents {
        world.agents.insert(id.clone(), agent.socket());
    }
    let plan = plan::plan(&file, &found.name, &found.text, &request.wishes, &mut world)?;
    for warning in &plan.warnings {
        session.progress.warn(warning);
    }
    watch.plan(&plan);
    let mut made = false;
    let result = in_builder(
        session,
        &identity,
        request,
        &found,
        &plan,
        world.known,
        group.as_ref(),
        (watch, &mut made),
    );
    watch.end(result.as_ref().ok());
    if made || request.squash != Squash::Nothing {
        sweep::settle(session);
    }
    let built = result?;
    send::send(session, request, &built)?;
    cache::send_out(session, request, &built)?;
    Ok(built)
}

/// An agent for each `--ssh` that names keys.
fn start_agents(session: &Session, request: &Request) -> Result<Vec<(String, agent::Running)>> {
    let mut all = Vec::new();
    for (id, agent) in &request.agents {
        if let Agent::Keys(keys) = agent {
            all.push((id.clone(), agent::Running::start(session, keys)?));
        }
    }
    Ok(all)
}

/// The checks: warnings, or with `# check=error=true` and `--check` the end.
fn look_over(session: &Session, file: &Dockerfile, found: &Found, only: bool) -> Result<()> {
    let ignore = found.places.first().and_then(|place| place.ignore.as_ref());
    let warnings = check::check(file, &found.text, ignore);
    let count = warnings.len();
    for warning in warnings {
        session
            .progress
            .warn(&warning.shown(&found.name, &found.text));
    }
    if count > 0 && (only || file.check.error) {
        return Err(Error::of(
            Kind::Usage,
            format!(
                "{} has {count} warning{}",
                found.name,
                if count == 1 { "" } else { "s" }
            ),
        ));
    }
    Ok(())
}

/// What the builder says at its end.
#[derive(Serialize, Deserialize)]
struct Told(Result<Built>);

#[allow(clippy::too_many_arguments, reason = "all that a builder needs, once")]
fn in_builder(
    session: &Session,
    identity: &Identity,
    request: &Request,
    found: &Found,
    plan: &Plan,
    known: HashMap<Digest, Layer>,
    group: Option<&Group>,
    (watch, made): (&mut dyn Watch, &mut bool),
) -> Result<Built> {
    let (events, speaking) = pipe_with(PipeFlags::CLOEXEC).what(|| "cannot make a pipe")?;
    let (result, telling) = pipe_with(PipeFlags::CLOEXEC).what(|| "cannot make a pipe")?;
    let mut writers = Some((speaking, telling));
    let network = session.store.stage("network")?;
    let network_plan = networks::plan(session, PRIVATE)?;
    let child = userns::launch(identity, |channel| {
        let Some((speaking, telling)) = writers.take() else {
            return 1;
        };
        let told = userns::Entry::unshare(channel)
            .and_then(userns::Entry::mapped)
            .and_then(|_channel| {
                process::die_with_parent(9)?;
                first_process(|| {
                    let site = Site {
                        store: &session.store,
                        identity,
                        person: &session.host.user_name(),
                        roles: session.roles,
                        contexts: &found.places,
                        speaker: &Speaker::new(speaking),
                        runs: &request.runs,
                        group,
                        network: &network,
                        network_plan: &network_plan,
                        ttl: request.ttl.map(|ttl| ttl.as_secs()),
                        keep: !request.forgetful,
                        jobs: request.jobs,
                    };
                    foreign::prepare(&plan.graph);
                    let built = output::build(&site, request, plan, &known);
                    tell(&telling, built)
                })
            });
        told.unwrap_or(1)
    });
    drop(writers);
    let child = child?;
    let told = hear(&events, &result, (watch, made));
    drop(process::wait(child.pid, true));
    told
}

fn tell(telling: &std::os::fd::OwnedFd, built: Result<Built>) -> u8 {
    let bytes = serde_json::to_vec(&Told(built)).unwrap_or_default();
    let mut pipe = match telling.try_clone() {
        Ok(fd) => std::fs::File::from(fd),
        Err(_) => return 1,
    };
    match pipe.write_all(&bytes) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

/// Forks a child that is the first process of a process namespace, and waits for it.
fn first_process(work: impl FnOnce() -> u8) -> Result<u8> {
    namespace::unshare(namespace::PID)
        .map_err(|error| userns::explain_denied(Error::from(error)))
        .what(|| "cannot make a process namespace")?;
    let pid = process::fork(|| {
        process::set_title("rpod-build");
        rustix::process::umask(rustix::fs::Mode::empty());
        match process::die_with_parent(9) {
            Ok(()) => work(),
            Err(_) => 1,
        }
    })
    .what(|| "cannot start the builder")?;
    let exit = process::wait(pid, true)?;
    Ok(u8::try_from(exit.map_or(1, process::Exit::status)).unwrap_or(1))
}

fn hear(
    events: &std::os::fd::OwnedFd,
    result: &std::os::fd::OwnedFd,
    (watch, made): (&mut dyn Watch, &mut bool),
) -> Result<Built> {
    let mut listener = Listener::default();
    let mut bytes = Vec::new();
    let (mut speaking, mut telling) = (true, true);
    while speaking || telling {
        let mut fds = Vec::new();
        if speaking {
            fds.push(PollFd::from_borrowed_fd(events.as_fd(), PollFlags::IN));
        }
        if telling {
            fds.push(PollFd::from_borrowed_fd(result.as_fd(), PollFlags::IN));
        }
        match poll(&mut fds, Some(&TICK)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).what(|| "cannot wait for the build"),
        }
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        let (heard, told) = (
            speaking && ready.next().unwrap_or(false),
            telling && ready.next().unwrap_or(false),
        );
        if heard {
            speaking = listener.read(events, &mut |event| {
                *made |= matches!(event, Event::Begun(_));
                watch.event(&event);
            })?;
        }
        if told {
            let mut buffer = [0; 16 << 10];
            match rustix::io::read(result, &mut buffer) {
                Ok(0) => telling = false,
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error).what(|| "cannot hear the build"),
            }
        }
        watch.tick();
    }
    match serde_json::from_slice::<Told>(&bytes) {
        Ok(Told(built)) => built,
        Err(_) => Err(Error::new(
            "its process ended without a result; perhaps it was killed, or the machine is out of memory",
        )
        .hint("build again: what was done is in the cache")),
    }
}

/// The world outside of a plan: images, secrets, what is fetched.
struct World<'a> {
    session: &'a Session,
    request: &'a Request,
    found: &'a Found,
    images: HashMap<(String, Option<Platform>), Base>,
    /// The sockets of the build's own SSH agents.
    agents: BTreeMap<String, PathBuf>,
    /// The blobs of images' layers, by their diff ids.
    known: HashMap<Digest, Layer>,
}

impl<'a> World<'a> {
    fn new(session: &'a Session, request: &'a Request, found: &'a Found) -> Self {
        Self {
            session,
            request,
            found,
            images: HashMap::new(),
            agents: BTreeMap::new(),
            known: HashMap::new(),
        }
    }
}

impl World<'_> {
    /// Returns an image, pulled if need be. What is pulled for another platform takes no
    /// name away from an image of this machine's.
    fn ensure(&self, name: &str, platform: Option<&Platform>) -> Result<Image> {
        let foreign = platform.is_some_and(|other| !Platform::host().accepts(other));
        let is_taken = |name: Reference| self.session.store.find_image(&name);
        let nameless = foreign
            && match name.parse() {
                Ok(name) => is_taken(name)?.is_some(),
                Err(_) => false,
            };
        let request = pull::Request {
            policy: self.request.pull,
            platform: platform.cloned(),
            asked: self.request.asked.clone(),
            nameless,
            retries: self.request.retries,
            delay: self.request.delay,
            ..pull::Request::default()
        };
        pull::ensure_by(self.session, name, &request)
    }
}

impl Outside for World<'_> {
    fn image(&mut self, name: &str, platform: Option<&Platform>) -> Result<Base> {
        let key = (name.to_owned(), platform.cloned());
        if let Some(base) = self.images.get(&key) {
            return Ok(base.clone());
        }
        let image = self.ensure(name, platform)?;
        let created = image
            .config
            .created()
            .as_deref()
            .and_then(|text| text.parse::<Time>().ok())
            .map_or(plan::EARLIEST, Time::unix)
            .max(plan::EARLIEST);
        for layer in &image.layers {
            self.known.insert(layer.diff_id.clone(), layer.clone());
        }
        let base = Base {
            layers: image
                .layers
                .iter()
                .map(|layer| layer.diff_id.clone())
                .collect(),
            config: Config::of(&self.session.store, &image)?,
            created,
        };
        self.images.insert(key, base.clone());
        Ok(base)
    }

    fn context(&mut self, name: &str) -> Result<Option<Named>> {
        Ok(self.found.named.get(name).cloned())
    }

    fn fetch(&mut self, url: &str, checksum: Option<&str>, keep_git: bool) -> Result<Fetch> {
        remote::fetch(self.session, url, checksum, keep_git)
    }

    fn secret(&mut self, id: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.request.secrets.get(id).cloned())
    }

    fn agent(&mut self, id: &str) -> Result<Option<PathBuf>> {
        Ok(match self.request.agents.get(id) {
            Some(Agent::Socket(path)) => Some(path.clone()),
            Some(Agent::Keys(_)) | None => self.agents.get(id).cloned(),
        })
    }
}

/// Returns how many bytes the files of a context have: docker's classic form tells it.
pub fn context_size(request: &Request) -> Result<u64> {
    context::size(request)
}

/// Says whether a context is an address rather than a directory.
pub fn is_address(context: &str) -> bool {
    plan::is_remote(context)
}

/// Says whether a path is the standard input.
fn is_dash(path: &str) -> bool {
    Path::new(path) == Path::new("-")
}
