//! `rpod restart`: stop, then start.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags;
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;

/// Stop containers if they run, and start them
#[derive(Debug, Parser)]
pub struct Args {
    /// Give them so many seconds to stop; -1 waits without end
    #[arg(short, long = "timeout", alias = "time", value_name = "SECONDS")]
    timeout: Option<String>,
    /// Ask them to stop with this signal
    #[arg(short, long)]
    signal: Option<String>,
    /// Container
    #[arg(value_name = "CONTAINER", required = true)]
    names: Vec<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let grace = flags::grace(self.timeout.as_deref())?;
        let session = door.session()?;
        // Together first, or the last would wait for the graces of all before it. What
        // could not be stopped is told when its own turn comes.
        drop(ops::stop::stop_all(
            &session,
            &self.names,
            grace,
            self.signal.as_deref(),
        ));
        door.each(&self.names, |name| {
            ops::restart::restart(&session, name, grace, self.signal.as_deref())?;
            terminal::line(name)
        })
    }
}
