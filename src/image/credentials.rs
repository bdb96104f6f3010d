//! Credentials: what `login` of podman, docker or rpod left behind.
//!
//! ```text
//! $REGISTRY_AUTH_FILE                           alone, where it is set
//! $XDG_RUNTIME_DIR/containers/auth.json         podman's, then
//! $XDG_CONFIG_HOME/containers/auth.json
//! $DOCKER_CONFIG/config.json, ~/.docker/config.json
//!
//! { "auths": { "host[/path]": { "auth": base64("user:password") | "identitytoken": … } },
//!   "credHelpers": { "host": "name" }, "credsStore": "name" }     containers-auth.json(5)
//! ```
//!
//! Lives here: [`Secret`], [`Credential`], and the search for one.
//! Must not: write these files, or talk to a registry.
//! Called by: `ops::pull` before it enters a user namespace: a helper that asks
//! a session's key store must be the user it says it is.
//! Always true: no secret is ever shown: [`Secret`] has no `Display` and a
//! `Debug` of stars. What cannot be read is told only when a registry refuses us.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::error::{Context, Error, Result};
use crate::spec::reference::DOCKER_HUB;

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
    Secret(format!("Basic {}", encode(text.as_bytes())))
}

/// Where credentials are looked for, first to last.
#[derive(Clone, Debug)]
pub struct Places {
    files: Vec<PathBuf>,
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
            return Self { files: vec![file] };
        }
        let config = directory("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
        let docker = directory("DOCKER_CONFIG").unwrap_or_else(|| home.join(".docker"));
        let mut files: Vec<PathBuf> = directory("XDG_RUNTIME_DIR")
            .map(|run| run.join("containers/auth.json"))
            .into_iter()
            .collect();
        files.push(config.join("containers/auth.json"));
        files.push(docker.join("config.json"));
        Self { files }
    }

    /// Returns the credential for a repository at a registry.
    pub fn find(&self, registry: &str, repository: &str) -> Found {
        let mut found = Found::default();
        for path in &self.files {
            match look(path, registry, repository) {
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

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AuthFile {
    auths: BTreeMap<String, Auth>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

fn look(path: &Path, registry: &str, repository: &str) -> Result<Option<Credential>> {
    let what = || format!("cannot read \"{}\"", path.display());
    let mut text = Vec::new();
    match fs::File::open(path) {
        Ok(file) => file.take(LIMIT).read_to_end(&mut text).what(what)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).what(what),
    };
    // What serde says of a value that does not fit may quote the value.
    let file: AuthFile = serde_json::from_slice(&text)
        .map_err(|error| Error::new(format!("line {} is not as it should be", error.line())))
        .what(what)?;
    let mut trouble = None;
    for key in keys(registry, repository) {
        let helper = file.cred_helpers.get(&key);
        if let Some(helper) = helper {
            match ask_helper(helper, &key) {
                Ok(Some(credential)) => return Ok(Some(credential)),
                Ok(None) => {}
                Err(error) => trouble = Some(error),
            }
        }
        let entry = file
            .auths
            .iter()
            .find(|(name, _)| plain_key(name) == plain_key(&key));
        if let Some((_, auth)) = entry
            && let Some(credential) = open(auth).what(what)?
        {
            return Ok(Some(credential));
        }
    }
    if let Some(helper) = &file.creds_store {
        match ask_helper(helper, &server_name(registry)) {
            Ok(Some(credential)) => return Ok(Some(credential)),
            Ok(None) => {}
            Err(error) => trouble = Some(error),
        }
    }
    trouble.map_or(Ok(None), Err)
}

/// Returns what an entry may be called, the narrowest first: `host/a/b`, `host/a`, `host`.
fn keys(registry: &str, repository: &str) -> Vec<String> {
    let mut path = format!("{registry}/{repository}");
    let mut keys = vec![path.clone()];
    while let Some((head, _)) = path.rsplit_once('/') {
        path = head.to_owned();
        keys.push(path.clone());
    }
    if registry == DOCKER_HUB {
        keys.push("index.docker.io".to_owned());
        keys.push("registry-1.docker.io".to_owned());
    }
    keys
}

/// Docker writes `https://index.docker.io/v1/` and once wrote the scheme before every host.
fn plain_key(key: &str) -> &str {
    let bare = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"));
    match bare {
        Some(rest) => rest.split('/').next().unwrap_or(rest),
        None => key.trim_end_matches('/'),
    }
}

/// Returns what docker calls a registry to a helper.
fn server_name(registry: &str) -> String {
    if registry == DOCKER_HUB {
        "https://index.docker.io/v1/".to_owned()
    } else {
        registry.to_owned()
    }
}

fn open(auth: &Auth) -> Result<Option<Credential>> {
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if let Some(token) = filled(&auth.identitytoken) {
        return Ok(Some(Credential::Identity(Secret(token))));
    }
    if let Some(text) = filled(&auth.auth) {
        let bad = || Error::new("an \"auth\" is not base64 of user:password");
        let text = decode(&text)
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(bad)?;
        let (user, password) = text.split_once(':').ok_or_else(bad)?;
        return Ok(Some(Credential::Password {
            user: user.to_owned(),
            password: Secret(password.trim_end_matches('\0').to_owned()),
        }));
    }
    match (filled(&auth.username), filled(&auth.password)) {
        (Some(user), Some(password)) => Ok(Some(Credential::Password {
            user,
            password: Secret(password),
        })),
        _ => Ok(None),
    }
}

#[derive(Deserialize)]
struct HelperAnswer {
    #[serde(rename = "Username")]
    user: String,
    #[serde(rename = "Secret")]
    secret: String,
}

/// Asks `docker-credential-<name> get` (docker-credential-helpers, "Development").
fn ask_helper(name: &str, server: &str) -> Result<Option<Credential>> {
    let program = format!("docker-credential-{name}");
    let what = || format!("cannot ask credential helper \"{program}\"");
    if name.is_empty() || name.contains('/') {
        return Err(Error::new("that is no name of a helper").what(what()));
    }
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .what(what)?;
    if let Some(mut input) = child.stdin.take() {
        // One that does not read its input says so by its answer.
        drop(input.write_all(server.as_bytes()));
    }
    let mut answer = Vec::new();
    if let Some(output) = child.stdout.take() {
        output.take(LIMIT).read_to_end(&mut answer).what(what)?;
    }
    let status = child.wait().what(what)?;
    if !status.success() {
        let words = String::from_utf8_lossy(&answer);
        if words.contains("credentials not found") {
            return Ok(None);
        }
        return Err(Error::new(format!("it ended with {status}")).what(what()));
    }
    let answer: HelperAnswer = serde_json::from_slice(&answer)
        .map_err(|_| Error::new("its answer is not as it should be").what(what()))?;
    if answer.user == "<token>" {
        return Ok(Some(Credential::Identity(Secret(answer.secret))));
    }
    Ok(Some(Credential::Password {
        user: answer.user,
        password: Secret(answer.secret),
    }))
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes base64 (RFC 4648, 4).
fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let word = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let digit = (word >> (18 - 6 * place)) & 63;
            out.push(if place <= chunk.len() {
                DIGITS[digit as usize].into()
            } else {
                '='
            });
        }
    }
    out
}

/// Reads base64, with or without padding.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut word, mut bits) = (0u32, 0);
    for byte in text.trim().trim_end_matches('=').bytes() {
        let digit = DIGITS.iter().position(|d| *d == byte)?;
        word = word << 6 | u32::try_from(digit).ok()?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits) as u8);
            word &= (1 << bits) - 1;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::{Credential, Places, Secret, basic, decode, encode};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn base64_is_what_everyone_writes() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("卷耳:pä", "5Y236ICzOnDDpA=="),
        ] {
            assert_eq!(encode(plain.as_bytes()), coded);
            assert_eq!(decode(coded).expect("it is base64"), plain.as_bytes());
        }
        assert_eq!(decode("a b"), None);
    }

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
