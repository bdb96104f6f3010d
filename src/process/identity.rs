//! Which ids a container of this user can have, and who may write them down.
//!
//! Lives here: the choice between subordinate ids and the single one.
//! Must not: make a namespace (`process::userns`).
//! Called by: `ops`.
//! Always true: the same machine and user give the same map, and so the same
//! directory of unpacked layers.

use std::fs;
use std::path::PathBuf;

use crate::error::{Context, Result};
use crate::host::Host;
use crate::spec::idmap::{IdMap, Range};

/// The ids inside, and how they get there.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The ids.
    pub map: IdMap,
    /// Who writes them.
    pub writer: Writer,
    /// Why there is only one id, for a line that tells the user, and what mends it.
    pub lacks: Option<Lack>,
}

/// Who writes `uid_map` and `gid_map`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Writer {
    /// rpod itself: it is root, or there is only the user's own id.
    Own,
    /// newuidmap(1) and newgidmap(1), at these paths.
    Helpers(PathBuf, PathBuf),
}

/// Why there is only one id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// What is missing.
    pub cause: String,
    /// What mends it.
    pub hint: String,
}

/// Where root's containers have their ids: a range no user is given by
/// login.defs(5), below those of systemd-nspawn(1)'s end.
const ROOT_BASE: u32 = 1_878_982_656;
const ROOT_LENGTH: u32 = 65_535;

impl Identity {
    /// Decides for a user.
    ///
    /// # Errors
    /// When `/etc/subuid` or `/etc/subgid` is there and cannot be read.
    pub fn of(host: &Host) -> Result<Self> {
        if host.uid == 0 {
            return Ok(Self::root(host));
        }
        let single = |cause: String, hint: String| Self {
            map: IdMap::single(host.uid, host.gid),
            writer: Writer::Own,
            lacks: Some(Lack { cause, hint }),
        };
        let name = host.user_name();
        let Some(map) = host.full_map()? else {
            return Ok(single(
                format!("/etc/subuid and /etc/subgid have no line for {name}"),
                format!(
                    "ask an administrator to run `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}`"
                ),
            ));
        };
        match (find_program("newuidmap"), find_program("newgidmap")) {
            (Some(users), Some(groups)) => Ok(Self {
                map,
                writer: Writer::Helpers(users, groups),
                lacks: None,
            }),
            _ => Ok(single(
                "newuidmap and newgidmap are not installed".to_owned(),
                "ask an administrator to run `apt-get install uidmap` (or `dnf install shadow-utils`)".to_owned(),
            )),
        }
    }

    /// Root may write any map over ids its own namespace has; where it may not
    /// (a container without CAP_SETUID), it is a user with one id.
    fn root(host: &Host) -> Self {
        let own = |base: u32, length: u32| {
            let mut ranges = vec![Range {
                inside: 0,
                outside: 0,
                length: 1,
            }];
            if length > 0 {
                ranges.push(Range {
                    inside: 1,
                    outside: base,
                    length,
                });
            }
            ranges
        };
        let single = |cause: &str| Self {
            map: IdMap::single(host.uid, host.gid),
            writer: Writer::Own,
            lacks: Some(Lack {
                cause: cause.to_owned(),
                hint: "give this container the capabilities SETUID and SETGID".to_owned(),
            }),
        };
        let capabilities = rustix::thread::capabilities(None)
            .map(|sets| sets.effective)
            .unwrap_or(rustix::thread::CapabilitySet::empty());
        let needed = rustix::thread::CapabilitySet::SETUID | rustix::thread::CapabilitySet::SETGID;
        if !capabilities.contains(needed) {
            return single("this root has no right to map ids");
        }
        let mut ranges = Vec::new();
        for file in ["uid_map", "gid_map"] {
            match available(&fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default()) {
                Some((base, length)) => ranges.push(own(base, length)),
                None => return single("this root's user namespace has only one id"),
            }
        }
        let groups = ranges.pop().unwrap_or_default();
        let users = ranges.pop().unwrap_or_default();
        Self {
            map: IdMap { users, groups },
            writer: Writer::Own,
            lacks: None,
        }
    }
}

/// Returns the ids of the user namespace that this process is in.
pub fn own_map() -> Result<IdMap> {
    let ranges = |file: &str| -> Result<Vec<Range>> {
        let path = format!("/proc/self/{file}");
        let text = fs::read_to_string(&path).what(|| format!("cannot read \"{path}\""))?;
        Ok(text.lines().filter_map(range).collect())
    };
    Ok(IdMap {
        users: ranges("uid_map")?,
        groups: ranges("gid_map")?,
    })
}

/// A line of `uid_map`: user_namespaces(7).
fn range(line: &str) -> Option<Range> {
    let mut fields = line.split_whitespace().map(str::parse);
    let mut next = || fields.next()?.ok();
    Some(Range {
        inside: next()?,
        outside: next()?,
        length: next()?,
    })
}

/// Which ids beside 0 a namespace with this `uid_map` can hand on, as first and count.
fn available(text: &str) -> Option<(u32, u32)> {
    let ranges: Vec<(u64, u64)> = text
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let first = fields.next()?.parse().ok()?;
            Some((first, fields.nth(1)?.parse().ok()?))
        })
        .collect();
    let holds = |first: u64, count: u64| {
        ranges
            .iter()
            .any(|(start, length)| *start <= first && first + count <= start + length)
    };
    if holds(ROOT_BASE.into(), ROOT_LENGTH.into()) {
        return Some((ROOT_BASE, ROOT_LENGTH));
    }
    // Inside another container: the ids that follow our own, as many as there are.
    let (start, length) = ranges
        .iter()
        .find(|(start, length)| *start <= 1 && start + length > 2)?;
    let count = (start + length - 1).min(u64::from(ROOT_LENGTH));
    Some((1, u32::try_from(count).ok()?))
}

/// Looks a program up as a shell would, and where administrators' programs are.
fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| {
            rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok() && file.is_absolute()
        })
}

#[cfg(test)]
mod tests {
    use super::available;

    #[test]
    fn root_hands_on_what_its_namespace_has() {
        assert_eq!(available("0 0 4294967295\n"), Some((1_878_982_656, 65_535)));
        assert_eq!(available("0 1000 1\n1 100000 65536\n"), Some((1, 65_535)));
        assert_eq!(available("0 1000 1\n"), None);
    }
}
