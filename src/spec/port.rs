//! Published ports: `-p [ip:][host]:container[/proto]`, with ranges.
//!
//! Lives here: [`Port`], [`PortMapping`] and docker's grammar for them.
//! Must not: open a socket.
//! Called by: `cli`, `ops`, `network`, `dataplane`, `store`.
//! Always true: a mapping names one container port; a range typed has become
//! as many mappings.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};

/// What is carried.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Streams.
    #[default]
    Tcp,
    /// Datagrams.
    Udp,
}

/// A port inside, as `EXPOSE` has it: `8080/tcp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Port {
    /// Number, 1 to 65535.
    pub number: u16,
    /// What is carried.
    pub protocol: Protocol,
}

/// One published port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PortMapping {
    /// Address on the machine; none means every address, of both families.
    pub host_ip: Option<IpAddr>,
    /// Port on the machine; none means a free one is found at the start.
    pub host_port: Option<u16>,
    /// Last port of a range on the machine, of which a free one is found at the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_port_end: Option<u16>,
    /// Port inside.
    pub container: Port,
}

/// Parses the text after `-p`, which may be a range and so many mappings; also
/// docker's long form, `published=8080,target=80,protocol=tcp`.
pub fn parse_publish(text: &str) -> Result<Vec<PortMapping>> {
    if text.contains('=') {
        return parse_long(text);
    }
    let bad = |why: &str| {
        Error::of(
            Kind::Usage,
            format!("\"{text}\" is no port to publish: {why}"),
        )
        .hint("write `-p HOST:CONTAINER`, for example `-p 8080:80` or `-p 127.0.0.1:8080:80/tcp`")
    };
    let (rest, protocol) = match text.rsplit_once('/') {
        Some((rest, name)) => (
            rest,
            name.parse::<Protocol>().map_err(|e| bad(&e.to_string()))?,
        ),
        None => (text, Protocol::Tcp),
    };
    // The container's port is last; what is before it may hold an address with colons.
    let (before, container) = match rest.rsplit_once(':') {
        Some((before, container)) => (Some(before), container),
        None => (None, rest),
    };
    let (ip, host) = match before {
        None => (None, ""),
        Some(before) => match before.rsplit_once(':') {
            Some((ip, host)) if !before.ends_with(']') => (Some(ip), host),
            _ if before.contains(['.', '[']) => {
                return Err(bad(
                    "after the address comes a host port, which may be empty, and a second colon",
                ));
            }
            _ => (None, before),
        },
    };
    let bare = |ip: &'_ str| match ip.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
        Some(Some(bare)) => bare.to_owned(),
        _ => ip.to_owned(),
    };
    let ip = match ip.map(bare).as_deref() {
        None | Some("") => None,
        Some(ip) => Some(
            ip.parse::<IpAddr>()
                .map_err(|_| bad(&format!("\"{ip}\" is no IP address")))?,
        ),
    };
    let inside = range(container).map_err(|why| bad(&format!("the container's port {why}")))?;
    let outside = match host {
        // docker's two ways to leave the choice to the machine.
        "" | "0" => None,
        host => Some(range(host).map_err(|why| bad(&format!("the host's port {why}")))?),
    };
    let count = inside.1 - inside.0;
    if let Some((first, last)) = outside
        && last - first != count
        && count != 0
    {
        return Err(bad("the two ranges differ in length"));
    }
    Ok((0..=count)
        .map(|n| PortMapping {
            host_ip: ip,
            host_port: outside.map(|(first, _)| first + n),
            host_port_end: outside
                .map(|(_, last)| last)
                .filter(|last| count == 0 && outside.is_some_and(|(first, _)| first != *last)),
            container: Port {
                number: inside.0 + n,
                protocol,
            },
        })
        .collect())
}

fn parse_long(text: &str) -> Result<Vec<PortMapping>> {
    let bad = |why: String| {
        Error::of(
            Kind::Usage,
            format!("\"{text}\" is no port to publish: {why}"),
        )
        .hint("write `-p HOST:CONTAINER`, or `-p published=HOST,target=CONTAINER,protocol=tcp`")
    };
    let (mut ip, mut published, mut target, mut protocol) = ("", "", "", "tcp");
    for part in text.split(',') {
        match part.split_once('=') {
            Some(("host_ip", value)) => ip = value,
            Some(("published", value)) => published = value,
            Some(("target", value)) => target = value,
            Some(("protocol", value)) => protocol = value,
            // Both mean a port of this machine, where there is but one.
            Some(("mode", "host" | "ingress")) => {}
            Some(("mode", value)) => {
                return Err(bad(format!("\"{value}\" is no mode: host and ingress are")));
            }
            _ => {
                return Err(bad(format!(
                    "\"{part}\" is none of host_ip=, published=, target=, protocol= and mode="
                )));
            }
        }
    }
    if target.is_empty() {
        return Err(bad("it has no target=, the container's port".to_owned()));
    }
    let short = match (ip, published) {
        ("", "") => format!("{target}/{protocol}"),
        ("", host) => format!("{host}:{target}/{protocol}"),
        (ip, host) if ip.contains(':') => format!("[{ip}]:{host}:{target}/{protocol}"),
        (ip, host) => format!("{ip}:{host}:{target}/{protocol}"),
    };
    // Its values cannot smuggle a form in: none of them has a sign of equality.
    parse_publish(&short)
}

fn range(text: &str) -> Result<(u16, u16), String> {
    let number = |text: &str| match text.parse::<u16>() {
        Ok(0) | Err(_) => Err(format!("\"{text}\" is no number from 1 to 65535")),
        Ok(number) => Ok(number),
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, number(text)?),
    };
    if last < first {
        return Err(format!("range {text} ends before it begins"));
    }
    Ok((first, last))
}

impl FromStr for Protocol {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            "sctp" => Err(Error::of(
                Kind::Usage,
                "sctp cannot be published: tcp and udp can",
            )),
            _ => Err(Error::of(
                Kind::Usage,
                format!("\"{text}\" is no protocol: tcp and udp are"),
            )),
        }
    }
}

impl FromStr for Port {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let number = match number.parse() {
            Ok(0) | Err(_) => {
                return Err(Error::of(
                    Kind::Usage,
                    format!(
                        "\"{text}\" is no port: write a number from 1 to 65535, then /tcp or /udp"
                    ),
                ));
            }
            Ok(number) => number,
        };
        Ok(Self {
            number,
            protocol: protocol.parse()?,
        })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.protocol)
    }
}

impl TryFrom<String> for Port {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Port> for String {
    fn from(port: Port) -> Self {
        port.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::parse_publish;

    fn shown(text: &str) -> Vec<String> {
        parse_publish(text)
            .expect(text)
            .iter()
            .map(|m| {
                format!(
                    "{} {} {}",
                    m.host_ip.map_or("*".into(), |ip| ip.to_string()),
                    m.host_port.map_or("free".into(), |p| p.to_string()),
                    m.container
                )
            })
            .collect()
    }

    #[test]
    fn every_form_docker_knows() {
        assert_eq!(shown("8080"), ["* free 8080/tcp"]);
        assert_eq!(shown("1234:8080"), ["* 1234 8080/tcp"]);
        assert_eq!(
            shown("127.0.0.1:1234:8080/udp"),
            ["127.0.0.1 1234 8080/udp"]
        );
        assert_eq!(shown("127.0.0.1::80"), ["127.0.0.1 free 80/tcp"]);
        assert_eq!(shown("[::1]:80:80"), ["::1 80 80/tcp"]);
        assert_eq!(shown("7000-7001:80-81"), ["* 7000 80/tcp", "* 7001 81/tcp"]);
        assert_eq!(shown("7000-7009:80"), ["* 7000 80/tcp"]);
        assert_eq!(
            shown("[::1]:8000-8001:80-81/udp"),
            ["::1 8000 80/udp", "::1 8001 81/udp"]
        );
        assert_eq!(shown("[::]::80"), [":: free 80/tcp"]);
        assert_eq!(shown("::1:80:80"), ["::1 80 80/tcp"]);
        assert_eq!(shown("3000-3001"), ["* free 3000/tcp", "* free 3001/tcp"]);
        assert_eq!(shown("80:80/TCP"), ["* 80 80/tcp"]);
        assert_eq!(shown("0:80"), shown("80"));
        assert_eq!(shown("127.0.0.1:0:80"), shown("127.0.0.1::80"));
        for (long, short) in [
            ("published=8080,target=80", "8080:80"),
            ("target=80,protocol=udp", "80/udp"),
            (
                "mode=host,host_ip=::1,published=1-2,target=3-4",
                "[::1]:1-2:3-4",
            ),
            ("host_ip=127.0.0.1,target=80", "127.0.0.1::80"),
        ] {
            assert_eq!(shown(long), shown(short));
        }
        let any = parse_publish("7000-7009:80").expect("parsed");
        assert_eq!(any[0].host_port_end, Some(7009));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, why) in [
            ("0-3:80", "host's port"),
            ("80:", "container's port"),
            ("80:99999", "container's port"),
            ("7-5:80", "ends before"),
            ("1-3:80-81", "differ"),
            ("300.1.1.1:80:80", "no IP address"),
            ("127.0.0.1:80", "second colon"),
            ("80:80/icmp", "no protocol"),
            ("80:80/sctp", "sctp cannot be published"),
            ("published=80", "no target="),
            ("published=80,target=80,mode=x", "no mode"),
            ("published=80,target=80,name=x", "none of"),
            ("", "container's port"),
            ("1:2:3:4", "no IP address"),
            ("[::1:80:80", "no IP address"),
        ] {
            let error = parse_publish(text).expect_err(text).to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
