//! What is fetched: files by URL, repositories of git.
//!
//! ```text
//! build/fetched/<hash of the address>/    fetched.json · file            a file
//!                                         fetched.json · tree/           a commit
//! ```
//!
//! A file is asked for again with what its server said of it, so that it only comes
//! when it has changed; with a checksum that is known nobody is asked. A commit never
//! changes.
//!
//! Lives here: fetching, keeping, and checking what came.
//! Must not: put it into a tree (`fetch`).
//! Called by: `ops::build`, before the builder is started.
//! Always true: what has a checksum is what it says, or the build ends; git runs as
//! the user, with the user's own keys, and never asks for a password.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Kind, Result};
use crate::image::fetch::{self, Came, Said};
use crate::ops::Session;
use crate::ops::build::graph::Fetch;
use crate::progress::Silent;
use crate::spec::digest::Digest;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Known {
    address: String,
    digest: String,
    #[serde(default)]
    said: Said,
}

/// Fetches what `ADD` names.
pub fn fetch(
    session: &Session,
    address: &str,
    checksum: Option<&str>,
    keep_git: bool,
) -> Result<Fetch> {
    match Repository::parse(address) {
        Some(repository) => {
            let (path, digest) = commit(session, &repository, checksum, keep_git)?;
            Ok(Fetch {
                url: address.to_owned(),
                path,
                name: None,
                digest,
                modified: None,
            })
        }
        None => file(session, address, checksum),
    }
}

/// Fetches a file.
pub fn file(session: &Session, address: &str, checksum: Option<&str>) -> Result<Fetch> {
    let wanted = match checksum {
        None => None,
        Some(text) => Some(text.parse::<Digest>().map_err(|_| {
            Error::of(
                Kind::Usage,
                format!("--checksum \"{text}\" is not sha256: and 64 digits"),
            )
        })?),
    };
    let place = place(session, address);
    let known: Option<Known> = fs::read(place.join("fetched.json"))
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .filter(|known: &Known| known.address == address && place.join("file").is_file());
    let is_wanted = |digest: &str| {
        wanted
            .as_ref()
            .is_none_or(|wanted| wanted.as_str() == digest)
    };
    if let Some(known) = &known
        && wanted.is_some()
        && is_wanted(&known.digest)
    {
        return Ok(made(address, &place, known));
    }
    let staged = session.store.stage("fetched")?;
    let path = staged.path().join("file");
    let mut to = File::create(&path).what(|| format!("cannot write \"{}\"", path.display()))?;
    session.progress.line(&format!("Fetching {address}"));
    let said = known.as_ref().map(|known| &known.said);
    let new = match (fetch::fetch(address, said, &mut to, &Silent)?, known) {
        (Came::Same, Some(known)) if is_wanted(&known.digest) => {
            return Ok(made(address, &place, &known));
        }
        (Came::Same, _) => match fetch::fetch(address, None, &mut to, &Silent)? {
            Came::File(digest, said) => (digest, said),
            Came::Same => {
                return Err(Error::new("its server does not send it")
                    .what(format!("cannot fetch \"{address}\"")));
            }
        },
        (Came::File(digest, said), _) => (digest, said),
    };
    let new = Known {
        address: address.to_owned(),
        digest: new.0.to_string(),
        said: new.1,
    };
    if !is_wanted(&new.digest) {
        return Err(Error::new(format!(
            "its digest is {}, not {} as --checksum has it",
            new.digest,
            checksum.unwrap_or_default()
        ))
        .what(format!("cannot use \"{address}\"")));
    }
    drop(to);
    fs::write(
        staged.path().join("fetched.json"),
        serde_json::to_vec(&new)?,
    )?;
    publish(session, staged, &place)?;
    Ok(made(address, &place, &new))
}

fn made(address: &str, place: &Path, known: &Known) -> Fetch {
    let end = address.split(['?', '#']).next().unwrap_or_default();
    let last = end
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let name = known.said.name.clone().unwrap_or_else(|| last.to_owned());
    Fetch {
        url: address.to_owned(),
        path: place.join("file"),
        name: Some(name),
        digest: known.digest.clone(),
        modified: known.said.modified.as_deref().and_then(fetch::time),
    }
}

fn place(session: &Session, address: &str) -> PathBuf {
    let hash = Digest::of(address.as_bytes());
    session
        .store
        .root()
        .join("build/fetched")
        .join(&hash.hex()[..32])
}

/// Puts what was fetched in the place of what was there.
fn publish(session: &Session, staged: crate::store::atomic::Staged, place: &Path) -> Result<()> {
    drop(session.store.discard(place));
    match staged.publish(place, false) {
        Ok(()) => Ok(()),
        // Another build has just fetched the same.
        Err(_) if place.is_dir() => Ok(()),
        Err(error) => Err(error).what(|| format!("cannot keep \"{}\"", place.display())),
    }
}

/// A repository, and what of it is meant: `https://host/x.git#branch:directory`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Where it is, as git takes it.
    pub remote: String,
    /// A branch, a tag or a commit; none is what the repository has as its head.
    pub reference: Option<String>,
    /// The directory in it.
    pub directory: String,
}

impl Repository {
    /// Reads an address; none when it is that of a file.
    pub fn parse(address: &str) -> Option<Self> {
        let (remote, fragment) = address.split_once('#').unwrap_or((address, ""));
        let path = remote.split('?').next().unwrap_or(remote);
        let is_git = remote.starts_with("git@")
            || remote.starts_with("git://")
            || remote.starts_with("ssh://")
            || (remote.starts_with("http") && path.ends_with(".git"));
        let (reference, directory) = fragment.split_once(':').unwrap_or((fragment, ""));
        is_git.then(|| Self {
            remote: remote.to_owned(),
            reference: (!reference.is_empty()).then(|| reference.to_owned()),
            directory: directory.to_owned(),
        })
    }
}

/// Fetches a commit. Returns the directory and what it is known by.
pub fn commit(
    session: &Session,
    repository: &Repository,
    checksum: Option<&str>,
    keep_git: bool,
) -> Result<(PathBuf, String)> {
    let remote = &repository.remote;
    let what = || format!("cannot fetch the repository \"{remote}\"");
    if remote.starts_with('-')
        || repository
            .reference
            .as_deref()
            .is_some_and(|r| r.starts_with('-'))
    {
        return Err(Error::of(
            Kind::Usage,
            "a name that begins with \"-\" is none of git's",
        ))
        .what(what);
    }
    let commit = find_commit(repository).what(what)?;
    if let Some(checksum) = checksum
        && !commit.starts_with(checksum)
    {
        return Err(Error::new(format!(
            "its commit is {commit}, not {checksum} as --checksum has it"
        )))
        .what(what);
    }
    let place = place(session, &format!("{remote} {commit} {keep_git}"));
    if !place.join("tree").is_dir() {
        session
            .progress
            .line(&format!("Fetching {remote} at {commit}"));
        let staged = session.store.stage("fetched")?;
        let tree = staged.path().join("tree");
        fs::create_dir(&tree)?;
        check_out(repository, &commit, &tree).what(what)?;
        if !keep_git {
            fs::remove_dir_all(tree.join(".git")).what(what)?;
        }
        let known = Known {
            address: remote.clone(),
            digest: commit.clone(),
            said: Said::default(),
        };
        fs::write(
            staged.path().join("fetched.json"),
            serde_json::to_vec(&known)?,
        )?;
        publish(session, staged, &place)?;
    }
    let tree = place.join("tree");
    let directory =
        crate::ops::build::gather::components(repository.directory.as_bytes()).join(&b'/');
    let path = tree.join(std::ffi::OsStr::new(&*String::from_utf8_lossy(&directory)));
    // A link in a repository must not lead to a directory of this machine.
    let real = fs::canonicalize(&path).what(what)?;
    if !real.starts_with(fs::canonicalize(&tree).what(what)?) {
        return Err(Error::new(format!(
            "\"{}\" leads out of it",
            repository.directory
        )))
        .what(what);
    }
    Ok((real, format!("{commit}:{}", repository.directory)))
}

fn find_commit(repository: &Repository) -> Result<String> {
    let reference = repository.reference.as_deref().unwrap_or("HEAD");
    if reference.len() == 40 && reference.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(reference.to_lowercase());
    }
    let said = git(
        None,
        &[
            "ls-remote",
            "--",
            &repository.remote,
            reference,
            &format!("{reference}^{{}}"),
        ],
    )?;
    let lines: Vec<(&str, &str)> = said
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .collect();
    // Of a tag with a message, the commit it stands for.
    let names = [
        format!("refs/tags/{reference}^{{}}"),
        format!("refs/heads/{reference}"),
        format!("refs/tags/{reference}"),
        reference.to_owned(),
    ];
    names
        .iter()
        .find_map(|name| lines.iter().find(|(_, n)| n == name))
        .or(lines.first())
        .map(|(commit, _)| (*commit).to_owned())
        .ok_or_else(|| {
            Error::of(
                Kind::NotFound,
                format!("it has no branch, tag or commit \"{reference}\""),
            )
        })
}

fn check_out(repository: &Repository, commit: &str, tree: &Path) -> Result<()> {
    git(Some(tree), &["init", "--quiet"])?;
    let remote = repository.remote.as_str();
    let direct = git(
        Some(tree),
        &["fetch", "--quiet", "--depth=1", "--", remote, commit],
    );
    if direct.is_err() {
        // Some servers give commits only by the names that lead to them.
        let reference = repository.reference.as_deref().unwrap_or("HEAD");
        git(
            Some(tree),
            &["fetch", "--quiet", "--tags", "--", remote, reference],
        )
        .or_else(|_| git(Some(tree), &["fetch", "--quiet", "--", remote]))?;
    }
    git(Some(tree), &["checkout", "--quiet", "--detach", commit])?;
    if tree.join(".gitmodules").is_file() {
        git(Some(tree), &["remote", "add", "origin", remote])?;
        git(
            Some(tree),
            &[
                "submodule",
                "--quiet",
                "update",
                "--init",
                "--recursive",
                "--depth=1",
            ],
        )?;
    }
    Ok(())
}

fn git(directory: Option<&Path>, words: &[&str]) -> Result<String> {
    let mut command = Command::new("git");
    if let Some(directory) = directory {
        command.arg("-C").arg(directory);
    }
    command
        .args([
            "-c",
            "advice.detachedHead=false",
            "-c",
            "protocol.ext.allow=never",
        ])
        .args(words)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    let output = command.output().map_err(|error| {
        let missing = error.kind() == std::io::ErrorKind::NotFound;
        let error = Error::from(error).what("cannot run git");
        match missing {
            true => error.hint("install it: `apt-get install git` (or `dnf install git`)"),
            false => error,
        }
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("it failed");
    Err(Error::new(format!(
        "git says: {}",
        last.trim_start_matches("fatal: ")
    )))
}

#[cfg(test)]
mod tests {
    use super::Repository;

    #[test]
    fn an_address_of_a_repository_is_told_from_that_of_a_file() {
        let repository = |remote: &str, reference: Option<&str>, directory: &str| {
            Some(Repository {
                remote: remote.to_owned(),
                reference: reference.map(str::to_owned),
                directory: directory.to_owned(),
            })
        };
        for (address, parsed) in [
            ("https://h/x.git", repository("https://h/x.git", None, "")),
            (
                "https://h/x.git#v1:sub/dir",
                repository("https://h/x.git", Some("v1"), "sub/dir"),
            ),
            ("git@h:x/y#:d", repository("git@h:x/y", None, "d")),
            ("git://h/x#main", repository("git://h/x", Some("main"), "")),
            ("https://h/x.tar.gz", None),
            ("http://h/x", None),
        ] {
            assert_eq!(Repository::parse(address), parsed, "{address}");
        }
    }
}
