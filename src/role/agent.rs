//! The agent process: signs for the steps of a build that were given keys.
//!
//! Lives here: connections, and the frames in them.
//! Must not: know a key (`ops::build::agent` answers).
//! Called by: `ops::build::agent`, in a fork.
//! Always true: it goes with the build; a client that says nonsense loses its connection.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::ops::build::agent::{self, AgentJob, Key};
use crate::sys::{net, process};

/// Bytes of the longest request, as OpenSSH's own agent has it.
const LONGEST: usize = 256 << 10;

/// Connections at once.
const MOST: usize = 64;

/// Does the job and returns the exit status of the process.
pub fn main(job: AgentJob) -> u8 {
    drop(net::set_name(c"rpod-agent"));
    process::set_title("rpod-agent");
    if process::die_with_parent(9).is_err()
        || process::close_all_but(&[job.listener.as_raw_fd()]).is_err()
    {
        return 1;
    }
    let count = Arc::new(AtomicUsize::new(0));
    for stream in job.listener.incoming().flatten() {
        if count.load(Ordering::Relaxed) >= MOST {
            continue;
        }
        let (keys, here) = (Arc::clone(&job.keys), Arc::clone(&count));
        here.fetch_add(1, Ordering::Relaxed);
        let served = std::thread::Builder::new().spawn(move || {
            drop(serve(&keys, stream));
            here.fetch_sub(1, Ordering::Relaxed);
        });
        if served.is_err() {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
    0
}

fn serve(keys: &[Key], mut stream: UnixStream) -> std::io::Result<()> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > LONGEST {
            return Ok(());
        }
        let mut request = vec![0; length];
        stream.read_exact(&mut request)?;
        let answer = agent::answer(keys, &request);
        let length = u32::try_from(answer.len()).unwrap_or(u32::MAX);
        let mut frame = length.to_be_bytes().to_vec();
        frame.extend(answer);
        stream.write_all(&frame)?;
    }
}
