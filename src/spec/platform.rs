//! Platforms of images: `linux/amd64`, `linux/arm64/v8`.
//!
//! Lives here: [`Platform`] and its grammar.
//! Must not: ask the kernel; the machine this binary was built for is known.
//! Called by: `image`, `ops`, `cli`.
//! Always true: names are Go's (`amd64`, not `x86_64`), as in image indexes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};

/// An operating system, an architecture and perhaps a variant of it (OCI image spec, image-index.md, "platform").
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// Operating system: `linux`.
    pub os: String,
    /// Architecture: `amd64`.
    pub architecture: String,
    /// Variant: `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// Returns the platform of this machine.
    pub fn host() -> Self {
        Self {
            os: "linux".to_owned(),
            architecture: go_name(std::env::consts::ARCH).to_owned(),
            variant: None,
        }
    }

    /// Says whether an image for `other` can serve where `self` is wanted.
    pub fn accepts(&self, other: &Self) -> bool {
        self.os == other.os
            && self.architecture == other.architecture
            && (self.variant.is_none() || other.variant.is_none() || self.variant == other.variant)
    }
}

fn go_name(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" | "i686" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

impl FromStr for Platform {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || {
            Error::of(
                Kind::Usage,
                format!(
                    "\"{text}\" is no platform: write for example linux/amd64 or linux/arm64/v8"
                ),
            )
        };
        let mut parts = text.split('/');
        let (os, architecture) = match (parts.next(), parts.next()) {
            (Some(os), Some(architecture)) => (os, architecture),
            (Some(architecture), None) => ("linux", architecture),
            _ => return Err(bad()),
        };
        let variant = parts.next().map(str::to_owned);
        if os.is_empty() || architecture.is_empty() || parts.next().is_some() {
            return Err(bad());
        }
        Ok(Self {
            os: os.to_ascii_lowercase(),
            architecture: go_name(&architecture.to_ascii_lowercase()).to_owned(),
            variant,
        })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}
