//! What a verb means: one file a verb, each a short script over the rooms below.
//!
//! Lives here: requests, their steps in order, and what is undone when one fails.
//! Must not: print, parse flags or make a system call.
//! Called by: `cli`.
//! Always true: `ops/run.rs` is the tour of the house.

pub mod access;
pub mod attach;
pub mod build;
pub mod builder;
pub mod check;
pub mod commit;
pub mod cp;
pub mod create;
pub mod df;
pub mod diff;
pub mod exec;
pub mod export;
pub mod filter;
pub mod history;
pub mod image_tree;
pub mod images;
pub mod import;
pub mod info;
pub mod inspect;
pub mod kill;
pub mod launch;
pub mod links;
pub mod load;
pub mod login;
pub mod logout;
pub mod logs;
pub mod manifest;
pub mod migrate;
pub mod mount;
mod names;
pub mod network;
pub mod pause;
pub mod prune;
pub mod ps;
pub mod pull;
pub mod push;
pub mod relay;
pub mod rename;
pub mod reset;
pub mod restart;
pub mod rm;
pub mod rmi;
pub mod run;
pub mod save;
pub mod search;
pub mod start;
pub mod state;
pub mod stop;
mod sweep;
pub mod tag;
mod tree;
pub mod unshare;
pub mod untag;
pub mod volume;
pub mod wait;

use std::sync::Arc;

use crate::error::Result;
use crate::host::Host;
use crate::ops::launch::Roles;
use crate::progress::Progress;
use crate::store::Store;

/// What every verb works with.
#[derive(Clone)]
pub struct Session {
    /// This machine and user.
    pub host: Host,
    /// The user's store.
    pub store: Store,
    /// Who hears of long work and of warnings.
    pub progress: Arc<dyn Progress>,
    /// The processes that can be started.
    pub roles: Roles,
}

impl Session {
    /// Opens the user's store.
    pub fn open(host: Host, progress: Arc<dyn Progress>, roles: Roles) -> Result<Self> {
        let store = Store::open(&host.data)?;
        Ok(Self {
            host,
            store,
            progress,
            roles,
        })
    }
}
