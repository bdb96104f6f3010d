//! Names for containers: a name server on the gateway of each of their networks.
//!
//! ```text
//! a container ──▶ gateway:53, in the shared namespace
//!                     │  one of ours? ──▶ answered from the register
//!                     └─ else ──▶ the machine's servers of this moment, asked from its own namespace
//! ```
//!
//! A thread of the net process does it, begun while the process is still in the
//! machine's network namespace, where the thread stays: so what it asks goes the
//! machine's way, to the server on its loopback as well. The sockets that containers
//! come to are made by the process in the shared namespace, and given to it.
//!
//! Lives here: [`Names`], the thread's handle, its loop, and clients' streams;
//! [`message`] reads and writes messages, [`forward`] asks others, [`upstream`] knows
//! whom, [`table`] says which names a container may know.
//! Must not: carry any other packet.
//! Called by: `role::net`.
//! Always true: idle, it is never woken; clients, questions and bytes are bounded,
//! and nothing that can be sent ends it.

mod forward;
pub mod message;
pub mod table;
mod upstream;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

use crate::dataplane::dns::forward::{Client, Finished, Forwarder};
use crate::dataplane::dns::message::{HEADER, LONGEST, Outcome, Question, Read, Records};
use crate::dataplane::dns::upstream::{PORT, Upstreams};
use crate::sys::epoll::{self, Epoll, Event, Interest};
use crate::sys::{datagram, net};

/// Datagrams taken before streams have their turn.
const BURST: usize = 64;

/// Streams at once, of all and of one container.
const STREAMS: usize = 128;
const STREAMS_OF_ONE: usize = 16;

/// How long a stream may be silent.
const IDLE: Duration = Duration::from_secs(10);

/// Bytes of the thread's stack; nothing here is deep or large.
const STACK: usize = 256 * 1024;

/// What is known of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is one of ours, and this is what there is of the kind asked for.
    Records(Records),
    /// It is one that would be ours, and there is none.
    Nothing,
    /// Others may know: the machine's servers, or these.
    Elsewhere(Vec<std::net::IpAddr>),
}

/// The sockets that containers come to.
#[derive(Debug)]
pub struct Listeners {
    datagrams: OwnedFd,
    streams: OwnedFd,
}

/// Makes the sockets in the network namespace of the calling thread, on all its addresses.
pub fn listen() -> io::Result<Listeners> {
    let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT);
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let datagrams = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    datagram::tell_destination(&datagrams)?;
    rustix::net::bind(&datagrams, &any)?;
    let streams = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&streams, true)?;
    rustix::net::bind(&streams, &any)?;
    rustix::net::listen(&streams, 128)?;
    Ok(Listeners { datagrams, streams })
}

/// The thread, waiting for its listeners.
#[derive(Debug)]
pub struct Names(mpsc::Sender<Listeners>);

impl Names {
    /// Begins the thread, which stays in the network namespace of its maker. `find`
    /// says what a container knows of a name, `resolv_conf` where the machine's
    /// servers are told.
    pub fn start<F>(resolv_conf: PathBuf, find: F) -> io::Result<Self>
    where
        F: Fn(Ipv4Addr, &Question) -> Found + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel();
        std::thread::Builder::new()
            .name("rpod-net-dns".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                drop(net::set_name(c"rpod-net-dns"));
                // Who made us has failed, if there are no listeners to come.
                if let Ok(listeners) = receiver.recv()
                    && let Ok(mut server) = Server::new(listeners, resolv_conf, find)
                {
                    drop(server.run());
                }
            })?;
        Ok(Self(sender))
    }

    /// Serves from now on.
    pub fn serve(self, listeners: Listeners) {
        drop(self.0.send(listeners));
    }
}

struct Server<F> {
    epoll: Epoll,
    listeners: Listeners,
    find: F,
    forwarder: Forwarder,
    streams: HashMap<u64, Stream>,
    next_stream: u64,
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

impl<F: Fn(Ipv4Addr, &Question) -> Found> Server<F> {
    fn new(listeners: Listeners, resolv_conf: PathBuf, find: F) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        epoll.add(&listeners.datagrams, Token::Datagrams.pack(), Interest::IN)?;
        // By edges: a stream that cannot be taken for want of room wakes nobody again.
        let edges = Interest::IN | Interest::ET;
        epoll.add(&listeners.streams, Token::Streams.pack(), edges)?;
        Ok(Self {
            epoll,
            listeners,
            find,
            forwarder: Forwarder::new(Upstreams::of(resolv_conf)),
            streams: HashMap::new(),
            next_stream: 0,
            buffer: vec![0; LONGEST],
        })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut room = epoll::room(64);
        loop {
            let patience = self.patience();
            let count = self.epoll.wait(&mut room, patience)?.len();
            for event in &room[..count] {
                self.handle(event);
            }
            for finished in self.forwarder.tick(&self.epoll, Token::asked) {
                self.finish(finished);
            }
            self.close_idle();
        }
    }

    fn handle(&mut self, event: &Event) {
        match Token::unpack(event.data.u64()) {
            Token::Datagrams => self.hear(),
            Token::Streams => self.accept(),
            Token::Stream(key) => self.go_on(key),
            Token::Asked(key, number) => {
                let heard = self
                    .forwarder
                    .hear(&self.epoll, Token::asked, (key, number));
                if let Some(finished) = heard {
                    self.finish(finished);
                }
            }
        }
    }

    fn patience(&self) -> Option<Duration> {
        let now = Instant::now();
        let idle = self
            .streams
            .values()
            .map(|stream| (stream.last + IDLE).saturating_duration_since(now))
            .min();
        [self.forwarder.patience(now), idle]
            .into_iter()
            .flatten()
            .min()
    }

    fn hear(&mut self) {
        for _ in 0..BURST {
            let received = match datagram::receive(&self.listeners.datagrams, &mut self.buffer) {
                Ok(Some(received)) if !received.cut => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                _ => continue,
            };
            let client = Client::Datagram {
                from: received.from,
                to: received.to,
            };
            let message = self.buffer[..received.length].to_vec();
            if let Some(finished) = self.answer(client, &message) {
                self.finish(finished);
            }
        }
    }

    /// Answers a question, or passes it on.
    fn answer(&mut self, client: Client, message: &[u8]) -> Option<Finished> {
        let question = match message::read(message) {
            Read::Question(question) => question,
            Read::Refused(answer) => return Some(Finished { client, answer }),
            Read::Nothing => return None,
        };
        let whole = matches!(client, Client::Stream(..));
        let answer = match (self.find)(client.ip(), &question) {
            Found::Records(records) => question.answer(message, &records, whole),
            Found::Nothing => question.outcome(message, Outcome::NoSuchName),
            Found::Elsewhere(own) => {
                let asked = (message, question);
                return self
                    .forwarder
                    .ask(&self.epoll, Token::asked, client, asked, own);
            }
        };
        Some(Finished { client, answer })
    }

    fn finish(&mut self, finished: Finished) {
        match finished.client {
            Client::Datagram { from, to } => {
                // A client whose queue is full asks again.
                drop(datagram::send(
                    &self.listeners.datagrams,
                    &finished.answer,
                    to,
                    from,
                ));
            }
            Client::Stream(key, _) => {
                if let Some(stream) = self.streams.get_mut(&key)
                    && let Ok(length) = u16::try_from(finished.answer.len())
                {
                    stream.busy = false;
                    stream.out.extend(length.to_be_bytes());
                    stream.out.extend(finished.answer);
                    self.go_on(key);
                }
            }
        }
    }

    fn accept(&mut self) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        loop {
            let (fd, address) = match rustix::net::acceptfrom_with(&self.listeners.streams, flags) {
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
            self.next_stream += 1;
            let interest = Interest::IN | Interest::OUT | Interest::RDHUP | Interest::ET;
            if self
                .epoll
                .add(&fd, Token::Stream(key).pack(), interest)
                .is_ok()
            {
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
    fn go_on(&mut self, key: u64) {
        while let Some(stream) = self.streams.get_mut(&key) {
            match stream.step(&mut self.buffer) {
                Step::Wait => return,
                Step::End => return self.close(key),
                Step::Question(message) => {
                    let client = Client::Stream(key, stream.ip);
                    stream.busy = true;
                    match self.answer(client, &message) {
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

    fn close(&mut self, key: u64) {
        if let Some(stream) = self.streams.remove(&key) {
            self.forwarder.forget(Client::Stream(key, stream.ip));
        }
    }

    fn close_idle(&mut self) {
        let now = Instant::now();
        let idle: Vec<u64> = self
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

/// What an event is about: 8 bits of kind, then a key, then a number of 8 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Datagrams,
    Streams,
    Stream(u64),
    Asked(u32, u8),
}

impl Token {
    fn asked(key: u32, number: u8) -> u64 {
        Self::Asked(key, number).pack()
    }

    fn pack(self) -> u64 {
        match self {
            Self::Datagrams => 0,
            Self::Streams => 1 << 56,
            Self::Stream(key) => 2 << 56 | key & (u64::MAX >> 8),
            Self::Asked(key, number) => 3 << 56 | u64::from(key) << 8 | u64::from(number),
        }
    }

    fn unpack(bits: u64) -> Self {
        match bits >> 56 {
            0 => Self::Datagrams,
            1 => Self::Streams,
            2 => Self::Stream(bits & (u64::MAX >> 8)),
            _ => Self::Asked((bits >> 8) as u32, bits as u8),
        }
    }
}

#[cfg(test)]
mod tests;
