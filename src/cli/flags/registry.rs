//! Flags of everything that speaks to a registry.
//!
//! Lives here: `--tls-verify`, `--authfile`, `--cert-dir` and `--creds`.
//! Must not: look for a login.
//! Called by: the verbs of registries.
//! Always true: a password that was not typed as a word is asked for without echo.

use std::path::PathBuf;

use clap::Args;

use crate::cli::render::prompt;
use crate::error::Result;
use crate::image::credentials::{Credential, Secret};
use crate::ops::access::Asked;

/// How a registry is to be reached.
#[derive(Debug, Args)]
pub struct Reach {
    /// Accept a registry without a certificate that is trusted: false
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", hide_possible_values = true)]
    tls_verify: bool,
    /// Keep logins in this file
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    authfile: Option<PathBuf>,
    /// Take the registry's certificates from this directory
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    cert_dir: Option<PathBuf>,
}

impl Reach {
    /// Returns what was asked.
    pub fn asked(self) -> Asked {
        Asked {
            insecure: !self.tls_verify,
            authfile: self.authfile,
            credential: None,
            certificates: self.cert_dir,
        }
    }
}

/// How a registry is to be reached, and as whom.
#[derive(Debug, Args)]
pub struct Registry {
    #[command(flatten)]
    reach: Reach,
    /// Log in with these for this once; others on this machine can see them
    #[arg(long, value_name = "USER[:PASSWORD]")]
    creds: Option<String>,
}

impl Registry {
    /// Returns what was asked.
    pub fn asked(self) -> Result<Asked> {
        let mut asked = self.reach.asked();
        asked.credential = self.creds.as_deref().map(credential).transpose()?;
        Ok(asked)
    }
}

fn credential(text: &str) -> Result<Credential> {
    let (user, password) = match text.split_once(':') {
        Some((user, password)) => (user, Secret::new(password)),
        None => (text, prompt::secret("Password: ")?),
    };
    Ok(Credential::Password {
        user: user.to_owned(),
        password,
    })
}
