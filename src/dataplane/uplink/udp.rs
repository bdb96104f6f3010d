//! Datagrams: an address and port inside have a socket of the machine's.
//!
//! The socket is connected to nobody, so that the same port outside serves all
//! whom the program inside speaks to (RFC 4787, endpoint-independent mapping),
//! and each datagram leaves by the route and address that are right when it
//! leaves. Who has not been spoken to is not heard (address-dependent
//! filtering).
//!
//! A datagram that must not be cut is sent as such; where it is too large for
//! the way, the sender inside is told the size, and it is sent in parts: nothing
//! is lost while the sender learns.
//!
//! Lives here: [`Datagrams`].
//! Must not: keep a datagram.
//! Called by: `dataplane::uplink::serve`.
//! Always true: when one address has too many flows, those of it go that were silent for
//! longest; when all together have, those of whom has the most.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketType, sockopt};

use super::clock::Alarm;
use super::flow::{self, Protocol};
use super::serve::{Ground, Token};
use super::table::{Place, Table};
use super::wire::UDP;
use super::wire::icmp::Trouble;
use super::wire::ip::{self, HOPS, Ip};
use crate::sys::epoll::Interest;
use crate::sys::socket::{self, Mishap, Origin};

/// How long a flow may be silent (RFC 4787, REQ-5: at least two minutes).
const SILENCE: Duration = Duration::from_secs(180);
/// Whom one flow may speak to at a time; the first spoken to is forgotten first.
const PEERS: usize = 64;
/// How many addresses may have as many flows as they like before all have less room.
const PARTS: usize = 4;
/// Datagrams read from one socket in one turn.
const TURN: usize = 32;

/// All flows of datagrams.
#[derive(Default)]
pub struct Datagrams {
    table: Table<SocketAddr, Flow>,
    /// How many each address has.
    by_source: HashMap<IpAddr, usize>,
}

struct Flow {
    fd: OwnedFd,
    six: bool,
    peers: Vec<Peer>,
    last: Instant,
    alarm: Alarm,
    whole: bool,
    hops: u8,
    begun: Instant,
    sent: u64,
    received: u64,
}

/// Somebody outside: as he is, and as the container sees him.
#[derive(Clone, Copy)]
struct Peer {
    real: SocketAddr,
    shown: SocketAddr,
}

impl Datagrams {
    /// Lists them; a flow that has spoken to several is told with the last of them.
    pub fn list(&self, now: Instant) -> impl Iterator<Item = flow::Flow> {
        self.table.iter().filter_map(move |(inside, flow)| {
            Some(flow::Flow {
                protocol: Protocol::Udp,
                inside: *inside,
                peer: flow.peers.last()?.shown,
                sent: flow.sent,
                received: flow.received,
                seconds: now.duration_since(flow.begun).as_secs(),
            })
        })
    }

    /// Returns how many there are.
    #[cfg(any(test, fuzzing))]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Says whether an address and port inside has a flow.
    pub fn knows(&self, inside: &SocketAddr) -> bool {
        self.table.find(inside).is_some()
    }

    /// Counts those of each address.
    pub fn count(&self, all: &mut HashMap<IpAddr, u64>) {
        for (inside, own) in &self.by_source {
            *all.entry(*inside).or_default() += *own as u64;
        }
    }

    /// Takes a datagram: what it carries, and the beginning of its header.
    pub fn take(
        &mut self,
        ground: &mut Ground,
        (inside, peer): (SocketAddr, SocketAddr),
        ip: &Ip,
        (payload, begin): (&[u8], &[u8]),
    ) {
        let Some(to) = ground.reach.way(inside.ip(), peer) else {
            if !is_group(peer.ip()) {
                let what = Trouble::Port;
                ground.device.send_trouble(what, peer.ip(), ip, begin);
            }
            return;
        };
        let place = match self.table.find(&inside) {
            Some(place) => place,
            None => match self.begin(ground, inside) {
                Ok(place) => place,
                Err(error) => {
                    if let Some(what) = Trouble::of(error) {
                        ground.device.send_trouble(what, peer.ip(), ip, begin);
                    }
                    return;
                }
            },
        };
        let Some((_, flow)) = self.table.get_mut(place) else {
            return;
        };
        flow.last = ground.now;
        flow.meet(to, peer);
        flow.sent += payload.len() as u64;
        flow.adapt(ip);
        match flow.send(payload, to) {
            Ok(()) => {}
            Err(Errno::MSGSIZE) => {
                let size = path_size(to);
                let told = size.filter(|size| payload.len() + 28 > *size as usize);
                if let Some(size) = told {
                    let what = Trouble::Large(size);
                    ground.device.send_trouble(what, peer.ip(), ip, begin);
                }
                flow.set_whole(false);
                flow.send(payload, to).ok();
            }
            Err(error) => {
                if let Some(what) = Trouble::of(error) {
                    ground.device.send_trouble(what, peer.ip(), ip, begin);
                }
            }
        }
    }

    fn begin(&mut self, ground: &mut Ground, inside: SocketAddr) -> Result<Place, Errno> {
        self.make_room(ground, inside.ip());
        let six = inside.is_ipv6();
        let fd = socket::make(socket::family(inside.ip()), SocketType::DGRAM)?;
        if six {
            sockopt::set_ipv6_v6only(&fd, true)?;
        }
        drop(socket::set_reports(&fd, six));
        let place = self.table.next();
        let token = Token::Datagram(place).pack();
        ground
            .epoll
            .add(&fd, token, Interest::IN)
            .map_err(|_| Errno::NOMEM)?;
        let mut flow = Flow {
            fd,
            six,
            peers: Vec::new(),
            last: ground.now,
            alarm: Alarm::default(),
            whole: true,
            hops: 0,
            begun: ground.now,
            sent: 0,
            received: 0,
        };
        flow.set_whole(false);
        flow.alarm
            .set(ground.now + SILENCE, token, &mut ground.clock);
        *self.by_source.entry(inside.ip()).or_default() += 1;
        Ok(self.table.insert(inside, flow))
    }

    /// Lets one more flow of an address in.
    fn make_room(&mut self, ground: &mut Ground, inside: IpAddr) {
        let most = ground.most / 4;
        let own = self.by_source.get(&inside).copied().unwrap_or_default();
        let crowd = if own >= most / PARTS {
            inside
        } else if self.table.len() >= most {
            let all = self.by_source.iter();
            all.max_by_key(|(_, own)| **own)
                .map_or(inside, |(source, _)| *source)
        } else {
            return;
        };
        let mut last = Vec::new();
        let places = self.table.places(|from, flow| {
            let theirs = from.ip() == crowd;
            last.extend(theirs.then_some(flow.last));
            theirs
        });
        let mut silent: Vec<_> = last.into_iter().zip(places).collect();
        silent.sort_by_key(|(last, _)| *last);
        // Several at once: to look for them takes longer than to end one.
        for (_, place) in silent.iter().take((silent.len() / 16).max(1)) {
            self.remove(ground, *place);
        }
    }

    /// A socket has datagrams, or reports.
    pub fn ready(&mut self, ground: &mut Ground, place: Place, flags: Interest) {
        let Some((inside, flow)) = self.table.get_mut(place) else {
            return;
        };
        let inside = *inside;
        let mtu = ground.reach.mtu(inside.ip());
        if flags.contains(Interest::ERR) {
            for _ in 0..TURN {
                match socket::take_mishap(&flow.fd) {
                    Ok(Some(mishap)) => flow.tell(ground, inside, &mishap),
                    Ok(None) => {}
                    Err(_) => break,
                }
            }
        }
        for _ in 0..TURN {
            let room = ground.device.payload(super::device::PAYLOAD);
            let (count, from) = match rustix::net::recvfrom(&flow.fd, room, RecvFlags::DONTWAIT) {
                Ok((count, _, Some(from))) => (count, from),
                Ok((_, _, None)) | Err(Errno::INTR) => continue,
                // An error that ICMP brought is told once, and is in the queue of errors.
                Err(Errno::AGAIN) => break,
                Err(_) => continue,
            };
            let Ok(from) = SocketAddr::try_from(from) else {
                continue;
            };
            let Some(shown) = flow.shown(from) else {
                continue;
            };
            flow.last = ground.now;
            flow.received += count as u64;
            ground.device.send_udp(shown, inside, count, mtu);
        }
    }

    /// A flow's moment has come.
    pub fn ring(&mut self, ground: &mut Ground, place: Place) {
        let token = Token::Datagram(place).pack();
        let Some((_, flow)) = self.table.get_mut(place) else {
            return;
        };
        if !flow.alarm.rings(ground.now, token, &mut ground.clock) {
            return;
        }
        let end = flow.last + SILENCE;
        if end > ground.now {
            flow.alarm.set(end, token, &mut ground.clock);
        } else {
            self.remove(ground, place);
        }
    }

    /// Ends the flows of an address.
    pub fn forget(&mut self, ground: &mut Ground, inside: IpAddr) {
        for place in self.table.places(|from, _| from.ip() == inside) {
            self.remove(ground, place);
        }
    }

    fn remove(&mut self, ground: &mut Ground, place: Place) {
        if let Some((inside, mut flow)) = self.table.remove(place) {
            if let Some(own) = self.by_source.get_mut(&inside.ip()) {
                *own -= 1;
                if *own == 0 {
                    self.by_source.remove(&inside.ip());
                }
            }
            let token = Token::Datagram(place).pack();
            flow.alarm.end(token, &mut ground.clock);
        }
    }
}

impl Flow {
    fn meet(&mut self, real: SocketAddr, shown: SocketAddr) {
        match self.peers.iter_mut().find(|peer| peer.real == real) {
            Some(peer) => peer.shown = shown,
            None => {
                if self.peers.len() >= PEERS {
                    self.peers.remove(0);
                }
                self.peers.push(Peer { real, shown });
            }
        }
    }

    /// How the container sees who has sent something; none when it has not spoken to him.
    fn shown(&self, from: SocketAddr) -> Option<SocketAddr> {
        if let Some(peer) = self.peers.iter().find(|peer| peer.real == from) {
            return Some(peer.shown);
        }
        let same = |peer: &&Peer| peer.real.ip() == from.ip();
        let peer = self.peers.iter().find(same)?;
        Some(SocketAddr::new(peer.shown.ip(), from.port()))
    }

    /// Sends as the container does: with its hops, and whole or not.
    fn adapt(&mut self, ip: &Ip) {
        // IPv6 is never cut on its way, so there the question is only how large a packet leaves.
        self.set_whole(ip.whole && !self.six);
        if self.hops != ip.hops {
            self.hops = ip.hops;
            drop(socket::set_hops(&self.fd, self.six, ip.hops.max(1)));
        }
    }

    fn set_whole(&mut self, whole: bool) {
        if self.whole == whole {
            return;
        }
        self.whole = whole;
        drop(socket::set_whole(&self.fd, self.six, whole));
    }

    /// An error that an earlier datagram met is given to the next call: that one is tried again.
    fn send(&self, payload: &[u8], to: SocketAddr) -> Result<(), Errno> {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        for _ in 0..4 {
            match rustix::net::sendto(&self.fd, payload, flags, &to) {
                Ok(_) | Err(Errno::AGAIN | Errno::NOBUFS) => return Ok(()),
                Err(Errno::CONNREFUSED | Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Tells the container what became of a datagram of its.
    fn tell(&self, ground: &mut Ground, inside: SocketAddr, mishap: &Mishap) {
        let Some(shown) = self.shown(mishap.to) else {
            return;
        };
        let Some(what) = trouble_of(mishap) else {
            return;
        };
        let mut begin = [0; 8];
        begin[0..2].copy_from_slice(&inside.port().to_be_bytes());
        begin[2..4].copy_from_slice(&shown.port().to_be_bytes());
        begin[4..6].copy_from_slice(&8_u16.to_be_bytes());
        let about = Ip {
            source: inside.ip(),
            destination: shown.ip(),
            protocol: UDP,
            hops: HOPS,
            whole: true,
            fragment: None,
        };
        let from = teller(mishap, shown.ip());
        ground.device.send_trouble(what, from, &about, &begin);
    }
}

/// Who is named as the one that says so: the router that did, unless it is this
/// machine, which the container knows by another address.
pub(super) fn teller(mishap: &Mishap, shown: IpAddr) -> IpAddr {
    match mishap.offender {
        Some(offender)
            if offender != mishap.to.ip()
                && !offender.is_loopback()
                && !offender.is_unspecified() =>
        {
            offender
        }
        _ => shown,
    }
}

/// Returns what a report means to the container.
pub(super) fn trouble_of(mishap: &Mishap) -> Option<Trouble> {
    match mishap.origin {
        Origin::Icmp(3, 4) | Origin::Icmp6(2, _) => Some(Trouble::Large(mishap.size)),
        Origin::Icmp(kind, code) | Origin::Icmp6(kind, code) => Some(Trouble::Other(kind, code)),
        // What the kernel refuses at once is an error of the call that asked.
        Origin::Local => match Errno::from_raw_os_error(mishap.errno) {
            Errno::MSGSIZE => None,
            errno => Trouble::of(errno),
        },
    }
}

/// Returns what the kernel knows of the largest packet on the way to an address.
fn path_size(to: SocketAddr) -> Option<u32> {
    let any: SocketAddr = if to.is_ipv6() {
        (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
    } else {
        (std::net::Ipv4Addr::UNSPECIFIED, 0).into()
    };
    let socket = std::net::UdpSocket::bind(any).ok()?;
    socket.connect(to).ok()?;
    let size = socket::path_size(&socket, to.is_ipv6()).ok()?;
    let smallest = ip::header_length(to.ip()) as u32 + 8;
    (size > smallest).then_some(size)
}

fn is_group(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_multicast(),
    }
}
