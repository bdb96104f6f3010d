//! The name server in a machine of a test's own, between clients and servers of
//! all sorts.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use simple_dns::rdata::{A, RData};
use simple_dns::{
    CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question as Asked, RCODE, ResourceRecord, TYPE,
};

use super::message::{Kind, Question, Records};
use super::{Found, Names, Upstreams, listen};
use crate::dataplane::link;
use crate::dataplane::uplink::Uplink;
use crate::sys::net;
use crate::sys::sandbox::machine;

/// A server on 127.0.0.1:53 of a namespace which the test is in from here on; the
/// servers to ask stay in the one where it was.
fn serve(directory: &Path, servers: &str) {
    let path = directory.join("resolv.conf");
    std::fs::write(&path, servers).expect("written");
    let find = |client: Ipv4Addr, question: &Question| {
        assert_eq!(client, Ipv4Addr::LOCALHOST);
        match (question.name.as_str(), question.kind) {
            ("web", Kind::A) => Found::Records(Records {
                addresses: vec![[172, 18, 0, 2].into()],
                pointer: None,
            }),
            ("web", _) => Found::Records(Records::default()),
            ("pair", Kind::A) => Found::Records(Records {
                addresses: vec![[10, 0, 0, 1].into(), [10, 0, 0, 2].into()],
                pointer: None,
            }),
            ("pair", _) => Found::Records(Records {
                addresses: ["fd00::1", "fd00::2"]
                    .map(|ip| ip.parse().expect(ip))
                    .into(),
                pointer: None,
            }),
            ("nobody", _) => Found::Nothing,
            _ => Found::Elsewhere(Vec::new()),
        }
    };
    let uplink = Uplink::start().expect("started");
    net::unshare_network().expect("a namespace");
    link::loopback_only().expect("loopback");
    let listeners = listen().expect("listening");
    uplink.add(Box::new(Names::new(listeners, Upstreams::of(path), find)));
}

/// What a server of a test's does with a question, by the question's name.
type Habits = Arc<Mutex<BTreeMap<&'static str, u32>>>;

/// A server that answers `10.0.0.<last>` for good names and is bad for the others.
/// Counts what it was asked.
fn upstream(ip: &str, last: u8) -> Habits {
    let asked = Habits::default();
    let at = SocketAddr::new(ip.parse().expect(ip), 53);
    let socket = UdpSocket::bind(at).expect("bound");
    let listener = TcpListener::bind(at).expect("bound");
    let counts = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            *counts.lock().expect("kept").entry("datagrams").or_default() += 1;
            for answer in behave(&buffer[..length], last, false) {
                socket.send_to(&answer, client).ok();
            }
        }
    });
    let counts = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            *counts.lock().expect("kept").entry("streams").or_default() += 1;
            let mut stream = stream;
            let mut length = [0; 2];
            if stream.read_exact(&mut length).is_err() {
                continue;
            }
            let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut message).expect("whole");
            for answer in behave(&message, last, true) {
                let length = (answer.len() as u16).to_be_bytes();
                // In pieces: a stream has no borders.
                stream.write_all(&length[..1]).expect("sent");
                stream.flush().expect("sent");
                std::thread::sleep(Duration::from_millis(20));
                stream.write_all(&length[1..]).expect("sent");
                stream.write_all(&answer).expect("sent");
            }
        }
    });
    asked
}

fn behave(message: &[u8], last: u8, stream: bool) -> Vec<Vec<u8>> {
    let query = Packet::parse(message).expect("a question");
    let question = query.questions[0].clone();
    let name = question.qname.to_string();
    let mut answer = Packet::new_reply(query.id());
    answer.set_flags(PacketFlag::RECURSION_AVAILABLE);
    answer.questions.push(question.clone());
    let count = if name.starts_with("large") { 200 } else { 1 };
    for _ in 0..count {
        let data = RData::A(A::from(Ipv4Addr::new(10, 0, 0, last)));
        let record = ResourceRecord::new(question.qname.clone(), CLASS::IN, 60, data);
        answer.answers.push(record);
    }
    match name.as_str() {
        "silent" => return Vec::new(),
        "failing" => *answer.rcode_mut() = RCODE::ServerFailure,
        "large" if !stream => {
            answer.answers.clear();
            answer.set_flags(PacketFlag::TRUNCATION);
        }
        // Twice too early, and not an answer to what was asked.
        "forged" => {
            let mut other = answer.clone();
            other.set_id(query.id().wrapping_add(1));
            let mut foreign = answer.clone();
            foreign.questions[0].qname = Name::new_unchecked("other");
            return [other, foreign, answer]
                .iter()
                .map(|packet| packet.build_bytes_vec().expect("written"))
                .collect();
        }
        _ => {}
    }
    vec![answer.build_bytes_vec().expect("written")]
}

fn query(name: &str, kind: TYPE) -> Vec<u8> {
    let mut packet = Packet::new_query(4711);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Asked::new(
        Name::new_unchecked(name),
        QTYPE::TYPE(kind),
        QCLASS::CLASS(CLASS::IN),
        false,
    ));
    packet.build_bytes_vec().expect("written")
}

/// Asks by datagram; returns the outcome, whether it was cut, and the addresses.
fn ask(name: &str) -> (RCODE, bool, Vec<IpAddr>) {
    ask_for(name, TYPE::A)
}

fn ask_for(name: &str, kind: TYPE) -> (RCODE, bool, Vec<IpAddr>) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
    socket.connect("127.0.0.1:53").expect("connected");
    let patience = Some(Duration::from_secs(3));
    socket.set_read_timeout(patience).expect("set");
    let mut buffer = [0; 65535];
    // As the C library does: a datagram may be lost where the queue was full.
    for _ in 0..4 {
        socket.send(&query(name, kind)).expect("asked");
        if let Ok(length) = socket.recv(&mut buffer) {
            return told(&buffer[..length]);
        }
    }
    panic!("no answer for {name}");
}

fn ask_by_stream(stream: &mut TcpStream, name: &str) -> (RCODE, bool, Vec<IpAddr>) {
    let message = query(name, TYPE::A);
    let mut framed = (message.len() as u16).to_be_bytes().to_vec();
    framed.extend(message);
    stream.write_all(&framed).expect("asked");
    let mut length = [0; 2];
    stream.read_exact(&mut length).expect("answered");
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer).expect("whole");
    told(&answer)
}

fn told(bytes: &[u8]) -> (RCODE, bool, Vec<IpAddr>) {
    let answer = Packet::parse(bytes).expect("a message");
    assert_eq!(answer.id(), 4711);
    let addresses = answer
        .answers
        .iter()
        .filter_map(|record| match &record.rdata {
            RData::A(a) => Some(IpAddr::from(Ipv4Addr::from(a.address))),
            RData::AAAA(a) => Some(IpAddr::from(std::net::Ipv6Addr::from(a.address))),
            _ => None,
        });
    let cut = answer.has_flags(PacketFlag::TRUNCATION);
    (answer.rcode(), cut, addresses.collect())
}

fn prepared() -> tempfile::TempDir {
    link::loopback_only().expect("loopback");
    tempfile::tempdir().expect("made")
}

fn good(last: u8) -> (RCODE, bool, Vec<IpAddr>) {
    (RCODE::NoError, false, vec![[10, 0, 0, last].into()])
}

#[test]
fn those_who_share_a_name_have_their_turns_also_with_who_asks_for_both_versions() {
    machine(|| {
        let directory = prepared();
        serve(directory.path(), "");
        for kinds in [&[TYPE::A][..], &[TYPE::A, TYPE::AAAA]] {
            let mut firsts = std::collections::BTreeMap::<IpAddr, u32>::new();
            for _ in 0..6 {
                for kind in kinds {
                    let (_, _, all) = ask_for("pair", *kind);
                    assert_eq!(all.len(), 2);
                    *firsts.entry(all[0]).or_default() += 1;
                }
            }
            assert_eq!(firsts.len(), 2 * kinds.len(), "{firsts:?}");
            assert!(firsts.values().all(|times| *times == 3), "{firsts:?}");
        }
    });
}

#[test]
fn names_of_ours_are_answered_here_and_others_by_a_server() {
    machine(|| {
        let directory = prepared();
        let asked = upstream("127.0.0.53", 53);
        serve(directory.path(), "nameserver 127.0.0.53\n");
        let ours = (RCODE::NoError, false, vec![[172, 18, 0, 2].into()]);
        assert_eq!(ask("web"), ours);
        assert_eq!(ask("WEB"), ours);
        // The name is there, and has no such address.
        let none = (RCODE::NoError, false, Vec::new());
        assert_eq!(ask_for("web", TYPE::AAAA), none);
        assert_eq!(ask("nobody"), (RCODE::NameError, false, Vec::new()));
        assert!(asked.lock().expect("kept").is_empty());
        assert_eq!(ask("example.org"), good(53));
        assert_eq!(ask("forged"), good(53));
        assert_eq!(asked.lock().expect("kept")["datagrams"], 2);
    });
}

#[test]
fn a_server_that_fails_or_is_silent_is_followed_by_the_next() {
    machine(|| {
        let directory = prepared();
        upstream("127.0.0.2", 2);
        upstream("127.0.0.3", 3);
        // Nobody is at 127.0.0.9, and there is no way to the other.
        serve(
            directory.path(),
            "nameserver 127.0.0.9\nnameserver 203.0.113.1\nnameserver 127.0.0.2\n",
        );
        let began = Instant::now();
        assert_eq!(ask("example.org"), good(2));
        assert!(began.elapsed() < Duration::from_millis(900));
        assert_eq!(ask("failing").0, RCODE::ServerFailure);
        // The client's machine moves: another file, from the next question on.
        let path = directory.path().join("resolv.conf");
        std::fs::write(&path, "nameserver 127.0.0.3\n").expect("written");
        assert_eq!(ask("example.org"), good(3));
        // A question that waits hears of the new server, too.
        std::fs::write(&path, "nameserver 127.0.0.9\n").expect("written");
        let waiting = std::thread::spawn(|| ask("example.org"));
        std::thread::sleep(Duration::from_millis(300));
        std::fs::write(&path, "nameserver 127.0.0.2\n").expect("written");
        assert_eq!(waiting.join().expect("answered"), good(2));
        // Without any, that is said, and not only when the client has given up.
        std::fs::write(&path, "nameserver 127.0.0.9\n").expect("written");
        let began = Instant::now();
        assert_eq!(ask("example.org").0, RCODE::ServerFailure);
        assert!(began.elapsed() < Duration::from_secs(5));
    });
}

#[test]
fn a_server_that_was_silent_is_asked_last() {
    machine(|| {
        let directory = prepared();
        let silent = UdpSocket::bind("127.0.0.9:53").expect("bound");
        upstream("127.0.0.2", 2);
        serve(
            directory.path(),
            "nameserver 127.0.0.9\nnameserver 127.0.0.2\n",
        );
        let took = || {
            let began = Instant::now();
            assert_eq!(ask("example.org"), good(2));
            began.elapsed()
        };
        assert!(took() >= Duration::from_secs(1), "it was waited for");
        assert!(took() < Duration::from_millis(900), "and is not again");
        // Alone it is asked all the same.
        let path = directory.path().join("resolv.conf");
        std::fs::write(&path, "nameserver 127.0.0.9\n").expect("written");
        silent.set_nonblocking(true).expect("set");
        while silent.recv(&mut [0; 512]).is_ok() {}
        silent.set_nonblocking(false).expect("set");
        let waiting = std::thread::spawn(|| ask("example.org").0);
        assert!(silent.recv(&mut [0; 512]).is_ok());
        assert_eq!(waiting.join().expect("told"), RCODE::ServerFailure);
    });
}

#[test]
fn what_is_too_large_comes_by_stream() {
    machine(|| {
        let directory = prepared();
        let asked = upstream("127.0.0.2", 2);
        serve(directory.path(), "nameserver 127.0.0.2\n");
        assert_eq!(ask("large"), (RCODE::NoError, true, Vec::new()));
        let mut stream = TcpStream::connect("127.0.0.1:53").expect("connected");
        let (outcome, cut, addresses) = ask_by_stream(&mut stream, "large");
        assert_eq!(
            (outcome, cut, addresses.len()),
            (RCODE::NoError, false, 200)
        );
        // Several on one stream, and several of ours sent at once.
        assert_eq!(ask_by_stream(&mut stream, "web").2.len(), 1);
        assert_eq!(ask_by_stream(&mut stream, "example.org"), good(2));
        assert_eq!(asked.lock().expect("kept")["streams"], 2);
        for bytes in [
            &b"\0\x01x"[..],
            b"\xff\xff",
            b"\0\x0c\0\0\x80\0\0\0\0\0\0\0\0\0",
        ] {
            let mut stream = TcpStream::connect("127.0.0.1:53").expect("connected");
            stream.write_all(bytes).expect("sent");
            assert_eq!(stream.read(&mut [0; 9]).unwrap_or(0), 0, "it is closed");
        }
    });
}

/// A client that asks without end has a bounded part, and the others are answered.
#[test]
fn a_greedy_client_harms_nobody() {
    machine(|| {
        let directory = prepared();
        upstream("127.0.0.2", 2);
        serve(directory.path(), "nameserver 127.0.0.2\n");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
        socket.connect("127.0.0.1:53").expect("connected");
        for n in 0..4000_u16 {
            let mut message = query("silent", TYPE::A);
            message[..2].copy_from_slice(&n.to_be_bytes());
            socket.send(&message).ok();
            // What is no message at all, between.
            socket.send(&message[..usize::from(n) % message.len()]).ok();
        }
        assert_eq!(ask("web").2.len(), 1);
        let streams: Vec<TcpStream> = (0..100)
            .filter_map(|_| TcpStream::connect("127.0.0.1:53").ok())
            .collect();
        assert_eq!(ask("web").2.len(), 1);
        drop(streams);
        // Its part is free again once its questions have been given up.
        std::thread::sleep(Duration::from_secs(10));
        assert_eq!(ask("example.org"), good(2));
        let mut stream = TcpStream::connect("127.0.0.1:53").expect("connected");
        assert_eq!(ask_by_stream(&mut stream, "example.org"), good(2));
    });
}
