//! The list of what a verb needs, held for every verb: a door in `src/cli`, its
//! meaning in `src/ops`, and a test that types it. That manuals and completions are
//! there and up to date is in `src/cli/surface.rs`.
//!
//! A verb is a file of `src/cli` whose arguments act (`impl Act for`). Used by
//! `cargo test`. What must not live here: what a verb does. Always true: a verb that
//! lacks a part is named with the file that is to be written.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by a panic"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    let root = std::env::var("RPOD_TEST_SOURCE").unwrap_or(env!("CARGO_MANIFEST_DIR").into());
    PathBuf::from(root)
}

/// The modules of a directory: its files and its directories.
fn modules(directory: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir() || path.extension().is_some_and(|kind| kind == "rs"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

fn verbs() -> Vec<String> {
    let cli = root().join("src/cli");
    let all: Vec<String> = modules(&cli)
        .into_iter()
        .filter(|name| text_of(&cli, name).contains("impl Act for "))
        .collect();
    assert!(all.len() > 20, "these are all verbs: {all:?}");
    all
}

/// The text of a module.
fn text_of(directory: &Path, name: &str) -> String {
    std::fs::read_to_string(directory.join(format!("{name}.rs")))
        .or_else(|_| std::fs::read_to_string(directory.join(name).join("mod.rs")))
        .unwrap_or_default()
}

#[test]
fn every_verb_has_its_meaning_in_ops() {
    let ops = modules(&root().join("src/ops"));
    let mut missing = Vec::new();
    for verb in verbs() {
        if !ops.contains(&verb) && !is_only_wording(&verb) {
            missing.push(format!(
                "verb \"{verb}\": src/cli/{verb}.rs has no src/ops/{verb}.rs"
            ));
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

/// A door which uses `ops` under other names says so by importing it.
fn is_only_wording(verb: &str) -> bool {
    let text = text_of(&root().join("src/cli"), verb);
    text.contains("ops::") || !text.contains("ops")
}

#[test]
fn every_verb_is_typed_in_a_test() {
    let tests = root().join("tests/it");
    let mut text = String::new();
    for entry in std::fs::read_dir(tests).unwrap().flatten() {
        text += &std::fs::read_to_string(entry.path()).unwrap();
    }
    let untyped = verbs().into_iter().filter(|verb| {
        let word = verb.replace('_', "-");
        !text.contains(&format!("\"{word}\"")) && !text.contains(&format!("\"{word} "))
    });
    let missing: Vec<_> = untyped
        .map(|verb| format!("verb \"{verb}\": no test in tests/it types it"))
        .collect();
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}
