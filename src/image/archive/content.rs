//! The files of an archive or a directory, by name.
//!
//! Lives here: [`Content`]: files in a directory of `tmp/`, each hashed when it
//! was taken; links between names; the way of a file into the store.
//! Must not: know what a file means.
//! Called by: `image::archive`.
//! Always true: a name never leads out of the archive; a file becomes a blob
//! only under the digest that was computed here. What is not kept goes with the
//! directory when the [`Content`] is dropped.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};

use crate::error::{Context, Error, Kind, Result};
use crate::image::layer::entries::{self, Entries};
use crate::image::layer::inflate::{self, Compression};
use crate::image::layer::{plain_name, shown};
use crate::spec::digest::{Digest, Hasher};
use crate::store::Store;
use crate::store::atomic::Staged;
use crate::store::images::DOCUMENT_LIMIT;

/// Where an archive comes from.
pub enum Source<'a> {
    /// A tar, compressed or not, read once from its beginning.
    Stream(&'a mut (dyn Read + Send)),
    /// An unpacked one.
    Directory(&'a Path),
}

/// The files of an archive.
pub struct Content {
    store: Store,
    staged: Staged,
    files: RefCell<BTreeMap<String, Held>>,
    links: BTreeMap<String, String>,
    directory: Option<OwnedFd>,
}

/// A file that has been taken.
#[derive(Clone, Debug)]
pub struct Held {
    path: PathBuf,
    /// Digest of its bytes.
    pub digest: Digest,
    /// How many bytes.
    pub size: u64,
    /// What it is compressed with.
    pub compression: Compression,
}

const ENTRIES_LIMIT: usize = 50_000;
const NAME_LIMIT: usize = 1024;
const LINKS_LIMIT: usize = 8;
/// What old archives say about a layer beside it, and nobody reads.
const UNREAD: [&str; 3] = ["VERSION", "json", "repositories"];

impl Content {
    /// Takes the files of a stream; a directory's are taken when they are asked for.
    pub fn take(store: &Store, source: Source<'_>) -> Result<Self> {
        let mut content = Self {
            store: store.clone(),
            staged: store.stage("load")?,
            files: RefCell::default(),
            links: BTreeMap::new(),
            directory: None,
        };
        match source {
            Source::Stream(stream) => content.take_stream(stream)?,
            Source::Directory(path) => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let fd = rustix::fs::open(path, flags, Mode::empty())?;
                content.directory = Some(fd);
            }
        }
        Ok(content)
    }

    /// Returns the store that files are kept in.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Says whether there is a file of that name.
    pub fn has(&self, name: &str) -> bool {
        match &self.directory {
            None => self.files.borrow().contains_key(name),
            Some(directory) => self.open(directory, name).is_ok(),
        }
    }

    /// Returns the file that a name leads to.
    ///
    /// # Errors
    /// `NotFound`, when it leads nowhere.
    pub fn find(&self, name: &str) -> Result<Held> {
        let mut at = plain(name)?;
        for _ in 0..LINKS_LIMIT {
            if let Some(held) = self.files.borrow().get(&at) {
                return Ok(held.clone());
            }
            if let Some(directory) = &self.directory {
                let file = self.open(directory, &at).what(|| missing(name))?;
                let held = self.hold(file)?;
                self.files.borrow_mut().insert(at, held.clone());
                return Ok(held);
            }
            match self.links.get(&at) {
                Some(target) => at.clone_from(target),
                None => break,
            }
        }
        Err(Error::of(Kind::NotFound, missing(name)))
    }

    /// Reads a file that is a document of at most 4 MiB.
    pub fn document(&self, name: &str) -> Result<Vec<u8>> {
        self.read(&self.find(name)?)
            .what(|| format!("cannot read {name:?}"))
    }

    /// Reads a file that was found, if it is small enough for a document.
    pub fn read(&self, held: &Held) -> Result<Vec<u8>> {
        if held.size > DOCUMENT_LIMIT {
            return Err(Error::new(format!(
                "it has {} bytes, and a document has at most {DOCUMENT_LIMIT}",
                held.size
            )));
        }
        // After it was kept, it stands among the blobs.
        let file =
            File::open(&held.path).or_else(|_| File::open(self.store.blob_path(&held.digest)));
        let mut bytes = Vec::new();
        file?.take(DOCUMENT_LIMIT).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads a blob that is a document, out of the archive or the store.
    pub fn blob_document(&self, digest: &Digest, size: u64) -> Result<Vec<u8>> {
        if self.store.has_blob(digest) {
            return self.store.read_blob(digest, DOCUMENT_LIMIT);
        }
        let held = self.blob(digest, size)?;
        self.read(&held)
            .what(|| format!("cannot read blob {digest}"))
    }

    /// Brings a blob into the store, unless it is there.
    pub fn keep_blob(&self, digest: &Digest, size: u64) -> Result<()> {
        self.keep_as(&format!("blobs/sha256/{}", digest.hex()), digest, size)
    }

    /// Brings a file into the store, under its digest.
    pub fn keep(&self, held: &Held) -> Result<()> {
        self.store.adopt_blob(&held.path, &held.digest)
    }

    /// Brings a file into the store as the blob that it has to be, unless that is there.
    pub fn keep_as(&self, name: &str, digest: &Digest, size: u64) -> Result<()> {
        if self.store.has_blob(digest) {
            return Ok(());
        }
        self.keep(&self.checked(name, digest, size)?)
    }

    fn blob(&self, digest: &Digest, size: u64) -> Result<Held> {
        self.checked(&format!("blobs/sha256/{}", digest.hex()), digest, size)
    }

    fn checked(&self, name: &str, digest: &Digest, size: u64) -> Result<Held> {
        let held = self.find(name)?;
        if held.digest != *digest || held.size != size {
            return Err(Error::new(format!(
                "blob {digest} of {size} bytes is damaged: what has its name has digest {} and {} bytes",
                held.digest, held.size
            )));
        }
        Ok(held)
    }

    fn take_stream(&mut self, stream: &mut (dyn Read + Send)) -> Result<()> {
        let plain_stream = inflate::plain(stream)?;
        let mut entries = Entries::new(BufReader::with_capacity(256 << 10, plain_stream));
        let mut count = 0;
        while let Some(entry) = entries.next_entry()? {
            count += 1;
            if count > ENTRIES_LIMIT {
                return Err(Error::new(format!(
                    "it has more than {ENTRIES_LIMIT} entries: it is no archive of images"
                )));
            }
            self.take_entry(&entry, &mut entries)
                .what(|| format!("entry {}", shown(&entry.name)))?;
        }
        Ok(())
    }

    fn take_entry<R: io::BufRead>(
        &mut self,
        entry: &entries::Entry,
        entries: &mut Entries<R>,
    ) -> Result<()> {
        let name =
            plain(std::str::from_utf8(&entry.name).map_err(|_| {
                Error::new("its name is not in UTF-8: this is no archive of images")
            })?)?;
        let base = name.rsplit('/').next().unwrap_or_default();
        match entry.kind {
            entries::Kind::File if UNREAD.contains(&base) => {}
            entries::Kind::File => {
                if entry.pieces.is_some() {
                    return Err(Error::new("it has holes, which no file of an image has"));
                }
                let held = self.hold(entries.data())?;
                let files = self.files.get_mut();
                if files
                    .get(&name)
                    .is_some_and(|known| known.digest != held.digest)
                {
                    return Err(Error::new("it is there twice, with different content"));
                }
                files.insert(name, held);
            }
            entries::Kind::HardLink => {
                self.links.insert(name, plain(&text(&entry.link)?)?);
            }
            entries::Kind::Symlink => {
                let directory = name.rsplit_once('/').map_or("", |(d, _)| d);
                let target = plain(&format!("{directory}/{}", text(&entry.link)?))?;
                self.links.insert(name, target);
            }
            _ => {}
        }
        Ok(())
    }

    /// Copies a file into the staged directory, and hashes it.
    fn hold(&self, mut from: impl Read) -> Result<Held> {
        let name = crate::store::atomic::random_name();
        let path = self.staged.path().join(name);
        let what = || format!("cannot write \"{}\"", path.display());
        let mut to = File::create_new(&path).what(what)?;
        let mut hasher = Hasher::default();
        let mut start = Vec::new();
        let mut size = 0;
        let mut buffer = vec![0; 256 << 10];
        loop {
            let count = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if start.len() < 8 {
                start.extend_from_slice(&buffer[..count.min(8)]);
            }
            hasher.update(&buffer[..count]);
            to.write_all(&buffer[..count]).what(what)?;
            size += count as u64;
        }
        Ok(Held {
            digest: hasher.finish(),
            size,
            compression: Compression::of(&start),
            path,
        })
    }

    fn open(&self, directory: &OwnedFd, name: &str) -> Result<File> {
        let fd = rustix::fs::openat2(
            directory,
            name,
            OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK,
            Mode::empty(),
            ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
        )?;
        let file = File::from(fd);
        if !file.metadata()?.is_file() {
            return Err(Error::new("it is no regular file"));
        }
        Ok(file)
    }
}

fn missing(name: &str) -> String {
    format!("{name:?} is not in it")
}

fn text(bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Error::new("its link is not in UTF-8"))
}

/// A name without `.`, `..` and leading slashes.
fn plain(name: &str) -> Result<String> {
    if name.len() > NAME_LIMIT {
        return Err(Error::new(format!(
            "a name has more than {NAME_LIMIT} bytes"
        )));
    }
    let path = plain_name(name.as_bytes())?;
    String::from_utf8(path).map_err(|_| Error::internal("a name was cut inside a letter"))
}
