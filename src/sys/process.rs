//! Processes: fork, clone, wait (fork(2), clone(2), wait4(2)).
//!
//! Lives here: what makes and ends processes, and what tells one from another.
//! Must not: know roles.
//! Called by: `process`, `runtime`, `monitor`.
//! Always true: the caller has one thread when it forks.

use std::fs;

/// Returns when a process began, in clock ticks since boot (proc_pid_stat(5), field 22);
/// none when it has gone or is a zombie.
pub fn start_time(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a program's name in parentheses and may hold anything.
    let mut fields = text.get(text.rfind(')')? + 2..)?.split(' ');
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}
