//! `logout`: logins are forgotten.
//!
//! Lives here: forgetting one login or all.
//! Must not: speak to a registry.
//! Called by: `cli`.
//! Always true: afterwards no file that rpod reads has the login.

use crate::error::{Context, Result};
use crate::host::Host;
use crate::ops::access::Asked;
use crate::ops::login::Server;

/// Forgets the login to a registry; says whether there was one.
pub fn logout(host: &Host, server: &Server, asked: &Asked) -> Result<bool> {
    asked
        .places(host)
        .forget(server.key())
        .what(|| format!("cannot log out of \"{}\"", server.key()))
}

/// Forgets every login.
pub fn all(host: &Host, asked: &Asked) -> Result<()> {
    asked
        .places(host)
        .forget_all()
        .what(|| "cannot log out of every registry")
}
