//! The machine's own name servers, as they are now (resolv.conf(5)).
//!
//! Lives here: [`Upstreams`].
//! Must not: ask one.
//! Called by: `dataplane::dns::forward`, before each question that it passes on.
//! Always true: what it returns was in the file a moment ago: another network or a
//! VPN, with other servers, needs nobody to tell us. Where the file has become a link to
//! a place that this process may not read, whoever made it is told.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// The port of a name server.
pub const PORT: u16 = 53;

/// Servers at most; the C library takes three.
const SERVERS: usize = 8;

/// Bytes of the file at most.
const LONGEST: u64 = 64 * 1024;

/// A file changed less than so long ago may be changed again without looking changed.
const FRESH: Duration = Duration::from_millis(100);

/// Knows where to ask.
pub struct Upstreams {
    path: PathBuf,
    /// The directory that the file was really in when this process began.
    place: Option<PathBuf>,
    out_of_reach: Box<dyn FnMut() + Send>,
    seen: Option<Stamp>,
    servers: Vec<SocketAddr>,
}

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Upstreams {
    /// Reads this file each time it has changed.
    pub fn of(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self {
            place: place(&path),
            path,
            out_of_reach: Box::new(|| {}),
            seen: None,
            servers: Vec::new(),
        }
    }

    /// Calls this when the file is in another directory than at the beginning, and may
    /// not be read there.
    pub fn when_out_of_reach(mut self, call: impl FnMut() + Send + 'static) -> Self {
        self.out_of_reach = Box::new(call);
        self
    }

    /// Returns the servers, in the order in which they are to be asked.
    pub fn now(&mut self) -> &[SocketAddr] {
        let meta = fs::metadata(&self.path).ok();
        let stamp = meta.as_ref().map(|meta| Stamp {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            changed: (meta.ctime(), meta.ctime_nsec()),
        });
        if stamp.is_none() || stamp != self.seen {
            let text = match &meta {
                Some(meta) if meta.size() <= LONGEST => fs::read_to_string(&self.path),
                _ => Ok(String::new()),
            };
            let shut = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
            if text.as_ref().is_err_and(shut) && place(&self.path) != self.place {
                (self.out_of_reach)();
            }
            self.servers = parse(&text.unwrap_or_default());
            let fresh = meta
                .and_then(|meta| meta.modified().ok())
                .and_then(|changed| SystemTime::now().duration_since(changed).ok())
                .is_none_or(|age| age < FRESH);
            self.seen = stamp.filter(|_| !fresh);
        }
        &self.servers
    }
}

fn place(path: &Path) -> Option<PathBuf> {
    Some(path.canonicalize().ok()?.parent()?.to_owned())
}

fn parse(text: &str) -> Vec<SocketAddr> {
    let mut servers = Vec::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        if words.next() == Some("nameserver")
            && let Some(server) = words.next().and_then(server)
            && !servers.contains(&server)
            && servers.len() < SERVERS
        {
            servers.push(server);
        }
    }
    if servers.is_empty() {
        // resolv.conf(5): without a server, it is the one on the local machine.
        servers.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), PORT));
    }
    servers
}

/// A link-local address names its device: `fe80::1%eth0`.
fn server(text: &str) -> Option<SocketAddr> {
    let Some((ip, device)) = text.split_once('%') else {
        return Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, PORT));
    };
    let ip: Ipv6Addr = ip.parse().ok()?;
    let scope = device.parse().ok().or_else(|| index(device))?;
    Some(SocketAddrV6::new(ip, PORT, 0, scope).into())
}

fn index(device: &str) -> Option<u32> {
    let flags = SocketFlags::CLOEXEC;
    let any = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None).ok()?;
    rustix::net::netdevice::name_to_index(any, device).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::{Upstreams, parse};
    use crate::sys::landlock::{self, Access, confine};

    #[test]
    fn a_file_that_has_become_a_link_to_where_nothing_may_be_read_is_told() {
        let place = || tempfile::tempdir().expect("made");
        let (here, near, far) = (place(), place(), place());
        let path = here.path().join("resolv.conf");
        for (directory, last) in [(&here, 1), (&near, 2), (&far, 3)] {
            let text = format!("nameserver 10.0.0.{last}\n");
            std::fs::write(directory.path().join("resolv.conf"), text).expect("written");
        }
        let calls = AtomicUsize::new(0);
        let calls = &*Box::leak(Box::new(calls));
        let (ask, asked) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let (file, allowed) = (
            path.clone(),
            [here.path().to_owned(), near.path().to_owned()],
        );
        // A fence is a thread's own.
        let fenced = std::thread::spawn(move || {
            let count = || {
                calls.fetch_add(1, Ordering::Relaxed);
            };
            let mut upstreams = Upstreams::of(&file).when_out_of_reach(count);
            let allowed = allowed.each_ref().map(|path| (&**path, Access::Read));
            confine(&allowed).expect("confined");
            for () in asked {
                drop(tell.send(upstreams.now()[0].to_string()));
            }
        });
        let first = || {
            ask.send(()).expect("asked");
            let first = told.recv().expect("told");
            (first, calls.load(Ordering::Relaxed))
        };
        let server = |last: u8| format!("10.0.0.{last}:53");
        assert_eq!(first(), (server(1), 0));
        let lead_to = |directory: &tempfile::TempDir| {
            std::fs::remove_file(&path).expect("removed");
            symlink(directory.path().join("resolv.conf"), &path).expect("a link");
        };
        lead_to(&near);
        assert_eq!(first(), (server(2), 0));
        lead_to(&far);
        if landlock::version() < 1 {
            assert_eq!(first(), (server(3), 0));
        } else {
            // Nothing is known: the one on the local machine is asked.
            assert_eq!(first(), ("127.0.0.1:53".to_owned(), 1));
            lead_to(&near);
            assert_eq!(first(), (server(2), 1));
        }
        drop(ask);
        fenced.join().expect("ended");
    }

    #[test]
    fn servers_are_read_as_the_c_library_reads_them() {
        let text = "# made by hand\nnameserver 127.0.0.53\n\tnameserver\t10.0.0.2 \nnameserver 10.0.0.2\n\
            nameservers 1.1.1.1\nnameserver nobody\nnameserver fe80::1%lo\nnameserver 2001:db8::1\n";
        let shown: Vec<String> = parse(text).iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "127.0.0.53:53",
                "10.0.0.2:53",
                "[fe80::1%1]:53",
                "[2001:db8::1]:53"
            ]
        );
        assert_eq!(parse("search a.b\n")[0].to_string(), "127.0.0.1:53");
        assert_eq!(parse(&"nameserver 1.1.1.1\n".repeat(9)).len(), 1);
    }

    #[test]
    fn a_change_is_seen_at_once_however_it_was_made() {
        let directory = tempfile::tempdir().expect("made");
        let path = directory.path().join("resolv.conf");
        let mut upstreams = Upstreams::of(&path);
        assert_eq!(upstreams.now()[0].to_string(), "127.0.0.1:53");
        // Written again, with as many bytes and in the same moment.
        for n in 1..=9 {
            std::fs::write(&path, format!("nameserver 10.0.0.{n}\n")).expect("written");
            assert_eq!(upstreams.now()[0].to_string(), format!("10.0.0.{n}:53"));
        }
        // Replaced, as managers of networks do.
        let other = directory.path().join("other");
        for n in 1..=9 {
            std::fs::write(&other, format!("nameserver 10.0.1.{n}\n")).expect("written");
            std::fs::rename(&other, &path).expect("renamed");
            assert_eq!(upstreams.now()[0].to_string(), format!("10.0.1.{n}:53"));
        }
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(upstreams.now()[0].to_string(), "127.0.0.1:53");
    }
}
