//! `attach`: our terminal becomes a running container's.
//!
//! Lives here: that verb, and the way to a container's monitor.
//! Must not: move bytes (`relay`).
//! Called by: `cli`, `ops::{start, wait}`.
//! Always true: what the container wrote before is not shown again (`logs` does).

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use crate::error::{Context, Error, Kind as ErrorKind, Result};
use crate::ops::{Session, pause, relay, state};
use crate::process::frames::{self, Hello, Kind};
use crate::spec::container::{Record, State, Status};
use crate::spec::duration::human;
use crate::spec::id::ContainerId;
use crate::store::Store;

/// How `attach` stands to its container.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--no-stdin`.
    pub no_stdin: bool,
    /// `--sig-proxy`.
    pub sig_proxy: bool,
    /// `--detach-keys`.
    pub detach_keys: Option<String>,
}

/// Attaches until the container ends (its exit status) or the detach keys are typed (none).
pub fn attach(session: &Session, name: &str, options: &Options) -> Result<Option<i32>> {
    let what = || format!("cannot attach to container \"{name}\"");
    let id = session.store.find_container(name).what(what)?;
    let record = session.store.load_record(&id).what(what)?;
    let present = state::load(&session.host, &session.store, &id).what(what)?;
    if !matches!(present.status, Status::Running | Status::Restarting) {
        return Err(not_running(&record, &present)).what(what);
    }
    if present.paused {
        return Err(pause::is_paused(&record)).what(what);
    }
    let input = record.interactive && !options.no_stdin;
    let hello = Hello {
        stdout: true,
        stderr: true,
        input,
        once: false,
    };
    let socket = connect(session, &record, hello).what(what)?;
    let end = relay::relay(
        socket,
        &relay::Options {
            input,
            tty: record.tty,
            // As docker: on a terminal the program has it, keys are its signals.
            sig_proxy: options.sig_proxy && !record.tty,
            owns: false,
            detach_keys: options.detach_keys.clone(),
        },
    )?;
    Ok(end.status())
}

/// Says whether a container has a monitor that lives.
pub fn is_answered(store: &Store, id: &ContainerId) -> bool {
    reach(store, id).is_ok()
}

/// A path to a socket may have 107 bytes alone, so it begins at an open directory.
fn reach(store: &Store, id: &ContainerId) -> io::Result<UnixStream> {
    let directory = File::open(store.container_path(id))?;
    UnixStream::connect(format!("/proc/self/fd/{}/attach", directory.as_raw_fd()))
}

/// Connects to a container's monitor and says what we want of it.
pub fn connect(session: &Session, record: &Record, hello: Hello) -> Result<OwnedFd> {
    let mut socket = reach(&session.store, &record.id).map_err(|error| {
        Error::from(error)
            .what("its monitor does not answer")
            .hint(format!("`rpod restart {}` gives it a new one", record.name))
    })?;
    let mut bytes = Vec::new();
    frames::write(&mut bytes, Kind::Hello, &serde_json::to_vec(&hello)?);
    io::Write::write_all(&mut socket, &bytes)?;
    Ok(socket.into())
}

/// The error of a verb that needs a running container.
pub fn not_running(record: &Record, state: &State) -> Error {
    let name = &record.name;
    let why = match (state.status, state.exit_code, state.finished) {
        (Status::Created, ..) => "it is not running (it was never started)".to_owned(),
        (_, Some(code), Some(time)) => {
            format!(
                "it is not running (exited with status {code}, {} ago)",
                human(time.age()).to_lowercase()
            )
        }
        _ => "it is not running".to_owned(),
    };
    let error = Error::of(ErrorKind::Conflict, why);
    if state.status == Status::Created {
        error.hint(format!("start it with `rpod start {name}`"))
    } else {
        error.hint(format!(
            "start it with `rpod start {name}`, or read why it stopped with `rpod logs {name}`"
        ))
    }
}
