//! Packets from containers: headers of every protocol, and fragments put
//! together again. The input is packets, each after its length in two bytes.

#![no_main]
#![allow(
    dead_code,
    missing_docs,
    reason = "the sources are rpod's own, read in part"
)]

#[path = "../../../src/dataplane/uplink/fragments.rs"]
mod fragments;
#[path = "../../../src/dataplane/uplink/wire/mod.rs"]
mod wire;

use std::time::Instant;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut fragments = fragments::Fragments::default();
    let now = Instant::now();
    let mut rest = data;
    while let [high, low, packets @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(packets.len());
        let (packet, after) = packets.split_at(length);
        rest = after;
        let Some((header, payload)) = wire::ip::parse(packet) else {
            continue;
        };
        assert!(payload.len() <= packet.len());
        read(&header, payload);
        if let Some((whole, joined)) = fragments.add(&header, payload, now) {
            assert!(joined.len() <= 65535);
            read(&whole, &joined);
        }
    }
});

fn read(header: &wire::ip::Ip, payload: &[u8]) {
    wire::intact(header, payload);
    if let Some(segment) = wire::tcp::parse(payload) {
        wire::tcp::options(segment.options);
        assert!(segment.payload.len() <= payload.len());
    }
    if let Some(datagram) = wire::udp::parse(payload) {
        assert!(datagram.payload.len() <= payload.len());
    }
    for six in [false, true] {
        wire::icmp::parse_request(payload, six);
        wire::icmp::parse_reply(payload, six);
    }
}
