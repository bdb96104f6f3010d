//! Layers: tars unpacked once per id map, the lower directories of overlays.
//!
//! ```text
//! layers/<map>/<diff-id>/tree/        the files
//! layers/<map>/<diff-id>/layer.json   { "size": bytes of the files, "files": how many }
//! ```
//!
//! Lives here: finding, staging and publishing of unpacked layers.
//! Must not: unpack (`image::layer`).
//! Called by: `image`, `ops`.
//! Always true: a layer under its name is whole; nobody changes it afterwards.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Context, Result};
use crate::spec::digest::Digest;
use crate::store::Store;
use crate::store::atomic::{self, Staged};

/// What is known of an unpacked layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerInfo {
    /// Bytes of its files.
    pub size: u64,
    /// How many entries it has.
    pub files: u64,
}

impl Store {
    /// Returns the directory of an unpacked layer, there or not.
    pub fn layer_path(&self, id_map: &str, diff_id: &Digest) -> PathBuf {
        self.root().join("layers").join(id_map).join(diff_id.hex())
    }

    /// Returns the files of an unpacked layer, there or not.
    pub fn layer_tree(&self, id_map: &str, diff_id: &Digest) -> PathBuf {
        self.layer_path(id_map, diff_id).join("tree")
    }

    /// Says whether a layer is unpacked under an id map.
    pub fn has_layer(&self, id_map: &str, diff_id: &Digest) -> bool {
        self.layer_tree(id_map, diff_id).is_dir()
    }

    /// Returns what is known of a layer, unpacked under whichever map.
    pub fn layer_info(&self, diff_id: &Digest) -> Option<LayerInfo> {
        let maps = fs::read_dir(self.root().join("layers")).ok()?;
        maps.flatten().find_map(|map| {
            let path = map.path().join(diff_id.hex()).join("layer.json");
            serde_json::from_slice(&fs::read(path).ok()?).ok()
        })
    }

    /// Returns the bytes of a layer's files under one id map.
    pub fn layer_size(&self, id_map: &str, diff_id: &Digest) -> u64 {
        let path = self.layer_path(id_map, diff_id).join("layer.json");
        let info: Option<LayerInfo> = fs::read(path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        info.map_or(0, |info| info.size)
    }

    /// Begins a layer: a directory with an empty `tree/` in it.
    pub fn stage_layer(&self) -> Result<Staged> {
        let staged = self.stage("layer")?;
        let tree = staged.path().join("tree");
        fs::create_dir(&tree).what(|| format!("cannot make \"{}\"", tree.display()))?;
        Ok(staged)
    }

    /// Makes a layer of a directory, which is moved; `left_out` is removed from it, a
    /// directory before what is in it.
    pub fn adopt_layer(
        &self,
        tree: &Path,
        left_out: &[Vec<u8>],
        id_map: &str,
        diff_id: &Digest,
        info: LayerInfo,
    ) -> Result<()> {
        let what = || format!("cannot store layer {diff_id}");
        let staged = self.stage_layer()?;
        let place = staged.path().join("tree");
        fs::rename(tree, &place).what(what)?;
        for path in left_out.iter().rev() {
            let path = place.join(OsStr::from_bytes(path));
            fs::remove_file(&path)
                .or_else(|_| fs::remove_dir(&path))
                .what(what)?;
        }
        self.publish_layer(staged, id_map, diff_id, info)
    }

    /// Gives a layer its name. When somebody else was first, theirs stays.
    pub fn publish_layer(
        &self,
        staged: Staged,
        id_map: &str,
        diff_id: &Digest,
        info: LayerInfo,
    ) -> Result<()> {
        let place = self.layer_path(id_map, diff_id);
        let publish = || -> io::Result<()> {
            fs::create_dir_all(self.root().join("layers").join(id_map))?;
            fs::write(staged.path().join("layer.json"), serde_json::to_vec(&info)?)?;
            // The files were written through the page cache: all of them are made
            // durable at once before the name says that they are there. The name
            // itself may be lost with the power: the layer is unpacked again then.
            atomic::sync_file_system(staged.path())?;
            match staged.publish(&place, false) {
                Err(error) if is_there(&error) => Ok(()),
                done => done,
            }
        };
        publish().what(|| format!("cannot store layer {diff_id}"))
    }
}

fn is_there(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty
    )
}
