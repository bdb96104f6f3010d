//! The integration tests: one binary, one `mod` per theme a user would name.
//!
//! A test's name is a sentence about rpod; its body reads as what a user does.
//! Each runs in a `Sandbox` of its own (`tests/support`), so tests run at once.
//! Used by `tests/run` and by `cargo test`; the images come from
//! `tests/images/build`. What must not live here: tests of one function, which
//! are beside the function. Always true: rpod is only seen from outside.
//!
//! `tests/run` runs a part of these again as a user without subordinate ids and
//! as root; the part is the tests in the modules it names.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::let_underscore_must_use,
    reason = "a test that cannot go on says so by a panic, and prints what it saw"
)]
#![allow(dead_code, reason = "the harness offers more than each moment uses")]

#[path = "../support/mod.rs"]
mod support;

mod applications;
/// Programs which people run for real: node, redis, nginx, apt.
// What registries keep beside images, and what is about images.
mod artifacts;
/// Attaching to a running container.
mod attach;
/// Machines that lack or forbid something: what still works, and what is said.
mod broken_hosts;
/// Images from Dockerfiles: `build`, and what it keeps.
mod build;
/// The language of Dockerfiles: every instruction, variables, faults.
mod build_language;
/// What comes of a build: one layer, lists of platforms, archives, pushed images.
mod build_results;
/// What containers have changed, images and tars of it: `diff`, `commit`, `export`, `import`.
mod commit;
/// Several rpods at the same time.
mod concurrency;
/// Files between a container and the host: `cp`.
mod copy;
/// Real Dockerfiles, built by rpod and by a peer, and compared.
mod corpus;
/// `kill -9` of rpod at any instant.
mod crash;
/// Commands in a running container: `exec`.
mod exec;
/// Images as all builders write them, and what is none.
mod formats;
/// Archives which mean harm.
mod hostile;
/// Who the user is inside: `--user`, owners, groups.
mod identity;
/// What is in the store and what it is called: `images`, `tag`, `rmi`.
mod images;
/// `create`, `start`, `stop`, `kill`, `restart`, `wait`, `rm`, `ps`, `rename`.
mod lifecycle;
/// Images from files and standard input: `load`.
mod load;
/// Logins to registries: `login`, `logout`, helpers, certificates.
mod login;
/// What containers wrote: `logs`.
mod logs;
/// Lists of images for several platforms: `manifest`.
mod manifest;
/// Networks that are no bridges, and what a container is called.
mod modes;
/// Names: what a container asks, and who answers.
mod names;
/// What may be typed: flags, their places, names and their conflicts.
mod names_and_flags;
/// Which network a container is on and whom it reaches.
mod network;
/// What containers reach outside: other machines and this one.
mod outbound;
/// Containers that stand still: `pause`, `unpause`.
mod pause;
/// Published ports.
mod ports;
/// Images from registries, good and bad.
mod pull;
/// Images to registries, and the ways that break.
mod push;
/// What files say about registries: mirrors, short names, trust.
mod registries;
/// What serves networks is killed or replaced, and the machine moves.
mod resilience;
/// Pulls that were broken off and begun again.
mod resume;
/// Builds that are made difficult: full disks, kills, odd contexts, secrets.
mod rough_builds;
/// Registries which mean harm.
mod rude_registries;
/// `run`: the program, its input, output, environment and exit code.
mod run;
/// Images as archives, there and back: `save`, and what others read and write.
mod save;
/// What registries have under a word: `search`.
mod search;
/// `inspect`, and `--format` everywhere.
mod templates;
/// The own namespace and what is mounted there: `unshare`, `mount`, `umount`, `image mount`.
mod unshare;
/// The store looks after itself: garbage, `system`, prunes.
mod upkeep;
/// Named volumes, directories of the host, and `--mount`.
mod volumes;
