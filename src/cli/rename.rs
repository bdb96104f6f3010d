//! `rpod rename`: another name for a container.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;

/// Rename a container
#[derive(Debug, Parser)]
pub struct Args {
    /// Container
    #[arg(value_name = "CONTAINER")]
    old: String,
    /// Its new name
    #[arg(value_name = "NEW_NAME")]
    new: String,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        ops::rename::rename(&door.session()?, &self.old, &self.new)?;
        Ok(0)
    }
}
