//! The small init of `--init`: PID 1 inside, which reaps and passes signals on.
//!
//! Lives here: its loop.
//! Must not: do anything else; it stays as long as the container.
//! Called by: `role::init`.
//! Always true: it ends with the status of the program, when that ends.

use std::io;

use rustix::event::{PollFd, PollFlags, poll};

use crate::sys::process::{self, Exit};
use crate::sys::signal::Signals;

/// Waits for `child`, passing on to it every signal that reaches us.
pub fn reap(child: i32, signals: &Signals) -> io::Result<u8> {
    const SIGCHLD: i32 = 17;
    loop {
        loop {
            match process::wait_any(-1, false) {
                Ok(Some((pid, exit))) if pid == child => return Ok(status(exit)),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => return Err(error),
            }
        }
        match poll(&mut [PollFd::new(signals, PollFlags::IN)], None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        while let Some(number) = signals.next()? {
            if number != SIGCHLD {
                drop(process::kill(child, number));
            }
        }
    }
}

fn status(exit: Exit) -> u8 {
    u8::try_from(exit.status()).unwrap_or(255)
}
