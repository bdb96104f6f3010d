//! Digests of files that were read before.
//!
//! ```text
//! build/contexts/<dev>-<ino of the directory>
//!   "rpodctx1"  then, sorted by device and inode, records of 80 bytes, little-endian:
//!   device 8 · inode 8 · size 8 · mtime 8+4 · ctime 8+4 · SHA-256 32
//! ```
//!
//! A file with the same inode, size and times has the same content: ctime(2) cannot
//! be set back by anybody. A file that was changed so lately that another change
//! would have the same time is read again next time.
//!
//! Lives here: this memory, and reading a file to its digest.
//! Must not: walk directories (`gather`).
//! Called by: `gather`, `ahead`; `step` loads and saves it.
//! Always true: a memory that is missing, cut or of another version is an empty one.

use std::fs::File;
use std::io::Read;
use std::time::{Duration, SystemTime};

use rustix::fs::Stat;

use crate::error::Result;
use crate::spec::digest::Hasher;
use crate::store::Store;

/// SHA-256 of a file's content.
pub type Sum = [u8; 32];

/// What was read of a directory's files.
pub struct Hashes {
    place: Option<(u64, u64)>,
    /// The file, as it was read: most of it is never looked at.
    known: Known,
    new: Vec<Record>,
    now: SystemTime,
}

/// What tells whether a file is the one it was, in the order of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Facts {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, u32),
    changed: (i64, u32),
}

#[derive(Clone, Copy, Debug)]
struct Record {
    facts: Facts,
    sum: Sum,
}

const MAGIC: &[u8; 8] = b"rpodctx1";
const LENGTH: usize = 80;
/// Files of a memory at most.
const MOST: usize = 2_000_000;
/// A file system may count its times in steps of this.
const COARSE: Duration = Duration::from_secs(2);
/// The kernel counts in steps of at most this, where the file system has nanoseconds.
const FINE: Duration = Duration::from_millis(50);

impl Hashes {
    /// Returns a memory that is not kept.
    pub fn none() -> Self {
        Self {
            place: None,
            known: Known::default(),
            new: Vec::new(),
            now: SystemTime::now(),
        }
    }

    /// Reads what is known of the files of a directory.
    pub fn load(store: &Store, directory: &Stat) -> Self {
        let place = (directory.st_dev, directory.st_ino);
        let bytes = std::fs::read(store.context_path(place.0, place.1)).unwrap_or_default();
        Self {
            place: Some(place),
            known: Known(bytes),
            ..Self::none()
        }
    }

    /// Returns the digest of an open file's content, read unless it is known.
    pub fn sum(&mut self, file: &mut dyn FnMut() -> Result<File>, stat: &Stat) -> Result<Sum> {
        if let Some(sum) = self.find(stat) {
            return Ok(sum);
        }
        let sum = read(file()?, stat.st_size.cast_unsigned())?;
        self.learn(stat, sum);
        Ok(sum)
    }

    /// Returns the digest of a file's content, if it is known.
    pub fn find(&self, stat: &Stat) -> Option<Sum> {
        self.known.find(&Facts::of(stat))
    }

    /// Notes the digest of a file's content, which was not known.
    pub fn learn(&mut self, stat: &Stat, sum: Sum) {
        let facts = Facts::of(stat);
        if self.place.is_some() && facts.is_settled(self.now) {
            self.new.push(Record { facts, sum });
        }
    }

    /// Keeps what was learned. What cannot be kept is read again next time.
    pub fn save(mut self, store: &Store) {
        let Some((device, inode)) = self.place else {
            return;
        };
        if self.new.is_empty() {
            return;
        }
        // An older record of the same file is of no use any more.
        self.new
            .sort_unstable_by_key(|r| (r.facts.device, r.facts.inode));
        self.new.dedup_by(|one, other| one.facts == other.facts);
        let key = |r: &Record| (r.facts.device, r.facts.inode);
        let new = &self.new;
        let mut all: Vec<Record> = self.known.all().collect();
        all.retain(|old| new.binary_search_by_key(&key(old), key).is_err());
        all.append(&mut self.new);
        all.sort_unstable_by_key(|r| r.facts);
        all.truncate(MOST);
        drop(store.save_context(device, inode, &write(&all)));
    }
}

/// Records as they are in the file, in their order.
#[derive(Default)]
struct Known(Vec<u8>);

impl Known {
    fn records(&self) -> &[[u8; LENGTH]] {
        let body = self.0.strip_prefix(MAGIC).unwrap_or_default();
        let records = body.as_chunks::<LENGTH>().0;
        &records[..records.len().min(MOST)]
    }

    /// Where the order is broken, less is found.
    fn find(&self, facts: &Facts) -> Option<Sum> {
        let records = self.records();
        let key = |record: &[u8; LENGTH]| (long(record, 0), long(record, 8));
        let at = records.partition_point(|record| key(record) < (facts.device, facts.inode));
        let same = |record: &&[u8; LENGTH]| key(record) == (facts.device, facts.inode);
        let mut same = records[at..].iter().take_while(same).map(parse);
        same.find(|r| r.facts == *facts).map(|r| r.sum)
    }

    fn all(&self) -> impl Iterator<Item = Record> {
        self.records().iter().map(parse)
    }
}

impl Facts {
    fn of(stat: &Stat) -> Self {
        let nanoseconds = |n: u64| u32::try_from(n).unwrap_or(0);
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size.cast_unsigned(),
            modified: (stat.st_mtime, nanoseconds(stat.st_mtime_nsec)),
            changed: (stat.st_ctime, nanoseconds(stat.st_ctime_nsec)),
        }
    }

    /// Says whether a change from now on would show in the times.
    fn is_settled(&self, now: SystemTime) -> bool {
        let step = if self.changed.1 == 0 { COARSE } else { FINE };
        let (seconds, nanoseconds) = self.changed;
        let changed = SystemTime::UNIX_EPOCH
            + Duration::new(seconds.max(0).unsigned_abs(), nanoseconds.min(999_999_999));
        changed + step < now
    }
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

fn long(record: &[u8; LENGTH], at: usize) -> u64 {
    u64::from_le_bytes(record[at..at + 8].try_into().unwrap_or_default())
}

fn parse(record: &[u8; LENGTH]) -> Record {
    let short = |at: usize| u32::from_le_bytes(record[at..at + 4].try_into().unwrap_or_default());
    Record {
        facts: Facts {
            device: long(record, 0),
            inode: long(record, 8),
            size: long(record, 16),
            modified: (long(record, 24).cast_signed(), short(32)),
            changed: (long(record, 36).cast_signed(), short(44)),
        },
        sum: record[48..80].try_into().unwrap_or_default(),
    }
}

fn write(records: &[Record]) -> Vec<u8> {
    let mut out = Vec::with_capacity(MAGIC.len() + records.len() * LENGTH);
    out.extend_from_slice(MAGIC);
    for Record { facts, sum } in records {
        out.extend_from_slice(&facts.device.to_le_bytes());
        out.extend_from_slice(&facts.inode.to_le_bytes());
        out.extend_from_slice(&facts.size.to_le_bytes());
        for (seconds, nanoseconds) in [facts.modified, facts.changed] {
            out.extend_from_slice(&seconds.to_le_bytes());
            out.extend_from_slice(&nanoseconds.to_le_bytes());
        }
        out.extend_from_slice(sum);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::{Duration, SystemTime};

    use super::{Hashes, Known, is_end};
    use crate::error::Error;
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
        let mut hashes = Hashes::load(&store, &stat(&context));
        // As if it had been written long ago.
        hashes.now = SystemTime::now() + Duration::from_secs(10);
        let mut open = || File::open(&path).map_err(Error::from);
        let first = hashes.sum(&mut open, &stat(&path)).expect("read");
        hashes.save(&store);
        let mut hashes = Hashes::load(&store, &stat(&context));
        let mut never = || Err(Error::new("it was opened"));
        let again = hashes.sum(&mut never, &stat(&path)).expect("known");
        assert_eq!(first, again);
        std::fs::write(&path, "two").expect("written");
        let changed = hashes.sum(&mut open, &stat(&path)).expect("read");
        assert_ne!(first, changed);
        // It was written just now, so it is not kept.
        assert!(hashes.new.is_empty());
    }

    #[test]
    fn a_broken_memory_is_an_empty_one() {
        for broken in ["", "something else", "rpodctx1 and then half a record"] {
            assert!(Known(broken.into()).records().is_empty());
        }
    }
}
