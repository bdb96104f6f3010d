//! Streams: a connection inside and a socket of the machine's, as one.
//!
//! ```text
//!          SYN: connect(2)          connected: SYN, ACK         ACK
//! (none) ───────────────▶ Calling ────────────────────▶ Answered ───▶ Open ──▶ (none)
//!                           │ refused: RST · no way: ICMP · silence: nothing       ▲
//!                           ▼                                                      │
//!                         (none)          both directions have ended, or one RST ──┘
//! ```
//!
//! Numbers, seen from here:
//!
//! ```text
//! to the container      una ──── in flight ──── nxt ──── may be sent ──── edge
//! from the container    told ─── taken, not yet acknowledged ─── next ─── offered
//! ```
//!
//! *Up.* A segment in order is sent to the socket at once. The window offered is
//! what the socket has room for, so it hardly ever takes less; the rest is then
//! held, at most [`stream::HELD`] bytes of a stream and [`HELD_ALL`] of all, and beyond
//! that left to the container to send again. A segment that comes before what it
//! follows is kept until that is here ([`stream::AHEAD`]): what a process sends that
//! moves to another processor goes two ways through the kernel's queues.
//!
//! *Down.* What the socket has is read without taking it (`MSG_PEEK`, from where
//! the last one ended: `SO_PEEK_OFF`), sent, and taken when it is acknowledged.
//! To send again is to read again, one frame at a time: most of the rest is there. Before Linux 6.9 sockets cannot peek further
//! on; then no more is in flight than [`stream::BEHIND`], which is read and dropped.
//!
//! *Acknowledgements* go out once a turn of the loop, with what else is to be said;
//! where answers follow questions at once, with the answer, which is waited for
//! [`stream::DELAY`]. They go with timestamps where the container asks for them: without, the pause of a
//! sender that has lost much is doubled for each loss and never gets shorter while
//! all it sends has been sent before (RFC 6298, section 3, Karn's algorithm).
//!
//! *Events* of sockets are edges: bytes in flight would keep a level high.
//! `readable` is true from an event until a read finds nothing. A socket short
//! of room is asked to tell when it has some: by asking anew, which also makes
//! the kernel consider giving it more.
//!
//! *Moments*: nothing acknowledged (200 ms, doubled, then gone after
//! [`TRIES`]), the same acknowledged three times (10 ms: nearly always nothing is
//! lost), a closed window (as the first), silence for two hours or, once the container
//! has said its last, two minutes (probes, as RFC 5382 asks of a NAT). The socket
//! outside probes its own end; when the container probes, the socket's probes follow
//! the container's rhythm.
//!
//! Lives here: [`Streams`], and in [`stream`] one of them.
//! Must not: decide where a stream may go (`reach`).
//! Called by: `dataplane::uplink::serve`.
//! Always true: a stream's memory is its entry, [`stream::HELD`] and [`stream::AHEAD`]
//! bytes at most, those of all [`HELD_ALL`]; the
//! kernel's buffers are the user's own and bounded by the kernel.

mod stream;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{SocketType, sockopt};

use super::flow::{Flow, Protocol};
use super::serve::{Ground, Token};
use super::table::{Place, Table};
use super::wire::icmp::Trouble;
use super::wire::ip::{HOPS, Ip};
use super::wire::tcp::{ACK, Header, Options, RST, SYN, Segment};
use super::wire::{TCP, tcp};
use crate::dataplane::link::UNPACED;
use crate::sys::epoll::Interest;
use crate::sys::socket;
use stream::{Awaits, DELAY, LONGEST, Stage, Stream};

/// Bytes of all streams that their sockets had no room for.
pub(super) const HELD_ALL: usize = 16 * 1024 * 1024;
/// By how much windows are shifted here: 8 MiB can be offered.
const SCALE: u8 = 7;
/// The largest segment a container may send: its device's packet without headers.
const LARGEST: u16 = 65480;
/// How often is tried.
const TRIES: u32 = 12;
/// Bytes of the longest header.
const LONGEST_HEADER: usize = 60;
/// How many probes.
const PROBES: u32 = 9;
/// What is heard of a socket.
const EVENTS: Interest = Interest::IN
    .union(Interest::OUT)
    .union(Interest::RDHUP)
    .union(Interest::ET);

/// A stream's ends as the container sees them: its own, and the other.
pub type Key = (SocketAddr, SocketAddr);

/// A SYN whose turn has yet to come.
#[derive(Debug)]
pub struct Opening {
    key: Key,
    ip: Ip,
    /// Its header with the options; what it carries comes again.
    header: [u8; LONGEST_HEADER],
    length: usize,
}

impl Opening {
    /// Keeps what there is to know of it.
    pub fn new(key: Key, ip: &Ip, segment: &[u8]) -> Self {
        let mut header = [0; LONGEST_HEADER];
        let length = segment.len().min(LONGEST_HEADER);
        header[..length].copy_from_slice(&segment[..length]);
        Self {
            key,
            ip: *ip,
            header,
            length,
        }
    }
}

/// How many streams an address has.
#[derive(Clone, Copy, Default)]
struct Own {
    all: usize,
    /// Those that one of the two ends has yet to answer.
    half: usize,
}

/// All streams.
#[derive(Default)]
pub struct Streams {
    table: Table<Key, Stream>,
    /// How many each address has: none may take the room of all.
    by_source: HashMap<IpAddr, Own>,
    /// How many there are that one of the two ends has yet to answer.
    half: usize,
    /// Those to look at before the loop waits.
    due: Vec<Place>,
    /// Those whose acknowledgement was put off, and until when.
    owed: Vec<Place>,
    pay: Option<Instant>,
    /// Bytes held, of all.
    held: usize,
    secret: RandomState,
    /// Where bytes in flight go that have to be read over.
    behind: Vec<u8>,
}

impl Streams {
    /// Says whether there is work that needs no event.
    pub fn waiting(&self) -> bool {
        !self.due.is_empty()
    }

    /// Lists them.
    pub fn list(&self, now: Instant) -> impl Iterator<Item = Flow> {
        self.table.iter().map(move |((inside, peer), stream)| {
            let (sent, received) = socket::stream_bytes(&stream.fd).unwrap_or_default();
            Flow {
                protocol: Protocol::Tcp,
                inside: *inside,
                peer: *peer,
                sent,
                received,
                seconds: now.duration_since(stream.begun).as_secs(),
            }
        })
    }

    /// Returns how many there are, and the bytes they hold: what each may, and in all what
    /// is counted, which is looked at here.
    #[cfg(any(test, fuzzing))]
    pub fn burden(&self) -> (usize, usize) {
        let held = |stream: &Stream| stream.held.len();
        let most = self.table.iter().map(|(_, stream)| held(stream)).max();
        assert!(most.unwrap_or(0) <= stream::HELD + usize::from(u16::MAX));
        let kept = || self.table.iter().map(|(_, stream)| stream.kept());
        let most = stream::HELD + stream::AHEAD + usize::from(u16::MAX);
        assert!(kept().all(|kept| kept <= most));
        assert_eq!(kept().sum::<usize>(), self.held);
        (self.table.len(), self.held)
    }

    /// Counts those of each address.
    pub fn count(&self, all: &mut HashMap<IpAddr, u64>) {
        for (inside, own) in &self.by_source {
            *all.entry(*inside).or_default() += own.all as u64;
        }
    }

    /// Returns how many bytes are held.
    #[cfg(test)]
    pub fn kept(&self) -> usize {
        self.held
    }

    /// Finds the stream that a segment is of.
    pub fn find(&self, key: &Key) -> Option<Place> {
        self.table.find(key)
    }

    /// Takes a SYN whose turn has come.
    pub fn open(&mut self, ground: &mut Ground, opening: &Opening) {
        let Opening { key, ip, .. } = opening;
        let Some(segment) = tcp::parse(&opening.header[..opening.length]) else {
            return;
        };
        if let Some(place) = self.find(key) {
            let calls = |stream: &Stream| stream.stage == Stage::Calling;
            let next = segment.seq.wrapping_add(1);
            match self.table.get_mut(place) {
                Some((_, stream)) if calls(stream) && next != stream.next => {
                    // Another program inside has the port by now.
                    self.reset_outside(ground, place);
                }
                _ => return self.go_on(ground, place, &segment),
            }
        }
        self.begin(ground, *key, ip, &segment);
    }

    fn begin(&mut self, ground: &mut Ground, key: Key, ip: &Ip, segment: &Segment<'_>) {
        let (inside, peer) = key;
        let own = self.by_source.get(&inside.ip()).copied();
        let own = own.unwrap_or_default();
        let most = ground.most / 4 * 3;
        if self.table.len() >= most
            || own.all >= most - most / 4
            || self.half >= most / 2
            || own.half >= most / 4
        {
            // The container asks again; by then another may have ended.
            return;
        }
        let Some(to) = ground.reach.way(inside.ip(), peer) else {
            return refuse(ground, key, segment);
        };
        let fd = match connect(to, ground.reach.is_here(to.ip())) {
            Ok(fd) => fd,
            Err(Errno::CONNREFUSED) => return refuse(ground, key, segment),
            Err(error) => {
                if let Some(what) = Trouble::of(error) {
                    trouble(ground, what, ip, segment);
                }
                return;
            }
        };
        let place = self.table.next();
        let token = Token::Stream(place).pack();
        if ground.epoll.add(&fd, token, EVENTS).is_err() {
            return;
        }
        let first = self.first_number(&key, ground.now);
        let stream = Stream::new(fd, segment, first, ground.now);
        self.table.insert(key, stream);
        let own = self.by_source.entry(inside.ip()).or_default();
        own.all += 1;
        own.half += 1;
        self.half += 1;
    }

    /// Nobody can guess it (RFC 6528).
    fn first_number(&self, key: &Key, now: Instant) -> u32 {
        self.secret.hash_one((key, now)) as u32
    }

    /// A socket has something to tell.
    pub fn ready(&mut self, ground: &mut Ground, place: Place, flags: Interest) {
        let Some((_, stream)) = self.table.get_mut(place) else {
            return;
        };
        if flags.intersects(Interest::IN | Interest::RDHUP | Interest::HUP) {
            stream.readable = true;
        }
        if flags.intersects(Interest::RDHUP | Interest::HUP | Interest::ERR) {
            stream.hung = true;
        }
        if flags.contains(Interest::OUT) {
            stream.writable = true;
        }
        if stream.stage == Stage::Calling {
            if !flags.intersects(Interest::OUT | Interest::ERR | Interest::HUP) {
                return;
            }
            return match sockopt::socket_error(&stream.fd) {
                Ok(Ok(())) => self.connected(ground, place),
                Ok(Err(error)) | Err(error) => self.not_connected(ground, place, error),
            };
        }
        if flags.contains(Interest::ERR) && !matches!(sockopt::socket_error(&stream.fd), Ok(Ok(())))
        {
            return self.tear(ground, place);
        }
        self.look_at(place);
    }

    fn connected(&mut self, ground: &mut Ground, place: Place) {
        if let Some((_, stream)) = self.table.get_mut(place) {
            stream.stage = Stage::Answered;
            stream.ready();
            stream.nxt = stream.una.wrapping_add(1);
            stream.max = stream.nxt;
            let room = socket::send_room(&stream.fd).unwrap_or_default();
            let offer = (room.limit / 2).clamp(2048, 65535);
            stream.offered = stream.next.wrapping_add(offer);
        }
        self.say_connected(ground, place);
        self.look_at(place);
    }

    fn say_connected(&mut self, ground: &mut Ground, place: Place) {
        let Some(((inside, peer), stream)) = self.table.get_mut(place) else {
            return;
        };
        let header = Header {
            source: peer.port(),
            destination: inside.port(),
            seq: stream.una,
            ack: stream.next,
            flags: SYN | ACK,
            window: stream.offered.wrapping_sub(stream.next).min(65535) as u16,
            options: Options {
                mss: Some(LARGEST),
                scale: (stream.own_scale != 0).then_some(SCALE),
                stamp: stream.stamp(ground),
            },
        };
        let (from, to) = (peer.ip(), inside.ip());
        ground.device.send_tcp(from, to, &header, 0, usize::MAX);
    }

    /// A refusal is told as one, and no way as no way. Of a machine that does not
    /// answer nothing is told: the container's own patience ends as it would there.
    fn not_connected(&mut self, ground: &mut Ground, place: Place, error: Errno) {
        let Some(((inside, peer), stream)) = self.remove(ground, place) else {
            return;
        };
        let seq = stream.next.wrapping_sub(1);
        if matches!(error, Errno::CONNREFUSED | Errno::CONNRESET) {
            let header = Header {
                source: peer.port(),
                destination: inside.port(),
                ack: stream.next,
                flags: RST | ACK,
                ..Header::default()
            };
            let (from, to) = (peer.ip(), inside.ip());
            ground.device.send_tcp(from, to, &header, 0, usize::MAX);
        } else if let Some(what) = Trouble::of(error) {
            let mut begin = [0; 8];
            begin[0..2].copy_from_slice(&inside.port().to_be_bytes());
            begin[2..4].copy_from_slice(&peer.port().to_be_bytes());
            begin[4..8].copy_from_slice(&seq.to_be_bytes());
            let about = Ip {
                source: inside.ip(),
                destination: peer.ip(),
                protocol: TCP,
                hops: HOPS,
                whole: true,
                fragment: None,
            };
            ground.device.send_trouble(what, peer.ip(), &about, &begin);
        }
    }

    /// Takes a segment of a stream's.
    pub fn go_on(&mut self, ground: &mut Ground, place: Place, segment: &Segment<'_>) {
        let Some(((inside, _), stream)) = self.table.get_mut(place) else {
            return;
        };
        let half = stream.is_half();
        stream.heard = ground.now;
        stream.probes = 0;
        stream.note_stamp(segment);
        if segment.has(RST) {
            if stream.believes_reset(segment) {
                self.reset_outside(ground, place);
            }
            return;
        }
        if stream.stage == Stage::Calling {
            return;
        }
        if segment.has(SYN) {
            if stream.stage == Stage::Answered && segment.seq.wrapping_add(1) == stream.next {
                self.say_connected(ground, place);
            } else {
                // RFC 5961: whoever has forgotten the old one answers with a reset.
                stream.answer = true;
                self.look_at(place);
            }
            return;
        }
        if segment.has(ACK) && stream.hear_ack(segment) {
            let kept = stream.kept();
            let taken = stream.take_payload(segment, HELD_ALL.saturating_sub(self.held));
            self.held = self.held + stream.kept() - kept;
            if half && !stream.is_half() {
                self.half -= 1;
                if let Some(own) = self.by_source.get_mut(&inside.ip()) {
                    own.half -= 1;
                }
            }
            if taken.is_err() {
                return self.tear(ground, place);
            }
        }
        self.look_at(place);
    }

    fn look_at(&mut self, place: Place) {
        if let Some((_, stream)) = self.table.get_mut(place)
            && !stream.due
        {
            stream.due = true;
            self.due.push(place);
        }
    }

    /// Does what the turn's events have made possible, for each stream at once. Those that
    /// are left when so many bytes have moved are the first of the next turn.
    pub fn settle(&mut self, ground: &mut Ground, most: usize) {
        let mut due = std::mem::take(&mut self.due).into_iter();
        while ground.device.has_moved() < most
            && let Some(place) = due.next()
        {
            self.settle_one(ground, place);
        }
        self.due.splice(0..0, due);
    }

    fn settle_one(&mut self, ground: &mut Ground, place: Place) {
        let token = Token::Stream(place).pack();
        let Some((key, stream)) = self.table.get_mut(place) else {
            return;
        };
        stream.due = false;
        if stream.stage == Stage::Calling {
            return;
        }
        let kept = stream.kept();
        let moved = stream.drain();
        self.held -= kept - stream.kept();
        if moved.is_err() {
            return self.tear(ground, place);
        }
        stream.discard();
        let window = stream.window(ground, token);
        let more = match stream.pump(ground, key, window, &mut self.behind) {
            Ok(more) => more,
            Err(_) => return self.tear(ground, place),
        };
        if stream.answer || stream.told != stream.next {
            if !stream.may_wait(ground.now) {
                stream.send(ground, key, stream.nxt, 0, ACK, window);
            } else if !stream.owed {
                stream.owed = true;
                self.owed.push(place);
                self.pay.get_or_insert(ground.now + DELAY);
            }
        }
        if stream.ended && stream.shut && stream.una == stream.max && stream.end_acked() {
            drop(self.remove(ground, place));
            return;
        }
        stream.watch(ground, token);
        if more {
            self.look_at(place);
        }
    }

    /// Returns when acknowledgements are due that were put off.
    pub fn deadline(&self) -> Option<Instant> {
        self.pay
    }

    /// Sends those that no answer has taken with it.
    pub fn pay(&mut self, ground: &Ground) {
        if self.pay.is_none_or(|pay| pay > ground.now) {
            return;
        }
        self.pay = None;
        for place in std::mem::take(&mut self.owed) {
            let Some((_, stream)) = self.table.get_mut(place) else {
                continue;
            };
            stream.owed = false;
            if stream.told != stream.next {
                stream.converses = false;
                stream.answer = true;
                self.look_at(place);
            }
        }
    }

    /// A stream's moment has come.
    pub fn ring(&mut self, ground: &mut Ground, place: Place) {
        let token = Token::Stream(place).pack();
        let Some((key, stream)) = self.table.get_mut(place) else {
            return;
        };
        if !stream.alarm.rings(ground.now, token, &mut ground.clock) {
            return;
        }
        let key = *key;
        stream.tries += 1;
        match std::mem::replace(&mut stream.awaits, Awaits::Nothing) {
            Awaits::Nothing => {}
            Awaits::Acknowledgement if stream.tries > TRIES => {
                return self.tear(ground, place);
            }
            Awaits::Acknowledgement if stream.is_half() && stream.tries > TRIES / 2 => {
                return self.tear(ground, place);
            }
            // A reader may pause as long as it likes, if it answers (RFC 9293, 3.8.6.1).
            Awaits::Window if stream.tries > TRIES && ground.now - stream.heard > 2 * LONGEST => {
                return self.tear(ground, place);
            }
            Awaits::Acknowledgement if stream.stage == Stage::Answered => {
                self.say_connected(ground, place);
            }
            Awaits::Acknowledgement | Awaits::Order => stream.again = true,
            // A number that is acknowledged already: the answer has the window.
            Awaits::Window => stream.probe(ground, &key),
            Awaits::Sign if ground.now - stream.heard < stream.silence() => {}
            Awaits::Sign => {
                stream.probes += 1;
                if stream.probes > PROBES {
                    return self.tear(ground, place);
                }
                stream.probe(ground, &key);
            }
        }
        self.look_at(place);
    }

    /// Ends a stream that has broken: both of its ends hear a reset.
    fn tear(&mut self, ground: &mut Ground, place: Place) {
        if let Some(((inside, peer), stream)) = self.table.get_mut(place) {
            let header = Header {
                source: peer.port(),
                destination: inside.port(),
                seq: stream.nxt,
                ack: stream.next,
                flags: RST | ACK,
                ..Header::default()
            };
            let (from, to) = (peer.ip(), inside.ip());
            ground.device.send_tcp(from, to, &header, 0, usize::MAX);
        }
        self.reset_outside(ground, place);
    }

    fn reset_outside(&mut self, ground: &mut Ground, place: Place) {
        if let Some((_, stream)) = self.remove(ground, place) {
            sockopt::set_socket_linger(&stream.fd, Some(Duration::ZERO)).ok();
        }
    }

    /// Ends the streams of an address.
    pub fn forget(&mut self, ground: &mut Ground, inside: IpAddr) {
        for place in self.table.places(|(from, _), _| from.ip() == inside) {
            self.reset_outside(ground, place);
        }
    }

    fn remove(&mut self, ground: &mut Ground, place: Place) -> Option<(Key, Stream)> {
        let (key, mut stream) = self.table.remove(place)?;
        let token = Token::Stream(place).pack();
        stream.alarm.end(token, &mut ground.clock);
        self.held -= stream.kept();
        let inside = key.0.ip();
        let half = usize::from(stream.is_half());
        self.half -= half;
        if let Some(own) = self.by_source.get_mut(&inside) {
            own.all -= 1;
            own.half -= half;
            if own.all == 0 {
                self.by_source.remove(&inside);
            }
        }
        Some((key, stream))
    }
}

/// Calls an address, which may be `here` on this machine.
fn connect(to: SocketAddr, here: bool) -> Result<OwnedFd, Errno> {
    let fd = socket::make(socket::family(to.ip()), SocketType::STREAM)?;
    if here {
        // Before it connects: one that was paced once stays so. Where it is forbidden, it is paced.
        sockopt::set_tcp_congestion(&fd, UNPACED).ok();
    }
    match rustix::net::connect(&fd, &to) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(fd),
        Err(error) => Err(error),
    }
}

/// Answers a segment that is nobody's, or may not be anybody's (RFC 9293, 3.10.7.1).
pub fn refuse(ground: &mut Ground, (inside, peer): Key, segment: &Segment<'_>) {
    if segment.has(RST) {
        return;
    }
    let mut header = Header {
        source: peer.port(),
        destination: inside.port(),
        flags: RST,
        ..Header::default()
    };
    if segment.has(ACK) {
        header.seq = segment.ack;
    } else {
        header.ack = segment.seq.wrapping_add(segment.length());
        header.flags |= ACK;
    }
    let (from, to) = (peer.ip(), inside.ip());
    ground.device.send_tcp(from, to, &header, 0, usize::MAX);
}

fn trouble(ground: &mut Ground, what: Trouble, ip: &Ip, segment: &Segment<'_>) {
    let mut begin = [0; 8];
    begin[0..2].copy_from_slice(&segment.source.to_be_bytes());
    begin[2..4].copy_from_slice(&segment.destination.to_be_bytes());
    begin[4..8].copy_from_slice(&segment.seq.to_be_bytes());
    ground.device.send_trouble(what, ip.destination, ip, &begin);
}
