//! `system migrate`: what an earlier rpod, or other subordinate ids, left in the store.
//!
//! - what is written in a form that this rpod does not know is named
//! - layers that were unpacked for other subordinate ids, and that no container has, go:
//!   they are unpacked again when they are needed
//! - containers that were made with other subordinate ids are named: their files belong
//!   to ids that the user has no more
//!
//! Lives here: those looks.
//! Must not: change a container.
//! Called by: `cli::system`.
//! Always true: there is one form of everything until now, so nothing is rewritten; while
//! a container cannot be read, no layer goes.

use std::collections::HashSet;

use crate::error::{Context, Result};
use crate::ops::Session;
use crate::process::identity::Identity;
use crate::process::userns::run_inside;
use crate::store::gc::Patience;

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Containers looked at.
    pub containers: usize,
    /// Images looked at.
    pub images: usize,
    /// Layers that went.
    pub layers: usize,
    /// What cannot go on as it is, each as a sentence.
    pub stuck: Vec<String>,
}

/// The form in which records of containers and volumes are written.
const VERSION: u32 = 1;

/// Looks at everything in the store.
pub fn migrate(session: &Session) -> Result<Found> {
    let what = || "cannot migrate the store";
    let store = &session.store;
    let identity = Identity::of(&session.host).what(what)?;
    let map = identity.map.name();
    let mut found = Found {
        images: store.image_entries().what(what)?.len(),
        ..Found::default()
    };
    let (mut kept, mut unread) = (HashSet::new(), false);
    for id in store.container_ids().what(what)? {
        found.containers += 1;
        let record = match store.load_record(&id) {
            Ok(record) => record,
            Err(_) if !store.container_path(&id).is_dir() => continue,
            Err(error) => {
                unread = true;
                found.stuck.push(format!(
                    "container {} cannot be read: {error}; `rpod system check` says what to do",
                    id.short()
                ));
                continue;
            }
        };
        if record.version != VERSION {
            found.stuck.push(format!(
                "container \"{}\" is written in form {}, and this rpod knows form {VERSION}: use the rpod that made it",
                record.name, record.version
            ));
        }
        if record.id_map != map {
            found.stuck.push(format!(
                "container \"{}\" was made with other subordinate ids than you have now: make it again from its image with `rpod run`, after `rpod rm {}`",
                record.name, record.name
            ));
        }
        kept.extend(
            record
                .layers
                .into_iter()
                .map(|layer| (record.id_map.clone(), layer)),
        );
    }
    for volume in store.volumes().what(what)? {
        if volume.version != VERSION {
            found.stuck.push(format!(
                "volume \"{}\" is written in form {}, and this rpod knows form {VERSION}",
                volume.name, volume.version
            ));
        }
    }
    // Whoever cannot be read may have any layer.
    if unread {
        return Ok(found);
    }
    let Some(_lease) = store.lease_alone(Patience::Skip).what(what)? else {
        found
            .stuck
            .push("something is being added to the store: migrate again after that".to_owned());
        return Ok(found);
    };
    for (other, layer) in store.all_layers() {
        if other != map && !kept.contains(&(other.clone(), layer.clone())) {
            store
                .discard(&store.layer_path(&other, &layer))
                .what(what)?;
            found.layers += 1;
        }
    }
    if found.layers > 0 {
        run_inside(&identity, || {
            store.sweep();
            Ok(())
        })
        .what(what)?;
    }
    Ok(found)
}
