//! `rpod tag`: another name for an image.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;

/// Give an image another name
#[derive(Debug, Parser)]
pub struct Args {
    /// Image
    #[arg(value_name = "IMAGE")]
    source: String,
    /// Its other name
    #[arg(value_name = "NEW")]
    target: String,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        ops::tag::tag(&door.session()?, &self.source, &self.target)?;
        Ok(0)
    }
}
