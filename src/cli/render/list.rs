//! Lists: as a table, as ids, as JSON lines, or as a template says.
//!
//! Lives here: the meaning of `--format` for verbs that list.
//! Must not: know the columns; a verb gives them.
//! Called by: `ps`, `images`, `volume ls`.
//! Always true: a row has all fields that the headers have.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::cli::render::table;
use crate::cli::render::terminal;
use crate::cli::template::{Mode, Template};
use crate::error::Result;

/// A field that a template may ask for: its name and its header.
pub type Field = (&'static str, &'static str);

/// One row.
#[derive(Debug)]
pub struct Row {
    /// A text for each field.
    pub fields: BTreeMap<&'static str, String>,
    /// Labels, for `.Label "x"`.
    pub labels: BTreeMap<String, String>,
}

/// How a list is shown.
#[derive(Debug)]
pub struct Look<'a> {
    /// All fields.
    pub fields: &'a [Field],
    /// The template of the table that is shown when none was asked for.
    pub table: &'a str,
    /// `-q`: only this field.
    pub only: Option<&'a str>,
    /// `--format`.
    pub format: Option<&'a str>,
}

/// Writes a list to standard output.
pub fn show(look: &Look<'_>, rows: &[Row]) -> Result<()> {
    terminal::answer(&draw(look, rows)?)
}

/// Returns a list as text.
pub fn draw(look: &Look<'_>, rows: &[Row]) -> Result<String> {
    if let (Some(only), None) = (look.only, look.format) {
        return Ok(rows
            .iter()
            .map(|row| format!("{}\n", row.fields[only]))
            .collect());
    }
    let format = match look.format {
        None | Some("" | "table") => look.table,
        Some("json") => "{{json .}}",
        Some(format) => format,
    };
    let (is_table, text) = match format.strip_prefix("table") {
        Some(rest) if rest.starts_with([' ', '\t', '{', '\\']) => (true, rest.trim()),
        _ => (false, format),
    };
    // A shell hands `\t` over as two characters.
    let template = Template::parse(&text.replace("\\t", "\t").replace("\\n", "\n"))?;
    let mut lines = Vec::new();
    for row in rows {
        lines.push(template.run(
            &value(row),
            &|name, arguments| method(row, name, arguments),
            Mode::Value,
        )?);
    }
    let headers: Map<String, Value> = look
        .fields
        .iter()
        .map(|(name, header)| ((*name).to_owned(), Value::from(*header)))
        .collect();
    // Also where there is no row and no table, so that a mistake is always told.
    let head = template.run(&headers.into(), &header_of, Mode::Headers)?;
    if !is_table {
        return Ok(lines.iter().map(|line| format!("{line}\n")).collect());
    }
    let cells: Vec<Vec<String>> = [&head]
        .into_iter()
        .chain(&lines)
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect();
    Ok(table::draw(&cells))
}

fn value(row: &Row) -> Value {
    row.fields
        .iter()
        .map(|(name, text)| ((*name).to_owned(), Value::from(text.as_str())))
        .collect::<Map<_, _>>()
        .into()
}

fn method(row: &Row, name: &str, arguments: &[Value]) -> Option<Value> {
    match (name, arguments) {
        ("Label", [Value::String(key)]) => {
            Some(row.labels.get(key).cloned().unwrap_or_default().into())
        }
        _ => None,
    }
}

/// docker heads a label's column with the end of its key.
fn header_of(name: &str, arguments: &[Value]) -> Option<Value> {
    match (name, arguments) {
        ("Label", [Value::String(key)]) => {
            let last = key.rsplit('.').next().unwrap_or(key);
            Some(last.replace(['-', '_'], " ").into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Look, Row, draw};

    const FIELDS: &[super::Field] = &[("ID", "CONTAINER ID"), ("Names", "NAMES")];

    fn drawn(format: Option<&str>, only: Option<&str>) -> String {
        let row = |id: &str, name: &str| Row {
            fields: [("ID", id.to_owned()), ("Names", name.to_owned())].into(),
            labels: [("com.x.app-name".to_owned(), "shop".to_owned())].into(),
        };
        let look = Look {
            fields: FIELDS,
            table: "table {{.ID}}\t{{.Names}}",
            only,
            format,
        };
        match draw(
            &look,
            &[row("2cecb6b0fd74", "web"), row("aa6284a5aeec", "db")],
        ) {
            Ok(text) => text,
            Err(error) => format!("! {error}"),
        }
    }

    #[test]
    fn every_form_of_format() {
        for (format, text) in [
            (
                None,
                "CONTAINER ID   NAMES\n2cecb6b0fd74   web\naa6284a5aeec   db\n",
            ),
            (Some("table {{.Names}}"), "NAMES\nweb\ndb\n"),
            (
                Some("table {{upper .Names}}\\t{{.Label \"com.x.app-name\"}}"),
                "NAMES     app name\nWEB       shop\nDB        shop\n",
            ),
            (
                Some("{{.Names}}: {{.ID}}"),
                "web: 2cecb6b0fd74\ndb: aa6284a5aeec\n",
            ),
            (
                Some("json"),
                "{\"ID\":\"2cecb6b0fd74\",\"Names\":\"web\"}\n{\"ID\":\"aa6284a5aeec\",\"Names\":\"db\"}\n",
            ),
            (Some("{{.Label \"none\"}}."), ".\n.\n"),
            (Some("tablet"), "tablet\ntablet\n"),
        ] {
            assert_eq!(drawn(format, None), text, "{format:?}");
        }
        assert_eq!(drawn(None, Some("ID")), "2cecb6b0fd74\naa6284a5aeec\n");
        let wrong = drawn(Some("{{.Name}}"), None);
        assert!(wrong.contains("there is no field \"Name\""), "{wrong}");
    }
}
