//! One stream: the numbers of its two directions, and what is due.
//!
//! Lives here: [`Stream`], whose picture is in the room's header.
//! Must not: know other streams, or end one: it says that its socket has broken.
//! Called by: `dataplane::uplink::tcp`.
//! Always true: no number from a segment is used before it is known to be within
//! what was sent or offered.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, sockopt};

use super::{EVENTS, Key, LARGEST, SCALE};
use crate::dataplane::uplink::clock::Alarm;
use crate::dataplane::uplink::serve::Ground;
use crate::dataplane::uplink::wire::ip;
use crate::dataplane::uplink::wire::tcp::{
    ACK, FIN, HEADER, Header, Options, PSH, STAMP, Segment, Stamp, options,
};
use crate::sys::socket;

/// The smallest one that is assumed, whatever a container says (RFC 9293, 3.7.1).
const SMALLEST: usize = 536;
/// Bytes of one stream that its socket had no room for.
pub const HELD: usize = 256 * 1024;
/// Bytes of one stream that came before what they follow, and how many parts of them.
pub const AHEAD: usize = 2 * 1024 * 1024;
const AHEAD_PARTS: usize = 128;
/// How long what seems lost may be on its way.
const REORDER: Duration = Duration::from_millis(10);
/// How long an answer is waited for that the acknowledgement can go with.
pub const DELAY: Duration = Duration::from_millis(2);
/// Bytes that may be a question.
const QUESTION: u32 = 4096;
/// Bytes in flight where sockets cannot peek further on.
pub const BEHIND: usize = 128 * 1024;
/// Bytes sent to one stream in one turn.
const TURN: usize = 1024 * 1024;
/// How long an acknowledgement may take.
const RESEND: Duration = Duration::from_millis(200);
/// The longest pause between two tries.
pub const LONGEST: Duration = Duration::from_secs(30);
/// How long a stream may be silent before it is probed.
const SILENCE: Duration = Duration::from_secs(7200);
/// The same of one whose container has said its last: the program may have gone, and
/// then the container's TCP has forgotten it within a minute.
const ENDED_SILENCE: Duration = Duration::from_secs(120);
/// How long a probe waits.
const PROBE: Duration = Duration::from_secs(75);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The socket is connecting.
    Calling,
    /// The container has been told that it is connected.
    Answered,
    /// The container knows.
    Open,
}

/// What a stream's alarm is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaits {
    Nothing,
    Acknowledgement,
    /// As that, when the container says that something is missing: it may be on its way.
    Order,
    Window,
    Sign,
}

/// Something that came before what it follows.
#[derive(Debug)]
pub struct Part {
    seq: u32,
    payload: Box<[u8]>,
    fin: bool,
}

/// A connection inside, and its socket.
pub struct Stream {
    pub fd: OwnedFd,
    pub begun: Instant,
    pub stage: Stage,
    pub una: u32,
    pub nxt: u32,
    /// The furthest that nxt has been.
    pub max: u32,
    pub edge: u32,
    pub scale: u8,
    /// Bytes of the largest segment it takes, beside options.
    pub mss: usize,
    /// The timestamp to answer with, where it uses them.
    pub stamp: Option<u32>,
    /// Number of the end of what the socket had.
    pub end: Option<u32>,
    /// Acknowledged and still in the socket.
    pub acked: usize,
    pub repeats: u8,
    pub tries: u32,
    pub again: bool,
    pub next: u32,
    pub told: u32,
    pub offered: u32,
    pub own_scale: u8,
    pub held: Vec<u8>,
    /// What came too early, in order.
    pub ahead: Vec<Part>,
    /// Where next was when the socket was last asked for its room.
    pub measured: u32,
    /// The socket has little room, and will tell when it has more.
    pub short: bool,
    /// The container has sent its end.
    pub ended: bool,
    /// And the socket has been told.
    pub shut: bool,
    pub readable: bool,
    /// The socket's other end has ended, or it has broken.
    pub hung: bool,
    pub writable: bool,
    pub peeks: bool,
    /// The container is to be answered, even if there is nothing new.
    pub answer: bool,
    /// When a little was acknowledged that may be a question.
    pub asked: Option<Instant>,
    /// Answers come at once: an acknowledgement goes with them.
    pub converses: bool,
    /// It is among those that are owed one.
    pub owed: bool,
    pub due: bool,
    pub awaits: Awaits,
    pub alarm: Alarm,
    pub heard: Instant,
    pub probes: u32,
}

impl Stream {
    /// Makes one of a SYN whose socket is connecting; `first` is the number of what is sent to it.
    pub fn new(fd: OwnedFd, segment: &Segment<'_>, first: u32, now: Instant) -> Self {
        let said = options(segment.options);
        let next = segment.seq.wrapping_add(1);
        let room = if said.stamp.is_some() { STAMP } else { 0 };
        Self {
            peeks: socket::set_peek_offset(&fd, 0).is_ok(),
            fd,
            begun: now,
            stage: Stage::Calling,
            una: first,
            nxt: first,
            max: first,
            edge: first.wrapping_add(u32::from(segment.window)),
            scale: said.scale.unwrap_or(0),
            mss: usize::from(said.mss.unwrap_or(0)).max(SMALLEST) - room,
            stamp: said.stamp.map(|stamp| stamp.value),
            end: None,
            acked: 0,
            repeats: 0,
            tries: 0,
            again: false,
            next,
            told: next,
            offered: next,
            own_scale: if said.scale.is_some() { SCALE } else { 0 },
            held: Vec::new(),
            ahead: Vec::new(),
            measured: next,
            short: false,
            ended: false,
            shut: false,
            readable: false,
            hung: false,
            writable: false,
            answer: false,
            asked: None,
            converses: false,
            owed: false,
            due: false,
            awaits: Awaits::Nothing,
            alarm: Alarm::default(),
            heard: now,
            probes: 0,
        }
    }

    /// Returns the timestamps of what is sent now, where the container wants them.
    pub fn stamp(&self, ground: &Ground) -> Option<Stamp> {
        let since = ground.now.saturating_duration_since(ground.start);
        self.stamp.map(|echo| Stamp {
            value: since.as_millis() as u32,
            echo,
        })
    }

    /// Keeps the timestamp to answer with: that of what the next acknowledgement
    /// is about (RFC 7323, 4.3). What comes late is not refused by its timestamp:
    /// between here and there nothing comes late.
    pub fn note_stamp(&mut self, segment: &Segment<'_>) {
        if let Some(last) = &mut self.stamp
            && !after(segment.seq, self.told)
            && let Some(stamp) = options(segment.options).stamp
            && !after(*last, stamp.value)
        {
            *last = stamp.value;
        }
    }

    /// RFC 5961: only the very number that is expected, or while it is not yet open any in the window.
    pub fn believes_reset(&self, segment: &Segment<'_>) -> bool {
        if self.stage == Stage::Calling {
            return segment.seq == self.next;
        }
        let room = self.offered.wrapping_sub(self.next).max(1);
        segment.seq.wrapping_sub(self.next) < room
    }

    /// Returns whether the rest of the segment counts.
    pub fn hear_ack(&mut self, segment: &Segment<'_>) -> bool {
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
    pub fn take_payload(&mut self, segment: &Segment<'_>, room: usize) -> Result<(), Errno> {
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
        if after(segment.seq, self.next) {
            self.keep_ahead(segment, room);
            self.answer = true;
            return Ok(());
        }
        if behind >= length || self.ended {
            // All of it is known: say where we are.
            if behind == 1 && length == 1 && !segment.has(FIN) {
                self.mirror_probe();
            }
            self.answer = true;
            return Ok(());
        }
        self.take_in_order(segment.seq, segment.payload, segment.has(FIN), room)?;
        while let Some(part) = self.first_ahead() {
            self.take_in_order(part.seq, &part.payload, part.fin, room)?;
        }
        Ok(())
    }

    /// Takes what begins at or before the number that is expected next.
    ///
    /// # Errors
    /// When the socket has broken.
    fn take_in_order(
        &mut self,
        seq: u32,
        payload: &[u8],
        fin: bool,
        room: usize,
    ) -> Result<(), Errno> {
        let behind = self.next.wrapping_sub(seq) as usize;
        let payload = payload.get(behind..).unwrap_or_default();
        let taken = self.send_up(payload, room)?;
        self.next = self.next.wrapping_add(taken as u32);
        if taken < payload.len() {
            self.answer = true;
        } else if fin {
            self.next = self.next.wrapping_add(1);
            self.ended = true;
            self.awaits = Awaits::Nothing;
            self.answer = true;
            self.ahead = Vec::new();
            self.shut_if_drained();
        }
        Ok(())
    }

    /// Keeps a segment before which something is missing: two processors may
    /// bring what one has sent.
    fn keep_ahead(&mut self, segment: &Segment<'_>, room: usize) {
        // It begins less than half of all numbers further on, so the sum is no smaller.
        let end = segment.seq.wrapping_sub(self.next) + segment.length();
        let kept: usize = self.ahead.iter().map(|part| part.payload.len()).sum();
        let length = segment.payload.len();
        if self.ended
            || end > self.left()
            || self.ahead.len() >= AHEAD_PARTS
            || kept + length > AHEAD
            || length > room
        {
            return;
        }
        let distance = |seq: u32| seq.wrapping_sub(self.next);
        let place = self
            .ahead
            .partition_point(|part| distance(part.seq) < distance(segment.seq));
        if self
            .ahead
            .get(place)
            .is_none_or(|part| part.seq != segment.seq)
        {
            let part = Part {
                seq: segment.seq,
                payload: segment.payload.into(),
                fin: segment.has(FIN),
            };
            self.ahead.insert(place, part);
        }
    }

    /// Returns what was kept and can be taken now; what is known by now goes.
    fn first_ahead(&mut self) -> Option<Part> {
        while let Some(part) = self.ahead.first() {
            if after(part.seq, self.next) {
                return None;
            }
            let part = self.ahead.remove(0);
            let end = part
                .seq
                .wrapping_add(part.payload.len() as u32 + u32::from(part.fin));
            if after(end, self.next) {
                return Some(part);
            }
        }
        self.ahead = Vec::new();
        None
    }

    /// Returns how many bytes of what the container has sent are here.
    pub fn kept(&self) -> usize {
        let ahead: usize = self.ahead.iter().map(|part| part.payload.len()).sum();
        self.held.len() + ahead
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
    pub fn drain(&mut self) -> Result<(), Errno> {
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
    pub fn discard(&mut self) {
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
            // What is in flight is what a peek passes over; now that is nothing. What
            // is taken from the socket the kernel subtracts itself.
            if self.peeks {
                socket::set_peek_offset(&self.fd, 0).ok();
            }
        }
    }

    /// Returns the window to tell, and offers more when the socket has more room.
    pub fn window(&mut self, ground: &Ground, token: u64) -> u16 {
        let old = self.left();
        let spent = self.next.wrapping_sub(self.measured);
        let writable = std::mem::take(&mut self.writable) && (self.short || old < 65536);
        // While much is left nothing has to be asked.
        if self.answer || writable || spent > old / 4 || (spent > 0 && old < 65536) {
            self.measured = self.next;
            let room = socket::send_room(&self.fd).unwrap_or_default();
            let free = room.limit.saturating_sub(room.used);
            // The kernel counts what it needs beside the bytes.
            let free = (free - free / 8) as usize;
            let free = free
                .saturating_sub(self.kept())
                .min(65535 << self.own_scale) as u32;
            if free > old {
                // Little more is not worth a segment of its own.
                self.answer |= writable && free >= old.saturating_mul(2).max(2048);
                self.offered = self.next.wrapping_add(free);
            }
            self.short = room.used > room.limit / 3 * 2 && !self.shut;
            if self.short {
                ground.epoll.modify(&self.fd, token, EVENTS).ok();
            }
        }
        (self.left() >> self.own_scale).min(65535) as u16
    }

    /// Returns how much of what was offered has not come yet.
    fn left(&self) -> u32 {
        let left = self.offered.wrapping_sub(self.next);
        left.cast_signed().max(0).cast_unsigned()
    }

    /// Sends what the socket has and the container has room for; says whether
    /// there is more than one turn's.
    pub fn pump(
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
            if self.nxt != self.max && flight > 0 {
                // After a loss: most of what comes then is there already, as the next
                // acknowledgement will say.
                return Ok(false);
            }
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
                    // epoll(7): a short read says that there is no more, unless the end is there.
                    self.readable = count == want || self.hung;
                    self.converses |= self
                        .asked
                        .take()
                        .is_some_and(|asked| ground.now - asked < DELAY);
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
        let room = 65535 - ip::header_length(inside.ip()) - HEADER - STAMP;
        if self.mss > room / 2 {
            self.mss.min(room)
        } else {
            room / self.mss * self.mss
        }
    }

    pub fn send(
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
            options: Options {
                stamp: self.stamp(ground),
                ..Options::default()
            },
        };
        let (from, to) = (peer.ip(), inside.ip());
        ground.device.send_tcp(from, to, &header, payload, self.mss);
        self.told = self.next;
        self.answer = false;
    }

    /// Returns how long nothing may be heard before the container is asked.
    pub fn silence(&self) -> Duration {
        if self.ended { ENDED_SILENCE } else { SILENCE }
    }

    /// Asks the container for a sign of life.
    pub fn probe(&mut self, ground: &mut Ground, key: &Key) {
        let window = (self.left() >> self.own_scale).min(65535) as u16;
        self.send(ground, key, self.una.wrapping_sub(1), 0, ACK, window);
    }

    /// The container wants to know whether its peer lives: let the socket ask.
    fn mirror_probe(&mut self) {
        let fd = &self.fd;
        sockopt::set_tcp_keepidle(fd, Duration::from_secs(10)).ok();
        sockopt::set_tcp_keepintvl(fd, Duration::from_secs(10)).ok();
        sockopt::set_tcp_keepcnt(fd, 6).ok();
    }

    /// Says whether what has come is only to be acknowledged by and by.
    pub fn may_wait(&mut self, now: Instant) -> bool {
        let little = self.next.wrapping_sub(self.told) < QUESTION;
        self.asked = little.then_some(now);
        little && self.converses && !self.answer && self.stage == Stage::Open
    }

    pub fn end_acked(&self) -> bool {
        self.end.is_some_and(|end| after(self.una, end))
    }

    /// Sets the alarm for what is awaited now.
    pub fn watch(&mut self, ground: &mut Ground, token: u64) {
        let room = self.edge.wrapping_sub(self.nxt).cast_signed();
        let awaits = if self.nxt != self.una && self.repeats >= 3 {
            Awaits::Order
        } else if self.nxt != self.una {
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
            Awaits::Sign => (self.heard + self.silence()).saturating_duration_since(ground.now),
            Awaits::Order => REORDER,
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

/// Numbers wrap: one is after another when it is less than half the way on.
fn after(one: u32, other: u32) -> bool {
    one.wrapping_sub(other).cast_signed() > 0
}

fn later(one: u32, other: u32) -> u32 {
    if after(other, one) { other } else { one }
}
