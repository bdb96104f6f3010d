//! Layers made byte by byte, honest and hostile, and the trees they give.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use super::entries::tests::{entry, header, pax, seal, tar};
use super::{Report, unpack, unpack_blob};
use crate::error::Result;
use crate::progress::{Silent, Step};
use crate::spec::digest::Digest;
use crate::spec::idmap::{IdMap, Range};
use crate::store::Store;
use crate::store::images::Layer;
use crate::store::layers::LayerInfo;

const REPORT: Report<'_> = Report {
    progress: &Silent,
    step: Step(0),
};

/// The tests' own ids, whoever runs them; nobody else exists.
fn own_ids() -> IdMap {
    IdMap::single(
        rustix::process::getuid().as_raw(),
        rustix::process::getgid().as_raw(),
    )
}

struct Tree(tempfile::TempDir);

impl Tree {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("tree")).expect("made");
        fs::write(dir.path().join("outside"), "untouched").expect("written");
        Self(dir)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join("tree").join(name)
    }

    fn unpack(&self, parts: &[Vec<u8>]) -> Result<LayerInfo> {
        unpack(&tar(parts)[..], &self.path(""), &own_ids(), REPORT).map(|(info, _)| info)
    }

    fn refuses(&self, parts: &[Vec<u8>]) -> String {
        let error = self.unpack(parts).expect_err("refused").to_string();
        let outside = fs::read_to_string(self.0.path().join("outside"));
        assert_eq!(outside.expect("there"), "untouched");
        assert_eq!(fs::read_dir(self.0.path()).expect("listed").count(), 2);
        error
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    fn mode(&self, name: &str) -> u32 {
        fs::symlink_metadata(self.path(name)).expect(name).mode() & 0o7777
    }

    fn xattr(&self, name: &str, key: &str) -> Option<Vec<u8>> {
        let mut value = [0_u8; 256];
        let length = rustix::fs::lgetxattr(self.path(name), key, &mut value).ok()?;
        Some(value[..length].to_vec())
    }
}

fn with(kind: u8, name: &str, change: impl FnOnce(&mut [u8; 512])) -> Vec<u8> {
    let mut block = header(kind, name.as_bytes(), b"", 0);
    change(&mut block);
    seal(&mut block);
    block.to_vec()
}

fn mode(kind: u8, name: &str, mode: u32) -> Vec<u8> {
    with(kind, name, |b| {
        b[100..107].copy_from_slice(format!("{mode:07o}").as_bytes());
    })
}

#[test]
fn files_directories_and_links_come_out_as_they_went_in() {
    let tree = Tree::new();
    let mut dated = header(b'0', b"d/old", b"", 0);
    dated[136..147].copy_from_slice(b"00000001750");
    seal(&mut dated);
    let info = tree
        .unpack(&[
            mode(b'5', "./", 0o711),
            with(b'5', "d", |b| {
                b[100..107].copy_from_slice(b"0000555");
                b[136..147].copy_from_slice(b"00000000007");
            }),
            entry(b'0', "d/f", "", b"hello"),
            dated.to_vec(),
            entry(b'2', "d/s", "../outside", b""),
            entry(b'1', "h", "d/f", b""),
            mode(b'0', "suid", 0o4755),
            mode(b'6', "pipe", 0o622),
            mode(b'5', "tmp", 0o1777),
            entry(b'0', "/abs/a/../b", "", b"1"),
        ])
        .expect("unpacked");
    assert_eq!(info, LayerInfo { size: 6, files: 10 });
    assert_eq!(tree.text("d/f"), "hello");
    assert_eq!(tree.text("h"), "hello");
    let inode = |name| fs::metadata(tree.path(name)).expect("there").ino();
    assert_eq!(inode("h"), inode("d/f"));
    assert_eq!(
        fs::read_link(tree.path("d/s")).expect("a link"),
        Path::new("../outside")
    );
    assert_eq!(fs::metadata(tree.path("d")).expect("there").mtime(), 7);
    assert_eq!(
        fs::metadata(tree.path("d/old")).expect("there").mtime(),
        1000
    );
    for (name, mode) in [
        ("", 0o711),
        ("d", 0o555),
        ("d/f", 0o644),
        ("suid", 0o4755),
        ("pipe", 0o622),
        ("tmp", 0o1777),
        ("abs", 0o755),
    ] {
        assert_eq!(tree.mode(name), mode, "{name}");
    }
    assert_eq!(tree.text("abs/b"), "1");
    // A directory that nobody may write cannot be cleared up by everybody.
    fs::set_permissions(tree.path("d"), fs::Permissions::from_mode(0o755)).expect("set");
}

#[test]
fn the_root_is_open_to_all_when_nothing_else_is_said() {
    let tree = Tree::new();
    fs::set_permissions(tree.path(""), fs::Permissions::from_mode(0o2700)).expect("set");
    tree.unpack(&[]).expect("unpacked");
    assert_eq!(tree.mode(""), 0o755);
}

#[test]
fn names_that_lead_out_are_refused() {
    for name in ["../x", "a/../../x", "/../x", "..", "a/b/../../../outside"] {
        let tree = Tree::new();
        let error = tree.refuses(&[entry(b'0', name, "", b"evil")]);
        assert_eq!(
            error,
            format!("entry {name:?}: its name leads out of the image")
        );
        let error = tree.refuses(&[entry(b'0', "f", "", b""), entry(b'1', "h", name, b"")]);
        assert!(error.contains("leads out"), "{error}");
    }
}

#[test]
fn a_link_sees_the_tree_as_the_whole_world() {
    crate::sys::sandbox::machine(|| {
        let tree = Tree::new();
        let outside = tree.0.path().to_str().expect("text").to_owned();
        tree.unpack(&[
            entry(b'5', "real/in", "", b""),
            entry(b'2', "up", "../../../../../real", b""),
            entry(b'0', "up/in/f", "", b"1"),
            entry(b'2', "absolute", "/real", b""),
            entry(b'0', "absolute/g", "", b"2"),
            entry(b'1', "hard", "up/in/f", b""),
        ])
        .expect("unpacked");
        assert_eq!(tree.text("real/in/f"), "1");
        assert_eq!(tree.text("real/g"), "2");
        assert_eq!(tree.text("hard"), "1");
        for target in [outside.as_str(), "/proc/self/cwd", "nowhere", "../.."] {
            let tree = Tree::new();
            let parts = [
                entry(b'2', "l", target, b""),
                entry(b'0', "l/outside", "", b"evil"),
            ];
            // "../.." is the root itself, so that one is no escape and no failure.
            if target == "../.." {
                tree.unpack(&parts).expect("unpacked");
                assert_eq!(tree.text("outside"), "evil");
                let above = fs::read_to_string(tree.0.path().join("outside"));
                assert_eq!(above.expect("there"), "untouched");
            } else {
                let error = tree.refuses(&parts);
                assert!(error.contains("\"l\""), "{error}");
            }
        }
        let tree = Tree::new();
        let error = tree.refuses(&[entry(b'2', "l", "l", b""), entry(b'0', "l/x", "", b"")]);
        assert!(error.contains("leads to itself"), "{error}");
    });
}

#[test]
fn a_file_is_never_written_through_a_link_of_its_name() {
    let tree = Tree::new();
    let outside = tree.0.path().join("outside");
    let target = outside.to_str().expect("text");
    tree.unpack(&[
        entry(b'2', "l", target, b""),
        entry(b'0', "l", "", b"own"),
        entry(b'2', "m", target, b""),
        entry(b'1', "n", "m", b""),
        entry(b'0', "n", "", b"own"),
    ])
    .expect("unpacked");
    assert_eq!(fs::read_to_string(&outside).expect("there"), "untouched");
    assert_eq!(tree.text("l"), "own");
    assert_eq!(tree.text("n"), "own");
}

#[test]
fn the_last_entry_of_a_name_counts_whatever_was_there() {
    crate::sys::sandbox::machine(|| {
        let tree = Tree::new();
        tree.unpack(&[
            entry(b'5', "a/deep/er", "", b""),
            entry(b'0', "a/deep/er/f", "", b"1"),
            entry(b'0', "a", "", b"file over directory"),
            entry(b'0', "b", "", b"1"),
            mode(b'5', "b", 0o750),
            entry(b'0', "b/f", "", b"directory over file"),
            entry(b'2', "c", "b", b""),
            entry(b'5', "c", "", b""),
            entry(b'0', "c/g", "", b"directory over link"),
            entry(b'5', "e", "", b""),
            entry(b'2', "e", "b", b""),
            entry(b'0', "e/h", "", b"link over directory"),
            entry(b'0', "twice", "", b"long text"),
            entry(b'0', "twice", "", b"short"),
            entry(b'1', "twice", "twice", b""),
        ])
        .expect("unpacked");
        assert_eq!(tree.text("a"), "file over directory");
        assert_eq!(tree.text("b/f"), "directory over file");
        assert_eq!(tree.mode("b"), 0o750);
        assert_eq!(tree.text("c/g"), "directory over link");
        assert!(!tree.path("b/g").exists());
        assert_eq!(tree.text("b/h"), "link over directory");
        assert_eq!(tree.text("twice"), "short");
    });
}

#[test]
fn a_parent_that_is_a_file_is_named() {
    let tree = Tree::new();
    let error = tree.refuses(&[entry(b'0', "f", "", b""), entry(b'0', "f/x/y", "", b"")]);
    assert_eq!(
        error,
        "entry \"f/x/y\": cannot open directory \"f/x\": it is no directory"
    );
    let error = Tree::new().refuses(&[entry(b'1', "h", "none", b"")]);
    assert_eq!(
        error,
        "entry \"h\": cannot link to \"none\": no such file or directory"
    );
    let error = Tree::new().refuses(&[entry(b'0', "./", "", b"")]);
    assert!(error.contains("only be a directory"), "{error}");
}

fn is_hidden(tree: &Tree, name: &str) -> bool {
    fs::symlink_metadata(tree.path(name))
        .is_ok_and(|m| m.file_type().is_char_device() && m.rdev() == 0)
        || tree.xattr(name, "user.overlay.whiteout").is_some()
}

#[test]
fn whiteouts_hide_what_is_below() {
    crate::sys::sandbox::machine(|| {
        let tree = Tree::new();
        tree.unpack(&[
            entry(b'0', ".wh.gone", "", b""),
            entry(b'0', "d/.wh.gone", "", b""),
            entry(b'0', "d/.wh..wh..opq", "", b""),
            entry(b'5', ".wh..wh.plnk", "", b""),
            entry(b'0', ".wh..wh.plnk/1.2", "", b""),
            entry(b'0', ".wh..wh.aufs", "", b""),
            // Hidden and there again: nothing from below shows in it.
            entry(b'0', ".wh.again", "", b""),
            entry(b'5', "again", "", b""),
            entry(b'0', ".wh.implied", "", b""),
            entry(b'0', "implied/f", "", b"1"),
            entry(b'0', ".wh.file", "", b""),
            entry(b'0', "file", "", b"new"),
            // The other way around.
            entry(b'5', "first", "", b""),
            entry(b'0', "first/f", "", b"1"),
            entry(b'0', ".wh.first", "", b""),
            entry(b'0', "stays", "", b"1"),
            entry(b'0', ".wh.stays", "", b""),
        ])
        .expect("unpacked");
        assert!(is_hidden(&tree, "gone") && is_hidden(&tree, "d/gone"));
        for name in ["d", "again", "implied", "first"] {
            let value = tree.xattr(name, "user.overlay.opaque");
            assert_eq!(value.as_deref(), Some(&b"y"[..]), "{name}");
        }
        assert_eq!(tree.text("file"), "new");
        assert_eq!(tree.text("first/f"), "1");
        assert_eq!(tree.text("stays"), "1");
        assert!(!tree.path(".wh..wh.plnk").exists());
        assert_eq!(fs::read_dir(tree.path("")).expect("listed").count(), 7);
    });
}

#[test]
fn whiteouts_of_no_name_are_refused() {
    for name in [".wh.", ".wh..", ".wh...", "a/.wh.", ".wh.x/f"] {
        let error = Tree::new().refuses(&[entry(b'0', name, "", b"")]);
        assert!(error.contains("whiteout"), "{name}: {error}");
    }
}

#[test]
fn devices_become_empty_files_that_remember() {
    let tree = Tree::new();
    tree.unpack(&[with(b'3', "null", |b| {
        b[100..107].copy_from_slice(b"0000666");
        b[329..336].copy_from_slice(b"0000001");
        b[337..344].copy_from_slice(b"0000003");
    })])
    .expect("unpacked");
    assert_eq!(tree.text("null"), "");
    assert_eq!(tree.mode("null"), 0o666);
    let device = tree.xattr("null", "user.rpod.device");
    assert_eq!(device.as_deref(), Some(&b"c 1:3"[..]));
    // A device 0/0 would be a whiteout that nobody declared.
    tree.unpack(&[with(b'3', "zero", |_| {})])
        .expect("unpacked");
    assert!(!is_hidden(&tree, "zero"));
}

#[test]
fn an_owner_that_does_not_exist_is_remembered() {
    let tree = Tree::new();
    let owner = |kind, name| {
        with(kind, name, |b| {
            b[100..107].copy_from_slice(b"0000400");
            b[108..115].copy_from_slice(b"0000146");
            b[116..123].copy_from_slice(b"0000147");
        })
    };
    tree.unpack(&[owner(b'0', "f"), owner(b'5', "d"), owner(b'2', "x")])
        .expect_err("a link without a target");
    tree.unpack(&[
        owner(b'0', "f"),
        owner(b'5', "d"),
        entry(b'0', "r", "", b""),
    ])
    .expect("unpacked");
    for name in ["f", "d"] {
        let value = tree.xattr(name, "user.rpod.owner");
        assert_eq!(value.as_deref(), Some(&b"102:103"[..]), "{name}");
        assert_eq!(tree.mode(name), 0o400);
    }
    assert_eq!(tree.xattr("r", "user.rpod.owner"), None);
    let own = rustix::process::getuid().as_raw();
    assert_eq!(fs::metadata(tree.path("f")).expect("there").uid(), own);
}

#[test]
fn an_owner_in_the_map_is_given_when_we_may() {
    if !rustix::process::getuid().is_root() {
        return;
    }
    let tree = Tree::new();
    let all = [Range {
        inside: 0,
        outside: 0,
        length: 65536,
    }];
    let ids = IdMap {
        users: all.to_vec(),
        groups: all.to_vec(),
    };
    let owned = |kind, name| {
        with(kind, name, |b| {
            b[100..107].copy_from_slice(b"0006755");
            b[108..115].copy_from_slice(b"0000146");
            b[116..123].copy_from_slice(b"0000147");
        })
    };
    let mut link = header(b'2', b"l", b"f", 0);
    link[108..115].copy_from_slice(b"0000146");
    seal(&mut link);
    let parts = [
        owned(b'0', "f"),
        owned(b'5', "d"),
        entry(b'0', "d/in", "", b""),
        link.to_vec(),
    ];
    unpack(&tar(&parts)[..], &tree.path(""), &ids, REPORT).expect("unpacked");
    for name in ["f", "d"] {
        let meta = fs::metadata(tree.path(name)).expect("there");
        assert_eq!((meta.uid(), meta.gid()), (102, 103));
        assert_eq!(tree.mode(name), 0o6755, "chown takes these bits away");
    }
    // A set-group-id directory hands on its group, but not to what the tar gives another.
    assert_eq!(fs::metadata(tree.path("d/in")).expect("there").gid(), 0);
    assert_eq!(
        fs::symlink_metadata(tree.path("l")).expect("there").uid(),
        102
    );
}

#[test]
fn attributes_that_steer_an_overlay_do_not_come_from_outside() {
    let tree = Tree::new();
    tree.unpack(&[
        pax(&[
            ("SCHILY.xattr.user.a", b"\x00\n1"),
            ("SCHILY.xattr.user.overlay.opaque", b"y"),
            ("SCHILY.xattr.user.overlay.whiteout", b"y"),
            ("SCHILY.xattr.user.rpod.owner", b"0:0"),
            ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
            ("SCHILY.xattr.security.selinux", b"x"),
            ("LIBARCHIVE.xattr.user.b", b"AQI="),
        ]),
        entry(b'5', "d", "", b""),
    ])
    .expect("unpacked");
    assert_eq!(tree.xattr("d", "user.a").as_deref(), Some(&b"\0\n1"[..]));
    assert_eq!(tree.xattr("d", "user.b").as_deref(), Some(&b"\x01\x02"[..]));
    for key in [
        "user.overlay.opaque",
        "user.overlay.whiteout",
        "user.rpod.owner",
        "trusted.overlay.opaque",
    ] {
        assert_eq!(tree.xattr("d", key), None, "{key}");
    }
}

#[test]
fn capabilities_lose_the_root_they_were_given_under() {
    let v3 = [
        1, 0, 0, 3, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xa0, 0x86, 1, 0,
    ];
    let v2 = super::tree::capability(&v3);
    assert_eq!(
        v2,
        [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    );
    assert_eq!(super::tree::capability(&v2), v2);
}

#[test]
fn holes_stay_holes() {
    let tree = Tree::new();
    let info = tree
        .unpack(&[
            pax(&[
                ("GNU.sparse.size", b"10000000"),
                ("GNU.sparse.map", b"5,3,9000000,2"),
                ("GNU.sparse.name", b"f"),
            ]),
            entry(b'0', "x", "", b"abcde"),
        ])
        .expect("unpacked");
    assert_eq!(info.size, 10_000_000);
    let bytes = fs::read(tree.path("f")).expect("read");
    assert_eq!(bytes.len(), 10_000_000);
    assert_eq!(&bytes[4..9], b"\0abc\0");
    assert_eq!(&bytes[9_000_000..9_000_003], b"de\0");
    assert!(fs::metadata(tree.path("f")).expect("there").blocks() < 1000);
}

#[test]
fn room_in_a_file_is_a_hole_and_its_content_the_same() {
    let tree = Tree::new();
    let mut bytes = vec![0_u8; 3 << 20];
    bytes[1_000_000] = 7;
    let zeros = vec![0_u8; 2 << 20];
    tree.unpack(&[
        entry(b'0', "some", "", &bytes),
        entry(b'0', "none", "", &zeros),
    ])
    .expect("unpacked");
    assert_eq!(fs::read(tree.path("some")).expect("read"), bytes);
    assert_eq!(fs::read(tree.path("none")).expect("read"), zeros);
    let blocks = |name: &str| fs::metadata(tree.path(name)).expect("there").blocks();
    assert!(blocks("none") < 300 && blocks("some") < 2000);
}

#[test]
fn limits_are_said() {
    let long = "n".repeat(256);
    let named = |name: &str| [pax(&[("path", name.as_bytes())]), entry(b'0', "x", "", b"")];
    let error = Tree::new().refuses(&named(&long));
    assert!(error.contains("255 bytes"), "{error}");
    let error = Tree::new().refuses(&named(&"d/".repeat(600)));
    assert!(error.contains("512 directories"), "{error}");
    let error = Tree::new().refuses(&named(&vec!["n".repeat(200); 30].join("/")));
    assert!(error.contains("4095 bytes"), "{error}");
    assert!(error.len() < 500, "{error}");
}

#[test]
fn a_tree_as_deep_as_allowed_can_be_made_and_replaced() {
    let tree = Tree::new();
    let deep = "d/".repeat(500);
    tree.unpack(&[
        pax(&[("path", format!("{deep}f").as_bytes())]),
        entry(b'0', "x", "", b"1"),
        pax(&[("path", format!("{deep}g").as_bytes())]),
        entry(b'0', "x", "", b"1"),
        pax(&[("path", format!("{}g", &deep[..100]).as_bytes())]),
        entry(b'0', "x", "", b"1"),
    ])
    .expect("unpacked");
    assert_eq!(tree.text(&format!("{deep}g")), "1");
    tree.unpack(&[entry(b'0', "d", "", b"2")])
        .expect("unpacked");
    assert_eq!(tree.text("d"), "2");
}

#[test]
fn a_blob_becomes_a_layer_when_its_tar_has_the_digest_that_was_said() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(&dir.path().join("rpod")).expect("a store");
    let tar = tar(&[entry(b'0', "f", "", b"hello")]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar).expect("written");
    let gzip = gzip.finish().expect("finished");
    let layer = |diff_id| Layer {
        blob: Digest::of(&gzip),
        // A lie, as some registries tell.
        media_type: "application/vnd.oci.image.layer.v1.tar".into(),
        size: gzip.len() as u64,
        diff_id,
    };
    store.add_blob(&gzip).expect("added");
    let wrong = layer(Digest::of(b"other"));
    let error = unpack_blob(&store, &wrong, &own_ids(), REPORT).expect_err("refused");
    assert!(
        error.to_string().starts_with(&format!(
            "cannot unpack layer {}: its tar has digest sha256:",
            wrong.diff_id.short()
        )),
        "{error}"
    );
    assert!(!store.has_layer("single", &wrong.diff_id));
    let right = layer(Digest::of(&tar));
    let info = unpack_blob(&store, &right, &own_ids(), REPORT).expect("unpacked");
    assert_eq!(info, LayerInfo { size: 5, files: 1 });
    let tree = store.layer_tree("single", &right.diff_id);
    assert_eq!(fs::read(tree.join("f")).expect("read"), b"hello");
    fs::remove_file(store.blob_path(&right.blob)).expect("removed");
    // It is there: nothing is read again.
    let again = unpack_blob(&store, &right, &own_ids(), REPORT).expect("there");
    assert_eq!(again, info);
    assert_eq!(fs::read_dir(store.tmp()).expect("listed").count(), 0);
}

/// All names of a tree with what they are, in order.
fn snapshot(directory: &Path, into: &mut Vec<String>) {
    let mut names: Vec<_> = fs::read_dir(directory)
        .expect("listed")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    names.sort();
    for path in names {
        let meta = fs::symlink_metadata(&path).expect("there");
        let is = if meta.is_dir() {
            "directory".to_owned()
        } else if meta.is_symlink() {
            format!("link to {:?}", fs::read_link(&path).expect("a link"))
        } else if meta.is_file() {
            let text = fs::read_to_string(&path).expect("a text");
            format!("{} names, {text:?}", meta.nlink())
        } else {
            "whiteout".to_owned()
        };
        into.push(format!("{path:?}: {is}, {:o}", meta.mode()));
        if meta.is_dir() {
            snapshot(&path, into);
        }
    }
}

/// Entries whose names meet each other again and again, the same for the same seed.
fn meeting(seed: u64) -> Vec<Vec<u8>> {
    let mut state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut pick = |count: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % count).expect("small")
    };
    let names = ["a/x", "a/y", "b/x", "l/x", "l/y", "c/d/e", "c/d/f", "f"];
    let mut files: Vec<&str> = Vec::new();
    let mut entries = vec![entry(b'2', "l", "a", b"")];
    for number in 0..30 {
        let name = names[pick(names.len() as u64)];
        let known = (!files.is_empty()).then(|| files[pick(files.len() as u64)]);
        entries.push(match (pick(20), known) {
            (0, _) => entry(b'2', "l", ["a", "b", "c/d"][pick(3)], b""),
            (1, _) => entry(b'2', name, "elsewhere", b""),
            (7, _) => entry(b'0', ["b", "e"][pick(2)], "", b"a file"),
            (2 | 3, _) => entry(b'5', &name[..1], "", b""),
            (4, _) => entry(b'0', ".wh.a", "", b""),
            (5 | 6, Some(known)) => entry(b'1', name, known, b""),
            _ => {
                files.push(name);
                entry(b'0', name, "", format!("{number}").as_bytes())
            }
        });
    }
    entries
}

#[test]
fn threads_make_the_tree_that_one_would_have_made_entry_by_entry() {
    let (mut whole, mut refused) = (0, 0);
    for seed in 0..150 {
        let tar = tar(&meeting(seed));
        let outcomes = [0, 1, 3].map(|threads| {
            let tree = Tree::new();
            let done = super::tree::unpack(&tar[..], &tree.path(""), &own_ids(), threads);
            match done {
                Err(error) => Err(error.to_string()),
                Ok(unpacked) => {
                    let mut found = vec![format!("{:?}", unpacked.info)];
                    let top = tree.path("");
                    snapshot(&top, &mut found);
                    let top = top.display().to_string();
                    Ok(found.join("\n").replace(&top, ""))
                }
            }
        });
        if outcomes[0].is_ok() {
            whole += 1;
        } else {
            refused += 1;
        }
        assert_eq!(outcomes[0], outcomes[1], "seed {seed}");
        assert_eq!(outcomes[0], outcomes[2], "seed {seed}");
    }
    assert!(
        whole > 20 && refused > 20,
        "{whole} whole, {refused} refused"
    );
}

#[test]
fn many_small_files_all_come_out() {
    let tree = Tree::new();
    let entries: Vec<_> = (0..3000)
        .map(|n| {
            entry(
                b'0',
                &format!("d{}/f{n}", n / 7),
                "",
                n.to_string().as_bytes(),
            )
        })
        .collect();
    let done = super::tree::unpack(&tar(&entries)[..], &tree.path(""), &own_ids(), 3);
    assert_eq!(done.expect("unpacked").info.files, 3000);
    for n in [0, 1, 63, 64, 1500, 2999] {
        assert_eq!(tree.text(&format!("d{}/f{n}", n / 7)), n.to_string());
    }
}
