//! The filter of system calls (seccomp(2)): docker's default profile.
//!
//! ```text
//! table.rs    which calls, under which conditions: facts
//! compile.rs  the table as a program of the kernel's packet filter
//! build.rs    does that for the default capabilities when rpod is compiled
//! ```
//!
//! Lives here: the ready programs, and loading them.
//! Must not: decide which container has a filter (that is its record).
//! Called by: `runtime::program`; `role::net` for its own fence.
//! Always true: both filters know the 64-bit architecture and its 32-bit
//! sibling; a call of any other kills the process, so that no second table of
//! numbers leads around the first.
//!
//! What the profile cannot see, as docker's cannot: `socketcall` of x86 has its
//! arguments in memory, so the rule on address families does not hold there.
//!
//! When to load. A process with CAP_SYS_ADMIN in its user namespace may load a
//! filter; any other needs no_new_privs first. So, without no_new_privs: load
//! before the capabilities are given up (the profile lets capset(2) and
//! setuid(2) through). With it: load last, just before execve(2), so that
//! nothing of ours runs under the filter. The ownership filter answers capset
//! and setuid itself: whatever those calls really have to do comes before it.

mod compile;
mod table;

use crate::error::{Context, Error, Result};
pub use crate::sys::seccomp::{Flags, Instruction};

const MACHINE: compile::Machine = if cfg!(target_arch = "x86_64") {
    compile::Machine::X86_64
} else {
    compile::Machine::Aarch64
};

const fn op(code: u16, jt: u8, jf: u8, k: u32) -> Instruction {
    Instruction { code, jt, jf, k }
}

static DEFAULT: &[Instruction] = &include!(concat!(env!("OUT_DIR"), "/default_filter.rs"));

/// Returns the profile for the capabilities docker's containers have.
pub fn default_filter() -> &'static [Instruction] {
    DEFAULT
}

/// Returns the profile for other capabilities, as numbers of capabilities(7).
pub fn compile(capabilities: &[u8]) -> Vec<Instruction> {
    compile::profile(MACHINE, mask(capabilities))
}

/// Returns the filter for users of a single id: `chown`, `setuid`, `setgroups`, `capset`
/// and their kin answer 0, as does `mknod` of a device.
pub fn ownership_filter() -> Vec<Instruction> {
    compile::ownership(MACHINE)
}

/// Returns the filter for a process of rpod's own that needs only these calls of
/// the profile's: sockets of IP, netlink and unix, threads, and nothing else.
pub fn only(calls: &[&str]) -> Vec<Instruction> {
    compile::only(MACHINE, calls)
}

/// Puts this process under the profile that belongs to `capabilities`; the default one is ready.
pub fn load_profile(capabilities: &[u8]) -> Result<()> {
    if capabilities == crate::runtime::capabilities::DEFAULT {
        return load(default_filter(), Flags::SPEC_ALLOW);
    }
    load(&compile(capabilities), Flags::SPEC_ALLOW)
}

/// Puts this process, and what it will become and start, under a filter.
///
/// # Errors
/// When the kernel has no filters, or this process may not load one: it has
/// neither CAP_SYS_ADMIN in its user namespace nor no_new_privs.
pub fn load(filter: &[Instruction], flags: Flags) -> Result<()> {
    let loaded = match crate::sys::seccomp::set_filter(filter, flags) {
        // SPEC_ALLOW came with Linux 4.17; without it the filter holds as well.
        Err(error) if error.raw_os_error() == Some(EINVAL) && flags != Flags::NONE => {
            crate::sys::seccomp::set_filter(filter, Flags::NONE)
        }
        done => done,
    };
    let Err(error) = loaded else { return Ok(()) };
    let hint = match error.raw_os_error() {
        Some(EINVAL | ENOSYS) => Some(
            "this kernel is built without CONFIG_SECCOMP_FILTER; go without with `--security-opt seccomp=unconfined`",
        ),
        Some(EACCES) => Some("add `--security-opt no-new-privileges`"),
        _ => None,
    };
    let failed: Result<()> = Err(error).what(|| "cannot load the filter of system calls");
    match hint {
        Some(hint) => failed.hint(|| hint),
        None => failed,
    }
}

/// Sees to it that no program gains rights by being run (prctl(2), PR_SET_NO_NEW_PRIVS).
pub fn forbid_new_privileges() -> Result<()> {
    rustix::thread::set_no_new_privs(true)
        .map_err(Error::from)
        .what(|| "cannot set no-new-privileges")
}

// errno(3), the same on all machines of ours.
const EACCES: i32 = 13;
const EINVAL: i32 = 22;
const ENOSYS: i32 = 38;

fn mask(capabilities: &[u8]) -> u64 {
    capabilities
        .iter()
        .filter(|number| **number < 64)
        .fold(0, |mask, number| mask | 1 << number)
}

#[cfg(test)]
mod tests;
