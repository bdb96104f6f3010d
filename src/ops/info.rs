//! `info`: this rpod and this machine.
//!
//! Lives here: facts that docker's `info` has, under docker's keys, and rpod's
//! own under `Rpod`.
//! Must not: fail because a fact is not known.
//! Called by: `cli::info`.
//! Always true: what could not be read is empty or zero.

use std::fs;

use serde_json::{Value, json};

use crate::dataplane::uplink;
use crate::error::Result;
use crate::host::Host;
use crate::ops::{Session, ps};
use crate::spec::container::Status;

/// Returns what `info` shows, with docker's keys where docker has them.
pub fn info(session: &Session) -> Result<Value> {
    let containers = ps::all(session)?;
    let running = containers
        .iter()
        .filter(|one| one.state.status == Status::Running)
        .count();
    let paused = containers.iter().filter(|one| one.state.paused).count();
    let mut images: Vec<_> = session
        .store
        .image_entries()?
        .into_iter()
        .map(|entry| entry.digest)
        .collect();
    images.sort();
    images.dedup();
    let host = &session.host;
    let identity = identity(host);
    let read = |path: &str| {
        fs::read_to_string(path)
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let warnings = [&identity.warnings[..], &way_out_warnings(host)].concat();
    Ok(json!({
        "ID": "",
        "Containers": containers.len(),
        "ContainersRunning": running - paused,
        "ContainersPaused": paused,
        "ContainersStopped": containers.len() - running,
        "Images": images.len(),
        "Volumes": session.store.volumes().map_or(0, |v| v.len()),
        "ServerVersion": env!("CARGO_PKG_VERSION"),
        "Driver": "overlay",
        "DriverStatus": [["Backing Filesystem", file_system(session)]],
        "LoggingDriver": "json-file",
        "CgroupDriver": "none",
        "CgroupVersion": cgroup_version(),
        "Plugins": { "Volume": ["local"], "Network": ["bridge", "host", "none"], "Log": ["json-file"] },
        "DefaultRuntime": "rpod",
        "Runtimes": { "rpod": {} },
        "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"],
        "KernelVersion": read("/proc/sys/kernel/osrelease"),
        "OperatingSystem": operating_system(),
        "OSType": "linux",
        "Architecture": std::env::consts::ARCH,
        "NCPU": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "MemTotal": memory(),
        "Name": read("/proc/sys/kernel/hostname"),
        "DockerRootDir": host.data,
        "RegistryConfig": { "Mirrors": [] },
        "Labels": [],
        "Warnings": warnings,
        "Rpod": {
            "User": host.user_name(),
            "Uid": host.uid,
            "IdMap": identity.text,
            "SubordinateIds": identity.count,
            "RuntimeDirectory": host.runtime,
            "ConfigDirectory": host.config,
        },
    }))
}

/// What containers cannot do outside, and what mends it.
fn way_out_warnings(host: &Host) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(lack) = uplink::lack() {
        let hints = lack.hints().iter().map(|hint| format!("; {hint}"));
        warnings.push(format!("{lack}{}", hints.collect::<String>()));
    }
    let range = fs::read_to_string("/proc/sys/net/ipv4/ping_group_range").unwrap_or_default();
    let mut ends = range.split_whitespace().map(str::parse::<u32>);
    if let (Some(Ok(first)), Some(Ok(last))) = (ends.next(), ends.next())
        && !(first..=last).contains(&host.gid)
    {
        warnings.push(format!(
            "containers cannot ping outside: group {} is not in net.ipv4.ping_group_range ({first} {last}); \
             ask an administrator to run `sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"`",
            host.gid
        ));
    }
    warnings
}

/// Which ids containers can have.
struct Identity {
    text: String,
    count: u64,
    warnings: Vec<String>,
}

fn identity(host: &Host) -> Identity {
    let single = |count, why: String| Identity {
        text: format!("single: {} is 0 inside, and no other id exists", host.uid),
        count,
        warnings: vec![why],
    };
    let map = match host.full_map() {
        Ok(Some(map)) => map,
        Ok(None) => {
            return single(
                0,
                format!(
                    "/etc/subuid and /etc/subgid give no ids to {}; containers have one user",
                    host.user_name()
                ),
            );
        }
        Err(error) => return single(0, error.to_string()),
    };
    let count = map.users.iter().map(|r| u64::from(r.length)).sum::<u64>() - 1;
    let missing: Vec<&str> = ["newuidmap", "newgidmap"]
        .into_iter()
        .filter(|name| host.uid != 0 && !is_on_path(name))
        .collect();
    if !missing.is_empty() {
        return single(
            count,
            format!(
                "{} is not installed, so {}'s {count} subordinate ids cannot be used",
                missing.join(" and "),
                host.user_name()
            ),
        );
    }
    Identity {
        text: format!("{} is 0 inside, {count} subordinate ids follow", host.uid),
        count,
        warnings: Vec::new(),
    }
}

fn is_on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

/// os-release(5).
fn operating_system() -> String {
    let text = fs::read_to_string("/etc/os-release")
        .or_else(|_| fs::read_to_string("/usr/lib/os-release"))
        .unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map(|name| name.trim_matches('"').to_owned())
        .unwrap_or_default()
}

/// Bytes, from `MemTotal` of proc_meminfo(5), which counts in KiB.
fn memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
        .map_or(0, |kib| kib * 1024)
}

fn cgroup_version() -> &'static str {
    // Magic numbers of cgroup2, and of the tmpfs that holds version 1's hierarchies (statfs(2)).
    match rustix::fs::statfs("/sys/fs/cgroup").map(|info| i128::from(info.f_type)) {
        Ok(0x6367_7270) => "2",
        Ok(0x0102_1994 | 0x0027_e0eb) => "1",
        _ => "",
    }
}

/// The file system the store is on, by its magic number (statfs(2)).
fn file_system(session: &Session) -> String {
    let Ok(info) = rustix::fs::statfs(session.store.root()) else {
        return "unknown".to_owned();
    };
    match i128::from(info.f_type) {
        0xef53 => "extfs".to_owned(),
        0x5846_5342 => "xfs".to_owned(),
        0x9123_683e => "btrfs".to_owned(),
        0x0102_1994 => "tmpfs".to_owned(),
        0x794c_7630 => "overlayfs".to_owned(),
        0x6969 => "nfs".to_owned(),
        0x2fc1_2fc1 => "zfs".to_owned(),
        0x6573_5546 => "fuse".to_owned(),
        other => format!("{other:#x}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::ops::ps::tests::{put, record, session};
    use crate::spec::container::Status;

    #[test]
    fn containers_are_counted_and_facts_are_there() {
        let (_dir, session) = session();
        put(
            &session,
            &record(&session, "web", json!({})),
            Status::Running,
        );
        put(
            &session,
            &record(&session, "old", json!({})),
            Status::Exited,
        );
        let info = super::info(&session).expect("known");
        assert_eq!(
            (&info["Containers"], &info["ContainersRunning"]),
            (&json!(2), &json!(1))
        );
        assert!(info["NCPU"].as_u64() > Some(0) && info["MemTotal"].as_u64() > Some(0));
        assert_eq!(info["Rpod"]["User"], "alice");
    }
}
