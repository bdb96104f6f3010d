//! A `RUN`'s way to the world: a network of the build's own.
//!
//! ```text
//! step ──attach──▶ net process of this build ──▶ the world
//!   └ none yet? ──fork──▶ it, in the build's own namespaces
//! ```
//!
//! It is what a container has on `private`: its own loopback and ports, the machine by
//! `host.docker.internal` and names by the net process, but nothing that listens on the
//! machine's loopback. Two steps at once may both serve a port, and none meets what
//! runs here. The net process is begun by the first step that runs, ends by itself when
//! no step is left, and goes with the build in any case: it is in its process namespace.
//!
//! Lives here: who starts that process, and what a step has where it cannot be had.
//! Must not: make a device (`dataplane`), or a step's namespaces (`role::step`).
//! Called by: `run`.
//! Always true: where no way out can be made, a step has the machine's network as it is
//! and this is said once; a step that asked for none never has one.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::dataplane::control::{self, Attached, Client, NetJob, Wanted};
use crate::error::{Context, Error, Result};
use crate::ops::build::event::Event;
use crate::ops::build::graph::RunNetwork;
use crate::ops::build::step::{self, Site};
use crate::ops::launch::StepNetwork;
use crate::process::leave::leave;
use crate::spec::container::NetworkMode;
use crate::spec::network::{Attachment, Endpoint, Outlook, PRIVATE};
use crate::sys::process;

/// Name of the file that says that steps have the machine's network.
const NO_WAY: &str = "no-way-out";

/// What a step has.
#[derive(Debug)]
pub enum Way {
    /// The machine's network.
    Machine,
    /// Loopback only.
    Nothing,
    /// A place on the build's own network.
    Own(Box<Place>),
}

/// A place on the build's network, kept as long as the connection is open.
#[derive(Debug)]
pub struct Place {
    /// The connection to the net process.
    pub client: Client,
    /// Its addresses.
    pub endpoints: Vec<Endpoint>,
    /// Held, the network outlives a net process that was killed.
    _network: OwnedFd,
}

impl Way {
    /// Finds a step's way, before it has mounted anything.
    ///
    /// # Errors
    /// When there is a net process, and it refuses.
    pub fn find(site: &Site<'_>, wish: RunNetwork) -> Result<Self> {
        match wish {
            RunNetwork::Host => Ok(Self::Machine),
            RunNetwork::None => Ok(Self::Nothing),
            RunNetwork::Default if site.network.path().join(NO_WAY).exists() => Ok(Self::Machine),
            RunNetwork::Default => match connect(site)? {
                Some(client) => attach(site, client),
                None => Ok(Self::Machine),
            },
        }
    }

    /// What the plan of its namespaces has to know.
    pub fn mode(&self) -> NetworkMode {
        match self {
            Self::Machine => NetworkMode::Host,
            Self::Nothing => NetworkMode::None,
            Self::Own(_) => NetworkMode::Private,
        }
    }

    /// Its addresses.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let of = |one: &Endpoint| [Some(one.v4.ip.into()), one.v6.map(|v6| v6.ip.into())];
        match self {
            Self::Own(place) => place.endpoints.iter().flat_map(of).flatten().collect(),
            Self::Machine | Self::Nothing => Vec::new(),
        }
    }

    /// What whoever starts the step's program has to know.
    pub fn network(&mut self) -> StepNetwork<'_> {
        match self {
            Self::Machine => StepNetwork::Host,
            Self::Nothing => StepNetwork::None,
            Self::Own(place) => StepNetwork::Places(&mut place.client, &place.endpoints),
        }
    }

    /// The name server of the build's network.
    pub fn server(&self) -> Option<IpAddr> {
        match self {
            Self::Own(_) => self.gateway(),
            Self::Machine | Self::Nothing => None,
        }
    }

    /// Where the machine is, seen from inside.
    pub fn gateway(&self) -> Option<IpAddr> {
        match self {
            Self::Machine => Some(IpAddr::from([127, 0, 0, 1])),
            Self::Nothing => None,
            Self::Own(place) => Some(place.endpoints.first()?.v4.gateway.into()),
        }
    }
}

fn attach(site: &Site<'_>, mut client: Client) -> Result<Way> {
    let wanted = Wanted {
        plan: site.network_plan.clone(),
        place: Attachment {
            network: PRIVATE.to_owned(),
            outlook: Outlook {
                servers: site.runs.dns.clone(),
                ..Outlook::default()
            },
            ..Attachment::default()
        },
    };
    let id = site.store.new_container_id();
    let Attached {
        endpoints, network, ..
    } = client.attach(&id, &"build".parse()?, &[wanted])?;
    Ok(Way::Own(Box::new(Place {
        client,
        endpoints,
        _network: network,
    })))
}

/// Connects to the build's net process, started if need be; none where there is no way out.
fn connect(site: &Site<'_>) -> Result<Option<Client>> {
    let mut lack = None;
    let start = || {
        lack = start(site)?;
        Ok(())
    };
    let client = control::connect_or(site.network.path(), || {}, start);
    let why = match (client, lack) {
        (Ok(client), None) => return Ok(Some(client)),
        (_, Some(lack)) => lack,
        (Err(error), None) => error,
    };
    std::fs::write(site.network.path().join(NO_WAY), "")
        .what(|| "cannot note that there is no network")?;
    let mut text = format!(
        "RUN has this machine's network, for it gets none of its own: {}",
        why.cause()
    );
    for hint in why.hints() {
        text.push_str("; ");
        text.push_str(hint);
    }
    site.speaker.say(&Event::Warning(None, text));
    Ok(None)
}

/// Starts it, in the step's namespaces but for its mounts; returns what it lacks.
fn start(site: &Site<'_>) -> Result<Option<Error>> {
    let (ready, waiting) = control::ready()?;
    let runtime = site.network.path().to_owned();
    let role = site.roles.net;
    process::fork(|| {
        let inside = leave("rpod-net", &[ready.as_raw_fd()]).and_then(|()| step::own_mounts());
        match inside {
            Ok(()) => role(NetJob {
                runtime,
                ready,
                adopt: None,
                comes_back: false,
            }),
            Err(_) => 1,
        }
    })
    .what(|| "cannot start the network")?;
    waiting.wait()
}
