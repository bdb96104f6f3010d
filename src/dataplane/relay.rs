//! The streams of published ports: bytes between a client and the program inside.
//!
//! Goals: a client sees what the program does, and the reverse: data at once,
//! the end of one direction as the end of that direction, a broken connection
//! as a broken one. No byte waits in this process: what one side cannot take
//! stays with the other, in the kernel's buffers, where it slows its sender down.
//!
//! A direction is in one of two modes:
//!
//! ```text
//!         a read filled the whole buffer, or the other side took a part only
//! copying ──────────────────────────────────────────────────────▶ splicing
//!    ▲     read → send                                               │   socket → pipe → socket
//!    └──────────────────────────────────────────────────────────────┘
//!         a turn moved less than a buffer, and the pipe is empty
//! ```
//!
//! Copying is best for questions and answers (fewer calls), splicing for bulk (no
//! copy). What the other side did not take of a copy goes into the pipe. Where
//! all pipes are in use, copying goes on, and peeks first, so that it takes from
//! the socket only what the other side has taken. A pipe is one of a pool:
//! making one costs more than a small transfer.
//!
//! Every socket is watched once, for edges; what an edge said is remembered
//! until a call says "not now", or has read less than there was room for (see
//! [`Side::thorough`]). A direction moves at most [`TURN`] bytes before others
//! have theirs.
//!
//! Connections inside are made with the client's own address where the kernel
//! lets us (`IP_TRANSPARENT`, a mark, and the rules of `link::transparent`);
//! else with the client's address and another port; else in our own name. They
//! stay on this machine, and so do many clients': such streams are not paced
//! ([`link::UNPACED`]), which is half of what they would cost where the
//! machine's congestion control paces. What a short connection can do without
//! is done without: each call is a part of what it takes.
//!
//! Lives here: [`Relay`], its loop and its connections.
//! Must not: bind a port of the machine's (`publish`), or enter a namespace.
//! Called by: `role::ports`.
//! Always true: at most so many connections and pipes are open as the limit of
//! descriptors allows, and clients beyond wait unaccepted; a failure of one
//! connection ends that connection only.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, sockopt};
use rustix::pipe::{PipeFlags, SpliceFlags};

use crate::dataplane::datagram::Datagrams;
use crate::dataplane::link::{MARK, UNPACED};
use crate::dataplane::publish::{Bound, Listener};
use crate::dataplane::source::Target;
use crate::spec::network::Endpoint;
use crate::spec::port::Protocol;
use crate::sys::epoll::{self, Eager, Epoll, Event, Interest};
use crate::sys::{net, socket};

/// Bytes copied at once.
const BUFFER: usize = 64 * 1024;

/// Bytes of a pipe; 128 of them are half of what a user may have without privileges.
const PIPE: usize = 256 * 1024;

/// Pipes at most: one a direction that moves bulk.
const PIPES: usize = 128;

/// Bytes a direction moves before others have their turn.
const TURN: usize = 1024 * 1024;

/// Connections at most, whatever the limit of descriptors.
const CONNECTIONS: usize = 16 * 1024;

/// Descriptors kept free for what is neither a connection nor a pipe.
const RESERVE: usize = 32;

/// How long nothing is accepted, and no pipe made, after the system had no room.
const PAUSE: Duration = Duration::from_millis(100);

/// Connections taken from one listener before others have their turn, while many wait.
const ACCEPTS: usize = 64;

/// The longest first send that no limit of segments cuts in two, so that its end
/// would wait for an acknowledgement: what IPv6 promises of every link.
const WHOLE: usize = 1220;

/// What is watched of both ends of a connection, each change once.
const INTEREST: Interest = Interest::IN
    .union(Interest::OUT)
    .union(Interest::RDHUP)
    .union(Interest::PRI)
    .union(Interest::ET);

/// The published ports of one container.
pub struct Relay {
    epoll: Epoll,
    listeners: Vec<Listener>,
    datagrams: Datagrams,
    target: Target,
    transparent: bool,
    control: OwnedFd,
    flows: Flows,
    pipes: Pipes,
    /// Connections that have more to do than their turn allowed.
    waiting: VecDeque<usize>,
    buffer: Box<[u8]>,
    most: usize,
    /// Bytes of this turn of the loop.
    moved: usize,
    /// Connections taken at once: one, and twice as many each time there were that many.
    accepts: usize,
    /// None: the listeners are watched. Else not before this moment, or the end of a connection.
    paused: Option<Instant>,
}

impl Relay {
    /// Takes over a container's ports. The calling process is in the
    /// container's network namespace by now.
    pub fn new(
        bound: Bound,
        endpoint: &Endpoint,
        transparent: bool,
        control: OwnedFd,
    ) -> io::Result<Self> {
        let (datagram, stream): (Vec<_>, Vec<_>) = bound
            .listeners
            .into_iter()
            .partition(|l| l.protocol == Protocol::Udp);
        let target = Target::of(endpoint);
        let epoll = Epoll::new()?;
        epoll.add(&control, Token::Control.pack(), Interest::IN)?;
        let descriptors =
            net::raise_descriptor_limit().saturating_sub(RESERVE + stream.len() + datagram.len());
        // A quarter for pipes, a quarter for datagrams' clients where there are any, the rest in pairs.
        let pipes = (descriptors / 8).min(PIPES);
        let clients = if datagram.is_empty() {
            0
        } else {
            descriptors / 4
        };
        let most = (descriptors - 2 * pipes - clients) / 2;
        let relay = Self {
            datagrams: Datagrams::new(datagram, target, transparent, clients),
            listeners: stream,
            target,
            transparent,
            control,
            flows: Flows::default(),
            pipes: Pipes::new(pipes),
            waiting: VecDeque::new(),
            buffer: vec![0; BUFFER].into_boxed_slice(),
            most: most.clamp(1, CONNECTIONS),
            moved: 0,
            accepts: 1,
            paused: None,
            epoll,
        };
        for listener in &relay.listeners {
            // Its connections have these from it. Bytes go on as they come: whether to
            // gather them is the ends' decision. A client that vanished without a word
            // is found out after some hours.
            sockopt::set_tcp_nodelay(&listener.fd, true).ok();
            sockopt::set_socket_keepalive(&listener.fd, true).ok();
        }
        relay.watch_listeners()?;
        relay.datagrams.watch(&relay.epoll)?;
        Ok(relay)
    }

    /// Serves until the container has gone.
    ///
    /// # Errors
    /// Only when the kernel refuses to wait.
    pub fn run(&mut self) -> io::Result<()> {
        let mut room = epoll::room(256);
        let mut eager = Eager::default();
        loop {
            let patience = self.patience();
            // The borrow of the events ends before the connections are touched.
            let little = std::mem::take(&mut self.moved) < BUFFER;
            let events = eager.wait(&self.epoll, &mut room, patience, little)?;
            let count = events.len();
            for event in &room[..count] {
                match Token::unpack(event.data.u64()) {
                    Token::Control => {
                        if control_closed(&self.control) {
                            return Ok(());
                        }
                    }
                    Token::Listener(index) => self.accept(index),
                    Token::Client(key) => self.note(key, true, event),
                    Token::Server(key) => self.note(key, false, event),
                    Token::Datagram(index) => self.datagrams.pass_in(&self.epoll, index),
                    Token::Answer(key) => self.datagrams.pass_out(key),
                }
            }
            // Those that wait now; who asks again comes after the next events.
            for _ in 0..self.waiting.len() {
                if let Some(slot) = self.waiting.pop_front() {
                    self.turn(slot);
                }
            }
            self.listen_again();
            self.datagrams.forget_idle();
        }
    }

    fn patience(&self) -> Option<Duration> {
        if !self.waiting.is_empty() {
            return Some(Duration::ZERO);
        }
        let paused = self
            .paused
            .map(|moment| moment.saturating_duration_since(Instant::now()));
        [paused, self.datagrams.patience()]
            .into_iter()
            .flatten()
            .min()
    }

    fn watch_listeners(&self) -> io::Result<()> {
        for (index, listener) in self.listeners.iter().enumerate() {
            let token = Token::Listener(index).pack();
            match self.epoll.add(&listener.fd, token, Interest::IN) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Clients wait in the listeners' queues meanwhile.
    fn pause(&mut self, time: Duration) {
        for listener in &self.listeners {
            drop(self.epoll.remove(&listener.fd));
        }
        self.paused = Some(Instant::now() + time);
    }

    fn listen_again(&mut self) {
        let due = self.paused.is_some_and(|moment| Instant::now() >= moment);
        if !due || self.flows.count >= self.most {
            return;
        }
        self.paused = match self.watch_listeners() {
            Ok(()) => None,
            Err(_) => Some(Instant::now() + PAUSE),
        };
    }

    fn accept(&mut self, index: usize) {
        for _ in 0..self.accepts {
            if self.flows.count >= self.most {
                // The end of a connection ends the pause sooner.
                return self.pause(Duration::from_secs(3600));
            }
            let Some(listener) = self.listeners.get(index) else {
                return;
            };
            let port = listener.container;
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            match rustix::net::acceptfrom_with(&listener.fd, flags) {
                Ok((client, address)) => {
                    let address = address.and_then(|a| SocketAddr::try_from(a).ok());
                    if let Err(error) = self.start(client, address, port)
                        && out_of_room(&error)
                    {
                        return self.pause(PAUSE);
                    }
                }
                Err(Errno::AGAIN) => {
                    self.accepts = 1;
                    return;
                }
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                    return self.pause(PAUSE);
                }
                // accept(2): an error of the connection that was there, which has gone.
                Err(_) => {}
            }
        }
        // The listener tells again when there are more; to ask it is a call for nothing
        // when clients come one after another.
        self.accepts = (self.accepts * 2).min(ACCEPTS);
    }

    /// Connects a client that has come with the program.
    fn start(&mut self, client: OwnedFd, address: Option<SocketAddr>, port: u16) -> io::Result<()> {
        let by_ipv6 = self.connect_by_ipv6(address, port);
        let again = by_ipv6.is_some().then_some(port);
        let server = match by_ipv6 {
            Some(server) => server,
            None => self
                .connect(address, port)
                .inspect_err(|_| reset(&client))?,
        };
        let key = self.flows.insert(Flow::new(client, server, again));
        let Some(flow) = self.flows.get(key.slot) else {
            return Ok(());
        };
        let watched = self
            .epoll
            .add(&flow.client.fd, Token::Client(key).pack(), INTEREST)
            .and_then(|()| {
                self.epoll
                    .add(&flow.server.fd, Token::Server(key).pack(), INTEREST)
            });
        if watched.is_err() {
            self.end(key.slot, true);
        }
        watched
    }

    /// Opens a connection to the program: with the client's address and port,
    /// else with another port (a program's own port, or one still in use by a
    /// connection that ends), else in our own name.
    fn connect(&self, client: Option<SocketAddr>, port: u16) -> io::Result<OwnedFd> {
        let to = SocketAddr::new(self.target.ip.into(), port);
        if self.transparent {
            let client = client.unwrap_or_else(|| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0));
            let source = self.target.source(client);
            let any_port = SocketAddr::new(source.ip(), 0);
            for from in [source, any_port] {
                match connect_from(Some(from), to) {
                    Err(error) if !out_of_room(&error) => {}
                    done => return done,
                }
            }
        }
        connect_from(None, to)
    }

    /// As [`Self::connect`], by IPv6 where the client came so.
    fn connect_by_ipv6(&self, client: Option<SocketAddr>, port: u16) -> Option<OwnedFd> {
        let client = client?;
        let to = SocketAddr::new(self.target.by_ipv6(client)?, port);
        let any_port = SocketAddr::new(client.ip(), 0);
        [client, any_port]
            .into_iter()
            .find_map(|from| connect_from(Some(from), to).ok())
    }

    /// A program that listens by IPv4 alone is reached so, with the gateway's address.
    fn start_over(&mut self, key: Key) -> bool {
        let Some(port) = self.flows.get_mut(key).and_then(|flow| flow.again.take()) else {
            return false;
        };
        let Ok(server) = self.connect(None, port) else {
            return false;
        };
        let Some(flow) = self.flows.get_mut(key) else {
            return false;
        };
        flow.server = Side::new(server);
        let token = Token::Server(key).pack();
        self.epoll.add(&flow.server.fd, token, INTEREST).is_ok()
    }

    /// Remembers what an event says, and lets the connection go on.
    fn note(&mut self, key: Key, client: bool, event: &Event) {
        let Some(flow) = self.flows.get_mut(key) else {
            return;
        };
        let flags = event.flags;
        let broken = flags.contains(Interest::ERR);
        let ended = flags.intersects(Interest::HUP | Interest::ERR);
        let (side, half) = if client {
            (&mut flow.client, &flow.up)
        } else {
            (&mut flow.server, &flow.down)
        };
        side.readable |= ended || flags.intersects(Interest::IN | Interest::RDHUP);
        side.writable |= ended || flags.contains(Interest::OUT);
        side.thorough |= ended || flags.intersects(Interest::RDHUP | Interest::PRI);
        // An error is met by the next read, behind the data that came before
        // it; but nobody reads any more where the end was read already.
        let unheard = broken && half.done;
        if !client && !flow.connected && side.writable {
            if ended && !matches!(sockopt::socket_error(&side.fd), Ok(Ok(()))) {
                if self.start_over(key) {
                    return;
                }
                return self.end(key.slot, true);
            }
            flow.connected = true;
        }
        if unheard {
            return self.end(key.slot, true);
        }
        self.turn(key.slot);
    }

    /// Moves what can be moved in both directions.
    fn turn(&mut self, slot: usize) {
        let Some(flow) = self.flows.get_slot(slot) else {
            return;
        };
        flow.queued = false;
        if !flow.connected {
            return;
        }
        let up = flow.up.pump(
            &mut flow.client,
            &mut flow.server,
            &mut self.buffer,
            &mut self.pipes,
            flow.down.done,
        );
        let down = flow.down.pump(
            &mut flow.server,
            &mut flow.client,
            &mut self.buffer,
            &mut self.pipes,
            flow.up.done,
        );
        if flow.down.pipe.is_some() && !flow.told_path {
            flow.told_path = true;
            unpace(&flow.client.fd);
        }
        self.moved += flow.up.moved + flow.down.moved;
        match (up, down) {
            (Err(_), _) | (_, Err(_)) => self.end(slot, true),
            (Ok(Turn::Done), Ok(Turn::Done)) => self.end(slot, false),
            (Ok(Turn::More), _) | (_, Ok(Turn::More)) => {
                flow.queued = true;
                self.waiting.push_back(slot);
            }
            _ => {}
        }
    }

    /// Ends a connection; broken, both of its ends hear a reset.
    fn end(&mut self, slot: usize, broken: bool) {
        let Some(mut flow) = self.flows.remove(slot) else {
            return;
        };
        if broken {
            reset(&flow.client.fd);
            reset(&flow.server.fd);
        }
        flow.up.let_go(&mut self.pipes);
        flow.down.let_go(&mut self.pipes);
        if self.paused.is_some() {
            self.paused = Some(Instant::now());
        }
    }
}

fn connect_from(from: Option<SocketAddr>, to: SocketAddr) -> io::Result<OwnedFd> {
    let fd = socket::make(socket::family(to.ip()), SocketType::STREAM)?;
    // Before it connects: one that was paced once stays so. Where it is forbidden, it is paced.
    sockopt::set_tcp_congestion(&fd, UNPACED).ok();
    if let Some(from) = from {
        socket::set_transparent(&fd, to.is_ipv6())?;
        socket::set_mark(&fd, MARK)?;
        if from.port() == 0 && from.is_ipv4() {
            socket::set_late_port(&fd)?;
        } else {
            // One client may come to several of the container's ports with one port of its own.
            sockopt::set_socket_reuseaddr(&fd, true)?;
        }
        rustix::net::bind(&fd, &from)?;
    }
    match rustix::net::connect(&fd, &to) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(fd),
        Err(error) => Err(error.into()),
    }
}

/// Leaves the rest of a stream to a client on this machine unpaced: its path is no network.
fn unpace(client: &OwnedFd) {
    let here = rustix::net::getsockname(client).and_then(SocketAddr::try_from);
    let there = rustix::net::getpeername(client)
        .and_then(|peer| peer.map_or(Err(Errno::NOTCONN), SocketAddr::try_from));
    // Who reaches an address of this machine from this machine does so with that address.
    if let (Ok(here), Ok(there)) = (here, there)
        && (here.ip() == there.ip() || there.ip().to_canonical().is_loopback())
    {
        sockopt::set_tcp_congestion(client, UNPACED).ok();
    }
}

/// Makes the end of a connection, when it is closed, the end of a broken one.
fn reset(fd: &OwnedFd) {
    sockopt::set_socket_linger(fd, Some(Duration::ZERO)).ok();
}

fn out_of_room(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
    )
}

/// Nothing is ever said on the control pipe; its end is what counts.
fn control_closed(control: &OwnedFd) -> bool {
    let mut byte = [0; 16];
    !matches!(rustix::io::read(control, &mut byte), Ok(1..))
}

/// One client's connection and the one inside that belongs to it.
struct Flow {
    client: Side,
    server: Side,
    /// From the client to the program.
    up: Half,
    /// From the program to the client.
    down: Half,
    /// The program has answered.
    connected: bool,
    /// It is in the queue of those that wait for their turn.
    queued: bool,
    /// The way to the client has been looked at.
    told_path: bool,
    /// Made by IPv6: where to try by IPv4 when that is refused.
    again: Option<u16>,
}

impl Flow {
    fn new(client: OwnedFd, server: OwnedFd, again: Option<u16>) -> Self {
        Self {
            client: Side::new(client),
            server: Side::new(server),
            up: Half::default(),
            down: Half::default(),
            connected: false,
            queued: false,
            told_path: false,
            again,
        }
    }
}

/// A socket, and what the kernel last said of it.
struct Side {
    fd: OwnedFd,
    readable: bool,
    writable: bool,
    /// Its end or urgent bytes were told: reads may stop short of what there is,
    /// and only "not now" says that everything has been read.
    thorough: bool,
    sent: Sent,
}

/// What was sent to a socket so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Nothing,
    /// It left at once, because nothing was before it.
    Little,
    /// More: from then on nothing waits for acknowledgements.
    Much,
}

impl Side {
    fn new(fd: OwnedFd) -> Self {
        Self {
            fd,
            readable: false,
            writable: false,
            thorough: false,
            sent: Sent::Nothing,
        }
    }

    /// Is called before `count` bytes are sent. Many a connection has one question
    /// and one answer, and does without the option.
    fn prompt(&mut self, count: usize) {
        self.sent = match self.sent {
            Sent::Nothing if count <= WHOLE => Sent::Little,
            Sent::Much => return,
            _ => {
                sockopt::set_tcp_nodelay(&self.fd, true).ok();
                Sent::Much
            }
        };
    }
}

/// One direction.
#[derive(Default)]
struct Half {
    /// Splicing: the pipe in between.
    pipe: Option<Pipe>,
    /// Bytes in the pipe.
    held: usize,
    /// Bytes of its last turn.
    moved: usize,
    /// Its source has ended.
    ended: bool,
    /// That has been passed on.
    done: bool,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Nothing can be done before the next event.
    Blocked,
    /// It was long enough; there is more.
    More,
    /// There will be nothing more.
    Done,
}

impl Half {
    /// Moves what can be moved. `last` says that the other direction is done, so
    /// that the connection is closed when this one is.
    fn pump(
        &mut self,
        from: &mut Side,
        to: &mut Side,
        buffer: &mut [u8],
        pipes: &mut Pipes,
        last: bool,
    ) -> Result<Turn, Errno> {
        self.moved = 0;
        let turn = loop {
            if self.done {
                break Turn::Done;
            }
            if self.moved >= TURN {
                break Turn::More;
            }
            let step = match &self.pipe {
                Some(pipe) if self.held > 0 => drain(pipe, self.held, to),
                _ if self.ended => {
                    self.done = true;
                    if !last {
                        // The other end may have gone altogether; it will say so itself.
                        rustix::net::shutdown(&to.fd, Shutdown::Write).ok();
                    }
                    continue;
                }
                Some(pipe) => fill(pipe, from),
                None if pipes.spare() => copy(from, to, buffer, RecvFlags::empty()),
                // There is no pipe for what the other side does not take.
                None => copy(from, to, buffer, RecvFlags::PEEK),
            };
            match step {
                Ok(Step::In(count)) => self.held = count,
                Ok(Step::Out(count)) => {
                    self.held -= count.min(self.held);
                    self.moved += count;
                }
                Ok(Step::Through { count, full }) => {
                    self.moved += count;
                    if full {
                        self.pipe = pipes.take();
                    }
                }
                Ok(Step::Part { count, length }) => {
                    self.moved += count;
                    let pipe = pipes.take().ok_or(Errno::MFILE)?;
                    self.held = rustix::io::write(&pipe.write, &buffer[count..length])?;
                    self.pipe = Some(pipe);
                    if self.held < length - count {
                        return Err(Errno::NOBUFS);
                    }
                }
                Ok(Step::Ended) => self.ended = true,
                Ok(Step::Wait) => break Turn::Blocked,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        };
        if self.done || (turn == Turn::Blocked && self.moved < BUFFER && self.held == 0) {
            self.let_go(pipes);
        }
        Ok(turn)
    }

    fn let_go(&mut self, pipes: &mut Pipes) {
        if let Some(pipe) = self.pipe.take() {
            pipes.give_back(pipe, self.held == 0);
        }
    }
}

/// What one step did.
enum Step {
    /// So many bytes went from the socket into the pipe.
    In(usize),
    /// So many bytes went from the pipe to the socket.
    Out(usize),
    /// So many bytes were copied; the read was `full`.
    Through { count: usize, full: bool },
    /// So many bytes of the buffer's `length` were sent; the rest is in the buffer alone.
    Part { count: usize, length: usize },
    /// The source has ended.
    Ended,
    /// One of the two sides is not ready.
    Wait,
}

const SPLICE: SpliceFlags = SpliceFlags::NONBLOCK.union(SpliceFlags::MOVE);

fn fill(pipe: &Pipe, from: &mut Side) -> Result<Step, Errno> {
    if !from.readable {
        return Ok(Step::Wait);
    }
    // The pipe is empty: only the socket can be what is not ready.
    match rustix::pipe::splice(&from.fd, None, &pipe.write, None, PIPE, SPLICE) {
        Ok(0) => Ok(Step::Ended),
        Ok(count) => Ok(Step::In(count)),
        Err(Errno::AGAIN) => {
            from.readable = false;
            Ok(Step::Wait)
        }
        Err(error) => Err(error),
    }
}

fn drain(pipe: &Pipe, held: usize, to: &mut Side) -> Result<Step, Errno> {
    if !to.writable {
        return Ok(Step::Wait);
    }
    to.prompt(held);
    match rustix::pipe::splice(&pipe.read, None, &to.fd, None, held, SPLICE) {
        Ok(0) => Err(Errno::PIPE),
        Ok(count) => Ok(Step::Out(count)),
        Err(Errno::AGAIN) => {
            to.writable = false;
            Ok(Step::Wait)
        }
        Err(error) => Err(error),
    }
}

/// Reads and sends. What is only peeked stays with its socket until the other side
/// has taken it; of what was read, the rest is in the buffer alone.
fn copy(from: &mut Side, to: &mut Side, buffer: &mut [u8], how: RecvFlags) -> Result<Step, Errno> {
    if !from.readable || !to.writable {
        return Ok(Step::Wait);
    }
    let length = match rustix::net::recv(&from.fd, &mut *buffer, how) {
        Ok((0, _)) => return Ok(Step::Ended),
        Ok((length, _)) => length,
        Err(Errno::AGAIN) => {
            from.readable = false;
            return Ok(Step::Wait);
        }
        Err(error) => return Err(error),
    };
    let full = length == BUFFER;
    to.prompt(length);
    let send = || rustix::net::send(&to.fd, &buffer[..length], SendFlags::NOSIGNAL);
    let count = match rustix::io::retry_on_intr(send) {
        Ok(count) => count,
        Err(Errno::AGAIN) => 0,
        Err(error) => return Err(error),
    };
    // epoll(7): a short write says that there is no room, as "not now" would.
    to.writable = count == length;
    if how.contains(RecvFlags::PEEK) {
        // tcp(7): MSG_TRUNC drops so many bytes without copying them.
        rustix::net::recv(&from.fd, &mut buffer[..count], RecvFlags::TRUNC)?;
    } else {
        // As of a short read: it says that there is no more.
        from.readable = full || from.thorough;
        if !to.writable {
            return Ok(Step::Part { count, length });
        }
    }
    Ok(Step::Through { count, full })
}

/// A pipe that is nobody's but one direction's.
struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

/// Makes a pipe that takes a whole buffer at least: a user who has too many
/// already gets smaller ones, and those are of no use here.
fn make_pipe() -> Option<Pipe> {
    let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
    let (read, write) = rustix::pipe::pipe_with(flags).ok()?;
    let size = rustix::pipe::fcntl_setpipe_size(&write, PIPE)
        .or_else(|_| rustix::pipe::fcntl_getpipe_size(&write))
        .ok()?;
    (size >= BUFFER).then_some(Pipe { read, write })
}

/// The pipes that are ready for use.
struct Pipes {
    free: Vec<Pipe>,
    made: usize,
    most: usize,
    /// When the system had none for us.
    refused: Option<Instant>,
}

impl Pipes {
    fn new(most: usize) -> Self {
        Self {
            free: Vec::new(),
            made: 0,
            most,
            refused: None,
        }
    }

    /// Says whether [`Self::take`] returns a pipe, and makes one if need be.
    fn spare(&mut self) -> bool {
        if self.free.is_empty()
            && self.made < self.most
            && self.refused.is_none_or(|moment| moment.elapsed() >= PAUSE)
        {
            let made = make_pipe();
            self.refused = made.is_none().then(Instant::now);
            self.made += usize::from(made.is_some());
            self.free.extend(made);
        }
        !self.free.is_empty()
    }

    /// Returns an empty pipe; none when all are in use: copying goes on then.
    fn take(&mut self) -> Option<Pipe> {
        self.spare();
        self.free.pop()
    }

    fn give_back(&mut self, pipe: Pipe, empty: bool) {
        if empty {
            self.free.push(pipe);
        } else {
            self.made -= 1;
        }
    }
}

/// A connection's place, and which of those that had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) slot: usize,
    pub(super) generation: u32,
}

/// The connections. An event may come for one that ended a moment ago, when its
/// place is another's already: generations tell them apart.
#[derive(Default)]
struct Flows {
    slots: Vec<(u32, Option<Flow>)>,
    free: Vec<usize>,
    count: usize,
}

impl Flows {
    fn insert(&mut self, flow: Flow) -> Key {
        self.count += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            self.slots.len() - 1
        });
        let place = &mut self.slots[slot];
        place.1 = Some(flow);
        Key {
            slot,
            generation: place.0,
        }
    }

    fn get(&self, slot: usize) -> Option<&Flow> {
        self.slots.get(slot)?.1.as_ref()
    }

    fn get_slot(&mut self, slot: usize) -> Option<&mut Flow> {
        self.slots.get_mut(slot)?.1.as_mut()
    }

    fn get_mut(&mut self, key: Key) -> Option<&mut Flow> {
        let (generation, flow) = self.slots.get_mut(key.slot)?;
        if *generation == key.generation {
            flow.as_mut()
        } else {
            None
        }
    }

    fn remove(&mut self, slot: usize) -> Option<Flow> {
        let (generation, flow) = self.slots.get_mut(slot)?;
        let flow = flow.take()?;
        *generation = generation.wrapping_add(1);
        self.free.push(slot);
        self.count -= 1;
        Some(flow)
    }
}

/// What an event is about, in the 64 bits that come with it: 4 of kind, 28 of
/// place, 32 of generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Control,
    Listener(usize),
    Client(Key),
    Server(Key),
    Datagram(usize),
    Answer(Key),
}

impl Token {
    pub(super) fn pack(self) -> u64 {
        let (kind, slot, generation) = match self {
            Self::Control => (0, 0, 0),
            Self::Listener(index) => (1, index, 0),
            Self::Client(key) => (2, key.slot, key.generation),
            Self::Server(key) => (3, key.slot, key.generation),
            Self::Datagram(index) => (4, index, 0),
            Self::Answer(key) => (5, key.slot, key.generation),
        };
        (kind << 60) | ((slot as u64 & 0x0fff_ffff) << 32) | u64::from(generation)
    }

    pub(super) fn unpack(bits: u64) -> Self {
        let slot = (bits >> 32 & 0x0fff_ffff) as usize;
        let key = Key {
            slot,
            generation: bits as u32,
        };
        match bits >> 60 {
            0 => Self::Control,
            1 => Self::Listener(slot),
            2 => Self::Client(key),
            3 => Self::Server(key),
            4 => Self::Datagram(slot),
            _ => Self::Answer(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, Token};

    #[test]
    fn a_token_comes_back_as_it_was() {
        let key = Key {
            slot: 0x0abc_def1,
            generation: 0xfedc_ba98,
        };
        for token in [
            Token::Control,
            Token::Listener(3),
            Token::Client(key),
            Token::Server(key),
            Token::Datagram(9),
            Token::Answer(key),
        ] {
            assert_eq!(Token::unpack(token.pack()), token);
        }
    }
}
