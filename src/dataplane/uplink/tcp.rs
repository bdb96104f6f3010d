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
//! held, at most [`HELD`] bytes of a stream and [`HELD_ALL`] of all, and beyond
//! that left to the container to send again. A segment out of order is left too:
//! between here and there is a bridge, which does not reorder.
//!
//! *Down.* What the socket has is read without taking it (`MSG_PEEK`, from where
//! the last one ended: `SO_PEEK_OFF`), sent, and taken when it is acknowledged.
//! To send again is to read again. Before Linux 6.9 sockets cannot peek further
//! on; then no more is in flight than [`BEHIND`], which is read and dropped.
//!
//! *Acknowledgements* go out once a turn of the loop, with what else is to be said.
//!
//! *Events* of sockets are edges: bytes in flight would keep a level high.
//! `readable` is true from an event until a read finds nothing. A socket short
//! of room is asked to tell when it has some: by asking anew, which also makes
//! the kernel consider giving it more.
//!
//! *Moments*: nothing acknowledged (200 ms, doubled, then gone after
//! [`TRIES`]), a closed window (the same), silence for two hours (probes, as
//! RFC 5382 asks of a NAT). The socket outside probes its own end; when the
//! container probes, the socket's probes follow the container's rhythm.
//!
//! Lives here: [`Streams`].
//! Must not: decide where a stream may go (`reach`).
//! Called by: `dataplane::uplink::serve`.
//! Always true: a stream's memory is its entry and [`HELD`] bytes at most; the
//! kernel's buffers are the user's own and bounded by the kernel.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, sockopt,
};

use super::clock::Alarm;
use super::serve::{Ground, Token};
use super::table::{Place, Table};
use super::wire::TCP;
use super::wire::icmp::Trouble;
use super::wire::ip::{self, HOPS, Ip};
use super::wire::tcp::{ACK, FIN, Header, Options, PSH, RST, SYN, Segment, options};
use crate::sys::epoll::Interest;
use crate::sys::socket;

/// Bytes of one stream that its socket had no room for.
const HELD: usize = 256 * 1024;
/// The same of all streams together.
const HELD_ALL: usize = 16 * 1024 * 1024;
/// Bytes in flight where sockets cannot peek further on.
const BEHIND: usize = 128 * 1024;
/// Bytes sent to one stream in one turn.
const TURN: usize = 1024 * 1024;
/// By how much windows are shifted here: 8 MiB can be offered.
const SCALE: u8 = 7;
/// The largest segment a container may send: its device's packet without headers.
const LARGEST: u16 = 65480;
/// The smallest one that is assumed, whatever a container says (RFC 9293, 3.7.1).
const SMALLEST: usize = 536;
/// How long an acknowledgement may take.
const RESEND: Duration = Duration::from_millis(200);
/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(30);
/// How often is tried.
const TRIES: u32 = 12;
/// How long a stream may be silent before it is probed.
const SILENCE: Duration = Duration::from_secs(7200);
/// How long a probe waits.
const PROBE: Duration = Duration::from_secs(75);
/// How many probes.
const PROBES: u32 = 9;
/// What is heard of a socket.
const EVENTS: Interest = Interest::IN
    .union(Interest::OUT)
    .union(Interest::RDHUP)
    .union(Interest::ET);

/// A stream's ends as the container sees them: its own, and the other.
pub type Key = (SocketAddr, SocketAddr);

/// All streams.
#[derive(Default)]
pub struct Streams {
    table: Table<Key, Stream>,
    /// How many each address has: none may take the room of all.
    by_source: HashMap<IpAddr, usize>,
    /// Those to look at before the loop waits.
    due: Vec<Place>,
    /// Bytes held, of all.
    held: usize,
    secret: RandomState,
    /// Where bytes in flight go that have to be read over.
    behind: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The socket is connecting.
    Calling,
    /// The container has been told that it is connected.
    Answered,
    /// The container knows.
    Open,
}

/// What a stream's alarm is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    Nothing,
    Acknowledgement,
    Window,
    Sign,
}

struct Stream {
    fd: OwnedFd,
    stage: Stage,
    una: u32,
    nxt: u32,
    /// The furthest that nxt has been.
    max: u32,
    edge: u32,
    scale: u8,
    mss: usize,
    /// Number of the end of what the socket had.
    end: Option<u32>,
    /// Acknowledged and still in the socket.
    acked: usize,
    repeats: u8,
    tries: u32,
    again: bool,
    next: u32,
    told: u32,
    offered: u32,
    own_scale: u8,
    held: Vec<u8>,
    /// The container has sent its end.
    ended: bool,
    /// And the socket has been told.
    shut: bool,
    readable: bool,
    writable: bool,
    peeks: bool,
    /// The container is to be answered, even if there is nothing new.
    answer: bool,
    due: bool,
    awaits: Awaits,
    alarm: Alarm,
    heard: Instant,
    probes: u32,
}

impl Streams {
    /// Says whether there is work that needs no event.
    pub fn waiting(&self) -> bool {
        !self.due.is_empty()
    }

    /// Takes a segment.
    pub fn take(&mut self, ground: &mut Ground, key: Key, ip: &Ip, segment: &Segment<'_>) {
        if let Some(place) = self.table.find(&key) {
            return self.go_on(ground, place, ip, segment);
        }
        if segment.has(RST) {
            return;
        }
        if segment.has(SYN) && !segment.has(ACK) {
            return self.begin(ground, key, ip, segment);
        }
        refuse(ground, key, segment);
    }

    fn begin(&mut self, ground: &mut Ground, key: Key, ip: &Ip, segment: &Segment<'_>) {
        let (inside, peer) = key;
        let own = self.by_source.get(&inside.ip()).copied().unwrap_or(0);
        let most = ground.most / 4 * 3;
        if self.table.len() >= most || own >= most - most / 4 {
            // The container asks again; by then another may have ended.
            return;
        }
        let Some(to) = ground.reach.way(inside.ip(), peer) else {
            return refuse(ground, key, segment);
        };
        let fd = match connect(to) {
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
        let said = options(segment.options);
        let first = self.first_number(&key, ground.now);
        let stream = Stream {
            peeks: socket::set_peek_offset(&fd, 0).is_ok(),
            fd,
            stage: Stage::Calling,
            una: first,
            nxt: first,
            max: first,
            edge: first.wrapping_add(u32::from(segment.window)),
            scale: said.scale.unwrap_or(0),
            mss: usize::from(said.mss.unwrap_or(0)).max(SMALLEST),
            end: None,
            acked: 0,
            repeats: 0,
            tries: 0,
            again: false,
            next: segment.seq.wrapping_add(1),
            told: segment.seq.wrapping_add(1),
            offered: segment.seq.wrapping_add(1),
            own_scale: if said.scale.is_some() { SCALE } else { 0 },
            held: Vec::new(),
            ended: false,
            shut: false,
            readable: false,
            writable: false,
            answer: false,
            due: false,
            awaits: Awaits::Nothing,
            alarm: Alarm::default(),
            heard: ground.now,
            probes: 0,
        };
        self.table.insert(key, stream);
        *self.by_source.entry(inside.ip()).or_insert(0) += 1;
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

    fn go_on(&mut self, ground: &mut Ground, place: Place, ip: &Ip, segment: &Segment<'_>) {
        let Some((key, stream)) = self.table.get_mut(place) else {
            return;
        };
        let key = *key;
        stream.heard = ground.now;
        stream.probes = 0;
        if segment.has(RST) {
            if stream.believes_reset(segment) {
                self.reset_outside(ground, place);
            }
            return;
        }
        if stream.stage == Stage::Calling {
            if segment.has(SYN) && segment.seq.wrapping_add(1) != stream.next {
                // Another program inside has the port by now.
                self.reset_outside(ground, place);
                self.begin(ground, key, ip, segment);
            }
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
            let held = stream.held.len();
            let taken = stream.take_payload(segment, HELD_ALL.saturating_sub(self.held));
            self.held += stream.held.len() - held;
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

    /// Does what the turn's events have made possible, for each stream at once.
    pub fn settle(&mut self, ground: &mut Ground) {
        for place in std::mem::take(&mut self.due) {
            self.settle_one(ground, place);
        }
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
        let held = stream.held.len();
        let moved = stream.drain();
        self.held -= held - stream.held.len();
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
            stream.send(ground, key, stream.nxt, 0, ACK, window);
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
            Awaits::Acknowledgement | Awaits::Window if stream.tries > TRIES => {
                return self.tear(ground, place);
            }
            Awaits::Acknowledgement if stream.stage == Stage::Answered => {
                self.say_connected(ground, place);
            }
            Awaits::Acknowledgement => stream.again = true,
            // A number that is acknowledged already: the answer has the window.
            Awaits::Window => stream.probe(ground, &key),
            Awaits::Sign if ground.now - stream.heard < SILENCE => {}
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
        self.held -= stream.held.len();
        let inside = key.0.ip();
        if let Some(count) = self.by_source.get_mut(&inside) {
            *count -= 1;
            if *count == 0 {
                self.by_source.remove(&inside);
            }
        }
        Some((key, stream))
    }
}

impl Stream {
    /// RFC 5961: only the very number that is expected, or while it is not yet open any in the window.
    fn believes_reset(&self, segment: &Segment<'_>) -> bool {
        if self.stage == Stage::Calling {
            return segment.seq == self.next;
        }
        let room = self.offered.wrapping_sub(self.next).max(1);
        segment.seq.wrapping_sub(self.next) < room
    }

    /// Returns whether the rest of the segment counts.
    fn hear_ack(&mut self, segment: &Segment<'_>) -> bool {
        let ack = segment.ack;
        if after(ack, self.max) {
            self.answer = true;
            return false;
        }
        if after(self.una, ack) {
            return true;
        }
        let edge = ack.wrapping_add(u32::from(segment.window) << self.scale);
        let mut count = ack.wrapping_sub(self.una) as usize;
        if count > 0 {
            if self.stage == Stage::Answered {
                self.stage = Stage::Open;
                count -= 1;
            }
            if self.end.is_some_and(|end| after(ack, end)) {
                count -= 1;
            }
            self.acked += count;
            self.una = ack;
            if after(ack, self.nxt) {
                self.nxt = ack;
            }
            self.repeats = 0;
            self.tries = 0;
            self.awaits = Awaits::Nothing;
        } else if self.nxt != self.una && segment.length() == 0 && edge == self.edge {
            self.repeats = self.repeats.saturating_add(1);
            self.again |= self.repeats == 3;
        }
        if edge != self.edge && self.awaits == Awaits::Window {
            self.awaits = Awaits::Nothing;
            self.tries = 0;
        }
        self.edge = edge;
        true
    }

    /// # Errors
    /// When the socket has broken.
    fn take_payload(&mut self, segment: &Segment<'_>, room: usize) -> Result<(), Errno> {
        let length = segment.length();
        let behind = self.next.wrapping_sub(segment.seq);
        if length == 0 {
            if behind == 1 {
                self.mirror_probe();
            }
            // Of an empty segment only one that is out of place asks for an answer.
            self.answer |= behind != 0;
            return Ok(());
        }
        if after(segment.seq, self.next) || behind >= length || self.ended {
            // Missing before it, or all of it known: say where we are.
            if behind == 1 && length == 1 && !segment.has(FIN) {
                self.mirror_probe();
            }
            self.answer = true;
            return Ok(());
        }
        let payload = segment.payload.get(behind as usize..).unwrap_or_default();
        let taken = self.send_up(payload, room)?;
        self.next = self.next.wrapping_add(taken as u32);
        if taken < payload.len() {
            self.answer = true;
        } else if segment.has(FIN) {
            self.next = self.next.wrapping_add(1);
            self.ended = true;
            self.answer = true;
            self.shut_if_drained();
        }
        Ok(())
    }

    /// Returns how much has been sent or is held.
    fn send_up(&mut self, payload: &[u8], room: usize) -> Result<usize, Errno> {
        let mut sent = 0;
        if self.held.is_empty() && !payload.is_empty() {
            sent = send(&self.fd, payload)?;
        }
        let rest = &payload[sent..];
        let room = room.min(HELD.saturating_sub(self.held.len()));
        let kept = rest.len().min(room);
        self.held.extend_from_slice(&rest[..kept]);
        Ok(sent + kept)
    }

    /// Sends what is held, when the socket has said that it has room.
    fn drain(&mut self) -> Result<(), Errno> {
        if self.held.is_empty() || !self.writable {
            return Ok(());
        }
        let sent = send(&self.fd, &self.held)?;
        self.held.drain(..sent);
        if self.held.is_empty() {
            self.held = Vec::new();
            self.shut_if_drained();
        }
        Ok(())
    }

    fn shut_if_drained(&mut self) {
        if self.ended && self.held.is_empty() && !self.shut {
            self.shut = true;
            rustix::net::shutdown(&self.fd, Shutdown::Write).ok();
        }
    }

    /// Takes from the socket what the container has.
    fn discard(&mut self) {
        while self.acked > 0 {
            match socket::discard(&self.fd, self.acked) {
                Ok(0) | Err(_) => break,
                Ok(count) => self.acked -= count.min(self.acked),
            }
        }
        if std::mem::take(&mut self.again) && self.stage == Stage::Open {
            self.nxt = self.una;
            self.repeats = 0;
            self.readable = true;
        }
        // What is in flight is what a peek passes over; after a loss, nothing.
        if self.peeks && self.nxt == self.una {
            socket::set_peek_offset(&self.fd, 0).ok();
        }
    }

    /// Returns the window to tell, and offers more when the socket has more room.
    fn window(&mut self, ground: &Ground, token: u64) -> u16 {
        if self.answer || self.told != self.next || self.writable {
            let room = socket::send_room(&self.fd).unwrap_or_default();
            let free = room.limit.saturating_sub(room.used);
            // The kernel counts what it needs beside the bytes.
            let free = (free - free / 8) as usize;
            let free = free
                .saturating_sub(self.held.len())
                .min(65535 << self.own_scale) as u32;
            let old = self.offered.wrapping_sub(self.next).cast_signed().max(0) as u32;
            if free > old {
                // Little more is not worth a segment of its own.
                self.answer |= self.writable && free >= old.saturating_mul(2).max(2048);
                self.offered = self.next.wrapping_add(free);
            }
            self.writable = false;
            if room.used > room.limit / 3 * 2 && !self.shut {
                ground.epoll.modify(&self.fd, token, EVENTS).ok();
            }
        }
        let left = self.offered.wrapping_sub(self.next).cast_signed().max(0);
        (left >> self.own_scale).min(65535) as u16
    }

    /// Sends what the socket has and the container has room for; says whether
    /// there is more than one turn's.
    fn pump(
        &mut self,
        ground: &mut Ground,
        key: &Key,
        window: u16,
        behind: &mut Vec<u8>,
    ) -> Result<bool, Errno> {
        if self.stage != Stage::Open {
            return Ok(false);
        }
        let largest = self.largest(key);
        let mut sent = 0;
        loop {
            if self.end == Some(self.nxt) {
                self.send(ground, key, self.nxt, 0, FIN | ACK, window);
                self.nxt = self.nxt.wrapping_add(1);
                self.max = later(self.max, self.nxt);
            }
            if !self.readable || self.end.is_some_and(|end| after(self.nxt, end)) {
                return Ok(false);
            }
            let flight = self.nxt.wrapping_sub(self.una) as usize;
            let room = self.edge.wrapping_sub(self.nxt).cast_signed().max(0) as usize;
            let want = room.min(largest);
            // A small window is waited for while something is on its way (RFC 1122, 4.2.3.4).
            if want == 0 || (want < self.mss.min(largest) && flight > 0 && room < self.mss) {
                return Ok(false);
            }
            let read = if self.peeks {
                let place = ground.device.payload(want);
                rustix::net::recv(&self.fd, place, RecvFlags::PEEK | RecvFlags::DONTWAIT)
                    .map(|(count, _)| count)
            } else {
                let want = want.min(BEHIND.saturating_sub(flight));
                if want == 0 {
                    return Ok(false);
                }
                peek_behind(&self.fd, behind, flight, ground.device.payload(want))
            };
            match read {
                Ok(0) => {
                    self.end = Some(self.nxt);
                    self.readable = false;
                }
                Ok(count) => {
                    let flags = if count < want { ACK | PSH } else { ACK };
                    self.send(ground, key, self.nxt, count, flags, window);
                    self.nxt = self.nxt.wrapping_add(count as u32);
                    self.max = later(self.max, self.nxt);
                    sent += count;
                    if sent >= TURN {
                        return Ok(true);
                    }
                }
                Err(Errno::AGAIN) => self.readable = false,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Bytes of one frame: whole segments, as many as a packet's length can say.
    fn largest(&self, (inside, _): &Key) -> usize {
        let room = 65535 - ip::header_length(inside.ip()) - 20;
        if self.mss > room / 2 {
            self.mss.min(room)
        } else {
            room / self.mss * self.mss
        }
    }

    fn send(
        &mut self,
        ground: &mut Ground,
        (inside, peer): &Key,
        seq: u32,
        payload: usize,
        flags: u8,
        window: u16,
    ) {
        let header = Header {
            source: peer.port(),
            destination: inside.port(),
            seq,
            ack: self.next,
            flags,
            window,
            options: Options::default(),
        };
        let (from, to) = (peer.ip(), inside.ip());
        ground.device.send_tcp(from, to, &header, payload, self.mss);
        self.told = self.next;
        self.answer = false;
    }

    /// Asks the container for a sign of life.
    fn probe(&mut self, ground: &mut Ground, key: &Key) {
        let left = self.offered.wrapping_sub(self.next).cast_signed().max(0);
        let window = (left >> self.own_scale).min(65535) as u16;
        self.send(ground, key, self.una.wrapping_sub(1), 0, ACK, window);
    }

    /// The container wants to know whether its peer lives: let the socket ask.
    fn mirror_probe(&mut self) {
        let fd = &self.fd;
        sockopt::set_tcp_keepidle(fd, Duration::from_secs(10)).ok();
        sockopt::set_tcp_keepintvl(fd, Duration::from_secs(10)).ok();
        sockopt::set_tcp_keepcnt(fd, 6).ok();
    }

    fn end_acked(&self) -> bool {
        self.end.is_some_and(|end| after(self.una, end))
    }

    /// Sets the alarm for what is awaited now.
    fn watch(&mut self, ground: &mut Ground, token: u64) {
        let room = self.edge.wrapping_sub(self.nxt).cast_signed();
        let awaits = if self.nxt != self.una {
            Awaits::Acknowledgement
        } else if self.stage == Stage::Open && self.readable && room <= 0 {
            Awaits::Window
        } else {
            Awaits::Sign
        };
        if awaits == self.awaits {
            return;
        }
        self.awaits = awaits;
        let pause = match awaits {
            Awaits::Sign if self.probes > 0 => PROBE,
            Awaits::Sign => SILENCE,
            _ => RESEND.saturating_mul(1 << self.tries.min(16)).min(LONGEST),
        };
        if awaits == Awaits::Sign {
            self.tries = 0;
        }
        self.alarm.set(ground.now + pause, token, &mut ground.clock);
    }
}

fn send(fd: &OwnedFd, bytes: &[u8]) -> Result<usize, Errno> {
    loop {
        match rustix::net::send(fd, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(count) => return Ok(count),
            Err(Errno::AGAIN) => return Ok(0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads what is behind the bytes in flight, which are read too and dropped.
fn peek_behind(
    fd: &OwnedFd,
    behind: &mut Vec<u8>,
    flight: usize,
    place: &mut [u8],
) -> Result<usize, Errno> {
    let wanted = place.len();
    behind.resize(BEHIND + LARGEST as usize, 0);
    let all = &mut behind[..(flight + wanted).min(BEHIND + LARGEST as usize)];
    let (count, _) = rustix::net::recv(fd, &mut *all, RecvFlags::PEEK | RecvFlags::DONTWAIT)?;
    if count > flight {
        let fresh = (count - flight).min(wanted);
        place[..fresh].copy_from_slice(&all[flight..flight + fresh]);
        return Ok(fresh);
    }
    // Nothing new: the end, or nothing yet. Only poll(2) can tell the two apart.
    let mut polled = [rustix::event::PollFd::new(
        fd,
        rustix::event::PollFlags::RDHUP,
    )];
    rustix::event::poll(&mut polled, Some(&rustix::event::Timespec::default()))?;
    if polled[0].revents().is_empty() {
        return Err(Errno::AGAIN);
    }
    Ok(0)
}

fn connect(to: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = match to {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    // The container's own TCP has waited for more already, if it wanted to.
    sockopt::set_tcp_nodelay(&fd, true)?;
    sockopt::set_socket_keepalive(&fd, true)?;
    match rustix::net::connect(&fd, &to) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(fd),
        Err(error) => Err(error),
    }
}

/// Answers a segment that is nobody's, or may not be anybody's (RFC 9293, 3.10.7.1).
fn refuse(ground: &mut Ground, (inside, peer): Key, segment: &Segment<'_>) {
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

/// Numbers wrap: one is after another when it is less than half the way on.
fn after(one: u32, other: u32) -> bool {
    one.wrapping_sub(other).cast_signed() > 0
}

fn later(one: u32, other: u32) -> u32 {
    if after(other, one) { other } else { one }
}
