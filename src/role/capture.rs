//! The capture process: `--network-capture`.
//!
//! The order of its start, each step with the reason for its place:
//! 1. Its name, so that `ps` tells it from the start.
//! 2. The container's network namespace.
//! 3. The socket that sees its packets.
//! 4. A word to the monitor, which lets the program run only then.
//! 5. Writing, until the container has gone.
//!
//! Lives here: that order.
//! Must not: know the file's form (`dataplane::capture`).
//! Called by: `role::monitor`, in a process with one thread that has all
//! capabilities over the container's network namespace.
//! Always true: it ends when the other end of its control pipe is closed.

use crate::dataplane::capture::{self, CaptureJob};
use crate::sys::{memory, net, packet};

/// Does the job and returns the exit status of the process.
pub fn main(job: CaptureJob) -> u8 {
    drop(net::set_name(c"rpod-capture"));
    if net::enter_network(&job.network).is_err() {
        return 1;
    }
    let Ok(socket) = packet::open() else {
        return 1;
    };
    rustix::io::write(&job.ready, b".").ok();
    drop(job.ready);
    memory::slim_down();
    u8::from(capture::write(job.file, &socket, &job.control).is_err())
}
