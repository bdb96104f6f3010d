//! From a container on disk to one that runs: what `run`, `start` and `restart` share.
//!
//! 1. its lock, so that nobody else starts or removes it
//! 2. its place on the network, which decides its address
//! 3. the host's ports: one in use is an error before anything runs
//! 4. its files: `hosts`, `hostname`, `resolv.conf`, `config.json`
//! 5. a fork that becomes its monitor
//! 6. waiting until its program runs, or for the reason why it does not
//!
//! Lives here: those steps, and the job that a monitor gets.
//! Must not: do what happens after the fork (`role::monitor`).
//! Called by: `ops::{run, start, restart}`.
//! Always true: an error leaves nothing running.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::dataplane::control::{self, Attached, Client, NetJob, Wanted};
use crate::dataplane::holder::{self, Holder};
use crate::dataplane::publish::{self, Bound};
use crate::error::{Context, Error, Kind, Result};
use crate::host::Host;
use crate::network::hosts::Hosts;
use crate::network::resolv::Resolver;
use crate::ops::build::agent::AgentJob;
use crate::ops::links::{self, Linked};
use crate::ops::{Session, network, ps, state, tree};
use crate::process::activation;
use crate::process::channel::Channel;
use crate::process::frames::Hello;
use crate::process::identity::Identity;
use crate::process::laps;
use crate::process::leave::leave;
use crate::process::userns;
use crate::runtime::apt;
use crate::runtime::cgroup::Leaf;
use crate::runtime::plan::{self, Surroundings};
use crate::runtime::program::Program;
use crate::runtime::sequence::{self, Bundle};
use crate::spec::container::{NetworkMode, Record, Status};
use crate::spec::id::ContainerName;
use crate::spec::network::Endpoint;
use crate::spec::port::PortMapping;
use crate::store::Store;
use crate::sys::{namespace, process};

/// All that a monitor needs; it is forked with it.
pub struct MonitorJob {
    /// This machine and user.
    pub host: Host,
    /// The user's store.
    pub store: Store,
    /// What was asked of the container.
    pub record: Record,
    /// What it is made of.
    pub bundle: Bundle,
    /// Its ids.
    pub identity: Identity,
    /// Its network.
    pub network: Network,
    /// The host's ports that are its.
    pub published: Option<Bound>,
    /// Where its packets are written.
    pub capture: Option<fs::File>,
    /// Who is attached from the beginning.
    pub client: Option<(OwnedFd, Hello)>,
    /// The container's lock, held until its state says that it runs: also when
    /// whoever started it is killed meanwhile.
    pub lock: Option<fs::File>,
    /// The way to whoever started it, and how its user namespace is had.
    pub way: Way,
}

/// How a monitor gets its user namespace.
pub enum Way {
    /// A fresh one, which the parent maps.
    Fresh(Channel),
    /// That of another process.
    Join(Channel, OwnedFd),
}

/// A container's network.
pub enum Network {
    /// The machine's.
    Host,
    /// Loopback only.
    None,
    /// Places on the user's networks.
    Bridge(Box<Place>),
    /// A namespace that somebody else made, and the user namespace that owns it.
    Shared {
        /// The network namespace.
        network: OwnedFd,
        /// Whoever joins this may join the other.
        user: OwnedFd,
    },
    /// A namespace that belongs to us as we are, which only root has.
    Ours(OwnedFd),
}

/// Places on the user's networks, kept as long as the connection is open.
pub struct Place {
    /// Where the net process serves.
    pub runtime: PathBuf,
    /// The connection to the net process.
    pub client: Client,
    /// The networks, and what was asked of them.
    pub wanted: Vec<Wanted>,
    /// What it gave.
    pub attached: Attached,
}

/// What a monitor says to whoever started it.
#[derive(Debug, Serialize, Deserialize)]
pub enum Started {
    /// The program runs.
    Runs,
    /// It could not be started.
    Failed(Error),
}

/// The processes that ops can start, given by `main` since they live above.
#[derive(Clone, Copy)]
pub struct Roles {
    /// Watches over a container.
    pub monitor: fn(MonitorJob) -> u8,
    /// Keeps the user's shared network.
    pub net: fn(NetJob) -> u8,
    /// Runs a build step's program to its end; returns its status.
    pub step: fn(StepJob<'_>) -> Result<i32>,
    /// Signs for a build's steps with keys it was given.
    pub agent: fn(AgentJob) -> u8,
}

/// The network of a build step's program.
pub enum StepNetwork<'a> {
    /// The machine's.
    Host,
    /// Loopback only.
    None,
    /// Places, and the connection to the net process that links them.
    Places(&'a mut Client, &'a [Endpoint]),
}

/// A build step's program.
pub struct StepJob<'a> {
    /// What it sees.
    pub bundle: &'a Bundle,
    /// The program.
    pub program: Program,
    /// The cgroup with its limits.
    pub leaf: Option<&'a Leaf>,
    /// Its network.
    pub network: StepNetwork<'a>,
    /// A person's streams; without them its output is heard.
    pub terminal: Option<[OwnedFd; 3]>,
    /// Hears its output; true is its standard error.
    pub heard: &'a mut dyn FnMut(bool, &[u8]),
}

/// Starts a container's program. With `client`, somebody is attached from the first byte.
///
/// # Errors
/// The reason why it does not run, whole, also when a child found it.
pub fn launch(session: &Session, record: &Record, client: Option<(OwnedFd, Hello)>) -> Result<()> {
    let lock = session.store.lock_container(&record.id)?;
    let present = state::load(&session.host, &session.store, &record.id)?;
    if matches!(present.status, Status::Running | Status::Restarting) {
        return Err(Error::of(
            Kind::Conflict,
            format!("container \"{}\" is running already", record.name),
        ));
    }
    let result = fork_monitor(session, record, &lock, client);
    if let Err(error) = &result {
        note_failure(session, record, error);
    }
    drop(lock);
    result
}

fn fork_monitor(
    session: &Session,
    record: &Record,
    lock: &fs::File,
    client: Option<(OwnedFd, Hello)>,
) -> Result<()> {
    let identity = tree::identity(session, record)?;
    drop(fs::remove_file(
        session.store.container_path(&record.id).join("stop"),
    ));
    let capture = open_capture(record)?;
    let network = join_network(session, record, &identity)?;
    let published = bind_ports(session, record, &network)?;
    let bundle = bundle(session, record, &identity, &network)?;
    let endpoints = match &network {
        Network::Bridge(place) => place.attached.endpoints.clone(),
        _ => Vec::new(),
    };
    laps::lap("network place, ports, files");
    let (ours, theirs) = Channel::pair()?;
    let (joined, way_in) = match &network {
        Network::Bridge(place) => (Some(place.attached.user.try_clone()?), theirs),
        Network::Shared { user, .. } => (Some(user.try_clone()?), theirs),
        Network::Host | Network::None | Network::Ours(_) => (None, theirs),
    };
    let job = |way| MonitorJob {
        host: session.host.clone(),
        store: session.store.clone(),
        record: record.clone(),
        bundle,
        identity: identity.clone(),
        network,
        published,
        capture,
        client,
        lock: lock.try_clone().ok(),
        way,
    };
    let monitor = session.roles.monitor;
    let channel = match joined {
        Some(namespace) => {
            process::fork(|| monitor(job(Way::Join(way_in, namespace))))
                .what(|| "cannot start its monitor")?;
            ours
        }
        None => {
            drop((ours, way_in));
            userns::launch(&identity, |channel| monitor(job(Way::Fresh(channel))))?.channel
        }
    };
    match channel.receive::<Started>()? {
        Some(Started::Runs) => {
            links::relink(session, record, &endpoints);
            Ok(())
        }
        Some(Started::Failed(error)) => Err(error),
        None => Err(Error::internal(
            "the container's monitor ended before it said anything",
        )),
    }
}

/// As tcpdump does, it begins the file anew.
fn open_capture(record: &Record) -> Result<Option<fs::File>> {
    let Some(path) = &record.network_capture else {
        return Ok(None);
    };
    let file = fs::File::create(path).what(|| format!("cannot write packets to \"{path}\""))?;
    Ok(Some(file))
}

/// docker keeps a container that could not be started, with the reason.
fn note_failure(session: &Session, record: &Record, error: &Error) {
    let Ok(mut state) = state::load(&session.host, &session.store, &record.id) else {
        return;
    };
    if matches!(state.status, Status::Running | Status::Restarting) {
        // Its monitor was lost, and it runs all the same.
        return;
    }
    state.init = None;
    state.monitor = None;
    state.error = Some(error.to_string());
    state.exit_code = Some(match error.kind() {
        Kind::CommandNotFound => 127,
        Kind::CannotInvoke => 126,
        _ => 128,
    });
    drop(session.store.save_state(&record.id, &state, false));
}

fn join_network(session: &Session, record: &Record, identity: &Identity) -> Result<Network> {
    match &record.network {
        NetworkMode::Host => Ok(Network::Host),
        NetworkMode::None => Ok(Network::None),
        NetworkMode::Container(name) => {
            let (pid, other) = running_init(session, name)?;
            namespace_at(&format!("/proc/{pid}/ns/net"))
                .what(|| format!("cannot join the network of container \"{}\"", other.name))
        }
        NetworkMode::Namespace(path) => {
            namespace_at(path).what(|| format!("cannot join the network namespace \"{path}\""))
        }
        NetworkMode::Bridge => {
            let runtime = session.host.runtime.clone();
            attach(session, record, identity, runtime, || {
                network::revive(session);
            })
        }
        // Nobody else finds its net process, nor has to bring it back.
        NetworkMode::Private => {
            let runtime = session.store.container_path(&record.id).join("net");
            attach(session, record, identity, runtime, || {})
        }
    }
}

/// Gets the container its places from the net process that serves `runtime`.
fn attach(
    session: &Session,
    record: &Record,
    identity: &Identity,
    runtime: PathBuf,
    revive: impl FnOnce(),
) -> Result<Network> {
    let wanted = network::wanted(session, record)?;
    let start = || start_net(session, identity, &runtime);
    let mut client =
        control::connect_or(&runtime, revive, start).what(|| "cannot start the network")?;
    let attached = client.attach(&record.id, &record.name, &wanted)?;
    Ok(Network::Bridge(Box::new(Place {
        runtime,
        client,
        wanted,
        attached,
    })))
}

/// Opens somebody's network namespace, and finds out how it is joined.
fn namespace_at(path: &str) -> Result<Network> {
    // The path may lead to anything: a pipe would wait for its other end.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let network = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| match error {
        Errno::NOENT => Error::of(Kind::NotFound, "no such file").hint(
            "a network namespace is a file such as `/proc/PID/ns/net`, or what `ip netns` keeps in /run/netns; of a container it is `--network container:NAME`",
        ),
        error => error.into(),
    })?;
    if !namespace::is_network(network.as_fd()) {
        return Err(Error::of(Kind::Usage, "that is no network namespace").hint(
            "one is a file such as `/proc/PID/ns/net`, or what `ip netns` keeps in /run/netns",
        ));
    }
    let number = |fd: &OwnedFd| rustix::fs::fstat(fd).map(|meta| (meta.st_dev, meta.st_ino));
    let own = |kind: &str| -> Result<OwnedFd> {
        Ok(fs::File::open(format!("/proc/self/ns/{kind}"))?.into())
    };
    if number(&network)? == number(&own("net")?)? {
        return Ok(Network::Host);
    }
    let user = namespace::owner(network.as_fd()).map_err(|error| {
        Error::from(error)
            .what("it belongs to nobody whom you may act for")
            .hint("yours are those of your containers, and those made inside `rpod unshare`")
    })?;
    if number(&user)? == number(&own("user")?)? {
        return Ok(Network::Ours(network));
    }
    Ok(Network::Shared { network, user })
}

/// The net process outlives us; it is the child of nobody who waits for it.
fn start_net(session: &Session, identity: &Identity, runtime: &Path) -> Result<()> {
    let (ready, waiting) = control::ready()?;
    let (runtime, role) = (runtime.to_owned(), session.roles.net);
    let child = userns::launch(identity, |channel| {
        let keep = [ready.as_raw_fd(), channel.as_fd().as_raw_fd()];
        let inside = leave("rpod-net", &keep)
            .and_then(|()| userns::Entry::unshare(channel))
            .and_then(userns::Entry::mapped);
        match inside {
            Ok(_) => role(NetJob {
                runtime,
                ready,
                adopt: None,
                comes_back: true,
            }),
            Err(_) => 1,
        }
    })?;
    drop(child);
    if let Some(lack) = waiting.wait()? {
        let hints = lack.hints().join("; ");
        session.progress.warn(&format!("{lack}; {hints}"));
    }
    Ok(())
}

fn running_init(session: &Session, name: &str) -> Result<(i32, Record)> {
    let id = session.store.find_container(name)?;
    let record = session.store.load_record(&id)?;
    let state = state::load(&session.host, &session.store, &id)?;
    match state.init {
        Some(init) if state.status == Status::Running => Ok((init.pid, record)),
        _ => Err(Error::of(
            Kind::Conflict,
            format!("container \"{}\" is not running", record.name),
        )
        .hint(format!("start it with `rpod start {}`", record.name))),
    }
}

fn bind_ports(session: &Session, record: &Record, network: &Network) -> Result<Option<Bound>> {
    if record.publish.is_empty() {
        return Ok(None);
    }
    let Network::Bridge(place) = network else {
        session.progress.warn(&format!(
            "published ports are discarded with --network {}",
            record.network.name(&[])
        ));
        return Ok(None);
    };
    let mut record = record.clone();
    // Where no address was typed, the first network may have one.
    let first = place.wanted.first();
    let everywhere = first.and_then(|wanted| wanted.plan.traits.host_ip);
    for mapping in &mut record.publish {
        mapping.host_ip = mapping.host_ip.or(everywhere);
    }
    let record = &record;
    let mut passed = activation::take()?;
    let bound = publish::bind(&record.publish, &mut passed)
        .map_err(|error| name_holder(session, record, error).kind_of(Kind::Conflict))?;
    if !passed.is_empty() {
        session.progress.warn(&format!(
            "{} of the sockets passed in LISTEN_FDS are no published port of container \"{}\"",
            passed.len(),
            record.name
        ));
    }
    Ok(Some(bound))
}

/// A port that somebody has is told with who it is: a container of ours, or a process.
fn name_holder(session: &Session, record: &Record, error: Error) -> Error {
    if error.errno() != Some(rustix::io::Errno::ADDRINUSE.raw_os_error()) {
        return error;
    }
    if let Some((want, owner)) = clash(session, record) {
        return taken(record, want, &format!("by container \"{owner}\"")).hint(format!(
            "stop it with `rpod stop {owner}`, or choose another host port: `-p {}:{}`",
            want.host_port.unwrap_or_default().wrapping_add(1),
            want.container.number
        ));
    }
    let held = record.publish.iter().find_map(|want| {
        let port = want.host_port.filter(|_| want.host_port_end.is_none())?;
        let who = holder::of(want.container.protocol, want.host_ip, port)?;
        Some((want, who))
    });
    let (want, error) = match held {
        Some((want, who)) => (want, taken(record, want, &by(&who))),
        None => (&record.publish[0], error),
    };
    error.hint(format!(
        "choose another host port, for example `-p {}:{}`",
        want.host_port.unwrap_or(8080).wrapping_add(1),
        want.container.number
    ))
}

fn by(holder: &Holder) -> String {
    match holder {
        Holder::Process { pid, name } => format!("by process {pid} (\"{name}\")"),
        Holder::User(uid) => format!("by a process of user {uid}"),
    }
}

fn taken(record: &Record, want: &PortMapping, by: &str) -> Error {
    let port = want.host_port.unwrap_or_default();
    let ip = want.host_ip.unwrap_or(IpAddr::from([0, 0, 0, 0]));
    Error::of(
        Kind::Conflict,
        format!(
            "cannot publish port {port}/{} for container \"{}\": {} is already in use {by}",
            want.container.protocol,
            record.name,
            SocketAddr::new(ip, port),
        ),
    )
}

/// A running container that has one of the ports, and which it is.
fn clash<'a>(session: &Session, record: &'a Record) -> Option<(&'a PortMapping, ContainerName)> {
    let running = ps::list(session, &ps::Options::default()).unwrap_or_default();
    running.into_iter().find_map(|other| {
        let want = record.publish.iter().find(|want| {
            other.state.ports.iter().any(|held| {
                want.host_port == held.host_port
                    && want.container.protocol == held.container.protocol
                    && (want.host_ip == held.host_ip
                        || want.host_ip.is_none()
                        || held.host_ip.is_none())
            })
        })?;
        Some((want, other.record.name))
    })
}

fn bundle(
    session: &Session,
    record: &Record,
    identity: &Identity,
    network: &Network,
) -> Result<Bundle> {
    let store = &session.store;
    let path = store.container_path(&record.id);
    let tree = tree::tree(store, record).or_else(|_| {
        tree::complete(session, identity, record)?;
        tree::tree(store, record)
    })?;
    let linked = links::linked(session, record)?;
    write_files(store, record, network, &linked)?;
    let mut record = with_variables(record, linked.env);
    if matches!(network, Network::Ours(_) | Network::Host) {
        // What is not the container's own cannot be shown in it as its own, however it was named.
        record.network = NetworkMode::Host;
    }
    let record = &record;
    let files = tree::files(store, record);
    if let Some((file, _)) = files.iter().find(|(_, at)| at == apt::TARGET) {
        fs::write(file, apt::TEXT).what(|| format!("cannot write \"{file}\""))?;
    }
    let root = path.join("root");
    let spec = plan::spec(
        record,
        &Surroundings {
            map: &identity.map,
            rootfs: &root.display().to_string(),
            volume: &|name| store.volume_data(name),
            user: None,
            files: &files,
            network: None,
            cgroup: None,
        },
    )?;
    sequence::save(&spec, &path.join("config.json"))?;
    fs::create_dir_all(&root)?;
    Ok(Bundle {
        spec,
        tree,
        root,
        fills: tree::fills(store, record),
    })
}

/// What the container was given itself wins over what its links tell.
fn with_variables(record: &Record, told: Vec<String>) -> Record {
    let mut record = record.clone();
    for entry in told {
        let key = entry.split_inclusive('=').next().unwrap_or_default();
        if !record.env.iter().any(|own| own.starts_with(key)) {
            record.env.push(entry);
        }
    }
    record
}

/// A container's addresses, network by network.
fn addresses(endpoints: &[Endpoint]) -> Vec<IpAddr> {
    let of = |one: &Endpoint| [Some(one.v4.ip.into()), one.v6.map(|v6| v6.ip.into())];
    endpoints.iter().flat_map(of).flatten().collect()
}

/// Where this machine is, seen from inside.
fn gateway(endpoints: &[Endpoint]) -> Option<IpAddr> {
    let out = endpoints.iter().find(|endpoint| !endpoint.internal)?;
    Some(out.v4.gateway.into())
}

/// The three files of `/etc` that tell a container who and where it is.
fn write_files(store: &Store, record: &Record, network: &Network, linked: &Linked) -> Result<()> {
    if tree::network_of(store, record) != record.id {
        // They are those of the container whose network this is.
        return Ok(());
    }
    let shared = matches!(network, Network::Host);
    let endpoints: &[Endpoint] = match network {
        Network::Bridge(place) => &place.attached.endpoints,
        _ => &[],
    };
    let gateway = match network {
        Network::Bridge(_) => gateway(endpoints),
        Network::Host => Some(IpAddr::from([127, 0, 0, 1])),
        _ => None,
    };
    let machine_hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    let machine_resolv = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let hosts = Hosts {
        machine: shared.then_some(machine_hosts.as_str()),
        ips: &addresses(endpoints),
        hostname: &record.hostname,
        domainname: &record.domainname,
        extra: &record.hosts,
        linked: &linked.hosts,
        gateway,
    };
    let names = match network {
        Network::Bridge(place) => place.wanted.iter().any(|one| one.plan.has_names()),
        _ => false,
    };
    let server = endpoints.first().map(|first| first.v4.gateway.into());
    let resolver = Resolver {
        machine: &machine_resolv,
        // Where there are no names to know, servers of its own are asked directly.
        gateway: server.filter(|_| names || record.dns.is_empty()),
        names,
        shared,
        servers: &record.dns,
        search: &record.dns_search,
        options: &record.dns_options,
    };
    let texts = [
        ("hosts", hosts.text()?),
        ("hostname", format!("{}\n", record.hostname)),
        ("resolv.conf", resolver.text()?),
    ];
    for (name, text) in texts {
        let file = store.container_path(&record.id).join(name);
        let written = fs::write(&file, text)
            .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(0o644)));
        written.what(|| format!("cannot write \"{}\"", file.display()))?;
    }
    Ok(())
}
