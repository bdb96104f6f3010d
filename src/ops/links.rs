//! `--link`: one container knows another by a name of its own.
//!
//! On networks that people made, a link is a name and nothing else: the name server
//! tells the address of the moment. On the default network it is, as docker has it,
//! a line of `/etc/hosts` and variables that tell the other's ports and settings; so
//! the other has to run when this one starts. When the other comes back with another
//! address, it looks for who has a line about it, and changes that line.
//!
//! Lives here: links typed to links recorded, and what is made of them at a start.
//! Must not: answer a name (`dataplane::dns`).
//! Called by: `ops::create`, `ops::launch`, `ops::network`.
//! Always true: a link is to one container, whatever that is called later.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::net::IpAddr;

use crate::error::{Context, Error, Kind, Result};
use crate::ops::{Session, state};
use crate::spec::container::{Link, NetworkMode, Record, Request, State, Status};
use crate::spec::id::ContainerId;
use crate::spec::network::{Attachment, DEFAULT, Endpoint, Outlook, has_names};
use crate::spec::port::{Port, Protocol};

/// Name of the list, in a container's directory, of those that have lines about it.
const LINKED_BY: &str = "linked-by";

/// What links make of a start.
#[derive(Debug, Default)]
pub struct Linked {
    /// Lines of `/etc/hosts`: an address and names.
    pub hosts: Vec<(IpAddr, String)>,
    /// Variables.
    pub env: Vec<String>,
}

/// Finds the containers that links name.
///
/// # Errors
/// When there is no such container, or no network on which it could be known.
pub fn resolve(session: &Session, request: &Request) -> Result<Vec<Link>> {
    if request.links.is_empty() {
        return Ok(Vec::new());
    }
    if !matches!(request.network, None | Some(NetworkMode::Bridge)) {
        return Err(
            Error::of(Kind::Usage, "a container has links on bridge networks only")
                .hint("leave out --link, or use another --network"),
        );
    }
    let one = |(name, alias): &(String, String)| {
        let what = || format!("cannot link to container \"{name}\"");
        let id = session.store.find_container(name).what(what)?;
        let record = session.store.load_record(&id).what(what)?;
        Ok(Link {
            id,
            name: record.name.to_string(),
            alias: alias.clone(),
        })
    };
    request.links.iter().map(one).collect()
}

/// Finds the containers that links on one network name, by the names they get.
///
/// # Errors
/// When there is no such container; on the default network, where a link is made of
/// what a program gets at its start.
pub fn on_network(
    session: &Session,
    network: &str,
    links: &[(String, String)],
) -> Result<BTreeMap<String, ContainerId>> {
    if !links.is_empty() && !has_names(network) {
        return Err(
            Error::of(Kind::Usage, "--link is for networks that people made")
                .hint("on this one, make the container anew with `rpod run --link …`"),
        );
    }
    let one = |(name, alias): &(String, String)| {
        let id = session.store.find_container(name);
        Ok((alias.clone(), id.what(|| format!("--link {name}"))?))
    };
    links.iter().map(one).collect()
}

/// Returns what the container alone knows on a network.
pub fn outlook(record: &Record, place: &Attachment) -> Outlook {
    let own = record.links.iter().map(|l| (l.alias.clone(), l.id.clone()));
    let there = place.outlook.links.clone();
    Outlook {
        servers: record.dns.clone(),
        links: own.chain(there).collect(),
    }
}

/// Returns what a start on the default network gets of the container's links.
///
/// # Errors
/// When one of the others does not run, or is not on that network.
pub fn linked(session: &Session, record: &Record) -> Result<Linked> {
    let mut out = Linked::default();
    if record.links.is_empty() || !record.attachments().iter().any(|a| a.network == DEFAULT) {
        return Ok(out);
    }
    for link in &record.links {
        let what = || format!("cannot link to container \"{}\"", link.name);
        let other = session.store.load_record(&link.id).what(what)?;
        let state = state::load(&session.host, &session.store, &link.id).what(what)?;
        if state.status != Status::Running {
            return Err(Error::of(Kind::Conflict, "it is not running")
                .hint(format!("start it with `rpod start {}`", other.name))
                .what(what()));
        }
        let Some(ip) = address(&state) else {
            return Err(Error::of(
                Kind::Conflict,
                format!("it is not on the default network, \"{DEFAULT}\""),
            )
            .hint(format!("`rpod network connect {DEFAULT} {}`", other.name))
            .what(what()));
        };
        out.hosts.push((ip, names(link, &other)));
        out.env.extend(variables(link, record, &other, ip));
        note(session, record, &link.id).what(what)?;
    }
    Ok(out)
}

/// Corrects the lines that running containers have about one that starts.
pub fn relink(session: &Session, record: &Record, endpoints: &[Endpoint]) {
    let path = session.store.container_path(&record.id).join(LINKED_BY);
    let Ok(text) = fs::read_to_string(path) else {
        return;
    };
    let place = endpoints.iter().find(|place| place.network == DEFAULT);
    let Some(place) = place else { return };
    let all: BTreeSet<ContainerId> = text.lines().filter_map(|id| id.parse().ok()).collect();
    for id in all {
        // One that has gone has no lines, and one that cannot be written is as it was.
        if let Ok(text) = session.store.container_file(&id, "hosts") {
            let moved = moved(&text, record.id.short(), place.v4.ip.into());
            if moved != text {
                let file = session.store.container_path(&id).join("hosts");
                drop(fs::write(&file, moved));
            }
        }
    }
}

fn address(state: &State) -> Option<IpAddr> {
    let place = state.endpoints.iter().find(|e| e.network == DEFAULT)?;
    Some(place.v4.ip.into())
}

/// As docker: the alias, the id and the name.
fn names(link: &Link, other: &Record) -> String {
    let mut names = vec![link.alias.as_str(), other.id.short()];
    if other.name.as_str() != link.alias {
        names.push(other.name.as_str());
    }
    names.join(" ")
}

/// Remembers who has a line about a container.
fn note(session: &Session, record: &Record, other: &ContainerId) -> Result<()> {
    let path = session.store.container_path(other).join(LINKED_BY);
    let known = fs::read_to_string(&path).unwrap_or_default();
    if !known.lines().any(|line| line == record.id.as_str()) {
        let mut file = fs::File::options().create(true).append(true).open(&path)?;
        writeln!(file, "{}", record.id.as_str())?;
    }
    Ok(())
}

/// Gives the lines about a container another address.
fn moved(text: &str, short: &str, ip: IpAddr) -> String {
    let line = |line: &str| match line.split_once('\t') {
        Some((_, names)) if names.split(' ').nth(1) == Some(short) => format!("{ip}\t{names}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// docker's variables, for `--link db:mysql`: `MYSQL_NAME`, `MYSQL_PORT`,
/// `MYSQL_PORT_3306_TCP` and its parts, and `MYSQL_ENV_…` of what the other was given.
fn variables(link: &Link, record: &Record, other: &Record, ip: IpAddr) -> Vec<String> {
    let prefix = link.alias.to_uppercase().replace(['-', '.'], "_");
    let published = other.publish.iter().map(|mapping| mapping.container);
    let ports: BTreeSet<(Protocol, u16)> = other
        .expose
        .iter()
        .copied()
        .chain(published)
        .map(|port: Port| (port.protocol, port.number))
        .collect();
    let mut all = BTreeMap::new();
    let mut set = |key: String, value: String| {
        all.insert(key, value);
    };
    set(
        "NAME".to_owned(),
        format!("/{}/{}", record.name, link.alias),
    );
    for (n, (protocol, port)) in ports.iter().enumerate() {
        let url = format!("{protocol}://{ip}:{port}");
        if n == 0 {
            set("PORT".to_owned(), url.clone());
        }
        let key = format!("PORT_{port}_{}", protocol.to_string().to_uppercase());
        set(format!("{key}_ADDR"), ip.to_string());
        set(format!("{key}_PORT"), port.to_string());
        set(format!("{key}_PROTO"), protocol.to_string());
        set(key, url);
    }
    for entry in &other.env {
        // What every container has says nothing of this one.
        if let Some((key, value)) = entry.split_once('=')
            && !matches!(key, "HOME" | "PATH" | "HOSTNAME" | "TERM")
        {
            set(format!("ENV_{key}"), value.to_owned());
        }
    }
    all.into_iter()
        .map(|(key, value)| format!("{prefix}_{key}={value}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{moved, names, variables};
    use crate::ops::ps::tests::{record, session};
    use crate::spec::container::Link;

    #[test]
    fn a_link_has_dockers_variables_and_line() {
        let (_dir, session) = session();
        let other = record(
            &session,
            "testmysql",
            json!({
                "env": ["PATH=/bin", "MYSQL_ROOT_PASSWORD=123456", "HOSTNAME=x"],
                "expose": ["33060/tcp", "3306/tcp", "53/udp"],
            }),
        );
        let web = record(&session, "web", json!({}));
        let link = Link {
            id: other.id.clone(),
            name: "testmysql".to_owned(),
            alias: "my-sql".to_owned(),
        };
        let ip = [172, 17, 0, 2].into();
        assert_eq!(
            variables(&link, &web, &other, ip),
            [
                "MY_SQL_ENV_MYSQL_ROOT_PASSWORD=123456",
                "MY_SQL_NAME=/web/my-sql",
                "MY_SQL_PORT=tcp://172.17.0.2:3306",
                "MY_SQL_PORT_33060_TCP=tcp://172.17.0.2:33060",
                "MY_SQL_PORT_33060_TCP_ADDR=172.17.0.2",
                "MY_SQL_PORT_33060_TCP_PORT=33060",
                "MY_SQL_PORT_33060_TCP_PROTO=tcp",
                "MY_SQL_PORT_3306_TCP=tcp://172.17.0.2:3306",
                "MY_SQL_PORT_3306_TCP_ADDR=172.17.0.2",
                "MY_SQL_PORT_3306_TCP_PORT=3306",
                "MY_SQL_PORT_3306_TCP_PROTO=tcp",
                "MY_SQL_PORT_53_UDP=udp://172.17.0.2:53",
                "MY_SQL_PORT_53_UDP_ADDR=172.17.0.2",
                "MY_SQL_PORT_53_UDP_PORT=53",
                "MY_SQL_PORT_53_UDP_PROTO=udp",
            ]
        );
        let line = names(&link, &other);
        assert_eq!(line, format!("my-sql {} testmysql", other.id.short()));
        let text = format!("127.0.0.1\tlocalhost\n172.17.0.2\t{line}\n");
        assert_eq!(
            moved(&text, other.id.short(), [172, 17, 0, 9].into()),
            format!("127.0.0.1\tlocalhost\n172.17.0.9\t{line}\n")
        );
    }
}
