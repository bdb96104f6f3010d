//! Waiting for many descriptors at once (epoll(7)).
//!
//! Lives here: [`Epoll`], and [`Eager`], for who takes part in conversations.
//! Must not: know what a token stands for.
//! Called by: `dataplane`.
//! Always true: an interrupted wait is a wait with no events.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};

pub use rustix::event::epoll::{Event, EventFlags as Interest};

/// A set of descriptors to wait for.
#[derive(Debug)]
pub struct Epoll(OwnedFd);

impl Epoll {
    /// Makes an empty set.
    pub fn new() -> io::Result<Self> {
        Ok(Self(epoll::create(epoll::CreateFlags::CLOEXEC)?))
    }

    /// Adds a descriptor; its events come with `token`.
    pub fn add(&self, fd: &impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(
            &self.0,
            fd,
            epoll::EventData::new_u64(token),
            interest,
        )?)
    }

    /// Asks anew: with `EPOLLET`, what is true now is told once more.
    pub fn modify(&self, fd: &impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(
            &self.0,
            fd,
            epoll::EventData::new_u64(token),
            interest,
        )?)
    }

    /// Takes a descriptor out; closing its last copy does so too.
    pub fn remove(&self, fd: &impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.0, fd)?)
    }

    /// Waits for events, at most so long; none waits without end.
    pub fn wait<'a>(
        &self,
        events: &'a mut [Event],
        timeout: Option<Duration>,
    ) -> io::Result<&'a [Event]> {
        let timeout = timeout.and_then(|t| Timespec::try_from(t).ok());
        match epoll::wait(&self.0, &mut *events, timeout.as_ref()) {
            Ok(count) => Ok(&events[..count]),
            Err(rustix::io::Errno::INTR) => Ok(&[]),
            Err(error) => Err(error.into()),
        }
    }
}

/// How long is asked before it is waited: less than a sleep and a wake-up take
/// together on a machine whose processors have nothing to do.
const ASK: Duration = Duration::from_micros(50);

/// How long a yielded processor may be away: longer, and somebody else had it.
const AWAY: Duration = Duration::from_micros(15);

/// How long nothing is asked for when somebody else wants the processor.
const MODEST: Duration = Duration::from_millis(100);

/// Waits of somebody between two ends that question and answer each other. While
/// the waits are shorter than a wake-up, it stays awake; the first long one ends
/// that, and so does whoever else wants the processor: who yields it to somebody busy
/// gets it back much later than who sleeps and is woken.
#[derive(Debug, Default)]
pub struct Eager {
    short: bool,
    modest: Option<Instant>,
}

impl Eager {
    /// As [`Epoll::wait`]; `little` says that there was little to do last time,
    /// which is how conversations look.
    pub fn wait<'a>(
        &mut self,
        epoll: &Epoll,
        events: &'a mut [Event],
        timeout: Option<Duration>,
        little: bool,
    ) -> io::Result<&'a [Event]> {
        if !little || timeout.is_some_and(|timeout| timeout.is_zero()) {
            self.short = false;
            return epoll.wait(events, timeout);
        }
        let begin = Instant::now();
        self.modest = self.modest.filter(|until| begin < *until);
        let mut asked = begin;
        while self.short && self.modest.is_none() && asked - begin < ASK {
            let count = epoll.wait(events, Some(Duration::ZERO))?.len();
            if count > 0 {
                return Ok(&events[..count]);
            }
            let before = Instant::now();
            std::thread::yield_now();
            asked = Instant::now();
            if asked - before > AWAY {
                self.modest = Some(asked + MODEST);
            }
        }
        let ready = epoll.wait(events, timeout)?;
        self.short = begin.elapsed() < ASK && !ready.is_empty();
        Ok(ready)
    }
}

/// Returns room for `count` events.
pub fn room(count: usize) -> Vec<Event> {
    vec![
        Event {
            flags: Interest::empty(),
            data: epoll::EventData::new_u64(0),
        };
        count
    ]
}
