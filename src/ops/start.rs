//! `start`: a container that is not running begins again, with its files as they were.
//!
//! Lives here: that verb.
//! Must not: change what was asked of the container.
//! Called by: `cli`, `ops::restart`.
//! Always true: a container that runs is left alone.

use crate::error::{Context, Kind, Result};
use crate::ops::{Session, attach, launch, pause, relay, run, state};
use crate::process::frames::Hello;
use crate::spec::container::Status;
use crate::spec::id::ContainerId;

/// How `start` stands to its container.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `-a`: show its output until it ends.
    pub attach: bool,
    /// `-i`: give it our input.
    pub interactive: bool,
    /// `--sig-proxy`.
    pub sig_proxy: bool,
    /// `--detach-keys`.
    pub detach_keys: Option<String>,
}

/// Starts a container; with `attach`, returns its exit status once it ended.
/// One that runs already is left alone.
pub fn start(session: &Session, name: &str, options: &Options) -> Result<Option<i32>> {
    let what = || format!("cannot start container \"{name}\"");
    let id = session.store.find_container(name).what(what)?;
    let record = session.store.load_record(&id).what(what)?;
    let present = state::load(&session.host, &session.store, &id).what(what)?;
    let attached = options.attach || options.interactive;
    if present.paused {
        return Err(pause::is_paused(&record)).what(what);
    }
    if matches!(present.status, Status::Running | Status::Restarting) {
        if !attached {
            return Ok(None);
        }
        return attach::attach(
            session,
            name,
            &attach::Options {
                no_stdin: !options.interactive,
                sig_proxy: options.sig_proxy,
                detach_keys: options.detach_keys.clone(),
            },
        );
    }
    if !attached {
        return match launch::launch(session, &record, None) {
            // Somebody else was first.
            Err(error) if error.kind() == Kind::Conflict && is_running(session, &id) => Ok(None),
            started => started.map(|()| None).what(what),
        };
    }
    let input = options.interactive && record.interactive;
    let (ours, theirs) = run::socket_pair()?;
    let hello = Hello {
        stdout: true,
        stderr: true,
        input,
        once: input,
    };
    launch::launch(session, &record, Some((theirs, hello))).what(what)?;
    let end = relay::relay(
        ours,
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

fn is_running(session: &Session, id: &ContainerId) -> bool {
    state::load(&session.host, &session.store, id)
        .is_ok_and(|state| matches!(state.status, Status::Running | Status::Restarting))
}
