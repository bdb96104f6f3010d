//! `stop`: ask a container to end, and make it end when it does not.
//!
//! Lives here: that verb, and waiting for a container's monitor.
//! Must not: remove anything.
//! Called by: `cli`, `ops::{restart, rm}`.
//! Always true: when it returns, the container's state says how it ended.

use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::error::{Context, Error, Kind, Result};
use crate::ops::{Session, kill, pause, state};
use crate::spec::container::{ProcessId, State, Status};
use crate::sys::{process, signal};

/// After SIGKILL only the kernel can keep a process.
const AFTER_KILL: Duration = Duration::from_secs(10);

/// Stops a container. `grace` of none is its own; `signal` of none is its own.
/// One that is not running is left alone.
pub fn stop(
    session: &Session,
    name: &str,
    grace: Option<Duration>,
    signal: Option<&str>,
) -> Result<()> {
    let what = || format!("cannot stop container \"{name}\"");
    let id = session.store.find_container(name).what(what)?;
    let record = session.store.load_record(&id).what(what)?;
    let state = state::load(&session.host, &session.store, &id).what(what)?;
    if !matches!(state.status, Status::Running | Status::Restarting) {
        return Ok(());
    }
    let asked = signal.unwrap_or(&record.stop_signal);
    let number = signal::number(asked)
        .ok_or_else(|| Error::of(Kind::Usage, format!("\"{asked}\" is no signal")).what(what()))?;
    kill::mark_stopped(session, &record).what(what)?;
    kill::send(&state, number).what(what)?;
    if state.paused {
        pause::go_on(session, &record, &state).what(what)?;
    }
    let grace = grace.unwrap_or(Duration::from_secs(record.stop_timeout));
    if wait_for_end(&state, Some(grace)) {
        return Ok(());
    }
    // As it is now: it may have been started again meanwhile.
    let state = state::load(&session.host, &session.store, &id).what(what)?;
    kill::send(&state, 9).what(what)?;
    if wait_for_end(&state, Some(AFTER_KILL)) {
        return Ok(());
    }
    Err(Error::new("its first process does not end, though it was killed").what(what())
        .hint("the kernel keeps it, mostly waiting for a disk or a network file system: `ps -o pid,stat,wchan` shows where"))
}

/// Stops several containers side by side, so that their graces pass together;
/// results are in the order of the names.
pub fn stop_all(
    session: &Session,
    names: &[String],
    grace: Option<Duration>,
    signal: Option<&str>,
) -> Vec<Result<()>> {
    if let [name] = names {
        return vec![stop(session, name, grace, signal)];
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> = names
            .iter()
            .map(|name| scope.spawn(move || stop(session, name, grace, signal)))
            .collect();
        threads
            .into_iter()
            .map(|thread| {
                thread.join().unwrap_or_else(|_| {
                    Err(Error::internal("a thread that stops a container panicked"))
                })
            })
            .collect()
    })
}

/// Waits until a container's processes and its monitor have ended; false when time ran out.
pub fn wait_for_end(state: &State, limit: Option<Duration>) -> bool {
    let begun = std::time::Instant::now();
    [state.init, state.monitor]
        .into_iter()
        .flatten()
        .all(|target| {
            let left = limit.map(|limit| limit.saturating_sub(begun.elapsed()));
            wait_for(target, left)
        })
}

fn wait_for(target: ProcessId, limit: Option<Duration>) -> bool {
    let Some(pid) = Pid::from_raw(target.pid) else {
        return true;
    };
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
        return true;
    };
    if process::start_time(target.pid) != Some(target.started) {
        return true;
    }
    let limit = limit.map(|limit| Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    });
    loop {
        match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], limit.as_ref()) {
            Ok(0) => return false,
            Err(rustix::io::Errno::INTR) => {}
            _ => return true,
        }
    }
}
