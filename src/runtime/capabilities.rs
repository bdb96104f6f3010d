//! Capabilities (capabilities(7)): which a container may have, and giving up the rest.
//!
//! ```text
//! 1 limit     bounding set, while CAP_SETPCAP is still ours
//! 2 keep      the permitted set survives the change of user
//!             (the change happens here)
//! 3 raise     effective again, for what still has to be done: loading a filter
//! 4 settle    the sets the program begins with, last of all
//! ```
//!
//! Lives here: names and numbers, docker's default set, the four steps.
//! Must not: change the user, or decide when a step is taken (`runtime::program`).
//! Called by: `ops` (choosing), `runtime::program`.
//! Always true: a set is sorted and has each number once. As with docker, a
//! program of root's has the container's capabilities permitted and effective; a
//! program of another user has none, and gains what a set-user-id file gives,
//! within the bounding set. Nothing is inheritable and nothing ambient.

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_keep_capabilities,
};

use crate::error::{Context, Error, Kind, Result};

/// Names without `CAP_`; the index is the number.
pub const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// What docker's containers have unless asked otherwise: CHOWN, DAC_OVERRIDE, FOWNER, FSETID,
/// KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, NET_RAW, SYS_CHROOT, MKNOD, AUDIT_WRITE, SETFCAP.
pub const DEFAULT: [u8; 14] = [0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31];

/// Returns every capability there is.
pub fn all() -> Vec<u8> {
    (0..NAMES.len() as u8).collect()
}

/// Returns the name of a capability, with `CAP_`.
pub fn name(number: u8) -> Option<String> {
    Some(format!("CAP_{}", NAMES.get(usize::from(number))?))
}

/// Returns what `--cap-add` and `--cap-drop` make of the default set.
///
/// Docker's rules: with `--cap-add ALL` it is all but what is dropped; with
/// `--cap-drop ALL` it is what is added; else what is named in both stays.
///
/// # Errors
/// `Usage` when there is no capability of a name.
pub fn choose(add: &[String], drop: &[String]) -> Result<Vec<u8>> {
    let added = parse_list("--cap-add", add)?;
    let dropped = parse_list("--cap-drop", drop)?;
    let mut chosen = match (added, dropped) {
        (Named::All, Named::All) => Vec::new(),
        (Named::All, Named::Some(dropped)) => without(&all(), &dropped),
        (Named::Some(added), Named::All) => added,
        (Named::Some(added), Named::Some(dropped)) => {
            let mut chosen = without(&DEFAULT, &dropped);
            chosen.extend(added);
            chosen
        }
    };
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}

enum Named {
    All,
    Some(Vec<u8>),
}

fn without(set: &[u8], dropped: &[u8]) -> Vec<u8> {
    set.iter()
        .copied()
        .filter(|number| !dropped.contains(number))
        .collect()
}

fn parse_list(flag: &str, words: &[String]) -> Result<Named> {
    let mut numbers = Vec::new();
    let mut every = false;
    for word in words {
        let upper = word.to_ascii_uppercase();
        match upper.strip_prefix("CAP_").unwrap_or(&upper) {
            "ALL" => every = true,
            plain => numbers.push(number(plain).ok_or_else(|| unknown(flag, word, plain))?),
        }
    }
    Ok(if every {
        Named::All
    } else {
        Named::Some(numbers)
    })
}

fn number(plain: &str) -> Option<u8> {
    let index = NAMES.iter().position(|name| *name == plain)?;
    u8::try_from(index).ok()
}

fn unknown(flag: &str, word: &str, plain: &str) -> Error {
    let error = Error::of(
        Kind::Usage,
        format!("{flag} \"{word}\" names no capability"),
    );
    let nearest = NAMES
        .iter()
        .map(|name| (edits(plain, name), *name))
        .min()
        .filter(|(edits, name)| *edits <= 1 + name.len() / 4);
    match nearest {
        Some((_, name)) => error.hint(format!("did you mean `{flag} {name}`?")),
        None => error.hint("capabilities(7) lists them: `man 7 capabilities`"),
    }
}

/// How many letters have to be changed, added or left out to make `b` of `a`.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    // Longer words than any name need no exact answer.
    for (i, x) in a.bytes().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()] + a.len().saturating_sub(64)
}

/// Step 1: takes everything else out of the bounding set, for good.
///
/// # Errors
/// Without CAP_SETPCAP in this process's user namespace.
pub fn limit(keep: &[u8]) -> Result<()> {
    for number in 0..64 {
        if keep.contains(&number) {
            continue;
        }
        match remove_capability_from_bounding_set(set(&[number])) {
            Ok(()) => {}
            // Beyond the kernel's last one (/proc/sys/kernel/cap_last_cap).
            Err(Errno::INVAL) => break,
            Err(errno) => {
                let name = name(number).unwrap_or_else(|| format!("capability {number}"));
                return Err(errno).what(|| format!("cannot give up {name}"));
            }
        }
    }
    Ok(())
}

/// Step 2: lets the permitted set survive the change to another user.
pub fn keep() -> Result<()> {
    set_keep_capabilities(true).what(|| "cannot keep capabilities while the user changes")
}

/// Step 3: makes effective all that is permitted; the change to another user took it away.
pub fn raise() -> Result<()> {
    let set_again = || -> rustix::io::Result<()> {
        let mut sets = capabilities(None)?;
        sets.effective = sets.permitted;
        set_capabilities(None, sets)
    };
    set_again().what(|| "cannot use capabilities as another user")
}

/// Step 4: leaves the sets that the program begins with.
///
/// execve(2) gives a program of root's whatever the bounding set has, so for
/// root this only shortens the moment before.
pub fn settle(allowed: &[u8], uid: u32) -> Result<()> {
    let sets = program_sets(allowed, uid);
    let change = || -> rustix::io::Result<()> {
        match clear_ambient_capability_set() {
            // Linux < 4.3 has none.
            Ok(()) | Err(Errno::INVAL) => {}
            Err(errno) => return Err(errno),
        }
        // What the kernel does not have, or this process does not, cannot be set.
        let has = capabilities(None)?.permitted;
        set_capabilities(
            None,
            CapabilitySets {
                effective: sets.effective & has,
                permitted: sets.permitted & has,
                inheritable: sets.inheritable,
            },
        )?;
        set_keep_capabilities(false)
    };
    change().what(|| "cannot set the capabilities of the container's program")
}

fn program_sets(allowed: &[u8], uid: u32) -> CapabilitySets {
    let own = if uid == 0 {
        set(allowed)
    } else {
        CapabilitySet::empty()
    };
    CapabilitySets {
        effective: own,
        permitted: own,
        inheritable: CapabilitySet::empty(),
    }
}

fn set(numbers: &[u8]) -> CapabilitySet {
    let bits = numbers
        .iter()
        .filter(|number| **number < 64)
        .fold(0u64, |bits, number| bits | 1 << number);
    CapabilitySet::from_bits_retain(bits)
}

#[cfg(test)]
mod tests {
    use super::{DEFAULT, all, choose, name, program_sets};

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn add_and_drop_follow_docker() {
        let mut with_admin = DEFAULT.to_vec();
        with_admin.push(12);
        with_admin.sort_unstable();
        for (add, drop, expected) in [
            ("", "", DEFAULT.to_vec()),
            ("NET_ADMIN", "", with_admin.clone()),
            ("cap_net_admin CAP_NET_ADMIN", "", with_admin.clone()),
            ("net_admin", "NET_ADMIN", with_admin),
            ("", "ALL", vec![]),
            ("sys_time CHOWN", "all", vec![0, 25]),
            ("ALL", "", all()),
            ("ALL", "sys_admin", (0..41).filter(|n| *n != 21).collect()),
            ("ALL", "ALL", vec![]),
            (
                "",
                "mknod",
                DEFAULT.iter().copied().filter(|n| *n != 27).collect(),
            ),
        ] {
            let chosen = choose(&words(add), &words(drop)).expect("it parses");
            assert_eq!(chosen, expected, "--cap-add {add} --cap-drop {drop}");
        }
    }

    #[test]
    fn a_wrong_name_is_met_with_the_right_one() {
        for (word, hint) in [
            ("NET_ADMN", "NET_ADMIN"),
            ("cap_sysadmin", "SYS_ADMIN"),
            ("NETRAW", "NET_RAW"),
            ("chwon", "CHOWN"),
        ] {
            let error = choose(&words(word), &[]).expect_err(word);
            assert!(error.hints()[0].contains(hint), "{:?}", error.hints());
        }
        let error = choose(&[], &words(&"x".repeat(10_000))).expect_err("it is none");
        assert!(error.hints()[0].contains("man 7"), "{:?}", error.hints());
        assert!(choose(&words("CAP_"), &[]).is_err());
    }

    #[test]
    fn only_roots_program_has_capabilities_at_once() {
        assert_eq!(program_sets(&DEFAULT, 0).effective.bits(), 0xa804_25fb);
        assert_eq!(program_sets(&DEFAULT, 0).inheritable.bits(), 0);
        assert_eq!(program_sets(&DEFAULT, 1000).permitted.bits(), 0);
    }

    #[test]
    fn numbers_and_names_agree() {
        assert_eq!(name(21).as_deref(), Some("CAP_SYS_ADMIN"));
        assert_eq!(name(40).as_deref(), Some("CAP_CHECKPOINT_RESTORE"));
        assert_eq!(name(41), None);
    }
}
