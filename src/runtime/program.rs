//! The last steps before a program runs, for a container's first process and for `exec`.
//!
//! 1. limits, while we may still raise them
//! 2. the user, from the container's own files: names mean nothing outside
//! 3. the working directory, made as root where it is missing, and entered as root:
//!    it may be one that the user cannot enter (`-u 1000` in an image of root's `/root`)
//! 4. the bounding set, while we have CAP_SETPCAP
//! 5. groups and user, keeping capabilities for the two steps that follow
//! 6. the filter of system calls: without `no_new_privs` it needs CAP_SYS_ADMIN
//! 7. the capabilities the program is to have
//! 8. signals as a program expects them, and execve(2)
//!
//! Lives here: that order, and finding the program in PATH.
//! Must not: change namespaces or mounts.
//! Called by: `role::init`, `ops::exec`.
//! Always true: what follows step 5 opens nothing as root.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, openat2, statat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Kind, Result};
use crate::runtime::user::Asked;
use crate::runtime::{capabilities, rlimit, seccomp, user};
use crate::spec::container::Ulimit;
use crate::spec::idmap::IdMap;
use crate::sys::seccomp::Flags;
use crate::sys::{process, signal};

/// A program and what it may do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Program {
    /// Its words; the first is looked up in PATH.
    pub words: Vec<String>,
    /// Its environment.
    pub env: Vec<String>,
    /// Where it begins.
    pub workdir: String,
    /// A missing working directory is made: a container's own, as docker does, but
    /// not that of another program in it.
    pub make_workdir: bool,
    /// Its user as asked.
    pub user: String,
    /// More groups as asked.
    pub groups: Vec<String>,
    /// Capabilities of the container, as numbers.
    pub capabilities: Vec<u8>,
    /// Limits.
    pub ulimits: Vec<Ulimit>,
    /// No program gains rights by being run.
    pub no_new_privileges: bool,
    /// System calls are filtered.
    pub seccomp: bool,
    /// Ids that exist.
    pub map: IdMap,
    /// It has a terminal.
    pub tty: bool,
    /// Name of the person on this machine, for the words of an error.
    pub person: String,
}

impl Program {
    /// Does all steps; returns only when one fails.
    pub fn start(mut self) -> Result<std::convert::Infallible> {
        rlimit::apply(&self.ulimits)?;
        let root = rustix::fs::openat(
            CWD,
            "/",
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let user = user::resolve(
            root.as_fd(),
            Asked {
                user: &self.user,
                groups: &self.groups,
                map: &self.map,
                person: &self.person,
            },
        )?;
        self.default_env("HOME", &user.home);
        if self.tty {
            self.default_env("TERM", "xterm");
        }
        if self.make_workdir {
            self.ensure_workdir()?;
        }
        let entered = std::env::set_current_dir(&self.workdir).is_ok();
        if self.tty {
            // The terminal was made by root, and is the user's to open again as /dev/stdout.
            let owner = Some(rustix::fs::Uid::from_raw(user.uid));
            rustix::fs::fchown(rustix::stdio::stdin(), owner, None)
                .what(|| "cannot give the terminal to its user")?;
        }
        capabilities::limit(&self.capabilities)?;
        capabilities::keep()?;
        user::enter(&user)?;
        if !entered {
            // Where root may not go, on a network's disk, its owner may.
            self.enter_workdir()?;
        }
        self.restrict(user.uid)?;
        let path = self.find()?;
        refuse_ourselves(&path)?;
        signal::reset()?;
        let error = process::execute(OsStr::new(&path), &self.words, &self.env);
        Err(self.explain(&path, &error))
    }

    /// Steps 6 and 7.
    fn restrict(&self, uid: u32) -> Result<()> {
        let single = self.map.is_single();
        if self.no_new_privileges || single {
            // Where there is one id, a program has no other rights to gain; and the
            // filter that answers changes of ids has to come after the last of ours.
            seccomp::forbid_new_privileges()?;
        } else if self.seccomp {
            capabilities::raise()?;
            seccomp::load_profile(&self.capabilities)?;
        }
        capabilities::settle(&self.capabilities, uid)?;
        if self.no_new_privileges || single {
            if single {
                seccomp::load(&seccomp::ownership_filter(), Flags::NONE)?;
            }
            if self.seccomp {
                seccomp::load_profile(&self.capabilities)?;
            }
        }
        Ok(())
    }

    fn default_env(&mut self, name: &str, value: &str) {
        let prefix = format!("{name}=");
        if !self.env.iter().any(|entry| entry.starts_with(&prefix)) {
            self.env.push(format!("{prefix}{value}"));
        }
    }

    fn ensure_workdir(&self) -> Result<()> {
        if Path::new(&self.workdir).is_dir() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.workdir)
            .what(|| format!("cannot make the working directory \"{}\"", self.workdir))
            .map_err(|error| error.kind_of(Kind::CannotInvoke))
    }

    fn enter_workdir(&self) -> Result<()> {
        let what = || {
            let path = &self.workdir;
            format!("cannot change to the working directory \"{path}\"")
        };
        std::env::set_current_dir(&self.workdir)
            .what(what)
            .map_err(|error| error.kind_of(Kind::CannotInvoke))
    }

    /// Looks the program up as execvp(3) does, in the container's own PATH.
    fn find(&self) -> Result<String> {
        let name = self.words.first().map(String::as_str).unwrap_or_default();
        if name.contains('/') {
            return Ok(name.to_owned());
        }
        let path = self
            .env
            .iter()
            .rev()
            .find_map(|entry| entry.strip_prefix("PATH="))
            .unwrap_or(DEFAULT_PATH);
        let mut forbidden = None;
        for directory in path.split(':') {
            let directory = if directory.is_empty() { "." } else { directory };
            let file = format!("{directory}/{name}");
            match executable(&file) {
                Ok(()) if !name.is_empty() => return Ok(file),
                Err(Errno::ACCESS) => forbidden = Some(file),
                _ => {}
            }
        }
        match forbidden {
            Some(file) => Err(Error::of(
                Kind::CannotInvoke,
                format!("\"{file}\" is not executable"),
            )
            .what(format!("cannot run \"{name}\""))),
            None => Err(Error::of(
                Kind::CommandNotFound,
                "no such program in the container's PATH",
            )
            .what(format!("cannot run \"{name}\""))
            .hint(format!("its PATH is {path}"))),
        }
    }

    fn explain(&self, path: &str, error: &std::io::Error) -> Error {
        let what = format!("cannot run \"{path}\"");
        let kind = statat(CWD, path, AtFlags::empty()).map(|s| FileType::from_raw_mode(s.st_mode));
        match (Errno::from_io_error(error), kind) {
            (_, Ok(FileType::Directory)) => {
                Error::of(Kind::CannotInvoke, "it is a directory").what(what)
            }
            (Some(Errno::NOENT), Ok(_)) => Error::of(
                Kind::CommandNotFound,
                "the interpreter in its first line, or its dynamic loader, is not in the container",
            )
            .what(what),
            (Some(Errno::NOENT | Errno::NOTDIR), Err(_)) => {
                Error::of(Kind::CommandNotFound, "no such file in the container").what(what)
            }
            (Some(Errno::NOEXEC), _) => Error::of(
                Kind::CannotInvoke,
                "it is no program for this machine, or a script without a first line `#!…`",
            )
            .what(what),
            (Some(Errno::ACCESS), _) => {
                Error::of(Kind::CannotInvoke, "permission denied").what(what)
            }
            (Some(Errno::TOOBIG), _) => {
                Error::of(Kind::CannotInvoke, "its words and environment are too long").what(what)
            }
            _ => Error::from(std::io::Error::from(error.kind()))
                .kind_of(Kind::CannotInvoke)
                .what(what),
        }
    }
}

/// Until execve(2) this process is rpod, a file of the machine's, to which links such as
/// `/proc/self/exe` lead. Run as the program, or as a script's interpreter, it would be in
/// reach of the container: root inside is its owner and may change its mode, or its
/// content once nobody runs it.
fn refuse_ourselves(path: &str) -> Result<()> {
    let mut path = path.as_bytes().to_owned();
    for _ in 0..INTERPRETERS {
        // By its name it is a file that somebody mounted to be run here.
        if opened(&path, ResolveFlags::NO_MAGICLINKS).is_err_and(|error| error == Errno::LOOP)
            && is_ourselves(&path)
        {
            let shown = String::from_utf8_lossy(&path);
            let why = "it is a link to rpod's own file, which is no program of the container's";
            return Err(Error::of(Kind::CannotInvoke, why).what(format!("cannot run \"{shown}\"")));
        }
        // execve(2) says what is wrong with it.
        let Ok(file) = opened(&path, ResolveFlags::empty()) else {
            return Ok(());
        };
        let mut first = [0; FIRST_LINE];
        let length = rustix::io::read(&file, &mut first).unwrap_or(0);
        match interpreter(&first[..length]) {
            Some(next) => path = next.to_owned(),
            None => return Ok(()),
        }
    }
    Ok(())
}

fn opened(path: &[u8], resolve: ResolveFlags) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    openat2(CWD, path, flags, Mode::empty(), resolve)
}

fn is_ourselves(path: &[u8]) -> bool {
    let found = statat(CWD, path, AtFlags::empty());
    match (found, statat(CWD, "/proc/self/exe", AtFlags::empty())) {
        (Ok(found), Ok(own)) => (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino),
        (Err(_), _) => false,
        (Ok(_), Err(_)) => true,
    }
}

/// What a script's first line names, as execve(2) reads it.
fn interpreter(script: &[u8]) -> Option<&[u8]> {
    let line = script.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let is_space = |b: &u8| matches!(b, b' ' | b'\t');
    line.split(is_space).find(|word| !word.is_empty())
}

/// Scripts that are interpreters of scripts, as many as the kernel follows.
const INTERPRETERS: usize = 6;
/// Bytes of a first line that the kernel reads (BINPRM_BUF_SIZE).
const FIRST_LINE: usize = 256;

fn executable(file: &str) -> Result<(), Errno> {
    let stat = statat(CWD, file, AtFlags::empty())?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Errno::NOENT);
    }
    // The effective user, as execve(2) asks.
    rustix::fs::accessat(CWD, file, rustix::fs::Access::EXEC_OK, AtFlags::EACCESS)
}

/// What docker gives a container whose image sets none.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
