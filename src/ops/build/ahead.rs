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
use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, fstat, openat2, readlinkat, statat,
};
use rustix::io::Errno;

use crate::build::ignore::{Ignore, Inside};
use crate::ops::build::facts::Facts;
use crate::ops::build::gather::{self, join};
use crate::ops::build::hashes::{Files, Hashes, Learned, Sum};
use crate::ops::build::summary::{FileDigest, Head, TreeDigest};
use crate::spec::digest::Hasher;

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
    pub facts: Facts,
    /// Whether it is wanted.
    pub fate: Fate,
    /// What was read of it.
    pub content: Content,
}

/// What was read of a name.
#[derive(Default)]
pub enum Content {
    /// Nothing, or it could not be read.
    #[default]
    Unknown,
    /// The digest of a file.
    Sum(Sum),
    /// Where a link leads.
    Link(Vec<u8>),
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
    /// What was not known.
    pub learned: Learned,
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
    /// All names, each with a NUL behind it.
    names: Vec<u8>,
    /// What each is: in the order of the names once they were sorted, else in the kernel's.
    entries: Vec<Entry>,
    /// What was read of each; nothing where nothing had to be.
    contents: Vec<Content>,
    /// Which of them are directories that are wanted, or something in them, sorted.
    directories: Vec<usize>,
    /// The digest of the others, where they are all that the directory has.
    files: Option<Files>,
}

/// A name, by its place among the names, and what it is.
struct Entry {
    from: usize,
    to: usize,
    facts: Facts,
    fate: Fate,
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
        let mut all = Vec::with_capacity(listed.count);
        for mut part in parts {
            part.sort();
            let mut contents = std::mem::take(&mut part.contents).into_iter();
            for entry in &part.entries {
                all.push(Seen {
                    name: part.name(entry).to_vec(),
                    facts: entry.facts,
                    fate: entry.fate,
                    content: contents.next().unwrap_or_default(),
                });
            }
        }
        Some(all)
    }

    /// Adds all directories to the digest of a piece, as a walk would come to them.
    /// Says whether there is anything; none when there is what only a walk can tell.
    pub fn put(&self, tree: &mut TreeDigest, top: &Facts, left_out: bool) -> Option<bool> {
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
            for entry in part.directories.iter().map(|at| &part.entries[*at]) {
                let head = Head::of(&entry.facts, self.owners);
                let path = join(below, part.name(entry));
                wanted |= self.put_directory(tree, &path, head, entry.fate != Fate::Kept)?;
            }
        }
        let files = match parts.as_slice() {
            [part] => part.files?,
            parts => digest(parts, self.owners)?,
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
        self.parts
            .iter()
            .map(|part| part.entries.len())
            .sum::<usize>()
            == self.count
    }
}

impl Part {
    fn name(&self, entry: &Entry) -> &[u8] {
        &self.names[entry.from..entry.to]
    }

    /// Sorts by names, before anything is read.
    fn sort(&mut self) {
        let names = &self.names;
        let name = |entry: &Entry| &names[entry.from..entry.to];
        if !self.entries.is_sorted_by_key(name) {
            self.entries.sort_unstable_by(|a, b| name(a).cmp(name(b)));
        }
    }

    /// Finds the directories, once nothing is sorted any more.
    fn find_directories(&mut self) {
        let is_wanted =
            |entry: &Entry| entry.facts.kind() == FileType::Directory && entry.fate != Fate::Gone;
        let all = self.entries.iter().enumerate();
        let mut found: Vec<usize> = all
            .filter(|(_, e)| is_wanted(e))
            .map(|(at, _)| at)
            .collect();
        found.sort_unstable_by_key(|at| self.name(&self.entries[*at]));
        self.directories = found;
    }

    /// Those that the digest of a directory's files is made of.
    fn files(&self) -> impl Iterator<Item = (usize, &Entry)> {
        let entries = self.entries.iter().enumerate();
        entries.filter(|(_, entry)| {
            let kinds = [FileType::RegularFile, FileType::Symlink, FileType::Fifo];
            entry.fate == Fate::Kept && kinds.contains(&entry.facts.kind())
        })
    }

    /// The digest of what the digest of the directory's files depends on, and which takes
    /// no more than a look at each.
    fn look(&self) -> Sum {
        let mut bytes = Vec::with_capacity(self.names.len() + self.entries.len() * 64);
        for (_, entry) in self.files() {
            bytes.extend_from_slice(self.name(entry));
            bytes.push(0);
            entry.facts.put(&mut bytes);
        }
        let mut hasher = Hasher::default();
        hasher.update(&bytes);
        hasher.finish_raw()
    }
}

/// The digest of the files of one directory, of which all was read.
fn digest(parts: &[&Part], owners: bool) -> Option<Files> {
    let mut digest = FileDigest::default();
    let mut count = 0;
    for part in parts {
        for (at, entry) in part.files() {
            let (name, facts) = (part.name(entry), &entry.facts);
            let head = Head::of(facts, owners);
            match (facts.kind(), part.contents.get(at)?) {
                (FileType::RegularFile, Content::Sum(sum)) => {
                    digest.file(name, head, facts.size, sum);
                }
                (FileType::Symlink, Content::Link(link)) => digest.link(name, head, link),
                (FileType::Fifo, _) => digest.fifo(name, head),
                _ => return None,
            }
            count += 1;
        }
    }
    Some(Files {
        count,
        sum: digest.finish(),
    })
}

/// Names of a directory that one thread looks at in one go.
const MANY: usize = 2048;
/// Of a directory that has more: names that are looked at in one go.
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
        names: Vec<u8>,
    },
}

struct Queue {
    tasks: Vec<Task>,
    /// Tasks that somebody is at, each of which may bring more.
    busy: usize,
    /// Threads that have nothing to do.
    idle: usize,
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
        idle: 0,
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
            // One of the tasks this thread takes up by itself.
            if held.idle > 0 && (held.busy == 0 || held.tasks.len() > 1) {
                more.notify_all();
            }
        } else if held.busy == 0 {
            return;
        } else {
            held.idle += 1;
            held = more.wait(held).unwrap_or_else(PoisonError::into_inner);
            held.idle -= 1;
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
    learned: Learned,
}

impl Queue {
    fn take(&mut self, found: Found, most: usize) {
        self.found.learned.append(found.learned);
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
        let mut names = Vec::new();
        let mut count = 0;
        let listed = gather::each_name(directory.as_fd(), self.most, |name| {
            names.extend_from_slice(name.to_bytes_with_nul());
            count += 1;
        });
        let Ok(itself) = listed.and_then(|()| Ok(fstat(&directory)?)) else {
            return Found::unknown(below);
        };
        let mut found = Found {
            count,
            ..Found::default()
        };
        if count <= MANY {
            let mut part = self.stat(directory.as_fd(), &below, level, names, &mut found);
            self.digest(
                directory.as_fd(),
                &Facts::of(&itself),
                &mut part,
                &mut found.learned,
            );
            part.find_directories();
            found.part = Some(part);
        } else {
            found.tasks = parted(&names, &below, level);
        }
        Found { below, ..found }
    }

    fn look(&self, below: Vec<u8>, level: usize, first: usize, names: Vec<u8>) -> Found {
        let Ok(directory) = beneath(self.top, &below) else {
            return Found::unknown(below);
        };
        let mut found = Found::default();
        let mut part = self.stat(directory.as_fd(), &below, level, names, &mut found);
        self.read(directory.as_fd(), &mut part, &mut found.learned);
        part.find_directories();
        part.first = first;
        found.part = Some(part);
        Found { below, ..found }
    }

    /// Looks at each of some names.
    fn stat(
        &self,
        directory: BorrowedFd<'_>,
        below: &[u8],
        level: usize,
        names: Vec<u8>,
        found: &mut Found,
    ) -> Part {
        let mut fates = Fates::new(self.ignore, self.exclude, self.path, below);
        let mut entries = Vec::with_capacity(names.len() / 8);
        let mut from = 0;
        while let Ok(name) = CStr::from_bytes_until_nul(&names[from..]) {
            let to = from + name.count_bytes();
            if let Ok(stat) = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                let facts = Facts::of(&stat);
                let is_directory = facts.kind() == FileType::Directory;
                let fate = fates.of(name.to_bytes(), is_directory);
                if is_directory && fate != Fate::Gone && level + 1 < self.levels {
                    found.tasks.push(Task::List {
                        below: join(below, name.to_bytes()),
                        level: level + 1,
                    });
                }
                entries.push(Entry {
                    from,
                    to,
                    facts,
                    fate,
                });
            }
            from = to + 1;
        }
        Part {
            names,
            entries,
            ..Part::default()
        }
    }

    /// Finds the digest of a directory's files: the one that is known, if it looks as it did.
    fn digest(
        &self,
        directory: BorrowedFd<'_>,
        itself: &Facts,
        part: &mut Part,
        learned: &mut Learned,
    ) {
        let kept = self.hashes.filter(|hashes| hashes.is_kept());
        let look = kept.map(|hashes| (hashes, part.look()));
        part.files = look.and_then(|(hashes, look)| hashes.find_directory(itself, &look));
        if part.files.is_some() {
            return;
        }
        self.read(directory, part, learned);
        if self.hashes.is_some() {
            part.files = digest(&[&*part], self.owners);
        }
        if let (Some((hashes, look)), Some(files)) = (look, part.files)
            && files.count > 0
            && part.files().all(|(_, file)| hashes.is_settled(&file.facts))
        {
            hashes.note_directory(itself, &look, &files, learned);
        }
    }

    /// Reads what is not known of some names, which are sorted.
    fn read(&self, directory: BorrowedFd<'_>, part: &mut Part, learned: &mut Learned) {
        part.sort();
        let mut contents = Vec::new();
        contents.resize_with(part.entries.len(), Content::default);
        for (at, entry) in part.files() {
            let name = part.name(entry);
            contents[at] = match entry.facts.kind() {
                FileType::RegularFile => match self.sum(directory, name, &entry.facts, learned) {
                    Some(sum) => Content::Sum(sum),
                    None => Content::Unknown,
                },
                FileType::Symlink => {
                    match readlinkat(directory, OsStr::from_bytes(name), Vec::new()) {
                        Ok(link) => Content::Link(link.into_bytes()),
                        Err(_) => Content::Unknown,
                    }
                }
                _ => Content::Unknown,
            };
        }
        part.contents = contents;
    }

    fn sum(
        &self,
        directory: BorrowedFd<'_>,
        name: &[u8],
        facts: &Facts,
        learned: &mut Learned,
    ) -> Option<Sum> {
        let hashes = self.hashes?;
        if let Some(known) = hashes.find(facts) {
            return Some(known);
        }
        let file: File = gather::open_unchanged(directory, name, facts.stamp()).ok()?;
        let sum = crate::ops::build::hashes::read(file, facts.size).ok()?;
        hashes.note(facts, &sum, learned);
        Some(sum)
    }
}

/// Parts many names, sorted. The last task is the first to be taken up.
fn parted(names: &[u8], below: &[u8], level: usize) -> Vec<Task> {
    let mut all: Vec<&[u8]> = names.split_inclusive(|byte| *byte == 0).collect();
    all.sort_unstable();
    let batches = all.chunks(BATCH).enumerate();
    let task = |(number, names): (usize, &[&[u8]])| Task::Look {
        below: below.to_vec(),
        level,
        first: number * BATCH,
        names: names.concat(),
    };
    batches.rev().map(task).collect()
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
    /// Of the root, and of the piece.
    of: [Option<Lines<'a>>; 2],
}

/// Lines, with the path that they have of a directory.
struct Lines<'a> {
    ignore: &'a Ignore,
    inside: Inside<'a>,
    /// The path, with a slash behind it, and the name that was looked at last.
    path: Vec<u8>,
    /// How long it is without the name.
    length: usize,
}

impl<'a> Fates<'a> {
    /// Prepares for the directory `below` a piece that is at `path`.
    pub fn new(
        ignore: Option<&'a Ignore>,
        exclude: Option<&'a Ignore>,
        path: &[u8],
        below: &[u8],
    ) -> Self {
        let lines = |ignore: &'a Ignore, directory: &[u8]| {
            let inside = ignore.inside(directory);
            let mut path = directory.to_vec();
            if !path.is_empty() {
                path.push(b'/');
            }
            (!inside.is_empty()).then_some(Lines {
                ignore,
                inside,
                length: path.len(),
                path,
            })
        };
        Self {
            of: [
                ignore.and_then(|ignore| lines(ignore, &join(path, below))),
                exclude.and_then(|exclude| lines(exclude, below)),
            ],
        }
    }

    /// Says whether a name in it is wanted.
    pub fn of(&mut self, name: &[u8], is_directory: bool) -> Fate {
        let mut fate = Fate::Kept;
        for lines in self.of.iter_mut().flatten() {
            lines.path.truncate(lines.length);
            lines.path.extend_from_slice(name);
            if lines.inside.excludes(&lines.path) {
                fate = Fate::LeftOut;
                if !is_directory || !lines.ignore.may_include_below(&lines.path) {
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

    use super::{Asked, Content, look};
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
        assert!(matches!(seen[1].content, Content::Sum(_)));
        assert!(matches!(seen[0].content, Content::Unknown));
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
            let kept = kept.map(|part| part.entries.len()).sum::<usize>();
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
