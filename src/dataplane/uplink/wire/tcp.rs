//! The header of TCP (RFC 9293).
//!
//! Lives here: [`parse`], the options that are understood, and [`write`].
//! Must not: know a connection.
//! Called by: `dataplane::uplink`.
//! Always true: as of the room, any bytes are read without a panic.

use super::{u16_at, u32_at};

/// FIN, SYN, RST, PSH and ACK of the header.
pub const FIN: u8 = 0x01;
/// Opens a connection.
pub const SYN: u8 = 0x02;
/// Ends one at once.
pub const RST: u8 = 0x04;
/// What was sent is complete for now.
pub const PSH: u8 = 0x08;
/// The number of what is expected next counts.
pub const ACK: u8 = 0x10;

/// Bytes of a header without options.
pub const HEADER: usize = 20;

/// What a segment says.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Port it comes from.
    pub source: u16,
    /// Port it goes to.
    pub destination: u16,
    /// Number of its first byte.
    pub seq: u32,
    /// Number of the byte that is expected next.
    pub ack: u32,
    /// Its flags.
    pub flags: u8,
    /// How much more may come, not scaled.
    pub window: u16,
    /// The options' bytes.
    pub options: &'a [u8],
    /// What it carries.
    pub payload: &'a [u8],
}

impl Segment<'_> {
    /// Says whether a flag is set.
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Returns how many numbers it takes: its bytes, and one each for SYN and FIN.
    pub fn length(&self) -> u32 {
        self.payload.len() as u32 + u32::from(self.has(SYN)) + u32::from(self.has(FIN))
    }
}

/// Reads a segment.
pub fn parse(bytes: &[u8]) -> Option<Segment<'_>> {
    let header = usize::from(*bytes.get(12)? >> 4) * 4;
    if header < HEADER {
        return None;
    }
    Some(Segment {
        source: u16_at(bytes, 0)?,
        destination: u16_at(bytes, 2)?,
        seq: u32_at(bytes, 4)?,
        ack: u32_at(bytes, 8)?,
        flags: *bytes.get(13)?,
        window: u16_at(bytes, 14)?,
        options: bytes.get(HEADER..header)?,
        payload: bytes.get(header..)?,
    })
}

/// What a SYN says of the segments to come, and each of them of its moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Bytes of the largest segment.
    pub mss: Option<u16>,
    /// By how many bits windows are shifted; at most 14.
    pub scale: Option<u8>,
    /// When it was sent, by its sender's own clock.
    pub stamp: Option<Stamp>,
}

/// The timestamps of a segment (RFC 7323).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Its own.
    pub value: u32,
    /// That of what it answers.
    pub echo: u32,
}

/// Bytes of [`Stamp`] in a header, with filling.
pub const STAMP: usize = 12;

/// Reads a header's options; what follows a malformed one is not read.
pub fn options(mut bytes: &[u8]) -> Options {
    let mut found = Options::default();
    while let Some(kind) = bytes.first() {
        let length = match kind {
            0 => break,
            1 => 1,
            _ => match bytes.get(1) {
                Some(length) if *length >= 2 => usize::from(*length),
                _ => break,
            },
        };
        let Some(option) = bytes.get(..length) else {
            break;
        };
        match option {
            [2, 4, high, low] => found.mss = Some(u16::from_be_bytes([*high, *low])),
            [3, 3, shift] => found.scale = Some((*shift).min(14)),
            [8, 10, stamp @ ..] => {
                let word = |at| u32_at(stamp, at).unwrap_or_default();
                found.stamp = Some(Stamp {
                    value: word(0),
                    echo: word(4),
                });
            }
            _ => {}
        }
        bytes = &bytes[length..];
    }
    found
}

/// What a header of ours says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Header {
    /// Port it comes from.
    pub source: u16,
    /// Port it goes to.
    pub destination: u16,
    /// Number of its first byte.
    pub seq: u32,
    /// Number of the byte that is expected next.
    pub ack: u32,
    /// Its flags.
    pub flags: u8,
    /// How much more may come, shifted already.
    pub window: u16,
    /// What else it says.
    pub options: Options,
}

impl Header {
    /// Returns how long it is.
    pub fn length(&self) -> usize {
        HEADER
            + if self.options.mss.is_some() { 4 } else { 0 }
            + if self.options.scale.is_some() { 4 } else { 0 }
            + if self.options.stamp.is_some() {
                STAMP
            } else {
                0
            }
    }

    /// Writes it; `check` goes where the checksum does.
    pub fn write(&self, out: &mut [u8], check: u16) {
        let length = self.length();
        let Some(out) = out.get_mut(..length) else {
            return;
        };
        out[0..2].copy_from_slice(&self.source.to_be_bytes());
        out[2..4].copy_from_slice(&self.destination.to_be_bytes());
        out[4..8].copy_from_slice(&self.seq.to_be_bytes());
        out[8..12].copy_from_slice(&self.ack.to_be_bytes());
        out[12] = (length as u8 / 4) << 4;
        out[13] = self.flags;
        out[14..16].copy_from_slice(&self.window.to_be_bytes());
        out[16..18].copy_from_slice(&check.to_be_bytes());
        out[18..20].fill(0);
        let mut at = HEADER;
        if let Some(mss) = self.options.mss {
            out[at..at + 2].copy_from_slice(&[2, 4]);
            out[at + 2..at + 4].copy_from_slice(&mss.to_be_bytes());
            at += 4;
        }
        if let Some(scale) = self.options.scale {
            // A byte of filling first: options end at a word's end.
            out[at..at + 4].copy_from_slice(&[1, 3, 3, scale]);
            at += 4;
        }
        if let Some(stamp) = self.options.stamp {
            out[at..at + 4].copy_from_slice(&[1, 1, 8, 10]);
            out[at + 4..at + 8].copy_from_slice(&stamp.value.to_be_bytes());
            out[at + 8..at + 12].copy_from_slice(&stamp.echo.to_be_bytes());
        }
    }
}
