//! The kernel's overlay file system, inside a user namespace (Linux 5.11; what
//! is mounted on it needs 5.12, mount_setattr(2)).
//!
//! Lives here: the mount and, where it fails, the reason.
//! Must not: fall back by itself; the caller walks the ladder.
//! Called by: `runtime::sequence`, `ops`.
//! Always true: `userxattr` is always passed: without it the mount succeeds,
//! but opaque directories cannot be recorded and renames give EIO.

use std::collections::HashSet;
use std::fmt::Write;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::MountFlags;

use crate::error::{Context, Error, Result};
use crate::rootfs::Tree;

/// Mounts the tree on `target`.
///
/// # Errors
/// Names the reason when the kernel or the store's file system makes it impossible.
pub fn mount(tree: &Tree, target: &Path) -> Result<()> {
    prepare_work(&tree.work, tree.volatile);
    let mut names = Names::default();
    let mut options = names.lower(tree.layers.iter().rev())?;
    let (upper, work) = (names.of(&tree.upper)?, names.of(&tree.work)?);
    let volatile = if tree.volatile { ",volatile" } else { "" };
    write!(
        options,
        ",upperdir={upper},workdir={work},userxattr{volatile}"
    )
    .map_err(|_| Error::internal("cannot write overlay options"))?;
    mount_with(options, MountFlags::NODEV, target)
        .map_err(|errno| explain(errno.into(), &tree.upper))
}

/// Mounts directories on `target` to be read, the lowest first. The highest may be the
/// upper one of a container that runs: what it changes meanwhile may be seen or not.
pub fn mount_read_only(layers: &[PathBuf], target: &Path) -> Result<()> {
    let Some(last) = layers.last() else {
        return Err(Error::internal("an overlay of no directories"));
    };
    let mut names = Names::default();
    // The kernel wants two; the same one twice is refused, so something empty is below.
    let mut options = names.lower(layers.iter().rev())?;
    if names.0.len() == 1 {
        write!(options, ":{}", names.of(target)?)
            .map_err(|_| Error::internal("cannot write overlay options"))?;
    }
    options.push_str(",userxattr,index=off");
    let flags = MountFlags::NODEV | MountFlags::RDONLY;
    mount_with(options, flags, target).map_err(|errno| explain(errno.into(), last))
}

/// Names through descriptors are short, so that hundreds of layers fit into the page
/// that mount(2) takes, and hold no colon or comma.
#[derive(Default)]
struct Names(Vec<OwnedFd>);

impl Names {
    fn of(&mut self, path: &Path) -> Result<String> {
        let fd = openat(
            CWD,
            path,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .what(|| format!("cannot open \"{}\"", path.display()))?;
        let name = format!("/proc/self/fd/{}", fd.as_raw_fd());
        self.0.push(fd);
        Ok(name)
    }

    /// Takes the highest first. An image may have a layer twice, and the kernel takes none
    /// twice (ELOOP): what the lower of the two shows, the higher shows as well.
    fn lower<'a>(&mut self, layers: impl Iterator<Item = &'a PathBuf>) -> Result<String> {
        let mut seen = HashSet::new();
        let names = layers
            .filter(|layer| seen.insert(*layer))
            .map(|layer| self.of(layer))
            .collect::<Result<Vec<String>>>()?;
        Ok(format!("lowerdir={}", names.join(":")))
    }
}

fn mount_with(options: String, flags: MountFlags, target: &Path) -> rustix::io::Result<()> {
    let data = std::ffi::CString::new(options).map_err(|_| rustix::io::Errno::INVAL)?;
    rustix::mount::mount("overlay", target, "overlay", flags, Some(data.as_c_str()))
}

/// A volatile overlay leaves a mark that forbids the next mount, in case its
/// files had been lost. They were not: the machine has not been restarted since,
/// or the container would be gone.
fn prepare_work(work: &Path, volatile: bool) {
    let mark = work.join("work/incompat/volatile");
    if !volatile && !mark.exists() {
        return;
    }
    drop(fs::remove_dir_all(mark));
}

fn explain(error: io::Error, on: &Path) -> Error {
    let what = "cannot put the image's layers together with the kernel's overlay";
    let kind = file_system(on);
    let store = on.parent().unwrap_or(on).display();
    match rustix::io::Errno::from_io_error(&error) {
        Some(rustix::io::Errno::INVAL) if kind == Some("overlay") => {
            Error::new(format!("the store is itself on an overlay (\"{store}\"), as inside another container"))
                .what(what)
                .hint("put the store on a volume or tmpfs of that container: `XDG_DATA_HOME=/volume rpod …`")
        }
        Some(rustix::io::Errno::INVAL | rustix::io::Errno::OPNOTSUPP) => {
            Error::new(format!(
                "the file system of the store ({}) cannot hold its upper layer",
                kind.unwrap_or("of an unknown kind")
            ))
            .what(what)
            .hint("put the store on ext4, xfs, btrfs or tmpfs: `XDG_DATA_HOME=/other/disk rpod …`")
        }
        Some(rustix::io::Errno::PERM | rustix::io::Errno::ACCESS) => Error::from(error)
            .what("the kernel allows it to users since Linux 5.11, and a security policy may forbid it")
            .what(what)
            .hint("`uname -r` tells the kernel; in a container, `--security-opt seccomp=unconfined` lifts the policy"),
        Some(rustix::io::Errno::NODEV) => Error::new("this kernel has no overlay file system")
            .what(what)
            .hint("ask an administrator to run `modprobe overlay`"),
        _ => Error::from(error).what(what),
    }
}

/// statfs(2) numbers of the file systems people meet.
fn file_system(path: &Path) -> Option<&'static str> {
    let kind = rustix::fs::statfs(path).ok()?.f_type;
    Some(match u64::try_from(kind).ok()? & 0xffff_ffff {
        0x794c_7630 => "overlay",
        0xef53 => "ext4",
        0x0102_1994 => "tmpfs",
        0x9123_683e => "btrfs",
        0x5846_5342 => "xfs",
        0x6969 => "nfs",
        0x6573_5546 => "fuse",
        0x0102_1997 => "9p",
        0x4d44 => "vfat",
        0xff53_4d42 => "cifs",
        _ => return None,
    })
}
