//! Flags that several verbs share, from what was typed to what is meant.
//!
//! Lives here: the flags of a container, variables and labels with their files,
//! filters, the flags of registries.
//! Must not: open the store.
//! Called by: the verbs.
//! Always true: what is wrong is said with the flag, or the file and its line.

pub mod container;
pub mod filter;
pub mod network;
pub mod pairs;
pub mod registry;

use std::time::Duration;

use crate::error::{Error, Kind, Result};
use crate::image::assemble::Format;
use crate::spec::container::PullPolicy;
use crate::spec::duration;
use crate::spec::reference::Reference;

/// Reads `-t`: seconds; -1 is without end.
pub fn grace(text: Option<&str>) -> Result<Option<Duration>> {
    match text {
        None => Ok(None),
        Some("-1") => Ok(Some(Duration::MAX)),
        Some(text) => match text.parse::<u64>() {
            Ok(seconds) => Ok(Some(Duration::from_secs(seconds))),
            Err(_) => duration::parse(text)
                .map(Some)
                .map_err(|_| usage(format!("--time \"{text}\" is no number of seconds"))),
        },
    }
}

/// Reads `--pull` and `--policy`.
pub fn policy(flag: &str, text: Option<&str>) -> Result<Option<PullPolicy>> {
    text.map(|text| match text {
        "always" | "true" => Ok(PullPolicy::Always),
        "missing" | "false" | "ifnotpresent" => Ok(PullPolicy::Missing),
        "never" => Ok(PullPolicy::Never),
        "newer" | "ifnewer" => Ok(PullPolicy::Newer),
        _ => Err(usage(format!(
            "{flag} cannot be \"{text}\": always, missing, never or newer"
        ))),
    })
    .transpose()
}

/// Returns an error of what was typed.
pub fn usage(why: String) -> Error {
    Error::of(Kind::Usage, why)
}

/// Reads `--format` of verbs that make images.
pub fn image_format(text: &str) -> Result<Format> {
    match text {
        "oci" => Ok(Format::Oci),
        "docker" => Ok(Format::Docker),
        other => Err(usage(format!(
            "--format \"{other}\" is not known: oci and docker are"
        ))),
    }
}

/// Reads a name that an image is to get.
pub fn name_to_give(text: &str) -> Result<Reference> {
    let name: Reference = text.parse()?;
    if name.digest.is_some() {
        return Err(usage(
            "a digest follows from an image's content and cannot be given to it".to_owned(),
        ));
    }
    Ok(name)
}
