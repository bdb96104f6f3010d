//! Settings of registries: where an image of a name is asked for.
//!
//! ```text
//! $XDG_CONFIG_HOME/rpod/config.toml            registry-mirrors, insecure-registries, short-names
//! $CONTAINERS_REGISTRIES_CONF                  alone, where it is set; else
//! ~/.config/containers/registries.conf         or, where that is not, /etc/containers/registries.conf;
//!   registries.conf.d/*.conf                   over it: /etc's, then the user's own
//! $DOCKER_CONFIG/daemon.json, ~/.config/docker/daemon.json, /etc/docker/daemon.json
//!                                              registry-mirrors, insecure-registries
//! ```
//!
//! A short name (`busybox`, `user/app`) is an alias's, if `[aliases]` has it, and
//! otherwise Docker Hub's: nobody is asked. With `short-names = "strict"` in
//! `config.toml`, or `short-name-mode = "enforcing"` in the user's own
//! `registries.conf`, one that is no alias is refused; what a distribution writes
//! into `/etc` is not the user's word and does not. A list of
//! `unqualified-search-registries` is for `search` alone: an image must not come
//! from another place because the first was down.
//!
//! Lives here: reading these files (containers-registries.conf(5), docker's
//! "daemon configuration file") and what follows from them for one name.
//! Must not: connect.
//! Called by: `ops::pull`, `ops::search`.
//! Always true: a file that cannot be understood refuses the pull: it may say
//! that a registry is blocked. Mirrors come before what they mirror, in the
//! order in which they are written.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{Context, Error, Result};
use crate::image::registry::url::Url;
use crate::spec::reference::{DOCKER_HUB, Reference, is_short};
use crate::spec::subnet::Subnet;

/// Somewhere an image can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Host, with its port if it has one.
    pub host: String,
    /// Path of the repository there.
    pub repository: String,
    /// It was written as `http://…`.
    pub plain: bool,
    /// Its certificate need not be valid, and it may be without TLS.
    pub insecure: bool,
    /// It stands for another.
    pub mirror: bool,
}

/// What all files together say.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    rules: Vec<Rule>,
    aliases: BTreeMap<String, String>,
    search: Vec<String>,
    hub_mirrors: Vec<Endpoint>,
    insecure: Vec<String>,
    /// The file that says that short names are refused.
    strict: Option<PathBuf>,
}

/// One `[[registry]]`.
#[derive(Clone, Debug)]
struct Rule {
    prefix: String,
    location: String,
    insecure: bool,
    blocked: bool,
    mirrors: Vec<Mirror>,
    file: PathBuf,
}

#[derive(Clone, Debug)]
struct Mirror {
    at: Endpoint,
    serves: Serves,
}

/// What a mirror is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Serves {
    #[default]
    All,
    DigestOnly,
    TagOnly,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Endpoint {
    /// `host[:port][/path]`.
    location: String,
    plain: bool,
    insecure: bool,
}

/// Where the files are.
#[derive(Clone, Debug)]
pub struct Files {
    own: PathBuf,
    containers: Vec<Layered>,
    docker: Vec<PathBuf>,
}

/// A file of containers', or the directory of those laid over it.
#[derive(Clone, Debug)]
enum Layered {
    /// The first of these that is there.
    First(Vec<(PathBuf, Whose)>),
    Directory(PathBuf, Whose),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    User,
    System,
}

impl Files {
    /// Reads the environment through `variable`; `config` is rpod's own directory.
    pub fn from_environment(
        home: &Path,
        config: &Path,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let set = |name: &str| {
            let text = variable(name).filter(|text| !text.is_empty());
            text.map(PathBuf::from)
        };
        let user = set("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
        let (user_file, system_file) = (
            user.join("containers/registries.conf"),
            PathBuf::from("/etc/containers/registries.conf"),
        );
        let containers = match set("CONTAINERS_REGISTRIES_CONF") {
            Some(file) => vec![Layered::First(vec![(file, Whose::User)])],
            None => {
                let over =
                    |file: &Path, whose| Layered::Directory(file.with_extension("conf.d"), whose);
                let (system, user) = (
                    over(&system_file, Whose::System),
                    over(&user_file, Whose::User),
                );
                let first = vec![(user_file, Whose::User), (system_file, Whose::System)];
                vec![Layered::First(first), system, user]
            }
        };
        let mut docker: Vec<PathBuf> = set("DOCKER_CONFIG").into_iter().collect();
        docker.extend([user.join("docker"), PathBuf::from("/etc/docker")]);
        Self {
            own: config.join("config.toml"),
            containers,
            docker: docker
                .into_iter()
                .map(|directory| directory.join("daemon.json"))
                .collect(),
        }
    }
}

impl Settings {
    /// Reads all files that are there.
    ///
    /// # Errors
    /// When one cannot be understood; it is named.
    pub fn read(files: &Files) -> Result<Self> {
        let mut settings = Self::default();
        if let Some(own) = toml_file::<Own>(&files.own)? {
            settings.take_own(own, &files.own)?;
        }
        for layer in &files.containers {
            settings.take_layer(layer)?;
        }
        for path in &files.docker {
            if let Some(daemon) = json_file::<Daemon>(path)? {
                settings.take_daemon(daemon, path)?;
            }
        }
        Ok(settings)
    }

    /// Returns what a typed name means.
    ///
    /// # Errors
    /// When it is no name, or a short one where those are refused.
    pub fn meaning(&self, text: &str) -> Result<Reference> {
        let reference: Reference = text.parse()?;
        if !is_short(text) {
            return Ok(reference);
        }
        if let Some(aliased) = self.alias(text)? {
            return Ok(aliased);
        }
        match &self.strict {
            None => Ok(reference),
            Some(file) => Err(Error::new(format!(
                "\"{text}\" does not say its registry, and \"{}\" wants every name to do so",
                file.display()
            ))
            .hint(format!("write `{reference}` if that is what you mean"))),
        }
    }

    /// Returns what the alias of a short name leads to.
    pub fn alias(&self, text: &str) -> Result<Option<Reference>> {
        let end = text.find(['@', ':']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let Some(target) = self.aliases.get(name).filter(|_| is_short(text)) else {
            return Ok(None);
        };
        let target = format!("{target}{rest}").parse();
        target
            .what(|| format!("the alias of \"{name}\" leads to no image"))
            .map(Some)
    }

    /// Returns the registries that `search` goes through.
    pub fn search_registries(&self) -> &[String] {
        &self.search
    }

    /// Says whether a host may be without a valid certificate.
    pub fn is_insecure(&self, host: &str) -> bool {
        self.is_named_insecure(host)
            || self
                .rule(host)
                .is_some_and(|rule| rule.insecure && rule.location == host)
    }

    /// Says whether docker's list has a host: by its name and port, or by a subnet that
    /// its address is in. Names are not looked up for it.
    fn is_named_insecure(&self, host: &str) -> bool {
        let bare = match host.strip_prefix('[') {
            Some(ipv6) => ipv6.split(']').next().unwrap_or(ipv6),
            None => host.split(':').next().unwrap_or(host),
        };
        let ip: Option<IpAddr> = bare.parse().ok();
        let holds = |subnet: &str| match (subnet.parse::<Subnet>(), ip) {
            (Ok(subnet), Some(ip)) => subnet.contains(ip),
            _ => false,
        };
        let mut named = self.insecure.iter();
        named.any(|name| name == host || name.contains('/') && holds(name))
    }

    /// Returns where an image is asked for, in this order.
    ///
    /// # Errors
    /// When its registry is blocked.
    pub fn places(&self, image: &Reference) -> Result<Vec<Place>> {
        let name = format!("{}/{}", image.registry, image.repository);
        let whole = image.to_string();
        let rule = self.rule(&whole);
        let mut places = Vec::new();
        let mut add = |place: Place| {
            let known = |other: &Place| {
                (&other.host, &other.repository) == (&place.host, &place.repository)
            };
            if !places.iter().any(known) {
                places.push(place);
            }
        };
        if let Some(rule) = rule {
            if rule.blocked {
                return Err(Error::new(format!(
                    "\"{}\" is blocked by \"{}\"",
                    rule.prefix,
                    rule.file.display()
                )));
            }
            for mirror in &rule.mirrors {
                let wanted = match mirror.serves {
                    Serves::All => true,
                    Serves::DigestOnly => image.digest.is_some(),
                    Serves::TagOnly => image.digest.is_none(),
                };
                if wanted {
                    add(self.place(&mirror.at, rule.rest_of(&name), true));
                }
            }
        }
        if image.registry == DOCKER_HUB {
            for mirror in &self.hub_mirrors {
                add(self.place(mirror, &format!("/{}", image.repository), true));
            }
        }
        let (location, rest, insecure) = match rule {
            // A wildcard without a location changes nothing.
            Some(rule) if !rule.location.is_empty() => (
                rule.location.clone(),
                rule.rest_of(&name).to_owned(),
                rule.insecure,
            ),
            rule => (
                name.clone(),
                String::new(),
                rule.is_some_and(|r| r.insecure),
            ),
        };
        let own = Endpoint {
            location,
            plain: false,
            insecure,
        };
        add(self.place(&own, &rest, false));
        Ok(places)
    }

    /// The rule with the longest prefix is the one that counts.
    fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules
            .iter()
            .filter(|rule| rule.covers(name))
            .max_by_key(|rule| rule.prefix.len())
    }

    fn place(&self, at: &Endpoint, rest: &str, mirror: bool) -> Place {
        let whole = format!("{}{rest}", at.location);
        let (host, repository) = whole.split_once('/').unwrap_or((&whole, ""));
        Place {
            host: host.to_owned(),
            repository: repository.to_owned(),
            plain: at.plain,
            insecure: at.insecure || self.is_named_insecure(host),
            mirror,
        }
    }

    fn take_own(&mut self, own: Own, file: &Path) -> Result<()> {
        let what = || format!("cannot use \"{}\"", file.display());
        self.take_mirrors(&own.registry_mirrors).what(what)?;
        self.insecure.extend(own.insecure_registries);
        match own.short_names.as_deref() {
            None | Some("docker.io") => Ok(()),
            Some("strict") => {
                self.strict = Some(file.to_owned());
                Ok(())
            }
            Some(other) => Err(Error::new(format!(
                "short-names cannot be \"{other}\": \"docker.io\" or \"strict\""
            ))
            .what(what())),
        }
    }

    fn take_daemon(&mut self, daemon: Daemon, file: &Path) -> Result<()> {
        self.take_mirrors(&daemon.registry_mirrors)
            .what(|| format!("cannot use \"{}\"", file.display()))?;
        self.insecure.extend(daemon.insecure_registries);
        Ok(())
    }

    /// docker's mirrors are addresses: `https://mirror.example`.
    fn take_mirrors(&mut self, addresses: &[String]) -> Result<()> {
        for address in addresses {
            let what = || format!("registry mirror \"{address}\"");
            let url = Url::parse(address).what(what)?;
            if url.path.contains('?') {
                return Err(Error::new("it has a query").what(what()));
            }
            let path = url.path.trim_end_matches('/');
            self.hub_mirrors.push(Endpoint {
                location: format!("{}{path}", url.origin),
                plain: !url.origin.tls,
                insecure: false,
            });
        }
        Ok(())
    }

    fn take_layer(&mut self, layer: &Layered) -> Result<()> {
        match layer {
            Layered::First(files) => {
                for (file, whose) in files {
                    if let Some(containers) = toml_file::<Containers>(file)? {
                        return self.take_containers(containers, file, *whose);
                    }
                }
                Ok(())
            }
            Layered::Directory(directory, whose) => {
                let mut files: Vec<PathBuf> = fs::read_dir(directory)
                    .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
                    .unwrap_or_default();
                files.retain(|file| file.extension().is_some_and(|e| e == "conf"));
                files.sort();
                for file in files {
                    if let Some(containers) = toml_file::<Containers>(&file)? {
                        self.take_containers(containers, &file, *whose)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Lays a file over those before it: same prefixes and aliases are replaced.
    fn take_containers(&mut self, file: Containers, path: &Path, whose: Whose) -> Result<()> {
        let what = || format!("cannot use \"{}\"", path.display());
        let rules = file.rules(path).what(what)?;
        self.rules
            .retain(|old| !rules.iter().any(|new| new.prefix == old.prefix));
        self.rules.extend(rules);
        self.aliases.extend(file.aliases);
        self.aliases.retain(|_, target| !target.is_empty());
        if let Some(search) = file.unqualified_search_registries {
            self.search = search;
        }
        match file.short_name_mode.as_deref() {
            Some("enforcing") if whose == Whose::User => self.strict = Some(path.to_owned()),
            None | Some("enforcing" | "permissive" | "disabled") => {}
            Some(other) => {
                return Err(
                    Error::new(format!("short-name-mode cannot be \"{other}\"")).what(what())
                );
            }
        }
        Ok(())
    }
}

impl Rule {
    /// Says whether a whole name lies below the prefix.
    fn covers(&self, name: &str) -> bool {
        if let Some(domain) = self.prefix.strip_prefix('*') {
            let host = name.split('/').next().unwrap_or(name);
            return host.len() > domain.len() && host.ends_with(domain);
        }
        name.strip_prefix(&self.prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':', '@']))
    }

    /// Returns what of a name comes after the prefix: `/path`, or nothing.
    fn rest_of<'a>(&self, name: &'a str) -> &'a str {
        if self.prefix.starts_with('*') {
            return name.find('/').map_or("", |at| &name[at..]);
        }
        // A prefix may name a tag, and then it is longer than the repository.
        name.get(self.prefix.len()..).unwrap_or("")
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Own {
    registry_mirrors: Vec<String>,
    insecure_registries: Vec<String>,
    short_names: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Daemon {
    registry_mirrors: Vec<String>,
    insecure_registries: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Containers {
    unqualified_search_registries: Option<Vec<String>>,
    short_name_mode: Option<String>,
    aliases: BTreeMap<String, String>,
    registry: Vec<RawRegistry>,
    /// The form of before 2019.
    registries: Option<Old>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct RawRegistry {
    prefix: String,
    location: String,
    insecure: bool,
    blocked: bool,
    mirror: Vec<RawMirror>,
    mirror_by_digest_only: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct RawMirror {
    location: String,
    insecure: bool,
    pull_from_mirror: Option<Serves>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Old {
    insecure: OldList,
    block: OldList,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OldList {
    registries: Vec<String>,
}

impl Containers {
    fn rules(&self, file: &Path) -> Result<Vec<Rule>> {
        let mut rules = Vec::new();
        for raw in &self.registry {
            rules.push(raw.rule(file)?);
        }
        if let Some(old) = &self.registries {
            let named = |list: &OldList, name: &String| list.registries.contains(name);
            let all = old.insecure.registries.iter().chain(&old.block.registries);
            rules.extend(all.map(|name| Rule {
                prefix: name.clone(),
                location: name.clone(),
                insecure: named(&old.insecure, name),
                blocked: named(&old.block, name),
                mirrors: Vec::new(),
                file: file.to_owned(),
            }));
        }
        Ok(rules)
    }
}

impl RawRegistry {
    fn rule(&self, file: &Path) -> Result<Rule> {
        let location = self.location.trim_end_matches('/').to_owned();
        let prefix = match self.prefix.trim_end_matches('/') {
            "" => location.clone(),
            prefix => prefix.to_owned(),
        };
        if prefix.is_empty() {
            return Err(Error::new("a [[registry]] has neither prefix nor location"));
        }
        if prefix.contains('*') && (!prefix.starts_with("*.") || prefix.contains('/')) {
            return Err(Error::new(format!(
                "prefix \"{prefix}\": a \"*\" stands for the first names of a host alone, as in \"*.example.com\""
            )));
        }
        let location = match (location.as_str(), prefix.starts_with('*')) {
            ("", false) => prefix.clone(),
            _ => location,
        };
        for name in [&prefix, &location] {
            if name.contains("://") {
                return Err(Error::new(format!(
                    "\"{name}\": leave out the scheme, and write `insecure = true` for HTTP"
                )));
            }
        }
        let mirrors = self.mirror.iter().map(|m| self.mirror(m, &prefix));
        Ok(Rule {
            mirrors: mirrors.collect::<Result<_>>()?,
            prefix,
            location,
            insecure: self.insecure,
            blocked: self.blocked,
            file: file.to_owned(),
        })
    }

    fn mirror(&self, raw: &RawMirror, prefix: &str) -> Result<Mirror> {
        let location = raw.location.trim_end_matches('/');
        if location.is_empty() || location.contains("://") {
            return Err(Error::new(format!(
                "a mirror of \"{prefix}\" has no location, or one with a scheme"
            )));
        }
        let default = if self.mirror_by_digest_only {
            Serves::DigestOnly
        } else {
            Serves::All
        };
        Ok(Mirror {
            at: Endpoint {
                location: location.to_owned(),
                plain: false,
                insecure: raw.insecure,
            },
            serves: raw.pull_from_mirror.unwrap_or(default),
        })
    }
}

fn toml_file<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let Some(text) = text_of(path)? else {
        return Ok(None);
    };
    toml::from_str(&text)
        .map(Some)
        .map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(0, |text| text.matches('\n').count()) + 1;
            Error::new(format!("line {line}: {}", error.message()))
        })
        .what(|| format!("cannot read \"{}\"", path.display()))
}

fn json_file<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let Some(text) = text_of(path)? else {
        return Ok(None);
    };
    serde_json::from_str(&text)
        .map(Some)
        .what(|| format!("cannot read \"{}\"", path.display()))
}

/// Returns a file's text, if it is there.
fn text_of(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error).what(|| format!("cannot read \"{}\"", path.display())),
    }
}

#[cfg(test)]
mod tests;
