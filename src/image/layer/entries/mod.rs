//! A tar as a sequence of entries: no disk, no meaning.
//!
//! ```text
//! [ x: records ]  [ L: long name ]  header 512 bytes  [ data, padded to 512 ]  …  two blocks of zeros
//! ```
//!
//! Lives here: [`Entries`] and [`Entry`]; headers of v7, ustar (POSIX.1-1988),
//! pax (POSIX.1-2001) and GNU; below, `pax` (records) and `sparse` (maps).
//! Must not: judge names or write anything; whoever uses an entry does.
//! Called by: `image::layer::tree`, `image::archive`.
//! Always true: what is said before a header wins over the header, as Go's
//! archive/tar has it, because images are made and read by that; an extended
//! header has at most 1 MiB, and so have all of an entry together.

mod pax;
mod sparse;

use std::io::{self, BufRead, Read};

use crate::error::{Context, Error, Result};
use pax::Extended;

/// Where pieces of a file with holes are: offset and length, ascending.
pub type Pieces = Vec<(u64, u64)>;

/// What an entry makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// Another name of an earlier entry's file.
    HardLink,
    /// A symbolic link.
    Symlink,
    /// A character device: major and minor.
    Character(u32, u32),
    /// A block device: major and minor.
    Block(u32, u32),
    /// A directory.
    Directory,
    /// A named pipe.
    Fifo,
}

/// One entry, as it says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name, not judged: it may be absolute, hold `..` or anything but a zero byte.
    pub name: Vec<u8>,
    /// What it makes.
    pub kind: Kind,
    /// Where a link leads, not judged.
    pub link: Vec<u8>,
    /// Permissions with set-user-id, set-group-id and sticky bits.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Modified: seconds since 1970 and nanoseconds.
    pub mtime: (i64, u32),
    /// Bytes of the file, holes included.
    pub size: u64,
    /// Where the data belong, for a file with holes.
    pub pieces: Option<Pieces>,
    /// Extended attributes by name.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The entries of a tar. After each one its data can be read from [`Entries::data`].
pub struct Entries<R> {
    input: R,
    /// Bytes read so far, for messages.
    position: u64,
    /// Bytes of data that follow.
    data: u64,
    /// Bytes that pad them.
    padding: u64,
    global: Extended,
}

const BLOCK: usize = 512;
/// Bytes of all that is said before one header.
const EXTENDED_LIMIT: u64 = 1 << 20;

type Block = [u8; BLOCK];

impl<R: BufRead> Entries<R> {
    /// Returns the entries of a plain tar.
    pub fn new(input: R) -> Self {
        Self {
            input,
            position: 0,
            data: 0,
            padding: 0,
            global: Extended::default(),
        }
    }

    /// Returns the next entry, or none at the end; what was not read of the data before is skipped.
    pub fn next_entry(&mut self) -> Result<Option<Entry>> {
        self.skip()?;
        let start = self.position;
        self.read_entry()
            .what(|| format!("the tar is damaged at byte {start}"))
    }

    /// Returns the data of the entry that was read last.
    pub fn data(&mut self) -> Data<'_, R> {
        Data(self)
    }

    fn read_entry(&mut self) -> Result<Option<Entry>> {
        let mut said = self.global.clone();
        let mut long_name = None;
        let mut long_link = None;
        let mut budget = EXTENDED_LIMIT;
        loop {
            let Some(block) = self.header()? else {
                return Ok(None);
            };
            match block[TYPE] {
                b'x' | b'X' => said.take(&self.extended(&block, &mut budget)?)?,
                b'g' => {
                    let records = self.extended(&block, &mut budget)?;
                    self.global.take_global(&records)?;
                    said.take_global(&records)?;
                }
                b'L' => long_name = Some(text(&self.extended(&block, &mut budget)?).to_vec()),
                b'K' => long_link = Some(text(&self.extended(&block, &mut budget)?).to_vec()),
                // A volume's label.
                b'V' => drop(self.extended(&block, &mut budget)?),
                _ => {
                    let entry = self.entry(&block, said, long_name, long_link)?;
                    return Ok(Some(entry));
                }
            }
        }
    }

    /// Makes an entry of its header and all that was said before it.
    fn entry(
        &mut self,
        block: &Block,
        said: Extended,
        long_name: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
    ) -> Result<Entry> {
        let name = long_name
            .or(said.sparse.name.clone())
            .or(said.path)
            .unwrap_or_else(|| header_name(block));
        let link = long_link
            .or(said.link)
            .unwrap_or_else(|| text(&block[157..257]).to_vec());
        if name.contains(&0) || link.contains(&0) {
            return Err(Error::new("a name holds a zero byte"));
        }
        let kind = kind(block, &name)?;
        let stored = match (said.size, kind) {
            // Only files have data, whatever the others say.
            (_, k) if k != Kind::File => 0,
            (Some(size), _) => size,
            (None, _) => size_of(&block[124..136])?,
        };
        let (data, padding) = padded(stored)?;
        self.data = data;
        self.padding = padding;
        let (size, pieces) = match said.sparse.format() {
            _ if kind != Kind::File => (0, None),
            sparse::Format::Dense if block[TYPE] == b'S' => self.old_gnu(block)?,
            sparse::Format::Dense => (stored, None),
            sparse::Format::Said => said.sparse.said(stored)?,
            sparse::Format::InData => {
                let size = said.sparse.size()?;
                (size, Some(self.map_in_data(size)?))
            }
        };
        Ok(Entry {
            kind,
            link,
            mode: u32::try_from(number(&block[100..108])? & 0o7777).unwrap_or_default(),
            uid: said.uid.map_or_else(|| id(&block[108..116]), Ok)?,
            gid: said.gid.map_or_else(|| id(&block[116..124]), Ok)?,
            mtime: said
                .mtime
                .map_or_else(|| number(&block[136..148]).map(|n| (n, 0)), Ok)?,
            size,
            pieces,
            xattrs: said.xattrs.into_iter().collect(),
            name,
        })
    }

    /// Reads a header that has the right sum; none at the end.
    fn header(&mut self) -> Result<Option<Block>> {
        let Some(block) = self.block()? else {
            return Ok(None);
        };
        if block == [0; BLOCK] {
            return match self.block()? {
                Some(second) if second != [0; BLOCK] => {
                    Err(Error::new("a block of zeros stands between two entries"))
                }
                _ => Ok(None),
            };
        }
        let said = number(&block[148..156])?;
        let bytes = block.iter().enumerate().map(|(at, byte)| match at {
            148..156 => b' ',
            _ => *byte,
        });
        let sum: i64 = bytes.clone().map(i64::from).sum();
        // Some old writers added the bytes as signed ones.
        let signed: i64 = bytes.map(|b| i64::from(b.cast_signed())).sum();
        if said != sum && said != signed {
            return Err(Error::new("a header has a wrong checksum"));
        }
        Ok(Some(block))
    }

    /// Reads what an extended header holds.
    fn extended(&mut self, block: &Block, budget: &mut u64) -> Result<Vec<u8>> {
        let size = size_of(&block[124..136])?;
        *budget = budget
            .checked_sub(size.saturating_add(BLOCK as u64))
            .ok_or_else(|| {
                Error::new(format!(
                    "the extended headers of an entry have more than {EXTENDED_LIMIT} bytes"
                ))
            })?;
        let (data, padding) = padded(size)?;
        self.data = data;
        self.padding = padding;
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        self.data().read_to_end(&mut bytes)?;
        self.skip()?;
        Ok(bytes)
    }

    /// Reads one block; none where the input ends before it.
    fn block(&mut self) -> Result<Option<Block>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            let from = self.input.fill_buf()?;
            if from.is_empty() {
                break;
            }
            let count = from.len().min(BLOCK - filled);
            block[filled..filled + count].copy_from_slice(&from[..count]);
            self.input.consume(count);
            filled += count;
        }
        self.position += filled as u64;
        match filled {
            0 => Ok(None),
            BLOCK => Ok(Some(block)),
            _ => Err(Error::new("it ends in the middle of a header")),
        }
    }

    /// Passes over the rest of the data and their padding.
    fn skip(&mut self) -> Result<()> {
        let mut left = self.data + self.padding;
        self.data = 0;
        self.padding = 0;
        while left > 0 {
            let from = self.input.fill_buf()?;
            if from.is_empty() {
                return Err(ended().into());
            }
            let count = (from.len() as u64).min(left);
            self.input
                .consume(usize::try_from(count).unwrap_or_default());
            self.position += count;
            left -= count;
        }
        Ok(())
    }

    /// GNU's own way before pax: four pieces in the header, 21 in each block after it.
    fn old_gnu(&mut self, block: &Block) -> Result<(u64, Option<Pieces>)> {
        let size = size_of(&block[483..495])?;
        let mut map = sparse::Map::new(size, self.data);
        let mut more = sparse::old_pieces(&block[386..482], block[482], &mut map)?;
        while more {
            let Some(block) = self.block()? else {
                return Err(ended().into());
            };
            more = sparse::old_pieces(&block[..504], block[504], &mut map)?;
        }
        Ok((size, Some(map.finish()?)))
    }

    /// GNU's pax format 1.0: the map is the beginning of the data, in lines, padded to blocks.
    fn map_in_data(&mut self, size: u64) -> Result<Pieces> {
        let mut lines = sparse::Lines::new(size);
        let map = loop {
            if self.data < BLOCK as u64 {
                return Err(Error::new("the map of a file with holes has no end"));
            }
            let Some(block) = self.block()? else {
                return Err(ended().into());
            };
            self.data -= BLOCK as u64;
            if let Some(map) = lines.take(&block, self.data)? {
                break map;
            }
        };
        map.finish()
    }
}

/// The data of one entry.
pub struct Data<'a, R>(&'a mut Entries<R>);

impl<R: BufRead> BufRead for Data<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.0.data == 0 {
            return Ok(&[]);
        }
        let from = self.0.input.fill_buf()?;
        if from.is_empty() {
            return Err(ended());
        }
        let length = usize::try_from(self.0.data).unwrap_or(usize::MAX);
        Ok(&from[..from.len().min(length)])
    }

    fn consume(&mut self, count: usize) {
        self.0.input.consume(count);
        self.0.position += count as u64;
        self.0.data -= count as u64;
    }
}

impl<R: BufRead> Read for Data<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let from = self.fill_buf()?;
        let count = from.len().min(into.len());
        into[..count].copy_from_slice(&from[..count]);
        self.consume(count);
        Ok(count)
    }
}

const TYPE: usize = 156;

fn ended() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the tar ends in the middle of an entry",
    )
}

fn kind(block: &Block, name: &[u8]) -> Result<Kind> {
    let device = || -> Result<(u32, u32)> {
        let part = |bytes| -> Result<u32> {
            u32::try_from(number(bytes)?).map_err(|_| Error::new("a device has no such number"))
        };
        Ok((part(&block[329..337])?, part(&block[337..345])?))
    };
    Ok(match block[TYPE] {
        // Before ustar a directory was told by its name alone.
        0 if name.ends_with(b"/") => Kind::Directory,
        0 | b'0' | b'7' | b'S' => Kind::File,
        b'1' => Kind::HardLink,
        b'2' => Kind::Symlink,
        b'3' => device().map(|(major, minor)| Kind::Character(major, minor))?,
        b'4' => device().map(|(major, minor)| Kind::Block(major, minor))?,
        b'5' => Kind::Directory,
        b'6' => Kind::Fifo,
        other => {
            return Err(Error::new(format!(
                "entry {} is of the unknown type \"{}\"",
                super::shown(name),
                other.escape_ascii()
            )));
        }
    })
}

/// The name in the header itself; ustar has room for what goes before it.
fn header_name(block: &Block) -> Vec<u8> {
    let name = text(&block[..100]);
    let is_ustar = block[257..263] == *b"ustar\0";
    let prefix = text(&block[345..500]);
    if !is_ustar || prefix.is_empty() {
        return name.to_vec();
    }
    [prefix, b"/", name].concat()
}

/// The bytes before the first zero.
fn text(field: &[u8]) -> &[u8] {
    field.split(|b| *b == 0).next().unwrap_or_default()
}

/// A number: octal digits, or binary where the first bit is set.
fn number(field: &[u8]) -> Result<i64> {
    let bad = || {
        Error::new(format!(
            "\"{}\" is no number as tar writes it",
            field.escape_ascii()
        ))
    };
    if let [first @ (0x80..), rest @ ..] = field {
        let negative = first & 0x40 != 0;
        let start = if negative {
            i128::from(*first) - 0x100
        } else {
            i128::from(first & 0x3f)
        };
        let mut value = start;
        for byte in rest {
            value = value
                .checked_mul(256)
                .map(|v| v + i128::from(*byte))
                .ok_or_else(bad)?;
        }
        return i64::try_from(value).map_err(|_| bad());
    }
    let mut value: i64 = 0;
    let start = field.iter().position(|b| !matches!(b, 0 | b' '));
    let digits = start.map_or(&[][..], |start| &field[start..]);
    let end = digits
        .iter()
        .position(|b| matches!(b, 0 | b' '))
        .unwrap_or(digits.len());
    for digit in &digits[..end] {
        if !matches!(digit, b'0'..=b'7') {
            return Err(bad());
        }
        value = value
            .checked_mul(8)
            .map(|v| v + i64::from(digit - b'0'))
            .ok_or_else(bad)?;
    }
    Ok(value)
}

fn size_of(field: &[u8]) -> Result<u64> {
    u64::try_from(number(field)?).map_err(|_| Error::new("a size is negative"))
}

fn id(field: &[u8]) -> Result<u64> {
    u64::try_from(number(field)?).map_err(|_| Error::new("an owner is negative"))
}

/// Returns the bytes of data and those that fill the last block.
fn padded(size: u64) -> Result<(u64, u64)> {
    if size > i64::MAX as u64 - BLOCK as u64 {
        return Err(Error::new(format!("{size} bytes are no size of a file")));
    }
    Ok((size, size.next_multiple_of(BLOCK as u64) - size))
}

#[cfg(test)]
pub mod tests;
