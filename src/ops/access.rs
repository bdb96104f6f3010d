//! How a registry is to be spoken to, by what the user said and the machine has.
//!
//! Lives here: [`Asked`], the words all verbs of registries share, and what they
//! come to: a credential, certificates, proxies.
//! Must not: speak to a registry.
//! Called by: the verbs of registries.
//! Always true: credential helpers are asked here, by the user's own process; what
//! they could not do is told only when the registry refuses us.

use std::path::PathBuf;

use crate::error::Error;
use crate::host::Host;
use crate::image::credentials::{Credential, Places};
use crate::image::registry::http::Limits;
use crate::image::registry::proxy::Proxies;
use crate::image::registry::{Access, certs};

/// What was said of a registry.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// `--tls-verify=false`.
    pub insecure: bool,
    /// `--authfile`.
    pub authfile: Option<PathBuf>,
    /// `--creds`.
    pub credential: Option<Credential>,
    /// `--cert-dir`.
    pub certificates: Option<PathBuf>,
}

/// How to speak to a registry, and what could not be found out for it.
#[derive(Clone, Debug)]
pub struct Way {
    /// How.
    pub access: Access,
    trouble: Vec<String>,
}

impl Way {
    /// Adds what could not be found out to what came of it.
    pub fn explain(&self, error: Error) -> Error {
        self.trouble
            .iter()
            .fold(error, |e, trouble| e.also(trouble))
    }
}

impl Asked {
    /// Returns where logins are.
    pub fn places(&self, host: &Host) -> Places {
        match &self.authfile {
            Some(file) => Places::at(file.clone()),
            None => Places::from_environment(&host.home, &variable),
        }
    }

    /// Returns the way to a repository of a registry.
    pub fn way(&self, host: &Host, registry: &str, repository: &str) -> Way {
        let (credential, trouble) = match &self.credential {
            Some(credential) => (Some(credential.clone()), Vec::new()),
            None => {
                let found = self.places(host).find(registry, repository);
                (found.credential, found.trouble)
            }
        };
        let access = self.access(host, credential);
        Way { access, trouble }
    }

    /// Returns how to speak to a registry with this credential.
    pub fn access(&self, host: &Host, credential: Option<Credential>) -> Access {
        let certificates = certs::Places::of_user(&host.home, host.config.parent());
        Access {
            credential,
            insecure: self.insecure,
            plain: false,
            limits: Limits::default(),
            proxies: Proxies::from_environment(&variable),
            certificates: certificates.named(self.certificates.clone()),
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
