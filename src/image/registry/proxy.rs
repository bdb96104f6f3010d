//! Proxies: `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, as curl(1) reads them.
//!
//! Lives here: which proxy, if any, stands between us and a host.
//! Must not: connect.
//! Called by: `http`.
//! Always true: this machine itself is never asked for through a proxy; a
//! password in a proxy's address is never shown.

use crate::error::{Context, Result};
use crate::image::credentials::{Secret, basic};
use crate::image::registry::url::{Origin, Url};

/// A proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Where it is.
    pub origin: Origin,
    /// What it is told with `Proxy-Authorization`.
    pub authorization: Option<Secret>,
}

/// The proxies that the environment names.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    tls: Option<String>,
    plain: Option<String>,
    none: Vec<String>,
}

impl Proxies {
    /// Reads the environment through `variable`.
    pub fn from_environment(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| {
            variable(&name.to_lowercase())
                .or_else(|| variable(name))
                .filter(|text| !text.is_empty())
        };
        let all = either("ALL_PROXY");
        Self {
            tls: either("HTTPS_PROXY").or_else(|| all.clone()),
            plain: either("HTTP_PROXY").or(all),
            none: either("NO_PROXY")
                .unwrap_or_default()
                .split([',', ' '])
                .map(|word| word.trim().to_ascii_lowercase())
                .filter(|word| !word.is_empty())
                .collect(),
        }
    }

    /// Returns the proxy to reach `origin` through.
    ///
    /// # Errors
    /// When the environment names something that is no proxy.
    pub fn to(&self, origin: &Origin) -> Result<Option<Proxy>> {
        if origin.is_loopback() || self.none.iter().any(|word| spares(word, origin)) {
            return Ok(None);
        }
        let (text, name) = if origin.tls {
            (&self.tls, "HTTPS_PROXY")
        } else {
            (&self.plain, "HTTP_PROXY")
        };
        let Some(text) = text else {
            return Ok(None);
        };
        parse(text)
            .map(Some)
            .what(|| format!("cannot use the proxy that {name} names"))
    }
}

/// `http://user:password@host:port`; the scheme may be left out.
fn parse(text: &str) -> Result<Proxy> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let end = rest.find('/').unwrap_or(rest.len());
    let (user, host) = match rest[..end].rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, &rest[..end]),
    };
    let origin = Url::parse(&format!("{scheme}://{host}"))
        .what(|| "it is not of the form http://host:port")?
        .origin;
    let authorization = user.map(|user| {
        let (name, password) = user.split_once(':').unwrap_or((user, ""));
        basic(&unescape(name), &Secret::new(unescape(password)))
    });
    Ok(Proxy {
        origin,
        authorization,
    })
}

/// Says whether a word of `NO_PROXY` means `origin`: `*`, an address, a host, or the end of one.
fn spares(word: &str, origin: &Origin) -> bool {
    let (word, port) = match word.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, port.parse().ok()),
        _ => (word, None),
    };
    if port.is_some_and(|port: u16| port != origin.port) {
        return false;
    }
    let tail = word.trim_start_matches('*').trim_start_matches('.');
    word == "*"
        || origin.host == tail
        || (!tail.is_empty()
            && origin
                .host
                .strip_suffix(tail)
                .is_some_and(|head| head.ends_with('.')))
        || in_network(word, &origin.host)
}

/// `10.0.0.0/8` and the like.
fn in_network(word: &str, host: &str) -> bool {
    use std::net::IpAddr;
    let Some((network, length)) = word.split_once('/') else {
        return false;
    };
    let (Ok(network), Ok(length), Ok(host)) = (
        network.parse::<IpAddr>(),
        length.parse::<u32>(),
        host.parse::<IpAddr>(),
    ) else {
        return false;
    };
    let (network, host, width) = match (network, host) {
        (IpAddr::V4(n), IpAddr::V4(h)) => (u128::from(n.to_bits()), u128::from(h.to_bits()), 32),
        (IpAddr::V6(n), IpAddr::V6(h)) => (n.to_bits(), h.to_bits(), 128),
        _ => return false,
    };
    length <= width && (length == 0 || (network ^ host) >> (width - length) == 0)
}

fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let code = (byte == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(code) => {
                out.push(code);
                rest = &tail[2..];
            }
            None => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::Proxies;
    use crate::image::registry::url::Origin;

    #[test]
    fn no_proxy_spares_hosts_domains_networks_and_this_machine() {
        let proxies = Proxies::from_environment(&|name| match name {
            "HTTPS_PROXY" => Some("http://us%40er:pw@proxy.example:3128/".to_owned()),
            "no_proxy" => Some("intra.example, .lan,10.0.0.0/8,other:5000".to_owned()),
            _ => None,
        });
        for (host, through) in [
            ("registry.example", true),
            ("intra.example", false),
            ("x.intra.example", false),
            ("notintra.example", true),
            ("box.lan", false),
            ("10.200.3.4", false),
            ("11.0.0.1", true),
            ("other:5000", false),
            ("other:5001", true),
            ("localhost:5000", false),
        ] {
            let origin = Origin::parse(host, true).expect(host);
            let proxy = proxies.to(&origin).expect("it is one");
            assert_eq!(proxy.is_some(), through, "{host}");
            assert!(!format!("{proxy:?}").contains("pw"));
        }
        let plain = Origin::parse("registry.example", false).expect("a host");
        assert_eq!(proxies.to(&plain).expect("none"), None);
    }
}
