//! Which ids of the machine stand for which ids inside.
//!
//! Lives here: [`IdMap`], as `uid_map` has it (user_namespaces(7)).
//! Must not: read `/etc/subuid` (that is `host.rs`) or write a map (`process`).
//! Called by: `host`, `process`, `runtime`, `store`, `image`.
//! Always true: ranges do not overlap; id 0 inside is the user's own id.

use serde::{Deserialize, Serialize};

use crate::spec::digest::Digest;

/// One run of ids: `length` ids from `inside` are those from `outside`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// First id inside.
    pub inside: u32,
    /// First id on the machine.
    pub outside: u32,
    /// How many.
    pub length: u32,
}

/// The ids of users and groups inside a user namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMap {
    /// Users.
    pub users: Vec<Range>,
    /// Groups.
    pub groups: Vec<Range>,
}

impl IdMap {
    /// The [name](Self::name) of all maps of one id.
    pub const SINGLE: &str = "single";

    /// Returns the map of one user and one group, both 0 inside.
    pub fn single(uid: u32, gid: u32) -> Self {
        let one = |outside| {
            vec![Range {
                inside: 0,
                outside,
                length: 1,
            }]
        };
        Self {
            users: one(uid),
            groups: one(gid),
        }
    }

    /// Says whether only one user and one group exist inside.
    pub fn is_single(&self) -> bool {
        self.users.iter().map(|r| r.length).sum::<u32>() == 1
    }

    /// Returns the directory name of layers unpacked under this map.
    pub fn name(&self) -> String {
        if self.is_single() {
            return Self::SINGLE.to_owned();
        }
        let text = format!("{:?}{:?}", self.users, self.groups);
        format!("map-{}", &Digest::of(text.as_bytes()).hex()[..16])
    }

    /// Says whether a user id exists inside.
    pub fn has_user(&self, id: u32) -> bool {
        has(&self.users, id)
    }

    /// Says whether a group id exists inside.
    pub fn has_group(&self, id: u32) -> bool {
        has(&self.groups, id)
    }

    /// Returns the lines of a `uid_map` or `gid_map` file.
    pub fn lines(ranges: &[Range]) -> String {
        ranges
            .iter()
            .map(|r| format!("{} {} {}\n", r.inside, r.outside, r.length))
            .collect()
    }
}

fn has(ranges: &[Range], id: u32) -> bool {
    ranges
        .iter()
        .any(|r| id >= r.inside && id - r.inside < r.length)
}
