//! What this machine can do, asked once, and how a test says it cannot run here.
//!
//! A test that needs something calls the `need_*` function's question and, when
//! the answer is no, `skip!("reason")`: the reason is printed and appended to the
//! file `$RPOD_TEST_SKIPS`, which `tests/run` counts and prints. A test never
//! passes silently by returning early.
//!
//! Always true: a probe asks the kernel and the file system, never rpod.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// Ends the test here, counted and with the reason.
#[macro_export]
macro_rules! skip {
    ($($reason:tt)*) => {{
        $crate::support::probe::record_skip(module_path!(), &format!($($reason)*));
        return;
    }};
}

/// Skips unless the condition holds.
#[macro_export]
macro_rules! require {
    ($condition:expr, $($reason:tt)*) => {
        if !$condition {
            $crate::skip!($($reason)*);
        }
    };
}

/// Prints the skip and appends it to the file that is counted.
pub fn record_skip(module: &str, reason: &str) {
    let thread = std::thread::current();
    let test = match thread.name() {
        Some(name) if name != "main" => name.to_owned(),
        _ => module.to_owned(),
    };
    let line = format!("SKIPPED {test}: {reason}\n");
    print!("{line}");
    if let Some(file) = std::env::var_os("RPOD_TEST_SKIPS") {
        use std::io::Write;
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(file);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("cannot record a skipped test");
    }
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The name of the user the tests run as.
pub fn user_name() -> String {
    let uid = rustix::process::geteuid().as_raw().to_string();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.get(2) == Some(&uid.as_str()))
        .map_or(uid.clone(), |fields| fields[0].to_owned())
}

/// Whether the user has subordinate ids and the programs that map them. Root's
/// own ids need neither, but then only root's one id is certain.
pub fn subordinate_ids() -> bool {
    let name = user_name();
    let uid = rustix::process::geteuid().as_raw().to_string();
    let listed = |file: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.split(':').next())
            .any(|owner| owner == name || owner == uid)
    };
    listed("/etc/subuid")
        && listed("/etc/subgid")
        && program("newuidmap").is_some()
        && program("newgidmap").is_some()
}

/// Whether a process may make a user namespace.
pub fn user_namespaces() -> bool {
    static ANSWER: LazyLock<bool> = LazyLock::new(|| succeeds("unshare", &["-Ur", "true"]));
    *ANSWER
}

/// Whether `/dev/net/tun` can be opened.
pub fn tun() -> bool {
    opens("/dev/net/tun")
}

/// Whether `/dev/fuse` can be opened.
pub fn fuse() -> bool {
    opens("/dev/fuse")
}

/// Whether `::1` is there.
pub fn ipv6_loopback() -> bool {
    std::net::TcpListener::bind("[::1]:0").is_ok()
}

/// The path of a program, also when it is where only root's `PATH` looks.
pub fn program(name: &str) -> Option<PathBuf> {
    std::env::var("PATH")
        .unwrap_or_default()
        .split(':')
        .chain(["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"])
        .map(|dir| Path::new(dir).join(name))
        .find(|path| path.is_file())
}

/// Whether long loops run at full length: `RPOD_TEST_FULL=1`.
pub fn full() -> bool {
    std::env::var("RPOD_TEST_FULL").is_ok_and(|value| value == "1")
}

fn opens(device: &str) -> bool {
    std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(device)
        .is_ok()
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
