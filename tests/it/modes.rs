//! Networks that are not the user's bridges: a stack of one's own, another
//! container's, a namespace that somebody else made; and what a container is called.

use crate::require;
use crate::support::{Sandbox, eventually, free_port, http_get, kill, probe};

const SERVER: [&str; 6] = ["httpd", "-f", "-p", "80", "-h", "/var/www"];

fn serve(rpod: &Sandbox, name: &str, flags: &[&str]) {
    let words: Vec<&str> = [&["--name", name], flags, &["busybox"], &SERVER].concat();
    rpod.start(&words);
}

/// Says whether a container gets the page from an address.
fn gets(rpod: &Sandbox, from: &str, address: &str) -> bool {
    let url = format!("http://{address}/");
    rpod.run(&["exec", from, "wget", "-qO-", &url]).stdout() == "busybox of Debian\n"
}

#[test]
fn a_private_container_has_a_stack_of_its_own() {
    let rpod = Sandbox::with(&["busybox"]);
    let port = free_port();
    let publish = format!("{port}:80");
    serve(&rpod, "plain", &[]);
    serve(&rpod, "one", &["--network", "private", "-p", &publish]);
    serve(&rpod, "two", &["--network", "pasta"]);
    let format = "{{.HostConfig.NetworkMode}} {{.NetworkSettings.Networks.private.IPAddress}}";
    for name in ["one", "two"] {
        assert_eq!(rpod.inspect(name, format), "private 172.17.0.2", "{name}");
    }
    let nets = || {
        let all = rpod.processes();
        let nets = all.iter().filter(|process| process.name == "rpod-net");
        nets.map(|process| process.pid).collect::<Vec<i32>>()
    };
    assert_eq!(nets().len(), 3);
    // Nobody is there but itself, though "plain" has the same address elsewhere.
    assert_eq!(rpod.address("plain"), "172.17.0.2");
    serve(&rpod, "late", &[]);
    assert!(
        gets(&rpod, "plain", "172.17.0.3"),
        "on the bridge there is a second"
    );
    for name in ["one", "two"] {
        assert!(gets(&rpod, name, "172.17.0.2"), "{name} is itself");
        assert!(!gets(&rpod, name, "172.17.0.3"), "{name} is alone");
        rpod.run(&["exec", name, "cat", "/etc/resolv.conf", "/etc/hosts"])
            .success()
            .stdout_has("nameserver 172.17.0.1\n")
            .stdout_lacks("ndots")
            .stdout_has("172.17.0.1\thost.rpod.internal");
    }
    let page = || http_get(format!("127.0.0.1:{port}"), "/");
    assert_eq!(page(), "busybox of Debian\n");
    // Whatever is killed of it, its monitor brings it back.
    let before = nets();
    assert!(before.iter().all(|pid| kill(*pid)));
    eventually("each has a net process again", || {
        let now = nets();
        now.len() == 3 && now.iter().all(|pid| !before.contains(pid))
    });
    assert_eq!(page(), "busybox of Debian\n");
    rpod.run(&["network", "create", "blue"]).success();
    rpod.run(&["network", "connect", "blue", "one"])
        .fails(1)
        .stderr_has("its network mode is \"private\"");
    rpod.run(&["network", "ls"])
        .success()
        .stdout_lacks("private");
    rpod.run(&["restart", "-t", "0", "one"]).success();
    assert_eq!(page(), "busybox of Debian\n");
    rpod.remove_all();
    rpod.run(&["network", "rm", "blue"]).success();
    eventually("nothing is left", || rpod.processes().is_empty());
}

#[test]
fn a_private_container_reaches_this_machine() {
    require!(probe::tun(), "no /dev/net/tun");
    let rpod = Sandbox::with(&["busybox"]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // Whoever comes is let go at once.
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let words = ["run", "--rm", "--network"];
    let script = format!("nc 172.17.0.1 {port} < /dev/null");
    let end = ["busybox", "sh", "-c", &script];
    rpod.run(&[&words[..], &["private"], &end].concat())
        .fails(1);
    rpod.run(&[&words[..], &["private:host-loopback"], &end].concat())
        .success();
}

#[test]
fn who_shares_a_containers_network_has_its_names_and_files() {
    let rpod = Sandbox::with(&["busybox"]);
    let flags = [
        "--hostname",
        "shop",
        "--domainname",
        "example.org",
        "--dns",
        "192.0.2.53",
        "--add-host",
        "printer:192.0.2.9",
    ];
    serve(&rpod, "owner", &flags);
    let shows = "cat /etc/hosts /etc/resolv.conf /etc/hostname; hostname; dnsdomainname; \
        cat /proc/sys/kernel/domainname; echo $HOSTNAME";
    let own = rpod.run(&["exec", "owner", "sh", "-c", shows]);
    own.success()
        .stdout_has("\tshop.example.org shop\n")
        .stdout_has("192.0.2.9\tprinter\n")
        .stdout_has("nameserver 192.0.2.53\n")
        .stdout_has("\nexample.org\n");
    assert_eq!(
        rpod.inspect("owner", "{{.Config.Hostname}}.{{.Config.Domainname}}"),
        "shop.example.org"
    );
    rpod.start(&[
        "--name",
        "guest",
        "--network",
        "container:owner",
        "busybox",
        "sleep",
        "1000",
    ]);
    let theirs = rpod.run(&["exec", "guest", "sh", "-c", shows]);
    assert_eq!(own.stdout(), theirs.stdout());
    for field in ["HostsPath", "ResolvConfPath", "HostnamePath"] {
        let path = format!("{{{{.{field}}}}}");
        assert_eq!(rpod.inspect("guest", &path), rpod.inspect("owner", &path));
    }
    // By its id: another name changes nothing.
    rpod.run(&["rename", "owner", "landlord"]).success();
    rpod.run(&["restart", "-t", "0", "guest"]).success();
    assert!(gets(&rpod, "guest", "127.0.0.1"));
    // What one of them moves to, the other reads.
    rpod.run(&["network", "create", "blue"]).success();
    rpod.run(&["network", "connect", "blue", "landlord"])
        .success();
    let hosts = rpod.run(&["exec", "guest", "cat", "/etc/hosts"]).stdout();
    assert!(
        hosts.contains("172.18.0.2\tshop.example.org shop\n"),
        "{hosts}"
    );
    for flag in [
        "--hostname=x",
        "--dns=192.0.2.1",
        "--add-host=a:192.0.2.1",
        "--expose=80",
    ] {
        rpod.run(&[
            "run",
            flag,
            "--network=container:landlord",
            "busybox",
            "true",
        ])
        .refuses()
        .stderr_has("means nothing with --network container:landlord");
    }
    rpod.run(&["create", "--network=container:nobody", "busybox", "true"])
        .refuses()
        .stderr_has("no such container: \"nobody\"");
    rpod.remove_all();
}

#[test]
fn a_namespace_by_its_path_is_joined() {
    let rpod = Sandbox::with(&["busybox"]);
    serve(&rpod, "owner", &["--network", "none"]);
    let place = rpod.inspect("owner", "ns:{{.NetworkSettings.SandboxKey}}");
    rpod.start(&[
        "--name",
        "guest",
        "--network",
        &place,
        "busybox",
        "sleep",
        "1000",
    ]);
    eventually("the server of the other answers", || {
        gets(&rpod, "guest", "127.0.0.1")
    });
    assert_eq!(rpod.inspect("guest", "{{.HostConfig.NetworkMode}}"), place);
    let pipe = rpod.work().join("pipe");
    rpod.other("mkfifo", &[pipe.to_str().unwrap()])
        .run()
        .success();
    for (path, why) in [
        ("/nowhere", "\"/nowhere\": no such file"),
        ("/nowhere", "hint: a network namespace is a file"),
        ("/etc/passwd", "that is no network namespace"),
        (pipe.to_str().unwrap(), "that is no network namespace"),
        ("/proc/self/ns/user", "that is no network namespace"),
    ] {
        let mode = format!("ns:{path}");
        rpod.run(&["run", "--rm", "--network", &mode, "busybox", "true"])
            .refuses()
            .stderr_has(why);
    }
    rpod.remove_all();
}

#[test]
fn a_namespace_made_by_another_program_is_joined_or_its_ids_are_named() {
    require!(probe::user_namespaces(), "no user namespaces");
    let rpod = Sandbox::with(&["busybox"]);
    let (flags, joins) = match (probe::is_root(), probe::subordinate_ids()) {
        // Root's own namespaces are owned by the machine's user namespace.
        (true, _) => ("-nm", true),
        (false, true) => ("-Urnm", false),
        (false, false) => ("-Urnm", true),
    };
    let script = "ip link set lo up && ip addr add 192.0.2.77 dev lo && echo made && read end";
    let mut holder = rpod.other("unshare", &[flags, "sh", "-c", script]).spawn();
    holder.wait_for_stdout("made");
    let place = format!("ns:/proc/{}/ns/net", holder.pid());
    let words = [
        "run",
        "--rm",
        "--network",
        &place,
        "busybox",
        "ip",
        "-o",
        "addr",
    ];
    let ran = rpod.run(&words);
    if joins {
        ran.success().stdout_has("192.0.2.77");
    } else {
        ran.refuses()
            .stderr_has("has other ids than your containers");
    }
    holder.write("\n");
    holder.wait().success();
}
