//! Trees written as tars, and what comes back out of those.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, XattrFlags, mknodat};

use super::{Options, write};
use crate::error::Result;
use crate::image::layer::changes::Scope;
use crate::image::layer::entries::Entries;
use crate::image::layer::entries::tests::{entry, pax, tar};
use crate::image::layer::unpack_plain;
use crate::process::identity::{Identity, Writer};
use crate::process::userns::run_inside;
use crate::spec::idmap::IdMap;

fn own_ids() -> IdMap {
    IdMap::single(
        rustix::process::getuid().as_raw(),
        rustix::process::getgid().as_raw(),
    )
}

/// Does it as root of a user namespace with one id, as a user without others would.
fn inside<T: serde::Serialize + serde::de::DeserializeOwned>(
    work: impl FnOnce() -> Result<T>,
) -> T {
    let identity = Identity {
        map: own_ids(),
        writer: Writer::Own,
        lacks: None,
    };
    run_inside(&identity, work).expect("done inside")
}

struct Trees(tempfile::TempDir);

impl Trees {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn make(&self, name: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir(&path).expect("made");
        path
    }

    fn unpacked(&self, name: &str, parts: &[Vec<u8>]) -> PathBuf {
        let path = self.make(name);
        unpack_into(&path, &tar(parts));
        path
    }
}

fn unpack_into(tree: &Path, bytes: &[u8]) {
    let ids = own_ids();
    inside(|| unpack_plain(bytes, tree, &ids).map(|info| info.files));
}

fn written(tree: &Path, options: Options<'_>) -> Vec<u8> {
    inside(|| {
        let mut bytes = Vec::new();
        write(tree, options, &mut bytes)?;
        Ok(bytes)
    })
}

/// What a tar lists: names, kinds, owners and the rest, in order.
fn listed(bytes: &[u8]) -> Vec<String> {
    let mut entries = Entries::new(bytes);
    let mut all = Vec::new();
    while let Some(entry) = entries.next_entry().expect("a tar") {
        all.push(entry.name.escape_ascii().to_string());
    }
    all
}

fn parts() -> Vec<Vec<u8>> {
    let long = format!("d/{}", "n".repeat(200));
    let deep = format!("{}/{}", "p".repeat(120), "q".repeat(90));
    let endless = format!("{}/{}", "r".repeat(150), "s".repeat(150));
    let far = format!("../{}", "t".repeat(200));
    vec![
        entry(b'5', "d", "", b""),
        entry(b'0', "d/f", "", b"hello"),
        entry(b'1', "d/h", "d/f", b""),
        entry(b'1', "a-link", "d/f", b""),
        pax(&[("path", long.as_bytes())]),
        entry(b'0', "x", "", b"1"),
        pax(&[("path", deep.as_bytes())]),
        entry(b'0', "x", "", b"22"),
        pax(&[("path", endless.as_bytes())]),
        entry(b'0', "x", "", b"333"),
        pax(&[("linkpath", far.as_bytes())]),
        entry(b'2', "s", "x", b""),
        entry(b'6', "pipe", "", b""),
        entry(b'3', "dev/null", "", b""),
        entry(b'0', "d/.wh.gone", "", b""),
        entry(b'5', "o", "", b""),
        entry(b'0', "o/.wh..wh..opq", "", b""),
        entry(b'0', "o/x", "", b"x"),
        pax(&[
            ("uid", b"3000000"),
            ("gid", b"7"),
            ("mtime", b"-5"),
            ("SCHILY.xattr.user.mime", b"a\nb\0=c"),
        ]),
        entry(b'0', "big", "", b"owned"),
        pax(&[("path", b"not-\xff-utf8")]),
        entry(b'0', "x", "", &[b'z'; 70_000]),
    ]
}

#[test]
fn what_was_unpacked_is_written_and_unpacked_again_without_a_difference() {
    let trees = Trees::new();
    let first = written(&trees.unpacked("one", &parts()), Options::default());
    let second = trees.make("two");
    unpack_into(&second, &first);
    assert_eq!(written(&second, Options::default()), first);
    assert_eq!(
        fs::metadata(second.join("a-link")).expect("there").ino(),
        fs::metadata(second.join("d/h")).expect("there").ino()
    );
    let mut value = [0_u8; 16];
    let length = rustix::fs::lgetxattr(second.join("big"), "user.mime", &mut value);
    assert_eq!(&value[..length.expect("kept")], b"a\nb\0=c");
    let names = listed(&first);
    for name in ["d/.wh.gone", "o/.wh..wh..opq", "dev/null", "big"] {
        assert!(names.contains(&name.to_owned()), "{name} in {names:?}");
    }
    let big = Entries::new(&first[..]);
    let entry = find(big, b"big");
    assert_eq!((entry.uid, entry.gid, entry.mtime), (3_000_000, 7, (-5, 0)));
}

fn find(mut entries: Entries<&[u8]>, name: &[u8]) -> crate::image::layer::entries::Entry {
    loop {
        let entry = entries.next_entry().expect("a tar").expect("it is there");
        if entry.name == name {
            return entry;
        }
    }
}

#[test]
fn the_order_in_which_files_were_made_does_not_show() {
    let trees = Trees::new();
    let forward = trees.make("forward");
    let backward = trees.make("backward");
    let names: Vec<String> = (0..50).map(|n| format!("{n}")).collect();
    for name in &names {
        fs::write(forward.join(name), name).expect("written");
    }
    for name in names.iter().rev() {
        fs::write(backward.join(name), name).expect("written");
    }
    let at = Options {
        latest: Some(7),
        owner: Some((5, 6)),
        ..Options::default()
    };
    let bytes = written(&forward, at);
    assert_eq!(written(&backward, at), bytes);
    let entry = find(Entries::new(&bytes[..]), b"33");
    assert_eq!((entry.uid, entry.gid, entry.mtime), (5, 6, (7, 0)));
}

#[test]
fn a_capability_is_written_as_any_namespace_can_read_it() {
    let trees = Trees::new();
    let tree = trees.make("tree");
    fs::write(tree.join("ping"), "").expect("written");
    let value = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let path = tree.join("ping");
    let set = inside(|| {
        let name = "security.capability";
        Ok(rustix::fs::setxattr(&path, name, &value, XattrFlags::empty()).is_ok())
    });
    assert!(set, "root of a user namespace may set it since Linux 4.14");
    let bytes = written(&tree, Options::default());
    let entry = find(Entries::new(&bytes[..]), b"ping");
    let (name, found) = &entry.xattrs[0];
    assert_eq!(name, b"security.capability");
    assert_eq!(found, &value);
}

#[test]
fn whiteouts_of_both_kinds_are_written_and_what_steers_an_overlay_is_not() {
    let trees = Trees::new();
    let tree = trees.make("tree");
    fs::write(tree.join("b"), "").expect("written");
    let set = |path: &Path, name: &str, value: &[u8]| {
        rustix::fs::setxattr(path, name, value, XattrFlags::empty()).expect("set");
    };
    set(&tree.join("b"), "user.overlay.whiteout", b"y");
    set(&tree, "user.overlay.opaque", b"x");
    fs::write(tree.join("c"), "kept").expect("written");
    set(&tree.join("c"), "user.overlay.origin", b"whatever");
    set(&tree.join("c"), "user.rpod.owner", b"nonsense");
    let path = tree.clone();
    inside(|| {
        let kind = FileType::CharacterDevice;
        Ok(mknodat(CWD, path.join("a"), kind, Mode::empty(), 0)?)
    });
    let bytes = written(&tree, Options::default());
    assert_eq!(listed(&bytes), [".wh.a", ".wh.b", "c"]);
    assert_eq!(find(Entries::new(&bytes[..]), b"c").xattrs, []);
}

#[test]
fn sockets_and_mount_points_are_left_out_and_told() {
    let trees = Trees::new();
    let lower = trees.unpacked("lower", &[entry(b'5', "etc", "", b"")]);
    let tree = trees.make("tree");
    for name in ["etc", "proc", "run"] {
        fs::create_dir(tree.join(name)).expect("made");
    }
    fs::set_permissions(
        tree.join("etc"),
        fs::metadata(lower.join("etc"))
            .expect("there")
            .permissions(),
    )
    .expect("set");
    fs::write(tree.join("etc/hosts"), "").expect("written");
    fs::write(tree.join("proc/kept"), "it is no mount point").expect("written");
    let _socket = UnixListener::bind(tree.join("run/socket")).expect("bound");
    symlink("x", tree.join("run/link")).expect("made");
    let below = [lower];
    let options = Options {
        scope: Scope {
            below: &below,
            mount_points: &["etc/hosts", "proc"],
        },
        ..Options::default()
    };
    let (names, left_out) = inside(|| {
        let mut bytes = Vec::new();
        let written = write(&tree, options, &mut bytes)?;
        Ok((listed(&bytes), written.left_out))
    });
    assert_eq!(names, ["proc/", "proc/kept", "run/", "run/link"]);
    let wanted: [&[u8]; 3] = [b"etc", b"etc/hosts", b"run/socket"];
    assert_eq!(left_out, wanted);
}

#[test]
fn a_tree_that_no_layer_may_have_is_refused() -> Result<()> {
    let trees = Trees::new();
    let tree = trees.make("tree");
    let mut at = rustix::fs::open(&tree, rustix::fs::OFlags::PATH, Mode::empty())?;
    for _ in 0..600 {
        rustix::fs::mkdirat(&at, "d", Mode::from_raw_mode(0o755))?;
        at = rustix::fs::openat(&at, "d", rustix::fs::OFlags::PATH, Mode::empty())?;
    }
    let error = inside(|| {
        let written = write(&tree, Options::default(), std::io::sink());
        Ok(written.expect_err("refused").to_string())
    });
    assert!(error.contains("more than 512 directories deep"), "{error}");
    Ok(())
}
