//! What is generated from the verbs and kept in the repository: manuals and completions.
//!
//! Lives here: the test that fails when `man/` or `completions/` is not what the
//! verbs give, and writes them when it is asked to.
//! Must not: be part of the program.
//! Called by: `cargo test`.
//! Always true: a verb's page is `man/rpod-<verb>.1`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Command;

use crate::cli::completion::{self, Kind};
use crate::cli::help;

/// Asked for with `RPOD_UPDATE=1 cargo test`.
const UPDATE: &str = "RPOD_UPDATE";

#[test]
fn manuals_and_completions_are_what_the_verbs_give() {
    let mut expected = BTreeMap::new();
    pages(&help::tree(), "rpod", &mut expected);
    for (shell, name) in [
        (Kind::Bash, "rpod.bash"),
        (Kind::Zsh, "_rpod"),
        (Kind::Fish, "rpod.fish"),
    ] {
        expected.insert(
            Path::new("completions").join(name),
            completion::script(shell),
        );
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os(UPDATE).is_some() {
        update(root, &expected);
    }
    for (path, text) in &expected {
        let found = fs::read(root.join(path)).unwrap_or_default();
        assert!(
            found == *text,
            "{} is not what the verbs give: run `{UPDATE}=1 cargo test surface` and commit it",
            path.display()
        );
    }
    for directory in ["man", "completions"] {
        for entry in fs::read_dir(root.join(directory)).expect("it is there") {
            let path = Path::new(directory).join(entry.expect("an entry").file_name());
            assert!(
                expected.contains_key(&path),
                "{} belongs to no verb",
                path.display()
            );
        }
    }
}

fn update(root: &Path, expected: &BTreeMap<PathBuf, Vec<u8>>) {
    for directory in ["man", "completions"] {
        drop(fs::remove_dir_all(root.join(directory)));
        fs::create_dir_all(root.join(directory)).expect("made");
    }
    for (path, text) in expected {
        fs::write(root.join(path), text).expect("written");
    }
}

/// A page for a command and each below it.
fn pages(command: &Command, name: &str, out: &mut BTreeMap<PathBuf, Vec<u8>>) {
    let mut page = Vec::new();
    let titled = command
        .clone()
        .name(name.to_owned())
        .display_name(name.to_owned());
    clap_mangen::Man::new(titled)
        .title(name.to_uppercase())
        .date("")
        .source(format!("rpod {}", crate::cli::version::NUMBER))
        .manual("rpod")
        .render(&mut page)
        .expect("rendered");
    out.insert(Path::new("man").join(format!("{name}.1")), page);
    for inner in command.get_subcommands() {
        pages(inner, &format!("{name}-{}", inner.get_name()), out);
    }
}
