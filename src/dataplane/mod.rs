//! The network in packets: links, published ports and the control of both.
//!
//! ```text
//! machine's namespace      the user's shared one (net)       a container's own
//!                          bridge 172.17.0.1 ── veth… ────── eth0 172.17.0.2 ── program
//! listeners (ports) ─────────────────────────────────────── sockets (ports) ──┘ over lo
//! ```
//!
//! Lives here: [`link`] makes devices, [`control`] is how a container's monitor
//! asks the net process for one, [`switch`] how the net process answers, and
//! [`register`] who is on which network; [`uplink`] is the way out; [`publish`] binds a container's ports on the machine,
//! [`holder`] finds who has one, [`relay`] carries their streams and [`datagram`]
//! their datagrams.
//! [`capture`] writes a container's packets down, and [`orphans`] ends streams that a
//! killed net process has left.
//! Must not: decide an address or a name (`network`), or know a container record.
//! Called by: `ops`, `role`.
//! Always true: nothing a container sends can make it panic or grow without bound.
//!
//! Why the ports process and not the net process holds the listeners: they stay
//! in the machine's namespace because they were made there, and the sockets
//! towards the program are made in the container's own namespace, so no network
//! that the container joins or leaves disturbs a published port, and no byte of
//! it crosses the bridge.

pub mod capture;
pub mod control;
pub mod datagram;
pub mod dns;
pub mod holder;
pub mod link;
pub mod orphans;
pub mod publish;
pub mod register;
pub mod relay;
pub mod source;
pub mod switch;
pub mod uplink;

#[cfg(test)]
mod tests;
