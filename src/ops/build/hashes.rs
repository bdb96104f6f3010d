//! Digests of files that were read before, and of directories of them.
//!
//! ```text
//! build/contexts/<dev>-<ino of the directory>
//!   "rpodctx2" · directories 8
//!   then, sorted by device and inode, records, little-endian:
//!   of directories, 88 bytes: device 8 · inode 8 · files 8 · look 32 · digest 32
//!   of files, 80 bytes: device 8 · inode 8 · size 8 · mtime 8+4 · ctime 8+4 · SHA-256 32
//! ```
//!
//! A file with the same inode, size and times has the same content: ctime(2) cannot
//! be set back by anybody. A file that was changed so lately that another change
//! would have the same time is read again next time. The look of a directory is the
//! digest of what tells this of each of its files; where it is the same, no file of it
//! has to be looked up, and mostly the records of files are not even read.
//!
//! Lives here: this memory, and reading a file to its digest.
//! Must not: walk directories (`gather`).
//! Called by: `gather`, `ahead`; `step` loads and saves it.
//! Always true: a memory that is missing, cut or of another version is an empty one.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::time::SystemTime;

use rustix::fs::Stat;

use crate::error::Result;
use crate::ops::build::facts::{Facts, KEY};
use crate::spec::digest::Hasher;
use crate::store::Store;

/// SHA-256 of a file's content.
pub type Sum = [u8; 32];

/// What was read of a directory's files.
pub struct Hashes {
    place: Option<(u64, u64)>,
    known: Known,
    learned: Learned,
    now: SystemTime,
}

/// The files of one directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Files {
    /// How many there are that are wanted.
    pub count: u64,
    /// The digest of them.
    pub sum: Sum,
}

/// What was not known.
#[derive(Default)]
pub struct Learned {
    files: Vec<FileRecord>,
    directories: Vec<DirectoryRecord>,
}

type FileRecord = [u8; KEY + 32];
type DirectoryRecord = [u8; 88];

const MAGIC: &[u8; 8] = b"rpodctx2";
/// Where the records begin.
const BODY: usize = 16;
/// Files of a memory at most, and directories.
const MOST: usize = 2_000_000;

impl Hashes {
    /// Returns a memory that is not kept.
    pub fn none() -> Self {
        Self {
            place: None,
            known: Known::default(),
            learned: Learned::default(),
            now: SystemTime::now(),
        }
    }

    /// Reads what is known of the files of a directory.
    pub fn load(store: &Store, directory: &Stat) -> Self {
        let place = (directory.st_dev, directory.st_ino);
        let none = Self::none();
        let file = File::open(store.context_path(place.0, place.1));
        Self {
            place: Some(place),
            known: file.map(Known::new).unwrap_or_default(),
            ..none
        }
    }

    /// Says whether it is kept.
    pub fn is_kept(&self) -> bool {
        self.place.is_some()
    }

    /// Returns the digest of an open file's content, read unless it is known.
    pub fn sum(&mut self, file: &mut dyn FnMut() -> Result<File>, facts: &Facts) -> Result<Sum> {
        if let Some(sum) = self.find(facts) {
            return Ok(sum);
        }
        let sum = read(file()?, facts.size)?;
        let mut learned = Learned::default();
        self.note(facts, &sum, &mut learned);
        self.learn(learned);
        Ok(sum)
    }

    /// Returns the digest of a file's content, if it is known.
    pub fn find(&self, facts: &Facts) -> Option<Sum> {
        let key = facts.key();
        let same = |record: &&FileRecord| record.starts_with(&key);
        let mut records = at(self.known.files(), place(&key));
        records.find(same).map(|record| tail(record))
    }

    /// Returns the digest of a directory's files, if it looks as it did.
    pub fn find_directory(&self, directory: &Facts, look: &Sum) -> Option<Files> {
        let key = directory.key();
        let same = |record: &&DirectoryRecord| record[24..56] == *look;
        let mut records = at(self.known.directories(), place(&key));
        records.find(same).map(|record| Files {
            count: long(record, 16),
            sum: tail(record),
        })
    }

    /// Notes the digest of a file's content, unless it may change without being noticed.
    pub fn note(&self, facts: &Facts, sum: &Sum, learned: &mut Learned) {
        if self.is_kept() && self.is_settled(facts) {
            let mut record = [0; KEY + 32];
            record[..KEY].copy_from_slice(&facts.key());
            record[KEY..].copy_from_slice(sum);
            learned.files.push(record);
        }
    }

    /// Notes the digest of a directory's files, all of which are settled.
    pub fn note_directory(
        &self,
        directory: &Facts,
        look: &Sum,
        files: &Files,
        learned: &mut Learned,
    ) {
        if self.is_kept() {
            let mut record = [0; 88];
            record[..16].copy_from_slice(&directory.key()[..16]);
            record[16..24].copy_from_slice(&files.count.to_le_bytes());
            record[24..56].copy_from_slice(look);
            record[56..].copy_from_slice(&files.sum);
            learned.directories.push(record);
        }
    }

    /// Says whether a change of a file from now on would show in its times.
    pub fn is_settled(&self, facts: &Facts) -> bool {
        facts.is_settled(self.now)
    }

    /// Takes what was noted.
    pub fn learn(&mut self, learned: Learned) {
        self.learned.append(learned);
    }

    /// Keeps what was learned. What cannot be kept is read again next time.
    pub fn save(self, store: &Store) {
        let Some((device, inode)) = self.place else {
            return;
        };
        let Learned { files, directories } = self.learned;
        if files.is_empty() && directories.is_empty() {
            return;
        }
        let directories = merged(self.known.directories(), directories);
        let files = merged(self.known.files(), files);
        let mut bytes = Vec::with_capacity(
            BODY + directories.as_flattened().len() + files.as_flattened().len(),
        );
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&(directories.len() as u64).to_le_bytes());
        bytes.extend_from_slice(directories.as_flattened());
        bytes.extend_from_slice(files.as_flattened());
        drop(store.save_context(device, inode, &bytes));
    }
}

impl Learned {
    /// Adds what another one has.
    pub fn append(&mut self, mut other: Self) {
        self.files.append(&mut other.files);
        self.directories.append(&mut other.directories);
    }
}

/// A file of this memory. Its records of files are read when one is asked for.
#[derive(Default)]
struct Known {
    file: Option<File>,
    directories: Vec<u8>,
    files: OnceLock<Vec<u8>>,
}

impl Known {
    fn new(file: File) -> Self {
        let mut head = [0; BODY];
        if file.read_exact_at(&mut head, 0).is_err() || !head.starts_with(MAGIC) {
            return Self::default();
        }
        let length = file.metadata().map_or(0, |meta| meta.len());
        let count = long(&head, 8).min(length / size_of::<DirectoryRecord>() as u64);
        let count = usize::try_from(count).unwrap_or(0);
        let mut directories = vec![0; count * size_of::<DirectoryRecord>()];
        if file.read_exact_at(&mut directories, BODY as u64).is_err() {
            return Self::default();
        }
        Self {
            file: Some(file),
            directories,
            files: OnceLock::new(),
        }
    }

    fn directories(&self) -> &[DirectoryRecord] {
        self.directories.as_chunks().0
    }

    fn files(&self) -> &[FileRecord] {
        let bytes = self.files.get_or_init(|| self.read_files());
        bytes.as_chunks().0
    }

    fn read_files(&self) -> Vec<u8> {
        let begin = (BODY + self.directories.len()) as u64;
        let most = (MOST * size_of::<FileRecord>()) as u64;
        let Some(file) = &self.file else {
            return Vec::new();
        };
        let length = file.metadata().map_or(0, |meta| meta.len());
        let length = length.saturating_sub(begin).min(most);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        match file.read_exact_at(&mut bytes, begin) {
            Ok(()) => bytes,
            Err(_) => Vec::new(),
        }
    }
}

/// The device and the inode that a record begins with.
fn place(record: &[u8]) -> (u64, u64) {
    (long(record, 0), long(record, 8))
}

/// The records of a place. Where their order is broken, less is found.
fn at<const N: usize>(records: &[[u8; N]], wanted: (u64, u64)) -> impl Iterator<Item = &[u8; N]> {
    let first = records.partition_point(|record| place(record) < wanted);
    let same = move |record: &&[u8; N]| place(*record) == wanted;
    records[first..].iter().take_while(same)
}

/// Old records and new ones; an old one of the same place is of no use any more.
fn merged<const N: usize>(old: &[[u8; N]], mut new: Vec<[u8; N]>) -> Vec<[u8; N]> {
    let order = |record: &[u8; N]| (place(record), *record);
    new.sort_unstable_by_key(order);
    new.dedup();
    let is_old = |record: &&[u8; N]| {
        let key = |new: &[u8; N]| place(new).cmp(&place(*record));
        new.binary_search_by(key).is_err()
    };
    let mut all: Vec<[u8; N]> = old.iter().filter(is_old).copied().collect();
    all.append(&mut new);
    all.sort_unstable_by_key(order);
    all.truncate(MOST);
    all
}

fn long(record: &[u8], at: usize) -> u64 {
    let bytes = record.get(at..at + 8).unwrap_or_default();
    u64::from_le_bytes(bytes.try_into().unwrap_or_default())
}

/// The digest that a record ends with.
fn tail(record: &[u8]) -> Sum {
    record.last_chunk().copied().unwrap_or_default()
}

/// Reads a file of about this size to its digest.
pub fn read(mut file: File, size: u64) -> Result<Sum> {
    let mut hasher = Hasher::default();
    // A byte more than it has, so that the end is seen at once.
    let most = size.saturating_add(1).min(128 << 10);
    let mut buffer = vec![0; usize::try_from(most).unwrap_or(1)];
    let mut total = 0;
    loop {
        let count = file.read(&mut buffer)?;
        hasher.update(&buffer[..count]);
        total += count as u64;
        if is_end(count, buffer.len(), total, size) {
            return Ok(hasher.finish_raw());
        }
    }
}

/// Says whether a read of `count` bytes, of `most` that could be, was the last one of a
/// file of about this size. A short read alone is not: FUSE may give any number.
pub fn is_end(count: usize, most: usize, total: u64, size: u64) -> bool {
    count == 0 || (count < most && total >= size)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::{Duration, SystemTime};

    use super::{Files, Hashes, Known, Learned, is_end};
    use crate::error::Error;
    use crate::ops::build::facts::Facts;
    use crate::store::Store;

    #[test]
    fn a_short_read_is_no_end_before_the_size_is_reached() {
        // FUSE gives what it likes: 4 of 10 bytes, with room for 11.
        assert!(!is_end(4, 11, 4, 10));
        assert!(is_end(6, 7, 10, 10));
        assert!(is_end(0, 11, 4, 10), "the file has become shorter");
        assert!(!is_end(11, 11, 11, 10), "it has become longer");
    }

    #[test]
    fn a_file_is_read_once_until_it_changes() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("rpod")).expect("a store");
        store.prepare_build().expect("made");
        let context = dir.path().join("context");
        std::fs::create_dir(&context).expect("made");
        let path = context.join("x");
        std::fs::write(&path, "one").expect("written");
        let stat = |p: &std::path::Path| rustix::fs::stat(p).expect("there");
        let facts = |p: &std::path::Path| Facts::of(&stat(p));
        let mut hashes = Hashes::load(&store, &stat(&context));
        // As if it had been written long ago.
        hashes.now = SystemTime::now() + Duration::from_secs(10);
        let mut open = || File::open(&path).map_err(Error::from);
        let first = hashes.sum(&mut open, &facts(&path)).expect("read");
        hashes.save(&store);
        let mut hashes = Hashes::load(&store, &stat(&context));
        let mut never = || Err(Error::new("it was opened"));
        let again = hashes.sum(&mut never, &facts(&path)).expect("known");
        assert_eq!(first, again);
        std::fs::write(&path, "two").expect("written");
        let changed = hashes.sum(&mut open, &facts(&path)).expect("read");
        assert_ne!(first, changed);
        // It was written just now, so it is not kept.
        assert!(hashes.learned.files.is_empty());
    }

    #[test]
    fn what_is_known_of_a_place_is_replaced_and_the_rest_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("rpod")).expect("a store");
        store.prepare_build().expect("made");
        let context = rustix::fs::stat(dir.path()).expect("there");
        let of = |inode: u64, size: u64| {
            let mut stat = context;
            (stat.st_ino, stat.st_size) = (inode, size.cast_signed());
            Facts::of(&stat)
        };
        let look = |n: u8| [n; 32];
        let files = |n: u8| Files {
            count: n.into(),
            sum: [n; 32],
        };
        let save = |of_files: &[(u64, u64)], of_directories: &[(u64, u8)]| {
            let mut hashes = Hashes::load(&store, &context);
            hashes.now = SystemTime::now() + Duration::from_secs(10);
            let mut learned = Learned::default();
            for (inode, size) in of_files {
                let sum = [u8::try_from(*size).expect("small"); 32];
                hashes.note(&of(*inode, *size), &sum, &mut learned);
            }
            for (inode, n) in of_directories {
                hashes.note_directory(&of(*inode, 0), &look(*n), &files(*n), &mut learned);
            }
            hashes.learn(learned);
            hashes.save(&store);
            Hashes::load(&store, &context)
        };
        save(&[(7, 1), (9, 1)], &[(5, 1), (3, 1)]);
        let hashes = save(&[(8, 1), (7, 2)], &[(3, 2), (4, 4)]);
        let found = |inode, size| hashes.find(&of(inode, size)).map(|sum| sum[0]);
        assert_eq!(
            [found(7, 2), found(8, 1), found(9, 1)],
            [Some(2), Some(1), Some(1)]
        );
        assert_eq!([found(7, 1), found(9, 2), found(6, 1)], [None; 3]);
        let found = |inode, n| hashes.find_directory(&of(inode, 0), &look(n));
        assert_eq!(
            [found(3, 2), found(4, 4), found(5, 1)],
            [2, 4, 1].map(|n| Some(files(n)))
        );
        assert_eq!([found(3, 1), found(5, 2), found(6, 1)], [None; 3]);
    }

    #[test]
    fn a_broken_memory_is_an_empty_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("memory");
        let short = b"rpodctx2\x01\0\0\0\0\0\0\0and then half a record";
        let many = [b"rpodctx2", [0xff; 28].as_slice()].concat();
        let broken: [&[u8]; 5] = [b"", b"something else", b"rpodctx2\x01", short, &many];
        for broken in broken {
            std::fs::write(&path, broken).expect("written");
            let known = Known::new(File::open(&path).expect("open"));
            assert!(known.directories().is_empty() && known.files().is_empty());
        }
    }
}
