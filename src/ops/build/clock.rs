//! The times of a layer's files.
//!
//! What a step writes has the time of the day, which would make each build another
//! image. So what is newer than the image that was built upon gets that image's time:
//! a fixed one, later than all that is in it, and the same wherever it is built.
//!
//! A file that notes another's time would be out of date then. What python's compiler
//! makes is not: `RUN` has SOURCE_DATE_EPOCH, with which it notes a hash instead
//! (py_compile). What the interpreter compiles on the way notes its source's time, so that
//! is set where the source's is; else each start of the image would compile again.
//!
//! Lives here: setting the times of a directory before it becomes a layer.
//! Must not: decide what the time is (`plan`).
//! Called by: `step`.
//! Always true: no link is followed; a time that is right already is not touched.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, Timespec, Timestamps, openat, statat,
    utimensat,
};

use crate::error::{Context, Result};
use crate::ops::build::graph::Times;

/// Gives everything in a directory the time it is to have.
pub fn settle(tree: &Path, times: Times) -> Result<()> {
    let what = || "cannot set the times of the step's files";
    let root = openat(CWD, tree, FLAGS, Mode::empty()).what(what)?;
    if times != Times::Kept {
        directory(&root, times).what(what)?;
        // The root's own, seen only where the layer is alone.
        set(root.as_fd(), ".", &rustix::fs::fstat(&root)?, times).what(what)?;
    }
    Ok(())
}

const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

fn directory(fd: &OwnedFd, times: Times) -> rustix::io::Result<()> {
    let mut sources = Vec::new();
    for entry in Dir::read_from(fd)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let stat = statat(fd, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            directory(&openat(fd, name, FLAGS, Mode::empty())?, times)?;
        }
        if let Some(time) = wanted(&stat, times) {
            touch(fd.as_fd(), name, time)?;
            sources.extend(Source::of(name.to_bytes(), &stat, time));
        }
    }
    if !sources.is_empty()
        && let Ok(compiled) = openat(fd, "__pycache__", FLAGS, Mode::empty())
    {
        renote(&compiled, &sources, times)?;
    }
    Ok(())
}

/// A source of python's whose time was set.
struct Source {
    /// The name without its ending.
    name: Vec<u8>,
    /// Time and size, as python notes them (importlib, `_code_to_timestamp_pyc`).
    was: [u8; 8],
    is: [u8; 8],
}

impl Source {
    fn of(name: &[u8], stat: &Stat, time: i64) -> Option<Self> {
        let size = low(stat.st_size);
        let note = |time: i64| {
            let mut bytes = [0; 8];
            bytes[..4].copy_from_slice(&low(time));
            bytes[4..].copy_from_slice(&size);
            bytes
        };
        Some(Self {
            name: name.strip_suffix(b".py")?.to_vec(),
            was: note(stat.st_mtime),
            is: note(time),
        })
    }

    /// Says whether a file is called as what is compiled of it: `name.cpython-313.pyc`.
    fn is_of(&self, compiled: &[u8]) -> bool {
        compiled
            .strip_prefix(self.name.as_slice())
            .and_then(|rest| rest.strip_prefix(b"."))
            .is_some_and(|rest| rest.ends_with(b".pyc"))
    }
}

fn low(number: i64) -> [u8; 4] {
    let [a, b, c, d, ..] = number.to_le_bytes();
    [a, b, c, d]
}

/// Notes the new times of sources where the old ones are noted. The file begins with a
/// magic number that ends in a line's end, flags of which none is set where there is a
/// time, and both notes (PEP 552).
fn renote(compiled: &OwnedFd, sources: &[Source], times: Times) -> rustix::io::Result<()> {
    for entry in Dir::read_from(compiled)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(source) = sources.iter().find(|s| s.is_of(name.to_bytes())) else {
            continue;
        };
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(file) = openat(compiled, name, flags, Mode::empty()).map(File::from) else {
            continue;
        };
        let mut head = [0; 16];
        let is_noted = file.read_exact_at(&mut head, 0).is_ok()
            && head[2..8] == *b"\r\n\0\0\0\0"
            && head[8..] == source.was;
        if is_noted {
            file.write_all_at(&source.is, 8).map_err(from_std)?;
            let stat = rustix::fs::fstat(&file)?;
            set(compiled.as_fd(), name, &stat, times)?;
        }
    }
    Ok(())
}

fn from_std(error: std::io::Error) -> rustix::io::Errno {
    rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO)
}

fn set(
    parent: BorrowedFd<'_>,
    name: impl rustix::path::Arg,
    stat: &Stat,
    times: Times,
) -> rustix::io::Result<()> {
    match wanted(stat, times) {
        Some(time) => touch(parent, name, time),
        None => Ok(()),
    }
}

/// The time that a file is to have; none where it has it.
fn wanted(stat: &Stat, times: Times) -> Option<i64> {
    let time = match times {
        Times::Kept => return None,
        Times::Exactly(time) => time,
        Times::Most(most) => most,
    };
    let whole = stat.st_mtime == time && stat.st_mtime_nsec == 0;
    let right = match times {
        Times::Most(most) => stat.st_mtime < most || whole,
        _ => whole,
    };
    (!right).then_some(time)
}

fn touch(
    parent: BorrowedFd<'_>,
    name: impl rustix::path::Arg,
    time: i64,
) -> rustix::io::Result<()> {
    let time = Timespec {
        tv_sec: time,
        tv_nsec: 0,
    };
    let both = Timestamps {
        last_access: time,
        last_modification: time,
    };
    utimensat(parent, name, &both, AtFlags::SYMLINK_NOFOLLOW)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use crate::ops::build::graph::Times;

    #[test]
    fn what_is_newer_gets_the_time_and_what_is_older_keeps_its_own() {
        let dir = tempfile::tempdir().expect("a directory");
        let tree = dir.path();
        std::fs::create_dir(tree.join("d")).expect("made");
        std::fs::write(tree.join("d/new"), "").expect("written");
        let old = std::fs::File::create(tree.join("d/old")).expect("made");
        let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1000);
        old.set_modified(long_ago).expect("set");
        std::os::unix::fs::symlink("nowhere", tree.join("link")).expect("linked");
        super::settle(tree, Times::Most(5000)).expect("settled");
        let time = |name: &str| {
            std::fs::symlink_metadata(tree.join(name))
                .expect("there")
                .mtime()
        };
        assert_eq!(
            [time("d"), time("d/new"), time("d/old"), time("link")],
            [5000, 5000, 1000, 5000]
        );
        super::settle(tree, Times::Exactly(7)).expect("settled");
        assert_eq!([time("d"), time("d/old"), time("link")], [7, 7, 7]);
    }

    #[test]
    fn what_python_compiled_notes_the_time_that_its_source_has() {
        let dir = tempfile::tempdir().expect("a directory");
        let tree = dir.path().join("tree");
        std::fs::create_dir_all(tree.join("d/__pycache__")).expect("made");
        let written = |time: u64| std::time::UNIX_EPOCH + std::time::Duration::from_secs(time);
        let source = |name: &str, time: u64| {
            let path = tree.join("d").join(name);
            std::fs::write(&path, "12345").expect("written");
            let file = std::fs::File::options()
                .write(true)
                .open(&path)
                .expect("open");
            file.set_modified(written(time)).expect("set");
        };
        source("new.py", 9000);
        source("old.py", 1000);
        let compiled = |name: &str, flags: u32, time: u32, size: u32| {
            let numbers = [flags, time, size].map(u32::to_le_bytes);
            let bytes = [b"\xa7\x0d\r\n", numbers.as_flattened(), b"code"].concat();
            std::fs::write(tree.join("d/__pycache__").join(name), bytes).expect("written");
        };
        // By time, by a hash, of another time, of another size, and of an older source.
        let cases = [
            ("new.cpython-311.pyc", 0, 9000, 5, 5000),
            ("new.cpython-312.pyc", 1, 9000, 5, 9000),
            ("new.cpython-313.pyc", 0, 8999, 5, 8999),
            ("new.cpython-314.pyc", 0, 9000, 6, 9000),
            ("newer.cpython-314.pyc", 0, 9000, 5, 9000),
            ("old.cpython-311.pyc", 0, 1000, 5, 1000),
        ];
        for (name, flags, time, size, _) in cases {
            compiled(name, flags, time, size);
        }
        super::settle(&tree, Times::Most(5000)).expect("settled");
        for (name, flags, _, size, noted) in cases {
            let path = tree.join("d/__pycache__").join(name);
            let bytes = std::fs::read(&path).expect("read");
            let numbers = [flags, noted, size].map(u32::to_le_bytes);
            assert_eq!(bytes[4..16], *numbers.as_flattened(), "{name}");
            assert_eq!(std::fs::metadata(&path).expect("there").mtime(), 5000);
        }
    }
}
