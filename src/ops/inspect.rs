//! `inspect`: everything that is known of a thing, in docker's shape.
use serde_json::Value;

use crate::error::{Error, Result};
use crate::ops::Session;

/// What a name is looked up as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noun {
    /// A container, else an image, else a volume.
    Any,
    /// A container.
    Container,
    /// An image.
    Image,
    /// A volume.
    Volume,
}

/// Returns docker's JSON object of a thing.
pub fn inspect(_session: &Session, _name: &str, _noun: Noun, _size: bool) -> Result<Value> {
    Err(Error::internal("inspect is not built yet"))
}
