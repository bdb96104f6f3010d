//! The datagrams of published ports: from a client to the program and back.
//!
//! Each client of each port has a socket inside, bound to the client's own
//! address where the kernel lets us, so that the program sees who asks and its
//! answer finds the way back. It is forgotten when nothing has come or gone for
//! [`IDLE`], and the one that was silent longest when there are too many.
//!
//! Lives here: [`Datagrams`].
//! Must not: bind a port of the machine's (`publish`), or wait.
//! Called by: `dataplane::relay`, whose loop it shares.
//! Always true: nothing is kept of a datagram that cannot be sent at once.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketType, sockopt};

use crate::dataplane::link::MARK;
use crate::dataplane::publish::Listener;
use crate::dataplane::relay::{Key, Token};
use crate::dataplane::source::Target;
use crate::sys::epoll::{Epoll, Interest};
use crate::sys::socket;

/// How long a silent client is remembered.
const IDLE: Duration = Duration::from_secs(90);

/// How often silent ones are looked for, while there are any.
const SWEEP: Duration = Duration::from_secs(15);

/// Clients at most, whatever the limit of descriptors.
const CLIENTS: usize = 4096;

/// Datagrams taken from one socket before others have their turn.
const BURST: usize = 64;

/// Bytes of the largest datagram.
const LARGEST: usize = 65535;

/// The published ports of one container that carry datagrams.
pub(super) struct Datagrams {
    sockets: Vec<Listener>,
    target: Target,
    transparent: bool,
    most: usize,
    slots: Vec<(u32, Option<Session>)>,
    free: Vec<usize>,
    by_client: HashMap<(usize, SocketAddr), usize>,
    sweep: Option<Instant>,
    buffer: Vec<u8>,
}

/// One client of one port.
struct Session {
    fd: OwnedFd,
    listener: usize,
    client: SocketAddr,
    last: Instant,
    by_ipv6: bool,
}

impl Datagrams {
    pub(super) fn new(
        sockets: Vec<Listener>,
        target: Target,
        transparent: bool,
        most: usize,
    ) -> Self {
        Self {
            buffer: vec![0; if sockets.is_empty() { 0 } else { LARGEST }],
            sockets,
            target,
            transparent,
            most: most.clamp(1, CLIENTS),
            slots: Vec::new(),
            free: Vec::new(),
            by_client: HashMap::new(),
            sweep: None,
        }
    }

    /// Adds the machine's sockets to a loop.
    pub(super) fn watch(&self, epoll: &Epoll) -> io::Result<()> {
        for (index, socket) in self.sockets.iter().enumerate() {
            epoll.add(&socket.fd, Token::Datagram(index).pack(), Interest::IN)?;
        }
        Ok(())
    }

    /// Returns in how long [`Self::forget_idle`] has something to do.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.sweep
            .map(|moment| moment.saturating_duration_since(Instant::now()))
    }

    /// Passes on what has come to one of the machine's sockets.
    pub(super) fn pass_in(&mut self, epoll: &Epoll, index: usize) {
        for _ in 0..BURST {
            let Some(listener) = self.sockets.get(index) else {
                return;
            };
            let received = rustix::net::recvfrom(
                &listener.fd,
                self.buffer.as_mut_slice(),
                RecvFlags::DONTWAIT,
            );
            let (length, client) = match received {
                Ok((length, _, Some(client))) => (length, SocketAddr::try_from(client)),
                Ok(_) => continue,
                Err(Errno::AGAIN) => return,
                // An answer of ours could not be delivered, and this is how we hear of it.
                Err(_) => continue,
            };
            let Ok(client) = client else { continue };
            let Some(slot) = self.session(epoll, index, client, true) else {
                continue;
            };
            if self.pass_on(slot, length) {
                continue;
            }
            // A program that listens by IPv4 alone: its kernel has said so by now.
            self.forget(slot);
            if let Some(slot) = self.session(epoll, index, client, false) {
                self.pass_on(slot, length);
            }
        }
    }

    /// Sends what the buffer holds; false when nobody listens by IPv6.
    fn pass_on(&mut self, slot: usize, length: usize) -> bool {
        let Some((_, Some(session))) = self.slots.get_mut(slot) else {
            return true;
        };
        session.last = Instant::now();
        let bytes = &self.buffer[..length];
        // The first call may only report that an earlier datagram found no program.
        if rustix::net::send(&session.fd, bytes, SendFlags::NOSIGNAL) == Err(Errno::CONNREFUSED) {
            rustix::net::send(&session.fd, bytes, SendFlags::NOSIGNAL).ok();
        }
        !session.by_ipv6
            || !matches!(
                sockopt::socket_error(&session.fd),
                Ok(Err(Errno::CONNREFUSED))
            )
    }

    /// Passes on what the program has answered to a client.
    pub(super) fn pass_out(&mut self, key: Key) {
        let Some((generation, Some(session))) = self.slots.get_mut(key.slot) else {
            return;
        };
        if *generation != key.generation {
            return;
        }
        for _ in 0..BURST {
            match rustix::net::recv(&session.fd, self.buffer.as_mut_slice(), RecvFlags::DONTWAIT) {
                Ok((length, _)) => {
                    session.last = Instant::now();
                    if let Some(listener) = self.sockets.get(session.listener) {
                        let bytes = &self.buffer[..length];
                        let flags = SendFlags::NOSIGNAL;
                        rustix::net::sendto(&listener.fd, bytes, flags, &session.client).ok();
                    }
                }
                Err(Errno::AGAIN) => return,
                Err(_) => {}
            }
        }
    }

    /// Forgets clients that have been silent.
    pub(super) fn forget_idle(&mut self) {
        let now = Instant::now();
        if self.sweep.is_none_or(|moment| now < moment) {
            return;
        }
        for slot in 0..self.slots.len() {
            if let Some((_, Some(session))) = self.slots.get(slot)
                && now.duration_since(session.last) >= IDLE
            {
                self.forget(slot);
            }
        }
        self.sweep = (!self.by_client.is_empty()).then(|| now + SWEEP);
    }

    fn session(
        &mut self,
        epoll: &Epoll,
        listener: usize,
        client: SocketAddr,
        by_ipv6: bool,
    ) -> Option<usize> {
        if let Some(slot) = self.by_client.get(&(listener, client)) {
            return Some(*slot);
        }
        if self.by_client.len() >= self.most {
            self.forget(self.most_silent()?);
        }
        let port = self.sockets.get(listener)?.container;
        let by_ipv6 = by_ipv6 && self.target.by_ipv6(client).is_some();
        let fd = match self.connect(client, port, by_ipv6) {
            Err(error) if out_of_descriptors(&error) && !self.by_client.is_empty() => {
                self.forget(self.most_silent()?);
                self.connect(client, port, by_ipv6).ok()?
            }
            other => other.ok()?,
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            self.slots.len() - 1
        });
        let generation = self.slots[slot].0;
        let token = Token::Answer(Key { slot, generation }).pack();
        if epoll.add(&fd, token, Interest::IN).is_err() {
            self.free.push(slot);
            return None;
        }
        let last = Instant::now();
        self.slots[slot].1 = Some(Session {
            fd,
            listener,
            client,
            last,
            by_ipv6,
        });
        self.by_client.insert((listener, client), slot);
        self.sweep.get_or_insert(last + SWEEP);
        Some(slot)
    }

    fn most_silent(&self) -> Option<usize> {
        (0..self.slots.len())
            .filter_map(|slot| Some((self.slots[slot].1.as_ref()?.last, slot)))
            .min()
            .map(|(_, slot)| slot)
    }

    fn forget(&mut self, slot: usize) {
        if let Some((generation, place)) = self.slots.get_mut(slot)
            && let Some(session) = place.take()
        {
            *generation = generation.wrapping_add(1);
            self.by_client.remove(&(session.listener, session.client));
            self.free.push(slot);
        }
    }

    fn connect(&self, client: SocketAddr, port: u16, by_ipv6: bool) -> io::Result<OwnedFd> {
        if by_ipv6 && let Some(ip) = self.target.by_ipv6(client) {
            let made = connect_from(Some(client), SocketAddr::new(ip, port));
            if made.is_ok() {
                return made;
            }
        }
        let to = SocketAddr::new(self.target.ip.into(), port);
        if self.transparent {
            let source = self.target.source(client);
            let any_port = SocketAddr::new(source.ip(), 0);
            for from in [source, any_port] {
                match connect_from(Some(from), to) {
                    Err(error) if !out_of_descriptors(&error) => {}
                    done => return done,
                }
            }
        }
        connect_from(None, to)
    }
}

fn connect_from(from: Option<SocketAddr>, to: SocketAddr) -> io::Result<OwnedFd> {
    let fd = socket::make(socket::family(to.ip()), SocketType::DGRAM)?;
    if let Some(from) = from {
        socket::set_transparent(&fd, to.is_ipv6())?;
        // For the kernel's own answers: that no program listens.
        socket::set_mark(&fd, MARK)?;
        // One client may come to several of the container's ports with one port of
        // its own; each socket is connected, so each hears its own port's answers.
        sockopt::set_socket_reuseaddr(&fd, true)?;
        rustix::net::bind(&fd, &from)?;
    }
    rustix::net::connect(&fd, &to)?;
    Ok(fd)
}

fn out_of_descriptors(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE)
    )
}
