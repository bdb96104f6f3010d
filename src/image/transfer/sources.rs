//! The places of one image, and which of them have failed it.
//!
//! Lives here: [`Source`], and passing a mirror over.
//! Must not: know what was asked.
//! Called by: `transfer`.
//! Always true: the last place is the registry itself, and it is never passed
//! over; a mirror that is, is told once and not asked again for this image.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Kind};
use crate::image::registry::Registry;
use crate::progress::Progress;

/// Somewhere an image is asked for.
#[derive(Clone)]
pub struct Source {
    /// Whom.
    pub registry: Arc<Registry>,
    /// What it is called there.
    pub repository: String,
}

/// All of them, in the order in which they are asked.
pub struct Sources {
    all: Vec<(Source, AtomicBool)>,
    progress: Arc<dyn Progress>,
}

/// Which of them.
pub type Index = usize;

impl Sources {
    /// Takes the mirrors and, last, the registry.
    pub fn new(all: Vec<Source>, progress: Arc<dyn Progress>) -> Self {
        let heard = |source: Source| {
            source.registry.tell(&progress);
            (source, AtomicBool::new(false))
        };
        Self {
            all: all.into_iter().map(heard).collect(),
            progress,
        }
    }

    /// Returns the first that has not failed.
    pub fn current(&self) -> Result<(Index, &Source), Error> {
        let usable = |(_, passed): &&(Source, AtomicBool)| !passed.load(Ordering::Relaxed);
        let index = self.all.iter().position(|one| usable(&one));
        let index = index.unwrap_or(self.all.len().saturating_sub(1));
        match self.all.get(index) {
            Some((source, _)) => Ok((index, source)),
            None => Err(Error::internal("an image is asked for nowhere")),
        }
    }

    /// Asks the first that has not failed, and as long as it is a mirror, the one after it.
    pub async fn ask<'a, T, F>(&'a self, ask: impl Fn(&'a Source) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        loop {
            let (index, source) = self.current()?;
            match ask(source).await {
                Err(error) if self.pass_over(index, &error) => {}
                done => return done,
            }
        }
    }

    /// Returns the one of an index.
    pub fn get(&self, index: Index) -> Option<&Source> {
        self.all.get(index).map(|(source, _)| source)
    }

    /// Says whether another can be asked.
    pub fn is_mirror(&self, index: Index) -> bool {
        index + 1 < self.all.len()
    }

    /// Passes a mirror over; says whether there is another to ask.
    pub fn pass_over(&self, index: Index, error: &Error) -> bool {
        if !self.is_mirror(index) {
            return false;
        }
        let (source, passed) = &self.all[index];
        // That a mirror has not all there is, is what mirrors are like.
        if !passed.swap(true, Ordering::Relaxed) && error.kind() != Kind::NotFound {
            let name = source.registry.name();
            self.progress
                .warn(&format!("mirror \"{name}\" is passed over: {error}"));
        }
        true
    }
}
