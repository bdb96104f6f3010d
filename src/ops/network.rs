//! `network`: create, update, connect, disconnect, ls, inspect, stats, rm, prune, exists.
//!
//! 1. what was asked is checked against itself (pure)
//! 2. under the lock of all networks, against those that there are
//! 3. the network is on disk; its bridge is made when a container joins it
//!
//! Lives here: those steps, who uses a network, and docker's object of one.
//! Must not: make a device, or give a container an address (`dataplane`).
//! Called by: `cli::network`; `create` and `launch` find networks through it.
//! Always true: no address is of two networks; a network that a container's
//! record names is not removed.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Write};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::dataplane::control::{self, Traffic, Wanted};
use crate::dataplane::register::addresses;
use crate::dataplane::uplink::{self, Flow};
use crate::error::{Context, Error, Kind, Result};
use crate::network::options::{self, Said};
use crate::network::plan::{Plan, default_network, free_subnet, pool_of, private_network};
use crate::ops::filter::{self, Filter};
use crate::ops::ps::{self, Summary};
use crate::ops::{Session, attach, inspect, links, prune as prunes, state};
use crate::process::frames::{self, Hello};
use crate::spec::container::{NetworkMode, Record, Status};
use crate::spec::id::{ContainerId, ContainerName, NetworkId};
use crate::spec::network::{
    Attachment, DEFAULT, Endpoint, Network, PRIVATE, Pool, Traits, check_device_name,
    check_network_name,
};
use crate::spec::subnet::Subnet;
use crate::spec::time::Time;
use crate::store::atomic::random_bytes;

/// What `network create` was asked.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Its name.
    pub name: String,
    /// `--subnet`, one of each version of IP at most.
    pub subnets: Vec<Subnet>,
    /// `--gateway`.
    pub gateways: Vec<IpAddr>,
    /// `--ip-range`.
    pub ranges: Vec<Subnet>,
    /// `--aux-address`.
    pub reserved: BTreeMap<String, IpAddr>,
    /// `--ipv6`.
    pub ipv6: bool,
    /// `--internal`.
    pub internal: bool,
    /// `--attachable`.
    pub attachable: bool,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
    /// `--opt`.
    pub options: BTreeMap<String, String>,
    /// `--interface-name`: another word for an option.
    pub bridge: Option<String>,
    /// `--disable-dns`.
    pub nameless: bool,
    /// `--dns`.
    pub servers: Vec<IpAddr>,
    /// `--ignore`: one that is there already is fine.
    pub ignore: bool,
}

/// A network, or one of the two names that stand for having none of one's own.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its id.
    pub id: NetworkId,
    /// Its name.
    pub name: String,
    /// `bridge`, `host` or `null`.
    pub driver: &'static str,
    /// When it was made.
    pub created: Option<Time>,
    /// It is one's own, with its addresses.
    pub network: Option<Network>,
}

/// Makes a network and returns its id.
pub fn create(session: &Session, request: &Request) -> Result<NetworkId> {
    let name = &request.name;
    check_network_name(name)?;
    let what = || format!("cannot create network \"{name}\"");
    let said = said(request).what(what)?;
    check(request).what(what)?;
    let made = session.store.create_network(|others| {
        if let Some(same) = others.iter().find(|other| other.name == *name) {
            if request.ignore {
                return Ok(same.clone());
            }
            return Err(
                Error::of(Kind::Conflict, "there is a network of that name").hint(format!(
                    "look at it with `rpod network inspect {name}`, or remove it with `rpod network rm {name}`"
                )),
            );
        }
        let mut all = others.to_vec();
        all.push(default_network());
        check_bridge(&said.traits, &all)?;
        let (v4, v6) = pools(request, &all)?;
        Ok(Network {
            version: 1,
            id: NetworkId::from_random(random_bytes()),
            name: name.clone(),
            created: Some(Time::now()),
            v4,
            v6,
            internal: request.internal,
            mtu: said.mtu,
            labels: request.labels.clone(),
            options: request.options.clone(),
            attachable: request.attachable,
            traits: said.traits,
            servers: request.servers.clone(),
        })
    });
    Ok(made.what(what)?.id)
}

/// What the options and the flags that stand for some say of the network.
fn said(request: &Request) -> Result<Said> {
    let mut said = options::parse(&request.options)?;
    said.traits.nameless = request.nameless;
    if let Some(name) = &request.bridge {
        check_device_name(name).what(|| "--interface-name")?;
        if said
            .traits
            .bridge
            .as_ref()
            .is_some_and(|other| other != name)
        {
            return Err(Error::of(
                Kind::Usage,
                "--interface-name and --opt com.docker.network.bridge.name contradict each other",
            ));
        }
        said.traits.bridge = Some(name.clone());
    }
    if request.nameless && !request.servers.is_empty() {
        return Err(Error::of(
            Kind::Usage,
            "--disable-dns and --dns contradict each other",
        ));
    }
    Ok(said)
}

/// All bridges are in one namespace, with the links to containers and the way out.
fn check_bridge(traits: &Traits, others: &[Network]) -> Result<()> {
    let Some(name) = &traits.bridge else {
        return Ok(());
    };
    let what = || format!("\"{name}\" cannot be its device's name");
    let hint = || "choose another; without one it is named after the network's id".to_owned();
    if let Some(other) = others.iter().find(|other| Plan::of(other).bridge == *name) {
        return Err(Error::of(
            Kind::Conflict,
            format!("it is that of network \"{}\"", other.name),
        )
        .hint(hint())
        .what(what()));
    }
    if name == uplink::DEVICE || ["veth", "br-"].iter().any(|own| name.starts_with(own)) {
        return Err(
            Error::of(Kind::Usage, "rpod has devices of its own named so")
                .hint(hint())
                .what(what()),
        );
    }
    Ok(())
}

fn check(request: &Request) -> Result<()> {
    for version in [true, false] {
        let of_version = request.subnets.iter().filter(|s| s.is_ipv4() == version);
        if of_version.count() > 1 {
            return Err(Error::of(
                Kind::Usage,
                "it has one subnet of each version of IP at most",
            ));
        }
    }
    for subnet in &request.subnets {
        check_subnet(subnet)?;
    }
    Ok(())
}

/// Addresses that mean something else to every machine are no network's.
fn check_subnet(subnet: &Subnet) -> Result<()> {
    let most = if subnet.is_ipv4() { 30 } else { 126 };
    let bad = |why: &str| Err(Error::of(Kind::Usage, format!("subnet {subnet} {why}")));
    let special = [
        "0.0.0.0/8",
        "127.0.0.0/8",
        "224.0.0.0/3",
        "::/16",
        "fe80::/10",
        "ff00::/8",
    ];
    let taken = special
        .iter()
        .filter_map(|text| text.parse::<Subnet>().ok())
        .find(|other| other.overlaps(subnet));
    match taken {
        _ if subnet.prefix() > most => bad("has no room for containers"),
        Some(_) => bad("has addresses with a meaning of their own"),
        None => Ok(()),
    }
}

/// The addresses of a new network: those asked for, or free ones.
fn pools(request: &Request, others: &[Network]) -> Result<(Pool, Option<Pool>)> {
    let taken: Vec<Subnet> = others.iter().flat_map(subnets).collect();
    let asked = |ipv4: bool| {
        request
            .subnets
            .iter()
            .find(|s| s.is_ipv4() == ipv4)
            .copied()
    };
    for subnet in &request.subnets {
        let owner = others
            .iter()
            .find(|other| subnets(other).any(|taken| taken.overlaps(subnet)));
        if let Some(owner) = owner {
            let theirs: Vec<String> = subnets(owner).map(|s| s.to_string()).collect();
            return Err(Error::of(
                Kind::Conflict,
                format!(
                    "subnet {subnet} overlaps network \"{}\" ({})",
                    owner.name,
                    theirs.join(", ")
                ),
            )
            .hint("choose another, or leave out --subnet to get a free one"));
        }
    }
    let v4 = match asked(true) {
        Some(subnet) => subnet,
        None => free_subnet(false, &taken)?,
    };
    let v6 = match asked(false) {
        None if request.ipv6 => Some(free_subnet(true, &taken)?),
        asked => asked,
    };
    let (mut v4, mut v6) = (pool_of(v4), v6.map(pool_of));
    refine(request, &mut v4, v6.as_mut())?;
    Ok((v4, v6))
}

/// Gives each flag to the subnet that it is about.
fn refine(request: &Request, v4: &mut Pool, v6: Option<&mut Pool>) -> Result<()> {
    let mut pools: Vec<&mut Pool> = [Some(v4), v6].into_iter().flatten().collect();
    let shown: Vec<String> = pools.iter().map(|p| p.subnet.to_string()).collect();
    let outside = |flag: &str, what: String| {
        Error::of(
            Kind::Usage,
            format!("{flag} {what} is not in {}", shown.join(" or ")),
        )
    };
    for gateway in &request.gateways {
        let pool = pools
            .iter_mut()
            .find(|pool| pool.subnet.contains(*gateway) && *gateway != pool.subnet.first())
            .ok_or_else(|| outside("--gateway", gateway.to_string()))?;
        pool.gateway = *gateway;
    }
    for range in &request.ranges {
        let pool = pools
            .iter_mut()
            .find(|pool| {
                pool.subnet.contains(range.first()) && range.prefix() >= pool.subnet.prefix()
            })
            .ok_or_else(|| outside("--ip-range", range.to_string()))?;
        pool.range = Some(*range);
    }
    for (name, ip) in &request.reserved {
        let pool = pools
            .iter_mut()
            .find(|pool| pool.subnet.contains(*ip))
            .ok_or_else(|| outside("--aux-address", format!("{name}={ip}")))?;
        pool.reserved.insert(name.clone(), *ip);
    }
    Ok(())
}

fn subnets(network: &Network) -> impl Iterator<Item = Subnet> {
    let v6 = network.v6.as_ref().map(|pool| pool.subnet);
    [Some(network.v4.subnet), v6].into_iter().flatten()
}

/// Returns the network of a name, or of an id's beginning.
///
/// # Errors
/// `NotFound`; `Usage` when several ids begin so.
pub fn find(session: &Session, text: &str) -> Result<Network> {
    if matches!(text, DEFAULT | "default") {
        return Ok(default_network());
    }
    match session.store.load_network(text) {
        Err(error) if error.kind() == Kind::NotFound => {
            let id = |network: &Network| network.id.as_str().starts_with(text);
            let mut all = session.store.networks()?;
            all.push(default_network());
            let mut fitting: Vec<Network> = all.into_iter().filter(id).collect();
            match fitting.len() {
                1 if !text.is_empty() => Ok(fitting.remove(0)),
                0 | 1 => Err(error),
                _ => Err(Error::of(
                    Kind::Usage,
                    format!("\"{text}\" is the beginning of more than one network's id"),
                )),
            }
        }
        found => found,
    }
}

/// Returns a network's id, if there is one of that name.
pub fn id(session: &Session, name: &str) -> Option<NetworkId> {
    match name {
        "host" | "none" => Some(stand_in(name).id),
        PRIVATE => Some(private_network().id),
        _ => find(session, name).ok().map(|network| network.id),
    }
}

/// Returns the networks that a container is to join, with all that has to be known of them.
pub fn wanted(session: &Session, record: &Record) -> Result<Vec<Wanted>> {
    let one = |mut place: Attachment| {
        place.outlook = links::outlook(record, &place);
        Ok(Wanted {
            plan: plan(session, &place.network)?,
            place,
        })
    };
    record.attachments().into_iter().map(one).collect()
}

/// Returns all that the net process has to know of a network.
pub fn plan(session: &Session, name: &str) -> Result<Plan> {
    let found = match name {
        PRIVATE => private_network(),
        _ => find(session, name)?,
    };
    let mut plan = Plan::of(&found);
    // Nobody asked for IPv6 there; a kernel without it keeps nobody from starting.
    if found.created.is_none() && !Path::new("/proc/sys/net/ipv6").exists() {
        plan.v6 = None;
    }
    Ok(plan)
}

/// What a running container's monitor is asked to change.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It gets a place on one more network.
    Join(Box<Wanted>),
    /// It leaves a network.
    Leave(NetworkId),
    /// It has another name.
    Rename(ContainerName),
    /// A network of its has other name servers.
    Servers(NetworkId, Vec<IpAddr>),
    /// Its net process is to be found again, wherever it was lost.
    Announce,
}

/// Gives a container a place on one more network, at once where it runs.
pub fn connect(
    session: &Session,
    container: &str,
    place: Attachment,
    links: &[(String, String)],
) -> Result<()> {
    let what = || {
        format!(
            "cannot connect container \"{container}\" to network \"{}\"",
            place.network
        )
    };
    let changing = Changing::begin(session, container).what(what)?;
    // An id will do as well as a name; the record has the name.
    let plan = plan(session, &place.network).what(what)?;
    let mut place = Attachment {
        network: plan.name.clone(),
        ..place.clone()
    };
    place.outlook.links = links::on_network(session, &place.network, links).what(what)?;
    let mut networks = changing.record.networks.clone();
    if networks.iter().any(|other| other.network == place.network) {
        return Err(Error::of(Kind::Conflict, "it is on that network already").what(what()));
    }
    networks.push(place.clone());
    let place = Attachment {
        outlook: links::outlook(&changing.record, &place),
        ..place
    };
    let leave = Change::Leave(plan.id.clone());
    let join = Change::Join(Box::new(Wanted { plan, place }));
    changing.ask(session, &join).what(what)?;
    let written = session.store.change_networks(&changing.record, networks);
    if let Err(error) = written {
        return Err(match changing.ask(session, &leave) {
            Err(also) => error.also(also),
            Ok(()) => error,
        }
        .what(what()));
    }
    Ok(())
}

/// Takes a container off a network, at once where it runs. With `force`, also where
/// its monitor cannot be asked any more.
pub fn disconnect(session: &Session, network: &str, container: &str, force: bool) -> Result<()> {
    let what = || format!("cannot disconnect container \"{container}\" from network \"{network}\"");
    let changing = Changing::begin(session, container).what(what)?;
    let found = find(session, network).what(what)?;
    let mut networks = changing.record.networks.clone();
    networks.retain(|place| place.network != found.name);
    if networks.len() == changing.record.networks.len() {
        return Err(Error::of(Kind::NotFound, "it is not on that network").what(what()));
    }
    match changing.ask(session, &Change::Leave(found.id)) {
        Err(error) if !force && error.kind() != Kind::NotFound => return Err(error.what(what())),
        _ => {}
    }
    let written = session.store.change_networks(&changing.record, networks);
    written.what(what)
}

/// What `network update` was asked.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// `--dns-add`.
    pub add: Vec<IpAddr>,
    /// `--dns-drop`.
    pub drop: Vec<IpAddr>,
}

/// Changes whom a network's members ask for names of the world, those that run as well.
pub fn update(session: &Session, text: &str, update: &Update) -> Result<()> {
    let what = || format!("cannot change network \"{text}\"");
    let found = match text {
        "host" | "none" => None,
        _ => Some(find(session, text).what(what)?).filter(|found| found.created.is_some()),
    };
    let found = found.ok_or_else(|| {
        Error::of(Kind::Conflict, "it is rpod's own")
            .hint("a container has name servers of its own: `rpod run --dns ADDRESS …`; or make a network with `rpod network create --dns ADDRESS NAME`")
            .what(what())
    })?;
    let changed = session.store.change_network(&found.name, |network| {
        if network.traits.nameless {
            return Err(Error::of(
                Kind::Conflict,
                "it was made with --disable-dns and has no name servers",
            ));
        }
        for ip in &update.drop {
            if !network.servers.contains(ip) {
                return Err(Error::of(
                    Kind::NotFound,
                    format!("{ip} is none of its name servers"),
                ));
            }
        }
        network.servers.retain(|ip| !update.drop.contains(ip));
        for ip in &update.add {
            if !network.servers.contains(ip) {
                network.servers.push(*ip);
            }
        }
        Ok(())
    });
    let changed = changed.what(what)?;
    let change = Change::Servers(changed.id.clone(), changed.servers.clone());
    let mut all = Ok(());
    for one in ps::list(session, &ps::Options::default())? {
        let member = |place: &Endpoint| place.network_id == changed.id;
        if !one.state.endpoints.iter().any(member) {
            continue;
        }
        // One that has ended meanwhile has nothing to change; of others all are told.
        match ask(session, &one.record, &change) {
            Err(error) if error.kind() != Kind::NotFound && all.is_ok() => {
                all = Err(error.what(format!(
                    "network \"{text}\" is changed, and container \"{}\" gets to know it when it is started anew",
                    one.record.name
                )));
            }
            _ => {}
        }
    }
    all
}

/// Tells a running container's monitor its new name.
pub fn renamed(session: &Session, record: &Record, name: &ContainerName) -> Result<()> {
    ask(session, record, &Change::Rename(name.clone()))
}

/// Lets the monitors of running containers bring their net process back, if there are any.
pub fn revive(session: &Session) {
    let running = ps::list(session, &ps::Options::default()).unwrap_or_default();
    // A private container has a net process of its own, of which the others know nothing.
    let mut members = running
        .iter()
        .filter(|one| one.record.network == NetworkMode::Bridge && !one.state.endpoints.is_empty());
    // One that answers is enough: the others follow, or are with it already.
    members.any(|one| ask(session, &one.record, &Change::Announce).is_ok());
}

/// A container whose networks change: nobody else starts, stops or changes it meanwhile.
struct Changing {
    record: Record,
    runs: bool,
    _lock: File,
}

impl Changing {
    fn begin(session: &Session, container: &str) -> Result<Self> {
        let id = session.store.find_container(container)?;
        let lock = session.store.lock_container(&id)?;
        let record = session.store.load_record(&id)?;
        if record.network != NetworkMode::Bridge {
            return Err(Error::of(
                Kind::Conflict,
                format!(
                    "its network mode is \"{}\", in which it joins no network",
                    record.network.name(&[])
                ),
            )
            .hint("make it anew with `--network NETWORK`"));
        }
        let status = state::load(&session.host, &session.store, &id)?.status;
        Ok(Self {
            record,
            runs: matches!(status, Status::Running | Status::Restarting),
            _lock: lock,
        })
    }

    /// A container that does not run has nothing to change.
    fn ask(&self, session: &Session, change: &Change) -> Result<()> {
        if !self.runs {
            return Ok(());
        }
        ask(session, &self.record, change)
    }
}

fn ask(session: &Session, record: &Record, change: &Change) -> Result<()> {
    let doing = || "cannot ask its monitor";
    let socket = attach::connect(session, record, Hello::default())?;
    let mut socket = File::from(socket);
    rustix::net::sockopt::set_socket_timeout(
        &socket,
        rustix::net::sockopt::Timeout::Recv,
        Some(PATIENCE),
    )
    .what(doing)?;
    let mut bytes = Vec::new();
    frames::write(
        &mut bytes,
        frames::Kind::Change,
        &serde_json::to_vec(change)?,
    );
    socket.write_all(&bytes).what(doing)?;
    let mut reader = frames::Reader::default();
    let mut bytes = [0; 4096];
    loop {
        while let Some((kind, payload)) = reader.next()? {
            if kind == frames::Kind::Changed {
                return serde_json::from_slice::<Result<()>>(payload)?;
            }
        }
        match socket.read(&mut bytes).what(doing)? {
            0 => return Err(Error::new("its monitor has ended")),
            count => reader.feed(&bytes[..count]),
        }
    }
}

/// How long a monitor may take over a change.
const PATIENCE: Duration = Duration::from_secs(30);

/// Returns the networks that fit the filters: rpod's own three first, then by name.
pub fn list(session: &Session, filters: &[Filter]) -> Result<Vec<Listed>> {
    let known = ["dangling", "driver", "id", "label", "name", "scope", "type"];
    filter::check(filters, &known)?;
    let mut all = vec![listed(default_network())];
    all.extend(["host", "none"].map(stand_in));
    all.extend(session.store.networks()?.into_iter().map(listed));
    let records = if filters.iter().any(|(key, _)| key == "dangling") {
        session.store.load_records()?
    } else {
        Vec::new()
    };
    let none = BTreeMap::new();
    all.retain(|one| {
        let labels = one.network.as_ref().map_or(&none, |n| &n.labels);
        let own = one.created.is_none();
        let free = || !own && users(&records, &one.name).is_empty();
        filter::any(filters, "name", |v| filter::name(v, &one.name))
            && filter::any(filters, "id", |v| one.id.as_str().starts_with(v))
            && filter::any(filters, "driver", |v| v == one.driver)
            && filter::any(filters, "scope", |v| v == "local")
            && filter::any(filters, "type", |v| match v {
                "builtin" => own,
                "custom" => !own,
                _ => false,
            })
            && filter::any(filters, "dangling", |v| match v {
                "true" | "1" => free(),
                _ => !free(),
            })
            && filter::labels(filters, labels)
    });
    Ok(all)
}

fn listed(network: Network) -> Listed {
    Listed {
        id: network.id.clone(),
        name: network.name.clone(),
        driver: "bridge",
        created: network.created,
        network: Some(network),
    }
}

/// `host` and `none` are networks to docker, and no networks here.
fn stand_in(name: &str) -> Listed {
    Listed {
        id: NetworkId::from_random([name.as_bytes()[0]; 32]),
        name: name.to_owned(),
        driver: if name == "host" { "host" } else { "null" },
        created: None,
        network: None,
    }
}

/// Returns docker's JSON object of a network.
pub fn inspect(session: &Session, text: &str) -> Result<Value> {
    let listed = match text {
        "host" | "none" => stand_in(text),
        _ => listed(find(session, text)?),
    };
    let network = listed.network.as_ref();
    let pools: Vec<Value> = network
        .map(|n| [Some(&n.v4), n.v6.as_ref()])
        .into_iter()
        .flatten()
        .flatten()
        .map(pool)
        .collect();
    let containers = match network {
        Some(network) => members(session, network)?,
        None => Map::new(),
    };
    Ok(json!({
        "Name": listed.name,
        "Id": listed.id,
        "Created": listed.created.map_or(json!(Time::zero_text()), |time| json!(time)),
        "Scope": "local",
        "Driver": listed.driver,
        "EnableIPv4": true,
        "EnableIPv6": network.is_some_and(|n| n.v6.is_some()),
        "IPAM": {
            "Driver": "default",
            "Options": {},
            "Config": pools,
        },
        "Internal": network.is_some_and(|n| n.internal),
        "Attachable": network.is_some_and(|n| n.attachable),
        "Ingress": false,
        "ConfigFrom": { "Network": "" },
        "ConfigOnly": false,
        "Containers": containers,
        "Options": network.map(|n| n.options.clone()).unwrap_or_default(),
        "Labels": network.map(|n| n.labels.clone()).unwrap_or_default(),
        "DNSEnabled": network.is_some_and(|n| Plan::of(n).has_names()),
        "NetworkDNSServers": network.map(|n| n.servers.clone()).unwrap_or_default(),
    }))
}

fn pool(pool: &Pool) -> Value {
    let mut out = json!({ "Subnet": pool.subnet, "Gateway": pool.gateway });
    if let Some(range) = pool.range {
        out["IPRange"] = json!(range);
    }
    if !pool.reserved.is_empty() {
        out["AuxiliaryAddresses"] = json!(pool.reserved);
    }
    out
}

/// Says whether there is a network of a name.
pub fn exists(session: &Session, name: &str) -> Result<bool> {
    match find(session, name) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == Kind::NotFound => Ok(matches!(name, "host" | "none")),
        Err(error) => Err(error),
    }
}

/// Removes a network that no container uses; returns its name.
pub fn remove(session: &Session, text: &str) -> Result<String> {
    let what = || format!("cannot remove network \"{text}\"");
    if matches!(text, "host" | "none") || find(session, text).what(what)?.created.is_none() {
        return Err(Error::of(
            Kind::Conflict,
            "it is rpod's own, and costs nothing while no container is on it",
        )
        .what(what()));
    }
    let name = find(session, text)?.name;
    let removed = session.store.remove_network(&name, || {
        let records = session.store.load_records()?;
        let users = users(&records, &name);
        if users.is_empty() {
            return Ok(());
        }
        Err(in_use(&users))
    });
    removed.what(what)?;
    Ok(name)
}

fn in_use(users: &[&Record]) -> Error {
    let names: Vec<String> = users.iter().map(|r| format!("\"{}\"", r.name)).collect();
    let plain: Vec<&str> = users.iter().map(|r| r.name.as_str()).collect();
    let noun = if users.len() == 1 {
        "container"
    } else {
        "containers"
    };
    Error::of(
        Kind::Conflict,
        format!("it is in use by {noun} {}", names.join(", ")),
    )
    .hint(format!(
        "remove them first: `rpod rm -f {}`",
        plain.join(" ")
    ))
}

/// Removes every network that no container uses; returns their names.
pub fn prune(session: &Session, filters: &[Filter]) -> Result<Vec<String>> {
    filter::check(filters, &["label", "label!", "until"])?;
    let until = prunes::until(filters)?;
    let records = session.store.load_records()?;
    let mut pruned = Vec::new();
    for network in session.store.networks()? {
        let goes = filter::labels(filters, &network.labels)
            && until
                .iter()
                .all(|time| network.created.is_some_and(|made| made < *time))
            && users(&records, &network.name).is_empty();
        if !goes {
            continue;
        }
        match remove(session, &network.name) {
            Ok(name) => pruned.push(name),
            // It went, or somebody took it into use, since we looked.
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(pruned)
}

fn users<'a>(records: &'a [Record], name: &str) -> Vec<&'a Record> {
    let uses = |record: &&Record| record.attachments().iter().any(|a| a.network == name);
    records.iter().filter(uses).collect()
}

/// What one container has sent and got on one network.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The container.
    pub id: ContainerId,
    /// Its name.
    pub name: ContainerName,
    /// Its place.
    pub endpoint: Endpoint,
    /// What passed its link.
    pub traffic: Traffic,
}

/// Measures the traffic of running containers on networks, by network and name; with
/// `names`, of these networks alone.
pub fn measure(session: &Session, names: &[String]) -> Result<Vec<Measured>> {
    let networks = names.iter().map(|name| Ok(find(session, name)?.name));
    let networks: Vec<String> = networks.collect::<Result<_>>()?;
    let Some(mut client) = control::connect(&session.host.runtime)? else {
        return Ok(Vec::new());
    };
    let mut all = Vec::new();
    for member in client.members()? {
        let places = member.endpoints.into_iter().zip(member.traffic);
        all.extend(places.map(|(endpoint, traffic)| Measured {
            id: member.id.clone(),
            name: member.name.clone(),
            endpoint,
            traffic,
        }));
    }
    all.retain(|one| networks.is_empty() || networks.contains(&one.endpoint.network));
    let key = |one: &Measured| (one.endpoint.network.clone(), one.name.clone());
    all.sort_by_key(key);
    Ok(all)
}

/// A container's conversation with the world.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// The container's name.
    pub name: ContainerName,
    /// The network it goes by.
    pub network: String,
    /// What there is to say of it.
    pub flow: Flow,
}

/// Lists what running containers have going with the world; with `names`, by these
/// networks alone.
pub fn flows(session: &Session, names: &[String]) -> Result<Vec<Conversation>> {
    let places = measure(session, names)?;
    let owners: HashMap<IpAddr, &Measured> = places
        .iter()
        .flat_map(|one| addresses(&one.endpoint).map(move |ip| (ip, one)))
        .collect();
    let Some(mut client) = control::connect(&session.host.runtime)? else {
        return Ok(Vec::new());
    };
    let all = client.flows()?.into_iter().filter_map(|flow| {
        let owner = owners.get(&flow.inside.ip())?;
        Some(Conversation {
            name: owner.name.clone(),
            network: owner.endpoint.network.clone(),
            flow,
        })
    });
    Ok(all.collect())
}

/// docker's entries of those on a network, by id, with what rpod knows besides.
fn members(session: &Session, network: &Network) -> Result<Map<String, Value>> {
    let running = ps::list(session, &ps::Options::default())?;
    // What is measured is shown where the net process answers.
    let measured = measure(session, std::slice::from_ref(&network.name)).unwrap_or_default();
    let entry = |one: Summary| {
        let of_it = |m: &&Measured| m.id == one.record.id;
        let traffic = measured.iter().find(of_it).map(|m| m.traffic);
        let traffic = traffic.unwrap_or_default();
        let endpoint = one
            .state
            .endpoints
            .iter()
            .find(|endpoint| endpoint.network_id == network.id)?;
        let v6 = endpoint.v6.map(|v6| format!("{}/{}", v6.ip, v6.prefix));
        let value = json!({
            "Name": one.record.name,
            "EndpointID": inspect::endpoint_id(&one.record.id, endpoint),
            "MacAddress": endpoint.mac,
            "IPv4Address": format!("{}/{}", endpoint.v4.ip, endpoint.v4.prefix),
            "IPv6Address": v6.unwrap_or_default(),
            "Ports": inspect::bindings(&one.state.ports),
            "ReceivedBytes": traffic.received,
            "SentBytes": traffic.sent,
            "Flows": traffic.flows,
        });
        Some((one.record.id.to_string(), value))
    };
    Ok(running.into_iter().filter_map(entry).collect())
}

#[cfg(test)]
mod tests;
