//! What a build says while it goes on.
//!
//! ```text
//! frame = kind 1 · node 4 · length 4 · payload        little-endian, at most 4,096 bytes
//! kind 0, 1: output of a program, standard output and standard error
//! kind 2: an Event as JSON
//! ```
//!
//! All processes of a build write to one pipe. What is at most `PIPE_BUF` bytes long is
//! written whole or not at all (pipe(7)), so frames of several writers do not mix.
//!
//! Lives here: [`Event`], and both ends of the pipe.
//! Must not: draw.
//! Called by: `solve` and the steps write; `mod` reads, for whoever watches.
//! Always true: a frame is at most 4,096 bytes long.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use serde::{Deserialize, Serialize};

use crate::error::{Context, Result};
use crate::ops::build::graph::Id;

/// Something that happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// A step begins.
    Begun(Id),
    /// What a step makes was made before.
    Cached(Id),
    /// A step goes on with something else: what, and how much of how much is done.
    Doing(Id, String, u64, u64),
    /// A step's program wrote something; true is to standard error.
    Output(Id, bool, Vec<u8>),
    /// A step has ended well.
    Done(Id),
    /// A step has ended badly.
    Failed(Id, String),
    /// Something the user should know.
    Warning(Option<Id>, String),
}

/// Writes events.
#[derive(Debug)]
pub struct Speaker(OwnedFd);

/// Bytes of a payload at most.
const MOST: usize = 4096 - HEAD;
const HEAD: usize = 9;

impl Speaker {
    /// Speaks through a pipe.
    pub fn new(pipe: OwnedFd) -> Self {
        Self(pipe)
    }

    /// Says what happened. When nobody listens any more, nothing is lost.
    pub fn say(&self, event: &Event) {
        let mut event = event.clone();
        if let Event::Failed(_, text) | Event::Warning(_, text) | Event::Doing(_, text, ..) =
            &mut event
        {
            let end = (0..=text.len().min(1500))
                .rev()
                .find(|at| text.is_char_boundary(*at));
            text.truncate(end.unwrap_or(0));
        }
        if let Ok(text) = serde_json::to_vec(&event) {
            self.frame(2, 0, &text[..text.len().min(MOST)]);
        }
    }

    /// Passes on what a program wrote.
    pub fn output(&self, node: Id, error: bool, bytes: &[u8]) {
        for piece in bytes.chunks(MOST) {
            self.frame(u8::from(error), node, piece);
        }
    }

    fn frame(&self, kind: u8, node: Id, payload: &[u8]) {
        let mut frame = Vec::with_capacity(HEAD + payload.len());
        frame.push(kind);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
        frame.extend_from_slice(&number(node));
        frame.extend_from_slice(&number(payload.len()));
        frame.extend_from_slice(payload);
        // Whoever listened has gone, and takes us along.
        rustix::io::write(&self.0, &frame).ok();
    }
}

impl AsFd for Speaker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Takes frames apart.
#[derive(Debug, Default)]
pub struct Listener {
    bytes: Vec<u8>,
}

impl Listener {
    /// Reads what has come, and gives away what is whole; false at the end.
    pub fn read(&mut self, pipe: &OwnedFd, each: &mut dyn FnMut(Event)) -> Result<bool> {
        let mut buffer = [0; 64 << 10];
        let count = match rustix::io::read(pipe, &mut buffer) {
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => return Ok(true),
            count => count.what(|| "cannot hear the build")?,
        };
        self.bytes.extend_from_slice(&buffer[..count]);
        let mut at = 0;
        while let Some((event, length)) = parse(&self.bytes[at..]) {
            event.into_iter().for_each(&mut *each);
            at += length;
        }
        self.bytes.drain(..at);
        Ok(count > 0)
    }
}

fn parse(bytes: &[u8]) -> Option<(Option<Event>, usize)> {
    let number = |at: usize| -> Option<usize> {
        let field = bytes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(field)).ok()
    };
    let (node, length) = (number(1)?, number(5)?);
    let payload = bytes.get(HEAD..HEAD + length)?;
    let event = match bytes[0] {
        2 => serde_json::from_slice(payload).ok(),
        kind => Some(Event::Output(node, kind == 1, payload.to_vec())),
    };
    Some((event, HEAD + length))
}

#[cfg(test)]
mod tests {
    use super::{Event, Listener, Speaker};

    #[test]
    fn what_is_said_is_heard_in_order_and_whole() {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        let speaker = Speaker::new(writer);
        speaker.say(&Event::Begun(3));
        speaker.output(3, true, &[0xff; 5000]);
        speaker.say(&Event::Failed(3, "x".repeat(10_000)));
        drop(speaker);
        let mut heard = Vec::new();
        let mut listener = Listener::default();
        while listener
            .read(&reader, &mut |event| heard.push(event))
            .expect("read")
        {}
        assert!(matches!(heard[0], Event::Begun(3)));
        let bytes: usize = heard
            .iter()
            .map(|event| match event {
                Event::Output(3, true, bytes) => bytes.len(),
                _ => 0,
            })
            .sum();
        assert_eq!(bytes, 5000);
        assert!(matches!(heard.last(), Some(Event::Failed(3, text)) if text.len() == 1500));
    }
}
