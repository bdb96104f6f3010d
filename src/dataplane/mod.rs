//! The network in packets: links, published ports and the control of both.
//!
//! Lives here: what moves bytes and what sets up devices for them.
//! Must not: decide an address or a name (`network`), or know a container record.
//! Called by: `ops`, `role`.
//! Always true: nothing a container sends can make it panic or grow without bound.
