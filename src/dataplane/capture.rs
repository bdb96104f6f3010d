//! A container's packets, written down as tcpdump writes them.
//!
//! ```text
//! file     header, records            pcap, in microseconds
//! header   a1b2c3d4 2.4 0 0 262144 276
//! record   seconds, microseconds, bytes kept, bytes in all, packet
//! packet   20 bytes of LINKTYPE_LINUX_SLL2: protocol, device, kind, way, address; then IP
//! ```
//!
//! This link type is that of `tcpdump -i any`: the container's devices and its
//! loopback, where the clients of published ports come in, are in one file.
//!
//! Lives here: [`write`], and the job of the process that does it.
//! Must not: enter a namespace.
//! Called by: `role::capture`.
//! Always true: memory is one packet's; a file that cannot be written any more
//! ends the writing and nothing else.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::fd::OwnedFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, poll};

use crate::sys::packet::{self, Link, OUTGOING};

/// Bytes kept of a packet: more than any has.
const KEPT: usize = 262_144 - 20;

/// Packets still taken after the container has ended.
const LAST: usize = 4096;

/// Index of the loopback device in every namespace.
const LOOPBACK: u32 = 1;

/// What a capture process is to do.
#[derive(Debug)]
pub struct CaptureJob {
    /// Where to: open, and empty or to be continued.
    pub file: File,
    /// The container's network namespace.
    pub network: OwnedFd,
    /// Where it tells, by closing it after a byte, that no packet is missed from now on.
    pub ready: OwnedFd,
    /// End of a pipe whose other end the monitor has: closed means the container has gone.
    pub control: OwnedFd,
}

/// Writes what the socket sees until the other end of `control` is closed.
///
/// # Errors
/// When the file or the socket fails.
pub fn write(file: File, socket: &OwnedFd, control: &OwnedFd) -> std::io::Result<()> {
    let fresh = file.metadata()?.len() == 0;
    let mut out = BufWriter::with_capacity(1 << 16, file);
    if fresh {
        out.write_all(&header())?;
    }
    let mut buffer = vec![0; KEPT];
    loop {
        let mut wanted = [
            PollFd::new(socket, PollFlags::IN),
            PollFd::new(control, PollFlags::IN),
        ];
        match poll(&mut wanted, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ended = !wanted[1].revents().is_empty();
        for _ in 0..LAST {
            match packet::receive(socket, &mut buffer) {
                Ok((length, link)) => record(&mut out, &buffer, length, &link)?,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                // A device went down; others go on.
                Err(error) if error.raw_os_error() == Some(100) => {}
                Err(error) => return Err(error),
            }
        }
        out.flush()?;
        if ended {
            return Ok(());
        }
    }
}

fn record(out: &mut impl Write, buffer: &[u8], length: usize, link: &Link) -> std::io::Result<()> {
    // What loopback sends it receives: one of the two is enough.
    if link.index == LOOPBACK && link.way == OUTGOING {
        return Ok(());
    }
    let kept = &buffer[..length.min(buffer.len())];
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    out.write_all(&record_header(now.unwrap_or_default(), kept.len(), length))?;
    out.write_all(&cooked(link))?;
    out.write_all(kept)
}

fn header() -> [u8; 24] {
    let mut header = [0; 24];
    header[0..4].copy_from_slice(&0xa1b2_c3d4_u32.to_ne_bytes());
    header[4..6].copy_from_slice(&2_u16.to_ne_bytes());
    header[6..8].copy_from_slice(&4_u16.to_ne_bytes());
    header[16..20].copy_from_slice(&(KEPT as u32 + 20).to_ne_bytes());
    header[20..24].copy_from_slice(&276_u32.to_ne_bytes());
    header
}

fn record_header(now: Duration, kept: usize, length: usize) -> [u8; 16] {
    let words = [
        now.as_secs() as u32,
        now.subsec_micros(),
        kept as u32 + 20,
        length as u32 + 20,
    ];
    let mut header = [0; 16];
    for (place, word) in header.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    header
}

fn cooked(link: &Link) -> [u8; 20] {
    let mut header = [0; 20];
    header[0..2].copy_from_slice(&link.protocol.to_be_bytes());
    header[4..8].copy_from_slice(&link.index.to_be_bytes());
    header[8..10].copy_from_slice(&link.kind.to_be_bytes());
    header[10] = link.way;
    header[11] = link.length;
    header[12..20].copy_from_slice(&link.address);
    header
}

#[cfg(test)]
mod tests {
    use super::{Link, record};

    #[test]
    fn a_packet_is_kept_with_its_true_length_and_its_device() {
        let link = Link {
            protocol: 0x0800,
            index: 2,
            kind: 1,
            way: 4,
            length: 6,
            address: [2, 0x42, 172, 17, 0, 2, 0, 0],
        };
        let mut out = Vec::new();
        record(&mut out, b"packet", 1000, &link).expect("written");
        assert_eq!(out.len(), 16 + 20 + 6);
        assert_eq!(out[8..12], 26_u32.to_ne_bytes());
        assert_eq!(out[12..16], 1020_u32.to_ne_bytes());
        assert_eq!(out[16..20], [8, 0, 0, 0]);
        assert_eq!(out[20..28], [0, 0, 0, 2, 0, 1, 4, 6]);
        let own = Link { index: 1, ..link };
        record(&mut out, b"packet", 6, &own).expect("left out");
        assert_eq!(out.len(), 42);
    }
}
