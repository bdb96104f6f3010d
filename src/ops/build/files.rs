//! Results that are files rather than an image: a directory, or a tar.
//!
//! Of several platforms each has a directory of its own, named as BuildKit names it:
//! `linux_arm64`.
//!
//! Lives here: `-o type=local` and `-o type=tar`.
//! Must not: make images (`output`).
//! Called by: `output`, inside the builder.
//! Always true: what is written to a directory is the user's own.

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::mount::mount_bind;

use crate::error::{Context, Result};
use crate::image::layer::write::{self, Options};
use crate::ops::build::copy::{Target, Writer, Writing};
use crate::ops::build::gather::Look;
use crate::ops::build::graph::Times;
use crate::ops::build::output::Finished;
use crate::ops::build::plan::Plan;
use crate::ops::build::step::{Mounted, Site, directory, own_mounts, trees, view};
use crate::rootfs;
use crate::spec::digest::Digest;
use crate::spec::platform::Platform;

/// Writes the results into a directory.
pub fn to_directory(site: &Site<'_>, plan: &Plan, all: &[Finished], path: &Path) -> Result<()> {
    own_mounts()?;
    if let [one] = all {
        return copy_out(site, &one.layers, path);
    }
    for (target, one) in plan.targets.iter().zip(all) {
        copy_out(site, &one.layers, &path.join(name(&target.platform)))?;
    }
    Ok(())
}

/// Writes the results as a tar; without a path to standard output.
pub fn to_tar(site: &Site<'_>, plan: &Plan, all: &[Finished], path: Option<&Path>) -> Result<()> {
    own_mounts()?;
    if let [one] = all {
        let (root, _mounted) = view(site, &one.layers)?;
        // By its descriptor: where it is mounted may be the layer itself.
        let tree = PathBuf::from(format!("/proc/self/fd/{}/.", root.as_raw_fd()));
        return pack(&tree, path);
    }
    let staged = site.store.stage("result")?;
    // However this ends they go first: what is deleted must not be theirs.
    let mut mounted = Vec::new();
    for (target, one) in plan.targets.iter().zip(all) {
        let place = staged.path().join(name(&target.platform));
        directory(&place, 0o755)?;
        match trees(site, &one.layers)?.as_slice() {
            [] => {}
            [only] => mount_bind(only, &place)?,
            several => rootfs::overlay::mount_read_only(several, &place)?,
        }
        mounted.push(Mounted(place));
    }
    pack(staged.path(), path)
}

/// `linux/arm64` → `linux_arm64`.
fn name(platform: &Platform) -> String {
    platform.to_string().replace('/', "_")
}

fn pack(tree: &Path, path: Option<&Path>) -> Result<()> {
    match path {
        Some(path) => {
            let what = || format!("cannot write \"{}\"", path.display());
            let file = File::create(path).what(what)?;
            write::write(tree, Options::default(), &file).map(drop)
        }
        None => {
            let out = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 0)?;
            write::write(tree, Options::default(), File::from(out)).map(drop)
        }
    }
}

/// Copies the result's files; each becomes the user's own, as docker has it.
fn copy_out(site: &Site<'_>, layers: &[Digest], path: &Path) -> Result<()> {
    let (root, _mounted) = view(site, layers)?;
    // The builder's umask is empty.
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o755).create(path)?;
    let to = File::open(path)?;
    let mut look = Look {
        root: root.as_fd(),
        ignore: None,
        owners: false,
        hashes: None,
        name: "the result",
        left_out: 0,
    };
    let piece = look.piece(b"", None)?;
    let mut writer = Writer::new(Writing {
        root: to.as_fd(),
        layer: None,
        map: &site.identity.map,
        owner: Some((0, 0)),
        chmod: None,
        times: Times::Kept,
        fresh: true,
    });
    let target = Target {
        path: "/",
        directory: true,
    };
    writer.copy(root.as_fd(), &piece, &target)?;
    writer.finish()
}
