//! `system df`: what the store takes on the disk.
//!
//! Lives here: measuring images, containers, volumes and what builds keep.
//! Must not: format.
//! Called by: `cli::system`.
//! Always true: a blob or a layer that several images have is counted once in the
//! sums; an image's bytes are those of its blobs and of its files.

use std::collections::HashMap;

use crate::error::Result;
use crate::ops::builder::{self, Kept};
use crate::ops::images::Row;
use crate::ops::ps::{self, Summary};
use crate::ops::{Session, images, volume};
use crate::process::identity::Identity;
use crate::process::userns::run_inside;
use crate::spec::container::Status;
use crate::spec::digest::Digest;

/// What there is.
#[derive(Debug)]
pub struct Usage {
    /// Images, newest first; one with several names is there several times.
    pub images: Vec<Row>,
    /// Containers and the bytes they have written.
    pub containers: Vec<(Summary, u64)>,
    /// Volumes.
    pub volumes: Vec<VolumeUsage>,
    /// The sums, in docker's order.
    pub totals: [Total; 4],
}

/// A volume.
#[derive(Debug)]
pub struct VolumeUsage {
    /// Its name.
    pub name: String,
    /// How many containers have it.
    pub links: usize,
    /// Bytes of its files.
    pub bytes: u64,
}

/// A line of sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    /// Of what.
    pub kind: &'static str,
    /// How many there are.
    pub count: usize,
    /// How many are in use.
    pub active: usize,
    /// Bytes.
    pub bytes: u64,
    /// Bytes of what is not in use.
    pub reclaimable: u64,
}

/// Measures the store.
pub fn usage(session: &Session) -> Result<Usage> {
    let rows = images::list(session, &images::Options::default())?;
    let containers = ps::all(session)?;
    let volumes = session.store.volumes()?;
    // Files of other ids can only be looked at by root inside.
    let (written, held) = run_inside(&Identity::of(&session.host)?, || {
        let upper = |one: &Summary| session.store.container_path(&one.record.id).join("upper");
        let written: Vec<u64> = containers
            .iter()
            .map(|one| ps::bytes_below(&upper(one)))
            .collect();
        let held: Vec<u64> = volumes
            .iter()
            .map(|volume| ps::bytes_below(&session.store.volume_data(&volume.name)))
            .collect();
        Ok((written, held))
    })?;
    let records: Vec<_> = containers.iter().map(|one| one.record.clone()).collect();
    let volumes: Vec<VolumeUsage> = volumes
        .into_iter()
        .zip(held)
        .map(|(found, bytes)| VolumeUsage {
            links: volume::users(&records, &found.name).len(),
            name: found.name,
            bytes,
        })
        .collect();
    let mut containers: Vec<(Summary, u64)> = containers.into_iter().zip(written).collect();
    containers.sort_by_key(|(one, _)| std::cmp::Reverse(one.record.created));
    let totals = [
        images_total(session, &rows)?,
        containers_total(&containers),
        volumes_total(&volumes),
        cache_total(&builder::list(session)?),
    ];
    Ok(Usage {
        images: rows,
        containers,
        volumes,
        totals,
    })
}

fn images_total(session: &Session, rows: &[Row]) -> Result<Total> {
    let entries = session.store.image_entries()?;
    let summaries = session.store.summaries(&entries);
    let used = images::users(&session.store)?;
    let mut all: HashMap<(&Digest, bool), (u64, bool)> = HashMap::new();
    for (manifest, summary) in &summaries {
        let active = used.contains_key(&summary.id);
        let mut parts = vec![((manifest, false), summary.documents)];
        for layer in &summary.layers {
            parts.push(((&layer.blob, false), layer.packed));
            // Of a plain tar the blob and the files have one digest.
            parts.push(((&layer.diff_id, true), layer.size.unwrap_or(0)));
        }
        for (part, bytes) in parts {
            all.entry(part).or_insert((bytes, false)).1 |= active;
        }
    }
    let mut ids: Vec<(&Digest, bool)> = rows.iter().map(|r| (&r.id, r.containers > 0)).collect();
    ids.sort();
    ids.dedup();
    Ok(Total {
        kind: "Images",
        count: ids.len(),
        active: ids.iter().filter(|(_, active)| *active).count(),
        bytes: all.values().map(|(bytes, _)| bytes).sum(),
        reclaimable: all.values().filter(|p| !p.1).map(|(bytes, _)| bytes).sum(),
    })
}

fn containers_total(containers: &[(Summary, u64)]) -> Total {
    let runs = |one: &Summary| matches!(one.state.status, Status::Running | Status::Restarting);
    let ended = containers.iter().filter(|(one, _)| !runs(one));
    Total {
        kind: "Containers",
        count: containers.len(),
        active: containers.iter().filter(|(one, _)| runs(one)).count(),
        bytes: containers.iter().map(|(_, bytes)| bytes).sum(),
        reclaimable: ended.map(|(_, bytes)| bytes).sum(),
    }
}

/// What is a layer of an image counts there.
fn cache_total(kept: &[Kept]) -> Total {
    let (active, rest): (Vec<&Kept>, Vec<&Kept>) = kept.iter().partition(|one| one.in_use);
    let bytes = rest.iter().map(|one| one.size).sum();
    Total {
        kind: "Build Cache",
        count: kept.len(),
        active: active.len(),
        bytes,
        reclaimable: bytes,
    }
}

fn volumes_total(volumes: &[VolumeUsage]) -> Total {
    let free = volumes.iter().filter(|volume| volume.links == 0);
    Total {
        kind: "Local Volumes",
        count: volumes.len(),
        active: volumes.iter().filter(|volume| volume.links > 0).count(),
        bytes: volumes.iter().map(|volume| volume.bytes).sum(),
        reclaimable: free.map(|volume| volume.bytes).sum(),
    }
}
