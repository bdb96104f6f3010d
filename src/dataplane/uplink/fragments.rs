//! Parts of packets, put together again.
//!
//! Lives here: [`Fragments`].
//! Must not: keep more than [`PACKETS`] unfinished packets, or one for longer than [`PATIENCE`].
//! Called by: `dataplane::uplink`.
//! Always true: parts that overlap are no packet (RFC 5722), nor is one of more
//! than 64 KiB; nobody's parts are mixed with another's.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::wire::ip::Ip;

/// Unfinished packets at a time; the oldest goes first.
const PACKETS: usize = 32;

/// Parts of one packet: of the smallest packets a link may have, 64 KiB need fewer.
const PARTS: usize = 160;

/// Bytes of the largest packet.
const LARGEST: usize = 65535;

/// How long parts wait for the others (RFC 8200, section 4.5: 60 seconds; none
/// of these crosses more than a bridge).
const PATIENCE: Duration = Duration::from_secs(15);

/// The unfinished packets.
#[derive(Debug, Default)]
pub struct Fragments(Vec<Packet>);

#[derive(Debug)]
struct Packet {
    key: (IpAddr, IpAddr, u8, u32),
    since: Instant,
    /// Where each begins, in order, without gaps allowed for.
    parts: Vec<(usize, Vec<u8>)>,
    /// How long it is; known with its last part.
    total: Option<usize>,
}

impl Fragments {
    /// Adds a part; returns the packet when it is whole.
    pub fn add(&mut self, ip: &Ip, part: &[u8], now: Instant) -> Option<(Ip, Vec<u8>)> {
        let piece = ip.fragment?;
        self.0.retain(|packet| now - packet.since < PATIENCE);
        // An IPv6 header says what follows only in the first part.
        let protocol = if ip.source.is_ipv6() { 0 } else { ip.protocol };
        let key = (ip.source, ip.destination, protocol, piece.id);
        let index = self.0.iter().position(|packet| packet.key == key);
        let index = index.unwrap_or_else(|| {
            if self.0.len() >= PACKETS {
                self.0.remove(0);
            }
            self.0.push(Packet {
                key,
                since: now,
                parts: Vec::new(),
                total: None,
            });
            self.0.len() - 1
        });
        match self.0[index].add(piece.offset, piece.more, part) {
            Added::Waits => None,
            Added::Bad => {
                self.0.remove(index);
                None
            }
            Added::Whole => {
                let packet = self.0.remove(index);
                let header = Ip {
                    fragment: None,
                    whole: false,
                    ..*ip
                };
                Some((header, packet.join()))
            }
        }
    }
}

enum Added {
    Waits,
    Whole,
    Bad,
}

impl Packet {
    fn add(&mut self, offset: usize, more: bool, part: &[u8]) -> Added {
        let end = offset + part.len();
        if end > LARGEST || self.parts.len() >= PARTS || part.is_empty() {
            return Added::Bad;
        }
        if more && !part.len().is_multiple_of(8) {
            return Added::Bad;
        }
        if !more {
            if self.total.is_some_and(|total| total != end) {
                return Added::Bad;
            }
            self.total = Some(end);
        }
        let place = self.parts.partition_point(|(start, _)| *start < offset);
        let before = place.checked_sub(1).map(|index| &self.parts[index]);
        let after = self.parts.get(place);
        if after.is_some_and(|(start, bytes)| *start == offset && bytes.len() == part.len()) {
            // The same part twice: the network's doing, not an attack.
            return Added::Waits;
        }
        if before.is_some_and(|(start, bytes)| start + bytes.len() > offset)
            || after.is_some_and(|(start, _)| *start < end)
        {
            return Added::Bad;
        }
        self.parts.insert(place, (offset, part.to_vec()));
        let Some(total) = self.total else {
            return Added::Waits;
        };
        if self
            .parts
            .iter()
            .any(|(start, bytes)| start + bytes.len() > total)
        {
            return Added::Bad;
        }
        let held: usize = self.parts.iter().map(|(_, bytes)| bytes.len()).sum();
        if held == total {
            Added::Whole
        } else {
            Added::Waits
        }
    }

    fn join(self) -> Vec<u8> {
        let mut whole = Vec::with_capacity(self.total.unwrap_or(0));
        for (_, bytes) in self.parts {
            whole.extend(bytes);
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::wire::ip::{Fragment, Ip};
    use super::Fragments;

    fn ip(id: u32, offset: usize, more: bool) -> Ip {
        Ip {
            source: [172, 17, 0, 2].into(),
            destination: [198, 51, 100, 7].into(),
            protocol: 17,
            hops: 63,
            whole: false,
            fragment: Some(Fragment { id, offset, more }),
        }
    }

    #[test]
    fn parts_in_any_order_become_the_packet() {
        let now = Instant::now();
        let bytes: Vec<u8> = (0..40).collect();
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let mut fragments = Fragments::default();
            let mut whole = None;
            for index in order {
                assert!(whole.is_none());
                let (start, end) = (index * 16, (index * 16 + 16).min(40));
                whole = fragments.add(&ip(1, start, end < 40), &bytes[start..end], now);
            }
            let (header, joined) = whole.expect("whole");
            assert_eq!((joined, header.fragment), (bytes.clone(), None));
            assert!(fragments.0.is_empty());
        }
    }

    #[test]
    fn parts_that_overlap_or_are_too_many_are_no_packet() {
        let now = Instant::now();
        let mut fragments = Fragments::default();
        assert!(fragments.add(&ip(1, 0, true), &[0; 16], now).is_none());
        assert!(
            fragments.add(&ip(1, 0, true), &[0; 16], now).is_none(),
            "twice"
        );
        assert!(fragments.add(&ip(1, 8, false), &[0; 16], now).is_none());
        assert!(fragments.0.is_empty(), "overlap");
        assert!(fragments.add(&ip(2, 65528, false), &[0; 16], now).is_none());
        assert!(fragments.add(&ip(3, 0, true), &[0; 15], now).is_none());
        assert!(fragments.0.is_empty());
        for id in 0..100_000 {
            fragments.add(&ip(id, 0, true), &[0; 1400], now);
        }
        assert!(fragments.0.len() <= super::PACKETS);
        let later = now + super::PATIENCE + Duration::from_secs(1);
        fragments.add(&ip(7, 0, true), &[0; 8], later);
        assert_eq!(fragments.0.len(), 1);
    }
}
