//! Compression of layers on their way out, on all processors.
//!
//! ```text
//! reader ─┬─ block 1 ─▶ worker ─┐
//!         ├─ block 2 ─▶ worker ─┼─ in order ─▶ sink
//!         └─ block 3 ─▶ worker ─┘
//! ```
//!
//! A gzip file is one stream of deflate. A block is compressed with the last 32 KiB
//! of the one before it as its dictionary and ends on a byte (deflate's "sync
//! flush"), so that the pieces in a row are that one stream (as pigz has shown).
//!
//! Lives here: gzip in parallel blocks; zstd, whose library does it by itself.
//! Must not: know where bytes come from or go to.
//! Called by: `push`.
//! Always true: the same bytes at the same level give the same bytes, however many
//! processors there are; a few blocks are in memory.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use crate::error::{Context, Error, Result};

/// Bytes of a block.
const BLOCK: usize = 256 << 10;

/// How far deflate looks back.
const WINDOW: usize = 32 << 10;

/// Bytes given to the sink at once by zstd.
const OUT: usize = 128 << 10;

/// What layers are compressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 1952; every registry and engine reads it.
    Gzip,
    /// RFC 8878; smaller and faster, for the newer ones.
    Zstd,
}

impl Format {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Returns the levels it has.
    pub fn levels(self) -> std::ops::RangeInclusive<i32> {
        match self {
            Self::Gzip => 0..=9,
            Self::Zstd => 1..=22,
        }
    }

    /// Returns the level that is taken where none was said.
    pub fn usual_level(self) -> i32 {
        match self {
            Self::Gzip => 6,
            Self::Zstd => 3,
        }
    }
}

/// How a layer is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// With what.
    pub format: Format,
    /// How hard.
    pub level: i32,
}

/// Compresses a stream; `sink` gets the bytes in order.
pub fn compress(
    input: impl Read,
    settings: Settings,
    sink: &mut dyn FnMut(Vec<u8>) -> Result<()>,
) -> Result<()> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    match settings.format {
        Format::Gzip => gzip(input, settings.level, workers, sink),
        Format::Zstd => zstd(input, settings.level, workers, sink),
    }
}

/// A block to be compressed.
struct Block {
    bytes: Arc<Vec<u8>>,
    before: Option<Arc<Vec<u8>>>,
    last: bool,
    done: SyncSender<Result<Squeezed>>,
}

struct Squeezed {
    bytes: Vec<u8>,
    crc: Crc,
}

fn gzip(
    mut input: impl Read,
    level: i32,
    workers: usize,
    sink: &mut dyn FnMut(Vec<u8>) -> Result<()>,
) -> Result<()> {
    let level = Compression::new(u32::try_from(level).unwrap_or(6));
    let ahead = workers * 2;
    let (to_workers, blocks) = sync_channel::<Block>(ahead);
    let blocks = Mutex::new(blocks);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| work(&blocks, level));
        }
        // Dropped when this ends, however it ends: then the workers end too.
        let to_workers = to_workers;
        // No time, no name; the system is "unknown": the bytes depend on the content alone.
        sink(vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])?;
        let mut waiting: VecDeque<Receiver<Result<Squeezed>>> = VecDeque::new();
        let mut sum = Crc::new();
        let mut before = None;
        let mut block = Arc::new(fill(&mut input)?);
        loop {
            let next = Arc::new(fill(&mut input)?);
            let last = next.is_empty();
            let (done, result) = sync_channel(1);
            let job = Block {
                bytes: Arc::clone(&block),
                before,
                last,
                done,
            };
            to_workers.send(job).map_err(|_| ended())?;
            waiting.push_back(result);
            before = Some(block);
            block = next;
            while waiting.len() > if last { 0 } else { ahead } {
                if let Some(result) = waiting.pop_front() {
                    let squeezed = result.recv().map_err(|_| ended())??;
                    sum.combine(&squeezed.crc);
                    sink(squeezed.bytes)?;
                }
            }
            if last {
                break;
            }
        }
        let mut end = sum.sum().to_le_bytes().to_vec();
        end.extend(sum.amount().to_le_bytes());
        sink(end)
    })
}

fn ended() -> Error {
    Error::internal("a thread that compresses has ended")
}

/// Reads a block; an empty one is the end.
fn fill(input: &mut impl Read) -> Result<Vec<u8>> {
    let mut block = Vec::with_capacity(BLOCK);
    input.take(BLOCK as u64).read_to_end(&mut block)?;
    Ok(block)
}

fn work(blocks: &Mutex<Receiver<Block>>, level: Compression) {
    let mut deflate = Compress::new(level, false);
    loop {
        let block = blocks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(block) = block else {
            return;
        };
        let squeezed = squeeze(&mut deflate, &block);
        // Nobody waits for it after a failure.
        drop(block.done.send(squeezed));
    }
}

fn squeeze(deflate: &mut Compress, block: &Block) -> Result<Squeezed> {
    let what = || "cannot compress";
    let wrong = |error: &dyn std::fmt::Display| Error::internal(error.to_string()).what(what());
    deflate.reset();
    if let Some(before) = &block.before {
        let window = &before[before.len().saturating_sub(WINDOW)..];
        deflate.set_dictionary(window).map_err(|e| wrong(&e))?;
    }
    let flush = if block.last {
        FlushCompress::Finish
    } else {
        FlushCompress::Sync
    };
    let mut bytes = Vec::with_capacity(block.bytes.len() + (block.bytes.len() >> 3) + 64);
    loop {
        let taken = usize::try_from(deflate.total_in()).unwrap_or(usize::MAX);
        let status = deflate
            .compress_vec(&block.bytes[taken..], &mut bytes, flush)
            .map_err(|e| wrong(&e))?;
        // Room that is left says that the flush is complete.
        let all = deflate.total_in() == block.bytes.len() as u64 && bytes.len() < bytes.capacity();
        if status == Status::StreamEnd || (all && !block.last) {
            break;
        }
        bytes.reserve(BLOCK);
    }
    let mut crc = Crc::new();
    crc.update(&block.bytes);
    Ok(Squeezed { bytes, crc })
}

fn zstd(
    mut input: impl Read,
    level: i32,
    workers: usize,
    sink: &mut dyn FnMut(Vec<u8>) -> Result<()>,
) -> Result<()> {
    let what = || "cannot compress";
    let mut pieces = Pieces {
        sink,
        piece: Vec::with_capacity(OUT),
        failure: None,
    };
    let mut copy = || -> io::Result<()> {
        let mut encoder = zstd::Encoder::new(&mut pieces, level)?;
        encoder.multithread(u32::try_from(workers).unwrap_or(1))?;
        io::copy(&mut input, &mut encoder)?;
        encoder.finish()?.flush()
    };
    let copied = copy();
    match pieces.failure.take() {
        Some(failure) => Err(failure),
        None => copied.what(what),
    }
}

/// Gathers what is written, so that the sink gets it in pieces of some size.
struct Pieces<'a> {
    sink: &'a mut dyn FnMut(Vec<u8>) -> Result<()>,
    piece: Vec<u8>,
    failure: Option<Error>,
}

impl Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= OUT {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(OUT));
        if piece.is_empty() {
            return Ok(());
        }
        (self.sink)(piece).map_err(|error| {
            let text = error.to_string();
            self.failure = Some(error);
            io::Error::other(text)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::{BLOCK, Format, Settings, compress, gzip, zstd};
    use crate::error::Error;

    /// Text that compresses, with matches across blocks.
    fn sample(length: usize) -> Vec<u8> {
        let mut state = 1u32;
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let start = bytes
                .len()
                .saturating_sub((state >> 17) as usize % 30_000 + 1);
            if state & 3 == 0 || bytes.len() < 64 {
                bytes.extend(state.to_le_bytes());
            } else {
                let copy = bytes[start..bytes.len().min(start + 50)].to_vec();
                bytes.extend(copy);
            }
        }
        bytes.truncate(length);
        bytes
    }

    fn squeezed(format: Format, level: i32, workers: usize, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut sink = |piece: Vec<u8>| {
            out.extend(piece);
            Ok(())
        };
        match format {
            Format::Gzip => gzip(bytes, level, workers, &mut sink).expect("compressed"),
            Format::Zstd => zstd(bytes, level, workers, &mut sink).expect("compressed"),
        }
        out
    }

    #[test]
    fn what_was_compressed_in_blocks_is_one_ordinary_stream() {
        for length in [0, 1, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 77] {
            let plain = sample(length);
            for level in [0, 1, 6, 9] {
                let small = squeezed(Format::Gzip, level, 3, &plain);
                let mut back = Vec::new();
                let mut reader = flate2::read::GzDecoder::new(&small[..]);
                reader.read_to_end(&mut back).expect("it is gzip");
                assert!(back == plain, "{length} at level {level}");
                assert!(reader.into_inner().is_empty(), "nothing is behind it");
            }
            let small = squeezed(Format::Zstd, 3, 3, &plain);
            let back = zstd::decode_all(&small[..]).expect("it is zstd");
            assert!(back == plain, "{length}");
        }
    }

    #[test]
    fn as_many_workers_as_there_are_give_the_same_bytes() {
        let plain = sample(20 * BLOCK + 5);
        for format in [Format::Gzip, Format::Zstd] {
            let one = squeezed(format, format.usual_level(), 1, &plain);
            let four = squeezed(format, format.usual_level(), 4, &plain);
            assert!(one == four, "{format:?}");
        }
        // The dictionary is used: whole, it would be hardly smaller.
        let whole = {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
            std::io::Write::write_all(&mut encoder, &plain).expect("written");
            encoder.finish().expect("ended").len()
        };
        let blocks = squeezed(Format::Gzip, 6, 2, &plain).len();
        assert!(blocks < whole + whole / 50, "{blocks} {whole}");
    }

    #[test]
    fn a_sink_that_fails_ends_it_with_its_words() {
        let plain = sample(20 * BLOCK);
        for format in [Format::Gzip, Format::Zstd] {
            let mut left = 2;
            let settings = Settings { format, level: 1 };
            let mut sink = |_| {
                left -= 1;
                if left < 0 {
                    Err(Error::new("full"))
                } else {
                    Ok(())
                }
            };
            let error = compress(&plain[..], settings, &mut sink).expect_err("it fails");
            assert_eq!(error.to_string(), "full");
        }
    }
}
