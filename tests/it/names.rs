//! Names: what a container asks, and who answers.

use crate::require;
use crate::support::{Sandbox, probe};

/// Runs a script in a machine of its own: a network with nothing but a loopback, and
/// `$RESOLV` in the place of /etc/resolv.conf. `serve ADDRESS NAME=IP…` starts a name
/// server there (Debian's dnsmasq).
fn on_a_machine(rpod: &Sandbox, script: &str) -> String {
    let start = r#"
        ip link set lo up
        here=$(mktemp -d); RESOLV=$here/resolv.conf; : > "$RESOLV"
        mount --bind "$RESOLV" /etc/resolv.conf
        trap 'kill $served || true; "$RPOD" rm -f one > /dev/null 2>&1; rm -rf "$here"' EXIT
        serve() {
            local at=$1 words=(); shift
            for pair; do words+=("--host-record=${pair%=*},${pair#*=}"); done
            dnsmasq -d -C /dev/null -x "" --no-resolv --no-hosts \
                --bind-interfaces --listen-address="$at" "${words[@]}" > "$here/log" 2>&1 &
            served=$!
            until grep -qi ":0035 " /proc/self/net/udp; do
                kill -0 $served || { cat "$here/log"; exit 1; }
                sleep 0.05
            done
        }
    "#;
    let program = rpod.program().to_str().unwrap();
    let whole = format!("{start}\n{script}");
    rpod.other("unshare", &["-Urnm", "bash", "-ec", &whole])
        .env("RPOD", program)
        .run()
        .success()
        .stdout()
}

fn can_serve() -> bool {
    probe::user_namespaces()
        && probe::program("ip").is_some()
        && probe::program("dnsmasq").is_some()
}

#[test]
fn other_names_are_asked_of_the_machines_servers_of_the_moment() {
    require!(
        can_serve(),
        "user namespaces, iproute2 or dnsmasq are missing"
    );
    let rpod = Sandbox::with(&["debian"]);
    let script = r#"
        # Begun offline: no server, no network.
        "$RPOD" run -d --name one debian sleep 1000 > /dev/null
        ask() { "$RPOD" exec one getent ahostsv4 "$1" | cut -d' ' -f1 | sort -u | tr '\n' ' '; echo; }
        echo "offline: $(ask a.example)"
        # As systemd-resolved: a stub on the loopback.
        echo 'nameserver 127.0.0.53' > "$RESOLV"
        serve 127.0.0.53 a.example=192.0.2.1 $(for n in {1..60}; do echo large.example=198.51.100.$n; done)
        echo "stub: $(ask a.example)"
        # Too much for a datagram of the C library's.
        echo "large: $(ask large.example | wc -w)"
        # Another network: its server is asked from the next question on.
        kill $served; wait $served || true
        serve 127.0.0.2 a.example=192.0.2.2
        echo 'nameserver 127.0.0.2' > "$RESOLV"
        echo "moved: $(ask a.example)"
        # Servers come and go while a program asks.
        "$RPOD" exec -d one sh -c '
            while [ ! -e /stop ]; do
                getent ahostsv4 a.example > /dev/null && echo good || echo bad
            done > /told; touch /stopped'
        for round in {1..12}; do
            at=127.0.0.$((2 + round % 2))
            kill $served; wait $served || true
            serve $at a.example=192.0.2.2
            echo "nameserver $at" > "$RESOLV"
            sleep 0.3
        done
        "$RPOD" exec one sh -c 'touch /stop; until [ -e /stopped ]; do sleep 0.1; done; sort -u /told'
    "#;
    let told = on_a_machine(&rpod, script);
    assert_eq!(
        told,
        "offline: \nstub: 192.0.2.1 \nlarge: 60\nmoved: 192.0.2.2 \ngood\n"
    );
}

#[test]
fn the_machine_has_names_and_its_server_answers_for_addresses_of_ours() {
    let rpod = Sandbox::with(&["debian"]);
    // Through a copy: a file that is a mount cannot be replaced.
    let script = "cp /etc/hosts /tmp/hosts; sed /internal/d /tmp/hosts > /etc/hosts; \
        grep ^nameserver /etc/resolv.conf; \
        for name in host.docker.internal host.rpod.internal; do \
            getent ahostsv4 $name | head -n 1; done; \
        getent hosts 172.17.0.1; getent hosts 172.17.99.99; echo $?";
    rpod.run(&["run", "--rm", "debian", "sh", "-c", script])
        .success()
        .stdout_is(
            "nameserver 172.17.0.1\n\
             172.17.0.1      STREAM host.docker.internal\n\
             172.17.0.1      STREAM host.rpod.internal\n\
             172.17.0.1      host.rpod.internal\n\
             2\n",
        );
}

#[test]
fn containers_on_a_network_know_each_other_by_all_their_names() {
    let rpod = Sandbox::with(&["debian"]);
    for network in ["blue", "red"] {
        rpod.run(&["network", "create", network]).success();
    }
    let start = |name, network, alias| {
        let words = [
            "--name",
            name,
            "--network",
            network,
            "--network-alias",
            alias,
        ];
        rpod.start(&[&words[..], &["debian", "sleep", "1000"]].concat())
    };
    let id = start("db", "blue", "sql");
    start("db2", "blue", "sql");
    start("far", "red", "sql");
    start("web", "blue", "www");
    let hosts = |name: &str| {
        let asked = rpod.run(&["exec", "web", "getent", "ahostsv4", name]);
        let text = asked.stdout();
        let mut found: Vec<String> = text
            .lines()
            .filter_map(|line| line.split(' ').next().map(str::to_owned))
            .collect();
        found.sort();
        found.dedup();
        found.join(" ")
    };
    let address = |name| rpod.address(name);
    for name in ["db", "DB", "db.blue", &id[..12]] {
        assert_eq!(hosts(name), address("db"), "{name}");
    }
    assert_eq!(
        hosts("sql"),
        format!("{} {}", address("db"), address("db2"))
    );
    assert_eq!(hosts("far"), "");
    let said = rpod.run(&["exec", "web", "getent", "hosts", &address("db")]);
    said.success().stdout_has("db.blue");
    // A name goes with its container, and comes back with another address.
    let before = address("db");
    rpod.run(&["stop", "-t", "0", "db"]).success();
    assert_eq!(hosts("db"), "");
    assert_eq!(hosts("sql"), address("db2"));
    start("between", "blue", "other");
    assert_eq!(address("between"), before);
    rpod.run(&["start", "db"]).success();
    assert_eq!(hosts("db"), address("db"));
    assert_ne!(address("db"), before);
    // The default network has addresses only.
    rpod.start(&["--name", "plain", "debian", "sleep", "1000"]);
    let asked = rpod.run(&["exec", "plain", "getent", "hosts", "plain2"]);
    assert_eq!(asked.code, Some(2));
    rpod.remove_all();
    rpod.run(&["network", "rm", "blue", "red"]).success();
}

#[test]
fn names_follow_their_containers_and_options_are_the_containers_own() {
    let rpod = Sandbox::with(&["debian"]);
    for network in [&["blue", "--ipv6"][..], &["red"]] {
        rpod.run(&[&["network", "create"], network].concat())
            .success();
    }
    let sleeps = ["debian", "sleep", "1000"];
    let options = [
        "--dns-search",
        "corp.example",
        "--dns-option",
        "ndots:2",
        "--dns-option",
        "timeout:1",
    ];
    let web = ["--network", "blue", "--name", "web"];
    rpod.start(&[&web[..], &options, &sleeps].concat());
    rpod.start(&[&["--network", "red", "--name", "db"][..], &sleeps].concat());
    rpod.run(&["exec", "web", "cat", "/etc/resolv.conf"])
        .success()
        .stdout_is("nameserver 172.18.0.1\nsearch corp.example\noptions ndots:2 timeout:1\n");
    let known = |name: &str| rpod.run(&["exec", "web", "getent", "hosts", name]).code == Some(0);
    assert!(!known("db."));
    rpod.run(&["network", "connect", "--alias", "sql", "blue", "db"])
        .success();
    assert!(known("db.") && known("sql."));
    // It has an address of each version of IP there.
    let script = "getent ahosts db. | cut -d' ' -f1 | sort -u | wc -l";
    rpod.run(&["exec", "web", "sh", "-c", script])
        .success()
        .stdout_is("2\n");
    rpod.run(&["rename", "db", "store"]).success();
    assert!(known("store.") && known("sql.") && !known("db."));
    rpod.run(&["network", "disconnect", "blue", "store"])
        .success();
    assert!(!known("store.") && !known("sql."));
    let words = ["network", "connect", "--link", "web:shop", "blue", "store"];
    rpod.run(&words).success();
    let asked = rpod.run(&["exec", "store", "getent", "hosts", "shop"]);
    asked.success();
    rpod.run(&["restart", "-t", "0", "store"]).success();
    let asked = rpod.run(&["exec", "store", "getent", "hosts", "shop"]);
    asked.success();
    let option = "com.example.colour=red";
    rpod.run(&["network", "connect", "--driver-opt", option, "red", "web"])
        .refuses()
        .stderr_has("com.example.colour");
    rpod.remove_all();
    rpod.run(&["network", "rm", "blue", "red"]).success();
}

/// Tools of VPNs put a link in the place of /etc/resolv.conf, to wherever they like.
#[test]
fn the_machines_servers_are_known_wherever_the_file_is_a_link_to() {
    require!(
        can_serve(),
        "user namespaces, iproute2 or dnsmasq are missing"
    );
    let rpod = Sandbox::with(&["debian"]);
    let script = r#"
        umount /etc/resolv.conf
        mkdir "$here/etc" "$here/vpn"; cp -a /etc/. "$here/etc" 2> /dev/null || true
        rm -f "$here/etc/resolv.conf"; mount --bind "$here/etc" /etc
        echo 'nameserver 127.0.0.2' > /etc/resolv.conf
        serve 127.0.0.2 a.example=192.0.2.2
        "$RPOD" network create blue > /dev/null
        for name in one two; do "$RPOD" run -d --name $name --network blue debian sleep 1000 > /dev/null; done
        ask() { "$RPOD" exec one getent ahostsv4 "$1" | cut -d' ' -f1 | sort -u; }
        echo "file: $(ask a.example)"
        kill $served; wait $served || true
        serve 127.0.0.3 a.example=192.0.2.3
        echo 'nameserver 127.0.0.3' > "$here/vpn/resolv.conf"
        ln -s "$here/vpn/resolv.conf" /etc/new; mv /etc/new /etc/resolv.conf
        echo "link: $(ask a.example)"
        kill $served; wait $served || true
        serve 127.0.0.4 a.example=192.0.2.4
        echo 'nameserver 127.0.0.4' > "$here/vpn/new"; mv "$here/vpn/new" "$here/vpn/resolv.conf"
        echo "replaced: $(ask a.example)"
        "$RPOD" exec one getent hosts two > /dev/null && echo "two is known"
        "$RPOD" rm -f two > /dev/null
    "#;
    let told = on_a_machine(&rpod, script);
    assert_eq!(
        told,
        "file: 192.0.2.2\nlink: 192.0.2.3\nreplaced: 192.0.2.4\ntwo is known\n"
    );
}

#[test]
fn a_network_has_name_servers_of_its_own_and_they_change_while_containers_run() {
    require!(
        can_serve(),
        "user namespaces, iproute2 or dnsmasq are missing"
    );
    let rpod = Sandbox::with(&["debian"]);
    let script = r#"
        ip addr add 198.51.100.1/32 dev lo; ip addr add 198.51.100.2/32 dev lo
        serve 198.51.100.1 a.example=192.0.2.1; first=$served
        serve 198.51.100.2 a.example=192.0.2.2; served="$served $first"
        "$RPOD" network create --dns 198.51.100.1 blue > /dev/null
        "$RPOD" run -d --name one --network blue debian sleep 1000 > /dev/null
        ask() { "$RPOD" exec one getent ahostsv4 "$1" | cut -d' ' -f1 | sort -u; }
        ask a.example
        "$RPOD" network update blue --dns-add 198.51.100.2 --dns-drop 198.51.100.1
        ask a.example
        # Also by the net process that comes after this one, whose thread is in our network.
        own=$(readlink /proc/self/ns/net)
        for task in /proc/[0-9]*/task/*; do
            [ "$(cat $task/comm 2> /dev/null)" = rpod-net-out ] || continue
            [ "$(readlink $task/ns/net)" != "$own" ] || net=$(cut -d/ -f3 <<< $task)
        done
        kill -9 $net
        until ! kill -0 $net 2> /dev/null; do sleep 0.02; done
        ask a.example
        ask one > /dev/null && echo "one is known"
        "$RPOD" network create --disable-dns silent > /dev/null
        "$RPOD" network connect --alias web silent one
        "$RPOD" run --rm --network silent debian getent hosts web one || echo "and not there"
    "#;
    let told = on_a_machine(&rpod, script);
    assert_eq!(
        told,
        "192.0.2.1\nblue\n192.0.2.2\n192.0.2.2\none is known\nand not there\n"
    );
}

/// Answers each question for an address with 192.0.2.9, by datagram and, where the name
/// begins with "long", by stream only.
const SERVER: &str = r#"use IO::Socket::INET; use IO::Select;
    my $udp = IO::Socket::INET->new(LocalPort => 53, Proto => "udp") or die;
    my $tcp = IO::Socket::INET->new(LocalPort => 53, Listen => 9) or die;
    sub reply { my ($q, $whole) = @_; my $end = index($q, "\0", 12) + 5;
        my $cut = !$whole && substr($q, 13, 4) eq "long";
        my $found = unpack("n", substr($q, $end - 4, 2)) == 1 && !$cut;
        pack("n6", unpack("n", $q), $cut ? 0x8380 : 0x8180, 1, $found ? 1 : 0, 0, 0)
            . substr($q, 12, $end - 12)
            . ($found ? pack("n3 N n C4", 0xc00c, 1, 1, 60, 4, 192, 0, 2, 9) : "") }
    my $all = IO::Select->new($udp, $tcp);
    while (1) { for my $ready ($all->can_read) {
        if ($ready == $udp) { $udp->recv(my $q, 4096); $udp->send(reply($q, 0)); next }
        my $one = $tcp->accept; $one->read(my $n, 2); $one->read(my $q, unpack "n", $n);
        my $a = reply($q, 1); print $one pack("n", length $a) . $a; close $one } }"#;

#[test]
fn a_container_can_be_the_name_server_of_others() {
    let rpod = Sandbox::with(&["debian"]);
    for network in [&["blue"][..], &["inner", "--internal"]] {
        rpod.run(&[&["network", "create"], network].concat())
            .success();
    }
    let both = [
        "--network",
        "blue",
        "--network",
        "inner",
        "--name",
        "server",
    ];
    rpod.start(&[&both[..], &["debian", "perl", "-e", SERVER]].concat());
    let addresses = rpod.inspect(
        "server",
        "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}",
    );
    let addresses: Vec<&str> = addresses.split_whitespace().collect();
    let asks = |network: &str, server: &str, name: &str| {
        let words = ["run", "--rm", "--network", network, "--dns", server];
        rpod.run(&[&words[..], &["debian", "getent", "ahostsv4", name]].concat())
            .stdout()
    };
    let [blue, inner] = addresses[..] else {
        panic!("{addresses:?}");
    };
    let (blue, inner) = match blue.starts_with("172.18.") {
        true => (blue, inner),
        false => (inner, blue),
    };
    for (network, server) in [("blue", blue), ("inner", inner)] {
        for name in ["far.example", "long.example"] {
            let told = asks(network, server, name);
            assert!(told.starts_with("192.0.2.9 "), "{network} {name}: {told}");
        }
        // What is known of the network itself is not asked for.
        let told = asks(network, server, "server");
        assert!(told.starts_with(server), "{network}: {told}");
    }
    rpod.remove_all();
    rpod.run(&["network", "rm", "blue", "inner"]).success();
}

#[test]
fn a_link_is_a_name_variables_and_a_line_that_stays_true() {
    let rpod = Sandbox::with(&["debian"]);
    let link = ["--link", "testmysql:mysql", "debian", "sleep", "1000"];
    rpod.run(&[&["run", "-d"][..], &link].concat())
        .refuses()
        .stderr_has("no such container: \"testmysql\"");
    let sleep = ["debian", "sleep", "1000"];
    let words = [
        "--name",
        "testmysql",
        "--expose",
        "3306",
        "-e",
        "SECRET=123456",
    ];
    rpod.start(&[&words[..], &sleep].concat());
    rpod.start(&[&["--name", "web"][..], &link].concat());
    let hosts = |name: &str| {
        let asked = rpod.run(&["exec", "web", "getent", "ahostsv4", name]);
        asked
            .stdout()
            .split(' ')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(hosts("mysql"), rpod.address("testmysql"));
    assert_eq!(hosts("testmysql"), rpod.address("testmysql"));
    let address = rpod.address("testmysql");
    rpod.run(&[
        "exec",
        "web",
        "sh",
        "-c",
        "tr '\\0' '\\n' < /proc/1/environ",
    ])
    .success()
    .stdout_has(&format!("MYSQL_PORT=tcp://{address}:3306"))
    .stdout_has(&format!("MYSQL_PORT_3306_TCP_ADDR={address}"))
    .stdout_has("MYSQL_NAME=/web/mysql")
    .stdout_has("MYSQL_ENV_SECRET=123456");
    assert_eq!(
        rpod.inspect("web", "{{json .HostConfig.Links}}"),
        r#"["/testmysql:/web/mysql"]"#
    );
    // It comes back with another address.
    rpod.run(&["stop", "-t", "0", "testmysql"]).success();
    rpod.start(&[&["--name", "between"][..], &sleep].concat());
    rpod.run(&["start", "testmysql"]).success();
    assert_ne!(rpod.address("testmysql"), address);
    assert_eq!(hosts("mysql"), rpod.address("testmysql"));
    // Without a line, the name server knows it as well.
    rpod.run(&[
        "exec",
        "web",
        "sh",
        "-c",
        "sed /mysql/d /etc/hosts > /tmp/h; cat /tmp/h > /etc/hosts",
    ])
    .success();
    assert_eq!(hosts("mysql"), rpod.address("testmysql"));
    // One that does not run has no address to tell.
    rpod.run(&["stop", "-t", "0", "testmysql", "web"]).success();
    rpod.run(&["start", "web"])
        .fails(1)
        .stderr_has("testmysql")
        .stderr_has("not running");
    rpod.remove_all();
}
