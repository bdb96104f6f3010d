//! Archives that `ADD` unpacks.
//!
//! Lives here: telling a tar, compressed or not, from other files.
//! Must not: read entries (`runtime::copy::archive`).
//! Called by: `step`, `fetch`.
//! Always true: what is no tar inside its compression is a file like any other, as
//! docker has it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};

use crate::error::Result;

/// Returns a file's plain tar, if that is what it is.
pub fn recognize(mut file: File) -> Result<Option<Box<dyn Read>>> {
    let mut start = [0; 6];
    let known = read_most(&mut file, &mut start)?;
    file.rewind()?;
    let Some(mut plain) = plain(&start[..known], file)? else {
        return Ok(None);
    };
    let mut block = vec![0; 512];
    let Ok(512) = read_most(&mut plain, &mut block) else {
        return Ok(None);
    };
    let is_tar = is_header(&block);
    Ok(is_tar.then(|| Box::new(io::Cursor::new(block).chain(plain)) as Box<dyn Read>))
}

fn plain(start: &[u8], file: File) -> Result<Option<Box<dyn Read>>> {
    let file = BufReader::with_capacity(128 << 10, file);
    Ok(Some(match start {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::stream::read::Decoder::with_buffer(file)?),
        [b'B', b'Z', b'h', ..] => Box::new(bzip2::bufread::MultiBzDecoder::new(file)),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Box::new(lzma_rust2::XzReader::new(file, true)),
        _ => Box::new(file),
    }))
}

/// A header's sum counts its own field as blanks (ustar, pax(1)).
fn is_header(block: &[u8]) -> bool {
    let field: String = block[148..156]
        .iter()
        .map(|b| char::from(*b))
        .filter(char::is_ascii_digit)
        .collect();
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(at, byte)| match at {
            148..156 => 32,
            _ => u32::from(*byte),
        })
        .sum();
    block[0] != 0 && u32::from_str_radix(&field, 8) == Ok(sum)
}

fn read_most(from: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while count < into.len() {
        match from.read(&mut into[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}
