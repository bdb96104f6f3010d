//! User namespaces: where the user's own id is root.
//!
//! ```text
//! parent                       child
//!   fork ───────────────────────▶ 1. unshare(NEWUSER)
//!   2. ◀─────────────────────────    "unshared"   (or why it cannot)
//!   3. newuidmap ∥ newgidmap         goes on with what needs no map
//!   4. "mapped" ────────────────▶ 5. work as root inside
//! ```
//!
//! Lives here: making one, mapping it, and doing work inside.
//! Must not: know what the work is.
//! Called by: `ops`, `role`.
//! Always true: the parent maps, because the helpers only serve a process
//! outside; a child whose parent fails ends.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::process::{Command, Stdio};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Result};
use crate::process::channel::Channel;
use crate::process::identity::{Identity, Writer};
use crate::spec::idmap::IdMap;
use crate::sys::{namespace, process};

/// A child that is, or is about to be, in a user namespace of its own.
#[derive(Debug)]
pub struct Child {
    /// Its id.
    pub pid: i32,
    /// The way to talk to it.
    pub channel: Channel,
}

/// The child's end of the handshake.
pub struct Entry {
    channel: Channel,
}

#[derive(Serialize, Deserialize)]
struct Unshared(Result<()>);

#[derive(Serialize, Deserialize)]
struct Mapped;

impl Entry {
    /// Makes the namespace and asks the parent to map it. The ids are not there yet.
    pub fn unshare(channel: Channel) -> Result<Self> {
        let made = namespace::unshare(namespace::USER).map_err(forbidden);
        channel.send(&Unshared(made.clone()))?;
        made.map(|()| Self { channel })
    }

    /// Waits until the ids are there; returns the way to talk to the parent.
    pub fn mapped(self) -> Result<Channel> {
        match self.channel.receive::<Mapped>()? {
            Some(Mapped) => Ok(self.channel),
            None => Err(Error::new("the process that maps ids has gone")),
        }
    }
}

/// Forks a child that calls [`Entry::unshare`] first, and maps its ids.
pub fn launch(identity: &Identity, work: impl FnOnce(Channel) -> u8) -> Result<Child> {
    let (ours, theirs) = Channel::pair()?;
    let parents = ours.as_fd().as_raw_fd();
    let pid = process::fork(|| {
        // Held by the child as well, the end of the parent would never be seen.
        process::close_inherited(parents);
        work(theirs)
    })
    .what(|| "cannot start a process")?;
    let child = Child { pid, channel: ours };
    match child.map(identity) {
        Ok(()) => Ok(child),
        Err(error) => {
            // Closing the channel ends the child, which waits for its map.
            drop(child.channel);
            drop(process::wait(pid, true));
            Err(error)
        }
    }
}

impl Child {
    fn map(&self, identity: &Identity) -> Result<()> {
        match self.channel.receive::<Unshared>()? {
            Some(Unshared(made)) => made?,
            None => {
                return Err(Error::internal(
                    "a child ended before it had a user namespace",
                ));
            }
        }
        write_map(self.pid, identity)?;
        self.channel.send(&Mapped)
    }
}

/// Does work in a child inside a fresh user namespace and returns its result whole.
pub fn run_inside<T: Serialize + DeserializeOwned>(
    identity: &Identity,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    // The result goes through a pipe, since it may be longer than a packet.
    let (reader, writer) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).what(|| "cannot make a pipe")?;
    let mut child = launch(identity, |channel| {
        let inside = || -> Result<T> {
            Entry::unshare(channel)?.mapped()?;
            process::die_with_parent(9)?;
            work()
        };
        let bytes = serde_json::to_vec(&inside()).unwrap_or_default();
        match io::Write::write_all(&mut fs::File::from(writer), &bytes) {
            Ok(()) => 0,
            Err(_) => 1,
        }
    });
    let mut bytes = Vec::new();
    if child.is_ok() {
        io::Read::read_to_end(&mut fs::File::from(reader), &mut bytes)
            .what(|| "cannot hear another rpod process")?;
    }
    let exit = match &mut child {
        Ok(child) => process::wait(child.pid, true)?,
        Err(_) => None,
    };
    child?;
    if bytes.is_empty() {
        return Err(Error::internal(format!(
            "a child ended without a result ({exit:?})"
        )));
    }
    serde_json::from_slice::<Result<T>>(&bytes)
        .map_err(|e| Error::internal(format!("unreadable result of a child: {e}")))?
}

fn write_map(pid: i32, identity: &Identity) -> Result<()> {
    match &identity.writer {
        Writer::Own => write_own(pid, &identity.map),
        Writer::Helpers(users, groups) => {
            let spawn = |program: &std::path::Path, ranges: &[crate::spec::idmap::Range]| {
                let mut command = Command::new(program);
                command.arg(pid.to_string());
                for range in ranges {
                    for number in [range.inside, range.outside, range.length] {
                        command.arg(number.to_string());
                    }
                }
                command
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::piped())
                    .spawn()
                    .what(|| format!("cannot run \"{}\"", program.display()))
            };
            // Side by side: each takes a millisecond.
            let one = spawn(users, &identity.map.users)?;
            let other = spawn(groups, &identity.map.groups)?;
            for (program, child) in [(users, one), (groups, other)] {
                let output = child.wait_with_output()?;
                if !output.status.success() {
                    let said = String::from_utf8_lossy(&output.stderr);
                    return Err(Error::new(format!(
                        "cannot map your subordinate ids: \"{}\" said: {}",
                        program.display(),
                        said.trim()
                    ))
                    .hint("it needs its set-user-id bit, or the capabilities that distributions give it: `ls -l` and `getcap` on it show them")
                    .hint("rpod works with your own id alone when neither helper is in PATH"));
                }
            }
            Ok(())
        }
    }
}

fn write_own(pid: i32, map: &IdMap) -> Result<()> {
    let write = |file: &str, text: &str| {
        fs::write(format!("/proc/{pid}/{file}"), text)
            .what(|| format!("cannot write this user namespace's {file}"))
    };
    write("uid_map", &IdMap::lines(&map.users))?;
    if map.is_single() {
        // user_namespaces(7): without it a process could shed a group that
        // forbids something.
        write("setgroups", "deny")?;
    }
    write("gid_map", &IdMap::lines(&map.groups))
}

/// Says which of the machine's settings forbids user namespaces, and what allows them.
fn forbidden(error: io::Error) -> Error {
    let setting = |path: &str| fs::read_to_string(path).map(|t| t.trim().to_owned()).ok();
    let what = "cannot make a user namespace, which every container of a normal user needs";
    let code = error.raw_os_error();
    let plain = Error::from(error).what(what);
    if setting("/proc/sys/user/max_user_namespaces").as_deref() == Some("0") {
        return Error::new("this machine allows none (user.max_user_namespaces = 0)")
            .what(what)
            .hint("ask an administrator to run `sysctl -w user.max_user_namespaces=28633`");
    }
    if setting("/proc/sys/kernel/unprivileged_userns_clone").as_deref() == Some("0") {
        return Error::new(
            "this machine forbids them to users (kernel.unprivileged_userns_clone = 0)",
        )
        .what(what)
        .hint("ask an administrator to run `sysctl -w kernel.unprivileged_userns_clone=1`");
    }
    if setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").as_deref() == Some("1") {
        return apparmor(what);
    }
    match rustix::io::Errno::from_raw_os_error(code.unwrap_or_default()) {
        rustix::io::Errno::NOSPC | rustix::io::Errno::USERS => plain.hint(
            "there are too many already, or they are nested too deep: raise user.max_user_namespaces with `sysctl`",
        ),
        rustix::io::Errno::PERM => plain.hint(
            "a security policy forbids it: if this is a container, start that one with `--security-opt seccomp=unconfined`",
        ),
        _ => plain,
    }
}

/// Where AppArmor restricts user namespaces, one can be made, but has no rights: the
/// first thing done inside fails. Says so; returns other errors as they are.
pub fn explain_denied(error: Error) -> Error {
    let restricted = fs::read_to_string("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
    let refusals = [rustix::io::Errno::PERM, rustix::io::Errno::ACCESS];
    let denied = refusals
        .iter()
        .any(|e| error.errno() == Some(e.raw_os_error()));
    if denied && restricted.is_ok_and(|text| text.trim() == "1") {
        return apparmor(
            "cannot use a user namespace, which every container of a normal user needs",
        );
    }
    error
}

fn apparmor(what: &'static str) -> Error {
    let exe =
        std::env::current_exe().map_or_else(|_| "rpod".to_owned(), |p| p.display().to_string());
    Error::new("AppArmor allows them only to programs with a profile (kernel.apparmor_restrict_unprivileged_userns = 1)")
        .what(what)
        .hint(format!(
            "ask an administrator to run `printf 'abi <abi/4.0>,\\nprofile rpod {exe} flags=(unconfined) {{ userns, }}\\n' > /etc/apparmor.d/rpod && apparmor_parser -r /etc/apparmor.d/rpod`"
        ))
        .hint("or, for every program: `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`")
}

#[cfg(test)]
mod tests {
    use super::run_inside;
    use crate::error::Error;
    use crate::process::identity::{Identity, Writer};
    use crate::spec::idmap::IdMap;

    fn single() -> Identity {
        Identity {
            map: IdMap::single(
                rustix::process::getuid().as_raw(),
                rustix::process::getgid().as_raw(),
            ),
            writer: Writer::Own,
            lacks: None,
        }
    }

    #[test]
    fn inside_one_is_root_and_results_and_errors_come_back_whole() {
        let uid = run_inside(&single(), || Ok(rustix::process::getuid().as_raw()));
        assert_eq!(uid.expect("done"), 0);
        let long = run_inside(&single(), || Ok("x".repeat(300_000)));
        assert_eq!(long.expect("done").len(), 300_000);
        let error = run_inside::<()>(&single(), || Err(Error::new("no").hint("do")))
            .expect_err("it is one");
        assert_eq!(
            (error.to_string().as_str(), error.hints()),
            ("no", ["do".to_owned()].as_slice())
        );
    }
}
