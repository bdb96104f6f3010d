//! Image references: what people type after `run` and `pull`.
//!
//! Lives here: [`Reference`], docker's grammar and its short names.
//! Must not: know the store, a registry or a configuration file.
//! Called by: `cli`, `ops`, `image`, `store`.
//! Always true: a reference names a registry, a repository and a tag or digest;
//! `busybox` is `docker.io/library/busybox:latest`, without asking anyone.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::spec::digest::Digest;

/// The registry that a name without a host means.
pub const DOCKER_HUB: &str = "docker.io";

/// A complete image name (distribution spec, "Pulling manifests"; docker's reference grammar).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    /// Host, with its port if it has one: `docker.io`, `localhost:5000`.
    pub registry: String,
    /// Path below the host: `library/busybox`.
    pub repository: String,
    /// Tag; `latest` when neither tag nor digest was typed.
    pub tag: Option<String>,
    /// Digest, when one was typed.
    pub digest: Option<Digest>,
}

impl Reference {
    /// Returns the short form people know: `busybox:latest`, `localhost:5000/x:1`, `name@sha256:…`.
    pub fn familiar(&self) -> String {
        let mut out = self.familiar_name();
        if let Some(tag) = &self.tag {
            out.push(':');
            out.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            out.push('@');
            out.push_str(digest.as_str());
        }
        out
    }

    /// Returns the short form of the name alone: `busybox`, `localhost:5000/x`.
    pub fn familiar_name(&self) -> String {
        if self.registry != DOCKER_HUB {
            return format!("{}/{}", self.registry, self.repository);
        }
        let path = &self.repository;
        match path.strip_prefix("library/") {
            Some(rest) if !rest.contains('/') => rest.to_owned(),
            _ => path.clone(),
        }
    }

    /// Returns what a manifest is asked by: the digest if there is one, else the tag.
    pub fn manifest(&self) -> &str {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.as_str(),
            (None, Some(tag)) => tag,
            (None, None) => "latest",
        }
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |why: &str| Error::of(Kind::Usage, format!("\"{text}\" is no image name: {why}"));
        if text.is_empty() {
            return Err(bad("it is empty"));
        }
        if text.starts_with("http://") || text.starts_with("https://") {
            return Err(bad("leave out the scheme").hint(format!(
                "write `{}`",
                text.split_once("//").map_or(text, |(_, rest)| rest)
            )));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (
                rest,
                Some(
                    digest
                        .parse::<Digest>()
                        .map_err(|e| e.kind_of(Kind::Usage))?,
                ),
            ),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if let Some(tag) = tag
            && !is_tag(tag)
        {
            return Err(bad(
                "a tag has 1 to 128 letters, digits, \"_\", \".\" and \"-\"",
            ));
        }
        let (registry, path) = match name.split_once('/') {
            Some((host, path)) if is_host(host) => (host, path.to_owned()),
            _ if name.contains('/') => (DOCKER_HUB, name.to_owned()),
            _ => (DOCKER_HUB, format!("library/{name}")),
        };
        let registry = match registry {
            "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB,
            other => other,
        };
        let path = match path.split_once('/') {
            None if registry == DOCKER_HUB => format!("library/{path}"),
            _ => path,
        };
        if path.chars().any(char::is_uppercase) {
            return Err(bad("a repository's name is in lower case")
                .hint(format!("write `{}`", text.to_lowercase())));
        }
        if path.len() > 255 || !path.split('/').all(is_component) {
            return Err(bad(
                "a repository's name has lower-case letters and digits, parted by \".\", \"_\", \"-\" or \"/\"",
            ));
        }
        let tag = match (&digest, tag) {
            (None, None) => Some("latest".to_owned()),
            (_, tag) => tag.map(str::to_owned),
        };
        Ok(Self {
            registry: registry.to_owned(),
            repository: path,
            tag,
            digest,
        })
    }
}

/// Says whether a name leaves its registry out: `busybox`, `user/app`.
pub fn is_short(text: &str) -> bool {
    let name = text.split('@').next().unwrap_or(text);
    name.split_once('/')
        .is_none_or(|(first, _)| !is_host(first))
}

/// The first component is a host if it has a dot or a port, or is `localhost`.
fn is_host(text: &str) -> bool {
    let good = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'));
    good && (text.contains('.') || text.contains(':') || text == "localhost")
}

fn is_tag(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=128).contains(&bytes.len())
        && !matches!(bytes[0], b'.' | b'-')
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

fn is_component(text: &str) -> bool {
    let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    ends(bytes.first())
        && ends(bytes.last())
        && !text.contains("..")
        && bytes
            .iter()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
}

impl fmt::Display for Reference {
    /// Writes the complete form: `docker.io/library/busybox:latest`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Reference {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Reference;

    #[test]
    fn short_names_mean_docker_hub() {
        for (typed, whole, familiar) in [
            (
                "busybox",
                "docker.io/library/busybox:latest",
                "busybox:latest",
            ),
            (
                "ubuntu:16.04",
                "docker.io/library/ubuntu:16.04",
                "ubuntu:16.04",
            ),
            (
                "docker.io/redis",
                "docker.io/library/redis:latest",
                "redis:latest",
            ),
            (
                "zhangcaiwang/kubia:1.0",
                "docker.io/zhangcaiwang/kubia:1.0",
                "zhangcaiwang/kubia:1.0",
            ),
            (
                "localhost:5000/my-ubuntu",
                "localhost:5000/my-ubuntu:latest",
                "localhost:5000/my-ubuntu:latest",
            ),
            ("localhost/x", "localhost/x:latest", "localhost/x:latest"),
            (
                "registry.cn-shenzhen.aliyuncs.com/gail/repo:hello-world",
                "registry.cn-shenzhen.aliyuncs.com/gail/repo:hello-world",
                "registry.cn-shenzhen.aliyuncs.com/gail/repo:hello-world",
            ),
        ] {
            let reference: Reference = typed.parse().expect(typed);
            assert_eq!(reference.to_string(), whole);
            assert_eq!(reference.familiar(), familiar);
            assert_eq!(whole.parse::<Reference>().ok(), Some(reference));
        }
    }

    #[test]
    fn a_digest_stands_without_a_tag() {
        let text = format!("busybox@sha256:{}", "a".repeat(64));
        let reference: Reference = text.parse().expect("it is one");
        assert_eq!(reference.tag, None);
        assert_eq!(reference.familiar(), text);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (typed, why) in [
            ("", "empty"),
            ("https://x.y/z", "scheme"),
            ("Busybox", "lower case"),
            ("a/../b", "letters"),
            ("a:b c", "tag"),
            ("//user", "letters"),
            ("a@sha256:12", "digest"),
        ] {
            let error = typed.parse::<Reference>().expect_err(typed).to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
