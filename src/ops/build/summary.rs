//! The digest of what a step reads.
//!
//! ```text
//! piece = H( of each directory, the inner ones first:
//!            path · mode, owner · H( of each file, by names:
//!                                    name · mode, owner, kind, size · content or link ) )
//! ```
//!
//! Of names, kinds, modes, owners, links and contents: no times, no inode numbers, so
//! that two checkouts of the same files are the same. A directory's files are a digest by
//! themselves, so that several threads can make them.
//!
//! Lives here: the form of it.
//! Must not: know where any of it comes from.
//! Called by: `ahead`, of what it saw; `gather`, of what it walked. Both come to the same.
//! Always true: no two trees that differ in what is told give the same bytes to be hashed.

use crate::ops::build::facts::Facts;
use crate::ops::build::hashes::Sum;
use crate::spec::digest::Hasher;

/// The mode and the owner of a thing.
#[derive(Clone, Copy)]
pub struct Head([u8; 12]);

impl Head {
    /// Makes one.
    pub fn new(mode: u32, owner: (u32, u32)) -> Self {
        let mut bytes = [0; 12];
        let numbers = [mode, owner.0, owner.1];
        for (place, number) in bytes.chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        Self(bytes)
    }

    /// Makes that of a thing; without `owners` all is root's.
    pub fn of(facts: &Facts, owners: bool) -> Self {
        let owner = if owners { facts.owner } else { (0, 0) };
        Self::new(facts.permissions(), owner)
    }
}

/// Bytes that are hashed at a time: a call for each value is what takes the time.
const FULL: usize = 32 << 10;

/// The digest of the files of one directory.
#[derive(Default)]
pub struct FileDigest {
    hasher: Hasher,
    bytes: Vec<u8>,
}

impl FileDigest {
    /// Adds a file.
    pub fn file(&mut self, name: &[u8], head: Head, size: u64, sum: &Sum) {
        self.item(name, &[&head.0, b"f", &size.to_le_bytes(), sum]);
    }

    /// Adds a link.
    pub fn link(&mut self, name: &[u8], head: Head, link: &[u8]) {
        self.item(name, &[&head.0, b"l", link]);
    }

    /// Adds a FIFO.
    pub fn fifo(&mut self, name: &[u8], head: Head) {
        self.item(name, &[&head.0, b"p"]);
    }

    fn item(&mut self, name: &[u8], says: &[&[u8]]) {
        put(&mut self.bytes, b"name", &[name]);
        put(&mut self.bytes, b"says", says);
        if self.bytes.len() > FULL {
            self.hasher.update(&self.bytes);
            self.bytes.clear();
        }
    }

    /// Returns it.
    pub fn finish(mut self) -> Sum {
        self.hasher.update(&self.bytes);
        self.hasher.finish_raw()
    }
}

/// The digest of a piece.
#[derive(Default)]
pub struct TreeDigest(Hasher);

impl TreeDigest {
    /// Adds a directory, all that are in it having been added.
    pub fn directory(&mut self, path: &[u8], head: Head, files: &Sum) {
        let mut bytes = Vec::with_capacity(path.len() + 96);
        put(&mut bytes, b"directory", &[path]);
        put(&mut bytes, b"says", &[&head.0, files]);
        self.0.update(&bytes);
    }

    /// Adds a file that is all there is.
    pub fn file(&mut self, files: &Sum) {
        field(&mut self.0, b"file", files);
    }

    /// Returns it.
    pub fn finish(self) -> Sum {
        self.0.finish_raw()
    }
}

/// Adds a value with its name and length, so that no two lists of values look alike.
pub fn field(hasher: &mut Hasher, name: &[u8], value: &[u8]) {
    let mut bytes = Vec::with_capacity(name.len() + value.len() + 9);
    put(&mut bytes, name, &[value]);
    hasher.update(&bytes);
}

/// The same, where a value has several parts.
fn put(bytes: &mut Vec<u8>, name: &[u8], parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    bytes.extend_from_slice(name);
    bytes.push(0);
    bytes.extend_from_slice(&(length as u64).to_le_bytes());
    for part in parts {
        bytes.extend_from_slice(part);
    }
}
