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

use super::Request;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::image::registry::Registry;
use crate::image::registry::http::Limits;
use crate::image::registry::settings::{Place, Settings};
use crate::image::transfer::Source;
use crate::ops::access::Way;
use crate::spec::reference::Reference;

/// The places of one command.
pub struct Places<'a> {
    host: &'a Host,
    settings: &'a Settings,
    request: &'a Request,
    /// Who is known already.
    known: Vec<Known>,
}

struct Known {
    place: Place,
    way: Way,
    registry: Arc<Registry>,
}

impl<'a> Places<'a> {
    /// Asks nobody yet.
    pub fn new(host: &'a Host, settings: &'a Settings, request: &'a Request) -> Self {
        Self {
            host,
            settings,
            request,
            known: Vec::new(),
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
        self.known
            .iter()
            .fold(error, |error, known| known.way.explain(error))
    }

    fn source(&mut self, mut place: Place) -> Source {
        let repository = std::mem::take(&mut place.repository);
        let mut asked = self.request.asked.clone();
        if place.mirror {
            asked.credential = None;
        }
        let mut way = asked.way(self.host, &place.host, &repository);
        let same = |known: &&Known| {
            known.place == place && known.way.access.credential == way.access.credential
        };
        if let Some(known) = self.known.iter().find(same) {
            let registry = Arc::clone(&known.registry);
            return Source {
                registry,
                repository,
            };
        }
        way.access.insecure |= place.insecure;
        way.access.plain = place.plain;
        way.access.limits = self.limits(place.mirror);
        let registry = Arc::new(Registry::new(&place.host, way.access.clone()));
        self.known.push(Known {
            place,
            way,
            registry: Arc::clone(&registry),
        });
        Source {
            registry,
            repository,
        }
    }

    fn limits(&self, mirror: bool) -> Limits {
        let mut limits = Limits::default().tried(self.request.retries, self.request.delay);
        if mirror {
            // Somebody else can be asked instead.
            limits.attempts = limits.attempts.min(2);
            limits.patience = Duration::from_secs(2);
        }
        limits
    }
}
