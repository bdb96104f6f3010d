//! The parent of a container's first process, for as long as the container lives.
//!
//! ```text
//!            ┌───────────────────────────── restart policy ──────────────┐
//!            ▼                                                           │
//!  enter ─▶ start ─▶ running (supervise) ─▶ exited ─▶ tell ─▶ remove? ─▶ end
//!              └─ failed ─▶ tell whoever started it ─▶ end
//! ```
//!
//! Lives here: the life cycle, and what is written of it.
//! Must not: move bytes (`monitor::supervise`) or build a container (`runtime`).
//! Called by: `ops::launch`, in a fork that has left its parent's terminal.
//! Always true: a state is on disk before anyone hears of it; the container's
//! name is free before its end is told; files are deleted afterwards.

mod networks;

use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use oci_spec::runtime::Spec;

use crate::dataplane::capture::CaptureJob;
use crate::dataplane::publish::PortsJob;
use crate::error::{Context, Error, Result};
use crate::monitor::log::Log;
use crate::monitor::supervise::{Event, Streams, Supervisor, Watched};
use crate::ops::launch::{MonitorJob, Network, Started, Way};
use crate::process::channel::Channel;
use crate::process::laps;
use crate::process::leave::leave;
use crate::process::pipe::pipe;
use crate::process::userns::{self, Entry};
use crate::role::init::{self, InitJob, Links, Ready, Said};
use crate::role::{capture, ports};
use crate::runtime::program::Program;
use crate::spec::container::{NetworkMode, ProcessId, Record, Restart, State, Status};
use crate::spec::idmap::IdMap;
use crate::spec::time::Time;
use crate::store::atomic;
use crate::sys::process::{self, Exit};
use crate::sys::signal::Signals;
use crate::sys::{memory, namespace, net};

/// Does the job; the status is nobody's to see.
pub fn main(job: MonitorJob) -> u8 {
    match Monitor::begin(job) {
        Ok(mut monitor) => {
            monitor.live();
            0
        }
        Err(_) => 1,
    }
}

struct Monitor {
    job: MonitorJob,
    parent: Option<Channel>,
    entry: Option<Entry>,
    signals: Signals,
    supervisor: Supervisor,
    state: State,
    ports: Option<Ports>,
    capture: Option<Capture>,
    init: i32,
    /// The container's namespaces. The kernel takes a namespace down while its last
    /// process ends, before anybody hears of that end: held here, it is taken down
    /// after we have told.
    held: Vec<OwnedFd>,
}

/// The ports process: it ends when the descriptor is closed, also by our death, and
/// the descriptor hangs up when it ends.
struct Ports {
    pid: i32,
    control: OwnedFd,
    since: Instant,
}

/// The capture process: it ends when the descriptor is closed, also by our death.
struct Capture {
    pid: i32,
    control: OwnedFd,
}

/// How long a restart waits: as docker's, from 100 ms, doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How often in a row a network that is lost is sought again.
const NET_TRIES: u32 = 5;
/// How often in a row a ports process that ends at once is started again.
const PORTS_TRIES: u32 = 5;
/// One that lived so long did not end at once.
const GOOD_PORTS: Duration = Duration::from_secs(1);
/// A program that ran so long is given a fresh row of restarts.
const GOOD_RUN: Duration = Duration::from_secs(10);

impl Monitor {
    /// Leaves the parent's session and descriptors, and enters the user namespace.
    fn begin(mut job: MonitorJob) -> Result<Self> {
        let way = std::mem::replace(&mut job.way, Way::Fresh(Channel::pair()?.0));
        let keep = keep(&job, &way);
        if let Network::Ours(network) = &job.network {
            // From a user namespace below, nobody may.
            net::enter_network(network).what(|| "cannot join the network namespace")?;
        }
        // First of all, so that the parent maps ids while we do the rest.
        let way = match way {
            Way::Fresh(channel) => Ok(Entry::unshare(channel)?),
            Way::Join(channel, user_namespace) => Err((channel, user_namespace)),
        };
        laps::lap("monitor forked, user namespace");
        leave("rpod-monitor", &keep)?;
        // The user's own would show in what containers find: mount points, volumes.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        let signals = Signals::block(&[1, 2, 3, 13, 15, 17])?;
        let (parent, entry) = match way {
            Ok(entry) => (None, Some(entry)),
            Err((channel, user_namespace)) => {
                // Others are in there already.
                process::hide()?;
                if let Err(error) = namespace::join(user_namespace.as_fd(), namespace::USER) {
                    let error = Error::from(error).what("cannot join the network's user namespace");
                    channel.send(&Started::Failed(error.clone()))?;
                    return Err(error);
                }
                if let Err(error) = check_ids(&job) {
                    channel.send(&Started::Failed(error.clone()))?;
                    return Err(error);
                }
                (Some(channel), None)
            }
        };
        let path = job.store.container_path(&job.record.id);
        let log = Log::open(&path.join("log"))?;
        let client = job.client.take();
        let state = State::created(&job.host.boot);
        Ok(Self {
            supervisor: Supervisor::new(log, client)?,
            job,
            parent,
            entry,
            signals,
            state,
            ports: None,
            capture: None,
            init: 0,
            held: Vec::new(),
        })
    }

    fn record(&self) -> &Record {
        &self.job.record
    }

    fn live(&mut self) {
        let started = self.start();
        self.job.lock = None;
        let parent = self.parent.take();
        if let Err(error) = started {
            self.clear_up_failure();
            if let Some(parent) = parent {
                drop(parent.send(&Started::Failed(error.clone())));
            }
            self.tell(&Err(error));
            self.sweep();
            return;
        }
        if let Some(parent) = parent {
            drop(parent.send(&Started::Runs));
        }
        self.sweep();
        memory::slim_down();
        let mut wait = FIRST_WAIT;
        loop {
            let begun = Instant::now();
            let exit = self.watch();
            self.ended(exit);
            if !self.shall_restart(exit) {
                break;
            }
            if begun.elapsed() > GOOD_RUN {
                wait = FIRST_WAIT;
            }
            self.state.status = Status::Restarting;
            self.save(false);
            let go_on = self
                .supervisor
                .idle(&self.signals, Instant::now() + wait)
                .unwrap_or(false);
            if !go_on || self.was_stopped() {
                self.state.status = Status::Exited;
                break;
            }
            wait = (wait * 2).min(LONGEST_WAIT);
            self.state.restarts += 1;
            if let Err(error) = self.start() {
                self.state.status = Status::Exited;
                self.state.exit_code = Some(128);
                self.state.error = Some(error.to_string());
                self.state.finished = Some(Time::now());
                break;
            }
            // Stopped between two runs: the one that asked saw no process to ask.
            if self.was_stopped() {
                drop(process::kill(self.init, 9));
            }
        }
        self.finish();
    }

    /// Starts the program; returns when it runs.
    fn start(&mut self) -> Result<()> {
        self.held.clear();
        let record = self.record().clone();
        let (input, stdin) = self.pipe_if(record.interactive && !record.tty, true)?;
        let (output, stdout) = self.pipe_if(!record.tty, false)?;
        let (errors, stderr) = self.pipe_if(!record.tty, false)?;
        let (ours, theirs) = Channel::pair()?;
        let links = match &self.job.network {
            Network::Host | Network::Ours(_) => Links::Theirs,
            Network::None => Links::Loopback,
            Network::Shared { network, .. } => Links::Join(network.try_clone()?),
            Network::Bridge(place) => Links::Bridge(place.attached.endpoints.clone()),
        };
        let program = program(
            &record,
            &self.job.bundle.spec,
            &self.job.identity.map,
            &self.job.host.user_name(),
        );
        let bundle = self.job.bundle.clone();
        laps::lap("monitor ready");
        let (pid, _pidfd) = process::fork_into(namespaces(&record), || {
            process::set_title("rpod-init");
            init::main(InitJob {
                bundle: &bundle,
                program,
                links,
                channel: theirs,
                streams: [input, output, errors],
                reaper: record.init,
            })
        })
        .what(|| "cannot make its namespaces")
        .map_err(userns::explain_denied)?;
        self.init = pid;
        let terminal = self.bring_up(&ours).inspect_err(|_| {
            drop(process::kill(pid, 9));
            drop(process::wait(pid, true));
        })?;
        self.supervisor.watch(Streams {
            stdin,
            stdout,
            stderr,
            terminal,
        })?;
        self.runs();
        Ok(())
    }

    /// The monitor's half of the talk with init.
    fn bring_up(&mut self, channel: &Channel) -> Result<Option<OwnedFd>> {
        if let Some(entry) = self.entry.take() {
            self.parent = Some(entry.mapped()?);
        }
        // An init that is gone already has said why: that is heard below.
        drop(channel.send(&Ready::Mapped));
        let namespace = match channel.receive_with::<Said>()? {
            Some((Said::Namespaces, descriptors)) => {
                self.held = descriptors;
                self.held.first().map(OwnedFd::try_clone).transpose()?
            }
            Some((Said::Failed(error), _)) => return Err(error),
            _ => None,
        };
        if let Some(namespace) = &namespace {
            self.link_all(namespace)?;
        }
        self.open_capture()?;
        // Before the program can run: whatever becomes of us from here on, the next
        // command finds the process.
        self.note_start()?;
        drop(channel.send(&Ready::Linked));
        let mut terminal = None;
        loop {
            match channel.receive_with::<Said>()? {
                Some((Said::Terminal, descriptors)) => terminal = descriptors.into_iter().next(),
                Some((Said::Failed(error), _)) => return Err(error),
                Some((Said::Namespaces, _)) => {}
                Some((Said::Laps(taken), _)) => laps::write(&taken),
                // The program runs; or init ended without a word, which the
                // supervisor sees as the end of the program.
                None => break,
            }
        }
        self.open_ports()?;
        Ok(terminal)
    }

    /// Forks the process that writes the container's packets down, and waits until it misses none.
    fn open_capture(&mut self) -> Result<()> {
        let Some(file) = &self.job.capture else {
            return Ok(());
        };
        let network = match (&self.job.network, self.held.first()) {
            (Network::Shared { network, .. } | Network::Ours(network), _) => network,
            (_, Some(network)) => network,
            _ => return Ok(()),
        };
        let flags = rustix::pipe::PipeFlags::CLOEXEC;
        let (control, ours) = rustix::pipe::pipe_with(flags)?;
        let (told, ready) = rustix::pipe::pipe_with(flags)?;
        let job = CaptureJob {
            file: file.try_clone()?,
            network: network.try_clone()?,
            ready,
            control,
        };
        let keep = [
            job.file.as_raw_fd(),
            job.network.as_raw_fd(),
            job.ready.as_raw_fd(),
            job.control.as_raw_fd(),
        ];
        let pid = process::fork(|| {
            if process::close_all_but(&keep).is_err() {
                return 1;
            }
            process::set_title("rpod-capture");
            capture::main(job)
        })
        .what(|| "cannot start the process that writes its packets")?;
        self.capture = Some(Capture { pid, control: ours });
        match rustix::io::read(&told, &mut [0; 1]) {
            Ok(1) => Ok(()),
            _ => Err(Error::new("its packets cannot be seen")),
        }
    }

    /// The file is whole before anyone hears of the end.
    fn close_capture(&mut self) {
        if let Some(capture) = self.capture.take() {
            drop(capture.control);
            drop(process::wait(capture.pid, true));
        }
    }

    /// Forks the ports process, once the container has its address; it ends when `self.ports` is closed.
    fn open_ports(&mut self) -> Result<()> {
        let (Some(bound), Network::Bridge(place), Some(namespace)) =
            (&self.job.published, &self.job.network, self.held.first())
        else {
            return Ok(());
        };
        let Some(endpoint) = place.attached.endpoints.first().cloned() else {
            return Ok(());
        };
        let (control, ours) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let job = PortsJob {
            bound: bound.try_clone()?,
            network: namespace.try_clone()?,
            endpoint,
            control,
        };
        let mut keep: Vec<RawFd> = job
            .bound
            .listeners
            .iter()
            .map(|l| l.fd.as_raw_fd())
            .collect();
        keep.extend([job.network.as_raw_fd(), job.control.as_raw_fd()]);
        let pid = process::fork(|| {
            // The monitor's connections are not ours to keep open.
            if process::close_all_but(&keep).is_err() {
                return 1;
            }
            process::set_title("rpod-ports");
            ports::main(job)
        })
        .what(|| "cannot start the process that serves its ports")?;
        self.ports = Some(Ports {
            pid,
            control: ours,
            since: Instant::now(),
        });
        Ok(())
    }

    /// The sockets are ours as well: clients that come while there is no ports process
    /// wait in their queues, and none is refused.
    fn reopen_ports(&mut self) {
        if let Some(lost) = self.ports.take() {
            drop(process::kill(lost.pid, 9));
            drop(process::wait(lost.pid, true));
        }
        drop(self.open_ports());
    }

    fn pipe_if(&self, wanted: bool, input: bool) -> Result<(OwnedFd, Option<OwnedFd>)> {
        if !wanted {
            let null = fs::File::options()
                .read(true)
                .write(true)
                .open("/dev/null")?;
            return Ok((null.into(), None));
        }
        let (read, write) = pipe()?;
        Ok(if input {
            (read, Some(write))
        } else {
            (write, Some(read))
        })
    }

    /// Writes which processes there are; a state that cannot be written is an
    /// error while there is somebody to hear of it.
    fn note_start(&mut self) -> Result<()> {
        self.state.init = identify(self.init);
        self.state.monitor = identify(std::process::id().cast_signed());
        self.state.started = Some(Time::now());
        let (store, id) = (&self.job.store, &self.job.record.id);
        store.save_state(id, &self.state, false)
    }

    fn runs(&mut self) {
        self.state.status = Status::Running;
        self.state.started = Some(Time::now());
        self.state.finished = None;
        self.state.exit_code = None;
        self.state.error = None;
        if let Network::Bridge(place) = &self.job.network {
            self.state.endpoints = place.attached.endpoints.clone();
        }
        if let Some(bound) = &self.job.published {
            self.state.ports = bound.mappings.clone();
        }
        if self.state.restarts == 0 {
            drop(self.listen());
        }
        self.save(false);
    }

    /// Others attach in the container's own directory: what lies in the runtime
    /// directory may be deleted while containers run. The name goes through a
    /// descriptor, since a socket's path has at most 107 bytes.
    fn listen(&mut self) -> Result<()> {
        let path = self.job.store.container_path(&self.record().id);
        drop(fs::remove_file(path.join("attach")));
        let directory = fs::File::open(&path)?;
        let name = format!("/proc/self/fd/{}/attach", directory.as_raw_fd());
        self.supervisor.listen(UnixListener::bind(name)?)?;
        Ok(())
    }

    fn watch(&mut self) -> Exit {
        let mut lost = 0;
        let mut ports_lost = 0;
        loop {
            let network = match &self.job.network {
                Network::Bridge(place) if lost < NET_TRIES => Some(place.client.as_fd()),
                _ => None,
            };
            let ports = self.ports.as_ref().filter(|_| ports_lost < PORTS_TRIES);
            let watched = Watched {
                network,
                ports: ports.map(|ports| ports.control.as_fd()),
            };
            match self.supervisor.run(self.init, &self.signals, watched) {
                Ok(Event::Exited(exit)) => return exit,
                Ok(Event::PortsLost) => {
                    let lived = self.ports.as_ref().map(|ports| ports.since.elapsed());
                    ports_lost = match lived {
                        Some(lived) if lived < GOOD_PORTS => ports_lost + 1,
                        _ => 0,
                    };
                    self.reopen_ports();
                }
                Ok(Event::Asked) => self.change(),
                // Somebody killed the net process. The network itself is held by
                // us, so a new process can take it over where it stands.
                Ok(Event::NetworkLost) => {
                    lost += 1;
                    if self.rejoin_network().is_ok() {
                        lost = 0;
                    }
                }
                // Without poll(2) nothing can be moved; the program's end can still be seen.
                Err(_) => {
                    return process::wait(self.init, true)
                        .ok()
                        .flatten()
                        .unwrap_or(Exit::Code(255));
                }
            }
        }
    }

    fn ended(&mut self, exit: Exit) {
        // The ports are free before anyone hears of the end.
        if let Some(ports) = self.ports.take() {
            drop(process::kill(ports.pid, 9));
            drop(process::wait(ports.pid, true));
        }
        self.close_capture();
        self.state.status = Status::Exited;
        self.state.exit_code = Some(exit.status());
        self.state.finished = Some(Time::now());
        self.state.init = None;
        self.state.stopped = self.was_stopped();
        // Zombies of the ports process and of those the program left to us.
        while let Ok(Some(_)) = process::wait_any(-1, false) {}
    }

    fn shall_restart(&self, exit: Exit) -> bool {
        if self.was_stopped() {
            return false;
        }
        match self.record().restart {
            Restart::No => false,
            Restart::Always | Restart::UnlessStopped => true,
            Restart::OnFailure(times) => {
                exit != Exit::Code(0) && (times == 0 || self.state.restarts < times)
            }
        }
    }

    /// `stop` and `kill` leave a mark before they send their signal.
    fn was_stopped(&self) -> bool {
        self.job
            .store
            .container_path(&self.record().id)
            .join("stop")
            .exists()
    }

    fn finish(&mut self) {
        let status = self.state.exit_code.unwrap_or(255);
        self.job.published = None;
        if let Network::Bridge(place) = &mut self.job.network {
            place.client.end();
        }
        let trash = if self.record().remove {
            self.remove()
        } else {
            self.state.monitor = None;
            self.state.endpoints.clear();
            self.state.ports.clear();
            self.save(true);
            Vec::new()
        };
        self.tell(&Ok(status));
        self.held.clear();
        for path in trash {
            atomic::delete(&path);
        }
        self.sweep();
    }

    /// Tells the end. A client that reads slowly, such as a pager, is left to a child:
    /// `stop` and `rm` wait for us.
    fn tell(&mut self, last: &std::result::Result<i32, Error>) {
        if self.supervisor.tell(last) {
            return;
        }
        let keep = self.supervisor.descriptors();
        let lingerer = process::fork(|| {
            drop(process::close_all_but(&keep));
            process::set_title("rpod-linger");
            self.supervisor.linger();
            0
        });
        drop(lingerer);
    }

    fn remove(&self) -> Vec<std::path::PathBuf> {
        let mut trash: Vec<_> = self
            .job
            .store
            .remove_container(self.record())
            .into_iter()
            .collect();
        for volume in &self.record().anonymous_volumes {
            trash.extend(self.job.store.remove_volume(volume));
        }
        trash
    }

    fn clear_up_failure(&mut self) {
        while let Ok(Some(_)) = process::wait_any(-1, false) {}
        if self.parent.is_none()
            && let Some(entry) = self.entry.take()
        {
            self.parent = entry.mapped().ok();
        }
    }

    /// What an earlier process of this user left in the store is deleted from here,
    /// where files of other ids can be; by a child, since it may take long.
    fn sweep(&self) {
        if self.job.store.garbage().is_empty() {
            return;
        }
        let sweeper = process::fork(|| {
            drop(process::close_all_but(&[]));
            process::set_title("rpod-sweep");
            self.job.store.sweep();
            0
        });
        drop(sweeper);
    }

    fn save(&self, sync: bool) {
        // Nobody is there to tell; `ps` goes by what the kernel says.
        drop(
            self.job
                .store
                .save_state(&self.record().id, &self.state, sync),
        );
    }
}

/// A namespace that a person named may have been made with other ids than containers
/// have: their files would be nobody's.
fn check_ids(job: &MonitorJob) -> Result<()> {
    let NetworkMode::Namespace(path) = &job.record.network else {
        return Ok(());
    };
    let here = fs::read_to_string("/proc/self/uid_map")?;
    let ids = |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
    if ids(&here) == ids(&IdMap::lines(&job.identity.map.users)) {
        return Ok(());
    }
    Err(
        Error::new("its user namespace has other ids than your containers")
            .what(format!("cannot join the network namespace \"{path}\""))
            .hint("make it inside `rpod unshare`, which has theirs"),
    )
}

fn identify(pid: i32) -> Option<ProcessId> {
    process::start_time(pid).map(|started| ProcessId { pid, started })
}

/// Everything else was the parent's: its terminal, its locks, what a shell gave it.
fn keep(job: &MonitorJob, way: &Way) -> Vec<RawFd> {
    let mut keep: Vec<BorrowedFd<'_>> = Vec::new();
    match way {
        Way::Fresh(channel) => keep.push(channel.as_fd()),
        Way::Join(channel, namespace) => keep.extend([channel.as_fd(), namespace.as_fd()]),
    }
    keep.extend(job.client.iter().map(|(fd, _)| fd.as_fd()));
    keep.extend(job.lock.iter().map(AsFd::as_fd));
    match &job.network {
        Network::Bridge(place) => keep.extend([
            place.client.as_fd(),
            place.attached.user.as_fd(),
            place.attached.network.as_fd(),
        ]),
        Network::Shared { network, user } => keep.extend([network.as_fd(), user.as_fd()]),
        Network::Ours(network) => keep.push(network.as_fd()),
        Network::Host | Network::None => {}
    }
    let mut raw: Vec<RawFd> = keep.iter().map(AsRawFd::as_raw_fd).collect();
    raw.extend(job.capture.iter().map(AsRawFd::as_raw_fd));
    if let Some(bound) = &job.published {
        raw.extend(bound.listeners.iter().map(|l| l.fd.as_raw_fd()));
    }
    raw
}

fn namespaces(record: &Record) -> namespace::Flags {
    let mut flags = namespace::MOUNT | namespace::CGROUP;
    if !record.namespaces.host_pid {
        flags |= namespace::PID;
    }
    if !record.namespaces.host_ipc {
        flags |= namespace::IPC;
    }
    if !record.namespaces.host_uts {
        flags |= namespace::UTS;
    }
    if matches!(
        record.network,
        NetworkMode::Bridge | NetworkMode::None | NetworkMode::Private
    ) {
        flags |= namespace::NET;
    }
    flags
}

/// What `config.json` says of the process, and the user as the record has it:
/// names are looked up inside, by the program's own process.
fn program(record: &Record, spec: &Spec, map: &IdMap, person: &str) -> Program {
    let process = spec.process().clone().unwrap_or_default();
    Program {
        words: process.args().clone().unwrap_or_default(),
        env: process.env().clone().unwrap_or_default(),
        workdir: process.cwd().display().to_string(),
        make_workdir: true,
        user: record.user.clone(),
        groups: record.groups.clone(),
        capabilities: record.capabilities.clone(),
        ulimits: record.ulimits.clone(),
        no_new_privileges: record.no_new_privileges,
        seccomp: !record.seccomp_unconfined,
        map: map.clone(),
        tty: record.tty,
        person: person.to_owned(),
    }
}
