//! The loop of a monitor: bytes between a program, its log and those attached.
//!
//! ```text
//!  program ──stdout/stderr (or terminal)──▶ loop ──▶ log
//!     ▲                                      │ └───▶ clients that want output
//!     └────────────stdin◀────────────────────┘◀──── the client that gives input
//! ```
//!
//! A client that does not read holds the program up, as a pipe would; it cannot
//! make the monitor grow.
//!
//! Lives here: the loop and its clients.
//! Must not: start the program or write its state (`role::monitor`).
//! Called by: `role::monitor`; `ops::exec` for the program it runs.
//! Always true: every descriptor is non-blocking; waiting happens in one poll(2).

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::error::Error;
use crate::monitor::log::{Log, Stream};
use crate::process::frames::{self, Hello, Kind};
use crate::sys::process::{self, Exit};
use crate::sys::signal::Signals;

/// The descriptors of a program that is watched.
#[derive(Debug, Default)]
pub struct Streams {
    /// Its standard input, when it is kept open.
    pub stdin: Option<OwnedFd>,
    /// Its standard output.
    pub stdout: Option<OwnedFd>,
    /// Its standard error.
    pub stderr: Option<OwnedFd>,
    /// Its terminal, instead of the three.
    pub terminal: Option<OwnedFd>,
}

/// What ended a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The program has ended.
    Exited(Exit),
    /// The process on the other end of the network's connection has gone.
    NetworkLost,
    /// The process that serves the published ports has gone.
    PortsLost,
    /// A client asks for a change: [`Supervisor::asked`].
    Asked,
}

/// Processes beside the program whose end is to be heard of: a descriptor of each
/// that hangs up when it has gone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watched<'a> {
    /// The net process.
    pub network: Option<BorrowedFd<'a>>,
    /// The ports process.
    pub ports: Option<BorrowedFd<'a>>,
}

/// A monitor's view of the world.
#[derive(Debug)]
pub struct Supervisor {
    streams: Streams,
    log: Log,
    listener: Option<UnixListener>,
    clients: Vec<Client>,
    pending: Vec<u8>,
    stdin_ended: bool,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Client {
    socket: File,
    reader: frames::Reader,
    queue: Vec<u8>,
    hello: Option<Hello>,
    asked: Option<Vec<u8>>,
    first: bool,
    gone: bool,
}

/// Bytes that wait for a client, or for the program, before the other side is held up.
const HIGH_WATER: usize = 256 << 10;
/// Clients at once.
const CLIENTS: usize = 64;
/// How long a monitor itself waits for clients that do not read its last words.
const PATIENCE: Duration = Duration::from_millis(200);
/// How often a pipe is read after its program has ended: more than it can hold.
const PIPE_READS: usize = 64;
const SIGCHLD: i32 = 17;
const SIGPIPE: i32 = 13;

impl Supervisor {
    /// Watches nothing yet. `first` is a client that is connected from the beginning.
    pub fn new(log: Log, first: Option<(OwnedFd, Hello)>) -> io::Result<Self> {
        let mut supervisor = Self {
            streams: Streams::default(),
            log,
            listener: None,
            clients: Vec::new(),
            pending: Vec::new(),
            stdin_ended: false,
            buffer: vec![0; 64 << 10],
        };
        if let Some((socket, hello)) = first {
            supervisor.add_client(socket, Some(hello))?;
        }
        Ok(supervisor)
    }

    /// Lets others attach.
    pub fn listen(&mut self, listener: UnixListener) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        self.listener = Some(listener);
        Ok(())
    }

    /// Watches a program that was just started.
    pub fn watch(&mut self, streams: Streams) -> io::Result<()> {
        for fd in [
            &streams.stdin,
            &streams.stdout,
            &streams.stderr,
            &streams.terminal,
        ]
        .into_iter()
        .flatten()
        {
            rustix::io::ioctl_fionbio(fd, true)?;
        }
        self.streams = streams;
        self.pending.clear();
        self.stdin_ended = false;
        Ok(())
    }

    /// Moves bytes until the program `pid` has ended, or one of those watched has gone.
    pub fn run(&mut self, pid: i32, signals: &Signals, watched: Watched<'_>) -> io::Result<Event> {
        loop {
            // Before the first wait: it may have ended already.
            if let Some(exit) = process::wait(pid, false)? {
                self.drain();
                return Ok(Event::Exited(exit));
            }
            if let Some(lost) = self.turn(signals, watched, None)? {
                return Ok(lost);
            }
            while let Some(number) = signals.next()? {
                // Whoever ends the session or shuts the machine down means the program.
                if matches!(number, 1 | 2 | 3 | 15) {
                    drop(process::kill(pid, number));
                }
            }
            self.obey(pid);
            self.clients.retain(|client| !client.gone);
            if self.clients.iter().any(|client| client.asked.is_some()) {
                return Ok(Event::Asked);
            }
        }
    }

    /// Takes a change that a client asks for, and who it is.
    pub fn asked(&mut self) -> Option<(RawFd, Vec<u8>)> {
        self.clients.iter_mut().find_map(|client| {
            let asked = client.asked.take()?;
            Some((client.socket.as_raw_fd(), asked))
        })
    }

    /// Tells a client how the change went that it asked for.
    pub fn answer(&mut self, who: RawFd, how: &[u8]) {
        let client = |client: &&mut Client| client.socket.as_raw_fd() == who;
        if let Some(client) = self.clients.iter_mut().find(client) {
            frames::write(&mut client.queue, Kind::Changed, how);
            client.flush();
        }
    }

    /// Serves clients while nothing runs, until `until`; a restart waits so.
    pub fn idle(&mut self, signals: &Signals, until: Instant) -> io::Result<bool> {
        loop {
            let Some(left) = until.checked_duration_since(Instant::now()) else {
                return Ok(true);
            };
            self.turn(signals, Watched::default(), Some(left))?;
            while let Some(number) = signals.next()? {
                if number != SIGCHLD {
                    return Ok(false);
                }
            }
            self.clients.retain(|client| !client.gone);
        }
    }

    /// Tells everyone how it ended. Says whether all have heard it by now; who reads
    /// slowly hears it from [`Self::linger`].
    pub fn tell(&mut self, last: &std::result::Result<i32, Error>) -> bool {
        // Who knocked in the last moment is told as well.
        if let Some(listener) = self.listener.take() {
            while let Ok((socket, _)) = listener.accept() {
                drop(self.add_client(socket.into(), None));
            }
        }
        for client in &mut self.clients {
            match last {
                Ok(status) => {
                    frames::write(&mut client.queue, Kind::Exit, &status.to_le_bytes());
                }
                Err(error) => {
                    let text = serde_json::to_vec(error).unwrap_or_default();
                    frames::write(&mut client.queue, Kind::Failed, &text);
                }
            }
        }
        self.flush_until(Some(Instant::now() + PATIENCE))
    }

    /// Waits until every client has heard the last words, or has gone. For a child
    /// of the monitor: whoever waits for the monitor must not wait for a pager.
    pub fn linger(&mut self) {
        self.flush_until(None);
    }

    /// Returns the descriptors of clients that have not heard everything.
    pub fn descriptors(&self) -> Vec<RawFd> {
        self.clients.iter().map(|c| c.socket.as_raw_fd()).collect()
    }

    fn flush_until(&mut self, end: Option<Instant>) -> bool {
        loop {
            self.clients.iter_mut().for_each(Client::flush);
            self.clients.retain(|c| !c.gone && !c.queue.is_empty());
            if self.clients.is_empty() {
                return true;
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return false;
            }
            let mut waits: Vec<PollFd<'_>> = self
                .clients
                .iter()
                .map(|c| PollFd::new(&c.socket, PollFlags::OUT))
                .collect();
            poll(&mut waits, left.map(timespec).as_ref()).ok();
        }
    }

    /// Waits once and moves what can be moved. Says who of those watched has gone.
    fn turn(
        &mut self,
        signals: &Signals,
        watched: Watched<'_>,
        timeout: Option<Duration>,
    ) -> io::Result<Option<Event>> {
        let held_up = self.clients.iter().any(|c| c.queue.len() >= HIGH_WATER);
        let input_full = self.pending.len() >= HIGH_WATER;
        let input = self
            .streams
            .terminal
            .as_ref()
            .or(self.streams.stdin.as_ref());
        let mut waits = vec![PollFd::new(signals, PollFlags::IN)];
        let network_at = add(&mut waits, watched.network, PollFlags::empty());
        let ports_at = add(&mut waits, watched.ports, PollFlags::empty());
        let out_at = (!held_up)
            .then(|| {
                add(
                    &mut waits,
                    self.streams.stdout.as_ref().map(AsFd::as_fd),
                    PollFlags::IN,
                )
            })
            .flatten();
        let err_at = (!held_up)
            .then(|| {
                add(
                    &mut waits,
                    self.streams.stderr.as_ref().map(AsFd::as_fd),
                    PollFlags::IN,
                )
            })
            .flatten();
        let terminal_at = (!held_up)
            .then(|| {
                add(
                    &mut waits,
                    self.streams.terminal.as_ref().map(AsFd::as_fd),
                    PollFlags::IN,
                )
            })
            .flatten();
        if !self.pending.is_empty() {
            add(&mut waits, input.map(AsFd::as_fd), PollFlags::OUT);
        }
        let listener_at = add(
            &mut waits,
            self.listener.as_ref().map(AsFd::as_fd),
            PollFlags::IN,
        );
        for client in &self.clients {
            let mut flags = PollFlags::empty();
            if !input_full {
                flags |= PollFlags::IN;
            }
            if !client.queue.is_empty() {
                flags |= PollFlags::OUT;
            }
            // Polled for nothing, one that has gone would wake us for ever.
            if !flags.is_empty() {
                add(&mut waits, Some(client.socket.as_fd()), flags);
            }
        }
        let limit = timeout.map(timespec);
        match poll(&mut waits, limit.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |at: Option<usize>| at.is_some_and(|at| !waits[at].revents().is_empty());
        let lost = if ready(network_at) {
            Some(Event::NetworkLost)
        } else {
            ready(ports_at).then_some(Event::PortsLost)
        };
        let (out, err, terminal, knock) = (
            ready(out_at),
            ready(err_at),
            ready(terminal_at),
            ready(listener_at),
        );
        if out {
            self.pump(Source::Out);
        }
        if err {
            self.pump(Source::Err);
        }
        if terminal {
            self.pump(Source::Terminal);
        }
        if knock {
            self.accept();
        }
        for client in &mut self.clients {
            client.flush();
            if !input_full {
                client.fill();
            }
        }
        self.give();
        Ok(lost)
    }

    /// Reads once what the program wrote; false when there is nothing now, or nothing more.
    fn pump(&mut self, source: Source) -> bool {
        let (slot, stream) = match source {
            Source::Out => (&mut self.streams.stdout, Stream::Out),
            Source::Err => (&mut self.streams.stderr, Stream::Err),
            Source::Terminal => (&mut self.streams.terminal, Stream::Out),
        };
        let Some(fd) = slot else { return false };
        match rustix::io::read(&*fd, &mut self.buffer[..]) {
            // A terminal whose other end is closed reads as EIO.
            Ok(0) | Err(rustix::io::Errno::IO) => {
                *slot = None;
                false
            }
            Ok(count) => {
                let bytes = &self.buffer[..count];
                self.log.append(stream, bytes);
                let kind = match stream {
                    Stream::Out => Kind::Stdout,
                    Stream::Err => Kind::Stderr,
                };
                let wants = |hello: Hello| match stream {
                    Stream::Out => hello.stdout,
                    Stream::Err => hello.stderr,
                };
                for client in &mut self.clients {
                    if client.hello.is_some_and(wants) {
                        frames::write(&mut client.queue, kind, bytes);
                        client.flush();
                    }
                }
                true
            }
            Err(rustix::io::Errno::INTR) => true,
            Err(_) => false,
        }
    }

    /// Takes what is left of a program that has ended: what its pipes hold. It is
    /// bounded, since others may still write there.
    fn drain(&mut self) {
        for source in [Source::Out, Source::Err, Source::Terminal] {
            for _ in 0..PIPE_READS {
                if !self.pump(source) {
                    break;
                }
            }
        }
        self.streams = Streams::default();
    }

    /// Gives the program what clients sent it.
    fn give(&mut self) {
        let input = self
            .streams
            .terminal
            .as_ref()
            .or(self.streams.stdin.as_ref());
        let Some(fd) = input else {
            self.pending.clear();
            return;
        };
        while !self.pending.is_empty() {
            match rustix::io::write(fd, &self.pending) {
                Ok(count) => drop(self.pending.drain(..count)),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return,
                // It has closed its input: what is sent there goes nowhere.
                Err(_) => self.pending.clear(),
            }
        }
        if self.stdin_ended {
            self.streams.stdin = None;
        }
    }

    fn accept(&mut self) {
        let Some(listener) = &self.listener else {
            return;
        };
        if let Ok((socket, _)) = listener.accept()
            && self.clients.len() < CLIENTS
        {
            drop(self.add_client(socket.into(), None));
        }
    }

    fn add_client(&mut self, socket: OwnedFd, hello: Option<Hello>) -> io::Result<()> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        self.clients.push(Client {
            socket: socket.into(),
            reader: frames::Reader::default(),
            queue: Vec::new(),
            first: hello.is_some(),
            hello,
            asked: None,
            gone: false,
        });
        Ok(())
    }

    /// Does what clients asked for.
    fn obey(&mut self, pid: i32) {
        for client in &mut self.clients {
            if client.gone && client.hello.is_some_and(|h| h.once) {
                self.stdin_ended = true;
            }
            loop {
                let (kind, payload) = match client.reader.next() {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    Err(_) => {
                        client.gone = true;
                        break;
                    }
                };
                let input = client.hello.is_some_and(|h| h.input);
                match kind {
                    Kind::Hello => client.hello = serde_json::from_slice(payload).ok(),
                    Kind::Change => client.asked = Some(payload.to_vec()),
                    Kind::Stdin if input => self.pending.extend(payload),
                    // A terminal's end of input is a character (termios(3), VEOF).
                    Kind::StdinEnd if input && self.streams.terminal.is_some() => {
                        self.pending.push(4)
                    }
                    Kind::StdinEnd if input => self.stdin_ended = true,
                    Kind::Resize => {
                        if let ([r0, r1, c0, c1], Some(terminal)) =
                            (payload, &self.streams.terminal)
                        {
                            resize(
                                terminal,
                                u16::from_le_bytes([*r0, *r1]),
                                u16::from_le_bytes([*c0, *c1]),
                            );
                        }
                    }
                    Kind::Signal => match payload.first().copied().map(i32::from) {
                        // Whoever read the program's output has gone: the program is
                        // to find that out as it would on a pipe of its own.
                        Some(SIGPIPE) if client.first => self.streams.stdout = None,
                        Some(SIGPIPE) => client.gone = true,
                        Some(number) => drop(process::kill(pid, number)),
                        None => {}
                    },
                    _ => {}
                }
            }
        }
        self.give();
    }
}

#[derive(Clone, Copy)]
enum Source {
    Out,
    Err,
    Terminal,
}

impl Client {
    fn flush(&mut self) {
        while !self.queue.is_empty() {
            match self.socket.write(&self.queue) {
                Ok(0) => self.gone = true,
                Ok(count) => drop(self.queue.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.gone = true,
            }
            if self.gone {
                self.queue.clear();
            }
        }
    }

    fn fill(&mut self) {
        let mut bytes = [0; 16 << 10];
        match self.socket.read(&mut bytes) {
            Ok(0) => self.gone = true,
            Ok(count) => self.reader.feed(&bytes[..count]),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(_) => self.gone = true,
        }
    }
}

fn resize(terminal: &OwnedFd, rows: u16, columns: u16) {
    let size = rustix::termios::Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // A terminal that cannot be told goes on with the size it has.
    rustix::termios::tcsetwinsize(terminal, size).ok();
}

/// Adds a descriptor to those waited for, if there is one; returns its place.
fn add<'a>(
    waits: &mut Vec<PollFd<'a>>,
    fd: Option<BorrowedFd<'a>>,
    flags: PollFlags,
) -> Option<usize> {
    waits.push(PollFd::from_borrowed_fd(fd?, flags));
    Some(waits.len() - 1)
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
