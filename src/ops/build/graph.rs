//! What is to be done, as a graph: every step that makes files, and what it needs.
//!
//! Lives here: [`Graph`], [`Node`] and what each kind of step is, with all
//! variables expanded.
//! Must not: do or decide anything.
//! Called by: `plan` makes one; `solve` and the steps read it.
//! Always true: a node only needs nodes before it.

use std::path::PathBuf;

use crate::build::mount::Sharing;
use crate::spec::digest::Digest;
use crate::spec::platform::Platform;

/// Number of a node.
pub type Id = usize;

/// All steps that make files.
#[derive(Debug, Default)]
pub struct Graph {
    /// The steps; those a step needs come before it.
    pub nodes: Vec<Node>,
}

/// A step.
#[derive(Debug)]
pub struct Node {
    /// As shown: `[build 2/5] RUN make`.
    pub name: String,
    /// The instruction itself, as typed on one line.
    pub text: String,
    /// What it builds upon; none is an empty tree.
    pub parent: Option<Id>,
    /// What it does.
    pub work: Work,
    /// The newest time its files may have, in seconds since 1970.
    pub times: Times,
    /// Results that are there already are not taken.
    pub no_cache: bool,
}

/// What becomes of the times of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Times {
    /// None is newer than this.
    Most(i64),
    /// All are this.
    Exactly(i64),
    /// They are left as they are.
    Kept,
}

/// What a step does.
#[derive(Debug)]
pub enum Work {
    /// Nothing: the layers of an image.
    Base(Vec<Digest>),
    /// A directory is to be there.
    Workdir {
        /// Its path, absolute.
        path: String,
        /// Whose it is when it is made.
        owner: String,
    },
    /// Files are copied.
    Copy(Box<CopyWork>),
    /// A program runs.
    Run(Box<RunWork>),
}

/// Where files come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// A directory of this machine: the context, or a named one.
    Context(usize),
    /// What another step left.
    Node(Id),
}

/// `COPY` and `ADD`.
#[derive(Debug)]
pub struct CopyWork {
    /// Where paths are looked up.
    pub from: From,
    /// Paths and patterns.
    pub paths: Vec<String>,
    /// Files written in the Dockerfile: name and content.
    pub inline: Vec<(String, String)>,
    /// What is fetched.
    pub fetched: Vec<Fetch>,
    /// Where to, absolute; with a slash at its end it is a directory.
    pub target: String,
    /// `--chown`.
    pub chown: Option<String>,
    /// `--chmod`.
    pub chmod: Option<Chmod>,
    /// `--link`: the layer does not depend on what is below it.
    pub link: bool,
    /// `--parents`.
    pub parents: bool,
    /// `--exclude`.
    pub exclude: Vec<String>,
    /// Local archives are unpacked.
    pub unpack: bool,
    /// Fetched archives are unpacked.
    pub unpack_fetched: bool,
}

/// Something `ADD` fetches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Where from, as typed.
    pub url: String,
    /// The file or directory it was fetched to, by the time steps run.
    pub path: PathBuf,
    /// The name it gets in a directory; none for a repository, whose content is copied.
    pub name: Option<String>,
    /// Digest of what was fetched, or the commit.
    pub digest: String,
    /// When the server says that it was changed.
    pub modified: Option<i64>,
}

/// `--chmod`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chmod {
    /// A number.
    Octal(u32),
    /// `u=rwX,go-w`.
    Symbolic(String),
}

/// `RUN`.
#[derive(Debug)]
pub struct RunWork {
    /// The program and its words.
    pub words: Vec<String>,
    /// Its environment.
    pub env: Vec<String>,
    /// Variables that change no result: proxies.
    pub quiet_env: Vec<String>,
    /// Where it begins.
    pub workdir: String,
    /// Who it is.
    pub user: String,
    /// Its mounts.
    pub mounts: Vec<RunMount>,
    /// Its network.
    pub network: RunNetwork,
    /// `--security=insecure`.
    pub insecure: bool,
    /// What the image it runs in is for.
    pub platform: Platform,
}

/// The network of a `RUN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunNetwork {
    /// The build's own, with a way out.
    Default,
    /// The machine's.
    Host,
    /// Loopback only.
    None,
}

/// A mount of a `RUN`.
#[derive(Debug)]
pub enum RunMount {
    /// Files of a step or a context.
    Bind {
        /// Where from.
        from: From,
        /// The path there.
        source: String,
        /// Where it appears.
        target: String,
        /// It can be written to, and what is written is thrown away.
        writable: bool,
    },
    /// A directory that outlives the build.
    Cache {
        /// Which.
        id: String,
        /// What a new one holds.
        from: Option<(From, String)>,
        /// Where it appears.
        target: String,
        /// It cannot be written to.
        readonly: bool,
        /// Who may use it at the same time.
        sharing: Sharing,
        /// Mode of a new one.
        mode: u32,
        /// Owner of a new one.
        uid: u32,
        /// Group of a new one.
        gid: u32,
    },
    /// Memory.
    Tmpfs {
        /// Where it appears.
        target: String,
        /// Bytes at most.
        size: Option<u64>,
    },
    /// A script of the Dockerfile's.
    Script {
        /// What it says.
        content: String,
        /// Where it appears.
        target: String,
    },
    /// A secret in a file.
    Secret {
        /// What it says.
        content: Hidden,
        /// Where it appears.
        target: String,
        /// Its mode.
        mode: u32,
        /// Its owner.
        uid: u32,
        /// Its group.
        gid: u32,
    },
    /// A directory or a file of the machine (`--volume`), or the socket of an agent.
    Host {
        /// Where it is.
        source: PathBuf,
        /// Where it appears.
        target: String,
        /// It cannot be written to.
        readonly: bool,
    },
}

/// Bytes that are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(pub Vec<u8>);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden")
    }
}

impl Graph {
    /// Returns how many layers a step has of the image that its stage builds upon.
    pub fn layers_of_base(&self, last: Option<Id>) -> usize {
        let mut next = last;
        while let Some(id) = next {
            if let Work::Base(layers) = &self.nodes[id].work {
                return layers.len();
            }
            next = self.nodes[id].parent;
        }
        0
    }
}

impl Node {
    /// Returns the nodes that have to be done before it can begin.
    pub fn needs(&self) -> Vec<Id> {
        let mut all: Vec<Id> = Vec::new();
        let mut add = |from: &From| {
            if let From::Node(id) = from {
                all.push(*id);
            }
        };
        match &self.work {
            Work::Copy(copy) => add(&copy.from),
            Work::Run(run) => {
                for mount in &run.mounts {
                    match mount {
                        RunMount::Bind { from, .. } => add(from),
                        RunMount::Cache {
                            from: Some((from, _)),
                            ..
                        } => add(from),
                        _ => {}
                    }
                }
            }
            Work::Base(_) | Work::Workdir { .. } => {}
        }
        all.extend(self.parent);
        all
    }
}
