//! What there is to say of a flow to a person who looks.
//!
//! Lives here: [`Flow`].
//! Must not: be kept: it is of one moment.
//! Called by: the rest of `dataplane::uplink`; `dataplane::control` carries it.
//! Always true: it names the ends as the container sees them.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

pub use crate::spec::port::Protocol;

/// One container's conversation with the world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// Streams or datagrams.
    pub protocol: Protocol,
    /// The container's end.
    pub inside: SocketAddr,
    /// The other.
    pub peer: SocketAddr,
    /// Bytes from the container; of a stream, those that have arrived.
    pub sent: u64,
    /// Bytes to it.
    pub received: u64,
    /// Seconds since it began.
    pub seconds: u64,
}
