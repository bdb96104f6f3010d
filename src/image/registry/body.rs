//! The body of a request: whole, or in pieces that somebody is still making.
//!
//! Lives here: [`Body`], and [`Pace`], by which a server is seen that takes nothing.
//! Must not: know what the bytes are.
//! Called by: `http`, `upload`.
//! Always true: a body whose maker goes away before its end breaks the request off,
//! so that no server takes the half for the whole.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use hyper::body::{Bytes, Frame, SizeHint};
use tokio::sync::mpsc;

/// A part of a body that is made while it is sent.
#[derive(Debug)]
pub enum Piece {
    /// The next bytes.
    Bytes(Bytes),
    /// There are no more.
    End,
}

/// When a server last took something.
#[derive(Clone, Debug)]
pub struct Pace(Arc<Mutex<Instant>>);

impl Pace {
    fn begin() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    /// Returns when it did.
    pub fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mark(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// What is sent with a request.
#[derive(Debug)]
pub struct Body {
    source: Source,
    pace: Pace,
}

#[derive(Debug)]
enum Source {
    Whole(Option<Bytes>),
    Made {
        pieces: mpsc::Receiver<Piece>,
        left: Option<u64>,
        ended: bool,
    },
}

/// Its maker has gone before its end.
#[derive(Debug)]
pub struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("what was to be sent has no end")
    }
}

impl std::error::Error for Broken {}

impl Body {
    /// Returns a body that is there.
    pub fn whole(bytes: Bytes) -> Self {
        let whole = Some(bytes).filter(|bytes| !bytes.is_empty());
        Self {
            source: Source::Whole(whole),
            pace: Pace::begin(),
        }
    }

    /// Returns a body that is being made; of `length` bytes, where that is known.
    pub fn made(pieces: mpsc::Receiver<Piece>, length: Option<u64>) -> Self {
        Self {
            source: Source::Made {
                pieces,
                left: length,
                ended: length == Some(0),
            },
            pace: Pace::begin(),
        }
    }

    /// Returns what tells when the server last took something of it.
    pub fn pace(&self) -> Pace {
        self.pace.clone()
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        // Who asks for more has taken what was before.
        self.pace.mark();
        match &mut self.source {
            Source::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Source::Made { ended: true, .. } => Poll::Ready(None),
            Source::Made {
                pieces,
                left,
                ended,
            } => match pieces.poll_recv(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(None) => Poll::Ready(Some(Err(Broken))),
                Poll::Ready(Some(Piece::End)) => {
                    *ended = true;
                    Poll::Ready(None)
                }
                Poll::Ready(Some(Piece::Bytes(bytes))) => {
                    if let Some(left) = left {
                        *left = left.saturating_sub(bytes.len() as u64);
                        *ended = *left == 0;
                    }
                    Poll::Ready(Some(Ok(Frame::data(bytes))))
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(bytes) => bytes.is_none(),
            Source::Made { ended, .. } => *ended,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64))
            }
            Source::Made {
                left: Some(left), ..
            } => SizeHint::with_exact(*left),
            Source::Made { .. } => SizeHint::default(),
        }
    }
}
