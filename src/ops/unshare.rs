//! `unshare`: a program in the user's own namespace, where files of subordinate ids
//! are its own and images can be mounted.
//!
//! ```text
//! parent                         child
//!   fork ─────────────────────────▶ unshare, mapped (process::userns)
//!   waits for why it cannot ◀────── a mount namespace; execve
//!   waits for its end
//! ```
//!
//! Lives here: that child, and what its parent does with signals meanwhile.
//! Must not: change the program's environment.
//! Called by: `cli`.
//! Always true: keys at a terminal reach the program by themselves; what ends the
//! parent alone is passed on.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, poll};

use crate::error::{Context, Error, Kind, Result};
use crate::ops::Session;
use crate::process::identity::Identity;
use crate::process::userns::{self, Entry};
use crate::sys::signal::Signals;
use crate::sys::{namespace, process, signal};

/// Runs a program there; none is the user's shell. Returns its exit status.
pub fn unshare(session: &Session, command: &[String]) -> Result<i32> {
    let shell = std::env::var("SHELL").ok().filter(|s| !s.is_empty());
    let words = match command {
        [] => vec![shell.unwrap_or_else(|| "/bin/sh".to_owned())],
        words => words.to_vec(),
    };
    let what = || format!("cannot run \"{}\"", words[0]);
    let program = find(&words[0]).what(what)?;
    let identity = Identity::of(&session.host)?;
    let env: Vec<String> = std::env::vars().map(|(k, v)| format!("{k}={v}")).collect();
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    // Before the fork: a child that ends at once is not missed.
    let signals = Signals::block(&[SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGCHLD])?;
    let child = userns::launch(&identity, |channel| {
        let error = become_program(channel, &program, &words, &env);
        let bytes = serde_json::to_vec(&error).unwrap_or_default();
        drop(File::from(writer).write_all(&bytes));
        1
    })?;
    let mut said = Vec::new();
    File::from(reader).read_to_end(&mut said)?;
    if !said.is_empty() {
        drop(process::wait(child.pid, true));
        let error: Error = serde_json::from_slice(&said)?;
        return Err(error).what(what);
    }
    wait(child.pid, &signals)
}

/// Enters the namespaces and becomes the program; returns why not.
fn become_program(
    channel: crate::process::channel::Channel,
    program: &Path,
    words: &[String],
    env: &[String],
) -> Error {
    let inside = || -> Result<()> {
        drop(Entry::unshare(channel)?.mapped()?);
        namespace::unshare(namespace::MOUNT).what(|| "cannot make a mount namespace")?;
        Ok(signal::reset()?)
    };
    match inside() {
        Err(error) => error,
        Ok(()) => Error::from(process::execute(program.as_os_str(), words, env))
            .kind_of(Kind::CannotInvoke),
    }
}

fn wait(pid: i32, signals: &Signals) -> Result<i32> {
    loop {
        if let Some(exit) = process::wait(pid, false)? {
            return Ok(exit.status());
        }
        while let Some(number) = signals.next()? {
            if matches!(number, SIGHUP | SIGTERM) {
                drop(process::kill(pid, number));
            }
        }
        match poll(&mut [PollFd::new(signals, PollFlags::IN)], None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Looks a program up as a shell would.
fn find(name: &str) -> Result<PathBuf> {
    let missing = || Error::of(Kind::CommandNotFound, "there is no such program");
    if name.contains('/') {
        let path = PathBuf::from(name);
        return if path.exists() {
            Ok(path)
        } else {
            Err(missing())
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin"));
    std::env::split_paths(&path)
        .filter(|directory| !directory.as_os_str().as_bytes().is_empty())
        .map(|directory| directory.join(name))
        .find(|file| {
            file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
        })
        .ok_or_else(missing)
}

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGQUIT: i32 = 3;
const SIGTERM: i32 = 15;
const SIGCHLD: i32 = 17;
