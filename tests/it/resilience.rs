//! What serves a network is killed while much goes on, its program is replaced, a
//! container is out to harm the others, and the machine moves: the containers stay, and
//! so do their connections.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::require;
use crate::support::{Sandbox, eventually, free_port, kill, probe};

/// Sends back each line that comes, to any number of clients.
const ECHO: &str = r#"use IO::Socket::INET; $SIG{CHLD} = "IGNORE";
    my $all = IO::Socket::INET->new(LocalPort => 7, Listen => 64, ReuseAddr => 1) or die;
    while (1) { my $one = $all->accept or next; next if fork;
        $one->autoflush(1); while (<$one>) { print $one $_ } exit }"#;

/// Talks to `two` over one connection until there is a file /stop, and says how that went.
const TALK: &str = r#"use IO::Socket::INET; my $n = 0;
    my $two = IO::Socket::INET->new(PeerAddr => "two", PeerPort => 7) or die; $two->autoflush(1);
    while (!-e "/stop") { $n++; print $two "$n\n"; my $back = <$two>;
        if (!defined $back or $back != $n) { $n = 0; last } }
    open my $told, ">", "/told.new"; print $told $n ? "whole\n" : "lost\n"; close $told;
    rename "/told.new", "/told""#;

/// A network with `one`, which talks to `two` all the time, and `two`, which is published.
struct Pair {
    rpod: Sandbox,
    port: u16,
}

impl Pair {
    fn start() -> Self {
        let rpod = Sandbox::with(&["debian"]);
        rpod.run(&["network", "create", "blue"]).success();
        let port = free_port();
        let publish = format!("{port}:7");
        let on = ["--network", "blue", "--name"];
        let two = ["two", "-p", &publish, "debian", "perl", "-e", ECHO];
        rpod.start(&[&on[..], &two].concat());
        rpod.start(&[&on[..], &["one", "debian", "sleep", "1000"]].concat());
        let pair = Self { rpod, port };
        eventually("the port answers", || asks(pair.port));
        pair.talk();
        pair
    }

    fn talk(&self) {
        let words = ["exec", "-d", "one", "perl", "-e", TALK];
        self.rpod.run(&words).success();
    }

    /// Ends the talk, which must have been one connection from the first to the last word.
    fn told(&self) {
        let script = "touch /stop; until [ -e /told ]; do sleep 0.05; done; cat /told";
        self.rpod
            .run(&["exec", "one", "sh", "-c", script])
            .success()
            .stdout_is("whole\n");
    }

    fn knows_names(&self) -> bool {
        let asked = self.rpod.run(&["exec", "one", "getent", "hosts", "two"]);
        asked.code == Some(0)
    }

    fn named(&self, name: &str) -> Vec<i32> {
        let all = self.rpod.processes();
        let these = all.iter().filter(|process| process.name == name);
        these.map(|process| process.pid).collect()
    }

    fn firsts(&self) -> String {
        let of = |name| self.rpod.inspect(name, "{{.State.Pid}} {{.RestartCount}}");
        of("one") + &of("two")
    }

    fn end(self) {
        self.rpod.remove_all();
        self.rpod.run(&["network", "rm", "blue"]).success();
    }
}

/// Says whether a line comes back over a new connection to the published port.
fn asks(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.write_all(b"hello\n")?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        Ok(line)
    };
    ask().is_ok_and(|line| line == "hello\n")
}

#[test]
fn what_serves_a_network_is_killed_under_load_and_nothing_stays_lost() {
    let pair = Pair::start();
    let before = pair.firsts();
    // Clients come all the while; those whose connection is cut come again.
    let stop = Arc::new(AtomicBool::new(false));
    let served = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let (stop, served, port) = (stop.clone(), served.clone(), pair.port);
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    served.fetch_add(usize::from(asks(port)), Ordering::Relaxed);
                }
            })
        })
        .collect();
    for round in 0..6 {
        let mut gone = Vec::new();
        if round % 3 != 1 {
            gone.extend(pair.named("rpod-net"));
        }
        if round % 3 != 0 {
            gone.extend(pair.named("rpod-ports"));
        }
        assert!(!gone.is_empty());
        assert!(gone.iter().all(|pid| kill(*pid)));
        let seen = served.load(Ordering::Relaxed);
        eventually("clients are served again", || {
            served.load(Ordering::Relaxed) > seen + 3 && asks(pair.port)
        });
        eventually("names are known again", || pair.knows_names());
        eventually("one of each is there again", || {
            let now = [pair.named("rpod-net"), pair.named("rpod-ports")].concat();
            now.len() == 2 && now.iter().all(|pid| !gone.contains(pid))
        });
    }
    stop.store(true, Ordering::Relaxed);
    clients
        .into_iter()
        .for_each(|client| client.join().unwrap());
    assert_eq!(pair.firsts(), before, "the programs are the same");
    pair.told();
    pair.end();
}

#[test]
fn a_replaced_program_goes_on_with_what_the_one_before_has_started() {
    let pair = Pair::start();
    let before = pair.firsts();
    // Another file under the same name, as an installation makes it.
    let path = pair.rpod.work().join("rpod");
    let mut bytes = std::fs::read(pair.rpod.program()).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = path.to_str().unwrap().to_owned();
    let run = |words: &[&str]| pair.rpod.other(&path, words).run();
    let late = ["run", "-d", "--network", "blue", "--name"];
    let sleeps = ["debian", "sleep", "1000"];
    run(&[&late[..], &["old"], &sleeps].concat()).success();
    bytes.extend(b"another");
    std::fs::write(format!("{path}.new"), &bytes).unwrap();
    std::fs::set_permissions(
        format!("{path}.new"),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    std::fs::rename(format!("{path}.new"), &path).unwrap();
    run(&[&late[..], &["new"], &sleeps].concat()).success();
    run(&["exec", "old", "getent", "hosts", "new"]).success();
    run(&["exec", "new", "getent", "hosts", "old"]).success();
    // What the old one had started is started again by those who still run it.
    assert!(pair.named("rpod-net").into_iter().all(kill));
    eventually("names are known again", || pair.knows_names());
    run(&["exec", "new", "getent", "hosts", "old"]).success();
    assert!(asks(pair.port));
    run(&["stop", "-t", "0", "old"]).success();
    run(&["rm", "old"]).success();
    run(&["start", "new"]).success();
    assert_eq!(pair.firsts(), before, "the programs are the same");
    pair.told();
    pair.end();
}

/// What a container does for some seconds that is out to harm the others: `what` of
/// spoof (it says it is the gateway, and the other), names, streams, datagrams, fragments.
const HARM: &str = r#"use Socket; use Fcntl; use Time::HiRes qw(time sleep);
    my ($what, $gateway, $other) = @ARGV; my ($end, $n) = (time + 5, 0);
    sub to { sockaddr_in($_[0], inet_aton($gateway)) }
    sub mac { pack('C2', 2, 0x42) . inet_aton($_[0]) }
    my $kind = { streams => SOCK_STREAM, fragments => SOCK_RAW }->{$what} // SOCK_DGRAM;
    my $one;
    if ($what eq 'spoof') { socket($one, 17, SOCK_RAW, unpack('S', pack('n', 0x0806))) or die "packets: $!" }
    elsif ($what ne 'streams') { socket($one, PF_INET, $kind, $what eq 'fragments' ? 255 : 0) or die "socket: $!" }
    open my $file, '<', '/sys/class/net/eth0/ifindex' or die; my $device = <$file> + 0;
    open $file, '<', '/sys/class/net/eth0/address' or die; my $own = pack('H*', <$file> =~ s/[^0-9a-f]//gr);
    my $all = "\xff" x 6;
    while (time < $end) { for (1 .. 200) { $n++;
        if ($what eq 'spoof') { for my $ip ($gateway, $other) { for my $kind (1, 2) { for my $from ($own, mac($other)) {
            my $frame = $all . $from . pack('nnnCCn', 0x0806, 1, 0x0800, 6, 4, $kind) . $own . inet_aton($ip) .
                $all . inet_aton($kind == 1 ? $ip : $other);
            send($one, $frame, 0, pack('SnlSCCa8', 17, 0x0806, $device, 1, 0, 6, $all)) or die "sent: $!" } } }
            sleep 0.002 }
        elsif ($what eq 'names') { send($one, pack('n6', $n & 0xffff, 0x100, 1, 0, 0, 0) .
            pack('C/a*C/a*', sprintf('%x', rand 1e9), 'example') . pack('xnn', 1, 1), 0, to(53)) }
        elsif ($what eq 'streams') { socket(my $some, PF_INET, SOCK_STREAM, 0) or next;
            fcntl($some, F_SETFL, O_NONBLOCK); connect($some, to(1 + $n % 65535)) }
        elsif ($what eq 'datagrams') { send($one, 'x', 0, to(1 + $n % 65535)) }
        else { send($one, pack('CCn3C2n', 0x45, 0, 1420, $n & 0xffff, 0x2000, 64, 17, 0) . "\0\0\0\0" .
            inet_aton('192.0.2.7') . 'y' x 1400, 0, to(0)) }
    } } print "$n\n""#;

/// Asks for names and for connections for some seconds; says what failed, and the
/// longest that one has taken, in milliseconds.
const LIVE: &str = r#"use IO::Socket::INET; use Time::HiRes qw(time sleep);
    my ($gateway, $port) = @ARGV; my ($end, $failed, $worst) = (time + 4, 0, 0);
    while (time < $end) { my $begun = time;
        gethostbyname('evil') or $failed++;
        IO::Socket::INET->new(PeerAddr => $gateway, PeerPort => $port, Timeout => 4) or $failed++;
        my $took = 1000 * (time - $begun); $worst = $took if $took > $worst; sleep 0.01 }
    printf "%d %d\n", $failed, $worst"#;

#[test]
fn a_container_out_to_harm_stalls_no_others() {
    require!(probe::tun(), "no /dev/net/tun");
    let rpod = Sandbox::with(&["debian"]);
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    // Whoever comes is let go at once.
    std::thread::spawn(move || listener.incoming().for_each(drop));
    rpod.run(&["network", "create", "blue"]).success();
    for name in ["evil", "good"] {
        rpod.start(&[
            "--network",
            "blue",
            "--name",
            name,
            "debian",
            "sleep",
            "1000",
        ]);
    }
    let (gateway, good) = ("172.18.0.1", "172.18.0.3");
    let live = ["exec", "good", "perl", "-e", LIVE, gateway, &port];
    let before = rpod.run(&live).success().line();
    if !before.starts_with("0 ") {
        crate::skip!("this machine has no address but loopback");
    }
    for what in ["spoof", "names", "streams", "datagrams", "fragments"] {
        let harm = ["exec", "evil", "perl", "-e", HARM, what, gateway, good];
        let evil = rpod.command(&harm).spawn();
        let told = rpod.run(&live).success().line();
        let sent = evil.wait().success().line();
        println!("{what}, {sent} times: {told}");
        let (failed, worst) = told.split_once(' ').unwrap();
        // New streams and datagrams wait in one queue for the way out: a container that
        // makes them as fast as it can makes others begin again, but only while it does.
        if matches!(what, "streams" | "datagrams") {
            let after = rpod.run(&live).success().line();
            assert!(after.starts_with("0 "), "after {what}: {after}");
        } else {
            assert_eq!(failed, "0", "{what}");
            // What is lost is asked again after five seconds.
            assert!(worst.parse::<u32>().unwrap() < 4000, "{what}: {worst} ms");
        }
        let all = rpod.processes();
        let net = all.iter().find(|process| process.name == "rpod-net");
        let status = format!("/proc/{}/status", net.expect("a net process").pid);
        let status = std::fs::read_to_string(status).unwrap();
        let held = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let held = held.and_then(|text| text.trim().split(' ').next()?.parse::<u32>().ok());
        assert!(
            held.is_some_and(|kib| kib < 48 * 1024),
            "{what}: {held:?} KiB"
        );
    }
    rpod.remove_all();
    rpod.run(&["network", "rm", "blue"]).success();
}

/// A machine of the test's own, in `$world` a second one which has what the machine
/// uses, and ways between them that come and go.
const WORLD: &str = r#"
    ip link set lo up
    here=$(mktemp -d); RESOLV=$here/resolv.conf; : > "$RESOLV"
    mount --bind "$RESOLV" /etc/resolv.conf
    unshare -n sleep 1000 & world=$!
    until [ "$(readlink /proc/$world/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.02; done
    others=($world)
    trap 'kill ${others[@]} || true; "$RPOD" rm -f one two > /dev/null 2>&1; rm -rf "$here"' EXIT
    there() { nsenter -t $world -n "$@"; }
    there ip link set lo up
    for n in 7 53 54; do there ip addr add 198.51.100.$n/32 dev lo; done
    for n in 53 54; do
        nsenter -t $world -n dnsmasq -d -C /dev/null -x "" --no-resolv --no-hosts --bind-interfaces \
            --listen-address=198.51.100.$n --host-record=a.example,198.51.100.7 > "$here/log$n" 2>&1 &
        others+=($!)
    done
    nsenter -t $world -n perl -e "$ECHO" & others+=($!)
    until [ "$(grep -ci ':0035 ' /proc/$world/net/udp)" = 2 ]; do
        kill -0 ${others[@]} || { cat "$here"/log*; exit 1; }; sleep 0.05
    done
    link() { # NAME NUMBER ADDRESS
        ip link add "$1" type veth peer name "$1" netns $world
        ip addr add 10.$2.0.$3/24 dev "$1"; ip link set "$1" up
        there ip addr add 10.$2.0.1/24 dev "$1"; there ip link set "$1" up
    }
"#;

/// Opens a new connection and says how many milliseconds that took.
const CALL: &str = r#"begun=${EPOCHREALTIME/./}
    exec 3<> /dev/tcp/198.51.100.7/7 && echo x >&3 && read -r answer <&3 && [ "$answer" = x ] &&
        echo $(((${EPOCHREALTIME/./} - begun) / 1000))"#;

#[test]
fn a_machine_moves_fifty_times_and_containers_stay() {
    let there = ["ip", "dnsmasq", "nsenter", "perl"];
    require!(
        probe::user_namespaces()
            && probe::tun()
            && there.iter().all(|p| probe::program(p).is_some()),
        "user namespaces, /dev/net/tun, iproute2, dnsmasq, util-linux or perl are missing"
    );
    let rpod = Sandbox::with(&["debian"]);
    let script = r#"
        # Begun offline.
        "$RPOD" network create blue > /dev/null
        "$RPOD" run -d --name two --network blue debian perl -e "$ECHO" > /dev/null
        "$RPOD" run -d --name one --network blue debian sleep 1000 > /dev/null
        until "$RPOD" exec one perl -e "$TALK_ONCE"; do sleep 0.05; done
        "$RPOD" exec -d one perl -e "$TALK"
        "$RPOD" exec one getent hosts a.example && echo "a name where no server is"
        link wifi 1 2; link cable 2 2; link vpn 3 2
        ip route add default via 10.1.0.1
        echo "nameserver 198.51.100.53" > "$RESOLV"
        "$RPOD" exec one getent ahostsv4 a.example > /dev/null && echo online
        "$RPOD" exec -d one sh -c '
            while [ ! -e /stop ]; do
                getent ahostsv4 a.example > /dev/null && echo good || echo bad
            done > /names; touch /names.whole'
        slowest=0
        for round in {1..50}; do
            case $((round % 7)) in
            0) ip route replace default via 10.1.0.1 ;;
            1) ip route replace default via 10.2.0.1 ;;
            2) ip link del wifi; link wifi 1 $((round + 2)) ;;
            3) ip link set cable down; ip route replace default via 10.1.0.1 ;;
            4) ip link set cable up; ip route replace default via 10.2.0.1 ;;
            5) ip route replace 198.51.100.0/24 via 10.3.0.1 ;;
            6) ip route del 198.51.100.0/24 ;;
            esac
            echo "nameserver 198.51.100.$((53 + round % 2))" > "$RESOLV"
            # What the machine itself needs for the same at the same time says how busy it is,
            # and that there is a way.
            timeout 20 bash -c "$CALL" > "$here/own" & calls=$!
            took=$("$RPOD" exec one timeout 20 bash -c "$CALL") || { echo "round $round: no connection"; took=0; }
            wait $calls || echo "round $round: no way"
            own=$(cat "$here/own"); most=$((own * 4 > 1000 ? own * 4 : 1000))
            [ $took -le $most ] || echo "round $round: a connection after $took ms, the machine's own after $own ms"
            [ $took -le $slowest ] || slowest=$took
        done
        "$RPOD" exec one sh -c 'touch /stop; until [ -e /told ] && [ -e /names.whole ]; do sleep 0.1; done
            cat /told; sort -u /names'
        echo "slowest: $slowest ms" >&2
    "#;
    let program = rpod.program().to_str().unwrap();
    let whole = format!("{WORLD}\n{script}");
    let once = TALK
        .replace("while (!-e \"/stop\")", "for (1)")
        .replace("/told", "/tmp/told");
    let ran = rpod
        .other("unshare", &["-Urnm", "bash", "-ec", &whole])
        .env("RPOD", program)
        .env("ECHO", ECHO)
        .env("TALK", TALK)
        .env("TALK_ONCE", once)
        .env("CALL", CALL)
        .timeout(300)
        .run();
    ran.success().stdout_is("online\nwhole\ngood\n");
    println!("{}", ran.stderr());
}
