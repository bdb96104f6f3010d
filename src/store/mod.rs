//! What is on disk, and who may touch it.
//!
//! ```text
//! $XDG_DATA_HOME/rpod
//!   images/                     an OCI image layout: oci-layout, index.json, blobs/sha256/…
//!   layers/<map>/<diff-id>/     a layer unpacked under one id map: tree/, layer.json
//!   containers/<id>/            container.json · state.json · config.json · upper/ work/ · log · lock · paused
//!   names/<name> → <id>         a symbolic link: a name is taken or it is not
//!   networks/<name>.json        what `network create` made
//!   volumes/<name>/             volume.json, _data/
//!   mounts/<image-id>/          where an image is mounted, inside `rpod unshare`
//!   compressed/                 digests of layers as registries have them (`compressed`)
//!   partial/                    blobs on their way, one lock each
//!   run/                        sockets and locks of processes (`dataplane::control`)
//!   build/                      results of build steps, cache mounts, digests of contexts
//!   tmp/                        everything unfinished, and what waits to be deleted
//! ```
//!
//! Lives here: one file a noun, each the only writer of its directory.
//! Must not: know what a verb means, or go through user namespaces: whoever
//! deletes files of other ids is inside one already.
//! Called by: `image`, `ops`, `role`.
//! Always true: a reader sees the old or the new, never a half: what is written
//! is staged in `tmp/`, synced, renamed, and its directory synced. There is no
//! database and no lock that all starts take.

pub mod artifacts;
pub mod atomic;
pub mod blobs;
pub mod build;
pub mod compressed;
pub mod containers;
pub mod gc;
pub mod images;
pub mod layers;
pub mod networks;
pub mod summaries;
pub mod volumes;

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Result};

/// The per-user store.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens the store at `root`, making what is missing of it.
    ///
    /// # Errors
    /// When a directory cannot be made: the home is read-only or full, or the user may not write there.
    pub fn open(root: &Path) -> Result<Self> {
        let store = Self {
            root: root.to_owned(),
        };
        store.check_owner()?;
        // The last one made is the sign that all are there: one stat on the start path.
        if !store.tmp().is_dir() {
            store.make_directories().what(|| {
                format!("cannot make the store \"{}\"", store.root.display())
            }).hint(|| "name another place with XDG_DATA_HOME, on a disk you can write to: `XDG_DATA_HOME=/some/directory rpod …`")?;
        }
        Ok(store)
    }

    /// Layers hold set-user-id files of the user's own ids: nobody else may get in,
    /// and a directory that somebody else has prepared is not used.
    fn check_owner(&self) -> Result<()> {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let what = || format!("cannot use the store \"{}\"", self.root.display());
        let Ok(meta) = fs::symlink_metadata(&self.root) else {
            return Ok(());
        };
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(Error::new(format!("it belongs to user {}", meta.uid()))
                .what(what())
                .hint("name a place of your own with XDG_DATA_HOME: `XDG_DATA_HOME=/some/directory rpod …`"));
        }
        if meta.is_dir() && meta.mode() & 0o077 != 0 {
            fs::set_permissions(&self.root, fs::Permissions::from_mode(0o700)).what(what)?;
        }
        Ok(())
    }

    fn make_directories(&self) -> std::io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        let mut private = fs::DirBuilder::new();
        private.recursive(true).mode(0o700);
        private.create(&self.root)?;
        for name in [
            "images/blobs/sha256",
            "layers",
            "containers",
            "names",
            "networks",
            "volumes",
            "partial",
            "tmp",
        ] {
            private.create(self.root.join(name))?;
        }
        Ok(())
    }

    /// Returns the directory of the whole store.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the directory of all that is unfinished.
    pub fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }
}
