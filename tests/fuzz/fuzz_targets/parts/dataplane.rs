//! What the target `flows` needs of this room.

#[path = "../../../../src/dataplane/link.rs"]
pub mod link;
#[path = "../../../../src/dataplane/uplink/mod.rs"]
pub mod uplink;
