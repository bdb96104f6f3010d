//! The rules of the house, read from the sources: floors and one-way imports,
//! where `unsafe` may be, what every file opens with, and names that say nothing.
//!
//! Each rule is a function from a set of sources to sentences; the sentences name
//! the file, the line and the room where the line belongs. The last tests break
//! each rule on purpose. Used by `cargo test`; takes well under a second.
//!
//! What must not live here: rules about style that rustfmt and clippy hold. Always
//! true: `FLOORS` and `NEIGHBOURS` are the whole of the plan, so changing the plan
//! is a change here that a reviewer sees.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by a panic"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The rooms, from the top. An import only goes down.
const FLOORS: [&[&str]; 7] = [
    &["main"],
    &["cli", "api", "role"],
    &["ops"],
    &[
        "image",
        "build",
        "compose",
        "kube",
        "unit",
        "runtime",
        "rootfs",
        "monitor",
        "network",
        "dataplane",
    ],
    &["store", "process"],
    &["spec", "host", "error", "progress"],
    &["sys"],
];

/// Rooms that import another on their own floor, each with the reason.
const NEIGHBOURS: [(&str, &str, &str); 6] = [
    (
        "runtime",
        "rootfs",
        "the sequence mounts the tree that rootfs describes",
    ),
    ("dataplane", "network", "packets follow the plan on paper"),
    ("spec", "error", "a grammar says what it cannot read"),
    (
        "host",
        "error",
        "a fact that cannot be read is a failure with a hint",
    ),
    (
        "host",
        "spec",
        "the machine's facts are in the words of spec: platforms, users",
    ),
    (
        "progress",
        "spec",
        "what is told about is named in the words of spec",
    ),
];

/// Where the line belongs instead, by the room that was wrongly imported.
const ADVICE: [(&str, &str); 7] = [
    (
        "main",
        "nothing imports main; what is shared goes down into a room",
    ),
    (
        "cli",
        "wording and flags stay in cli; return a value and let cli render it",
    ),
    (
        "role",
        "a role only calls down; pass values in its job through process",
    ),
    (
        "ops",
        "what a verb means stays in ops; pass what this room needs as an argument",
    ),
    (
        "store",
        "take the path or the value as an argument; ops asks the store",
    ),
    (
        "process",
        "launching belongs to ops and roles; take a value",
    ),
    ("sys", "sys is the ground floor"),
];

const EMPTY_NAMES: [&str; 11] = [
    "util", "utils", "common", "helpers", "misc", "core", "manager", "internal", "impl", "base",
    "types",
];

/// A source: its path below `src`, and its text.
type Sources = BTreeMap<String, String>;

#[test]
fn imports_only_go_down() {
    assert_house(imports(&sources()));
}

#[test]
fn rooms_import_each_other_in_one_direction() {
    assert_house(cycles(&sources()));
}

#[test]
fn raw_system_calls_are_in_sys() {
    assert_house(raw_calls(&sources()));
}

#[test]
fn every_file_says_what_lives_there() {
    assert_house(headers(&sources()));
}

#[test]
fn names_say_something() {
    assert_house(names(&sources()));
}

fn assert_house(complaints: Vec<String>) {
    let count = complaints.len();
    assert!(
        count == 0,
        "{count} against the plan of the house:\n\n{}\n",
        complaints.join("\n")
    );
}

fn sources() -> Sources {
    let root = std::env::var("RPOD_TEST_SOURCE").unwrap_or(env!("CARGO_MANIFEST_DIR").into());
    let root = Path::new(&root).join("src");
    let mut found = Sources::new();
    let mut pending = vec![root.clone()];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path
                    .strip_prefix(&root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {}", root.display());
    found
}

/// The room of a file: the first part of its path.
fn room(file: &str) -> &str {
    let first = file.split('/').next().unwrap();
    first.trim_end_matches(".rs")
}

fn floor(room: &str) -> Option<usize> {
    let index = FLOORS.iter().position(|floor| floor.contains(&room))?;
    Some(FLOORS.len() - 1 - index)
}

/// An import of another room: from where, which.
struct Import<'a> {
    file: &'a str,
    line: usize,
    from: &'a str,
    to: String,
}

fn imports_of(sources: &Sources) -> Vec<Import<'_>> {
    let mut found = Vec::new();
    for (file, text) in sources {
        let code = without_comments_and_strings(text);
        let depth = depth(file);
        let mut seen = BTreeSet::new();
        for (line, to) in paths_from_the_root(&code, depth) {
            let from = room(file);
            // A word that is no room is an item of main's own, or a module of a test.
            if to != from && is_room(&to, sources) && seen.insert((line, to.clone())) {
                found.push(Import {
                    file,
                    line,
                    from,
                    to,
                });
            }
        }
    }
    found
}

fn is_room(name: &str, sources: &Sources) -> bool {
    floor(name).is_some()
        || sources
            .keys()
            .any(|file| file.contains('/') && room(file) == name)
}

/// How many modules a file is below the crate's root.
fn depth(file: &str) -> usize {
    let parts = file.split('/').count();
    match file.rsplit('/').next() {
        Some("mod.rs") => parts - 1,
        Some("main.rs" | "lib.rs") if parts == 1 => 0,
        _ => parts,
    }
}

/// The first parts of paths that begin at the crate's root, with their lines:
/// `crate::a::b`, `crate::{a, b::{c}}`, and `super::` as often as the file is deep.
fn paths_from_the_root(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let supers = "super::".repeat(depth);
    let mut starts = vec!["crate::"];
    if depth > 0 {
        starts.push(&supers);
    }
    for start in starts {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            let joined = before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':');
            if joined || code[at + start.len()..].starts_with("super::") {
                continue;
            }
            for (offset, name) in first_parts(&code[at + start.len()..]) {
                let end = at + start.len() + offset;
                let line = code[..end].matches('\n').count() + 1;
                found.push((line, name));
            }
        }
    }
    found
}

/// The first name of a path, or of each path in its braces.
fn first_parts(path: &str) -> Vec<(usize, String)> {
    let Some(group) = path.strip_prefix('{') else {
        let name = word(path);
        return if name.is_empty() {
            Vec::new()
        } else {
            vec![(0, name)]
        };
    };
    let mut found = Vec::new();
    let (mut depth, mut fresh) = (1, true);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => fresh = true,
            _ if fresh && (character.is_alphabetic() || character == '_') => {
                found.push((at + 1, word(&group[at..])));
                fresh = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

fn word(text: &str) -> String {
    let text = text.strip_prefix("r#").unwrap_or(text);
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// The text with comments and the insides of strings blanked, line by line.
fn without_comments_and_strings(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    let mut blank = |from: usize, to: usize| {
        for byte in &mut out[from..to.min(bytes.len())] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    };
    let find = |from: usize, what: &str| {
        let rest = text.as_bytes().get(from..).unwrap_or_default();
        let found = rest
            .windows(what.len())
            .position(|window| window == what.as_bytes());
        found.map_or(bytes.len(), |offset| from + offset)
    };
    while at < bytes.len() {
        let rest = &bytes[at..];
        let end = if rest.starts_with(b"//") {
            find(at, "\n")
        } else if rest.starts_with(b"/*") {
            block_comment_end(bytes, at)
        } else if let Some(hashes) = raw_string_hashes(bytes, at) {
            let open = find(at, "\"") + 1;
            let close = format!("\"{}", "#".repeat(hashes));
            find(open, &close) + close.len()
        } else if rest[0] == b'"' {
            string_end(bytes, at)
        } else if let Some(length) = character_length(text, at) {
            at + length
        } else {
            at += 1;
            continue;
        };
        blank(at, end);
        at = end;
    }
    String::from_utf8(out).unwrap()
}

fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// How many `#` a raw string has that begins here.
fn raw_string_hashes(bytes: &[u8], at: usize) -> Option<usize> {
    let joined = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    if joined && !matches!(bytes[at - 1], b'b' | b'c') || bytes[at] != b'r' {
        return None;
    }
    let hashes = bytes[at + 1..]
        .iter()
        .take_while(|byte| **byte == b'#')
        .count();
    (bytes.get(at + 1 + hashes) == Some(&b'"')).then_some(hashes)
}

/// The length of a character literal that begins here; a lifetime is none.
fn character_length(text: &str, at: usize) -> Option<usize> {
    let rest = text.get(at..)?.strip_prefix('\'')?;
    if rest.starts_with('\\') {
        return rest[2..].find('\'').map(|close| close + 4);
    }
    let first = rest.chars().next()?;
    rest[first.len_utf8()..]
        .starts_with('\'')
        .then(|| first.len_utf8() + 2)
}

fn imports(sources: &Sources) -> Vec<String> {
    let mut complaints: Vec<String> = unknown_rooms(sources);
    for import in imports_of(sources) {
        let Import {
            file,
            line,
            from,
            to,
        } = &import;
        let (Some(own), Some(other)) = (floor(from), floor(to)) else {
            continue;
        };
        let neighbours = NEIGHBOURS
            .iter()
            .any(|(one, two, _)| one == from && two == to);
        if other < own || neighbours {
            continue;
        }
        let advice = ADVICE
            .iter()
            .find(|(room, _)| room == to)
            .map(|(_, advice)| *advice);
        let advice = advice.unwrap_or("let ops, which sees both, pass the value");
        let why = if own == other {
            format!("{from} and {to} are on one floor ({own})")
        } else {
            format!("{from} is on floor {own}, {to} above it on floor {other}")
        };
        complaints.push(format!("src/{file}:{line} imports {to}: {why}; {advice}"));
    }
    complaints
}

fn unknown_rooms(sources: &Sources) -> Vec<String> {
    let rooms: BTreeSet<&str> = sources.keys().map(|file| room(file)).collect();
    let unknown = rooms.into_iter().filter(|room| floor(room).is_none());
    unknown
        .map(|room| {
            format!(
                "src/{room} is a room without a floor: put the code into one of the rooms, \
                 or give it a place in FLOORS with its reason"
            )
        })
        .collect()
}

fn cycles(sources: &Sources) -> Vec<String> {
    let mut ways: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    let found = imports_of(sources);
    for import in &found {
        let place = format!("src/{}:{}", import.file, import.line);
        ways.entry(import.from)
            .or_default()
            .entry(import.to.clone())
            .or_insert(place);
    }
    let mut complaints = Vec::new();
    for (from, tos) in &ways {
        for (to, place) in tos {
            let back = path_between(&ways, to, from);
            // Each circle is told once, from its first room by name.
            if let Some(back) = back
                && back.iter().all(|room| *from <= room.as_str())
            {
                let circle = back.join(" → ");
                complaints.push(format!(
                    "{place} closes a circle: {from} → {circle}; \
                     move what both need into a room below them"
                ));
            }
        }
    }
    complaints
}

fn path_between(
    ways: &BTreeMap<&str, BTreeMap<String, String>>,
    from: &str,
    to: &str,
) -> Option<Vec<String>> {
    let mut pending = vec![vec![from.to_owned()]];
    let mut seen = BTreeSet::new();
    while let Some(path) = pending.pop() {
        let last = path.last().unwrap().clone();
        if last == to {
            return Some(path);
        }
        if seen.insert(last.clone()) {
            for next in ways.get(last.as_str()).into_iter().flat_map(BTreeMap::keys) {
                let mut longer = path.clone();
                longer.push(next.clone());
                pending.push(longer);
            }
        }
    }
    None
}

fn raw_calls(sources: &Sources) -> Vec<String> {
    let mut complaints = Vec::new();
    for (file, text) in sources {
        if room(file) == "sys" {
            continue;
        }
        let code = without_comments_and_strings(text);
        for (number, line) in code.lines().enumerate() {
            let place = format!("src/{file}:{}", number + 1);
            // `deny(unsafe_code)` and the like hold the rule, they do not break it.
            if has_word(line, "unsafe") {
                complaints.push(format!(
                    "{place} has `unsafe`: wrap the call in a file of src/sys, with its SAFETY"
                ));
            }
            for crate_name in ["libc", "nix"] {
                let path = format!("{crate_name}::");
                if line
                    .match_indices(&path)
                    .any(|(at, _)| starts_word(line, at))
                {
                    complaints.push(format!(
                        "{place} uses {crate_name}: raw system calls are in src/sys; \
                         add a function there, or use rustix"
                    ));
                }
            }
        }
    }
    complaints
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let after = line[at + word.len()..].chars().next();
        starts_word(line, at) && !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

fn starts_word(line: &str, at: usize) -> bool {
    let before = line[..at].chars().next_back();
    !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

fn headers(sources: &Sources) -> Vec<String> {
    let lacking = sources.iter().filter(|(_, text)| !text.starts_with("//!"));
    lacking
        .map(|(file, _)| {
            format!(
                "src/{file}:1 does not open with `//!`: say what lives there, what must not, \
                 who calls it and what is always true"
            )
        })
        .collect()
}

fn names(sources: &Sources) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in sources.keys() {
        for part in file.split('/') {
            let name = part.trim_end_matches(".rs");
            if EMPTY_NAMES.contains(&name) {
                complaints.push(format!(
                    "src/{file} is called \"{name}\", which says nothing: \
                     name it after the noun or the verb it is about"
                ));
            }
        }
    }
    for (file, text) in sources {
        for (number, line) in without_comments_and_strings(text).lines().enumerate() {
            let Some(at) = line.find("mod ") else {
                continue;
            };
            let name = word(line[at + 4..].trim_start());
            if starts_word(line, at) && EMPTY_NAMES.contains(&name.as_str()) {
                complaints.push(format!(
                    "src/{file}:{} has a module \"{name}\", a name which says nothing",
                    number + 1
                ));
            }
        }
    }
    complaints
}

/// The rules, broken on purpose.
mod broken {
    use super::*;

    fn house(files: &[(&str, &str)]) -> Sources {
        let text = |text: &str| format!("//! A file.\n{text}");
        let files = files.iter();
        files
            .map(|(file, body)| ((*file).into(), text(body)))
            .collect()
    }

    #[track_caller]
    fn complains(complaints: &[String], start: &str, word: &str) {
        let found = complaints
            .iter()
            .any(|line| line.starts_with(start) && line.contains(word));
        assert!(found, "no complaint {start} … {word}: {complaints:#?}");
    }

    #[test]
    fn a_sound_house_is_left_in_peace() {
        let house = house(&[
            ("main.rs", "mod cli;\nuse crate::cli::run;"),
            (
                "cli/run.rs",
                "use crate::{error::Error, ops, spec::{id, port}};\nuse super::super::spec;",
            ),
            (
                "ops/run.rs",
                "use crate::runtime; use crate::store::containers; // crate::cli",
            ),
            (
                "runtime/sequence.rs",
                "use crate::rootfs::tree;\nconst S: &str = \"crate::cli unsafe libc::x\";",
            ),
            (
                "rootfs/tree.rs",
                "use crate::sys; fn f<'a>(c: &'a char) -> bool { *c == '\"' }",
            ),
            ("dataplane/tcp.rs", "use crate::network::plan;"),
            ("network/plan.rs", "use super::ports;"),
            (
                "network/ports.rs",
                "fn f() { r#\"unsafe \" crate::cli\"#; }",
            ),
            ("store/blobs.rs", "use crate::spec; use crate::sys;"),
            ("spec/id.rs", "use crate::error::Error;"),
            ("error.rs", ""),
            ("sys/mount.rs", "unsafe { libc::mount() }"),
        ]);
        for complaints in [
            imports(&house),
            cycles(&house),
            raw_calls(&house),
            headers(&house),
            names(&house),
        ] {
            assert_eq!(complaints, Vec::<String>::new());
        }
    }

    #[test]
    fn an_import_that_goes_up_is_told_with_its_line() {
        let house = house(&[
            ("store/blobs.rs", "use crate::error;\nuse crate::ops::pull;"),
            ("sys/fs.rs", "fn f() { crate::error::x(); }"),
            ("spec/id.rs", "use super::super::store;"),
            (
                "image/layer/apply.rs",
                "use crate::{\n    error,\n    cli::flags,\n};",
            ),
            ("ops/run.rs", ""),
        ]);
        let found = imports(&house);
        complains(&found, "src/store/blobs.rs:3 imports ops", "floor 4");
        complains(&found, "src/sys/fs.rs:2 imports error", "floor 0");
        complains(&found, "src/spec/id.rs:2 imports store", "argument");
        complains(&found, "src/image/layer/apply.rs:4 imports cli", "render");
        assert_eq!(found.len(), 4, "{found:#?}");
    }

    #[test]
    fn rooms_on_one_floor_are_kept_apart() {
        let house = house(&[
            ("runtime/a.rs", "use crate::rootfs::x; use crate::image::y;"),
            ("rootfs/b.rs", "use crate::runtime::z;"),
            ("store/c.rs", "use crate::process::launch;"),
            ("image/d.rs", ""),
        ]);
        let found = imports(&house);
        complains(&found, "src/runtime/a.rs:2 imports image", "one floor");
        complains(&found, "src/rootfs/b.rs:2 imports runtime", "one floor");
        complains(&found, "src/store/c.rs:2 imports process", "value");
        assert_eq!(found.len(), 3, "{found:#?}");
    }

    #[test]
    fn circles_are_found_at_any_length() {
        let house = house(&[
            ("spec/a.rs", "use crate::host::x;"),
            ("host.rs", "use crate::error::y;"),
            ("error.rs", "use crate::spec::z;"),
        ]);
        let found = cycles(&house);
        assert_eq!(found.len(), 1, "{found:#?}");
        complains(
            &found,
            "src/error.rs:2 closes a circle",
            "error → spec → host → error",
        );
    }

    #[test]
    fn raw_calls_outside_of_sys_are_found() {
        let house = house(&[
            (
                "ops/a.rs",
                "fn f() { unsafe { g() } }\nuse libc::c_int;\nuse nix::sys::signal;",
            ),
            (
                "ops/b.rs",
                "#![deny(unsafe_code)]\nuse rustix::fs; use unix::x;",
            ),
        ]);
        let found = raw_calls(&house);
        complains(&found, "src/ops/a.rs:2", "unsafe");
        complains(&found, "src/ops/a.rs:3", "libc");
        complains(&found, "src/ops/a.rs:4", "nix");
        assert_eq!(found.len(), 3, "{found:#?}");
    }

    #[test]
    fn unknown_rooms_missing_headers_and_empty_names_are_found() {
        let mut house = house(&[
            ("attic/a.rs", ""),
            ("store/utils.rs", ""),
            ("ops/b.rs", "mod helpers {}\nmod common_sense;"),
        ]);
        house.insert("ops/c.rs".into(), "use std::fs;".into());
        complains(&imports(&house), "src/attic", "FLOORS");
        complains(&headers(&house), "src/ops/c.rs:1", "what lives there");
        let found = names(&house);
        complains(&found, "src/store/utils.rs", "says nothing");
        complains(&found, "src/ops/b.rs:2", "helpers");
        assert_eq!(found.len(), 2, "{found:#?}");
    }
}
