//! `--network` and the flags about a container's places on networks.
//!
//! Lives here: docker's form (`name=mynet,ip=…`) and podman's (`mynet:ip=…`).
//! Must not: know which networks there are.
//! Called by: `flags::container`, `network connect`.
//! Always true: a word that is not understood is named; a container has one
//! mode, or places on bridge networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::cli::flags::usage;
use crate::error::{Context, Result};
use crate::spec::container::NetworkMode;
use crate::spec::id::check_name;
use crate::spec::network::{Attachment, DEFAULT, PRIVATE, check_device_name};

/// What was typed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Typed<'a> {
    /// `--network`, in order.
    pub networks: &'a [String],
    /// `--ip`.
    pub ip: Option<&'a str>,
    /// `--ip6`.
    pub ip6: Option<&'a str>,
    /// `--mac-address`.
    pub mac: Option<&'a str>,
    /// `--network-alias`.
    pub aliases: &'a [String],
}

impl Typed<'_> {
    /// Returns the mode, if one was typed, and the places.
    pub fn parse(&self) -> Result<(Option<NetworkMode>, Vec<Attachment>)> {
        let mut mode = None;
        let mut places: Vec<Attachment> = Vec::new();
        for text in self.networks {
            match one(text)? {
                One::Mode(own) => mode = Some((text, own, None)),
                One::Private(place) => mode = Some((text, NetworkMode::Private, Some(place))),
                One::Place(place) if places.iter().any(|p| p.network == place.network) => {
                    return Err(usage(format!(
                        "--network names network \"{}\" twice",
                        place.network
                    )));
                }
                One::Place(place) => places.push(place),
            }
        }
        if let Some((text, mode, place)) = mode {
            if self.networks.len() > 1 {
                return Err(usage(format!(
                    "--network {text} excludes every other network"
                )));
            }
            if let Some(mut place) = place {
                if !self.aliases.is_empty() {
                    return Err(usage(format!(
                        "--network-alias means nothing with --network {text}: nobody else is there"
                    )));
                }
                self.refine(&mut place)?;
                return Ok((Some(mode), vec![place]));
            }
            if let Some(flag) = self.asks() {
                return Err(usage(format!(
                    "{flag} means nothing with --network {text}: it has no place of its own"
                )));
            }
            return Ok((Some(mode), Vec::new()));
        }
        if places.is_empty() && self.asks().is_some() {
            places.push(Attachment::to(DEFAULT));
        }
        for place in &mut places {
            for alias in self.aliases {
                add_alias(place, alias).what(|| "--network-alias")?;
            }
        }
        if let Some(first) = places.first_mut() {
            self.refine(first)?;
        }
        let devices: Vec<&String> = places.iter().filter_map(|p| p.device.as_ref()).collect();
        if let Some(twice) = devices.iter().enumerate().find_map(|(n, name)| {
            let before = devices.get(..n).unwrap_or_default();
            before.contains(name).then_some(name)
        }) {
            return Err(usage(format!("--network names device \"{twice}\" twice")));
        }
        let mode = (!places.is_empty()).then_some(NetworkMode::Bridge);
        Ok((mode, places))
    }

    fn asks(&self) -> Option<&'static str> {
        [
            (self.ip.is_some(), "--ip"),
            (self.ip6.is_some(), "--ip6"),
            (self.mac.is_some(), "--mac-address"),
            (!self.aliases.is_empty(), "--network-alias"),
        ]
        .into_iter()
        .find_map(|(typed, flag)| typed.then_some(flag))
    }

    /// These are about the first network, as docker has it.
    fn refine(&self, place: &mut Attachment) -> Result<()> {
        if let Some(text) = self.ip {
            place.ip = Some(ipv4("--ip", text)?);
        }
        if let Some(text) = self.ip6 {
            place.ip6 = Some(ipv6("--ip6", text)?);
        }
        if let Some(text) = self.mac {
            place.mac = Some(text.parse().what(|| "--mac-address")?);
        }
        Ok(())
    }
}

enum One {
    Mode(NetworkMode),
    Private(Attachment),
    Place(Attachment),
}

fn one(text: &str) -> Result<One> {
    let what = || format!("--network \"{text}\"");
    if let Some(name) = text.strip_prefix("container:") {
        if name.is_empty() {
            return Err(usage(format!("{} names no container", what())));
        }
        return Ok(One::Mode(NetworkMode::Container(name.to_owned())));
    }
    if let Some(path) = text.strip_prefix("ns:") {
        if path.is_empty() {
            return Err(usage(format!("{} names no namespace", what()))
                .hint("write a path, such as `--network ns:/proc/1234/ns/net`"));
        }
        return Ok(One::Mode(NetworkMode::Namespace(path.to_owned())));
    }
    match text {
        "host" => return Ok(One::Mode(NetworkMode::Host)),
        "none" => return Ok(One::Mode(NetworkMode::None)),
        _ => {}
    }
    let (name, options) = match text.find([':', ',', '=']) {
        None => (text, ""),
        Some(at) if !text[at..].starts_with('=') => (&text[..at], &text[at + 1..]),
        // docker's form has its name among the options.
        Some(_) => ("", text),
    };
    // podman's words for a stack of one's own.
    let private = matches!(name, PRIVATE | "pasta" | "slirp4netns");
    let mut place = Attachment::to(if private { PRIVATE } else { name });
    for option in options.split(',').filter(|option| !option.is_empty()) {
        let (key, value) = match option.split_once('=') {
            Some(pair) => pair,
            None if option == "host-loopback" => (option, "true"),
            None if private => return Err(foreign(name, option)),
            None => return Err(usage(format!("{}: \"{option}\" is no KEY=VALUE", what()))),
        };
        match key {
            "allow_host_loopback" if private => set(&mut place, "host-loopback", value),
            "host-loopback" | "ip" | "ip6" | "mac" | "mac-address" => set(&mut place, key, value),
            _ if private => return Err(foreign(name, key)),
            _ => set(&mut place, key, value),
        }
        .what(what)?;
    }
    if private {
        return Ok(One::Private(place));
    }
    if matches!(place.network.as_str(), "" | "default") {
        place.network = DEFAULT.to_owned();
    }
    check_name("network", 1, &place.network)?;
    Ok(One::Place(place))
}

/// Lets a container reach what listens on this machine's loopback, by all its networks.
///
/// # Errors
/// Where it has none of its own.
pub fn open_loopback(mode: &mut Option<NetworkMode>, places: &mut Vec<Attachment>) -> Result<()> {
    match mode {
        // There it is the loopback of both.
        Some(NetworkMode::Host) => return Ok(()),
        None | Some(NetworkMode::Bridge | NetworkMode::Private) => {}
        Some(_) => {
            return Err(usage(
                "host-loopback means nothing in a container without a network of its own"
                    .to_owned(),
            )
            .hint("leave it out, or use another --network"));
        }
    }
    if places.is_empty() {
        *mode = Some(NetworkMode::Bridge);
        places.push(Attachment::to(DEFAULT));
    }
    for place in places {
        place.host_loopback = true;
    }
    Ok(())
}

/// What another program's option asks for is that program's to do.
fn foreign(name: &str, option: &str) -> crate::error::Error {
    let why = match name {
        PRIVATE => String::new(),
        _ => format!(": rpod's own stack takes the place of {name}"),
    };
    usage(format!(
        "--network {name} has no option \"{option}\" here{why}"
    ))
    .hint("there are host-loopback, ip, ip6 and mac-address")
}

fn set(place: &mut Attachment, key: &str, value: &str) -> Result<()> {
    match key {
        "name" => value.clone_into(&mut place.network),
        "ip" => match value.parse() {
            Ok(IpAddr::V4(ip)) => place.ip = Some(ip),
            Ok(IpAddr::V6(ip)) => place.ip6 = Some(ip),
            Err(_) => return Err(no_address(key, value)),
        },
        "ip6" => place.ip6 = Some(ipv6(key, value)?),
        "mac" | "mac-address" => place.mac = Some(value.parse()?),
        "alias" => add_alias(place, value)?,
        "interface_name" => {
            check_device_name(value)?;
            place.device = Some(value.to_owned());
        }
        "driver-opt" => driver_option(place, value)?,
        "gw-priority" => {
            place.priority = value
                .parse()
                .map_err(|_| usage(format!("{key} is a number, not \"{value}\"")))?;
        }
        "host-loopback" => {
            place.host_loopback = value
                .parse()
                .map_err(|_| usage(format!("{key} is true or false, not \"{value}\"")))?;
        }
        _ => {
            return Err(usage(format!("there is no option \"{key}\""))
                .hint("there are name, ip, ip6, mac-address, alias, interface_name, gw-priority and host-loopback"));
        }
    }
    Ok(())
}

/// Takes an option of docker's bridge driver for a place, `KEY=VALUE`.
pub fn driver_option(place: &mut Attachment, option: &str) -> Result<()> {
    match option.split_once('=') {
        Some(("com.docker.network.endpoint.ifname", name)) => set(place, "interface_name", name),
        _ => Err(usage(format!(
            "the driver, bridge, has no option \"{}\" of a place",
            option.split('=').next().unwrap_or_default().escape_debug()
        ))
        .hint("there is one, com.docker.network.endpoint.ifname=NAME; what else can be set is --ip, --ip6, --mac-address and --alias")),
    }
}

/// Adds a name by which a container is known on a network.
pub fn add_alias(place: &mut Attachment, alias: &str) -> Result<()> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    if alias.len() > 253 || !alias.split('.').all(label) {
        return Err(usage(format!(
            "\"{}\" is no name of a container on a network",
            alias.escape_debug()
        )));
    }
    if !place.aliases.iter().any(|other| other == alias) {
        place.aliases.push(alias.to_owned());
    }
    Ok(())
}

/// Reads an IPv4 address.
pub fn ipv4(flag: &str, text: &str) -> Result<Ipv4Addr> {
    text.parse().map_err(|_| no_address(flag, text))
}

/// Reads an IPv6 address; it may stand in brackets.
pub fn ipv6(flag: &str, text: &str) -> Result<Ipv6Addr> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    bare.unwrap_or(text)
        .parse()
        .map_err(|_| no_address(flag, text))
}

fn no_address(flag: &str, text: &str) -> crate::error::Error {
    usage(format!(
        "{flag} \"{}\" is no such IP address",
        text.escape_debug()
    ))
}

#[cfg(test)]
mod tests {
    use super::Typed;
    use crate::spec::container::NetworkMode;
    use crate::spec::network::Attachment;

    fn parse(networks: &[&str]) -> crate::error::Result<(Option<NetworkMode>, Vec<Attachment>)> {
        let networks: Vec<String> = networks.iter().map(|n| (*n).to_owned()).collect();
        let typed = Typed {
            networks: &networks,
            ..Typed::default()
        };
        typed.parse()
    }

    #[test]
    fn dockers_form_and_podmans_mean_the_same() {
        let (mode, docker) =
            parse(&["name=mynet,ip=10.0.0.5,alias=db,alias=sql,mac-address=02:00:00:00:00:05"])
                .expect("parsed");
        let (_, podman) =
            parse(&["mynet:ip=10.0.0.5,alias=db,alias=sql,mac=02:00:00:00:00:05"]).expect("parsed");
        assert_eq!(mode, Some(NetworkMode::Bridge));
        assert_eq!(docker, podman);
        assert_eq!(docker[0].network, "mynet");
        assert_eq!(docker[0].ip, Some([10, 0, 0, 5].into()));
        assert_eq!(docker[0].aliases, ["db", "sql"]);
    }

    #[test]
    fn a_mode_stands_alone_and_networks_stand_together() {
        let (mode, places) = parse(&["one", "default", "two"]).expect("parsed");
        assert_eq!(mode, Some(NetworkMode::Bridge));
        let names: Vec<&str> = places.iter().map(|p| p.network.as_str()).collect();
        assert_eq!(names, ["one", "bridge", "two"]);
        let (mode, places) = parse(&["container:db"]).expect("parsed");
        assert_eq!(mode, Some(NetworkMode::Container("db".to_owned())));
        assert!(places.is_empty());
        assert_eq!(parse(&[]).expect("parsed"), (None, Vec::new()));
    }

    #[test]
    fn a_stack_of_its_own_has_a_place_and_podmans_words() {
        for (text, loopback) in [
            ("private", false),
            ("private:host-loopback", true),
            ("private,host-loopback", true),
            ("pasta", false),
            ("slirp4netns:allow_host_loopback=true", true),
        ] {
            let (mode, places) = parse(&[text]).expect(text);
            assert_eq!(mode, Some(NetworkMode::Private), "{text}");
            assert_eq!(places.len(), 1, "{text}");
            assert_eq!(places[0].network, "private", "{text}");
            assert_eq!(places[0].host_loopback, loopback, "{text}");
        }
        let (mode, places) = parse(&["ns:/run/netns/blue"]).expect("parsed");
        assert_eq!(
            mode,
            Some(NetworkMode::Namespace("/run/netns/blue".to_owned()))
        );
        assert!(places.is_empty());
    }

    #[test]
    fn this_machines_loopback_is_opened_on_all_networks_that_there_are() {
        let open = |networks: &[&str]| {
            let (mut mode, mut places) = parse(networks).expect("parsed");
            super::open_loopback(&mut mode, &mut places).map(|()| (mode, places))
        };
        for (networks, names) in [
            (&[][..], &["bridge"][..]),
            (&["blue", "red"], &["blue", "red"]),
            (&["private"], &["private"]),
        ] {
            let (_, places) = open(networks).expect("there are networks");
            let shown: Vec<&str> = places.iter().map(|p| p.network.as_str()).collect();
            assert_eq!(shown, names);
            assert!(places.iter().all(|place| place.host_loopback));
        }
        assert!(open(&["host"]).is_ok());
        assert!(open(&["none"]).is_err());
    }

    #[test]
    fn a_place_can_name_its_device_and_come_first() {
        for text in [
            "blue:interface_name=lan0,gw-priority=-3",
            "name=blue,driver-opt=com.docker.network.endpoint.ifname=lan0,gw-priority=-3",
        ] {
            let (_, places) = parse(&[text]).expect(text);
            assert_eq!(places[0].device.as_deref(), Some("lan0"), "{text}");
            assert_eq!(places[0].priority, -3, "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (networks, why) in [
            (&["host", "mynet"][..], "excludes every other"),
            (&["mynet", "mynet"], "twice"),
            (&["mynet:ip=x"], "\"x\" is no such IP address"),
            (&["mynet:colour=red"], "there is no option \"colour\""),
            (&["mynet:ip"], "\"ip\" is no KEY=VALUE"),
            (&["mynet:alias=a b"], "is no name of a container"),
            (&["container:"], "names no container"),
            (&["ns:"], "names no namespace"),
            (&["private", "mynet"], "excludes every other"),
            (&["private:alias=x"], "has no option \"alias\""),
            (
                &["pasta:--map-gw"],
                "rpod's own stack takes the place of pasta",
            ),
            (
                &["slirp4netns:port_handler=slirp4netns"],
                "\"port_handler\"",
            ),
            (&["a/b"], "cannot name a network"),
            (&["a:interface_name=lo"], "\"lo\" is no name of a device"),
            (
                &["a:interface_name=x0", "b:interface_name=x0"],
                "names device \"x0\" twice",
            ),
            (&["name=a,driver-opt=x=y"], "no option \"x\" of a place"),
            (&["a:gw-priority=high"], "gw-priority is a number"),
        ] {
            let error = parse(networks).expect_err(why).to_string();
            assert!(error.contains(why), "{error}");
        }
        let alone = Typed {
            networks: &["host".to_owned()],
            ip: Some("10.0.0.1"),
            ..Typed::default()
        };
        let error = alone.parse().expect_err("no place").to_string();
        assert!(error.starts_with("--ip means nothing with"), "{error}");
    }

    #[test]
    fn an_address_without_a_network_is_one_of_the_default_network() {
        let typed = Typed {
            ip: Some("172.17.0.9"),
            ..Typed::default()
        };
        let (mode, places) = typed.parse().expect("parsed");
        assert_eq!(mode, Some(NetworkMode::Bridge));
        assert_eq!(places[0].network, "bridge");
    }
}
