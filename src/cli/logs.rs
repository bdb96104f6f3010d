//! `rpod logs`: what a container wrote.
use std::io::{self, Write};

use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::usage;
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;
use crate::ops::logs::Line;
use crate::spec::time::Time;

/// Print what a container wrote
#[derive(Debug, Parser)]
pub struct Args {
    /// Go on until it ends
    #[arg(short, long)]
    follow: bool,
    /// Print so many lines from the end, or all
    #[arg(short = 'n', long, value_name = "LINES")]
    tail: Option<String>,
    /// Print the time of each line
    #[arg(short, long)]
    timestamps: bool,
    /// Leave out what is older: a time, or how long ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Leave out what is newer: a time, or how long ago
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Container
    #[arg(value_name = "CONTAINER")]
    name: String,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let options = ops::logs::Options {
            follow: self.follow,
            tail: self.tail.as_deref().map(tail).transpose()?.flatten(),
            since: self.since.as_deref().map(Time::parse_since).transpose()?,
            until: self.until.as_deref().map(Time::parse_since).transpose()?,
        };
        let session = door.session()?;
        let mut out = Streams::new(self.timestamps);
        ops::logs::logs(&session, &self.name, &options, &mut |line| {
            out.write(&line, self.follow)
        })?;
        out.finish()?;
        Ok(0)
    }
}

/// None is all.
fn tail(text: &str) -> Result<Option<u64>> {
    match text {
        "all" | "-1" => Ok(None),
        _ => text
            .parse()
            .map(Some)
            .map_err(|_| usage(format!("--tail \"{text}\" is no number of lines"))),
    }
}

/// The two streams, and whether one of them could not be written.
struct Streams {
    timestamps: bool,
    /// Standard output; of many lines only a full buffer is written.
    out: io::BufWriter<io::Stdout>,
    failed: Option<io::Error>,
    /// The last piece on each stream had no end, so the next one gets no time.
    open: [bool; 2],
}

impl Streams {
    fn new(timestamps: bool) -> Self {
        Self {
            timestamps,
            out: io::BufWriter::with_capacity(64 << 10, io::stdout()),
            failed: None,
            open: [false; 2],
        }
    }

    /// Says whether to go on.
    fn write(&mut self, line: &Line, at_once: bool) -> bool {
        let begins = !self.open[usize::from(line.stderr)];
        self.open[usize::from(line.stderr)] = !line.text.ends_with(b"\n");
        let time = if self.timestamps && begins {
            format!("{} ", line.time)
        } else {
            String::new()
        };
        let written = if line.stderr {
            self.out.flush().and_then(|()| {
                let mut err = io::stderr().lock();
                err.write_all(time.as_bytes())?;
                err.write_all(&line.text)
            })
        } else {
            self.out
                .write_all(time.as_bytes())
                .and_then(|()| self.out.write_all(&line.text))
                .and_then(|()| if at_once { self.out.flush() } else { Ok(()) })
        };
        self.failed = written.err();
        self.failed.is_none()
    }

    fn finish(mut self) -> Result<()> {
        let failed = match self.failed.take() {
            Some(error) => Err(error),
            None => self.out.flush(),
        };
        // What could not be written must not be tried again by the buffer's drop.
        let (_, rest) = self.out.into_parts();
        drop(rest);
        failed.map_err(terminal::unheard)
    }
}
