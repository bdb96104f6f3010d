//! What containers reach outside: this machine by its own address and by its
//! names, and through it the world. The servers are this test's own or Debian's.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{self, Receiver};

use crate::require;
use crate::support::{Sandbox, eventually, free_port, probe};

/// An address of this machine by which others reach it.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback()).then_some(ip)
}

/// Serves HTTP: each connection is answered with `body`.
pub fn http(at: &str, body: Vec<u8>) -> u16 {
    let listener = TcpListener::bind((at, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let body = body.clone();
            std::thread::spawn(move || answer(stream, &body));
        }
    });
    port
}

fn answer(mut stream: TcpStream, body: &[u8]) {
    let mut seen: Vec<u8> = Vec::new();
    let mut buffer = [0; 4096];
    while !seen.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(count @ 1..) => seen.extend(&buffer[..count]),
            _ => return,
        }
    }
    let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    drop(
        stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(body)),
    );
}

/// Takes one connection and says how many bytes came, and their sum.
fn sink(at: &str) -> (u16, Receiver<(usize, u64)>) {
    let listener = TcpListener::bind((at, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, heard) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        tell.send((all.len(), sum(&all))).unwrap();
    });
    (port, heard)
}

/// A sum in which every byte's place counts.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(7, |total: u64, byte| {
        total.wrapping_mul(31).wrapping_add(u64::from(*byte))
    })
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length as u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

#[test]
fn this_machine_is_reached_by_its_address_and_by_its_names() {
    require!(probe::tun(), "no /dev/net/tun");
    let Some(own) = own_address() else {
        crate::skip!("this machine has no address but loopback");
    };
    let port = http("0.0.0.0", b"from outside\n".to_vec());
    let rpod = Sandbox::with(&["debian"]);
    rpod.start(&[
        "--name",
        "in",
        "--add-host",
        "here:host-gateway",
        "debian",
        "sleep",
        "1000",
    ]);
    for host in [
        own.to_string().as_str(),
        "host.rpod.internal",
        "host.docker.internal",
        "host.containers.internal",
        "here",
        "172.17.0.1",
    ] {
        rpod.run(&["exec", "in", "bash", "-c", &fetch(host, port)])
            .success()
            .stdout_has("from outside\n");
    }
    rpod.remove_all();
}

/// A script that asks a server of HTTP; Debian's bash opens connections itself.
fn fetch(host: &str, port: u16) -> String {
    format!("exec 3<>/dev/tcp/{host}/{port}; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3")
}

#[test]
fn what_listens_on_the_machines_loopback_is_reached_only_when_asked_for() {
    require!(probe::tun(), "no /dev/net/tun");
    let port = http("127.0.0.1", b"private\n".to_vec());
    let rpod = Sandbox::with(&["busybox"]);
    let url = format!("http://172.17.0.1:{port}/");
    rpod.run(&["run", "--rm", "busybox", "wget", "-qO-", &url])
        .fails(1)
        .stdout_is("")
        .stderr_has("refused");
    for network in ["bridge:host-loopback", "name=bridge,host-loopback=true"] {
        rpod.run(&[
            "run",
            "--rm",
            "--network",
            network,
            "busybox",
            "wget",
            "-qO-",
            &url,
        ])
        .success()
        .stdout_is("private\n");
    }
}

#[test]
fn what_nobody_serves_is_refused_at_once() {
    require!(probe::tun(), "no /dev/net/tun");
    let Some(own) = own_address() else {
        crate::skip!("this machine has no address but loopback");
    };
    let rpod = Sandbox::with(&["busybox"]);
    let url = format!("http://{own}:{}/", free_port());
    rpod.run(&["run", "--rm", "busybox", "wget", "-qO-", &url])
        .fails(1)
        .stderr_has("refused");
}

#[test]
fn large_transfers_arrive_whole_in_both_directions() {
    require!(probe::tun(), "no /dev/net/tun");
    let Some(own) = own_address() else {
        crate::skip!("this machine has no address but loopback");
    };
    let body = pattern(64 << 20);
    let port = http("0.0.0.0", body.clone());
    let (up, heard) = sink("0.0.0.0");
    let rpod = Sandbox::with(&["busybox"]);
    let script = format!("wget -qO /tmp/big http://{own}:{port}/ && nc {own} {up} < /tmp/big");
    rpod.run(&["run", "--rm", "busybox", "sh", "-c", &script])
        .success();
    let time = std::time::Duration::from_secs(30);
    assert_eq!(heard.recv_timeout(time).unwrap(), (body.len(), sum(&body)));
}

#[test]
fn many_connections_at_once_are_all_served() {
    require!(probe::tun(), "no /dev/net/tun");
    let Some(own) = own_address() else {
        crate::skip!("this machine has no address but loopback");
    };
    let port = http("0.0.0.0", pattern(100_000));
    let rpod = Sandbox::with(&["busybox"]);
    let script = format!(
        "for i in $(seq 60); do (wget -qO- http://{own}:{port}/ | wc -c >> /tmp/all) & done; \
         wait; sort /tmp/all | uniq -c"
    );
    let ran = rpod.run(&["run", "--rm", "busybox", "sh", "-c", &script]);
    let words = ran.success().stdout();
    assert_eq!(
        words.split_whitespace().collect::<Vec<_>>(),
        ["60", "100000"],
        "{ran}"
    );
}

#[test]
fn datagrams_go_out_and_come_back() {
    require!(probe::tun(), "no /dev/net/tun");
    let Some(own) = own_address() else {
        crate::skip!("this machine has no address but loopback");
    };
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut buffer = [0; 2000];
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        buffer[..length].make_ascii_uppercase();
        socket.send_to(&buffer[..length], from).unwrap();
    });
    let rpod = Sandbox::with(&["debian"]);
    let script = format!("exec 3<>/dev/udp/{own}/{port}; echo hello >&3; timeout 10 head -c 6 <&3");
    rpod.run(&["run", "--rm", "debian", "bash", "-c", &script])
        .success()
        .stdout_is("HELLO\n");
}

#[test]
fn what_goes_out_is_seen_while_it_does() {
    require!(probe::tun(), "no /dev/net/tun");
    let Some(own) = own_address() else {
        crate::skip!("this machine has no address but loopback");
    };
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let rpod = Sandbox::with(&["debian"]);
    rpod.start(&["--name", "in", "debian", "sleep", "1000"]);
    let script = format!("exec 3<>/dev/tcp/{own}/{port}; printf hello >&3; cat <&3");
    let talk = rpod.command(&["exec", "in", "bash", "-c", &script]).spawn();
    let (mut stream, _) = listener.accept().unwrap();
    stream.read_exact(&mut [0; 5]).unwrap();
    stream.write_all(b"0123456789").unwrap();
    let format = "{{.Network}} {{.Name}} {{.Protocol}} {{.Destination}} {{.Received}} {{.Sent}}";
    let flows = [
        "network",
        "stats",
        "--no-stream",
        "--flows",
        "--format",
        format,
    ];
    let expected = format!("bridge in tcp {own}:{port} 10B 5B\n");
    eventually("the flow is shown with its bytes", || {
        rpod.run(&flows).stdout() == expected
    });
    let count = [
        "network",
        "inspect",
        "-f",
        "{{range .Containers}}{{.Flows}}{{end}}",
        "bridge",
    ];
    rpod.run(&count).success().stdout_is("1\n");
    drop(stream);
    talk.wait().success().stdout_is("0123456789");
    eventually("it is not any more", || {
        rpod.run(&flows).stdout().is_empty()
    });
    rpod.remove_all();
}

#[test]
fn ping_goes_out_or_info_says_what_lets_it() {
    require!(probe::tun(), "no /dev/net/tun");
    let Some(own) = own_address() else {
        crate::skip!("this machine has no address but loopback");
    };
    let rpod = Sandbox::with(&["busybox"]);
    let own = own.to_string();
    let ping = ["run", "--rm", "busybox", "ping", "-c", "1", "-W", "5", &own];
    let ran = rpod.run(&ping);
    let told = rpod.run(&["info"]).success().stdout();
    let refused = told.contains("net.ipv4.ping_group_range");
    assert_ne!(
        ran.stdout().contains(" 0% packet loss"),
        refused,
        "{ran}{told}"
    );
}

#[test]
fn the_packets_of_a_container_are_written_to_a_file() {
    let rpod = Sandbox::with(&["busybox"]);
    let file = rpod.work().join("packets.pcap");
    let path = file.to_str().unwrap();
    let ran = rpod.run(&[
        "run",
        "--rm",
        "--network-capture",
        path,
        "busybox",
        "ping",
        "-c",
        "3",
        "172.17.0.1",
    ]);
    ran.success();
    let bytes = std::fs::read(&file).unwrap();
    assert_eq!(bytes[..4], 0xa1b2_c3d4_u32.to_ne_bytes());
    assert_eq!(bytes[20..24], 276_u32.to_ne_bytes());
    if probe::program("tcpdump").is_some() {
        let shown = rpod.other("tcpdump", &["-nr", path, "icmp"]).run();
        let shown = shown.success().stdout();
        assert_eq!(shown.matches("echo request").count(), 3, "{shown}");
        assert_eq!(shown.matches("echo reply").count(), 3, "{shown}");
    }
    rpod.run(&[
        "run",
        "--network-capture",
        "/no/such/place",
        "busybox",
        "true",
    ])
    .refuses()
    .stderr_has("/no/such/place");
    rpod.run(&[
        "run",
        "--network=host",
        "--network-capture",
        path,
        "busybox",
        "true",
    ])
    .refuses()
    .stderr_has("--network host");
}
