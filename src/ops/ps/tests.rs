//! Lists of containers, and the store that other tests of verbs use.
//! Lives here: tests only.
//! Must not: touch the user's own store.
//! Called by: the test command.
//! Always true: each test says what it holds in its name.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Options, list, size};
use crate::host::Host;
use crate::ops::Session;
use crate::ops::launch::Roles;
use crate::progress::Silent;
use crate::spec::container::{Record, State, Status};
use crate::spec::digest::Digest;
use crate::store::Store;

/// A store in a directory of its own.
pub fn session() -> (tempfile::TempDir, Session) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let host = Host {
        uid: 1000,
        gid: 1000,
        user: Some("alice".to_owned()),
        home: path("home"),
        data: path("data"),
        runtime: path("run"),
        config: path("config"),
        boot: "this".to_owned(),
    };
    let store = Store::open(&host.data).expect("a store");
    let session = Session {
        host,
        store,
        progress: Arc::new(Silent),
        roles: Roles {
            monitor: |_| 0,
            net: |_| 0,
            step: |_| Ok(0),
            agent: |_| 0,
        },
    };
    (dir, session)
}

/// A record as `create` makes it, with what a test changes of it.
pub fn record(session: &Session, name: &str, change: serde_json::Value) -> Record {
    let mut value = json!({
        "version": 1, "id": session.store.new_container_id().as_str(), "name": name,
        "created": "2024-08-04T18:51:00Z", "image": "kubia", "image_id": Digest::of(b"").as_str(),
        "layers": [Digest::of(b"layer").as_str()], "id_map": "single", "entrypoint": ["node"],
        "command": ["app.js"], "env": ["A=1"], "workdir": "/", "user": "", "hostname": "h",
        "tty": false, "interactive": false, "remove": true, "init": false, "read_only": false,
        "mounts": [], "publish": [], "expose": [], "network": "bridge", "labels": {},
        "restart": "no", "stop_signal": "SIGTERM", "stop_timeout": 10, "capabilities": [],
        "privileged": false, "no_new_privileges": false, "seccomp_unconfined": false,
        "ulimits": [], "sysctls": {}, "shm_size": 67_108_864,
    });
    if let (Some(value), Some(change)) = (value.as_object_mut(), change.as_object()) {
        value.extend(change.clone());
    }
    serde_json::from_value(value).expect("a record")
}

/// Puts a container into the store.
pub fn put(session: &Session, record: &Record, status: Status) {
    let mut state = State::created("this");
    state.status = status;
    if status == Status::Running {
        let pid = i32::try_from(std::process::id()).expect("a pid");
        let started = crate::sys::process::start_time(pid).expect("we live");
        state.init = Some(crate::spec::container::ProcessId { pid, started });
        state.ports = record.publish.clone();
    }
    if status == Status::Exited {
        state.exit_code = Some(3);
    }
    session
        .store
        .create_container(record, &state, |_| Ok(()))
        .expect("stored");
}

fn names(session: &Session, all: bool, filters: &[&str]) -> Vec<String> {
    let filters = filters
        .iter()
        .filter_map(|text| text.split_once('='))
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    let options = Options {
        all,
        last: None,
        filters,
    };
    match list(session, &options) {
        Ok(found) => found
            .iter()
            .map(|one| one.record.name.to_string())
            .collect(),
        Err(error) => vec![error.to_string()],
    }
}

#[test]
fn filters_choose_as_docker_has_it() {
    let (_dir, session) = session();
    let web = record(
        &session,
        "web",
        json!({ "created": "2024-08-04T18:53:00Z", "labels": { "app": "shop" },
            "publish": [{ "host_ip": null, "host_port": 1234, "container": "8080/tcp" }],
            "mounts": [{ "source": { "volume": "mydb" }, "target": "/db", "read_only": false }] }),
    );
    let db = record(
        &session,
        "db",
        json!({ "created": "2024-08-04T18:52:00Z", "image": "mysql:5.7",
            "image_id": Digest::of(b"mysql").as_str(), "expose": ["3306/tcp"], "network": "none" }),
    );
    let old = record(&session, "old", json!({}));
    put(&session, &web, Status::Running);
    put(&session, &db, Status::Exited);
    put(&session, &old, Status::Created);
    let id = format!("id={}", &db.id.as_str()[..12]);
    for (all, filters, expected) in [
        (false, &[][..], &["web"][..]),
        (true, &[], &["web", "db", "old"]),
        (true, &["name=d"], &["db", "old"]),
        (true, &["name=^db$", "name=web"], &["web", "db"]),
        (true, &[id.as_str()], &["db"]),
        (false, &["status=exited", "status=created"], &["db", "old"]),
        (false, &["exited=3"], &["db"]),
        (true, &["exited=4"], &[]),
        (true, &["label=app=shop"], &["web"]),
        (true, &["label=app", "name=db"], &[]),
        (true, &["publish=1234"], &["web"]),
        (true, &["publish=1000-2000/udp"], &[]),
        (true, &["expose=3306"], &["db"]),
        (true, &["network=none"], &["db"]),
        (true, &["volume=mydb"], &["web"]),
        (true, &["volume=/db"], &["web"]),
        (true, &["ancestor=kubia:latest"], &["web", "old"]),
        (true, &["before=web"], &["db", "old"]),
        (true, &["since=old", "before=web"], &["db"]),
        (true, &["since=web"], &[]),
        (
            true,
            &["nmae=x"],
            &[
                "there is no filter \"nmae\": there are ancestor, before, exited, expose, id, label, name, network, publish, since, status, volume",
            ],
        ),
        (
            true,
            &["status=up"],
            &[
                "filter status=up makes no sense: its value is one of created, running, paused, restarting, exited, removing, dead",
            ],
        ),
        (
            true,
            &["exited=x"],
            &["filter exited=x makes no sense: its value is a number"],
        ),
        (true, &["before=nobody"], &["no such container: \"nobody\""]),
    ] {
        assert_eq!(names(&session, all, filters), expected, "{filters:?}");
    }
    let last = Options {
        last: Some(2),
        ..Options::default()
    };
    assert_eq!(list(&session, &last).expect("listed").len(), 2);
}

#[test]
fn a_broken_container_keeps_no_other_from_being_listed() {
    let (_dir, session) = session();
    let web = record(&session, "web", json!({}));
    let bad = record(&session, "bad", json!({}));
    put(&session, &web, Status::Created);
    put(&session, &bad, Status::Created);
    let path = session.store.container_path(&bad.id).join("state.json");
    std::fs::write(path, "{").expect("written");
    assert_eq!(names(&session, true, &[]), ["web"]);
}

#[test]
fn what_was_written_is_measured() {
    let (_dir, session) = session();
    let web = record(&session, "web", json!({}));
    put(&session, &web, Status::Created);
    let upper = session.store.container_path(&web.id).join("upper/a");
    std::fs::create_dir(&upper).expect("made");
    std::fs::write(upper.join("b"), [0; 1000]).expect("written");
    assert_eq!(size(&session, &web).written, 1000);
}

/// Not a timed test: it fails only where listing grew out of all proportion.
#[test]
fn a_thousand_containers_are_listed() {
    let (_dir, session) = session();
    for n in 0..1000 {
        put(
            &session,
            &record(&session, &format!("c{n}"), json!({})),
            Status::Running,
        );
    }
    let before = Instant::now();
    assert_eq!(names(&session, false, &[]).len(), 1000);
    assert!(before.elapsed() < Duration::from_secs(20));
}
