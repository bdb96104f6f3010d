//! The way out in a machine of a test's own: servers are threads in the
//! machine's network namespace, the test itself is in the shared one, whose TCP
//! is the kernel's.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto};

use super::Uplink;
use crate::dataplane::link;
use crate::network::plan::{Plan, default_network, pool_of};
use crate::sys::net;
use crate::sys::sandbox::{child, machine};

const FOUR: &str = "203.0.113.5";
const SIX: &str = "2001:db8:5::5";

/// Runs `ip` with these words in the calling thread's namespace.
fn ip(words: &str) {
    let status = Command::new("ip").args(words.split(' ')).status();
    assert!(status.expect("ip").success(), "ip {words}");
}

/// Runs `servers` in a machine with addresses in both versions of IP, and
/// `inside` in a namespace whose way out leads there.
fn world(servers: impl FnOnce(), inside: impl FnOnce(&Uplink)) {
    let open = |uplink: &Uplink| uplink.open().expect("a device");
    world_over(open, servers, |uplink| {
        takes("0.0.0.0:0", FOUR);
        takes("[::]:0", SIX);
        inside(uplink);
    });
}

/// As [`world`]; `open` gives the uplink its device.
fn world_over(open: impl FnOnce(&Uplink), servers: impl FnOnce(), inside: impl FnOnce(&Uplink)) {
    machine(|| {
        link::loopback_only().expect("loopback");
        ip(&format!("addr add {FOUR}/32 dev lo"));
        ip(&format!("addr add {SIX}/128 dev lo nodad"));
        settled(SIX);
        servers();
        let uplink = Uplink::start().expect("started");
        net::unshare_network().expect("a namespace");
        link::loopback_only().expect("loopback");
        open(&uplink);
        ip("addr add 172.17.0.2/32 dev lo");
        ip("addr add fd00:17::2/128 dev lo nodad");
        settled("fd00:17::2");
        // What is sent here comes from the loopback device, as from a bridge.
        let served = uplink.serve(&Plan {
            bridge: "lo".to_owned(),
            v6: Some(pool_of("fd00:17::/64".parse().expect("v6"))),
            ..Plan::of(&default_network())
        });
        served.expect("served");
        inside(&uplink);
    });
}

/// Waits until the kernel, which does it by and by, has made an address one of ours.
fn settled(ip: &str) {
    let own = || {
        let socket = UdpSocket::bind("[::]:0")?;
        socket.connect(at(ip, 9))?;
        socket.local_addr().map(|address| address.ip())
    };
    let start = Instant::now();
    while own().ok() != Some(at(ip, 9).ip()) {
        assert!(start.elapsed() < Duration::from_secs(10), "never: {ip}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn at(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse().expect(ip), port)
}

fn connect(ip: &str, port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&at(ip, port), Duration::from_secs(10))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.set_write_timeout(Some(Duration::from_secs(20)))?;
    Ok(stream)
}

/// Serves streams on every address, each by a thread of its own.
fn serve(port: u16, serve: impl Fn(TcpStream) + Send + Copy + 'static) {
    let listener = TcpListener::bind(at("::", port)).expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("accepted");
            std::thread::spawn(move || serve(stream));
        }
    });
}

/// Waits until what comes in is taken: of a device that has just been made the kernel
/// may not yet, in IPv6, and it says so to nobody. A port at which nobody listens says
/// that there is an answer.
fn takes(any: &str, ip: &str) {
    let socket = UdpSocket::bind(any).expect("bound");
    socket.connect(at(ip, 9)).expect("a way");
    let time = Duration::from_millis(50);
    socket.set_read_timeout(Some(time)).expect("set");
    let start = Instant::now();
    loop {
        // The error may be told to the one call or to the other.
        let sent = socket.send(b"x").err();
        let error = sent.or_else(|| socket.recv(&mut [0]).err());
        if error.is_some_and(|error| error.kind() == ErrorKind::ConnectionRefused) {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "never: {ip}");
    }
}

fn ask(
    socket: &UdpSocket,
    question: &[u8],
    to: SocketAddr,
    answer: &mut [u8],
) -> (usize, SocketAddr) {
    let time = Duration::from_secs(20);
    socket.set_read_timeout(Some(time)).expect("set");
    socket.send_to(question, to).expect("sent");
    socket.recv_from(answer).expect("an answer")
}

/// Bytes that differ from place to place.
fn pattern(length: usize) -> Vec<u8> {
    (0..length as u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

#[test]
fn streams_arrive_whole_in_both_directions_and_end_one_after_the_other() {
    const LENGTH: usize = 24 << 20;
    let servers = || {
        serve(80, |mut stream| {
            let mut all = Vec::new();
            stream.read_to_end(&mut all).expect("heard to the end");
            assert_eq!(all.len(), LENGTH);
            all.reverse();
            stream.write_all(&all).expect("answered");
        });
    };
    world(servers, |_| {
        let mut sent = pattern(LENGTH);
        for ip in [FOUR, SIX] {
            let mut stream = connect(ip, 80).expect("connected");
            stream.write_all(&sent).expect("sent");
            stream.shutdown(Shutdown::Write).expect("half closed");
            let mut back = Vec::new();
            stream.read_to_end(&mut back).expect("heard");
            sent.reverse();
            assert!(back == sent, "{} of {LENGTH} bytes from {ip}", back.len());
            sent.reverse();
        }
    });
}

/// Opens a device between which and the uplink every so many frames are lost,
/// come twice, or come after the next one, by dice that always fall the same.
fn lossy(uplink: &Uplink, one_in: u64) {
    let (ours, theirs) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .expect("sockets");
    rustix::io::ioctl_fionbio(&theirs, true).expect("set");
    let device = std::sync::Arc::new(super::device::make().expect("a device"));
    rustix::io::ioctl_fionbio(&*device, false).expect("set");
    uplink.order(super::Order::Device(theirs));
    let ours = std::sync::Arc::new(ours);
    for (seed, from, to) in [
        (1, device.clone(), ours.clone()),
        (2, ours.clone(), device.clone()),
    ] {
        std::thread::spawn(move || {
            let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ seed);
            let mut frame = super::device::frame();
            let mut late: Option<Vec<u8>> = None;
            while let Ok(length @ 1..) = rustix::io::read(&*from, &mut frame) {
                let send = |bytes: &[u8]| {
                    rustix::io::write(&*to, bytes).ok();
                };
                match dice.roll() % (3 * one_in) {
                    0 => {}
                    1 => late = Some(frame[..length].to_vec()),
                    2 => {
                        send(&frame[..length]);
                        send(&frame[..length]);
                    }
                    _ => send(&frame[..length]),
                }
                if let Some(late) = late.take_if(|_| dice.roll().is_multiple_of(2)) {
                    send(&late);
                }
            }
        });
    }
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn streams_arrive_whole_over_a_wire_that_loses_frames() {
    const LENGTH: usize = 3 << 20;
    let servers = || {
        serve(80, |mut stream| {
            let mut all = Vec::new();
            stream.read_to_end(&mut all).expect("heard to the end");
            all.reverse();
            stream.write_all(&all).expect("answered");
        });
    };
    world_over(
        |uplink| lossy(uplink, 12),
        servers,
        |_| {
            let mut sent = pattern(LENGTH);
            for ip in [FOUR, SIX] {
                let mut stream = connect(ip, 80).expect("connected");
                stream.write_all(&sent).expect("sent");
                stream.shutdown(Shutdown::Write).expect("half closed");
                let mut back = Vec::new();
                stream.read_to_end(&mut back).expect("heard");
                sent.reverse();
                assert!(back == sent, "{} of {LENGTH} bytes from {ip}", back.len());
                sent.reverse();
            }
        },
    );
}

#[test]
fn a_slow_reader_gets_everything_in_the_end() {
    const LENGTH: usize = 20 << 20;
    let servers = || {
        serve(80, |mut stream| {
            stream.write_all(&pattern(LENGTH)).expect("sent");
        });
        serve(81, |mut stream| {
            std::thread::sleep(Duration::from_secs(2));
            let mut all = Vec::new();
            stream.read_to_end(&mut all).expect("heard");
            stream
                .write_all(&[u8::from(all == pattern(LENGTH))])
                .expect("answered");
        });
    };
    world(servers, |_| {
        let mut stream = connect(FOUR, 80).expect("connected");
        std::thread::sleep(Duration::from_secs(2));
        let mut all = Vec::new();
        stream.read_to_end(&mut all).expect("heard");
        assert!(all == pattern(LENGTH), "{} bytes", all.len());

        let mut stream = connect(FOUR, 81).expect("connected");
        stream.write_all(&pattern(LENGTH)).expect("sent");
        stream.shutdown(Shutdown::Write).expect("half closed");
        let mut said = Vec::new();
        stream.read_to_end(&mut said).expect("heard");
        assert_eq!(said, [1]);
    });
}

#[test]
fn what_cannot_be_reached_says_why() {
    let servers = || {
        ip("route add unreachable 198.51.100.0/24");
        ip("route add prohibit 198.51.101.0/24");
        ip("-6 route add unreachable 2001:db8:100::/48");
    };
    world(servers, |_| {
        let error = |ip: &str| connect(ip, 9).expect_err(ip).kind();
        for (ip, kind) in [
            (FOUR, ErrorKind::ConnectionRefused),
            (SIX, ErrorKind::ConnectionRefused),
            ("198.51.100.1", ErrorKind::HostUnreachable),
            ("2001:db8:100::1", ErrorKind::HostUnreachable),
            // The machine has no default route.
            ("192.0.2.9", ErrorKind::NetworkUnreachable),
            ("2001:db8:99::1", ErrorKind::NetworkUnreachable),
        ] {
            let start = Instant::now();
            assert_eq!(error(ip), kind, "{ip}");
            assert!(start.elapsed() < Duration::from_secs(3), "{ip}");
        }
        let forbidden = connect("198.51.101.1", 9).expect_err("forbidden");
        assert_eq!(forbidden.kind(), ErrorKind::HostUnreachable);

        let socket = UdpSocket::bind("0.0.0.0:0").expect("bound");
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("set");
        socket.connect(at(FOUR, 9)).expect("connected");
        socket.send(b"anybody?").expect("sent");
        let refused = socket.recv(&mut [0; 9]).expect_err("nobody");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_reset_reaches_the_other_end() {
    let (tell, heard) = mpsc::channel();
    let servers = move || {
        serve(80, |mut stream| {
            stream.read_exact(&mut [0]).expect("heard");
            rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).expect("set");
        });
        let listener = TcpListener::bind(at("::", 81)).expect("bound");
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("accepted");
            stream.write_all(b"x").expect("sent");
            let error = stream.read(&mut [0; 9]).expect_err("reset");
            tell.send(error.kind()).expect("told");
        });
    };
    world(servers, |_| {
        let mut stream = connect(FOUR, 80).expect("connected");
        stream.write_all(b"x").expect("sent");
        let error = stream.read(&mut [0; 9]).expect_err("reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);

        let mut stream = connect(FOUR, 81).expect("connected");
        stream.read_exact(&mut [0]).expect("heard");
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).expect("set");
        drop(stream);
        let kind = heard.recv_timeout(Duration::from_secs(10)).expect("heard");
        assert_eq!(kind, ErrorKind::ConnectionReset);
    });
}

#[test]
fn streams_end_when_their_container_has_gone() {
    let (tell, heard) = mpsc::channel();
    let servers = move || {
        let listener = TcpListener::bind(at("::", 80)).expect("bound");
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("accepted");
            stream.write_all(b"x").expect("sent");
            tell.send(stream.read(&mut [0; 9]).map_err(|error| error.kind()))
                .expect("told");
        });
    };
    world(servers, |uplink| {
        let mut stream = connect(FOUR, 80).expect("connected");
        stream.read_exact(&mut [0]).expect("heard");
        uplink.forget([172, 17, 0, 2].into());
        let end = heard.recv_timeout(Duration::from_secs(10)).expect("heard");
        assert_eq!(end, Err(ErrorKind::ConnectionReset));
    });
}

#[test]
fn datagrams_of_every_size_go_there_and_back() {
    let servers = || {
        let socket = UdpSocket::bind(at("::", 53)).expect("bound");
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).expect("heard");
                socket.send_to(&buffer[..length], from).expect("answered");
            }
        });
    };
    world(servers, |_| {
        for (any, ip) in [("0.0.0.0:0", FOUR), ("[::]:0", SIX)] {
            let socket = UdpSocket::bind(any).expect("bound");
            for length in [0, 1, 1400, 9000, 65000, 65507] {
                let sent = pattern(length);
                let mut back = vec![0; 65536];
                let (count, from) = ask(&socket, &sent, at(ip, 53), &mut back);
                assert_eq!(from, at(ip, 53));
                assert!(back[..count] == sent, "{length}");
            }
        }
    });
}

#[test]
fn who_has_not_been_spoken_to_is_not_heard() {
    let (tell, heard) = mpsc::channel();
    let servers = move || {
        let socket = UdpSocket::bind(at(FOUR, 53)).expect("bound");
        ip("addr add 203.0.113.6/32 dev lo");
        let stranger = UdpSocket::bind(at("203.0.113.6", 53)).expect("bound");
        std::thread::spawn(move || {
            let (_, from) = socket.recv_from(&mut [0; 9]).expect("heard");
            stranger.send_to(b"stranger", from).expect("sent");
            // Another port of whom was spoken to may answer, as TFTP's servers do.
            let other = UdpSocket::bind(at(FOUR, 0)).expect("bound");
            other.send_to(b"friend", from).expect("sent");
            tell.send(from).expect("told");
        });
    };
    world(servers, |_| {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("bound");
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("set");
        socket.send_to(b"hello", at(FOUR, 53)).expect("sent");
        let mut said = [0; 20];
        let (count, _) = socket.recv_from(&mut said).expect("heard");
        assert_eq!(&said[..count], b"friend");
        drop(heard);
    });
}

#[test]
fn ping_goes_out_where_the_machine_lets_it() {
    let servers = || {
        std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 0").expect("set");
    };
    world(servers, |_| {
        std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 0").expect("set");
        for (family, protocol, ip, first) in [
            (AddressFamily::INET, ipproto::ICMP, FOUR, 8),
            (AddressFamily::INET6, ipproto::ICMPV6, SIX, 128),
        ] {
            let socket = rustix::net::socket(family, SocketType::DGRAM, Some(protocol));
            let socket = UdpSocket::from(socket.expect("a socket"));
            let mut question = vec![first, 0, 0, 0, 0, 0, 0, 7];
            question.extend(pattern(1000));
            let mut answer = [0; 2000];
            let (count, from) = ask(&socket, &question, at(ip, 0), &mut answer);
            assert_eq!(from.ip(), at(ip, 0).ip());
            assert_eq!(answer[6..count], question[6..]);
        }
    });
}

#[test]
fn the_gateway_is_the_machine_but_not_its_loopback() {
    let servers = || {
        let answer = |mut stream: TcpStream| drop(stream.write_all(b"public"));
        let listener = TcpListener::bind(at(FOUR, 80)).expect("bound");
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.expect("accepted"));
            }
        });
        let listener = TcpListener::bind("127.0.0.1:81").expect("bound");
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                drop(stream.expect("accepted").write_all(b"private"));
            }
        });
    };
    world(servers, |uplink| {
        let hear = |port| -> std::io::Result<String> {
            let mut said = String::new();
            connect("172.17.0.1", port)?.read_to_string(&mut said)?;
            Ok(said)
        };
        assert_eq!(hear(80).expect("reached"), "public");
        let refused = hear(81).expect_err("private");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        uplink.allow_loopback([172, 17, 0, 2].into());
        assert_eq!(hear(81).expect("reached"), "private");
    });
}

#[test]
#[allow(clippy::print_stderr, reason = "a skip says why")]
fn ten_thousand_streams_at_once_are_all_answered() {
    const EACH: usize = 5_000;
    // Three quarters of what is above the reserve are for streams; see `serve`.
    let needed = 3072 + (2 * EACH + 100).div_ceil(3) * 4;
    let limit = net::raise_descriptor_limit();
    if limit < needed {
        eprintln!("skipped: {needed} descriptors are needed, {limit} are allowed");
        return;
    }
    let (tell, server) = mpsc::channel();
    let servers = move || {
        let listener = TcpListener::bind(at("::", 80)).expect("bound");
        rustix::net::listen(&listener, 4096).expect("a longer queue");
        // A process of its own, as each here needs a descriptor for every stream.
        let serving = child(move || {
            let mut all: Vec<TcpStream> = (0..2 * EACH)
                .map(|_| listener.accept().expect("accepted").0)
                .collect();
            for stream in &mut all {
                stream.read_exact(&mut [0]).expect("asked");
                stream.write_all(b"x").expect("answered");
            }
        });
        tell.send(serving).expect("told");
    };
    world(servers, |_| {
        ip("addr add 172.17.0.3/32 dev lo");
        let clients = ["172.17.0.2", "172.17.0.3"].map(|own| {
            child(move || {
                let mut all: Vec<TcpStream> = (0..EACH).map(|_| connect_as(own)).collect();
                for stream in &mut all {
                    stream.write_all(b"?").expect("asked");
                }
                // All are there before the first is answered.
                for stream in &mut all {
                    stream.read_exact(&mut [0]).expect("answered");
                }
            })
        });
        for client in clients {
            client.join();
        }
        server.recv().expect("started").join();
    });
}

/// Connects from one of the addresses inside.
fn connect_as(own: &str) -> TcpStream {
    let kind = SocketType::STREAM;
    let fd = rustix::net::socket(AddressFamily::INET, kind, None).expect("a socket");
    rustix::net::bind(&fd, &at(own, 0)).expect("bound");
    rustix::net::connect(&fd, &at(FOUR, 80)).expect("connected");
    let stream = TcpStream::from(fd);
    let patience = Some(Duration::from_secs(60));
    stream.set_read_timeout(patience).expect("set");
    stream
}
