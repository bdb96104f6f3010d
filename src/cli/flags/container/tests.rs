//! What the flags of `run` and `create` come to.
//! Lives here: tests only.
//! Must not: touch the user's own store.
//! Called by: the test command.
//! Always true: each test says what it holds in its name.

use clap::Parser;

use super::Flags;
use crate::spec::container::{NetworkMode, PullPolicy, Request, Restart, Ulimit};
use crate::spec::mount::Source;

#[derive(Parser)]
#[command(disable_help_flag = true)]
struct Alone {
    #[command(flatten)]
    flags: Flags,
}

fn request(words: &[&str]) -> Result<Request, String> {
    let words = std::iter::once("run").chain(words.iter().copied());
    let alone = Alone::try_parse_from(words).map_err(|e| e.to_string())?;
    alone
        .flags
        .request("busybox".to_owned(), vec!["sh".to_owned()])
        .map_err(|e| e.to_string())
}

#[test]
fn every_flag_reaches_its_field() {
    let made = request(&[
        "-it",
        "--rm",
        "--name",
        "web",
        "-e",
        "A=1",
        "-w",
        "/srv",
        "-u",
        "1000:10",
        "--group-add=audio",
        "-v",
        "mydb:/db",
        "--mount",
        "type=tmpfs,target=/t",
        "--tmpfs",
        "/run",
        "-p",
        "1234:8080",
        "-P",
        "--expose",
        "80-81/udp",
        "--entrypoint",
        "[\"a\",\"b\"]",
        "--hostname",
        "h1",
        "--net",
        "container:db",
        "--dns",
        "1.1.1.1",
        "--dns-search",
        "x.y",
        "--dns-opt",
        "ndots:2",
        "--add-host",
        "a:1.2.3.4",
        "--add-host",
        "b=[::1]",
        "-l",
        "k=v",
        "--read-only",
        "--init",
        "--cidfile",
        "id",
        "--pull=never",
        "--platform",
        "linux/arm64",
        "--stop-signal",
        "INT",
        "--stop-timeout",
        "3",
        "--cap-add",
        "net_admin,CAP_sys_time",
        "--cap-drop",
        "all",
        "--privileged",
        "--security-opt",
        "no-new-privileges:true",
        "--security-opt",
        "seccomp=unconfined",
        "--security-opt",
        "label=disable",
        "--ulimit",
        "nofile=1024:-1",
        "--sysctl",
        "net.core.somaxconn=9",
        "--shm-size",
        "1m",
        "--pid=host",
        "--ipc",
        "private",
        "--uts",
        "host",
    ])
    .expect("it is understood");
    assert!(made.tty && made.interactive && made.remove && made.publish_all);
    assert!(made.read_only && made.init && made.privileged);
    assert!(made.no_new_privileges && made.seccomp_unconfined);
    assert_eq!(made.name.map(|n| n.to_string()).as_deref(), Some("web"));
    assert_eq!(made.env, ["A=1"]);
    assert_eq!(made.workdir.as_deref(), Some("/srv"));
    assert_eq!(made.user.as_deref(), Some("1000:10"));
    assert_eq!(made.groups, ["audio"]);
    assert_eq!(made.mounts.len(), 3);
    assert_eq!(made.publish[0].host_port, Some(1234));
    let exposed: Vec<String> = made.expose.iter().map(ToString::to_string).collect();
    assert_eq!(exposed, ["80/udp", "81/udp"]);
    assert_eq!(made.entrypoint, Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(made.hostname.as_deref(), Some("h1"));
    assert_eq!(made.network, Some(NetworkMode::Container("db".to_owned())));
    assert_eq!(made.dns.len(), 1);
    assert_eq!((made.dns_search.len(), made.dns_options.len()), (1, 1));
    assert_eq!(made.hosts[1], ("b".to_owned(), "::1".to_owned()));
    assert_eq!(made.labels["k"], "v");
    assert_eq!(made.cidfile.as_deref(), Some("id"));
    assert_eq!(made.pull, PullPolicy::Never);
    assert_eq!(made.platform.as_deref(), Some("linux/arm64"));
    assert_eq!(made.stop_timeout, Some(3));
    assert_eq!(made.cap_add, ["NET_ADMIN", "SYS_TIME"]);
    assert_eq!(made.cap_drop, ["ALL"]);
    let nofile = Ulimit {
        name: "nofile".to_owned(),
        soft: 1024,
        hard: u64::MAX,
    };
    assert_eq!(made.ulimits, [nofile]);
    assert_eq!(made.sysctls["net.core.somaxconn"], "9");
    assert_eq!(made.shm_size, Some(1 << 20));
    assert!(made.namespaces.host_pid && made.namespaces.host_uts && !made.namespaces.host_ipc);
    assert_eq!(made.restart, Restart::No);
}

#[test]
fn a_directory_is_meant_from_where_the_caller_stands() {
    let made = request(&["-v", "./x:/x"]).expect("it is understood");
    let here = std::env::current_dir().expect("there is one");
    let path = here.join("x").to_string_lossy().into_owned();
    assert_eq!(made.mounts[0].source, Source::Bind(path));
}

#[test]
fn what_is_wrong_is_said_with_its_flag() {
    for (words, why) in [
        (
            &["--network", "mynet:colour=red"][..],
            "there is no option \"colour\"",
        ),
        (
            &["--rm", "--restart", "always"],
            "--rm and --restart exclude each other",
        ),
        (&["--dns", "x"], "--dns \"x\" is no IP address"),
        (&["--add-host", "x"], "write NAME:ADDRESS"),
        (&["--add-host", "x:y"], "\"y\" is no IP address"),
        (&["--ulimit", "nofile=2:1"], "above the hard limit"),
        (&["--ulimit", "nofiles=2"], "there is no limit \"nofiles\""),
        (
            &["--pid", "container:x"],
            "rpod has no --pid container:x yet",
        ),
        (&["--pull", "maybe"], "always, missing, never or newer"),
        (&["--security-opt", "seccomp=x.json"], "seccomp=x.json yet"),
        (&["--security-opt", "foo"], "rpod has no --security-opt foo"),
        (&["--workdir", "x"], "--workdir \"x\" does not begin"),
        (&["--hostname", "a b"], "is no host name"),
        (&["--name", "a/b"], "cannot name a container"),
        (
            &["-v", "ab:/x", "--tmpfs", "/x"],
            "two mounts have the same place",
        ),
        (&["--expose", "9-1"], "is no range of ports"),
        (&["--entrypoint", "[x"], "no list of words"),
        (&["--stop-timeout", "x"], "no number of seconds"),
        (&["--restart", "never"], "is no restart policy"),
        (&["-p", "x:80"], "no port to publish"),
    ] {
        let error = request(words).expect_err(why);
        assert!(error.contains(why), "{words:?}: {error}");
    }
}
