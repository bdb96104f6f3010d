//! `login`: a user's name and password for a registry, proved and kept.
//!
//! Lives here: which registry a word means, and the order: prove, then keep.
//! Must not: ask the user, or know how logins are kept (`image::credentials`).
//! Called by: `cli`, `ops::logout`.
//! Always true: what is kept was accepted by the registry a moment before; where
//! the registry gives an identity token, the password is not kept.

use crate::error::{Context, Error, Kind, Result};
use crate::host::Host;
use crate::image::credentials::{Credential, HUB_SERVER, Kept};
use crate::image::registry::url::Origin;
use crate::image::registry::{self};
use crate::ops::access::Asked;
use crate::ops::pull;
use crate::spec::reference::DOCKER_HUB;

/// A registry to log in to, or a part of one: `host[:port][/path]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server(String);

impl Server {
    /// Returns what a word means; without one, Docker Hub.
    pub fn parse(text: Option<&str>) -> Result<Self> {
        let text = text.unwrap_or(DOCKER_HUB);
        let bad = |why: String| {
            Error::of(Kind::Usage, format!("\"{text}\" is no registry: {why}")).hint(
                "name its host, such as `registry.example:5000`, or leave it out for Docker Hub",
            )
        };
        if text.starts_with('/') {
            return Err(bad("it begins with a slash".to_owned()));
        }
        let bare = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        // docker wrote whole addresses once, and means the host by them.
        let name = match bare {
            Some(rest) => rest.split('/').next().unwrap_or(rest),
            None => text.trim_end_matches('/'),
        };
        let (host, path) = name.split_once('/').unwrap_or((name, ""));
        Origin::parse(host, true).map_err(|error| bad(error.to_string()))?;
        match (host, path) {
            ("docker.io" | "index.docker.io" | "registry-1.docker.io", "" | "v1" | "v2") => {
                Ok(Self(DOCKER_HUB.to_owned()))
            }
            _ => Ok(Self(name.to_owned())),
        }
    }

    /// Returns its host.
    pub fn host(&self) -> &str {
        self.0.split('/').next().unwrap_or(&self.0)
    }

    /// Returns what logins are kept under.
    pub fn key(&self) -> &str {
        &self.0
    }

    /// Returns what docker calls it.
    pub fn shown(&self) -> &str {
        match self.key() {
            DOCKER_HUB => HUB_SERVER,
            key => key,
        }
    }
}

/// Returns the credential that is kept for a registry.
pub fn kept(host: &Host, server: &Server, asked: &Asked) -> Option<Credential> {
    let path = server.key().split_once('/').map_or("", |(_, path)| path);
    let places = asked.places(host);
    places.find(server.host(), path).credential
}

/// Logs in, and keeps the login; returns where.
pub fn login(
    host: &Host,
    server: &Server,
    asked: &Asked,
    user: &str,
    credential: Credential,
) -> Result<Kept> {
    let identity = prove(host, server, asked, credential.clone())?;
    let credential = identity.map_or(credential, Credential::Identity);
    asked
        .places(host)
        .keep(server.key(), user, &credential)
        .what(|| {
            format!(
                "the login to \"{}\" is right, but cannot be kept",
                server.key()
            )
        })
}

/// Asks the registry whether a credential is right.
pub fn check(host: &Host, server: &Server, asked: &Asked, credential: Credential) -> Result<()> {
    prove(host, server, asked, credential).map(drop)
}

fn prove(
    host: &Host,
    server: &Server,
    asked: &Asked,
    credential: Credential,
) -> Result<Option<crate::image::credentials::Secret>> {
    let mut access = asked.access(host, Some(credential));
    access.insecure |= pull::settings(host)?.is_insecure(server.host());
    registry::log_in(server.host(), access)
        .what(|| format!("cannot log in to \"{}\"", server.key()))
}

#[cfg(test)]
mod tests {
    use super::Server;

    #[test]
    fn a_registry_is_known_by_all_its_names() {
        for (typed, key, shown) in [
            (None, "docker.io", "https://index.docker.io/v1/"),
            (
                Some("https://index.docker.io/v1/"),
                "docker.io",
                "https://index.docker.io/v1/",
            ),
            (Some("localhost:5000/"), "localhost:5000", "localhost:5000"),
            (Some("http://r.example/v2/"), "r.example", "r.example"),
            (Some("r.example/team"), "r.example/team", "r.example/team"),
        ] {
            let server = Server::parse(typed).expect("it is one");
            assert_eq!((server.key(), server.shown()), (key, shown));
        }
        for typed in ["//输入用户名", "", "a b", "/x", "-x y"] {
            assert!(Server::parse(Some(typed)).is_err(), "{typed}");
        }
    }
}
