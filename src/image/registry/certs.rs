//! Certificates of one registry: whom we trust there, and who we say we are.
//!
//! ```text
//! <directory>/<host[:port]>/*.crt            authorities, beside those of the machine
//!                          /x.cert, x.key    our certificate and its key
//! ```
//!
//! Lives here: the directories (containers-certs.d(5), docker's "certs.d"), and
//! reading them.
//! Must not: make a connection.
//! Called by: `tls`, on the first connection that needs TLS.
//! Always true: a certificate of ours comes with its key, or is refused by name.

use std::fs;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::{Context, Error, Result};

/// Bytes of a file at most.
const LIMIT: u64 = 4 << 20;

/// Where certificates are looked for.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Directories with one directory a registry, the first the nearest to the user.
    roots: Vec<PathBuf>,
    /// `--cert-dir`: the one directory of this registry.
    named: Option<PathBuf>,
}

/// What was found for one registry.
#[derive(Debug, Default)]
pub struct Certificates {
    /// Authorities to trust beside the machine's.
    pub authorities: Vec<CertificateDer<'static>>,
    /// What we show of ourselves.
    pub own: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

impl Places {
    /// Returns the directories of a user, who may have `config` in place of `~/.config`.
    pub fn of_user(home: &Path, config: Option<&Path>) -> Self {
        let config = config.map_or_else(|| home.join(".config"), Path::to_owned);
        Self {
            roots: vec![
                config.join("containers/certs.d"),
                // Where docker without root has them, and where people put them.
                config.join("docker/certs.d"),
                home.join(".docker/certs.d"),
                "/etc/containers/certs.d".into(),
                "/etc/docker/certs.d".into(),
            ],
            named: None,
        }
    }

    /// Looks into this directory alone.
    #[must_use]
    pub fn named(mut self, directory: Option<PathBuf>) -> Self {
        self.named = directory;
        self
    }

    /// Reads what there is for a registry, by the name that references have for it.
    pub fn read(&self, registry: &str) -> Result<Certificates> {
        let mut found = Certificates::default();
        if let Some(directory) = &self.named {
            take(directory, &mut found).hint(
                || "`--cert-dir` names a directory with ca.crt, client.cert and client.key",
            )?;
            return Ok(found);
        }
        for root in &self.roots {
            let directory = root.join(registry);
            if directory.is_dir() {
                take(&directory, &mut found)?;
            }
        }
        Ok(found)
    }
}

fn take(directory: &Path, found: &mut Certificates) -> Result<()> {
    let what = || format!("cannot read certificates in \"{}\"", directory.display());
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .what(what)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .collect();
    files.sort();
    for path in &files {
        match path.extension().and_then(|kind| kind.to_str()) {
            Some("crt") => found.authorities.extend(certificates(path)?),
            Some("cert") => {
                let key = path.with_extension("key");
                if !key.exists() {
                    return Err(missing(path, "key"));
                }
                // The nearest to the user counts.
                if found.own.is_none() {
                    found.own = Some((certificates(path)?, private(&key)?));
                }
            }
            Some("key") if !path.with_extension("cert").exists() => {
                return Err(missing(path, "cert"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn missing(path: &Path, other: &str) -> Error {
    let place = path.with_extension(other);
    Error::new(format!(
        "\"{}\" lacks its other half, \"{}\"",
        path.display(),
        place.display()
    ))
    .hint("an authority to trust is called *.crt; a certificate of your own *.cert, with its *.key")
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let what = || format!("cannot read certificate \"{}\"", path.display());
    let bytes = bytes(path).what(what)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|_| Error::new("it is not PEM").what(what()))?;
    if found.is_empty() {
        return Err(Error::new("there is no certificate in it").what(what()));
    }
    Ok(found)
}

fn private(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let what = || format!("cannot read key \"{}\"", path.display());
    let bytes = bytes(path).what(what)?;
    // What the parser says of a broken key is not repeated.
    PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|_| Error::new("there is no private key in PEM in it").what(what()))
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    if fs::metadata(path)?.len() > LIMIT {
        return Err(Error::new("it is larger than 4 MiB"));
    }
    Ok(fs::read(path)?)
}
