//! A container that means harm, before the stack: each of its steps is made of a few bytes.
//!
//! ```text
//! step = what, which, flags, a, b, length
//! ```
//!
//! It knows the numbers it was answered with, so that its segments are near enough to
//! right ones to reach every branch; its server is a listener on this machine's
//! loopback which takes, answers and ends as the bytes say.
//!
//! Lives here: [`run`], and what must be true after each step.
//! Must not: be part of the program.
//! Called by: a test here; the fuzz target `flows`.
//! Always true: the same bytes give the same steps.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};

use rustix::event::{EventfdFlags, eventfd};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::serve::Serve;
use super::wire::ip::{self, HOPS, Ip};
use super::wire::tcp::{Header, parse};
use super::wire::{TCP, UDP, fold, pseudo, sum};
use super::{Network, Order, device};
use crate::sys::{epoll, tun};

/// Bytes of one step.
const STEP: usize = 6;

/// Steps of one run at most.
const STEPS: usize = 400;

/// Connections it may have at a time: by port.
const PORTS: u8 = 5;

/// Bytes of headers and options beside those of a payload.
const BEGIN: usize = 20;

struct Hostile {
    serve: Serve,
    orders: Sender<Order>,
    bell: Arc<OwnedFd>,
    wire: OwnedFd,
    listener: TcpListener,
    datagrams: UdpSocket,
    served: Vec<TcpStream>,
    /// What is next of each of its connections, and what was acknowledged to it.
    next: [u32; PORTS as usize],
    seen: [u32; PORTS as usize],
    frame: Vec<u8>,
}

/// Does what the bytes say.
///
/// # Panics
/// When the stack does, or holds more than it may.
#[allow(clippy::expect_used, reason = "a run that cannot begin proves nothing")]
pub fn run(steps: &[u8]) {
    let mut hostile = Hostile::new().expect("sockets of this machine's own");
    for step in steps.chunks_exact(STEP).take(STEPS) {
        hostile.step(step);
        hostile.look();
    }
    // Its container goes: nothing of it stays.
    drop(hostile.orders.send(Order::Forget(own())));
    hostile.turn();
    assert_eq!(hostile.serve.burden(), (0, 0));
}

fn own() -> IpAddr {
    [172, 17, 0, 2].into()
}

fn gateway() -> IpAddr {
    [172, 17, 0, 1].into()
}

impl Hostile {
    fn new() -> std::io::Result<Self> {
        let (wire, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )?;
        let (orders, heard) = mpsc::channel();
        let bell = Arc::new(eventfd(0, EventfdFlags::NONBLOCK)?);
        let network = Network {
            v4: Some(([172, 17, 0, 1].into(), 16)),
            v6: None,
            mtu: 65520,
        };
        for order in [
            Order::Device(theirs),
            Order::Serve(network),
            Order::Loopback(own()),
        ] {
            drop(orders.send(order));
        }
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let datagrams = UdpSocket::bind("127.0.0.1:0")?;
        datagrams.set_nonblocking(true)?;
        let mut made = Self {
            serve: Serve::new(heard, Arc::clone(&bell))?,
            orders,
            bell,
            wire,
            listener,
            datagrams,
            served: Vec::new(),
            next: [0; PORTS as usize],
            seen: [0; PORTS as usize],
            frame: device::frame(),
        };
        made.turn();
        Ok(made)
    }

    fn step(&mut self, step: &[u8]) {
        let &[what, which, flags, a, b, length] = step else {
            return;
        };
        match what % 8 {
            0..=3 => self.segment(what % 4, which % PORTS, flags, [a, b], length),
            4 => self.serve_one(a, length),
            5 => self.end_one(which, a),
            6 => self.datagram(which, a, b, length),
            _ => self.garbage(step),
        }
        self.turn();
    }

    fn segment(&mut self, how: u8, which: u8, flags: u8, [a, b]: [u8; 2], length: u8) {
        let own = usize::from(which);
        let near = i32::from(a as i8);
        let far = u32::from(a) << 24 | u32::from(b) << 8;
        let (seq, ack) = match how {
            0 => (self.next[own], self.seen[own]),
            1 => (self.next[own].wrapping_add_signed(near), self.seen[own]),
            2 => (self.next[own], self.seen[own].wrapping_add_signed(near)),
            _ => (self.next[own].wrapping_add(far), far),
        };
        let port = self.listener.local_addr().map_or(1, |at| at.port());
        let header = Header {
            source: 40000 + u16::from(which),
            // One of them asks for what nobody serves.
            destination: if which == 0 { 1 } else { port },
            seq,
            ack,
            flags: flags & 0x3f,
            window: u16::from(b) << 8 | u16::from(a),
            ..Header::default()
        };
        let payload = vec![a; usize::from(length) * 16];
        let mut segment = vec![0; header.length()];
        header.write(&mut segment, 0);
        segment.extend(&payload);
        let check = !fold(sum(
            pseudo(self::own(), gateway(), TCP, segment.len()),
            &segment,
        ));
        header.write(&mut segment, check);
        let ended = u32::from(flags & 0b11 != 0);
        if how == 0 {
            let more = payload.len() as u32 + ended;
            self.next[own] = self.next[own].wrapping_add(more);
        }
        self.send(TCP, &segment, None);
    }

    fn datagram(&mut self, which: u8, a: u8, b: u8, length: u8) {
        let port = self.datagrams.local_addr().map_or(1, |at| at.port());
        let to = if which.is_multiple_of(3) { 2 } else { port };
        let payload = vec![b; usize::from(length) * 16];
        let mut datagram = Vec::new();
        for word in [u16::from(which) + 30000, to, (payload.len() + 8) as u16, 0] {
            datagram.extend(word.to_be_bytes());
        }
        datagram.extend(payload);
        // Every other comes in parts, in an order and with gaps of its own choice.
        let part = (a % 2 == 1).then_some((usize::from(a) * 8, b % 2 == 1));
        self.send(UDP, &datagram, part);
        let mut heard = [0; 64];
        while let Ok((_, from)) = self.datagrams.recv_from(&mut heard) {
            drop(self.datagrams.send_to(&heard[..usize::from(b) % 64], from));
        }
    }

    fn garbage(&mut self, bytes: &[u8]) {
        let mut frame = vec![0; tun::HEADER];
        frame[..bytes.len().min(tun::HEADER)]
            .copy_from_slice(&bytes[..bytes.len().min(tun::HEADER)]);
        frame.extend(bytes);
        self.serve.take(&frame);
        // And a packet that begins well, with these bytes somewhere in it.
        let about = Ip {
            source: own(),
            destination: gateway(),
            protocol: bytes[1],
            hops: HOPS,
            whole: false,
            fragment: None,
        };
        let mut packet = vec![0; BEGIN + 64];
        ip::write(&mut packet[..BEGIN], &about, 64, 1);
        let at = usize::from(bytes[2]) % (packet.len() - STEP);
        packet[at..at + bytes.len()].copy_from_slice(bytes);
        self.serve.take(&[&[0; tun::HEADER][..], &packet].concat());
    }

    fn send(&mut self, protocol: u8, payload: &[u8], part: Option<(usize, bool)>) {
        let about = Ip {
            source: own(),
            destination: gateway(),
            protocol,
            hops: HOPS,
            whole: false,
            fragment: None,
        };
        let mut packet = vec![0; ip::header_length(own())];
        ip::write(&mut packet, &about, payload.len(), 1);
        if let Some((at, more)) = part {
            let word = (at / 8) as u16 | u16::from(more) << 13;
            packet[6..8].copy_from_slice(&word.to_be_bytes());
            packet[10..12].fill(0);
            let check = !fold(sum(0, &packet[..BEGIN]));
            packet[10..12].copy_from_slice(&check.to_be_bytes());
        }
        let frame = [&[0; tun::HEADER][..], &packet, payload].concat();
        self.serve.take(&frame);
    }

    /// The server takes who waits, and each of its connections reads or writes a little.
    fn serve_one(&mut self, a: u8, length: u8) {
        while let Ok((stream, _)) = self.listener.accept() {
            if stream.set_nonblocking(true).is_ok() {
                self.served.push(stream);
            }
        }
        let bytes = vec![a; usize::from(length) * 64];
        for stream in &mut self.served {
            if a.is_multiple_of(2) {
                drop(stream.write(&bytes));
            } else {
                drop(stream.read(&mut vec![0; bytes.len()]));
            }
        }
    }

    fn end_one(&mut self, which: u8, a: u8) {
        let count = self.served.len();
        if count == 0 {
            return;
        }
        let at = usize::from(which) % count;
        match a % 3 {
            0 => drop(self.served.remove(at)),
            1 => drop(self.served[at].shutdown(std::net::Shutdown::Write)),
            _ => drop(self.served[at].shutdown(std::net::Shutdown::Both)),
        }
    }

    /// One turn that waits for nothing.
    fn turn(&mut self) {
        rustix::io::write(&*self.bell, &1_u64.to_ne_bytes()).ok();
        let turned = self.serve.turn(&mut epoll::room(16));
        assert!(turned.is_ok(), "{turned:?}");
    }

    /// Reads what it was answered, and weighs what the stack holds.
    fn look(&mut self) {
        let mut frame = std::mem::take(&mut self.frame);
        while let Ok(length) = rustix::io::read(&self.wire, &mut frame) {
            let packet = device::unwrap(&frame[..length]).and_then(|(p, _)| ip::parse(p));
            let Some((header, payload)) = packet else {
                panic!("what the stack sends is a packet");
            };
            assert_eq!(
                SocketAddr::new(header.destination, 0),
                SocketAddr::new(own(), 0)
            );
            if header.protocol == TCP {
                let Some(segment) = parse(payload) else {
                    panic!("what it sends as a segment is one");
                };
                if let Some(which) = segment.destination.checked_sub(40000) {
                    let which = usize::from(which) % usize::from(PORTS);
                    let end = u32::from(segment.flags & 0b11 != 0);
                    let next = segment.seq.wrapping_add(segment.payload.len() as u32 + end);
                    self.seen[which] = next;
                }
            }
        }
        self.frame = frame;
        let (flows, held) = self.serve.burden();
        assert!(flows <= STEPS, "{flows} flows");
        assert!(held <= super::tcp::HELD_ALL, "{held} bytes held");
    }
}

#[cfg(test)]
mod tests {
    use super::run;

    /// What the fuzz target begins with.
    const SEEDS: [&[u8]; 6] = [
        include_bytes!("../../../tests/fuzz/seeds/flows/datagrams"),
        include_bytes!("../../../tests/fuzz/seeds/flows/lies"),
        include_bytes!("../../../tests/fuzz/seeds/flows/no_reader"),
        include_bytes!("../../../tests/fuzz/seeds/flows/refused"),
        include_bytes!("../../../tests/fuzz/seeds/flows/reset"),
        include_bytes!("../../../tests/fuzz/seeds/flows/talk"),
    ];

    #[test]
    fn whatever_a_container_sends_the_stack_stands() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        SEEDS.into_iter().for_each(run);
        for _ in 0..60 {
            let length = random() as usize % 600;
            let mut bytes: Vec<u8> = (0..length).map(|_| random() as u8).collect();
            // Most begin as an honest one does.
            if random() % 4 != 0 {
                let opening = [0, 1 + random() as u8 % 4, 2, 255, 255, 0];
                bytes.splice(0..0, opening.into_iter().chain([4, 0, 0, 2, 0, 8]));
            }
            run(&bytes);
        }
    }
}
