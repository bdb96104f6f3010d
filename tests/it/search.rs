//! What registries have under a word: `search`.

use crate::require;
use crate::support::Sandbox;
use crate::support::image::{Image, Layer};
use crate::support::registry::{HostileRegistry, Registry, Reply};

fn tiny() -> Image {
    Image::new("tiny").layer(Layer::new().file("a", "b").gzip())
}

const ANSWER: &str = r#"{"num_results": 3, "query": "box", "results": [
    {"name": "busybox", "description": "Busybox base image.\nIt is small, and has many programs in one",
     "star_count": 3300, "is_official": true, "is_automated": false},
    {"name": "user/boxes", "description": "", "star_count": 7, "is_official": false},
    {"name": "other/box", "description": "\u001b[31mred", "star_count": 2}]}"#;

/// A registry that searches as Docker Hub does.
fn hub() -> HostileRegistry {
    HostileRegistry::serve(&tiny(), |request| {
        if request.path.starts_with("/v1/search") {
            return Reply::Status(200, String::new(), ANSWER.into());
        }
        Reply::Honest
    })
}

#[test]
fn search_shows_dockers_columns() {
    let (rpod, registry) = (Sandbox::new(), hub());
    let at = registry.address();
    let found = rpod.run(&["search", &registry.name("box")]);
    let lines: Vec<String> = found
        .success()
        .stdout()
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(lines.len(), 4, "{found}");
    let words: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(words, ["NAME", "DESCRIPTION", "STARS", "OFFICIAL"]);
    assert!(lines[1].starts_with(&format!("{at}/busybox ")), "{found}");
    assert!(
        lines[1].contains("Busybox base image. It is small, and has man… "),
        "{found}"
    );
    assert!(lines[1].trim_end().ends_with("3300      [OK]"), "{found}");
    found.stdout_lacks("\u{1b}");
    assert!(
        registry
            .requests()
            .iter()
            .any(|one| one.path == "/v1/search?q=box&n=25")
    );
}

#[test]
fn search_filters_cuts_and_formats() {
    let (rpod, registry) = (Sandbox::new(), hub());
    let term = registry.name("box");
    let names = |flags: &[&str]| {
        let mut words = vec!["search", "--format", "{{.Name}} {{.StarCount}}"];
        words.extend(flags);
        words.push(&term);
        let at = format!("{}/", registry.address());
        rpod.run(&words).success().stdout().replace(&at, "")
    };
    assert_eq!(
        names(&["--filter", "stars=7"]),
        "busybox 3300\nuser/boxes 7\n"
    );
    assert_eq!(names(&["-f", "is-official=true"]), "busybox 3300\n");
    assert_eq!(
        names(&["-f", "is-official=false", "-f", "stars=3"]),
        "user/boxes 7\n"
    );
    assert_eq!(names(&["--limit", "1"]), "busybox 3300\n");
    rpod.run(&["search", "--no-trunc", &term])
        .success()
        .stdout_has("and has many programs in one");
    rpod.run(&["search", "--filter", "color=red", &term])
        .refuses()
        .stderr_has("stars, is-official and is-automated");
    rpod.run(&["search", "--limit", "0", &term]).refuses();
}

#[test]
fn search_reads_the_catalogue_and_tags_of_a_plain_registry() {
    require!(Registry::available(), "docker-registry is not installed");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    for name in ["team/app:1", "team/app:2", "team/other:1", "lone:1"] {
        registry.push_as(&tiny(), name);
    }
    let at = registry.address();
    let names = |term: &str| {
        let term = registry.name(term);
        rpod.run(&["search", "--format", "{{.Name}}", &term])
            .success()
            .stdout()
    };
    assert_eq!(
        names(""),
        format!("{at}/lone\n{at}/team/app\n{at}/team/other\n")
    );
    assert_eq!(names("app"), format!("{at}/team/app\n"));
    assert_eq!(names("nothing"), "");
    let tags = rpod.run(&["search", "--list-tags", &registry.name("team/app")]);
    let lines: Vec<Vec<String>> = tags
        .success()
        .stdout()
        .lines()
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect();
    let name = format!("{at}/team/app");
    assert_eq!(lines, [["NAME", "TAG"], [&name, "1"], [&name, "2"]]);
}

#[test]
fn search_goes_through_the_registries_that_are_named_for_it() {
    let (rpod, registry) = (Sandbox::new(), hub());
    let dead = format!("127.0.0.1:{}", crate::support::free_port());
    let conf = rpod.home().join(".config/containers/registries.conf");
    std::fs::create_dir_all(conf.parent().unwrap()).unwrap();
    let text = format!(
        "unqualified-search-registries = [\"{dead}\", \"{}\"]\n",
        registry.address()
    );
    std::fs::write(conf, text).unwrap();
    rpod.run(&["search", "box"])
        .success()
        .stdout_has("/busybox")
        .stderr_has(&format!("cannot search \"{dead}\""));
    rpod.run(&["search", &format!("{dead}/box")])
        .refuses()
        .stderr_has("refused");
}
