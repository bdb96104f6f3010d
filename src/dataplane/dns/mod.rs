//! Names for containers: a name server on the gateway of each of their networks.
//!
//! ```text
//! a container ──▶ gateway:53, in the shared namespace
//!                     │  one of ours? ──▶ answered from the register
//!                     └─ else ──▶ the machine's servers of this moment, asked from its own namespace
//! ```
//!
//! It is done on the thread of the way out, which stays in the machine's network
//! namespace: so what is asked goes the machine's way, to the server on its loopback
//! as well. The sockets that containers come to are made by the main thread in the
//! shared namespace, and given to it.
//!
//! Lives here: [`Names`], its clients by datagram and by stream;
//! [`message`] reads and writes messages, [`forward`] asks others, [`inside`] makes the
//! sockets for those that are containers, [`upstream`] knows whom to ask, [`table`] says
//! which names a container may know.
//! Must not: carry any other packet.
//! Called by: `role::net`.
//! Always true: idle, it is never woken; clients, questions and bytes are bounded,
//! and nothing that can be sent ends it.

mod forward;
mod inside;
pub mod message;
pub mod table;
mod upstream;

pub use upstream::Upstreams;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

use crate::dataplane::dns::forward::{Client, Finished, Forwarder};
use crate::dataplane::dns::inside::Inside;
use crate::dataplane::dns::message::{HEADER, LONGEST, Outcome, Question, Read, Records};
use crate::dataplane::dns::upstream::PORT;
use crate::dataplane::uplink::{Source, Waits};
use crate::sys::datagram;
use crate::sys::epoll::Interest;
use crate::sys::socket;

/// Datagrams taken of one share before others have their turn.
const BURST: usize = 64;

/// Sockets for datagrams, each for its share of the clients: one that asks without
/// end fills the queue of its own share alone.
const SHARES: u8 = 16;

/// Streams at once, of all and of one container.
const STREAMS: usize = 128;
const STREAMS_OF_ONE: usize = 16;

/// How long a stream may be silent.
const IDLE: Duration = Duration::from_secs(10);

/// What is known of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is one of ours, and this is what there is of the kind asked for.
    Records(Records),
    /// It is one that would be ours, and there is none.
    Nothing,
    /// Others may know: the machine's servers, or these.
    Elsewhere(Vec<Server>),
}

/// A name server of a container's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its address.
    pub ip: std::net::IpAddr,
    /// It is on one of the container's networks: the machine does not reach it.
    pub inside: bool,
}

/// The sockets that containers come to.
#[derive(Debug)]
pub struct Listeners {
    datagrams: Vec<OwnedFd>,
    streams: OwnedFd,
    inside: Inside,
}

/// Makes the sockets in the network namespace of the calling thread, on all its addresses.
pub fn listen() -> io::Result<Listeners> {
    let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT);
    let mut datagrams = Vec::new();
    for _ in 0..SHARES {
        let share = socket::make(AddressFamily::INET, SocketType::DGRAM)?;
        datagram::tell_destination(&share)?;
        sockopt::set_socket_reuseport(&share, true)?;
        rustix::net::bind(&share, &any)?;
        datagrams.push(share);
    }
    // Where it cannot be told, the kernel shares them out by address and port.
    if let Some(first) = datagrams.first() {
        drop(socket::share_by_source(first, SHARES.into()));
    }
    let streams = socket::make(AddressFamily::INET, SocketType::STREAM)?;
    sockopt::set_socket_reuseaddr(&streams, true)?;
    rustix::net::bind(&streams, &any)?;
    rustix::net::listen(&streams, 128)?;
    Ok(Listeners {
        datagrams,
        streams,
        inside: Inside::start()?,
    })
}

/// The name server.
pub struct Names<F> {
    datagrams: Vec<OwnedFd>,
    listener: OwnedFd,
    find: F,
    forwarder: Forwarder,
    streams: HashMap<u32, Stream>,
    next_stream: u32,
    turns: [usize; 2],
    buffer: Vec<u8>,
}

/// A client that came by stream: it is answered one question after the other.
struct Stream {
    fd: OwnedFd,
    ip: Ipv4Addr,
    taken: Vec<u8>,
    out: Vec<u8>,
    /// A question of its is with others.
    busy: bool,
    last: Instant,
}

impl<F: Fn(Ipv4Addr, &Question) -> Found + Send> Names<F> {
    /// Makes it. `find` says what a container knows of a name, `upstreams` which the
    /// machine's servers are.
    pub fn new(listeners: Listeners, upstreams: Upstreams, find: F) -> Self {
        Self {
            datagrams: listeners.datagrams,
            listener: listeners.streams,
            find,
            forwarder: Forwarder::new(upstreams, listeners.inside),
            streams: HashMap::new(),
            next_stream: 0,
            turns: [0; 2],
            buffer: vec![0; LONGEST],
        }
    }

    fn hear(&mut self, waits: &Waits<'_>, share: u8) {
        for _ in 0..BURST {
            let Some(datagrams) = self.datagrams.get(usize::from(share)) else {
                return;
            };
            let received = match datagram::receive(datagrams, &mut self.buffer) {
                Ok(Some(received)) if !received.cut => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                _ => continue,
            };
            let client = Client::Datagram {
                from: received.from,
                to: received.to,
            };
            let message = self.buffer[..received.length].to_vec();
            if let Some(finished) = self.answer(waits, client, &message) {
                self.finish(waits, finished);
            }
        }
    }

    /// Answers a question, or passes it on.
    fn answer(&mut self, waits: &Waits<'_>, client: Client, message: &[u8]) -> Option<Finished> {
        let question = match message::read(message) {
            Read::Question(question) => question,
            Read::Refused(answer) => return Some(Finished { client, answer }),
            Read::Nothing => return None,
        };
        let whole = matches!(client, Client::Stream(..));
        let answer = match (self.find)(client.ip(), &question) {
            Found::Records(mut records) => {
                // Each of those who share a name has its turn as the first.
                // Who asks for both versions of IP asks twice: each version has its own turns.
                let six = records.addresses.first().is_some_and(|ip| ip.is_ipv6());
                if records.addresses.len() > 1 {
                    let turn = &mut self.turns[usize::from(six)];
                    *turn = turn.wrapping_add(1);
                    let first = *turn % records.addresses.len();
                    records.addresses.rotate_left(first);
                }
                question.answer(message, &records, whole)
            }
            Found::Nothing => question.outcome(message, Outcome::NoSuchName),
            Found::Elsewhere(own) => {
                let asked = (message, question);
                return self.forwarder.ask(waits, client, asked, own);
            }
        };
        Some(Finished { client, answer })
    }

    fn finish(&mut self, waits: &Waits<'_>, finished: Finished) {
        match finished.client {
            Client::Datagram { from, to } => {
                // A client whose queue is full asks again. Any of them answers.
                if let Some(datagrams) = self.datagrams.first() {
                    drop(datagram::send(datagrams, &finished.answer, to, from));
                }
            }
            Client::Stream(key, _) => {
                if let Some(stream) = self.streams.get_mut(&key)
                    && let Ok(length) = u16::try_from(finished.answer.len())
                {
                    stream.busy = false;
                    stream.out.extend(length.to_be_bytes());
                    stream.out.extend(finished.answer);
                    self.go_on(waits, key);
                }
            }
        }
    }

    fn accept(&mut self, waits: &Waits<'_>) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        loop {
            let (fd, address) = match rustix::net::acceptfrom_with(&self.listener, flags) {
                Ok(accepted) => accepted,
                Err(Errno::INTR | Errno::CONNABORTED) => continue,
                Err(_) => return,
            };
            let Some(Ok(SocketAddr::V4(address))) = address.map(SocketAddr::try_from) else {
                continue;
            };
            let ip = *address.ip();
            let same = self.streams.values().filter(|s| s.ip == ip).count();
            if self.streams.len() >= STREAMS || same >= STREAMS_OF_ONE {
                continue;
            }
            let key = self.next_stream;
            self.next_stream = self.next_stream.wrapping_add(1) & Token::KEYS;
            let interest = Interest::IN | Interest::OUT | Interest::RDHUP | Interest::ET;
            if waits.add(&fd, Token::Stream(key).pack(), interest).is_ok() {
                self.streams.insert(
                    key,
                    Stream {
                        fd,
                        ip,
                        taken: Vec::new(),
                        out: Vec::new(),
                        busy: false,
                        last: Instant::now(),
                    },
                );
            }
        }
    }

    /// Lets a stream go on until it has to wait for something.
    fn go_on(&mut self, waits: &Waits<'_>, key: u32) {
        while let Some(stream) = self.streams.get_mut(&key) {
            match stream.step(&mut self.buffer) {
                Step::Wait => return,
                Step::End => return self.close(key),
                Step::Question(message) => {
                    let client = Client::Stream(key, stream.ip);
                    stream.busy = true;
                    match self.answer(waits, client, &message) {
                        Some(finished) => {
                            let Some(stream) = self.streams.get_mut(&key) else {
                                return;
                            };
                            stream.busy = false;
                            let length = u16::try_from(finished.answer.len()).unwrap_or(0);
                            stream.out.extend(length.to_be_bytes());
                            stream.out.extend(&finished.answer[..usize::from(length)]);
                        }
                        // Who sends what cannot be answered is let go.
                        None if !self.forwarder.has(client) => return self.close(key),
                        None => return,
                    }
                }
            }
        }
    }

    fn close(&mut self, key: u32) {
        if let Some(stream) = self.streams.remove(&key) {
            self.forwarder.forget(Client::Stream(key, stream.ip));
        }
    }

    fn close_idle(&mut self) {
        let now = Instant::now();
        let idle: Vec<u32> = self
            .streams
            .iter()
            .filter(|(_, stream)| now.duration_since(stream.last) >= IDLE)
            .map(|(key, _)| *key)
            .collect();
        for key in idle {
            self.close(key);
        }
    }
}

/// What a stream does next.
enum Step {
    /// It waits for the client, or for an answer of others.
    Wait,
    /// Its client has gone, or sent what is too long.
    End,
    /// A whole question has come.
    Question(Vec<u8>),
}

impl Stream {
    fn step(&mut self, buffer: &mut [u8]) -> Step {
        while !self.out.is_empty() {
            match rustix::net::send(&self.fd, &self.out, SendFlags::NOSIGNAL) {
                Ok(count) => {
                    self.out.drain(..count);
                    self.last = Instant::now();
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Step::Wait,
                Err(_) => return Step::End,
            }
        }
        loop {
            if self.busy {
                return Step::Wait;
            }
            if let Some([high, low]) = self.taken.first_chunk::<2>() {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                if !(HEADER..=LONGEST).contains(&length) {
                    return Step::End;
                }
                if self.taken.len() >= 2 + length {
                    let rest = self.taken.split_off(2 + length);
                    let message = std::mem::replace(&mut self.taken, rest);
                    return Step::Question(message[2..].to_vec());
                }
            }
            match rustix::net::recv(&self.fd, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((0, _)) => return Step::End,
                Ok((count, _)) => {
                    self.taken.extend_from_slice(&buffer[..count]);
                    self.last = Instant::now();
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Step::Wait,
                Err(_) => return Step::End,
            }
        }
    }
}

impl<F: Fn(Ipv4Addr, &Question) -> Found + Send> Source for Names<F> {
    fn begin(&mut self, waits: &Waits<'_>) {
        // By edges: a stream that cannot be taken for want of room wakes nobody again.
        let edges = Interest::IN | Interest::ET;
        // A kernel that has no memory for this has none for anything.
        (0..)
            .zip(&self.datagrams)
            .try_for_each(|(share, fd)| waits.add(fd, Token::Datagrams(share).pack(), Interest::IN))
            .and_then(|()| waits.add(&self.listener, Token::Streams.pack(), edges))
            .ok();
    }

    fn ready(&mut self, token: u32, _events: Interest, waits: &Waits<'_>) {
        match Token::unpack(token) {
            Token::Datagrams(share) => self.hear(waits, share),
            Token::Streams => self.accept(waits),
            Token::Stream(key) => self.go_on(waits, key),
            Token::Asked(key, number) => {
                if let Some(finished) = self.forwarder.hear(waits, (key, number)) {
                    self.finish(waits, finished);
                }
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let idle = self.streams.values().map(|stream| stream.last + IDLE).min();
        [self.forwarder.deadline(), idle]
            .into_iter()
            .flatten()
            .min()
    }

    fn expired(&mut self, _now: Instant, waits: &Waits<'_>) {
        for finished in self.forwarder.tick(waits) {
            self.finish(waits, finished);
        }
        self.close_idle();
    }
}

/// What an event is about: 2 bits of kind, 22 of a key, 8 of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Datagrams(u8),
    Streams,
    Stream(u32),
    Asked(u32, u8),
}

impl Token {
    /// The keys there are; none lives as long as it takes to use them all.
    const KEYS: u32 = (1 << 22) - 1;

    fn pack(self) -> u32 {
        let (kind, key, number) = match self {
            Self::Datagrams(share) => (0, 0, share),
            Self::Streams => (1, 0, 0),
            Self::Stream(key) => (2, key, 0),
            Self::Asked(key, number) => (3, key, number),
        };
        kind << 30 | (key & Self::KEYS) << 8 | u32::from(number)
    }

    fn unpack(bits: u32) -> Self {
        let key = bits >> 8 & Self::KEYS;
        match bits >> 30 {
            0 => Self::Datagrams(bits as u8),
            1 => Self::Streams,
            2 => Self::Stream(key),
            _ => Self::Asked(key, bits as u8),
        }
    }
}

#[cfg(test)]
mod tests;
