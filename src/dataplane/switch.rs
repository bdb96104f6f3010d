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
//! A network's bridge is made with its first member, and goes [`LINGER`] after its
//! last; that of the default network stays until the end.
//!
//! Every link says whose it is (an alias of its device): a process that takes over
//! from one that was killed knows from the first moment which addresses are taken,
//! whether or not their containers have asked it yet.
//!
//! Lives here: [`Switch`], its connections, members and their addresses.
//! Must not: carry a byte between containers: the kernel's bridge does.
//! Called by: `role::net`.
//! Always true: a connection that is no membership is closed after [`IDLE`];
//! an address belongs to one connection, or to a link whose container has lost
//! its monitor; a refusal is an answer, never an end.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::AtFlags;
use rustix::net::SocketFlags;

use crate::dataplane::control::{
    Answer, Ask, FRAME, Member, SOCKET, Traffic, VERSION, Wanted, check_peer, identity, listen,
    open_directory, open_lock, temporary_name,
};
use crate::dataplane::link;
use crate::dataplane::register::{OnNetwork, Register, Seated, addresses};
use crate::dataplane::uplink::{Flow, Uplink};
use crate::error::{Context, Error, Kind, Result};
use crate::network::plan::{InUse, Plan};
use crate::spec::id::{ContainerId, ContainerName, NetworkId};
use crate::spec::network::{DEFAULT, Endpoint};
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

/// Bytes of members told in one message, and of the largest of them.
const PAGE: usize = FRAME / 2;

/// Flows told in one message: each takes 200 bytes at most.
const FLOWS: usize = PAGE / 200;

/// Networks of one container at most.
const NETWORKS: usize = 64;

const LISTENER: u64 = 0;

/// The networks and their members.
pub struct Switch {
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
    register: Register,
    /// Addresses whose containers have links and no connection.
    orphans: Vec<Orphan>,
    /// Networks without members, and since when.
    vacant: BTreeMap<NetworkId, Instant>,
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
    member: Option<(ContainerId, ContainerName)>,
    /// Flows that are being told to it.
    flows: Vec<Flow>,
}

/// A link that no connection speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Orphan {
    link: String,
    mark: Mark,
}

/// What a link says of itself: whose it is, on which network, with which addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    id: ContainerId,
    /// The network's bridge.
    bridge: String,
    addresses: Vec<IpAddr>,
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
    /// Links found in the namespace are those of containers that have yet to come back.
    pub fn serve(runtime: &Path, register: Register, uplink: Uplink) -> Result<Self> {
        let directory = open_directory(runtime)?;
        let doing = || format!("cannot serve at \"{}\"", runtime.join(SOCKET).display());
        let listener = listen(&directory).what(doing)?;
        let epoll = Epoll::new().what(doing)?;
        epoll.add(&listener, LISTENER, Interest::IN).what(doing)?;
        let orphans = link::ports().what(|| "cannot see the links there are")?;
        let most = crate::sys::net::raise_descriptor_limit().saturating_sub(RESERVE);
        Ok(Self {
            uplink,
            lock: open_lock(&directory).what(doing)?,
            place: identity(&directory, SOCKET),
            directory,
            listener,
            epoll,
            connections: HashMap::new(),
            next_token: LISTENER + 1,
            members: BTreeMap::new(),
            register,
            orphans: orphans.into_iter().filter_map(Orphan::of).collect(),
            vacant: BTreeMap::new(),
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
            self.clear_vacant();
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
        let vacant = self.vacant.values().min().map(|since| *since + LINGER);
        [alone, idle, listening, vacant]
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
                flows: Vec::new(),
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
            self.close(token, false);
        }
    }

    /// Ends a connection and with it a membership. The link goes with its
    /// namespace, which the kernel clears up when the container's last process has gone;
    /// until then its addresses are its own, unless it `ended` by its own word.
    fn close(&mut self, token: u64, ended: bool) {
        let member = self.connections.remove(&token).and_then(|c| c.member);
        if let Some((id, _)) = member
            && self.members.get(&id) == Some(&token)
        {
            self.members.remove(&id);
            if !ended {
                self.orphan(&id);
            }
            self.forget(&id);
        }
        if self.connections.is_empty() {
            self.alone = Instant::now();
        }
        if let Listening::Until(_) = self.listening {
            self.listening = Listening::Until(Instant::now());
        }
    }

    /// Remembers the links of a container whose monitor was killed.
    fn orphan(&mut self, id: &ContainerId) {
        let links = link::ports().unwrap_or_default();
        let theirs = links.into_iter().filter_map(Orphan::of);
        self.orphans
            .extend(theirs.filter(|orphan| orphan.mark.id == *id));
    }

    fn forget(&mut self, id: &ContainerId) {
        let networks: Vec<NetworkId> = self.register.read().keys().cloned().collect();
        for network in networks {
            self.forget_on(&network, id);
        }
    }

    /// Frees a container's place on a network, and ends what it had going outside.
    fn forget_on(&mut self, network: &NetworkId, id: &ContainerId) {
        let mut networks = self.register.write();
        let Some(on) = networks.get_mut(network) else {
            return;
        };
        let Some(seated) = on.members.remove(id) else {
            return;
        };
        for ip in addresses(&seated.endpoint) {
            self.uplink.forget(ip);
        }
        if on.members.is_empty() {
            self.vacant.insert(network.clone(), Instant::now());
        }
    }

    /// Takes away the bridges of networks that have been without members for a while.
    fn clear_vacant(&mut self) {
        let mut over = Vec::new();
        self.vacant.retain(|network, since| {
            let waits = since.elapsed() < LINGER;
            if !waits {
                over.push(network.clone());
            }
            waits
        });
        for network in over {
            self.clear(&network);
        }
    }

    /// Takes a network's bridge away if nobody is on it, connected or orphaned.
    fn clear(&mut self, network: &NetworkId) {
        let plan = match self.register.read().get(network) {
            Some(on) if on.members.is_empty() && on.plan.name != DEFAULT => on.plan.clone(),
            _ => return,
        };
        self.let_orphans_go();
        if self.orphans.iter().any(|o| o.mark.bridge == plan.bridge) {
            return;
        }
        if link::remove_bridge(&plan).is_ok() {
            self.uplink.withdraw(&plan);
            self.register.write().remove(network);
        }
    }

    /// Forgets orphans whose links have gone.
    fn let_orphans_go(&mut self) {
        if self.orphans.is_empty() {
            return;
        }
        if let Ok(links) = link::ports() {
            self.orphans
                .retain(|orphan| links.iter().any(|link| link.name == orphan.link));
        }
    }

    fn hear(&mut self, token: u64) {
        let Some(connection) = self.connections.get(&token) else {
            return;
        };
        let mut buffer = [0; FRAME];
        let (length, descriptors) = match socket::receive_message(&connection.fd, &mut buffer) {
            Ok((0, _)) => return self.close(token, false),
            Ok(message) => message,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(_) => return self.close(token, false),
        };
        let outcome = match serde_json::from_slice(&buffer[..length]) {
            Ok(Ask::End) => return self.close(token, true),
            Ok(ask) => self.answer(token, ask, &descriptors),
            Err(error) => Err(Error::internal(format!(
                "the net process does not understand the question: {error}"
            ))),
        };
        let answer = outcome.unwrap_or_else(|error| Answer::Failed { error });
        if self.reply(token, &answer).is_err() {
            self.close(token, false);
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
                places,
            } => {
                check_version(version)?;
                self.admit(token, &id)?;
                self.seat_all(token, (id, name), &places)
            }
            Ask::Adopt {
                version,
                id,
                name,
                places,
                endpoints,
            } => {
                check_version(version)?;
                self.admit(token, &id)?;
                self.seat_again(token, (id, name), &places, endpoints)
            }
            Ask::Join { place, device } => {
                let (id, name) = self.member(token)?;
                let endpoint = self.seat(&id, &name, &place, &device)?;
                Ok(Answer::Attached {
                    endpoints: vec![endpoint],
                })
            }
            Ask::Leave { network } => self.leave_network(token, &network),
            Ask::Rename { name } => self.rename(token, &name),
            Ask::Servers { network, servers } => self.set_servers(token, &network, servers),
            Ask::Link { device } => self.link(token, device.as_deref(), descriptors),
            Ask::Members { after } => self.page(after.as_ref()),
            Ask::Flows { from } => self.flows(token, from),
            Ask::Announce => self.announce(descriptors),
            Ask::End => Err(Error::internal("an end has no answer")),
        }
    }

    /// Serves another socket from now on: the directory of the one before was deleted.
    /// In the new one we may touch nothing, so the socket stays there when we leave.
    fn announce(&mut self, descriptors: &[OwnedFd]) -> Result<Answer> {
        let [listener, lock] = descriptors else {
            return Err(Error::internal("a socket and its lock are announced"));
        };
        let listener = listener.try_clone()?;
        self.epoll
            .add(&listener, LISTENER, Interest::IN)
            .what(|| "cannot serve another socket")?;
        drop(self.epoll.remove(&self.listener));
        self.listening = Listening::Yes;
        self.place = None;
        self.lock = File::from(lock.try_clone()?);
        self.listener = listener;
        Ok(Answer::Done)
    }

    /// Says whether a connection may become a container's membership.
    fn admit(&mut self, token: u64, id: &ContainerId) -> Result<()> {
        // A container has one monitor at a time: another connection that claims it is a dead one's.
        if let Some(former) = self.members.get(id).copied() {
            if former == token {
                return Err(Error::of(Kind::Conflict, "it is on the network already"));
            }
            self.close(former, true);
        }
        // Its addresses are its own: no orphan's any more.
        self.orphans.retain(|orphan| orphan.mark.id != *id);
        match self.connections.get(&token) {
            None => Err(Error::internal("the connection has ended")),
            Some(connection) if connection.member.is_some() => Err(Error::of(
                Kind::Conflict,
                "the connection is another container's",
            )),
            Some(_) => Ok(()),
        }
    }

    fn seat_all(
        &mut self,
        token: u64,
        (id, name): (ContainerId, ContainerName),
        places: &[Wanted],
    ) -> Result<Answer> {
        check_count(places)?;
        let mut endpoints = Vec::new();
        for (place, device) in places.iter().zip(devices(places)) {
            match self.seat(&id, &name, place, &device) {
                Ok(endpoint) => endpoints.push(endpoint),
                Err(error) => {
                    self.forget(&id);
                    return Err(error);
                }
            }
        }
        self.become_member(token, id, name);
        Ok(Answer::Attached { endpoints })
    }

    /// Seats a container where it was when our predecessor was killed.
    fn seat_again(
        &mut self,
        token: u64,
        (id, name): (ContainerId, ContainerName),
        places: &[Wanted],
        endpoints: Vec<Endpoint>,
    ) -> Result<Answer> {
        check_count(places)?;
        for endpoint in &endpoints {
            let network = &endpoint.network_id;
            let plan = places.iter().find(|place| place.plan.id == *network);
            let plan = &plan
                .ok_or_else(|| Error::internal("a place on no network"))?
                .plan;
            self.open_network(plan)?;
            self.take(&id, &name, plan, endpoint.clone())?;
        }
        self.become_member(token, id, name);
        Ok(Answer::Attached { endpoints })
    }

    fn become_member(&mut self, token: u64, id: ContainerId, name: ContainerName) {
        if let Some(connection) = self.connections.get_mut(&token) {
            connection.member = Some((id.clone(), name));
        }
        self.members.insert(id, token);
    }

    /// Gives a container a place on a network.
    fn seat(
        &mut self,
        id: &ContainerId,
        name: &ContainerName,
        wanted: &Wanted,
        device: &str,
    ) -> Result<Endpoint> {
        let what = || {
            format!(
                "cannot connect \"{}\" to network \"{}\"",
                name.as_str(),
                wanted.plan.name
            )
        };
        self.open_network(&wanted.plan).what(what)?;
        let in_use = self.in_use(&wanted.plan);
        let endpoint = wanted.plan.seat(&in_use, &wanted.place, device);
        let endpoint = endpoint
            .map_err(|error| match self.owner(wanted) {
                Some(owner) => error.what(format!("container \"{owner}\" has it")),
                None => error,
            })
            .what(what)?;
        self.take(id, name, &wanted.plan, endpoint.clone())
            .what(what)?;
        Ok(endpoint)
    }

    /// Makes a network's bridge where it has none yet.
    fn open_network(&mut self, plan: &Plan) -> Result<()> {
        self.vacant.remove(&plan.id);
        let mut others: Vec<NetworkId> = Vec::new();
        if let Some(on) = self.register.write().get_mut(&plan.id) {
            // Of all that a network is, this alone changes: the last who comes knows it.
            on.plan.servers.clone_from(&plan.servers);
            if on.plan == *plan {
                return Ok(());
            }
        }
        for (id, on) in self.register.read().iter() {
            if on.plan.overlaps(plan) {
                others.push(id.clone());
            }
        }
        // One that was removed, and its bridge not yet.
        for other in &others {
            self.clear(other);
            if let Some(on) = self.register.read().get(other) {
                return Err(Error::of(
                    Kind::Conflict,
                    format!("its addresses are those of network \"{}\"", on.plan.name),
                ));
            }
        }
        link::create_bridge(plan)?;
        if !plan.internal {
            self.uplink.serve(plan)?;
        }
        self.register.write().insert(
            plan.id.clone(),
            OnNetwork {
                plan: plan.clone(),
                members: BTreeMap::new(),
            },
        );
        Ok(())
    }

    /// Returns the addresses of a network that cannot be given out.
    fn in_use(&mut self, plan: &Plan) -> InUse {
        let mut in_use = match self.register.read().get(&plan.id) {
            Some(on) => on.in_use(),
            None => InUse::new(),
        };
        self.let_orphans_go();
        in_use.extend(self.orphans.iter().flat_map(|o| &o.mark.addresses));
        in_use
    }

    fn owner(&self, wanted: &Wanted) -> Option<ContainerName> {
        let networks = self.register.read();
        let on = networks.get(&wanted.plan.id)?;
        let v4 = wanted.place.ip.map(IpAddr::V4);
        let v6 = wanted.place.ip6.map(IpAddr::V6);
        [v4, v6]
            .into_iter()
            .flatten()
            .find_map(|ip| on.owner(ip))
            .cloned()
    }

    /// Writes a container's place down.
    fn take(
        &mut self,
        id: &ContainerId,
        name: &ContainerName,
        plan: &Plan,
        endpoint: Endpoint,
    ) -> Result<()> {
        let mut networks = self.register.write();
        let Some(on) = networks.get_mut(&plan.id) else {
            return Err(Error::internal("a network without a bridge"));
        };
        if on.members.contains_key(id) {
            return Err(Error::of(Kind::Conflict, "it is on that network already"));
        }
        if let Some(owner) = addresses(&endpoint).find_map(|ip| on.owner(ip)) {
            return Err(Error::of(
                Kind::Conflict,
                format!("container \"{owner}\" has its address"),
            ));
        }
        if endpoint.host_loopback {
            for ip in addresses(&endpoint) {
                self.uplink.allow_loopback(ip);
            }
        }
        let name = name.clone();
        on.members.insert(id.clone(), Seated { name, endpoint });
        Ok(())
    }

    fn member(&self, token: u64) -> Result<(ContainerId, ContainerName)> {
        let connection = self.connections.get(&token);
        connection
            .and_then(|c| c.member.clone())
            .ok_or_else(|| Error::internal("only a member can ask for that"))
    }

    fn leave_network(&mut self, token: u64, network: &NetworkId) -> Result<Answer> {
        let (id, _) = self.member(token)?;
        let bridge = match self.register.read().get(network) {
            Some(on) if on.members.contains_key(&id) => on.plan.bridge.clone(),
            _ => return Err(Error::of(Kind::NotFound, "it is not on that network")),
        };
        let links = link::ports().what(|| "cannot see the links there are")?;
        for orphan in links.into_iter().filter_map(Orphan::of) {
            if orphan.mark.id == id && orphan.mark.bridge == bridge {
                link::detach(&orphan.link).what(|| "cannot take its link away")?;
            }
        }
        self.forget_on(network, &id);
        Ok(Answer::Done)
    }

    fn set_servers(
        &mut self,
        token: u64,
        network: &NetworkId,
        servers: Vec<IpAddr>,
    ) -> Result<Answer> {
        let (id, _) = self.member(token)?;
        match self.register.write().get_mut(network) {
            Some(on) if on.members.contains_key(&id) => on.plan.servers = servers,
            _ => return Err(Error::of(Kind::NotFound, "it is not on that network")),
        }
        Ok(Answer::Done)
    }

    fn rename(&mut self, token: u64, name: &ContainerName) -> Result<Answer> {
        let (id, _) = self.member(token)?;
        if let Some(connection) = self.connections.get_mut(&token) {
            connection.member = Some((id.clone(), name.clone()));
        }
        for on in self.register.write().values_mut() {
            if let Some(seated) = on.members.get_mut(&id) {
                seated.name = name.clone();
            }
        }
        Ok(Answer::Done)
    }

    /// Links a member's namespace to its networks, or to that of one device.
    fn link(
        &mut self,
        token: u64,
        device: Option<&str>,
        descriptors: &[OwnedFd],
    ) -> Result<Answer> {
        let (id, _) = self.member(token)?;
        let [container] = descriptors else {
            return Err(Error::internal("a network namespace is what is linked"));
        };
        let places: Vec<(Plan, Endpoint)> = self
            .register
            .read()
            .values()
            .filter_map(|on| {
                let seated = on.members.get(&id)?;
                Some((on.plan.clone(), seated.endpoint.clone()))
            })
            .filter(|(_, endpoint)| device.is_none_or(|device| endpoint.device == device))
            .collect();
        for (plan, endpoint) in &places {
            self.link_one(&id, container, plan, endpoint)
                .what(|| format!("cannot link the container to network \"{}\"", plan.name))?;
        }
        Ok(Answer::Done)
    }

    fn link_one(
        &mut self,
        id: &ContainerId,
        container: &OwnedFd,
        plan: &Plan,
        endpoint: &Endpoint,
    ) -> io::Result<()> {
        let mark = Mark {
            id: id.clone(),
            bridge: plan.bridge.clone(),
            addresses: addresses(endpoint).collect(),
        };
        for _ in 0..LINK_NAMES {
            let name = link_name(id, self.links);
            self.links = self.links.wrapping_add(1);
            match link::attach(container.as_fd(), &name, plan, endpoint, &mark.to_string()) {
                // One that a predecessor made, or that is on its way out.
                Err(error)
                    if error.kind() == io::ErrorKind::AlreadyExists && link::exists(&name) => {}
                done => return done,
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn page(&self, after: Option<&ContainerId>) -> Result<Answer> {
        let range = match after {
            None => (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded),
            Some(id) => (std::ops::Bound::Excluded(id), std::ops::Bound::Unbounded),
        };
        let links = link::ports().unwrap_or_default();
        let flows = self.uplink.counts();
        let networks = self.register.read();
        let (mut members, mut bytes) = (Vec::new(), 0);
        for (id, _) in self.members.range::<ContainerId, _>(range) {
            let places: Vec<(&Seated, &Plan)> = networks
                .values()
                .filter_map(|on| Some((on.members.get(id)?, &on.plan)))
                .collect();
            let Some((first, _)) = places.first() else {
                continue;
            };
            let traffic = |(seated, plan): &(&Seated, &Plan)| Traffic {
                flows: addresses(&seated.endpoint)
                    .filter_map(|ip| flows.get(&ip))
                    .sum(),
                ..traffic(&links, id, &plan.bridge)
            };
            let member = Member {
                id: id.clone(),
                name: first.name.clone(),
                endpoints: places.iter().map(|(s, _)| s.endpoint.clone()).collect(),
                traffic: places.iter().map(traffic).collect(),
            };
            bytes += serde_json::to_vec(&member)?.len();
            if bytes > PAGE && !members.is_empty() {
                return Ok(Answer::Members {
                    members,
                    more: true,
                });
            }
            members.push(member);
        }
        Ok(Answer::Members {
            members,
            more: false,
        })
    }

    /// Tells a part of the flows that there were when the first part was asked for.
    fn flows(&mut self, token: u64, from: usize) -> Result<Answer> {
        let all = (from == 0).then(|| self.uplink.flows());
        let connection = self.connections.get_mut(&token);
        let connection = connection.ok_or_else(|| Error::internal("the connection has ended"))?;
        if let Some(all) = all {
            connection.flows = all;
        }
        let rest = connection.flows.get(from..).unwrap_or_default();
        let flows: Vec<Flow> = rest.iter().take(FLOWS).cloned().collect();
        let more = rest.len() > flows.len();
        if !more {
            connection.flows = Vec::new();
        }
        Ok(Answer::Flows { flows, more })
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

/// Returns what has passed a container's link to a bridge.
fn traffic(links: &[link::Port], id: &ContainerId, bridge: &str) -> Traffic {
    // Without taking each mark apart: there may be many links.
    let begin = format!("rpod {id} {bridge} ");
    let link = links.iter().find(|link| link.mark.starts_with(&begin));
    link.map_or_else(Traffic::default, |link| Traffic {
        received: link.received,
        sent: link.sent,
        flows: 0,
    })
}

impl Orphan {
    fn of(link: link::Port) -> Option<Self> {
        let mark = Mark::parse(&link.mark)?;
        Some(Self {
            link: link.name,
            mark,
        })
    }
}

impl Mark {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.strip_prefix("rpod ")?.split(' ');
        Some(Self {
            id: words.next()?.parse().ok()?,
            bridge: words.next()?.to_owned(),
            addresses: words.map(str::parse).collect::<Result<_, _>>().ok()?,
        })
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rpod {} {}", self.id, self.bridge)?;
        self.addresses.iter().try_for_each(|ip| write!(f, " {ip}"))
    }
}

fn check_version(version: u32) -> Result<()> {
    if version == VERSION {
        return Ok(());
    }
    Err(Error::new(format!(
        "the net process speaks version {VERSION} of its messages, not {version}"
    )))
}

fn check_count(places: &[Wanted]) -> Result<()> {
    if places.len() <= NETWORKS {
        return Ok(());
    }
    Err(Error::of(
        Kind::Usage,
        format!("a container is on {NETWORKS} networks at most"),
    ))
}

/// Names a container's devices, in the order of its places: as was wanted, and else the
/// first of its network's that no other has.
fn devices(places: &[Wanted]) -> Vec<String> {
    let mut taken: BTreeSet<String> = places
        .iter()
        .filter_map(|wanted| wanted.place.device.clone())
        .collect();
    let one = |wanted: &Wanted| match &wanted.place.device {
        Some(name) => name.clone(),
        None => {
            let free = wanted.plan.free_device(|name| taken.contains(name));
            taken.insert(free.clone());
            free
        }
    };
    places.iter().map(one).collect()
}

/// Names a container's links can have.
const LINK_NAMES: u32 = 0x1000;

/// `veth`, 8 digits of the container's id, 3 that count: 15 bytes, all a device's name may have.
fn link_name(id: &ContainerId, count: u32) -> String {
    format!("veth{}{:03x}", &id.as_str()[..8], count & 0xfff)
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
