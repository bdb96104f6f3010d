//! Published ports: where they listen, whom they let in, and who has them.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use crate::require;
use crate::support::{Sandbox, eventually, free_port, http_get, kill, probe};

const SERVE: [&str; 7] = ["busybox", "httpd", "-f", "-p", "80", "-h", "/var/www"];

fn serve(rpod: &Sandbox, name: &str, publish: &[&str]) -> String {
    let mut words = vec!["--name", name];
    for port in publish {
        words.extend(["-p", port]);
    }
    words.extend(SERVE);
    rpod.start(&words)
}

#[test]
fn run_publishes_port_on_every_address() {
    let rpod = Sandbox::with(&["busybox"]);
    let port = free_port();
    serve(&rpod, "web", &[&format!("{port}:80")]);
    assert_eq!(
        http_get(format!("127.0.0.1:{port}"), "/"),
        "busybox of Debian\n"
    );
    if probe::ipv6_loopback() {
        assert_eq!(
            http_get(format!("[::1]:{port}"), "/"),
            "busybox of Debian\n"
        );
    }
    rpod.run(&["port", "web"])
        .success()
        .stdout_has(&format!("80/tcp -> 0.0.0.0:{port}"));
    rpod.run(&["port", "web", "80"])
        .success()
        .stdout_has(&format!("0.0.0.0:{port}"));
    rpod.remove_all();
}

#[test]
fn run_publishes_only_on_the_address_asked_for() {
    let rpod = Sandbox::with(&["busybox"]);
    let port = free_port();
    serve(&rpod, "web", &[&format!("127.0.0.2:{port}:80")]);
    assert_eq!(
        http_get(format!("127.0.0.2:{port}"), "/"),
        "busybox of Debian\n"
    );
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    rpod.remove_all();
}

#[test]
fn a_port_left_out_is_a_free_one_and_is_told() {
    let rpod = Sandbox::with(&["busybox"]);
    serve(&rpod, "web", &["127.0.0.1::80", "80"]);
    let shown = rpod.run(&["port", "web", "80/tcp"]).success().stdout();
    let first = shown
        .lines()
        .find(|line| line.starts_with("127.0.0.1:"))
        .unwrap();
    assert_eq!(http_get(first, "/"), "busybox of Debian\n");
    assert!(
        shown.lines().any(|line| line.starts_with("0.0.0.0:")),
        "{shown}"
    );
    rpod.remove_all();
}

#[test]
fn ranges_and_several_ports_are_published() {
    let rpod = Sandbox::with(&["busybox"]);
    let (one, two) = (free_port(), free_port());
    serve(
        &rpod,
        "web",
        &[&format!("{one}:80"), &format!("127.0.0.1:{two}:80")],
    );
    for port in [one, two] {
        assert_eq!(
            http_get(format!("127.0.0.1:{port}"), "/"),
            "busybox of Debian\n"
        );
    }
    rpod.remove_all();
}

#[test]
fn a_port_that_is_taken_is_refused_and_the_holder_named() {
    let rpod = Sandbox::with(&["busybox"]);
    let port = free_port();
    let publish = format!("{port}:80");
    serve(&rpod, "first", &[&publish]);
    let refused = rpod.run(&[
        "run", "-d", "--name", "second", "-p", &publish, "busybox", "true",
    ]);
    refused
        .refuses()
        .stderr_has(&port.to_string())
        .stderr_has("in use")
        .stderr_has("\"first\"");
    let names = rpod
        .run(&["ps", "-a", "--format", "{{.Names}}"])
        .success()
        .stdout();
    assert_eq!(names, "first\n", "the refused one left nothing");
    rpod.remove_all();
    let holder = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = holder.local_addr().unwrap().port();
    for publish in [format!("127.0.0.1:{port}:80"), format!("{port}:80")] {
        rpod.run(&["run", "-d", "-p", &publish, "busybox", "true"])
            .refuses()
            .stderr_has(&port.to_string())
            .stderr_has("in use by process")
            .stderr_has(&std::process::id().to_string());
    }
    let two = [format!("{}:80", port), format!("{}:81", port)];
    drop(holder);
    rpod.run(&["run", "-d", "-p", &two[0], "-p", &two[1], "busybox", "true"])
        .refuses()
        .stderr_has("published twice");
}

#[test]
fn every_form_is_published_and_all_tell_the_same() {
    let rpod = Sandbox::with(&["busybox"]);
    let port = free_port();
    let long = format!("published={port},target=80,protocol=tcp");
    let words = ["--name", "web", "-p", &long, "--expose", "8000-8001", "-P"];
    rpod.start(&[&words[..], &SERVE[..]].concat());
    assert_eq!(
        http_get(format!("127.0.0.1:{port}"), "/"),
        "busybox of Debian\n"
    );
    let told = rpod.run(&["port", "web"]).success().stdout();
    let shown = rpod
        .run(&["ps", "--format", "{{.Ports}}"])
        .success()
        .stdout();
    let format = "{{json .NetworkSettings.Ports}}";
    let json = rpod
        .run(&["inspect", "-f", format, "web"])
        .success()
        .stdout();
    for inside in ["80/tcp", "8000/tcp", "8001/tcp"] {
        let lines: Vec<&str> = told.lines().filter(|l| l.starts_with(inside)).collect();
        assert_eq!(lines.len(), 2, "{told}");
        for line in lines {
            let address = line.split(" -> ").nth(1).unwrap();
            assert!(shown.contains(&format!("{address}->{inside}")), "{shown}");
            let (ip, number) = address.rsplit_once(':').unwrap();
            let ip = ip.trim_matches(['[', ']']);
            let entry = format!(r#"{{"HostIp":"{ip}","HostPort":"{number}"}}"#);
            assert!(json.contains(&entry), "{json}");
        }
    }
    for form in ["80:80/sctp", "80:80/icmp", "1-2:80-82", "127.0.0.1:80"] {
        rpod.run(&["create", "-p", form, "busybox", "true"])
            .refuses()
            .stderr_has(form);
    }
    rpod.remove_all();
}

#[test]
fn a_killed_ports_process_is_back_at_once() {
    let rpod = Sandbox::with(&["busybox"]);
    let port = free_port();
    serve(&rpod, "web", &[&format!("{port}:80")]);
    let server = || {
        let all = rpod.processes();
        all.iter().find(|p| p.name == "rpod-ports").map(|p| p.pid)
    };
    let address = format!("127.0.0.1:{port}");
    assert_eq!(http_get(&address, "/"), "busybox of Debian\n");
    for _ in 0..3 {
        let before = server().expect("a ports process");
        assert!(kill(before));
        // Nobody is refused meanwhile: the sockets are the monitor's as well.
        let mut stream = TcpStream::connect(&address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        // One that the old process had accepted in its last moment is broken with it.
        if read.is_ok() {
            assert!(answer.ends_with("busybox of Debian\n"), "{answer}");
        }
        eventually("another serves", || {
            server().is_some_and(|pid| pid != before)
        });
        assert_eq!(http_get(&address, "/"), "busybox of Debian\n");
        // The next one is killed as an old one, not as one that ends at once.
        std::thread::sleep(Duration::from_millis(1100));
    }
    rpod.run(&["exec", "web", "true"]).success();
    rpod.remove_all();
    eventually("nothing is left", || rpod.processes().is_empty());
}

/// As systemd starts the service of a `.socket` unit.
#[test]
fn sockets_that_were_passed_are_the_published_ports() {
    require!(probe::program("perl").is_some(), "perl is not installed");
    let rpod = Sandbox::with(&["busybox"]);
    // Copies made by dup2 stay open in the program that is executed.
    let script = r#"
        use IO::Socket::INET; use POSIX; $| = 1;
        my @sockets = map { IO::Socket::INET->new(Listen => 9, LocalAddr => "127.0.0.1") } 1 .. 2;
        POSIX::dup2(fileno $sockets[$_], 10 + $_) for 0 .. 1;
        POSIX::dup2(10 + $_, 3 + $_) for 0 .. 1;
        my $port = $sockets[0]->sockport; print "$port\n";
        ($ENV{LISTEN_PID}, $ENV{LISTEN_FDS}) = ($$, 2);
        exec $ENV{RPOD}, qw(run -d --name web -p), "127.0.0.1:$port:80", @ARGV;
    "#;
    let ran = rpod
        .other("perl", &[&["-e", script][..], &SERVE[..]].concat())
        .env("RPOD", rpod.program().to_str().unwrap())
        .run();
    let text = ran.success().stderr_has("1 of the sockets passed").stdout();
    let port = text.lines().next().unwrap();
    assert_eq!(
        http_get(format!("127.0.0.1:{port}"), "/"),
        "busybox of Debian\n"
    );
    rpod.remove_all();
}

#[test]
fn a_port_is_free_again_after_stop_and_back_after_start() {
    let rpod = Sandbox::with(&["busybox"]);
    let port = free_port();
    serve(&rpod, "web", &[&format!("{port}:80")]);
    http_get(format!("127.0.0.1:{port}"), "/");
    rpod.run(&["stop", "-t", "1", "web"]).success();
    eventually("the port is free", || {
        std::net::TcpListener::bind(("0.0.0.0", port)).is_ok()
    });
    rpod.run(&["start", "web"]).success();
    assert_eq!(
        http_get(format!("127.0.0.1:{port}"), "/"),
        "busybox of Debian\n"
    );
    rpod.remove_all();
}

#[test]
fn a_privileged_port_is_refused_with_the_reason() {
    require!(!probe::is_root(), "root may listen on every port");
    let start = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    require!(
        start.trim() == "1024",
        "this machine lets users listen on low ports"
    );
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&["run", "--rm", "-p", "80:80", "busybox", "true"])
        .refuses()
        .stderr_has("1024")
        .stderr_has("ip_unprivileged_port_start");
}

#[test]
fn udp_is_published_too() {
    let rpod = Sandbox::with(&["debian"]);
    let port = free_port();
    let publish = format!("127.0.0.1:{port}:9/udp");
    // perl is in every Debian, and is the smallest thing there that answers datagrams.
    let echo = "use IO::Socket::INET; $s = IO::Socket::INET->new(Proto => 'udp', LocalPort => 9); \
                while ($s->recv($d, 99)) { $s->send($d . $s->peerhost) }";
    rpod.start(&[
        "--name", "udp", "-p", &publish, "debian", "perl", "-e", echo,
    ]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    eventually("a datagram comes back", || {
        socket.send_to(b"datagram ", ("127.0.0.1", port)).ok();
        let mut buffer = [0; 64];
        socket
            .recv(&mut buffer)
            .is_ok_and(|count| &buffer[..count] == b"datagram 172.17.0.1")
    });
    rpod.remove_all();
}

#[test]
fn a_connection_carries_megabytes_both_ways_and_half_closes() {
    let rpod = Sandbox::with(&["busybox"]);
    let port = free_port();
    let publish = format!("127.0.0.1:{port}:80");
    // Answers only after the end of the request's stream: needs the half close.
    let script = "nc -l -p 80 > /got; wc -c < /got";
    rpod.start(&[
        "--name", "sink", "-p", &publish, "busybox", "sh", "-c", script,
    ]);
    let mut stream = None;
    eventually("it listens", || {
        rpod.run(&["exec", "sink", "sh", "-c", "netstat -ltn | grep -q :80"])
            .code
            == Some(0)
    });
    eventually("it accepts", || {
        stream = TcpStream::connect(("127.0.0.1", port)).ok();
        stream.is_some()
    });
    let mut stream = stream.unwrap();
    stream.write_all(&vec![7; 8 << 20]).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let _end = stream.read(&mut [0; 16]);
    rpod.run(&["wait", "sink"]).success();
    rpod.run(&["logs", "sink"]).success().stdout_has("8388608");
    rpod.remove_all();
}

/// In a network of its own, where a second namespace is a host far away.
#[test]
fn a_remote_client_keeps_its_address() {
    require!(probe::user_namespaces(), "user namespaces are forbidden");
    require!(probe::program("ip").is_some(), "iproute2 is not installed");
    require!(probe::program("curl").is_some(), "curl is not installed");
    require!(
        !cannot_make_links(),
        "this user cannot make links in a namespace"
    );
    let rpod = Sandbox::with(&["busybox"]);
    let program = rpod.program().to_str().unwrap();
    // The client's namespace is made first; both ends are ours inside it.
    let script = r#"
        ip link set lo up
        unshare -n sleep 1000 & far=$!
        trap 'kill $far' EXIT
        until [ "$(readlink /proc/$far/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
        ip link add near type veth peer name far netns $far
        ip addr add 192.0.2.1/24 dev near; ip -6 addr add 2001:db8::1/64 dev near nodad; ip link set near up
        nsenter -t $far -n sh -c 'ip addr add 192.0.2.99/24 dev far; ip -6 addr add 2001:db8::99/64 dev far nodad; ip link set far up'
        "$RPOD" run -d --name web -p 8080:8080 kubia > /dev/null
        for try in 1 2 3 4 5 6 7 8 9 10; do
            nsenter -t $far -n curl -s -m 2 http://192.0.2.1:8080/ && break
            sleep 0.3
        done
        nsenter -t $far -n curl -s -m 5 'http://[2001:db8::1]:8080/'
        # One that listens by IPv4 alone is reached as well.
        "$RPOD" run -d --name four -p 8081:80 busybox httpd -f -p 0.0.0.0:80 -h /var/www > /dev/null
        for try in 1 2 3 4 5 6 7 8 9 10; do
            nsenter -t $far -n curl -s -m 2 'http://[2001:db8::1]:8081/' && break
            sleep 0.3
        done
        "$RPOD" rm -f web four > /dev/null
    "#;
    rpod.other("unshare", &["-Urnm", "sh", "-ec", script])
        .env("RPOD", program)
        .run()
        .success()
        .stdout_has("Your IP is 192.0.2.99. ")
        .stdout_has("Your IP is 2001:db8::99. ")
        .stdout_has("busybox of Debian");
}

fn cannot_make_links() -> bool {
    let script = "ip link add name one type veth peer name two";
    !std::process::Command::new("unshare")
        .args(["-Urn", "sh", "-c", script])
        .stderr(std::process::Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
