//! Questions for others: each is asked of one server after another until one answers.
//!
//! ```text
//!           ┌───────────────── refused, or silent for PATIENCE ────────────────┐
//!           ▼                                                                  │
//!  ask ─▶ next server ─▶ asked ─▶ an answer ─▶ finished          none left: from the first
//!                                     └─ a failure ─▶ next server, else that failure
//! ```
//!
//! A server that was asked is listened to until the question is finished: a late
//! answer is an answer. Each question has sockets of its own, with ports that the
//! kernel draws, and numbers that we draw.
//!
//! Lives here: [`Forwarder`].
//! Must not: answer a client.
//! Called by: `dataplane::dns`, on the thread of the way out, which is in the
//! machine's own network namespace: so the server on its loopback is reached, and
//! the way to the others is that of the moment.
//! Always true: questions, sockets and bytes are bounded, for all and for each
//! client; every question is finished, [`LIFE`] after it came at the latest.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketType};

use crate::dataplane::dns::inside::Inside;
use crate::dataplane::dns::message::{HEADER, Outcome, Question};
use crate::dataplane::dns::upstream::{PORT, Upstreams};
use crate::dataplane::dns::{Server, Token};
use crate::dataplane::uplink::Waits;
use crate::sys::epoll::Interest;
use crate::sys::socket;

/// How long a server is waited for before the next is asked as well.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a question is tried; the C library's patience is 5 seconds, twice.
const LIFE: Duration = Duration::from_secs(9);

/// How long a question is tried when every server refuses at once, as it is
/// where there is no network.
const HOPELESS: Duration = Duration::from_secs(2);

/// How long after that the servers are tried again: they may be others by then.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a server that was silent is asked after the others, and of how many that
/// is remembered.
const GRUDGE: Duration = Duration::from_secs(30);
const GRUDGES: usize = 64;

/// Questions at once, of all and of one client.
const QUESTIONS: usize = 512;
const QUESTIONS_OF_ONE: usize = 128;

/// Servers asked for one question at once.
const ASKED: usize = 6;

/// Who is to have an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// Who sent a datagram, and to which address of ours.
    Datagram {
        /// The client.
        from: SocketAddrV4,
        /// Our address.
        to: Ipv4Addr,
    },
    /// A stream, by its key.
    Stream(u32, Ipv4Addr),
}

impl Client {
    /// Returns its address.
    pub fn ip(&self) -> Ipv4Addr {
        match self {
            Self::Datagram { from, .. } => *from.ip(),
            Self::Stream(_, ip) => *ip,
        }
    }
}

/// A question that is finished.
#[derive(Debug)]
pub struct Finished {
    /// Who asked.
    pub client: Client,
    /// What to tell.
    pub answer: Vec<u8>,
}

/// The questions that others are to answer.
pub struct Forwarder {
    upstreams: Upstreams,
    inside: Inside,
    pending: HashMap<u32, Pending>,
    /// Servers that let a question wait, and when that was seen.
    silent: HashMap<SocketAddr, Instant>,
    next_key: u32,
    buffer: Vec<u8>,
}

struct Pending {
    client: Client,
    message: Vec<u8>,
    question: Question,
    /// Servers of the client's own; none means the machine's.
    own: Vec<Server>,
    /// By stream, as the client came.
    stream: bool,
    asked: Vec<Asked>,
    /// How many were asked in all: the next one's number.
    count: u8,
    /// Who was asked in this round.
    tried: Vec<SocketAddr>,
    since: Instant,
    /// When something has to be done, whatever is heard.
    due: Instant,
    /// What a server that could not say it has said.
    failure: Option<Vec<u8>>,
}

/// A server that was asked.
struct Asked {
    number: u8,
    server: SocketAddr,
    since: Instant,
    fd: OwnedFd,
    id: u16,
    /// By stream: bytes to be sent yet, and those that have come.
    stream: Option<(Vec<u8>, Vec<u8>)>,
}

/// What an event on a server's socket brought.
enum Heard {
    Answer(Vec<u8>),
    Failure(Option<Vec<u8>>),
    Nothing,
}

impl Forwarder {
    /// Asks the servers of this resolv.conf(5), and containers by the sockets of `inside`.
    pub fn new(upstreams: Upstreams, inside: Inside) -> Self {
        Self {
            upstreams,
            inside,
            pending: HashMap::new(),
            silent: HashMap::new(),
            next_key: 0,
            buffer: Vec::new(),
        }
    }

    /// Begins to ask. A client that asks the same again, since it has heard nothing,
    /// waits for the first answer; one that asks too much is not heard.
    pub fn ask(
        &mut self,
        waits: &Waits<'_>,
        client: Client,
        (message, question): (&[u8], Question),
        own: Vec<Server>,
    ) -> Option<Finished> {
        let mut same = 0;
        for other in self.pending.values() {
            if other.client == client && other.question == question {
                return None;
            }
            same += usize::from(other.client.ip() == client.ip());
        }
        if self.pending.len() >= QUESTIONS || same >= QUESTIONS_OF_ONE {
            return None;
        }
        let now = Instant::now();
        let key = self.next_key;
        self.next_key = self.next_key.wrapping_add(1) & Token::KEYS;
        self.pending.insert(
            key,
            Pending {
                message: message.to_vec(),
                question,
                own,
                stream: matches!(client, Client::Stream(..)),
                client,
                asked: Vec::new(),
                count: 0,
                tried: Vec::new(),
                since: now,
                due: now,
                failure: None,
            },
        );
        self.advance(waits, key)
    }

    /// Says whether a client has a question here.
    pub fn has(&self, client: Client) -> bool {
        self.pending
            .values()
            .any(|pending| pending.client == client)
    }

    /// Forgets what a client that has gone was waiting for.
    pub fn forget(&mut self, client: Client) {
        self.pending.retain(|_, pending| pending.client != client);
    }

    /// Returns when [`Self::tick`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.pending.values().map(|pending| pending.due).min()
    }

    /// Goes on with those that have waited long enough.
    pub fn tick(&mut self, waits: &Waits<'_>) -> Vec<Finished> {
        let now = Instant::now();
        let due: Vec<u32> = self
            .pending
            .iter()
            .filter(|(_, pending)| pending.due <= now)
            .map(|(key, _)| *key)
            .collect();
        self.silent.retain(|_, since| now - *since < GRUDGE);
        for asked in due
            .iter()
            .filter_map(|key| self.pending.get(key))
            .flat_map(|pending| &pending.asked)
            .filter(|asked| now - asked.since >= PATIENCE)
        {
            if self.silent.len() < GRUDGES {
                self.silent.entry(asked.server).or_insert(now);
            }
        }
        due.into_iter()
            .filter_map(|key| self.advance(waits, key))
            .collect()
    }

    /// Hears a server.
    pub fn hear(&mut self, waits: &Waits<'_>, (key, number): (u32, u8)) -> Option<Finished> {
        if self.buffer.is_empty() {
            self.buffer = vec![0; usize::from(u16::MAX)];
        }
        let pending = self.pending.get_mut(&key)?;
        let at = pending.asked.iter().position(|a| a.number == number)?;
        let asked = &mut pending.asked[at];
        let heard = match &mut asked.stream {
            None => asked.receive(&pending.question, &pending.message, &mut self.buffer),
            Some(_) => asked.stream_on(&pending.question, &pending.message, &mut self.buffer),
        };
        match heard {
            Heard::Nothing => None,
            Heard::Answer(mut answer) => {
                self.silent.remove(&asked.server);
                let pending = self.pending.remove(&key)?;
                answer[..2].copy_from_slice(&pending.question.id.to_be_bytes());
                Some(pending.finish(answer))
            }
            Heard::Failure(failure) => {
                pending.asked.remove(at);
                pending.failure = failure.or(pending.failure.take());
                self.advance(waits, key)
            }
        }
    }

    /// Asks the next server that can be asked.
    fn advance(&mut self, waits: &Waits<'_>, key: u32) -> Option<Finished> {
        let pending = self.pending.get_mut(&key)?;
        let now = Instant::now();
        let mut servers: Vec<(SocketAddr, bool)> = if pending.own.is_empty() {
            let machines = self.upstreams.now();
            machines.iter().map(|server| (*server, false)).collect()
        } else {
            let own = pending.own.iter();
            own.map(|one| (SocketAddr::new(one.ip, PORT), one.inside))
                .collect()
        };
        servers.sort_by_key(|(server, _)| {
            let since = self.silent.get(server);
            since.is_some_and(|since| now - *since < GRUDGE)
        });
        let age = now - pending.since;
        if age >= LIFE || (pending.asked.is_empty() && age >= HOPELESS) {
            return self.give_up(key);
        }
        for (server, is_inside) in &servers {
            if pending.tried.contains(server) {
                continue;
            }
            pending.tried.push(*server);
            if pending.asked.len() >= ASKED {
                pending.asked.remove(0);
            }
            let number = pending.count;
            let inside = is_inside.then_some(&self.inside);
            if let Ok(asked) = Asked::ask(*server, inside, number, pending)
                && asked.watch(waits, Token::Asked(key, number)).is_ok()
            {
                pending.count = number.wrapping_add(1);
                pending.asked.push(asked);
                pending.due = (now + PATIENCE).min(pending.since + LIFE);
                return None;
            }
        }
        // All were asked.
        pending.tried.clear();
        if !pending.asked.is_empty() {
            // One of them may still answer; if none does, they are asked again.
            pending.due = pending.due.max(now + PAUSE);
            return None;
        }
        if pending.failure.is_some() {
            return self.give_up(key);
        }
        // Some servers speak by datagram only.
        pending.stream = pending.stream && age < PAUSE;
        pending.due = now + PAUSE;
        None
    }

    fn give_up(&mut self, key: u32) -> Option<Finished> {
        let mut pending = self.pending.remove(&key)?;
        let answer = match pending.failure.take() {
            Some(mut answer) => {
                answer[..2].copy_from_slice(&pending.question.id.to_be_bytes());
                answer
            }
            None => pending
                .question
                .outcome(&pending.message, Outcome::ServerFailure),
        };
        Some(pending.finish(answer))
    }
}

impl Pending {
    fn finish(self, answer: Vec<u8>) -> Finished {
        let answer = match self.client {
            Client::Datagram { .. } => self.question.fit(&self.message, answer),
            Client::Stream(..) => answer,
        };
        Finished {
            client: self.client,
            answer,
        }
    }
}

impl Asked {
    fn ask(
        server: SocketAddr,
        inside: Option<&Inside>,
        number: u8,
        pending: &Pending,
    ) -> io::Result<Self> {
        let family = socket::family(server.ip());
        let kind = if pending.stream {
            SocketType::STREAM
        } else {
            SocketType::DGRAM
        };
        let fd = match inside {
            Some(inside) => inside.socket(family, kind)?,
            None => socket::make(family, kind)?,
        };
        let id = u16::from_be_bytes(crate::store::atomic::random_bytes());
        let mut message = pending.message.clone();
        message[..2].copy_from_slice(&id.to_be_bytes());
        match rustix::net::connect(&fd, &server) {
            Ok(()) => {}
            Err(Errno::INPROGRESS) if pending.stream => {}
            Err(error) => return Err(error.into()),
        }
        if pending.stream {
            let mut framed = (message.len() as u16).to_be_bytes().to_vec();
            framed.extend(message);
            return Ok(Self {
                number,
                server,
                since: Instant::now(),
                fd,
                id,
                stream: Some((framed, Vec::new())),
            });
        }
        rustix::net::send(&fd, &message, SendFlags::NOSIGNAL)?;
        Ok(Self {
            number,
            server,
            since: Instant::now(),
            fd,
            id,
            stream: None,
        })
    }

    fn watch(&self, waits: &Waits<'_>, token: Token) -> io::Result<()> {
        let interest = match self.stream {
            None => Interest::IN,
            Some(_) => Interest::IN | Interest::OUT | Interest::ET,
        };
        waits.add(&self.fd, token.pack(), interest)
    }

    fn receive(&self, question: &Question, message: &[u8], buffer: &mut [u8]) -> Heard {
        match rustix::net::recv(&self.fd, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((length, _)) => self.weigh(question, message, &buffer[..length]),
            Err(Errno::AGAIN | Errno::INTR) => Heard::Nothing,
            Err(_) => Heard::Failure(None),
        }
    }

    /// Sends what is to be sent, and takes what has come, until neither is possible.
    fn stream_on(&mut self, question: &Question, message: &[u8], buffer: &mut [u8]) -> Heard {
        let Some((out, taken)) = &mut self.stream else {
            return Heard::Nothing;
        };
        while !out.is_empty() {
            match rustix::net::send(&self.fd, out, SendFlags::NOSIGNAL) {
                Ok(count) => drop(out.drain(..count)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => return Heard::Failure(None),
            }
        }
        loop {
            match rustix::net::recv(&self.fd, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((0, _)) => return Heard::Failure(None),
                Ok((length, _)) => taken.extend_from_slice(&buffer[..length]),
                Err(Errno::INTR) => {}
                // A connection that is not there yet.
                Err(Errno::AGAIN | Errno::NOTCONN) => return Heard::Nothing,
                Err(_) => return Heard::Failure(None),
            }
            if let Some([high, low]) = taken.first_chunk::<2>() {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                if let Some(answer) = taken.get(2..2 + length) {
                    let answer = answer.to_vec();
                    return match self.weigh(question, message, &answer) {
                        Heard::Nothing => Heard::Failure(None),
                        heard => heard,
                    };
                }
            }
        }
    }

    /// Tells an answer from a failure and from what is none of ours.
    fn weigh(&self, question: &Question, message: &[u8], answer: &[u8]) -> Heard {
        if answer.len() < HEADER || !question.is_answered_by(message, self.id, answer) {
            return Heard::Nothing;
        }
        // SERVFAIL, NOTIMP, REFUSED: what makes the C library ask the next one.
        if matches!(answer[3] & 0x0f, 2 | 4 | 5) {
            return Heard::Failure(Some(answer.to_vec()));
        }
        Heard::Answer(answer.to_vec())
    }
}
