//! `logs`: what a container wrote.
//!
//! Lives here: which lines are shown, and waiting for more of them.
//! Must not: know how they are shown.
//! Called by: `cli`.
//! Always true: a line is shown once, whole, in the order it was written.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Seek, SeekFrom};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;

use crate::error::{Context, Result};
use crate::monitor::log::{self, Stream};
use crate::ops::{Session, state};
use crate::spec::container::Status;
use crate::spec::time::Time;

/// Which lines.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `-f`: go on until it ends.
    pub follow: bool,
    /// `-n`: so many from the end; none is all.
    pub tail: Option<u64>,
    /// `--since`.
    pub since: Option<Time>,
    /// `--until`.
    pub until: Option<Time>,
}

/// A line, or a piece of one that had no end yet.
#[derive(Clone, Debug)]
pub struct Line {
    /// It was written to standard error.
    pub stderr: bool,
    /// When.
    pub time: Time,
    /// What, with its newline if it had one.
    pub text: Vec<u8>,
}

/// Gives the lines of a container to `show`, which says whether to go on.
pub fn logs(
    session: &Session,
    name: &str,
    options: &Options,
    show: &mut dyn FnMut(Line) -> bool,
) -> Result<()> {
    let what = || format!("cannot show the logs of container \"{name}\"");
    let id = session.store.find_container(name).what(what)?;
    let path = session.store.container_path(&id).join("log");
    let file = match File::open(&path) {
        Ok(file) => file,
        // It was never started.
        Err(error) if error.kind() == ErrorKind::NotFound && !options.follow => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => File::options()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .what(what)?,
        Err(error) => return Err(error).what(what),
    };
    let mut reader = Reader {
        lines: BufReader::new(file),
        rest: Vec::new(),
        at: 0,
    };
    let fits = |line: &Line| {
        options.since.is_none_or(|t| line.time >= t) && options.until.is_none_or(|t| line.time <= t)
    };
    if !history(&mut reader, options.tail, &fits, show).what(what)? || !options.follow {
        return Ok(());
    }
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    inotify::add_watch(&watch, &path, inotify::WatchFlags::MODIFY)?;
    loop {
        // The state first: what was written before the end is read after it.
        let ended = !state::load(&session.host, &session.store, &id).is_ok_and(|s| {
            matches!(
                s.status,
                Status::Running | Status::Restarting | Status::Created
            )
        });
        while let Some(line) = reader.next().what(what)? {
            if options.until.is_some_and(|t| line.time > t) || (fits(&line) && !show(line)) {
                return Ok(());
            }
        }
        if ended {
            return Ok(());
        }
        // The end of a container is no event of its log: it is looked for now and then.
        let limit = Timespec {
            tv_sec: 0,
            tv_nsec: 200_000_000,
        };
        poll(&mut [PollFd::new(&watch, PollFlags::IN)], Some(&limit)).ok();
        let mut events = [0; 1024];
        while rustix::io::read(&watch, &mut events).is_ok_and(|n| n > 0) {}
    }
}

/// Shows what is there already; false when nobody wants more.
fn history(
    reader: &mut Reader,
    tail: Option<u64>,
    fits: &dyn Fn(&Line) -> bool,
    show: &mut dyn FnMut(Line) -> bool,
) -> Result<bool> {
    let Some(tail) = tail else {
        while let Some(line) = reader.next()? {
            if fits(&line) && !show(line) {
                return Ok(false);
            }
        }
        return Ok(true);
    };
    // Where the last lines begin. Their text may be more than memory holds: a program
    // need not end a line.
    let mut begins: VecDeque<u64> = VecDeque::new();
    let mut open = false;
    loop {
        let at = reader.at;
        let Some(line) = reader.next()? else { break };
        if !fits(&line) {
            continue;
        }
        // Pieces of a line without an end count with the line.
        if !open {
            begins.push_back(at);
            if begins.len() as u64 > tail {
                begins.pop_front();
            }
        }
        open = !line.text.ends_with(b"\n");
    }
    let end = reader.at;
    let Some(first) = begins.front() else {
        return Ok(true);
    };
    reader.jump(*first)?;
    while reader.at < end
        && let Some(line) = reader.next()?
    {
        if fits(&line) && !show(line) {
            return Ok(false);
        }
    }
    Ok(true)
}

struct Reader {
    lines: BufReader<File>,
    rest: Vec<u8>,
    /// Where the next line begins.
    at: u64,
}

impl Reader {
    /// Returns the next line that is there whole; what is not a line of a log is passed over.
    fn next(&mut self) -> Result<Option<Line>> {
        loop {
            self.lines.read_until(b'\n', &mut self.rest)?;
            let Some(line) = self.rest.strip_suffix(b"\n") else {
                return Ok(None);
            };
            let line = log::parse(line).map(|entry| {
                let mut text = entry.text.to_vec();
                if entry.whole {
                    text.push(b'\n');
                }
                Line {
                    stderr: entry.stream == Stream::Err,
                    time: entry.time,
                    text,
                }
            });
            self.at += self.rest.len() as u64;
            self.rest.clear();
            if line.is_some() {
                return Ok(line);
            }
        }
    }

    fn jump(&mut self, to: u64) -> Result<()> {
        self.lines.seek(SeekFrom::Start(to))?;
        self.rest.clear();
        self.at = to;
        Ok(())
    }
}
