//! `wait`: until a container ends.
//!
//! Lives here: that verb.
//! Must not: change anything.
//! Called by: `cli`.
//! Always true: the status is the one the monitor saw, also of a container that
//! goes when it ends.

use crate::error::{Context, Result};
use crate::ops::{Session, attach, state, stop};
use crate::process::frames::{Hello, Kind, Reader};
use crate::spec::container::Status;

/// Waits until a container is not running and returns its exit status.
pub fn wait(session: &Session, name: &str) -> Result<i32> {
    let what = || format!("cannot wait for container \"{name}\"");
    let id = session.store.find_container(name).what(what)?;
    let record = session.store.load_record(&id).what(what)?;
    let present = state::load(&session.host, &session.store, &id).what(what)?;
    if matches!(present.status, Status::Running | Status::Restarting) {
        // The monitor tells it, also of a container whose record goes with it.
        if let Ok(socket) = attach::connect(session, &record, Hello::default())
            && let Some(status) = hear_exit(socket)
        {
            return Ok(status);
        }
        stop::wait_for_end(&present, None);
    }
    let last = state::load(&session.host, &session.store, &id).what(what)?;
    Ok(last.exit_code.unwrap_or_default())
}

fn hear_exit(socket: std::os::fd::OwnedFd) -> Option<i32> {
    let mut socket = std::fs::File::from(socket);
    let mut reader = Reader::default();
    let mut bytes = [0; 4096];
    loop {
        let count = std::io::Read::read(&mut socket, &mut bytes)
            .ok()
            .filter(|n| *n > 0)?;
        reader.feed(&bytes[..count]);
        while let Some((kind, payload)) = reader.next().ok()? {
            if kind == Kind::Exit {
                return Some(i32::from_le_bytes(payload.try_into().ok()?));
            }
        }
    }
}
