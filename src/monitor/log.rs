//! What a container wrote, kept: one line of the log for each line, as
//! Kubernetes' runtimes write it, so that its tools can read ours.
//!
//! ```text
//! 2024-08-04T18:51:00.000000000Z stdout F Kubia server starting...
//! <time> stdout|stderr F|P <text>     P: the line goes on in the next one
//! ```
//!
//! Lives here: writing and reading of that format.
//! Must not: know who reads.
//! Called by: `monitor::supervise`, `ops::logs`.
//! Always true: a line of the log is written by one write(2), so that a reader
//! sees it whole or, at the very end, not yet.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::spec::time::Time;

/// Which of the two a program wrote to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, or the terminal.
    Out,
    /// Standard error.
    Err,
}

/// The end of a log that is being written.
#[derive(Debug)]
pub struct Log {
    file: File,
    buffer: Vec<u8>,
    /// A line was cut off by a full disk.
    torn: bool,
}

impl Log {
    /// Opens a container's log to go on with it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::options()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        Ok(Self {
            file,
            buffer: Vec::new(),
            torn: false,
        })
    }

    /// Keeps nothing: what `exec` runs is not in its container's log.
    pub fn nowhere() -> io::Result<Self> {
        Ok(Self {
            file: File::options().write(true).open("/dev/null")?,
            buffer: Vec::new(),
            torn: false,
        })
    }

    /// Adds what was read at once. A full disk loses lines, not the container.
    pub fn append(&mut self, stream: Stream, bytes: &[u8]) {
        let time = Time::now().to_string();
        let name = match stream {
            Stream::Out => "stdout",
            Stream::Err => "stderr",
        };
        self.buffer.clear();
        if self.torn {
            // What is left of that line must not swallow the next one.
            self.buffer.push(b'\n');
        }
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            let (text, tag) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, 'F'),
                None => (piece, 'P'),
            };
            // A Vec takes whatever is written to it.
            drop(write!(self.buffer, "{time} {name} {tag} "));
            self.buffer.extend(text);
            self.buffer.push(b'\n');
        }
        self.torn = self.file.write_all(&self.buffer).is_err();
    }
}

/// One line of a log, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// When it was written.
    pub time: Time,
    /// To which stream.
    pub stream: Stream,
    /// The line ends here.
    pub whole: bool,
    /// Its text, without a newline.
    pub text: &'a [u8],
}

/// Reads one line of a log, without its newline; none when it is no such line.
pub fn parse(line: &[u8]) -> Option<Entry<'_>> {
    let mut parts = line.splitn(4, |b| *b == b' ');
    let time = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    let stream = match parts.next()? {
        b"stdout" => Stream::Out,
        b"stderr" => Stream::Err,
        _ => return None,
    };
    let whole = parts.next()? == b"F";
    Some(Entry {
        time,
        stream,
        whole,
        text: parts.next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Log, Stream, parse};

    #[test]
    fn what_was_written_is_read_with_its_stream_and_its_ends() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log");
        let mut log = Log::open(&path).expect("opened");
        log.append(Stream::Out, b"one\ntwo ");
        log.append(Stream::Err, b"\n");
        let text = std::fs::read(&path).expect("read");
        let seen: Vec<_> = text
            .split(|b| *b == b'\n')
            .filter_map(parse)
            .map(|e| (e.stream, e.whole, e.text.to_vec()))
            .collect();
        assert_eq!(
            seen,
            [
                (Stream::Out, true, b"one".to_vec()),
                (Stream::Out, false, b"two ".to_vec()),
                (Stream::Err, true, b"".to_vec()),
            ]
        );
        assert_eq!(parse(b"nonsense"), None);
    }

    #[test]
    fn a_line_cut_off_by_a_full_disk_leaves_the_next_one_whole() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log");
        let mut log = Log::open(&path).expect("opened");
        log.append(Stream::Out, b"one\n");
        // What write(2) of a full disk leaves of a line.
        let text = std::fs::read(&path).expect("read");
        std::fs::write(&path, &text[..text.len() - 2]).expect("cut");
        let full = std::fs::File::options().write(true).open("/dev/full");
        let file = std::mem::replace(&mut log.file, full.expect("opened"));
        log.append(Stream::Out, b"lost\n");
        log.file = file;
        log.append(Stream::Out, b"next\n");
        let text = std::fs::read(&path).expect("read");
        let lines: Vec<_> = text.split(|b| *b == b'\n').filter_map(parse).collect();
        let texts: Vec<&[u8]> = lines.iter().map(|line| line.text).collect();
        assert_eq!(texts, [&b"on"[..], b"next"]);
    }
}
