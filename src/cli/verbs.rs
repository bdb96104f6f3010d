//! Which verbs there are, under which names, and which there are not yet.
//!
//! Lives here: the table of verbs and of the nouns they also stand under
//! (`rpod container ls` is `rpod ps`), and how a mistyped one is met.
//! Must not: know a flag; a verb's file does.
//! Called by: `cli`, `help`, `completion`.
//! Always true: help lists what works and nothing else; a docker verb that is
//! not built says so by its name.

use clap::{Arg, ArgAction, ArgMatches, Command, Parser};

use crate::cli::door::Door;
use crate::cli::render::terminal;
use crate::cli::{
    attach, build, builder, commit, completion, cp, create, diff, exec, export, failure, history,
    image, images, import, info, inspect, kill, load, login, logout, logs, manifest, mount,
    network, pause, port, prune, ps, pull, push, rename, restart, rm, rmi, run, save, search,
    start, stop, system, tag, unshare, untag, version, volume, wait,
};
use crate::cli::{flags, help};
use crate::error::{Error, Kind, Result};
use crate::spec::suggest;

/// Arguments of a verb, which know what to do.
pub trait Act: Parser {
    /// Does it; returns the exit status.
    fn act(self, door: &Door) -> Result<u8>;
}

/// One verb.
pub struct Verb {
    /// What is typed: `ps`, `volume ls`.
    pub name: &'static str,
    /// Words after it, as usage has them.
    pub usage: &'static str,
    /// Where help lists it.
    pub group: Group,
    /// Its exit status may be a container's, and rpod's own failures are 125 to 127.
    pub runs: bool,
    /// After its first operand nothing is a flag.
    pub operands_end_flags: bool,
    /// A long flag may begin with one dash: `docker login -username=x` is in many a text.
    pub one_dash: bool,
    /// Flags of docker's that are not built yet.
    pub flags_to_come: &'static [&'static str],
    /// What is said to somebody who left the operand out.
    pub when_empty: Option<&'static str>,
    make: fn() -> Command,
    /// Does what the arguments say.
    pub run: fn(&ArgMatches, &Door) -> Result<u8>,
}

impl std::fmt::Debug for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Where help lists a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Run and look at containers.
    Common,
    /// Change containers.
    Containers,
    /// Images.
    Images,
    /// rpod and this machine.
    System,
    /// Only under its noun.
    Noun,
}

impl Verb {
    /// Makes its table of flags, called as typed.
    pub fn command(&self, called: &str) -> Command {
        let mut command = (self.make)()
            .name(self.name)
            .bin_name(format!("rpod {called}"))
            .override_usage(self.usage_of(called))
            .args_override_self(true)
            .disable_help_flag(true)
            .disable_version_flag(true)
            .help_template(help::TEMPLATE);
        let mut help = Arg::new("help")
            .long("help")
            .help("Print this help")
            .action(ArgAction::SetTrue);
        let taken = command
            .get_arguments()
            .any(|arg| arg.get_short() == Some('h'));
        if !taken {
            help = help.short('h');
        }
        command = command.arg(help);
        command
    }

    /// Returns its line of usage, called as typed.
    pub fn usage_of(&self, called: &str) -> String {
        format!("rpod {called} {}", self.usage)
            .trim_end()
            .to_owned()
    }
}

const fn verb<A: Act>(name: &'static str, usage: &'static str, group: Group) -> Verb {
    Verb {
        name,
        usage,
        group,
        runs: false,
        operands_end_flags: false,
        one_dash: false,
        flags_to_come: &[],
        when_empty: None,
        make: A::command,
        run: act::<A>,
    }
}

fn act<A: Act>(matches: &ArgMatches, door: &Door) -> Result<u8> {
    A::from_arg_matches(matches)
        .map_err(|error| failure::of_clap(&error, "rpod --help"))?
        .act(door)
}

const fn running(mut verb: Verb) -> Verb {
    verb.runs = true;
    verb
}

const fn ending_flags(mut verb: Verb) -> Verb {
    verb.operands_end_flags = true;
    verb
}

const fn with_one_dash(mut verb: Verb) -> Verb {
    verb.one_dash = true;
    verb
}

const fn to_come(mut verb: Verb, flags: &'static [&'static str]) -> Verb {
    verb.flags_to_come = flags;
    verb
}

const fn when_empty(mut verb: Verb, hint: &'static str) -> Verb {
    verb.when_empty = Some(hint);
    verb
}

const KUBIA: &str = "try the image built into rpod: `rpod run -d -p 1234:8080 kubia`";

/// Every verb.
pub static VERBS: &[Verb] = &[
    when_empty(
        to_come(
            ending_flags(running(verb::<run::Args>(
                "run",
                "[OPTIONS] IMAGE [COMMAND] [ARG...]",
                Group::Common,
            ))),
            flags::container::TO_COME,
        ),
        KUBIA,
    ),
    ending_flags(running(to_come(
        verb::<exec::Args>(
            "exec",
            "[OPTIONS] CONTAINER COMMAND [ARG...]",
            Group::Common,
        ),
        &["--cap-add", "--preserve-fds", "--latest"],
    ))),
    verb::<ps::Args>("ps", "[OPTIONS]", Group::Common),
    to_come(
        verb::<logs::Args>("logs", "[OPTIONS] CONTAINER", Group::Common),
        &["--details", "--color", "--names"],
    ),
    verb::<inspect::Any>("inspect", "[OPTIONS] NAME|ID [NAME|ID...]", Group::Common),
    when_empty(
        to_come(
            ending_flags(running(verb::<create::Args>(
                "create",
                "[OPTIONS] IMAGE [COMMAND] [ARG...]",
                Group::Containers,
            ))),
            flags::container::TO_COME,
        ),
        KUBIA,
    ),
    running(to_come(
        verb::<start::Args>(
            "start",
            "[OPTIONS] CONTAINER [CONTAINER...]",
            Group::Containers,
        ),
        &["--checkpoint", "--checkpoint-dir", "--all"],
    )),
    to_come(
        verb::<stop::Args>(
            "stop",
            "[OPTIONS] CONTAINER [CONTAINER...]",
            Group::Containers,
        ),
        &["--all", "-a"],
    ),
    verb::<restart::Args>(
        "restart",
        "[OPTIONS] CONTAINER [CONTAINER...]",
        Group::Containers,
    ),
    to_come(
        verb::<kill::Args>(
            "kill",
            "[OPTIONS] CONTAINER [CONTAINER...]",
            Group::Containers,
        ),
        &["--all", "-a"],
    ),
    verb::<wait::Args>("wait", "CONTAINER [CONTAINER...]", Group::Containers),
    to_come(
        verb::<rm::Args>(
            "rm",
            "[OPTIONS] CONTAINER [CONTAINER...]",
            Group::Containers,
        ),
        &["--link", "-l", "--all", "-a"],
    ),
    verb::<attach::Args>("attach", "[OPTIONS] CONTAINER", Group::Containers),
    verb::<cp::Args>(
        "cp",
        "[OPTIONS] CONTAINER:PATH PATH|- or PATH|- CONTAINER:PATH",
        Group::Containers,
    ),
    verb::<rename::Args>("rename", "CONTAINER NEW_NAME", Group::Containers),
    to_come(
        verb::<pause::Args>("pause", "CONTAINER [CONTAINER...]", Group::Containers),
        &["--all", "-a", "--filter", "-f", "--cidfile"],
    ),
    to_come(
        verb::<pause::Unpause>("unpause", "CONTAINER [CONTAINER...]", Group::Containers),
        &["--all", "-a", "--filter", "-f", "--cidfile"],
    ),
    verb::<diff::Args>("diff", "[OPTIONS] CONTAINER|IMAGE", Group::Containers),
    to_come(
        verb::<commit::Args>(
            "commit",
            "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
            Group::Containers,
        ),
        &["--config", "--include-volumes"],
    ),
    verb::<export::Args>("export", "[OPTIONS] CONTAINER", Group::Containers),
    to_come(
        verb::<mount::Args>("mount", "[OPTIONS] [CONTAINER...]", Group::Containers),
        &["--no-trunc"],
    ),
    verb::<mount::Unmount>(
        "umount",
        "[OPTIONS] CONTAINER [CONTAINER...]",
        Group::Containers,
    ),
    verb::<port::Args>("port", "CONTAINER [PORT[/PROTOCOL]]", Group::Containers),
    verb::<pull::Args>("pull", "[OPTIONS] IMAGE [IMAGE...]", Group::Images),
    to_come(
        verb::<search::Args>("search", "[OPTIONS] TERM", Group::Images),
        &["--compatible"],
    ),
    to_come(
        verb::<push::Args>("push", "[OPTIONS] IMAGE [DESTINATION]", Group::Images),
        &[
            "--compress",
            "--encrypt-layer",
            "--encryption-key",
            "--sign-by",
            "--sign-by-sigstore",
        ],
    ),
    verb::<images::Args>("images", "[OPTIONS] [NAME[:TAG]]", Group::Images),
    verb::<history::Args>("history", "[OPTIONS] IMAGE", Group::Images),
    verb::<rmi::Args>("rmi", "[OPTIONS] IMAGE [IMAGE...]", Group::Images),
    to_come(
        verb::<build::Args>("build", "[OPTIONS] CONTEXT", Group::Images),
        build::TO_COME,
    ),
    verb::<tag::Args>("tag", "IMAGE[:TAG] NEW[:TAG]", Group::Images),
    verb::<untag::Args>("untag", "IMAGE [NAME[:TAG]...]", Group::Images),
    verb::<load::Args>("load", "[OPTIONS]", Group::Images),
    to_come(
        verb::<save::Args>("save", "[OPTIONS] IMAGE [IMAGE...]", Group::Images),
        &["--compress"],
    ),
    with_one_dash(to_come(
        verb::<login::Args>("login", "[OPTIONS] [REGISTRY]", Group::Images),
        &["--secret", "--compat-auth-file", "--verbose", "-v"],
    )),
    to_come(
        verb::<logout::Args>("logout", "[OPTIONS] [REGISTRY]", Group::Images),
        &["--compat-auth-file"],
    ),
    verb::<import::Args>(
        "import",
        "[OPTIONS] FILE|URL|- [REPOSITORY[:TAG]]",
        Group::Images,
    ),
    verb::<builder::Prune>("builder prune", "[OPTIONS]", Group::Noun),
    verb::<builder::Du>("builder du", "[OPTIONS]", Group::Noun),
    ending_flags(running(to_come(
        verb::<unshare::Args>("unshare", "[COMMAND] [ARG...]", Group::System),
        &["--rootless-netns"],
    ))),
    verb::<info::Args>("info", "[OPTIONS]", Group::System),
    verb::<version::Args>("version", "[OPTIONS]", Group::System),
    verb::<completion::Args>("completion", "bash|zsh|fish", Group::System),
    verb::<inspect::Container>(
        "container inspect",
        "[OPTIONS] CONTAINER [CONTAINER...]",
        Group::Noun,
    ),
    verb::<prune::Container>("container prune", "[OPTIONS]", Group::Noun),
    verb::<image::Exists>("image exists", "IMAGE", Group::Noun),
    verb::<prune::Image>("image prune", "[OPTIONS]", Group::Noun),
    verb::<image::Tree>("image tree", "[OPTIONS] IMAGE", Group::Noun),
    verb::<system::Check>("system check", "[OPTIONS]", Group::Noun),
    to_come(
        verb::<system::Migrate>("system migrate", "", Group::Noun),
        &["--new-runtime"],
    ),
    verb::<system::Reset>("system reset", "[OPTIONS]", Group::Noun),
    verb::<system::Df>("system df", "[OPTIONS]", Group::Noun),
    verb::<prune::System>("system prune", "[OPTIONS]", Group::Noun),
    verb::<diff::Container>("container diff", "[OPTIONS] CONTAINER", Group::Noun),
    verb::<diff::Image>("image diff", "[OPTIONS] IMAGE", Group::Noun),
    verb::<mount::Image>("image mount", "[OPTIONS] [IMAGE...]", Group::Noun),
    verb::<mount::UnmountImage>("image unmount", "[OPTIONS] IMAGE [IMAGE...]", Group::Noun),
    verb::<inspect::Image>("image inspect", "[OPTIONS] IMAGE [IMAGE...]", Group::Noun),
    verb::<manifest::Create>("manifest create", "[OPTIONS] LIST [IMAGE...]", Group::Noun),
    verb::<manifest::Add>(
        "manifest add",
        "[OPTIONS] LIST IMAGE [IMAGE...]",
        Group::Noun,
    ),
    verb::<manifest::Annotate>(
        "manifest annotate",
        "[OPTIONS] LIST [IMAGE|DIGEST]",
        Group::Noun,
    ),
    verb::<manifest::Inspect>("manifest inspect", "[OPTIONS] NAME", Group::Noun),
    to_come(
        verb::<manifest::Push>("manifest push", "[OPTIONS] LIST [DESTINATION]", Group::Noun),
        &["--add-compression", "--sign-by", "--sign-by-sigstore"],
    ),
    verb::<manifest::Exists>("manifest exists", "LIST", Group::Noun),
    verb::<manifest::Remove>("manifest remove", "LIST DIGEST", Group::Noun),
    verb::<manifest::Rm>("manifest rm", "[OPTIONS] LIST [LIST...]", Group::Noun),
    to_come(
        verb::<network::Create>("network create", "[OPTIONS] NAME", Group::Noun),
        &[
            "--config-from",
            "--config-only",
            "--ingress",
            "--ipam-opt",
            "--ipv4",
            "--route",
        ],
    ),
    to_come(
        verb::<network::Connect>(
            "network connect",
            "[OPTIONS] NETWORK CONTAINER",
            Group::Noun,
        ),
        &["--link-local-ip"],
    ),
    verb::<network::Disconnect>(
        "network disconnect",
        "[OPTIONS] NETWORK CONTAINER",
        Group::Noun,
    ),
    verb::<network::Ls>("network ls", "[OPTIONS]", Group::Noun),
    verb::<network::Inspect>(
        "network inspect",
        "[OPTIONS] NETWORK [NETWORK...]",
        Group::Noun,
    ),
    verb::<network::Stats>("network stats", "[OPTIONS] [NETWORK...]", Group::Noun),
    verb::<network::Update>("network update", "[OPTIONS] NETWORK", Group::Noun),
    verb::<network::Rm>("network rm", "[OPTIONS] NETWORK [NETWORK...]", Group::Noun),
    verb::<network::Prune>("network prune", "[OPTIONS]", Group::Noun),
    verb::<network::Exists>("network exists", "NETWORK", Group::Noun),
    to_come(
        verb::<volume::Create>("volume create", "[OPTIONS] [NAME]", Group::Noun),
        &[
            "--availability",
            "--group",
            "--limit-bytes",
            "--required-bytes",
            "--scope",
            "--secret",
            "--sharing",
            "--topology-preferred",
            "--topology-required",
            "--type",
        ],
    ),
    to_come(
        verb::<volume::Ls>("volume ls", "[OPTIONS]", Group::Noun),
        &["--cluster"],
    ),
    verb::<volume::Inspect>(
        "volume inspect",
        "[OPTIONS] VOLUME [VOLUME...]",
        Group::Noun,
    ),
    verb::<volume::Rm>("volume rm", "[OPTIONS] VOLUME [VOLUME...]", Group::Noun),
    verb::<volume::Prune>("volume prune", "[OPTIONS]", Group::Noun),
];

/// A noun, and the verbs under it: what is typed after the noun, and the verb it means.
#[derive(Debug)]
pub struct Noun {
    /// What is typed.
    pub name: &'static str,
    /// What help says of it.
    pub about: &'static str,
    /// Names under it, the first the one help shows, and the verb's own name.
    pub verbs: &'static [(&'static [&'static str], &'static str)],
    /// docker's that are not built yet.
    pub to_come: &'static [&'static str],
}

/// Every noun.
pub static NOUNS: &[Noun] = &[
    Noun {
        name: "container",
        about: "Work with containers",
        verbs: &[
            (&["attach"], "attach"),
            (&["commit"], "commit"),
            (&["cp"], "cp"),
            (&["create"], "create"),
            (&["diff"], "container diff"),
            (&["exec"], "exec"),
            (&["export"], "export"),
            (&["inspect"], "container inspect"),
            (&["kill"], "kill"),
            (&["logs"], "logs"),
            (&["ls", "list", "ps"], "ps"),
            (&["mount"], "mount"),
            (&["pause"], "pause"),
            (&["port"], "port"),
            (&["prune"], "container prune"),
            (&["rename"], "rename"),
            (&["restart"], "restart"),
            (&["rm", "remove"], "rm"),
            (&["run"], "run"),
            (&["start"], "start"),
            (&["stop"], "stop"),
            (&["unmount", "umount"], "umount"),
            (&["unpause"], "unpause"),
            (&["wait"], "wait"),
        ],
        to_come: &["stats", "top", "update"],
    },
    Noun {
        name: "image",
        about: "Work with images",
        verbs: &[
            (&["build"], "build"),
            (&["diff"], "image diff"),
            (&["exists"], "image exists"),
            (&["history"], "history"),
            (&["import"], "import"),
            (&["inspect"], "image inspect"),
            (&["load"], "load"),
            (&["ls", "list"], "images"),
            (&["mount"], "image mount"),
            (&["prune"], "image prune"),
            (&["pull"], "pull"),
            (&["push"], "push"),
            (&["rm", "remove"], "rmi"),
            (&["save"], "save"),
            (&["tag"], "tag"),
            (&["tree"], "image tree"),
            (&["unmount", "umount"], "image unmount"),
            (&["untag"], "untag"),
        ],
        to_come: &[],
    },
    Noun {
        name: "builder",
        about: "Build images and look at what builds keep",
        verbs: &[
            (&["build"], "build"),
            (&["du"], "builder du"),
            (&["prune"], "builder prune"),
        ],
        to_come: &[],
    },
    Noun {
        name: "buildx",
        about: "docker's other name for builder",
        verbs: &[
            (&["build", "b"], "build"),
            (&["du"], "builder du"),
            (&["prune"], "builder prune"),
        ],
        to_come: &[
            "bake",
            "create",
            "dial-stdio",
            "history",
            "imagetools",
            "inspect",
            "ls",
            "rm",
            "stop",
            "use",
            "version",
        ],
    },
    Noun {
        name: "manifest",
        about: "Work with lists of images for several platforms",
        verbs: &[
            (&["add"], "manifest add"),
            (&["annotate"], "manifest annotate"),
            (&["create"], "manifest create"),
            (&["exists"], "manifest exists"),
            (&["inspect"], "manifest inspect"),
            (&["push"], "manifest push"),
            (&["remove"], "manifest remove"),
            (&["rm"], "manifest rm"),
        ],
        to_come: &[],
    },
    Noun {
        name: "network",
        about: "Work with networks",
        verbs: &[
            (&["connect"], "network connect"),
            (&["create"], "network create"),
            (&["disconnect"], "network disconnect"),
            (&["exists"], "network exists"),
            (&["inspect"], "network inspect"),
            (&["ls", "list"], "network ls"),
            (&["prune"], "network prune"),
            (&["rm", "remove"], "network rm"),
            (&["stats"], "network stats"),
            (&["update"], "network update"),
        ],
        to_come: &["reload"],
    },
    Noun {
        name: "volume",
        about: "Work with volumes",
        verbs: &[
            (&["create"], "volume create"),
            (&["inspect"], "volume inspect"),
            (&["ls", "list"], "volume ls"),
            (&["prune"], "volume prune"),
            (&["rm", "remove"], "volume rm"),
        ],
        to_come: &["update"],
    },
    Noun {
        name: "system",
        about: "Look at rpod and this machine",
        verbs: &[
            (&["check"], "system check"),
            (&["df"], "system df"),
            (&["info"], "info"),
            (&["migrate"], "system migrate"),
            (&["prune"], "system prune"),
            (&["reset"], "system reset"),
        ],
        to_come: &["events", "dial-stdio", "service"],
    },
];

/// docker's and podman's verbs and nouns that are not built yet.
const TO_COME: &[&str] = &[
    "auto-update",
    "bake",
    "checkpoint",
    "compose",
    "config",
    "context",
    "doctor",
    "events",
    "generate",
    "healthcheck",
    "kube",
    "network",
    "mount",
    "node",
    "plugin",
    "pod",
    "scout",
    "secret",
    "service",
    "stack",
    "stats",
    "swarm",
    "top",
    "trust",
    "update",
];

/// A verb that was typed.
#[derive(Debug)]
pub struct Found {
    /// Which it is.
    pub verb: &'static Verb,
    /// How it was called: `container ls`.
    pub called: String,
    /// The words after it.
    pub words: Vec<String>,
}

/// What came of looking for a verb.
#[derive(Debug)]
pub enum Search {
    /// It is there.
    Verb(Found),
    /// A noun stood alone or asked for help, which was given.
    Answered,
}

/// Returns the verb of a name of its own: `ps`, `volume ls`.
pub fn named(name: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.name == name)
}

/// Finds the verb that begins with `first`.
pub fn find(first: &str, rest: &[String]) -> Result<Search> {
    if let Some(noun) = NOUNS.iter().find(|noun| noun.name == first) {
        return under(noun, rest);
    }
    let own = named(first).filter(|verb| verb.group != Group::Noun);
    match own {
        Some(verb) => Ok(Search::Verb(Found {
            verb,
            called: verb.name.to_owned(),
            words: rest.to_vec(),
        })),
        None => Err(unknown(first)),
    }
}

fn under(noun: &'static Noun, rest: &[String]) -> Result<Search> {
    let Some((word, after)) = rest.split_first() else {
        terminal::answer(&help::noun(noun))?;
        return Ok(Search::Answered);
    };
    if matches!(word.as_str(), "--help" | "-h" | "help") {
        terminal::answer(&help::noun(noun))?;
        return Ok(Search::Answered);
    }
    let found = noun
        .verbs
        .iter()
        .find(|(names, _)| names.contains(&word.as_str()))
        .and_then(|(names, name)| Some((names[0], named(name)?)));
    match found {
        Some((shown, verb)) => Ok(Search::Verb(Found {
            verb,
            called: format!("{} {shown}", noun.name),
            words: after.to_vec(),
        })),
        None => Err(unknown_under(noun, word)),
    }
}

fn unknown(word: &str) -> Error {
    if TO_COME.contains(&word) {
        return not_yet(word);
    }
    let own = VERBS.iter().filter(|verb| verb.group != Group::Noun);
    let names = own
        .map(|verb| verb.name)
        .chain(NOUNS.iter().map(|noun| noun.name))
        .chain(TO_COME.iter().copied());
    let error = Error::of(Kind::Usage, format!("rpod has no verb \"{word}\""));
    match suggest::nearest(word, names) {
        Some(near) => error.hint(meant("", near, TO_COME)),
        None => error.hint("`rpod --help` lists the verbs"),
    }
}

fn unknown_under(noun: &Noun, word: &str) -> Error {
    if noun.to_come.contains(&word) {
        return not_yet(&format!("{} {word}", noun.name));
    }
    let names = noun
        .verbs
        .iter()
        .flat_map(|(names, _)| names.iter().copied())
        .chain(noun.to_come.iter().copied());
    let error = Error::of(
        Kind::Usage,
        format!("rpod {} has no verb \"{word}\"", noun.name),
    );
    match suggest::nearest(word, names) {
        Some(near) => error.hint(meant(&format!("{} ", noun.name), near, noun.to_come)),
        None => error.hint(format!("`rpod {} --help` lists its verbs", noun.name)),
    }
}

fn not_yet(name: &str) -> Error {
    Error::of(Kind::Usage, format!("rpod has no `{name}` yet"))
        .hint("`rpod --help` lists the verbs there are")
}

/// A slip may mean a verb that is not built: then both are said.
fn meant(before: &str, near: &str, to_come: &[&str]) -> String {
    if to_come.contains(&near) {
        format!("did you mean `rpod {before}{near}`? rpod does not have it yet")
    } else {
        format!("did you mean `rpod {before}{near}`?")
    }
}
