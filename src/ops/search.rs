//! `search`: repositories by a word, and the tags of one.
//!
//! Lives here: which registries are asked, and what is left out of their answers.
//! Must not: speak HTTP (`image::registry::search`).
//! Called by: `cli`.
//! Always true: a word without a registry is Docker Hub's, or goes through those
//! that `unqualified-search-registries` names; of several that are asked, one that
//! does not answer keeps no other from it.

use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::image::registry::Registry;
use crate::image::registry::search::{self, Found};
use crate::image::registry::settings::Settings;
use crate::image::transfer::{self, Source};
use crate::ops::Session;
use crate::ops::access::{Asked, Way};
use crate::ops::pull::settings;
use crate::spec::reference::{DOCKER_HUB, Reference, is_short};

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The word, perhaps with a registry before it.
    pub term: String,
    /// How many at most.
    pub most: usize,
    /// `--filter`: keys and values.
    pub filters: Vec<(String, String)>,
    /// How registries are to be spoken to.
    pub asked: Asked,
}

/// Returns what was found, with its registry before each name but Docker Hub's.
pub fn search(session: &Session, request: &Request) -> Result<Vec<Found>> {
    let filters = Filters::parse(&request.filters)?;
    let settings = settings(&session.host)?;
    let hub = [DOCKER_HUB.to_owned()];
    let (registries, term) = match request.term.split_once('/') {
        Some((host, term)) if !is_short(&request.term) => (vec![host.to_owned()], term),
        _ if settings.search_registries().is_empty() => (hub.to_vec(), request.term.as_str()),
        _ => (settings.search_registries().to_vec(), request.term.as_str()),
    };
    let mut all = Vec::new();
    let mut failed = None;
    for registry in &registries {
        match ask(session, request, &settings, registry, term) {
            Ok(found) => all.extend(found),
            Err(error) => {
                let error = error.what(format!("cannot search \"{registry}\""));
                if registries.len() > 1 {
                    session.progress.warn(&error.to_string());
                }
                failed = Some(error);
            }
        }
    }
    match failed {
        Some(error) if all.is_empty() => Err(error),
        _ => {
            all.retain(|found| filters.let_through(found));
            Ok(all)
        }
    }
}

/// Returns the tags of a repository, at most so many.
pub fn tags(session: &Session, request: &Request) -> Result<(Reference, Vec<String>)> {
    let settings = settings(&session.host)?;
    let image = settings.meaning(&request.term)?;
    let (registry, _) = registry(
        session,
        request,
        &settings,
        &image.registry,
        &image.repository,
    );
    let source = Source {
        registry: Arc::new(registry),
        repository: image.repository.clone(),
    };
    let mut tags = transfer::tags(vec![source], &session.progress)
        .map_err(|error| error.what(format!("cannot list the tags of \"{}\"", request.term)))?;
    tags.truncate(request.most);
    Ok((image, tags))
}

fn ask(
    session: &Session,
    request: &Request,
    settings: &Settings,
    host: &str,
    term: &str,
) -> Result<Vec<Found>> {
    let (registry, way) = registry(session, request, settings, host, "");
    let mut found =
        search::search(&registry, term, request.most).map_err(|error| way.explain(error))?;
    if host != DOCKER_HUB {
        for one in &mut found {
            one.name = format!("{host}/{}", one.name);
        }
    }
    Ok(found)
}

fn registry(
    session: &Session,
    request: &Request,
    settings: &Settings,
    host: &str,
    repository: &str,
) -> (Registry, Way) {
    let mut way = request.asked.way(&session.host, host, repository);
    way.access.insecure |= settings.is_insecure(host);
    (Registry::new(host, way.access.clone()), way)
}

/// What is left out.
#[derive(Debug, Default)]
struct Filters {
    stars: u64,
    official: Option<bool>,
    automated: Option<bool>,
}

impl Filters {
    fn parse(pairs: &[(String, String)]) -> Result<Self> {
        let mut filters = Self::default();
        for (key, value) in pairs {
            let bad = |wanted: &str| {
                Error::of(
                    Kind::Usage,
                    format!("filter {key}={value} makes no sense: its value is {wanted}"),
                )
            };
            let truth = || match value.as_str() {
                "true" | "1" | "" => Ok(Some(true)),
                "false" | "0" => Ok(Some(false)),
                _ => Err(bad("true or false")),
            };
            match key.as_str() {
                "stars" => filters.stars = value.parse().map_err(|_| bad("a number"))?,
                "is-official" => filters.official = truth()?,
                "is-automated" => filters.automated = truth()?,
                _ => {
                    return Err(Error::of(
                        Kind::Usage,
                        format!("there is no filter \"{key}\" of search"),
                    )
                    .hint("filters are stars, is-official and is-automated"));
                }
            }
        }
        Ok(filters)
    }

    fn let_through(&self, found: &Found) -> bool {
        found.stars >= self.stars
            && self.official.is_none_or(|wanted| found.official == wanted)
            && self
                .automated
                .is_none_or(|wanted| found.automated == wanted)
    }
}
