//! Copies in and out of containers that stand and containers that run.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::{Destination, End, Options, copy, found};
use crate::error::Result;
use crate::host::Host;
use crate::ops::Session;
use crate::ops::launch::Roles;
use crate::process::identity::Identity;
use crate::process::userns::{self, Entry};
use crate::progress::Silent;
use crate::spec::container::{ProcessId, Record, State, Status};
use crate::store::Store;
use crate::sys::{namespace, process};

struct House {
    dir: tempfile::TempDir,
    session: Session,
}

const ID: &str = "abababababababababababababababababababababababababababababababab";

impl House {
    /// A container `web` of one layer, which has `/etc/hostname`, a link that
    /// tries to get out, and `/data`, on which a directory of the machine is mounted.
    fn new(read_only: bool) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("set");
        let mut host = Host::read().expect("facts");
        host.data = dir.path().join("rpod");
        let store = Store::open(&host.data).expect("a store");
        let map = Identity::of(&host).expect("an identity").map.name();
        let layer = format!("sha256:{}", "1".repeat(64))
            .parse()
            .expect("a digest");
        let tree = store.layer_tree(&map, &layer);
        fs::create_dir_all(tree.join("etc")).expect("made");
        fs::create_dir_all(tree.join("data")).expect("made");
        fs::write(tree.join("etc/hostname"), "inside\n").expect("written");
        let note = store.layer_path(&map, &layer).join("layer.json");
        fs::write(note, r#"{"size":7,"files":4}"#).expect("written");
        symlink("/../../../../../../../etc", tree.join("out")).expect("linked");
        fs::create_dir(dir.path().join("bound")).expect("made");
        let record: Record = serde_json::from_value(json!({
            "version": 1, "id": ID, "name": "web", "created": "2026-01-02T03:04:05Z",
            "image": "busybox", "image_id": layer, "layers": [layer], "id_map": map,
            "entrypoint": [], "command": ["true"], "env": [], "workdir": "", "user": "",
            "hostname": "h", "tty": false, "interactive": false, "remove": false, "init": false,
            "read_only": read_only, "publish": [], "expose": [], "network": "none", "labels": {},
            "mounts": [{
                "source": {"bind": dir.path().join("bound")}, "target": "/data", "read_only": false,
            }],
            "restart": "no", "stop_signal": "SIGTERM", "stop_timeout": 10, "capabilities": [],
            "privileged": false, "no_new_privileges": false, "seccomp_unconfined": false,
            "ulimits": [], "sysctls": {}, "shm_size": 0
        }))
        .expect("a record");
        let state = State::created(&host.boot);
        store
            .create_container(&record, &state, |_| Ok(()))
            .expect("a container");
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
        Self { dir, session }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn path(&self, path: &str) -> End {
        End::Host(self.at(path).display().to_string())
    }

    fn copy(&self, from: &End, to: &End, options: Options) -> Result<u64> {
        copy(
            &self.session,
            from,
            to,
            options,
            &mut std::io::empty(),
            &mut std::io::sink(),
        )
    }

    /// Copies something into the container and out again, and looks at what came out.
    fn there_and_back(&self) {
        fs::create_dir_all(self.at("tree/sub")).expect("made");
        fs::write(self.at("tree/sub/file"), "content").expect("written");
        let plain = Options::default();
        let bytes = self
            .copy(&self.path("tree"), &inside("/etc"), plain)
            .expect("in");
        assert_eq!(bytes, 7);
        self.copy(&inside("/out/tree/."), &self.path("back"), plain)
            .expect("out");
        assert_eq!(
            fs::read(self.at("back/sub/file")).expect("read"),
            b"content"
        );
        let meta = fs::metadata(self.at("back/sub/file")).expect("there");
        assert_eq!(meta.uid(), self.session.host.uid);
        let error = self.copy(&inside("/no/such"), &self.path("x"), plain);
        let error = error.expect_err("it is not there").to_string();
        assert!(error.contains("cannot copy \"web:/no/such\" to"), "{error}");
    }
}

fn inside(path: &str) -> End {
    End::Container("web".to_owned(), path.to_owned())
}

#[test]
fn a_container_that_stands_is_copied_into_and_out_of() {
    let house = House::new(false);
    house.there_and_back();
    let container = house
        .session
        .store
        .container_path(&ID.parse().expect("an id"));
    let file = container.join("upper/etc/tree/sub/file");
    assert_eq!(
        fs::read(file).expect("it is in the upper directory"),
        b"content"
    );
    // A mount of the container's is where its files go.
    fs::write(house.at("note"), "n").expect("written");
    house
        .copy(&house.path("note"), &inside("data/"), Options::default())
        .expect("in");
    assert_eq!(fs::read(house.at("bound/note")).expect("read"), b"n");
    // Nothing stays mounted on the machine.
    assert_eq!(
        fs::read_dir(container.join("root"))
            .expect("listed")
            .count(),
        0
    );
}

#[test]
fn a_root_that_is_read_only_stays_so_and_its_mounts_do_not() {
    let house = House::new(true);
    fs::write(house.at("note"), "n").expect("written");
    let plain = Options::default();
    let error = house
        .copy(&house.path("note"), &inside("/etc"), plain)
        .expect_err("read-only");
    assert!(error.to_string().contains("read-only"), "{error}");
    house
        .copy(&house.path("note"), &inside("/data"), plain)
        .expect("in");
}

#[test]
fn a_container_that_runs_is_copied_into_and_out_of() {
    let house = House::new(false);
    let id = ID.parse().expect("an id");
    let tree = house.session.store.container_path(&id).join("upper");
    fs::create_dir(tree.join("etc")).expect("made");
    symlink("../../../etc", tree.join("out")).expect("linked");
    let identity = Identity::of(&house.session.host).expect("an identity");
    // A process that has the directory as its root, as a container's has.
    let child = userns::launch(&identity, |channel| {
        let live = || -> Result<()> {
            let channel = Entry::unshare(channel)?.mapped()?;
            process::die_with_parent(9)?;
            namespace::unshare(namespace::MOUNT)?;
            rustix::mount::mount_bind(&tree, &tree)?;
            std::env::set_current_dir(&tree)?;
            rustix::process::pivot_root(".", ".")?;
            rustix::mount::unmount(".", rustix::mount::UnmountFlags::DETACH)?;
            channel.send(&1u8)?;
            std::thread::sleep(std::time::Duration::from_secs(60));
            Ok(())
        };
        u8::from(live().is_err())
    })
    .expect("a child");
    assert_eq!(child.channel.receive::<u8>().expect("a word"), Some(1));
    let mut state = State::created(&house.session.host.boot);
    state.status = Status::Running;
    state.init = Some(ProcessId {
        pid: child.pid,
        started: process::start_time(child.pid).expect("it lives"),
    });
    house
        .session
        .store
        .save_state(&id, &state, false)
        .expect("saved");
    house.there_and_back();
    assert_eq!(
        fs::read(tree.join("etc/tree/sub/file")).expect("read"),
        b"content"
    );
    process::kill(child.pid, 9).expect("killed");
    drop(process::wait(child.pid, true));
}

#[test]
fn a_tar_goes_in_and_comes_out() {
    let house = House::new(false);
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    header.set_mode(0o640);
    let mut builder = tar::Builder::new(Vec::new());
    builder
        .append_data(&mut header, "a/file", &b"abc"[..])
        .expect("added");
    let bytes = builder.into_inner().expect("written");
    let plain = Options::default();
    let mut out = std::io::sink();
    copy(
        &house.session,
        &End::Stream,
        &inside("/etc"),
        plain,
        &mut &bytes[..],
        &mut out,
    )
    .expect("in");
    // The child has a copy of our memory: only what it writes to a descriptor is seen here.
    let mut file = tempfile::tempfile().expect("a file");
    let mut empty = std::io::empty();
    copy(
        &house.session,
        &inside("/etc/a"),
        &End::Stream,
        plain,
        &mut empty,
        &mut file,
    )
    .expect("out");
    std::io::Seek::rewind(&mut file).expect("rewound");
    let mut archive = tar::Archive::new(file);
    let mut names = Vec::new();
    for entry in archive.entries().expect("a tar") {
        let mut entry = entry.expect("an entry");
        names.push(entry.path().expect("a path").display().to_string());
        let mut content = String::new();
        entry.read_to_string(&mut content).expect("read");
        assert!(content.is_empty() || content == "abc");
    }
    assert_eq!(names, ["a/", "a/file"]);
    let nowhere = inside("/etc/hostname");
    let error = copy(
        &house.session,
        &End::Stream,
        &nowhere,
        plain,
        &mut &bytes[..],
        &mut out,
    );
    assert!(error.is_err());
}

#[test]
fn exactly_one_end_is_in_a_container() {
    let house = House::new(false);
    for (from, to) in [
        (inside("/a"), inside("/b")),
        (house.path("a"), house.path("b")),
        (End::Stream, house.path("b")),
    ] {
        assert!(house.copy(&from, &to, Options::default()).is_err());
    }
}

#[test]
fn what_is_there_decides_where_a_copy_goes() {
    let dir = tempfile::tempdir().expect("a directory");
    for path in ["src/in", "dir"] {
        fs::create_dir_all(dir.path().join(path)).expect("made");
    }
    fs::write(dir.path().join("file"), "").expect("written");
    symlink("dir", dir.path().join("link")).expect("linked");
    symlink("new", dir.path().join("dangling")).expect("linked");
    let root = super::directory(dir.path()).expect("opened");
    for (from, to, expected) in [
        ("src", "dir", Some(("/dir", "src"))),
        ("src/", "dir", Some(("/dir", "src"))),
        ("src/.", "dir", Some(("/dir", ""))),
        ("src", "new", Some(("/", "new"))),
        ("src/.", "new/", Some(("/", "new"))),
        ("src", "file", None),
        ("src", "no/new", None),
        ("file", "dir", Some(("/dir", "file"))),
        ("file", "dir/.", Some(("/dir/.", "file"))),
        ("file", "new", Some(("/", "new"))),
        ("file", "new/", None),
        ("file", "file", Some(("/", "file"))),
        ("file", "file/", None),
        ("file/", "dir", None),
        ("link", "dir", Some(("/dir", "link"))),
        ("link/", "dir", Some(("/dir", "link"))),
        ("file", "link", Some(("/dir", "file"))),
        ("file", "dangling", Some(("/", "new"))),
        ("none", "dir", None),
        ("/", "dir", Some(("/dir", ""))),
        ("src/..", "dir", Some(("/dir", ""))),
    ] {
        let goes = found(&root, from, false).and_then(|f| f.destination(&root, to));
        let expected = expected.map(|(directory, name)| Destination {
            directory: PathBuf::from(directory),
            name: PathBuf::from(name),
        });
        assert_eq!(goes.ok(), expected, "{from} → {to}");
    }
}
