//! Waiting for signals instead of being interrupted by them (sigwait(3), pthread_sigmask(3)).
//!
//! Lives here: blocking a set of signals and waiting for one of them.
//! Must not: know what a signal means to whoever waits.
//! Called by: `role`.
//! Always true: signals are blocked before the first thread starts, so that none has them open.

use std::io;

use nix::sys::signal::{SigSet, Signal};

/// Signals that somebody waits for.
pub struct Waiting(SigSet);

impl Waiting {
    /// Blocks SIGTERM, SIGINT and SIGQUIT in this thread and in those that it starts.
    pub fn for_the_end() -> io::Result<Self> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT] {
            set.add(signal);
        }
        set.thread_block()?;
        Ok(Self(set))
    }

    /// Waits for one of them and returns its number.
    pub fn wait(&self) -> io::Result<i32> {
        Ok(self.0.wait()? as i32)
    }
}
