//! Cgroups (version 2): where limits of a whole container are kept.
//!
//! A place for them is looked for in this order:
//! 1. what the caller named with `--cgroup-parent`
//! 2. above the cgroup we are in, one that is ours and hands the controllers on: so it is
//!    inside a user's service, and for root
//! 3. a transient scope of the user's systemd (`systemd`), which we move into
//!
//! ```text
//! [Group]  rpod-4711/        no process of its own (the kernel's rule): it hands on
//! [Leaf]      one/           the limits, and the processes
//! ```
//!
//! Lives here: that search, and a leaf's life.
//! Must not: know whose limits they are, or ignore one that cannot be kept.
//! Called by: `ops::build`, `role::step`.
//! Always true: a limit holds before the first program runs under it; where none can
//! be had, the error says what is missing and who can mend it.

mod systemd;

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Access, AtFlags, CWD, accessat, statfs};

use crate::error::{Context, Error, Result};
use crate::spec::limits::{Limits, Setting};

/// Where they are mounted.
const ROOT: &str = "/sys/fs/cgroup";

/// Magic number of their file system (statfs(2)).
const MAGIC: i128 = 0x6367_7270;

/// How long systemd may take to move us.
const PATIENCE: Duration = Duration::from_secs(5);

/// A cgroup below which there are leaves.
#[derive(Debug)]
pub struct Group {
    path: PathBuf,
    settings: Vec<Setting>,
}

/// A cgroup with limits; it goes when it is dropped.
#[derive(Debug)]
pub struct Leaf {
    path: PathBuf,
}

/// A process's stay in a leaf.
#[derive(Debug)]
pub struct Stay {
    before: PathBuf,
}

impl Group {
    /// Finds a place where the limits can be kept; none when there are none and no
    /// place was named.
    ///
    /// # Errors
    /// When they contradict each other, or cannot be kept on this machine.
    pub fn find(limits: &Limits, parent: Option<&str>) -> Result<Option<Self>> {
        let settings = limits.settings()?;
        if settings.is_empty() && parent.is_none() {
            return Ok(None);
        }
        let what = || "cannot limit what RUN uses";
        if statfs(ROOT).map(|info| i128::from(info.f_type)).ok() != Some(MAGIC) {
            return Err(Error::new(format!("there are no cgroups of version 2 at \"{ROOT}\""))
                .what(what())
                .hint("an administrator can boot with `systemd.unified_cgroup_hierarchy=1`, or mount them into this container")
                .hint("or leave the limits out"));
        }
        let path = place(parent, &settings).what(what)?;
        hand_on(&path, &settings).what(what)?;
        Ok(Some(Self { path, settings }))
    }

    /// Makes a cgroup with the limits.
    pub fn leaf(&self, name: &str) -> Result<Leaf> {
        let leaf = Leaf {
            path: self.path.join(name),
        };
        make(&leaf.path)?;
        for setting in &self.settings {
            let file = leaf.path.join(setting.file);
            match fs::write(&file, &setting.value) {
                // A kernel without swap has no such file, and gives none.
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound
                        && setting.file == "memory.swap.max" => {}
                written => {
                    written.what(|| format!("cannot set {} to {}", setting.file, setting.value))?
                }
            }
        }
        Ok(leaf)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Not where we are ourselves: systemd takes that away after us.
        drop(fs::remove_dir(&self.path));
    }
}

impl Leaf {
    /// Moves this process in: what it forks from now on is in there as well.
    pub fn enter(&self) -> Result<Stay> {
        let before = own()?;
        join(&self.path)?;
        Ok(Stay { before })
    }

    /// How often a process in it was killed for want of memory.
    pub fn killed(&self) -> u64 {
        let text = fs::read_to_string(self.path.join("memory.events")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        line.and_then(|count| count.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        drop(fs::remove_dir(&self.path));
    }
}

impl Stay {
    /// Moves this process back; what it forked stays.
    pub fn leave(self) -> Result<()> {
        join(&self.before)
    }
}

fn join(path: &Path) -> Result<()> {
    fs::write(path.join("cgroup.procs"), "0")
        .what(|| format!("cannot move into the cgroup \"{}\"", path.display()))
}

fn make(path: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .mode(0o755)
        .recursive(true)
        .create(path)
        .what(|| format!("cannot make the cgroup \"{}\"", path.display()))
}

/// The cgroup of this process.
fn own() -> Result<PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup").what(|| "cannot find its own cgroup")?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"));
    let path = path.ok_or_else(|| Error::new("this process is in no cgroup of version 2"))?;
    Ok(Path::new(ROOT).join(path))
}

fn place(parent: Option<&str>, settings: &[Setting]) -> Result<PathBuf> {
    let name = format!("rpod-{}", std::process::id());
    if let Some(parent) = parent.filter(|parent| !parent.ends_with(".slice")) {
        let path = Path::new(ROOT).join(parent.trim_start_matches('/'));
        make(&path).hint(|| "name one that is yours, such as those `systemd-run --user --scope -p Delegate=yes` makes")?;
        hand_on(&path, settings)?;
        let path = path.join(name);
        return make(&path).map(|()| path);
    }
    let own = own()?;
    if parent.is_none()
        && let Some(above) = own
            .ancestors()
            .skip(1)
            .chain([Path::new(ROOT)])
            .find(|path| path.starts_with(ROOT) && is_ours(path) && hands_on(path, settings))
    {
        let path = above.join(name);
        return make(&path).map(|()| path);
    }
    systemd::start_scope(&format!("{name}.scope"), parent).map_err(|error| {
        error
            .what("no cgroup here is yours, and your systemd gives none")
            .hint("log in as the user whose containers they are (`ssh`, `machinectl shell`), rather than by `su` or `sudo`")
            .hint("or leave the limits out")
    })?;
    moved(&own)
}

/// Waits until systemd has moved us, and makes room above.
fn moved(before: &Path) -> Result<PathBuf> {
    let begun = Instant::now();
    let scope = loop {
        let now = own()?;
        if now != before {
            break now;
        }
        if begun.elapsed() > PATIENCE {
            return Err(Error::new("systemd took too long to make a scope"));
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    // A cgroup with processes of its own hands nothing on.
    let room = scope.join("rpod");
    make(&room)?;
    join(&room)?;
    Ok(scope)
}

fn is_ours(path: &Path) -> bool {
    let writable = |path: &Path| accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok();
    writable(path) && writable(&path.join("cgroup.procs"))
}

fn listed(path: &Path, file: &str, settings: &[Setting]) -> Vec<&'static str> {
    let text = fs::read_to_string(path.join(file)).unwrap_or_default();
    let there: Vec<&str> = text.split_whitespace().collect();
    let mut missing: Vec<&'static str> = settings
        .iter()
        .map(|setting| setting.controller)
        .filter(|controller| !there.contains(controller))
        .collect();
    missing.dedup();
    missing
}

fn hands_on(path: &Path, settings: &[Setting]) -> bool {
    listed(path, "cgroup.subtree_control", settings).is_empty()
}

/// Makes a cgroup hand the controllers on to those below it.
fn hand_on(path: &Path, settings: &[Setting]) -> Result<()> {
    if let Some(controller) = listed(path, "cgroup.controllers", settings).first() {
        return Err(Error::new(format!(
            "the controller \"{controller}\" is not delegated to you at \"{}\"",
            path.display()
        ))
        .hint("an administrator can delegate it: `systemctl edit user@.service`, with `[Service]` and `Delegate=cpu cpuset io memory pids`, and a new login"));
    }
    for controller in listed(path, "cgroup.subtree_control", settings) {
        fs::write(
            path.join("cgroup.subtree_control"),
            format!("+{controller}"),
        )
        .what(|| format!("cannot hand \"{controller}\" on in \"{}\"", path.display()))?;
    }
    Ok(())
}
