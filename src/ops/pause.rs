//! `pause` and `unpause`: all processes of a container stop, and go on.
//!
//! ```text
//! 1. SIGSTOP to its first process, from outside: inside nobody can stop that one
//! 2. SIGSTOP to the others, children after their parents have stopped, and for
//!    `unpause` SIGCONT to children first: a shell that watches its jobs is not to see
//!    that they stopped
//! 3. kill(-1, SIGSTOP) by a child inside its process namespace: the kernel goes
//!    through all of them at once, also those that are just being forked
//! 4. a look at them until all have stopped
//! ```
//!
//! A container has no control group of its own, so there is no freezer. The
//! difference shows where a job control had stopped something before: it goes on
//! with the rest.
//!
//! Lives here: those steps, their undo, and the mark that says so.
//! Must not: write the container's state, which is its monitor's.
//! Called by: `cli`, `ops::{commit, exec, kill, rm}`.
//! Always true: the mark is there before the first process stops, and goes after
//! the last one goes on: `unpause` mends whatever a killed `pause` has left.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use crate::error::{Context, Error, Kind, Result};
use crate::ops::{Session, attach, kill, state};
use crate::runtime::exec;
use crate::spec::container::{ProcessId, Record, State, Status};
use crate::sys::process;

/// Stops all processes of a container.
pub fn pause(session: &Session, name: &str) -> Result<()> {
    let what = || format!("cannot pause container \"{name}\"");
    let id = session.store.find_container(name).what(what)?;
    let record = session.store.load_record(&id).what(what)?;
    let _lock = session.store.lock_container(&id).what(what)?;
    let present = state::load(&session.host, &session.store, &id).what(what)?;
    if present.paused {
        return Err(Error::of(Kind::Conflict, "it is paused already").what(what()));
    }
    stop(session, &record, &present).what(what)
}

/// Lets all processes of a container go on.
pub fn unpause(session: &Session, name: &str) -> Result<()> {
    let what = || format!("cannot unpause container \"{name}\"");
    let id = session.store.find_container(name).what(what)?;
    let record = session.store.load_record(&id).what(what)?;
    let _lock = session.store.lock_container(&id).what(what)?;
    let present = state::load(&session.host, &session.store, &id).what(what)?;
    if !present.paused {
        return Err(Error::of(Kind::Conflict, "it is not paused").what(what()));
    }
    go_on(session, &record, &present).what(what)
}

/// The error of a verb that a paused container cannot serve.
pub fn is_paused(record: &Record) -> Error {
    Error::of(Kind::Conflict, "it is paused")
        .hint(format!("let it go on with `rpod unpause {}`", record.name))
}

/// Stops the processes of a container that runs, and marks it.
pub fn stop(session: &Session, record: &Record, present: &State) -> Result<()> {
    let init = match present.init {
        Some(init) if present.status == Status::Running => init,
        _ => return Err(attach::not_running(record, present)),
    };
    if record.namespaces.host_pid {
        return Err(Error::of(
            Kind::Conflict,
            "its processes are among those of the machine (--pid host), and nobody can tell which are its own",
        ));
    }
    session.store.mark_paused(&record.id, Some(init))?;
    let stopped = kill::send(present, SIGSTOP).and_then(|()| {
        let end = Instant::now() + PATIENCE;
        settle(&[init.pid], end);
        for level in descendants(init) {
            each(&level, SIGSTOP);
            settle(&level, end);
        }
        signal_all(init, SIGSTOP)
    });
    if let Err(error) = stopped {
        return Err(match go_on(session, record, present) {
            Err(also) => error.also(also),
            Ok(()) => error,
        });
    }
    let all: Vec<i32> = descendants(init).concat();
    settle(&all, Instant::now() + PATIENCE);
    Ok(())
}

/// Lets the processes of a container go on, and takes its mark away.
pub fn go_on(session: &Session, record: &Record, present: &State) -> Result<()> {
    if let Some(init) = present.init {
        for level in descendants(init).iter().rev() {
            each(level, SIGCONT);
        }
        signal_all(init, SIGCONT)?;
        kill::send(present, SIGCONT)?;
    }
    session.store.mark_paused(&record.id, None)
}

/// Sends a signal to all processes of a container but its first.
fn signal_all(init: ProcessId, number: i32) -> Result<()> {
    exec::run_joined(init, || {
        // Only a child is in the process namespace that was joined (setns(2)).
        let pid = process::fork(|| match process::kill(-1, number) {
            Err(error) if error.raw_os_error() != Some(NO_PROCESS) => 1,
            _ => 0,
        })
        .what(|| "cannot start a process")?;
        match process::wait(pid, true)? {
            Some(process::Exit::Code(0)) => Ok(()),
            _ => Err(Error::new("cannot send signals to its processes")),
        }
    })
}

/// Waits a moment until processes have stopped: a signal reaches one that runs on
/// another processor a little later, and one that waits for a disk when that answers.
fn settle(pids: &[i32], end: Instant) {
    let has_stopped =
        |pid: &i32| seen(*pid).is_none_or(|one| matches!(one.state, 'T' | 't' | 'Z' | 'X'));
    while !pids.iter().all(has_stopped) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Sends a signal to processes in their order; one that has gone needs none, and one
/// that is missed gets it with all the others.
fn each(order: &[i32], number: i32) {
    for pid in order {
        drop(process::kill(*pid, number));
    }
}

/// Returns the processes of a container but its first, as far as they can be seen from
/// outside: parents, then their children, and so on.
fn descendants(init: ProcessId) -> Vec<Vec<i32>> {
    let namespace = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let own = namespace(init.pid);
    let all = processes();
    let entered: BTreeSet<i32> = all
        .iter()
        .map(|one| one.pid)
        .filter(|pid| own.is_some() && namespace(*pid) == own)
        .collect();
    // The programs of `exec` have their parents outside.
    let mut level: Vec<i32> = all
        .iter()
        .filter(|one| entered.contains(&one.pid) && !entered.contains(&one.parent))
        .map(|one| one.pid)
        .chain([init.pid])
        .collect();
    let mut known = BTreeSet::new();
    let mut levels = Vec::new();
    while !level.is_empty() {
        known.extend(level.iter().copied());
        let below = all
            .iter()
            .filter(|one| level.contains(&one.parent) && !known.contains(&one.pid))
            .map(|one| one.pid)
            .collect();
        level.retain(|pid| *pid != init.pid);
        levels.push(std::mem::replace(&mut level, below));
    }
    levels
}

struct Seen {
    pid: i32,
    parent: i32,
    state: char,
}

/// Returns all processes of the machine, by proc_pid_stat(5).
fn processes() -> Vec<Seen> {
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(number)
        .filter_map(seen)
        .collect()
}

fn seen(pid: i32) -> Option<Seen> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some(Seen {
        pid,
        state: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
    })
}

/// How long a pause waits for processes to stop before it goes on.
const PATIENCE: Duration = Duration::from_secs(1);

const SIGSTOP: i32 = 19;
const SIGCONT: i32 = 18;
const NO_PROCESS: i32 = rustix::io::Errno::SRCH.raw_os_error();
