//! The header of UDP (RFC 768).
//!
//! Lives here: [`parse`] and [`write`].
//! Must not: know a flow.
//! Called by: `dataplane::uplink`.
//! Always true: the payload is what the header says, never more than there is.

use super::u16_at;

/// Bytes of the header.
pub const HEADER: usize = 8;

/// What a datagram says.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Port it comes from.
    pub source: u16,
    /// Port it goes to.
    pub destination: u16,
    /// What it carries.
    pub payload: &'a [u8],
}

/// Reads a datagram.
pub fn parse(bytes: &[u8]) -> Option<Datagram<'_>> {
    let length = usize::from(u16_at(bytes, 4)?);
    Some(Datagram {
        source: u16_at(bytes, 0)?,
        destination: u16_at(bytes, 2)?,
        payload: bytes.get(HEADER..length)?,
    })
}

/// Writes a header for so much payload; `check` goes where the checksum does.
pub fn write(out: &mut [u8], source: u16, destination: u16, payload: usize, check: u16) {
    let Some(out) = out.get_mut(..HEADER) else {
        return;
    };
    out[0..2].copy_from_slice(&source.to_be_bytes());
    out[2..4].copy_from_slice(&destination.to_be_bytes());
    out[4..6].copy_from_slice(&((HEADER + payload) as u16).to_be_bytes());
    out[6..8].copy_from_slice(&check.to_be_bytes());
}
