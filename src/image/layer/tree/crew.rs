//! A crew: threads that make small files while the tar is read on.
//!
//! ```text
//! writer ── file, directory, data ─▶ batch ─▶ queue ─┬─▶ a thread
//!    │                                               └─▶ the writer itself, when it is full
//!    └── about to touch a name that a batch has: all batches are waited for
//! ```
//!
//! To make a file costs the kernel many times what it costs us to read its entry, so
//! one thread reads and several make. The files of one directory stay together, because
//! the kernel lets one thread at a time make a name in it.
//!
//! Lives here: the queue ([`Crew`]), and what the writer knows of it ([`Ahead`]).
//! Must not: replace anything: a file is handed over only when nothing has its name.
//! Called by: `tree`.
//! Always true: what a later entry touches is there, as if each had been made before the
//! next was read; a few batches are in memory, and hold a few directories open.

use std::collections::{HashSet, VecDeque};
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::chain::Directory;
use super::making::{Lost, Making};
use crate::error::{Context, Error, Result};
use crate::image::layer::entries::Entry;
use crate::image::layer::shown;

/// Bytes of a file that is handed over, at most.
pub const SMALL: u64 = 64 << 10;
/// Files of a batch.
const FILES: usize = 64;
/// Bytes of a batch from which it is handed over.
const BYTES: usize = 256 << 10;
/// Directories that a batch holds open.
const DIRECTORIES: usize = 4;
/// Batches that wait, for each thread.
const WAITING: usize = 2;
/// Names that are remembered until all batches are waited for.
const NAMES: usize = 16 << 10;

/// A file to be made.
pub struct Job {
    pub parent: Arc<Directory>,
    pub name: Vec<u8>,
    pub entry: Entry,
    pub data: Vec<u8>,
}

/// What the writer and its threads share.
pub struct Crew<'a> {
    making: Making<'a>,
    state: Mutex<State>,
    /// There is something to do, or never will be.
    work: Condvar,
    /// Somebody has nothing to do any more.
    idle: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Vec<Job>>,
    busy: usize,
    closed: bool,
    lost: Lost,
    failed: Option<Error>,
}

impl<'a> Crew<'a> {
    pub fn new(making: Making<'a>) -> Self {
        Self {
            making,
            state: Mutex::default(),
            work: Condvar::new(),
            idle: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a thread does until the crew is closed.
    pub fn serve(&self) {
        let mut state = self.state();
        loop {
            if let Some(batch) = state.queue.pop_front() {
                state.busy += 1;
                drop(state);
                self.make(batch);
                state = self.state();
                state.busy -= 1;
                self.idle.notify_one();
            } else if state.closed {
                return;
            } else {
                let waited = self.work.wait(state);
                state = waited.unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Sends the threads home when it is dropped, whatever became of the writer.
    pub fn open(&self) -> Open<'_> {
        Open(self)
    }

    /// Makes what waits, and waits for what others make.
    fn finish(&self) {
        let mut state = self.state();
        loop {
            if let Some(batch) = state.queue.pop_front() {
                drop(state);
                self.make(batch);
                state = self.state();
            } else if state.busy == 0 {
                return;
            } else {
                let waited = self.idle.wait(state);
                state = waited.unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Makes the files of a batch. After a failure no other batch is begun.
    fn make(&self, batch: Vec<Job>) {
        let mut lost = 0;
        for job in batch {
            let what = || format!("entry {}", shown(&job.entry.name));
            if let Err(error) = self.make_one(&job, &mut lost).what(what) {
                let mut state = self.state();
                state.failed.get_or_insert(error);
                state.queue.clear();
                break;
            }
        }
        self.state().lost += lost;
    }

    fn make_one(&self, job: &Job, lost: &mut Lost) -> Result<()> {
        let mode = self.making.first_mode(&job.entry);
        let fd = self.making.create(job.parent.as_fd(), &job.name, mode)?;
        self.making.fill(&fd, &job.entry, &mut &*job.data, lost)
    }
}

/// A crew at work.
pub struct Open<'a>(&'a Crew<'a>);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.closed = true;
        state.queue.clear();
        self.0.work.notify_all();
    }
}

/// The writer's side: what it has handed over, and what it is about to.
pub struct Ahead<'a> {
    crew: &'a Crew<'a>,
    /// Starts one more thread; says whether there is one.
    hire: &'a dyn Fn() -> bool,
    threads: usize,
    hired: usize,
    batch: Vec<Job>,
    bytes: usize,
    directories: usize,
    /// What may not be there yet: the number of its directory, and its name.
    names: HashSet<(u64, Vec<u8>)>,
    /// The first thing that went wrong in a thread.
    pub failed: Option<Error>,
}

impl<'a> Ahead<'a> {
    /// Begins with no thread; at most `threads` are hired once there is work for them.
    pub fn new(crew: &'a Crew<'a>, threads: usize, hire: &'a dyn Fn() -> bool) -> Self {
        Self {
            crew,
            hire,
            threads,
            hired: 0,
            batch: Vec::new(),
            bytes: 0,
            directories: 0,
            names: HashSet::new(),
            failed: None,
        }
    }

    /// Says whether a file may be handed over.
    pub fn takes(&self, entry: &Entry) -> bool {
        // Attributes may be larger than the file, and many of them wait here.
        self.threads > 0 && entry.size <= SMALL && entry.pieces.is_none() && entry.xattrs.is_empty()
    }

    /// Hands a file over that nothing has the name of.
    pub fn hand_over(&mut self, job: Job) {
        let last = self.batch.last().map(|job| job.parent.number);
        if last != Some(job.parent.number) {
            if self.directories == DIRECTORIES {
                self.send();
            }
            self.directories += 1;
        }
        self.bytes += job.data.len();
        self.names.insert((job.parent.number, job.name.clone()));
        self.batch.push(job);
        if self.batch.len() >= FILES || self.bytes >= BYTES {
            self.send();
        }
        if self.names.len() >= NAMES {
            self.finish();
        }
    }

    /// Says whether a name was handed over and may not be there yet.
    pub fn holds(&self, directory: &Directory, name: &[u8]) -> bool {
        // Almost always there are none, or it is another; a key to look for is made then.
        !self.names.is_empty() && self.names.contains(&(directory.number, name.to_vec()))
    }

    /// Sees to it that a name is there if it was handed over.
    pub fn settle(&mut self, directory: &Directory, name: &[u8]) {
        if self.holds(directory, name) {
            self.finish();
        }
    }

    /// Waits for all that was handed over; says whether anything was.
    pub fn finish(&mut self) -> bool {
        if self.names.is_empty() {
            return false;
        }
        (self.bytes, self.directories) = (0, 0);
        self.crew.make(std::mem::take(&mut self.batch));
        self.crew.finish();
        self.names.clear();
        self.look();
        true
    }

    /// Returns how many attributes were lost.
    pub fn lost(&self) -> Lost {
        self.crew.state().lost
    }

    fn send(&mut self) {
        (self.bytes, self.directories) = (0, 0);
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return;
        }
        let mut state = self.crew.state();
        let waiting = state.queue.len();
        if waiting >= WAITING * self.threads {
            drop(state);
            self.crew.make(batch);
        } else {
            state.queue.push_back(batch);
            drop(state);
            self.crew.work.notify_one();
            if waiting >= self.hired && self.hired < self.threads {
                // Where there is none to be had, the writer makes all itself.
                self.hired = if (self.hire)() {
                    self.hired + 1
                } else {
                    self.threads
                };
            }
        }
        self.look();
    }

    fn look(&mut self) {
        if self.failed.is_none() {
            self.failed = self.crew.state().failed.take();
        }
    }
}
