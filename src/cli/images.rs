//! `rpod images`: which images there are.
use std::collections::BTreeMap;

use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::{filter, usage};
use crate::cli::ps::moment;
use crate::cli::render::list::{self, Field, Look};
use crate::cli::render::{table, terminal};
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;
use crate::ops::images::Row;
use crate::spec::digest::Digest;
use crate::spec::{duration, size};

pub(super) const FIELDS: &[Field] = &[
    ("ID", "IMAGE ID"),
    ("Repository", "REPOSITORY"),
    ("Tag", "TAG"),
    ("Digest", "DIGEST"),
    ("CreatedSince", "CREATED"),
    ("CreatedAt", "CREATED AT"),
    ("Size", "SIZE"),
    ("Containers", "CONTAINERS"),
    ("SharedSize", "SHARED SIZE"),
    ("UniqueSize", "UNIQUE SIZE"),
    ("VirtualSize", "VIRTUAL SIZE"),
];

/// List images
#[derive(Debug, Parser)]
#[command(
    after_help = "Filters: before, containers, dangling, digest, id, intermediate, label, readonly, reference, since, until"
)]
pub struct Args {
    /// docker's; rpod keeps no images between the steps of a build
    #[arg(short, long, hide = true)]
    all: bool,
    /// Show digests
    #[arg(long)]
    digests: bool,
    /// Show those that fit (can be repeated)
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Show as a Go template says, or as table or json
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Cut nothing off
    #[arg(long)]
    no_trunc: bool,
    /// Show only ids
    #[arg(short, long)]
    quiet: bool,
    /// Show each with all its names, its platform and the bytes it takes
    #[arg(long)]
    tree: bool,
    /// Only of this name, which may have *
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let options = ops::images::Options {
            name: self.name,
            filters: filter::pairs(&self.filter)?,
        };
        let found = ops::images::list(&door.session()?, &options)?;
        if self.tree {
            if self.quiet || self.format.is_some() {
                return Err(usage(
                    "--tree has a form of its own: leave out --quiet and --format".to_owned(),
                ));
            }
            terminal::answer(&tree(&found, self.no_trunc))?;
            return Ok(0);
        }
        let rows: Vec<list::Row> = found.iter().map(|one| row(one, self.no_trunc)).collect();
        let table = if self.digests {
            "table {{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
        } else {
            "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
        };
        list::show(
            &Look {
                fields: FIELDS,
                table,
                only: self.quiet.then_some("ID"),
                format: self.format.as_deref(),
            },
            &rows,
        )?;
        Ok(0)
    }
}

/// docker's tree: an image with its platform below it. What is shared is counted in each.
fn tree(rows: &[Row], whole: bool) -> String {
    let heads = ["IMAGE", "ID", "DISK USAGE", "CONTENT SIZE", "EXTRA"];
    let mut cells = vec![heads.map(str::to_owned).to_vec()];
    let mut seen: Vec<&Digest> = Vec::new();
    for one in rows {
        if seen.contains(&&one.id) {
            continue;
        }
        seen.push(&one.id);
        let same = rows.iter().filter(|other| other.id == one.id);
        let names: Vec<String> = same
            .filter_map(|other| Some((other.repository.as_ref()?, other.tag.as_ref()?)))
            .map(|(repository, tag)| format!("{repository}:{tag}"))
            .collect();
        let id = |digest: &Digest| match whole {
            true => digest.to_string(),
            false => digest.short().to_owned(),
        };
        // An artifact has no files beside its blobs.
        let files = if one.artifact.is_some() { 0 } else { one.size };
        let (disk, content) = (size::decimal(files + one.packed), size::decimal(one.packed));
        let used = if one.containers > 0 { "U" } else { "" };
        let name = match names.is_empty() {
            true => "<untagged>".to_owned(),
            false => names.join(", "),
        };
        cells.push(vec![
            name,
            id(&one.digest),
            disk.clone(),
            content.clone(),
            used.to_owned(),
        ]);
        let platform = format!("└─ {}", one.artifact.as_ref().unwrap_or(&one.platform));
        cells.push(vec![platform, id(&one.id), disk, content, used.to_owned()]);
    }
    table::draw(&cells)
}

pub(super) fn row(one: &Row, whole: bool) -> list::Row {
    let none = || "<none>".to_owned();
    let id = if whole {
        one.id.as_str()
    } else {
        one.id.short()
    };
    let since = one
        .created
        .map(|t| format!("{} ago", duration::human(t.age())));
    let fields = BTreeMap::from([
        ("ID", id.to_owned()),
        ("Repository", one.repository.clone().unwrap_or_else(none)),
        ("Tag", one.tag.clone().unwrap_or_else(none)),
        ("Digest", one.digest.to_string()),
        ("CreatedSince", since.unwrap_or_else(|| "N/A".to_owned())),
        (
            "CreatedAt",
            one.created.map(moment).unwrap_or_else(|| "N/A".to_owned()),
        ),
        ("Size", size::decimal(one.size)),
        ("Containers", one.containers.to_string()),
        ("SharedSize", size::decimal(one.shared)),
        ("UniqueSize", size::decimal(one.size - one.shared)),
        ("VirtualSize", size::decimal(one.size)),
    ]);
    list::Row {
        fields,
        labels: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{FIELDS, Row, row};
    use crate::cli::render::list::{Look, draw};
    use crate::spec::digest::Digest;
    use crate::spec::time::Time;

    #[test]
    fn the_list_is_the_tutorials() {
        let image = |repository: &str, tag: &str| Row {
            repository: Some(repository.to_owned()),
            tag: Some(tag.to_owned()),
            id: Digest::of(b""),
            digest: Digest::of(b"manifest"),
            created: Time::parse_since("2h").ok(),
            size: 864_000_000,
            shared: 0,
            packed: 0,
            platform: String::new(),
            artifact: None,
            containers: 1,
        };
        let rows: Vec<_> = [image("kubia", "latest"), image("zhangcaiwang/kubia", "1.0")]
            .iter()
            .map(|one| row(one, false))
            .collect();
        let look = Look {
            fields: FIELDS,
            table: "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
            only: None,
            format: None,
        };
        assert_eq!(
            draw(&look, &rows).expect("drawn"),
            "REPOSITORY           TAG       IMAGE ID       CREATED       SIZE\n\
             kubia                latest    e3b0c44298fc   2 hours ago   864MB\n\
             zhangcaiwang/kubia   1.0       e3b0c44298fc   2 hours ago   864MB\n"
        );
    }
}
