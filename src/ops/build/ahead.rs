//! Directories looked at ahead of a walk, by several threads: names, what each is,
//! and the digests of files that are not known yet.
//!
//! ```text
//! list(directory) ─▶ look(names, a few hundred at a time) ─▶ list(each directory in it)
//! ```
//!
//! Lives here: the threads and what they found.
//! Must not: decide what belongs to a step (`gather` walks in order, and asks here
//! first), or report a fault: what could not be read is simply not there, and the
//! walk meets the fault itself.
//! Called by: `gather`, in a step's own process, and of `files` in the builder; `fresh`
//! has its threads from here.
//! Always true: all threads have ended when [`look`] returns, so the process may
//! fork again; a directory is known whole or not at all.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, openat2, statat};
use rustix::io::Errno;

use crate::build::ignore::Ignore;
use crate::ops::build::gather::{self, join};
use crate::ops::build::hashes::{Hashes, Sum};

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
    /// What is known of files.
    pub hashes: &'a Hashes,
    /// Directories in each other at most.
    pub levels: usize,
}

/// A name in a directory, and what it is.
pub struct Seen {
    /// The name.
    pub name: Vec<u8>,
    /// What it is.
    pub stat: Stat,
    /// The digest of a file, and whether it had to be read for it.
    pub sum: Option<(Sum, bool)>,
}

/// What was found, by the paths of directories below the first.
#[derive(Default)]
pub struct Ahead {
    directories: HashMap<Vec<u8>, Listed>,
}

#[derive(Default)]
struct Listed {
    /// How many names it has.
    count: usize,
    seen: Vec<Seen>,
}

impl Ahead {
    /// Takes what a directory holds, sorted by names, if all of it is known.
    pub fn take(&mut self, below: &[u8]) -> Option<Vec<Seen>> {
        let mut listed = self.directories.remove(below)?;
        if listed.seen.len() != listed.count {
            return None;
        }
        listed.seen.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Some(listed.seen)
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
        names: Vec<Vec<u8>>,
    },
}

struct Queue {
    tasks: Vec<Task>,
    /// Tasks that somebody is at, each of which may bring more.
    busy: usize,
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
        found: Ahead::default(),
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
            let (tasks, seen) = match task {
                Task::List { below, level } => asked.list(below, level),
                Task::Look {
                    below,
                    level,
                    names,
                } => asked.look(below, level, names),
            };
            held = lock(queue);
            held.busy -= 1;
            held.tasks.extend(tasks);
            if let Some((below, listed)) = seen {
                let entry = held.found.directories.entry(below).or_default();
                entry.count += listed.count;
                entry.seen.extend(listed.seen);
            }
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

type Found = (Vec<Task>, Option<(Vec<u8>, Listed)>);

impl Asked<'_> {
    fn list(&self, below: Vec<u8>, level: usize) -> Found {
        let names = beneath(self.top, &below)
            .ok()
            .and_then(|fd| gather::names_of(fd.as_fd()).ok());
        let Some(mut names) = names else {
            return (Vec::new(), None);
        };
        let listed = Listed {
            count: names.len(),
            seen: Vec::new(),
        };
        let mut batches = Vec::new();
        while !names.is_empty() {
            batches.push(Task::Look {
                below: below.clone(),
                level,
                names: names.split_off(names.len().saturating_sub(BATCH)),
            });
        }
        (batches, Some((below, listed)))
    }

    fn look(&self, below: Vec<u8>, level: usize, names: Vec<Vec<u8>>) -> Found {
        let Ok(directory) = beneath(self.top, &below) else {
            return (Vec::new(), None);
        };
        let mut tasks = Vec::new();
        let mut seen = Vec::with_capacity(names.len());
        for name in names {
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            let Ok(stat) = statat(&directory, OsStr::from_bytes(&name), flags) else {
                continue;
            };
            let inside = join(&below, &name);
            let path = join(self.path, &inside);
            let left_out = |ignore: Option<&Ignore>, path: &[u8]| {
                ignore.is_some_and(|ignore| ignore.excludes(path))
            };
            let ignored = left_out(self.ignore, &path);
            let excluded = left_out(self.exclude, &inside);
            let mut sum = None;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => {
                    let dead_end = |out: bool, ignore: Option<&Ignore>, path: &[u8]| {
                        out && ignore.is_some_and(|ignore| !ignore.may_include_below(path))
                    };
                    let dead = dead_end(ignored, self.ignore, &path)
                        || dead_end(excluded, self.exclude, &inside);
                    if !dead && level + 1 < self.levels {
                        tasks.push(Task::List {
                            below: inside,
                            level: level + 1,
                        });
                    }
                }
                FileType::RegularFile if !ignored && !excluded && stat.st_nlink == 1 => {
                    sum = self.sum(directory.as_fd(), &name, &stat);
                }
                _ => {}
            }
            seen.push(Seen { name, stat, sum });
        }
        (tasks, Some((below, Listed { count: 0, seen })))
    }

    fn sum(&self, directory: BorrowedFd<'_>, name: &[u8], stat: &Stat) -> Option<(Sum, bool)> {
        if let Some(known) = self.hashes.find(stat) {
            return Some((known, false));
        }
        let file: File = gather::open_unchanged(directory, name, stat).ok()?;
        let sum = crate::ops::build::hashes::read(file, stat.st_size.cast_unsigned()).ok()?;
        Some((sum, true))
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
            hashes: &hashes,
            levels: 2,
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
}
