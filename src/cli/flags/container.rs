//! The flags of `run` and `create`, and the request they make.
//!
//! Lives here: what was typed ([`Flags`]) and its meaning ([`Flags::request`]).
//! Must not: look at images, the store or the machine.
//! Called by: `run`, `create`.
//! Always true: a flag is understood or refused; docker's that are not built yet
//! are in [`TO_COME`] and are refused by name.

use std::collections::BTreeMap;
use std::net::IpAddr;

use clap::Args;

use crate::cli::flags::{network, pairs, policy, usage};
use crate::error::{Context, Result};
use crate::runtime::rlimit;
use crate::spec::container::{Namespaces, Request, Restart};
use crate::spec::mount::{Mount, Source};
use crate::spec::platform::Platform;
use crate::spec::port::{Port, Protocol, parse_publish};
use crate::spec::size;

/// docker's flags of `run` and `create` that rpod does not have yet.
pub const TO_COME: &[&str] = &[
    "--annotation",
    "--blkio-weight",
    "--blkio-weight-device",
    "--cgroup-parent",
    "--cgroupns",
    "--cpu-count",
    "--cpu-percent",
    "--cpu-period",
    "--cpu-quota",
    "--cpu-rt-period",
    "--cpu-rt-runtime",
    "--cpu-shares",
    "-c",
    "--cpus",
    "--cpuset-cpus",
    "--cpuset-mems",
    "--device-cgroup-rule",
    "--device-read-bps",
    "--device-read-iops",
    "--device-write-bps",
    "--device-write-iops",
    "--gidmap",
    "--gpus",
    "--health-cmd",
    "--health-interval",
    "--health-retries",
    "--health-start-interval",
    "--health-start-period",
    "--health-timeout",
    "--io-maxbandwidth",
    "--io-maxiops",
    "--isolation",
    "--kernel-memory",
    "--link-local-ip",
    "--log-driver",
    "--log-opt",
    "--memory",
    "-m",
    "--memory-reservation",
    "--memory-swap",
    "--memory-swappiness",
    "--oom-kill-disable",
    "--oom-score-adj",
    "--pids-limit",
    "--pod",
    "--replace",
    "--rootfs",
    "--runtime",
    "--secret",
    "--storage-opt",
    "--subuidname",
    "--subgidname",
    "--systemd",
    "--timeout",
    "--tz",
    "--uidmap",
    "--umask",
    "--use-api-socket",
    "--userns",
    "--volume-driver",
];

/// What was typed.
#[derive(Args, Clone, Debug, Default)]
pub struct Flags {
    /// Keep standard input open
    #[arg(short, long)]
    interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    tty: bool,
    /// Remove the container when it ends
    #[arg(long)]
    rm: bool,
    /// Name the container
    #[arg(long)]
    name: Option<String>,
    /// Set a variable; without = it takes yours (can be repeated)
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    env: Vec<String>,
    /// Read variables from a file (can be repeated)
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    env_file: Vec<String>,
    /// Start in this directory
    #[arg(short, long, value_name = "DIRECTORY")]
    workdir: Option<String>,
    /// Run as this user
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Add a group (can be repeated)
    #[arg(long, value_name = "GROUP")]
    group_add: Vec<String>,
    /// Mount as [SOURCE:]TARGET[:ro], a volume or directory (can be repeated)
    #[arg(short, long, value_name = "VOLUME", value_hint = clap::ValueHint::AnyPath)]
    volume: Vec<String>,
    /// Mount as type=bind|volume|tmpfs,source=…,target=… (can be repeated)
    #[arg(long, value_name = "MOUNT")]
    mount: Vec<String>,
    /// Mount memory (can be repeated)
    #[arg(long, value_name = "TARGET")]
    tmpfs: Vec<String>,
    /// Have the mounts of another container (can be repeated)
    #[arg(long, value_name = "CONTAINER[:ro]")]
    volumes_from: Vec<String>,
    /// Have a device of this machine (can be repeated)
    #[arg(long, value_name = "DEVICE[:TARGET]", value_hint = clap::ValueHint::FilePath)]
    device: Vec<String>,
    /// Publish [IP:][HOST-PORT:]PORT[/udp] (can be repeated)
    #[arg(short, long, value_name = "PORT")]
    publish: Vec<String>,
    /// Publish every exposed port on a free port of this machine
    #[arg(short = 'P', long)]
    publish_all: bool,
    /// Expose a port or a range (can be repeated)
    #[arg(long, value_name = "PORT")]
    expose: Vec<String>,
    /// Run this instead of the image's entry point
    #[arg(long, value_name = "COMMAND")]
    entrypoint: Option<String>,
    /// Set the host name inside
    #[arg(short = 'h', long)]
    hostname: Option<String>,
    /// Set the domain name inside
    #[arg(long, value_name = "DOMAIN")]
    domainname: Option<String>,
    /// Join a network, or host, none, private, container:NAME, ns:PATH
    #[arg(long, alias = "net", value_name = "NETWORK[:OPTIONS]")]
    network: Vec<String>,
    /// Have this IPv4 address on its network
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<String>,
    /// Have this IPv6 address on its network
    #[arg(long, value_name = "ADDRESS")]
    ip6: Option<String>,
    /// Have this link address on its network
    #[arg(long, value_name = "ADDRESS")]
    mac_address: Option<String>,
    /// Be known by this name on its networks (can be repeated)
    #[arg(long, alias = "net-alias", value_name = "NAME")]
    network_alias: Vec<String>,
    /// Write the container's packets to a file, as tcpdump does
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    network_capture: Option<String>,
    /// Ask this name server (can be repeated)
    #[arg(long, value_name = "ADDRESS")]
    dns: Vec<String>,
    /// Search names in this domain (can be repeated)
    #[arg(long, value_name = "DOMAIN")]
    dns_search: Vec<String>,
    /// Set an option of the resolver (can be repeated)
    #[arg(long, alias = "dns-opt", value_name = "OPTION")]
    dns_option: Vec<String>,
    /// Add a line to /etc/hosts (can be repeated)
    #[arg(long, value_name = "NAME:ADDRESS")]
    add_host: Vec<String>,
    /// Know another container by a name (can be repeated)
    #[arg(long, value_name = "CONTAINER[:NAME]")]
    link: Vec<String>,
    /// Set a label (can be repeated)
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    label: Vec<String>,
    /// Read labels from a file (can be repeated)
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    label_file: Vec<String>,
    /// Let nothing be written outside of mounts
    #[arg(long)]
    read_only: bool,
    /// Run a small init that reaps processes and passes signals on
    #[arg(long)]
    init: bool,
    /// Write the container's id to a new file
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    cidfile: Option<String>,
    /// Pull the image: always, missing, never or newer
    #[arg(long, value_name = "WHEN")]
    pull: Option<String>,
    /// Take the image of this platform
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// Start again: no, always, unless-stopped or on-failure[:TIMES]
    #[arg(long, value_name = "WHEN")]
    restart: Option<String>,
    /// Stop with this signal
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// Give it so many seconds to stop
    #[arg(long, value_name = "SECONDS")]
    stop_timeout: Option<String>,
    /// Add a capability (can be repeated)
    #[arg(long, value_name = "CAPABILITY")]
    cap_add: Vec<String>,
    /// Drop a capability (can be repeated)
    #[arg(long, value_name = "CAPABILITY")]
    cap_drop: Vec<String>,
    /// Give it every right that you have
    #[arg(long)]
    privileged: bool,
    /// Set no-new-privileges or seccomp=unconfined (can be repeated)
    #[arg(long, value_name = "OPTION")]
    security_opt: Vec<String>,
    /// Limit a resource, as NAME=SOFT[:HARD] (can be repeated)
    #[arg(long, value_name = "LIMIT")]
    ulimit: Vec<String>,
    /// Set a kernel parameter of its namespaces (can be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    sysctl: Vec<String>,
    /// Set the size of /dev/shm
    #[arg(long, value_name = "BYTES")]
    shm_size: Option<String>,
    /// See this machine's processes: host
    #[arg(long, value_name = "MODE")]
    pid: Option<String>,
    /// Share this machine's memory segments and queues: host
    #[arg(long, value_name = "MODE")]
    ipc: Option<String>,
    /// Share this machine's host name: host
    #[arg(long, value_name = "MODE")]
    uts: Option<String>,
    /// Say nothing while pulling
    #[arg(short, long)]
    pub quiet: bool,
    /// docker's; there are no health checks to leave out yet
    #[arg(long, hide = true)]
    no_healthcheck: bool,
    /// docker's; there is no such trust to disable
    #[arg(long, hide = true)]
    disable_content_trust: bool,
}

impl Flags {
    /// Returns what was asked.
    pub fn request(self, image: String, command: Vec<String>) -> Result<Request> {
        let restart = match &self.restart {
            Some(text) => Restart::parse(text)?,
            None => Restart::No,
        };
        if self.rm && restart != Restart::No {
            return Err(usage("--rm and --restart exclude each other".to_owned()));
        }
        let security = Security::parse(&self.security_opt)?;
        let networks = network::Typed {
            networks: &self.network,
            ip: self.ip.as_deref(),
            ip6: self.ip6.as_deref(),
            mac: self.mac_address.as_deref(),
            aliases: &self.network_alias,
        };
        let (mut network, mut networks) = networks.parse()?;
        let mut hosts = all(&self.add_host, |text| one(host_line(text)))?;
        if open_loopback(&mut hosts) {
            network::open_loopback(&mut network, &mut networks).what(|| "--add-host")?;
        }
        if self.network_capture.is_some()
            && network == Some(crate::spec::container::NetworkMode::Host)
        {
            return Err(usage(
                "--network-capture means nothing with --network host: that network is not the container's"
                    .to_owned(),
            )
            .hint("see this machine's packets with `tcpdump -i any`"));
        }
        Ok(Request {
            image,
            command,
            entrypoint: self.entrypoint.as_deref().map(entrypoint).transpose()?,
            name: self.name.as_deref().map(str::parse).transpose()?,
            env: pairs::environment(&self.env_file, &self.env)?,
            workdir: self.workdir.map(absolute_inside).transpose()?,
            user: self.user,
            groups: self.group_add,
            hostname: self
                .hostname
                .map(|name| host_name("--hostname", name))
                .transpose()?,
            domainname: self
                .domainname
                .map(|name| host_name("--domainname", name))
                .transpose()?,
            tty: self.tty,
            interactive: self.interactive,
            remove: self.rm,
            init: self.init,
            read_only: self.read_only,
            mounts: mounts(&self.volume, &self.mount, &self.tmpfs, &self.device)?,
            mounts_of: all(&self.volumes_from, |text| one(lender(text)))?,
            publish: all(&self.publish, parse_publish)?,
            publish_all: self.publish_all,
            expose: all(&self.expose, expose)?,
            network,
            networks,
            network_capture: self.network_capture,
            dns: all(&self.dns, |text| one(address("--dns", text)))?,
            dns_search: self.dns_search,
            dns_options: self.dns_option,
            hosts,
            links: links(&self.link)?,
            labels: pairs::labels(&self.label_file, &self.label)?,
            restart,
            stop_signal: self.stop_signal,
            stop_timeout: self.stop_timeout.as_deref().map(seconds).transpose()?,
            cap_add: capabilities(&self.cap_add),
            cap_drop: capabilities(&self.cap_drop),
            privileged: self.privileged,
            no_new_privileges: security.no_new_privileges,
            seccomp_unconfined: security.seccomp_unconfined,
            ulimits: all(&self.ulimit, |text| one(rlimit::parse(text)))?,
            sysctls: pairs::options("--sysctl", &self.sysctl)?,
            shm_size: self.shm_size.as_deref().map(size::parse).transpose()?,
            namespaces: Namespaces {
                host_pid: is_host("--pid", self.pid.as_deref(), &[])?,
                host_ipc: is_host("--ipc", self.ipc.as_deref(), &["private", "shareable"])?,
                host_uts: is_host("--uts", self.uts.as_deref(), &[])?,
            },
            cidfile: self.cidfile,
            pull: policy("--pull", self.pull.as_deref())?.unwrap_or_default(),
            platform: self.platform.map(platform).transpose()?,
        })
    }

    /// Says whether it has a terminal and gets our input.
    pub fn is_interactive_terminal(&self) -> bool {
        self.tty && self.interactive
    }
}

fn all<T>(texts: &[String], parse: impl Fn(&str) -> Result<Vec<T>>) -> Result<Vec<T>> {
    let parts: Vec<Vec<T>> = texts.iter().map(|t| parse(t)).collect::<Result<_>>()?;
    Ok(parts.into_iter().flatten().collect())
}

fn one<T>(result: Result<T>) -> Result<Vec<T>> {
    result.map(|value| vec![value])
}

/// One word, or a list of words as JSON; an empty text takes the image's away.
fn entrypoint(text: &str) -> Result<Vec<String>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    if text.starts_with('[') {
        return serde_json::from_str(text).map_err(|_| {
            usage(format!(
                "--entrypoint \"{text}\" is no list of words in JSON"
            ))
        });
    }
    Ok(vec![text.to_owned()])
}

fn absolute_inside(path: String) -> Result<String> {
    if path.starts_with('/') {
        Ok(path)
    } else {
        Err(usage(format!(
            "--workdir \"{path}\" does not begin with \"/\""
        )))
    }
}

/// sethostname(2) takes 64 bytes.
fn host_name(flag: &str, name: String) -> Result<String> {
    let good = !name.is_empty()
        && name.len() <= 64
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    if good {
        Ok(name)
    } else {
        Err(usage(format!(
            "{flag} \"{name}\" is no host name: 1 to 64 letters, digits, \"-\", \"_\" and \".\" are"
        )))
    }
}

/// `CONTAINER[:OPTIONS]` of `--volumes-from`; true lets nothing be written.
fn lender(text: &str) -> Result<(String, bool)> {
    let (name, options) = text.split_once(':').unwrap_or((text, ""));
    let mut read_only = false;
    for option in options.split(',').filter(|o| !o.is_empty()) {
        match option {
            "ro" => read_only = true,
            // Labels of SELinux, which rpod does not set.
            "rw" | "z" | "Z" => {}
            other => {
                return Err(usage(format!(
                    "--volumes-from \"{text}\": \"{other}\" is no option of it"
                )));
            }
        }
    }
    Ok((name.to_owned(), read_only))
}

fn mounts(
    volumes: &[String],
    mounts: &[String],
    tmpfs: &[String],
    devices: &[String],
) -> Result<Vec<Mount>> {
    let mut out = all(volumes, |text| one(Mount::parse_volume(text)))?;
    out.extend(all(mounts, |text| one(Mount::parse_mount(text)))?);
    out.extend(all(tmpfs, |text| one(Mount::parse_tmpfs(text)))?);
    out.extend(all(devices, |text| one(Mount::parse_device(text)))?);
    let mut targets = BTreeMap::new();
    for mount in &mut out {
        if let Source::Bind(path) = &mut mount.source {
            *path = absolute(path)?;
        }
        if targets.insert(mount.target.clone(), ()).is_some() {
            return Err(usage(format!(
                "two mounts have the same place inside, \"{}\"",
                mount.target
            )));
        }
    }
    Ok(out)
}

/// A path of the machine, as the caller means it from where they stand.
fn absolute(path: &str) -> Result<String> {
    let home = std::env::var("HOME").ok();
    let path = match (path.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => home + rest,
        _ => path.to_owned(),
    };
    let whole = std::path::absolute(&path)
        .map_err(|error| crate::error::Error::from(error).what(format!("cannot use \"{path}\"")))?;
    Ok(whole.to_string_lossy().into_owned())
}

/// `80`, `80/udp`, `80-90/tcp`.
fn expose(text: &str) -> Result<Vec<Port>> {
    let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let Some((first, last)) = numbers.split_once('-') else {
        return one(text.parse());
    };
    let protocol: Protocol = protocol.parse()?;
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(first), Ok(last)) if first > 0 && first <= last => Ok((first..=last)
            .map(|number| Port { number, protocol })
            .collect()),
        _ => Err(usage(format!("--expose \"{text}\" is no range of ports"))),
    }
}

fn address(flag: &str, text: &str) -> Result<IpAddr> {
    text.parse()
        .map_err(|_| usage(format!("{flag} \"{text}\" is no IP address")))
}

/// Reads all of `--link`.
pub fn links(texts: &[String]) -> Result<Vec<(String, String)>> {
    texts.iter().map(|text| link(text)).collect()
}

/// `container:name`, or a container alone, which is known by its own name. docker once
/// wrote a name with a slash before it, and still reads that.
fn link(text: &str) -> Result<(String, String)> {
    let (container, alias) = text.split_once(':').unwrap_or((text, text));
    let (container, alias) = (
        container.trim_start_matches('/'),
        alias.trim_start_matches('/'),
    );
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let fits = !alias.is_empty() && alias.len() <= 63 && alias.chars().all(good);
    if container.is_empty() || !fits {
        return Err(usage(format!("--link \"{text}\" makes no link")).hint(
            "write CONTAINER:NAME; a name has 1 to 63 letters, digits, \"-\", \"_\" and \".\"",
        ));
    }
    Ok((container.to_owned(), alias.to_owned()))
}

/// The word for this machine together with what listens on its loopback.
const HOST_LOOPBACK: &str = "host-loopback";

/// Says whether one of the hosts is this machine with its loopback; it has the address
/// that this machine has anyway.
fn open_loopback(hosts: &mut [(String, String)]) -> bool {
    let mut open = false;
    for (_, address) in hosts {
        if address == HOST_LOOPBACK {
            "host-gateway".clone_into(address);
            open = true;
        }
    }
    open
}

/// `name:address`; an IPv6 address may stand in brackets, and after `=`.
fn host_line(text: &str) -> Result<(String, String)> {
    let bad = |why: &str| usage(format!("--add-host \"{text}\" makes no host: {why}"));
    let (name, address) = match (text.split_once('='), text.split_once(':')) {
        (Some((name, address)), _) if !name.contains(':') => (name, address),
        (_, Some(pair)) => pair,
        _ => return Err(bad("write NAME:ADDRESS")),
    };
    let good_name = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '#');
    if !good_name {
        return Err(bad("the name is empty or has white space in it"));
    }
    if matches!(address, "host-gateway" | HOST_LOOPBACK) {
        return Ok((name.to_owned(), address.to_owned()));
    }
    let bare = address
        .strip_prefix('[')
        .and_then(|a| a.strip_suffix(']'))
        .unwrap_or(address);
    match bare.parse::<IpAddr>() {
        Ok(ip) => Ok((name.to_owned(), ip.to_string())),
        Err(_) => Err(bad(&format!("\"{address}\" is no IP address")).hint(
            "write NAME:ADDRESS; this machine is NAME:host-gateway, with what listens on its loopback NAME:host-loopback",
        )),
    }
}

fn seconds(text: &str) -> Result<u64> {
    match text {
        "-1" => Ok(u64::MAX),
        _ => text
            .parse()
            .map_err(|_| usage(format!("--stop-timeout \"{text}\" is no number of seconds"))),
    }
}

fn capabilities(typed: &[String]) -> Vec<String> {
    typed
        .iter()
        .flat_map(|text| text.split(','))
        .map(|name| {
            let name = name.trim().to_uppercase();
            name.strip_prefix("CAP_").map(str::to_owned).unwrap_or(name)
        })
        .filter(|name| !name.is_empty())
        .collect()
}

/// What `--security-opt` says.
#[derive(Default)]
pub struct Security {
    /// No program gains rights by being run.
    pub no_new_privileges: bool,
    /// System calls are not filtered.
    pub seccomp_unconfined: bool,
}

impl Security {
    /// Reads each of them.
    pub fn parse(options: &[String]) -> Result<Self> {
        let mut out = Self::default();
        for option in options {
            // docker once had a colon here, and still reads it.
            let split = option.split_once('=').or_else(|| option.split_once(':'));
            let (key, value) = split.unwrap_or((option, ""));
            match (key, value) {
                ("no-new-privileges", "" | "true") => out.no_new_privileges = true,
                ("no-new-privileges", "false") => out.no_new_privileges = false,
                ("seccomp", "unconfined") => out.seccomp_unconfined = true,
                ("seccomp", "builtin" | "default") => out.seccomp_unconfined = false,
                ("seccomp", _) => {
                    return Err(usage(format!(
                        "rpod has no --security-opt {option} yet: only seccomp=unconfined"
                    )));
                }
                // rpod sets no label and no profile, which is what these ask for.
                ("label", _) | ("apparmor", "unconfined") => {}
                _ => {
                    return Err(usage(format!("rpod has no --security-opt {option}")).hint(
                        "no-new-privileges, seccomp=unconfined, label=… and apparmor=unconfined are understood",
                    ));
                }
            }
        }
        Ok(out)
    }
}

fn is_host(flag: &str, mode: Option<&str>, own: &[&str]) -> Result<bool> {
    match mode {
        None | Some("" | "private") => Ok(false),
        Some("host") => Ok(true),
        Some(mode) if own.contains(&mode) => Ok(false),
        Some(mode) => Err(usage(format!(
            "rpod has no {flag} {mode} yet: only {flag} host"
        ))),
    }
}

fn platform(text: String) -> Result<String> {
    text.parse::<Platform>().map(|_| text)
}

#[cfg(test)]
mod tests;
