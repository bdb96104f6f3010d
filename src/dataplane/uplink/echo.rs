//! Ping: an echo inside is a question of a ping socket of the kernel's.
//!
//! Such a socket is given to those whose group is in
//! `net.ipv4.ping_group_range`; where it is refused, the container is told that
//! the way is forbidden, which ping(8) shows.
//!
//! Lives here: [`Echoes`].
//! Must not: answer for another: an answer comes from the one that was asked.
//! Called by: `dataplane::uplink::serve`.
//! Always true: each asker has one socket, forgotten after [`SILENCE`].

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::clock::Alarm;
use super::device::PAYLOAD;
use super::serve::{Ground, Token};
use super::table::{Place, Table};
use super::udp::{teller, trouble_of};
use super::wire::icmp::{HEADER, Trouble, parse_reply, parse_request, write_request};
use super::wire::ip::{HOPS, Ip};
use super::wire::{ICMP, ICMP6};
use crate::sys::epoll::Interest;
use crate::sys::socket::{self, Mishap};

/// How long nothing need be asked (RFC 5508, REQ-2: at least a minute).
const SILENCE: Duration = Duration::from_secs(60);
/// Askers at a time.
const ASKERS: usize = 1024;
/// Answers read from one socket in one turn.
const TURN: usize = 16;

/// All who ask.
#[derive(Default)]
pub struct Echoes {
    /// By address, the asker's number, and the address asked.
    table: Table<(IpAddr, u16, IpAddr), Asker>,
}

struct Asker {
    fd: OwnedFd,
    real: IpAddr,
    last: Instant,
    alarm: Alarm,
    hops: u8,
    /// The last question's number.
    seq: u16,
}

impl Echoes {
    /// Takes a message; only questions count.
    pub fn take(&mut self, ground: &mut Ground, ip: &Ip, message: &[u8]) {
        let six = ip.source.is_ipv6();
        if (ip.protocol == ICMP6) != six {
            return;
        }
        let Some(echo) = parse_request(message, six) else {
            return;
        };
        let begin = &message[..HEADER];
        let asked = SocketAddr::new(ip.destination, 0);
        let Some(to) = ground.reach.way(ip.source, asked) else {
            return;
        };
        let to = to.ip();
        let key = (ip.source, echo.ident, ip.destination);
        let outcome = match self.table.find(&key) {
            Some(place) => Ok(place),
            None => self.begin(ground, key, to),
        };
        let sent = outcome.and_then(|place| self.ask(ground, place, ip, echo.seq, echo.payload));
        if let Err(error) = sent
            && let Some(what) = Trouble::of(error)
        {
            ground.device.send_trouble(what, ip.destination, ip, begin);
        }
    }

    fn begin(
        &mut self,
        ground: &mut Ground,
        key: (IpAddr, u16, IpAddr),
        real: IpAddr,
    ) -> Result<Place, Errno> {
        if self.table.len() >= ASKERS.min(ground.most / 16) {
            return Err(Errno::NOBUFS);
        }
        let six = real.is_ipv6();
        let (family, protocol) = if six {
            (AddressFamily::INET6, rustix::net::ipproto::ICMPV6)
        } else {
            (AddressFamily::INET, rustix::net::ipproto::ICMP)
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = rustix::net::socket_with(family, SocketType::DGRAM, flags, Some(protocol))?;
        drop(socket::set_reports(&fd, six));
        let place = self.table.next();
        let token = Token::Echo(place).pack();
        ground
            .epoll
            .add(&fd, token, Interest::IN)
            .map_err(|_| Errno::NOMEM)?;
        let mut asker = Asker {
            fd,
            real,
            last: ground.now,
            alarm: Alarm::default(),
            hops: 0,
            seq: 0,
        };
        asker
            .alarm
            .set(ground.now + SILENCE, token, &mut ground.clock);
        Ok(self.table.insert(key, asker))
    }

    fn ask(
        &mut self,
        ground: &mut Ground,
        place: Place,
        ip: &Ip,
        seq: u16,
        payload: &[u8],
    ) -> Result<(), Errno> {
        let Some((_, asker)) = self.table.get_mut(place) else {
            return Ok(());
        };
        asker.last = ground.now;
        asker.seq = seq;
        let six = asker.real.is_ipv6();
        if asker.hops != ip.hops {
            asker.hops = ip.hops;
            drop(socket::set_hops(&asker.fd, six, ip.hops.max(1)));
        }
        let message = ground.device.payload(HEADER + payload.len());
        if message.len() < HEADER + payload.len() {
            return Ok(());
        }
        write_request(message, seq, six);
        message[HEADER..].copy_from_slice(payload);
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let to = SocketAddr::new(asker.real, 0);
        match rustix::net::sendto(&asker.fd, message, flags, &to) {
            Ok(_) | Err(Errno::AGAIN) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A socket has answers, or reports.
    pub fn ready(&mut self, ground: &mut Ground, place: Place, flags: Interest) {
        let Some(((inside, ident, shown), asker)) = self.table.get_mut(place) else {
            return;
        };
        let (inside, ident, shown) = (*inside, *ident, *shown);
        if flags.contains(Interest::ERR) {
            for _ in 0..TURN {
                match socket::take_mishap(&asker.fd) {
                    Ok(Some(mishap)) => {
                        asker.tell(ground, (inside, ident, shown), &mishap);
                    }
                    Ok(None) => {}
                    Err(_) => break,
                }
            }
        }
        for _ in 0..TURN {
            let room = ground.device.payload(PAYLOAD);
            let count = match rustix::net::recv(&asker.fd, &mut *room, RecvFlags::DONTWAIT) {
                Ok((count, _)) => count,
                Err(Errno::AGAIN) => break,
                Err(_) => continue,
            };
            let Some(echo) = parse_reply(&room[..count], inside.is_ipv6()) else {
                continue;
            };
            let seq = echo.seq;
            ground.device.send_reply(shown, inside, ident, seq, count);
        }
    }

    /// An asker's moment has come.
    pub fn ring(&mut self, ground: &mut Ground, place: Place) {
        let token = Token::Echo(place).pack();
        let Some((_, asker)) = self.table.get_mut(place) else {
            return;
        };
        if !asker.alarm.rings(ground.now, token, &mut ground.clock) {
            return;
        }
        let end = asker.last + SILENCE;
        if end > ground.now {
            asker.alarm.set(end, token, &mut ground.clock);
        } else {
            self.remove(ground, place);
        }
    }

    /// Ends what an address asks.
    pub fn forget(&mut self, ground: &mut Ground, inside: IpAddr) {
        for place in self.table.places(|(from, ..), _| *from == inside) {
            self.remove(ground, place);
        }
    }

    fn remove(&mut self, ground: &mut Ground, place: Place) {
        if let Some((_, mut asker)) = self.table.remove(place) {
            let token = Token::Echo(place).pack();
            asker.alarm.end(token, &mut ground.clock);
        }
    }
}

impl Asker {
    fn tell(
        &self,
        ground: &mut Ground,
        (inside, ident, shown): (IpAddr, u16, IpAddr),
        mishap: &Mishap,
    ) {
        let Some(what) = trouble_of(mishap) else {
            return;
        };
        let six = inside.is_ipv6();
        let mut begin = [0; HEADER];
        write_request(&mut begin, self.seq, six);
        begin[4..6].copy_from_slice(&ident.to_be_bytes());
        let about = Ip {
            source: inside,
            destination: shown,
            protocol: if six { ICMP6 } else { ICMP },
            hops: HOPS,
            whole: true,
            fragment: None,
        };
        let from = teller(mishap, shown);
        ground.device.send_trouble(what, from, &about, &begin);
    }
}
