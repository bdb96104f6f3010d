//! Images: from a registry or an archive into the store, and out of rpod itself.
//!
//! Lives here: registries, credentials, transfer, layers as tar, archives,
//! images put together here, the built-in image.
//! Must not: know containers or words of the command line.
//! Called by: `ops`, `role`.
//! Always true: nothing gets a name in the store before its digest was checked.

pub mod archive;
pub mod assemble;
pub mod builtin;
pub mod change;
pub mod compress;
pub mod credentials;
pub mod fetch;
pub mod layer;
pub mod policy;
pub mod push;
pub mod registry;
pub mod resolver;
pub mod transfer;
