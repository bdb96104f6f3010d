//! Directories looked at ahead of a walk, by several threads: names, what each is,
//! and the digests of files that are not known yet.
//!
//! ```text
//! list(directory) ─▶ look(names, a few hundred at a time) ─▶ list(each directory in it)
//! ```
//!
//! Lives here: the threads and what they found, and what is left out of a directory.
//! Must not: decide what belongs to a step (`gather` walks in order, and asks here
//! first), or report a fault: what could not be read is simply not there, and the
//! walk meets the fault itself.
//! Called by: `gather`, in a step's own process, and of `files` in the builder; `fresh`
//! has its threads from here.
//! Always true: all threads have ended when [`look`] returns, so the process may
//! fork again; a directory is known whole or not at all; however many files there are,
//! no more of them are kept in memory than was asked for.

use std::collections::HashMap;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, openat2, readlinkat, statat,
};
use rustix::io::Errno;

use crate::build::ignore::{Ignore, Inside};
use crate::ops::build::gather::{self, facts, join};
use crate::ops::build::hashes::{Hashes, Sum};
use crate::ops::build::summary::{FileDigest, Head, TreeDigest};

/// What is to be looked at.
pub struct Asked<'a> {
    /// The directory.
    pub top: BorrowedFd<'a>,
    /// Its path below the root.
    pub path: &'a [u8],
    /// What is left out of the root.
    pub ignore: Option<&'a Ignore>,
    /// What is left out below the directory.
    pub exclude: Option<&'a Ignore>,
    /// What is known of files; without it no file is read.
    pub hashes: Option<&'a Hashes>,
    /// Owners count.
    pub owners: bool,
    /// Directories in each other at most.
    pub levels: usize,
    /// Names at most: beyond, nothing more is looked at.
    pub most: usize,
}

/// A name in a directory, and what it is.
pub struct Seen {
    /// The name.
    pub name: Vec<u8>,
    /// What it is.
    pub stat: Stat,
    /// Whether it is wanted.
    pub fate: Fate,
    /// The digest of a file.
    pub sum: Option<Sum>,
    /// Where a link leads.
    pub link: Option<Vec<u8>>,
}

/// Whether a name is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is.
    Kept,
    /// It is left out, but something in it may not be.
    LeftOut,
    /// It is left out with all that is in it.
    Gone,
}

/// What was found, by the paths of directories below the first.
#[derive(Default)]
pub struct Ahead {
    directories: HashMap<Vec<u8>, Listed>,
    /// Digests of files that were not known.
    pub learned: Vec<(Stat, Sum)>,
    owners: bool,
}

#[derive(Default)]
struct Listed {
    /// How many names it has.
    count: usize,
    parts: Vec<Part>,
}

/// Some names of a directory.
#[derive(Default)]
struct Part {
    /// The number of the first.
    first: usize,
    seen: Vec<Seen>,
    /// Which of them are directories that are wanted, or something in them.
    directories: Vec<usize>,
    /// The digest of the others, where they are all that the directory has.
    files: Option<Files>,
}

impl Ahead {
    /// Takes what a directory holds, sorted by names, if all of it is known.
    pub fn take(&mut self, below: &[u8]) -> Option<Vec<Seen>> {
        let listed = self.directories.remove(below)?;
        if !listed.is_whole() {
            return None;
        }
        let mut parts = listed.parts;
        parts.sort_unstable_by_key(|part| part.first);
        let mut parts = parts.into_iter().map(|part| part.seen);
        let mut all = parts.next().unwrap_or_default();
        parts.for_each(|mut part| all.append(&mut part));
        Some(all)
    }

    /// Adds all directories to the digest of a piece, as a walk would come to them.
    /// Says whether there is anything; none when there is what only a walk can tell.
    pub fn put(&self, tree: &mut TreeDigest, top: &Stat, left_out: bool) -> Option<bool> {
        self.put_directory(tree, b"", Head::of(top, self.owners), left_out)
    }

    /// Says whether anything in it is wanted.
    fn put_directory(
        &self,
        tree: &mut TreeDigest,
        below: &[u8],
        head: Head,
        left_out: bool,
    ) -> Option<bool> {
        let listed = self.directories.get(below).filter(|l| l.is_whole())?;
        let mut parts: Vec<&Part> = listed.parts.iter().collect();
        parts.sort_unstable_by_key(|part| part.first);
        let mut wanted = !left_out;
        for part in &parts {
            for seen in part.directories.iter().map(|at| &part.seen[*at]) {
                let head = Head::of(&seen.stat, self.owners);
                let path = join(below, &seen.name);
                wanted |= self.put_directory(tree, &path, head, seen.fate != Fate::Kept)?;
            }
        }
        let files = match parts.as_slice() {
            [part] => part.files?,
            parts => Files::of(parts.iter().flat_map(|part| &part.seen), self.owners)?,
        };
        wanted |= files.count > 0;
        if wanted {
            tree.directory(below, head, &files.sum);
        }
        Some(wanted)
    }
}

impl Listed {
    fn is_whole(&self) -> bool {
        self.parts.iter().map(|part| part.seen.len()).sum::<usize>() == self.count
    }
}

/// The files of one directory.
#[derive(Clone, Copy)]
struct Files {
    count: usize,
    sum: Sum,
}

impl Files {
    fn of<'s>(all: impl Iterator<Item = &'s Seen>, owners: bool) -> Option<Self> {
        let mut digest = FileDigest::default();
        let mut count = 0;
        for seen in all.filter(|seen| seen.fate == Fate::Kept) {
            let head = Head::of(&seen.stat, owners);
            match (FileType::from_raw_mode(seen.stat.st_mode), &seen.link) {
                (FileType::RegularFile, _) => {
                    let size = seen.stat.st_size.cast_unsigned();
                    digest.file(&seen.name, head, size, &seen.sum?);
                }
                (FileType::Symlink, Some(link)) => digest.link(&seen.name, head, link),
                (FileType::Symlink, None) => return None,
                (FileType::Fifo, _) => digest.fifo(&seen.name, head),
                _ => continue,
            }
            count += 1;
        }
        Some(Self {
            count,
            sum: digest.finish(),
        })
    }
}

/// Names that are looked at in one go.
const BATCH: usize = 256;
/// Threads at most: beyond, they wait for each other in the kernel.
const THREADS: usize = 8;

enum Task {
    List {
        below: Vec<u8>,
        level: usize,
    },
    Look {
        below: Vec<u8>,
        level: usize,
        first: usize,
        names: Vec<Vec<u8>>,
    },
}

struct Queue {
    tasks: Vec<Task>,
    /// Tasks that somebody is at, each of which may bring more.
    busy: usize,
    /// Names that were found.
    names: usize,
    found: Ahead,
}

/// Looks at a directory and all that is in it.
pub fn look(asked: &Asked<'_>) -> Ahead {
    let queue = Mutex::new(Queue {
        tasks: vec![Task::List {
            below: Vec::new(),
            level: 0,
        }],
        busy: 0,
        names: 0,
        found: Ahead {
            owners: asked.owners,
            ..Ahead::default()
        },
    });
    let more = Condvar::new();
    together(threads(), || work(asked, &queue, &more));
    queue
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .found
}

/// How many threads files are read and written by.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(THREADS))
}

/// Does the same in so many threads, this one among them, all of which have ended when
/// it returns.
pub fn together(count: usize, work: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        // Where there can be no more threads, those that are there do it all.
        let start = |_| std::thread::Builder::new().spawn_scoped(scope, &work).ok();
        let others: Vec<_> = (1..count).filter_map(start).collect();
        work();
        for other in others {
            // A scope alone waits for the work, and not for the thread's own end.
            if let Err(panic) = other.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}

/// Opens a directory below another one, without following a link.
///
/// # Errors
/// As openat2(2) with `RESOLVE_BENEATH` and `RESOLVE_NO_SYMLINKS`.
pub fn beneath(top: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Errno> {
    openat2(
        top,
        OsStr::from_bytes(if path.is_empty() { b"." } else { path }),
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
    )
}

fn work(asked: &Asked<'_>, queue: &Mutex<Queue>, more: &Condvar) {
    let mut held = lock(queue);
    loop {
        if let Some(task) = held.tasks.pop() {
            held.busy += 1;
            drop(held);
            let found = match task {
                Task::List { below, level } => asked.list(below, level),
                Task::Look {
                    below,
                    level,
                    first,
                    names,
                } => asked.look(below, level, first, names),
            };
            held = lock(queue);
            held.busy -= 1;
            held.take(found, asked.most);
            more.notify_all();
        } else if held.busy == 0 {
            return;
        } else {
            held = more.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a task brings: more tasks, and what is known of a directory.
#[derive(Default)]
struct Found {
    tasks: Vec<Task>,
    below: Vec<u8>,
    count: usize,
    part: Option<Part>,
    learned: Vec<(Stat, Sum)>,
}

impl Queue {
    fn take(&mut self, found: Found, most: usize) {
        self.found.learned.extend(found.learned);
        self.names = self.names.saturating_add(found.count);
        if self.names > most {
            // The walk looks at the rest by itself, and says when it is too much.
            self.tasks.clear();
            return;
        }
        self.tasks.extend(found.tasks);
        let entry = self.found.directories.entry(found.below).or_default();
        entry.count += found.count;
        entry.parts.extend(found.part);
    }
}

impl Asked<'_> {
    fn list(&self, below: Vec<u8>, level: usize) -> Found {
        let Ok(directory) = beneath(self.top, &below) else {
            return Found::unknown(below);
        };
        let Ok(mut names) = gather::names_of(directory.as_fd(), self.most) else {
            return Found::unknown(below);
        };
        let count = names.len();
        if count <= BATCH {
            let mut found = self.look_in(directory.as_fd(), below, level, 0, names);
            if let (Some(part), Some(_)) = (&mut found.part, self.hashes) {
                part.files = Files::of(part.seen.iter(), self.owners);
            }
            return Found { count, ..found };
        }
        let mut tasks = Vec::new();
        while !names.is_empty() {
            let first = names.len().saturating_sub(BATCH);
            tasks.push(Task::Look {
                below: below.clone(),
                level,
                first,
                names: names.split_off(first),
            });
        }
        Found {
            tasks,
            below,
            count,
            ..Found::default()
        }
    }

    fn look(&self, below: Vec<u8>, level: usize, first: usize, names: Vec<Vec<u8>>) -> Found {
        match beneath(self.top, &below) {
            Ok(directory) => self.look_in(directory.as_fd(), below, level, first, names),
            Err(_) => Found::unknown(below),
        }
    }

    fn look_in(
        &self,
        directory: BorrowedFd<'_>,
        below: Vec<u8>,
        level: usize,
        first: usize,
        names: Vec<Vec<u8>>,
    ) -> Found {
        let fates = Fates::new(self.ignore, self.exclude, self.path, &below);
        let mut found = Found::default();
        let mut part = Part {
            first,
            seen: Vec::with_capacity(names.len()),
            ..Part::default()
        };
        for name in names {
            let path = OsStr::from_bytes(&name);
            let Ok(stat) = statat(directory, path, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            let kind = FileType::from_raw_mode(stat.st_mode);
            let fate = fates.of(&name, kind == FileType::Directory);
            let (mut sum, mut link) = (None, None);
            match kind {
                FileType::Directory if fate != Fate::Gone => {
                    part.directories.push(part.seen.len());
                    if level + 1 < self.levels {
                        found.tasks.push(Task::List {
                            below: join(&below, &name),
                            level: level + 1,
                        });
                    }
                }
                FileType::RegularFile if fate == Fate::Kept => {
                    sum = self.sum(directory, &name, &stat, &mut found.learned);
                }
                FileType::Symlink if fate == Fate::Kept => {
                    link = readlinkat(directory, path, Vec::new()).ok();
                }
                _ => {}
            }
            part.seen.push(Seen {
                name,
                stat,
                fate,
                sum,
                link: link.map(CString::into_bytes),
            });
        }
        Found {
            below,
            part: Some(part),
            ..found
        }
    }

    fn sum(
        &self,
        directory: BorrowedFd<'_>,
        name: &[u8],
        stat: &Stat,
        learned: &mut Vec<(Stat, Sum)>,
    ) -> Option<Sum> {
        let hashes = self.hashes?;
        if let Some(known) = hashes.find(stat) {
            return Some(known);
        }
        let file: File = gather::open_unchanged(directory, name, &facts(stat)).ok()?;
        let sum = crate::ops::build::hashes::read(file, stat.st_size.cast_unsigned()).ok()?;
        learned.push((*stat, sum));
        Some(sum)
    }
}

impl Found {
    /// Nothing can be said of a directory: the walk looks for itself.
    fn unknown(below: Vec<u8>) -> Self {
        Self {
            below,
            count: 1,
            ..Self::default()
        }
    }
}

/// What is left out of one directory.
pub struct Fates<'a> {
    /// Of the root, with the directory's path from there.
    ignore: Option<(&'a Ignore, Inside<'a>, Vec<u8>)>,
    /// Of the piece, with the path from there.
    exclude: Option<(&'a Ignore, Inside<'a>, Vec<u8>)>,
}

impl<'a> Fates<'a> {
    /// Prepares for the directory `below` a piece that is at `path`.
    pub fn new(
        ignore: Option<&'a Ignore>,
        exclude: Option<&'a Ignore>,
        path: &[u8],
        below: &[u8],
    ) -> Self {
        let lines =
            |ignore: &'a Ignore, directory: Vec<u8>| (ignore, ignore.inside(&directory), directory);
        Self {
            ignore: ignore.map(|ignore| lines(ignore, join(path, below))),
            exclude: exclude.map(|exclude| lines(exclude, below.to_vec())),
        }
    }

    /// Says whether a name in it is wanted.
    pub fn of(&self, name: &[u8], is_directory: bool) -> Fate {
        let mut fate = Fate::Kept;
        for (ignore, inside, directory) in [&self.ignore, &self.exclude].into_iter().flatten() {
            let path = join(directory, name);
            if inside.excludes(&path) {
                fate = Fate::LeftOut;
                if !is_directory || !ignore.may_include_below(&path) {
                    return Fate::Gone;
                }
            }
        }
        fate
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;

    use super::{Asked, look};
    use crate::ops::build::hashes::Hashes;

    #[test]
    fn all_of_a_tree_is_seen_once_and_sorted() {
        let dir = tempfile::tempdir().expect("a directory");
        for d in 0..5 {
            std::fs::create_dir_all(dir.path().join(format!("d{d}/deep"))).expect("made");
            for f in 0..600 {
                std::fs::write(dir.path().join(format!("d{d}/f{f:03}")), "x").expect("written");
            }
        }
        std::os::unix::fs::symlink("d0", dir.path().join("link")).expect("linked");
        let top = File::open(dir.path()).expect("open");
        let hashes = Hashes::none();
        let mut ahead = look(&Asked {
            top: top.as_fd(),
            path: b"",
            ignore: None,
            exclude: None,
            hashes: Some(&hashes),
            owners: false,
            levels: 2,
            most: 10_000,
        });
        assert_eq!(ahead.take(b"").expect("listed").len(), 6);
        let seen = ahead.take(b"d3").expect("listed");
        assert_eq!(seen.len(), 601);
        assert!(seen.is_sorted_by(|a, b| a.name < b.name));
        assert!(seen[1].sum.is_some() && seen[0].sum.is_none());
        assert!(ahead.take(b"link").is_none());
        assert!(ahead.take(b"d3/deep").is_none(), "it lies too deep");
        assert!(ahead.take(b"d3").is_none(), "it was taken");
    }

    #[test]
    fn no_more_is_kept_than_was_asked_for() {
        let dir = tempfile::tempdir().expect("a directory");
        for d in 0..20 {
            std::fs::create_dir(dir.path().join(format!("d{d:02}"))).expect("made");
            for f in 0..300 {
                std::fs::write(dir.path().join(format!("d{d:02}/f{f:03}")), "").expect("written");
            }
        }
        let top = File::open(dir.path()).expect("open");
        let count = |most: usize| {
            let mut ahead = look(&Asked {
                top: top.as_fd(),
                path: b"",
                ignore: None,
                exclude: None,
                hashes: None,
                owners: false,
                levels: 9,
                most,
            });
            let kept = ahead.directories.values().flat_map(|d| &d.parts);
            let kept = kept.map(|part| part.seen.len()).sum::<usize>();
            let known = (0..20).filter_map(|d| ahead.take(format!("d{d:02}").as_bytes()));
            (kept, known.map(|seen| seen.len()).sum::<usize>())
        };
        assert_eq!(count(6020), (6020, 6000));
        let (kept, known) = count(1000);
        assert!(kept <= 1000, "{kept}");
        assert!(known < 1000 && known.is_multiple_of(300), "{known}");
        assert_eq!(count(299), (20, 0), "no directory has so few");
    }
}
