//! Sockets that whoever started us had opened already (sd_listen_fds(3)).
//!
//! `LISTEN_PID` says whom they are for and `LISTEN_FDS` how many there are, from
//! descriptor 3 on. systemd does so for a `.socket` unit: its ports below 1024
//! need no right of ours.
//!
//! Lives here: taking them over.
//! Must not: know which port each of them is.
//! Called by: `ops::launch`.
//! Always true: what another process was meant to have is left alone.

use std::os::fd::OwnedFd;

use crate::error::{Context, Result};
use crate::sys::process;

/// The first descriptor that is passed.
const FIRST: i32 = 3;

/// More than a service has; a number out of a mad environment opens no loop.
const MOST: i32 = 1024;

/// Takes over the sockets that were passed to this process. To be called once.
///
/// # Errors
/// When one of the descriptors that are told is not there.
pub fn take() -> Result<Vec<OwnedFd>> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<i32>().ok();
    let count = told(
        number("LISTEN_PID"),
        number("LISTEN_FDS"),
        std::process::id(),
    );
    (FIRST..FIRST + count)
        .map(|fd| {
            process::inherited(fd).what(|| {
                format!("cannot use descriptor {fd}, which LISTEN_FDS says was passed to us")
            })
        })
        .collect()
}

/// How many are ours.
fn told(whom: Option<i32>, count: Option<i32>, us: u32) -> i32 {
    match (whom, count) {
        (Some(whom), Some(count)) if u32::try_from(whom) == Ok(us) => count.clamp(0, MOST),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn only_what_is_meant_for_us_is_taken() {
        assert_eq!(told(Some(7), Some(2), 7), 2);
        assert_eq!(told(Some(8), Some(2), 7), 0);
        assert_eq!(told(Some(-7), Some(2), 7), 0);
        assert_eq!(told(None, Some(2), 7), 0);
        assert_eq!(told(Some(7), None, 7), 0);
        assert_eq!(told(Some(7), Some(-3), 7), 0);
        assert_eq!(told(Some(7), Some(i32::MAX), 7), 1024);
    }
}
