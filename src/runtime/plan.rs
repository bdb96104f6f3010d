//! The OCI runtime spec (`config.json`) of a container, from its record.
//!
//! Lives here: docker's mounts, masked paths and namespaces, as data.
//! Must not: look at the machine, the disk or the clock: what it cannot know
//! stands in [`Surroundings`].
//! Called by: `ops::launch` (for another runtime, and for people who read it),
//! `runtime::mounts` (the lists).
//! Always true: the same record and surroundings give the same spec; mounts
//! stand in the order in which they are made, parents before what is inside.

use std::collections::HashMap;
use std::path::PathBuf;

use oci_spec::OciSpecError;
use oci_spec::runtime::{
    Capabilities, Capability, Linux, LinuxBuilder, LinuxCapabilitiesBuilder, LinuxIdMapping,
    LinuxIdMappingBuilder, LinuxNamespace, LinuxNamespaceBuilder, LinuxNamespaceType, Mount,
    MountBuilder, PosixRlimit, PosixRlimitBuilder, PosixRlimitType, Process, ProcessBuilder,
    RootBuilder, Spec, SpecBuilder, UserBuilder,
};

use crate::error::{Error, Result};
use crate::runtime::capabilities;
use crate::runtime::user::User;
use crate::spec::container::{NetworkMode, Record};
use crate::spec::idmap::{IdMap, Range};
use crate::spec::mount::{self, Source};

/// What of `/proc` and `/sys` nobody inside may see.
pub const MASKED_PATHS: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// What of `/proc` nobody inside may change.
pub const READONLY_PATHS: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// What every container has mounted on its root: where the image has nothing, a start
/// makes something empty there, which is no change that anybody made.
pub const MOUNT_POINTS: [&str; 7] = [
    "dev",
    "etc/apt/apt.conf.d/00rpod",
    "etc/hostname",
    "etc/hosts",
    "etc/resolv.conf",
    "proc",
    "sys",
];

/// What a record does not say.
pub struct Surroundings<'a> {
    /// The ids inside.
    pub map: &'a IdMap,
    /// The root file system's directory.
    pub rootfs: &'a str,
    /// Where a volume's files are, by its name.
    pub volume: &'a dyn Fn(&str) -> PathBuf,
    /// Who the program runs as; until the image's files can be read, nobody knows.
    pub user: Option<&'a User>,
    /// Files of ours and where they stand inside: `/etc/hosts` and its kin.
    pub files: &'a [(String, String)],
    /// A network namespace that is there already.
    pub network: Option<&'a str>,
    /// The container's control group.
    pub cgroup: Option<&'a str>,
}

/// Returns the spec of a container.
pub fn spec(record: &Record, around: &Surroundings<'_>) -> Result<Spec> {
    build(record, around).map_err(|error| {
        Error::internal(format!("{error}")).what(format!(
            "cannot write the plan of container \"{}\"",
            record.name
        ))
    })
}

/// Returns the lines of the directories, volumes and files of ours that a container
/// has mounted, parents first.
pub fn binds(
    record: &Record,
    volume: &dyn Fn(&str) -> PathBuf,
    files: &[(String, String)],
) -> Result<Vec<Mount>> {
    let asked = record
        .mounts
        .iter()
        .filter(|mount| matches!(mount.source, Source::Bind(_) | Source::Volume(_)))
        .map(|mount| asked(mount, volume));
    let mut lines = ours(record, files)
        .chain(asked)
        .collect::<Built<Vec<Mount>>>()
        .map_err(|error| Error::internal(format!("{error}")))?;
    lines.sort_by_key(|mount| mount.destination().components().count());
    Ok(lines)
}

type Built<T> = std::result::Result<T, OciSpecError>;

fn build(record: &Record, around: &Surroundings<'_>) -> Built<Spec> {
    let mut spec = SpecBuilder::default()
        .version("1.2.0")
        .root(
            RootBuilder::default()
                .path(around.rootfs)
                .readonly(record.read_only)
                .build()?,
        )
        .process(process(record, around)?)
        .mounts(mounts(record, around)?)
        .linux(linux(record, around)?)
        .annotations(HashMap::from([(
            "io.container.manager".to_owned(),
            "rpod".to_owned(),
        )]));
    if !record.namespaces.host_uts {
        spec = spec.hostname(record.hostname.as_str());
        if !record.domainname.is_empty() {
            spec = spec.domainname(record.domainname.as_str());
        }
    }
    let mut spec = spec.build()?;
    if record.namespaces.host_uts {
        // The builder's own default is a name.
        spec.set_hostname(None);
    }
    Ok(spec)
}

fn process(record: &Record, around: &Surroundings<'_>) -> Built<Process> {
    let arguments: Vec<String> = record
        .entrypoint
        .iter()
        .chain(&record.command)
        .cloned()
        .collect();
    let user = UserBuilder::default()
        .uid(around.user.map_or(0, |user| user.uid))
        .gid(around.user.map_or(0, |user| user.gid))
        .additional_gids(around.user.map(|u| u.groups.clone()).unwrap_or_default());
    let user = match around.user {
        None if !record.user.is_empty() => user.username(record.user.as_str()),
        _ => user,
    };
    let workdir = match record.workdir.as_str() {
        "" => "/",
        path => path,
    };
    let allowed = capability_set(record);
    let own = match around.user {
        Some(user) if user.uid != 0 => Capabilities::new(),
        _ => allowed.clone(),
    };
    ProcessBuilder::default()
        .terminal(record.tty)
        .user(user.build()?)
        .args(arguments)
        .env(environment(record, around.user))
        .cwd(workdir)
        .capabilities(
            LinuxCapabilitiesBuilder::default()
                .bounding(allowed)
                .effective(own.clone())
                .permitted(own)
                .inheritable(Capabilities::new())
                .ambient(Capabilities::new())
                .build()?,
        )
        .rlimits(limits(record)?)
        .no_new_privileges(record.no_new_privileges)
        .build()
}

/// Docker sets HOME when nobody did.
fn environment(record: &Record, user: Option<&User>) -> Vec<String> {
    let mut env = record.env.clone();
    if let Some(user) = user
        && !env.iter().any(|word| word.starts_with("HOME="))
    {
        env.push(format!("HOME={}", user.home));
    }
    env
}

fn capability_set(record: &Record) -> Capabilities {
    record
        .capabilities
        .iter()
        .filter_map(|number| {
            let name = capabilities::NAMES.get(usize::from(*number))?;
            name.parse::<Capability>().ok()
        })
        .collect()
}

fn limits(record: &Record) -> Built<Vec<PosixRlimit>> {
    let mut out = Vec::with_capacity(record.ulimits.len());
    for limit in &record.ulimits {
        let name = format!("RLIMIT_{}", limit.name.to_ascii_uppercase());
        let kind: PosixRlimitType = name
            .parse()
            .map_err(|_| OciSpecError::Other(format!("there is no limit {name}")))?;
        out.push(
            PosixRlimitBuilder::default()
                .typ(kind)
                .soft(limit.soft)
                .hard(limit.hard)
                .build()?,
        );
    }
    Ok(out)
}

fn mounts(record: &Record, around: &Surroundings<'_>) -> Built<Vec<Mount>> {
    let shared = &record.namespaces;
    let own_network = record.network != NetworkMode::Host;
    let write = if record.privileged { "rw" } else { "ro" };
    let mut out = Vec::with_capacity(8 + around.files.len() + record.mounts.len());
    // A user namespace may mount only what belongs to namespaces of its own;
    // of the machine's it may bind what is mounted already.
    out.push(if shared.host_pid {
        bind("/proc", "/proc", &["rbind", "nosuid", "noexec", "nodev"])?
    } else {
        fresh("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"])?
    });
    out.push(fresh(
        "/dev",
        "tmpfs",
        "tmpfs",
        &["nosuid", "strictatime", "mode=755", "size=65536k"],
    )?);
    let mut terminals = vec![
        "nosuid",
        "noexec",
        "newinstance",
        "ptmxmode=0666",
        "mode=0620",
    ];
    if around.map.has_group(TTY_GROUP) {
        terminals.push("gid=5");
    }
    out.push(fresh("/dev/pts", "devpts", "devpts", &terminals)?);
    let guarded = ["nosuid", "noexec", "nodev"];
    out.push(if own_network {
        fresh(
            "/sys",
            "sysfs",
            "sysfs",
            &["nosuid", "noexec", "nodev", write],
        )?
    } else {
        bind(
            "/sys",
            "/sys",
            &["rbind", "nosuid", "noexec", "nodev", write],
        )?
    });
    let cgroup = [write, "nosuid", "noexec", "nodev"];
    out.push(fresh("/sys/fs/cgroup", "cgroup", "cgroup", &cgroup)?);
    if shared.host_ipc {
        out.push(bind("/dev/mqueue", "/dev/mqueue", &["rbind"])?);
        out.push(bind("/dev/shm", "/dev/shm", &["rbind"])?);
    } else {
        out.push(fresh("/dev/mqueue", "mqueue", "mqueue", &guarded)?);
        let size = format!("size={}", record.shm_size);
        let shm = ["nosuid", "noexec", "nodev", "mode=1777", &size];
        out.push(fresh("/dev/shm", "tmpfs", "shm", &shm)?);
    }
    let mut theirs = ours(record, around.files).collect::<Built<Vec<Mount>>>()?;
    for mount in &record.mounts {
        theirs.push(asked(mount, around.volume)?);
    }
    theirs.sort_by_key(|mount| mount.destination().components().count());
    out.append(&mut theirs);
    Ok(out)
}

/// Files of ours; a mount of the user's own at the same place wins.
fn ours<'a>(
    record: &'a Record,
    files: &'a [(String, String)],
) -> impl Iterator<Item = Built<Mount>> + 'a {
    files
        .iter()
        .filter(|(_, target)| !record.mounts.iter().any(|mount| &mount.target == target))
        .map(|(source, target)| bind(target, source, &["rbind", "rprivate"]))
}

/// The group of terminals in every distribution, as devpts wants it.
const TTY_GROUP: u32 = 5;

fn asked(mount: &mount::Mount, volume: &dyn Fn(&str) -> PathBuf) -> Built<Mount> {
    let write = if mount.read_only { "ro" } else { "rw" };
    let propagation = mount.propagation.as_deref().unwrap_or("rprivate");
    match &mount.source {
        Source::Bind(path) => bind(&mount.target, path, &["rbind", write, propagation]),
        Source::Volume(name) => bind(&mount.target, volume(name), &["rbind", write, propagation]),
        Source::Anonymous => Err(OciSpecError::Other(format!(
            "the volume at \"{}\" has no name yet",
            mount.target
        ))),
        Source::Device(path) => bind(&mount.target, path, &["rbind", "rprivate"]),
        Source::Tmpfs {
            size,
            mode,
            options: more,
        } => {
            let size = size.map(|bytes| format!("size={bytes}"));
            let mode = format!("mode={:o}", mode.unwrap_or(0o1777));
            let mut options = vec!["nosuid", "nodev", "noexec", write, mode.as_str()];
            options.retain(|word| !more.iter().any(|one| word.strip_prefix("no") == Some(one)));
            options.extend(size.as_deref());
            options.extend(more.iter().map(String::as_str));
            fresh(&mount.target, "tmpfs", "tmpfs", &options)
        }
    }
}

fn fresh(target: &str, kind: &str, source: &str, options: &[&str]) -> Built<Mount> {
    MountBuilder::default()
        .destination(target)
        .typ(kind)
        .source(source)
        .options(texts(options))
        .build()
}

fn bind(target: &str, source: impl Into<PathBuf>, options: &[&str]) -> Built<Mount> {
    MountBuilder::default()
        .destination(target)
        .typ("bind")
        .source(source)
        .options(texts(options))
        .build()
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn linux(record: &Record, around: &Surroundings<'_>) -> Built<Linux> {
    let (masked, readonly) = if record.privileged {
        (Vec::new(), Vec::new())
    } else {
        (texts(&MASKED_PATHS), texts(&READONLY_PATHS))
    };
    let mut linux = LinuxBuilder::default()
        .uid_mappings(mappings(&around.map.users)?)
        .gid_mappings(mappings(&around.map.groups)?)
        .sysctl(
            record
                .sysctls
                .clone()
                .into_iter()
                .collect::<HashMap<_, _>>(),
        )
        .namespaces(namespaces(record, around)?)
        .rootfs_propagation("rprivate")
        .masked_paths(masked)
        .readonly_paths(readonly);
    if let Some(path) = around.cgroup {
        linux = linux.cgroups_path(path);
    }
    let mut linux = linux.build()?;
    // The builder's own default restricts devices by a control group that an
    // unprivileged user has no say in.
    linux.set_resources(None);
    Ok(linux)
}

fn namespaces(record: &Record, around: &Surroundings<'_>) -> Built<Vec<LinuxNamespace>> {
    use LinuxNamespaceType::{Cgroup, Ipc, Mount, Network, Pid, User, Uts};
    let shared = &record.namespaces;
    [
        (User, true),
        (Mount, true),
        (Pid, !shared.host_pid),
        (Ipc, !shared.host_ipc),
        (Uts, !shared.host_uts),
        (Cgroup, true),
        (Network, record.network != NetworkMode::Host),
    ]
    .into_iter()
    .filter(|(_, own)| *own)
    .map(|(kind, _)| {
        let namespace = LinuxNamespaceBuilder::default().typ(kind);
        match around.network {
            Some(path) if kind == Network => namespace.path(path).build(),
            _ => namespace.build(),
        }
    })
    .collect()
}

fn mappings(ranges: &[Range]) -> Built<Vec<LinuxIdMapping>> {
    ranges
        .iter()
        .map(|range| {
            LinuxIdMappingBuilder::default()
                .container_id(range.inside)
                .host_id(range.outside)
                .size(range.length)
                .build()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::{Value, json};

    use super::{Surroundings, spec};
    use crate::runtime::user::User;
    use crate::spec::container::Record;
    use crate::spec::idmap::IdMap;

    fn record(changes: Value) -> Record {
        let mut whole = json!({
            "version": 1, "id": "ab".repeat(32), "name": "web", "created": "2026-01-02T03:04:05Z",
            "image": "busybox", "image_id": format!("sha256:{}", "0".repeat(64)), "layers": [],
            "id_map": "single", "entrypoint": ["/bin/sh"], "command": ["-c", "true"],
            "env": ["PATH=/bin"], "workdir": "", "user": "", "hostname": "abababababab",
            "tty": true, "interactive": false, "remove": false, "init": false, "read_only": true,
            "mounts": [], "publish": [], "expose": [], "network": "none", "labels": {},
            "restart": "no", "stop_signal": "SIGTERM", "stop_timeout": 10,
            "capabilities": [0, 21], "privileged": false, "no_new_privileges": true,
            "seccomp_unconfined": false, "ulimits": [{"name": "nofile", "soft": 5, "hard": 6}],
            "sysctls": {"net.ipv4.ip_forward": "1"}, "shm_size": 67108864
        });
        for (key, value) in changes.as_object().expect("an object") {
            whole[key] = value.clone();
        }
        serde_json::from_value(whole).expect("a record")
    }

    fn plan(changes: Value, user: Option<&User>) -> Value {
        let files = [("/run/hosts".to_owned(), "/etc/hosts".to_owned())];
        let around = Surroundings {
            map: &IdMap::single(1000, 100),
            rootfs: "/merged",
            volume: &|name| PathBuf::from(format!("/volumes/{name}/_data")),
            user,
            files: &files,
            network: None,
            cgroup: None,
        };
        let spec = spec(&record(changes), &around).expect("a plan");
        serde_json::to_value(spec).expect("JSON")
    }

    fn mount<'a>(plan: &'a Value, target: &str) -> &'a Value {
        let mounts = plan["mounts"].as_array().expect("mounts");
        let found = mounts.iter().find(|m| m["destination"] == target);
        found.unwrap_or_else(|| panic!("no mount at {target}"))
    }

    #[test]
    fn a_record_becomes_a_whole_configuration() {
        let mut plan = plan(json!({}), None);
        for set in ["bounding", "effective", "permitted"] {
            let set = plan["process"]["capabilities"][set].as_array_mut();
            set.expect("a set").sort_by_key(Value::to_string);
        }
        assert_eq!(
            plan["process"],
            json!({
                "terminal": true,
                "user": {"uid": 0, "gid": 0, "additionalGids": []},
                "args": ["/bin/sh", "-c", "true"],
                "env": ["PATH=/bin"],
                "cwd": "/",
                "capabilities": {
                    "bounding": ["CAP_CHOWN", "CAP_SYS_ADMIN"],
                    "effective": ["CAP_CHOWN", "CAP_SYS_ADMIN"],
                    "permitted": ["CAP_CHOWN", "CAP_SYS_ADMIN"],
                    "inheritable": [], "ambient": [],
                },
                "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 5, "hard": 6}],
                "noNewPrivileges": true,
            })
        );
        assert_eq!(plan["root"], json!({"path": "/merged", "readonly": true}));
        assert_eq!(plan["hostname"], "abababababab");
        let linux = &plan["linux"];
        assert_eq!(
            linux["uidMappings"],
            json!([{"containerID": 0, "hostID": 1000, "size": 1}])
        );
        assert_eq!(
            linux["gidMappings"],
            json!([{"containerID": 0, "hostID": 100, "size": 1}])
        );
        assert_eq!(linux["sysctl"], json!({"net.ipv4.ip_forward": "1"}));
        assert_eq!(linux["resources"], Value::Null);
        let kinds: Vec<&Value> = linux["namespaces"]
            .as_array()
            .expect("namespaces")
            .iter()
            .map(|n| &n["type"])
            .collect();
        assert_eq!(
            kinds,
            ["user", "mount", "pid", "ipc", "uts", "cgroup", "network"]
        );
        assert_eq!(linux["maskedPaths"].as_array().map(Vec::len), Some(12));
        assert_eq!(linux["readonlyPaths"].as_array().map(Vec::len), Some(5));
    }

    #[test]
    fn mounts_stand_in_dockers_order_and_the_users_after_them() {
        let plan = plan(
            json!({"mounts": [
                {"source": {"volume": "db"}, "target": "/var/lib/db", "read_only": false},
                {"source": {"bind": "/srv"}, "target": "/var", "read_only": true, "propagation": "rslave"},
                {"source": {"tmpfs": {"size": 4096, "mode": 448}}, "target": "/run", "read_only": false},
            ]}),
            None,
        );
        let targets: Vec<&str> = plan["mounts"]
            .as_array()
            .expect("mounts")
            .iter()
            .filter_map(|m| m["destination"].as_str())
            .collect();
        assert_eq!(
            targets,
            [
                "/proc",
                "/dev",
                "/dev/pts",
                "/sys",
                "/sys/fs/cgroup",
                "/dev/mqueue",
                "/dev/shm",
                "/var",
                "/run",
                "/etc/hosts",
                "/var/lib/db",
            ]
        );
        assert_eq!(
            mount(&plan, "/var")["options"],
            json!(["rbind", "ro", "rslave"])
        );
        assert_eq!(mount(&plan, "/var/lib/db")["source"], "/volumes/db/_data");
        assert_eq!(
            mount(&plan, "/run")["options"],
            json!(["nosuid", "nodev", "noexec", "rw", "mode=700", "size=4096"])
        );
        assert_eq!(
            mount(&plan, "/dev/shm")["options"],
            json!(["nosuid", "noexec", "nodev", "mode=1777", "size=67108864"])
        );
        // A single id has no group of terminals.
        let terminals = mount(&plan, "/dev/pts")["options"].to_string();
        assert!(!terminals.contains("gid="), "{terminals}");
    }

    #[test]
    fn the_machines_namespaces_are_not_made_anew() {
        let plan = plan(
            json!({
                "namespaces": {"host_pid": true, "host_ipc": true, "host_uts": true},
                "network": "host",
            }),
            None,
        );
        let text = plan["linux"]["namespaces"].to_string();
        for kind in ["pid", "ipc", "uts", "network"] {
            assert!(!text.contains(kind), "{text}");
        }
        assert_eq!(plan["hostname"], Value::Null);
        for target in ["/proc", "/sys", "/dev/mqueue", "/dev/shm"] {
            assert_eq!(mount(&plan, target)["type"], "bind", "{target}");
        }
    }

    #[test]
    fn another_user_has_no_capabilities_at_once_and_a_home() {
        let user = User {
            uid: 7,
            gid: 8,
            groups: vec![8, 9],
            home: "/srv".to_owned(),
            name: None,
            shell: None,
        };
        let plan = plan(json!({"user": "app", "privileged": true}), Some(&user));
        let process = &plan["process"];
        assert_eq!(
            process["user"],
            json!({"uid": 7, "gid": 8, "additionalGids": [8, 9]})
        );
        assert_eq!(process["env"], json!(["PATH=/bin", "HOME=/srv"]));
        assert_eq!(process["capabilities"]["effective"], json!([]));
        assert_eq!(
            process["capabilities"]["bounding"].as_array().map(Vec::len),
            Some(2)
        );
        assert_eq!(plan["linux"]["maskedPaths"], json!([]));
        assert!(
            mount(&plan, "/sys")["options"]
                .to_string()
                .contains("\"rw\"")
        );
    }
}
