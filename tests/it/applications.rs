//! Programs which people run for real, from Debian's packages: node, redis, nginx,
//! apt. Their images are large; each test loads one.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::require;
use crate::support::{Sandbox, eventually, free_port, http_get, probe};

#[test]
fn node_answers_on_its_port_with_its_id_and_the_clients_address() {
    let rpod = Sandbox::with(&["node"]);
    let port = free_port();
    let publish = format!("{port}:8080");
    let id = rpod.start(&["--name", "kubia-container", "-p", &publish, "node"]);
    let body = http_get(format!("127.0.0.1:{port}"), "/");
    let start = format!("Hey there, this is {}. Your IP is ", &id[..12]);
    assert!(
        body.starts_with(&start) && body.contains("172.17.0.1"),
        "{body}"
    );
    let logs = rpod.run(&["logs", "kubia-container"]);
    logs.success()
        .stdout_has("Kubia server starting...")
        .stdout_has(&format!("Local hostname is {}", &id[..12]))
        .stdout_has("Listening on port 8080")
        .stdout_has("Received request for / from ");
    rpod.run(&["rm", "-f", "kubia-container"]).success();
}

fn redis(port: u16, command: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    let mut answer = [0; 256];
    let count = stream.read(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..count]).into_owned())
}

#[test]
fn redis_becomes_another_user_and_keeps_its_data_in_a_volume() {
    require!(probe::subordinate_ids(), "this user has no subordinate ids");
    let rpod = Sandbox::with(&["redis"]);
    let port = free_port();
    let publish = format!("{port}:6379");
    let start = || {
        rpod.start(&["--name", "db", "-p", &publish, "-v", "data:/data", "redis"]);
        eventually("redis answers", || {
            redis(port, "PING").is_ok_and(|pong| pong == "+PONG\r\n")
        });
    };
    start();
    assert_eq!(redis(port, "SET word kept").unwrap(), "+OK\r\n");
    rpod.run(&["exec", "db", "stat", "-c", "%U", "/proc/1", "/data"])
        .success()
        .stdout_is("redis\nredis\n");
    rpod.run(&["exec", "db", "redis-cli", "GET", "word"])
        .success()
        .stdout_is("kept\n");
    assert_eq!(redis(port, "SAVE").unwrap(), "+OK\r\n");
    rpod.run(&["stop", "db"]).success();
    assert_eq!(rpod.inspect("db", "{{.State.ExitCode}}"), "0");
    rpod.run(&["rm", "db"]).success();
    start();
    assert_eq!(redis(port, "GET word").unwrap(), "$4\r\nkept\r\n");
    rpod.remove_all();
    rpod.run(&["volume", "rm", "data"]).success();
}

#[test]
fn nginx_serves_and_stops_by_its_own_signal() {
    require!(probe::subordinate_ids(), "this user has no subordinate ids");
    let rpod = Sandbox::with(&["nginx"]);
    let port = free_port();
    let site = rpod.write("site/index.html", "a page of the host\n");
    let volume = format!("{}:/var/www/html:ro", site.parent().unwrap().display());
    let publish = format!("{port}:80");
    rpod.start(&["--name", "web", "-p", &publish, "-v", &volume, "nginx"]);
    assert_eq!(
        http_get(format!("127.0.0.1:{port}"), "/"),
        "a page of the host\n"
    );
    eventually("the log is on stdout", || {
        rpod.run(&["logs", "web"])
            .stdout()
            .contains("GET / HTTP/1.1")
    });
    rpod.run(&["stop", "web"]).success();
    assert_eq!(rpod.inspect("web", "{{.State.ExitCode}}"), "0");
    rpod.remove_all();
}

#[test]
fn debian_programs_run_and_dpkg_removes_a_package() {
    let rpod = Sandbox::with(&["debian"]);
    rpod.run(&[
        "run",
        "--rm",
        "debian",
        "bash",
        "-c",
        "echo $BASH_VERSION; ls / | wc -l",
    ])
    .success();
    // Needs chown, setgroups and links: what a package manager does.
    let script = "dpkg --remove --force-depends mawk 2>&1 && ! command -v mawk";
    rpod.run(&["run", "--rm", "debian", "sh", "-c", script])
        .success();
}
