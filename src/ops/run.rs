//! `run`: create, start and, in the foreground, stay until it ends.
//!
//! The tour of the house:
//!
//! 1. `create`: the image, the record, the container's directory and name
//! 2. a socket pair, when somebody is to see the program's first byte
//! 3. `launch`: the network, the ports, the monitor, and the program
//! 4. `relay`: bytes and signals, until the program ends or we are told to leave
//!
//! Lives here: that order, and what is undone when the program cannot run.
//! Must not: do any step's work.
//! Called by: `cli`.
//! Always true: a container that goes when it ends is gone when this returns.

use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::error::{Context, Kind, Result};
use crate::ops::{Session, create, launch, relay, rm};
use crate::process::frames::Hello;
use crate::process::laps;
use crate::spec::container::{Record, Request};
use crate::spec::id::ContainerId;

/// How `run` stands to its container.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `-d`: leave at once.
    pub detach: bool,
    /// `-a`: streams to attach (stdin, stdout, stderr); empty means the default.
    pub attach: Vec<String>,
    /// `--sig-proxy`: signals that reach us are the program's.
    pub sig_proxy: bool,
    /// `--detach-keys`; none means ctrl-p,ctrl-q.
    pub detach_keys: Option<String>,
}

/// What became of a `run`.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It runs in the background; its id is to be printed.
    Detached(ContainerId),
    /// It ran to its end in the foreground.
    Exited(i32),
}

/// Runs a new container.
pub fn run(session: &Session, request: Request, options: Options) -> Result<Outcome> {
    laps::lap("arguments and store");
    let record = create::record(session, request)?;
    laps::lap("container on disk");
    if options.detach {
        launch_or_remove(session, &record, None)?;
        return Ok(Outcome::Detached(record.id));
    }
    let wants = |name: &str| {
        options
            .attach
            .iter()
            .any(|stream| stream.eq_ignore_ascii_case(name))
    };
    let input = record.interactive && (options.attach.is_empty() || wants("stdin"));
    let (ours, theirs) = socket_pair()?;
    let hello = Hello {
        stdout: options.attach.is_empty() || wants("stdout"),
        stderr: options.attach.is_empty() || wants("stderr"),
        input,
        once: input,
    };
    launch_or_remove(session, &record, Some((theirs, hello)))?;
    let end = relay::relay(
        ours,
        &relay::Options {
            input,
            tty: record.tty,
            // As docker: on a terminal the program has it, keys are its signals.
            sig_proxy: options.sig_proxy && !record.tty,
            owns: true,
            detach_keys: options.detach_keys,
        },
    )
    .what(|| format!("container \"{}\"", record.name))?;
    Ok(match end {
        relay::End::Exited(status) => Outcome::Exited(status),
        relay::End::Detached => Outcome::Detached(record.id),
    })
}

fn launch_or_remove(
    session: &Session,
    record: &Record,
    client: Option<(OwnedFd, Hello)>,
) -> Result<()> {
    let launched = launch::launch(session, record, client);
    // docker keeps a container whose program could not be run, to be looked at; one
    // that stands in the way of another is an error before anything is made.
    let in_the_way = launched
        .as_ref()
        .is_err_and(|error| error.kind() == Kind::Conflict);
    if in_the_way || (launched.is_err() && record.remove) {
        let options = rm::Options {
            force: true,
            volumes: true,
        };
        drop(rm::remove(session, record.id.as_str(), options));
    }
    launched.what(|| format!("cannot start container \"{}\"", record.name))
}

/// Both ends of a stream between us and a monitor.
pub fn socket_pair() -> Result<(OwnedFd, OwnedFd)> {
    socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .what(|| "cannot make a socket pair")
}
