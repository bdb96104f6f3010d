//! A `RUN` step: its key, what its program sees, and its end.
//!
//! The program is started as a container's is, by the same runtime, in the build's
//! user namespace. What it writes ends up in the directory that becomes the layer.
//!
//! Lives here: mounts of the step, its files of `/etc`, and what a failure says.
//! Must not: fork (`role::step` does), or make the layer (`step`).
//! Called by: `step`.
//! Always true: a secret is on a file system in memory that goes with the step's
//! process; it is part of no key, no record and no layer.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, OFlags, fstat};
use rustix::mount::{MountFlags, mount as mount_call};

use crate::build::mount::Sharing;
use crate::error::{Context, Error, Kind, Result};
use crate::network::hosts::Hosts;
use crate::network::resolv::Resolver;
use crate::ops::build::copy::{Target, Writer, Writing};
use crate::ops::build::event::Event;
use crate::ops::build::foreign;
use crate::ops::build::graph::{From, RunMount, RunWork, Times};
use crate::ops::build::network::Way;
use crate::ops::build::step::{self, Ground, Mounted, Reading, Site, Source, Start};
use crate::ops::build::summary::field;
use crate::ops::launch::StepJob;
use crate::rootfs::{self, Tree};
use crate::runtime::plan::{self, Surroundings};
use crate::runtime::program::Program;
use crate::runtime::sequence::Bundle;
use crate::runtime::{apt, capabilities, inside};
use crate::spec::container::{Namespaces, Record, Restart, Ulimit};
use crate::spec::digest::{Digest, Hasher};
use crate::spec::limits::Limits;
use crate::spec::mount::{Mount, Source as MountSource};
use crate::spec::time::Time;
use crate::store::layers::LayerInfo;

/// Settings of every `RUN` of a build.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `--add-host`.
    pub hosts: Vec<(String, String)>,
    /// `--ulimit`.
    pub ulimits: Vec<Ulimit>,
    /// `--shm-size`.
    pub shm_size: Option<u64>,
    /// `--cap-add`.
    pub cap_add: Vec<String>,
    /// `--cap-drop`.
    pub cap_drop: Vec<String>,
    /// `--dns`.
    pub dns: Vec<std::net::IpAddr>,
    /// `--dns-search`.
    pub dns_search: Vec<String>,
    /// `--dns-option`.
    pub dns_options: Vec<String>,
    /// `--memory`, `--cpu-shares` and the like: of each `RUN` by itself.
    pub limits: Limits,
    /// `--cgroup-parent`.
    pub cgroup_parent: Option<String>,
    /// `--group-add`.
    pub groups: Vec<String>,
    /// `--no-hosts`: `/etc/hosts` is the image's.
    pub no_hosts: bool,
    /// `--security-opt no-new-privileges`.
    pub no_new_privileges: bool,
    /// `--security-opt seccomp=unconfined`.
    pub seccomp_unconfined: bool,
    /// `--debug-shell`: a shell is opened where a step failed.
    pub debug_shell: bool,
}

impl Settings {
    /// What a program can tell of them, in words, where it is not as it always is. As in
    /// BuildKit's keys names of hosts count, and not where they are; how much a program
    /// may use does not: with less it fails, or takes longer.
    fn seen(&self) -> Vec<String> {
        let mut seen = Vec::new();
        seen.extend(self.hosts.iter().map(|(name, _)| format!("host {name}")));
        seen.extend(self.ulimits.iter().map(|limit| format!("{limit:?}")));
        seen.extend(self.shm_size.map(|size| format!("shm {size}")));
        seen.extend(self.cap_add.iter().map(|name| format!("with {name}")));
        seen.extend(self.cap_drop.iter().map(|name| format!("without {name}")));
        seen.extend(self.groups.iter().map(|name| format!("group {name}")));
        let switches = [
            (self.no_hosts, "no hosts"),
            (self.no_new_privileges, "no new privileges"),
            (self.seccomp_unconfined, "no seccomp"),
        ];
        let on = switches.iter().filter(|(on, _)| *on);
        seen.extend(on.map(|(_, name)| (*name).to_owned()));
        seen
    }
}

/// Says whether a step's key needs no look at any file.
pub fn reads_nothing(work: &RunWork) -> bool {
    !work.mounts.iter().any(|mount| {
        matches!(
            mount,
            RunMount::Bind { .. } | RunMount::Cache { from: Some(_), .. }
        )
    })
}

/// Returns the digests of what a step's bind mounts show.
pub fn contents(site: &Site<'_>, start: &Start<'_>, work: &RunWork) -> Result<Vec<Digest>> {
    let mut all = Vec::new();
    for mount in &work.mounts {
        let RunMount::Bind { from, source, .. } = mount else {
            continue;
        };
        let opened = Source::open(site, start, from)?;
        let paths = [source.clone()];
        let (digest, found) = opened.content(site, &reading(&paths))?;
        if let Some(mut found) = found {
            found.keep(site);
        }
        all.push(digest);
    }
    Ok(all)
}

fn reading(paths: &[String]) -> Reading<'_> {
    Reading {
        paths,
        exclude: None,
        lines: &[],
    }
}

/// Completes the key of a step.
pub fn key(mut hasher: Hasher, settings: &Settings, work: &RunWork, contents: &[Digest]) -> Digest {
    let mut text = |name: &[u8], text: &str| field(&mut hasher, name, text.as_bytes());
    for word in &work.words {
        text(b"word", word);
    }
    for variable in &work.env {
        text(b"variable", variable);
    }
    text(b"workdir", &work.workdir);
    text(b"user", &work.user);
    text(b"network", &format!("{:?}", work.network));
    text(b"insecure", &work.insecure.to_string());
    for setting in settings.seen() {
        text(b"setting", &setting);
    }
    for mount in &work.mounts {
        // What a secret says, and where the machine has something, is left out.
        let shown = match mount {
            RunMount::Bind {
                source,
                target,
                writable,
                ..
            } => format!("bind {source} {target} {writable}"),
            RunMount::Cache {
                id,
                target,
                readonly,
                ..
            } => format!("cache {id} {target} {readonly}"),
            RunMount::Tmpfs { target, size } => format!("tmpfs {target} {size:?}"),
            RunMount::Script { content, target } => format!("script {target} {content}"),
            RunMount::Secret { target, mode, .. } => format!("secret {target} {mode}"),
            RunMount::Host { target, .. } => format!("host {target}"),
        };
        text(b"mount", &shown);
    }
    for content in contents {
        text(b"content", content.as_str());
    }
    hasher.finish()
}

/// Runs a step and makes a layer of what it wrote.
pub fn run(
    site: &Site<'_>,
    start: &Start<'_>,
    work: &RunWork,
) -> Result<(Option<Digest>, LayerInfo)> {
    let mut way = Way::find(site, work.network)?;
    let ground = Ground::unmounted(site, start.parent)?;
    let mut mounts = Mounts {
        site,
        start,
        ground: &ground,
        lines: Vec::new(),
        held: Vec::new(),
        mounted: Vec::new(),
    };
    for mount in &work.mounts {
        mounts.add(mount)?;
    }
    let (lines, held, mounted) = (mounts.lines, mounts.held, mounts.mounted);
    let record = record(site, work, &way, lines)?;
    let bundle = bundle(site, &way, &record, &ground)?;
    let points = mount_points(&bundle);
    let program = program(site, work, &record);
    let leaf = site
        .group
        .map(|group| group.leaf(&format!("step-{}", start.id)))
        .transpose()?;
    let status = (site.roles.step)(StepJob {
        bundle: &bundle,
        leaf: leaf.as_ref(),
        program: program.clone(),
        network: way.network(),
        terminal: None,
        heard: &mut |error, bytes| site.speaker.output(start.id, error, bytes),
    })
    .map_err(|error| foreign::explain(error, &work.platform))?;
    if status != 0 {
        if site.runs.debug_shell {
            open_shell(site, &mut way, &bundle, program)?;
        }
        let error = Error::of(
            Kind::Failed,
            format!("`{}` exited with status {status}", start.node.text),
        );
        return Err(match leaf.map_or(0, |leaf| leaf.killed()) {
            0 => error,
            _ => error.hint("it needed more memory than it had: give it more with --memory"),
        });
    }
    drop((mounted, held));
    ground.finish(site, start, &points)
}

/// Opens a shell where the step failed, with what it left.
fn open_shell(site: &Site<'_>, way: &mut Way, bundle: &Bundle, mut program: Program) -> Result<()> {
    let Ok(terminal) = File::options().read(true).write(true).open("/dev/tty") else {
        return Err(Error::new("there is no terminal to open a shell on")
            .hint("leave --debug-shell out, or run it from a terminal"));
    };
    program.words = vec!["/bin/sh".to_owned(), "-i".to_owned()];
    if !program.env.iter().any(|v| v.starts_with("TERM=")) {
        program.env.push("TERM=xterm".to_owned());
    }
    let fd = |file: &File| -> Result<OwnedFd> { Ok(file.try_clone()?.into()) };
    let text = "the step failed; this is a shell where it ran. `exit` ends the build";
    site.speaker.say(&Event::Warning(None, text.to_owned()));
    let streams = [fd(&terminal)?, fd(&terminal)?, fd(&terminal)?];
    (site.roles.step)(StepJob {
        bundle,
        leaf: None,
        program,
        network: way.network(),
        terminal: Some(streams),
        heard: &mut |_, _| {},
    })?;
    Ok(())
}

/// The lines of a step's mounts, and what has to be kept meanwhile.
struct Mounts<'a> {
    site: &'a Site<'a>,
    start: &'a Start<'a>,
    ground: &'a Ground,
    lines: Vec<Mount>,
    held: Vec<Held>,
    /// What was mounted for them.
    mounted: Vec<Mounted>,
}

/// What a mount needs as long as the program runs.
#[allow(dead_code, reason = "held for what happens when it is dropped")]
enum Held {
    Source(Source),
    Lock(File),
}

impl Mounts<'_> {
    fn add(&mut self, mount: &RunMount) -> Result<()> {
        match mount {
            RunMount::Bind {
                from,
                source,
                target,
                writable,
            } => {
                let what = || format!("cannot mount \"{source}\" on \"{target}\"");
                let place = self.bind(from, source, *writable).what(what)?;
                self.line(place, target, !writable)
            }
            RunMount::Cache {
                id,
                from,
                target,
                readonly,
                sharing,
                mode,
                uid,
                gid,
            } => {
                let what = || format!("cannot mount the cache \"{id}\"");
                let new = (*mode, *uid, *gid);
                let place = self.cache(id, from.as_ref(), *sharing, new).what(what)?;
                self.line(place, target, *readonly)
            }
            RunMount::Tmpfs { target, size } => {
                self.lines.push(Mount {
                    source: MountSource::Tmpfs {
                        size: *size,
                        mode: None,
                        options: Vec::new(),
                    },
                    ..plain(target)
                });
                Ok(())
            }
            RunMount::Script { content, target } => {
                let place = self.place("script");
                fs::write(&place, content)?;
                fs::set_permissions(&place, fs::Permissions::from_mode(0o755))?;
                self.line(place, target, true)
            }
            RunMount::Secret {
                content,
                target,
                mode,
                uid,
                gid,
            } => {
                let what = || format!("cannot mount the secret for \"{target}\"");
                let place = self.secret(&content.0, *mode, (*uid, *gid)).what(what)?;
                self.line(place, target, true)
            }
            RunMount::Host {
                source,
                target,
                readonly,
            } => self.line(source.clone(), target, *readonly),
        }
    }

    fn line(&mut self, source: PathBuf, target: &str, read_only: bool) -> Result<()> {
        let source = source
            .into_os_string()
            .into_string()
            .map_err(|path| Error::new(format!("\"{}\" is not UTF-8", path.display())))?;
        self.lines.push(Mount {
            source: MountSource::Bind(source),
            read_only,
            ..plain(target)
        });
        Ok(())
    }

    /// A name that nobody else has for a thing of this step's.
    fn place(&self, name: &str) -> PathBuf {
        self.ground.place(&format!("{name}{}", self.lines.len()))
    }

    fn bind(&mut self, from: &From, source: &str, writable: bool) -> Result<PathBuf> {
        let opened = Source::open(self.site, self.start, from)?;
        let (path, left_out) = opened.find(self.site, source)?;
        if left_out {
            // What .dockerignore leaves out must not be seen: a tree without it.
            return self.filtered(&opened, source);
        }
        let fd = inside::open(&opened.root, &path, OFlags::PATH)
            .what(|| format!("cannot find \"{source}\""))?;
        let place = fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()))?;
        let directory = FileType::from_raw_mode(fstat(&fd)?.st_mode) == FileType::Directory;
        let place = match (writable, directory) {
            (false, _) => place,
            (true, true) => self.writable(&place)?,
            (true, false) => {
                let copy = self.place("file");
                fs::copy(&place, &copy)?;
                copy
            }
        };
        self.held.push(Held::Source(opened));
        Ok(place)
    }

    /// What is written to it is thrown away.
    fn writable(&mut self, below: &Path) -> Result<PathBuf> {
        let place = self.place("writable");
        for name in ["", "upper", "work", "root"] {
            step::directory(&place.join(name), 0o755)?;
        }
        let tree = Tree {
            layers: vec![below.to_owned()],
            upper: place.join("upper"),
            work: place.join("work"),
            volatile: true,
        };
        rootfs::overlay::mount(&tree, &place.join("root"))?;
        self.mounted.push(Mounted(place.join("root")));
        Ok(place.join("root"))
    }

    fn filtered(&self, opened: &Source, source: &str) -> Result<PathBuf> {
        let place = self.place("context");
        step::directory(&place, 0o755)?;
        let paths = [source.to_owned()];
        let pieces = opened.read(self.site, &reading(&paths))?;
        let root = File::open(&place)?;
        let mut writer = Writer::new(Writing {
            root: root.as_fd(),
            layer: None,
            map: &self.site.identity.map,
            owner: None,
            chmod: None,
            times: Times::Kept,
            fresh: true,
        });
        let target = Target {
            path: "/it",
            directory: false,
        };
        for piece in pieces.iter().flatten() {
            writer.copy(opened.root.as_fd(), piece, &target)?;
        }
        writer.finish()?;
        Ok(place.join("it"))
    }

    fn cache(
        &mut self,
        id: &str,
        from: Option<&(From, String)>,
        sharing: Sharing,
        (mode, uid, gid): (u32, u32, u32),
    ) -> Result<PathBuf> {
        let store = self.site.store;
        let mut n = 0;
        let (data, lock) = loop {
            let (data, lock, _) = store.open_mount(id, n)?;
            let taken = match sharing {
                Sharing::Shared => lock.lock_shared().map(|()| true)?,
                Sharing::Locked => lock.lock().map(|()| true)?,
                Sharing::Private => lock.try_lock().is_ok(),
            };
            if !taken {
                n += 1;
                continue;
            }
            // `builder prune` may have taken it away before we had it.
            if data.is_dir() {
                break (data, lock);
            }
        };
        drop(lock.set_modified(std::time::SystemTime::now()));
        let mark = data.with_file_name("ready");
        if !mark.exists() {
            if let Some((from, source)) = from {
                self.fill(from, source, &data)?;
            }
            fs::set_permissions(&data, fs::Permissions::from_mode(mode))?;
            self.give(&data, (uid, gid))?;
            fs::write(&mark, "")?;
        }
        self.held.push(Held::Lock(lock));
        Ok(data)
    }

    /// Where there is one id, its owner is everybody.
    fn give(&self, path: &Path, (uid, gid): (u32, u32)) -> Result<()> {
        let map = &self.site.identity.map;
        if (uid, gid) != (0, 0) && map.has_user(uid) && map.has_group(gid) {
            chown(path, Some(uid), Some(gid))?;
        }
        Ok(())
    }

    fn fill(&self, from: &From, source: &str, data: &Path) -> Result<()> {
        let opened = Source::open(self.site, self.start, from)?;
        let paths = [source.to_owned()];
        let pieces = opened.read(self.site, &reading(&paths))?;
        let root = File::open(data)?;
        let mut writer = Writer::new(Writing {
            root: root.as_fd(),
            layer: None,
            map: &self.site.identity.map,
            owner: None,
            chmod: None,
            times: Times::Kept,
            fresh: matches!(from, From::Context(_)),
        });
        let target = Target {
            path: "/",
            directory: true,
        };
        for piece in pieces.iter().flatten() {
            writer.copy(opened.root.as_fd(), piece, &target)?;
        }
        writer.finish()
    }

    /// In memory: it never touches a disk.
    fn secret(&mut self, content: &[u8], mode: u32, owner: (u32, u32)) -> Result<PathBuf> {
        let place = self.place("secret");
        step::directory(&place, 0o700)?;
        mount_call(
            "tmpfs",
            &place,
            "tmpfs",
            MountFlags::NODEV | MountFlags::NOSUID | MountFlags::NOEXEC,
            Some(c"mode=0700"),
        )?;
        self.mounted.push(Mounted(place.clone()));
        let file = place.join("secret");
        fs::write(&file, content)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(mode))?;
        self.give(&file, owner)?;
        Ok(file)
    }
}

fn plain(target: &str) -> Mount {
    Mount {
        source: MountSource::Anonymous,
        target: target.to_owned(),
        read_only: false,
        no_copy: true,
        create_source: false,
        propagation: None,
    }
}

/// What is mounted, without the leading slash and what lies in a mount itself.
fn mount_points(bundle: &Bundle) -> Vec<String> {
    let mut points: Vec<String> = bundle
        .spec
        .mounts()
        .iter()
        .flatten()
        .map(|mount| mount.destination().display().to_string())
        .map(|target| {
            target
                .trim_start_matches('/')
                .trim_end_matches('/')
                .to_owned()
        })
        .filter(|target| !target.is_empty())
        .collect();
    points.sort_by_key(|point| std::cmp::Reverse(point.matches('/').count()));
    points
}

fn bundle(site: &Site<'_>, way: &Way, record: &Record, ground: &Ground) -> Result<Bundle> {
    let mut files = Vec::new();
    for (name, text) in etc_files(site, way, record)? {
        if name == "hosts" && site.runs.no_hosts {
            continue;
        }
        let path = ground.place(name);
        fs::write(&path, text)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o644)))
            .what(|| format!("cannot write \"{}\"", path.display()))?;
        files.push((path.display().to_string(), format!("/etc/{name}")));
    }
    let tree = ground.tree();
    if site.identity.map.is_single() && tree.layers.iter().any(|layer| apt::is_in(layer)) {
        let path = ground.place(apt::NAME);
        fs::write(&path, apt::TEXT)?;
        files.push((path.display().to_string(), apt::TARGET.to_owned()));
    }
    let root = ground.place("root");
    let spec = plan::spec(
        record,
        &Surroundings {
            map: &site.identity.map,
            rootfs: &root.display().to_string(),
            volume: &|name| site.store.volume_data(name),
            user: None,
            files: &files,
            network: None,
            cgroup: None,
        },
    )?;
    Ok(Bundle {
        spec,
        tree,
        root,
        fills: Vec::new(),
    })
}

fn etc_files(site: &Site<'_>, way: &Way, record: &Record) -> Result<[(&'static str, String); 3]> {
    let shared = matches!(way, Way::Machine);
    let machine_hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    let machine_resolv = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let hosts = Hosts {
        machine: shared.then_some(machine_hosts.as_str()),
        ips: &way.addresses(),
        linked: &[],
        hostname: &record.hostname,
        domainname: "",
        extra: &site.runs.hosts,
        gateway: way.gateway(),
    };
    let resolver = Resolver {
        machine: &machine_resolv,
        // Servers of its own are asked directly.
        gateway: way.server().filter(|_| site.runs.dns.is_empty()),
        names: false,
        shared,
        servers: &site.runs.dns,
        search: &site.runs.dns_search,
        options: &site.runs.dns_options,
    };
    Ok([
        ("hosts", hosts.text()?),
        ("hostname", format!("{}\n", record.hostname)),
        ("resolv.conf", resolver.text()?),
    ])
}

/// A step in the words of a container, for the runtime's plan.
fn record(site: &Site<'_>, work: &RunWork, way: &Way, mounts: Vec<Mount>) -> Result<Record> {
    let settings = site.runs;
    Ok(Record {
        version: 1,
        id: site.store.new_container_id(),
        name: "build".parse()?,
        created: Time::now(),
        image: String::new(),
        image_id: Digest::of(b""),
        layers: Vec::new(),
        id_map: site.identity.map.name(),
        entrypoint: work.words.clone(),
        command: Vec::new(),
        env: work.env.iter().chain(&work.quiet_env).cloned().collect(),
        workdir: work.workdir.clone(),
        user: work.user.clone(),
        groups: settings.groups.clone(),
        hostname: "buildkitsandbox".to_owned(),
        domainname: String::new(),
        tty: false,
        interactive: false,
        remove: true,
        init: false,
        read_only: false,
        mounts,
        anonymous_volumes: Vec::new(),
        publish: Vec::new(),
        expose: Vec::new(),
        network: way.mode(),
        networks: Vec::new(),
        links: Vec::new(),
        network_capture: None,
        dns: Vec::new(),
        dns_search: Vec::new(),
        dns_options: Vec::new(),
        hosts: Vec::new(),
        labels: BTreeMap::new(),
        restart: Restart::No,
        stop_signal: "SIGTERM".to_owned(),
        stop_timeout: 10,
        capabilities: if work.insecure {
            capabilities::all()
        } else {
            capabilities::choose(&settings.cap_add, &settings.cap_drop)?
        },
        cap_add: Vec::new(),
        cap_drop: Vec::new(),
        privileged: work.insecure,
        no_new_privileges: settings.no_new_privileges,
        seccomp_unconfined: work.insecure || settings.seccomp_unconfined,
        ulimits: settings.ulimits.clone(),
        sysctls: BTreeMap::new(),
        shm_size: settings.shm_size.unwrap_or(64 << 20),
        namespaces: Namespaces::default(),
    })
}

fn program(site: &Site<'_>, work: &RunWork, record: &Record) -> Program {
    Program {
        words: work.words.clone(),
        env: record.env.clone(),
        workdir: work.workdir.clone(),
        make_workdir: true,
        user: work.user.clone(),
        groups: record.groups.clone(),
        capabilities: record.capabilities.clone(),
        ulimits: record.ulimits.clone(),
        no_new_privileges: record.no_new_privileges,
        seccomp: !record.seccomp_unconfined,
        map: site.identity.map.clone(),
        tty: false,
        person: site.person.to_owned(),
    }
}
