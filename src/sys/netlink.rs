//! Links, addresses, routes and rules (rtnetlink(7)).
//!
//! Lives here: [`Netlink`], a socket that sends one request and waits for its answer.
//! Must not: know what a request is for.
//! Called by: `dataplane::link`.
//! Always true: a socket speaks for the network namespace in which it was
//! opened, wherever its process goes afterwards.

use std::io;
use std::os::fd::OwnedFd;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// A socket to the kernel's network configuration.
#[derive(Debug)]
pub struct Netlink {
    fd: OwnedFd,
    sequence: u32,
}

impl Netlink {
    /// Opens a socket to the current network namespace.
    pub fn open() -> io::Result<Self> {
        let fd = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            None, // 0 is NETLINK_ROUTE
        )?;
        // Linux < 4.12 knows no sentences beside its numbers: then the number is all we tell.
        drop(crate::sys::socket::set_option(
            &fd,
            libc::SOL_NETLINK,
            libc::NETLINK_EXT_ACK,
            1,
        ));
        Ok(Self { fd, sequence: 0 })
    }

    /// Sends a change and waits until it is done. `flags` are `NLM_F_CREATE` and the like.
    ///
    /// # Errors
    /// The kernel's refusal, with its sentence where it has one; the error's
    /// kind stays that of the number.
    pub fn change(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.send(message, NLM_F_REQUEST | NLM_F_ACK | flags)?;
        self.acknowledged()
    }

    fn send(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        rustix::net::send(&self.fd, &bytes, SendFlags::empty())?;
        Ok(())
    }

    fn acknowledged(&self) -> io::Result<()> {
        let mut buffer = [0; 8192];
        loop {
            let (length, _) = rustix::net::recv(&self.fd, &mut buffer, RecvFlags::empty())?;
            if let Some(answer) = parse_answer(&buffer[..length], self.sequence) {
                return answer;
            }
        }
    }

    /// Asks for a list and hands its entries over as they come.
    pub fn list(
        &mut self,
        ask: RouteNetlinkMessage,
        mut each: impl FnMut(RouteNetlinkMessage),
    ) -> io::Result<()> {
        self.send(ask, NLM_F_REQUEST | NLM_F_DUMP)?;
        // The kernel fills at most 32 KiB at once (netlink(7)).
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let (length, _) = rustix::net::recv(&self.fd, &mut buffer[..], RecvFlags::empty())?;
            let mut rest = &buffer[..length];
            while !rest.is_empty() {
                let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                    .map_err(io::Error::other)?;
                let whole = (message.header.length as usize).next_multiple_of(4);
                rest = rest.get(whole..).unwrap_or_default();
                if message.header.sequence_number != self.sequence {
                    continue;
                }
                match message.payload {
                    NetlinkPayload::Done(_) => return Ok(()),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    NetlinkPayload::InnerMessage(message) => each(message),
                    _ => {}
                }
            }
        }
    }

    /// Returns a device's index.
    pub fn index(&self, name: &str) -> io::Result<u32> {
        Ok(rustix::net::netdevice::name_to_index(&self.fd, name)?)
    }
}

const NLMSG_ERROR: u16 = 2;
const NLM_F_CAPPED: u16 = 0x100;
const NLM_F_ACK_TLVS: u16 = 0x200;
const NLMSGERR_ATTR_MSG: u16 = 1;

/// Reads one acknowledgement: a header of 16 bytes, the negative number, the
/// header of the request (whole, or alone when capped), then the sentence.
/// None when it answers another request.
fn parse_answer(bytes: &[u8], sequence: u32) -> Option<io::Result<()>> {
    let u16_at = |at: usize| Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let u32_at = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if u16_at(4)? != NLMSG_ERROR || u32_at(8)? != sequence {
        return None;
    }
    let errno = u32_at(16)?.cast_signed().wrapping_neg();
    if errno == 0 {
        return Some(Ok(()));
    }
    let plain = io::Error::from_raw_os_error(errno);
    let flags = u16_at(6)?;
    let mut at = 20;
    if flags & NLM_F_CAPPED != 0 {
        at += 16;
    } else {
        at += usize::try_from(u32_at(20)?).ok()?;
    }
    if flags & NLM_F_ACK_TLVS == 0 {
        return Some(Err(plain));
    }
    at = at.next_multiple_of(4);
    while let (Some(length), Some(kind)) = (u16_at(at), u16_at(at + 2)) {
        let length = usize::from(length);
        if kind == NLMSGERR_ATTR_MSG
            && let Some(text) = bytes.get(at + 4..at + length)
        {
            let text = String::from_utf8_lossy(text);
            let text = text.trim_end_matches('\0');
            return Some(Err(io::Error::new(
                plain.kind(),
                format!("{text} ({})", plain_text(&plain)),
            )));
        }
        if length < 4 {
            break;
        }
        at += length.next_multiple_of(4);
    }
    Some(Err(plain))
}

fn plain_text(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or(&text)
        .to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::parse_answer;

    fn answer(flags: u16, errno: i32, rest: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(0_u32.to_ne_bytes());
        out.extend(2_u16.to_ne_bytes());
        out.extend(flags.to_ne_bytes());
        out.extend(7_u32.to_ne_bytes());
        out.extend(0_u32.to_ne_bytes());
        out.extend((-errno).to_ne_bytes());
        out.extend(rest);
        out
    }

    #[test]
    fn the_kernels_sentence_comes_through() {
        let mut rest = Vec::new();
        rest.extend(16_u32.to_ne_bytes());
        rest.extend([0; 12]);
        rest.extend(11_u16.to_ne_bytes());
        rest.extend(1_u16.to_ne_bytes());
        rest.extend(b"No way\0");
        let error = parse_answer(&answer(0x200, 1, &rest), 7)
            .expect("ours")
            .expect_err("refused");
        assert!(error.to_string().starts_with("No way ("), "{error}");
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn a_plain_answer_and_a_strange_one() {
        assert!(parse_answer(&answer(0, 0, &[]), 7).expect("ours").is_ok());
        assert!(parse_answer(&answer(0, 0, &[]), 8).is_none());
        let cut = answer(0x200, 17, &[255, 255, 255, 255, 1]);
        let error = parse_answer(&cut, 7).expect("ours").expect_err("refused");
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
        for length in 0..cut.len() {
            drop(parse_answer(&cut[..length], 7));
        }
    }
}
