//! The text of a container's `/etc/hosts` (hosts(5)).
//!
//! Lives here: docker's lines, `--add-host`, and the names of the machine.
//! Must not: write the file.
//! Called by: `ops`.
//! Always true: no name or address given can add a line of its own.

use std::net::IpAddr;

use crate::error::{Error, Kind, Result};

/// The names by which a container reaches the machine it runs on.
pub const MACHINE: [&str; 3] = [
    "host.rpod.internal",
    "host.docker.internal",
    "host.containers.internal",
];

const LOCAL: &str = "127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
ff00::0\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
";

/// What a container's `/etc/hosts` is made of.
#[derive(Clone, Debug, Default)]
pub struct Hosts<'a> {
    /// The machine's own text: where its network is the container's. None writes docker's lines.
    pub machine: Option<&'a str>,
    /// The container's addresses; none means it has loopback only.
    pub ips: &'a [IpAddr],
    /// Its host name; empty writes no line.
    pub hostname: &'a str,
    /// Its domain, where it was given one.
    pub domainname: &'a str,
    /// `--add-host`: a name and an address, or the word `host-gateway`.
    pub extra: &'a [(String, String)],
    /// Links: an address and names, apart by spaces.
    pub linked: &'a [(IpAddr, String)],
    /// Where the machine is, seen from inside; none means nowhere.
    pub gateway: Option<IpAddr>,
}

impl Hosts<'_> {
    /// Composes the text.
    ///
    /// # Errors
    /// When `--add-host` names no address or what is no host name.
    pub fn text(&self) -> Result<String> {
        let mut out = self.machine.unwrap_or(LOCAL).to_owned();
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        if self.machine.is_none() && !self.hostname.is_empty() {
            let local = [IpAddr::from([127, 0, 0, 1])];
            let ips = if self.ips.is_empty() {
                &local
            } else {
                self.ips
            };
            let names = own_names(check_name(self.hostname)?, self.domainname);
            names
                .split(' ')
                .try_for_each(|name| check_name(name).map(drop))?;
            for ip in ips {
                out.push_str(&format!("{ip}\t{names}\n"));
            }
        }
        for (ip, names) in self.linked {
            for name in names.split(' ') {
                check_name(name)?;
            }
            out.push_str(&format!("{ip}\t{names}\n"));
        }
        for (name, address) in self.extra {
            out.push_str(&format!(
                "{}\t{}\n",
                self.resolve(address)?,
                check_name(name)?
            ));
        }
        if let Some(gateway) = self.gateway {
            let names: Vec<&str> = MACHINE
                .into_iter()
                .filter(|own| !self.extra.iter().any(|(name, _)| name == own))
                .collect();
            if !names.is_empty() {
                out.push_str(&format!("{gateway}\t{}\n", names.join(" ")));
            }
        }
        Ok(out)
    }

    fn resolve(&self, address: &str) -> Result<IpAddr> {
        if address == "host-gateway" {
            return self.gateway.ok_or_else(|| {
                Error::of(
                    Kind::Usage,
                    "\"host-gateway\" means nothing in a container without a network",
                )
            });
        }
        let bare = address.trim_start_matches('[').trim_end_matches(']');
        bare.parse().map_err(|_| {
            Error::of(
                Kind::Usage,
                format!("\"{}\" is no IP address", address.escape_debug()),
            )
            .hint("write `--add-host NAME:ADDRESS`, or `--add-host NAME:host-gateway` for this machine")
        })
    }
}

/// Changes the text of a running container that has moved: lines of its own name at
/// addresses it has no more go, and there is one for each that is new. What else
/// stands there, the container's own lines as well, stays as it is.
pub fn moved(
    text: &str,
    (hostname, domainname): (&str, &str),
    gone: &[IpAddr],
    new: &[IpAddr],
) -> String {
    let stays = |line: &&str| {
        let mut words = line.split_ascii_whitespace();
        let ip = words.next().and_then(|word| word.parse().ok());
        !(ip.is_some_and(|ip| gone.contains(&ip)) && words.any(|word| word == hostname))
    };
    let mut out: String = text
        .lines()
        .filter(stays)
        .map(|line| format!("{line}\n"))
        .collect();
    let names = own_names(hostname, domainname);
    out.extend(new.iter().map(|ip| format!("{ip}\t{names}\n")));
    out
}

/// The whole name first; the first label is what programs ask for when that is given.
fn own_names(hostname: &str, domainname: &str) -> String {
    if !domainname.is_empty() {
        return format!("{hostname}.{domainname} {hostname}");
    }
    match hostname.split_once('.') {
        Some((short, _)) => format!("{hostname} {short}"),
        None => hostname.to_owned(),
    }
}

fn check_name(name: &str) -> Result<&str> {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_') || b >= 0x80;
    if !name.is_empty()
        && name.len() <= 253
        && name.bytes().all(good)
        && !name.contains(char::is_whitespace)
    {
        return Ok(name);
    }
    Err(Error::of(
        Kind::Usage,
        format!("\"{}\" is no host name", name.escape_debug()),
    ))
}

#[cfg(test)]
mod tests {
    use super::Hosts;

    fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter()
            .map(|(name, ip)| ((*name).to_owned(), (*ip).to_owned()))
            .collect()
    }

    #[test]
    fn a_container_finds_dockers_lines_its_own_and_the_machine() {
        let text = Hosts {
            ips: &[[172, 17, 0, 2].into()],
            hostname: "2cecb6b0fd74",
            extra: &pairs(&[("db", "10.1.2.3"), ("me", "host-gateway"), ("six", "[::2]")]),
            gateway: Some([172, 17, 0, 1].into()),
            ..Hosts::default()
        }
        .text()
        .expect("composed");
        assert_eq!(
            text,
            "127.0.0.1\tlocalhost\n\
             ::1\tlocalhost ip6-localhost ip6-loopback\n\
             fe00::0\tip6-localnet\n\
             ff00::0\tip6-mcastprefix\n\
             ff02::1\tip6-allnodes\n\
             ff02::2\tip6-allrouters\n\
             172.17.0.2\t2cecb6b0fd74\n\
             10.1.2.3\tdb\n\
             172.17.0.1\tme\n\
             ::2\tsix\n\
             172.17.0.1\thost.rpod.internal host.docker.internal host.containers.internal\n"
        );
    }

    #[test]
    fn a_name_given_for_the_machine_wins() {
        let text = Hosts {
            extra: &pairs(&[("host.docker.internal", "10.0.0.1")]),
            gateway: Some([172, 17, 0, 1].into()),
            ..Hosts::default()
        }
        .text()
        .expect("composed");
        assert!(
            text.ends_with(
                "10.0.0.1\thost.docker.internal\n172.17.0.1\thost.rpod.internal host.containers.internal\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn the_machines_own_text_is_kept_where_its_network_is_shared() {
        let text = Hosts {
            machine: Some("127.0.0.1 localhost\n10.9.8.7 printer"),
            hostname: "ignored",
            extra: &pairs(&[("db", "10.1.2.3")]),
            ..Hosts::default()
        }
        .text()
        .expect("composed");
        assert_eq!(
            text,
            "127.0.0.1 localhost\n10.9.8.7 printer\n10.1.2.3\tdb\n"
        );
    }

    #[test]
    fn a_full_host_name_is_known_by_its_first_label_too() {
        let text = Hosts {
            hostname: "web.example.org",
            ..Hosts::default()
        }
        .text()
        .expect("composed");
        assert!(text.ends_with("127.0.0.1\tweb.example.org web\n"), "{text}");
        let text = Hosts {
            hostname: "web",
            domainname: "example.org",
            ..Hosts::default()
        }
        .text()
        .expect("composed");
        assert!(text.ends_with("127.0.0.1\tweb.example.org web\n"), "{text}");
    }

    #[test]
    fn a_container_that_moves_keeps_its_own_lines() {
        let text = "127.0.0.1\tlocalhost\n172.18.0.2\tweb\n172.18.0.2\tmine\n# end";
        let moved = super::moved(
            text,
            ("web", ""),
            &[[172, 18, 0, 2].into()],
            &[[172, 17, 0, 5].into()],
        );
        assert_eq!(
            moved,
            "127.0.0.1\tlocalhost\n172.18.0.2\tmine\n# end\n172.17.0.5\tweb\n"
        );
    }

    #[test]
    fn nothing_given_can_add_a_line() {
        for (name, ip) in [
            ("a\n1.1.1.1 b", "10.0.0.1"),
            ("a b", "10.0.0.1"),
            ("a\u{a0}b", "10.0.0.1"),
            ("", "10.0.0.1"),
            ("a", "10.0.0.1\n"),
            ("a", "host"),
            ("a", "host-gateway"),
        ] {
            let extra = pairs(&[(name, ip)]);
            let hosts = Hosts {
                extra: &extra,
                ..Hosts::default()
            };
            assert!(hosts.text().is_err(), "{name:?} {ip:?}");
        }
    }
}
