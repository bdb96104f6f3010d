//! Headers there and back, and bytes that are none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ip::{self, Fragment, Ip};
use super::{ICMP, TCP, UDP, fold, icmp, intact, pseudo, sum, tcp, udp};

fn v4(protocol: u8) -> Ip {
    Ip {
        source: Ipv4Addr::new(172, 17, 0, 2).into(),
        destination: Ipv4Addr::new(198, 51, 100, 7).into(),
        protocol,
        hops: 63,
        whole: true,
        fragment: None,
    }
}

fn v6(protocol: u8) -> Ip {
    Ip {
        source: "fd00::2".parse::<Ipv6Addr>().expect("v6").into(),
        destination: "2001:db8::7".parse::<Ipv6Addr>().expect("v6").into(),
        ..v4(protocol)
    }
}

fn packet(ip: &Ip, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0; ip::header_length(ip.source)];
    ip::write(&mut out, ip, payload.len(), 7);
    out.extend(payload);
    out
}

#[test]
fn a_header_of_ip_comes_back_as_it_was() {
    for ip in [v4(TCP), v6(UDP)] {
        let bytes = packet(&ip, b"payload");
        assert_eq!(ip::parse(&bytes), Some((ip, &b"payload"[..])));
        // Behind the packet there may be filling.
        let mut longer = bytes.clone();
        longer.extend([0; 9]);
        assert_eq!(ip::parse(&longer), Some((ip, &b"payload"[..])));
        for length in 0..bytes.len() {
            assert_eq!(ip::parse(&bytes[..length]), None, "{length}");
        }
    }
}

#[test]
fn parts_of_a_packet_are_known_as_such() {
    let mut bytes = packet(&v4(UDP), b"12345678");
    bytes[6..8].copy_from_slice(&0x2003_u16.to_be_bytes());
    let (ip, _) = ip::parse(&bytes).expect("parsed");
    let part = Fragment {
        id: 7,
        offset: 24,
        more: true,
    };
    assert_eq!(ip.fragment, Some(part));
    assert!(!ip.whole);

    // Options for each hop, then a first part.
    let mut payload = vec![44, 0, 1, 4, 0, 0, 0, 0];
    payload.extend([17, 0, 0, 1, 0, 0, 0, 9]);
    payload.extend(b"rest");
    let bytes = packet(&v6(0), &payload);
    let (ip, rest) = ip::parse(&bytes).expect("parsed");
    assert_eq!((ip.protocol, rest), (UDP, &b"rest"[..]));
    let part = Fragment {
        id: 9,
        offset: 0,
        more: true,
    };
    assert_eq!(ip.fragment, Some(part));
}

#[test]
fn options_of_a_connection_are_found_among_others() {
    let bytes = [
        4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 15, 2, 4, 5, 180,
    ];
    let found = tcp::options(&bytes);
    assert_eq!((found.mss, found.scale), (Some(1460), Some(14)));
    let stamp = tcp::Stamp {
        value: 0x0102_0304,
        echo: 0x0506_0708,
    };
    assert_eq!(found.stamp, Some(stamp));
    for broken in [&[2_u8, 4, 5][..], &[2, 0, 5, 5], &[2], &[0, 2, 4, 5, 180]] {
        assert_eq!(tcp::options(broken), tcp::Options::default(), "{broken:?}");
    }
}

#[test]
fn a_header_of_tcp_comes_back_as_it_was() {
    let header = tcp::Header {
        source: 80,
        destination: 40000,
        seq: 0xffff_fff0,
        ack: 17,
        flags: tcp::SYN | tcp::ACK,
        window: 65535,
        options: tcp::Options {
            mss: Some(65480),
            scale: Some(7),
            stamp: Some(tcp::Stamp {
                value: 0x0102_0304,
                echo: 0xf1f2_f3f4,
            }),
        },
    };
    let mut bytes = vec![0; header.length()];
    header.write(&mut bytes, 0);
    let check = !fold(sum(
        pseudo(v4(TCP).source, v4(TCP).destination, TCP, bytes.len()),
        &bytes,
    ));
    header.write(&mut bytes, check);
    assert!(intact(&v4(TCP), &bytes));
    let segment = tcp::parse(&bytes).expect("parsed");
    assert_eq!(tcp::options(segment.options), header.options);
    assert_eq!(
        (segment.seq, segment.ack, segment.length()),
        (0xffff_fff0, 17, 1)
    );
    bytes[4] ^= 1;
    assert!(!intact(&v4(TCP), &bytes));
}

#[test]
fn a_datagram_is_as_long_as_it_says() {
    let mut bytes = vec![0; 8];
    udp::write(&mut bytes, 53, 4000, 3, 0);
    bytes.extend(b"abcd");
    let datagram = udp::parse(&bytes).expect("parsed");
    assert_eq!((datagram.source, datagram.payload), (53, &b"abc"[..]));
    assert!(intact(&v4(UDP), &bytes), "without a checksum");
    bytes[5] = 7;
    assert!(udp::parse(&bytes).is_none());
    bytes[5] = 200;
    assert!(udp::parse(&bytes).is_none());
}

#[test]
fn an_answer_to_ping_has_its_checksum() {
    for (from, to) in [
        (v4(ICMP).source, v4(ICMP).destination),
        (v6(58).source, v6(58).destination),
    ] {
        let six = from.is_ipv6();
        let mut message = vec![0; 8];
        message.extend(b"ping?");
        icmp::write_reply(&mut message, 77, 3, from, to);
        let ip = Ip {
            source: from,
            destination: to,
            ..v4(if six { 58 } else { ICMP })
        };
        assert!(intact(&ip, &message));
        let echo = icmp::parse_reply(&message, six).expect("parsed");
        assert_eq!((echo.ident, echo.seq, echo.payload), (77, 3, &b"ping?"[..]));
        assert!(icmp::parse_request(&message, six).is_none());
    }
}

/// Every byte of good packets is changed in many ways, and every length tried:
/// whatever it says, it is read without a panic.
#[test]
fn mutated_packets_are_read_without_harm() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let payload: Vec<u8> = (0..96).collect();
    for ip in [v4(TCP), v4(UDP), v4(ICMP), v6(0), v6(44), v6(60)] {
        let good = packet(&ip, &payload);
        for _ in 0..20_000 {
            let mut bytes = good.clone();
            for _ in 0..=random() % 4 {
                let at = random() as usize % bytes.len();
                bytes[at] = random() as u8;
            }
            bytes.truncate(random() as usize % (good.len() + 1));
            read(&bytes);
        }
    }
}

fn read(bytes: &[u8]) {
    if let Some((ip, payload)) = ip::parse(bytes) {
        intact(&ip, payload);
        if let Some(segment) = tcp::parse(payload) {
            tcp::options(segment.options);
        }
        for parsed in [
            udp::parse(payload).map(|datagram| datagram.payload),
            icmp::parse_request(payload, true).map(|echo| echo.payload),
            icmp::parse_reply(payload, false).map(|echo| echo.payload),
        ] {
            assert!(parsed.is_none_or(|inner| inner.len() <= payload.len()));
        }
    }
}

#[test]
fn a_sum_is_that_of_the_example() {
    // RFC 1071, section 3.
    let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    assert_eq!(fold(sum(0, &bytes)), 0xddf2);
    assert_eq!(
        fold(sum(0, &bytes[..7])),
        fold(sum(0, &[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0x00]))
    );
    let unspecified = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    assert_eq!(pseudo(unspecified, unspecified, 6, 20), 26);
}
