//! A stream's answers, segment by segment: the container is written by hand, the
//! server is a thread on this machine's loopback.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::dataplane::uplink::serve::Serve;
use crate::dataplane::uplink::wire::ip::{self, HOPS, Ip};
use crate::dataplane::uplink::wire::tcp::{
    ACK, FIN, Header, Options, RST, SYN, Stamp, options, parse,
};
use crate::dataplane::uplink::wire::{TCP, fold, pseudo, sum};
use crate::dataplane::uplink::{Network, Order, device};
use crate::sys::epoll;
use crate::sys::tun;

const PORT: u16 = 40000;

/// Another container.
const NEIGHBOUR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(172, 17, 0, 3));

const OPENING: Header = Header {
    source: 0,
    destination: 0,
    seq: 100,
    ack: 0,
    flags: SYN,
    window: 0,
    options: Options {
        mss: Some(1460),
        scale: Some(7),
        stamp: None,
    },
};

/// The stack and a container's end of one stream.
struct Inside {
    serve: Serve,
    bell: Arc<OwnedFd>,
    wire: OwnedFd,
    own: SocketAddr,
    peer: SocketAddr,
}

/// What an answer says.
#[derive(Debug)]
struct Answer {
    to: SocketAddr,
    seq: u32,
    ack: u32,
    flags: u8,
    stamp: Option<Stamp>,
}

impl Answer {
    fn of(frame: &[u8]) -> Self {
        let (packet, _) = device::unwrap(frame).expect("a frame");
        let (header, payload) = ip::parse(packet).expect("a packet");
        let segment = parse(payload).expect("a segment");
        Self {
            to: (header.destination, segment.destination).into(),
            seq: segment.seq,
            ack: segment.ack,
            flags: segment.flags,
            stamp: options(segment.options).stamp,
        }
    }
}

impl Inside {
    /// Returns one that can reach `server` by its network's gateway.
    fn new(server: &TcpListener) -> Self {
        let (wire, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )
        .expect("sockets");
        let (orders, heard) = mpsc::channel();
        let bell = Arc::new(eventfd(1, EventfdFlags::NONBLOCK).expect("a bell"));
        let own: IpAddr = [172, 17, 0, 2].into();
        orders.send(Order::Device(theirs)).expect("ordered");
        let network = Network {
            v4: Some(([172, 17, 0, 1].into(), 16)),
            v6: None,
            mtu: 65520,
        };
        orders.send(Order::Serve(network)).expect("ordered");
        for inside in [own, NEIGHBOUR] {
            orders.send(Order::Loopback(inside)).expect("ordered");
        }
        let mut serve = Serve::new(heard, Arc::clone(&bell)).expect("ready");
        serve.turn(&mut epoll::room(8)).expect("obeyed");
        let port = server.local_addr().expect("bound").port();
        Self {
            serve,
            bell,
            wire,
            own: (own, PORT).into(),
            peer: ([172, 17, 0, 1], port).into(),
        }
    }

    /// Sends a segment, and returns what is answered to it.
    fn say(&mut self, header: Header, payload: &[u8]) -> Answer {
        self.send(header, payload);
        self.answer()
    }

    /// Sends a segment, and returns what is answered at once, if anything is.
    fn quietly(&mut self, header: Header, payload: &[u8]) -> Option<Answer> {
        self.send(header, payload);
        self.serve.pass(Duration::ZERO);
        self.heard()
    }

    fn send(&mut self, header: Header, payload: &[u8]) {
        let frame = frame(self.own, self.peer, header, payload);
        // What was said without being asked, such as a wider window, is no answer.
        while rustix::io::read(&self.wire, &mut device::frame()).is_ok() {}
        self.serve.take(&frame);
    }

    /// What was answered by now.
    fn heard(&mut self) -> Option<Answer> {
        let mut frame = device::frame();
        let length = match rustix::io::read(&self.wire, &mut frame) {
            Err(rustix::io::Errno::AGAIN) => return None,
            read => read.expect("read"),
        };
        Some(Answer::of(&frame[..length]))
    }

    /// Lets seconds pass, and returns what was said meanwhile without being asked.
    fn pass(&mut self, seconds: u64) -> Option<Answer> {
        while rustix::io::read(&self.wire, &mut device::frame()).is_ok() {}
        self.serve.pass(Duration::from_secs(seconds));
        self.heard()
    }

    /// Lets time pass until the stream is given up; returns after how many seconds each
    /// probe came, and the last word.
    fn pass_unheard(&mut self) -> (Vec<u64>, Answer) {
        let mut probes = Vec::new();
        let mut seconds = 0;
        loop {
            seconds += 5;
            assert!(seconds < 10_000, "it is never given up: {probes:?}");
            match self.pass(5) {
                Some(word) if word.flags & RST != 0 => return (probes, word),
                Some(_) => probes.push(seconds),
                None => {}
            }
        }
    }

    fn answer(&mut self) -> Answer {
        let start = Instant::now();
        loop {
            if let Some(answer) = self.heard() {
                return answer;
            }
            assert!(start.elapsed() < Duration::from_secs(10), "no answer");
            // Else a turn waits for what may never come.
            rustix::io::write(&self.bell, &1u64.to_ne_bytes()).expect("rung");
            self.serve.turn(&mut epoll::room(8)).expect("a turn");
        }
    }

    /// Somebody inside wants a stream.
    fn ask_for(&mut self, own: SocketAddr, peer: SocketAddr) {
        self.serve.take(&frame(own, peer, OPENING, b""));
    }

    /// Opens the stream from number 100 on; returns what was answered.
    fn open(&mut self, stamp: Option<Stamp>) -> Answer {
        let mut opening = OPENING;
        opening.options.stamp = stamp;
        let answer = self.say(opening, b"");
        assert_eq!((answer.flags, answer.ack), (SYN | ACK, 101));
        answer
    }
}

/// A segment from inside, as the device brings it.
fn frame(own: SocketAddr, peer: SocketAddr, header: Header, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        source: own.port(),
        destination: peer.port(),
        window: 65535,
        ..header
    };
    let mut segment = vec![0; header.length()];
    header.write(&mut segment, 0);
    segment.extend(payload);
    let check = pseudo(own.ip(), peer.ip(), TCP, segment.len());
    let check = !fold(sum(check, &segment));
    header.write(&mut segment, check);
    let about = Ip {
        source: own.ip(),
        destination: peer.ip(),
        protocol: TCP,
        hops: HOPS,
        whole: true,
        fragment: None,
    };
    let mut packet = vec![0; ip::header_length(own.ip())];
    ip::write(&mut packet, &about, segment.len(), 1);
    [&[0; tun::HEADER][..], &packet, &segment].concat()
}

/// A segment from `seq` on that was sent at `moment`.
fn at(moment: u32, seq: u32, answered: &Answer) -> Header {
    Header {
        seq,
        ack: answered.seq.wrapping_add(1),
        flags: ACK,
        options: Options {
            stamp: Some(Stamp {
                value: moment,
                echo: answered.stamp.map_or(0, |stamp| stamp.value),
            }),
            ..Options::default()
        },
        ..Header::default()
    }
}

fn echo(answer: &Answer) -> Option<u32> {
    answer.stamp.map(|stamp| stamp.echo)
}

fn heard(server: &TcpListener, length: usize) -> Vec<u8> {
    let (mut stream, _): (TcpStream, _) = server.accept().expect("accepted");
    let mut all = vec![0; length];
    stream.read_exact(&mut all).expect("heard");
    all
}

#[test]
fn who_sends_again_learns_how_long_that_took() {
    let server = TcpListener::bind("127.0.0.1:0").expect("bound");
    let mut inside = Inside::new(&server);
    let stamp = Stamp {
        value: 1000,
        echo: 0,
    };
    let opened = inside.open(Some(stamp));
    assert_eq!(echo(&opened), Some(1000));
    // "one" is lost on its way: what comes after it is not what is answered.
    let answer = inside.say(at(1001, 104, &opened), b"two");
    assert_eq!((answer.ack, echo(&answer)), (101, Some(1000)));
    // It comes again, and is answered with the moment of the second time: the
    // sender may measure it, and its pause becomes short again.
    let answer = inside.say(at(1800, 101, &opened), b"one");
    assert_eq!((answer.ack, echo(&answer)), (107, Some(1800)));
    // Half of this is known.
    let answer = inside.say(at(1900, 104, &opened), b"twothree");
    assert_eq!((answer.ack, echo(&answer)), (112, Some(1900)));
    assert_eq!(heard(&server, 11), b"onetwothree");
}

#[test]
fn who_has_no_timestamps_is_sent_none() {
    let server = TcpListener::bind("127.0.0.1:0").expect("bound");
    let mut inside = Inside::new(&server);
    let opened = inside.open(None);
    assert_eq!(opened.stamp, None);
    let answer = inside.say(at(7, 101, &opened), b"one");
    assert_eq!((answer.ack, answer.stamp), (104, None));
    assert_eq!(heard(&server, 3), b"one");
}

#[test]
fn what_comes_out_of_order_is_taken_in_order() {
    let server = TcpListener::bind("127.0.0.1:0").expect("bound");
    let mut inside = Inside::new(&server);
    let opened = inside.open(None);
    let mut end = at(0, 112, &opened);
    end.flags |= FIN;
    for (header, payload) in [
        (end, &b""[..]),
        (at(0, 107, &opened), b"three"),
        (at(0, 110, &opened), b"ee"),
        (at(0, 105, &opened), b"woth"),
        (at(0, 107, &opened), b"three"),
    ] {
        assert_eq!(inside.say(header, payload).ack, 101, "{header:?}");
    }
    assert_eq!(inside.say(at(0, 101, &opened), b"onet").ack, 113);
    let (mut stream, _) = server.accept().expect("accepted");
    let mut all = Vec::new();
    stream.read_to_end(&mut all).expect("heard");
    assert_eq!(all, b"onetwothree");
}

#[test]
fn what_comes_beyond_what_was_offered_is_not_kept() {
    let server = TcpListener::bind("127.0.0.1:0").expect("bound");
    let mut inside = Inside::new(&server);
    let opened = inside.open(None);
    let beyond = at(0, 101 + (200 << 20), &opened);
    assert_eq!(inside.say(beyond, b"far").ack, 101);
    // As far as a number can be ahead of another: its end is half of all beyond.
    let furthest = at(0, 100 + (1 << 31), &opened);
    assert_eq!(inside.say(furthest, &[b'x'; 60_000]).ack, 101);
    assert_eq!(inside.serve.kept(), 0);
    for index in 1..1000 {
        let answer = inside.say(at(0, 101 + 2 * index, &opened), b"x");
        assert_eq!(answer.ack, 101);
    }
    // As many as are kept, each after a byte that is missing.
    assert_eq!(inside.serve.kept(), 128);
}

#[test]
fn who_wants_one_stream_does_not_wait_behind_all_that_another_wants() {
    let server = TcpListener::bind("127.0.0.1:0").expect("bound");
    let mut inside = Inside::new(&server);
    let (peer, nobody) = (inside.peer, SocketAddr::new(inside.peer.ip(), 1));
    for port in 1..2000 {
        inside.ask_for(SocketAddr::new(inside.own.ip(), port), nobody);
    }
    let neighbour = SocketAddr::new(NEIGHBOUR, PORT);
    inside.ask_for(neighbour, peer);
    let before = std::iter::from_fn(|| Some(inside.answer()));
    let before = before.take_while(|answer| answer.to != neighbour).count();
    assert!(before < 100, "{before} were answered before");
    // All the same, each of the many is answered in the end.
    let after = std::iter::from_fn(|| Some(inside.answer()));
    let many = after.filter(|answer| answer.to != neighbour);
    assert!(many.take(1999 - before).all(|a| a.flags & RST != 0));
}

#[test]
fn streams_that_nobody_answers_take_no_others_room() {
    let server = TcpListener::bind("127.0.0.1:0").expect("bound");
    // Who has as many waiting as it may is silent to all others.
    let full = TcpListener::bind("127.0.0.1:0").expect("bound");
    rustix::net::listen(&full, 0).expect("a short queue");
    let silent = full.local_addr().expect("bound");
    let waiting = TcpStream::connect(silent).expect("the one there is room for");
    let mut inside = Inside::new(&server);
    let (own, gateway) = (inside.own.ip(), inside.peer.ip());
    inside.serve.allow(64);
    for port in 1..60 {
        let silent = SocketAddr::new(gateway, silent.port());
        inside.ask_for(SocketAddr::new(own, port), silent);
    }
    for _ in 0..8 {
        inside.ask_for(SocketAddr::new(NEIGHBOUR, 1), inside.peer);
        let mut answers = std::iter::from_fn(|| Some(inside.answer()));
        assert!(answers.any(|answer| answer.flags == SYN | ACK));
    }
    // A quarter of three quarters of 64, and the neighbour.
    assert_eq!(inside.serve.burden().0, 12 + 1);
    drop(waiting);
}

/// Opens a stream and ends the container's half of it; returns the server's half.
fn half_closed(server: &TcpListener, inside: &mut Inside) -> (TcpStream, Answer) {
    let opened = inside.open(None);
    let mut end = at(0, 101, &opened);
    end.flags |= FIN;
    assert_eq!(inside.say(end, b"").ack, 102);
    let (mut stream, _) = server.accept().expect("accepted");
    assert_eq!(stream.read(&mut [0]).expect("heard"), 0);
    (stream, opened)
}

#[test]
fn a_half_closed_stream_lives_as_long_as_its_container_does() {
    let server = TcpListener::bind("127.0.0.1:0").expect("bound");
    let mut inside = Inside::new(&server);
    let (mut stream, opened) = half_closed(&server, &mut inside);
    // A server that takes a day for its answer.
    for _ in 0..24 * 30 {
        assert!(inside.pass(119).is_none(), "not before its time");
        let probe = inside.pass(1).expect("a probe");
        assert_eq!((probe.seq, probe.flags), (opened.seq, ACK));
        // As a TCP does of a number that it has had.
        let told = inside.quietly(at(0, 102, &opened), b"");
        assert!(told.is_none(), "an answer is not answered: {told:?}");
    }
    stream.write_all(b"late").expect("sent");
    let answer = inside.answer();
    assert_eq!(answer.seq, opened.seq.wrapping_add(1));
    assert_eq!(answer.flags & (ACK | RST), ACK);
}

#[test]
fn who_is_not_there_any_more_is_given_up_and_the_other_end_is_told() {
    let server = TcpListener::bind("127.0.0.1:0").expect("bound");
    let mut inside = Inside::new(&server);
    let (mut stream, _) = half_closed(&server, &mut inside);
    let (probes, last) = inside.pass_unheard();
    assert_eq!(last.ack, 102);
    let expected: Vec<u64> = (0..9).map(|n| 120 + 75 * n).collect();
    assert_eq!(probes, expected);
    assert_eq!(inside.serve.burden().0, 0);
    stream.set_nonblocking(false).expect("set");
    let error = stream
        .write_all(b"x")
        .and_then(|()| stream.read(&mut [0]).map(drop));
    let error = error.expect_err("reset").kind();
    assert!(
        matches!(error, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        "{error:?}"
    );
}

#[test]
fn what_the_server_has_ended_stays_open_for_two_hours_and_is_probed_then() {
    let server = TcpListener::bind("127.0.0.1:0").expect("bound");
    let mut inside = Inside::new(&server);
    let opened = inside.open(None);
    let (mut stream, _) = server.accept().expect("accepted");
    inside.quietly(at(0, 101, &opened), b"");
    stream.shutdown(std::net::Shutdown::Write).expect("ended");
    let end = inside.answer();
    assert_eq!(
        (end.flags & FIN, end.seq),
        (FIN, opened.seq.wrapping_add(1))
    );
    let mut heard = at(0, 101, &opened);
    heard.ack = heard.ack.wrapping_add(1);
    inside.quietly(heard, b"");
    assert!(inside.pass(7199).is_none(), "not before its time");
    let probe = inside.pass(1).expect("a probe");
    assert_eq!((probe.seq, probe.flags), (end.seq, ACK));
    // It goes on as if nothing had been.
    let mut word = at(0, 101, &opened);
    word.ack = heard.ack;
    assert_eq!(inside.say(word, b"still").ack, 106);
    let mut text = [0; 5];
    stream.read_exact(&mut text).expect("heard");
    assert_eq!(text, *b"still");
}
