//! Containers: a directory each, and the names that point to them.
//!
//! Lives here: the only reader and writer of `containers/` and `names/`.
//! Must not: decide whether a state is true (`ops::state`), or start anything.
//! Called by: `ops`, `role`.
//! Always true: a container under its id has a record and a state. A name is a
//! symbolic link made before its container is published, so two cannot have it;
//! one that leads nowhere, with nobody making its container, is free.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Kind, Result};
use crate::spec::container::{ProcessId, Record, State, Status};
use crate::spec::id::{ContainerId, ContainerName};
use crate::spec::network::Attachment;
use crate::store::Store;
use crate::store::atomic::{self, random_bytes};

/// Bytes of a file of a container's `/etc` at most.
const SMALL: u64 = 1 << 20;

impl Store {
    /// Returns an id that no container has.
    pub fn new_container_id(&self) -> ContainerId {
        ContainerId::from_random(random_bytes())
    }

    /// Returns a container's directory.
    pub fn container_path(&self, id: &ContainerId) -> PathBuf {
        self.root().join("containers").join(id.as_str())
    }

    /// Reads one of the files of `/etc` that a container has from its directory.
    ///
    /// # Errors
    /// When it is larger than such a file is: the container can write it as well.
    pub fn container_file(&self, id: &ContainerId, name: &str) -> io::Result<String> {
        let mut text = String::new();
        let file = File::open(self.container_path(id).join(name))?;
        io::Read::read_to_string(&mut io::Read::take(file, SMALL + 1), &mut text)?;
        if text.len() as u64 > SMALL {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(text)
    }

    /// Publishes a new container under its id and its name.
    ///
    /// `more` writes what else belongs into its directory before anyone sees it.
    ///
    /// # Errors
    /// `Conflict` when the name is taken; the error names the owner.
    pub fn create_container(
        &self,
        record: &Record,
        state: &State,
        more: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<()> {
        let staged = self.stage(&format!("container-{}", record.id))?;
        let path = staged.path();
        let mut plain = fs::DirBuilder::new();
        // Another id inside has to pass through the upper directory's root.
        plain.mode(0o755);
        let mut private = fs::DirBuilder::new();
        private.mode(0o700);
        let fill = || -> io::Result<()> {
            plain.create(path.join("upper"))?;
            // Whatever the user's umask: it is the container's root directory.
            fs::set_permissions(path.join("upper"), fs::Permissions::from_mode(0o755))?;
            private.create(path.join("work"))?;
            fs::write(path.join("container.json"), serde_json::to_vec(record)?)?;
            fs::write(path.join("state.json"), serde_json::to_vec(state)?)?;
            File::create(path.join("lock"))?;
            Ok(())
        };
        fill().what(|| format!("cannot write container \"{}\"", record.name))?;
        more(path)?;
        // A container that goes when it ends is gone after the loss of power as
        // well, so there is nothing to make durable.
        let sync = !record.remove;
        if sync {
            atomic::sync_file_system(path).what(|| "cannot sync the store")?;
        }
        self.take_name(&record.name, &record.id)?;
        let place = self.container_path(&record.id);
        staged.publish(&place, sync).map_err(|error| {
            self.free_name(&record.name, &record.id);
            Error::from(error).what(format!("cannot store container \"{}\"", record.name))
        })
    }

    /// Returns the ids of all containers, in no order.
    pub fn container_ids(&self) -> Result<Vec<ContainerId>> {
        let path = self.root().join("containers");
        let entries = fs::read_dir(&path).what(|| format!("cannot list \"{}\"", path.display()))?;
        Ok(entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect())
    }

    /// Returns the id of the container that a person means by a name, an id or the beginning of one.
    ///
    /// # Errors
    /// `NotFound`, or `Usage` when the beginning fits several.
    pub fn find_container(&self, text: &str) -> Result<ContainerId> {
        if let Ok(name) = text.parse::<ContainerName>()
            && let Some(id) = self.named(&name)
            && self.container_path(&id).is_dir()
        {
            return Ok(id);
        }
        if let Ok(id) = text.parse::<ContainerId>()
            && self.container_path(&id).is_dir()
        {
            return Ok(id);
        }
        let could_be = !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
        let mut fitting = Vec::new();
        if could_be {
            fitting = self.container_ids()?;
            fitting.retain(|id| id.as_str().starts_with(text));
        }
        match fitting.len() {
            1 => Ok(fitting.remove(0)),
            0 => Err(
                Error::of(Kind::NotFound, format!("no such container: \"{text}\""))
                    .hint("`rpod ps -a` lists the containers there are"),
            ),
            _ => Err(Error::of(
                Kind::Usage,
                format!("\"{text}\" is the beginning of more than one container's id"),
            )
            .hint("give more digits of it; `rpod ps -a --no-trunc` shows them")),
        }
    }

    /// Reads what was asked of a container.
    pub fn load_record(&self, id: &ContainerId) -> Result<Record> {
        self.read_json(id, "container.json")
    }

    /// Reads what was asked of every container, in no order; one that goes meanwhile is left out.
    ///
    /// # Errors
    /// When a record cannot be read: it may name anything, so nothing that records name may be removed then.
    pub fn load_records(&self) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        for id in self.container_ids()? {
            match self.load_record(&id) {
                Ok(record) => records.push(record),
                Err(error) if error.kind() == Kind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(records)
    }

    /// Reads what was last written of a container's state; whether it is still true is not looked at.
    pub fn load_state(&self, id: &ContainerId) -> Result<State> {
        let mut state: State = self.read_json(id, "state.json")?;
        if state.status == Status::Running {
            let mark = fs::read(self.container_path(id).join("paused"));
            // A mark of an earlier run means nothing.
            state.paused =
                mark.is_ok_and(|bytes| serde_json::from_slice(&bytes).ok() == Some(state.init));
        }
        Ok(state)
    }

    /// Says that a container's processes are stopped, and by the first of them which
    /// run of it that is; or, with none, that they are not.
    pub fn mark_paused(&self, id: &ContainerId, init: Option<ProcessId>) -> Result<()> {
        let path = self.container_path(id).join("paused");
        match init {
            Some(_) => self.write(&path, &serde_json::to_vec(&init)?, false),
            None => match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(error).what(|| format!("cannot remove \"{}\"", path.display()))
                }
                _ => Ok(()),
            },
        }
    }

    /// Writes a container's state. With `sync`, it survives the loss of power as well.
    pub fn save_state(&self, id: &ContainerId, state: &State, sync: bool) -> Result<()> {
        let bytes = serde_json::to_vec(state)?;
        let path = self.container_path(id).join("state.json");
        match self.write(&path, &bytes, sync) {
            // On a full disk the block that the old state has is room for the new one.
            Err(error) if error.errno() == Some(rustix::io::Errno::NOSPC.raw_os_error()) => {
                let mut file = File::options().write(true).open(&path)?;
                io::Write::write_all(&mut file, &bytes)
                    .and_then(|()| file.set_len(bytes.len() as u64))
                    .map_err(|_| error)
            }
            written => written,
        }
    }

    /// Writes a container's record again, with other networks. The caller holds its lock.
    pub fn change_networks(&self, record: &Record, networks: Vec<Attachment>) -> Result<()> {
        let mut changed = record.clone();
        changed.networks = networks;
        let path = self.container_path(&record.id).join("container.json");
        self.write(&path, &serde_json::to_vec(&changed)?, true)
    }

    /// Writes a container's record again, with another name.
    pub fn rename_container(&self, record: &Record, name: ContainerName) -> Result<()> {
        self.take_name(&name, &record.id)?;
        let mut renamed = record.clone();
        renamed.name = name.clone();
        let path = self.container_path(&record.id).join("container.json");
        let written = serde_json::to_vec(&renamed)
            .map_err(Error::from)
            .and_then(|bytes| self.write(&path, &bytes, true));
        match written {
            Ok(()) => self.free_name(&record.name, &record.id),
            Err(_) => self.free_name(&name, &record.id),
        }
        written
    }

    /// Waits until nobody else is changing a container, and keeps others waiting while the file lives.
    ///
    /// # Errors
    /// `NotFound` when the container has gone.
    pub fn lock_container(&self, id: &ContainerId) -> Result<File> {
        let path = self.container_path(id).join("lock");
        let gone = |error: io::Error| {
            Error::from(error).what(format!("cannot lock container {}", id.short()))
        };
        let file = File::options()
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(gone)?;
        file.lock().map_err(gone)?;
        // It may have been removed while we waited.
        fs::symlink_metadata(&path).map_err(gone)?;
        Ok(file)
    }

    /// Takes a container out of the store at once; its files wait in `tmp/` to be deleted.
    pub fn remove_container(&self, record: &Record) -> Result<PathBuf> {
        let trash = self
            .discard(&self.container_path(&record.id))
            .what(|| format!("cannot remove container \"{}\"", record.name))?;
        self.free_name(&record.name, &record.id);
        Ok(trash)
    }

    /// Returns the container that has a name, if one has it.
    pub fn named(&self, name: &ContainerName) -> Option<ContainerId> {
        let link = fs::read_link(self.name_path(name)).ok()?;
        link.to_str()?.parse().ok()
    }

    /// Returns all names and what they lead to.
    pub fn names(&self) -> Result<Vec<(ContainerName, ContainerId)>> {
        let path = self.root().join("names");
        let entries = fs::read_dir(&path).what(|| format!("cannot list \"{}\"", path.display()))?;
        let name_of = |entry: fs::DirEntry| {
            let name: ContainerName = entry.file_name().to_str()?.parse().ok()?;
            let id = self.named(&name)?;
            Some((name, id))
        };
        Ok(entries.flatten().filter_map(name_of).collect())
    }

    /// Frees a name that leads to no container.
    pub fn drop_loose_name(&self, name: &ContainerName) {
        if let Some(id) = self.named(name)
            && !self.is_being_made(&id)
            && !self.container_path(&id).is_dir()
        {
            self.free_name(name, &id);
        }
    }

    fn name_path(&self, name: &ContainerName) -> PathBuf {
        self.root().join("names").join(name.as_str())
    }

    /// Makes a name lead to a container.
    ///
    /// # Errors
    /// `Conflict` when it leads to another; the error names it.
    pub fn take_name(&self, name: &ContainerName, id: &ContainerId) -> Result<()> {
        let path = self.name_path(name);
        match symlink(id.as_str(), &path) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).what(|| format!("cannot take the name \"{name}\"")),
        }
        // Only where a name seems to be left over do we need a lock.
        let lock = File::open(self.root().join("names"))?;
        lock.lock()?;
        if let Some(owner) = self.named(name)
            // In this order: it is published out of where it is being made, so that
            // one of the two looks sees it.
            && (self.is_being_made(&owner) || self.container_path(&owner).is_dir())
        {
            return Err(Error::of(
                Kind::Conflict,
                format!("the name \"{name}\" is in use by container {}", owner.short()),
            )
            .hint(format!(
                "remove that container with `rpod rm -f {name}`, rename it with `rpod rename {name} NEW`, or choose another name"
            )));
        }
        drop(fs::remove_file(&path));
        symlink(id.as_str(), &path).what(|| format!("cannot take the name \"{name}\""))
    }

    fn free_name(&self, name: &ContainerName, id: &ContainerId) {
        // Between the look and the removal nobody may replace a name left over.
        let lock = File::open(self.root().join("names")).and_then(|f| f.lock().map(|()| f));
        if lock.is_ok() && self.named(name).as_ref() == Some(id) {
            drop(fs::remove_file(self.name_path(name)));
        }
    }

    /// Says whether a living process has this container staged.
    pub fn is_being_made(&self, id: &ContainerId) -> bool {
        let prefix = format!("container-{id}-");
        let garbage = self.garbage();
        fs::read_dir(self.tmp())
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
            .any(|entry| !garbage.contains(&entry.path()))
    }

    fn read_json<T: serde::de::DeserializeOwned>(&self, id: &ContainerId, name: &str) -> Result<T> {
        let path = self.container_path(id).join(name);
        let bytes = fs::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::of(
                Kind::NotFound,
                format!("no such container: \"{}\"", id.short()),
            ),
            _ => Error::from(error).what(format!("cannot read \"{}\"", path.display())),
        })?;
        serde_json::from_slice(&bytes).what(|| format!("cannot read \"{}\"", path.display()))
    }
}
