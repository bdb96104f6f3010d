//! `kill`: send a signal to a container's program.
//!
//! Lives here: that verb, and the mark that says a person ended a container.
//! Must not: wait for the end (`stop` does).
//! Called by: `cli`, `ops::{stop, rm}`.
//! Always true: the process that gets the signal is the container's: its number
//! is held by a pidfd before its beginning is compared.

use std::fs;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::error::{Context, Error, Kind, Result};
use crate::ops::{Session, attach, pause, state};
use crate::spec::container::{ProcessId, Record, State, Status};
use crate::sys::{process, signal};

/// Sends a signal, by name (`TERM`, `SIGTERM`) or number.
pub fn kill(session: &Session, name: &str, signal: &str) -> Result<()> {
    let what = || format!("cannot kill container \"{name}\"");
    let number = signal::number(signal).ok_or_else(|| {
        Error::of(Kind::Usage, format!("\"{signal}\" is no signal"))
            .what(what())
            .hint("`kill -l` lists the signals there are")
    })?;
    let id = session.store.find_container(name).what(what)?;
    let record = session.store.load_record(&id).what(what)?;
    let state = state::load(&session.host, &session.store, &id).what(what)?;
    if !matches!(state.status, Status::Running | Status::Restarting) {
        return Err(attach::not_running(&record, &state)).what(what);
    }
    // A person who ends it does not want it back, whatever its restart policy.
    let ends = number == 9 || Some(number) == signal::number(&record.stop_signal);
    if state.init.is_none() && !ends {
        // Its monitor has no program to pass a signal on to, and would take it for the end.
        let why = "it is not running: it waits to be started again";
        return Err(Error::of(Kind::Conflict, why).what(what()));
    }
    if ends {
        mark_stopped(session, &record).what(what)?;
    }
    send(&state, number).what(what)?;
    // A signal that asks it to end is to be seen by it; others wait until it goes on,
    // and SIGKILL needs nobody to see it.
    if state.paused && number != 9 && (ends || number == 15) {
        pause::go_on(session, &record, &state).what(what)?;
    }
    Ok(())
}

/// Says that a person stopped a container, for its monitor to find when it ends.
pub fn mark_stopped(session: &Session, record: &Record) -> Result<()> {
    let path = session.store.container_path(&record.id).join("stop");
    fs::write(&path, "").what(|| format!("cannot write \"{}\"", path.display()))
}

/// Sends a signal to a container's first process; one that waits to be started
/// again has none, and its monitor gets it.
pub fn send(state: &State, number: i32) -> Result<()> {
    let (target, number) = match (state.init, state.monitor) {
        (Some(init), _) => (init, number),
        // Between two runs the monitor is asked to start no other, never killed: it
        // may just have.
        (None, Some(monitor)) => (monitor, 15),
        (None, None) => return Ok(()),
    };
    match send_to(target, number) {
        // It ended meanwhile, which is what most signals ask for.
        Err(rustix::io::Errno::SRCH) => Ok(()),
        done => done.what(|| format!("cannot send {}", signal::name(number))),
    }
}

fn send_to(target: ProcessId, number: i32) -> Result<(), rustix::io::Errno> {
    let pid = Pid::from_raw(target.pid).ok_or(rustix::io::Errno::SRCH)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    if process::start_time(target.pid) != Some(target.started) {
        return Err(rustix::io::Errno::SRCH);
    }
    match Signal::from_named_raw(number) {
        Some(signal) => pidfd_send_signal(&pidfd, signal),
        // Real-time signals have no name there.
        None => process::kill(target.pid, number)
            .map_err(|e| rustix::io::Errno::from_io_error(&e).unwrap_or(rustix::io::Errno::SRCH)),
    }
}
