//! Signals: signal(7), signalfd(2).
//!
//! Lives here: blocking, reading, resetting and naming signals.
//! Must not: decide which signal does what.
//! Called by: `monitor`, `ops`, `role`, `runtime`.
//! Always true: rpod installs no handler; a signal is blocked and read, or has
//! its default effect.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// A descriptor that signals are read from.
pub struct Signals(SignalFd);

impl Signals {
    /// Blocks signals, by number, and reads them from here on. `all` of an empty
    /// list is every signal that can be blocked.
    pub fn block(numbers: &[i32]) -> io::Result<Self> {
        let mut set = SigSet::empty();
        if numbers.is_empty() {
            set = SigSet::all();
        }
        for number in numbers {
            set.add(Signal::try_from(*number)?);
        }
        set.thread_block()?;
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self(fd))
    }

    /// Returns the next signal's number, if one is waiting.
    pub fn next(&self) -> io::Result<Option<i32>> {
        Ok(self
            .0
            .read_signal()?
            .and_then(|info| i32::try_from(info.ssi_signo).ok()))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Unblocks every signal and gives each its default effect, as a program expects to find them.
pub fn reset() -> io::Result<()> {
    for signal in Signal::iterator() {
        if matches!(signal, Signal::SIGKILL | Signal::SIGSTOP) {
            continue;
        }
        // SAFETY: the default action is no function of ours.
        unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) }?;
    }
    nix::sys::signal::sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    Ok(())
}

/// Returns the number of a signal by name, with or without `SIG`, or by number; real-time ones as `RTMIN+1`.
pub fn number(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse::<i32>() {
        return (1..=64).contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(rest) = name.strip_prefix("RTMIN") {
        let offset: i32 = if rest.is_empty() {
            0
        } else {
            rest.strip_prefix('+')?.parse().ok()?
        };
        return (0..=30).contains(&offset).then_some(34 + offset);
    }
    if let Some(rest) = name.strip_prefix("RTMAX") {
        let offset: i32 = if rest.is_empty() {
            0
        } else {
            rest.strip_prefix('-')?.parse().ok()?
        };
        return (0..=30).contains(&offset).then_some(64 - offset);
    }
    let name = match name {
        "IOT" => "ABRT",
        "CLD" => "CHLD",
        "POLL" => "IO",
        other => other,
    };
    format!("SIG{name}")
        .parse::<Signal>()
        .ok()
        .map(|s| s as i32)
}

/// Returns a signal's name, `SIGTERM`.
pub fn name(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |s| s.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn signals_by_name_and_number() {
        for (text, number) in [
            ("TERM", 15),
            ("SIGKILL", 9),
            ("9", 9),
            ("hup", 1),
            ("RTMIN+3", 37),
            ("SIGRTMAX", 64),
        ] {
            assert_eq!(super::number(text), Some(number), "{text}");
        }
        assert_eq!(super::number("NOPE"), None);
        assert_eq!(super::number("65"), None);
        assert_eq!(super::name(15), "SIGTERM");
    }
}
