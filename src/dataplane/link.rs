//! Devices, addresses, routes and rules of network namespaces.
//!
//! Lives here: the bridge of a network, a container's link to it, and what is
//! configured inside a container's own namespace.
//! Must not: choose an address.
//! Called by: `dataplane::switch` ([`create_bridge`], [`attach`]); the
//! container's init ([`configure`], [`loopback_only`]); `role::ports`
//! ([`transparent`]); `dataplane::uplink` ([`way_out`]).
//! Always true: everything acts in the network namespace of the calling
//! process, but for the container's end in [`attach`]; each function may be
//! called again and finds its work done. No link is ever deleted: that takes
//! the kernel 30 ms, and a link goes with its namespace.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    InfoBridge, InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage, RulePortRange};
use netlink_packet_route::{AddressFamily, IpProtocol, RouteNetlinkMessage};

use crate::error::{Context, Result};
use crate::network::DEVICE;
use crate::network::plan::{Mac, Plan};
use crate::spec::container::Address;
use crate::sys::netlink::Netlink;

/// Index of the loopback device in every namespace.
const LOOPBACK: u32 = 1;

/// Routing mark of a published port's sockets inside (`SO_MARK`).
pub const MARK: u32 = 0x10;

/// Routing table that takes every address for one of ours.
const TABLE: u8 = 100;

/// Makes a network's bridge, with its address, or finds it made.
pub fn create_bridge(plan: &Plan) -> Result<()> {
    let mut netlink = open()?;
    up(&mut netlink, LOOPBACK).what(|| "cannot set up the loopback device")?;
    let mut bridge = LinkMessage::default();
    bridge.attributes = vec![
        LinkAttribute::IfName(plan.bridge.clone()),
        LinkAttribute::Mtu(plan.mtu),
        // Without an address of its own a bridge takes the lowest of its ports',
        // and changes it under its neighbours as ports come and go.
        LinkAttribute::Address(Mac::of(plan.gateway).0.to_vec()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Bridge),
            // Snooping would wake the machine up for queries nobody needs.
            LinkInfo::Data(InfoData::Bridge(vec![InfoBridge::MulticastSnooping(false)])),
        ]),
    ];
    ignore_existing(netlink.change(
        RouteNetlinkMessage::NewLink(bridge),
        NLM_F_CREATE | NLM_F_EXCL,
    ))
    .what(|| format!("cannot make the bridge of network \"{}\"", plan.name))?;
    let index = netlink
        .index(&plan.bridge)
        .what(|| format!("cannot find the bridge of network \"{}\"", plan.name))?;
    no_ipv6(&plan.bridge);
    add_address(&mut netlink, index, plan.gateway.into(), plan.prefix)
        .and_then(|()| up(&mut netlink, index))
        .what(|| {
            format!(
                "cannot give {}/{} to network \"{}\"",
                plan.gateway, plan.prefix, plan.name
            )
        })?;
    // Where it cannot be set, containers still reach each other and the gateway.
    drop(write_setting("net/ipv4/ip_forward", "1"));
    Ok(())
}

/// Links a container's namespace to a network's bridge: one message makes both
/// ends, one of them born inside. `name` is that of the end at the bridge.
pub fn attach(container: BorrowedFd<'_>, name: &str, plan: &Plan, mac: Mac) -> Result<()> {
    let mut netlink = open()?;
    let bridge = netlink
        .index(&plan.bridge)
        .what(|| format!("cannot find the bridge of network \"{}\"", plan.name))?;
    let mut inside = LinkMessage::default();
    inside.attributes = vec![
        LinkAttribute::IfName(DEVICE.into()),
        LinkAttribute::Address(mac.0.to_vec()),
        LinkAttribute::Mtu(plan.mtu),
        LinkAttribute::NetNsFd(container.as_raw_fd()),
    ];
    let mut link = LinkMessage::default();
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    link.attributes = vec![
        LinkAttribute::IfName(name.into()),
        LinkAttribute::Mtu(plan.mtu),
        LinkAttribute::Controller(bridge),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(inside))),
        ]),
    ];
    netlink
        .change(
            RouteNetlinkMessage::NewLink(link),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .what(|| format!("cannot link the container to network \"{}\"", plan.name))
}

/// Configures a container's namespace from inside, after [`attach`]: loopback,
/// its address on `eth0`, its way out, and what docker's containers may do there.
pub fn configure(address: &Address) -> Result<()> {
    let mut netlink = open()?;
    up(&mut netlink, LOOPBACK).what(|| "cannot set up the loopback device")?;
    let index = netlink
        .index(DEVICE)
        .what(|| format!("cannot find the container's device \"{DEVICE}\""))?;
    if address.ip.is_ipv4() {
        no_ipv6(DEVICE);
    }
    add_address(&mut netlink, index, address.ip, address.prefix)
        .and_then(|()| up(&mut netlink, index))
        .what(|| format!("cannot give the container {}", address.ip))?;
    default_route(&mut netlink, index, address.gateway)
        .what(|| format!("cannot make {} the container's gateway", address.gateway))?;
    allow_what_docker_allows();
    Ok(())
}

/// Configures a container's namespace from inside where it has no network.
pub fn loopback_only() -> Result<()> {
    up(&mut open()?, LOOPBACK).what(|| "cannot set up the loopback device")?;
    allow_what_docker_allows();
    Ok(())
}

/// Lets sockets of this namespace speak with foreign source addresses to its
/// own program: answers to such an address are led back over loopback.
///
/// Streams are known by their mark, which an accepted connection inherits.
/// Datagrams are known by the source port of the answer, for `udp_ports`; the
/// networks that are connected come first, so that a neighbour on the bridge is
/// answered there, and only the gateway, which never asks by itself, is ours.
pub fn transparent(address: &Address, udp_ports: &[u16]) -> Result<()> {
    let mut netlink = open()?;
    let doing = || "cannot keep clients' addresses for published ports";
    local_everything(&mut netlink, address.ip).what(doing)?;
    let family = family(address.ip);
    let mut marked = rule(family, 100, TABLE);
    marked.attributes.push(RuleAttribute::FwMark(MARK));
    add_rule(&mut netlink, marked).what(doing)?;
    // Named for TCP over IPv4, it covers both versions.
    write_setting("net/ipv4/tcp_fwmark_accept", "1").what(doing)?;
    // What the kernel answers where no program listens has the mark as well;
    // without it a refusal goes astray and the client waits for minutes.
    let version = if address.ip.is_ipv4() { "ipv4" } else { "ipv6" };
    write_setting(&format!("net/{version}/fwmark_reflect"), "1").what(doing)?;
    if udp_ports.is_empty() {
        return Ok(());
    }
    let mut connected = rule(family, 50, RouteHeader::RT_TABLE_MAIN);
    connected
        .attributes
        .push(RuleAttribute::SuppressPrefixLen(0));
    add_rule(&mut netlink, connected).what(doing)?;
    for port in udp_ports {
        let answer = |priority| {
            let mut answer = rule(family, priority, TABLE);
            answer.attributes.extend([
                RuleAttribute::IpProtocol(IpProtocol::Udp),
                RuleAttribute::SourcePortRange(RulePortRange {
                    start: *port,
                    end: *port,
                }),
            ]);
            answer
        };
        let mut to_gateway = answer(40);
        to_gateway.header.dst_len = host_prefix(address.gateway);
        to_gateway
            .attributes
            .push(RuleAttribute::Destination(address.gateway));
        add_rule(&mut netlink, to_gateway).what(doing)?;
        add_rule(&mut netlink, answer(100)).what(doing)?;
    }
    Ok(())
}

/// Leads out what is nobody's in this namespace: through `device`, of layer 3,
/// in both versions of IP.
pub fn way_out(device: &str) -> Result<()> {
    let mut netlink = open()?;
    let doing = || format!("cannot set up the way out, \"{device}\"");
    let index = netlink.index(device).what(doing)?;
    // What comes from there has any source, the gateways' own among them.
    for (name, value) in [
        ("ipv4/conf/all/rp_filter", "0"),
        (&format!("ipv4/conf/{device}/rp_filter"), "0"),
        (&format!("ipv4/conf/{device}/accept_local"), "1"),
        // No neighbours, so no address to solicit them with.
        (&format!("ipv6/conf/{device}/addr_gen_mode"), "1"),
        (&format!("ipv6/conf/{device}/accept_ra"), "0"),
        ("ipv4/ip_forward", "1"),
        ("ipv6/conf/all/forwarding", "1"),
    ] {
        // A kernel without IPv6 has not all of them.
        drop(write_setting(&format!("net/{name}"), value));
    }
    let mut link = LinkMessage::default();
    link.header.index = index;
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    link.attributes = vec![LinkAttribute::Mtu(65520)];
    netlink
        .change(RouteNetlinkMessage::SetLink(link), 0)
        .what(doing)?;
    device_route(&mut netlink, index, Ipv4Addr::UNSPECIFIED.into()).what(doing)?;
    // A kernel without IPv6 has no such way.
    drop(device_route(
        &mut netlink,
        index,
        Ipv6Addr::UNSPECIFIED.into(),
    ));
    Ok(())
}

fn device_route(netlink: &mut Netlink, index: u32, any: IpAddr) -> io::Result<()> {
    let mut route = route(any, RouteHeader::RT_TABLE_MAIN);
    route.header.kind = RouteType::Unicast;
    route.header.scope = RouteScope::Link;
    route.attributes.push(RouteAttribute::Oif(index));
    netlink.change(
        RouteNetlinkMessage::NewRoute(route),
        NLM_F_CREATE | NLM_F_REPLACE,
    )
}

fn open() -> Result<Netlink> {
    Netlink::open().what(|| "cannot open a socket to the kernel's network configuration")
}

fn up(netlink: &mut Netlink, index: u32) -> io::Result<()> {
    let mut link = LinkMessage::default();
    link.header.index = index;
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    netlink.change(RouteNetlinkMessage::SetLink(link), 0)
}

fn add_address(netlink: &mut Netlink, index: u32, ip: IpAddr, prefix: u8) -> io::Result<()> {
    let mut message = AddressMessage::default();
    message.header.family = family(ip);
    message.header.prefix_len = prefix;
    message.header.index = index;
    message.attributes = vec![AddressAttribute::Local(ip), AddressAttribute::Address(ip)];
    if let IpAddr::V4(ip) = ip {
        let hosts = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
        message
            .attributes
            .push(AddressAttribute::Broadcast(Ipv4Addr::from_bits(
                ip.to_bits() | hosts,
            )));
    }
    netlink.change(
        RouteNetlinkMessage::NewAddress(message),
        NLM_F_CREATE | NLM_F_REPLACE,
    )
}

fn default_route(netlink: &mut Netlink, index: u32, gateway: IpAddr) -> io::Result<()> {
    let mut route = route(gateway, RouteHeader::RT_TABLE_MAIN);
    route.header.kind = RouteType::Unicast;
    route.attributes.extend([
        RouteAttribute::Gateway(RouteAddress::from(gateway)),
        RouteAttribute::Oif(index),
    ]);
    netlink.change(
        RouteNetlinkMessage::NewRoute(route),
        NLM_F_CREATE | NLM_F_REPLACE,
    )
}

/// `ip route add local default dev lo src <ip> table 100`. Without `src`, an
/// answer by datagram would leave from the very address it goes to.
fn local_everything(netlink: &mut Netlink, ip: IpAddr) -> io::Result<()> {
    let mut route = route(ip, TABLE);
    route.header.kind = RouteType::Local;
    route.header.scope = RouteScope::Host;
    route.attributes.extend([
        RouteAttribute::Oif(LOOPBACK),
        RouteAttribute::PrefSource(RouteAddress::from(ip)),
    ]);
    netlink.change(
        RouteNetlinkMessage::NewRoute(route),
        NLM_F_CREATE | NLM_F_REPLACE,
    )
}

fn route(ip: IpAddr, table: u8) -> RouteMessage {
    let mut route = RouteMessage::default();
    route.header.address_family = family(ip);
    route.header.table = table;
    route.header.protocol = RouteProtocol::Boot;
    route
}

fn rule(family: AddressFamily, priority: u32, table: u8) -> RuleMessage {
    let mut rule = RuleMessage::default();
    rule.header.family = family;
    rule.header.table = table;
    rule.header.action = RuleAction::ToTable;
    rule.attributes.push(RuleAttribute::Priority(priority));
    rule
}

fn add_rule(netlink: &mut Netlink, rule: RuleMessage) -> io::Result<()> {
    ignore_existing(netlink.change(
        RouteNetlinkMessage::NewRule(rule),
        NLM_F_CREATE | NLM_F_EXCL,
    ))
}

fn family(ip: IpAddr) -> AddressFamily {
    match ip {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

fn host_prefix(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn ignore_existing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// A network without IPv6 addresses needs no link-local ones, nor their
/// solicitations. A kernel without IPv6 has no such setting.
fn no_ipv6(device: &str) {
    drop(write_setting(
        &format!("net/ipv6/conf/{device}/disable_ipv6"),
        "1",
    ));
}

/// Ping without privileges, and ports below 1024 for every user inside. Neither
/// is worth a container's start: inside another container these files may be read-only.
fn allow_what_docker_allows() {
    let groups = fs::read_to_string("/proc/self/gid_map").unwrap_or_default();
    drop(write_setting(
        "net/ipv4/ping_group_range",
        &format!("0 {}", last_group(&groups)),
    ));
    drop(write_setting("net/ipv4/ip_unprivileged_port_start", "0"));
}

/// Returns the last group up to which every number is mapped (user_namespaces(7)):
/// the kernel refuses a range whose ends mean nothing.
fn last_group(map: &str) -> u32 {
    let mut extents: Vec<(u32, u32)> = map
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace();
            let first = fields.next()?.parse().ok()?;
            let count = fields.nth(1)?.parse().ok()?;
            Some((first, count))
        })
        .collect();
    extents.sort_unstable();
    let end = extents.iter().fold(0_u32, |end, (first, count)| {
        if *first <= end {
            end.max(first.saturating_add(*count))
        } else {
            end
        }
    });
    // The kernel takes 31 bits.
    end.saturating_sub(1).min(0x7fff_ffff)
}

/// Settings are those of the network namespace of whoever opens the file.
fn write_setting(name: &str, value: &str) -> io::Result<()> {
    fs::write(format!("/proc/sys/{name}"), value)
}

#[cfg(test)]
mod tests {
    use super::last_group;

    #[test]
    fn ping_is_for_every_group_that_is_mapped_without_a_gap() {
        for (map, last) in [
            ("0 1001 1\n1 100000 65536\n", 65536),
            ("         0       1001          1\n", 0),
            ("1 100000 10\n0 1001 1\n20 5 5\n", 10),
            ("0 0 4294967295\n", 0x7fff_ffff),
            ("", 0),
            ("x y z\n", 0),
        ] {
            assert_eq!(last_group(map), last, "{map}");
        }
    }
}
