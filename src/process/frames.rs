//! Streams of bytes between a monitor and those attached to it.
//!
//! ```text
//! frame  = kind (1 byte), length (4 bytes, little-endian), payload
//! to the monitor: Hello, Stdin, StdinEnd, Resize, Signal, Change
//! from it:        Stdout, Stderr, Exit, Failed, Changed
//! ```
//!
//! Lives here: the frames, written and read.
//! Must not: open a socket or decide what a frame does.
//! Called by: `monitor` (one end), `ops` (the other), also across versions of
//! rpod: kinds are never given another meaning, and an unknown one is passed over.
//! Always true: a frame is at most [`LIMIT`] bytes, so that neither end can make
//! the other grow.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Bytes of a payload at most.
pub const LIMIT: usize = 64 << 10;
const HEADER: usize = 5;

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What the client wants: [`Hello`] as JSON. The first frame.
    Hello,
    /// Bytes for the program.
    Stdin,
    /// No more bytes for the program.
    StdinEnd,
    /// The terminal's size: rows and columns, two bytes each.
    Resize,
    /// A signal for the program: its number, one byte.
    Signal,
    /// Something of the container's own is to change: what `ops::network` writes.
    Change,
    /// Bytes of the program.
    Stdout,
    /// Bytes of the program.
    Stderr,
    /// The program has ended: its status, four bytes.
    Exit,
    /// It could not be started: an error as JSON.
    Failed,
    /// How a change went: a result as JSON.
    Changed,
}

const KINDS: [(u8, Kind); 11] = [
    (1, Kind::Hello),
    (2, Kind::Stdin),
    (3, Kind::StdinEnd),
    (4, Kind::Resize),
    (5, Kind::Signal),
    (6, Kind::Change),
    (16, Kind::Stdout),
    (17, Kind::Stderr),
    (18, Kind::Exit),
    (19, Kind::Failed),
    (20, Kind::Changed),
];

/// What a client wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// What the program writes to standard output.
    pub stdout: bool,
    /// What the program writes to standard error.
    pub stderr: bool,
    /// To give it bytes.
    pub input: bool,
    /// When this client goes, the program's input ends.
    #[serde(default)]
    pub once: bool,
}

/// Appends a frame, or as many as the payload needs.
pub fn write(into: &mut Vec<u8>, kind: Kind, payload: &[u8]) {
    let number = KINDS
        .iter()
        .find(|(_, k)| *k == kind)
        .map_or(0, |(number, _)| *number);
    let mut rest = payload;
    loop {
        let (now, later) = rest.split_at(rest.len().min(LIMIT));
        into.push(number);
        into.extend(u32::try_from(now.len()).unwrap_or_default().to_le_bytes());
        into.extend(now);
        rest = later;
        if rest.is_empty() {
            return;
        }
    }
}

/// Takes bytes as they come and gives whole frames.
#[derive(Debug, Default)]
pub struct Reader {
    bytes: Vec<u8>,
    used: usize,
}

impl Reader {
    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.used);
        self.used = 0;
        self.bytes.extend(bytes);
    }

    /// Returns the next whole frame.
    ///
    /// # Errors
    /// When the other end does not speak this language.
    pub fn next(&mut self) -> Result<Option<(Kind, &[u8])>> {
        loop {
            let Some(header) = self.bytes.get(self.used..self.used + HEADER) else {
                return Ok(None);
            };
            let number = header[0];
            let length = u32::from_le_bytes([header[1], header[2], header[3], header[4]]) as usize;
            if length > LIMIT {
                return Err(Error::internal("a frame that is too long"));
            }
            let start = self.used + HEADER;
            if self.bytes.len() < start + length {
                return Ok(None);
            }
            self.used = start + length;
            if let Some((_, kind)) = KINDS.iter().find(|(n, _)| *n == number) {
                return Ok(Some((*kind, &self.bytes[start..start + length])));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, LIMIT, Reader, write};

    #[test]
    fn frames_come_whole_however_the_bytes_come() {
        let mut bytes = Vec::new();
        write(&mut bytes, Kind::Stdout, b"hello");
        write(&mut bytes, Kind::Exit, &7i32.to_le_bytes());
        let mut reader = Reader::default();
        let mut seen = Vec::new();
        for byte in bytes {
            reader.feed(&[byte]);
            while let Some((kind, payload)) = reader.next().expect("frames") {
                seen.push((kind, payload.to_vec()));
            }
        }
        assert_eq!(
            seen,
            [
                (Kind::Stdout, b"hello".to_vec()),
                (Kind::Exit, vec![7, 0, 0, 0])
            ]
        );
    }

    #[test]
    fn long_payloads_are_parted_and_too_long_frames_refused() {
        let mut bytes = Vec::new();
        write(&mut bytes, Kind::Stdin, &vec![b'x'; LIMIT + 1]);
        let mut reader = Reader::default();
        reader.feed(&bytes);
        let mut total = 0;
        while let Some((_, payload)) = reader.next().expect("frames") {
            total += payload.len();
        }
        assert_eq!(total, LIMIT + 1);
        reader.feed(&[16, 255, 255, 255, 255]);
        assert!(reader.next().is_err());
    }

    #[test]
    fn an_unknown_kind_is_passed_over() {
        let mut reader = Reader::default();
        reader.feed(&[99, 1, 0, 0, 0, 0, 3, 0, 0, 0, 0]);
        assert_eq!(
            reader.next().expect("frames"),
            Some((Kind::StdinEnd, &[][..]))
        );
    }
}
