//! Credential helpers: `docker-credential-<name>`, which keep passwords elsewhere.
//!
//! ```text
//! get     stdin: server                                stdout: {"Username": …, "Secret": …}
//! store   stdin: {"ServerURL": …, "Username": …, "Secret": …}
//! erase   stdin: server
//! list                                                 stdout: {"server": "user"}
//! ```
//!
//! Lives here: that protocol (docker-credential-helpers, "Development").
//! Must not: decide which helper serves whom.
//! Called by: `credentials`, `credentials::file`.
//! Always true: a secret goes through a pipe, never through an argument; what a
//! helper says on failing is not repeated, for it may hold what it was given.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::json;

use crate::error::{Context, Error, Result};
use crate::image::credentials::{Credential, LIMIT, Secret};

/// The user's name that stands for an identity token.
const TOKEN: &str = "<token>";

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Username")]
    user: String,
    #[serde(rename = "Secret")]
    secret: String,
}

/// Asks for the credential of a server.
pub fn get(name: &str, server: &str) -> Result<Option<Credential>> {
    let Some(bytes) = ask(name, "get", server.as_bytes())? else {
        return Ok(None);
    };
    let answer: Answer = serde_json::from_slice(&bytes)
        .map_err(|_| Error::new("its answer is not as it should be").what(cannot(name, "get")))?;
    // Some keep an entry without anything in it where there is none.
    if answer.secret.is_empty() {
        return Ok(None);
    }
    if answer.user == TOKEN {
        return Ok(Some(Credential::Identity(Secret::new(answer.secret))));
    }
    Ok(Some(Credential::Password {
        user: answer.user,
        password: Secret::new(answer.secret),
    }))
}

/// Has it keep a credential.
pub fn store(name: &str, server: &str, credential: &Credential) -> Result<()> {
    let (user, secret) = match credential {
        Credential::Password { user, password } => (user.as_str(), password),
        Credential::Identity(token) => (TOKEN, token),
    };
    let order = json!({ "ServerURL": server, "Username": user, "Secret": secret.reveal() });
    ask(name, "store", order.to_string().as_bytes()).map(drop)
}

/// Has it forget the credential of a server.
pub fn erase(name: &str, server: &str) -> Result<()> {
    ask(name, "erase", server.as_bytes()).map(drop)
}

/// Returns the servers it has credentials of.
pub fn list(name: &str) -> Result<Vec<String>> {
    let bytes = ask(name, "list", b"")?.unwrap_or_default();
    let servers: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&bytes)
        .map_err(|_| Error::new("its answer is not as it should be").what(cannot(name, "list")))?;
    Ok(servers.into_keys().collect())
}

/// Runs a helper; returns nothing when it has no such credential.
fn ask(name: &str, action: &'static str, input: &[u8]) -> Result<Option<Vec<u8>>> {
    let program = format!("docker-credential-{name}");
    let what = || cannot(name, action);
    if name.is_empty() || name.contains('/') {
        return Err(Error::new("that is no name of a helper").what(what()));
    }
    let mut child = Command::new(&program)
        .arg(action)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .what(what)?;
    if let Some(mut pipe) = child.stdin.take() {
        // One that does not read its input says so by its answer.
        drop(pipe.write_all(input));
    }
    let mut answer = Vec::new();
    if let Some(output) = child.stdout.take() {
        output.take(LIMIT).read_to_end(&mut answer).what(what)?;
    }
    let status = child.wait().what(what)?;
    if status.success() {
        return Ok(Some(answer));
    }
    if String::from_utf8_lossy(&answer).contains("credentials not found") {
        return Ok(None);
    }
    Err(Error::new(format!("it ended with {status}"))
        .what(what())
        .hint(format!("`{program} list` may say why")))
}

fn cannot(name: &str, action: &str) -> String {
    let verb = match action {
        "store" => "keep the login with",
        "erase" => "have the login forgotten by",
        _ => "ask",
    };
    format!("cannot {verb} credential helper \"docker-credential-{name}\"")
}
