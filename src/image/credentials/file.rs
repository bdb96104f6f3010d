//! One file of logins: docker's `config.json` or containers' `auth.json`.
//!
//! ```text
//! { "auths": { "host[/path]": { "auth": base64("user:password") | "identitytoken": … } },
//!   "credHelpers": { "host": "name" }, "credsStore": "name" }     containers-auth.json(5)
//! ```
//!
//! Lives here: finding, keeping and forgetting a login in one file, with the
//! helpers it names.
//! Must not: choose among files.
//! Called by: `credentials`.
//! Always true: what we do not understand of a file is kept; it is replaced as a
//! whole, is for its owner alone, and one rpod at a time changes it. What is said
//! of a broken file never quotes it.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::ser::PrettyFormatter;
use serde_json::{Map, Value, json};

use crate::error::{Context, Error, Result};
use crate::image::credentials::{Credential, LIMIT, Secret, base64, helper};
use crate::spec::reference::DOCKER_HUB;
use crate::store::atomic;

/// What docker calls Docker Hub.
pub const HUB_SERVER: &str = "https://index.docker.io/v1/";

/// Where a login was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// In the file, as it is.
    InFile(PathBuf),
    /// By a helper of this name.
    ByHelper(String),
}

/// Returns the credential that a file has for the first of some keys it knows.
pub fn find(path: &Path, keys: &[String]) -> Result<Option<Credential>> {
    let Some(document) = load(path)? else {
        return Ok(None);
    };
    let file = Logins(&document);
    let what = || format!("cannot read \"{}\"", path.display());
    let mut trouble = None;
    let mut ask = |name: &str, key: &str| {
        for server in servers(key) {
            match helper::get(name, &server) {
                Ok(Some(credential)) => return Some(credential),
                Ok(None) => {}
                Err(error) => trouble = Some(error),
            }
        }
        None
    };
    for key in keys {
        if let Some(name) = file.helper_of(key)
            && let Some(credential) = ask(name, key)
        {
            return Ok(Some(credential));
        }
        if let Some(entry) = file.entry(key)
            && let Some(credential) = open(entry).what(what)?
        {
            return Ok(Some(credential));
        }
    }
    if let Some(name) = file.store() {
        for key in keys {
            if let Some(credential) = ask(name, key) {
                return Ok(Some(credential));
            }
        }
    }
    trouble.map_or(Ok(None), Err)
}

/// Keeps a login: with the helper the file names for the key, else in the file.
pub fn keep(path: &Path, key: &str, user: &str, credential: &Credential) -> Result<Kept> {
    let _lock = lock(path)?;
    let mut document = load(path)?.unwrap_or_default();
    let name = {
        let file = Logins(&document);
        file.helper_of(key).or(file.store()).map(str::to_owned)
    };
    let server = server_in(path, key);
    let entry = match &name {
        Some(name) => {
            helper::store(name, &server, credential)?;
            // docker keeps an empty entry, so that `logout` knows of it.
            json!({})
        }
        None => closed(user, credential),
    };
    forget_in(&mut document, key);
    if let Some(auths) = document.get_mut("auths").and_then(Value::as_object_mut) {
        auths.insert(server, entry);
    }
    replace(path, &document)?;
    Ok(name.map_or_else(|| Kept::InFile(path.to_owned()), Kept::ByHelper))
}

/// Forgets a login; says whether there was one.
pub fn forget(path: &Path, key: &str) -> Result<bool> {
    if !path.exists() {
        return Ok(false);
    }
    let _lock = lock(path)?;
    let Some(mut document) = load(path)? else {
        return Ok(false);
    };
    let file = Logins(&document);
    let mut found = file.entry(key).is_some();
    if let Some(name) = file.helper_of(key).or(file.store()) {
        for server in servers(key) {
            if helper::get(name, &server).ok().flatten().is_some() {
                helper::erase(name, &server)?;
                found = true;
            }
        }
    }
    let before = document.clone();
    forget_in(&mut document, key);
    if document != before {
        replace(path, &document)?;
    }
    Ok(found)
}

/// Forgets every login that the file or a helper of its has.
pub fn forget_all(path: &Path) -> Result<()> {
    let Some(document) = load(path)? else {
        return Ok(());
    };
    let file = Logins(&document);
    let mut keys: Vec<String> = file.keys("auths");
    keys.extend(file.keys("credHelpers"));
    if let Some(name) = file.store() {
        keys.extend(helper::list(name)?);
    }
    keys.iter()
        .try_for_each(|key| forget(path, plain_key(key)).map(drop))
}

/// What a file says.
struct Logins<'a>(&'a Map<String, Value>);

impl<'a> Logins<'a> {
    fn entry(&self, key: &str) -> Option<&'a Value> {
        let auths = self.0.get("auths")?.as_object()?;
        let found = auths.iter().find(|(name, _)| same(name, key));
        found.map(|(_, entry)| entry)
    }

    fn helper_of(&self, key: &str) -> Option<&'a str> {
        let helpers = self.0.get("credHelpers")?.as_object()?;
        let found = helpers.iter().find(|(name, _)| same(name, key));
        found.and_then(|(_, name)| name.as_str())
    }

    fn store(&self) -> Option<&'a str> {
        let name = self.0.get("credsStore")?.as_str()?;
        (!name.is_empty()).then_some(name)
    }

    fn keys(&self, field: &str) -> Vec<String> {
        let map = self.0.get(field).and_then(Value::as_object);
        map.into_iter().flat_map(Map::keys).cloned().collect()
    }
}

/// Reads a file; none when there is none. An empty one says nothing.
fn load(path: &Path) -> Result<Option<Map<String, Value>>> {
    let what = || format!("cannot read \"{}\"", path.display());
    let mut text = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(LIMIT).read_to_end(&mut text).what(what)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).what(what),
    };
    if text.trim_ascii().is_empty() {
        return Ok(Some(Map::new()));
    }
    // What serde says of a value that does not fit may quote the value.
    let document: Value = serde_json::from_slice(&text)
        .map_err(|error| Error::new(format!("line {} is not as it should be", error.line())))
        .what(what)?;
    let Value::Object(map) = document else {
        return Err(Error::new("it is no JSON object").what(what()));
    };
    for field in ["auths", "credHelpers"] {
        if map
            .get(field)
            .is_some_and(|v| !v.is_object() && !v.is_null())
        {
            return Err(Error::new(format!("its \"{field}\" is not as it should be")).what(what()));
        }
    }
    Ok(Some(map))
}

/// Puts a document in the place of the file.
fn replace(path: &Path, document: &Map<String, Value>) -> Result<()> {
    let what = || format!("cannot write \"{}\"", path.display());
    // Where the name is a link, as keepers of settings make them, its target is replaced.
    let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut text = Vec::new();
    let formatter = PrettyFormatter::with_indent(b"\t");
    let mut writer = serde_json::Serializer::with_formatter(&mut text, formatter);
    serde::Serialize::serialize(document, &mut writer).what(what)?;
    text.push(b'\n');
    let staged = place.with_extension(format!("json.{}", atomic::random_name()));
    let written = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&staged)
        .and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&staged, &place)?;
            atomic::sync_parent(&place)
        });
    if written.is_err() {
        drop(fs::remove_file(&staged));
    }
    written.what(what)
}

/// Keeps other rpods from changing the file meanwhile: the lock is on its directory,
/// for the file itself is another after each change.
fn lock(path: &Path) -> Result<File> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let what = || format!("cannot write \"{}\"", path.display());
    let mut builder = fs::DirBuilder::new();
    builder
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .what(what)?;
    let lock = File::open(directory).what(what)?;
    lock.lock().what(what)?;
    Ok(lock)
}

/// Takes the entry of a key out; the map of entries is there afterwards.
fn forget_in(document: &mut Map<String, Value>, key: &str) {
    match document.get_mut("auths").and_then(Value::as_object_mut) {
        Some(auths) => auths.retain(|name, _| !same(name, key)),
        None => drop(document.insert("auths".to_owned(), json!({}))),
    }
}

fn closed(user: &str, credential: &Credential) -> Value {
    match credential {
        Credential::Password { user, password } => {
            let text = format!("{user}:{}", password.reveal());
            json!({ "auth": base64::encode(text.as_bytes()) })
        }
        Credential::Identity(token) => json!({
            "auth": base64::encode(format!("{user}:").as_bytes()),
            "identitytoken": token.reveal(),
        }),
    }
}

fn open(entry: &Value) -> Result<Option<Credential>> {
    let mut texts = [None, None, None, None];
    let fields = ["identitytoken", "auth", "username", "password"];
    for (text, field) in texts.iter_mut().zip(fields) {
        *text = match entry.get(field) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.as_str()).filter(|text| !text.is_empty()),
            Some(_) => {
                return Err(Error::new(format!("a \"{field}\" is not as it should be")));
            }
        };
    }
    let [token, auth, user, password] = texts;
    if let Some(token) = token {
        return Ok(Some(Credential::Identity(Secret::new(token))));
    }
    if let Some(text) = auth {
        let bad = || Error::new("an \"auth\" is not base64 of user:password");
        let text = base64::decode(text)
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(bad)?;
        let (user, password) = text.split_once(':').ok_or_else(bad)?;
        return Ok(Some(Credential::Password {
            user: user.to_owned(),
            password: Secret::new(password.trim_end_matches('\0')),
        }));
    }
    Ok(user
        .zip(password)
        .map(|(user, password)| Credential::Password {
            user: user.to_owned(),
            password: Secret::new(password),
        }))
}

fn same(name: &str, key: &str) -> bool {
    plain_key(name) == plain_key(key)
}

/// Docker writes `https://index.docker.io/v1/` and once wrote the scheme before every host.
fn plain_key(key: &str) -> &str {
    let bare = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"));
    let plain = match bare {
        Some(rest) => rest.split('/').next().unwrap_or(rest),
        None => key.trim_end_matches('/'),
    };
    match plain {
        "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB,
        other => other,
    }
}

/// Returns what a server may be called to a helper: docker's word for Docker Hub, and podman's.
fn servers(key: &str) -> Vec<String> {
    if plain_key(key) == DOCKER_HUB {
        vec![HUB_SERVER.to_owned(), DOCKER_HUB.to_owned()]
    } else {
        vec![key.to_owned()]
    }
}

/// Returns what a key is called in a file: docker's files have docker's word for Docker Hub.
fn server_in(path: &Path, key: &str) -> String {
    let dockers = path.file_name().is_some_and(|name| name == "config.json");
    if dockers && key == DOCKER_HUB {
        HUB_SERVER.to_owned()
    } else {
        key.to_owned()
    }
}
