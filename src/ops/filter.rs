//! `--filter key=value`: which of many are meant.
//!
//! Lives here: what all lists share: which keys are known, how labels and names
//! are compared.
//! Must not: know a list.
//! Called by: `ps`, `volume`.
//! Always true: a key nobody knows is an error that names those there are;
//! several values of one key are alternatives, several keys must all fit, and
//! so must several labels.

use std::collections::BTreeMap;

use crate::error::{Error, Kind, Result};

/// A key and its value.
pub type Filter = (String, String);

/// Refuses keys that are not among `known`.
pub fn check(filters: &[Filter], known: &[&str]) -> Result<()> {
    match filters
        .iter()
        .find(|(key, _)| !known.contains(&key.as_str()))
    {
        None => Ok(()),
        Some((key, _)) => Err(Error::of(
            Kind::Usage,
            format!(
                "there is no filter \"{key}\": there are {}",
                known.join(", ")
            ),
        )),
    }
}

/// Says whether one of the values of `key` fits; so it is when the key was not asked for.
pub fn any(filters: &[Filter], key: &str, fits: impl Fn(&str) -> bool) -> bool {
    let mut values = filters.iter().filter(|(k, _)| k == key).peekable();
    values.peek().is_none() || values.any(|(_, value)| fits(value))
}

/// Says whether all labels asked for are there, and none of `label!`.
pub fn labels(filters: &[Filter], labels: &BTreeMap<String, String>) -> bool {
    filters.iter().all(|(key, value)| match key.as_str() {
        "label" => has_label(labels, value),
        "label!" => !has_label(labels, value),
        _ => true,
    })
}

fn has_label(labels: &BTreeMap<String, String>, wanted: &str) -> bool {
    match wanted.split_once('=') {
        Some((key, value)) => labels.get(key).is_some_and(|v| v == value),
        None => labels.contains_key(wanted),
    }
}

/// Says whether a name has a part in it; `^` and `$` hold it to the name's ends, `.*` and `*` stand for anything.
pub fn name(pattern: &str, name: &str) -> bool {
    let (from_start, pattern) = match pattern.strip_prefix('^') {
        Some(rest) => (true, rest.strip_prefix('/').unwrap_or(rest)),
        None => (false, pattern.strip_prefix('/').unwrap_or(pattern)),
    };
    let (to_end, pattern) = match pattern.strip_suffix('$') {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    let pattern = pattern.replace(".*", "*");
    let parts: Vec<&str> = pattern.split('*').collect();
    let mut rest = name;
    for (at, part) in parts.iter().enumerate() {
        let last = at + 1 == parts.len();
        if at == 0 && from_start {
            let Some(after) = rest.strip_prefix(part) else {
                return false;
            };
            rest = after;
            if last && to_end && !rest.is_empty() {
                return false;
            }
        } else if last && to_end {
            return rest.ends_with(part);
        } else {
            let Some(found) = rest.find(part) else {
                return false;
            };
            rest = &rest[found + part.len()..];
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{any, check, labels, name};

    fn filters(list: &[(&str, &str)]) -> Vec<super::Filter> {
        list.iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn a_part_of_a_name_is_enough_unless_held_to_its_ends() {
        for (pattern, text, fits) in [
            ("web", "my-web-1", true),
            ("^web$", "web", true),
            ("^/web$", "web", true),
            ("^web$", "web1", false),
            ("^web", "web1", true),
            ("web$", "my-web", true),
            ("web$", "web1", false),
            ("w.*1$", "my-web-1", true),
            ("^w*b$", "web", true),
            ("x", "web", false),
            ("", "web", true),
        ] {
            assert_eq!(name(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn values_are_alternatives_and_labels_are_not() {
        let two = filters(&[("status", "running"), ("status", "exited")]);
        assert!(any(&two, "status", |v| v == "exited") && any(&two, "name", |_| false));
        assert!(!any(&two, "status", |v| v == "dead"));
        let have = [
            ("a".to_owned(), "1".to_owned()),
            ("b".to_owned(), String::new()),
        ]
        .into();
        for (asked, fits) in [
            (&[("label", "a=1"), ("label", "b")][..], true),
            (&[("label", "a=2")], false),
            (&[("label", "a"), ("label", "c")], false),
            (&[("label!", "a")], false),
        ] {
            assert_eq!(labels(&filters(asked), &have), fits, "{asked:?}");
        }
        let error = check(&two, &["name", "label"]).expect_err("it is unknown");
        assert_eq!(
            error.to_string(),
            "there is no filter \"status\": there are name, label"
        );
    }
}
