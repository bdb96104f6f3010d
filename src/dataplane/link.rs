//! Devices, addresses, routes and rules of network namespaces.
//!
//! Lives here: the bridge of a network and its fence, a container's link to it,
//! and what is configured inside a container's own namespace.
//! Must not: choose an address.
//! Called by: `dataplane::switch` ([`create_bridge`], [`attach`]); the
//! container's init ([`configure`], [`loopback_only`]); `role::monitor` for a
//! running container ([`configure_more`], [`configure_less`]); `role::ports`
//! ([`transparent`]); `dataplane::uplink` ([`way_out`],
//! [`gateway_leads_out`]).
//! Always true: everything acts in the network namespace of the calling
//! process, but for the container's end in [`attach`]; each function may be
//! called again and finds its work done. A link goes with its namespace; only one
//! that a running container gives up is deleted, which takes the kernel 30 ms.

use std::cmp::Reverse;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{
    InfoBridge, InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoPortKind, InfoVeth,
    LinkAttribute, LinkFlags, LinkInfo, LinkMessage, Stats64,
};
use netlink_packet_route::neighbour::{
    NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteProtocol,
    RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage, RulePortRange};
use netlink_packet_route::{AddressFamily, IpProtocol, RouteNetlinkMessage};
use rustix::io::Errno;

use crate::dataplane::register::addresses;
use crate::error::{Context, Result};
use crate::network::plan::Plan;
use crate::spec::network::{Endpoint, Mac, Pool};
use crate::spec::subnet::{Subnet, width};
use crate::sys::netlink::Netlink;

/// Index of the loopback device in every namespace.
const LOOPBACK: u32 = 1;

/// Routing mark of a published port's sockets inside (`SO_MARK`).
pub const MARK: u32 = 0x10;

/// The congestion control of streams that do not leave this machine. Others may
/// pace what they send, with a timer for every few segments, and measure how much
/// a network carries where there is none. Every kernel has this one, and lets
/// every process choose it.
pub const UNPACED: &str = "reno";

/// Routing table that takes every address for one of ours.
const TABLE: u8 = 100;

/// Routing table of what is this namespace's own (RT_TABLE_LOCAL).
const LOCAL_TABLE: u8 = 255;

/// Routing table of the way to this machine.
const MACHINE_TABLE: u8 = 102;

/// Routing table that forbids the subnets of all networks to what comes from a bridge.
const APART: u8 = 101;

/// Readies the user's shared namespace for bridges; it may have been another net process's.
pub fn prepare() -> Result<()> {
    let mut netlink = open()?;
    up(&mut netlink, LOOPBACK).what(|| "cannot set up the loopback device")?;
    // A bridge's ports need no addresses of their own; bridges with IPv6 say so.
    drop(write_setting("net/ipv6/conf/default/disable_ipv6", "1"));
    // Where it cannot be set, containers still reach each other and the gateway.
    drop(write_setting("net/ipv4/ip_forward", "1"));
    drop(write_setting("net/ipv6/conf/all/forwarding", "1"));
    Ok(())
}

/// Makes a network's bridge, with its addresses and its fence, or finds it made.
pub fn create_bridge(plan: &Plan) -> Result<()> {
    let mut netlink = open()?;
    let mut bridge = LinkMessage::default();
    bridge.attributes = vec![
        LinkAttribute::IfName(plan.bridge.clone()),
        LinkAttribute::Mtu(plan.mtu),
        // Without an address of its own a bridge takes the lowest of its ports',
        // and changes it under its neighbours as ports come and go.
        LinkAttribute::Address(Mac::of(plan.gateway()).0.to_vec()),
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
    fence(&mut netlink, plan)
        .what(|| format!("cannot keep network \"{}\" apart from others", plan.name))?;
    if plan.v6.is_some() {
        allow_ipv6(&plan.bridge);
    }
    for (ip, prefix) in gateways(plan) {
        add_address(&mut netlink, index, ip, prefix)
            .what(|| format!("cannot give {ip}/{prefix} to network \"{}\"", plan.name))?;
    }
    up(&mut netlink, index)
        .what(|| format!("cannot set up the bridge of network \"{}\"", plan.name))
}

/// Takes a network's bridge away. Its addresses and routes go with it.
pub fn remove_bridge(plan: &Plan) -> Result<()> {
    let mut netlink = open()?;
    for subnet in subnets(plan) {
        let route = RouteNetlinkMessage::DelRoute(apart(subnet));
        drop(netlink.change(route, 0));
        for rule in rules(plan, subnet) {
            drop(netlink.change(RouteNetlinkMessage::DelRule(rule), 0));
        }
    }
    for pool in pools(plan) {
        for rule in gateway_rules(&plan.bridge, pool) {
            drop(netlink.change(RouteNetlinkMessage::DelRule(rule), 0));
        }
    }
    delete(&mut netlink, &plan.bridge)
        .what(|| format!("cannot remove the bridge of network \"{}\"", plan.name))
}

fn pools(plan: &Plan) -> impl Iterator<Item = &Pool> {
    [Some(&plan.v4), plan.v6.as_ref()].into_iter().flatten()
}

fn gateways(plan: &Plan) -> impl Iterator<Item = (IpAddr, u8)> {
    pools(plan).map(|pool| (pool.gateway, pool.subnet.prefix()))
}

fn subnets(plan: &Plan) -> impl Iterator<Item = Subnet> {
    [Some(&plan.v4), plan.v6.as_ref()]
        .into_iter()
        .flatten()
        .map(|pool| pool.subnet)
}

/// Keeps a network apart from the others: what its bridge passes on to this
/// machine is not led to the subnet of any network, whatever source it claims,
/// and where the network is internal, nowhere else either. The gateways' own
/// addresses are not led anywhere: they are local, which the kernel looks at first.
fn fence(netlink: &mut Netlink, plan: &Plan) -> io::Result<()> {
    // A packet whose answer would go elsewhere than where it came from is a lie. Of
    // IPv6 the rules say it: the kernel has no such check there.
    for (setting, value) in [
        (format!("net/ipv4/conf/{}/rp_filter", plan.bridge), "1"),
        (
            format!("net/ipv6/conf/{}/accept_source_route", plan.bridge),
            "-1",
        ),
    ] {
        drop(write_setting(&setting, value));
    }
    for subnet in subnets(plan) {
        netlink.change(
            RouteNetlinkMessage::NewRoute(apart(subnet)),
            NLM_F_CREATE | NLM_F_REPLACE,
        )?;
        for rule in rules(plan, subnet) {
            add_rule(netlink, rule)?;
        }
    }
    Ok(())
}

/// `ip route add prohibit SUBNET table 101`: whoever tries is told at once.
fn apart(subnet: Subnet) -> RouteMessage {
    let mut route = route(subnet.first(), APART);
    route.header.kind = RouteType::Prohibit;
    route.header.destination_prefix_length = subnet.prefix();
    route
        .attributes
        .push(RouteAttribute::Destination(subnet.first().into()));
    route
}

/// `ip rule add iif BRIDGE lookup 101`, and then `ip rule add iif BRIDGE prohibit`:
/// of an internal network for all, of IPv6 for every source but the network's own,
/// which `ip -6 rule add from SUBNET iif BRIDGE lookup main` has led out before.
fn rules(plan: &Plan, subnet: Subnet) -> Vec<RuleMessage> {
    let from_bridge = |priority, table| {
        let mut rule = rule(family(subnet.first()), priority, table);
        let device = RuleAttribute::Iifname(plan.bridge.clone());
        rule.attributes.push(device);
        rule
    };
    let mut rules = vec![from_bridge(1000, APART)];
    if !plan.internal && !subnet.is_ipv4() {
        let mut out = from_bridge(1001, RouteHeader::RT_TABLE_MAIN);
        from_subnet(&mut out, subnet);
        rules.push(out);
    }
    if plan.internal || !subnet.is_ipv4() {
        let mut nowhere = from_bridge(1002, RouteHeader::RT_TABLE_UNSPEC);
        nowhere.header.action = RuleAction::Prohibit;
        rules.push(nowhere);
    }
    rules
}

fn from_subnet(rule: &mut RuleMessage, subnet: Subnet) {
    rule.header.src_len = subnet.prefix();
    let source = RuleAttribute::Source(subnet.first());
    rule.attributes.push(source);
}

/// Links a container's namespace to a network's bridge: one message makes both
/// ends, one of them born inside. `name` is that of the end at the bridge, and
/// `mark` says whose it is ([`Port`]).
pub fn attach(
    container: BorrowedFd<'_>,
    name: &str,
    plan: &Plan,
    endpoint: &Endpoint,
    mark: &str,
) -> io::Result<()> {
    let mut netlink = Netlink::open()?;
    let bridge = netlink.index(&plan.bridge)?;
    let mut inside = LinkMessage::default();
    inside.attributes = vec![
        LinkAttribute::IfName(endpoint.device.clone()),
        LinkAttribute::Address(endpoint.mac.0.to_vec()),
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
    netlink.change(
        RouteNetlinkMessage::NewLink(link),
        NLM_F_CREATE | NLM_F_EXCL,
    )?;
    // The kernel takes no alias and no word on the bridge's port while it makes a link.
    let index = netlink.index(name)?;
    let mut marked = LinkMessage::default();
    marked.header.index = index;
    marked.attributes = vec![
        LinkAttribute::IfAlias(mark.into()),
        // Whose a link address is, is told; a frame that says otherwise changes nothing.
        LinkAttribute::LinkInfo(vec![
            LinkInfo::PortKind(InfoPortKind::Bridge),
            LinkInfo::PortData(InfoPortData::BridgePort(vec![
                InfoBridgePort::Learning(false),
                // Between two ports of which that is true the bridge carries nothing.
                InfoBridgePort::Isolated(plan.traits.apart),
            ])),
        ]),
    ];
    netlink.change(RouteNetlinkMessage::NewLink(marked), 0)?;
    let mut behind = neighbour(AddressFamily::Bridge, index, endpoint.mac);
    behind.header.flags = NeighbourFlags::Controller;
    behind.header.state = NeighbourState::Noarp;
    set_neighbour(&mut netlink, behind)?;
    for ip in addresses(endpoint) {
        pin(&mut netlink, bridge, ip, endpoint.mac)?;
    }
    Ok(())
}

/// Makes it known whose link address an IP address has: nobody is asked on the link,
/// where anybody could answer.
fn pin(netlink: &mut Netlink, index: u32, ip: IpAddr, mac: Mac) -> io::Result<()> {
    let mut known = neighbour(family(ip), index, mac);
    known.header.state = NeighbourState::Permanent;
    known
        .attributes
        .push(NeighbourAttribute::Destination(ip.into()));
    set_neighbour(netlink, known)
}

fn neighbour(family: AddressFamily, index: u32, mac: Mac) -> NeighbourMessage {
    let mut neighbour = NeighbourMessage::default();
    neighbour.header.family = family;
    neighbour.header.ifindex = index;
    neighbour.attributes = vec![NeighbourAttribute::LinkLayerAddress(mac.0.to_vec())];
    neighbour
}

fn set_neighbour(netlink: &mut Netlink, neighbour: NeighbourMessage) -> io::Result<()> {
    netlink.change(
        RouteNetlinkMessage::NewNeighbour(neighbour),
        NLM_F_CREATE | NLM_F_REPLACE,
    )
}

/// Takes a link away, both of its ends.
pub fn detach(name: &str) -> io::Result<()> {
    delete(&mut Netlink::open()?, name)
}

/// Says whether there is a device of that name.
pub fn exists(name: &str) -> bool {
    Netlink::open().is_ok_and(|netlink| netlink.index(name).is_ok())
}

/// A container's link, as it is seen at the bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Name of the device.
    pub name: String,
    /// Whose it is, as [`attach`] was told.
    pub mark: String,
    /// Bytes that came to the container.
    pub received: u64,
    /// Bytes that it sent.
    pub sent: u64,
}

/// Lists the links of containers that there are in this namespace.
pub fn ports() -> io::Result<Vec<Port>> {
    let mut ports = Vec::new();
    let ask = RouteNetlinkMessage::GetLink(LinkMessage::default());
    Netlink::open()?.list(ask, |message| {
        let RouteNetlinkMessage::NewLink(link) = message else {
            return;
        };
        let (mut name, mut mark, mut stats) = (None, None, Stats64::default());
        for attribute in link.attributes {
            match attribute {
                LinkAttribute::IfName(text) => name = Some(text),
                LinkAttribute::IfAlias(text) => mark = Some(text),
                LinkAttribute::Stats64(counted) => stats = counted,
                _ => {}
            }
        }
        if let (Some(name), Some(mark)) = (name, mark) {
            // Counted at the bridge: what leaves there comes to the container.
            let (received, sent) = (stats.tx_bytes, stats.rx_bytes);
            ports.push(Port {
                name,
                mark,
                received,
                sent,
            });
        }
    })?;
    Ok(ports)
}

/// Configures a container's namespace from inside, after [`attach`]: loopback, its
/// addresses, its way out, and what docker's containers may do there.
pub fn configure(endpoints: &[Endpoint]) -> Result<()> {
    let mut netlink = open()?;
    up(&mut netlink, LOOPBACK).what(|| "cannot set up the loopback device")?;
    for endpoint in endpoints {
        configure_device(&mut netlink, endpoint)?;
    }
    lead_out(&mut netlink, endpoints)?;
    allow_what_docker_allows();
    Ok(())
}

/// Configures a device that a running container got; `all` are its places with that one.
pub fn configure_more(endpoint: &Endpoint, all: &[Endpoint]) -> Result<()> {
    let mut netlink = open()?;
    configure_device(&mut netlink, endpoint)?;
    lead_out(&mut netlink, all)
}

/// Leads a container out by the places it still has, after one has gone.
pub fn configure_less(left: &[Endpoint]) -> Result<()> {
    lead_out(&mut open()?, left)
}

fn configure_device(netlink: &mut Netlink, endpoint: &Endpoint) -> Result<()> {
    let device = &endpoint.device;
    let index = netlink
        .index(device)
        .what(|| format!("cannot find the container's device \"{device}\""))?;
    let give = |netlink: &mut Netlink, ip: IpAddr, prefix| {
        add_address(netlink, index, ip, prefix).what(|| format!("cannot give the container {ip}"))
    };
    match endpoint.v6 {
        Some(v6) => {
            allow_ipv6(device);
            give(netlink, v6.ip.into(), v6.prefix)?;
        }
        None => no_ipv6(device),
    }
    give(netlink, endpoint.v4.ip.into(), endpoint.v4.prefix)?;
    up(netlink, index).what(|| format!("cannot set up the container's device \"{device}\""))?;
    let v6 = endpoint.v6.map(|v6| IpAddr::from(v6.gateway));
    for gateway in [Some(endpoint.v4.gateway.into()), v6].into_iter().flatten() {
        pin(netlink, index, gateway, Mac::of(endpoint.v4.gateway))
            .what(|| format!("cannot tell the container whose {gateway} is"))?;
    }
    Ok(())
}

/// Of each version of IP, the first network that has a way out is the way out, unless
/// another was given precedence.
fn lead_out(netlink: &mut Netlink, endpoints: &[Endpoint]) -> Result<()> {
    let mut ways: Vec<&Endpoint> = endpoints
        .iter()
        .filter(|endpoint| !endpoint.internal && !endpoint.no_way)
        .collect();
    ways.sort_by_key(|endpoint| Reverse(endpoint.precedence));
    let v4 = ways.first().map(|e| (*e, e.v4.gateway.into()));
    let v6 = ways.iter().find_map(|e| Some((*e, e.v6?.gateway.into())));
    for (endpoint, gateway) in [v4, v6].into_iter().flatten() {
        netlink
            .index(&endpoint.device)
            .and_then(|index| default_route(netlink, index, gateway))
            .what(|| format!("cannot make {gateway} the container's gateway"))?;
    }
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
pub fn transparent(ip: IpAddr, gateway: IpAddr, udp_ports: &[u16]) -> Result<()> {
    let mut netlink = open()?;
    let doing = || "cannot keep clients' addresses for published ports";
    local_everything(&mut netlink, ip).what(doing)?;
    let family = family(ip);
    // Before the connected networks: a client that shows as the gateway is on one.
    let mut marked = rule(family, 30, TABLE);
    marked.attributes.push(RuleAttribute::FwMark(MARK));
    add_rule(&mut netlink, marked).what(doing)?;
    // Named for TCP over IPv4, it covers both versions.
    write_setting("net/ipv4/tcp_fwmark_accept", "1").what(doing)?;
    // What the kernel answers where no program listens has the mark as well;
    // without it a refusal goes astray and the client waits for minutes.
    let version = if ip.is_ipv4() { "ipv4" } else { "ipv6" };
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
        to_gateway.header.dst_len = width(gateway);
        to_gateway
            .attributes
            .push(RuleAttribute::Destination(gateway));
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
        (&format!("ipv6/conf/{device}/disable_ipv6"), "0"),
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
    device_route(
        &mut netlink,
        index,
        Ipv4Addr::UNSPECIFIED.into(),
        RouteHeader::RT_TABLE_MAIN,
    )
    .what(doing)?;
    // A kernel without IPv6 has no such way.
    drop(device_route(
        &mut netlink,
        index,
        Ipv6Addr::UNSPECIFIED.into(),
        RouteHeader::RT_TABLE_MAIN,
    ));
    Ok(())
}

/// Makes a network's gateway stand for the machine: streams and datagrams to it
/// take the way out. What asks for names is answered here, and so are ping and
/// the questions of neighbours. Of IPv6 that holds for the network's own addresses
/// alone, as they come from its bridge; of IPv4 the kernel has looked at both before.
/// Does nothing where there is no way out.
pub fn gateway_leads_out(device: &str, plan: &Plan) -> Result<()> {
    for pool in pools(plan) {
        lead_out_by(device, &plan.bridge, pool)?;
    }
    Ok(())
}

fn lead_out_by(device: &str, bridge: &str, pool: &Pool) -> Result<()> {
    let gateway = pool.gateway;
    let mut netlink = open()?;
    let Ok(index) = netlink.index(device) else {
        return Ok(());
    };
    let doing = || format!("cannot make {gateway} the way to this machine");
    let any: IpAddr = match gateway {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    device_route(&mut netlink, index, any, MACHINE_TABLE).what(doing)?;
    for rule in gateway_rules(bridge, pool) {
        add_rule(&mut netlink, rule).what(doing)?;
    }
    // The kernel's first rule would find the gateway's address here before ours are asked.
    let own = |priority| rule(family(gateway), priority, LOCAL_TABLE);
    add_rule(&mut netlink, own(30)).what(doing)?;
    match netlink.change(RouteNetlinkMessage::DelRule(own(0)), 0) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).what(doing),
        _ => Ok(()),
    }
}

/// What makes a gateway stand for the machine; it goes with the network.
fn gateway_rules(bridge: &str, pool: &Pool) -> Vec<RuleMessage> {
    let gateway = pool.gateway;
    let to_gateway = |priority, protocol, table| {
        let mut rule = rule(family(gateway), priority, table);
        rule.header.dst_len = if gateway.is_ipv4() { 32 } else { 128 };
        rule.attributes.extend([
            RuleAttribute::Destination(gateway),
            RuleAttribute::IpProtocol(protocol),
        ]);
        if gateway.is_ipv6() {
            let from = RuleAttribute::Iifname(bridge.to_owned());
            rule.attributes.push(from);
            from_subnet(&mut rule, pool.subnet);
        }
        rule
    };
    let names = RulePortRange { start: 53, end: 53 };
    let of = |protocol| {
        let mut asked = to_gateway(10, protocol, LOCAL_TABLE);
        let port = RuleAttribute::DestinationPortRange(names);
        asked.attributes.push(port);
        // And what containers that are name servers themselves answer to ours.
        let mut answers = to_gateway(11, protocol, LOCAL_TABLE);
        let port = RuleAttribute::SourcePortRange(names);
        answers.attributes.push(port);
        [asked, answers, to_gateway(20, protocol, MACHINE_TABLE)]
    };
    [IpProtocol::Tcp, IpProtocol::Udp]
        .into_iter()
        .flat_map(of)
        .collect()
}

fn device_route(netlink: &mut Netlink, index: u32, any: IpAddr, table: u8) -> io::Result<()> {
    let mut route = route(any, table);
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
    // Nobody else has it: it is not asked for on the link before it can be used.
    message.header.flags = match ip {
        IpAddr::V4(_) => AddressHeaderFlags::empty(),
        IpAddr::V6(_) => AddressHeaderFlags::Nodad,
    };
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

fn delete(netlink: &mut Netlink, name: &str) -> io::Result<()> {
    let mut link = LinkMessage::default();
    link.header.index = match netlink.index(name) {
        Err(error) if error.raw_os_error() == Some(Errno::NODEV.raw_os_error()) => return Ok(()),
        index => index?,
    };
    netlink.change(RouteNetlinkMessage::DelLink(link), 0)
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
        // What the program answers has gone no further than to the ports process.
        RouteAttribute::Metrics(vec![RouteMetric::CcAlgo(UNPACED.to_owned())]),
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

fn ignore_existing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Readies a device for IPv6 addresses. Its own link-local one needs no probe, which
/// would take a second, and no router but ours may say where the way out is.
fn allow_ipv6(device: &str) {
    for (setting, value) in [
        ("accept_dad", "0"),
        ("accept_ra", "0"),
        ("router_solicitations", "0"),
        ("disable_ipv6", "0"),
    ] {
        // A kernel without IPv6 refuses the address that comes next, and says so.
        drop(write_setting(
            &format!("net/ipv6/conf/{device}/{setting}"),
            value,
        ));
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
