//! `rpod network …`: create, update, connect, disconnect, ls, inspect, stats, rm, prune, exists.
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::{container, filter, network, pairs, usage};
use crate::cli::inspect;
use crate::cli::render::list::{self, Field, Look, Row};
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::dataplane::control::Traffic;
use crate::error::{Context, Kind, Result};
use crate::ops;
use crate::ops::Session;
use crate::ops::inspect::Noun;
use crate::ops::network::{Conversation, Listed, Measured, Request};
use crate::spec::network::Attachment;
use crate::spec::subnet::Subnet;
use crate::spec::time::Time;
use crate::spec::{duration, size};

/// Create a network
#[derive(Debug, Parser)]
pub struct Create {
    /// Take this driver; there is one, bridge
    #[arg(short, long, default_value = "bridge", value_name = "DRIVER")]
    driver: String,
    /// Have these addresses, as ADDRESS/BITS (one of each version of IP)
    #[arg(long, value_name = "SUBNET")]
    subnet: Vec<String>,
    /// Have this address of its own (one for each subnet)
    #[arg(long, value_name = "ADDRESS")]
    gateway: Vec<String>,
    /// Give containers addresses of this range (one for each subnet)
    #[arg(long, value_name = "RANGE")]
    ip_range: Vec<String>,
    /// Give this address to no container unasked (can be repeated)
    #[arg(long, value_name = "NAME=ADDRESS")]
    aux_address: Vec<String>,
    /// Have IPv6 addresses as well
    #[arg(long)]
    ipv6: bool,
    /// Have no way out
    #[arg(long)]
    internal: bool,
    /// docker's; every container can join every network
    #[arg(long, hide = true)]
    attachable: bool,
    /// Set a label (can be repeated)
    #[arg(long, value_name = "KEY[=VALUE]")]
    label: Vec<String>,
    /// Set an option of docker's bridges or podman's (can be repeated)
    #[arg(short, long, value_name = "KEY=VALUE")]
    opt: Vec<String>,
    /// Call its bridge's device this
    #[arg(long, value_name = "NAME")]
    interface_name: Option<String>,
    /// Ask this server for names of the world (can be repeated)
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    dns: Vec<String>,
    /// Let its containers not know each other by name
    #[arg(long)]
    disable_dns: bool,
    /// docker's and podman's; addresses are always rpod's to give
    #[arg(long, value_name = "DRIVER", hide = true)]
    ipam_driver: Option<String>,
    /// docker's; a network is one machine's
    #[arg(long, value_name = "SCOPE", hide = true)]
    scope: Option<String>,
    /// Take it for no error that there is one of that name
    #[arg(long)]
    ignore: bool,
    /// Its name
    #[arg(value_name = "NAME", required = true)]
    name: String,
}

impl Act for Create {
    fn act(self, door: &Door) -> Result<u8> {
        check_driver(&self.driver)?;
        check_ipam(self.ipam_driver.as_deref())?;
        check_scope(self.scope.as_deref())?;
        let request = Request {
            name: self.name,
            subnets: subnets("--subnet", &self.subnet)?,
            gateways: gateways(&self.gateway)?,
            ranges: subnets("--ip-range", &self.ip_range)?,
            reserved: reserved(&self.aux_address)?,
            ipv6: self.ipv6,
            internal: self.internal,
            attachable: self.attachable,
            labels: pairs::labels(&[], &self.label)?,
            options: pairs::options("--opt", &self.opt)?,
            bridge: self.interface_name,
            nameless: self.disable_dns,
            servers: servers("--dns", &self.dns)?,
            ignore: self.ignore,
        };
        let id = ops::network::create(&door.session()?, &request)?;
        terminal::line(id.as_str())?;
        Ok(0)
    }
}

fn check_driver(driver: &str) -> Result<()> {
    match driver {
        "bridge" => Ok(()),
        "overlay" => Err(usage("rpod has no networks across machines".to_owned()).hint(
            "containers of several machines are what Kubernetes is for; on one machine, leave out --driver overlay",
        )),
        "macvlan" | "ipvlan" => Err(usage(format!(
            "rpod has no {driver} networks: a user without root cannot use the machine's devices"
        ))
        .hint("publish ports instead, on the address you want: `rpod run -p ADDRESS:8080:80 …`")),
        "host" | "none" | "null" => Err(usage(format!(
            "there is one network of driver \"{driver}\", and no other can be made"
        ))),
        _ => Err(usage(format!("there is no network driver \"{driver}\""))
            .hint("rpod has one driver, bridge, and no plugins: leave out --driver; containers of several machines are what Kubernetes is for")),
    }
}

fn check_ipam(driver: Option<&str>) -> Result<()> {
    match driver {
        None | Some("" | "default" | "host-local") => Ok(()),
        Some(other) => Err(usage(format!("--ipam-driver \"{other}\" is none of rpod's"))
            .hint("leave it out: rpod gives addresses itself; --subnet, --ip-range and --aux-address say which")),
    }
}

fn check_scope(scope: Option<&str>) -> Result<()> {
    match scope {
        None | Some("local") => Ok(()),
        Some(other) => Err(usage(format!("there is no network of scope \"{other}\""))
            .hint("leave out --scope: a network is one machine's; containers of several machines are what Kubernetes is for")),
    }
}

/// Name servers; each once.
fn servers(flag: &str, texts: &[String]) -> Result<Vec<IpAddr>> {
    let mut servers: Vec<IpAddr> = Vec::new();
    for text in texts {
        let server = text.parse().map_err(|_| {
            usage(format!(
                "{flag} \"{}\" is no IP address",
                text.escape_debug()
            ))
        })?;
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    Ok(servers)
}

fn subnets(flag: &str, texts: &[String]) -> Result<Vec<Subnet>> {
    let one = |text: &String| text.parse().what(|| flag.to_owned());
    texts.iter().map(one).collect()
}

fn gateways(texts: &[String]) -> Result<Vec<IpAddr>> {
    let one = |text: &String| {
        text.parse()
            .map_err(|_| usage(format!("--gateway \"{text}\" is no IP address")))
    };
    texts.iter().map(one).collect()
}

fn reserved(texts: &[String]) -> Result<BTreeMap<String, IpAddr>> {
    pairs::options("--aux-address", texts)?
        .into_iter()
        .map(|(name, text)| match text.parse() {
            Ok(ip) => Ok((name, ip)),
            Err(_) => Err(usage(format!(
                "--aux-address {name}={text} is no IP address"
            ))),
        })
        .collect()
}

const FIELDS: &[Field] = &[
    ("ID", "NETWORK ID"),
    ("Name", "NAME"),
    ("Driver", "DRIVER"),
    ("Scope", "SCOPE"),
    ("CreatedAt", "CREATED AT"),
    ("IPv4", "IPV4"),
    ("IPv6", "IPV6"),
    ("Internal", "INTERNAL"),
    ("Labels", "LABELS"),
];

/// List networks
#[derive(Debug, Parser)]
#[command(after_help = "Filters: dangling, driver, id, label, name, scope, type")]
pub struct Ls {
    /// Show those that fit (can be repeated)
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Show as a Go template says, or as table or json
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show whole ids
    #[arg(long)]
    no_trunc: bool,
    /// Show only ids
    #[arg(short, long)]
    quiet: bool,
}

impl Act for Ls {
    fn act(self, door: &Door) -> Result<u8> {
        let filters = filter::pairs(&self.filter)?;
        let rows: Vec<Row> = ops::network::list(&door.session()?, &filters)?
            .into_iter()
            .map(|listed| row(listed, self.no_trunc))
            .collect();
        list::show(
            &Look {
                fields: FIELDS,
                table: "table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
                only: self.quiet.then_some("ID"),
                format: self.format.as_deref(),
            },
            &rows,
        )?;
        Ok(0)
    }
}

fn row(listed: Listed, whole: bool) -> Row {
    let network = listed.network.as_ref();
    let labels = network.map(|n| n.labels.clone()).unwrap_or_default();
    let shown: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let id = if whole {
        listed.id.as_str()
    } else {
        listed.id.short()
    };
    let created = listed.created.map(|time| time.to_string());
    let fields = BTreeMap::from([
        ("ID", id.to_owned()),
        ("Name", listed.name),
        ("Driver", listed.driver.to_owned()),
        ("Scope", "local".to_owned()),
        (
            "CreatedAt",
            created.unwrap_or_else(|| Time::zero_text().to_owned()),
        ),
        ("IPv4", "true".to_owned()),
        ("IPv6", network.is_some_and(|n| n.v6.is_some()).to_string()),
        ("Internal", network.is_some_and(|n| n.internal).to_string()),
        ("Labels", shown.join(",")),
    ]);
    Row { fields, labels }
}

/// Show everything known of networks
#[derive(Debug, Parser)]
pub struct Inspect {
    /// Show as a Go template says, or as json
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Network
    #[arg(value_name = "NETWORK", required = true)]
    names: Vec<String>,
}

impl Act for Inspect {
    fn act(self, door: &Door) -> Result<u8> {
        inspect::show(
            door,
            &self.names,
            Noun::Network,
            false,
            self.format.as_deref(),
        )
    }
}

const TRAFFIC: &[Field] = &[
    ("Network", "NETWORK"),
    ("ID", "CONTAINER ID"),
    ("Name", "NAME"),
    ("Address", "ADDRESS"),
    ("Received", "RECEIVED"),
    ("Sent", "SENT"),
    ("ReceivedRate", "RECEIVED/S"),
    ("SentRate", "SENT/S"),
];

const FLOWS: &[Field] = &[
    ("Network", "NETWORK"),
    ("Name", "NAME"),
    ("Protocol", "PROTOCOL"),
    ("Source", "SOURCE"),
    ("Destination", "DESTINATION"),
    ("Received", "RECEIVED"),
    ("Sent", "SENT"),
    ("Age", "AGE"),
];

/// Show what containers send and get on networks, each second anew
#[derive(Debug, Parser)]
pub struct Stats {
    /// Show each flow between a container and the world
    #[arg(long)]
    flows: bool,
    /// Show it once
    #[arg(long)]
    no_stream: bool,
    /// Show as a Go template says, or as table or json
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Network; without one, all of them
    #[arg(value_name = "NETWORK")]
    names: Vec<String>,
}

impl Act for Stats {
    fn act(self, door: &Door) -> Result<u8> {
        let session = door.session()?;
        if self.flows {
            return self.show_flows(&session);
        }
        let look = Look {
            fields: TRAFFIC,
            table: "table {{.Network}}\t{{.ID}}\t{{.Name}}\t{{.Address}}\t{{.Received}}\t{{.Sent}}\t{{.ReceivedRate}}\t{{.SentRate}}",
            only: None,
            format: self.format.as_deref(),
        };
        let mut before: Option<(Instant, Vec<Measured>)> = None;
        loop {
            let now = ops::network::measure(&session, &self.names)?;
            let rows: Vec<Row> = now
                .iter()
                .map(|m| traffic_row(m, before.as_ref()))
                .collect();
            if !self.no_stream && terminal::stdout_is_terminal() {
                // The screen's beginning, and nothing below.
                terminal::answer("\x1b[H\x1b[J")?;
            }
            list::show(&look, &rows)?;
            if self.no_stream {
                return Ok(0);
            }
            before = Some((Instant::now(), now));
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}

impl Stats {
    fn show_flows(&self, session: &Session) -> Result<u8> {
        let look = Look {
            fields: FLOWS,
            table: "table {{.Network}}\t{{.Name}}\t{{.Protocol}}\t{{.Source}}\t{{.Destination}}\t{{.Received}}\t{{.Sent}}\t{{.Age}}",
            only: None,
            format: self.format.as_deref(),
        };
        loop {
            let flows = ops::network::flows(session, &self.names)?;
            let rows: Vec<Row> = flows.into_iter().map(flow_row).collect();
            if !self.no_stream && terminal::stdout_is_terminal() {
                terminal::answer("\x1b[H\x1b[J")?;
            }
            list::show(&look, &rows)?;
            if self.no_stream {
                return Ok(0);
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}

fn flow_row(one: Conversation) -> Row {
    let fields = BTreeMap::from([
        ("Network", one.network),
        ("Name", one.name.to_string()),
        ("Protocol", one.flow.protocol.to_string()),
        ("Source", one.flow.inside.to_string()),
        ("Destination", one.flow.peer.to_string()),
        ("Received", size::decimal(one.flow.received)),
        ("Sent", size::decimal(one.flow.sent)),
        (
            "Age",
            duration::human(Duration::from_secs(one.flow.seconds)),
        ),
    ]);
    Row {
        fields,
        labels: BTreeMap::new(),
    }
}

fn traffic_row(one: &Measured, before: Option<&(Instant, Vec<Measured>)>) -> Row {
    let earlier = before.and_then(|(when, all)| {
        let same =
            |m: &&Measured| m.id == one.id && m.endpoint.network_id == one.endpoint.network_id;
        Some((when.elapsed(), all.iter().find(same)?.traffic))
    });
    let rate = |pick: &dyn Fn(Traffic) -> u64| match earlier {
        None => "--".to_owned(),
        Some((time, earlier)) => {
            let bytes = pick(one.traffic).saturating_sub(pick(earlier));
            let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
            size::decimal(bytes.saturating_mul(1000) / millis)
        }
    };
    let fields = BTreeMap::from([
        ("Network", one.endpoint.network.clone()),
        ("ID", one.id.short().to_owned()),
        ("Name", one.name.to_string()),
        ("Address", one.endpoint.v4.ip.to_string()),
        ("Received", size::decimal(one.traffic.received)),
        ("Sent", size::decimal(one.traffic.sent)),
        ("ReceivedRate", rate(&|t| t.received)),
        ("SentRate", rate(&|t| t.sent)),
    ]);
    Row {
        fields,
        labels: BTreeMap::new(),
    }
}

/// Change a network, for those on it as well
#[derive(Debug, Parser)]
pub struct Update {
    /// Ask this server for names of the world (can be repeated)
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    dns_add: Vec<String>,
    /// Ask this server no longer (can be repeated)
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    dns_drop: Vec<String>,
    /// Network
    #[arg(value_name = "NETWORK", required = true)]
    name: String,
}

impl Act for Update {
    fn act(self, door: &Door) -> Result<u8> {
        let update = ops::network::Update {
            add: servers("--dns-add", &self.dns_add)?,
            drop: servers("--dns-drop", &self.dns_drop)?,
        };
        if update.add.is_empty() && update.drop.is_empty() {
            return Err(usage("nothing is to be changed".to_owned())
                .hint("name a server with --dns-add or --dns-drop"));
        }
        ops::network::update(&door.session()?, &self.name, &update)?;
        terminal::line(&self.name)?;
        Ok(0)
    }
}

/// Connect a container to a network
#[derive(Debug, Parser)]
pub struct Connect {
    /// Have this IPv4 address there
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<String>,
    /// Have this IPv6 address there
    #[arg(long, value_name = "ADDRESS")]
    ip6: Option<String>,
    /// Have this link address there
    #[arg(long, value_name = "ADDRESS")]
    mac_address: Option<String>,
    /// Be known by this name there (can be repeated)
    #[arg(long, value_name = "NAME")]
    alias: Vec<String>,
    /// Know another container there by a name (can be repeated)
    #[arg(long, value_name = "CONTAINER[:NAME]")]
    link: Vec<String>,
    /// Set an option of the place, such as its device's name (can be repeated)
    #[arg(long, value_name = "KEY=VALUE")]
    driver_opt: Vec<String>,
    /// Take this network for the way out before those with less
    #[arg(
        long,
        value_name = "NUMBER",
        default_value = "0",
        allow_negative_numbers = true
    )]
    gw_priority: i32,
    /// Network
    #[arg(value_name = "NETWORK", required = true)]
    network: String,
    /// Container
    #[arg(value_name = "CONTAINER", required = true)]
    container: String,
}

impl Act for Connect {
    fn act(self, door: &Door) -> Result<u8> {
        let mut place = Attachment::to(&self.network);
        if let Some(text) = &self.ip {
            place.ip = Some(network::ipv4("--ip", text)?);
        }
        if let Some(text) = &self.ip6 {
            place.ip6 = Some(network::ipv6("--ip6", text)?);
        }
        if let Some(text) = &self.mac_address {
            place.mac = Some(text.parse().what(|| "--mac-address")?);
        }
        for alias in &self.alias {
            network::add_alias(&mut place, alias).what(|| "--alias")?;
        }
        for option in &self.driver_opt {
            network::driver_option(&mut place, option).what(|| "--driver-opt")?;
        }
        place.priority = self.gw_priority;
        let links = container::links(&self.link)?;
        ops::network::connect(&door.session()?, &self.container, place, &links)?;
        Ok(0)
    }
}

/// Disconnect a container from a network
#[derive(Debug, Parser)]
pub struct Disconnect {
    /// Do it also where the container's monitor is gone
    #[arg(short, long)]
    force: bool,
    /// Network
    #[arg(value_name = "NETWORK", required = true)]
    network: String,
    /// Container
    #[arg(value_name = "CONTAINER", required = true)]
    container: String,
}

impl Act for Disconnect {
    fn act(self, door: &Door) -> Result<u8> {
        let session = door.session()?;
        ops::network::disconnect(&session, &self.network, &self.container, self.force)?;
        Ok(0)
    }
}

/// Remove networks that no container uses
#[derive(Debug, Parser)]
pub struct Rm {
    /// Take it for no error that one is not there
    #[arg(short, long)]
    force: bool,
    /// Network
    #[arg(value_name = "NETWORK", required = true)]
    names: Vec<String>,
}

impl Act for Rm {
    fn act(self, door: &Door) -> Result<u8> {
        let session = door.session()?;
        door.each(&self.names, |name| {
            match ops::network::remove(&session, name) {
                Err(error) if self.force && error.kind() == Kind::NotFound => {}
                done => drop(done?),
            }
            terminal::line(name)
        })
    }
}

/// Remove every network that no container uses
#[derive(Debug, Parser)]
#[command(after_help = "Filters: label, until")]
pub struct Prune {
    /// Remove only those that fit (can be repeated)
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

impl Act for Prune {
    fn act(self, door: &Door) -> Result<u8> {
        let filters = filter::pairs(&self.filter)?;
        let session = door.session()?;
        let warning = "This will remove all custom networks not used by at least one container.";
        if !self.force && !terminal::consents(warning) {
            return Ok(0);
        }
        let names = ops::network::prune(&session, &filters)?;
        if !names.is_empty() {
            let mut out = "Deleted Networks:\n".to_owned();
            out.extend(names.iter().map(|name| format!("{name}\n")));
            terminal::answer(&(out + "\n"))?;
        }
        Ok(0)
    }
}

/// Say by the exit status whether there is a network
#[derive(Debug, Parser)]
pub struct Exists {
    /// Network
    #[arg(value_name = "NETWORK", required = true)]
    name: String,
}

impl Act for Exists {
    fn act(self, door: &Door) -> Result<u8> {
        let exists = ops::network::exists(&door.session()?, &self.name)?;
        Ok(u8::from(!exists))
    }
}
