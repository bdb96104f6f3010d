//! Files with holes: where their data belong (GNU tar manual, "Storing Sparse Files").
//!
//! ```text
//! old GNU   header of type S: 4 pieces, blocks of 21 more
//! pax 0.0   GNU.sparse.offset, GNU.sparse.numbytes, again and again
//! pax 0.1   GNU.sparse.map=offset,length,offset,length…
//! pax 1.0   GNU.sparse.major=1: lines at the beginning of the data
//! ```
//!
//! Lives here: [`Keys`] (what records say), [`Map`] (a map being read) and the
//! two forms that stand outside of records.
//! Must not: read the tar or write a file.
//! Called by: `entries`.
//! Always true: pieces ascend, do not overlap, lie inside the file and have
//! exactly the bytes that are stored; a million of them at most.

use super::{Pieces, number, pax};
use crate::error::{Error, Result};

const PIECES_LIMIT: usize = 1_000_000;

/// How a file's map is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Not at all.
    Dense,
    /// In records.
    Said,
    /// In the data.
    InData,
}

/// What records say of holes.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    pub name: Option<Vec<u8>>,
    real_size: Option<u64>,
    major: u64,
    pieces: Option<Pieces>,
}

impl Keys {
    /// Takes a record whose key began with `GNU.sparse.`.
    pub fn take(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let bad = || Error::new("the map of a file with holes is damaged");
        match key {
            b"name" => self.name = Some(value.to_vec()),
            b"size" | b"realsize" => self.real_size = Some(pax::decimal(value)?),
            b"major" => self.major = pax::decimal(value)?,
            b"numblocks" => self.pieces = Some(Vec::new()),
            b"offset" => {
                let pieces = self.pieces.get_or_insert_default();
                pieces.push((pax::decimal(value)?, 0));
            }
            b"numbytes" => {
                let last = self.pieces.as_mut().and_then(|p| p.last_mut());
                last.ok_or_else(bad)?.1 = pax::decimal(value)?;
            }
            b"map" => {
                let numbers = value
                    .split(|b| *b == b',')
                    .map(pax::decimal)
                    .collect::<Result<Vec<_>>>()?;
                if numbers.len() % 2 != 0 {
                    return Err(bad());
                }
                self.pieces = Some(numbers.chunks_exact(2).map(|p| (p[0], p[1])).collect());
            }
            _ => {}
        }
        Ok(())
    }

    /// Says how the map is written.
    pub fn format(&self) -> Format {
        match (self.major, &self.pieces) {
            (1.., _) => Format::InData,
            (0, Some(_)) => Format::Said,
            (0, None) => Format::Dense,
        }
    }

    /// Returns the bytes of the file, holes included.
    pub fn size(&self) -> Result<u64> {
        self.real_size
            .ok_or_else(|| Error::new("a file with holes has no size"))
    }

    /// Returns the size and the map that records gave, for so many bytes of data.
    pub fn said(&self, stored: u64) -> Result<(u64, Option<Pieces>)> {
        let size = self.size()?;
        let mut map = Map::new(size, stored);
        for (offset, length) in self.pieces.iter().flatten() {
            map.push(*offset, *length)?;
        }
        Ok((size, Some(map.finish()?)))
    }
}

/// A map that is being read.
pub struct Map {
    pieces: Pieces,
    size: u64,
    stored: u64,
    end: u64,
    sum: u64,
}

impl Map {
    /// Begins the map of a file of `size` bytes, of which `stored` are in the tar.
    pub fn new(size: u64, stored: u64) -> Self {
        Self {
            pieces: Vec::new(),
            size,
            stored,
            end: 0,
            sum: 0,
        }
    }

    /// Takes the next piece.
    pub fn push(&mut self, offset: u64, length: u64) -> Result<()> {
        let end = offset.checked_add(length);
        let Some(end) = end.filter(|end| offset >= self.end && *end <= self.size) else {
            return Err(Error::new(
                "the pieces of a file with holes overlap or lie outside of it",
            ));
        };
        if self.pieces.len() >= PIECES_LIMIT {
            return Err(Error::new(format!(
                "a file has more than {PIECES_LIMIT} pieces between holes"
            )));
        }
        self.end = end;
        self.sum += length;
        if length > 0 {
            self.pieces.push((offset, length));
        }
        Ok(())
    }

    /// Returns the map, if it is about all bytes that are stored.
    pub fn finish(self) -> Result<Pieces> {
        if self.sum != self.stored || self.size > i64::MAX as u64 {
            return Err(Error::new(format!(
                "the map of a file with holes has {} bytes and the tar {}",
                self.sum, self.stored
            )));
        }
        Ok(self.pieces)
    }
}

/// Takes the pieces of an old GNU header or of a block after it; says whether another follows.
pub fn old_pieces(fields: &[u8], more: u8, map: &mut Map) -> Result<bool> {
    for piece in fields.chunks_exact(24) {
        if piece[0] == 0 && piece[12] == 0 {
            break;
        }
        let part = |field| -> Result<u64> {
            u64::try_from(number(field)?).map_err(|_| Error::new("a piece of a file is negative"))
        };
        map.push(part(&piece[..12])?, part(&piece[12..])?)?;
    }
    Ok(more != 0)
}

/// The lines of pax format 1.0: how many pieces, then offset and length of each.
pub struct Lines {
    size: u64,
    digits: Vec<u8>,
    count: Option<u64>,
    numbers: Vec<u64>,
}

impl Lines {
    /// Begins the lines of a file of `size` bytes.
    pub fn new(size: u64) -> Self {
        Self {
            size,
            digits: Vec::new(),
            count: None,
            numbers: Vec::new(),
        }
    }

    /// Takes a block; returns the map when it has ended there and `stored` bytes follow.
    pub fn take(&mut self, block: &[u8], stored: u64) -> Result<Option<Map>> {
        for byte in block {
            if *byte != b'\n' {
                if self.digits.len() > 20 {
                    return Err(Error::new("the map of a file with holes is damaged"));
                }
                self.digits.push(*byte);
                continue;
            }
            let number = pax::decimal(&self.digits)?;
            self.digits.clear();
            match self.count {
                None if number > PIECES_LIMIT as u64 => {
                    return Err(Error::new(format!(
                        "a file has more than {PIECES_LIMIT} pieces between holes"
                    )));
                }
                None => self.count = Some(number),
                Some(_) => self.numbers.push(number),
            }
            if self
                .count
                .is_some_and(|c| self.numbers.len() as u64 == 2 * c)
            {
                let mut map = Map::new(self.size, stored);
                for pair in self.numbers.chunks_exact(2) {
                    map.push(pair[0], pair[1])?;
                }
                return Ok(Some(map));
            }
        }
        Ok(None)
    }
}
