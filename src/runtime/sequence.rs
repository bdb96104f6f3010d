//! The numbered sequence from a bundle to a tree that a program can run in.
//!
//! The order is the point; each step says why it stands where it does.
//!
//! Lives here: the steps as data, and what passes between them.
//! Must not: change the order without its reasons; do a step's work, which is in
//! its workshop.
//! Called by: `role::init`, in a process that has all of its namespaces.
//! Always true: a step that fails says which it was; nothing has to be undone,
//! since everything done lives in namespaces that end with the process.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use oci_spec::runtime::{LinuxNamespaceType, Spec};
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount};

use crate::error::{Context, Error, Result};
use crate::rootfs::{self, Tree};
use crate::runtime::terminal::{self, Terminal};
use crate::runtime::volume::{self, Fill};
use crate::runtime::{inside, mounts};
use crate::sys::mount as attributes;

/// All that a container is made of.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The OCI runtime spec.
    pub spec: Spec,
    /// What its root is put together from.
    pub tree: Tree,
    /// Where it is mounted, in the container's own mount namespace only.
    pub root: PathBuf,
    /// Volumes that may have to be filled first.
    pub fills: Vec<Fill>,
}

/// What a sequence has made.
#[derive(Debug)]
pub struct Built {
    /// The terminal, when the spec asks for one.
    pub terminal: Option<Terminal>,
}

/// What passes from step to step.
struct Work<'a> {
    bundle: &'a Bundle,
    network: &'a mut dyn FnMut() -> Result<()>,
    root: Option<OwnedFd>,
    terminal: Option<Terminal>,
}

type Step = fn(&mut Work<'_>) -> Result<()>;

/// The steps, in their order, with the name a failure is told by.
const STEPS: &[(&str, Step)] = &[
    // 1. First: nothing mounted from here on may reach the host.
    ("keep mounts to itself", keep_to_itself),
    // 2. Everything else is mounted on it.
    ("mount its root", mount_root),
    // 3. While the image's files are still to be seen at the volumes' targets.
    ("fill new volumes", fill_volumes),
    // 4. In the order of the spec: a later one may lie on an earlier one.
    ("mount", mount_all),
    // 5. On the tmpfs that step 4 put on /dev.
    ("make devices", make_devices),
    // 6. The network namespace is there since the beginning, but whoever puts a
    //    link into it works beside us: asked for late, it is ready by now.
    ("set up its network", set_up_network),
    // 7. While /proc/sys can still be written.
    ("set kernel settings", set_sysctls),
    // 8. From the container's own devpts, before the host's /dev is out of reach.
    ("make a terminal", make_terminal),
    // 9. After everything that is written below them.
    ("hide and protect paths", protect),
    // 10. After the last mount point was made.
    ("make its root read-only", protect_root),
    // 11. The host's tree goes out of reach.
    ("change its root", change_root),
    // 12. Any time in its own UTS namespace.
    ("set its host name", set_hostname),
];

/// Does the sequence. `network` waits for the container's links and sets them up;
/// `done` hears of each step.
pub fn build(
    bundle: &Bundle,
    network: &mut dyn FnMut() -> Result<()>,
    done: &mut dyn FnMut(&str),
) -> Result<Built> {
    let mut work = Work {
        bundle,
        network,
        root: None,
        terminal: None,
    };
    for (name, step) in STEPS {
        if cfg!(debug_assertions) && std::env::var("RPOD_TEST_FAIL_AT").is_ok_and(|at| at == *name)
        {
            return Err(Error::new(format!("a test asked \"{name}\" to fail")));
        }
        step(&mut work)?;
        done(name);
    }
    Ok(Built {
        terminal: work.terminal,
    })
}

impl Work<'_> {
    fn root(&self) -> Result<BorrowedFd<'_>> {
        self.root
            .as_ref()
            .map(AsFd::as_fd)
            .ok_or_else(|| Error::internal("a step before the root was mounted"))
    }
}

fn keep_to_itself(_: &mut Work<'_>) -> Result<()> {
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )
    .what(|| "cannot keep its mounts from the host")
}

fn mount_root(work: &mut Work<'_>) -> Result<()> {
    let bundle = work.bundle;
    rootfs::overlay::mount(&bundle.tree, &bundle.root)?;
    work.root = Some(mounts::open_root(&bundle.root)?);
    Ok(())
}

fn fill_volumes(work: &mut Work<'_>) -> Result<()> {
    for fill in &work.bundle.fills {
        volume::fill(work.root()?, fill)?;
    }
    Ok(())
}

fn mount_all(work: &mut Work<'_>) -> Result<()> {
    for line in work.bundle.spec.mounts().iter().flatten() {
        mounts::mount(work.root()?, line)?;
    }
    Ok(())
}

fn make_devices(work: &mut Work<'_>) -> Result<()> {
    mounts::devices(work.root()?)
}

fn set_up_network(work: &mut Work<'_>) -> Result<()> {
    (work.network)()
}

fn set_sysctls(work: &mut Work<'_>) -> Result<()> {
    let Some(linux) = work.bundle.spec.linux() else {
        return Ok(());
    };
    let Some(settings) = linux.sysctl() else {
        return Ok(());
    };
    for (name, value) in settings {
        let path = Path::new("proc/sys").join(name.replace('.', "/"));
        let what = || format!("cannot set {name} = {value}");
        let file = inside::open(work.root()?, &path, rustix::fs::OFlags::WRONLY).what(what)?;
        rustix::io::write(&file, value.as_bytes()).what(what)?;
    }
    Ok(())
}

fn make_terminal(work: &mut Work<'_>) -> Result<()> {
    let process = work.bundle.spec.process().as_ref();
    if process.and_then(|p| p.terminal()) != Some(true) {
        return Ok(());
    }
    let made = terminal::make(work.root()?)?;
    mounts::console(work.root()?, made.slave.as_fd())?;
    work.terminal = Some(made);
    Ok(())
}

fn protect(work: &mut Work<'_>) -> Result<()> {
    let Some(linux) = work.bundle.spec.linux() else {
        return Ok(());
    };
    for path in linux.readonly_paths().iter().flatten() {
        mounts::read_only(work.root()?, Path::new(path))?;
    }
    for path in linux.masked_paths().iter().flatten() {
        mounts::mask(work.root()?, Path::new(path))?;
    }
    Ok(())
}

fn protect_root(work: &mut Work<'_>) -> Result<()> {
    let read_only = work.bundle.spec.root().as_ref().and_then(|r| r.readonly());
    if read_only == Some(true) {
        attributes::add_attributes(work.root()?, attributes::READ_ONLY, false)
            .what(|| "cannot make its root read-only")?;
    }
    Ok(())
}

/// pivot_root(2), "pivot_root(\".\", \".\")": the old root ends up below the new
/// one, at the same place, and is taken away there.
fn change_root(work: &mut Work<'_>) -> Result<()> {
    let what = || "cannot change to its root";
    rustix::process::fchdir(work.root()?).what(what)?;
    rustix::process::pivot_root(".", ".").what(what)?;
    unmount(".", UnmountFlags::DETACH).what(what)?;
    std::env::set_current_dir("/").what(what)
}

fn set_hostname(work: &mut Work<'_>) -> Result<()> {
    let spec = &work.bundle.spec;
    let own = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.namespaces().as_ref())
        .is_some_and(|list| list.iter().any(|n| n.typ() == LinuxNamespaceType::Uts));
    if !own {
        return Ok(());
    }
    if let Some(name) = spec.hostname() {
        rustix::system::sethostname(name.as_bytes())
            .what(|| format!("cannot set its host name \"{name}\""))?;
    }
    if let Some(name) = spec.domainname() {
        rustix::system::setdomainname(name.as_bytes())
            .what(|| format!("cannot set its domain name \"{name}\""))?;
    }
    Ok(())
}

/// Writes a spec beside its container, for other tools and for `exec`.
pub fn save(spec: &Spec, path: &Path) -> Result<()> {
    fs::write(path, serde_json::to_vec(spec)?)
        .what(|| format!("cannot write \"{}\"", path.display()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_order_is_what_it_is_for_reasons() {
        let names: Vec<&str> = super::STEPS.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            names,
            [
                "keep mounts to itself",
                "mount its root",
                "fill new volumes",
                "mount",
                "make devices",
                "set up its network",
                "set kernel settings",
                "make a terminal",
                "hide and protect paths",
                "make its root read-only",
                "change its root",
                "set its host name",
            ]
        );
    }
}
