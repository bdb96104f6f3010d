//! Volumes: directories that outlive containers.
//!
//! ```text
//! volumes/<name>/volume.json   what was asked
//! volumes/<name>/_data/        the files
//! ```
//!
//! Lives here: the only writer of `volumes/`, but for what containers put into `_data`.
//! Must not: know who uses a volume (`ops`).
//! Called by: `ops`.
//! Always true: a volume under its name has its data directory.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Kind, Result};
use crate::spec::time::Time;
use crate::store::Store;
use crate::store::atomic;

/// What is known of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Format of this file; this rpod writes 1.
    pub version: u32,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Time,
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Options given when it was made.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// It was made for one container and has no name of its own.
    #[serde(default)]
    pub anonymous: bool,
}

impl Store {
    /// Returns a volume's data directory.
    pub fn volume_data(&self, name: &str) -> PathBuf {
        self.root().join("volumes").join(name).join("_data")
    }

    /// Makes a volume; says whether it is new.
    pub fn create_volume(&self, volume: &Volume) -> Result<bool> {
        let what = || format!("cannot make volume \"{}\"", volume.name);
        let place = self.root().join("volumes").join(&volume.name);
        if place.is_dir() {
            return Ok(false);
        }
        let staged = self.stage("volume")?;
        let fill = || -> io::Result<()> {
            fs::DirBuilder::new()
                .mode(0o755)
                .create(staged.path().join("_data"))?;
            // Whatever the user's umask: it is a directory of containers.
            fs::set_permissions(
                staged.path().join("_data"),
                fs::Permissions::from_mode(0o755),
            )?;
            fs::write(
                staged.path().join("volume.json"),
                serde_json::to_vec(volume)?,
            )
        };
        fill().what(what)?;
        atomic::sync_file_system(staged.path()).what(what)?;
        match staged.publish(&place, true) {
            Ok(()) => Ok(true),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(error).what(what),
        }
    }

    /// Gives a volume that is broken back what it lacks; its files stay.
    pub fn restore_volume(&self, volume: &Volume) -> Result<()> {
        if self.create_volume(volume)? {
            return Ok(());
        }
        let data = self.volume_data(&volume.name);
        if !data.is_dir() {
            fs::DirBuilder::new()
                .mode(0o755)
                .create(&data)
                .what(|| format!("cannot make \"{}\"", data.display()))?;
        }
        if self.load_volume(&volume.name).is_err() {
            let place = self.root().join("volumes").join(&volume.name);
            self.write(
                &place.join("volume.json"),
                &serde_json::to_vec(volume)?,
                true,
            )?;
        }
        Ok(())
    }

    /// Reads a volume.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn load_volume(&self, name: &str) -> Result<Volume> {
        let path = self.root().join("volumes").join(name).join("volume.json");
        let bytes = fs::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                Error::of(Kind::NotFound, format!("no such volume: \"{name}\""))
                    .hint("`rpod volume ls` lists the volumes there are")
            }
            _ => Error::from(error).what(format!("cannot read \"{}\"", path.display())),
        })?;
        serde_json::from_slice(&bytes).what(|| format!("cannot read \"{}\"", path.display()))
    }

    /// Returns all volumes, by name.
    pub fn volumes(&self) -> Result<Vec<Volume>> {
        let path = self.root().join("volumes");
        let mut names: Vec<String> = fs::read_dir(&path)
            .what(|| format!("cannot list \"{}\"", path.display()))?
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        Ok(names
            .iter()
            .filter_map(|name| self.load_volume(name).ok())
            .collect())
    }

    /// Takes a volume out of the store at once; its files wait in `tmp/` to be deleted.
    pub fn remove_volume(&self, name: &str) -> Result<PathBuf> {
        self.load_volume(name)?;
        self.discard(&self.root().join("volumes").join(name))
            .what(|| format!("cannot remove volume \"{name}\""))
    }
}
