//! The first process of a container, up to its program.
//!
//! ```text
//! init ──Said::Namespaces + descriptors──▶ monitor   its network and its mounts
//! monitor ──Ready::Mapped──▶ init    the ids are there
//! monitor ──Ready::Linked──▶ init    the link is there
//! init ──Said::Terminal + descriptor──▶ monitor
//! init ──Said::Failed──▶ monitor     or the end of the channel: the program runs
//! ```
//!
//! Lives here: the order of the talk; the work is `runtime`'s.
//! Must not: decide anything.
//! Called by: `role::monitor`, in a fork that has all of its namespaces.
//! Always true: the channel closes by execve(2), so its end without a word is success.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use serde::{Deserialize, Serialize};

use crate::dataplane::link;
use crate::error::{Context, Error, Result};
use crate::process::channel::Channel;
use crate::process::laps;
use crate::role::reaper;
use crate::runtime::program::Program;
use crate::runtime::sequence::{self, Bundle};
use crate::spec::network::Endpoint;
use crate::sys::{namespace, process};

/// What the monitor tells.
#[derive(Debug, Serialize, Deserialize)]
pub enum Ready {
    /// The ids are there.
    Mapped,
    /// The links are there.
    Linked,
}

/// What init tells.
#[derive(Debug, Serialize, Deserialize)]
pub enum Said {
    /// Its network and mount namespaces are beside this: nobody else may look into a
    /// process that hides.
    Namespaces,
    /// The terminal's outer end is beside this.
    Terminal,
    /// How long each step took.
    Laps(Vec<(String, u64)>),
    /// It could not be done.
    Failed(Error),
}

/// What init does about its network.
#[derive(Debug)]
pub enum Links {
    /// Nothing: it is somebody else's.
    Theirs,
    /// Joins somebody else's namespace.
    Join(OwnedFd),
    /// Its own loopback device.
    Loopback,
    /// Its places on the user's networks.
    Bridge(Vec<Endpoint>),
}

/// What init needs.
pub struct InitJob<'a> {
    /// What the container is made of.
    pub bundle: &'a Bundle,
    /// What runs in it.
    pub program: Program,
    /// Its network.
    pub links: Links,
    /// The way to the monitor.
    pub channel: Channel,
    /// Its three streams; with a terminal they are not used.
    pub streams: [OwnedFd; 3],
    /// A small init stays as PID 1.
    pub reaper: bool,
}

/// Does the job; returns only when it failed, or with the program's status under `--init`.
pub fn main(job: InitJob<'_>) -> u8 {
    let channel = job.channel.as_fd().try_clone_to_owned().map(Channel::from);
    match work(job, channel.as_ref().ok()) {
        Ok(status) => status,
        Err(error) => {
            if let Ok(channel) = channel {
                drop(channel.send(&Said::Failed(error)));
            }
            1
        }
    }
}

fn work(job: InitJob<'_>, spare: Option<&Channel>) -> Result<u8> {
    process::hide()?;
    // What the monitor has open is not ours, least of all its end of our channel.
    let mut keep: Vec<RawFd> = job.streams.iter().map(AsRawFd::as_raw_fd).collect();
    keep.push(job.channel.as_fd().as_raw_fd());
    keep.extend(spare.map(|channel| channel.as_fd().as_raw_fd()));
    if let Links::Join(namespace) = &job.links {
        keep.push(namespace.as_raw_fd());
    }
    process::close_all_but(&keep)?;
    process::new_session().what(|| "cannot begin a session")?;
    laps::lap("namespaces");
    let channel = &job.channel;
    let network = File::open("/proc/self/ns/net").what(|| "cannot open its network namespace")?;
    let mounts = File::open("/proc/self/ns/mnt").what(|| "cannot open its mount namespace")?;
    channel.send_with(&Said::Namespaces, &[network.as_fd(), mounts.as_fd()])?;
    drop((network, mounts));
    hear(channel)?;
    laps::lap("ids mapped");
    if let Links::Join(namespace) = &job.links {
        // Before any mount: sysfs shows the network of whoever mounts it, and only
        // to an owner of that network.
        namespace::join(namespace.as_fd(), namespace::NET)
            .what(|| "cannot join the other container's network")?;
    }
    let mut network = || {
        hear(channel)?;
        set_up(&job.links)
    };
    let built = sequence::build(job.bundle, &mut network, &mut |step| laps::lap(step))?;
    match &built.terminal {
        Some(terminal) => {
            channel.send_with(&Said::Terminal, &[terminal.master.as_fd()])?;
            process::take_terminal(terminal.slave.as_fd()).what(|| "cannot take the terminal")?;
            stand_on([terminal.slave.as_fd(); 3])?;
        }
        None => stand_on(job.streams.each_ref().map(AsFd::as_fd))?,
    }
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    if let Some(taken) = laps::taken() {
        channel.send(&Said::Laps(taken))?;
    }
    if job.reaper {
        return reaper::become_it(&job.program, &job.channel);
    }
    let never = job.program.start()?;
    match never {}
}

/// Waits for the monitor's next word; without one there is no monitor any more.
fn hear(channel: &Channel) -> Result<()> {
    match channel.receive::<Ready>()? {
        Some(_) => Ok(()),
        None => Err(Error::new("the container's monitor has gone")),
    }
}

fn set_up(links: &Links) -> Result<()> {
    match links {
        Links::Theirs | Links::Join(_) => Ok(()),
        Links::Loopback => link::loopback_only(),
        Links::Bridge(endpoints) => link::configure(endpoints),
    }
}

fn stand_on(streams: [BorrowedFd<'_>; 3]) -> Result<()> {
    let [input, output, errors] = streams;
    rustix::stdio::dup2_stdin(input)?;
    rustix::stdio::dup2_stdout(output)?;
    rustix::stdio::dup2_stderr(errors)?;
    Ok(())
}
