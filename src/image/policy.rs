//! Trust: which images may come in, as containers-policy.json(5) has it.
//!
//! ```text
//! ~/.config/containers/policy.json, else /etc/containers/policy.json
//!
//! { "default": [ { "type": "insecureAcceptAnything" } ],
//!   "transports": { "docker": { "registry.example/team": [ { "type": "reject" } ] } } }
//! ```
//!
//! The scopes of `docker` from the most specific: the image with its tag or
//! digest, its repository, what the repository lies in, the host, `*.` and the
//! host's domains, the empty scope; then the default. One set of rules counts,
//! and all rules of it must pass.
//!
//! Lives here: reading the file and deciding about a name.
//! Must not: fetch, or look at signatures: rpod can check none.
//! Called by: `ops::pull`, before anything is asked of a registry.
//! Always true: a rule of a kind that rpod cannot check refuses; it is never
//! treated as passed. A file that cannot be understood refuses everything. Where
//! there is no file, nothing was forbidden.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Context, Error, Result};
use crate::spec::reference::Reference;

/// What a policy.json says.
#[derive(Clone, Debug)]
pub struct Policy {
    file: PathBuf,
    rules: Rules,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    default: Vec<Rule>,
    #[serde(default)]
    transports: BTreeMap<String, BTreeMap<String, Vec<Rule>>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Rule {
    #[serde(rename = "type")]
    kind: String,
}

/// Where the file may be, the first first.
pub fn files(home: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let user = variable("XDG_CONFIG_HOME")
        .filter(|text| !text.is_empty())
        .map_or_else(|| home.join(".config"), PathBuf::from);
    vec![
        user.join("containers/policy.json"),
        PathBuf::from("/etc/containers/policy.json"),
    ]
}

impl Policy {
    /// Reads the first of the files that is there.
    ///
    /// # Errors
    /// When it cannot be read or understood: then nothing may be pulled.
    pub fn read(files: &[PathBuf]) -> Result<Option<Self>> {
        for file in files {
            let what = || format!("cannot read the policy \"{}\"", file.display());
            let hint = || "nothing is pulled while it cannot be understood: mend it, see containers-policy.json(5)";
            let bytes = match fs::read(file) {
                Err(error)
                    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
                {
                    continue;
                }
                read => read.what(what)?,
            };
            let rules: Rules = serde_json::from_slice(&bytes).what(what).hint(hint)?;
            rules.check().what(what).hint(hint)?;
            return Ok(Some(Self {
                file: file.clone(),
                rules,
            }));
        }
        Ok(None)
    }

    /// Says whether an image may be pulled.
    ///
    /// # Errors
    /// Names the rule that forbids it, or that rpod cannot check, and the file.
    pub fn admit(&self, image: &Reference) -> Result<()> {
        let (scope, rules) = self.rules_for(image);
        let file = self.file.display();
        for rule in rules {
            match rule.kind.as_str() {
                "insecureAcceptAnything" => {}
                "reject" => {
                    return Err(Error::new(format!(
                        "the policy \"{file}\" rejects it (rule \"reject\" of {scope})"
                    )));
                }
                other => {
                    return Err(Error::new(format!(
                        "the policy \"{file}\" wants a rule \"{other}\" of {scope} to be checked, which rpod cannot do"
                    ))
                    .hint("pull it with a program that checks it, such as skopeo, into an archive for `rpod load`, or change the policy"));
                }
            }
        }
        Ok(())
    }

    /// Returns the rules that count for an image, and whose they are.
    fn rules_for(&self, image: &Reference) -> (String, &[Rule]) {
        if let Some(docker) = self.rules.transports.get("docker") {
            for scope in scopes(image) {
                if let Some(rules) = docker.get(&scope) {
                    return (format!("scope \"{scope}\" of \"docker\""), rules);
                }
            }
        }
        ("the default".to_owned(), &self.rules.default)
    }
}

impl Rules {
    fn check(&self) -> Result<()> {
        let scoped = self.transports.values().flat_map(BTreeMap::values);
        if scoped.chain([&self.default]).any(Vec::is_empty) {
            return Err(Error::new("a list of rules is empty, which says nothing"));
        }
        Ok(())
    }
}

/// Returns the scopes that an image is in, the most specific first.
fn scopes(image: &Reference) -> Vec<String> {
    let mut path = format!("{}/{}", image.registry, image.repository);
    let mut scopes: Vec<String> = Vec::new();
    scopes.extend(
        image
            .digest
            .as_ref()
            .map(|digest| format!("{path}@{digest}")),
    );
    scopes.extend(image.tag.as_ref().map(|tag| format!("{path}:{tag}")));
    scopes.push(path.clone());
    while let Some((head, _)) = path.rsplit_once('/') {
        path = head.to_owned();
        scopes.push(path.clone());
    }
    // Of a.b.example:5000 those are *.b.example:5000 and *.example:5000.
    let mut host = image.registry.as_str();
    while let Some((_, rest)) = host.split_once('.') {
        scopes.push(format!("*.{rest}"));
        host = rest;
    }
    scopes.push(String::new());
    scopes
}

#[cfg(test)]
mod tests {
    use super::{Policy, files};

    fn read(text: &str) -> crate::error::Result<Policy> {
        let home = tempfile::tempdir().expect("a directory");
        let file = home.path().join(".config/containers/policy.json");
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("made");
        std::fs::write(&file, text).expect("written");
        Ok(Policy::read(&files(home.path(), &|_| None))?.expect("it is there"))
    }

    fn refused(policy: &Policy, image: &str) -> Option<String> {
        let image = image.parse().expect("a name");
        policy.admit(&image).err().map(|error| error.to_string())
    }

    #[test]
    fn the_most_specific_scope_is_the_one_that_counts() {
        let policy = read(
            r#"{ "default": [{"type": "reject"}],
                 "transports": {
                   "docker-daemon": { "": [{"type": "reject"}] },
                   "docker": {
                     "docker.io": [{"type": "insecureAcceptAnything"}],
                     "docker.io/library/bad": [{"type": "reject"}],
                     "docker.io/library/bad:good": [{"type": "insecureAcceptAnything"}],
                     "*.example.com": [{"type": "insecureAcceptAnything"}],
                     "x.example.com": [{"type": "reject"}],
                     "r.example/team": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/k"}],
                     "r.example/both": [{"type": "insecureAcceptAnything"}, {"type": "sigstoreSigned"}]
                   } } }"#,
        )
        .expect("read");
        for (image, word) in [
            ("busybox", None),
            ("bad", Some("scope \"docker.io/library/bad\"")),
            ("bad:good", None),
            ("badly", None),
            ("a.b.example.com/x", None),
            ("x.example.com/x", Some("scope \"x.example.com\"")),
            ("example.com/x", Some("the default")),
            ("r.example/team/app", Some("rule \"signedBy\"")),
            ("r.example/both", Some("rule \"sigstoreSigned\"")),
            ("r.example/other", Some("the default")),
        ] {
            let error = refused(&policy, image);
            assert_eq!(error.is_some(), word.is_some(), "{image}: {error:?}");
            if let (Some(error), Some(word)) = (error, word) {
                assert!(error.contains(word), "{image}: {error}");
                assert!(error.contains("policy.json"), "{image}: {error}");
            }
        }
    }

    #[test]
    fn the_empty_scope_stands_before_the_default() {
        let policy = read(
            r#"{ "default": [{"type": "reject"}],
                 "transports": { "docker": { "": [{"type": "insecureAcceptAnything"}] } } }"#,
        )
        .expect("read");
        assert_eq!(refused(&policy, "busybox"), None);
    }

    #[test]
    fn what_cannot_be_understood_refuses() {
        for text in [
            "",
            "{}",
            r#"{"default": []}"#,
            r#"{"default": [{"typo": "reject"}]}"#,
            r#"{"default": [{"type": "insecureAcceptAnything"}], "transport": {}}"#,
            r#"{"default": [{"type": "insecureAcceptAnything"}], "transports": {"docker": {"x": []}}}"#,
        ] {
            let error = read(text).expect_err(text);
            assert!(error.to_string().contains("policy.json"), "{error}");
            assert!(!error.hints().is_empty(), "{text}");
        }
        let policy = read(r#"{"default": [{"type": "brandNew"}]}"#).expect("read");
        let error = refused(&policy, "busybox").expect("refused");
        assert!(error.contains("\"brandNew\""), "{error}");
    }

    #[test]
    fn where_there_is_no_file_nothing_is_forbidden() {
        let missing = [std::path::PathBuf::from("/nowhere/policy.json")];
        assert!(Policy::read(&missing).expect("read").is_none());
    }
}
