//! Real Dockerfiles, built by rpod and by buildah in the same run: the same exit
//! status, configuration and files, down to modes, owners, links and attributes.
//!
//! Each is a directory of `tests/corpus`. Where the peer does not know a form of the
//! language (Debian's is of 2022), `Dockerfile.peer` says the same in older words.
//! Where there is no peer, or it cannot run here, that is a counted skip, and rpod
//! has to build the file all the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::support::flat::Flat;
use crate::support::sandbox::Output;
use crate::support::{Sandbox, image, probe};
use crate::{require, skip};

/// A Dockerfile of the corpus.
#[derive(Default)]
struct Case {
    name: &'static str,
    /// Images it is built upon.
    images: &'static [&'static str],
    /// More words of the command.
    words: &'static [&'static str],
    /// What only one builder has, or has otherwise, and why that is right: a path, with a
    /// slash at its end all that is in a directory, or the name of a setting.
    differs: &'static [(&'static str, &'static str)],
    /// The same, where it may differ or not: what has the time of day in it.
    chance: &'static [(&'static str, &'static str)],
    /// What the image is run with, and what it says then.
    run: Option<(&'static [&'static str], &'static str)>,
    /// It needs more than one id.
    ids: bool,
    /// Its images are large: it is built where tests run at full length.
    large: bool,
}

/// What of a configuration is compared.
const SETTINGS: [&str; 12] = [
    "Env",
    "Cmd",
    "Entrypoint",
    "User",
    "WorkingDir",
    "Labels",
    "ExposedPorts",
    "Volumes",
    "StopSignal",
    "Healthcheck",
    "Shell",
    "OnBuild",
];

/// What the peer makes to mount on, and leaves there.
const PLACES: [&str; 4] = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/run"];

/// The peer, with a store of its own below the sandbox.
struct Buildah<'a>(&'a Sandbox);

impl Buildah<'_> {
    /// Says why it cannot be had here.
    fn missing() -> Option<&'static str> {
        if probe::program("buildah").is_none() {
            Some("buildah is not installed")
        } else if !probe::is_root() && !probe::subordinate_ids() {
            Some("buildah needs subordinate ids")
        } else {
            None
        }
    }

    fn run(&self, words: &[&str]) -> Output {
        let home = self.0.home();
        let (root, state) = (home.join("buildah"), self.0.runtime().join("buildah"));
        let (root, state) = (root.display().to_string(), state.display().to_string());
        let mut all = vec!["--root", &root, "--runroot", &state];
        all.extend(["--storage-driver", "overlay"]);
        all.extend(words);
        self.0.other("buildah", &all).timeout(300).run()
    }

    fn load(&self, name: &str) {
        let archive = format!("docker-archive:{}", image::built(name).display());
        self.run(&["pull", "-q", &archive]).success();
    }

    fn build(&self, words: &[&str]) -> Output {
        let mut all = vec![
            "bud",
            "--isolation",
            "chroot",
            "--format",
            "docker",
            "--layers",
        ];
        all.extend(["--identity-label=false", "-t", "made"]);
        all.extend(words);
        self.run(&all)
    }

    fn flat(&self) -> Flat {
        let dir = self.0.path().join("theirs");
        let place = format!("dir:{}", dir.display());
        self.run(&["push", "-q", "--disable-compression", "made", &place])
            .success();
        Flat::read(&dir)
    }
}

fn source(name: &str) -> PathBuf {
    let source = std::env::var_os("RPOD_TEST_SOURCE");
    let source = source.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    PathBuf::from(source).join("tests/corpus").join(name)
}

impl Case {
    /// Builds it with both and compares.
    fn prove(&self) {
        require!(
            !self.ids || probe::is_root() || probe::subordinate_ids(),
            "{} needs more than one id",
            self.name
        );
        require!(
            !self.large || probe::full(),
            "{}: the images are large; RPOD_TEST_FULL=1 builds it",
            self.name
        );
        let rpod = Sandbox::with(self.images);
        let context = source(self.name);
        let context = context.to_str().unwrap();
        let secret = rpod.write("secret", "a secret of the corpus\n");
        let secret = format!("id=token,src={}", secret.display());
        let repository = image::built_directory().join("repository");
        let repository = format!("repository={}", repository.display());
        let mut words = vec!["--secret", secret.as_str(), "--build-context", &repository];
        words.extend(self.words);
        let mut ours = vec![
            "build",
            "--format",
            "docker",
            "-t",
            "made",
            "--progress=plain",
        ];
        ours.extend(&words);
        ours.push(context);
        rpod.command(&ours).timeout(300).run().success();
        if let Some((command, says)) = self.run {
            let mut all = vec!["run", "--rm", "--network", "none"];
            all.extend(command);
            rpod.run(&all).success().stdout_is(says);
        }
        if let Some(why) = Buildah::missing() {
            skip!("{why}: {} is built by rpod only", self.name);
        }
        let dir = rpod.path().join("ours");
        let place = dir.to_str().unwrap();
        rpod.run(&["save", "-q", "--format", "docker-dir", "-o", place, "made"])
            .success();
        let ours = Flat::read(&dir);
        let buildah = Buildah(&rpod);
        for name in self.images {
            buildah.load(name);
        }
        let peer_file = Path::new(context).join("Dockerfile.peer");
        let peer_file = peer_file.to_str().unwrap();
        if Path::new(peer_file).exists() {
            words.extend(["-f", peer_file]);
        }
        words.push(context);
        buildah.build(&words).success();
        self.compare(&ours, &buildah.flat());
        // Files of subordinate ids, which only its own namespace can delete.
        buildah.run(&["rmi", "-a", "-f"]).success();
    }

    fn compare(&self, ours: &Flat, theirs: &Flat) {
        let mut wrong = Vec::new();
        for name in SETTINGS {
            let (a, b) = (
                setting(&ours.settings, name),
                setting(&theirs.settings, name),
            );
            if a != b {
                wrong.push((name.to_owned(), format!("rpod {a}, buildah {b}")));
            }
        }
        let names = ours.files.keys().chain(theirs.files.keys());
        let names: BTreeSet<&String> = names.collect();
        for name in &names {
            let (a, b) = (ours.files.get(*name), theirs.files.get(*name));
            if a != b {
                let says = format!("\n    rpod    {a:?}\n    buildah {b:?}");
                wrong.push((format!("/{name}"), says));
            }
        }
        let is_own = |name: &str, (of, _): &(&str, &str)| match of.ends_with('/') {
            true => name.starts_with(of),
            false => name == *of,
        };
        // An exception that nothing needs would hide what comes to need it.
        for one in self.differs {
            assert!(
                wrong.iter().any(|(name, _)| is_own(name, one)),
                "{}: both are the same in \"{}\"",
                self.name,
                one.0
            );
        }
        let files = wrong
            .iter()
            .filter(|(name, _)| name.starts_with('/'))
            .count();
        assert!(
            names.len() > files,
            "{}: no file is the same in both",
            self.name
        );
        let mut wrong: Vec<String> = wrong
            .into_iter()
            .filter(|(name, _)| !PLACES.contains(&name.as_str()))
            .filter(|(name, _)| {
                let mut named = self.differs.iter().chain(self.chance);
                !named.any(|one| is_own(name, one))
            })
            .map(|(name, says)| format!("{name}: {says}"))
            .collect();
        let count = wrong.len();
        wrong.truncate(60);
        assert!(
            wrong.is_empty(),
            "{}: {count} differences:\n  {}",
            self.name,
            wrong.join("\n  ")
        );
    }
}

/// A setting in the form that both write alike: nothing is null, and lists that are
/// sets are sorted.
fn setting(settings: &Value, name: &str) -> Value {
    let value = &settings[name];
    let is_empty = match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    match (is_empty, name) {
        (true, _) => Value::Null,
        (false, "WorkingDir") if value == "/" => Value::Null,
        (false, "Env") => {
            let pairs = value.as_array().unwrap().iter();
            let pairs: Map<String, Value> = pairs
                .map(|line| line.as_str().unwrap().split_once('=').unwrap())
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect();
            Value::Object(pairs)
        }
        _ => value.clone(),
    }
}

macro_rules! cases {
    ($($(#[$doc:meta])* $test:ident: $case:expr;)*) => {
        $($(#[$doc])* #[test] fn $test() { $case.prove(); })*
    };
}

const BUSYBOX: &[&str] = &["busybox"];

const APT: &[(&str, &str)] = &[
    ("/var/log/", "logs have the time in them"),
    (
        "/var/cache/ldconfig/aux-cache",
        "it holds inode numbers and times",
    ),
    ("/var/cache/apt/pkgcache.bin", "it holds times"),
    ("/var/cache/apt/srcpkgcache.bin", "it holds times"),
];

cases! {
    settings_of_all_kinds: Case {
        name: "settings",
        images: BUSYBOX,
        differs: &[
            ("Entrypoint", "the reference: SHELL is for the shell form of ENTRYPOINT as well"),
            ("ExposedPorts", "docker writes each port of a range"),
            ("/srv", "WORKDIR makes the directory, also when nothing is done there"),
            ("/srv/app", "the same"),
            ("/srv/app/1", "the same"),
        ],
        ..Case::default()
    };
    settings_that_are_inherited: Case {
        name: "inherit",
        images: BUSYBOX,
        differs: &[
            ("/base", "a working directory is its user's, as BuildKit has it"),
            ("/base/deep", "the same"),
            ("/v", "a volume's directory is made by whoever runs the image"),
        ],
        run: Some((&["--entrypoint", "cat", "made", "/made/file", "/made/pwd"], "112\n/base/deep\n")),
        ..Case::default()
    };
    notation_in_all_its_freedom: Case { name: "notation", images: BUSYBOX, ..Case::default() };
    expansion_of_variables: Case { name: "expansion", images: BUSYBOX, ..Case::default() };
    copies_to_everywhere: Case { name: "copying", images: BUSYBOX, ids: true, ..Case::default() };
    contexts_with_things_left_out: Case { name: "ignoring", images: BUSYBOX, ..Case::default() };
    heredocs_of_all_forms: Case {
        name: "heredocs",
        images: BUSYBOX,
        run: Some((&["made", "cat", "/said", "/greeting", "/awk"], "hello\nhello world\nindented\nawk\n")),
        ids: true,
        ..Case::default()
    };
    mounts_of_all_types: Case {
        name: "mounts",
        images: BUSYBOX,
        differs: &[
            ("/mnt", "what was only made to be mounted on goes again, as BuildKit has it"),
            ("/run/secrets", "the same"),
            ("/src", "the same"),
        ],
        run: Some((&["made", "cat", "one", "nine", "ten"], "tool one\n400 0\n23\n")),
        ids: true,
        ..Case::default()
    };
    stages_upon_stages: Case {
        name: "stages",
        images: BUSYBOX,
        run: Some((&["made", "cat", "/all"], "dep\nmain\npassed\n")),
        ..Case::default()
    };
    files_on_scratch: Case { name: "scratch", images: BUSYBOX, ids: true, ..Case::default() };
    changes_to_lower_layers: Case { name: "changes", images: BUSYBOX, ids: true, ..Case::default() };
    owners_and_users: Case { name: "owners", images: BUSYBOX, ids: true, ..Case::default() };
    a_node_service: Case { name: "node-service", images: &["node"], ids: true, ..Case::default() };
    a_python_service: Case {
        name: "python-service",
        images: &["python"],
        differs: &[("/app", "WORKDIR makes it, before the COPY that has an owner")],
        run: Some((&["made", "python3", "-c", "import service.app, os; print(os.getuid())"], "10001\n")),
        ids: true,
        ..Case::default()
    };
    an_image_of_many_packages: Case {
        name: "apt",
        images: &["debian"],
        chance: APT,
        run: Some((&["--entrypoint", "cat", "made", "/result"], "[1,2]\n")),
        ids: true,
        ..Case::default()
    };
    a_site_behind_nginx: Case { name: "static-site", images: &["node", "nginx"], ids: true, ..Case::default() };
    a_go_service: Case {
        name: "go-service",
        images: &["golang"],
        run: Some((&["made", "version"], "1.2.3\n")),
        large: true,
        ids: true,
        ..Case::default()
    };
    a_rust_service: Case {
        name: "rust-service",
        images: &["rust", "debian"],
        run: Some((&["made"], "hello world\n")),
        large: true,
        ids: true,
        ..Case::default()
    };
    a_java_service: Case {
        name: "java-service",
        images: &["java"],
        run: Some((&["made"], "hello world\n")),
        large: true,
        ids: true,
        ..Case::default()
    };
}

/// Returns a Dockerfile of so many stages, each of which needs one or two before it.
fn many_stages(count: usize) -> String {
    let mut text = String::from("FROM busybox AS s0\nRUN echo 0 > /own\n");
    for n in 1..count {
        text += &format!("FROM busybox AS s{n}\nCOPY --from=s{} /own /first\n", n / 2);
        if n % 3 == 0 {
            text += &format!("COPY --from=s{} /own /second\n", n - 1);
        }
        text += &format!("RUN cat /first > /own && echo {n} >> /own\n");
    }
    text += "FROM scratch\n";
    for n in 1..count {
        text += &format!("COPY --from=s{n} /own /out/{n}\n");
    }
    text
}

#[test]
fn a_graph_of_a_hundred_stages() {
    let rpod = Sandbox::with(BUSYBOX);
    rpod.write("Dockerfile", many_stages(100));
    let build = || {
        rpod.command(&["build", "-t", "made", "."])
            .timeout(300)
            .run()
    };
    build().success();
    let dir = rpod.path().join("ours");
    let place = dir.to_str().unwrap();
    rpod.run(&["save", "-q", "--format", "docker-dir", "-o", place, "made"])
        .success();
    let flat = Flat::read(&dir);
    for n in 1..100 {
        let mut chain = vec![n];
        while chain[0] > 0 {
            chain.insert(0, chain[0] / 2);
        }
        let lines: String = chain.iter().map(|n| format!("{n}\n")).collect();
        let wanted = image::digest(lines.as_bytes());
        let says = &flat.files[&format!("out/{n}")];
        assert!(says.contains(&wanted[7..19]), "{n}: {says}");
    }
    let first = rpod.run(&["images", "-q", "--no-trunc", "made"]).line();
    build().success();
    assert_eq!(
        rpod.run(&["images", "-q", "--no-trunc", "made"]).line(),
        first
    );
}

#[test]
fn what_fails_there_fails_here() {
    let rpod = Sandbox::with(BUSYBOX);
    rpod.write("file", "file");
    let buildah = Buildah(&rpod);
    let missing = Buildah::missing();
    if missing.is_none() {
        buildah.load("busybox");
    }
    for (text, fails) in [
        ("RUN exit 3", true),
        ("RUN false; true", false),
        ("RUN nosuchprogram", true),
        ("RUN [\"/nosuchprogram\"]", true),
        ("COPY nosuchfile /x", true),
        ("COPY --from=nosuchstage.invalid/x /x /x", true),
        ("COPY file file file", true),
        ("COPY nosuch* file /x/", false),
        ("COPY ../file /x", false),
        ("WORKDIR /etc/passwd", true),
        ("USER nobodyknows\nRUN true", true),
        ("NOSUCH thing", true),
        ("ENV", true),
        ("EXPOSE many", true),
        ("CMD [\"a\"", false),
        ("ENV x=${y:?unset}", true),
        ("COPY file /etc", false),
        ("COPY file /etc/passwd/x", true),
        ("ADD . /etc/passwd", true),
        ("VOLUME", true),
        ("SHELL sh", true),
        ("HEALTHCHECK", true),
        ("ONBUILD FROM x", true),
        ("RUN --mount=type=nosuch,target=/x true", true),
        ("RUN --mount=type=secret,id=none,required true", true),
    ] {
        rpod.write("Dockerfile", format!("FROM busybox\n{text}\n"));
        let ours = rpod.run(&["build", "-q", "."]);
        assert_eq!(
            ours.code != Some(0),
            fails,
            "rpod: {text}\n{}",
            ours.stderr()
        );
        if missing.is_none() && !PECULIAR.contains(&text) {
            let theirs = buildah.build(&["-q", "."]);
            assert_eq!(
                theirs.code != Some(0),
                fails,
                "buildah: {text}\n{}",
                theirs.stderr()
            );
        }
    }
    if let Some(why) = missing {
        skip!("{why}");
    }
    buildah.run(&["rmi", "-a", "-f"]).success();
}

/// Where the peer does otherwise than the reference says, or than its successors do.
const PECULIAR: [&str; 3] = [
    // What is no port is kept as one.
    "EXPOSE many",
    // It makes a working directory when something is done there.
    "WORKDIR /etc/passwd",
    // It takes the last one for a directory, which the reference wants a slash for.
    "COPY file file file",
];
