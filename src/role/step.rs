//! The parent of a `RUN` step's program, until that ends.
//!
//! ```text
//! step ──fork into namespaces──▶ init ──execve──▶ the program
//!   ▲──────── its output, its end ◀──────────────────┘
//! ```
//!
//! A step needs no monitor: nobody attaches to it, nothing restarts it, and when the
//! build goes, it goes, since all of a build is in one process namespace.
//!
//! Lives here: the talk with init, and passing output on.
//! Must not: decide what runs (`ops::build::run`), or make a layer of it.
//! Called by: `ops::build::run`, in the step's own process.
//! Always true: all that the program wrote has been passed on when its end is told.

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::error::{Context, Error, Result};
use crate::ops::launch::StepJob;
use crate::process::channel::Channel;
use crate::process::pipe::pipe;
use crate::role::init::{self, InitJob, Links, Ready, Said};
use crate::sys::namespace;
use crate::sys::process::{self, Exit};

/// Runs a program to its end.
pub fn main(job: StepJob<'_>) -> Result<i32> {
    let (ours, theirs) = Channel::pair()?;
    let (output, errors, streams) = match job.terminal {
        Some(streams) => (None, None, streams),
        None => {
            let null = std::fs::File::open("/dev/null")?;
            let (output, to_output) = pipe()?;
            let (errors, to_errors) = pipe()?;
            (
                Some(output),
                Some(errors),
                [null.into(), to_output, to_errors],
            )
        }
    };
    let mut flags = namespace::MOUNT | namespace::PID | namespace::IPC | namespace::UTS;
    flags |= namespace::CGROUP;
    let links = if job.own_network {
        flags |= namespace::NET;
        Links::Loopback
    } else {
        Links::Theirs
    };
    let (bundle, program) = (job.bundle, job.program);
    let (pid, _pidfd) = process::fork_into(flags, || {
        process::set_title("rpod-init");
        init::main(InitJob {
            bundle,
            program,
            links,
            channel: theirs,
            streams,
            reaper: false,
        })
    })
    .what(|| "cannot make its namespaces")?;
    bring_up(&ours).inspect_err(|_| {
        drop(process::kill(pid, 9));
        drop(process::wait(pid, true));
    })?;
    pass_on(output, errors, job.heard)?;
    let exit = process::wait(pid, true)?;
    Ok(exit.unwrap_or(Exit::Code(255)).status())
}

fn bring_up(channel: &Channel) -> Result<()> {
    // An init that is gone already has said why: that is heard below.
    drop(channel.send(&Ready::Mapped));
    drop(channel.send(&Ready::Linked));
    loop {
        match channel.receive::<Said>()? {
            Some(Said::Failed(error)) => return Err(error),
            Some(_) => {}
            None => return Ok(()),
        }
    }
}

fn pass_on(
    output: Option<OwnedFd>,
    errors: Option<OwnedFd>,
    heard: &mut dyn FnMut(bool, &[u8]),
) -> Result<()> {
    let mut open: Vec<(bool, OwnedFd)> = Vec::new();
    open.extend(output.map(|fd| (false, fd)));
    open.extend(errors.map(|fd| (true, fd)));
    let mut buffer = vec![0; 64 << 10];
    while !open.is_empty() {
        let mut fds: Vec<PollFd<'_>> = open
            .iter()
            .map(|(_, fd)| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN))
            .collect();
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).what(|| "cannot wait for its output"),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let mut ready = ready.into_iter();
        let mut failed: Option<Error> = None;
        open.retain(|(is_error, fd)| {
            if !ready.next().unwrap_or(false) {
                return true;
            }
            match rustix::io::read(fd, &mut buffer) {
                Ok(0) => false,
                Ok(count) => {
                    heard(*is_error, &buffer[..count]);
                    true
                }
                Err(Errno::INTR | Errno::AGAIN) => true,
                Err(error) => {
                    failed = Some(error.into());
                    false
                }
            }
        });
        if let Some(error) = failed {
            return Err(error.what("cannot read its output"));
        }
    }
    Ok(())
}
