//! `export`: a container's files as one tar.
//!
//! Lives here: putting the layers and the changes together, to be read only.
//! Must not: write the tar (`image::layer`).
//! Called by: `cli`.
//! Always true: volumes are not in it; the container may run meanwhile, and what it
//! changes while it is read may be in it or not.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Context, Result};
use crate::image::layer::write::{self, Options, Written};
use crate::ops::{Session, tree};
use crate::process::userns;
use crate::rootfs::overlay;
use crate::spec::container::Record;
use crate::sys::namespace;

/// Writes a container's files as a tar.
pub fn export(session: &Session, name: &str, output: &mut dyn Write) -> Result<()> {
    let what = || format!("cannot export container \"{name}\"");
    let id = session.store.find_container(name).what(what)?;
    let record = session.store.load_record(&id).what(what)?;
    let identity = tree::identity(session, &record).what(what)?;
    userns::run_inside(&identity, || {
        write_whole(session, &record, Options::default(), output).map(|_| ())
    })
    .what(what)
}

/// Writes everything that a container's programs see of its layers. The caller is in a
/// user namespace of its own.
pub fn write_whole(
    session: &Session,
    record: &Record,
    options: Options<'_>,
    output: &mut dyn Write,
) -> Result<Written> {
    let tree = tree::tree(&session.store, record)?;
    let at = session.store.container_path(&record.id).join("root");
    let mut layers: Vec<PathBuf> = tree.layers;
    layers.push(tree.upper);
    mount_for_us(&layers, &at)?;
    write::write(&at, options, output)
}

/// Mounts directories where only this process sees them.
fn mount_for_us(layers: &[PathBuf], at: &Path) -> Result<()> {
    std::fs::create_dir_all(at).what(|| format!("cannot make \"{}\"", at.display()))?;
    // A mount namespace of a user namespace of its own hands nothing back.
    namespace::unshare(namespace::MOUNT).what(|| "cannot make a mount namespace")?;
    overlay::mount_read_only(layers, at)
}
