//! The text of a container's `/etc/resolv.conf` (resolv.conf(5)).
//!
//! Lives here: what is taken from the machine's text, and what replaces it.
//! Must not: ask a server or write the file.
//! Called by: `ops`.
//! Always true: no word given can add a line of its own.

use std::net::IpAddr;

use crate::error::{Error, Kind, Result};

/// What a container's `/etc/resolv.conf` is made of.
#[derive(Clone, Debug, Default)]
pub struct Resolver<'a> {
    /// The machine's own text.
    pub machine: &'a str,
    /// The server of its network, which asks the machine's of each moment, or those
    /// given; none where there is no such server, and they are told themselves.
    pub gateway: Option<IpAddr>,
    /// Names of its network are known: those without a dot are no others'.
    pub names: bool,
    /// The machine's network is the container's: its loopback servers answer there too.
    pub shared: bool,
    /// `--dns`: replaces the machine's servers.
    pub servers: &'a [IpAddr],
    /// `--dns-search`: replaces the machine's; `.` alone means none.
    pub search: &'a [String],
    /// `--dns-option`: replaces the machine's.
    pub options: &'a [String],
}

impl Resolver<'_> {
    /// Composes the text.
    ///
    /// # Errors
    /// When a search domain or an option holds a space or a line's end.
    pub fn text(&self) -> Result<String> {
        let mut out = String::new();
        for server in self.chosen_servers() {
            out.push_str(&format!("nameserver {server}\n"));
        }
        let mut words = |key: &str, given: &[String]| -> Result<()> {
            let words = if given.is_empty() {
                self.machines(key)
            } else {
                given.to_vec()
            };
            let mut words: Vec<&str> = words
                .iter()
                .map(String::as_str)
                .filter(|word| *word != ".")
                .collect();
            if self.names && key == "options" {
                // A short name is asked for as it is before a domain is tried with it.
                words.retain(|word| !word.starts_with("ndots:") || !given.is_empty());
                if !words.iter().any(|word| word.starts_with("ndots:")) {
                    words.push("ndots:0");
                }
            }
            for word in &words {
                check_word(key, word)?;
            }
            if !words.is_empty() {
                out.push_str(&format!("{key} {}\n", words.join(" ")));
            }
            Ok(())
        };
        words("search", self.search)?;
        words("options", self.options)?;
        Ok(out)
    }

    fn chosen_servers(&self) -> Vec<IpAddr> {
        if let Some(gateway) = self.gateway {
            return vec![gateway];
        }
        if !self.servers.is_empty() {
            return self.servers.to_vec();
        }
        let mut out = Vec::new();
        for line in self.machine.lines() {
            let mut words = line.split_ascii_whitespace();
            // An address with a scope (`fe80::1%eth0`) belongs to a device that is not inside; it does not parse.
            if words.next() == Some("nameserver")
                && let Some(Ok(server)) = words.next().map(str::parse::<IpAddr>)
                && (self.shared || !server.to_canonical().is_loopback())
                && !out.contains(&server)
            {
                out.push(server);
            }
        }
        out
    }

    /// The last line counts, and `domain` is an older word for one search domain.
    fn machines(&self, key: &str) -> Vec<String> {
        self.machine
            .lines()
            .filter_map(|line| {
                let mut words = line.split_ascii_whitespace();
                let first = words.next()?;
                (first == key || (key == "search" && first == "domain"))
                    .then(|| words.map(str::to_owned).collect::<Vec<_>>())
            })
            .next_back()
            .unwrap_or_default()
    }
}

fn check_word(key: &str, word: &str) -> Result<()> {
    if word.is_empty() || word.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Error::of(
            Kind::Usage,
            format!("\"{}\" is no word for \"{key}\"", word.escape_debug()),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Resolver;

    const MACHINE: &str = "# made by hand\nnameserver 127.0.0.53\nnameserver 10.0.0.2\n\
        nameserver 10.0.0.2\nnameserver ::1\nnameserver fe80::1%eth0\nnameserver 2001:db8::1\n\
        domain old.example\nsearch a.example b.example\noptions edns0 trust-ad\n";

    #[test]
    fn servers_that_are_the_machines_own_loopback_are_left_out() {
        let text = Resolver {
            machine: MACHINE,
            ..Resolver::default()
        }
        .text()
        .expect("composed");
        assert_eq!(
            text,
            "nameserver 10.0.0.2\nnameserver 2001:db8::1\nsearch a.example b.example\noptions edns0 trust-ad\n"
        );
    }

    #[test]
    fn they_are_kept_where_the_machines_network_is_shared() {
        let text = Resolver {
            machine: "nameserver 127.0.0.53",
            shared: true,
            ..Resolver::default()
        }
        .text()
        .expect("composed");
        assert_eq!(text, "nameserver 127.0.0.53\n");
    }

    #[test]
    fn a_networks_server_stands_for_the_machines() {
        let text = Resolver {
            machine: MACHINE,
            gateway: Some([172, 17, 0, 1].into()),
            ..Resolver::default()
        }
        .text()
        .expect("composed");
        assert_eq!(
            text,
            "nameserver 172.17.0.1\nsearch a.example b.example\noptions edns0 trust-ad\n"
        );
    }

    #[test]
    fn where_names_are_known_they_are_asked_for_as_they_are() {
        let text = |options: &[String]| {
            let resolver = Resolver {
                machine: "options ndots:5 rotate\nnameserver 10.0.0.2\n",
                gateway: Some([172, 18, 0, 1].into()),
                names: true,
                servers: &[[9, 9, 9, 9].into()],
                options,
                ..Resolver::default()
            };
            resolver.text().expect("composed")
        };
        assert_eq!(text(&[]), "nameserver 172.18.0.1\noptions rotate ndots:0\n");
        assert_eq!(
            text(&["ndots:2".to_owned()]),
            "nameserver 172.18.0.1\noptions ndots:2\n"
        );
    }

    #[test]
    fn what_is_given_replaces_the_machines() {
        let text = Resolver {
            machine: MACHINE,
            servers: &[[127, 0, 0, 1].into(), [9, 9, 9, 9].into()],
            search: &[".".to_owned()],
            options: &["ndots:2".to_owned(), "rotate".to_owned()],
            ..Resolver::default()
        }
        .text()
        .expect("composed");
        assert_eq!(
            text,
            "nameserver 127.0.0.1\nnameserver 9.9.9.9\noptions ndots:2 rotate\n"
        );
    }

    #[test]
    fn nothing_given_can_add_a_line() {
        for word in ["a\nnameserver 6.6.6.6", "a b", ""] {
            let given = [word.to_owned()];
            let resolver = Resolver {
                search: &given,
                ..Resolver::default()
            };
            assert!(resolver.text().is_err(), "{word:?}");
        }
    }
}
