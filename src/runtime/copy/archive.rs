//! A tar as a source and as a sink of entries.
//!
//! Lives here: the way from a header to an entry and back.
//! Must not: make or open a file.
//! Called by: `ops::cp`.
//! Always true: a tar that ends too early is an error, and a path that climbs
//! is one, too.

use std::io::{BufRead, Read, Write};
use std::path::Path;

use tar::{Archive, Builder, EntryType, Header};

use crate::error::{Context, Error, Result};
use crate::runtime::copy::{Content, Copied, Entry, Kind, Sink, relative};

/// Gives `sink` all entries of a tar, which may be compressed with gzip or zstd.
pub fn read(mut input: impl BufRead, sink: &mut dyn Sink) -> Result<()> {
    let start = input.fill_buf().what(|| "cannot read the tar")?;
    if start.starts_with(&[0x1f, 0x8b]) {
        return read_plain(flate2::bufread::MultiGzDecoder::new(input), sink);
    }
    if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let plain = zstd::stream::read::Decoder::with_buffer(input)
            .what(|| "cannot read the tar's compression")?;
        return read_plain(plain, sink);
    }
    read_plain(input, sink)
}

fn read_plain(input: impl Read, sink: &mut dyn Sink) -> Result<()> {
    let mut archive = Archive::new(input);
    let bad = || "cannot read the tar";
    for entry in archive.entries().what(bad)? {
        let mut entry = entry.what(bad)?;
        let path = relative(&entry.path_bytes())?;
        let header = entry.header();
        let kind = match header.entry_type() {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                Kind::File(entry.size())
            }
            EntryType::Directory => Kind::Directory,
            EntryType::Symlink => Kind::Link(link_of(&entry)?),
            EntryType::Link => Kind::Same(relative(&link_bytes(&entry)?)?),
            EntryType::Fifo => Kind::Fifo,
            EntryType::Char | EntryType::Block => Kind::Other("a device"),
            // Global headers and labels are no files.
            _ => continue,
        };
        let number = |value: std::io::Result<u64>| {
            value
                .ok()
                .and_then(|value| u32::try_from(value).ok())
                .unwrap_or(0)
        };
        let made = Entry {
            path,
            mode: header.mode().unwrap_or(0o644) & 0o7777,
            uid: number(header.uid()),
            gid: number(header.gid()),
            mtime: (i64::try_from(header.mtime().unwrap_or(0)).unwrap_or(0), 0),
            kind,
        };
        let content = match made.kind {
            Kind::File(_) => Content::Stream(&mut entry),
            _ => Content::Nothing,
        };
        sink.put(&made, content)?;
    }
    Ok(())
}

fn link_bytes<R: Read>(entry: &tar::Entry<'_, R>) -> Result<Vec<u8>> {
    match entry.link_name_bytes() {
        Some(name) if !name.contains(&0) => Ok(name.into_owned()),
        _ => Err(Error::new("it has a link that leads to no path").what("cannot read the tar")),
    }
}

fn link_of<R: Read>(entry: &tar::Entry<'_, R>) -> Result<std::path::PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    Ok(std::ffi::OsString::from_vec(link_bytes(entry)?).into())
}

/// Writes the entries it is given as a tar.
pub struct Tar<W: Write> {
    builder: Builder<W>,
    copied: Copied,
}

impl<W: Write> Tar<W> {
    /// Begins.
    pub fn new(output: W) -> Self {
        Self {
            builder: Builder::new(output),
            copied: Copied::default(),
        }
    }

    /// Returns what was copied.
    pub fn copied(self) -> Copied {
        self.copied
    }

    fn header(entry: &Entry, kind: EntryType, size: u64) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(entry.mode);
        header.set_uid(entry.uid.into());
        header.set_gid(entry.gid.into());
        header.set_mtime(u64::try_from(entry.mtime.0).unwrap_or(0));
        header
    }

    fn write(&mut self, entry: &Entry, content: Content<'_>) -> std::io::Result<()> {
        let plain = |kind| Self::header(entry, kind, 0);
        match &entry.kind {
            Kind::Directory => {
                let mut path = entry.path.join("").into_os_string();
                if path.is_empty() {
                    path.push("./");
                }
                let path = Path::new(&path);
                self.builder
                    .append_data(&mut plain(EntryType::Directory), path, &[][..])
            }
            Kind::File(size) => {
                let mut header = Self::header(entry, EntryType::Regular, *size);
                // A file that has become shorter since is filled up: its size
                // has been written already.
                let zeros = std::io::repeat(0);
                self.copied.bytes += size;
                match content {
                    Content::File(file) => {
                        let exact = file.chain(zeros).take(*size);
                        self.builder.append_data(&mut header, &entry.path, exact)
                    }
                    Content::Stream(stream) => {
                        let exact = stream.chain(zeros).take(*size);
                        self.builder.append_data(&mut header, &entry.path, exact)
                    }
                    Content::Nothing => {
                        let exact = zeros.take(*size);
                        self.builder.append_data(&mut header, &entry.path, exact)
                    }
                }
            }
            Kind::Link(link) => {
                self.builder
                    .append_link(&mut plain(EntryType::Symlink), &entry.path, link)
            }
            Kind::Same(first) => {
                self.builder
                    .append_link(&mut plain(EntryType::Link), &entry.path, first)
            }
            Kind::Fifo => {
                self.builder
                    .append_data(&mut plain(EntryType::Fifo), &entry.path, &[][..])
            }
            Kind::Other(why) => {
                self.copied.skip(entry, why);
                Ok(())
            }
        }
    }
}

impl<W: Write> Sink for Tar<W> {
    fn put(&mut self, entry: &Entry, content: Content<'_>) -> Result<()> {
        self.write(entry, content)
            .what(|| format!("cannot write \"{}\" as a tar", entry.path.display()))
    }

    fn finish(&mut self) -> Result<()> {
        self.builder
            .finish()
            .and_then(|()| self.builder.get_mut().flush())
            .what(|| "cannot write the end of the tar")
    }
}
