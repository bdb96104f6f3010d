//! The truth about a container: what was written, held against the kernel.
//!
//! Lives here: reading a state and correcting what cannot be true any more.
//! Must not: write a state: its monitor does, and whoever holds the container's
//! lock while it has no monitor; readers take none.
//! Called by: every verb that asks what a container is doing.
//! Always true: a container that is said to run has a process that lives.

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
    let same_boot = state.boot == host.boot;
    let live = |process: Option<ProcessId>| {
        same_boot
            && process.is_some_and(|p| crate::sys::process::start_time(p.pid) == Some(p.started))
    };
    // Its monitor was killed while it was being started.
    if matches!(state.status, Status::Created | Status::Exited) && live(state.init) {
        state.status = Status::Running;
        return;
    }
    let believed = matches!(state.status, Status::Running | Status::Restarting);
    if !believed || live(state.init) || live(state.monitor) {
        return;
    }
    state.status = Status::Exited;
    state.paused = false;
    state.exit_code.get_or_insert(255);
    state.error.get_or_insert_with(|| {
        if same_boot {
            "its monitor was killed, so nobody saw how it ended".to_owned()
        } else {
            "it ran when the machine went down".to_owned()
        }
    });
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::correct;
    use crate::host::Host;
    use crate::spec::container::{ProcessId, State, Status};

    fn host() -> Host {
        Host {
            uid: 1000,
            gid: 1000,
            user: None,
            home: PathBuf::from("/"),
            data: PathBuf::from("/"),
            runtime: PathBuf::from("/"),
            config: PathBuf::from("/"),
            boot: "this".to_owned(),
        }
    }

    fn running(boot: &str, pid: i32, started: u64) -> State {
        let mut state = State::created(boot);
        state.status = Status::Running;
        state.init = Some(ProcessId { pid, started });
        correct(&host(), &mut state);
        state
    }

    #[test]
    fn only_a_process_of_this_boot_with_its_own_beginning_runs() {
        let me = i32::try_from(std::process::id()).expect("a pid");
        let began = crate::sys::process::start_time(me).expect("we live");
        assert_eq!(running("this", me, began).status, Status::Running);
        assert_eq!(running("this", me, began + 1).status, Status::Exited);
        let other_boot = running("other", me, began);
        assert_eq!(other_boot.status, Status::Exited);
        assert_eq!(other_boot.exit_code, Some(255));
        assert!(
            other_boot
                .error
                .is_some_and(|e| e.contains("machine went down"))
        );
    }
}
