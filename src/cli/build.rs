//! `rpod build`: an image from a Dockerfile and a context.
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{ArgAction, Parser};

use crate::cli::door::Door;
use crate::cli::flags::{pairs, usage};
use crate::cli::render::{build, terminal};
use crate::cli::verbs::Act;
use crate::error::{Context, Error, Kind, Result};
use crate::image::assemble::Format;
use crate::ops;
use crate::ops::build::graph::RunNetwork;
use crate::ops::build::plan::{NoCache, Wishes};
use crate::ops::build::run::Settings;
use crate::ops::build::{Built, Output, Request, Source};
use crate::runtime::rlimit;
use crate::spec::container::PullPolicy;
use crate::spec::platform::Platform;
use crate::spec::reference::Reference;
use crate::spec::{duration, size};

/// Flags of docker's and podman's that rpod does not have yet.
pub const TO_COME: &[&str] = &[
    "--attest",
    "--blkio-weight",
    "--builder",
    "--call",
    "--cgroup-parent",
    "--cgroupns",
    "--cpu-period",
    "--cpu-quota",
    "--cpu-shares",
    "-c",
    "--cpuset-cpus",
    "--cpuset-mems",
    "--decryption-key",
    "--device",
    "--group-add",
    "--hooks-dir",
    "--ipc",
    "--isolation",
    "--logfile",
    "--manifest",
    "--memory",
    "-m",
    "--memory-swap",
    "--omit-history",
    "--os-feature",
    "--os-version",
    "--pid",
    "--provenance",
    "--push",
    "--runtime",
    "--sbom",
    "--security-opt",
    "--sign-by",
    "--squash",
    "--squash-all",
    "--cache-from",
    "--cache-to",
    "--jobs",
    "--userns",
    "--uts",
];

/// Build an image from a Dockerfile and a context
#[derive(Debug, Parser)]
#[command(
    after_help = "CONTEXT is a directory, the address of a git repository or of a tar, or `-` for a\n\
                  Dockerfile or a tar on standard input\n\
                  Files have the time of the image they are built upon, so that the same\n\
                  Dockerfile, context and base give the same image on every day and machine;\n\
                  --rewrite-timestamp=false keeps the times they were made"
)]
pub struct Args {
    /// Name the image (can be repeated)
    #[arg(short, long, value_name = "NAME[:TAG]")]
    tag: Vec<String>,
    /// Read this Dockerfile; `-` is standard input
    #[arg(short, long, value_name = "PATH", value_hint = clap::ValueHint::FilePath)]
    file: Option<String>,
    /// Build this stage and what it needs
    #[arg(long, value_name = "STAGE")]
    target: Option<String>,
    /// Give an ARG a value; without `=` the caller's (can be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    build_arg: Vec<String>,
    /// Read values of ARGs from a file (can be repeated)
    #[arg(long, value_name = "PATH")]
    build_arg_file: Vec<String>,
    /// Add a context: a directory, or docker-image://NAME (can be repeated)
    #[arg(long, value_name = "NAME=PLACE")]
    build_context: Vec<String>,
    /// Give steps a secret: id=NAME[,src=FILE|,env=NAME] (can be repeated)
    #[arg(long, value_name = "SECRET")]
    secret: Vec<String>,
    /// Give steps an SSH agent: default, or NAME=SOCKET (can be repeated)
    #[arg(long, value_name = "AGENT", num_args = 0..=1, default_missing_value = "default")]
    ssh: Vec<String>,
    /// Label the image (can be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    label: Vec<String>,
    /// Annotate the image's manifest (can be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    annotation: Vec<String>,
    /// Write to a directory, or type=image|local|tar,dest=PATH (repeatable)
    #[arg(short, long, value_name = "OUTPUT")]
    output: Vec<String>,
    /// Set a variable of the image (can be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Take a variable away from the image (can be repeated)
    #[arg(long, value_name = "NAME")]
    unsetenv: Vec<String>,
    /// Take a label away from the image (can be repeated)
    #[arg(long, value_name = "NAME")]
    unsetlabel: Vec<String>,
    /// Build for this platform
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// Ask registries for base images: always, missing or never
    #[arg(long, value_name = "POLICY", num_args = 0..=1, require_equals = true, default_missing_value = "always")]
    pull: Option<String>,
    /// Print only the image's id
    #[arg(short, long)]
    quiet: bool,
    /// Write the image's id to a file
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::FilePath)]
    iidfile: Option<PathBuf>,
    /// Write what was built to a file, as JSON
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::FilePath)]
    metadata_file: Option<PathBuf>,
    /// Show progress as auto, plain, tty, classic, rawjson or quiet
    #[arg(long, value_name = "FORM")]
    progress: Option<String>,
    /// Take nothing from the cache
    #[arg(long)]
    no_cache: bool,
    /// Take nothing of these stages from the cache (can be repeated)
    #[arg(long, value_name = "STAGE", value_delimiter = ',')]
    no_cache_filter: Vec<String>,
    /// Take from the cache only what is younger than this
    #[arg(long, value_name = "DURATION")]
    cache_ttl: Option<String>,
    /// Give RUN a network: host, none or default
    #[arg(long, visible_alias = "net", value_name = "NETWORK")]
    network: Option<String>,
    /// Add a line to /etc/hosts of RUN (can be repeated)
    #[arg(long, value_name = "NAME:ADDRESS")]
    add_host: Vec<String>,
    /// Use this name server in RUN (can be repeated)
    #[arg(long, value_name = "ADDRESS")]
    dns: Vec<std::net::IpAddr>,
    /// Search these domains in RUN (can be repeated)
    #[arg(long, value_name = "DOMAIN")]
    dns_search: Vec<String>,
    /// Set an option of the resolver in RUN (can be repeated)
    #[arg(long, value_name = "OPTION")]
    dns_option: Vec<String>,
    /// Limit RUN, as NAME=SOFT[:HARD] (can be repeated)
    #[arg(long, value_name = "LIMIT")]
    ulimit: Vec<String>,
    /// Give RUN this much /dev/shm
    #[arg(long, value_name = "BYTES")]
    shm_size: Option<String>,
    /// Give RUN a capability (can be repeated)
    #[arg(long, value_name = "NAME")]
    cap_add: Vec<String>,
    /// Take a capability from RUN (can be repeated)
    #[arg(long, value_name = "NAME")]
    cap_drop: Vec<String>,
    /// Mount a directory in every RUN (can be repeated)
    #[arg(short, long, value_name = "PATH:TARGET[:ro]")]
    volume: Vec<String>,
    /// Allow security.insecure or network.host (can be repeated)
    #[arg(long, value_name = "ENTITLEMENT")]
    allow: Vec<String>,
    /// Write the image's documents as oci or docker
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Give the image and all its files this time, in seconds since 1970
    #[arg(long, value_name = "SECONDS")]
    timestamp: Option<i64>,
    /// Give the image this time; files are never newer
    #[arg(long, value_name = "SECONDS")]
    source_date_epoch: Option<i64>,
    /// Give files the time of the base image instead of the time of the build
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", hide_possible_values = true)]
    rewrite_timestamp: bool,
    /// Keep the steps' results for other builds
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", hide_possible_values = true)]
    layers: bool,
    /// Only check the Dockerfile
    #[arg(long)]
    check: bool,
    /// Open a shell where a RUN failed
    #[arg(long)]
    debug_shell: bool,
    /// Read what the context leaves out from this file
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::FilePath)]
    ignorefile: Option<PathBuf>,
    /// Pass the caller's proxy variables on to RUN
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", hide_possible_values = true)]
    http_proxy: bool,
    /// docker's: an image is always in the store
    #[arg(long, hide = true)]
    load: bool,
    /// docker's: no container is left behind
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    rm: Option<bool>,
    /// docker's: no container is left behind
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    force_rm: Option<bool>,
    /// docker's: nothing is sent that could be compressed
    #[arg(long, hide = true)]
    compress: bool,
    /// docker's; there is no such trust to disable
    #[arg(long, hide = true)]
    disable_content_trust: bool,
    /// Context
    #[arg(value_name = "CONTEXT", value_hint = clap::ValueHint::DirPath)]
    context: Option<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let quiet = self.quiet;
        let tags: Vec<Reference> = self
            .tag
            .iter()
            .map(|tag| tag.parse::<Reference>())
            .collect::<Result<_>>()?;
        if let Some(tag) = tags.iter().find(|tag| tag.digest.is_some()) {
            return Err(usage(format!(
                "--tag \"{tag}\" has a digest, which is not known before"
            )));
        }
        let shown: Vec<String> = tags.iter().map(ToString::to_string).collect();
        let form = self.progress.clone();
        let (iidfile, metadata) = (self.iidfile.clone(), self.metadata_file.clone());
        let request = self.request(tags)?;
        let size = match form.as_deref() {
            Some("classic") => ops::build::context_size(&request)?,
            _ => 0,
        };
        if request.outputs.contains(&Output::Tar(None)) && std::io::stdout().is_terminal() {
            return Err(usage("a tar is not written to a terminal".to_owned())
                .hint("give a file: `-o type=tar,dest=FILE`"));
        }
        let mut watch = build::watcher(form.as_deref(), quiet, &shown, size)?;
        let built = ops::build::build(&door.open(quiet)?, &request, watch.as_mut())?;
        if let Some(path) = iidfile
            && let Some(id) = &built.id
        {
            std::fs::write(&path, id.as_str())
                .what(|| format!("cannot write \"{}\"", path.display()))?;
        }
        if let Some(path) = metadata {
            std::fs::write(&path, describe(&built, &shown))
                .what(|| format!("cannot write \"{}\"", path.display()))?;
        }
        if quiet && let Some(id) = &built.id {
            terminal::line(id.as_str())?;
        }
        Ok(0)
    }
}

/// What `--metadata-file` has, in docker's words.
fn describe(built: &Built, tags: &[String]) -> String {
    let mut told = serde_json::json!({});
    if let Some(id) = &built.id {
        told["containerimage.config.digest"] = id.as_str().into();
    }
    if let Some(manifest) = &built.manifest {
        told["containerimage.digest"] = manifest.as_str().into();
    }
    if !tags.is_empty() {
        told["image.name"] = tags.join(",").into();
    }
    format!("{told:#}\n")
}

impl Args {
    fn request(self, tags: Vec<Reference>) -> Result<Request> {
        let context = self.source()?;
        let args = self.args()?;
        let epoch = match (&self.source_date_epoch, args.get("SOURCE_DATE_EPOCH")) {
            (Some(epoch), _) => Some(*epoch),
            (None, Some(text)) => Some(epoch_of(text)?),
            (None, None) => match std::env::var("SOURCE_DATE_EPOCH") {
                Ok(text) if !text.is_empty() => Some(epoch_of(&text)?),
                _ => None,
            },
        };
        let insecure = self.allow.iter().any(|word| word == "security.insecure");
        let known = ["security.insecure", "network.host"];
        if let Some(word) = self
            .allow
            .iter()
            .find(|word| !known.contains(&word.as_str()))
        {
            return Err(usage(format!(
                "--allow cannot be \"{word}\": security.insecure or network.host"
            )));
        }
        let no_cache = if self.no_cache || !self.layers {
            NoCache::Everything
        } else if self.no_cache_filter.is_empty() {
            NoCache::Nothing
        } else {
            NoCache::Stages(self.no_cache_filter)
        };
        rlimit_check(&self.ulimit)?;
        Ok(Request {
            context,
            file: self.file,
            tags,
            wishes: Wishes {
                args,
                target: self.target,
                platform: self
                    .platform
                    .as_deref()
                    .map(str::parse::<Platform>)
                    .transpose()?,
                labels: pairs::labels(&[], &self.label)?,
                env: assigned("--env", &self.env)?,
                unset_env: self.unsetenv,
                unset_labels: self.unsetlabel,
                no_cache,
                network: self.network.as_deref().map(network).transpose()?,
                volumes: self
                    .volume
                    .iter()
                    .map(|text| volume(text))
                    .collect::<Result<_>>()?,
                epoch,
                timestamp: self.timestamp,
                keep_times: !self.rewrite_timestamp,
                insecure,
            },
            contexts: assigned("--build-context", &self.build_context)?
                .into_iter()
                .collect(),
            secrets: self
                .secret
                .iter()
                .map(|text| secret(text))
                .collect::<Result<_>>()?,
            agents: self
                .ssh
                .iter()
                .map(|text| agent(text))
                .collect::<Result<_>>()?,
            pull: self.pull.as_deref().map_or(Ok(PullPolicy::Missing), pull)?,
            runs: Settings {
                hosts: self
                    .add_host
                    .iter()
                    .map(|text| host(text))
                    .collect::<Result<_>>()?,
                ulimits: self
                    .ulimit
                    .iter()
                    .map(|text| rlimit::parse(text))
                    .collect::<Result<_>>()?,
                shm_size: self
                    .shm_size
                    .as_deref()
                    .map(|text| size::parse(text).what(|| "--shm-size"))
                    .transpose()?,
                cap_add: self.cap_add,
                cap_drop: self.cap_drop,
                dns: self.dns,
                dns_search: self.dns_search,
                dns_options: self.dns_option,
                debug_shell: self.debug_shell,
            },
            ttl: self
                .cache_ttl
                .as_deref()
                .map(|text| duration::parse(text).what(|| "--cache-ttl"))
                .transpose()?,
            format: match self.format.as_deref() {
                None | Some("oci") => Format::Oci,
                Some("docker") => Format::Docker,
                Some(other) => {
                    return Err(usage(format!(
                        "--format cannot be \"{other}\": oci or docker"
                    )));
                }
            },
            annotations: assigned("--annotation", &self.annotation)?
                .into_iter()
                .map(|(name, value)| (name.trim_start_matches("manifest:").to_owned(), value))
                .collect(),
            outputs: outputs(&self.output)?,
            check: self.check,
            ignore_file: self.ignorefile,
        })
    }

    fn source(&self) -> Result<Source> {
        match self.context.as_deref() {
            Some("-") => {
                if std::io::stdin().is_terminal() {
                    return Err(usage(
                        "there is nothing to build: standard input is a terminal".to_owned(),
                    )
                    .hint("give the directory of the context: `rpod build .`"));
                }
                Ok(Source::Stdin)
            }
            Some(address) if ops::build::is_address(address) => {
                Ok(Source::Remote(address.to_owned()))
            }
            Some(path) => Ok(Source::Directory(PathBuf::from(path))),
            // As podman: the context is where the file is, or where one stands.
            None => match self.file.as_deref() {
                Some("-") | None => Ok(Source::Directory(PathBuf::from("."))),
                Some(file) => {
                    let parent = std::path::Path::new(file).parent();
                    let parent = parent.filter(|p| !p.as_os_str().is_empty());
                    Ok(Source::Directory(
                        parent.map_or_else(|| PathBuf::from("."), PathBuf::from),
                    ))
                }
            },
        }
    }

    /// `--build-arg`, files, and the caller's proxies.
    fn args(&self) -> Result<BTreeMap<String, String>> {
        let mut all = BTreeMap::new();
        if self.http_proxy {
            for name in [
                "http_proxy",
                "https_proxy",
                "ftp_proxy",
                "no_proxy",
                "all_proxy",
            ] {
                for name in [name.to_owned(), name.to_uppercase()] {
                    if let Ok(value) = std::env::var(&name) {
                        all.insert(name, value);
                    }
                }
            }
        }
        for line in pairs::environment(&self.build_arg_file, &self.build_arg)? {
            // One without a value the caller has not either: the default stays.
            if let Some((name, value)) = line.split_once('=') {
                all.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(all)
    }
}

fn rlimit_check(texts: &[String]) -> Result<()> {
    let limits = texts
        .iter()
        .map(|text| rlimit::parse(text))
        .collect::<Result<Vec<_>>>()?;
    rlimit::check(&limits)
}

fn epoch_of(text: &str) -> Result<i64> {
    text.trim().parse().map_err(|_| {
        usage(format!(
            "SOURCE_DATE_EPOCH \"{text}\" is no number of seconds"
        ))
    })
}

fn assigned(flag: &str, words: &[String]) -> Result<Vec<(String, String)>> {
    words
        .iter()
        .map(|word| match word.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => Err(usage(format!(
                "{flag} \"{word}\" is not of the form NAME=VALUE"
            ))),
        })
        .collect()
}

/// `-`, a directory, or `type=…,dest=…`.
fn outputs(texts: &[String]) -> Result<Vec<Output>> {
    if texts.is_empty() {
        return Ok(vec![Output::Image]);
    }
    texts.iter().map(|text| output(text)).collect()
}

fn output(text: &str) -> Result<Output> {
    let bad = |why: String| usage(format!("--output \"{text}\": {why}"));
    if text == "-" {
        return Ok(Output::Tar(None));
    }
    if !text.contains('=') {
        return Ok(Output::Directory(PathBuf::from(text)));
    }
    let (mut kind, mut dest) = (None, None);
    for field in text.split(',') {
        match field.split_once('=') {
            Some(("type", value)) => kind = Some(value),
            Some(("dest", value)) => dest = Some(value),
            _ => return Err(bad(format!("\"{field}\" has no meaning"))),
        }
    }
    match (kind, dest) {
        (Some("image" | "docker"), None) => Ok(Output::Image),
        (Some("local"), Some(path)) => Ok(Output::Directory(PathBuf::from(path))),
        (Some("local"), None) => Err(bad("it needs dest=DIRECTORY".to_owned())),
        (Some("tar"), None | Some("-")) => Ok(Output::Tar(None)),
        (Some("tar"), Some(path)) => Ok(Output::Tar(Some(PathBuf::from(path)))),
        (Some(other @ ("oci" | "docker")), Some(_)) => Err(bad(format!(
            "an image is not written as an archive of type {other} by a build"
        ))
        .hint("name it with `-t NAME`, and write it with `rpod save NAME`")),
        (kind, _) => Err(bad(format!(
            "there is no type \"{}\": image, local and tar are",
            kind.unwrap_or_default()
        ))),
    }
}

fn network(text: &str) -> Result<RunNetwork> {
    match text {
        "host" | "default" => Ok(RunNetwork::Host),
        "none" => Ok(RunNetwork::None),
        other => Err(usage(format!(
            "--network cannot be \"{other}\": host, none or default"
        ))),
    }
}

fn pull(text: &str) -> Result<PullPolicy> {
    match text {
        "always" | "true" | "newer" => Ok(PullPolicy::Always),
        "missing" | "false" | "ifmissing" => Ok(PullPolicy::Missing),
        "never" => Ok(PullPolicy::Never),
        other => Err(usage(format!(
            "--pull cannot be \"{other}\": always, missing or never"
        ))),
    }
}

fn host(text: &str) -> Result<(String, String)> {
    match text.split_once([':', '=']) {
        Some((name, address)) if !name.is_empty() && !address.is_empty() => {
            Ok((name.to_owned(), address.trim_matches(['[', ']']).to_owned()))
        }
        _ => Err(usage(format!(
            "--add-host \"{text}\" is not of the form NAME:ADDRESS"
        ))),
    }
}

fn volume(text: &str) -> Result<(PathBuf, String, bool)> {
    let bad = || {
        usage(format!(
            "--volume \"{text}\" is not of the form PATH:TARGET[:ro]"
        ))
    };
    let mut parts = text.split(':');
    let (source, target) = (parts.next().ok_or_else(bad)?, parts.next().ok_or_else(bad)?);
    let mut readonly = false;
    for word in parts.flat_map(|words| words.split(',')) {
        match word {
            "ro" => readonly = true,
            // Labels of SELinux; ownership is the user namespace's.
            "rw" | "z" | "Z" | "U" | "O" => {}
            _ => return Err(bad()),
        }
    }
    if !target.starts_with('/') {
        return Err(bad());
    }
    let source = std::path::absolute(source)?;
    if !source.exists() {
        return Err(Error::of(
            Kind::Usage,
            format!(
                "cannot mount \"{}\": no such file or directory",
                source.display()
            ),
        ));
    }
    Ok((source, target.to_owned(), readonly))
}

/// `id=NAME,src=FILE` or `id=NAME,env=VARIABLE`; with neither, the variable of that name.
fn secret(text: &str) -> Result<(String, Vec<u8>)> {
    let (mut id, mut source, mut variable) = (None, None, None);
    for field in text.split(',') {
        match field.split_once('=') {
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("src" | "source", value)) => source = Some(value.to_owned()),
            Some(("env", value)) => variable = Some(value.to_owned()),
            Some(("type", "file" | "env")) => {}
            _ => {
                return Err(
                    usage(format!("--secret \"{text}\": \"{field}\" has no meaning"))
                        .hint("write id=NAME,src=FILE or id=NAME,env=VARIABLE"),
                );
            }
        }
    }
    let id = id
        .or_else(|| variable.clone())
        .ok_or_else(|| usage(format!("--secret \"{text}\" has no id=")))?;
    if let Some(source) = source {
        // `type=env,src=NAME` of docker's.
        if text.split(',').any(|field| field == "type=env") {
            variable = Some(source);
        } else {
            let content = std::fs::read(&source)
                .what(|| format!("cannot read the secret \"{id}\" from \"{source}\""))?;
            return Ok((id, content));
        }
    }
    let name = variable.unwrap_or_else(|| id.clone());
    match std::env::var_os(&name) {
        Some(value) => Ok((id, value.into_encoded_bytes())),
        None => match std::fs::read(&id) {
            Ok(content) => Ok((id, content)),
            Err(_) => Err(usage(format!(
                "--secret \"{text}\": there is no variable \"{name}\""
            ))
            .hint("name a file with src=FILE, or set the variable")),
        },
    }
}

/// `default`, `NAME` or `NAME=SOCKET`.
fn agent(text: &str) -> Result<(String, PathBuf)> {
    use std::os::unix::fs::FileTypeExt;
    let (id, socket) = match text.split_once('=') {
        Some((id, socket)) => (id, Some(socket.to_owned())),
        None => (text, None),
    };
    let socket = match socket {
        Some(socket) => socket,
        None => std::env::var("SSH_AUTH_SOCK").map_err(|_| {
            usage(format!(
                "--ssh {id}: SSH_AUTH_SOCK is not set, so there is no agent to pass on"
            ))
            .hint("start one: `eval $(ssh-agent) && ssh-add`")
        })?,
    };
    let path = PathBuf::from(&socket);
    let meta = std::fs::metadata(&path)
        .what(|| format!("cannot pass on the SSH agent at \"{socket}\""))?;
    if !meta.file_type().is_socket() {
        return Err(
            usage(format!("--ssh {id}: \"{socket}\" is no socket of an agent")).hint(
                "add the key to an agent and pass that on: `ssh-add FILE`, then `--ssh default`",
            ),
        );
    }
    Ok((id.to_owned(), std::path::absolute(path)?))
}
