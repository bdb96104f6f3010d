//! Sockets of the shared namespace for a thread that is not in it.
//!
//! A container's own server may be a container (`--dns`), which only the shared
//! namespace reaches. The name server's thread is in the machine's and cannot come
//! back; so a thread that stays in the other makes sockets, one for each question of
//! that kind.
//!
//! Lives here: [`Inside`].
//! Must not: send or hear anything.
//! Called by: `dataplane::dns`; `dns::forward` asks.
//! Always true: idle, its thread sleeps.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{self, Receiver, Sender};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType};

use crate::sys::socket;

/// The way to that thread, which ends when this is dropped.
#[derive(Debug)]
pub struct Inside {
    asks: Sender<(AddressFamily, SocketType)>,
    made: Receiver<Result<OwnedFd, Errno>>,
}

impl Inside {
    /// Starts the thread, in the network namespace that the caller is in now.
    pub fn start() -> io::Result<Self> {
        let (asks, asked) = mpsc::channel();
        let (tell, made) = mpsc::channel();
        std::thread::Builder::new()
            .name("rpod-net-in".into())
            .stack_size(64 * 1024)
            .spawn(move || {
                while let Ok((family, kind)) = asked.recv() {
                    if tell.send(socket::make(family, kind)).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self { asks, made })
    }

    /// Makes a socket that waits for nothing.
    pub fn socket(&self, family: AddressFamily, kind: SocketType) -> io::Result<OwnedFd> {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        self.asks.send((family, kind)).map_err(|_| gone())?;
        Ok(self.made.recv().map_err(|_| gone())??)
    }
}
