//! `rpod build`: an image from a Dockerfile and a context.
mod caches;
mod given;
mod moot;
mod outputs;

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{ArgAction, Parser};

use crate::cli::door::Door;
use crate::cli::flags::container::Security;
use crate::cli::flags::registry::Registry;
use crate::cli::flags::{name_to_give, pairs, policy, usage};
use crate::cli::render::{build, terminal};
use crate::cli::verbs::Act;
use crate::error::{Context, Result};
use crate::image::assemble::Format;
use crate::ops;
use crate::ops::build::graph::RunNetwork;
use crate::ops::build::plan::{NoCache, Wishes};
use crate::ops::build::run::Settings;
use crate::ops::build::{Built, Output, Request, Source, Squash};
use crate::runtime::{capabilities, rlimit};
use crate::spec::container::PullPolicy;
use crate::spec::limits::Limits;
use crate::spec::platform::Platform;
use crate::spec::reference::Reference;
use crate::spec::{duration, size};

/// Flags of docker's and podman's that rpod does not have yet.
pub const TO_COME: &[&str] = &[
    "--all-platforms",
    "--blkio-weight",
    "--cgroupns",
    "--cpp-flag",
    "--decryption-key",
    "--device",
    "--hooks-dir",
    "--ipc",
    "--logfile",
    "--logsplit",
    "--omit-history",
    "--os-feature",
    "--os-version",
    "--pid",
    "--runtime",
    "--runtime-flag",
    "--sign-by",
    "--stdin",
    "--userns",
    "--userns-gid-map",
    "--userns-gid-map-group",
    "--userns-uid-map",
    "--userns-uid-map-user",
    "--uts",
];

/// Build an image from a Dockerfile and a context
#[derive(Debug, Parser)]
#[command(
    after_help = "CONTEXT is a directory, the address of a git repository or of a tar, or `-` for a\n\
                  Dockerfile or a tar on standard input\n\
                  TYPE of an output is image, registry, oci, docker, local or tar\n\
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
    /// Give steps an SSH agent: default, NAME=SOCKET or NAME=KEY (repeatable)
    #[arg(long, value_name = "AGENT")]
    ssh: Vec<String>,
    /// Label the image (can be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    label: Vec<String>,
    /// Annotate the image's manifest (can be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    annotation: Vec<String>,
    /// Write to a directory, or type=TYPE[,dest=PATH] (can be repeated)
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
    /// Build for these platforms, several as one list (can be repeated)
    #[arg(long, value_name = "OS/ARCH", value_delimiter = ',')]
    platform: Vec<String>,
    /// Build for this architecture
    #[arg(long, value_name = "ARCH", conflicts_with = "platform")]
    arch: Option<String>,
    /// Build for this variant of the architecture
    #[arg(long, value_name = "VARIANT", conflicts_with = "platform")]
    variant: Option<String>,
    /// Build for this operating system: linux
    #[arg(long, value_name = "OS", conflicts_with = "platform")]
    os: Option<String>,
    /// Build upon this image instead of the first FROM's
    #[arg(long, value_name = "IMAGE")]
    from: Option<String>,
    /// Put the image into this list, made when it is missing
    #[arg(long, value_name = "LIST")]
    manifest: Option<String>,
    /// Push the image under all its names
    #[arg(long)]
    push: bool,
    /// Make the new layers one
    #[arg(long, conflicts_with = "squash_all")]
    squash: bool,
    /// Make all layers one, those of the base too
    #[arg(long)]
    squash_all: bool,
    /// Do this many steps at once; 0 is without limit
    #[arg(long, value_name = "NUMBER")]
    jobs: Option<usize>,
    /// Ask for base images: always, missing, never or newer
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
    /// Take steps from NAME or type=registry|local,… (can be repeated)
    #[arg(long, value_name = "CACHE")]
    cache_from: Vec<String>,
    /// Send steps to NAME or type=registry|local|inline,… (repeatable)
    #[arg(long, value_name = "CACHE")]
    cache_to: Vec<String>,
    /// Take from the cache only what is younger than this
    #[arg(long, value_name = "DURATION")]
    cache_ttl: Option<String>,
    /// Give RUN a network: default, host or none
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
    /// Give RUN at most this much memory
    #[arg(short, long, value_name = "BYTES")]
    memory: Option<String>,
    /// Give RUN at most this much memory and swap; -1 is without limit
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true)]
    memory_swap: Option<String>,
    /// Weigh RUN against others on the processors; 1024 is usual
    #[arg(short, long, value_name = "NUMBER")]
    cpu_shares: Option<u64>,
    /// Give RUN this time on the processors in each period; -1 is all
    #[arg(long, value_name = "MICROSECONDS", allow_hyphen_values = true)]
    cpu_quota: Option<i64>,
    /// Make a period this long; 100000 is usual
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_period: Option<u64>,
    /// Run RUN on these processors, such as 0-2,4
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Give RUN memory of these nodes
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// Put RUN below this cgroup, or into this slice of systemd's
    #[arg(long, value_name = "PATH")]
    cgroup_parent: Option<String>,
    /// Give RUN this much /dev/shm
    #[arg(long, value_name = "BYTES")]
    shm_size: Option<String>,
    /// Give RUN a capability (can be repeated)
    #[arg(long, value_name = "NAME")]
    cap_add: Vec<String>,
    /// Take a capability from RUN (can be repeated)
    #[arg(long, value_name = "NAME")]
    cap_drop: Vec<String>,
    /// Give RUN one more group (can be repeated)
    #[arg(long, value_name = "GROUP")]
    group_add: Vec<String>,
    /// Change what keeps RUN in: seccomp=unconfined, no-new-privileges
    #[arg(long, value_name = "OPTION")]
    security_opt: Vec<String>,
    /// Leave /etc/hosts of RUN as the image has it
    #[arg(long, conflicts_with = "add_host")]
    no_hosts: bool,
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
    /// Keep steps for other builds; else the new layers are one
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
    /// Ask a registry this often, when it fails
    #[arg(long, value_name = "TIMES")]
    retry: Option<u32>,
    /// Wait so long before it is asked again
    #[arg(long, value_name = "DURATION")]
    retry_delay: Option<String>,
    /// docker's: what is attested, which is nothing
    #[arg(long, hide = true)]
    attest: Vec<String>,
    /// docker's: what is attested, which is nothing
    #[arg(long, hide = true)]
    provenance: Option<String>,
    /// docker's: what is attested, which is nothing
    #[arg(long, hide = true)]
    sbom: Option<String>,
    /// docker's: there is one builder
    #[arg(long, hide = true)]
    builder: Option<String>,
    /// docker's: build or check
    #[arg(long, hide = true)]
    call: Option<String>,
    /// Podman's: steps run in containers
    #[arg(long, hide = true)]
    isolation: Option<String>,
    /// Podman's: nothing is compressed before it leaves the machine
    #[arg(short = 'D', long, hide = true)]
    disable_compression: bool,
    /// Podman's: no label tells who built
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    identity_label: Option<bool>,
    /// Podman's: what the target does not need is not built
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    skip_unused_stages: Option<bool>,
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
    #[command(flatten)]
    registry: Registry,
    /// Context
    #[arg(value_name = "CONTEXT", value_hint = clap::ValueHint::DirPath)]
    context: Option<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let quiet = self.quiet;
        let places = outputs::places(&self.output, self.push)?;
        let mut tags: Vec<Reference> = self
            .tag
            .iter()
            .map(|tag| tag.parse::<Reference>())
            .collect::<Result<_>>()?;
        tags.extend(places.names);
        if let Some(tag) = tags.iter().find(|tag| tag.digest.is_some()) {
            return Err(usage(format!(
                "--tag \"{tag}\" has a digest, which is not known before"
            )));
        }
        let shown: Vec<String> = tags.iter().map(ToString::to_string).collect();
        let form = self.progress.clone();
        // The classic form has the names that people say.
        let said: Vec<String> = match form.as_deref() {
            Some("classic") => tags.iter().map(Reference::familiar).collect(),
            _ => shown.clone(),
        };
        let (iidfile, metadata) = (self.iidfile.clone(), self.metadata_file.clone());
        let request = self.request(tags, places.outputs)?;
        let size = match form.as_deref() {
            Some("classic") => ops::build::context_size(&request)?,
            _ => 0,
        };
        check(&request)?;
        let mut watch = build::watcher(form.as_deref(), quiet, &said, size)?;
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

/// Refuses what cannot come to a good end, before anything is built.
fn check(request: &Request) -> Result<()> {
    let to_stdout = |output: &Output| {
        matches!(
            output,
            Output::Tar(None) | Output::Archive { path: None, .. }
        )
    };
    if request.outputs.iter().any(to_stdout) && std::io::stdout().is_terminal() {
        return Err(usage("a tar is not written to a terminal".to_owned())
            .hint("give a file: `-o type=tar,dest=FILE`"));
    }
    if request.outputs.contains(&Output::Registry)
        && request.tags.is_empty()
        && request.list.is_none()
    {
        return Err(usage("an image without a name is not pushed".to_owned())
            .hint("say where it goes: `-t HOST/NAME`"));
    }
    let for_docker = |output: &&Output| matches!(output, Output::Archive { docker: true, .. });
    if request.wishes.platforms.len() > 1 && request.outputs.iter().find(for_docker).is_some() {
        return Err(usage(
            "docker's archive has no room for an image of several platforms".to_owned(),
        )
        .hint("use `-o type=oci,dest=FILE`"));
    }
    Ok(())
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
    fn request(self, tags: Vec<Reference>, outputs: Vec<Output>) -> Result<Request> {
        let context = self.source()?;
        let check = self.check || moot::call(self.call.as_deref())?;
        let part = [&self.os, &self.arch, &self.variant].map(Option::as_deref);
        let args = self.args()?;
        let epoch = match (&self.source_date_epoch, args.get("SOURCE_DATE_EPOCH")) {
            (Some(epoch), _) => Some(*epoch),
            (None, Some(text)) => Some(epoch_of(text)?),
            (None, None) => match std::env::var("SOURCE_DATE_EPOCH") {
                Ok(text) if !text.is_empty() => Some(epoch_of(&text)?),
                _ => None,
            },
        };
        moot::attestations(
            &self.attest,
            self.provenance.as_deref(),
            self.sbom.as_deref(),
        )?;
        moot::builder(self.builder.as_deref())?;
        moot::isolation(self.isolation.as_deref())?;
        if self.skip_unused_stages == Some(false) {
            return Err(usage(
                "--skip-unused-stages=false: what the target does not need is never built"
                    .to_owned(),
            )
            .hint("build each stage that is wanted, with --target"));
        }
        let limits = self.limits()?;
        let security = Security::parse(&self.security_opt)?;
        let network = self.network.as_deref().map(network).transpose()?;
        // Who asks for it for every step has allowed it.
        let host_network = network == Some(RunNetwork::Host)
            || self.allow.iter().any(|word| word == "network.host");
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
        capabilities::choose(&self.cap_add, &self.cap_drop)?;
        let (cache_to, inline) = caches::to(&self.cache_to)?;
        let inline_cache = inline
            || args
                .get("BUILDKIT_INLINE_CACHE")
                .is_some_and(|value| value == "1");
        Ok(Request {
            context,
            file: self.file,
            tags,
            wishes: Wishes {
                args,
                // A script's empty variable is no target.
                target: self.target.filter(|target| !target.is_empty()),
                platforms: platforms(&self.platform, part)?,
                from: self.from,
                labels: pairs::labels(&[], &self.label)?,
                env: assigned("--env", &self.env)?,
                unset_env: self.unsetenv,
                unset_labels: self.unsetlabel,
                no_cache,
                network,
                host_network,
                volumes: self
                    .volume
                    .iter()
                    .map(|text| given::volume(text))
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
                .map(|text| given::secret(text))
                .collect::<Result<_>>()?,
            agents: self
                .ssh
                .iter()
                .map(|text| given::agent(text))
                .collect::<Result<_>>()?,
            pull: policy("--pull", self.pull.as_deref())?.unwrap_or(PullPolicy::Missing),
            runs: Settings {
                hosts: self
                    .add_host
                    .iter()
                    .map(|text| given::host(text))
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
                limits,
                cgroup_parent: self.cgroup_parent,
                groups: self.group_add,
                no_hosts: self.no_hosts,
                no_new_privileges: security.no_new_privileges,
                seccomp_unconfined: security.seccomp_unconfined,
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
            outputs,
            list: self.manifest.as_deref().map(name_to_give).transpose()?,
            squash: match (self.squash_all, self.squash || !self.layers) {
                (true, _) => Squash::All,
                (false, true) => Squash::New,
                (false, false) => Squash::Nothing,
            },
            forgetful: !self.layers,
            cache_from: caches::from(&self.cache_from)?,
            cache_to,
            inline_cache,
            jobs: self
                .jobs
                .map(|jobs| if jobs == 0 { usize::MAX } else { jobs }),
            quiet: self.quiet,
            asked: self.registry.asked()?,
            check,
            retries: self.retry,
            delay: self
                .retry_delay
                .as_deref()
                .map(|text| duration::parse(text).what(|| "--retry-delay"))
                .transpose()?,
            ignore_file: self.ignorefile,
        })
    }

    fn limits(&self) -> Result<Limits> {
        let bytes = |text: &Option<String>, flag: &'static str| {
            let parsed = text.as_deref().map(size::parse).transpose();
            parsed.what(|| flag)
        };
        let limits = Limits {
            // As docker: nothing is no limit.
            memory: bytes(&self.memory, "--memory")?.filter(|bytes| *bytes != 0),
            memory_swap: match self.memory_swap.as_deref() {
                None | Some("" | "0") => None,
                Some("-1") => Some(None),
                Some(_) => Some(bytes(&self.memory_swap, "--memory-swap")?),
            },
            cpu_shares: self.cpu_shares,
            cpu_quota: self.cpu_quota.map(|quota| u64::try_from(quota).ok()),
            cpu_period: self.cpu_period,
            cpus: self.cpuset_cpus.clone(),
            mems: self.cpuset_mems.clone(),
        };
        limits.settings().map(|_| limits)
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

fn network(text: &str) -> Result<RunNetwork> {
    match text {
        "host" => Ok(RunNetwork::Host),
        "default" => Ok(RunNetwork::Default),
        "none" => Ok(RunNetwork::None),
        other => Err(usage(format!(
            "--network cannot be \"{other}\": host, none or default"
        ))),
    }
}

/// podman's way to say one is by its parts: system, architecture, variant.
fn platforms(texts: &[String], [os, arch, variant]: [Option<&str>; 3]) -> Result<Vec<Platform>> {
    let mut all: Vec<Platform> = Vec::new();
    if os.or(arch).or(variant).is_some() {
        let host = Platform::host();
        let arch = arch.unwrap_or(&host.architecture);
        let mut text = format!("{}/{arch}", os.unwrap_or("linux"));
        if let Some(variant) = variant {
            text = format!("{text}/{variant}");
        }
        all.push(text.parse()?);
    }
    for text in texts.iter().filter(|text| !text.is_empty()) {
        let platform: Platform = match text.as_str() {
            "local" => Platform::host(),
            text => text.parse()?,
        };
        if !all.contains(&platform) {
            all.push(platform);
        }
    }
    match all.iter().find(|platform| platform.os != "linux") {
        Some(other) => Err(usage(format!(
            "cannot build for \"{other}\": rpod builds for linux"
        ))),
        None => Ok(all),
    }
}
