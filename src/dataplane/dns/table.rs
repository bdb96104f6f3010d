//! Which names a container may know.
//!
//! Lives here: one decision, from who asks and what is asked for.
//! Must not: do any I/O.
//! Called by: `role::net`, for `dataplane::dns`.
//! Always true: an address of one of our networks is never asked for elsewhere.

use std::net::IpAddr;

use crate::dataplane::dns::Found;
use crate::dataplane::dns::message::{self, Kind, Question, Records};
use crate::network::hosts::MACHINE;
use crate::network::plan::Plan;

/// Looks a name up for a container on a network.
pub fn find(plan: &Plan, question: &Question) -> Found {
    if MACHINE.contains(&question.name.as_str()) {
        return addresses(&[plan.gateway.into()], question.kind);
    }
    if question.kind == Kind::Pointer
        && let Some(IpAddr::V4(ip)) = message::address_of(&question.name)
        && plan.contains(ip)
    {
        return if ip == plan.gateway {
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
