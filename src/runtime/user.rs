//! Who the container's program runs as: `-u`, `--group-add`, and the image's
//! own `/etc/passwd` and `/etc/group`.
//!
//! Lives here: resolving names inside an image, and becoming the user.
//! Must not: ask the machine's own users, or follow anything out of the image.
//! Called by: `runtime::program`.
//! Always true: files of an image are hostile. They are opened below its root
//! (openat2(2), RESOLVE_IN_ROOT), must be regular, and are read up to a limit;
//! lines that make no sense are passed over. The rules are docker's: a number
//! needs no line, a name does; the first line that fits wins; a group that is
//! named replaces the user's own groups.

use std::fs::File;
use std::io::Read;
use std::os::fd::BorrowedFd;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::thread::{Gid, Uid, set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::error::{Context, Error, Result};
use crate::spec::idmap::IdMap;

/// A user inside a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Id inside.
    pub uid: u32,
    /// Primary group inside.
    pub gid: u32,
    /// All groups: the primary one first, each once.
    pub groups: Vec<u32>,
    /// Home directory; `/` when there is no line for the user.
    pub home: String,
    /// Name, when there is a line for the user.
    pub name: Option<String>,
    /// Shell, when the user's line names one.
    pub shell: Option<String>,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// `USER[:GROUP]`, names or numbers; empty is root.
    pub user: &'a str,
    /// `--group-add`, names or numbers.
    pub groups: &'a [String],
    /// The ids that exist inside.
    pub map: &'a IdMap,
    /// Name of the person on this machine, for the words of an error.
    pub person: &'a str,
}

/// Finds out who is meant, by the files below `root`.
///
/// # Errors
/// When a name has no line, or an id does not exist inside.
pub fn resolve(root: BorrowedFd<'_>, asked: Asked<'_>) -> Result<User> {
    let passwd = read_database(root, "etc/passwd")?;
    let group = read_database(root, "etc/group")?;
    resolve_in(&passwd, &group, asked)
}

/// Becomes the user, irrevocably: groups first, while changing them is still allowed.
///
/// # Errors
/// When the kernel refuses. A user of a single id has no right to change
/// groups; when there are none to change, that is no error.
pub fn enter(user: &User) -> Result<()> {
    let groups: Vec<Gid> = user.groups.iter().map(|id| Gid::from_raw(*id)).collect();
    match set_thread_groups(&groups) {
        Ok(()) => {}
        // /proc/self/setgroups is "deny" where the map was written without newgidmap.
        Err(rustix::io::Errno::PERM) if user.groups == [user.gid] => {}
        Err(errno) => {
            return Err(errno).what(|| format!("cannot join the groups {:?}", user.groups));
        }
    }
    let gid = Gid::from_raw(user.gid);
    set_thread_res_gid(gid, gid, gid).what(|| format!("cannot become group {}", user.gid))?;
    let uid = Uid::from_raw(user.uid);
    set_thread_res_uid(uid, uid, uid).what(|| format!("cannot become user {}", user.uid))
}

/// As much as is read of a file; the largest real ones have some thousand lines.
const LIMIT: u64 = 10 << 20;

/// An image without the file has no names; that is no error.
fn read_database(root: BorrowedFd<'_>, path: &str) -> Result<String> {
    // O_NONBLOCK: opening a FIFO must not wait for its writer.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let what = || format!("cannot read \"/{path}\" of the image");
    let file = loop {
        match openat2(root, path, flags, Mode::empty(), resolve) {
            Ok(fd) => break File::from(fd),
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(String::new()),
            // Something was renamed while the kernel walked.
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno).what(what),
        }
    };
    let meta = file.metadata().what(what)?;
    if !meta.is_file() {
        return Err(Error::new("it is no regular file").what(what()));
    }
    let mut bytes = Vec::with_capacity(meta.len().min(LIMIT) as usize);
    file.take(LIMIT + 1).read_to_end(&mut bytes).what(what)?;
    if bytes.len() as u64 > LIMIT {
        return Err(Error::new("it is larger than 10 MiB").what(what()));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// passwd(5)
struct PasswdLine<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
    shell: &'a str,
}

/// group(5)
struct GroupLine<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

fn passwd_lines(text: &str) -> impl Iterator<Item = PasswdLine<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields.next().filter(|name| is_name(name))?;
        let mut fields = fields.skip(1);
        Some(PasswdLine {
            name,
            uid: fields.next()?.parse().ok()?,
            gid: fields.next()?.parse().ok()?,
            home: fields.nth(1).unwrap_or_default(),
            shell: fields.next().unwrap_or_default(),
        })
    })
}

fn group_lines(text: &str) -> impl Iterator<Item = GroupLine<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        Some(GroupLine {
            name: fields.next().filter(|name| is_name(name))?,
            gid: fields.nth(1)?.parse().ok()?,
            members: fields.next().unwrap_or_default(),
        })
    })
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('#')
}

fn resolve_in(passwd: &str, group: &str, asked: Asked<'_>) -> Result<User> {
    let (user_text, group_text) = asked.user.split_once(':').unwrap_or((asked.user, ""));
    let mut user = find_user(passwd, user_text)?;
    if group_text.is_empty() {
        let own = user.name.clone().unwrap_or_default();
        // Where an id does not exist inside, nobody asked for it: it is left out.
        user.groups = group_lines(group)
            .filter(|line| line.members.split(',').any(|member| member.trim() == own))
            .map(|line| line.gid)
            .filter(|gid| !own.is_empty() && asked.map.has_group(*gid))
            .collect();
    } else {
        user.gid = find_group(group, group_text)?;
    }
    for text in asked.groups {
        let gid = find_group(group, text)?;
        exists(asked, "group", gid, asked.map.has_group(gid))?;
        user.groups.push(gid);
    }
    exists(asked, "uid", user.uid, asked.map.has_user(user.uid))?;
    exists(asked, "group", user.gid, asked.map.has_group(user.gid))?;
    user.groups.insert(0, user.gid);
    let mut seen = Vec::new();
    user.groups.retain(|gid| {
        let new = !seen.contains(gid);
        seen.push(*gid);
        new
    });
    // The kernel takes no more (NGROUPS_MAX); an image could name any number.
    user.groups.truncate(65_536);
    Ok(user)
}

fn find_user(passwd: &str, text: &str) -> Result<User> {
    let number = parse_id(text);
    let fits = |line: &PasswdLine<'_>| match text {
        "" => line.uid == 0,
        _ => line.name == text || Some(line.uid) == number,
    };
    let found = passwd_lines(passwd).find(fits);
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    match (found, number) {
        (Some(line), _) => Ok(User {
            uid: line.uid,
            gid: line.gid,
            groups: Vec::new(),
            home: filled(line.home).unwrap_or_else(|| "/".to_owned()),
            name: Some(line.name.to_owned()),
            shell: filled(line.shell),
        }),
        (None, Some(uid)) => Ok(nameless(uid)),
        (None, None) if text.is_empty() => Ok(nameless(0)),
        (None, None) => Err(Error::new("the image's /etc/passwd has no line for it")
            .what(format!("cannot find user \"{text}\""))
            .hint("give a number instead, which needs no line: `-u 1000`")),
    }
}

fn nameless(uid: u32) -> User {
    User {
        uid,
        gid: 0,
        groups: Vec::new(),
        home: "/".to_owned(),
        name: None,
        shell: None,
    }
}

fn find_group(group: &str, text: &str) -> Result<u32> {
    let number = parse_id(text);
    group_lines(group)
        .find(|line| line.name == text || Some(line.gid) == number)
        .map(|line| line.gid)
        .or(number)
        .ok_or_else(|| {
            Error::new("the image's /etc/group has no line for it")
                .what(format!("cannot find group \"{text}\""))
                .hint("give a number instead, which needs no line: `-u USER:1000`")
        })
}

/// As docker, an id is at most 2³¹ - 1.
fn parse_id(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|id| digits && *id <= i32::MAX as u32)
}

fn exists(asked: Asked<'_>, kind: &str, id: u32, there: bool) -> Result<()> {
    if there {
        return Ok(());
    }
    let person = asked.person;
    let what = format!("cannot run as {kind} {id}");
    if !asked.map.is_single() {
        let most = asked
            .map
            .users
            .iter()
            .map(|range| range.inside + (range.length - 1))
            .max()
            .unwrap_or(0);
        return Err(Error::new(format!(
            "the ids of user \"{person}\" reach to {most} inside a container"
        ))
        .what(what)
        .hint(format!(
            "ask an administrator for a larger range of ids: `usermod --add-subuids 200000-{0} --add-subgids 200000-{0} {person}`",
            200_000_u32.saturating_add(id)
        )));
    }
    let (id, file) = match kind {
        "uid" => ("uid", "/etc/subuid"),
        _ => ("gid", "/etc/subgid"),
    };
    Err(Error::new(format!(
        "user \"{person}\" has only one {id}; {file} has no line for {person}"
    ))
    .what(what)
    .hint(format!(
        "ask an administrator to run `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {person}`, then `rpod system migrate`"
    )))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::fs::symlink;

    use super::{Asked, User, resolve, resolve_in};
    use crate::spec::idmap::{IdMap, Range};

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
        # a comment:x:1:1::/:/\n\
        app:x:1000:1001:An app:/srv/app:/bin/bash\n\
        app:x:7:7::/second:/bin/false\n\
        broken:x:minus:0::/:\n\
        1002:x:55:56::/odd:\n\
        nohome:x:60:60\n\
        far:x:90000:90000::/far:/bin/sh\n";
    const GROUP: &str = "root:x:0:\n\
        wheel:x:10:root,app\n\
        staff:x:50:app\n\
        twin:x:10:app\n\
        broken:x:x:app\n\
        far:x:90000:app\n";

    fn map(length: u32) -> IdMap {
        let ranges = vec![Range {
            inside: 0,
            outside: 1000,
            length,
        }];
        IdMap {
            users: ranges.clone(),
            groups: ranges,
        }
    }

    fn ask(user: &str, groups: &[&str], length: u32) -> crate::error::Result<User> {
        let groups: Vec<String> = groups.iter().map(|g| (*g).to_owned()).collect();
        let asked = Asked {
            user,
            groups: &groups,
            map: &map(length),
            person: "alice",
        };
        resolve_in(PASSWD, GROUP, asked)
    }

    #[test]
    fn users_and_groups_are_found_as_docker_finds_them() {
        for (typed, uid, gid, groups, home) in [
            ("", 0, 0, vec![0, 10], "/root"),
            ("root", 0, 0, vec![0, 10], "/root"),
            ("app", 1000, 1001, vec![1001, 10, 50], "/srv/app"),
            ("1000", 1000, 1001, vec![1001, 10, 50], "/srv/app"),
            ("app:staff", 1000, 50, vec![50], "/srv/app"),
            ("app:77", 1000, 77, vec![77], "/srv/app"),
            (":staff", 0, 50, vec![50], "/root"),
            ("4242", 4242, 0, vec![0], "/"),
            ("4242:4343", 4242, 4343, vec![4343], "/"),
            // A name of digits comes before the number.
            ("1002", 55, 56, vec![56], "/odd"),
            ("nohome", 60, 60, vec![60], "/"),
        ] {
            let user = ask(typed, &[], 65_536).expect(typed);
            assert_eq!((user.uid, user.gid), (uid, gid), "{typed}");
            assert_eq!((user.groups, &*user.home), (groups, home), "{typed}");
        }
        let user = ask("app", &["0", "staff", "1234"], 65_536).expect("found");
        assert_eq!(user.groups, [1001, 10, 50, 0, 1234]);
        assert_eq!(user.shell.as_deref(), Some("/bin/bash"));
    }

    #[test]
    fn names_without_a_line_are_errors_that_name_the_file() {
        for (typed, groups, why) in [
            (
                "nobody",
                vec![],
                "cannot find user \"nobody\": the image's /etc/passwd",
            ),
            ("broken", vec![], "cannot find user \"broken\""),
            ("# a comment", vec![], "cannot find user"),
            (
                "app:none",
                vec![],
                "cannot find group \"none\": the image's /etc/group",
            ),
            ("app", vec!["none"], "cannot find group \"none\""),
            ("-1", vec![], "cannot find user \"-1\""),
            ("4294967296", vec![], "cannot find user"),
            ("2147483648", vec![], "cannot find user"),
        ] {
            let error = ask(typed, &groups, 65_536).expect_err(typed).to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn an_id_that_does_not_exist_inside_is_said_with_what_mends_it() {
        let error = ask("app", &[], 1).expect_err("a single id");
        assert_eq!(
            error.to_string(),
            "cannot run as uid 1000: user \"alice\" has only one uid; /etc/subuid has no line for alice"
        );
        assert!(error.hints()[0].contains("usermod --add-subuids"));
        let error = ask("far", &[], 65_536).expect_err("beyond the range");
        assert!(error.to_string().contains("reach to 65535"), "{error}");
        assert!(ask("root", &["50"], 1).is_err());
        // Groups of the image's own that do not exist inside are left out.
        assert_eq!(ask("root", &[], 1).expect("root").groups, [0]);
    }

    #[test]
    fn an_image_cannot_make_us_read_or_wait_for_something_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let etc = dir.path().join("etc");
        std::fs::create_dir(&etc).expect("made");
        let root = std::fs::File::open(dir.path()).expect("opened");
        let map = map(65_536);
        let find = |user| {
            let asked = Asked {
                user,
                groups: &[],
                map: &map,
                person: "alice",
            };
            resolve(root.as_fd(), asked)
        };
        let passwd = etc.join("passwd");
        assert_eq!(find("5").expect("no file is no error").home, "/");
        // Absolute and climbing links stay below the root.
        std::fs::write(dir.path().join("inner"), "in:x:3:3::/in:").expect("written");
        symlink("/inner", &passwd).expect("linked");
        assert_eq!(find("in").expect("found").uid, 3);
        std::fs::remove_file(&passwd).expect("removed");
        symlink("../../../../../../etc/hostname", &passwd).expect("linked");
        assert!(find("root").is_err());
        assert_eq!(find("0").expect("outside is not seen").home, "/");
        std::fs::remove_file(&passwd).expect("removed");
        let fifo = std::process::Command::new("mkfifo").arg(&passwd).status();
        assert!(fifo.is_ok_and(|s| s.success()));
        let error = find("root").expect_err("a FIFO").to_string();
        assert!(error.contains("no regular file"), "{error}");
        std::fs::remove_file(&passwd).expect("removed");
        let large = std::fs::File::create(&passwd).expect("made");
        large.set_len(11 << 20).expect("sized");
        let error = find("root").expect_err("a large one").to_string();
        assert!(error.contains("10 MiB"), "{error}");
    }
}
