//! The truth about a container: what was written, held against the kernel.
use crate::error::Result;
use crate::host::Host;
use crate::spec::container::{ProcessId, State, Status};
use crate::spec::id::ContainerId;
use crate::store::Store;

/// Reads a container's state and corrects what cannot be true any more: after another
/// boot nothing runs, and a container whose processes are gone has ended.
pub fn load(host: &Host, store: &Store, id: &ContainerId) -> Result<State> {
    let mut state = store.load_state(id)?;
    correct(host, &mut state);
    Ok(state)
}

/// Corrects a state that was read.
pub fn correct(host: &Host, state: &mut State) {
    let live = |process: Option<ProcessId>| {
        state.boot == host.boot
            && process.is_some_and(|p| crate::sys::process::start_time(p.pid) == Some(p.started))
    };
    let believed = matches!(state.status, Status::Running | Status::Restarting);
    if !believed || live(state.init) || live(state.monitor) {
        return;
    }
    state.status = Status::Exited;
    state.exit_code.get_or_insert(255);
    state
        .error
        .get_or_insert_with(|| "its monitor was killed, so nobody saw how it ended".to_owned());
}
