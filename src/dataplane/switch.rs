//! The net process's half of [`crate::dataplane::control`]: who is on the network.
//!
//! ```text
//!            first connection            last one closed, LINGER passed
//! serving ──────────────────▶ serving ─────────────────────────────────▶ leaving
//!    ▲                                                                      │
//!    └──────────── somebody connected meanwhile, or holds the lock ─────────┘
//! ```
//!
//! Leaving is a procedure, because a client may connect at any moment of it:
//! 1. Take the lock without waiting. Whoever holds it is starting a net process
//!    and will find this one: stay.
//! 2. Rename the socket away, so that nobody new finds it.
//! 3. Look once more for connections. Whoever is there is served: the socket
//!    gets its name back.
//! 4. Delete it, let go of the lock, end. A client that found the name before
//!    step 2 and comes after step 3 hears no welcome and starts a new process.
//!
//! Lives here: [`Switch`], its connections, members and their addresses.
//! Must not: carry a byte between containers: the kernel's bridge does.
//! Called by: `role::net`.
//! Always true: a connection that is no membership is closed after [`IDLE`];
//! an address belongs to one connection; a refusal is an answer, never an end.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::AtFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::dataplane::control::{
    Answer, Ask, FRAME, Member, SOCKET, VERSION, check_peer, identity, open_directory, open_lock,
    socket_address,
};
use crate::dataplane::link;
use crate::dataplane::uplink::Uplink;
use crate::error::{Context, Error, Kind, Result};
use crate::network::plan::{Mac, Plan};
use crate::spec::container::Address;
use crate::spec::id::{ContainerId, ContainerName};
use crate::sys::epoll::{self, Epoll, Interest};
use crate::sys::memory;
use crate::sys::socket;

/// How long the network stays when nobody is on it.
const LINGER: Duration = Duration::from_secs(2);

/// How long a connection may be open without being a membership.
const IDLE: Duration = Duration::from_secs(30);

/// How long no connection is taken after the system had no room for one.
const PAUSE: Duration = Duration::from_millis(200);

/// Connections at most. A bridge of the kernel's has 1024 ports.
const CONNECTIONS: usize = 2048;

/// Descriptors kept free for everything that is not a connection.
const RESERVE: usize = 32;

/// Members told in one message: each has at most 350 bytes.
const PAGE: usize = 32;

const LISTENER: u64 = 0;

/// The members of the default network.
pub struct Switch {
    plan: Plan,
    uplink: Uplink,
    directory: OwnedFd,
    lock: File,
    listener: OwnedFd,
    /// The socket's device and number: a file of its name may become another's.
    place: Option<(u64, u64)>,
    epoll: Epoll,
    connections: HashMap<u64, Connection>,
    next_token: u64,
    /// By id; the connection that is its membership.
    members: BTreeMap<ContainerId, u64>,
    in_use: BTreeSet<Ipv4Addr>,
    /// Made one after the other, so that a link never meets its predecessor's name.
    links: u32,
    most: usize,
    listening: Listening,
    /// Since when there has been no connection.
    alone: Instant,
}

struct Connection {
    fd: OwnedFd,
    since: Instant,
    member: Option<(ContainerName, ContainerId, Ipv4Addr)>,
}

/// Whether connections are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listening {
    Yes,
    /// Not before one has ended, or this moment has come.
    Until(Instant),
}

impl Switch {
    /// Serves the runtime directory from now on. The caller's parent holds the
    /// lock, and has seen that nobody else serves it: a socket there is a dead one's.
    pub fn serve(runtime: &Path, plan: Plan, uplink: Uplink) -> Result<Self> {
        let directory = open_directory(runtime)?;
        let doing = || format!("cannot serve at \"{}\"", runtime.join(SOCKET).display());
        let listener = listen(&directory).what(doing)?;
        let epoll = Epoll::new().what(doing)?;
        epoll.add(&listener, LISTENER, Interest::IN).what(doing)?;
        let most = crate::sys::net::raise_descriptor_limit().saturating_sub(RESERVE);
        Ok(Self {
            plan,
            uplink,
            lock: open_lock(&directory).what(doing)?,
            place: identity(&directory, SOCKET),
            directory,
            listener,
            epoll,
            connections: HashMap::new(),
            next_token: LISTENER + 1,
            members: BTreeMap::new(),
            in_use: BTreeSet::new(),
            links: 0,
            most: most.clamp(1, CONNECTIONS),
            listening: Listening::Yes,
            alone: Instant::now(),
        })
    }

    /// Serves until nobody has been there for a while.
    ///
    /// # Errors
    /// Only when the kernel refuses to wait.
    pub fn run(&mut self) -> io::Result<()> {
        let mut events = epoll::room(64);
        loop {
            let ready = self.epoll.wait(&mut events, self.patience())?;
            let tokens: Vec<u64> = ready.iter().map(|event| event.data.u64()).collect();
            for token in tokens {
                if token == LISTENER {
                    self.accept();
                } else {
                    self.hear(token);
                }
            }
            self.close_idle();
            self.listen_again();
            if self.connections.is_empty() && self.alone.elapsed() >= LINGER {
                if self.leave() {
                    return Ok(());
                }
                self.alone = Instant::now();
            }
        }
    }

    /// Returns until when there is nothing to do by itself: with members only, for ever.
    fn patience(&self) -> Option<Duration> {
        let now = Instant::now();
        let alone = self.connections.is_empty().then(|| self.alone + LINGER);
        let idle = self
            .connections
            .values()
            .filter(|c| c.member.is_none())
            .map(|c| c.since + IDLE)
            .min();
        let listening = match self.listening {
            Listening::Yes => None,
            Listening::Until(moment) => Some(moment),
        };
        [alone, idle, listening]
            .into_iter()
            .flatten()
            .min()
            .map(|moment| moment.saturating_duration_since(now))
    }

    fn accept(&mut self) {
        // A few at a time; the listener tells again of those that remain.
        for _ in 0..16 {
            if self.connections.len() >= self.most {
                return self.pause(IDLE);
            }
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            match rustix::net::accept_with(&self.listener, flags) {
                Ok(fd) => self.welcome(fd),
                Err(rustix::io::Errno::AGAIN) => return,
                Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNABORTED) => {}
                Err(_) => return self.pause(PAUSE),
            }
        }
    }

    fn pause(&mut self, time: Duration) {
        if self.listening == Listening::Yes {
            drop(self.epoll.remove(&self.listener));
        }
        self.listening = Listening::Until(Instant::now() + time);
    }

    fn listen_again(&mut self) {
        if let Listening::Until(moment) = self.listening
            && (Instant::now() >= moment)
            && self.connections.len() < self.most
        {
            let added = self.epoll.add(&self.listener, LISTENER, Interest::IN);
            self.listening = match added {
                Ok(()) => Listening::Yes,
                Err(_) => Listening::Until(Instant::now() + PAUSE),
            };
        }
    }

    /// A stranger is let go without a word.
    fn welcome(&mut self, fd: OwnedFd) {
        if check_peer(&fd).is_err() {
            return;
        }
        let token = self.next_token;
        let welcome = Answer::Welcome { version: VERSION };
        if send(&fd, &welcome, &[]).is_err() || self.epoll.add(&fd, token, Interest::IN).is_err() {
            return;
        }
        self.next_token += 1;
        self.connections.insert(
            token,
            Connection {
                fd,
                since: Instant::now(),
                member: None,
            },
        );
    }

    fn close_idle(&mut self) {
        let idle: Vec<u64> = self
            .connections
            .iter()
            .filter(|(_, c)| c.member.is_none() && c.since.elapsed() >= IDLE)
            .map(|(token, _)| *token)
            .collect();
        for token in idle {
            self.close(token);
        }
    }

    /// Ends a connection and with it a membership. The link goes with its
    /// namespace, which the kernel clears up when the container's last process has gone.
    fn close(&mut self, token: u64) {
        if let Some(connection) = self.connections.remove(&token)
            && let Some((_, id, ip)) = connection.member
        {
            self.in_use.remove(&ip);
            self.uplink.forget(ip.into());
            if self.members.get(&id) == Some(&token) {
                self.members.remove(&id);
            }
        }
        if self.connections.is_empty() {
            self.alone = Instant::now();
        }
        if let Listening::Until(_) = self.listening {
            self.listening = Listening::Until(Instant::now());
        }
    }

    fn hear(&mut self, token: u64) {
        let Some(connection) = self.connections.get(&token) else {
            return;
        };
        let mut buffer = [0; FRAME];
        let (length, descriptors) = match socket::receive_message(&connection.fd, &mut buffer) {
            Ok((0, _)) => return self.close(token),
            Ok(message) => message,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(_) => return self.close(token),
        };
        let outcome = match serde_json::from_slice(&buffer[..length]) {
            Ok(ask) => self.answer(token, ask, &descriptors),
            Err(error) => Err(Error::internal(format!(
                "the net process does not understand the question: {error}"
            ))),
        };
        let answer = outcome.unwrap_or_else(|error| Answer::Failed { error });
        if self.reply(token, &answer).is_err() {
            self.close(token);
        }
        if let Answer::Done = answer {
            // Most of what making a link has touched is not needed while containers run.
            memory::slim_down();
        }
    }

    /// A client that does not read its answers is one that asks without end: it is let go.
    fn reply(&self, token: u64, answer: &Answer) -> Result<()> {
        let Some(connection) = self.connections.get(&token) else {
            return Ok(());
        };
        if let Answer::Attached { .. } = answer {
            let user = File::open("/proc/self/ns/user")?;
            let network = File::open("/proc/self/ns/net")?;
            return send(&connection.fd, answer, &[user.as_fd(), network.as_fd()]);
        }
        send(&connection.fd, answer, &[])
    }

    fn answer(&mut self, token: u64, ask: Ask, descriptors: &[OwnedFd]) -> Result<Answer> {
        match ask {
            Ask::Attach {
                version,
                id,
                name,
                ip,
            } => self.attach(token, version, (name, id), ip),
            Ask::Adopt {
                version,
                id,
                name,
                ip,
            } => self.attach(token, version, (name, id), Some(ip)),
            Ask::Link => self.link(token, descriptors),
            Ask::Members { after } => Ok(self.page(after.as_ref())),
        }
    }

    fn attach(
        &mut self,
        token: u64,
        version: u32,
        (name, id): (ContainerName, ContainerId),
        wanted: Option<Ipv4Addr>,
    ) -> Result<Answer> {
        if version != VERSION {
            return Err(Error::new(format!(
                "the net process speaks version {VERSION} of its messages, not {version}"
            )));
        }
        // A container has one monitor at a time: another connection that claims it is a dead one's.
        if let Some(former) = self.members.get(&id).copied() {
            if former == token {
                return Err(Error::of(Kind::Conflict, "it is on the network already"));
            }
            self.close(former);
        }
        let Some(connection) = self.connections.get_mut(&token) else {
            return Err(Error::internal("the connection has ended"));
        };
        if connection.member.is_some() {
            return Err(Error::of(
                Kind::Conflict,
                "the connection is another container's",
            ));
        }
        let ip = self
            .plan
            .allocate(&self.in_use, wanted)
            .map_err(|error| match self.owner(wanted) {
                Some(owner) => error.what(format!("container \"{}\" has it", owner.as_str())),
                None => error,
            })
            .what(|| {
                format!(
                    "cannot connect \"{}\" to network \"{}\"",
                    name.as_str(),
                    self.plan.name
                )
            })?;
        if let Some(connection) = self.connections.get_mut(&token) {
            connection.member = Some((name, id.clone(), ip));
        }
        self.members.insert(id, token);
        self.in_use.insert(ip);
        Ok(Answer::Attached {
            address: Address {
                ip: ip.into(),
                prefix: self.plan.prefix,
                gateway: self.plan.gateway.into(),
                mac: Mac::of(ip).to_string(),
            },
        })
    }

    fn owner(&self, ip: Option<Ipv4Addr>) -> Option<&ContainerName> {
        self.connections
            .values()
            .filter_map(|c| c.member.as_ref())
            .find(|(_, _, taken)| Some(*taken) == ip)
            .map(|(name, ..)| name)
    }

    fn link(&mut self, token: u64, descriptors: &[OwnedFd]) -> Result<Answer> {
        let member = self.connections.get(&token).and_then(|c| c.member.as_ref());
        let (Some((_, id, ip)), [container]) = (member, descriptors) else {
            return Err(Error::internal(
                "a member's network namespace is what is linked",
            ));
        };
        let name = link_name(id, self.links);
        self.links = self.links.wrapping_add(1);
        link::attach(container.as_fd(), &name, &self.plan, Mac::of(*ip))?;
        Ok(Answer::Done)
    }

    fn page(&self, after: Option<&ContainerId>) -> Answer {
        let range = match after {
            None => (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded),
            Some(id) => (std::ops::Bound::Excluded(id), std::ops::Bound::Unbounded),
        };
        let mut rest = self.members.range::<ContainerId, _>(range);
        let members = rest
            .by_ref()
            .take(PAGE)
            .filter_map(|(id, token)| {
                let (name, _, ip) = self.connections.get(token)?.member.as_ref()?;
                Some(Member {
                    id: id.clone(),
                    name: name.clone(),
                    ip: *ip,
                })
            })
            .collect();
        Answer::Members {
            members,
            more: rest.next().is_some(),
        }
    }

    /// Ends the service, unless somebody comes. The steps are numbered in the module's header.
    fn leave(&mut self) -> bool {
        if self.lock.try_lock().is_err() {
            return false;
        }
        let ended = self.leave_locked();
        drop(self.lock.unlock());
        ended
    }

    fn leave_locked(&mut self) -> bool {
        // The directory may have been deleted, or its socket replaced by another
        // net process's: then there is nothing of ours to take away.
        let ours = self.place.is_some() && identity(&self.directory, SOCKET) == self.place;
        let aside = temporary_name();
        if ours && rustix::fs::renameat(&self.directory, SOCKET, &self.directory, &aside).is_err() {
            return false;
        }
        self.accept();
        if self.connections.is_empty() {
            if ours {
                rustix::fs::unlinkat(&self.directory, &aside, AtFlags::empty()).ok();
            }
            return true;
        }
        if ours {
            rustix::fs::renameat(&self.directory, &aside, &self.directory, SOCKET).ok();
        }
        false
    }
}

/// `veth`, 8 digits of the container's id, 3 that count: 15 bytes, all a device's name may have.
fn link_name(id: &ContainerId, count: u32) -> String {
    format!("veth{}{:03x}", &id.as_str()[..8], count & 0xfff)
}

fn temporary_name() -> String {
    format!("{SOCKET}.{}", std::process::id())
}

/// The socket gets its name when it listens already: whoever finds it is served.
fn listen(directory: &OwnedFd) -> io::Result<OwnedFd> {
    let fd = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    let name = temporary_name();
    rustix::fs::unlinkat(directory, &name, AtFlags::empty()).ok();
    rustix::net::bind(&fd, &socket_address(directory, &name)?)?;
    rustix::net::listen(&fd, 128)?;
    rustix::fs::renameat(directory, &name, directory, SOCKET)?;
    Ok(fd)
}

fn send(fd: &OwnedFd, answer: &Answer, descriptors: &[std::os::fd::BorrowedFd<'_>]) -> Result<()> {
    let mut bytes = serde_json::to_vec(answer)?;
    if bytes.len() > FRAME {
        bytes = serde_json::to_vec(&Answer::Failed {
            error: Error::internal("the answer is too long"),
        })?;
    }
    socket::send_message(fd, &bytes, descriptors)?;
    Ok(())
}
