//! Trees and tars, friendly and hostile, copied for real.

use std::fs::{self, File};
use std::io::Cursor;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::archive::{self, Tar};
use super::place;
use super::plant::{Ground, Owners, Plant};
use super::walk::walk;
use super::{Copied, Sink, relative};
use crate::error::Result;

/// Two directories, and beside them a secret that nothing may reach.
struct Room {
    dir: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["from", "to"] {
            fs::create_dir(dir.path().join(name)).expect("made");
        }
        fs::write(dir.path().join("secret"), "secret").expect("written");
        Self { dir }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn open(&self, path: &str) -> OwnedFd {
        File::open(self.at(path)).expect("opened").into()
    }

    fn copy(&self, ground: Ground, owners: Owners) -> Result<Copied> {
        let mut plant = Plant::new(ground, owners);
        let from = self.open("from");
        walk(from.as_fd(), ".".as_ref(), Path::new("tree"), &mut plant)?;
        plant.finish()?;
        Ok(plant.copied())
    }

    fn unpack(&self, tar: &[u8]) -> Result<Copied> {
        let ground = Ground::Container(self.open("to"), PathBuf::from("/"));
        let mut plant = Plant::new(ground, Owners::Person);
        archive::read(Cursor::new(tar), &mut plant)?;
        plant.finish()?;
        Ok(plant.copied())
    }

    fn untouched(&self) {
        let secret = fs::read_to_string(self.at("secret")).expect("read");
        assert_eq!(secret, "secret");
        assert_eq!(fs::read_dir(self.dir.path()).expect("listed").count(), 3);
    }
}

/// A tar with entries written byte by byte, as nobody friendly would.
fn tar_of(entries: &[(&str, tar::EntryType, &str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, kind, link, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_link_name_literal(link).expect("set");
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, content.as_bytes()).expect("added");
    }
    builder.into_inner().expect("written")
}

const FILE: tar::EntryType = tar::EntryType::Regular;
const LINK: tar::EntryType = tar::EntryType::Symlink;
const SAME: tar::EntryType = tar::EntryType::Link;

fn furnish(from: &Path) {
    fs::create_dir_all(from.join("a/b")).expect("made");
    fs::write(from.join("a/b/file"), "content").expect("written");
    fs::hard_link(from.join("a/b/file"), from.join("a/twin")).expect("linked");
    symlink("/etc/passwd", from.join("a/link")).expect("linked");
    fs::write(from.join("tool"), "#!").expect("written");
    fs::set_permissions(from.join("tool"), fs::Permissions::from_mode(0o4755)).expect("set");
    let fifo = std::process::Command::new("mkfifo")
        .arg(from.join("fifo"))
        .status();
    assert!(fifo.is_ok_and(|s| s.success()));
    drop(std::os::unix::net::UnixListener::bind(from.join("socket")).expect("bound"));
    fs::set_permissions(from.join("a/b"), fs::Permissions::from_mode(0o500)).expect("set");
    let old = fs::FileTimes::new()
        .set_modified(std::time::UNIX_EPOCH + std::time::Duration::new(86_400, 7));
    for path in ["a/b/file", "a/b", "a"] {
        File::open(from.join(path))
            .expect("opened")
            .set_times(old)
            .expect("set");
    }
}

fn check(tree: &Path, tool: u32) {
    assert_eq!(fs::read(tree.join("a/b/file")).expect("read"), b"content");
    let meta = |path: &str| fs::symlink_metadata(tree.join(path)).expect(path);
    assert_eq!(meta("a/twin").ino(), meta("a/b/file").ino());
    assert_eq!(
        fs::read_link(tree.join("a/link")).expect("a link"),
        Path::new("/etc/passwd")
    );
    assert_eq!(meta("tool").mode() & 0o7777, tool);
    assert_eq!(meta("a/b").mode() & 0o7777, 0o500);
    assert_eq!(meta("fifo").mode() & 0o170_000, 0o010_000);
    for path in ["a/b/file", "a/b", "a"] {
        assert_eq!(meta(path).mtime(), 86_400, "{path}");
    }
    assert!(!tree.join("socket").exists());
}

#[test]
fn a_tree_arrives_whole() {
    crate::sys::sandbox::machine(|| {
        let room = Room::new();
        furnish(&room.at("from"));
        let copied = room
            .copy(Ground::Machine(room.open("to")), Owners::Person)
            .expect("copied");
        check(&room.at("to/tree"), 0o755);
        assert_eq!(copied.bytes, 9);
        assert_eq!(copied.skipped, ["\"tree/socket\" is a socket"]);
        // Once more over what is there now.
        room.copy(Ground::Machine(room.open("to")), Owners::Kept)
            .expect("copied");
        check(&room.at("to/tree"), 0o4755);
        assert_eq!(fs::read_dir(room.at("to/tree")).expect("listed").count(), 3);
    });
}

#[test]
fn a_tree_goes_through_a_tar_unchanged() {
    let room = Room::new();
    furnish(&room.at("from"));
    let mut bytes = Vec::new();
    let mut tar = Tar::new(&mut bytes);
    let from = room.open("from");
    walk(from.as_fd(), ".".as_ref(), Path::new("tree"), &mut tar).expect("written");
    tar.finish().expect("finished");
    assert_eq!(tar.copied().bytes, 9);
    room.unpack(&bytes).expect("unpacked");
    check(&room.at("to/tree"), 0o755);
    // What another program makes of it.
    let mut names: Vec<String> = tar::Archive::new(&bytes[..])
        .entries()
        .expect("a tar")
        .map(|e| String::from_utf8_lossy(&e.expect("entry").path_bytes()).into_owned())
        .collect();
    names.sort();
    assert_eq!(names[..3], ["tree/", "tree/a/", "tree/a/b/"]);
}

#[test]
fn a_compressed_tar_is_read_as_well() {
    use std::io::Write;
    let plain = tar_of(&[("x", FILE, "", "one")]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).expect("written");
    for bytes in [
        gzip.finish().expect("finished"),
        zstd::encode_all(&plain[..], 1).expect("compressed"),
    ] {
        let room = Room::new();
        room.unpack(&bytes).expect("unpacked");
        assert_eq!(fs::read(room.at("to/x")).expect("read"), b"one");
    }
}

#[test]
fn a_tar_never_gets_out() {
    let long = "d/".repeat(40) + "f";
    for (entries, fits) in [
        (vec![("../secret", FILE, "", "bad")], false),
        (vec![("a/../../secret", FILE, "", "bad")], false),
        (
            vec![("h", SAME, "../secret", ""), ("h", FILE, "", "bad")],
            false,
        ),
        // These mean something inside, as they would for the container's programs.
        (vec![("/abs", FILE, "", "good")], true),
        (vec![("l", LINK, "/", ""), ("l/x", FILE, "", "good")], true),
        (
            vec![("l", LINK, "../..", ""), ("l/secret", FILE, "", "good")],
            true,
        ),
        (
            vec![("l", LINK, "../secret", ""), ("l", FILE, "", "good")],
            true,
        ),
        (vec![(long.as_str(), FILE, "", "good")], true),
    ] {
        let room = Room::new();
        let result = room.unpack(&tar_of(&entries));
        assert_eq!(result.is_ok(), fits, "{entries:?} {result:?}");
        room.untouched();
    }
}

#[test]
fn a_tar_that_is_cut_is_an_error_and_leaves_no_half_file() {
    let whole = tar_of(&[("x", FILE, "", &"y".repeat(5000))]);
    let room = Room::new();
    assert!(room.unpack(&whole[..1500]).is_err());
    assert_eq!(fs::read_dir(room.at("to")).expect("listed").count(), 0);
}

#[test]
fn links_of_the_destination_lead_nowhere_on_the_machine() {
    let room = Room::new();
    furnish(&room.at("from"));
    fs::create_dir(room.at("to/tree")).expect("made");
    symlink(room.dir.path(), room.at("to/tree/a")).expect("linked");
    let error = room
        .copy(Ground::Machine(room.open("to")), Owners::Person)
        .expect_err("a link where a directory is to be");
    assert!(
        error.to_string().contains("no directory is there"),
        "{error}"
    );
    room.untouched();
    let room = Room::new();
    fs::write(room.at("from/x"), "new").expect("written");
    fs::create_dir(room.at("to/tree")).expect("made");
    symlink(room.at("secret"), room.at("to/tree/x")).expect("linked");
    room.copy(Ground::Machine(room.open("to")), Owners::Person)
        .expect("copied");
    room.untouched();
    assert_eq!(fs::read(room.at("to/tree/x")).expect("read"), b"new");
}

#[test]
fn files_and_directories_do_not_replace_each_other() {
    let room = Room::new();
    fs::create_dir(room.at("from/d")).expect("made");
    fs::create_dir(room.at("to/tree")).expect("made");
    fs::write(room.at("to/tree/d"), "file").expect("written");
    assert!(
        room.copy(Ground::Machine(room.open("to")), Owners::Person)
            .is_err()
    );
    let room = Room::new();
    fs::write(room.at("from/f"), "file").expect("written");
    fs::create_dir_all(room.at("to/tree/f")).expect("made");
    let error = room
        .copy(Ground::Machine(room.open("to")), Owners::Person)
        .expect_err("a directory is there");
    assert!(error.to_string().contains("only a directory"), "{error}");
}

#[test]
fn a_path_is_found_inside_its_root_only() {
    let room = Room::new();
    let to = room.at("to");
    fs::create_dir_all(to.join("real/dir")).expect("made");
    symlink("/real/dir", to.join("absolute")).expect("linked");
    symlink("../../../../real", to.join("real/climbing")).expect("linked");
    symlink("/nothing/../real/new", to.join("dangling")).expect("linked");
    symlink("/real/new", to.join("fresh")).expect("linked");
    symlink("loop", to.join("loop")).expect("linked");
    let root = room.open("to");
    let find = |path: &str, follow| place::find(root.as_fd(), Path::new(path), follow);
    for (path, follow, parent, name, there) in [
        ("/absolute", true, "/real", "dir", true),
        ("/absolute", false, "/", "absolute", true),
        ("/absolute/x", true, "/absolute", "x", false),
        ("/real/climbing/dir", true, "/real/climbing", "dir", true),
        ("/fresh", true, "/real", "new", false),
        ("/../../real", true, "/../..", "real", true),
        ("/", true, "/", ".", true),
        ("/real/.", true, "/real/.", ".", true),
        ("/real/..", true, "/real/..", ".", true),
    ] {
        let place = find(path, follow).expect(path);
        assert_eq!(place.parent_path, Path::new(parent), "{path}");
        assert_eq!(place.name.as_bytes(), name.as_bytes(), "{path}");
        assert_eq!(place.stat.is_some(), there, "{path}");
    }
    let error = find("/missing/x", true)
        .expect_err("no directory")
        .to_string();
    assert!(
        error.contains("cannot open directory \"/missing\""),
        "{error}"
    );
    assert!(find("/dangling", true).is_err());
    assert!(find("/loop", true).is_err());
}

#[test]
fn a_path_of_an_entry_is_plain() {
    for (bytes, path) in [
        (&b"./a//b/./c/"[..], "a/b/c"),
        (b"/", ""),
        (b"", ""),
        (b"...", "..."),
    ] {
        assert_eq!(relative(bytes).expect("plain"), Path::new(path));
    }
    for bytes in [&b".."[..], b"a/../b", b"a\0b"] {
        assert!(relative(bytes).is_err());
    }
}

#[test]
fn a_tree_too_deep_is_refused_before_descriptors_run_out() {
    let room = Room::new();
    let mut at = room.open("from");
    for _ in 0..905 {
        rustix::fs::mkdirat(&at, "d", rustix::fs::Mode::RWXU).expect("made");
        let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::RDONLY;
        at = rustix::fs::openat(&at, "d", flags, rustix::fs::Mode::empty()).expect("opened");
    }
    let mut tar = Tar::new(std::io::sink());
    let from = room.open("from");
    let error = walk(from.as_fd(), ".".as_ref(), Path::new(""), &mut tar)
        .expect_err("too deep")
        .to_string();
    assert!(
        error.contains("more than 900 directories") || error.contains("too many open files"),
        "{error}"
    );
}
