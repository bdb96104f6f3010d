//! Where the bytes of an upload come from: a blob as it is, or compressed on the way.
//!
//! Lives here: making the bytes from any offset on, in a thread.
//! Must not: speak to a registry.
//! Called by: `push`.
//! Always true: the same supply gives the same bytes every time, so that an upload
//! can go on in the middle; what is said of them is of all of them.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use hyper::body::Bytes;
use tokio::sync::mpsc;

use crate::error::{Context, Error, Result};
use crate::image::compress::{self, Settings};
use crate::image::layer::inflate::{self, Counted};
use crate::image::registry::body::Piece;
use crate::image::registry::manifest::Part;
use crate::spec::digest::{Digest, Hasher};

/// Bytes of a piece.
const PIECE: usize = 128 << 10;

/// A blob that is to be sent.
#[derive(Clone, Debug)]
pub struct Supply {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub part: Part,
    /// How it is compressed on the way; none is as it is.
    pub settings: Option<Settings>,
}

/// What was sent, as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

impl Supply {
    /// Returns how many bytes there are, where that is known before they are made.
    pub fn length(&self) -> Option<u64> {
        self.settings.is_none().then_some(self.part.size)
    }

    /// Returns what it is when it goes out as it is.
    pub fn whole(&self) -> Sent {
        Sent {
            digest: self.part.digest.clone(),
            size: self.part.size,
        }
    }

    /// Reads a small one.
    pub fn read(&self) -> Result<Bytes> {
        let bytes = std::fs::read(&self.path).what(|| self.cannot())?;
        Ok(bytes.into())
    }

    /// Makes the bytes from `from` on. Returns nothing when nobody takes them any more.
    pub fn make(
        &self,
        from: u64,
        queue: &mpsc::Sender<Piece>,
        heard: &dyn Fn(u64),
    ) -> Result<Option<Sent>> {
        let file = File::open(&self.path).what(|| self.cannot())?;
        match self.settings {
            None => self.as_it_is(file, from, queue, heard),
            Some(settings) => self.squeezed(file, settings, from, queue, heard),
        }
    }

    fn as_it_is(
        &self,
        mut file: File,
        from: u64,
        queue: &mpsc::Sender<Piece>,
        heard: &dyn Fn(u64),
    ) -> Result<Option<Sent>> {
        file.seek(SeekFrom::Start(from)).what(|| self.cannot())?;
        heard(from);
        let mut left = self.part.size.saturating_sub(from);
        while left > 0 {
            let mut piece = Vec::with_capacity(PIECE);
            let count = (&mut file)
                .take(left.min(PIECE as u64))
                .read_to_end(&mut piece)
                .what(|| self.cannot())?;
            if count == 0 {
                return Err(Error::new("it is shorter than its manifest says")
                    .what(self.cannot())
                    .hint("pull or load the image again"));
            }
            left -= count as u64;
            if queue.blocking_send(Piece::Bytes(piece.into())).is_err() {
                return Ok(None);
            }
            heard(count as u64);
        }
        // A body of known length ends by itself, and hears of no end.
        drop(queue.blocking_send(Piece::End));
        Ok(Some(self.whole()))
    }

    fn squeezed(
        &self,
        file: File,
        settings: Settings,
        from: u64,
        queue: &mpsc::Sender<Piece>,
        heard: &dyn Fn(u64),
    ) -> Result<Option<Sent>> {
        let plain = inflate::plain(file).what(|| self.cannot())?;
        let counted = Counted::new(plain, heard);
        let mut hasher = Hasher::default();
        let mut size = 0;
        let mut gone = false;
        let mut sink = |bytes: Vec<u8>| {
            hasher.update(&bytes);
            let start = size;
            size += bytes.len() as u64;
            if size <= from {
                return Ok(());
            }
            let skipped = usize::try_from(from.saturating_sub(start)).unwrap_or(0);
            let bytes = Bytes::from(bytes).slice(skipped..);
            if queue.blocking_send(Piece::Bytes(bytes)).is_err() {
                gone = true;
                return Err(Error::new("nobody takes it"));
            }
            Ok(())
        };
        let done = compress::compress(counted, settings, &mut sink);
        if gone || (done.is_ok() && queue.blocking_send(Piece::End).is_err()) {
            return Ok(None);
        }
        done.what(|| self.cannot())?;
        Ok(Some(Sent {
            digest: hasher.finish(),
            size,
        }))
    }

    fn cannot(&self) -> String {
        format!("cannot read blob {}", self.part.digest)
    }
}
