//! Which names a container may know.
//!
//! Lives here: one decision, from who asks and what is asked for.
//! Must not: do any I/O.
//! Called by: `role::net`, for `dataplane::dns`.
//! Always true: an address of one of our networks is never asked for elsewhere.

use std::net::{IpAddr, Ipv4Addr};

use crate::dataplane::dns::Found;
use crate::dataplane::dns::message::{self, Kind, Question, Records};
use crate::dataplane::register::Networks;
use crate::network::hosts::MACHINE;
use crate::network::plan::Plan;

/// Looks a name up for the container with an address.
pub fn find(networks: &Networks, client: Ipv4Addr, question: &Question) -> Found {
    let plans = || networks.values().map(|on| &on.plan);
    let own = plans().find(|plan| plan.contains(client.into()));
    if MACHINE.contains(&question.name.as_str()) {
        let all: Vec<IpAddr> = own.map(gateways).unwrap_or_default();
        return addresses(&all, question.kind);
    }
    if question.kind == Kind::Pointer
        && let Some(ip) = message::address_of(&question.name)
        && plans().any(|plan| plan.contains(ip))
    {
        return if own.is_some_and(|plan| gateways(plan).contains(&ip)) {
            Found::Records(Records {
                addresses: Vec::new(),
                pointer: Some(MACHINE[0].to_owned()),
            })
        } else {
            Found::Nothing
        };
    }
    Found::Elsewhere(Vec::new())
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
fn addresses(all: &[IpAddr], kind: Kind) -> Found {
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
