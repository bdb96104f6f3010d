//! `exec`: another program in a running container.
//!
//! ```text
//! rpod exec ──fork──▶ joiner (joins all namespaces) ──fork──▶ program (inside)
//!     ▲ relay loop        │ waits, tells the status
//!     └──── frames ◀──────┘
//! ```
//!
//! Two forks, because only children are in a joined process namespace
//! (setns(2)), and because nobody comes back from a user namespace.
//!
//! Lives here: the two forks and the joiner's loop.
//! Must not: touch the container's state; its monitor knows nothing of this.
//! Called by: `cli`.
//! Always true: the program dies with the container, and gets none of our
//! descriptors or terminals.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use oci_spec::runtime::Spec;
use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Kind, Result};
use crate::monitor::log::Log;
use crate::monitor::supervise::{Event, Streams, Supervisor, Watched};
use crate::ops::{Session, attach, pause, relay, run, state};
use crate::process::channel::Channel;
use crate::process::frames::Hello;
use crate::process::identity::Identity;
use crate::process::leave::leave;
use crate::process::pipe::pipe;
use crate::runtime::program::Program;
use crate::runtime::{capabilities, exec, mounts, terminal};
use crate::spec::container::{ProcessId, Record, Status};
use crate::sys::process;
use crate::sys::signal::Signals;

/// What is to be run, and how.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Container, as typed.
    pub container: String,
    /// The program and its words.
    pub command: Vec<String>,
    /// `-d`.
    pub detach: bool,
    /// `-i`.
    pub interactive: bool,
    /// `-t`.
    pub tty: bool,
    /// `-e` and `--env-file`.
    pub env: Vec<String>,
    /// `-w`.
    pub workdir: Option<String>,
    /// `-u`.
    pub user: Option<String>,
    /// `--privileged`.
    pub privileged: bool,
    /// `--detach-keys`.
    pub detach_keys: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Said {
    Terminal,
    Runs,
    Failed(Error),
}

/// Runs it; returns its exit status, 0 for a detached one.
pub fn exec(session: &Session, request: &Request) -> Result<i32> {
    let what = || format!("cannot exec in container \"{}\"", request.container);
    let id = session
        .store
        .find_container(&request.container)
        .what(what)?;
    let record = session.store.load_record(&id).what(what)?;
    let present = state::load(&session.host, &session.store, &id).what(what)?;
    if present.paused {
        return Err(pause::is_paused(&record)).what(what);
    }
    let init = match present.init {
        Some(init) if present.status == Status::Running => init,
        _ => return Err(attach::not_running(&record, &present)).what(what),
    };
    let program = program(session, &record, request).what(what)?;
    if !program.workdir.starts_with('/') {
        return Err(Error::of(
            Kind::Usage,
            format!(
                "the working directory \"{}\" does not begin with \"/\"",
                program.workdir
            ),
        ))
        .what(what);
    }
    let (ours, theirs) = run::socket_pair()?;
    let (channel, joiner_channel) = Channel::pair()?;
    let input = request.interactive && !request.detach;
    let hello = Hello {
        stdout: !request.detach,
        stderr: !request.detach,
        input,
        once: input,
    };
    process::fork(|| {
        let joiner = Joiner {
            init,
            program,
            channel: joiner_channel,
            client: (theirs, hello),
            interactive: request.interactive,
        };
        joiner.main()
    })
    .what(what)?;
    match channel.receive::<Said>()? {
        Some(Said::Runs) => {}
        Some(Said::Failed(error)) => return Err(error).what(what),
        Some(Said::Terminal) | None => {
            return Err(Error::internal(
                "the process that joins the container ended",
            ));
        }
    }
    if request.detach {
        return Ok(0);
    }
    let end = relay::relay(
        ours,
        &relay::Options {
            input,
            tty: request.tty,
            sig_proxy: false,
            owns: true,
            detach_keys: request.detach_keys.clone(),
        },
    )?;
    Ok(match end {
        relay::End::Exited(status) => status,
        relay::End::Detached => 0,
    })
}

/// The container's own process, as `config.json` has it, with the request over it.
fn program(session: &Session, record: &Record, request: &Request) -> Result<Program> {
    let path = session.store.container_path(&record.id).join("config.json");
    let bytes = fs::read(&path).what(|| format!("cannot read \"{}\"", path.display()))?;
    let spec: Spec =
        serde_json::from_slice(&bytes).what(|| format!("cannot read \"{}\"", path.display()))?;
    let process = spec.process().clone().unwrap_or_default();
    let mut env = process.env().clone().unwrap_or_default();
    // HOME is the new user's, unless somebody chose it.
    for entry in &request.env {
        let key = entry.split('=').next().unwrap_or_default().to_owned() + "=";
        env.retain(|old| !old.starts_with(&key));
        env.push(entry.clone());
    }
    Ok(Program {
        words: request.command.clone(),
        env,
        workdir: request
            .workdir
            .clone()
            .unwrap_or_else(|| process.cwd().display().to_string()),
        make_workdir: false,
        user: request.user.clone().unwrap_or_else(|| record.user.clone()),
        groups: if request.user.is_some() {
            Vec::new()
        } else {
            record.groups.clone()
        },
        capabilities: if request.privileged {
            capabilities::all()
        } else {
            record.capabilities.clone()
        },
        ulimits: record.ulimits.clone(),
        no_new_privileges: record.no_new_privileges,
        seccomp: !record.seccomp_unconfined && !request.privileged,
        map: Identity::of(&session.host)?.map,
        tty: request.tty,
        person: session.host.user_name(),
    })
}

struct Joiner {
    init: ProcessId,
    program: Program,
    channel: Channel,
    client: (OwnedFd, Hello),
    interactive: bool,
}

impl Joiner {
    /// The first fork: joins, starts the second, and moves bytes for it.
    fn main(self) -> u8 {
        let keep = [self.channel.as_fd().as_raw_fd(), self.client.0.as_raw_fd()];
        let left = leave("rpod-exec", &keep);
        let channel = self.channel.as_fd().try_clone_to_owned().map(Channel::from);
        match left.and_then(|()| self.work()) {
            Ok(()) => 0,
            Err(error) => {
                if let Ok(channel) = channel {
                    drop(channel.send(&Said::Failed(error)));
                }
                1
            }
        }
    }

    fn work(self) -> Result<()> {
        let null = fs::File::open("/dev/null")?;
        let signals = Signals::block(&[1, 2, 3, 13, 15, 17])?;
        // While the host's files are still in reach.
        let log = Log::nowhere()?;
        exec::join(self.init)?;
        let tty = self.program.tty;
        let pipes = [pipe()?, pipe()?, pipe()?];
        let [(input, stdin), (stdout, output), (stderr, errors)] = pipes;
        let (ours, theirs) = Channel::pair()?;
        let program = self.program;
        let interactive = self.interactive;
        let pid = process::fork(|| {
            let own = theirs.as_fd().try_clone_to_owned().map(Channel::from);
            let input = if interactive { input } else { null.into() };
            match inside(program, &theirs, [input, output, errors]) {
                Ok(never) => match never {},
                Err(error) => {
                    if let Ok(own) = own {
                        drop(own.send(&Said::Failed(error)));
                    }
                    127
                }
            }
        })?;
        drop(theirs);
        let terminal = match hear(&ours) {
            Ok(terminal) => terminal,
            Err(error) => {
                drop(process::wait(pid, true));
                return Err(error);
            }
        };
        let mut supervisor = Supervisor::new(log, Some(self.client))?;
        supervisor.watch(Streams {
            stdin: (interactive && !tty).then_some(stdin),
            stdout: (!tty).then_some(stdout),
            stderr: (!tty).then_some(stderr),
            terminal,
        })?;
        self.channel.send(&Said::Runs)?;
        drop(self.channel);
        let status = match supervisor.run(pid, &signals, Watched::default())? {
            Event::Exited(exit) => exit.status(),
            Event::NetworkLost | Event::PortsLost | Event::Asked => 255,
        };
        if !supervisor.tell(&Ok(status)) {
            supervisor.linger();
        }
        Ok(())
    }
}

/// Waits until the program runs; the end of the channel says so.
fn hear(channel: &Channel) -> Result<Option<OwnedFd>> {
    let mut terminal = None;
    loop {
        match channel.receive_with::<Said>()? {
            Some((Said::Terminal, descriptors)) => terminal = descriptors.into_iter().next(),
            Some((Said::Failed(error), _)) => return Err(error),
            Some((Said::Runs, _)) => {}
            None => return Ok(terminal),
        }
    }
}

/// The second fork: inside.
fn inside(
    program: Program,
    channel: &Channel,
    streams: [OwnedFd; 3],
) -> Result<std::convert::Infallible> {
    process::new_session()?;
    let terminal = program
        .tty
        .then(|| terminal::make(mounts::open_root(std::path::Path::new("/"))?.as_fd()))
        .transpose()?;
    let [mut input, mut output, mut errors] = streams;
    if let Some(terminal) = terminal {
        channel.send_with(&Said::Terminal, &[terminal.master.as_fd()])?;
        process::take_terminal(terminal.slave.as_fd()).what(|| "cannot take the terminal")?;
        input = terminal.slave.try_clone()?;
        output = terminal.slave.try_clone()?;
        errors = terminal.slave;
    }
    rustix::stdio::dup2_stdin(&input)?;
    rustix::stdio::dup2_stdout(&output)?;
    rustix::stdio::dup2_stderr(&errors)?;
    drop((input, output, errors));
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    program.start().map_err(|error| match error.kind() {
        Kind::Failed => error.kind_of(Kind::CannotInvoke),
        _ => error,
    })
}
