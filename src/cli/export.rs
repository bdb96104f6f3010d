//! `rpod export`: a container's files as a tar.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::render::output;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;

/// Write a container's files as a tar
#[derive(Debug, Parser)]
pub struct Args {
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    output: Option<String>,
    /// Container
    #[arg(value_name = "CONTAINER")]
    name: String,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let example = format!("rpod export -o files.tar {}", self.name);
        output::refuse_terminal(self.output.as_deref(), &example)?;
        let session = door.session()?;
        output::write(self.output.as_deref(), |file| {
            ops::export::export(&session, &self.name, file)
        })
    }
}
