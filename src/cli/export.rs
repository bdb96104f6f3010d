//! `rpod export`: a container's files as a tar.
use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::usage;
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::{Context, Result};
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
        let session = door.session()?;
        let Some(path) = self.output.as_deref().filter(|path| *path != "-") else {
            if terminal::stdout_is_terminal() {
                return Err(
                    usage("a tar is nothing for a terminal: use -o or a pipe".to_owned()).hint(
                        format!(
                            "write it to a file: `rpod export -o files.tar {}`",
                            self.name
                        ),
                    ),
                );
            }
            let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
            ops::export::export(&session, &self.name, &mut output)?;
            return Ok(0);
        };
        // Before a file is made or emptied for it.
        session.store.find_container(&self.name)?;
        let mut file = File::create(path).what(|| format!("cannot write \"{path}\""))?;
        ops::export::export(&session, &self.name, &mut file)
            .inspect_err(|_| drop(std::fs::remove_file(path)))?;
        Ok(0)
    }
}
