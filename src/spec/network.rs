//! Networks on paper: what was asked of one, and a container's place on it.
//!
//! Lives here: [`Network`] (what `network create` made), [`Attachment`] (a place
//! that a container asks for) and [`Endpoint`] (the place it has).
//! Must not: choose an address (`network`) or read a file (`store::networks`).
//! Called by: `cli`, `ops`, `store`, `dataplane`.
//! Always true: of a network that was made only its name servers change.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::spec::id::{ContainerId, NetworkId, check_name};
use crate::spec::subnet::Subnet;
use crate::spec::time::Time;

/// The network a container joins when nothing else is asked.
pub const DEFAULT: &str = "bridge";

/// What a container's own stack is called, where it has one apart from all networks.
pub const PRIVATE: &str = "private";

/// Names that mean something else than a network one can make.
pub const RESERVED: [&str; 5] = [DEFAULT, "host", "none", "default", PRIVATE];

/// Says whether the members of a network know each other by name, as they do on those
/// that people make.
pub fn has_names(network: &str) -> bool {
    !matches!(network, DEFAULT | PRIVATE)
}

/// A bridge network: `networks/<name>.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Format of this file; this rpod writes 1.
    pub version: u32,
    /// Its id.
    pub id: NetworkId,
    /// Its name.
    pub name: String,
    /// When it was made; none is that of rpod itself.
    pub created: Option<Time>,
    /// Its IPv4 addresses.
    pub v4: Pool,
    /// Its IPv6 addresses.
    #[serde(default)]
    pub v6: Option<Pool>,
    /// It has no way out.
    #[serde(default)]
    pub internal: bool,
    /// Bytes of the largest packet, where that was asked for.
    #[serde(default)]
    pub mtu: Option<u32>,
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Options as given, for `inspect`.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// `--attachable`: means nothing to a bridge, and is shown.
    #[serde(default)]
    pub attachable: bool,
    /// In what else it differs from others.
    #[serde(default)]
    pub traits: Traits,
    /// `--dns`: who is asked for names of the world; none means the machine's servers.
    #[serde(default)]
    pub servers: Vec<IpAddr>,
}

/// In what a network differs from others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Traits {
    /// Name of its bridge's device, where one was chosen.
    pub bridge: Option<String>,
    /// Its members reach the gateway and what is behind it, and not each other.
    pub apart: bool,
    /// Its members do not know each other by name.
    pub nameless: bool,
    /// Address of this machine at which ports are published for which none is typed.
    pub host_ip: Option<IpAddr>,
    /// What its members' devices are called, before a number; none is `eth`.
    pub prefix: Option<String>,
    /// It is no member's way out.
    pub no_way: bool,
    /// Of several ways out the one with the least is taken; none is [`METRIC`].
    pub metric: Option<u32>,
}

/// The metric of a way out where none was chosen.
pub const METRIC: u32 = 100;

/// A network's addresses of one version of IP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// All of them.
    pub subnet: Subnet,
    /// The bridge's own.
    pub gateway: IpAddr,
    /// `--ip-range`: containers that ask for none get one of these.
    #[serde(default)]
    pub range: Option<Subnet>,
    /// `--aux-address`: those that no container gets unasked, with their names.
    #[serde(default)]
    pub reserved: BTreeMap<String, IpAddr>,
}

/// A place on a network that a container asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Name of the network.
    pub network: String,
    /// `--ip`.
    #[serde(default)]
    pub ip: Option<Ipv4Addr>,
    /// `--ip6`.
    #[serde(default)]
    pub ip6: Option<Ipv6Addr>,
    /// `--mac-address`.
    #[serde(default)]
    pub mac: Option<Mac>,
    /// More names by which it is known there.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// What listens on this machine's loopback is reached through the gateway.
    #[serde(default)]
    pub host_loopback: bool,
    /// Name of the container's device there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// `gw-priority`: of several ways out the one with the most is taken.
    #[serde(default)]
    pub priority: i32,
    /// What it alone knows there.
    #[serde(default, skip_serializing_if = "Outlook::is_empty")]
    pub outlook: Outlook,
}

/// What one container knows that others on its network do not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlook {
    /// Name servers of its own; none means the machine's.
    #[serde(default)]
    pub servers: Vec<IpAddr>,
    /// `--link`: names it has for other containers.
    #[serde(default)]
    pub links: BTreeMap<String, ContainerId>,
}

impl Outlook {
    /// Says whether it is that of any container.
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty() && self.links.is_empty()
    }
}

impl Attachment {
    /// Asks for any place on a network.
    pub fn to(network: &str) -> Self {
        Self {
            network: network.to_owned(),
            ..Self::default()
        }
    }
}

/// A container's place on a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Name of the network.
    pub network: String,
    /// Its id.
    pub network_id: NetworkId,
    /// The container's device: `eth0`.
    pub device: String,
    /// Its link's address.
    pub mac: Mac,
    /// Bytes of the largest packet.
    pub mtu: u32,
    /// Its IPv4 address.
    pub v4: Seat<Ipv4Addr>,
    /// Its IPv6 address, where the network has any.
    #[serde(default)]
    pub v6: Option<Seat<Ipv6Addr>>,
    /// The network has no way out: nothing leads to its gateway.
    #[serde(default)]
    pub internal: bool,
    /// Nothing leads out by it, though the network has a way.
    #[serde(default)]
    pub no_way: bool,
    /// Of several ways out the one with the most is taken, and of those the first.
    #[serde(default)]
    pub precedence: i64,
    /// More names by which it is known there.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// What listens on this machine's loopback is reached through the gateway.
    #[serde(default)]
    pub host_loopback: bool,
    /// What it alone knows there.
    #[serde(default, skip_serializing_if = "Outlook::is_empty")]
    pub outlook: Outlook,
}

/// An address, and what surrounds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat<Ip> {
    /// The address.
    pub ip: Ip,
    /// Bits of the network.
    pub prefix: u8,
    /// The network's own address.
    pub gateway: Ip,
}

/// A link's address.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Returns the address docker derives: `02:42` and the four bytes. Whoever
    /// gets an address anew has the same link as before, so no neighbour's table is stale.
    pub fn of(ip: Ipv4Addr) -> Self {
        let [a, b, c, d] = ip.octets();
        Self([0x02, 0x42, a, b, c, d])
    }
}

impl FromStr for Mac {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<Option<u8>> = text
            .split([':', '-'])
            .map(|part| {
                let digits = matches!(part.len(), 1 | 2) && !part.starts_with('+');
                digits.then(|| u8::from_str_radix(part, 16).ok()).flatten()
            })
            .collect();
        let bytes: Option<Vec<u8>> = parts.into_iter().collect();
        match bytes.and_then(|bytes| <[u8; 6]>::try_from(bytes).ok()) {
            // The lowest bit of the first byte makes it that of a group (IEEE 802).
            Some(bytes) if bytes[0] & 1 == 0 && bytes != [0; 6] => Ok(Self(bytes)),
            _ => Err(Error::of(
                Kind::Usage,
                format!(
                    "\"{}\" is no link address of one device",
                    text.escape_debug()
                ),
            )
            .hint("write six bytes, the first of them even, for example 02:42:0a:00:00:05")),
        }
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl TryFrom<String> for Mac {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

/// Says whether a network one makes can have this name.
pub fn check_network_name(name: &str) -> Result<()> {
    check_name("network", 1, name)?;
    if RESERVED.contains(&name) {
        return Err(Error::of(
            Kind::Usage,
            format!("\"{name}\" has a meaning of its own and cannot name a network"),
        ));
    }
    Ok(())
}

/// Says whether a network device can have this name: the kernel's rules, and those
/// of the files that are named after it.
pub fn check_device_name(name: &str) -> Result<()> {
    let fits = name
        .bytes()
        .all(|b| b.is_ascii_graphic() && !matches!(b, b'/' | b':'));
    if (1..=15).contains(&name.len())
        && fits
        && !matches!(name, "." | ".." | "lo" | "all" | "default")
    {
        return Ok(());
    }
    Err(Error::of(
        Kind::Usage,
        format!("\"{}\" is no name of a device", name.escape_debug()),
    )
    .hint("one has up to 15 letters, digits and signs, none of them / or :"))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::{Mac, check_device_name, check_network_name};

    #[test]
    fn a_device_has_a_name_the_kernel_takes() {
        for name in ["eth0", "br-x.1", "a", "123456789012345"] {
            assert!(check_device_name(name).is_ok(), "{name}");
        }
        for name in [
            "",
            "lo",
            "all",
            "..",
            "a/b",
            "a:1",
            "a b",
            "1234567890123456",
            "é",
        ] {
            assert!(check_device_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_link_has_dockers_address() {
        let mac = Mac::of(Ipv4Addr::new(172, 17, 0, 2));
        assert_eq!(mac.to_string(), "02:42:ac:11:00:02");
        assert_eq!("2-42-AC-11-0-2".parse::<Mac>().ok(), Some(mac));
    }

    #[test]
    fn what_is_no_link_of_one_device_is_refused() {
        for text in [
            "",
            "02:42",
            "03:42:ac:11:00:02",
            "00:00:00:00:00:00",
            "02:42:ac:11:00:0g",
            "02:42:ac:11:00:02:03",
            "+2:42:ac:11:00:02",
            "002:42:ac:11:00:02",
        ] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_network_has_a_name_of_its_own() {
        assert!(check_network_name("mynet").is_ok());
        for name in ["bridge", "host", "none", "a/b", ".x", ""] {
            assert!(check_network_name(name).is_err(), "{name}");
        }
    }
}
