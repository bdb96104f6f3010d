//! Facts about this machine and its user, read once. Never services.
//!
//! Lives here: who runs rpod, where its files go, which ids it may use.
//! Must not: change anything on the machine.
//! Called by: `cli` makes one and hands it down.
//! Always true: what is not known is `None`, not guessed; reading facts never
//! fails a command that does not need them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Result};
use crate::spec::idmap::{IdMap, Range};

/// Who runs rpod, and where.
#[derive(Clone, Debug)]
pub struct Host {
    /// The user's id.
    pub uid: u32,
    /// The user's group.
    pub gid: u32,
    /// The user's name, from `/etc/passwd`.
    pub user: Option<String>,
    /// Home directory.
    pub home: PathBuf,
    /// Where the store is: `$XDG_DATA_HOME/rpod`.
    pub data: PathBuf,
    /// Where sockets and locks are: `run/` below the store. Not `$XDG_RUNTIME_DIR`,
    /// which may be missing, somebody else's (after `su`), or cleared while containers
    /// run: a second network with the same addresses would come of that.
    pub runtime: PathBuf,
    /// Where settings are: `$XDG_CONFIG_HOME/rpod`.
    pub config: PathBuf,
    /// This boot's id; empty where the kernel tells none.
    pub boot: String,
}

impl Host {
    /// Reads the facts.
    pub fn read() -> Result<Self> {
        let uid = rustix::process::getuid().as_raw();
        let gid = rustix::process::getgid().as_raw();
        let entry = passwd_entry(uid);
        let from_env = |name: &str| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let home = from_env("HOME")
            .or_else(|| entry.as_ref().map(|e| e.1.clone()))
            .ok_or_else(|| {
                Error::new("cannot find a home directory: HOME is not set and /etc/passwd has no line for this user")
                    .hint("set it: `HOME=/some/directory rpod …`")
            })?;
        let data = from_env("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share"));
        let config = from_env("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
        Ok(Self {
            uid,
            gid,
            user: entry.map(|e| e.0),
            data: data.join("rpod"),
            runtime: data.join("rpod/run"),
            config: config.join("rpod"),
            home,
            boot: fs::read_to_string("/proc/sys/kernel/random/boot_id")
                .map(|text| text.trim().to_owned())
                .unwrap_or_default(),
        })
    }

    /// Returns the name to call the user by.
    pub fn user_name(&self) -> String {
        self.user.clone().unwrap_or_else(|| self.uid.to_string())
    }

    /// Returns the subordinate ids that `/etc/subuid` and `/etc/subgid` give the user.
    ///
    /// # Errors
    /// When a file is there and cannot be read: then nobody can say what the user may have.
    pub fn subordinate_ids(&self) -> Result<Option<(Vec<Range>, Vec<Range>)>> {
        let users = self.ranges_of(Path::new("/etc/subuid"))?;
        let groups = self.ranges_of(Path::new("/etc/subgid"))?;
        if users.is_empty() || groups.is_empty() {
            return Ok(None);
        }
        Ok(Some((users, groups)))
    }

    /// Returns the id map containers get when it can be written with helpers.
    pub fn full_map(&self) -> Result<Option<IdMap>> {
        let Some((users, groups)) = self.subordinate_ids()? else {
            return Ok(None);
        };
        let with_own = |own: u32, more: &[Range]| {
            let mut all = vec![Range {
                inside: 0,
                outside: own,
                length: 1,
            }];
            let mut next = 1;
            for range in more {
                all.push(Range {
                    inside: next,
                    outside: range.outside,
                    length: range.length,
                });
                next += range.length;
            }
            all
        };
        Ok(Some(IdMap {
            users: with_own(self.uid, &users),
            groups: with_own(self.gid, &groups),
        }))
    }

    /// subuid(5): `name-or-uid:first:count` a line.
    fn ranges_of(&self, path: &Path) -> Result<Vec<Range>> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(error)
                    .what(|| {
                        format!(
                            "cannot read \"{}\", which says what ids you may use",
                            path.display()
                        )
                    })
                    .hint(|| {
                        format!("ask an administrator to run `chmod 644 {}`", path.display())
                    });
            }
        };
        let uid = self.uid.to_string();
        Ok(text
            .lines()
            .filter_map(|line| {
                let mut parts = line.trim().split(':');
                let owner = parts.next()?;
                if owner != uid && Some(owner) != self.user.as_deref() {
                    return None;
                }
                let outside = parts.next()?.parse().ok()?;
                let length = parts.next()?.parse().ok().filter(|n| *n > 0)?;
                Some(Range {
                    inside: 0,
                    outside,
                    length,
                })
            })
            .collect())
    }
}

/// Reads a user's name and home directory. Not getpwuid(3): a static program
/// cannot load the machine's name service.
fn passwd_entry(uid: u32) -> Option<(String, PathBuf)> {
    let text = fs::read_to_string("/etc/passwd").ok()?;
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.len() >= 7 && fields[2].parse() == Ok(uid))
            .then(|| (fields[0].to_owned(), PathBuf::from(fields[5])))
    })
}
