//! How a container's monitor and the user's net process talk.
//!
//! One seqpacket socket, `net.sock` in the runtime directory; a message is one
//! JSON value of at most [`FRAME`] bytes, with descriptors beside it:
//!
//! ```text
//! net → client   {"answer":"welcome","version":2}
//! client → net   {"ask":"attach","version":2,"id":…,"name":…,"places":[{"plan":{…},"place":{…}}]}
//! net → client   {"answer":"attached","endpoints":[…]} + its user namespace, its network namespace
//! client → net   {"ask":"link","device":null}          + the container's network namespace
//! net → client   {"answer":"done"}
//! client → net   {"ask":"adopt","version":2,"id":…,"name":…,"places":[…],"endpoints":[…]}
//! net → client   {"answer":"attached",…}               links made by a predecessor
//! client → net   {"ask":"join","place":{…},"device":"eth1"}   one more network; then "link"
//! client → net   {"ask":"leave","network":…}           the link goes as well
//! client → net   {"ask":"rename","name":…}
//! client → net   {"ask":"servers","network":…,"servers":[…]}   whom its members ask
//! client → net   {"ask":"announce"}                    + another socket to serve, and its lock
//! client → net   {"ask":"members","after":null}
//! net → client   {"answer":"members","members":[…],"more":false}
//! client → net   {"ask":"flows","from":0}
//! net → client   {"answer":"flows","flows":[…],"more":false}
//! net → client   {"answer":"failed","error":{…}}       instead of any of them
//! client → net   {"ask":"end"}                         no answer: its container has ended
//! ```
//!
//! A member is a member as long as its connection is open. One that says "end"
//! first frees its addresses; those of one whose monitor was killed stay its own
//! as long as its link is there. Each question but that has one answer, and a
//! client asks one question at a time.
//!
//! Lives here: the messages, the client's half, and who starts the net process.
//! Must not: make a device.
//! Called by: `ops`, `monitor`, `role`; the net process's half is `dataplane::switch`.
//! Always true: whoever starts a net process or ends one holds `net.lock`; so
//! at most one of them serves a directory. A client that meets one on its way
//! out hears no welcome and starts anew.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde::{Deserialize, Serialize};

use crate::dataplane::uplink::Flow;
use crate::error::{Context, Error, Result};
use crate::network::plan::Plan;
use crate::spec::id::{ContainerId, ContainerName, NetworkId};
use crate::spec::network::{Attachment, Endpoint};
use crate::sys::socket;

/// Bytes of the longest message.
pub const FRAME: usize = 64 * 1024;

/// Version of the messages; a net process outlives the binary that started it.
pub const VERSION: u32 = 2;

/// Name of the socket in the runtime directory.
pub(super) const SOCKET: &str = "net.sock";

/// Name of the lock of those who start and end net processes.
pub(super) const LOCK: &str = "net.lock";

/// How long an answer may take; making a link takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a net process is to do.
#[derive(Debug)]
pub struct NetJob {
    /// The runtime directory in which it serves.
    pub runtime: PathBuf,
    /// Where it tells that it serves, or why it cannot.
    pub ready: Ready,
    /// A network namespace whose net process has died; none makes a new one.
    pub adopt: Option<OwnedFd>,
    /// Its members' monitors start another when it has gone.
    pub comes_back: bool,
}

/// A network, and the place wanted on it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Wanted {
    /// The network.
    pub plan: Plan,
    /// The place.
    pub place: Attachment,
}

/// A question.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "lowercase")]
pub(super) enum Ask {
    Attach {
        version: u32,
        id: ContainerId,
        name: ContainerName,
        places: Vec<Wanted>,
    },
    Link {
        device: Option<String>,
    },
    Adopt {
        version: u32,
        id: ContainerId,
        name: ContainerName,
        places: Vec<Wanted>,
        endpoints: Vec<Endpoint>,
    },
    Join {
        place: Box<Wanted>,
        device: String,
    },
    Leave {
        network: NetworkId,
    },
    Rename {
        name: ContainerName,
    },
    Servers {
        network: NetworkId,
        servers: Vec<IpAddr>,
    },
    Members {
        after: Option<ContainerId>,
    },
    Flows {
        from: usize,
    },
    Announce,
    End,
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "lowercase")]
pub(super) enum Answer {
    Welcome { version: u32 },
    Attached { endpoints: Vec<Endpoint> },
    Done,
    Members { members: Vec<Member>, more: bool },
    Flows { flows: Vec<Flow>, more: bool },
    Failed { error: Error },
}

/// A container on networks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its id.
    pub id: ContainerId,
    /// Its name.
    pub name: ContainerName,
    /// Its places.
    pub endpoints: Vec<Endpoint>,
    /// What has passed each of them, in their order.
    pub traffic: Vec<Traffic>,
}

/// Bytes that passed a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// To the container.
    pub received: u64,
    /// From it.
    pub sent: u64,
    /// Conversations with the world that there are now.
    #[serde(default)]
    pub flows: u64,
}

/// What a new member gets.
#[derive(Debug)]
pub struct Attached {
    /// Its places, in the order asked for.
    pub endpoints: Vec<Endpoint>,
    /// The user namespace that owns the network: whoever joins it has its capabilities.
    pub user: OwnedFd,
    /// The shared network namespace: kept, it survives the net process.
    pub network: OwnedFd,
}

/// One connection to the net process: a membership, once attached.
#[derive(Debug)]
pub struct Client {
    fd: OwnedFd,
}

/// Connects to the net process that serves `runtime`; none when nobody does.
///
/// # Errors
/// When the directory is not the user's own, or a net process is there and cannot be talked to.
pub fn connect(runtime: &Path) -> Result<Option<Client>> {
    let directory = open_directory(runtime)?;
    connect_at(&directory).what(|| unreachable_words(runtime))
}

/// Connects to the net process that serves `runtime`; where nobody does,
/// `launch` starts one and returns when it is ready ([`ready`]).
/// Of several that come at once, one launches.
///
/// A net process that was killed, or whose directory was deleted, may have left
/// containers behind whose monitors hold the network: `revive` asks them to bring it
/// back, before anybody makes a second one.
pub fn connect_or(
    runtime: &Path,
    revive: impl FnOnce(),
    launch: impl FnOnce() -> Result<()>,
) -> Result<Client> {
    let directory = open_directory(runtime)?;
    let connected = connect_at(&directory).what(|| unreachable_words(runtime))?;
    if let Some(client) = connected {
        return Ok(client);
    }
    if left_behind(&directory) {
        revive();
        let connected = connect_at(&directory).what(|| unreachable_words(runtime))?;
        if let Some(client) = connected {
            return Ok(client);
        }
    }
    let lock = open_lock(&directory)
        .and_then(|lock| lock.lock().map(|()| lock))
        .what(|| format!("cannot lock \"{}\"", runtime.join(LOCK).display()))?;
    let connected = connect_at(&directory)
        .what(|| unreachable_words(runtime))
        .and_then(|found| match found {
            Some(client) => Ok(client),
            None => {
                launch()?;
                connect_at(&directory)
                    .what(|| unreachable_words(runtime))?
                    .ok_or_else(|| Error::new("the net process ended as soon as it had started"))
            }
        });
    // Not by closing: the process just launched is a fork and may still have a copy.
    drop(lock.unlock());
    connected
}

/// Says whether there may be a network that nobody here serves. A net process that
/// leaves takes its socket away, and the lock stays.
fn left_behind(directory: &OwnedFd) -> bool {
    identity(directory, SOCKET).is_some() || identity(directory, LOCK).is_none()
}

fn unreachable_words(runtime: &Path) -> String {
    format!(
        "cannot reach the net process at \"{}\"",
        runtime.join(SOCKET).display()
    )
}

impl Client {
    /// Becomes a member, with the places wanted or free ones. It has no link yet.
    pub fn attach(
        &mut self,
        id: &ContainerId,
        name: &ContainerName,
        places: &[Wanted],
    ) -> Result<Attached> {
        self.enter(&Ask::Attach {
            version: VERSION,
            id: id.clone(),
            name: name.clone(),
            places: places.to_vec(),
        })
    }

    /// Becomes a member again, with the addresses and the links that it has.
    pub fn adopt(
        &mut self,
        id: &ContainerId,
        name: &ContainerName,
        places: &[Wanted],
        endpoints: &[Endpoint],
    ) -> Result<Attached> {
        self.enter(&Ask::Adopt {
            version: VERSION,
            id: id.clone(),
            name: name.clone(),
            places: places.to_vec(),
            endpoints: endpoints.to_vec(),
        })
    }

    fn enter(&mut self, ask: &Ask) -> Result<Attached> {
        let (answer, descriptors) = self.ask(ask, &[])?;
        let mut descriptors = descriptors.into_iter();
        match (answer, descriptors.next(), descriptors.next()) {
            (Answer::Attached { endpoints }, Some(user), Some(network)) => Ok(Attached {
                endpoints,
                user,
                network,
            }),
            (other, ..) => Err(unexpected(&other)),
        }
    }

    /// Links the container's network namespace: it has its devices afterwards, without
    /// addresses ([`crate::dataplane::link::configure`] is called inside). With
    /// `device`, that one alone. May be asked again for another namespace, when the
    /// container is started again.
    pub fn link(&mut self, container: BorrowedFd<'_>, device: Option<&str>) -> Result<()> {
        let device = device.map(str::to_owned);
        self.done(&Ask::Link { device }, &[container])
    }

    /// Gets a place on one more network. It has no link yet.
    pub fn join(&mut self, place: Wanted, device: &str) -> Result<Endpoint> {
        let (place, device) = (Box::new(place), device.to_owned());
        match self.ask(&Ask::Join { place, device }, &[])?.0 {
            Answer::Attached { mut endpoints } if endpoints.len() == 1 => Ok(endpoints.remove(0)),
            other => Err(unexpected(&other)),
        }
    }

    /// Leaves a network: the place and the link are gone afterwards.
    pub fn leave(&mut self, network: &NetworkId) -> Result<()> {
        let network = network.clone();
        self.done(&Ask::Leave { network }, &[])
    }

    /// Is known by another name from now on.
    pub fn rename(&mut self, name: &ContainerName) -> Result<()> {
        self.done(&Ask::Rename { name: name.clone() }, &[])
    }

    /// Makes it known whom the members of a network ask for names of the world.
    pub fn servers(&mut self, network: &NetworkId, servers: &[IpAddr]) -> Result<()> {
        let (network, servers) = (network.clone(), servers.to_vec());
        self.done(&Ask::Servers { network, servers }, &[])
    }

    /// Makes the net process serve `runtime` again, whose files were deleted.
    pub fn announce(&mut self, runtime: &Path) -> Result<()> {
        let doing = || format!("cannot serve at \"{}\"", runtime.join(SOCKET).display());
        let directory = open_directory(runtime)?;
        let lock = open_lock(&directory).what(doing)?;
        lock.lock().what(doing)?;
        if connect_at(&directory).what(doing)?.is_some() {
            return Ok(());
        }
        let listener = listen(&directory).what(doing)?;
        let announced = self.done(&Ask::Announce, &[listener.as_fd(), lock.as_fd()]);
        // Not by closing: the net process has it open from now on.
        drop(lock.unlock());
        announced
    }

    /// Leaves for good, with its container: nobody has its addresses any more.
    pub fn end(&mut self) {
        if let Ok(bytes) = serde_json::to_vec(&Ask::End) {
            // A net process that has gone has forgotten it already.
            drop(socket::send_message(&self.fd, &bytes, &[]));
        }
    }

    fn done(&mut self, ask: &Ask, descriptors: &[BorrowedFd<'_>]) -> Result<()> {
        match self.ask(ask, descriptors)?.0 {
            Answer::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Lists the members, by id.
    pub fn members(&mut self) -> Result<Vec<Member>> {
        let mut all: Vec<Member> = Vec::new();
        loop {
            let after = all.last().map(|member| member.id.clone());
            match self.ask(&Ask::Members { after }, &[])?.0 {
                Answer::Members { members, more } => {
                    let empty = members.is_empty();
                    all.extend(members);
                    if !more || empty {
                        return Ok(all);
                    }
                }
                other => return Err(unexpected(&other)),
            }
        }
    }

    /// Lists the flows to the world, in the order of their ends.
    pub fn flows(&mut self) -> Result<Vec<Flow>> {
        let mut all: Vec<Flow> = Vec::new();
        loop {
            match self.ask(&Ask::Flows { from: all.len() }, &[])?.0 {
                Answer::Flows { flows, more } => {
                    let empty = flows.is_empty();
                    all.extend(flows);
                    if !more || empty {
                        return Ok(all);
                    }
                }
                other => return Err(unexpected(&other)),
            }
        }
    }

    fn ask(&mut self, ask: &Ask, descriptors: &[BorrowedFd<'_>]) -> Result<(Answer, Vec<OwnedFd>)> {
        let bytes = serde_json::to_vec(ask)?;
        let doing = || "cannot talk to the net process";
        socket::send_message(&self.fd, &bytes, descriptors).what(doing)?;
        match receive(&self.fd).what(doing)? {
            None => Err(Error::new("the net process has ended")),
            Some((Answer::Failed { error }, _)) => Err(error),
            Some(answer) => Ok(answer),
        }
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<OwnedFd> for Client {
    /// Takes a connection back that [`Client::into_fd`] gave away.
    fn from(fd: OwnedFd) -> Self {
        Self { fd }
    }
}

fn unexpected(answer: &Answer) -> Error {
    Error::internal(format!(
        "the net process answered something else: {answer:?}"
    ))
}

fn receive(fd: &OwnedFd) -> io::Result<Option<(Answer, Vec<OwnedFd>)>> {
    let mut buffer = vec![0; FRAME];
    match socket::receive_message(fd, &mut buffer) {
        Ok((0, _)) => Ok(None),
        Ok((length, descriptors)) => Ok(Some((
            serde_json::from_slice(&buffer[..length])?,
            descriptors,
        ))),
        Err(error) if gone(&error) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer in {} seconds", PATIENCE.as_secs()),
        )),
        Err(error) => Err(error),
    }
}

fn gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

fn connect_at(directory: &OwnedFd) -> io::Result<Option<Client>> {
    let fd = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?;
    rustix::net::sockopt::set_socket_timeout(
        &fd,
        rustix::net::sockopt::Timeout::Recv,
        Some(PATIENCE),
    )?;
    match rustix::net::connect(&fd, &socket_address(directory, SOCKET)?) {
        Ok(()) => {}
        Err(Errno::NOENT | Errno::CONNREFUSED | Errno::CONNRESET) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    check_peer(&fd)?;
    match receive(&fd)? {
        None => Ok(None),
        Some((Answer::Welcome { version: VERSION }, _)) => Ok(Some(Client { fd })),
        Some((Answer::Failed { error }, _)) => Err(io::Error::other(error.to_string())),
        Some(_) => Err(io::Error::other(
            "it was started by another version of rpod; it ends with the last container on its network",
        )),
    }
}

/// Says whether the other end is the user's own process.
pub(super) fn check_peer(fd: &impl AsFd) -> io::Result<()> {
    let peer = rustix::net::sockopt::socket_peercred(fd)?;
    if peer.uid == rustix::process::geteuid() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("user {} is at the other end", peer.uid.as_raw()),
    ))
}

/// A path in `directory`, however long the directory's own name is: a socket's
/// address has room for 108 bytes only.
pub(super) fn socket_address(directory: &OwnedFd, name: &str) -> io::Result<SocketAddrUnix> {
    Ok(SocketAddrUnix::new(format!(
        "/proc/self/fd/{}/{name}",
        directory.as_raw_fd()
    ))?)
}

/// Opens the runtime directory, making it where it is missing.
///
/// # Errors
/// When it is somebody else's, or no directory.
pub fn open_directory(runtime: &Path) -> Result<OwnedFd> {
    let doing = || format!("cannot use the runtime directory \"{}\"", runtime.display());
    let hint = || "name a place of your own for the store: `XDG_DATA_HOME=/some/directory rpod …`";
    let directory = match open_existing(runtime) {
        Err(Errno::NOENT) => {
            use std::os::unix::fs::DirBuilderExt;
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(runtime)
                .what(doing)
                .hint(hint)?;
            open_existing(runtime)
        }
        other => other,
    };
    let directory = match directory {
        Err(Errno::LOOP | Errno::NOTDIR) => {
            return Err(Error::new("it is a symbolic link or no directory"))
                .what(doing)
                .hint(hint);
        }
        other => other.what(doing).hint(hint)?,
    };
    let meta = rustix::fs::fstat(&directory).what(doing)?;
    if meta.st_uid != rustix::process::geteuid().as_raw() {
        return Err(Error::new(format!("it belongs to user {}", meta.st_uid)))
            .what(doing)
            .hint(hint);
    }
    if meta.st_mode & 0o077 != 0 {
        rustix::fs::fchmod(&directory, Mode::RWXU).what(doing)?;
    }
    Ok(directory)
}

fn open_existing(runtime: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::open(
        runtime,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

/// Opens the lock of those who start and end net processes; not yet locked.
pub(super) fn open_lock(directory: &OwnedFd) -> io::Result<File> {
    Ok(File::from(rustix::fs::openat(
        directory,
        LOCK,
        OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::RUSR | Mode::WUSR,
    )?))
}

/// Makes a socket to serve. It gets its name when it listens already: whoever finds
/// it is heard.
pub(super) fn listen(directory: &OwnedFd) -> io::Result<OwnedFd> {
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

/// A name for a socket that is not served yet, or not any more.
pub(super) fn temporary_name() -> String {
    format!("{SOCKET}.{}", std::process::id())
}

/// Names a file of the directory by its device and number; none when it is not there.
pub(super) fn identity(directory: &OwnedFd, name: &str) -> Option<(u64, u64)> {
    let meta = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    Some((meta.st_dev, meta.st_ino))
}

/// Where a process being launched tells that it serves, or why it cannot.
#[derive(Debug)]
pub struct Ready(OwnedFd);

impl AsRawFd for Ready {
    fn as_raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

/// Where its parent waits for that.
#[derive(Debug)]
pub struct Waiting(OwnedFd);

/// Makes the two ends of a launch.
pub fn ready() -> io::Result<(Ready, Waiting)> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    Ok((Ready(write), Waiting(read)))
}

impl Ready {
    /// Tells how it went: that it serves, and what it lacks. A parent that has gone is no reason to stop.
    pub fn tell(self, outcome: &Result<Option<Error>>) {
        if let Ok(bytes) = serde_json::to_vec(outcome) {
            drop(File::from(self.0).write_all(&bytes));
        }
    }
}

impl Waiting {
    /// Waits until the process serves, and returns what it lacks. The caller has
    /// dropped its own [`Ready`].
    pub fn wait(self) -> Result<Option<Error>> {
        let mut text = String::new();
        File::from(self.0)
            .read_to_string(&mut text)
            .what(|| "cannot hear from the process just started")?;
        if text.is_empty() {
            return Err(Error::new("the net process ended before it was ready"));
        }
        serde_json::from_str::<Result<Option<Error>>>(&text)?
    }
}
