//! Networks that the user made: `networks/<name>.json`, a file each.
//!
//! Lives here: the only reader and writer of `networks/`.
//! Must not: know who uses a network (`ops`), or choose its addresses.
//! Called by: `ops`.
//! Always true: whoever makes, changes or removes a network holds the directory's lock,
//! so that two never get the same addresses; readers take none.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use crate::error::{Context, Error, Kind, Result};
use crate::spec::id::check_name;
use crate::spec::network::Network;
use crate::store::Store;
use crate::store::atomic::sync_parent;

impl Store {
    /// Makes a network of what `plan` makes of those that there are. Nobody else
    /// makes or removes one meanwhile.
    pub fn create_network(
        &self,
        plan: impl FnOnce(&[Network]) -> Result<Network>,
    ) -> Result<Network> {
        let _lock = self.lock_networks()?;
        let network = plan(&self.networks()?)?;
        let bytes = serde_json::to_vec(&network)?;
        self.write(&self.network_path(&network.name), &bytes, true)?;
        Ok(network)
    }

    /// Returns the networks that were made, by name.
    pub fn networks(&self) -> Result<Vec<Network>> {
        let path = self.root().join("networks");
        let entries = match fs::read_dir(&path) {
            // A store of an older rpod has none.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.what(|| format!("cannot list \"{}\"", path.display()))?,
        };
        let mut all: Vec<Network> = entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                self.load_network(name.strip_suffix(".json")?).ok()
            })
            .collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    /// Reads a network that was made, by its name.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn load_network(&self, name: &str) -> Result<Network> {
        let missing = || {
            let name = name.escape_debug();
            Error::of(Kind::NotFound, format!("no such network: \"{name}\""))
                .hint("`rpod network ls` lists the networks there are")
        };
        // What cannot name a network may be a path to something else.
        check_name("network", 1, name).map_err(|_| missing())?;
        let path = self.network_path(name);
        let bytes = fs::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => missing(),
            _ => Error::from(error).what(format!("cannot read \"{}\"", path.display())),
        })?;
        serde_json::from_slice(&bytes).what(|| format!("cannot read \"{}\"", path.display()))
    }

    /// Changes a network and returns what it has become. Nobody else changes or removes
    /// one meanwhile.
    pub fn change_network(
        &self,
        name: &str,
        change: impl FnOnce(&mut Network) -> Result<()>,
    ) -> Result<Network> {
        let _lock = self.lock_networks()?;
        let mut network = self.load_network(name)?;
        change(&mut network)?;
        let bytes = serde_json::to_vec(&network)?;
        self.write(&self.network_path(name), &bytes, true)?;
        Ok(network)
    }

    /// Removes a network, if `may` still says so under the lock.
    pub fn remove_network(&self, name: &str, may: impl FnOnce() -> Result<()>) -> Result<()> {
        let _lock = self.lock_networks()?;
        self.load_network(name)?;
        may()?;
        let path = self.network_path(name);
        fs::remove_file(&path)
            .and_then(|()| sync_parent(&path))
            .what(|| format!("cannot remove \"{}\"", path.display()))
    }

    /// Keeps others from making and removing networks while the file lives.
    fn lock_networks(&self) -> Result<File> {
        let path = self.root().join("networks");
        let doing = || format!("cannot lock \"{}\"", path.display());
        fs::create_dir_all(&path).what(doing)?;
        let file = File::open(&path).what(doing)?;
        file.lock().what(doing)?;
        Ok(file)
    }

    fn network_path(&self, name: &str) -> PathBuf {
        self.root().join("networks").join(format!("{name}.json"))
    }
}
