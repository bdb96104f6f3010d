//! The uplink: the device of the shared namespace, and frames to it.
//!
//! A frame is `virtio_net_hdr`, IP, transport, payload. The payload is read from
//! a socket to where it will be in the frame, and the headers are written
//! before it, so that one write(2) sends it. Checksums of streams and datagrams
//! are left to whoever needs them, which between here and a container is
//! nobody; a stream's frame may be longer than a packet, and stays one up to
//! the container's own TCP.
//!
//! Lives here: [`make`], which is called in the shared namespace, and [`Device`].
//! Must not: know a flow.
//! Called by: `role::net`; the rest of `dataplane::uplink`.
//! Always true: a frame that the kernel does not take is a packet lost.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use super::wire::icmp::{self, Trouble};
use super::wire::ip::{self, HOPS, Ip};
use super::wire::{ICMP, ICMP6, TCP, UDP, fold, pseudo, sum, tcp, udp};
use crate::dataplane::link;
use crate::error::{Context, Error, Result};
use crate::sys::tun;

/// Its name in the shared namespace.
pub const DEVICE: &str = "uplink";

/// Bytes before the payload: more than all headers together.
const FRONT: usize = 128;

/// Bytes of the longest payload.
pub const PAYLOAD: usize = 65535;

/// Bytes of the longest IP packet.
const PACKET: usize = 65535;

/// Makes the device in the calling thread's network namespace, which routes
/// through it all that is nobody's there.
///
/// # Errors
/// Where `/dev/net/tun` is missing or forbidden.
pub fn make() -> Result<OwnedFd> {
    let fd = tun::open(c"uplink").what(|| "cannot open \"/dev/net/tun\"")?;
    link::way_out(DEVICE)?;
    Ok(fd)
}

/// Adds what mends a device that could not be made.
pub fn explain(error: Error) -> Error {
    match error.errno().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT | Errno::NODEV | Errno::NXIO | Errno::NOTTY) => error.hint(
            "ask an administrator to run `modprobe tun`, or inside a container give it `--device /dev/net/tun`",
        ),
        Some(Errno::ACCESS | Errno::PERM) => {
            error.hint("ask an administrator to run `chmod 666 /dev/net/tun`")
        }
        _ => error,
    }
}

/// Returns why this user cannot have such a device; none when nothing speaks against it.
pub fn lack() -> Option<Error> {
    tun::probe()
        .what(|| "containers reach nothing outside: cannot open \"/dev/net/tun\"")
        .err()
        .map(explain)
}

/// Frames to the device, and from it.
#[derive(Debug)]
pub struct Device {
    fd: Option<OwnedFd>,
    out: Vec<u8>,
    number: u16,
    moved: usize,
}

impl Device {
    /// Makes one that takes frames and loses them, until it has a descriptor.
    pub fn new() -> Self {
        Self {
            fd: None,
            out: vec![0; FRONT + PAYLOAD + 1],
            number: 0,
            moved: 0,
        }
    }

    /// Gives it its descriptor.
    pub fn open(&mut self, fd: OwnedFd) -> BorrowedFd<'_> {
        AsFd::as_fd(&*self.fd.insert(fd))
    }

    /// Reads one frame.
    ///
    /// # Errors
    /// `EAGAIN` when there is none.
    pub fn read(&mut self, frame: &mut [u8]) -> Result<usize, Errno> {
        let Some(fd) = &self.fd else {
            return Err(Errno::AGAIN);
        };
        let length = rustix::io::read(fd, frame)?;
        self.moved += length;
        Ok(length)
    }

    /// Returns how many bytes were read and written in this turn of the loop.
    pub fn has_moved(&self) -> usize {
        self.moved
    }

    /// A turn of the loop begins; returns how many bytes were read and written in the last.
    pub fn begin_turn(&mut self) -> usize {
        std::mem::take(&mut self.moved)
    }

    /// Returns the place of the next frame's payload.
    pub fn payload(&mut self, length: usize) -> &mut [u8] {
        let end = FRONT + length.min(PAYLOAD);
        &mut self.out[FRONT..end]
    }

    /// Sends a segment whose payload is in its place. One longer than `mss` is
    /// cut by whoever needs it cut.
    pub fn send_tcp(
        &mut self,
        from: IpAddr,
        to: IpAddr,
        header: &tcp::Header,
        payload: usize,
        mss: usize,
    ) {
        let transport = header.length();
        let start = FRONT - transport;
        let check = fold(pseudo(from, to, TCP, transport + payload));
        header.write(&mut self.out[start..FRONT], check);
        let gso = (payload > mss).then_some(mss);
        self.finish(from, to, (TCP, true), start, payload + transport, gso, 16);
    }

    /// Sends a datagram whose payload is in its place; `mtu` is that of its network.
    pub fn send_udp(&mut self, from: SocketAddr, to: SocketAddr, payload: usize, mtu: usize) {
        let start = FRONT - udp::HEADER;
        let length = payload + udp::HEADER;
        let check = fold(pseudo(from.ip(), to.ip(), UDP, length));
        let header = &mut self.out[start..FRONT];
        udp::write(header, from.port(), to.port(), payload, check);
        if from.is_ipv6() && length + 40 > mtu {
            let whole = !fold(sum(0, &self.out[start..FRONT + payload]));
            let whole = if whole == 0 { 0xffff } else { whole };
            self.out[start + 6..start + 8].copy_from_slice(&whole.to_be_bytes());
            return self.cut(from.ip(), to.ip(), start, length, mtu);
        }
        // On a network of small packets the kernel cuts it on its way.
        self.finish(from.ip(), to.ip(), (UDP, false), start, length, None, 6);
    }

    /// Sends an answer to ping whose payload is in its place, behind the room for its header.
    pub fn send_reply(&mut self, from: IpAddr, to: IpAddr, ident: u16, seq: u16, length: usize) {
        let protocol = if from.is_ipv6() { ICMP6 } else { ICMP };
        let message = &mut self.out[FRONT..FRONT + length];
        icmp::write_reply(message, ident, seq, from, to);
        self.finish(from, to, (protocol, false), FRONT, length, None, 0);
    }

    /// Tells the sender of a packet that it did not arrive. `begin` is the
    /// beginning of its transport: 8 bytes are enough to know it by.
    pub fn send_trouble(&mut self, trouble: Trouble, from: IpAddr, about: &Ip, begin: &[u8]) {
        if from.is_ipv4() != about.source.is_ipv4() {
            return;
        }
        let header = ip::header_length(about.source);
        // RFC 1812 4.3.2.3, RFC 4443 2.4: as much as a small packet holds.
        let begin = &begin[..begin.len().min(512)];
        let length = icmp::HEADER + header + begin.len();
        let message = &mut self.out[FRONT..FRONT + length];
        ip::write(&mut message[icmp::HEADER..], about, begin.len(), 0);
        message[icmp::HEADER + header..].copy_from_slice(begin);
        icmp::write_trouble(message, trouble, from, about.source);
        let protocol = if from.is_ipv6() { ICMP6 } else { ICMP };
        self.finish(
            from,
            about.source,
            (protocol, false),
            FRONT,
            length,
            None,
            0,
        );
    }

    /// Writes what is before the transport, and sends. `check` is where its
    /// checksum is to be completed; 0 says that it is complete.
    #[allow(clippy::too_many_arguments, reason = "the fields of one header")]
    fn finish(
        &mut self,
        from: IpAddr,
        to: IpAddr,
        (protocol, whole): (u8, bool),
        start: usize,
        length: usize,
        gso: Option<usize>,
        check: u16,
    ) {
        let header = ip::header_length(from);
        if header + length > PACKET {
            return;
        }
        self.number = self.number.wrapping_add(1);
        let about = Ip {
            source: from,
            destination: to,
            protocol,
            hops: HOPS,
            whole,
            fragment: None,
        };
        let at = start - header;
        ip::write(&mut self.out[at..start], &about, length, self.number);
        let front = at - tun::HEADER;
        let vnet = &mut self.out[front..at];
        vnet.fill(0);
        if check != 0 {
            // linux/virtio_net.h: the sum from csum_start on goes to csum_offset behind it.
            vnet[0] = 1;
            vnet[6..8].copy_from_slice(&(header as u16).to_ne_bytes());
            vnet[8..10].copy_from_slice(&check.to_ne_bytes());
        }
        if let Some(size) = gso {
            vnet[1] = if from.is_ipv6() { 4 } else { 1 };
            let headers = header + (FRONT - start);
            vnet[2..4].copy_from_slice(&(headers as u16).to_ne_bytes());
            vnet[4..6].copy_from_slice(&(size as u16).to_ne_bytes());
        }
        self.write(front, start + length);
    }

    /// Sends an IPv6 packet in parts; of this version no router may do it.
    fn cut(&mut self, from: IpAddr, to: IpAddr, start: usize, length: usize, mtu: usize) {
        const EXTENSION: usize = 8;
        self.number = self.number.wrapping_add(1);
        let size = (mtu.max(1280) - 40 - EXTENSION) & !7;
        let whole = self.out[start..start + length].to_vec();
        for (index, part) in whole.chunks(size).enumerate() {
            let offset = index * size;
            let more = u16::from(offset + part.len() < length);
            let extension = &mut self.out[FRONT - EXTENSION..FRONT];
            extension.fill(0);
            extension[0] = UDP;
            extension[2..4].copy_from_slice(&(offset as u16 | more).to_be_bytes());
            extension[6..8].copy_from_slice(&self.number.to_be_bytes());
            self.out[FRONT..FRONT + part.len()].copy_from_slice(part);
            let (start, length) = (FRONT - EXTENSION, EXTENSION + part.len());
            let number = self.number;
            self.finish(from, to, (44, false), start, length, None, 0);
            self.number = number;
        }
    }

    fn write(&mut self, from: usize, to: usize) {
        self.moved += to - from;
        if let Some(fd) = &self.fd {
            rustix::io::write(fd, &self.out[from..to]).ok();
        }
    }
}

/// What the kernel says of a frame from the device: its packet, and whether its
/// checksum is still to be made.
pub fn unwrap(frame: &[u8]) -> Option<(&[u8], bool)> {
    let vnet = frame.get(..tun::HEADER)?;
    Some((frame.get(tun::HEADER..)?, vnet[0] & 1 != 0))
}

/// Returns the room that one frame needs.
pub fn frame() -> Vec<u8> {
    vec![0; tun::HEADER + PACKET]
}
