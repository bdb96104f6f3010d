//! Which network a container is on and whom it reaches. Published ports have a
//! file of their own.

use crate::support::{Sandbox, eventually};

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
