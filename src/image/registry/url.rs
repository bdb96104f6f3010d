//! Addresses of things at a registry.
//!
//! Lives here: [`Origin`] (whom to talk to) and [`Url`] (what to ask for).
//! Must not: connect, or know what is at an address.
//! Called by: the other files of this room.
//! Always true: what is shown of an address has no query: the queries of signed
//! addresses let their bearer in.

use std::fmt;

use crate::error::{Error, Result};

/// Whom to talk to: a host, a port, and whether over TLS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Over TLS.
    pub tls: bool,
    /// A name or an address; an IPv6 one without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Origin {
    /// Parses `host`, `host:port` or `[v6]:port`.
    pub fn parse(authority: &str, tls: bool) -> Result<Self> {
        let bad = || Error::new(format!("\"{authority}\" is no host"));
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or_else(bad)?;
                (host, rest.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = match port {
            Some(text) => text.parse().map_err(|_| bad())?,
            None => default_port(tls),
        };
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
        if host.is_empty() || !host.bytes().all(good) {
            return Err(bad());
        }
        Ok(Self {
            tls,
            host: host.to_ascii_lowercase(),
            port,
        })
    }

    /// Says whether it is this machine itself.
    pub fn is_loopback(&self) -> bool {
        match self.host.parse::<std::net::IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => self.host == "localhost" || self.host.ends_with(".localhost"),
        }
    }

    /// Returns the same host and port, over TLS or not.
    pub fn with_tls(&self, tls: bool) -> Self {
        let port = if self.port == default_port(self.tls) {
            default_port(tls)
        } else {
            self.port
        };
        Self {
            tls,
            host: self.host.clone(),
            port,
        }
    }

    /// Returns `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}

impl fmt::Display for Origin {
    /// Writes what a `Host` header has: the port only when it is not the scheme's own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        if self.port != default_port(self.tls) {
            write!(f, ":{}", self.port)?;
        }
        Ok(())
    }
}

fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

/// What to ask for, and of whom.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    /// Whom.
    pub origin: Origin,
    /// Path and query.
    pub path: String,
}

impl Url {
    /// Parses a whole `http` or `https` address.
    pub fn parse(text: &str) -> Result<Self> {
        let (tls, rest) = if let Some(rest) = text.strip_prefix("https://") {
            (true, rest)
        } else if let Some(rest) = text.strip_prefix("http://") {
            (false, rest)
        } else {
            return Err(Error::new("an address begins with https:// or http://"));
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(Error::new("an address must not hold a user's name"));
        }
        Ok(Self {
            origin: Origin::parse(authority, tls)?,
            path: clean_path(path),
        })
    }

    /// Follows a `Location` (RFC 9110, 10.2.2), which may be relative.
    pub fn join(&self, location: &str) -> Result<Self> {
        if location.starts_with("https://") || location.starts_with("http://") {
            return Self::parse(location);
        }
        if location.starts_with("//") {
            return Self::parse(&format!("{}:{location}", self.origin.scheme()));
        }
        if location.contains("://") {
            return Err(Error::new("an address begins with https:// or http://"));
        }
        let path = if location.starts_with('/') {
            clean_path(location)
        } else {
            let here = self.path.split('?').next().unwrap_or("/");
            let directory = here.rsplit_once('/').map_or("", |(directory, _)| directory);
            clean_path(&format!("{directory}/{location}"))
        };
        Ok(Self {
            origin: self.origin.clone(),
            path,
        })
    }
}

/// Makes a path out of what follows the host; a fragment is never sent.
fn clean_path(text: &str) -> String {
    let text = text.split('#').next().unwrap_or_default();
    if text.starts_with('/') {
        text.to_owned()
    } else {
        format!("/{text}")
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.split('?').next().unwrap_or("/");
        write!(f, "{}://{}{path}", self.origin.scheme(), self.origin)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Writes text into a query (RFC 3986, 2.1).
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(byte.into());
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Origin, Url, escape};

    #[test]
    fn a_location_is_followed_from_where_it_was_given() {
        let here = Url::parse("https://r.example:5000/v2/x/blobs/1?a=b").expect("a url");
        for (location, whole) in [
            (
                "https://cdn.example/x?sig=1#f",
                "https://cdn.example/x?sig=1",
            ),
            ("//cdn.example/x", "https://cdn.example/x"),
            ("/y", "https://r.example:5000/y"),
            ("2", "https://r.example:5000/v2/x/blobs/2"),
            ("http://[::1]:80/z", "http://[::1]/z"),
        ] {
            let next = here.join(location).expect(location);
            let shown = format!("{}://{}{}", next.origin.scheme(), next.origin, next.path);
            assert_eq!(shown, whole);
            assert!(!next.to_string().contains("sig"));
        }
        for location in ["ftp://x/y", "https://user:pw@x/y", "https:///x"] {
            assert!(here.join(location).is_err(), "{location}");
        }
    }

    #[test]
    fn loopback_is_known_by_name_and_by_number() {
        for (host, is) in [
            ("localhost:5000", true),
            ("127.8.9.1", true),
            ("[::1]:5000", true),
            ("x.localhost", true),
            ("127.0.0.1.example", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(
                Origin::parse(host, true).expect(host).is_loopback(),
                is,
                "{host}"
            );
        }
    }

    #[test]
    fn a_query_is_escaped_bytewise() {
        assert_eq!(
            escape("repository:a/b:pull é"),
            "repository%3Aa%2Fb%3Apull%20%C3%A9"
        );
    }
}
