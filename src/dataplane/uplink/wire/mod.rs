//! Headers of packets: read from bytes, written to bytes.
//!
//! Lives here: one file a protocol, each with what is read of it and how it is
//! written; the checksum they share.
//! Must not: keep anything, or touch a descriptor.
//! Called by: the rest of `dataplane::uplink`.
//! Always true: any bytes are read without a panic, in time that their number
//! bounds; what is malformed is none.

pub mod icmp;
pub mod ip;
pub mod tcp;
pub mod udp;

use std::net::IpAddr;

/// Number of TCP in IP.
pub const TCP: u8 = 6;
/// Number of UDP in IP.
pub const UDP: u8 = 17;
/// Number of ICMP in IPv4.
pub const ICMP: u8 = 1;
/// Number of ICMPv6 in IPv6.
pub const ICMP6: u8 = 58;

/// Adds bytes to a sum of 16-bit words (RFC 1071).
pub fn sum(start: u32, bytes: &[u8]) -> u32 {
    let mut words = bytes.chunks_exact(2);
    let mut total = u64::from(start);
    for word in &mut words {
        total += u64::from(u16::from_be_bytes([word[0], word[1]]));
    }
    if let [last] = words.remainder() {
        total += u64::from(*last) << 8;
    }
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u32
}

/// Folds a sum to the 16 bits that are written, not inverted.
pub fn fold(mut total: u32) -> u16 {
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

/// The sum of the addresses, the protocol and the length that a transport's checksum covers.
pub fn pseudo(source: IpAddr, destination: IpAddr, protocol: u8, length: usize) -> u32 {
    let start = u32::from(protocol) + fold(length as u32) as u32;
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            sum(sum(start, &source.octets()), &destination.octets())
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            sum(sum(start, &source.octets()), &destination.octets())
        }
        _ => start,
    }
}

/// Says whether a transport's bytes are as they were sent.
pub fn intact(ip: &ip::Ip, transport: &[u8]) -> bool {
    let start = match ip.protocol {
        // Of IPv4's ICMP the addresses are no part.
        ICMP => 0,
        // A datagram over IPv4 may be without (RFC 768).
        UDP if ip.source.is_ipv4() && transport.get(6..8) == Some(&[0, 0]) => return true,
        protocol => pseudo(ip.source, ip.destination, protocol, transport.len()),
    };
    fold(sum(start, transport)) == 0xffff
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
