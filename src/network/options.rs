//! What `network create --opt KEY=VALUE` can say: docker's names and podman's.
//!
//! Lives here: [`parse`], which knows them all, and for each that has no meaning here
//! why, and what does it instead.
//! Must not: know which networks there are.
//! Called by: `ops::network`.
//! Always true: an option is kept to or refused; one that asks for what is so anyway
//! is no error.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::error::{Context, Error, Kind, Result};
use crate::spec::boolean;
use crate::spec::network::{Traits, check_device_name};

/// The options there are, for whoever has typed another.
const KNOWN: &str = "there are mtu, metric, no_default_route, com.docker.network.bridge.name, com.docker.network.bridge.enable_icc, com.docker.network.bridge.host_binding_ipv4 and com.docker.network.container_iface_prefix";

/// What options say of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Bytes of the largest packet.
    pub mtu: Option<u32>,
    /// All else.
    pub traits: Traits,
}

/// Reads options.
///
/// # Errors
/// One that is not known, one whose value makes no sense, and one that asks for what
/// there is not.
pub fn parse(options: &BTreeMap<String, String>) -> Result<Said> {
    let mut said = Said::default();
    for (key, value) in options {
        said.take(key, value)
            .what(|| format!("--opt {key}={}", value.escape_debug()))?;
    }
    Ok(said)
}

impl Said {
    fn take(&mut self, key: &str, value: &str) -> Result<()> {
        let traits = &mut self.traits;
        match key.strip_prefix("com.docker.network.").unwrap_or(key) {
            "mtu" | "driver.mtu" => self.mtu = Some(number(value, 68, 65535, "bytes")?),
            "bridge.name" => {
                check_device_name(value)?;
                traits.bridge = Some(value.to_owned());
            }
            "container_iface_prefix" => {
                // Room for the number is needed.
                check_device_name(&format!("{value}99"))?;
                traits.prefix = Some(value.to_owned());
            }
            "bridge.enable_icc" => traits.apart = !truth(value)?,
            "bridge.host_binding_ipv4" => {
                let ip: IpAddr = value
                    .parse()
                    .map_err(|_| usage(format!("\"{}\" is no IP address", value.escape_debug())))?;
                traits.host_ip = Some(ip).filter(|ip| !ip.is_unspecified());
            }
            "no_default_route" => traits.no_way = truth(value)?,
            "metric" => traits.metric = Some(number(value, 0, u32::MAX, "")?),
            "bridge.enable_ip_masquerade" if !truth(value)? => {
                return Err(usage("what leaves a network is this machine's own: no address of a container is seen outside").hint(
                    "leave it out; a network without a way out is made with --internal",
                ));
            }
            "bridge.inhibit_ipv4" if truth(value)? => {
                return Err(usage(
                    "the gateway of a network has an address, where names are answered",
                )
                .hint("leave it out; a network without a way out is made with --internal"));
            }
            "bridge.gateway_mode_ipv4" | "bridge.gateway_mode_ipv6" if value != "nat" => {
                return Err(usage("networks have one mode, nat: a user without root adds no route to the machine's").hint(
                    "leave it out, and publish ports: `rpod run -p 8080:80 …`; a network without a way out is made with --internal",
                ));
            }
            "isolate" if value != "strict" && !truth(value)? => {
                return Err(
                    usage("networks are always kept apart from each other").hint(
                        "a container on both reaches both: `rpod network connect NETWORK CONTAINER`",
                    ),
                );
            }
            "mode" if value != "managed" => {
                return Err(usage("a user without root cannot use bridges of the machine").hint(
                    "leave it out: rpod makes the bridge; a namespace of your own is joined with `--network ns:PATH`",
                ));
            }
            "vlan" | "vrf" => {
                return Err(usage(
                    "networks are bridges of their own, on no device of the machine",
                )
                .hint("leave it out: what separates containers is a network for each group"));
            }
            "bridge.enable_ip_masquerade"
            | "bridge.inhibit_ipv4"
            | "bridge.gateway_mode_ipv4"
            | "bridge.gateway_mode_ipv6"
            | "isolate"
            | "mode" => {}
            _ => return Err(usage("there is no such option").hint(KNOWN)),
        }
        Ok(())
    }
}

fn number(value: &str, least: u32, most: u32, unit: &str) -> Result<u32> {
    let number = value.parse().ok();
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| {
            let range = format!("{least} to {most} {unit}");
            usage(format!("a number is meant, {}", range.trim_end()))
        })
}

fn truth(value: &str) -> Result<bool> {
    boolean::parse(value).ok_or_else(|| usage("true or false is meant"))
}

fn usage(why: impl Into<Cow<'static, str>>) -> Error {
    Error::of(Kind::Usage, why)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Said, parse};
    use crate::error::Result;
    use crate::spec::network::Traits;

    fn said(options: &[(&str, &str)]) -> Result<Said> {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        parse(&options.iter().map(pair).collect::<BTreeMap<_, _>>())
    }

    #[test]
    fn dockers_options_and_podmans_are_understood() {
        let traits = Traits {
            bridge: Some("lan".to_owned()),
            apart: true,
            host_ip: Some([127, 0, 0, 1].into()),
            prefix: Some("net".to_owned()),
            no_way: true,
            metric: Some(7),
            ..Traits::default()
        };
        let all = said(&[
            ("com.docker.network.driver.mtu", "1400"),
            ("com.docker.network.bridge.name", "lan"),
            ("com.docker.network.bridge.enable_icc", "false"),
            ("com.docker.network.bridge.host_binding_ipv4", "127.0.0.1"),
            ("com.docker.network.container_iface_prefix", "net"),
            ("metric", "7"),
            ("no_default_route", "1"),
        ]);
        let expected = Said {
            mtu: Some(1400),
            traits,
        };
        assert_eq!(all.expect("read"), expected);
        // What is so anyway.
        let nothing = said(&[
            ("com.docker.network.bridge.enable_icc", "true"),
            ("com.docker.network.bridge.enable_ip_masquerade", "true"),
            ("com.docker.network.bridge.host_binding_ipv4", "0.0.0.0"),
            ("com.docker.network.bridge.gateway_mode_ipv4", "nat"),
            ("com.docker.network.bridge.inhibit_ipv4", "0"),
            ("isolate", "strict"),
            ("mode", "managed"),
        ]);
        assert_eq!(nothing.expect("read"), Said::default());
    }

    #[test]
    fn what_cannot_be_kept_to_is_refused_with_the_way_on() {
        for (key, value, why) in [
            ("mtu", "67", "68 to 65535 bytes"),
            ("metric", "-1", "a number is meant, 0 to 4294967295"),
            (
                "com.docker.network.bridge.enable_icc",
                "no",
                "true or false",
            ),
            (
                "com.docker.network.bridge.name",
                "a/b",
                "is no name of a device",
            ),
            (
                "com.docker.network.container_iface_prefix",
                "fourteen-bytes",
                "is no name",
            ),
            (
                "com.docker.network.bridge.host_binding_ipv4",
                "here",
                "is no IP address",
            ),
            (
                "com.docker.network.bridge.enable_ip_masquerade",
                "false",
                "no address of a container",
            ),
            (
                "com.docker.network.bridge.gateway_mode_ipv6",
                "routed",
                "one mode, nat",
            ),
            (
                "com.docker.network.bridge.inhibit_ipv4",
                "true",
                "has an address",
            ),
            ("isolate", "false", "always kept apart"),
            ("mode", "unmanaged", "bridges of the machine"),
            ("vlan", "7", "bridges of their own"),
            ("colour", "red", "there is no such option"),
        ] {
            let error = said(&[(key, value)]).expect_err(key);
            let words = error.to_string();
            assert!(words.contains(why), "{words}");
            assert!(
                words.starts_with(&format!("--opt {key}={value}")),
                "{words}"
            );
            let plain = matches!(key, "mtu" | "metric") || why.starts_with("true or");
            assert!(
                plain || !error.hints().is_empty() || why.contains("IP address"),
                "{key}"
            );
        }
    }
}
