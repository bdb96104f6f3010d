//! `rpod untag`: names taken from an image.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;

/// Take names from an image, which stays
#[derive(Debug, Parser)]
pub struct Args {
    /// Image
    #[arg(value_name = "IMAGE")]
    image: String,
    /// Its names that go; without any, all
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        ops::untag::untag(&door.session()?, &self.image, &self.names)?;
        Ok(0)
    }
}
