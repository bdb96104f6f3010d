//! The context and the Dockerfile: where they are, and what is left out.
//!
//! Lives here: finding both, from a directory, standard input, a URL or a repository.
//! Must not: walk the context (`gather`).
//! Called by: `ops::build`.
//! Always true: a context that is a directory is read where it is.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use crate::build::ignore::Ignore;
use crate::error::{Context, Error, Kind, Result};
use crate::ops::Session;
use crate::ops::build::plan::{Named, is_remote};
use crate::ops::build::remote::{self, Repository};
use crate::ops::build::step::Place;
use crate::ops::build::{Request, archive, gather, is_dash};
use crate::runtime::copy::Sink;
use crate::runtime::copy::plant::{Ground, Owners, Plant};
use crate::store::atomic::Staged;

/// Where the context is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A directory.
    Directory(PathBuf),
    /// Standard input: a tar of the context, or a Dockerfile without one.
    Stdin,
    /// A repository, a tar or a Dockerfile, by its address.
    Remote(String),
}

impl Default for Source {
    fn default() -> Self {
        Self::Directory(PathBuf::from("."))
    }
}

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// The Dockerfile's name, as shown.
    pub name: String,
    /// Its text.
    pub text: String,
    /// The contexts: the main one first.
    pub places: Vec<Place>,
    /// What `--build-context` names.
    pub named: BTreeMap<String, Named>,
    /// Directories that were only made for this build.
    _made: Vec<Staged>,
}

/// Bytes of a Dockerfile at most.
const LARGEST: u64 = 16 << 20;
const NAMES: [&str; 2] = ["Dockerfile", "Containerfile"];

/// A context that is there, or a Dockerfile without one.
enum Origin {
    Directory(PathBuf),
    Dockerfile(String),
}

/// Finds the context and the Dockerfile.
pub fn find(session: &Session, request: &Request) -> Result<Found> {
    let mut made = Vec::new();
    let context = match &request.context {
        Source::Directory(root) => Origin::Directory(root.clone()),
        Source::Stdin => from_stdin(session, &mut made)?,
        Source::Remote(address) => from_address(session, address, &mut made)?,
    };
    let (root, name, text, path) = match context {
        Origin::Dockerfile(text) => (None, "Dockerfile".to_owned(), text, None),
        Origin::Directory(root) => {
            check_directory(&root)?;
            let (name, text, path) = dockerfile(session, &root, request.file.as_deref())?;
            (Some(root), name, text, path)
        }
    };
    let mut places = Vec::new();
    let ignore = match &root {
        Some(root) => ignore(root, path.as_deref(), request.ignore_file.as_deref())?,
        None => None,
    };
    let root = match root {
        Some(root) => root,
        None => {
            let empty = session.store.stage("context")?;
            let path = empty.path().to_owned();
            made.push(empty);
            path
        }
    };
    places.push(Place {
        path: root,
        ignore,
        name: "the build context".to_owned(),
    });
    let mut named = BTreeMap::new();
    for (name, text) in &request.contexts {
        let image = ["docker-image://", "container-image://", "docker://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        if let Some(image) = image {
            named.insert(name.clone(), Named::Image(image.to_owned()));
            continue;
        }
        let what = || format!("cannot use --build-context {name}={text}");
        if let Some(layout) = text.strip_prefix("oci-layout://") {
            return Err(Error::of(Kind::Usage, "a layout is no context yet"))
                .what(what)
                .hint(|| {
                    format!(
                        "load it, `rpod load -i {layout}`, and give docker-image:// and its name"
                    )
                });
        }
        let path = match is_remote(text) {
            false => PathBuf::from(text),
            true => match from_address(session, text, &mut made).what(what)? {
                Origin::Directory(path) => path,
                Origin::Dockerfile(_) => {
                    return Err(Error::new("it is no tar and no repository")).what(what);
                }
            },
        };
        check_directory(&path).what(what)?;
        named.insert(name.clone(), Named::Directory(places.len()));
        places.push(Place {
            ignore: self::ignore(&path, None, None)?,
            path,
            name: format!("the build context \"{name}\""),
        });
    }
    Ok(Found {
        name,
        text,
        places,
        named,
        _made: made,
    })
}

/// A tar of the context, or a Dockerfile.
fn from_stdin(session: &Session, made: &mut Vec<Staged>) -> Result<Origin> {
    // It may be a tar, which only a file tells, since it has to be read twice.
    let (path, mut file) = session.store.stage_file("stdin")?;
    let copied = std::io::copy(&mut std::io::stdin(), &mut file);
    drop(fs::remove_file(path));
    copied.what(|| "cannot read the context from standard input")?;
    unpacked(session, file, "standard input", made)
}

fn from_address(session: &Session, address: &str, made: &mut Vec<Staged>) -> Result<Origin> {
    if let Some(repository) = Repository::parse(address) {
        let (path, _) = remote::commit(session, &repository, None, false)?;
        return Ok(Origin::Directory(path));
    }
    let fetched = remote::file(session, address, None)?;
    let file = File::open(&fetched.path).what(|| format!("cannot read \"{address}\""))?;
    unpacked(session, file, address, made)
}

fn unpacked(
    session: &Session,
    mut file: File,
    name: &str,
    made: &mut Vec<Staged>,
) -> Result<Origin> {
    let what = || format!("cannot unpack the context from {name}");
    std::io::Seek::rewind(&mut file).what(what)?;
    let Some(tar) = archive::recognize(file.try_clone()?).what(what)? else {
        std::io::Seek::rewind(&mut file).what(what)?;
        return read(&mut file, name).map(Origin::Dockerfile);
    };
    let staged = session.store.stage("context")?;
    let root = File::open(staged.path())?;
    let mut plant = Plant::new(Ground::Machine(root.into()), Owners::Person);
    let tar = BufReader::with_capacity(128 << 10, tar);
    crate::runtime::copy::archive::read(tar, &mut plant)
        .and_then(|()| plant.finish())
        .what(what)?;
    let path = staged.path().to_owned();
    made.push(staged);
    Ok(Origin::Directory(path))
}

fn check_directory(path: &Path) -> Result<()> {
    let what = || format!("cannot build from \"{}\"", path.display());
    let meta = fs::metadata(path).what(what)?;
    if !meta.is_dir() {
        return Err(Error::of(Kind::Usage, "it is no directory")
            .what(what())
            .hint("give the directory of the context, and the Dockerfile with `-f`"));
    }
    Ok(())
}

/// The Dockerfile's name as shown, its text, and where it is.
fn dockerfile(
    session: &Session,
    root: &Path,
    file: Option<&str>,
) -> Result<(String, String, Option<PathBuf>)> {
    if file.is_some_and(is_dash) {
        let text = read(&mut std::io::stdin(), "standard input")?;
        return Ok(("Dockerfile".to_owned(), text, None));
    }
    if let Some(address) = file.filter(|file| is_remote(file)) {
        let fetched = remote::file(session, address, None)?;
        let what = || format!("cannot read \"{address}\"");
        let text = read(&mut File::open(&fetched.path).what(what)?, address)?;
        return Ok((address.to_owned(), text, None));
    }
    let path = match file {
        Some(file) => {
            let path = PathBuf::from(file);
            // As docker: from where one stands; as podman: from the context.
            match path.is_file() || path.is_absolute() {
                true => path,
                false if root.join(&path).is_file() => root.join(&path),
                false => path,
            }
        }
        None => {
            let found = NAMES
                .iter()
                .map(|name| root.join(name))
                .find(|p| p.is_file());
            found.ok_or_else(|| {
                Error::of(
                    Kind::NotFound,
                    format!("there is no Dockerfile in \"{}\"", root.display()),
                )
                .hint("name it with `-f PATH`; its usual names are Dockerfile and Containerfile")
            })?
        }
    };
    let what = || format!("cannot read \"{}\"", path.display());
    let mut opened = File::open(&path).what(what)?;
    let name = match file {
        Some(file) => file.to_owned(),
        None => path
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
    };
    let text = read(&mut opened, &path.display().to_string())?;
    Ok((name, text, Some(path)))
}

/// Reads a Dockerfile.
pub fn read(from: &mut dyn Read, name: &str) -> Result<String> {
    let what = || format!("cannot read \"{name}\"");
    let mut bytes = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut bytes).what(what)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Error::new("it is larger than 16 MiB")).what(what);
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .filter(|b| **b == b'\n')
            .count();
        Error::of(Kind::Usage, format!("line {} is not UTF-8", line + 1)).what(what())
    })
}

/// `Dockerfile.dockerignore` beside the Dockerfile, or the context's `.dockerignore`,
/// or `.containerignore`.
fn ignore(root: &Path, file: Option<&Path>, named: Option<&Path>) -> Result<Option<Ignore>> {
    let own = file.map(|file| {
        let mut name = file.as_os_str().to_owned();
        name.push(".dockerignore");
        PathBuf::from(name)
    });
    let candidates = own
        .into_iter()
        .chain([root.join(".containerignore"), root.join(".dockerignore")]);
    let path = match named {
        Some(path) => Some(path.to_owned()),
        None => candidates.into_iter().find(|path| path.is_file()),
    };
    let Some(path) = path else {
        return Ok(None);
    };
    let what = || format!("cannot read \"{}\"", path.display());
    let text = read(
        &mut File::open(&path).what(what)?,
        &path.display().to_string(),
    )?;
    let ignore =
        Ignore::parse(&text).map_err(|why| Error::of(Kind::Usage, why.to_string()).what(what()))?;
    Ok(Some(ignore))
}

/// Adds up the bytes of a context's files, without what is left out.
pub fn size(request: &Request) -> Result<u64> {
    let Source::Directory(root) = &request.context else {
        return Ok(0);
    };
    let ignore = ignore(root, None, request.ignore_file.as_deref())?;
    let mut total = 0;
    let mut pending = vec![(root.clone(), Vec::new())];
    while let Some((directory, below)) = pending.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = gather::join(&below, entry.file_name().as_encoded_bytes());
            let out = ignore.as_ref().is_some_and(|ignore| ignore.excludes(&path));
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                if !out || ignore.as_ref().is_some_and(|i| i.may_include_below(&path)) {
                    pending.push((entry.path(), path));
                }
            } else if meta.is_file() && !out {
                total += meta.len();
            }
        }
    }
    Ok(total)
}
