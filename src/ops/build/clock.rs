//! The times of a layer's files.
//!
//! What a step writes has the time of the day, which would make each build another
//! image. So what is newer than the image that was built upon gets that image's time:
//! a fixed one, later than all that is in it, and the same wherever it is built.
//!
//! A file that notes another's time would be out of date then. What python compiles is
//! not: `RUN` has SOURCE_DATE_EPOCH, with which python's compiler notes a hash instead
//! (py_compile); what the interpreter itself compiles on the way it compiles again.
//!
//! Lives here: setting the times of a directory before it becomes a layer.
//! Must not: decide what the time is (`plan`).
//! Called by: `step`.
//! Always true: no link is followed; a time that is right already is not touched.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
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
        set(fd.as_fd(), name, &stat, times)?;
    }
    Ok(())
}

fn set(
    parent: BorrowedFd<'_>,
    name: impl rustix::path::Arg,
    stat: &Stat,
    times: Times,
) -> rustix::io::Result<()> {
    let time = match times {
        Times::Kept => return Ok(()),
        Times::Exactly(time) => time,
        Times::Most(most) => most,
    };
    let whole = stat.st_mtime == time && stat.st_mtime_nsec == 0;
    let right = match times {
        Times::Most(most) => stat.st_mtime < most || whole,
        _ => whole,
    };
    if right {
        return Ok(());
    }
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
}
