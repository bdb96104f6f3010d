//! Which network a container is on and whom it reaches. Published ports have a
//! file of their own.

use crate::require;
use crate::support::{Sandbox, eventually, http_get, kill, probe};

#[test]
fn containers_reach_each_other_by_address() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.start(&[
        "--name", "server", "busybox", "httpd", "-f", "-p", "80", "-h", "/var/www",
    ]);
    let address = rpod.address("server");
    assert!(address.starts_with("172.17.0."), "{address}");
    assert_ne!(address, "172.17.0.1");
    let url = format!("http://{address}/");
    eventually("the server answers", || {
        rpod.run(&["run", "--rm", "busybox", "wget", "-qO-", &url])
            .stdout()
            == "busybox of Debian\n"
    });
    rpod.run(&[
        "run", "--rm", "busybox", "ping", "-c", "1", "-W", "5", &address,
    ])
    .success();
    rpod.remove_all();
}

#[test]
fn each_container_has_an_address_of_its_own_and_a_way_out() {
    let rpod = Sandbox::with(&["busybox"]);
    for name in ["one", "two"] {
        rpod.start(&["--name", name, "busybox", "sleep", "1000"]);
    }
    assert_ne!(rpod.address("one"), rpod.address("two"));
    let shown = rpod.run(&["exec", "one", "ip", "addr"]).success().stdout();
    assert!(
        shown.contains(&format!("{}/16", rpod.address("one"))),
        "{shown}"
    );
    rpod.run(&["exec", "one", "ip", "route"])
        .success()
        .stdout_has("default via 172.17.0.1");
    rpod.run(&["exec", "one", "cat", "/etc/hosts"])
        .success()
        .stdout_has(&rpod.address("one"));
    rpod.remove_all();
}

#[test]
fn addresses_are_used_again() {
    let rpod = Sandbox::with(&["busybox"]);
    for _ in 0..4 {
        rpod.start(&["--name", "one", "busybox", "sleep", "1000"]);
        assert_eq!(rpod.address("one"), "172.17.0.2");
        rpod.remove_all();
    }
}

#[test]
fn network_none_has_a_loopback_and_nothing_else() {
    let rpod = Sandbox::with(&["busybox"]);
    let shown = rpod
        .run(&[
            "run",
            "--rm",
            "--network",
            "none",
            "busybox",
            "ip",
            "-o",
            "addr",
        ])
        .success()
        .stdout();
    assert!(shown.lines().all(|line| line.contains(" lo ")), "{shown}");
    assert!(shown.contains("127.0.0.1"), "{shown}");
}

#[test]
fn network_host_is_the_hosts() {
    let rpod = Sandbox::with(&["busybox"]);
    let host = std::fs::read_link("/proc/self/ns/net").unwrap();
    rpod.run(&[
        "run",
        "--rm",
        "--network",
        "host",
        "busybox",
        "readlink",
        "/proc/self/ns/net",
    ])
    .success()
    .stdout_is(&format!("{}\n", host.display()));
}

#[test]
fn network_of_a_container_can_be_shared() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.start(&[
        "--name", "owner", "busybox", "httpd", "-f", "-p", "80", "-h", "/var/www",
    ]);
    let words = [
        "run",
        "--rm",
        "--network",
        "container:owner",
        "busybox",
        "wget",
        "-qO-",
        "http://127.0.0.1/",
    ];
    eventually("the other answers on the loopback", || {
        rpod.run(&words).stdout() == "busybox of Debian\n"
    });
    rpod.remove_all();
}

#[test]
fn a_network_that_is_not_there_is_named_before_anything_is_made() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&["run", "--network", "nowhere", "busybox", "true"])
        .refuses()
        .stderr_has("nowhere");
    assert_eq!(rpod.run(&["ps", "-aq"]).success().stdout(), "");
}

#[test]
fn the_networks_own_process_goes_after_the_last_container() {
    let rpod = Sandbox::with(&["busybox"]);
    let net = || {
        let all = rpod.processes();
        all.iter().any(|process| process.name == "rpod-net")
    };
    rpod.start(&["--name", "last", "busybox", "sleep", "1000"]);
    assert!(net(), "the network has a process, and it can be seen");
    rpod.run(&["rm", "-f", "last"]).success();
    eventually("nothing is left", || rpod.processes().is_empty());
}

/// A container's address on a network of one's own.
fn address_on(rpod: &Sandbox, network: &str, container: &str) -> String {
    let format = format!("{{{{(index .NetworkSettings.Networks \"{network}\").IPAddress}}}}");
    rpod.inspect(container, &format)
}

fn create(rpod: &Sandbox, words: &[&str]) -> String {
    let words: Vec<&str> = [&["network", "create"], words].concat();
    let id = rpod.run(&words).success().line();
    assert_eq!(id.len(), 64, "{id}");
    id
}

const SERVER: [&str; 6] = ["httpd", "-f", "-p", "80", "-h", "/var/www"];

fn serve(rpod: &Sandbox, name: &str, flags: &[&str]) {
    let words: Vec<&str> = [&["--name", name], flags, &["busybox"], &SERVER].concat();
    rpod.start(&words);
}

/// Says whether a container of a name gets a page from an address.
fn gets(rpod: &Sandbox, from: &str, address: &str) -> bool {
    let url = format!("http://{address}/");
    let words = ["exec", from, "wget", "-qO-", &url];
    rpod.run(&words).stdout() == "busybox of Debian\n"
}

#[test]
fn networks_are_listed_as_docker_lists_them() {
    let rpod = Sandbox::with(&["busybox"]);
    let id = create(&rpod, &["mynet"]);
    let shown = rpod.run(&["network", "ls"]).success().stdout();
    let rows: Vec<Vec<&str>> = shown
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[0], ["NETWORK", "ID", "NAME", "DRIVER", "SCOPE"]);
    let rest: Vec<&[&str]> = rows[1..].iter().map(|row| &row[1..]).collect();
    assert_eq!(rest[0], ["bridge", "bridge", "local"]);
    assert_eq!(rest[1], ["host", "host", "local"]);
    assert_eq!(rest[2], ["none", "null", "local"]);
    assert_eq!(rows[4], [&id[..12], "mynet", "bridge", "local"]);
    rpod.run(&["network", "ls", "-q", "--no-trunc", "-f", "name=mynet"])
        .success()
        .stdout_is(&format!("{id}\n"));
    rpod.run(&["network", "exists", "mynet"]).success();
    rpod.run(&["network", "rm", "mynet"])
        .success()
        .stdout_is("mynet\n");
    rpod.run(&["network", "exists", "mynet"]).fails(1);
    rpod.run(&["network", "rm", "mynet"])
        .fails(1)
        .stderr_has("no such network: \"mynet\"");
    rpod.run(&["network", "create", "-d", "overlay", "far"])
        .fails(1)
        .stderr_has("Kubernetes");
}

#[test]
fn containers_of_one_network_reach_each_other_and_no_others() {
    let rpod = Sandbox::with(&["busybox"]);
    create(&rpod, &["blue"]);
    create(&rpod, &["red", "--subnet", "10.77.0.0/24", "--ipv6"]);
    serve(&rpod, "b1", &["--network", "blue"]);
    serve(&rpod, "b2", &["--network", "blue"]);
    serve(&rpod, "r1", &["--network", "red:ip=10.77.0.50"]);
    serve(
        &rpod,
        "both",
        &[
            "--network",
            "red",
            "--network",
            "name=blue,mac-address=02:00:00:00:00:05",
        ],
    );
    serve(&rpod, "plain", &[]);
    let on = |network: &str, name: &str| address_on(&rpod, network, name);
    assert_eq!(on("blue", "b1"), "172.18.0.2");
    assert_eq!(on("red", "r1"), "10.77.0.50");
    eventually("neighbours answer", || gets(&rpod, "b1", &on("blue", "b2")));
    for (from, to) in [
        ("both", on("blue", "b1")),
        ("both", on("red", "r1")),
        ("b1", on("blue", "both")),
        ("r1", on("red", "both")),
    ] {
        assert!(gets(&rpod, from, &to), "{from} reaches {to}");
    }
    for (from, to) in [
        ("b1", on("red", "r1")),
        ("r1", on("blue", "b1")),
        ("plain", on("blue", "b1")),
        ("b1", on("bridge", "plain")),
    ] {
        assert!(!gets(&rpod, from, &to), "{from} does not reach {to}");
    }
    let link = ["exec", "both", "ip", "-o", "link", "show", "eth1"];
    rpod.run(&link).success().stdout_has("02:00:00:00:00:05");
    let format = "{{range .Containers}}{{.Name}}={{.IPv4Address}} {{end}}";
    let shown = rpod
        .run(&["network", "inspect", "-f", format, "red"])
        .success()
        .stdout();
    let mut shown: Vec<&str> = shown.split_whitespace().collect();
    shown.sort_unstable();
    assert_eq!(shown, ["both=10.77.0.2/24", "r1=10.77.0.50/24"]);
    let six = rpod.inspect("r1", "{{.NetworkSettings.Networks.red.GlobalIPv6Address}}");
    if !six.is_empty() {
        assert!(gets(&rpod, "both", &format!("[{six}]")), "{six}");
    }
    rpod.run(&[
        "ps",
        "--format",
        "{{.Names}} {{.Networks}}",
        "-f",
        "name=both",
    ])
    .success()
    .stdout_is("both red,blue\n");
    let used = rpod.run(&["network", "rm", "red"]);
    used.fails(1).stderr_has("it is in use by containers");
    rpod.remove_all();
    rpod.run(&["network", "prune", "-f"])
        .success()
        .stdout_is("Deleted Networks:\nblue\nred\n\n");
}

/// What people's scripts and compose files ask of docker's bridges.
#[test]
fn options_of_a_network_are_kept_to() {
    let rpod = Sandbox::with(&["busybox"]);
    let option = |key: &str, value: &str| format!("com.docker.network.{key}={value}");
    let (apart, local) = (
        option("bridge.enable_icc", "false"),
        option("bridge.host_binding_ipv4", "127.0.0.1"),
    );
    let words = [
        "shy",
        "-o",
        &apart,
        "-o",
        &local,
        "--interface-name",
        "shy0",
    ];
    create(&rpod, &words);
    let port = crate::support::free_port();
    let publish = format!("{port}:80");
    serve(&rpod, "one", &["--network", "shy", "-p", &publish]);
    serve(&rpod, "two", &["--network", "shy:interface_name=lan0"]);
    rpod.run(&["port", "one"])
        .success()
        .stdout_is(&format!("80/tcp -> 127.0.0.1:{port}\n"));
    let local = format!("127.0.0.1:{port}");
    eventually("the port answers", || {
        http_get(&local, "/").contains("busybox of Debian")
    });
    assert!(!gets(&rpod, "two", &address_on(&rpod, "shy", "one")));
    let link = ["exec", "two", "ip", "-o", "link", "show", "lan0"];
    rpod.run(&link).success();
    rpod.run(&["network", "connect", "--gw-priority", "1", "bridge", "two"])
        .success();
    rpod.run(&["exec", "two", "ip", "route"])
        .success()
        .stdout_has("default via 172.17.0.1 dev eth0");
    let device = "com.docker.network.endpoint.ifname=eth0";
    let words = ["network", "connect", "--driver-opt", device];
    create(&rpod, &["blue"]);
    rpod.run(&[&words[..], &["blue", "two"]].concat())
        .fails(1)
        .stderr_has("it has a device \"eth0\" already");
    rpod.run(&["network", "create", "-o", "vlan=7", "tagged"])
        .refuses()
        .stderr_has("--opt vlan=7: networks are bridges of their own");
    let words = ["network", "create", "--interface-name", "shy0", "other"];
    rpod.run(&words)
        .fails(1)
        .stderr_has("it is that of network \"shy\"");
    rpod.remove_all();
}

#[test]
fn an_internal_network_has_no_way_out() {
    let rpod = Sandbox::with(&["busybox"]);
    create(&rpod, &["inner", "--internal", "--label", "kind=test"]);
    let route = [
        "run",
        "--rm",
        "--network",
        "inner",
        "busybox",
        "ip",
        "route",
    ];
    rpod.run(&route)
        .success()
        .stdout_has("172.18.0.0/16")
        .stdout_lacks("default");
    let shown = rpod.run(&["network", "inspect", "inner", "-f", "{{.Internal}}"]);
    shown.success().stdout_is("true\n");
    rpod.run(&["network", "ls", "-q", "-f", "label=kind=other"])
        .success()
        .stdout_is("");
}

/// What a network had is not its successor's, though all its addresses are.
#[test]
fn an_internal_network_in_a_removed_ones_place_does_not_reach_this_machine() {
    require!(probe::tun(), "no /dev/net/tun");
    let rpod = Sandbox::with(&["busybox"]);
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // Whoever comes is let go at once.
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let subnet = ["--subnet", "10.88.7.0/24", "--subnet", "fd00:88:7::/64"];
    let script = |gateway: &str| format!("nc -w 3 {gateway} {port} < /dev/null");
    let reaches = |network: &str, gateway: &str| {
        let script = script(gateway);
        let words = ["run", "--rm", "--network", network, "busybox", "sh", "-c"];
        let ran = rpod.run(&[&words[..], &[&script]].concat());
        ran.code == Some(0)
    };
    // The net process stays.
    rpod.start(&["--name", "plain", "busybox", "sleep", "1000"]);
    create(&rpod, &[&["was"], &subnet[..]].concat());
    if !reaches("was", "10.88.7.1") {
        crate::skip!("this machine has no address but loopback");
    }
    rpod.run(&["network", "rm", "was"]).success();
    create(&rpod, &[&["inner", "--internal"], &subnet[..]].concat());
    assert!(!reaches("inner", "10.88.7.1"), "the gateway leads nowhere");
    assert!(!reaches("inner", "fd00:88:7::1"), "nor by IPv6");
    // And one in its place which is not internal has its way out again.
    rpod.run(&["network", "rm", "inner"]).success();
    create(&rpod, &[&["again"], &subnet[..]].concat());
    assert!(reaches("again", "10.88.7.1"));
    rpod.remove_all();
}

#[test]
fn an_address_can_be_chosen_and_one_that_is_taken_names_its_owner() {
    let rpod = Sandbox::with(&["busybox"]);
    create(
        &rpod,
        &[
            "lan",
            "--subnet",
            "10.9.0.0/24",
            "--ip-range",
            "10.9.0.64/26",
        ],
    );
    let on = ["--network", "lan"];
    rpod.start(
        &[
            &on[..],
            &[
                "--name", "db", "--ip", "10.9.0.5", "busybox", "sleep", "1000",
            ],
        ]
        .concat(),
    );
    rpod.start(&[&on[..], &["--name", "any", "busybox", "sleep", "1000"]].concat());
    assert_eq!(address_on(&rpod, "lan", "db"), "10.9.0.5");
    assert_eq!(address_on(&rpod, "lan", "any"), "10.9.0.64");
    let run = ["run", "--rm", "--network", "lan"];
    rpod.run(&[&run[..], &["--ip", "10.9.0.5", "busybox", "true"]].concat())
        .refuses()
        .stderr_has("container \"db\" has it: 10.9.0.5 is taken")
        .stderr_has("leave out --ip to get a free address in 10.9.0.0/24");
    rpod.run(&[&run[..], &["--ip", "10.8.0.5", "busybox", "true"]].concat())
        .refuses()
        .stderr_has("10.8.0.5 is no address of network \"lan\" (10.9.0.0/24)");
    rpod.remove_all();
}

#[test]
fn a_running_container_moves_and_its_published_port_follows() {
    let rpod = Sandbox::with(&["busybox"]);
    create(&rpod, &["mynet"]);
    let port = crate::support::free_port();
    let publish = format!("{port}:80");
    serve(&rpod, "u1", &["--network", "mynet", "-p", &publish]);
    serve(&rpod, "plain", &[]);
    let page = || {
        let local = format!("127.0.0.1:{port}");
        http_get(&local, "/").contains("busybox of Debian")
    };
    eventually("the port answers", page);
    let plain = rpod.address("plain");
    assert!(!gets(&rpod, "u1", &plain));
    rpod.run(&["network", "connect", "--alias", "web", "bridge", "u1"])
        .success()
        .stdout_is("");
    assert!(gets(&rpod, "u1", &plain));
    let (first, second) = (
        address_on(&rpod, "mynet", "u1"),
        address_on(&rpod, "bridge", "u1"),
    );
    let hosts = rpod.run(&["exec", "u1", "cat", "/etc/hosts"]).stdout();
    assert!(hosts.contains(&first) && hosts.contains(&second), "{hosts}");
    rpod.run(&["network", "connect", "bridge", "u1"])
        .fails(1)
        .stderr_has("it is on that network already");
    rpod.run(&["network", "disconnect", "mynet", "u1"])
        .success();
    rpod.run(&["network", "disconnect", "mynet", "u1"])
        .fails(1)
        .stderr_has("it is not on that network");
    eventually("the port answers after the move", page);
    assert!(gets(&rpod, "plain", &second));
    let shown = rpod.run(&["exec", "u1", "ip", "-o", "-4", "addr"]).stdout();
    assert!(
        !shown.contains(&first) && shown.contains(&second),
        "{shown}"
    );
    rpod.run(&["exec", "u1", "ip", "route"])
        .success()
        .stdout_has("default via 172.17.0.1");
    let hosts = rpod.run(&["exec", "u1", "cat", "/etc/hosts"]).stdout();
    assert!(
        !hosts.contains(&first) && hosts.contains(&second),
        "{hosts}"
    );
    rpod.run(&["exec", "u1", "cat", "/etc/resolv.conf"])
        .stdout_has("nameserver 172.17.0.1");
    rpod.run(&["ps", "-f", "network=bridge", "--format", "{{.Names}}"])
        .success()
        .stdout_has("u1");
    rpod.run(&["network", "rm", "mynet"]).success();
    rpod.remove_all();
}

#[test]
fn a_stopped_container_changes_networks_on_paper() {
    let rpod = Sandbox::with(&["busybox"]);
    create(&rpod, &["blue"]);
    rpod.run(&["create", "--name", "later", "busybox", "sleep", "1000"])
        .success();
    rpod.run(&["network", "connect", "--ip", "172.18.0.77", "blue", "later"])
        .success();
    rpod.run(&["network", "disconnect", "bridge", "later"])
        .success();
    rpod.run(&["start", "later"]).success();
    assert_eq!(address_on(&rpod, "blue", "later"), "172.18.0.77");
    rpod.run(&["network", "disconnect", "blue", "later"])
        .success();
    let shown = rpod.run(&["exec", "later", "ip", "-o", "addr"]).stdout();
    assert!(shown.lines().all(|line| line.contains(" lo ")), "{shown}");
    rpod.run(&["network", "connect", "blue", "later"]).success();
    let route = ["exec", "later", "ip", "route"];
    rpod.run(&route)
        .success()
        .stdout_has("default via 172.18.0.1");
    rpod.run(&["create", "--name", "host", "--network", "host", "busybox"])
        .success();
    rpod.run(&["network", "connect", "blue", "host"])
        .fails(1)
        .stderr_has("its network mode is \"host\", in which it joins no network");
    rpod.remove_all();
}

#[test]
fn a_full_network_says_so_and_its_packets_have_the_size_asked_for() {
    let rpod = Sandbox::with(&["busybox"]);
    let words = ["small", "--subnet", "10.66.0.0/30", "--opt", "mtu=1400"];
    create(&rpod, &words);
    let run = [
        "run",
        "-d",
        "--network",
        "small",
        "busybox",
        "sleep",
        "1000",
    ];
    let first = rpod.run(&run).success().line();
    let link = ["exec", &first, "ip", "-o", "link", "show", "eth0"];
    rpod.run(&link).success().stdout_has("mtu 1400");
    rpod.run(&run)
        .refuses()
        .stderr_has("network \"small\" has no free address left in 10.66.0.0/30");
    // The address is free again with its container.
    rpod.run(&["rm", "-f", &first]).success();
    rpod.run(&run).success();
    rpod.remove_all();
    rpod.run(&["network", "rm", "small"]).success();
    rpod.run(&["network", "rm", "small"]).fails(1);
    rpod.run(&["network", "rm", "-f", "small"]).success();
}

#[test]
fn networks_that_nobody_uses_are_pruned_by_label_and_age() {
    let rpod = Sandbox::with(&["busybox"]);
    for name in ["old", "kept", "used"] {
        create(&rpod, &[name, "--label", &format!("kind={name}")]);
    }
    let words = [
        "--network",
        "used",
        "--name",
        "one",
        "busybox",
        "sleep",
        "1000",
    ];
    rpod.start(&words);
    let prune = |filter: &str| {
        let ran = rpod.run(&["network", "prune", "-f", "--filter", filter]);
        ran.success().stdout()
    };
    assert_eq!(prune("until=1h"), "");
    assert_eq!(prune("label=kind=nothing"), "");
    assert_eq!(prune("label=kind=old"), "Deleted Networks:\nold\n\n");
    assert_eq!(prune("until=0s"), "Deleted Networks:\nkept\n\n");
    rpod.remove_all();
    assert_eq!(prune("label!=kind=kept"), "Deleted Networks:\nused\n\n");
}

/// Ends the net process as no careful program ends; returns what it was.
fn kill_net(rpod: &Sandbox) -> i32 {
    let all = rpod.processes();
    let net = all.iter().find(|process| process.name == "rpod-net");
    let net = net.expect("the network has a process").pid;
    assert!(kill(net));
    net
}

#[test]
fn a_killed_net_process_is_back_at_once_and_no_address_is_given_twice() {
    let rpod = Sandbox::with(&["busybox"]);
    create(&rpod, &["blue"]);
    serve(&rpod, "one", &["--network", "blue"]);
    serve(&rpod, "two", &["--network", "blue", "--network", "bridge"]);
    let (one, two) = (
        address_on(&rpod, "blue", "one"),
        address_on(&rpod, "blue", "two"),
    );
    eventually("neighbours answer", || gets(&rpod, "one", &two));
    // A connection that stays while all of this goes on.
    let script = format!("(sleep 4; printf 'GET / HTTP/1.0\\r\\n\\r\\n') | nc {two} 80");
    let mut talk = rpod.command(&["exec", "one", "sh", "-c", &script]).spawn();
    for round in 0..3 {
        kill_net(&rpod);
        let name = format!("late{round}");
        serve(&rpod, &name, &["--network", "blue"]);
        let late = address_on(&rpod, "blue", &name);
        assert!(late != one && late != two, "{late}");
        eventually("the new one is reached", || gets(&rpod, "one", &late));
        assert!(gets(&rpod, &name, &two), "and reaches the others");
    }
    let nets = rpod
        .processes()
        .iter()
        .filter(|p| p.name == "rpod-net")
        .count();
    assert_eq!(nets, 1);
    talk.wait_for_stdout("busybox of Debian");
    talk.wait().success();
    let format = "{{range .Containers}}{{.Name}} {{end}}";
    let known = || {
        let shown = rpod
            .run(&["network", "inspect", "-f", format, "blue"])
            .stdout();
        shown.split_whitespace().count() == 5
    };
    eventually("all are known", known);
    rpod.run(&["network", "disconnect", "blue", "two"])
        .success();
    let shown = rpod.run(&["exec", "two", "ip", "-o", "addr"]).stdout();
    assert!(!shown.contains(&two), "{shown}");
    rpod.remove_all();
}

#[test]
fn who_waits_for_an_answer_by_a_killed_net_process_is_told_at_once() {
    let rpod = Sandbox::with(&["busybox"]);
    serve(&rpod, "one", &[]);
    // It takes connections and says nothing.
    let silent = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let script = format!("nc host.rpod.internal {port}; echo over");
    let mut waiting = rpod.command(&["exec", "one", "sh", "-c", &script]).spawn();
    let _connection = silent.accept().unwrap();
    kill_net(&rpod);
    waiting.wait_for_stdout("over");
    waiting.wait().success();
    // And the next one finds its way.
    let mut next = rpod.command(&["exec", "one", "sh", "-c", &script]).spawn();
    drop(silent.accept().unwrap());
    next.wait_for_stdout("over");
    next.wait().success();
    rpod.remove_all();
}

#[test]
fn a_deleted_runtime_directory_makes_no_second_network() {
    let rpod = Sandbox::with(&["busybox"]);
    serve(&rpod, "one", &[]);
    let one = rpod.address("one");
    for name in ["two", "three"] {
        std::fs::remove_dir_all(rpod.store().join("run")).unwrap();
        serve(&rpod, name, &[]);
        eventually("they reach each other", || gets(&rpod, name, &one));
        assert_ne!(rpod.address(name), one);
    }
    rpod.remove_all();
    eventually("nothing is left", || rpod.processes().is_empty());
}

#[test]
fn traffic_is_seen_by_network_and_container() {
    let rpod = Sandbox::with(&["busybox"]);
    create(&rpod, &["blue"]);
    serve(&rpod, "server", &["--network", "blue"]);
    serve(&rpod, "client", &["--network", "blue"]);
    serve(&rpod, "other", &[]);
    let address = address_on(&rpod, "blue", "server");
    eventually("neighbours answer", || gets(&rpod, "client", &address));
    let shown = rpod
        .run(&["network", "stats", "--no-stream", "blue"])
        .success()
        .stdout();
    let rows: Vec<Vec<&str>> = shown
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows.len(), 3, "{shown}");
    assert_eq!(rows[0][..2], ["NETWORK", "CONTAINER"]);
    assert_eq!(rows[2][0], "blue");
    assert_eq!(rows[2][2], "server");
    assert_eq!(rows[2][3], address);
    let format = "{{range .Containers}}{{if eq .Name \"server\"}}{{.ReceivedBytes}}{{end}}{{end}}";
    let bytes = rpod
        .run(&["network", "inspect", "-f", format, "blue"])
        .success()
        .line();
    assert!(bytes.parse::<u64>().unwrap() > 300, "{bytes}");
    let mut live = rpod
        .command(&["network", "stats", "--format", "{{.Name}} {{.SentRate}}"])
        .spawn();
    live.wait_for_stdout("server --");
    live.wait_for_stdout("server 0B");
    live.signal("INT");
    drop(live.finish(std::time::Duration::from_secs(10)));
    rpod.remove_all();
}
