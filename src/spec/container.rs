//! A container on paper: what was asked for, and what is.
//!
//! Lives here: [`Request`] (what a person typed, by meaning), [`Record`] (the
//! whole of what was asked, with the image's own settings merged in) and
//! [`State`] (what became of it).
//! Must not: read or write them (that is `store::containers`).
//! Called by: `cli` makes requests; `ops` makes records; `monitor` makes states.
//! Always true: a record never changes after `create` but for its name and its
//! networks; everything that changes by itself is in the state.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::spec::digest::Digest;
use crate::spec::id::{ContainerId, ContainerName};
use crate::spec::mount::Mount;
use crate::spec::network::{Attachment, DEFAULT, Endpoint, PRIVATE};
use crate::spec::port::{Port, PortMapping};
use crate::spec::time::Time;

/// What `run` and `create` were asked, before any image is known.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Image as typed.
    pub image: String,
    /// Words after the image; empty means the image's own.
    pub command: Vec<String>,
    /// `--entrypoint`; an empty text removes the image's.
    pub entrypoint: Option<Vec<String>>,
    /// `--name`.
    pub name: Option<ContainerName>,
    /// `-e` and `--env-file`, in order; a word without `=` takes the caller's value.
    pub env: Vec<String>,
    /// `-w`.
    pub workdir: Option<String>,
    /// `-u`.
    pub user: Option<String>,
    /// `--group-add`.
    pub groups: Vec<String>,
    /// `--hostname`.
    pub hostname: Option<String>,
    /// `--domainname`.
    pub domainname: Option<String>,
    /// `-t`.
    pub tty: bool,
    /// `-i`.
    pub interactive: bool,
    /// `--rm`.
    pub remove: bool,
    /// `--init`.
    pub init: bool,
    /// `--read-only`.
    pub read_only: bool,
    /// `-v`, `--mount`, `--tmpfs`, `--device`.
    pub mounts: Vec<Mount>,
    /// `--volumes-from`: containers as typed, and whether nothing is to be written.
    pub mounts_of: Vec<(String, bool)>,
    /// `-p`.
    pub publish: Vec<PortMapping>,
    /// `-P`.
    pub publish_all: bool,
    /// `--expose`.
    pub expose: Vec<Port>,
    /// `--network`.
    pub network: Option<NetworkMode>,
    /// `--network` with `--ip` and the like: its places on bridge networks; none is
    /// any place on the default one.
    pub networks: Vec<Attachment>,
    /// `--dns`.
    pub dns: Vec<IpAddr>,
    /// `--dns-search`.
    pub dns_search: Vec<String>,
    /// `--dns-option`.
    pub dns_options: Vec<String>,
    /// `--add-host`: a name and an address.
    pub hosts: Vec<(String, String)>,
    /// `--network-capture`.
    pub network_capture: Option<String>,
    /// `--link`: a container as typed, and the name it is known by.
    pub links: Vec<(String, String)>,
    /// `--label` and `--label-file`.
    pub labels: BTreeMap<String, String>,
    /// `--restart`.
    pub restart: Restart,
    /// `--stop-signal`.
    pub stop_signal: Option<String>,
    /// `--stop-timeout`, in seconds.
    pub stop_timeout: Option<u64>,
    /// `--cap-add`, without `CAP_`, upper case; `ALL` is everything.
    pub cap_add: Vec<String>,
    /// `--cap-drop`.
    pub cap_drop: Vec<String>,
    /// `--privileged`.
    pub privileged: bool,
    /// `--security-opt no-new-privileges`.
    pub no_new_privileges: bool,
    /// `--security-opt seccomp=unconfined`.
    pub seccomp_unconfined: bool,
    /// `--ulimit`.
    pub ulimits: Vec<Ulimit>,
    /// `--sysctl`.
    pub sysctls: BTreeMap<String, String>,
    /// `--shm-size`, in bytes.
    pub shm_size: Option<u64>,
    /// `--pid host` and the like.
    pub namespaces: Namespaces,
    /// `--cidfile`.
    pub cidfile: Option<String>,
    /// `--pull`.
    pub pull: PullPolicy,
    /// `--platform`.
    pub platform: Option<String>,
}

/// When an image is asked of its registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// Each time.
    Always,
    /// When it is not in the store.
    #[default]
    Missing,
    /// Not at all.
    Never,
    /// Each time; what is there will do when the registry does not answer.
    Newer,
}

/// Which network a container has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// The user's bridge networks, those of docker's kind: [`Record::networks`].
    Bridge,
    /// The machine's own.
    Host,
    /// Only a loopback device.
    None,
    /// That of another container, by its id.
    Container(String),
    /// A stack of its own, apart from all networks: its one place is in
    /// [`Record::networks`].
    Private,
    /// The namespace at a path.
    Namespace(String),
}

impl NetworkMode {
    /// Returns the mode's name, as docker shows it: of bridge networks the first.
    pub fn name(&self, networks: &[Attachment]) -> String {
        match self {
            Self::Bridge => networks
                .first()
                .map_or(DEFAULT, |first| first.network.as_str())
                .to_owned(),
            Self::Host => "host".to_owned(),
            Self::None => "none".to_owned(),
            Self::Container(name) => format!("container:{name}"),
            Self::Private => PRIVATE.to_owned(),
            Self::Namespace(path) => format!("ns:{path}"),
        }
    }
}

/// Which namespaces are the machine's rather than the container's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespaces {
    /// `--pid host`.
    pub host_pid: bool,
    /// `--ipc host`.
    pub host_ipc: bool,
    /// `--uts host`.
    pub host_uts: bool,
}

/// What happens when a container's program has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Nothing.
    #[default]
    No,
    /// It is started again.
    Always,
    /// It is started again, unless a person stopped it.
    UnlessStopped,
    /// It is started again after a failure, so many times at most (0: no limit).
    OnFailure(u32),
}

impl Restart {
    /// Parses the text after `--restart`.
    pub fn parse(text: &str) -> Result<Self> {
        match text.split_once(':').unwrap_or((text, "")) {
            ("no" | "", "") => Ok(Self::No),
            ("always", "") => Ok(Self::Always),
            ("unless-stopped", "") => Ok(Self::UnlessStopped),
            ("on-failure", "") => Ok(Self::OnFailure(0)),
            ("on-failure", times) if times.parse::<u32>().is_ok() => {
                Ok(Self::OnFailure(times.parse().unwrap_or(0)))
            }
            _ => Err(Error::of(
                Kind::Usage,
                format!(
                    "\"{text}\" is no restart policy: no, always, unless-stopped and on-failure[:TIMES] are"
                ),
            )),
        }
    }

    /// Returns the policy's name, as docker shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Always => "always",
            Self::UnlessStopped => "unless-stopped",
            Self::OnFailure(_) => "on-failure",
        }
    }

    /// Returns how often a failure is tried again; 0 is without limit.
    pub fn retries(self) -> u32 {
        match self {
            Self::OnFailure(times) => times,
            _ => 0,
        }
    }
}

/// Another container, known by a name of one's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its id.
    pub id: ContainerId,
    /// Its name when the link was made.
    pub name: String,
    /// The name it is known by.
    pub alias: String,
}

/// One limit of setrlimit(2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// Name without `RLIMIT_`, in lower case: `nofile`.
    pub name: String,
    /// Soft limit; `u64::MAX` is none.
    pub soft: u64,
    /// Hard limit; `u64::MAX` is none.
    pub hard: u64,
}

/// All that was asked of a container: `container.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Format of this file; this rpod writes 1.
    pub version: u32,
    /// Its id.
    pub id: ContainerId,
    /// Its name.
    pub name: ContainerName,
    /// When it was made.
    pub created: Time,
    /// Image as typed.
    pub image: String,
    /// The image's id: the digest of its configuration.
    pub image_id: Digest,
    /// The image's layers from the lowest, by diff id.
    pub layers: Vec<Digest>,
    /// Directory name under `layers/` of the id map its files have.
    pub id_map: String,
    /// Entry point and command, as shown apart by `inspect`.
    pub entrypoint: Vec<String>,
    /// Command after the entry point.
    pub command: Vec<String>,
    /// Environment, complete.
    pub env: Vec<String>,
    /// Working directory.
    pub workdir: String,
    /// User as asked, resolved inside at each start: `1000`, `app:staff`.
    pub user: String,
    /// More groups, by name or number.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Host name inside.
    pub hostname: String,
    /// Domain name inside; empty is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub domainname: String,
    /// It has a terminal.
    pub tty: bool,
    /// Its standard input stays open.
    pub interactive: bool,
    /// It goes when it ends.
    pub remove: bool,
    /// A small init reaps inside.
    pub init: bool,
    /// Its root cannot be written.
    pub read_only: bool,
    /// Mounts; volumes have their names by now.
    pub mounts: Vec<Mount>,
    /// Volumes that were made for this container alone and go with it.
    #[serde(default)]
    pub anonymous_volumes: Vec<String>,
    /// Published ports; a free host port is found at each start.
    pub publish: Vec<PortMapping>,
    /// Ports that are told but not published.
    pub expose: Vec<Port>,
    /// Network.
    pub network: NetworkMode,
    /// Its places on bridge networks, where that is its mode; `network connect` and
    /// `disconnect` change them.
    #[serde(default = "default_networks")]
    pub networks: Vec<Attachment>,
    /// The file into which its packets are written; an absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_capture: Option<String>,
    /// Name servers asked for.
    #[serde(default)]
    pub dns: Vec<IpAddr>,
    /// Search domains asked for.
    #[serde(default)]
    pub dns_search: Vec<String>,
    /// Resolver options asked for.
    #[serde(default)]
    pub dns_options: Vec<String>,
    /// More lines of `/etc/hosts`.
    #[serde(default)]
    pub hosts: Vec<(String, String)>,
    /// Other containers that it knows by names of its own.
    #[serde(default)]
    pub links: Vec<Link>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Restart policy.
    pub restart: Restart,
    /// Signal that asks it to end: `SIGTERM`.
    pub stop_signal: String,
    /// Seconds it is given to end.
    pub stop_timeout: u64,
    /// Capabilities it may have, as numbers of capabilities(7), sorted.
    pub capabilities: Vec<u8>,
    /// Capabilities as asked for, shown by `inspect`.
    #[serde(default)]
    pub cap_add: Vec<String>,
    /// Capabilities as asked to be dropped.
    #[serde(default)]
    pub cap_drop: Vec<String>,
    /// Everything the user has is the container's.
    pub privileged: bool,
    /// No program gains rights by being run.
    pub no_new_privileges: bool,
    /// No filter of system calls.
    pub seccomp_unconfined: bool,
    /// Resource limits.
    pub ulimits: Vec<Ulimit>,
    /// Kernel settings of its namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// Bytes of `/dev/shm`.
    pub shm_size: u64,
    /// Shared namespaces.
    #[serde(default)]
    pub namespaces: Namespaces,
}

/// What a container is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It was made and never started.
    Created,
    /// Its program runs.
    Running,
    /// It waits to be started again by its monitor.
    Restarting,
    /// Its program has ended.
    Exited,
    /// It is being removed.
    Removing,
    /// It could not be removed.
    Dead,
}

impl Status {
    /// Returns the word docker shows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
            Self::Removing => "removing",
            Self::Dead => "dead",
        }
    }
}

/// A process that can be told from a later one with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number in the machine's namespace, as this rpod sees it.
    pub pid: i32,
    /// When it began, in clock ticks since boot (proc_pid_stat(5), field 22).
    pub started: u64,
}

/// What became of a container: `state.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// Format of this file; this rpod writes 1.
    pub version: u32,
    /// What it is doing.
    pub status: Status,
    /// The boot this was true in; another one means every process is gone.
    pub boot: String,
    /// Its first process.
    pub init: Option<ProcessId>,
    /// Its monitor.
    pub monitor: Option<ProcessId>,
    /// Exit status of its program, 128 + signal when a signal ended it.
    pub exit_code: Option<i32>,
    /// Why it could not be started, or how it was lost.
    #[serde(default)]
    pub error: Option<String>,
    /// When its program began.
    pub started: Option<Time>,
    /// When its program ended.
    pub finished: Option<Time>,
    /// How often its monitor has started it again.
    #[serde(default)]
    pub restarts: u32,
    /// A person stopped it.
    #[serde(default)]
    pub stopped: bool,
    /// Its places on networks, the one of `eth0` first.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
    /// Published ports as they are: every host port is known.
    #[serde(default)]
    pub ports: Vec<PortMapping>,
    /// It runs, and its processes are stopped until `unpause`. Not the monitor's to
    /// write: whoever pauses leaves a mark of its own (`store::containers`).
    #[serde(skip)]
    pub paused: bool,
}

impl Record {
    /// Returns the places that it asks for on networks.
    pub fn attachments(&self) -> Vec<Attachment> {
        match self.network {
            NetworkMode::Bridge | NetworkMode::Private => self.networks.clone(),
            _ => Vec::new(),
        }
    }
}

/// Returns the places of a container that asks for none.
pub fn default_networks() -> Vec<Attachment> {
    vec![Attachment::to(DEFAULT)]
}

impl State {
    /// Returns the state of a container that was made and never started.
    pub fn created(boot: &str) -> Self {
        Self {
            version: 1,
            status: Status::Created,
            boot: boot.to_owned(),
            init: None,
            monitor: None,
            exit_code: None,
            error: None,
            started: None,
            finished: None,
            restarts: 0,
            stopped: false,
            endpoints: Vec::new(),
            ports: Vec::new(),
            paused: false,
        }
    }

    /// Returns the word docker shows for what it is doing.
    pub fn word(&self) -> &'static str {
        match self.status {
            Status::Running if self.paused => "paused",
            status => status.word(),
        }
    }
}
