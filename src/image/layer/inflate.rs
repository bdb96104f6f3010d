//! Compression: told by magic bytes, undone in a thread beside the work.
//!
//! ```text
//! pump: read, inflate into chunks ──┬─→ hash
//!          ↑                        └─→ the caller's work, as a BufRead
//!          └── used chunks come back ──┘
//! ```
//!
//! Lives here: [`plain`] (a reader without the compression), [`hashed`] (the
//! three threads) and [`Counted`].
//! Must not: know what the bytes are.
//! Called by: `image::layer`, `image::archive`.
//! Always true: the media type is never trusted; a few chunks are in memory,
//! whatever the stream says of itself; a failure of the stream reaches the work
//! as an error of its reader, never as an early end.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use crate::error::{Context, Error, Result};
use crate::spec::digest::{Digest, Hasher};

/// What a stream is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// None that we know.
    Plain,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// The xz format, which no layer may have (OCI image spec, layer.md).
    Xz,
    /// bzip2.
    Bzip2,
}

impl Compression {
    /// Tells a stream's compression from its first bytes.
    pub fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A frame, or a skippable frame before it.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Self::Bzip2,
            _ => Self::Plain,
        }
    }
}

/// Returns the stream without its compression.
///
/// # Errors
/// When it has one that rpod does not undo.
pub fn plain<'a>(input: impl Read + Send + 'a) -> Result<Box<dyn Read + Send + 'a>> {
    let mut input = input;
    let mut start = [0; 6];
    let mut known = 0;
    while known < start.len() {
        match input.read(&mut start[known..]) {
            Ok(0) => break,
            Ok(count) => known += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let compression = Compression::of(&start[..known]);
    let whole = io::Cursor::new(start).take(known as u64).chain(input);
    let refuse = |name: &str| {
        Err(Error::new(format!(
            "it is compressed with {name}, which rpod does not undo"
        ))
        .hint(format!("undo it yourself: `{name} -dc FILE | rpod load`")))
    };
    match compression {
        Compression::Plain => Ok(Box::new(whole)),
        Compression::Gzip => Ok(Box::new(Members::new(BufReader::with_capacity(
            CHUNK, whole,
        )))),
        // The library keeps to windows of 128 MiB by itself.
        Compression::Zstd => Ok(Box::new(
            zstd::Decoder::with_buffer(BufReader::with_capacity(CHUNK, whole))
                .what(|| "cannot undo zstd")?,
        )),
        Compression::Xz => refuse("xz"),
        Compression::Bzip2 => refuse("bzip2"),
    }
}

/// Gives `work` the stream without its compression; returns what it made of it
/// and the digest of those bytes, to the last one, read or not.
pub fn hashed<T>(
    input: impl Read + Send,
    work: impl FnOnce(&mut Chunks) -> Result<T>,
) -> Result<(T, Digest)> {
    let (to_hash, hash_from) = sync_channel(AHEAD);
    let (to_work, work_from) = sync_channel(AHEAD);
    let (used, free) = channel();
    let used_by_hash = used.clone();
    std::thread::scope(|scope| {
        scope.spawn(move || pump(input, &to_hash, &to_work, &free));
        let hash = scope.spawn(move || hash(&hash_from, &used_by_hash));
        let mut chunks = Chunks {
            from: work_from,
            used,
            chunk: None,
            position: 0,
        };
        let done = work(&mut chunks);
        let rest = match done {
            Ok(_) => io::copy(&mut chunks, &mut io::sink()),
            Err(_) => Ok(0),
        };
        // The pump ends when nobody listens.
        drop(chunks);
        let digest = hash
            .join()
            .map_err(|_| Error::internal("the thread that hashes has ended"))?;
        let done = done?;
        rest?;
        Ok((done, digest))
    })
}

/// Calls `heard` with the number of bytes of each read.
pub struct Counted<R, F> {
    input: R,
    heard: F,
}

impl<R: Read, F: FnMut(u64)> Counted<R, F> {
    /// Returns a reader that is heard.
    pub fn new(input: R, heard: F) -> Self {
        Self { input, heard }
    }
}

impl<R: Read, F: FnMut(u64)> Read for Counted<R, F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(into)?;
        (self.heard)(count as u64);
        Ok(count)
    }
}

/// Bytes of a chunk: a multiple of a tar's block, so that headers are whole.
const CHUNK: usize = 256 << 10;
/// Chunks that may wait for a reader.
const AHEAD: usize = 6;
/// Bytes that a stream may unpack to, however small it is.
const BELIEVABLE: u64 = 1 << 30;
/// How many times its size it may unpack to beyond that.
const RATIO_LIMIT: u64 = 250;
/// Bytes of a tar at most.
const TAR_LIMIT: u64 = 256 << 30;

struct Chunk {
    bytes: Box<[u8]>,
    length: usize,
}

type Message = io::Result<Arc<Chunk>>;

fn pump(
    input: impl Read + Send,
    to_hash: &SyncSender<Arc<Chunk>>,
    to_work: &SyncSender<Message>,
    free: &Receiver<Box<[u8]>>,
) {
    let failed = |error: io::Error| drop(to_work.send(Err(error)));
    let read = AtomicU64::new(0);
    let counted = Counted::new(input, |count| {
        read.fetch_add(count, Ordering::Relaxed);
    });
    let mut plain = match plain(counted) {
        Ok(plain) => plain,
        Err(error) => return failed(io::Error::other(error)),
    };
    let mut total = 0;
    loop {
        let mut bytes = free
            .try_recv()
            .unwrap_or_else(|_| vec![0; CHUNK].into_boxed_slice());
        let length = match fill(&mut plain, &mut bytes) {
            Ok(0) => return,
            Ok(length) => length,
            Err(error) => return failed(error),
        };
        total += length as u64;
        if total > TAR_LIMIT {
            return failed(io::Error::other(format!(
                "it holds more than {} GiB",
                TAR_LIMIT >> 30
            )));
        }
        let believable = BELIEVABLE.saturating_add(read.load(Ordering::Relaxed) * RATIO_LIMIT);
        if total > believable {
            return failed(io::Error::other(format!(
                "it unpacks to more than {RATIO_LIMIT} times its size, as no real layer does"
            )));
        }
        let chunk = Arc::new(Chunk { bytes, length });
        if to_hash.send(Arc::clone(&chunk)).is_err() || to_work.send(Ok(chunk)).is_err() {
            return;
        }
    }
}

/// Reads until the buffer is full or the stream ends.
fn fill(input: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match input.read(&mut into[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn hash(from: &Receiver<Arc<Chunk>>, used: &Sender<Box<[u8]>>) -> Digest {
    let mut hasher = Hasher::default();
    for chunk in from {
        hasher.update(&chunk.bytes[..chunk.length]);
        give_back(chunk, used);
    }
    hasher.finish()
}

/// The last of the two readers returns the memory to the pump.
fn give_back(chunk: Arc<Chunk>, used: &Sender<Box<[u8]>>) {
    if let Some(chunk) = Arc::into_inner(chunk) {
        // A pump that has ended needs no more.
        drop(used.send(chunk.bytes));
    }
}

/// The work's end of the stream.
pub struct Chunks {
    from: Receiver<Message>,
    used: Sender<Box<[u8]>>,
    chunk: Option<Arc<Chunk>>,
    position: usize,
}

impl BufRead for Chunks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self
            .chunk
            .as_ref()
            .is_some_and(|c| self.position == c.length)
            && let Some(chunk) = self.chunk.take()
        {
            give_back(chunk, &self.used);
        }
        if self.chunk.is_none() {
            self.position = 0;
            self.chunk = self.from.recv().ok().transpose()?;
        }
        let Some(chunk) = &self.chunk else {
            return Ok(&[]);
        };
        Ok(&chunk.bytes[self.position..chunk.length])
    }

    fn consume(&mut self, count: usize) {
        self.position += count;
    }
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let from = self.fill_buf()?;
        let count = from.len().min(into.len());
        into[..count].copy_from_slice(&from[..count]);
        self.consume(count);
        Ok(count)
    }
}

/// All members of a gzip stream, one after the other. What follows the last one
/// and is no member (padding of some writers) is read and dropped.
struct Members<R: BufRead> {
    member: Option<flate2::bufread::GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    fn new(input: R) -> Self {
        Self {
            member: Some(flate2::bufread::GzDecoder::new(input)),
        }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let count = member.read(into)?;
            if count > 0 || into.is_empty() {
                return Ok(count);
            }
            let Some(member) = self.member.take() else {
                break;
            };
            let mut input = member.into_inner();
            // One byte is enough: a writer that pads does so with zeros.
            if input.fill_buf()?.first() == Some(&0x1f) {
                self.member = Some(flate2::bufread::GzDecoder::new(input));
            } else {
                io::copy(&mut input, &mut io::sink())?;
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::{Compression, hashed, plain};
    use crate::error::Error;
    use crate::spec::digest::Digest;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(bytes).expect("written");
        out.finish().expect("finished")
    }

    fn read(bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        plain(bytes)?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn members_follow_each_other_and_padding_is_dropped() {
        let mut stream = gzip(b"one ");
        stream.extend(gzip(b"two"));
        stream.extend([0; 600]);
        assert_eq!(read(&stream).expect("read"), b"one two");
        let mut cut = gzip(b"one ");
        cut.truncate(cut.len() - 4);
        assert!(read(&cut).is_err());
    }

    #[test]
    fn zstd_frames_follow_each_other_and_skippable_ones_are_skipped() {
        let mut stream = vec![0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        stream.extend(zstd::encode_all(&b"one "[..], 3).expect("encoded"));
        stream.extend(zstd::encode_all(&b"two"[..], 3).expect("encoded"));
        stream.extend([0x5f, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 9]);
        assert_eq!(read(&stream).expect("read"), b"one two");
    }

    #[test]
    fn what_is_not_undone_is_named() {
        let error = read(b"\xfd7zXZ\0more").expect_err("refused");
        assert!(error.to_string().contains("xz"), "{error}");
        assert!(error.hints()[0].contains("xz -dc"));
        assert_eq!(Compression::of(b"BZh9"), Compression::Bzip2);
        assert_eq!(Compression::of(b"etc/"), Compression::Plain);
        assert_eq!(read(b"ab").expect("read"), b"ab");
        assert_eq!(read(b"").expect("read"), b"");
    }

    #[test]
    fn the_digest_covers_what_the_work_left_unread() {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n / 7) as u8).collect();
        let (first, digest) = hashed(&gzip(&bytes)[..], |tar| {
            let mut first = [0; 4];
            tar.read_exact(&mut first)?;
            Ok(first)
        })
        .expect("hashed");
        assert_eq!(first, bytes[..4]);
        assert_eq!(digest, Digest::of(&bytes));
    }

    #[test]
    fn work_that_fails_or_a_stream_that_breaks_ends_all_threads() {
        let bytes = vec![7; 8 << 20];
        let failed = hashed(&bytes[..], |_| Err::<(), _>(Error::new("enough")));
        assert_eq!(failed.expect_err("it did").to_string(), "enough");
        let mut broken = gzip(&bytes);
        broken.truncate(broken.len() / 2);
        assert!(hashed(&broken[..], |_| Ok(())).is_err());
    }
}
