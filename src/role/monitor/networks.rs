//! A running container's networks: they change, and their net process may be lost.
//!
//! Lives here: what a monitor does about both.
//! Must not: choose an address, or write the container's record (`ops::network`
//! does, when the change is made).
//! Called by: `role::monitor`.
//! Always true: a change is made whole or not at all; published ports are served
//! at an address that the container has.

use std::fs;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use super::Monitor;
use crate::dataplane::control::{self, NetJob, Wanted};
use crate::dataplane::link;
use crate::dataplane::orphans;
use crate::dataplane::register::addresses;
use crate::error::{Context, Error, Kind, Result};
use crate::network::hosts;
use crate::ops::launch::{Network, Place};
use crate::ops::network::Change;
use crate::process::channel::Channel;
use crate::process::leave::leave;
use crate::role::net;
use crate::spec::id::{ContainerName, NetworkId};
use crate::spec::network::Endpoint;
use crate::sys::net as namespaces;
use crate::sys::process;

impl Monitor {
    /// Does what clients ask for.
    pub(super) fn change(&mut self) {
        while let Some((who, asked)) = self.supervisor.asked() {
            let outcome = match serde_json::from_slice(&asked) {
                Ok(Change::Join(wanted)) => self.join(*wanted),
                Ok(Change::Leave(network)) => self.leave(&network),
                Ok(Change::Rename(name)) => self.rename(name),
                Ok(Change::Servers(network, servers)) => self.set_servers(&network, servers),
                Ok(Change::Announce) => self.announce(),
                Err(error) => Err(Error::internal(format!(
                    "the container's monitor does not know this change: {error}"
                ))),
            };
            let bytes = serde_json::to_vec(&outcome).unwrap_or_default();
            self.supervisor.answer(who, &bytes);
        }
    }

    /// Links a namespace of the container's to all of its networks.
    pub(super) fn link_all(&mut self, namespace: &OwnedFd) -> Result<()> {
        let Ok(place) = self.place() else {
            return Ok(());
        };
        if place.client.link(namespace.as_fd(), None).is_ok() {
            return Ok(());
        }
        // The net process may have been killed since it gave us our places.
        self.rejoin_network()?;
        self.place()?.client.link(namespace.as_fd(), None)
    }

    fn join(&mut self, wanted: Wanted) -> Result<()> {
        let place = self.place()?;
        let taken = |name: &str| place.attached.endpoints.iter().any(|e| e.device == name);
        let device = match &wanted.place.device {
            Some(name) if taken(name) => {
                return Err(Error::of(
                    Kind::Conflict,
                    format!("it has a device \"{name}\" already"),
                ));
            }
            Some(name) => name.clone(),
            None => wanted.plan.free_device(taken),
        };
        let endpoint = place.client.join(wanted.clone(), &device)?;
        let mut all = place.attached.endpoints.clone();
        all.push(endpoint.clone());
        if let Err(error) = self.link_up(&endpoint, &all) {
            let place = self.place()?;
            return Err(match place.client.leave(&endpoint.network_id) {
                Err(also) => error.also(also),
                Ok(()) => error,
            });
        }
        self.place()?.wanted.push(wanted);
        self.settle(all);
        Ok(())
    }

    fn link_up(&mut self, endpoint: &Endpoint, all: &[Endpoint]) -> Result<()> {
        let container = self.held.first().map(AsFd::as_fd);
        let container = container.ok_or_else(|| Error::new("the container has ended"))?;
        let container = container.try_clone_to_owned()?;
        let place = self.place()?;
        place
            .client
            .link(container.as_fd(), Some(&endpoint.device))?;
        self.inside(|| link::configure_more(endpoint, all))
    }

    fn leave(&mut self, network: &NetworkId) -> Result<()> {
        let place = self.place()?;
        place.client.leave(network)?;
        place.wanted.retain(|wanted| wanted.plan.id != *network);
        let mut left = place.attached.endpoints.clone();
        left.retain(|endpoint| endpoint.network_id != *network);
        let led = self.inside(|| link::configure_less(&left));
        self.settle(left);
        led
    }

    /// Makes the places known: to `ps`, to the container itself and to its ports process.
    fn settle(&mut self, endpoints: Vec<Endpoint>) {
        let Ok(place) = self.place() else { return };
        let before = std::mem::replace(&mut place.attached.endpoints, endpoints.clone());
        let networks = place.wanted.iter().map(|w| w.place.clone()).collect();
        self.job.record.networks = networks;
        self.state.endpoints.clone_from(&endpoints);
        self.save(false);
        // A container that cannot read where it is has moved all the same.
        drop(self.rewrite_files(&before, &endpoints));
        if before.first() != endpoints.first() {
            self.reopen_ports();
        }
    }

    /// Changes `hosts` and `resolv.conf` where they stand: inside they are mounts of these files.
    fn rewrite_files(&self, before: &[Endpoint], now: &[Endpoint]) -> Result<()> {
        let (store, id) = (&self.job.store, &self.record().id);
        let path = store.container_path(id);
        let all = |endpoints: &[Endpoint]| -> Vec<IpAddr> {
            endpoints.iter().flat_map(addresses).collect()
        };
        let (old, new) = (all(before), all(now));
        let lacks = |one: &[IpAddr], other: &[IpAddr]| -> Vec<IpAddr> {
            let gone = |ip: &&IpAddr| !other.contains(ip);
            one.iter().filter(gone).copied().collect()
        };
        let text = store.container_file(id, "hosts")?;
        let text = hosts::moved(
            &text,
            (&self.record().hostname, &self.record().domainname),
            &lacks(&old, &new),
            &lacks(&new, &old),
        );
        let gateway = |endpoints: &[Endpoint]| endpoints.first().map(|e| e.v4.gateway.to_string());
        let (from, to) = (gateway(before), gateway(now));
        let moves = |text: String| match (&from, &to) {
            (Some(from), Some(to)) if from != to => replace_word(&text, from, to),
            _ => text,
        };
        fs::write(path.join("hosts"), moves(text))?;
        let text = store.container_file(id, "resolv.conf")?;
        fs::write(path.join("resolv.conf"), moves(text))?;
        Ok(())
    }

    fn rename(&mut self, name: ContainerName) -> Result<()> {
        self.job.record.name = name.clone();
        match &mut self.job.network {
            Network::Bridge(place) => place.client.rename(&name),
            _ => Ok(()),
        }
    }

    /// Remembered here as well: who brings a net process back tells it what we know.
    fn set_servers(&mut self, network: &NetworkId, servers: Vec<IpAddr>) -> Result<()> {
        let place = self.place()?;
        let own = place.wanted.iter_mut().find(|w| w.plan.id == *network);
        let own = own.ok_or_else(|| Error::of(Kind::NotFound, "it is not on that network"))?;
        own.plan.servers.clone_from(&servers);
        place.client.servers(network, &servers)
    }

    /// Brings the net process back to where others look for it.
    fn announce(&mut self) -> Result<()> {
        let place = self.place()?;
        let runtime = place.runtime.clone();
        match place.client.announce(&runtime) {
            Ok(()) => Ok(()),
            // It was killed, and we have not seen that yet.
            Err(_) => self.rejoin_network(),
        }
    }

    fn place(&mut self) -> Result<&mut Place> {
        match &mut self.job.network {
            Network::Bridge(place) => Ok(place),
            _ => Err(Error::internal("a container without networks of its own")),
        }
    }

    /// Does something in the container's network namespace, which we could not leave
    /// again: a child does it.
    fn inside(&self, work: impl FnOnce() -> Result<()>) -> Result<()> {
        let Some(namespace) = self.held.first() else {
            return Err(Error::new("the container has ended"));
        };
        let (ours, theirs) = Channel::pair()?;
        let keep = [namespace.as_raw_fd(), theirs.as_fd().as_raw_fd()];
        let pid = process::fork(|| {
            let done = process::close_all_but(&keep)
                .and_then(|()| namespaces::enter_network(namespace))
                .what(|| "cannot enter the container's network namespace")
                .and_then(|()| work());
            u8::from(theirs.send(&done).is_err())
        })
        .what(|| "cannot start a process")?;
        drop(theirs);
        let done = ours.receive::<Result<()>>();
        drop(process::wait(pid, true));
        match done? {
            Some(done) => done,
            None => Err(Error::internal("a child ended without a result")),
        }
    }

    /// Starts a net process on the network that we hold, unless another monitor
    /// did already, and takes our places again. We are in its user namespace.
    pub(super) fn rejoin_network(&mut self) -> Result<()> {
        let Network::Bridge(place) = &mut self.job.network else {
            return Ok(());
        };
        let runtime = &place.runtime;
        let nobody = || {};
        let mut client = control::connect_or(runtime, nobody, || {
            let (ready, waiting) = control::ready()?;
            let adopt = place.attached.network.try_clone()?;
            let keep = [ready.as_raw_fd(), adopt.as_raw_fd()];
            process::fork(|| match leave("rpod-net", &keep) {
                Ok(()) => net::main(NetJob {
                    runtime: runtime.clone(),
                    ready,
                    adopt: Some(adopt),
                    comes_back: true,
                }),
                Err(_) => 1,
            })?;
            // Nobody is here to hear what it lacks; whoever started the first was told.
            waiting.wait().map(drop)
        })?;
        let record = &self.job.record;
        place.attached = client.adopt(
            &record.id,
            &record.name,
            &place.wanted,
            &place.attached.endpoints,
        )?;
        place.client = client;
        // Whoever waits for an answer by the way out of before is told that none comes.
        // That it could not be is no failure: then the program finds out by itself.
        let endpoints = place.attached.endpoints.clone();
        drop(self.inside(|| orphans::end(&endpoints)));
        Ok(())
    }
}

/// Replaces a word wherever it stands alone.
fn replace_word(text: &str, from: &str, to: &str) -> String {
    let word = |part: &str| match part.strip_prefix(from) {
        Some(end) if end.trim_end().is_empty() => format!("{to}{end}"),
        _ => part.to_owned(),
    };
    let line = |line: &str| -> String { line.split_inclusive([' ', '\t']).map(word).collect() };
    text.lines().map(|text| line(text) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::replace_word;

    #[test]
    fn a_gateway_is_replaced_as_a_word_only() {
        let text = "nameserver 172.17.0.1\n172.17.0.1\thost.rpod.internal\n172.17.0.11 a\n";
        assert_eq!(
            replace_word(text, "172.17.0.1", "10.0.0.1"),
            "nameserver 10.0.0.1\n10.0.0.1\thost.rpod.internal\n172.17.0.11 a\n"
        );
    }
}
