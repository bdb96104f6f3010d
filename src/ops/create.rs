//! `create`: an image and a request become a container that waits to be started.
//!
//! 1. the image, from the store, rpod itself or its registry
//! 2. the record: the image's settings with the request's over them (pure)
//! 3. volumes that have names of their own
//! 4. the container's directory, its other volumes and its name, in one step
//! 5. if the index has changed meanwhile: whether the image is still there
//!
//! Lives here: those steps, and how a request goes over an image's settings.
//! Must not: start anything.
//! Called by: `cli`, `ops::run`.
//! Always true: what is wrong with a request is said before anything is made;
//! what was made is undone when the container cannot be.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use oci_spec::image::Config;

use crate::error::{Context, Error, Kind, Result};
use crate::ops::{Session, links, names, network, pull, sweep};
use crate::process::identity::Identity;
use crate::runtime::{capabilities, program, rlimit};
use crate::spec::container::{NetworkMode, Record, Request, State, default_networks};
use crate::spec::id::ContainerId;
use crate::spec::mount::{Mount, Source};
use crate::spec::platform::Platform;
use crate::spec::port::{Port, PortMapping};
use crate::spec::time::Time;
use crate::store::images::Image;
use crate::store::volumes::Volume;
use crate::sys::signal;

/// Makes a container and returns its id. Pulls the image first when the policy says so.
pub fn create(session: &Session, request: Request) -> Result<ContainerId> {
    Ok(record(session, request)?.id)
}

/// Makes a container and returns what was asked of it.
pub fn record(session: &Session, mut request: Request) -> Result<Record> {
    let identity = Identity::of(&session.host)?;
    tell_what_is_lacking(session, &identity);
    check(&request)?;
    if request.network != Some(NetworkMode::Private) {
        for place in &request.networks {
            network::find(session, &place.network)?;
        }
    }
    let shares = find_shared(session, &mut request)?;
    let links = links::resolve(session, &request)?;
    let platform = request.platform.as_deref().map(str::parse).transpose()?;
    let index = session.store.index_mark();
    let image = pull::ensure(session, &request.image, request.pull, platform)?;
    tell_other_platform(session, &image);
    let config = image.config.config().clone().unwrap_or_default();
    let cidfile = request.cidfile.as_deref().map(claim_cidfile).transpose()?;
    let id = session.store.new_container_id();
    let chosen = request.name.is_some();
    let made = plan(&id, &identity, &image, &config, request).and_then(|mut record| {
        record.links = links;
        if let Some(other) = shares {
            share_names(&mut record, &other);
        }
        name_volumes(session, &mut record)?;
        publish(session, &mut record, chosen)?;
        // Only now does `rmi` see the container: it may have taken the image before.
        if session.store.index_mark() != index {
            check_image(session, &record, &image)?;
        }
        Ok(record)
    });
    match (&made, cidfile) {
        (Ok(record), Some((mut file, path))) => file
            .write_all(record.id.as_str().as_bytes())
            .what(|| format!("cannot write \"{}\"", path.display()))?,
        (Err(_), Some((_, path))) => drop(fs::remove_file(path)),
        _ => {}
    }
    made
}

/// The file is opened at each start, wherever that is typed.
fn absolute(path: String) -> Result<String> {
    let whole =
        std::path::absolute(&path).what(|| format!("cannot write packets to \"{path}\""))?;
    Ok(whole.display().to_string())
}

/// Undoes a container whose image was removed while it was made.
fn check_image(session: &Session, record: &Record, image: &Image) -> Result<()> {
    let entries = session.store.image_entries()?;
    if entries.iter().any(|entry| entry.digest == image.manifest) {
        return Ok(());
    }
    let removed = session.store.remove_container(record);
    forget_volumes(session, record);
    sweep::sweep(session);
    let error = Error::of(
        Kind::Conflict,
        format!("its image \"{}\" was removed meanwhile", record.image),
    )
    .what(format!("cannot create container \"{}\"", record.name));
    Err(match removed {
        Ok(_) => error,
        Err(other) => error.also(other),
    })
}

fn forget_volumes(session: &Session, record: &Record) {
    for volume in &record.anonymous_volumes {
        drop(session.store.remove_volume(volume));
    }
}

/// Stores the container; a name that was drawn and is taken is drawn again.
fn publish(session: &Session, record: &mut Record, chosen: bool) -> Result<()> {
    let state = State::created(&session.host.boot);
    loop {
        // Made while the record that names them waits beside them: who finds it
        // forsaken deletes them as well.
        let volumes = |_: &Path| {
            let mut names = record.anonymous_volumes.iter();
            names.try_for_each(|name| make_volume(session, name, true))
        };
        match session.store.create_container(record, &state, volumes) {
            Err(error) if error.kind() == Kind::Conflict && !chosen => {
                record.name = names::random()?;
            }
            Err(error) => {
                forget_volumes(session, record);
                return Err(error.what(format!("cannot create container \"{}\"", record.name)));
            }
            Ok(()) => return Ok(()),
        }
    }
}

/// As docker: it may run all the same, where the kernel knows an interpreter for it.
fn tell_other_platform(session: &Session, image: &Image) {
    let of_image = Platform {
        os: image.config.os().to_string(),
        architecture: image.config.architecture().to_string(),
        variant: None,
    };
    let host = Platform::host();
    if !host.accepts(&of_image) {
        session.progress.warn(&format!(
            "the image's platform ({of_image}) does not match this machine's ({host})"
        ));
    }
}

/// Says once, in the life of a store, what this user's containers cannot do.
fn tell_what_is_lacking(session: &Session, identity: &Identity) {
    let Some(lack) = &identity.lacks else { return };
    let mark = session.store.root().join("told-single-id");
    if mark.exists() {
        return;
    }
    session.progress.warn(&format!(
        "containers have one user and group id, yours: {}. Programs that change users see it succeed and stay root; {}",
        lack.cause, lack.hint
    ));
    drop(fs::write(mark, ""));
}

fn check(request: &Request) -> Result<()> {
    rlimit::check(&request.ulimits)?;
    if let Some(name) = &request.stop_signal
        && signal::number(name).is_none()
    {
        return Err(Error::of(Kind::Usage, format!("\"{name}\" is no signal")));
    }
    if request.remove && request.restart != crate::spec::container::Restart::No {
        return Err(Error::of(
            Kind::Usage,
            "--rm and --restart contradict each other: a container that goes when it ends cannot be started again",
        ));
    }
    if let Some(NetworkMode::Container(name)) = &request.network {
        check_shared(request, name)?;
    }
    Ok(())
}

/// What belongs to a network is its owner's to say.
fn check_shared(request: &Request, name: &str) -> Result<()> {
    if !request.publish.is_empty() || request.publish_all {
        return Err(Error::of(
            Kind::Usage,
            "ports are published by the container whose network this one shares",
        ));
    }
    let typed = [
        (request.hostname.is_some(), "--hostname"),
        (request.domainname.is_some(), "--domainname"),
        (!request.dns.is_empty(), "--dns"),
        (!request.dns_search.is_empty(), "--dns-search"),
        (!request.dns_options.is_empty(), "--dns-option"),
        (!request.hosts.is_empty(), "--add-host"),
        (!request.expose.is_empty(), "--expose"),
    ];
    match typed.into_iter().find(|(typed, _)| *typed) {
        Some((_, flag)) => Err(Error::of(
            Kind::Usage,
            format!("{flag} means nothing with --network container:{name}"),
        )
        .hint(format!(
            "give it to container \"{name}\", whose network and names these are"
        ))),
        None => Ok(()),
    }
}

/// Finds the container whose network is to be shared; it is known by its id from then on,
/// whatever it is called later.
fn find_shared(session: &Session, request: &mut Request) -> Result<Option<Record>> {
    let Some(NetworkMode::Container(name)) = &mut request.network else {
        return Ok(None);
    };
    let id = session.store.find_container(name)?;
    *name = id.as_str().to_owned();
    session.store.load_record(&id).map(Some)
}

/// Who shares a network has its owner's name there, as docker has it.
fn share_names(record: &mut Record, owner: &Record) {
    let own = format!("HOSTNAME={}", record.hostname);
    let env = record.env.iter_mut().find(|entry| **entry == own);
    if let Some(entry) = env {
        *entry = format!("HOSTNAME={}", owner.hostname);
    }
    record.hostname.clone_from(&owner.hostname);
    record.domainname.clone_from(&owner.domainname);
}

/// docker refuses a file that is there: its container may still be.
fn claim_cidfile(path: &str) -> Result<(fs::File, PathBuf)> {
    let path = PathBuf::from(path);
    match fs::File::create_new(&path) {
        Ok(file) => Ok((file, path)),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(Error::of(
            Kind::Conflict,
            format!(
                "cannot write the container's id: \"{}\" is there already",
                path.display()
            ),
        )
        .hint(format!(
            "remove it when its container is not needed: `rm {}`",
            path.display()
        ))),
        Err(error) => Err(error).what(|| format!("cannot write \"{}\"", path.display())),
    }
}

/// The record, from data alone but for random names of volumes.
fn plan(
    id: &ContainerId,
    identity: &Identity,
    image: &Image,
    config: &Config,
    request: Request,
) -> Result<Record> {
    let (entrypoint, command) = words(config, &request)?;
    let hostname = match (&request.hostname, &request.network) {
        (Some(name), _) => name.clone(),
        (None, Some(NetworkMode::Host)) => rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned(),
        (None, _) => id.short().to_owned(),
    };
    let mut expose: Vec<Port> = config
        .exposed_ports()
        .iter()
        .flatten()
        .filter_map(|text| text.parse().ok())
        .chain(request.expose.iter().copied())
        .collect();
    expose.sort();
    expose.dedup();
    let publish = published(&request, &expose);
    check_published_once(&publish)?;
    let mut labels: BTreeMap<String, String> = config
        .labels()
        .clone()
        .unwrap_or_default()
        .into_iter()
        .collect();
    labels.extend(request.labels.clone());
    let privileged = request.privileged;
    let capabilities = if privileged {
        capabilities::all()
    } else {
        capabilities::choose(&request.cap_add, &request.cap_drop)?
    };
    Ok(Record {
        version: 1,
        id: id.clone(),
        name: match &request.name {
            Some(name) => name.clone(),
            None => names::random()?,
        },
        created: Time::now(),
        env: environment(config, &request, &hostname),
        mounts: mounts(config, &request)?,
        image: request.image,
        image_id: image.id.clone(),
        layers: image
            .layers
            .iter()
            .map(|layer| layer.diff_id.clone())
            .collect(),
        id_map: identity.map.name(),
        entrypoint,
        command,
        workdir: request
            .workdir
            .or_else(|| config.working_dir().clone())
            .filter(|dir| !dir.is_empty())
            .unwrap_or_else(|| "/".to_owned()),
        user: request
            .user
            .or_else(|| config.user().clone())
            .unwrap_or_default(),
        groups: request.groups,
        hostname,
        domainname: request.domainname.unwrap_or_default(),
        tty: request.tty,
        interactive: request.interactive,
        remove: request.remove,
        init: request.init,
        read_only: request.read_only,
        anonymous_volumes: Vec::new(),
        publish,
        expose,
        network: request.network.unwrap_or(NetworkMode::Bridge),
        networks: if request.networks.is_empty() {
            default_networks()
        } else {
            request.networks
        },
        network_capture: request.network_capture.map(absolute).transpose()?,
        dns: request.dns,
        dns_search: request.dns_search,
        dns_options: request.dns_options,
        hosts: request.hosts,
        links: Vec::new(),
        labels,
        restart: request.restart,
        stop_signal: request
            .stop_signal
            .or_else(|| config.stop_signal().clone())
            .unwrap_or_else(|| "SIGTERM".to_owned()),
        stop_timeout: request.stop_timeout.unwrap_or(10),
        capabilities,
        cap_add: request.cap_add,
        cap_drop: request.cap_drop,
        privileged,
        no_new_privileges: request.no_new_privileges,
        seccomp_unconfined: request.seccomp_unconfined || privileged,
        ulimits: request.ulimits,
        sysctls: request.sysctls,
        shm_size: request.shm_size.unwrap_or(64 << 20),
        namespaces: request.namespaces,
    })
}

/// Words after the image replace the image's command; an entry point given replaces both.
fn words(config: &Config, request: &Request) -> Result<(Vec<String>, Vec<String>)> {
    let entrypoint = match &request.entrypoint {
        Some(words) => words.iter().filter(|w| !w.is_empty()).cloned().collect(),
        None => config.entrypoint().clone().unwrap_or_default(),
    };
    let command = if !request.command.is_empty() {
        request.command.clone()
    } else if request.entrypoint.is_some() {
        Vec::new()
    } else {
        config.cmd().clone().unwrap_or_default()
    };
    if entrypoint.is_empty() && command.is_empty() {
        return Err(Error::of(
            Kind::Usage,
            format!("image \"{}\" names no program to run", request.image),
        )
        .hint(format!(
            "name one after the image: `rpod run {} PROGRAM`",
            request.image
        )));
    }
    Ok((entrypoint, command))
}

/// Later entries win, and keep the place of the first.
fn environment(config: &Config, request: &Request, hostname: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut set = |entry: String| {
        let key = entry.split('=').next().unwrap_or_default().to_owned() + "=";
        match all.iter_mut().find(|old| old.starts_with(&key)) {
            Some(old) => *old = entry,
            None => all.push(entry),
        }
    };
    set(format!("PATH={}", program::DEFAULT_PATH));
    set(format!("HOSTNAME={hostname}"));
    if request.tty {
        set("TERM=xterm".to_owned());
    }
    config.env().iter().flatten().cloned().for_each(&mut set);
    request
        .env
        .iter()
        .filter(|entry| entry.contains('='))
        .cloned()
        .for_each(&mut set);
    // A word whose value the caller does not have takes the image's away.
    let unset: Vec<String> = request
        .env
        .iter()
        .filter(|entry| !entry.contains('='))
        .map(|key| format!("{key}="))
        .collect();
    all.retain(|entry| !unset.iter().any(|key| entry.starts_with(key)));
    all
}

fn published(request: &Request, expose: &[Port]) -> Vec<PortMapping> {
    let mut all: Vec<PortMapping> = Vec::new();
    for mapping in &request.publish {
        // Said twice is said once; without a number it asks for one more.
        if mapping.host_port.is_none() || !all.contains(mapping) {
            all.push(mapping.clone());
        }
    }
    if request.publish_all {
        for port in expose {
            if !all.iter().any(|mapping| mapping.container == *port) {
                all.push(PortMapping {
                    host_ip: None,
                    host_port: None,
                    host_port_end: None,
                    container: *port,
                });
            }
        }
    }
    all
}

fn check_published_once(all: &[PortMapping]) -> Result<()> {
    for (n, one) in all.iter().enumerate() {
        let twice = all[..n].iter().any(|other| {
            one.host_port.is_some()
                && one.host_port_end.is_none()
                && one.host_port == other.host_port
                && other.host_port_end.is_none()
                && one.container.protocol == other.container.protocol
                && (one.host_ip == other.host_ip
                    || one.host_ip.is_none()
                    || other.host_ip.is_none())
        });
        if let (true, Some(port)) = (twice, one.host_port) {
            return Err(Error::of(
                Kind::Usage,
                format!(
                    "port {port}/{} of this machine is published twice",
                    one.container.protocol
                ),
            )
            .hint("a port of the machine leads to one port of the container"));
        }
    }
    Ok(())
}

fn mounts(config: &Config, request: &Request) -> Result<Vec<Mount>> {
    let mut all = request.mounts.clone();
    for (n, mount) in all.iter().enumerate() {
        if all[..n].iter().any(|other| other.target == mount.target) {
            return Err(Error::of(
                Kind::Usage,
                format!("two mounts on \"{}\" in the container", mount.target),
            ));
        }
    }
    for target in config.volumes().iter().flatten() {
        let mount =
            Mount::of_image(target).what(|| "cannot use a volume that the image asks for")?;
        if !all.iter().any(|other| other.target == mount.target) {
            all.push(mount);
        }
    }
    for mount in &mut all {
        if let Source::Bind(path) = &mut mount.source {
            *path = host_directory(path, mount.create_source)?;
        }
    }
    // One that lies below another is mounted after it.
    all.sort_by_key(|mount| mount.target.matches('/').count());
    Ok(all)
}

fn host_directory(path: &str, make: bool) -> Result<String> {
    let absolute =
        std::path::absolute(Path::new(path)).what(|| format!("cannot use \"{path}\""))?;
    if fs::symlink_metadata(&absolute).is_err() {
        if !make {
            return Err(Error::of(
                Kind::Usage,
                format!(
                    "cannot mount \"{}\": no such file or directory",
                    absolute.display()
                ),
            )
            .hint(format!("make it with `mkdir -p {}`", absolute.display())));
        }
        fs::create_dir_all(&absolute)
            .what(|| format!("cannot make \"{}\" to mount it", absolute.display()))?;
    }
    absolute
        .into_os_string()
        .into_string()
        .map_err(|path| Error::new(format!("\"{}\" is not UTF-8", path.display())))
}

/// Makes the volumes that have names of their own, and names the others.
fn name_volumes(session: &Session, record: &mut Record) -> Result<()> {
    for mount in &mut record.mounts {
        match &mount.source {
            Source::Volume(name) => make_volume(session, name, false)?,
            Source::Anonymous => {
                let name = session.store.new_container_id().as_str().to_owned();
                record.anonymous_volumes.push(name.clone());
                mount.source = Source::Volume(name);
            }
            Source::Bind(_) | Source::Tmpfs { .. } => {}
        }
    }
    Ok(())
}

fn make_volume(session: &Session, name: &str, anonymous: bool) -> Result<()> {
    let volume = Volume {
        version: 1,
        name: name.to_owned(),
        created: Time::now(),
        labels: BTreeMap::new(),
        options: BTreeMap::new(),
        anonymous,
    };
    session.store.create_volume(&volume).map(drop)
}
