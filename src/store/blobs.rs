//! Blobs: content by its digest, in the OCI image layout.
//!
//! Lives here: reading, writing and locking of `images/blobs/sha256/` and
//! `partial/`.
//! Must not: know what a blob means.
//! Called by: `image`, `store::images`.
//! Always true: a blob under its name has that digest.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Result};
use crate::spec::digest::{Digest, Hasher};
use crate::store::Store;
use crate::store::atomic;

impl Store {
    /// Returns where a blob stands, or would.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root().join("images/blobs/sha256").join(digest.hex())
    }

    /// Says whether a blob is in the store.
    pub fn has_blob(&self, digest: &Digest) -> bool {
        self.blob_path(digest).is_file()
    }

    /// Opens a blob.
    pub fn open_blob(&self, digest: &Digest) -> Result<File> {
        File::open(self.blob_path(digest)).what(|| format!("cannot read blob {digest}"))
    }

    /// Reads a blob of at most `limit` bytes: a manifest or a configuration.
    pub fn read_blob(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open_blob(digest)?
            .take(limit + 1)
            .read_to_end(&mut bytes)
            .what(|| format!("cannot read blob {digest}"))?;
        if bytes.len() as u64 > limit {
            return Err(Error::new(format!(
                "blob {digest} is larger than {limit} bytes"
            )));
        }
        Ok(bytes)
    }

    /// Writes a blob that is in memory, and returns its digest.
    pub fn add_blob(&self, bytes: &[u8]) -> Result<Digest> {
        let digest = Digest::of(bytes);
        if !self.has_blob(&digest) {
            self.write(&self.blob_path(&digest), bytes, true)?;
        }
        Ok(digest)
    }

    /// Begins a blob whose digest is known when all of it was written.
    pub fn new_blob(&self) -> Result<BlobWriter> {
        let (path, file) = self.stage_file("blob")?;
        Ok(BlobWriter {
            store: self.clone(),
            path,
            file,
            hasher: Some(Hasher::default()),
            size: 0,
        })
    }

    /// Gives a file of `tmp/` its name as a blob. Whoever wrote it has checked its digest.
    pub fn adopt_blob(&self, file: &Path, digest: &Digest) -> Result<()> {
        if self.has_blob(digest) {
            return Ok(());
        }
        let place = self.blob_path(digest);
        atomic::sync_path(file)
            .and_then(|()| fs::rename(file, &place))
            .and_then(|()| atomic::sync_parent(&place))
            .what(|| format!("cannot write blob {digest}"))
    }

    /// Waits until nobody else is fetching or unpacking `digest`, and keeps others waiting while the file lives.
    pub fn lock_blob(&self, digest: &Digest) -> Result<File> {
        let path = self
            .root()
            .join("partial")
            .join(format!("{}.lock", digest.hex()));
        let what = || format!("cannot lock \"{}\"", path.display());
        loop {
            let file = File::options()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)
                .what(what)?;
            file.lock().what(what)?;
            // A collector deletes locks that nobody holds, so this one may have gone meanwhile.
            if fs::symlink_metadata(&path).is_ok_and(|meta| atomic::same(&meta, &file)) {
                return Ok(file);
            }
        }
    }

    /// Returns where the bytes of a blob on its way are kept.
    pub fn partial_path(&self, digest: &Digest) -> PathBuf {
        self.root().join("partial").join(digest.hex())
    }

    /// Gives what is at [`Store::partial_path`] its name; the caller has checked its digest.
    pub fn publish_partial(&self, digest: &Digest) -> Result<()> {
        let (path, place) = (self.partial_path(digest), self.blob_path(digest));
        atomic::sync_path(&path)
            .and_then(|()| fs::rename(&path, &place))
            .and_then(|()| atomic::sync_parent(&place))
            .what(|| format!("cannot write blob {digest}"))
    }
}

/// Takes the bytes of a blob.
#[derive(Debug)]
pub struct BlobWriter {
    store: Store,
    path: PathBuf,
    file: File,
    hasher: Option<Hasher>,
    size: u64,
}

impl BlobWriter {
    /// Gives the blob its name, if it is the one expected; returns its digest and size.
    pub fn commit(mut self, expected: Option<&Digest>) -> Result<(Digest, u64)> {
        let digest = self.hasher.take().unwrap_or_default().finish();
        if let Some(expected) = expected
            && *expected != digest
        {
            return Err(Error::new(format!(
                "its content has digest {digest}, not {expected}"
            )));
        }
        let place = self.store.blob_path(&digest);
        self.file
            .sync_all()
            .and_then(|()| fs::rename(&self.path, &place))
            .and_then(|()| atomic::sync_parent(&place))
            .what(|| format!("cannot write blob {digest}"))?;
        Ok((digest, self.size))
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&bytes[..count]);
        }
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        // After a commit the name has gone, and nothing is deleted.
        drop(fs::remove_file(&self.path));
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hasher")
    }
}
