//! `inspect`: everything that is known of a thing, in docker's shape.
//!
//! Lives here: docker's objects made of records, states, images and volumes.
//! Must not: know how they are shown.
//! Called by: `cli::inspect`.
//! Always true: a key docker always has is there, if only as null, so that
//! templates written for docker find it.

use serde_json::{Map, Value, json};

use crate::error::{Error, Kind, Result};
use crate::ops::{Session, network, ps, pull, state, tree};
use crate::process::identity::Identity;
use crate::spec::container::{NetworkMode, Record, State, Status};
use crate::spec::digest::Digest;
use crate::spec::id::ContainerId;
use crate::spec::mount::{Mount, Source};
use crate::spec::network::{Attachment, DEFAULT, Endpoint};
use crate::spec::port::PortMapping;
use crate::spec::time::Time;
use crate::store::artifacts::Artifact;
use crate::store::images::{DOCUMENT_LIMIT, Entry, Image};
use crate::store::volumes::Volume;

/// What a name is looked up as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noun {
    /// A container, else an image, else a volume, else a network.
    Any,
    /// A container.
    Container,
    /// An image.
    Image,
    /// A volume.
    Volume,
    /// A network.
    Network,
}

/// Returns docker's JSON object of a thing.
pub fn inspect(session: &Session, name: &str, noun: Noun, size: bool) -> Result<Value> {
    if matches!(noun, Noun::Any | Noun::Container) {
        match session.store.find_container(name) {
            Ok(id) => return container(session, &id, size),
            Err(error) if noun == Noun::Any && error.kind() == Kind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    if matches!(noun, Noun::Any | Noun::Image) {
        if let Some(entry) = pull::existing(session, name)? {
            return image(session, &entry);
        }
        if noun == Noun::Image {
            return Err(
                Error::of(Kind::NotFound, format!("no such image: \"{name}\""))
                    .hint("`rpod images` lists the images there are"),
            );
        }
    }
    if matches!(noun, Noun::Any | Noun::Volume) {
        match session.store.load_volume(name) {
            Ok(found) => return Ok(volume(session, &found)),
            Err(error) if noun == Noun::Any && error.kind() == Kind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    match network::inspect(session, name) {
        Err(error) if noun == Noun::Any && error.kind() == Kind::NotFound => Err(Error::of(
            Kind::NotFound,
            format!("no such object: \"{name}\""),
        )
        .hint("`rpod ps -a`, `rpod images`, `rpod volume ls` and `rpod network ls` list what there is")),
        inspected => inspected,
    }
}

fn container(session: &Session, id: &ContainerId, size: bool) -> Result<Value> {
    let record = session.store.load_record(id)?;
    let state = state::load(&session.host, &session.store, id)?;
    let directory = session.store.container_path(id);
    let shared = session
        .store
        .container_path(&tree::network_of(&session.store, &record));
    let file = |name: &str| {
        let path = match name {
            "log" => directory.join(name),
            _ => shared.join(name),
        };
        if path.exists() {
            json!(path)
        } else {
            json!("")
        }
    };
    let words: Vec<&String> = record.entrypoint.iter().chain(&record.command).collect();
    let lower: Vec<String> = record
        .layers
        .iter()
        .rev()
        .map(|layer| {
            let tree = session.store.layer_tree(&record.id_map, layer);
            tree.to_string_lossy().into_owned()
        })
        .collect();
    let mut out = json!({
        "Id": record.id.as_str(),
        "Created": record.created,
        "Path": words.first(),
        "Args": words.get(1..).unwrap_or_default(),
        "State": state_of(&state),
        "Image": record.image_id.as_str(),
        "ResolvConfPath": file("resolv.conf"),
        "HostnamePath": file("hostname"),
        "HostsPath": file("hosts"),
        "LogPath": file("log"),
        "Name": format!("/{}", record.name),
        "RestartCount": state.restarts,
        "Driver": "overlay",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": null,
        "HostConfig": host_config(&record),
        "GraphDriver": {
            "Name": "overlay",
            "Data": {
                "LowerDir": lower.join(":"),
                "UpperDir": directory.join("upper"),
                "WorkDir": directory.join("work"),
            },
        },
        "Mounts": record
            .mounts
            .iter()
            .filter(|m| !matches!(m.source, Source::Device(_)))
            .map(|m| mount(session, m))
            .collect::<Vec<_>>(),
        "Config": config(&record),
        "NetworkSettings": network_settings(session, &record, &state),
    });
    if size {
        let measured = ps::size(session, &record);
        out["SizeRw"] = json!(measured.written);
        out["SizeRootFs"] = json!(measured.whole);
    }
    Ok(out)
}

fn state_of(state: &State) -> Value {
    let runs = state.status == Status::Running;
    let time = |time: Option<Time>| time.map_or(json!(Time::zero_text()), |t| json!(t));
    json!({
        "Status": state.word(),
        "Running": runs,
        "Paused": runs && state.paused,
        "Restarting": state.status == Status::Restarting,
        "OOMKilled": false,
        "Dead": state.status == Status::Dead,
        "Pid": state.init.filter(|_| runs).map_or(0, |init| init.pid),
        "ExitCode": if runs { 0 } else { state.exit_code.unwrap_or(0) },
        "Error": state.error.clone().unwrap_or_default(),
        "StartedAt": time(state.started),
        "FinishedAt": time(state.finished),
    })
}

fn host_config(record: &Record) -> Value {
    let mut binds = Vec::new();
    let mut devices = Vec::new();
    let mut tmpfs = Map::new();
    for mount in &record.mounts {
        let options = if mount.read_only { ":ro" } else { "" };
        match &mount.source {
            Source::Bind(path) => binds.push(format!("{path}:{}{options}", mount.target)),
            Source::Volume(name) => binds.push(format!("{name}:{}{options}", mount.target)),
            Source::Anonymous => {}
            Source::Device(path) => devices.push(json!({
                "PathOnHost": path,
                "PathInContainer": mount.target,
                "CgroupPermissions": "rwm",
            })),
            Source::Tmpfs { size, options, .. } => {
                let size = size.map(|size| format!("size={size}"));
                let words: Vec<String> = size.into_iter().chain(options.clone()).collect();
                tmpfs.insert(mount.target.clone(), json!(words.join(",")));
            }
        }
    }
    let ulimit = |limit: u64| i64::try_from(limit).unwrap_or(-1);
    let mode = |host: bool| if host { "host" } else { "" };
    let hosts: Vec<String> = record
        .hosts
        .iter()
        .map(|(n, a)| format!("{n}:{a}"))
        .collect();
    let mut out = json!({
        "Binds": if binds.is_empty() { json!(null) } else { json!(binds) },
        "ContainerIDFile": "",
        "LogConfig": { "Type": "json-file", "Config": {} },
        "NetworkMode": record.network.name(&record.networks),
        "PortBindings": bindings(&record.publish),
        "RestartPolicy": {
            "Name": record.restart.name(),
            "MaximumRetryCount": record.restart.retries(),
        },
        "AutoRemove": record.remove,
        "VolumeDriver": "",
        "VolumesFrom": null,
        "CapAdd": list_or_null(&record.cap_add),
        "CapDrop": list_or_null(&record.cap_drop),
        "CgroupnsMode": "private",
        "Dns": record.dns,
        "DnsOptions": record.dns_options,
        "DnsSearch": record.dns_search,
        "ExtraHosts": list_or_null(&hosts),
        "GroupAdd": list_or_null(&record.groups),
    });
    let more = json!({
        "IpcMode": if record.namespaces.host_ipc { "host" } else { "private" },
        "Cgroup": "",
        "Links": list_or_null(&links_on(record, |network| network == DEFAULT, true)),
        "OomScoreAdj": 0,
        "PidMode": mode(record.namespaces.host_pid),
        "Privileged": record.privileged,
        "PublishAllPorts": false,
        "ReadonlyRootfs": record.read_only,
        "SecurityOpt": security(record),
        "Tmpfs": tmpfs,
        "UTSMode": mode(record.namespaces.host_uts),
        "UsernsMode": "",
        "ShmSize": record.shm_size,
        "Sysctls": record.sysctls,
        "Runtime": "rpod",
        "Isolation": "",
        "CpuShares": 0,
        "Memory": 0,
        "NanoCpus": 0,
        "MemoryReservation": 0,
        "MemorySwap": 0,
        "PidsLimit": null,
        "Devices": devices,
        "Init": record.init,
        "Ulimits": record
            .ulimits
            .iter()
            .map(|l| json!({ "Name": l.name, "Soft": ulimit(l.soft), "Hard": ulimit(l.hard) }))
            .collect::<Vec<_>>(),
    });
    if let (Some(out), Value::Object(more)) = (out.as_object_mut(), more) {
        out.extend(more);
    }
    out
}

fn security(record: &Record) -> Value {
    let mut options = Vec::new();
    if record.no_new_privileges {
        options.push("no-new-privileges".to_owned());
    }
    if record.seccomp_unconfined {
        options.push("seccomp=unconfined".to_owned());
    }
    list_or_null(&options)
}

fn list_or_null(list: &[String]) -> Value {
    if list.is_empty() {
        Value::Null
    } else {
        json!(list)
    }
}

fn config(record: &Record) -> Value {
    let exposed: Map<String, Value> = record
        .expose
        .iter()
        .chain(record.publish.iter().map(|mapping| &mapping.container))
        .map(|port| (port.to_string(), json!({})))
        .collect();
    let volumes: Map<String, Value> = record
        .mounts
        .iter()
        .filter(|m| match &m.source {
            Source::Anonymous => true,
            Source::Volume(name) => record.anonymous_volumes.contains(name),
            _ => false,
        })
        .map(|m| (m.target.clone(), json!({})))
        .collect();
    let mut out = json!({
        "Hostname": record.hostname,
        "Domainname": record.domainname,
        "User": record.user,
        "AttachStdin": record.interactive,
        "AttachStdout": true,
        "AttachStderr": true,
        "Tty": record.tty,
        "OpenStdin": record.interactive,
        "StdinOnce": record.interactive,
        "Env": record.env,
        "Cmd": list_or_null(&record.command),
        "Image": record.image,
        "Volumes": if volumes.is_empty() { json!(null) } else { json!(volumes) },
        "WorkingDir": record.workdir,
        "Entrypoint": list_or_null(&record.entrypoint),
        "OnBuild": null,
        "Labels": record.labels,
        "StopSignal": record.stop_signal,
        "StopTimeout": record.stop_timeout,
    });
    if !exposed.is_empty() {
        out["ExposedPorts"] = exposed.into();
    }
    out
}

fn network_settings(session: &Session, record: &Record, state: &State) -> Value {
    let runs = state.status == Status::Running;
    let endpoints: &[Endpoint] = if runs { &state.endpoints } else { &[] };
    let mut ports = if runs {
        bindings(&state.ports)
    } else {
        Map::new()
    };
    if runs {
        for port in &record.expose {
            ports.entry(port.to_string()).or_insert(Value::Null);
        }
    }
    let networks: Map<String, Value> = match &record.network {
        NetworkMode::Bridge | NetworkMode::Private => record
            .attachments()
            .iter()
            .map(|asked| {
                let endpoint = endpoints.iter().find(|e| e.network == asked.network);
                let entry = place(session, record, asked, endpoint);
                (asked.network.clone(), entry)
            })
            .collect(),
        NetworkMode::Container(_) | NetworkMode::Namespace(_) => Map::new(),
        mode => {
            let asked = Attachment::to(&mode.name(&[]));
            Map::from_iter([(asked.network.clone(), place(session, record, &asked, None))])
        }
    };
    let sandbox = state.init.filter(|_| runs);
    let mut out = json!({
        "Bridge": "",
        "SandboxID": sandbox.map(|init| {
            Digest::of(format!("{} {}", record.id, init.started).as_bytes()).hex().to_owned()
        }).unwrap_or_default(),
        "SandboxKey": sandbox.map(|init| format!("/proc/{}/ns/net", init.pid)).unwrap_or_default(),
        "Ports": ports,
        "EndpointID": endpoints
            .iter()
            .find(|e| e.network == DEFAULT)
            .map(|e| endpoint_id(&record.id, e))
            .unwrap_or_default(),
        "Networks": networks,
    });
    // docker's older keys are about the default network alone.
    let default = endpoints.iter().find(|e| e.network == DEFAULT);
    if let (Some(out), Value::Object(addresses)) = (out.as_object_mut(), addresses(default)) {
        out.extend(addresses);
    }
    out
}

/// The links of a container that is on such a network; docker's older form has the
/// names of both, as paths.
fn links_on(record: &Record, fits: impl Fn(&str) -> bool, older: bool) -> Vec<String> {
    if !record.attachments().iter().any(|a| fits(&a.network)) {
        return Vec::new();
    }
    let links = record.links.iter();
    links
        .map(|l| match older {
            true => format!("/{}:/{}/{}", l.name, record.name, l.alias),
            false => format!("{}:{}", l.name, l.alias),
        })
        .collect()
}

/// A place's own id: another container's place there, and this one's elsewhere, have others.
pub(super) fn endpoint_id(container: &ContainerId, endpoint: &Endpoint) -> String {
    let place = format!("{container} {} {}", endpoint.network_id, endpoint.v4.ip);
    Digest::of(place.as_bytes()).hex().to_owned()
}

/// docker's entry of a place on a network.
fn place(
    session: &Session,
    record: &Record,
    asked: &Attachment,
    endpoint: Option<&Endpoint>,
) -> Value {
    let mut config = Map::new();
    if let Some(ip) = asked.ip {
        config.insert("IPv4Address".to_owned(), json!(ip));
    }
    if let Some(ip) = asked.ip6 {
        config.insert("IPv6Address".to_owned(), json!(ip));
    }
    let mut names = vec![record.name.to_string()];
    names.extend(asked.aliases.iter().cloned());
    names.push(record.id.short().to_owned());
    let mut out = json!({
        "IPAMConfig": if config.is_empty() { Value::Null } else { config.into() },
        "Links": list_or_null(&links_on(record, |_| asked.network != DEFAULT, false)),
        "Aliases": list_or_null(&asked.aliases),
        "DriverOpts": asked.device.as_ref().map(|name| json!({
            "com.docker.network.endpoint.ifname": name,
        })),
        "GwPriority": asked.priority,
        "NetworkID": match endpoint {
            Some(endpoint) => endpoint.network_id.to_string(),
            None => network::id(session, &asked.network)
                .map(|id| id.to_string())
                .unwrap_or_default(),
        },
        "EndpointID": endpoint.map(|e| endpoint_id(&record.id, e)).unwrap_or_default(),
        "DNSNames": if endpoint.is_some() { json!(names) } else { Value::Null },
    });
    if let (Some(out), Value::Object(addresses)) = (out.as_object_mut(), addresses(endpoint)) {
        out.extend(addresses);
    }
    out
}

fn addresses(endpoint: Option<&Endpoint>) -> Value {
    let v4 = endpoint.map(|e| e.v4);
    let v6 = endpoint.and_then(|e| e.v6);
    let out = |ip: Option<String>| {
        let internal = endpoint.is_some_and(|e| e.internal);
        ip.filter(|_| !internal).unwrap_or_default()
    };
    json!({
        "MacAddress": endpoint.map(|e| e.mac.to_string()).unwrap_or_default(),
        "Gateway": out(v4.map(|v4| v4.gateway.to_string())),
        "IPAddress": v4.map(|v4| v4.ip.to_string()).unwrap_or_default(),
        "IPPrefixLen": v4.map_or(0, |v4| v4.prefix),
        "IPv6Gateway": out(v6.map(|v6| v6.gateway.to_string())),
        "GlobalIPv6Address": v6.map(|v6| v6.ip.to_string()).unwrap_or_default(),
        "GlobalIPv6PrefixLen": v6.map_or(0, |v6| v6.prefix),
    })
}

/// `{ "8080/tcp": [ { "HostIp": "", "HostPort": "1234" } ] }`
pub(super) fn bindings(mappings: &[PortMapping]) -> Map<String, Value> {
    let mut out = Map::new();
    for mapping in mappings {
        let port = mapping.host_port.map(|p| p.to_string()).unwrap_or_default();
        let addresses = match mapping.host_ip {
            Some(ip) => vec![ip.to_string()],
            None => vec!["0.0.0.0".to_owned(), "::".to_owned()],
        };
        let slot = out
            .entry(mapping.container.to_string())
            .or_insert_with(|| json!([]));
        if let Value::Array(list) = slot {
            list.extend(
                addresses
                    .into_iter()
                    .map(|ip| json!({ "HostIp": ip, "HostPort": port })),
            );
        }
    }
    out
}

fn mount(session: &Session, mount: &Mount) -> Value {
    let mode = if mount.read_only { "ro" } else { "" };
    let common = |kind: &str| {
        json!({
            "Type": kind,
            "Source": "",
            "Destination": mount.target,
            "Mode": mode,
            "RW": !mount.read_only,
            "Propagation": "",
        })
    };
    match &mount.source {
        Source::Bind(path) => {
            let mut out = common("bind");
            out["Source"] = json!(path);
            out["Propagation"] = json!(mount.propagation.as_deref().unwrap_or("rprivate"));
            out
        }
        Source::Volume(name) => {
            let mut out = common("volume");
            out["Name"] = json!(name);
            out["Source"] = json!(session.store.volume_data(name));
            out["Driver"] = json!("local");
            out
        }
        Source::Anonymous => common("volume"),
        Source::Tmpfs { .. } | Source::Device(_) => common("tmpfs"),
    }
}

fn image(session: &Session, entry: &Entry) -> Result<Value> {
    if let Some(artifact) = session.store.artifact(entry) {
        return self::artifact(session, entry, &artifact);
    }
    let chosen = session.store.choose(entry, None)?;
    let found = session.store.load_image(&chosen)?;
    let document = session.store.read_blob(&found.id, DOCUMENT_LIMIT)?;
    let document: Value = serde_json::from_slice(&document)?;
    let (tags, digests) = names(session, entry)?;
    let summary = session.store.summarize(&chosen);
    let size = summary.map_or(0, |summary| summary.size());
    let tagged = entry
        .tagged_at()
        .map_or(json!(Time::zero_text()), |t| json!(t));
    let text = |key: &str| document[key].as_str().unwrap_or_default().to_owned();
    let layers: Vec<&Digest> = found.layers.iter().map(|l| &l.diff_id).collect();
    let mut out = json!({
        "Id": found.id.as_str(),
        "RepoTags": tags,
        "RepoDigests": digests,
        "Parent": "",
        "Comment": last_comment(&document),
        "Created": document.get("created").cloned().unwrap_or_default(),
        "DockerVersion": text("docker_version"),
        "Author": text("author"),
        "Config": image_config(&document["config"]),
        "Architecture": text("architecture"),
        "Os": text("os"),
        "Size": size,
        "GraphDriver": graph_driver(session, &found),
        "RootFS": { "Type": "layers", "Layers": layers },
        "Metadata": { "LastTagTime": tagged },
        "Descriptor": {
            "mediaType": entry.media_type,
            "digest": entry.digest,
            "size": entry.size,
        },
    });
    if let Some(variant) = document.get("variant") {
        out["Variant"] = variant.clone();
    }
    Ok(out)
}

/// An image's tags, and its names with the digests that registries have under them.
fn names(session: &Session, entry: &Entry) -> Result<(Vec<String>, Vec<String>)> {
    let (mut tags, mut digests) = (Vec::new(), Vec::new());
    for other in session.store.image_entries()? {
        let Some(name) = other.name().filter(|_| other.digest == entry.digest) else {
            continue;
        };
        let digest = other.pulled_digest();
        digests.push(format!("{}@{digest}", name.familiar_name()));
        if name.tag.is_some() {
            tags.push(name.familiar());
        }
    }
    digests.sort();
    digests.dedup();
    Ok((tags, digests))
}

/// What is no image has of docker's shape what can be said of it, and its manifest.
fn artifact(session: &Session, entry: &Entry, artifact: &Artifact) -> Result<Value> {
    let (tags, digests) = names(session, entry)?;
    let manifest = session.store.read_blob(&entry.digest, DOCUMENT_LIMIT)?;
    let size = session.store.summarize(entry);
    let tagged = entry.tagged_at();
    Ok(json!({
        "Id": entry.digest,
        "RepoTags": tags,
        "RepoDigests": digests,
        "Created": artifact.created.map_or(json!(Time::zero_text()), |time| json!(time)),
        "Size": size.map_or(0, |summary| summary.size()),
        "ArtifactType": artifact.kind,
        "Subject": artifact.subject,
        "Annotations": artifact.annotations,
        "Metadata": { "LastTagTime": tagged.map_or(json!(Time::zero_text()), |time| json!(time)) },
        "Descriptor": {
            "mediaType": entry.media_type,
            "digest": entry.digest,
            "size": entry.size,
            "artifactType": artifact.kind,
        },
        "Manifest": serde_json::from_slice::<Value>(&manifest)?,
    }))
}

/// Where the files are: the uppermost layer, and those below it.
fn graph_driver(session: &Session, image: &Image) -> Value {
    let Ok(identity) = Identity::of(&session.host) else {
        return json!({ "Name": "overlay", "Data": null });
    };
    let map = identity.map.name();
    let trees: Vec<String> = image
        .layers
        .iter()
        .rev()
        .map(|layer| session.store.layer_tree(&map, &layer.diff_id))
        .map(|tree| tree.to_string_lossy().into_owned())
        .collect();
    let mut data = Map::new();
    if let Some((upper, lower)) = trees.split_first() {
        data.insert("UpperDir".to_owned(), json!(upper));
        if !lower.is_empty() {
            data.insert("LowerDir".to_owned(), json!(lower.join(":")));
        }
    }
    json!({ "Name": "overlay", "Data": data })
}

fn last_comment(document: &Value) -> &str {
    document["history"]
        .as_array()
        .and_then(|history| history.last()?["comment"].as_str())
        .unwrap_or_default()
}

/// An image's own settings, with docker's empty values where it has none.
fn image_config(own: &Value) -> Value {
    let mut out = json!({
        "Hostname": "", "Domainname": "", "User": "", "AttachStdin": false,
        "AttachStdout": false, "AttachStderr": false, "Tty": false, "OpenStdin": false,
        "StdinOnce": false, "Env": null, "Cmd": null, "Image": "", "Volumes": null,
        "WorkingDir": "", "Entrypoint": null, "OnBuild": null, "Labels": null,
    });
    if let (Some(out), Some(own)) = (out.as_object_mut(), own.as_object()) {
        out.extend(own.clone());
    }
    out
}

fn volume(session: &Session, volume: &Volume) -> Value {
    json!({
        "CreatedAt": volume.created,
        "Driver": "local",
        "Labels": volume.labels,
        "Mountpoint": session.store.volume_data(&volume.name),
        "Name": volume.name,
        "Options": volume.options,
        "Scope": "local",
        "Anonymous": volume.anonymous,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::{Noun, inspect};
    use crate::error::Kind;
    use crate::ops::ps::tests::{put, record, session};
    use crate::ops::volume;
    use crate::spec::container::Status;
    use crate::store::images::Entry;

    #[test]
    fn a_container_has_dockers_shape() {
        let (_dir, session) = session();
        let web = record(
            &session,
            "web",
            json!({ "publish": [{ "host_ip": null, "host_port": 1234, "container": "8080/tcp" }],
                "expose": ["9090/tcp"], "restart": "always" }),
        );
        put(&session, &web, Status::Running);
        let value = inspect(&session, "web", Noun::Any, true).expect("it is there");
        for (path, expected) in [
            ("/Name", json!("/web")),
            ("/Path", json!("node")),
            ("/Args", json!(["app.js"])),
            ("/State/Running", json!(true)),
            ("/State/Pid", json!(std::process::id())),
            ("/HostConfig/RestartPolicy/Name", json!("always")),
            ("/NetworkSettings/Ports/8080~1tcp/0/HostPort", json!("1234")),
            ("/NetworkSettings/Ports/9090~1tcp", Value::Null),
            ("/NetworkSettings/Networks/bridge/IPAddress", json!("")),
            ("/Config/Image", json!("kubia")),
            ("/Config/ExposedPorts/9090~1tcp", json!({})),
            ("/SizeRw", json!(0)),
        ] {
            assert_eq!(value.pointer(path), Some(&expected), "{path}");
        }
    }

    #[test]
    fn an_image_and_a_volume_have_dockers_shape() {
        let (_dir, session) = session();
        let config = json!({ "architecture": "amd64", "os": "linux",
            "config": { "Cmd": ["sh"] }, "rootfs": { "type": "layers", "diff_ids": [] } });
        let config = config.to_string();
        let id = session.store.add_blob(config.as_bytes()).expect("added");
        let manifest = json!({ "schemaVersion": 2,
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": id.as_str(), "size": config.len() },
            "layers": [] });
        let manifest = manifest.to_string();
        let digest = session.store.add_blob(manifest.as_bytes()).expect("added");
        let name = "busybox".parse().expect("a name");
        let entry = Entry::new("m", digest.clone(), manifest.len() as u64, Some(&name));
        session.store.add_image(entry).expect("added");
        let value = inspect(&session, "busybox", Noun::Any, false).expect("it is there");
        assert_eq!(value["Id"], id.as_str());
        assert_eq!(value["RepoTags"], json!(["busybox:latest"]));
        assert_eq!(value["RepoDigests"], json!([format!("busybox@{digest}")]));
        assert_eq!(value["Config"]["Cmd"], json!(["sh"]));
        assert_eq!(value["Config"]["Entrypoint"], Value::Null);
        volume::create(&session, Some("mydb"), BTreeMap::new(), BTreeMap::new()).expect("made");
        let value = inspect(&session, "mydb", Noun::Volume, false).expect("it is there");
        assert_eq!(value["Scope"], "local");
        let error = inspect(&session, "nothing", Noun::Any, false).expect_err("there is none");
        assert_eq!(error.kind(), Kind::NotFound);
        assert_eq!(error.to_string(), "no such object: \"nothing\"");
    }
}
