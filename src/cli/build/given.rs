//! What the caller gives to `RUN` steps: secrets, agents, directories, names of hosts.
//!
//! Lives here: the grammars of `--secret`, `--ssh`, `--volume` and `--add-host`.
//! Must not: keep a secret anywhere but in memory.
//! Called by: `cli::build`.
//! Always true: what cannot be read is said before anything is built.

use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::flags::usage;
use crate::error::{Context, Error, Kind, Result};
use crate::ops::build::agent::{Agent, Key};

/// `NAME:ADDRESS` of `--add-host`.
pub fn host(text: &str) -> Result<(String, String)> {
    match text.split_once([':', '=']) {
        Some((name, address)) if !name.is_empty() && !address.is_empty() => {
            Ok((name.to_owned(), address.trim_matches(['[', ']']).to_owned()))
        }
        _ => Err(usage(format!(
            "--add-host \"{text}\" is not of the form NAME:ADDRESS"
        ))),
    }
}

/// `PATH:TARGET[:ro]` of `--volume`.
pub fn volume(text: &str) -> Result<(PathBuf, String, bool)> {
    let bad = || {
        usage(format!(
            "--volume \"{text}\" is not of the form PATH:TARGET[:ro]"
        ))
    };
    let mut parts = text.split(':');
    let (source, target) = (parts.next().ok_or_else(bad)?, parts.next().ok_or_else(bad)?);
    let mut readonly = false;
    for word in parts.flat_map(|words| words.split(',')) {
        match word {
            "ro" => readonly = true,
            // Labels of SELinux; ownership is the user namespace's.
            "rw" | "z" | "Z" | "U" | "O" => {}
            _ => return Err(bad()),
        }
    }
    if !target.starts_with('/') {
        return Err(bad());
    }
    let source = std::path::absolute(source)?;
    if !source.exists() {
        return Err(Error::of(
            Kind::Usage,
            format!(
                "cannot mount \"{}\": no such file or directory",
                source.display()
            ),
        ));
    }
    Ok((source, target.to_owned(), readonly))
}

/// `id=NAME,src=FILE` or `id=NAME,env=VARIABLE`; with neither, the variable of that name.
pub fn secret(text: &str) -> Result<(String, Vec<u8>)> {
    let (mut id, mut source, mut variable) = (None, None, None);
    for field in text.split(',') {
        match field.split_once('=') {
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("src" | "source", value)) => source = Some(value.to_owned()),
            Some(("env", value)) => variable = Some(value.to_owned()),
            Some(("type", "file" | "env")) => {}
            _ => {
                return Err(
                    usage(format!("--secret \"{text}\": \"{field}\" has no meaning"))
                        .hint("write id=NAME,src=FILE or id=NAME,env=VARIABLE"),
                );
            }
        }
    }
    let id = id
        .or_else(|| variable.clone())
        .ok_or_else(|| usage(format!("--secret \"{text}\" has no id=")))?;
    if let Some(source) = source {
        // `type=env,src=NAME` of docker's.
        if text.split(',').any(|field| field == "type=env") {
            variable = Some(source);
        } else {
            let content = std::fs::read(&source)
                .what(|| format!("cannot read the secret \"{id}\" from \"{source}\""))?;
            return Ok((id, content));
        }
    }
    let name = variable.unwrap_or_else(|| id.clone());
    match std::env::var_os(&name) {
        Some(value) => Ok((id, value.into_encoded_bytes())),
        None => match std::fs::read(&id) {
            Ok(content) => Ok((id, content)),
            Err(_) => Err(usage(format!(
                "--secret \"{text}\": there is no variable \"{name}\""
            ))
            .hint("name a file with src=FILE, or set the variable")),
        },
    }
}

/// `default`, `NAME`, `NAME=SOCKET` or `NAME=KEY,KEY…`.
pub fn agent(text: &str) -> Result<(String, Agent)> {
    use std::os::unix::fs::FileTypeExt;
    let (id, places) = match text.split_once('=') {
        Some((id, places)) => (id, places.to_owned()),
        None => (
            text,
            std::env::var("SSH_AUTH_SOCK").map_err(|_| {
                usage(format!(
                    "--ssh {id}: SSH_AUTH_SOCK is not set, so there is no agent to pass on",
                    id = text
                ))
                .hint("start one: `eval $(ssh-agent) && ssh-add`")
                .hint(format!(
                    "or name a key: `--ssh {text}=$HOME/.ssh/id_ed25519`"
                ))
            })?,
        ),
    };
    let is_socket = |path: &str| -> Result<bool> {
        let meta = std::fs::metadata(path)
            .what(|| format!("--ssh {id}: cannot read the agent or key \"{path}\""))?;
        Ok(meta.file_type().is_socket())
    };
    if is_socket(places.split(',').next().unwrap_or_default())? {
        return Ok((id.to_owned(), Agent::Socket(std::path::absolute(places)?)));
    }
    let mut keys = Vec::new();
    for path in places.split(',') {
        let key = std::fs::read_to_string(path)
            .map_err(Error::from)
            .and_then(|text| Key::read(&text));
        keys.push(key.map_err(|error| {
            error
                .what(format!("--ssh {id}: cannot use the key \"{path}\""))
                .kind_of(Kind::Usage)
                .hint(format!(
                    "add it to an agent and pass that on: `ssh-add {path}`, then `--ssh {id}`"
                ))
        })?);
    }
    Ok((id.to_owned(), Agent::Keys(Arc::new(keys))))
}
