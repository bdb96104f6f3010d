//! Who is on which network, and under which names.
//!
//! ```text
//! network id ─▶ its plan, and by container id: name, aliases, addresses
//! ```
//!
//! Lives here: [`Register`], the one table of it in the net process.
//! Must not: decide anything.
//! Called by: `dataplane::switch` writes it, under one short lock a change;
//! whoever answers names or carries packets out reads it, also from another thread.
//! Always true: an address is of one container; a container that is there has
//! all its addresses; one that has left is not there any more.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::network::plan::{InUse, Plan};
use crate::spec::id::{ContainerId, ContainerName, NetworkId};
use crate::spec::network::Endpoint;

/// The table; clones are the same table.
#[derive(Clone, Debug, Default)]
pub struct Register(Arc<RwLock<Networks>>);

/// The networks that have had members, by id.
pub type Networks = BTreeMap<NetworkId, OnNetwork>;

/// One network and who is on it.
#[derive(Clone, Debug)]
pub struct OnNetwork {
    /// Its addresses, and whether it has a way out.
    pub plan: Plan,
    /// Its members.
    pub members: BTreeMap<ContainerId, Seated>,
}

/// A member of a network.
#[derive(Clone, Debug)]
pub struct Seated {
    /// The container's name.
    pub name: ContainerName,
    /// Its addresses and its aliases here.
    pub endpoint: Endpoint,
}

impl Register {
    /// Reads the table; hold it for a moment only.
    pub fn read(&self) -> RwLockReadGuard<'_, Networks> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Networks> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OnNetwork {
    /// Returns the addresses its members have.
    pub fn in_use(&self) -> InUse {
        self.members
            .values()
            .flat_map(|seated| addresses(&seated.endpoint))
            .collect()
    }

    /// Returns whose an address is.
    pub fn owner(&self, ip: IpAddr) -> Option<&ContainerName> {
        self.members
            .values()
            .find(|seated| addresses(&seated.endpoint).any(|own| own == ip))
            .map(|seated| &seated.name)
    }
}

/// Returns the addresses of a place.
pub fn addresses(endpoint: &Endpoint) -> impl Iterator<Item = IpAddr> + use<> {
    let v6 = endpoint.v6.map(|seat| seat.ip.into());
    [Some(endpoint.v4.ip.into()), v6].into_iter().flatten()
}
