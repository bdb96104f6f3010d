//! The mounts of a container, from the words of its OCI runtime spec.
//!
//! Lives here: file systems, binds, devices, masks; each put on its target
//! through a descriptor, never through a path that could change its meaning.
//! Must not: decide what is mounted (`plan`).
//! Called by: `sequence`.
//! Always true: nothing of the host becomes visible that is not in the list.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use oci_spec::runtime::Mount;
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, symlinkat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

use crate::error::{Context, Error, Result};
use crate::runtime::inside::{self, Wanted};
use crate::sys::mount::{self as attributes, Propagation};

/// Does one line of the spec's `mounts`.
pub fn mount(root: BorrowedFd<'_>, line: &Mount) -> Result<()> {
    let target = line.destination();
    let kind = line.typ().as_deref().unwrap_or("bind");
    let options = Options::parse(line.options().as_deref().unwrap_or_default());
    let what = || format!("cannot mount {kind} on \"{}\"", target.display());
    match kind {
        "bind" | "none" => {
            let source = line.source().as_deref().unwrap_or(Path::new(""));
            bind(root, source, target, &options)
        }
        "cgroup" => cgroup(root, target, &options).what(what),
        kind => {
            let mounted = file_system(kind, &options).map_err(|error| explain(kind, error));
            place(root, target, mounted.what(what)?.as_fd(), Wanted::Directory)
        }
    }
}

/// Puts a mount that nobody sees yet on its target.
fn place(
    root: BorrowedFd<'_>,
    target: &Path,
    mounted: BorrowedFd<'_>,
    wanted: Wanted,
) -> Result<()> {
    let target_fd = inside::ensure(root, target, wanted)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mounted, "", &target_fd, "", flags)
        .what(|| format!("cannot mount on \"{}\" in the container", target.display()))
}

/// What the words of a mount's `options` mean.
#[derive(Debug, Default)]
struct Options {
    attributes: u64,
    recursive: bool,
    propagation: Option<Propagation>,
    data: Vec<(String, Option<String>)>,
}

impl Options {
    fn parse(words: &[String]) -> Self {
        let mut options = Self::default();
        for word in words {
            match word.as_str() {
                "ro" => options.attributes |= attributes::READ_ONLY,
                "nosuid" => options.attributes |= attributes::NO_SUID,
                "nodev" => options.attributes |= attributes::NO_DEV,
                "noexec" => options.attributes |= attributes::NO_EXEC,
                "rbind" => options.recursive = true,
                "private" | "rprivate" => options.propagation = Some(Propagation::Private),
                "slave" | "rslave" => options.propagation = Some(Propagation::Slave),
                "shared" | "rshared" => options.propagation = Some(Propagation::Shared),
                "bind" | "rw" | "suid" | "dev" | "exec" | "relatime" | "strictatime" => {}
                other => options.data.push(match other.split_once('=') {
                    Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                    None => (other.to_owned(), None),
                }),
            }
        }
        options
    }

    fn mount_flags(&self) -> MountAttrFlags {
        MountAttrFlags::from_bits_truncate(u32::try_from(self.attributes).unwrap_or_default())
    }
}

fn file_system(kind: &str, options: &Options) -> rustix::io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in &options.data {
        match value {
            Some(value) => fsconfig_set_string(context.as_fd(), key.as_str(), value.as_str())?,
            None => fsconfig_set_flag(context.as_fd(), key.as_str())?,
        }
    }
    fsconfig_create(context.as_fd())?;
    fsmount(
        context.as_fd(),
        FsMountFlags::FSMOUNT_CLOEXEC,
        options.mount_flags(),
    )
}

fn explain(kind: &str, errno: Errno) -> Error {
    let error = Error::from(errno);
    match (kind, errno) {
        ("proc" | "sysfs", Errno::PERM) => error.hint(format!(
            "the kernel allows a new {kind} only where the present one is whole: inside another container, start that one with `--security-opt unmask=ALL` (podman) or `--security-opt systempaths=unconfined` (docker)"
        )),
        _ => error,
    }
}

fn bind(root: BorrowedFd<'_>, source: &Path, target: &Path, options: &Options) -> Result<()> {
    let what = || {
        format!(
            "cannot mount \"{}\" on \"{}\"",
            source.display(),
            target.display()
        )
    };
    let mut flags = OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::OPEN_TREE_CLONE;
    // A mount of the host that hides something may not be lifted by taking only
    // its top: the kernel refuses that to a user namespace, so all of it is taken.
    flags |= OpenTreeFlags::AT_RECURSIVE;
    let tree = open_tree(CWD, source, flags).what(what)?;
    if options.attributes != 0 {
        attributes::add_attributes(tree.as_fd(), options.attributes, true).what(what)?;
    }
    if let Some(propagation) = options.propagation {
        attributes::propagate(tree.as_fd(), propagation).what(what)?;
    }
    let is_directory =
        FileType::from_raw_mode(fstat(&tree).what(what)?.st_mode) == FileType::Directory;
    let wanted = if is_directory {
        Wanted::Directory
    } else {
        Wanted::File
    };
    place(root, target, tree.as_fd(), wanted)
}

/// The container's own part of the unified hierarchy. Where there is none, or
/// the kernel refuses, the directory stays as sysfs has it: empty.
fn cgroup(root: BorrowedFd<'_>, target: &Path, options: &Options) -> Result<()> {
    match file_system("cgroup2", options) {
        Ok(mounted) => match inside::open(root, target, OFlags::PATH) {
            Ok(_) => place(root, target, mounted.as_fd(), Wanted::Directory),
            Err(_) => Ok(()),
        },
        Err(_) => Ok(()),
    }
}

/// Makes the device nodes and links every program expects in `/dev`.
pub fn devices(root: BorrowedFd<'_>) -> Result<()> {
    let dev = inside::open(root, Path::new("dev"), OFlags::PATH | OFlags::DIRECTORY)
        .what(|| "cannot open \"/dev\" in the container")?;
    for name in ["null", "zero", "full", "random", "urandom", "tty"] {
        let source = Path::new("/dev").join(name);
        // A user namespace cannot make device nodes: the host's are bound.
        bind(root, &source, &source, &Options::default())?;
    }
    for (name, to) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
        ("core", "/proc/kcore"),
    ] {
        match symlinkat(to, &dev, name) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error).what(|| format!("cannot make \"/dev/{name}\"")),
        }
    }
    Ok(())
}

/// Hides a path: a directory becomes empty, anything else `/dev/null`.
pub fn mask(root: BorrowedFd<'_>, path: &Path) -> Result<()> {
    let what = || format!("cannot hide \"{}\"", path.display());
    let Some(target) = existing(root, path).what(what)? else {
        return Ok(());
    };
    let is_directory =
        FileType::from_raw_mode(fstat(&target).what(what)?.st_mode) == FileType::Directory;
    let cover = if is_directory {
        let options = Options {
            attributes: attributes::READ_ONLY,
            data: vec![
                ("size".into(), Some("0".into())),
                ("mode".into(), Some("755".into())),
            ],
            ..Options::default()
        };
        file_system("tmpfs", &options)
    } else {
        open_tree(
            CWD,
            "/dev/null",
            OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::OPEN_TREE_CLONE,
        )
    };
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(cover.what(what)?, "", &target, "", flags).what(what)
}

/// Makes a path, and all below it, one that nothing can be written to.
pub fn read_only(root: BorrowedFd<'_>, path: &Path) -> Result<()> {
    let what = || format!("cannot make \"{}\" read-only", path.display());
    let Some(target) = existing(root, path).what(what)? else {
        return Ok(());
    };
    let tree = open_tree(
        &target,
        "",
        OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::AT_RECURSIVE
            | OpenTreeFlags::AT_EMPTY_PATH,
    )
    .what(what)?;
    attributes::add_attributes(tree.as_fd(), attributes::READ_ONLY, true).what(what)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(&tree, "", &target, "", flags).what(what)
}

/// What a spec lists need not be on every machine.
fn existing(root: BorrowedFd<'_>, path: &Path) -> rustix::io::Result<Option<OwnedFd>> {
    match inside::open(root, path, OFlags::PATH) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens a directory as the place that later lookups begin at.
pub fn open_root(path: &Path) -> Result<OwnedFd> {
    rustix::fs::openat(
        CWD,
        path,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .what(|| format!("cannot open \"{}\"", path.display()))
}

/// Puts the container's terminal on `/dev/console`.
pub fn console(root: BorrowedFd<'_>, slave: BorrowedFd<'_>) -> Result<()> {
    let flags = OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = open_tree(slave, "", flags).what(|| "cannot mount the terminal")?;
    place(root, Path::new("/dev/console"), tree.as_fd(), Wanted::File)
}
