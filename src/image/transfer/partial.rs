//! A blob on its way: its bytes on disk, checked at the end and read meanwhile.
//!
//! ```text
//! network ─ chunks ─▶ Partial: write, hash ─▶ partial/<digest> ─▶ Tail: unpack
//!                        └─ size ─▶ Growth ──────────────────────────┘ waits for more
//! ```
//!
//! Lives here: [`Partial`] (whoever has one holds the blob's lock) and [`Tail`],
//! which reads as far as it has come.
//! Must not: fetch.
//! Called by: `transfer`.
//! Always true: a tail ends only after the digest of the whole was right; when the
//! bytes begin anew or nobody writes any more, it fails, so that nothing that was
//! made of them is published.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use hyper::body::Bytes;
use tokio::sync::mpsc;

use crate::error::{Context, Result};
use crate::image::registry::manifest::Part;
use crate::spec::digest::{Digest, Hasher};
use crate::store::Store;

/// A blob whose bytes are coming.
pub struct Partial {
    /// What it is to be.
    pub part: Part,
    /// Bytes there are.
    pub size: u64,
    file: File,
    hasher: Hasher,
    growth: Grower,
}

/// What became of a blob of which all bytes are there.
pub enum Finished {
    /// It is in the store.
    Published,
    /// It was another content, with this digest; it begins anew.
    Wrong(Box<Partial>, Digest),
}

impl Partial {
    /// Opens what an earlier try has left, or begins.
    pub fn open(store: &Store, part: &Part) -> Result<Self> {
        let path = store.partial_path(&part.digest);
        let what = || format!("cannot write \"{}\"", path.display());
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .what(what)?;
        let mut partial = Self {
            part: part.clone(),
            file,
            hasher: Hasher::default(),
            size: 0,
            growth: Grower::new(),
        };
        let mut buffer = vec![0; 256 << 10];
        loop {
            let count = partial.file.read(&mut buffer).what(what)?;
            if count == 0 {
                partial.growth.to(State::Growing(partial.size));
                return Ok(partial);
            }
            partial.hasher.update(&buffer[..count]);
            partial.size += count as u64;
            if partial.size > part.size {
                partial.empty()?;
                return Ok(partial);
            }
        }
    }

    /// Returns a reader of what is there and what comes.
    pub fn tail(&self) -> Result<Tail> {
        let file = self.file.try_clone();
        Ok(Tail {
            file: file.what(|| format!("cannot read blob {}", self.part.digest))?,
            at: 0,
            growth: Arc::clone(&self.growth.0),
        })
    }

    /// Begins anew: what is there is of no use.
    pub fn restart(&mut self) -> Result<()> {
        // Whoever reads the old bytes is told so.
        self.growth = Grower::new();
        self.empty()
    }

    fn empty(&mut self) -> Result<()> {
        self.hasher = Hasher::default();
        self.size = 0;
        self.file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .what(|| format!("cannot write blob {}", self.part.digest))
    }

    /// Takes chunks until there are no more.
    pub fn take(mut self, mut chunks: mpsc::Receiver<Bytes>) -> Result<Self> {
        while let Some(bytes) = chunks.blocking_recv() {
            self.file
                .write_all(&bytes)
                .what(|| format!("cannot write blob {}", self.part.digest))?;
            self.size += bytes.len() as u64;
            self.growth.to(State::Growing(self.size));
            self.hasher.update(&bytes);
        }
        Ok(self)
    }

    /// Gives it its name, if its digest is right.
    pub fn finish(mut self, store: &Store) -> Result<Finished> {
        let digest = std::mem::take(&mut self.hasher).finish();
        if digest == self.part.digest {
            store.publish_partial(&digest)?;
            self.growth.to(State::Whole);
            return Ok(Finished::Published);
        }
        self.restart()?;
        Ok(Finished::Wrong(Box::new(self), digest))
    }
}

#[derive(Clone, Copy)]
enum State {
    /// So many bytes are there, and more may come.
    Growing(u64),
    /// All are there, and they are the right ones.
    Whole,
    /// They are no good, or nobody writes any more.
    Spoilt,
}

struct Growth {
    state: Mutex<State>,
    changed: Condvar,
}

impl Growth {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer's end: when it goes, nobody waits in vain.
struct Grower(Arc<Growth>);

impl Grower {
    fn new() -> Self {
        Self(Arc::new(Growth {
            state: Mutex::new(State::Growing(0)),
            changed: Condvar::new(),
        }))
    }

    fn to(&self, state: State) {
        *self.0.state() = state;
        self.0.changed.notify_all();
    }
}

impl Drop for Grower {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if !matches!(*state, State::Whole) {
            *state = State::Spoilt;
        }
        self.0.changed.notify_all();
    }
}

/// Reads a blob while it comes.
pub struct Tail {
    file: File,
    at: u64,
    growth: Arc<Growth>,
}

/// Tells what became of the bytes that a tail reads.
pub struct Fate(Arc<Growth>);

impl Fate {
    /// Says whether they were the right ones.
    pub fn was_right(&self) -> bool {
        matches!(*self.0.state(), State::Whole)
    }
}

impl Tail {
    /// Returns who tells later what became of its bytes.
    pub fn fate(&self) -> Fate {
        Fate(Arc::clone(&self.growth))
    }

    /// Returns how many bytes may be read now, waiting for some; nothing when all may be.
    fn wait(&self) -> io::Result<Option<u64>> {
        let mut state = self.growth.state();
        loop {
            match *state {
                State::Whole => return Ok(None),
                State::Spoilt => return Err(io::Error::other("its bytes begin anew")),
                State::Growing(size) if size > self.at => return Ok(Some(size - self.at)),
                State::Growing(_) => {
                    let waited = self.growth.changed.wait(state);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

impl Read for Tail {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = match self.wait()? {
            Some(there) => into.len().min(usize::try_from(there).unwrap_or(usize::MAX)),
            None => into.len(),
        };
        let count = self.file.read_at(&mut into[..length], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}
