//! An image laid flat: what a container would see of its layers, read from the
//! `dir:` layout that containers' tools and `rpod save --format docker-dir` write.
//!
//! Layers are applied as the image specification says, whiteouts and all, so that
//! what two builders made can be compared entry by entry, whatever layers they cut
//! it into. Times are not part of it: builders differ in them on purpose.
//!
//! What must not live here: running a builder. Used by `tests/it/corpus.rs`.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::image::digest;

/// An image: its configuration and its files.
pub struct Flat {
    /// The configuration's `config` member.
    pub settings: Value,
    /// What each path is, on one line.
    pub files: BTreeMap<String, String>,
}

/// A file of the tree; names of one file have the same number.
#[derive(Clone)]
struct Entry {
    says: String,
    inode: usize,
    is_directory: bool,
}

impl Flat {
    /// Reads a `dir:` layout.
    pub fn read(dir: &Path) -> Self {
        let document = |name: &str| -> Value {
            let path = dir.join(name);
            let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            serde_json::from_slice(&bytes).unwrap()
        };
        let hex = |value: &Value| value["digest"].as_str().unwrap().replace("sha256:", "");
        let manifest = document("manifest.json");
        let config = document(&hex(&manifest["config"]));
        let mut tree = BTreeMap::new();
        let mut count = 0;
        for layer in manifest["layers"].as_array().unwrap() {
            apply(&mut tree, &mut count, &dir.join(hex(layer)));
        }
        Self {
            settings: config["config"].clone(),
            files: shown(&tree),
        }
    }
}

fn apply(tree: &mut BTreeMap<Vec<u8>, Entry>, count: &mut usize, layer: &Path) {
    let bytes = std::fs::read(layer).unwrap();
    let plain: Box<dyn Read> = match bytes.get(..2) {
        Some([0x1f, 0x8b]) => Box::new(flate2::read::GzDecoder::new(bytes.as_slice())),
        _ => Box::new(bytes.as_slice()),
    };
    // Whiteouts are about the layers below: what this one brings stays.
    let mut own: BTreeMap<Vec<u8>, Entry> = BTreeMap::new();
    let mut archive = tar::Archive::new(plain);
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = plain_path(&entry.path_bytes());
        let (parent, name) = match path.iter().rposition(|b| *b == b'/') {
            Some(at) => (path[..at].to_vec(), path[at + 1..].to_vec()),
            None => (Vec::new(), path.clone()),
        };
        if name == b".wh..wh..opq" {
            remove(tree, &parent, false);
            continue;
        }
        if let Some(gone) = name.strip_prefix(b".wh.") {
            let gone = [parent.as_slice(), b"/", gone].concat();
            remove(tree, gone.strip_prefix(b"/").unwrap_or(&gone), true);
            continue;
        }
        *count += 1;
        let made = match entry.link_name_bytes() {
            Some(link) if entry.header().entry_type().is_hard_link() => {
                let old = plain_path(&link);
                let found = own.get(&old).or_else(|| tree.get(&old));
                found
                    .cloned()
                    .unwrap_or_else(|| panic!("a link to nothing: {path:?}"))
            }
            _ => read(&mut entry, *count),
        };
        own.insert(path, made);
    }
    for (path, entry) in own {
        if !entry.is_directory {
            remove(tree, &path, true);
        } else if tree.get(&path).is_some_and(|old| !old.is_directory) {
            tree.remove(&path);
        }
        tree.insert(path, entry);
    }
}

fn remove(tree: &mut BTreeMap<Vec<u8>, Entry>, path: &[u8], itself: bool) {
    let below = match path {
        b"" => Vec::new(),
        path => [path, b"/"].concat(),
    };
    tree.retain(|name, _| !(name.starts_with(&below) || itself && name == path));
}

fn read(entry: &mut tar::Entry<'_, impl Read>, inode: usize) -> Entry {
    let kind = entry.header().entry_type();
    let header = entry.header();
    let mode = header.mode().unwrap() & 0o7777;
    let mut attributes = Vec::new();
    let (mut uid, mut gid) = (header.uid().unwrap(), header.gid().unwrap());
    for record in entry.pax_extensions().unwrap().into_iter().flatten() {
        let record = record.unwrap();
        match record.key().unwrap() {
            "uid" => uid = record.value().unwrap().parse().unwrap(),
            "gid" => gid = record.value().unwrap().parse().unwrap(),
            key => {
                // A builder's own notes for its overlays, which no container sees.
                if let Some(name) = key.strip_prefix("SCHILY.xattr.")
                    && !name.starts_with("user.overlay.")
                {
                    attributes.push(format!("{name}={:?}", record.value_bytes()));
                }
            }
        }
    }
    attributes.sort();
    let link = entry
        .link_name_bytes()
        .map(|link| String::from_utf8_lossy(&link).into_owned());
    let (letter, what) = match kind {
        tar::EntryType::Directory => ('d', String::new()),
        tar::EntryType::Symlink => ('l', link.unwrap_or_default()),
        tar::EntryType::Fifo => ('p', String::new()),
        tar::EntryType::Char => ('c', String::new()),
        tar::EntryType::Block => ('b', String::new()),
        _ => {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            let start: String = String::from_utf8_lossy(&content).chars().take(40).collect();
            (
                'f',
                format!("{} {} {start:?}", content.len(), &digest(&content)[7..19]),
            )
        }
    };
    let mode = if letter == 'l' { 0o777 } else { mode };
    Entry {
        says: format!(
            "{letter} {mode:04o} {uid}:{gid} {what}{}",
            attributes.join(" ")
        ),
        inode,
        is_directory: letter == 'd',
    }
}

/// Each path and what it is; names of one file name the first of them.
fn shown(tree: &BTreeMap<Vec<u8>, Entry>) -> BTreeMap<String, String> {
    let mut first: BTreeMap<usize, String> = BTreeMap::new();
    let mut out = BTreeMap::new();
    for (path, entry) in tree {
        let path = String::from_utf8_lossy(path).into_owned();
        let mut says = entry.says.clone();
        if !entry.is_directory {
            match first.get(&entry.inode) {
                Some(other) => says.push_str(&format!(" = {other}")),
                None => drop(first.insert(entry.inode, path.clone())),
            }
        }
        out.insert(path, says);
    }
    out
}

fn plain_path(path: &[u8]) -> Vec<u8> {
    let parts = path.split(|b| *b == b'/');
    let parts: Vec<&[u8]> = parts.filter(|part| !matches!(*part, b"" | b".")).collect();
    parts.join(&b'/')
}
