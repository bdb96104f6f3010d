//! The thread's loop: frames, sockets, moments, orders.
//!
//! Lives here: [`Serve`], what comes from where, and [`Ground`], what all flows stand on.
//! Must not: know how a protocol goes on.
//! Called by: `dataplane::uplink`.
//! Always true: it waits in one place only; of each source of work a bounded
//! share is done before the others have their turn. What the device has is taken
//! first, and what takes long is put off ([`Turns`]): its queue is everybody's.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::device::{self, Device};
use super::echo::Echoes;
use super::fragments::Fragments;
use super::reach::Reach;
use super::table::Place;
use super::tcp::{Opening, Streams, refuse};
use super::turns::{Shares, Turns};
use super::udp::Datagrams;
use super::wire::tcp::{ACK, RST, SYN};
use super::wire::{ICMP, ICMP6, TCP, UDP, intact, ip, tcp, udp};
use super::{Order, Source, Waits};
use crate::sys::epoll::{self, Eager, Epoll, Event, Interest};

/// Frames read in one turn, and bytes of them.
const FRAMES: usize = 256;
const BYTES: usize = 2 * 1024 * 1024;

/// Streams begun in one turn.
const OPENINGS: usize = 16;

/// What it takes to make a socket, and to answer what is nobody's: see [`cost`].
const FIRST: u32 = 8;
const STRAY: u32 = 1;

/// Bytes of a turn that may be questions and answers.
const LITTLE: usize = 8192;

/// Flows at most, where the user may have as many descriptors.
const FLOWS: usize = 65536;

/// Descriptors kept free for members and everything else.
const RESERVE: usize = 3072;

/// What the flows of all kinds stand on.
#[derive(Debug)]
pub struct Ground {
    pub device: Device,
    pub epoll: Epoll,
    pub clock: Clock,
    pub reach: Reach,
    pub now: Instant,
    /// When its own clock began.
    pub start: Instant,
    /// Flows at most: three quarters of them streams, the rest of datagrams.
    pub most: usize,
}

/// The thread.
pub struct Serve {
    ground: Ground,
    streams: Streams,
    datagrams: Datagrams,
    echoes: Echoes,
    fragments: Fragments,
    openings: Turns<Opening>,
    shares: Shares,
    sources: Vec<Box<dyn Source>>,
    orders: Receiver<Order>,
    bell: Arc<OwnedFd>,
    frame: Vec<u8>,
    eager: Eager,
    /// By how much its clock is ahead of the machine's.
    #[cfg(test)]
    ahead: Duration,
}

impl Serve {
    /// Makes it ready.
    pub fn new(orders: Receiver<Order>, bell: Arc<OwnedFd>) -> std::io::Result<Self> {
        let epoll = Epoll::new()?;
        epoll.add(&*bell, Token::Bell.pack(), Interest::IN)?;
        let descriptors = crate::sys::net::raise_descriptor_limit();
        Ok(Self {
            ground: Ground {
                device: Device::new(),
                epoll,
                clock: Clock::default(),
                reach: Reach::default(),
                now: Instant::now(),
                start: Instant::now(),
                most: (descriptors - descriptors.div_ceil(4).min(RESERVE)).min(FLOWS),
            },
            streams: Streams::default(),
            datagrams: Datagrams::default(),
            echoes: Echoes::default(),
            fragments: Fragments::default(),
            openings: Turns::default(),
            shares: Shares::default(),
            sources: Vec::new(),
            orders,
            bell,
            frame: device::frame(),
            eager: Eager::default(),
            #[cfg(test)]
            ahead: Duration::ZERO,
        })
    }

    /// Serves as long as the process lives; only a kernel that refuses to wait ends it.
    pub fn run(&mut self) {
        let mut events = epoll::room(128);
        while self.turn(&mut events).is_ok() {}
    }

    /// Waits once, and does what there is.
    pub fn turn(&mut self, events: &mut [Event]) -> std::io::Result<()> {
        let patience = self.patience();
        let little = self.ground.device.begin_turn() <= LITTLE;
        let epoll = &self.ground.epoll;
        let ready = self.eager.wait(epoll, events, patience, little)?;
        let ready: Vec<(Token, Interest)> = ready
            .iter()
            .map(|event| (Token::unpack(event.data.u64()), event.flags))
            .collect();
        self.ground.now = self.moment();
        self.ground.reach.begin_turn();
        let tells = |what| ready.iter().any(|(token, _)| *token == what);
        // What was ordered before a frame came holds for it.
        if tells(Token::Bell) {
            self.obey();
        }
        if tells(Token::Device) {
            self.read_frames();
        } else {
            self.shares.renew();
        }
        for (token, flags) in ready {
            self.hear(token, flags);
        }
        self.do_what_is_due();
        self.wake_sources();
        Ok(())
    }

    fn do_what_is_due(&mut self) {
        self.begin_streams();
        while let Some(token) = self.ground.clock.pop(self.ground.now) {
            self.ring(Token::unpack(token));
        }
        self.streams.pay(&self.ground);
        self.streams.settle(&mut self.ground, 2 * BYTES);
    }

    /// Returns the moment it is. This clock stands still while the machine sleeps
    /// (clock_gettime(2), CLOCK_MONOTONIC), as do those of the kernel's own streams:
    /// what there was is there when it wakes, and no silence is counted that nobody
    /// could have broken.
    fn moment(&self) -> Instant {
        #[cfg(test)]
        return Instant::now() + self.ahead;
        #[cfg(not(test))]
        return Instant::now();
    }

    /// Does what there is to do when so much time has passed and nothing has come.
    #[cfg(test)]
    pub fn pass(&mut self, time: Duration) {
        self.ahead += time;
        self.ground.now = self.moment();
        self.do_what_is_due();
    }

    /// Returns how many flows there are, and how many bytes of containers' they hold.
    #[cfg(any(test, fuzzing))]
    pub fn burden(&self) -> (usize, usize) {
        let (streams, held) = self.streams.burden();
        (streams + self.datagrams.len(), held)
    }

    fn patience(&self) -> Option<Duration> {
        if self.streams.waiting() || !self.openings.is_empty() {
            return Some(Duration::ZERO);
        }
        let sources = self.sources.iter().filter_map(|source| source.deadline());
        let flows = self
            .ground
            .clock
            .next()
            .into_iter()
            .chain(self.streams.deadline());
        let first = sources.chain(flows).min()?;
        Some(first.saturating_duration_since(self.moment()))
    }

    fn hear(&mut self, token: Token, flags: Interest) {
        match token {
            Token::Bell | Token::Device => {}
            Token::Stream(place) => self.streams.ready(&mut self.ground, place, flags),
            Token::Datagram(place) => self.datagrams.ready(&mut self.ground, place, flags),
            Token::Echo(place) => self.echoes.ready(&mut self.ground, place, flags),
            Token::Source(index, token) => {
                if let Some(source) = self.sources.get_mut(usize::from(index)) {
                    let waits = Waits {
                        epoll: &self.ground.epoll,
                        index,
                    };
                    source.ready(token, flags, &waits);
                }
            }
        }
    }

    fn ring(&mut self, token: Token) {
        match token {
            Token::Stream(place) => self.streams.ring(&mut self.ground, place),
            Token::Datagram(place) => self.datagrams.ring(&mut self.ground, place),
            Token::Echo(place) => self.echoes.ring(&mut self.ground, place),
            Token::Bell | Token::Device | Token::Source(..) => {}
        }
    }

    fn wake_sources(&mut self) {
        let now = self.ground.now;
        for (index, source) in (0..).zip(&mut self.sources) {
            if source.deadline().is_some_and(|deadline| deadline <= now) {
                let waits = Waits {
                    epoll: &self.ground.epoll,
                    index,
                };
                source.expired(now, &waits);
            }
        }
    }

    fn obey(&mut self) {
        rustix::io::read(&*self.bell, &mut [0; 8]).ok();
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Device(fd) => {
                    let fd = self.ground.device.open(fd);
                    let added =
                        self.ground
                            .epoll
                            .add(&fd.as_fd(), Token::Device.pack(), Interest::IN);
                    drop(added);
                }
                Order::Source(source) => {
                    self.sources.push(source);
                    let index = (self.sources.len() - 1) as u16;
                    let waits = Waits {
                        epoll: &self.ground.epoll,
                        index,
                    };
                    self.sources[usize::from(index)].begin(&waits);
                }
                Order::Serve(network) => self.ground.reach.serve(network),
                Order::Withdraw(network) => self.ground.reach.withdraw(&network),
                Order::Loopback(inside) => self.ground.reach.trust(inside, true),
                Order::List(tell) => {
                    let now = self.ground.now;
                    let all = self.streams.list(now).chain(self.datagrams.list(now));
                    drop(tell.send(all.collect()));
                }
                Order::Count(tell) => {
                    let mut all = HashMap::new();
                    self.streams.count(&mut all);
                    self.datagrams.count(&mut all);
                    drop(tell.send(all));
                }
                Order::Forget(inside) => {
                    self.ground.reach.trust(inside, false);
                    self.openings.forget(inside);
                    self.streams.forget(&mut self.ground, inside);
                    self.datagrams.forget(&mut self.ground, inside);
                    self.echoes.forget(&mut self.ground, inside);
                }
            }
        }
    }

    fn read_frames(&mut self) {
        let mut frame = std::mem::take(&mut self.frame);
        let mut bytes = 0;
        for _ in 0..FRAMES {
            match self.ground.device.read(&mut frame) {
                Ok(length) => {
                    self.take(&frame[..length]);
                    bytes += length;
                    if bytes > BYTES {
                        break;
                    }
                }
                Err(_) => {
                    self.shares.renew();
                    break;
                }
            }
        }
        self.frame = frame;
    }

    fn begin_streams(&mut self) {
        for _ in 0..OPENINGS {
            let Some(opening) = self.openings.next() else {
                return;
            };
            self.streams.open(&mut self.ground, &opening);
        }
    }

    /// Allows so many flows.
    #[cfg(test)]
    pub fn allow(&mut self, most: usize) {
        self.ground.most = most;
    }

    /// Returns how many bytes of streams are here.
    #[cfg(test)]
    pub fn kept(&self) -> usize {
        self.streams.kept()
    }

    /// Takes one frame, whatever it is.
    pub fn take(&mut self, frame: &[u8]) {
        let Some((packet, unfinished)) = device::unwrap(frame) else {
            return;
        };
        let Some((header, payload)) = ip::parse(packet) else {
            return;
        };
        if !self.ground.reach.lets_out(header.source) {
            return;
        }
        if header.fragment.is_some() {
            if !self.shares.spend(header.source, cost(payload)) {
                return;
            }
            if let Some((header, whole)) = self.fragments.add(&header, payload, self.ground.now) {
                self.deliver(&header, &whole, false);
            }
            return;
        }
        self.deliver(&header, payload, unfinished);
    }

    fn deliver(&mut self, header: &ip::Ip, payload: &[u8], unfinished: bool) {
        let at = |port| SocketAddr::new(header.source, port);
        let to = |port| SocketAddr::new(header.destination, port);
        let intact = || unfinished || intact(header, payload);
        match header.protocol {
            TCP => {
                let Some(segment) = tcp::parse(payload).filter(|_| intact()) else {
                    return;
                };
                let key = (at(segment.source), to(segment.destination));
                if segment.flags & (SYN | ACK | RST) == SYN {
                    let opening = Opening::new(key, header, payload);
                    self.openings.add(header.source, opening);
                } else if let Some(place) = self.streams.find(&key) {
                    self.streams.go_on(&mut self.ground, place, &segment);
                } else if self.shares.spend(header.source, STRAY) {
                    refuse(&mut self.ground, key, &segment);
                }
            }
            UDP => {
                let Some(datagram) = udp::parse(payload) else {
                    return;
                };
                let key = (at(datagram.source), to(datagram.destination));
                let known = self.datagrams.knows(&key.0);
                let first = if known { 0 } else { FIRST };
                if self.shares.spend(header.source, first + cost(payload)) && intact() {
                    let begin = &payload[..8];
                    self.datagrams
                        .take(&mut self.ground, key, header, (datagram.payload, begin));
                }
            }
            ICMP | ICMP6 => {
                let allowed = self.shares.spend(header.source, STRAY + cost(payload));
                if allowed && intact() {
                    self.echoes.take(&mut self.ground, header, payload);
                }
            }
            _ => {}
        }
    }
}

/// What it takes to pass on a packet, in packets of the smallest.
fn cost(payload: &[u8]) -> u32 {
    1 + payload.len() as u32 / 8192
}

/// What an event or a moment is about, in 64 bits: 4 of kind, 28 of slot, 32 of generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    Bell,
    Device,
    Stream(Place),
    Datagram(Place),
    Echo(Place),
    Source(u16, u32),
}

impl Token {
    pub fn pack(self) -> u64 {
        let (kind, slot, generation) = match self {
            Self::Bell => (0, 0, 0),
            Self::Device => (1, 0, 0),
            Self::Stream(place) => (2, place.slot, place.generation),
            Self::Datagram(place) => (3, place.slot, place.generation),
            Self::Echo(place) => (4, place.slot, place.generation),
            Self::Source(index, token) => (5, usize::from(index), token),
        };
        (kind << 60) | ((slot as u64 & 0x0fff_ffff) << 32) | u64::from(generation)
    }

    pub fn unpack(bits: u64) -> Self {
        let slot = (bits >> 32 & 0x0fff_ffff) as usize;
        let generation = bits as u32;
        let place = Place { slot, generation };
        match bits >> 60 {
            0 => Self::Bell,
            1 => Self::Device,
            2 => Self::Stream(place),
            3 => Self::Datagram(place),
            4 => Self::Echo(place),
            _ => Self::Source(slot as u16, generation),
        }
    }
}
