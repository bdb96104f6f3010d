//! Messages of the name service (RFC 1035, RFC 6891): what of a question matters
//! here, and the answers that are ours.
//!
//! ```text
//! header 12 │ question: name, type, class │ records …
//!           └─ byte 12, never compressed ─┘
//! ```
//!
//! Lives here: reading a question ([`read`]), writing answers ([`Question::answer`]),
//! and telling an answer that belongs to a question ([`Question::is_answered_by`]).
//! Must not: know a name, or do any I/O.
//! Called by: `dataplane::dns`.
//! Always true: any bytes can be read, in time linear in their number. A question
//! is passed on byte for byte, so that nothing of it is lost that we do not know;
//! that is why no library of messages stands between.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of a header.
pub const HEADER: usize = 12;

/// Bytes of the longest question that is heard by datagram.
pub const LONGEST: usize = 4096;

/// Bytes of the longest datagram of ours where a client takes that much; a larger
/// one is rare, and is asked for again by stream.
const LARGEST: usize = 4096;

/// Bytes of a datagram that every client takes.
const SMALLEST: usize = 512;

/// Seconds an answer of ours may be kept: an address is another's as soon as its
/// container has gone.
const LIFETIME: u32 = 0;

const RESPONSE: u8 = 0x80;
const CUT: u8 = 0x02;
const OPCODE: u8 = 0x78;
const WANTS_RECURSION: u8 = 0x01;
const HAS_RECURSION: u8 = 0x80;

const A: u16 = 1;
const PTR: u16 = 12;
const AAAA: u16 = 28;
const OPT: u16 = 41;
const ANY: u16 = 255;
const INTERNET: u16 = 1;

/// Why an answer tells nothing (`RCODE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The question cannot be read.
    FormatError = 1,
    /// Nobody answered us.
    ServerFailure = 2,
    /// There is no such name.
    NoSuchName = 3,
    /// We do not do that.
    NotImplemented = 4,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Addresses of IPv4.
    A,
    /// Addresses of IPv6.
    Aaaa,
    /// A name for an address.
    Pointer,
    /// Everything.
    Any,
    /// Something else.
    Other,
}

/// A question that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its number.
    pub id: u16,
    /// The name, in lower case, without the last dot. One that no container can have
    /// is empty.
    pub name: String,
    /// What is asked for.
    pub kind: Kind,
    /// Where the question ends in the message.
    end: usize,
    /// Bytes of the largest datagram that the client takes.
    size: usize,
    /// The client speaks EDNS.
    extended: bool,
}

/// What became of reading a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// It is a question.
    Question(Question),
    /// It is none that can be answered otherwise than by these bytes.
    Refused(Vec<u8>),
    /// It deserves no answer: who answers answers may do so for ever.
    Nothing,
}

/// Reads a message.
pub fn read(message: &[u8]) -> Read {
    if message.len() < HEADER || message[2] & RESPONSE != 0 {
        return Read::Nothing;
    }
    if message[2] & OPCODE != 0 {
        return Read::Refused(refusal(message, Outcome::NotImplemented));
    }
    match question(message) {
        Some(question) => Read::Question(question),
        None => Read::Refused(refusal(message, Outcome::FormatError)),
    }
}

fn question(message: &[u8]) -> Option<Question> {
    if u16_at(message, 4)? != 1 {
        return None;
    }
    let (name, end) = plain_name(message, HEADER)?;
    let kind = match (u16_at(message, end)?, u16_at(message, end + 2)?) {
        (A, INTERNET) => Kind::A,
        (AAAA, INTERNET) => Kind::Aaaa,
        (PTR, INTERNET) => Kind::Pointer,
        (ANY, INTERNET) => Kind::Any,
        _ => Kind::Other,
    };
    let end = end + 4;
    let extension = extension(message, end);
    Some(Question {
        id: u16_at(message, 0)?,
        name,
        kind,
        end,
        size: extension.map_or(SMALLEST, |size| usize::from(size).max(SMALLEST)),
        extended: extension.is_some(),
    })
}

/// Reads a name without pointers, and where it ends.
fn plain_name(message: &[u8], mut at: usize) -> Option<(String, usize)> {
    let start = at;
    let mut name = String::new();
    let mut ordinary = true;
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        // RFC 1035, 2.3.4: 63 bytes a label, 255 a name.
        if length > 63 || at + length - start > 254 {
            return None;
        }
        let label = message.get(at..at + length)?;
        ordinary &= label.iter().all(|b| b.is_ascii_graphic() && *b != b'.');
        if !name.is_empty() {
            name.push('.');
        }
        name.extend(label.iter().map(|b| char::from(b.to_ascii_lowercase())));
        at += length;
    }
    if !ordinary {
        name.clear();
    }
    Some((name, at))
}

/// Finds the client's word of EDNS among the records after the question: how large
/// a datagram it takes.
fn extension(message: &[u8], mut at: usize) -> Option<u16> {
    let records: usize = [6, 8, 10]
        .iter()
        .filter_map(|at| u16_at(message, *at))
        .map(usize::from)
        .sum();
    for _ in 0..records {
        at = skip_name(message, at)?;
        let (kind, class) = (u16_at(message, at)?, u16_at(message, at + 2)?);
        if kind == OPT {
            return Some(class);
        }
        at += 10 + usize::from(u16_at(message, at + 8)?);
    }
    None
}

fn skip_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length if length >= 0xc0 => return Some(at + 2),
            length => at += 1 + usize::from(length),
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// A header alone: of what cannot be read nothing can be repeated.
fn refusal(message: &[u8], outcome: Outcome) -> Vec<u8> {
    let mut out = vec![0; HEADER];
    out[..2].copy_from_slice(&message[..2]);
    out[2] = RESPONSE | message[2] & (OPCODE | WANTS_RECURSION);
    out[3] = HAS_RECURSION | outcome as u8;
    out
}

/// What an answer of ours has to tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Addresses of the name.
    pub addresses: Vec<IpAddr>,
    /// Name of the address.
    pub pointer: Option<String>,
}

impl Question {
    /// Returns the bytes of the question, in the message it was read from.
    pub fn bytes<'a>(&self, message: &'a [u8]) -> &'a [u8] {
        message.get(HEADER..self.end).unwrap_or_default()
    }

    /// Says whether an answer is one to this question, under the number `id`. One
    /// that only refuses need not repeat the question.
    pub fn is_answered_by(&self, message: &[u8], id: u16, answer: &[u8]) -> bool {
        if answer.len() < HEADER || u16_at(answer, 0) != Some(id) || answer[2] & RESPONSE == 0 {
            return false;
        }
        match u16_at(answer, 4) {
            Some(0) => answer[3] & 0x0f != 0,
            Some(1) => answer
                .get(HEADER..self.end)
                .is_some_and(|same| same.eq_ignore_ascii_case(self.bytes(message))),
            _ => false,
        }
    }

    /// Writes an answer without records.
    pub fn outcome(&self, message: &[u8], outcome: Outcome) -> Vec<u8> {
        let mut out = self.begin(message);
        out[3] |= outcome as u8;
        self.end_with_extension(&mut out);
        out
    }

    /// Writes an answer. What a datagram has no room for is left out, and said to
    /// be; with `whole`, it goes by stream, and everything is in it.
    pub fn answer(&self, message: &[u8], records: &Records, whole: bool) -> Vec<u8> {
        let mut out = self.begin(message);
        let room = if whole {
            usize::from(u16::MAX)
        } else {
            self.size.min(LARGEST)
        };
        let room = room - if self.extended { 11 } else { 0 };
        let mut count = 0_u16;
        for data in records.data() {
            let (kind, data) = data;
            if out.len() + 12 + data.len() > room {
                out[2] |= CUT;
                break;
            }
            // A pointer to the question's name, which is at byte 12.
            out.extend([0xc0, 0x0c]);
            out.extend(kind.to_be_bytes());
            out.extend(INTERNET.to_be_bytes());
            out.extend(LIFETIME.to_be_bytes());
            out.extend((data.len() as u16).to_be_bytes());
            out.extend(data);
            count += 1;
        }
        out[6..8].copy_from_slice(&count.to_be_bytes());
        self.end_with_extension(&mut out);
        out
    }

    /// Fits an answer of another server to what the client takes by datagram.
    pub fn fit(&self, message: &[u8], answer: Vec<u8>) -> Vec<u8> {
        if answer.len() <= self.size {
            return answer;
        }
        let mut out = self.begin(message);
        out[2] |= CUT;
        out[3] |= answer[3] & 0x0f;
        self.end_with_extension(&mut out);
        out
    }

    fn begin(&self, message: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.end + 64);
        out.extend(self.id.to_be_bytes());
        out.extend([
            RESPONSE | message[2] & WANTS_RECURSION,
            HAS_RECURSION,
            0,
            1,
            0,
            0,
            0,
            0,
            0,
            0,
        ]);
        out.extend(self.bytes(message));
        out
    }

    /// Who speaks EDNS is answered in it.
    fn end_with_extension(&self, out: &mut Vec<u8>) {
        if !self.extended {
            return;
        }
        out[11] = 1;
        out.push(0);
        out.extend(OPT.to_be_bytes());
        out.extend((LARGEST as u16).to_be_bytes());
        out.extend([0; 6]);
    }
}

impl Records {
    fn data(&self) -> impl Iterator<Item = (u16, Vec<u8>)> + '_ {
        let addresses = self.addresses.iter().map(|ip| match ip {
            IpAddr::V4(ip) => (A, ip.octets().to_vec()),
            IpAddr::V6(ip) => (AAAA, ip.octets().to_vec()),
        });
        let pointer = self.pointer.iter().map(|name| (PTR, wire_name(name)));
        addresses.chain(pointer)
    }
}

fn wire_name(name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len() + 2);
    for label in name.split('.').filter(|label| !label.is_empty()) {
        // A container's name may be longer than a label: then its beginning stands for it.
        let label = &label.as_bytes()[..label.len().min(63)];
        out.push(label.len() as u8);
        out.extend(label);
    }
    out.push(0);
    out
}

/// Reads the address out of a name below `in-addr.arpa` or `ip6.arpa`.
pub fn address_of(name: &str) -> Option<IpAddr> {
    if let Some(rest) = name.strip_suffix(".in-addr.arpa") {
        let mut octets = [0; 4];
        let mut labels = rest.split('.');
        for octet in octets.iter_mut().rev() {
            *octet = labels.next()?.parse().ok()?;
        }
        return labels
            .next()
            .is_none()
            .then(|| Ipv4Addr::from(octets).into());
    }
    let rest = name.strip_suffix(".ip6.arpa")?;
    let mut bits = 0_u128;
    let mut labels = rest.split('.');
    for place in 0..32 {
        let label = labels.next().filter(|label| label.len() == 1)?;
        bits |= u128::from(u8::from_str_radix(label, 16).ok()?) << (4 * place);
    }
    labels
        .next()
        .is_none()
        .then(|| Ipv6Addr::from_bits(bits).into())
}

#[cfg(test)]
mod tests {
    use simple_dns::rdata::RData;
    use simple_dns::{
        CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question as Asked, RCODE, TYPE,
    };

    use super::{Kind, Outcome, Question, Read, Records, address_of, read};

    fn query(name: &str, kind: TYPE, size: Option<u16>) -> Vec<u8> {
        let mut packet = Packet::new_query(7);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        packet.questions.push(Asked::new(
            Name::new_unchecked(name),
            QTYPE::TYPE(kind),
            QCLASS::CLASS(CLASS::IN),
            false,
        ));
        if let Some(udp_packet_size) = size {
            *packet.opt_mut() = Some(simple_dns::rdata::OPT {
                opt_codes: Vec::new(),
                udp_packet_size,
                version: 0,
            });
        }
        packet.build_bytes_vec().expect("written")
    }

    fn asked(message: &[u8]) -> Question {
        match read(message) {
            Read::Question(question) => question,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_question_is_read_and_answered() {
        let message = query("Web.Blue", TYPE::A, None);
        let question = asked(&message);
        assert_eq!(
            (question.name.as_str(), question.kind),
            ("web.blue", Kind::A)
        );
        let records = Records {
            addresses: vec![[172, 18, 0, 2].into(), [172, 18, 0, 3].into()],
            pointer: None,
        };
        let answer = question.answer(&message, &records, false);
        assert!(question.is_answered_by(&message, 7, &answer));
        assert!(!question.is_answered_by(&message, 8, &answer));
        let answer = Packet::parse(&answer).expect("a message");
        assert!(answer.has_flags(PacketFlag::RESPONSE | PacketFlag::RECURSION_AVAILABLE));
        assert!(!answer.has_flags(PacketFlag::TRUNCATION));
        assert_eq!(answer.questions[0].qname.to_string(), "Web.Blue");
        let found: Vec<String> = answer
            .answers
            .iter()
            .map(|record| match &record.rdata {
                RData::A(a) => std::net::Ipv4Addr::from(a.address).to_string(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(found, ["172.18.0.2", "172.18.0.3"]);
        assert!(answer.opt().is_none());
    }

    #[test]
    fn an_answer_is_as_large_as_the_client_takes() {
        let many = Records {
            addresses: (0..=255).map(|n| [10, 0, 0, n].into()).collect(),
            pointer: None,
        };
        for (size, whole, limit, count) in [
            (None, false, 512, 30),
            (Some(100), false, 512, 30),
            (Some(1232), false, 1232, 75),
            (Some(65535), false, 4096, 254),
            (None, true, 65535, 256),
        ] {
            let message = query("web", TYPE::A, size);
            let question = asked(&message);
            let answer = question.answer(&message, &many, whole);
            assert!(answer.len() <= limit, "{size:?}: {}", answer.len());
            let answer = Packet::parse(&answer).expect("a message");
            assert_eq!(answer.has_flags(PacketFlag::TRUNCATION), count < 256);
            assert_eq!(answer.answers.len(), count, "{size:?}");
            assert_eq!(answer.opt().is_some(), size.is_some());
            let large = vec![0; 70_000];
            assert!(question.fit(&message, large).len() < 60);
        }
    }

    #[test]
    fn outcomes_are_told() {
        let message = query("nobody", TYPE::AAAA, Some(1232));
        let question = asked(&message);
        for (outcome, code) in [
            (Outcome::ServerFailure, RCODE::ServerFailure),
            (Outcome::NoSuchName, RCODE::NameError),
        ] {
            let answer = question.outcome(&message, outcome);
            let answer = Packet::parse(&answer).expect("a message");
            assert_eq!((answer.rcode(), answer.answers.len()), (code, 0));
        }
    }

    #[test]
    fn what_is_no_question_gets_what_it_deserves() {
        let good = query("web", TYPE::A, None);
        assert_eq!(read(&good[..11]), Read::Nothing);
        let mut answer = good.clone();
        answer[2] |= 0x80;
        assert_eq!(read(&answer), Read::Nothing);
        let refused = |message: &[u8]| match read(message) {
            Read::Refused(answer) => {
                let answer = Packet::parse(&answer).expect("a message");
                (answer.id(), answer.rcode())
            }
            other => panic!("{other:?}"),
        };
        let mut update = good.clone();
        update[2] |= 5 << 3;
        assert_eq!(refused(&update), (7, RCODE::NotImplemented));
        for at in 0..good.len() - 12 {
            assert_eq!(refused(&good[..12 + at]), (7, RCODE::FormatError), "{at}");
        }
        let mut pointer = good.clone();
        pointer[12] = 0xc0;
        assert_eq!(refused(&pointer), (7, RCODE::FormatError));
        let mut two = good;
        two[5] = 2;
        assert_eq!(refused(&two), (7, RCODE::FormatError));
    }

    #[test]
    fn a_name_that_is_none_of_ours_is_still_a_question() {
        let mut message = query("w.b", TYPE::A, None);
        message[13] = b'.';
        assert_eq!(asked(&message).name, "");
        let long = vec!["a".repeat(63); 3].join(".") + "." + &"a".repeat(61);
        assert_eq!(asked(&query(&long, TYPE::A, None)).name, long);
        let longer = long + "a.b";
        assert!(matches!(
            read(&query(&longer, TYPE::A, None)),
            Read::Refused(_)
        ));
    }

    #[test]
    fn addresses_are_read_from_names() {
        for (name, address) in [
            ("2.0.18.172.in-addr.arpa", Some("172.18.0.2")),
            ("0.18.172.in-addr.arpa", None),
            ("1.2.0.18.172.in-addr.arpa", None),
            ("x.0.18.172.in-addr.arpa", None),
            (
                "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa",
                Some("fd00::2"),
            ),
            ("2.0.ip6.arpa", None),
            ("web", None),
        ] {
            let read = address_of(name).map(|ip| ip.to_string());
            assert_eq!(read.as_deref(), address, "{name}");
        }
        let message = query("2.0.18.172.in-addr.arpa", TYPE::PTR, None);
        let records = Records {
            addresses: Vec::new(),
            pointer: Some(format!("{}.blue", "long".repeat(20))),
        };
        let answer = asked(&message).answer(&message, &records, false);
        let answer = Packet::parse(&answer).expect("a message");
        assert!(
            matches!(&answer.answers[0].rdata, RData::PTR(name) if name.to_string().ends_with(".blue"))
        );
    }

    /// Nothing that can be sent makes it fail: bytes of all sorts, and good messages
    /// with some of theirs changed.
    #[test]
    fn any_bytes_can_be_read() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let good = [
            query("web.blue.example.org", TYPE::A, Some(1232)),
            query("2.0.18.172.in-addr.arpa", TYPE::PTR, None),
        ];
        for round in 0..200_000 {
            let mut message = good[round % 2].clone();
            if round % 5 == 0 {
                message = (0..random() % 600).map(|_| random() as u8).collect();
            }
            for _ in 0..random() % 8 {
                if let Some(length) = (message.len() as u64).checked_sub(1).filter(|l| *l > 0) {
                    message[(random() % length) as usize] = random() as u8;
                }
            }
            message.truncate((random() % 700) as usize);
            if let Read::Question(question) = read(&message) {
                let records = Records {
                    addresses: vec![[1, 2, 3, 4].into(); 3],
                    pointer: Some("a.b".to_owned()),
                };
                let answer = question.answer(&message, &records, round % 3 == 0);
                assert!(question.is_answered_by(&message, question.id, &answer));
                question.is_answered_by(&answer, 0, &message);
                question.fit(&message, vec![0xff; (random() % 5000) as usize + 4]);
            }
        }
    }
}
