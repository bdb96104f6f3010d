//! `rpod stop`: ask containers to end, and make them when they do not.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags;
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;

/// Stop containers: ask them to end, and end them when they do not
#[derive(Debug, Parser)]
pub struct Args {
    /// Give them so many seconds; -1 waits without end
    #[arg(short, long = "timeout", alias = "time", value_name = "SECONDS")]
    timeout: Option<String>,
    /// Ask with this signal
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
        let mut results =
            ops::stop::stop_all(&session, &self.names, grace, self.signal.as_deref()).into_iter();
        door.each(&self.names, |name| {
            results.next().unwrap_or(Ok(()))?;
            terminal::line(name)
        })
    }
}
