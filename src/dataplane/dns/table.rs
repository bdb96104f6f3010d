//! Which names a container may know.
//!
//! 1. what the machine is called
//! 2. its links
//! 3. on networks that people made, who else is on them: by name, id and alias, alone
//!    or with the network's name behind it. The default network's members do not know
//!    each other by name, as docker has it, nor those of one that was made so.
//! 4. addresses of networks of ours, the other way round
//! 5. all else is others' to know: the machine's servers, or the container's own or its
//!    networks', which may be on these; where those have no way out, they alone
//!
//! Lives here: that decision, from who asks and what is asked for.
//! Must not: do any I/O.
//! Called by: `role::net`, for `dataplane::dns`.
//! Always true: nobody learns of a container on a network that it is not on; an
//! address of one of our networks is never asked for elsewhere.

use std::net::{IpAddr, Ipv4Addr};

use crate::dataplane::dns::message::{self, Kind, Question, Records};
use crate::dataplane::dns::{Found, Server};
use crate::dataplane::register::{self, Networks, OnNetwork, Seated};
use crate::network::hosts::MACHINE;
use crate::network::plan::Plan;
use crate::spec::id::ContainerId;

/// Looks a name up for the container with an address.
pub fn find(networks: &Networks, client: Ipv4Addr, question: &Question) -> Found {
    let places = places(networks, client);
    if MACHINE.contains(&question.name.as_str()) {
        let own = networks.values().find(|on| on.plan.contains(client.into()));
        let all: Vec<IpAddr> = own.map(|on| gateways(&on.plan)).unwrap_or_default();
        return of_kind(&all, question.kind);
    }
    let mut found = Vec::new();
    for (on, own) in &places {
        found.extend(linked(on, own, &question.name));
        found.extend(named(on, &question.name));
    }
    if !found.is_empty() {
        found.sort_unstable();
        found.dedup();
        return of_kind(&found, question.kind);
    }
    if question.kind == Kind::Pointer
        && let Some(ip) = message::address_of(&question.name)
        && networks.values().any(|on| on.plan.contains(ip))
    {
        return match pointer(&places, ip) {
            Some(name) => Found::Records(Records {
                addresses: Vec::new(),
                pointer: Some(name),
            }),
            None => Found::Nothing,
        };
    }
    let mut servers = servers(&places);
    if !places.is_empty() && places.iter().all(|(on, _)| on.plan.internal) {
        servers.retain(|server| server.inside);
        if servers.is_empty() {
            return Found::Nothing;
        }
    }
    Found::Elsewhere(servers)
}

/// The servers that a container was given, or else its networks, without those that
/// are its networks' own: they would ask themselves.
fn servers(places: &[(&OnNetwork, &Seated)]) -> Vec<Server> {
    let own = || {
        let all = places.iter();
        all.flat_map(|(_, own)| &own.endpoint.outlook.servers)
    };
    let theirs = places.iter().flat_map(|(on, _)| &on.plan.servers);
    let theirs = theirs.filter(|_| own().next().is_none());
    let mut servers: Vec<Server> = Vec::new();
    for ip in own().chain(theirs) {
        let server = Server {
            ip: *ip,
            inside: places.iter().any(|(on, _)| on.plan.contains(*ip)),
        };
        let ours = places.iter().any(|(on, _)| gateways(&on.plan).contains(ip));
        if !ours && !servers.contains(&server) {
            servers.push(server);
        }
    }
    servers
}

/// Where the container with an address is, on all its networks.
fn places(networks: &Networks, client: Ipv4Addr) -> Vec<(&OnNetwork, &Seated)> {
    let id: Option<&ContainerId> = networks.values().find_map(|on| {
        let mut members = on.members.iter();
        members
            .find(|(_, seated)| seated.endpoint.v4.ip == client)
            .map(|(id, _)| id)
    });
    let all = networks.values();
    all.filter_map(|on| Some((on, on.members.get(id?)?)))
        .collect()
}

/// Addresses of the container that `own` has a link of this name to.
fn linked(on: &OnNetwork, own: &Seated, name: &str) -> Vec<IpAddr> {
    let links = &own.endpoint.outlook.links;
    let target = links
        .iter()
        .find(|(alias, _)| alias.eq_ignore_ascii_case(name));
    target
        .and_then(|(_, id)| on.members.get(id))
        .map(|seated| register::addresses(&seated.endpoint).collect())
        .unwrap_or_default()
}

/// Addresses of all that have this name on a network.
fn named(on: &OnNetwork, name: &str) -> Vec<IpAddr> {
    if !on.plan.has_names() || name.is_empty() {
        return Vec::new();
    }
    let short = strip_network(name, &on.plan.name);
    let is = |own: &str| {
        own.eq_ignore_ascii_case(name) || short.is_some_and(|name| own.eq_ignore_ascii_case(name))
    };
    on.members
        .iter()
        .filter(|(id, seated)| {
            is(seated.name.as_str())
                // All 64 digits are more than a label has room for.
                || is(id.short())
                || seated.endpoint.aliases.iter().any(|alias| is(alias))
        })
        .flat_map(|(_, seated)| register::addresses(&seated.endpoint))
        .collect()
}

/// `db.blue` is `db` on `blue`.
fn strip_network<'a>(name: &'a str, network: &str) -> Option<&'a str> {
    let (short, rest) = name.split_at_checked(name.len().checked_sub(network.len() + 1)?)?;
    let rest = rest.strip_prefix('.')?;
    (rest.eq_ignore_ascii_case(network) && !short.is_empty()).then_some(short)
}

/// Who has an address, of those whose names the container may know.
fn pointer(places: &[(&OnNetwork, &Seated)], ip: IpAddr) -> Option<String> {
    let (on, _) = places.iter().find(|(on, _)| on.plan.contains(ip))?;
    if gateways(&on.plan).contains(&ip) {
        return Some(MACHINE[0].to_owned());
    }
    if !on.plan.has_names() {
        return None;
    }
    Some(format!("{}.{}", on.owner(ip)?, on.plan.name))
}

fn gateways(plan: &Plan) -> Vec<IpAddr> {
    let v6 = plan.gateway6().map(|(ip, _)| ip.into());
    [Some(plan.gateway().into()), v6]
        .into_iter()
        .flatten()
        .collect()
}

/// The addresses of a name, of the kind asked for: there may be none, and the name
/// is there all the same.
fn of_kind(all: &[IpAddr], kind: Kind) -> Found {
    let fits = |ip: &&IpAddr| match kind {
        Kind::A => ip.is_ipv4(),
        Kind::Aaaa => ip.is_ipv6(),
        Kind::Any => true,
        Kind::Pointer | Kind::Other => false,
    };
    Found::Records(Records {
        addresses: all.iter().filter(fits).copied().collect(),
        pointer: None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::IpAddr;

    use super::find;
    use crate::dataplane::dns::Found;
    use crate::dataplane::dns::message::{Read, read};
    use crate::dataplane::register::{Networks, OnNetwork, Seated};
    use crate::network::plan::{Plan, default_network, pool_of};
    use crate::spec::id::{ContainerId, NetworkId};
    use crate::spec::network::{Attachment, Network};

    fn id(n: u8) -> ContainerId {
        ContainerId::from_random([n; 32])
    }

    fn network(name: &str, n: u8, internal: bool) -> OnNetwork {
        let mut network = Network {
            id: NetworkId::from_random([n; 32]),
            name: name.to_owned(),
            v4: pool_of(format!("172.{n}.0.0/16").parse().expect("a subnet")),
            v6: Some(pool_of(format!("fd00:{n}::/64").parse().expect("a subnet"))),
            internal,
            ..default_network()
        };
        if name == "bridge" {
            network = default_network();
        }
        OnNetwork {
            plan: Plan::of(&network),
            members: BTreeMap::new(),
        }
    }

    fn join(on: &mut OnNetwork, n: u8, name: &str, change: impl FnOnce(&mut Attachment)) {
        let mut place = Attachment::to(&on.plan.name);
        change(&mut place);
        let endpoint = on.plan.seat(&on.in_use(), &place, "eth0").expect("seated");
        let name = name.parse().expect("a name");
        on.members.insert(id(n), Seated { name, endpoint });
    }

    /// blue: web .2, db .3 (alias sql), db2 .4 (alias sql); red: db .2; on both: both.
    /// On the default one: old .2, new .3 with a link to old. Inside: shut .2.
    fn networks() -> Networks {
        let mut blue = network("blue", 18, false);
        join(&mut blue, 1, "web", |_| {});
        join(&mut blue, 2, "db", |p| p.aliases.push("SQL".to_owned()));
        join(&mut blue, 3, "db2", |p| p.aliases.push("sql".to_owned()));
        let mut red = network("red", 19, false);
        join(&mut red, 4, "other", |p| p.aliases.push("db".to_owned()));
        join(&mut blue, 5, "both", |_| {});
        join(&mut red, 5, "both", |p| {
            p.outlook.servers.push([9, 9, 9, 9].into());
            p.outlook.servers.push([172, 18, 0, 3].into());
            p.outlook.servers.push([172, 18, 0, 1].into());
        });
        let mut bridge = network("bridge", 17, false);
        join(&mut bridge, 6, "old", |_| {});
        join(&mut bridge, 7, "new", |p| {
            p.outlook.links.insert("mysql".to_owned(), id(6));
        });
        let mut inside = network("inside", 20, true);
        join(&mut inside, 8, "shut", |_| {});
        let all = [blue, red, bridge, inside];
        all.into_iter().map(|on| (on.plan.id.clone(), on)).collect()
    }

    fn told(networks: &Networks, client: &str, name: &str, kind: u8) -> String {
        let mut message = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            message.push(label.len() as u8);
            message.extend(label.as_bytes());
        }
        message.extend([0, 0, kind, 0, 1]);
        let Read::Question(question) = read(&message) else {
            panic!("{name}");
        };
        match find(networks, client.parse().expect(client), &question) {
            Found::Records(records) => match records.pointer {
                Some(name) => name,
                None => {
                    let shown: Vec<String> =
                        records.addresses.iter().map(IpAddr::to_string).collect();
                    shown.join(" ")
                }
            },
            Found::Nothing => "nothing".to_owned(),
            Found::Elsewhere(own) => {
                let shown = own.iter().map(|server| match server.inside {
                    true => format!("inside {}", server.ip),
                    false => server.ip.to_string(),
                });
                format!("elsewhere [{}]", shown.collect::<Vec<_>>().join(", "))
            }
        }
    }

    const A: u8 = 1;
    const PTR: u8 = 12;
    const TXT: u8 = 16;
    const AAAA: u8 = 28;

    #[test]
    fn members_of_a_network_know_each_other_by_all_their_names() {
        let networks = networks();
        let whole = id(2);
        for (name, kind, answer) in [
            ("db", A, "172.18.0.3"),
            ("DB.Blue", A, "172.18.0.3"),
            ("db", AAAA, "fd00:18::3"),
            ("db", TXT, ""),
            (whole.short(), A, "172.18.0.3"),
            ("sql", A, "172.18.0.3 172.18.0.4"),
            ("web", A, "172.18.0.2"),
            ("db.red", A, "elsewhere []"),
            ("old", A, "elsewhere []"),
            ("mysql", A, "elsewhere []"),
            ("example.org", A, "elsewhere []"),
            ("host.docker.internal", A, "172.18.0.1"),
            ("host.docker.internal", AAAA, "fd00:18::1"),
        ] {
            assert_eq!(told(&networks, "172.18.0.2", name, kind), answer, "{name}");
        }
    }

    #[test]
    fn who_is_on_two_networks_knows_both_and_who_is_on_none_nothing() {
        let networks = networks();
        let both = "172.18.0.5";
        assert_eq!(told(&networks, both, "db", A), "172.18.0.3 172.19.0.2");
        assert_eq!(told(&networks, both, "db.red", A), "172.19.0.2");
        assert_eq!(
            told(&networks, both, "a.b", A),
            "elsewhere [9.9.9.9, inside 172.18.0.3]"
        );
        assert_eq!(told(&networks, "172.18.9.9", "db", A), "elsewhere []");
    }

    #[test]
    fn a_network_can_be_without_names_and_have_servers_of_its_own() {
        let mut plain = network("plain", 21, false);
        plain.plan.traits.nameless = true;
        plain.plan.servers = vec![[9, 9, 9, 9].into(), [172, 21, 0, 3].into()];
        join(&mut plain, 1, "web", |_| {});
        join(&mut plain, 2, "db", |p| {
            p.outlook.links.insert("site".to_owned(), id(1));
            p.outlook.servers.push([8, 8, 8, 8].into());
        });
        let networks = [(plain.plan.id.clone(), plain)].into_iter().collect();
        let theirs = "elsewhere [9.9.9.9, inside 172.21.0.3]";
        assert_eq!(told(&networks, "172.21.0.2", "db", A), theirs);
        let pointer = "3.0.21.172.in-addr.arpa";
        assert_eq!(told(&networks, "172.21.0.2", pointer, PTR), "nothing");
        assert_eq!(told(&networks, "172.21.0.3", "site", A), "172.21.0.2");
        // What a container was given itself comes in their place.
        let own = "elsewhere [8.8.8.8]";
        assert_eq!(told(&networks, "172.21.0.3", "example.org", A), own);
    }

    #[test]
    fn the_default_network_has_links_and_no_names() {
        let networks = networks();
        assert_eq!(told(&networks, "172.17.0.3", "MySQL", A), "172.17.0.2");
        assert_eq!(told(&networks, "172.17.0.3", "old", A), "elsewhere []");
        assert_eq!(told(&networks, "172.17.0.2", "mysql", A), "elsewhere []");
    }

    #[test]
    fn a_network_without_a_way_out_asks_nobody() {
        let networks = networks();
        assert_eq!(told(&networks, "172.20.0.2", "shut", A), "172.20.0.2");
        assert_eq!(told(&networks, "172.20.0.2", "example.org", A), "nothing");
    }

    #[test]
    fn addresses_have_names_where_the_names_are_known() {
        let networks = networks();
        for (client, name, answer) in [
            ("172.18.0.2", "3.0.18.172", "db.blue"),
            ("172.18.0.2", "1.0.18.172", "host.rpod.internal"),
            ("172.18.0.2", "99.0.18.172", "nothing"),
            ("172.18.0.2", "2.0.19.172", "nothing"),
            ("172.18.0.5", "2.0.19.172", "other.red"),
            ("172.17.0.2", "3.0.17.172", "nothing"),
            ("172.18.0.2", "1.1.1.1", "elsewhere []"),
        ] {
            let name = format!("{name}.in-addr.arpa");
            assert_eq!(
                told(&networks, client, &name, PTR),
                answer,
                "{client} {name}"
            );
        }
    }
}
