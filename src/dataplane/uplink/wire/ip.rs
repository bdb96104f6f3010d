//! The headers of IPv4 (RFC 791) and IPv6 (RFC 8200).
//!
//! Lives here: [`parse`] and [`write`] of both versions.
//! Must not: follow a routing header; what has one is none of ours.
//! Called by: `dataplane::uplink`.
//! Always true: the payload is what the header says, never more than there is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{fold, sum, u16_at, u32_at};

/// Hops of a packet of ours.
pub const HOPS: u8 = 64;

/// Extension headers that are looked at, at most.
const EXTENSIONS: usize = 8;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip {
    /// From where.
    pub source: IpAddr,
    /// To where.
    pub destination: IpAddr,
    /// What the payload is.
    pub protocol: u8,
    /// Hops it may still take.
    pub hops: u8,
    /// It must not be cut into fragments on its way.
    pub whole: bool,
    /// It is a part of a larger one.
    pub fragment: Option<Fragment>,
}

/// Which part of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// The packet's number.
    pub id: u32,
    /// Where the part begins.
    pub offset: usize,
    /// There are parts behind it.
    pub more: bool,
}

/// Reads a packet: its header, and its payload.
pub fn parse(packet: &[u8]) -> Option<(Ip, &[u8])> {
    match packet.first()? >> 4 {
        4 => parse_v4(packet),
        6 => parse_v6(packet),
        _ => None,
    }
}

fn parse_v4(packet: &[u8]) -> Option<(Ip, &[u8])> {
    let header = usize::from(packet.first()? & 0xf) * 4;
    let total = usize::from(u16_at(packet, 2)?);
    if header < 20 || total < header || total > packet.len() {
        return None;
    }
    let pieces = u16_at(packet, 6)?;
    let offset = usize::from(pieces & 0x1fff) * 8;
    let more = pieces & 0x2000 != 0;
    let fragment = (more || offset != 0).then_some(Fragment {
        id: u32::from(u16_at(packet, 4)?),
        offset,
        more,
    });
    let ip = Ip {
        source: Ipv4Addr::from_bits(u32_at(packet, 12)?).into(),
        destination: Ipv4Addr::from_bits(u32_at(packet, 16)?).into(),
        protocol: *packet.get(9)?,
        hops: *packet.get(8)?,
        whole: pieces & 0x4000 != 0,
        fragment,
    };
    Some((ip, packet.get(header..total)?))
}

fn parse_v6(packet: &[u8]) -> Option<(Ip, &[u8])> {
    let length = usize::from(u16_at(packet, 4)?);
    let mut protocol = *packet.get(6)?;
    let address = |at: usize| {
        let octets: [u8; 16] = packet.get(at..at + 16)?.try_into().ok()?;
        Some(IpAddr::V6(Ipv6Addr::from(octets)))
    };
    let (source, destination) = (address(8)?, address(24)?);
    let mut payload = packet.get(40..40 + length)?;
    let mut fragment = None;
    for _ in 0..EXTENSIONS {
        let size = match protocol {
            // Hop-by-hop and destination options: nothing in them is for us.
            0 | 60 => (usize::from(*payload.get(1)?) + 1) * 8,
            44 => {
                let place = u16_at(payload, 2)?;
                fragment = Some(Fragment {
                    id: u32_at(payload, 4)?,
                    offset: usize::from(place & 0xfff8),
                    more: place & 1 != 0,
                });
                8
            }
            _ => break,
        };
        protocol = *payload.first()?;
        payload = payload.get(size..)?;
        if fragment.is_some_and(|part| part.offset != 0) {
            break;
        }
    }
    let ip = Ip {
        source,
        destination,
        protocol,
        hops: *packet.get(7)?,
        whole: true,
        fragment,
    };
    Some((ip, payload))
}

/// Returns the length of the header for addresses of this version.
pub fn header_length(address: IpAddr) -> usize {
    match address {
        IpAddr::V4(_) => 20,
        IpAddr::V6(_) => 40,
    }
}

/// Writes a header of [`header_length`] bytes for so much payload. `number` is
/// that of an IPv4 packet which may be cut; one that must not be needs none.
pub fn write(header: &mut [u8], ip: &Ip, payload: usize, number: u16) {
    match (ip.source, ip.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) if header.len() >= 20 => {
            let header = &mut header[..20];
            header.fill(0);
            header[0] = 0x45;
            header[2..4].copy_from_slice(&((20 + payload) as u16).to_be_bytes());
            header[4..6].copy_from_slice(&number.to_be_bytes());
            if ip.whole {
                header[6] = 0x40;
            }
            header[8] = ip.hops;
            header[9] = ip.protocol;
            header[12..16].copy_from_slice(&source.octets());
            header[16..20].copy_from_slice(&destination.octets());
            let check = !fold(sum(0, header));
            header[10..12].copy_from_slice(&check.to_be_bytes());
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) if header.len() >= 40 => {
            let header = &mut header[..40];
            header.fill(0);
            header[0] = 0x60;
            header[4..6].copy_from_slice(&(payload as u16).to_be_bytes());
            header[6] = ip.protocol;
            header[7] = ip.hops;
            header[8..24].copy_from_slice(&source.octets());
            header[24..40].copy_from_slice(&destination.octets());
        }
        _ => {}
    }
}
