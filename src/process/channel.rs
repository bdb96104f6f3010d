//! Values and descriptors between two rpod processes, over a socket pair.
//!
//! ```text
//! one message = one packet: the value as JSON, descriptors beside it (unix(7), SCM_RIGHTS)
//! ```
//!
//! Lives here: [`Channel`], for the short talk between a parent and its child.
//! Must not: know what is said. Streams of bytes go elsewhere (`process::frames`).
//! Called by: `process`, `ops`, `role`, `runtime`.
//! Always true: a packet arrives whole or not at all; the end of the other side
//! is seen as `None`.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Context, Error, Result};

/// One end.
#[derive(Debug)]
pub struct Channel(OwnedFd);

/// Bytes of a message at most.
const LIMIT: usize = 64 << 10;
/// Descriptors of a message at most.
const DESCRIPTORS: usize = 16;

impl Channel {
    /// Makes both ends. Neither survives an execve(2).
    pub fn pair() -> Result<(Self, Self)> {
        let (one, other) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .what(|| "cannot make a socket pair")?;
        Ok((Self(one), Self(other)))
    }

    /// Sends a value.
    pub fn send<T: Serialize>(&self, value: &T) -> Result<()> {
        self.send_with(value, &[])
    }

    /// Sends a value and descriptors.
    pub fn send_with<T: Serialize>(&self, value: &T, descriptors: &[BorrowedFd<'_>]) -> Result<()> {
        let bytes = serde_json::to_vec(value)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(Error::internal("too many descriptors in a message"));
        }
        loop {
            match sendmsg(
                &self.0,
                &[IoSlice::new(&bytes)],
                &mut beside,
                SendFlags::NOSIGNAL,
            ) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error).what(|| "cannot talk to another rpod process"),
            }
        }
    }

    /// Receives a value; none when the other end has gone.
    pub fn receive<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        Ok(self.receive_with()?.map(|(value, _)| value))
    }

    /// Receives a value and its descriptors; none when the other end has gone.
    pub fn receive_with<T: DeserializeOwned>(&self) -> Result<Option<(T, Vec<OwnedFd>)>> {
        let mut bytes = vec![0; LIMIT];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let mut reset = false;
        let count = loop {
            let mut into = [IoSliceMut::new(&mut bytes)];
            match recvmsg(&self.0, &mut into, &mut beside, RecvFlags::CMSG_CLOEXEC) {
                Ok(message) => break message.bytes,
                Err(Errno::INTR) => {}
                // The other end closed with a message of ours unread. The kernel says
                // so once, before what the other end had sent: its last words follow.
                Err(Errno::CONNRESET) if !reset => reset = true,
                Err(Errno::CONNRESET) => break 0,
                Err(error) => return Err(error).what(|| "cannot hear another rpod process"),
            }
        };
        if count == 0 {
            return Ok(None);
        }
        let mut descriptors = Vec::new();
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(list) = message {
                descriptors.extend(list);
            }
        }
        let value = serde_json::from_slice(&bytes[..count]).map_err(|e| {
            Error::internal(format!("unreadable message of another rpod process: {e}"))
        })?;
        Ok(Some((value, descriptors)))
    }
}

impl From<OwnedFd> for Channel {
    fn from(end: OwnedFd) -> Self {
        Self(end)
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::Channel;

    #[test]
    fn last_words_are_heard_though_ours_were_not() {
        let (one, other) = Channel::pair().expect("a pair");
        other.send(&"unread").expect("sent");
        one.send(&"last words").expect("sent");
        drop(one);
        assert!(other.send(&"nobody hears").is_err());
        let heard: Option<String> = other.receive().expect("received");
        assert_eq!(heard.as_deref(), Some("last words"));
        assert!(other.receive::<String>().expect("received").is_none());
    }

    #[test]
    fn values_and_descriptors_arrive_together_and_the_end_is_seen() {
        let (one, other) = Channel::pair().expect("a pair");
        let null = std::fs::File::open("/dev/null").expect("opened");
        one.send_with(&("x", 1), &[null.as_fd()]).expect("sent");
        drop(one);
        let (value, descriptors): ((String, i32), _) =
            other.receive_with().expect("received").expect("a message");
        assert_eq!(value, ("x".to_owned(), 1));
        assert_eq!(descriptors.len(), 1);
        assert!(other.receive::<()>().expect("received").is_none());
    }
}
