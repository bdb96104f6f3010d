//! Where an image is asked for, each place with what lets us in.
//!
//! Lives here: from the settings of registries and the logins to sources.
//! Must not: ask anybody but a credential helper.
//! Called by: `ops::pull`.
//! Always true: a mirror is shown the login that was kept for the mirror, never
//! that of the registry it stands for; one registry is one client, whatever is
//! pulled from it.

use std::sync::Arc;
use std::time::Duration;

use super::{Request, variable};
use crate::error::{Error, Result};
use crate::image::credentials::{self, Credential};
use crate::image::registry::http::Limits;
use crate::image::registry::proxy::Proxies;
use crate::image::registry::settings::{Place, Settings};
use crate::image::registry::{Access, Registry};
use crate::image::transfer::Source;
use crate::ops::Session;
use crate::spec::reference::Reference;

/// The places of one command.
pub struct Places<'a> {
    settings: &'a Settings,
    logins: credentials::Places,
    request: &'a Request,
    /// Who is known already.
    known: Vec<(Place, Option<Credential>, Arc<Registry>)>,
    trouble: Vec<String>,
}

impl<'a> Places<'a> {
    /// Asks nobody yet.
    pub fn new(session: &Session, settings: &'a Settings, request: &'a Request) -> Self {
        Self {
            settings,
            logins: credentials::Places::from_environment(&session.host.home, &variable),
            request,
            known: Vec::new(),
            trouble: Vec::new(),
        }
    }

    /// Returns where an image is asked for, in this order. A helper that opens a session's
    /// key store has to be asked by the user, not by root inside.
    pub fn sources(&mut self, image: &Reference) -> Result<Vec<Source>> {
        let places = self.settings.places(image)?;
        Ok(places.into_iter().map(|place| self.source(place)).collect())
    }

    /// Adds what could not be read or asked about logins to a refusal.
    pub fn explain(&self, error: Error) -> Error {
        self.trouble
            .iter()
            .fold(error, |error, one| error.also(one))
    }

    fn source(&mut self, mut place: Place) -> Source {
        let repository = std::mem::take(&mut place.repository);
        let found = self.logins.find(&place.host, &repository);
        for trouble in found.trouble {
            if !self.trouble.contains(&trouble) {
                self.trouble.push(trouble);
            }
        }
        let same = |(known, credential, _): &&(Place, Option<Credential>, Arc<Registry>)| {
            *known == place && *credential == found.credential
        };
        if let Some((_, _, registry)) = self.known.iter().find(same) {
            let registry = Arc::clone(registry);
            return Source {
                registry,
                repository,
            };
        }
        let access = Access {
            credential: found.credential.clone(),
            insecure: place.insecure || self.request.insecure,
            plain: place.plain,
            limits: self.limits(place.mirror),
            proxies: Proxies::from_environment(&variable),
        };
        let registry = Arc::new(Registry::new(&place.host, access));
        let known = (place, found.credential, Arc::clone(&registry));
        self.known.push(known);
        Source {
            registry,
            repository,
        }
    }

    fn limits(&self, mirror: bool) -> Limits {
        let mut limits = Limits::default();
        if let Some(retries) = self.request.retries {
            limits.attempts = retries.saturating_add(1);
        }
        if let Some(delay) = self.request.delay {
            limits.pause = delay;
        }
        if mirror {
            // Somebody else can be asked instead.
            limits.attempts = limits.attempts.min(2);
            limits.patience = Duration::from_secs(2);
        }
        limits
    }
}
