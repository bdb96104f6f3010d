//! Credentials: what `login` of rpod, docker or podman keeps.
//!
//! ```text
//! $REGISTRY_AUTH_FILE                           alone, where it is set
//! $DOCKER_CONFIG/config.json                    where it is set
//! $XDG_RUNTIME_DIR/containers/auth.json         podman's, then
//! $XDG_CONFIG_HOME/containers/auth.json
//! ~/.docker/config.json                         docker's
//! ```
//!
//! Lives here: [`Secret`], [`Credential`], and which files are read and written;
//! one file is `file`'s, a helper `helper`'s.
//! Must not: talk to a registry.
//! Called by: `ops`, before it enters a user namespace: a helper that asks a
//! session's key store must be the user it says it is.
//! Always true: no secret is ever shown: [`Secret`] has no `Display` and a
//! `Debug` of stars. What cannot be read is told only when a registry refuses us.
//! A login is written where it is found first.

pub mod base64;
mod file;
mod helper;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::Result;
pub use file::{HUB_SERVER, Kept};

/// Bytes of a credentials file or a helper's answer at most.
const LIMIT: u64 = 1 << 20;

/// Text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text, for a header or a form and nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What a registry is told to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A user and a password.
    Password {
        /// The user's name, any UTF-8.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token of OAuth2 that other tokens are got with.
    Identity(Secret),
}

/// What a search found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The credential, if there is one.
    pub credential: Option<Credential>,
    /// What could not be read or asked; to be told when the registry refuses us.
    pub trouble: Vec<String>,
}

/// Returns the value of a `Basic` authorization (RFC 7617), in UTF-8.
pub fn basic(user: &str, password: &Secret) -> Secret {
    let text = format!("{user}:{}", password.reveal());
    Secret(format!("Basic {}", base64::encode(text.as_bytes())))
}

/// Where credentials are looked for, first to last.
#[derive(Clone, Debug)]
pub struct Places {
    files: Vec<PathBuf>,
    /// The first of them was named by the user, and is written to though it is not there.
    named: bool,
}

impl Places {
    /// Reads the environment through `variable`.
    pub fn from_environment(home: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let directory = |name: &str| {
            variable(name)
                .filter(|text| !text.is_empty())
                .map(PathBuf::from)
        };
        if let Some(file) = directory("REGISTRY_AUTH_FILE") {
            return Self::at(file);
        }
        let config = directory("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
        let mut files: Vec<PathBuf> = directory("DOCKER_CONFIG")
            .map(|docker| docker.join("config.json"))
            .into_iter()
            .collect();
        let named = !files.is_empty();
        files.extend(directory("XDG_RUNTIME_DIR").map(|run| run.join("containers/auth.json")));
        files.push(config.join("containers/auth.json"));
        if !named {
            files.push(home.join(".docker/config.json"));
        }
        Self { files, named }
    }

    /// Returns one place alone: `--authfile`.
    pub fn at(file: PathBuf) -> Self {
        Self {
            files: vec![file],
            named: true,
        }
    }

    /// Keeps a login; `user` is who logged in, whatever was got for it.
    pub fn keep(&self, key: &str, user: &str, credential: &Credential) -> Result<Kept> {
        file::keep(self.written(), key, user, credential)
    }

    /// Forgets a login wherever it is; says whether there was one.
    pub fn forget(&self, key: &str) -> Result<bool> {
        let mut found = false;
        for path in &self.files {
            found |= file::forget(path, key)?;
        }
        Ok(found)
    }

    /// Forgets every login.
    pub fn forget_all(&self) -> Result<()> {
        self.files
            .iter()
            .try_for_each(|path| file::forget_all(path))
    }

    /// Returns the file that a login is written to: where somebody said so, the first
    /// that is there, or docker's, which survives a reboot and podman reads as well.
    fn written(&self) -> &Path {
        let first = &self.files[0];
        if self.named {
            return first;
        }
        let there = self.files.iter().find(|path| path.exists());
        there.or(self.files.last()).unwrap_or(first)
    }

    /// Returns the credential for a repository at a registry.
    pub fn find(&self, registry: &str, repository: &str) -> Found {
        let mut found = Found::default();
        let keys = keys(registry, repository);
        for path in &self.files {
            match file::find(path, &keys) {
                Ok(Some(credential)) => {
                    found.credential = Some(credential);
                    break;
                }
                Ok(None) => {}
                Err(error) => found.trouble.push(error.to_string()),
            }
        }
        found
    }
}

/// Returns what an entry may be called, the narrowest first: `host/a/b`, `host/a`, `host`.
fn keys(registry: &str, repository: &str) -> Vec<String> {
    let mut path = match repository {
        "" => registry.to_owned(),
        repository => format!("{registry}/{repository}"),
    };
    let mut keys = vec![path.clone()];
    while let Some((head, _)) = path.rsplit_once('/') {
        path = head.to_owned();
        keys.push(path.clone());
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::base64::encode;
    use super::{Credential, Places, Secret, basic};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_is_never_shown() {
        let secret = basic("alice", &Secret::new("hunter2"));
        assert_eq!(secret.reveal(), "Basic YWxpY2U6aHVudGVyMg==");
        let credential = Credential::Password {
            user: "alice".to_owned(),
            password: Secret::new("hunter2"),
        };
        assert_eq!(format!("{secret:?}"), "***");
        assert!(!format!("{credential:?}").contains("hunter2"));
    }

    fn password(user: &str) -> Option<Credential> {
        Some(Credential::Password {
            user: user.to_owned(),
            password: Secret::new("pw"),
        })
    }

    #[test]
    fn the_narrowest_entry_of_the_first_file_wins() {
        let dir = tempfile::tempdir().expect("a directory");
        let entry = |user: &str| {
            format!(
                r#"{{"auth":"{}"}}"#,
                encode(format!("{user}:pw").as_bytes())
            )
        };
        let podman = format!(
            r#"{{"auths":{{"r.example/team/x":{},"r.example":{},"docker.io":{}}}}}"#,
            entry("narrow"),
            entry("wide"),
            entry("hub")
        );
        let docker = format!(
            r#"{{"auths":{{"https://index.docker.io/v1/":{},"https://old.example/v1/":{},"id.example":{{"identitytoken":"pw"}}}}}}"#,
            entry("second"),
            entry("old")
        );
        std::fs::create_dir_all(dir.path().join(".config/containers")).expect("made");
        std::fs::create_dir_all(dir.path().join(".docker")).expect("made");
        std::fs::write(dir.path().join(".config/containers/auth.json"), podman).expect("written");
        std::fs::write(dir.path().join(".docker/config.json"), docker).expect("written");
        let places = Places::from_environment(dir.path(), &|_| None);
        for (registry, repository, credential) in [
            ("r.example", "team/x", password("narrow")),
            ("r.example", "team/x/y", password("narrow")),
            ("r.example", "team/z", password("wide")),
            ("docker.io", "library/busybox", password("hub")),
            ("old.example", "a", password("old")),
            (
                "id.example",
                "a",
                Some(Credential::Identity(Secret::new("pw"))),
            ),
            ("none.example", "a", None),
        ] {
            assert_eq!(
                places.find(registry, repository).credential,
                credential,
                "{registry}/{repository}"
            );
        }
    }

    #[test]
    fn what_is_broken_is_told_without_its_content() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("auth.json");
        std::fs::write(&file, r#"{"auths":{"x":{"auth":["hunter2"]}}}"#).expect("written");
        let name = file.to_str().expect("a name").to_owned();
        let places = Places::from_environment(dir.path(), &|v| {
            (v == "REGISTRY_AUTH_FILE").then(|| name.clone())
        });
        let found = places.find("x", "y");
        assert_eq!(found.credential, None);
        assert!(found.trouble[0].contains("auth.json"), "{found:?}");
        assert!(!found.trouble[0].contains("hunter2"), "{found:?}");
    }

    #[test]
    fn a_helper_that_is_missing_is_told_and_no_obstacle() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("config.json");
        std::fs::write(&file, r#"{"credsStore":"not-there-at-all"}"#).expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("set");
        let name = dir.path().to_str().expect("a name").to_owned();
        let places = Places::from_environment(dir.path(), &|v| {
            (v == "DOCKER_CONFIG").then(|| name.clone())
        });
        let found = places.find("docker.io", "library/x");
        assert_eq!(found.credential, None);
        assert!(found.trouble[0].contains("docker-credential-not-there-at-all"));
    }
}
