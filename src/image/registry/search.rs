//! Searching: what a registry has under a word.
//!
//! ```text
//! GET /v1/search?q=<term>&n=<most>     Docker Hub (index.docker.io) and those that do as it does
//! GET /v2/_catalog                     any other, page by page: names alone
//! ```
//!
//! Lives here: both questions, and one form for their answers.
//! Must not: know which registries are searched.
//! Called by: `ops::search`.
//! Always true: a registry is read no further than as many were found as were
//! wanted, or [`PAGES`] pages.

use hyper::StatusCode;
use serde::Deserialize;

use crate::error::{Context, Error, Result};
use crate::image::registry::http::Call;
use crate::image::registry::url::{Origin, Url, escape};
use crate::image::registry::{Registry, next_page};
use crate::spec::reference::DOCKER_HUB;
use crate::store::artifacts::clean;
use crate::store::images::DOCUMENT_LIMIT;

/// What a search needs: the names of all repositories.
const CATALOGUE: &str = "registry:catalog:*";

/// Pages of a catalogue that are read.
const PAGES: usize = 100;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Found {
    /// The repository's name.
    #[serde(default)]
    pub name: String,
    /// What its owner says of it.
    #[serde(default)]
    pub description: String,
    /// How many people have marked it.
    #[serde(default, rename = "star_count")]
    pub stars: u64,
    /// Docker itself looks after it.
    #[serde(default, rename = "is_official")]
    pub official: bool,
    /// It is built by Docker Hub.
    #[serde(default, rename = "is_automated")]
    pub automated: bool,
}

impl Registry {
    /// Returns at most so many repositories of which a word is a part.
    pub async fn search(&self, term: &str, most: usize) -> Result<Vec<Found>> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            results: Vec<Found>,
        }
        let path = format!("/v1/search?q={}&n={most}", escape(term));
        let call = match self.name() {
            DOCKER_HUB => Call::get(Url {
                origin: Origin::parse("index.docker.io", true)?,
                path,
            }),
            _ => self.call(&path).await?,
        };
        let mut answer = self.ask(CATALOGUE, &call).await?;
        let found: Option<Answer> = match answer.status {
            StatusCode::OK => serde_json::from_slice(&answer.bytes(DOCUMENT_LIMIT).await?).ok(),
            _ => None,
        };
        match found {
            Some(found) => Ok(found.results.into_iter().take(most).map(tidy).collect()),
            None if self.name() == DOCKER_HUB => Err(self.refusal(answer, "search").await),
            None => self.catalogue(term, most).await,
        }
    }

    async fn catalogue(&self, term: &str, most: usize) -> Result<Vec<Found>> {
        #[derive(Deserialize)]
        struct Page {
            repositories: Option<Vec<String>>,
        }
        let mut call = self.call("/v2/_catalog?n=1000").await?;
        let mut found = Vec::new();
        for _ in 0..PAGES {
            let mut answer = self.ask(CATALOGUE, &call).await?;
            if answer.status != StatusCode::OK {
                return Err(self.refusal(answer, "search and no catalogue").await);
            }
            let next = answer.header("link").and_then(next_page);
            let next = next.map(|next| call.url.join(&next)).transpose()?;
            let bytes = answer.bytes(DOCUMENT_LIMIT).await?;
            let page: Page = serde_json::from_slice(&bytes).what(|| "cannot read its catalogue")?;
            let names = page.repositories.unwrap_or_default();
            found.extend(names.into_iter().filter(|name| name.contains(term)));
            match next {
                Some(url) if url.origin == call.url.origin && found.len() < most => call.url = url,
                _ => break,
            }
        }
        let named = |name: String| {
            tidy(Found {
                name,
                description: String::new(),
                stars: 0,
                official: false,
                automated: false,
            })
        };
        Ok(found.into_iter().take(most).map(named).collect())
    }
}

/// Words of strangers, fit for a terminal.
fn tidy(mut found: Found) -> Found {
    found.name = clean(&found.name);
    found.description = clean(&found.description.replace(['\n', '\r', '\t'], " "));
    found
}

/// Asks a registry, on this thread.
pub fn search(registry: &Registry, term: &str, most: usize) -> Result<Vec<Found>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(Error::from)
        .what(|| "cannot set up for the network")?;
    runtime.block_on(registry.search(term, most))
}
