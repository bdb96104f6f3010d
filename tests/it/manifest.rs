//! Lists of images for several platforms: made, pushed, pulled back, run.

use serde_json::Value;

use crate::require;
use crate::support::image::{Layer, architecture, busybox, busybox_layer, digest};
use crate::support::registry::{Registry, exchange};
use crate::support::{Sandbox, probe};

const NO_REGISTRY: &str = "docker-registry is not installed";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// An architecture that this machine has not.
fn other() -> &'static str {
    match architecture() {
        "arm64" => "amd64",
        _ => "arm64",
    }
}

/// Imports an image for an architecture, which says so when it runs.
fn import(rpod: &Sandbox, architecture: &str, name: &str) {
    let tar = busybox_layer().file("made-for", architecture).tar();
    let file = rpod.write(&format!("{architecture}.tar"), tar);
    let platform = format!("linux/{architecture}");
    let change = "CMD [\"cat\", \"/made-for\"]";
    let file = file.to_str().unwrap();
    rpod.run(&["import", "--platform", &platform, "-c", change, file, name])
        .success();
}

/// Two images and a list of them.
fn list_of_two(rpod: &Sandbox, list: &str) {
    import(rpod, architecture(), "own");
    import(rpod, other(), "foreign");
    rpod.run(&["manifest", "create", list, "own", "foreign"])
        .success()
        .stdout_has("Created manifest list ");
}

fn inspect(rpod: &Sandbox, name: &str) -> Value {
    let shown = rpod.run(&["manifest", "inspect", "--insecure", name]);
    shown.success();
    serde_json::from_slice(shown.stdout_bytes()).unwrap()
}

fn platforms(list: &Value) -> Vec<String> {
    let all = list["manifests"].as_array().unwrap().iter();
    all.map(|one| one["platform"]["architecture"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_list_is_pushed_whole_and_each_machine_pulls_its_own_image() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    let name = registry.name("team/app:1.0");
    list_of_two(&rpod, &name);
    let mark = ["manifest", "annotate", "--variant", "v8", "--annotation"];
    let mark = [&mark[..], &["made=here", &name, "foreign"]].concat();
    rpod.run(&mark).success();
    let local = inspect(&rpod, &name);
    assert_eq!(platforms(&local), [architecture(), other()]);
    assert_eq!(local["manifests"][1]["platform"]["variant"], "v8");
    assert_eq!(local["manifests"][1]["annotations"]["made"], "here");

    let file = rpod.work().join("digest");
    let words = ["manifest", "push", "--digestfile", file.to_str().unwrap()];
    let pushed = rpod.run(&[&words[..], &[&name]].concat());
    pushed.success();
    let accept = format!("Accept: {INDEX}\r\n");
    let path = "/v2/team/app/manifests/1.0";
    let answer = exchange(registry.address(), "GET", path, &accept, b"").unwrap();
    assert_eq!(answer.status, 200);
    let there = digest(&answer.body);
    pushed.stdout_is(&format!("{there}\n"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), there);
    // Layers made here were compressed, so the list names what is at the registry.
    let remote: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(platforms(&remote), platforms(&local));
    assert_eq!(remote["manifests"][1]["annotations"]["made"], "here");
    for one in remote["manifests"].as_array().unwrap() {
        let path = format!("/v2/team/app/manifests/{}", one["digest"].as_str().unwrap());
        let kind = format!("Accept: {}\r\n", one["mediaType"].as_str().unwrap());
        let image = exchange(registry.address(), "GET", &path, &kind, b"").unwrap();
        assert_eq!(image.status, 200);
        assert_eq!(one["size"], image.body.len());
        let image: Value = serde_json::from_slice(&image.body).unwrap();
        let layer = image["layers"][0]["mediaType"].as_str().unwrap();
        assert!(layer.ends_with("tar+gzip"), "{layer}");
    }

    // Another machine, without the list.
    let fresh = Sandbox::new();
    assert_eq!(inspect(&fresh, &name), remote);
    fresh
        .run(&["pull", &name])
        .success()
        .stderr_has(&format!("Digest: {there}"));
    fresh
        .run(&["run", "--rm", &name])
        .success()
        .stdout_is(architecture());
    let platform = format!("linux/{}", other());
    fresh
        .run(&["pull", "--platform", &platform, &name])
        .success();
    let format = "{{.Architecture}}";
    fresh
        .run(&["image", "inspect", "-f", format, &name])
        .success()
        .stdout_is(&format!("{}\n", other()));
    require!(
        probe::program("skopeo").is_some(),
        "skopeo is not installed"
    );
    let from = format!("docker://{name}");
    let raw = rpod
        .other("skopeo", &["inspect", "--raw", "--tls-verify=false", &from])
        .run();
    raw.success();
    assert!(raw.stdout_bytes() == answer.body);
    let to = format!("dir:{}", rpod.work().join("copied").display());
    let copy = ["copy", "--all", "--src-tls-verify=false", &from, &to];
    rpod.other("skopeo", &copy).run().success();
}

#[test]
fn a_local_list_stands_for_the_image_of_this_machine() {
    let rpod = Sandbox::new();
    list_of_two(&rpod, "both");
    // The images are the list's now, and stay as long as it does.
    rpod.run(&["rmi", "own", "foreign"]).success();
    rpod.run(&["image", "prune", "-f"]).success();
    rpod.run(&["run", "--rm", "both"])
        .success()
        .stdout_is(architecture());
    rpod.run(&[
        "run",
        "--rm",
        "--pull",
        "never",
        "--platform",
        "linux/s390x",
        "both",
    ])
    .fails(125)
    .stderr_has(&format!(
        "only for linux/{}, linux/{}",
        architecture(),
        other()
    ));
    let id = rpod
        .run(&["images", "--no-trunc", "-q", "both"])
        .success()
        .line();
    let format = "{{.Descriptor.digest}} {{.Architecture}}";
    rpod.run(&["image", "inspect", "-f", format, &id])
        .success()
        .stdout_is(&format!("{id} {}\n", architecture()));
    for words in [
        &["images"][..],
        &["history", "both"],
        &["system", "df"],
        &["system", "check"],
        &["manifest", "exists", "both"],
    ] {
        rpod.run(words).success();
    }
    let saved = rpod.work().join("saved.tar");
    let saved = saved.to_str().unwrap();
    rpod.run(&["save", "-o", saved, "both"]).success();
    let fresh = Sandbox::new();
    fresh.run(&["load", "-i", saved]).success();
    fresh
        .run(&["run", "--rm", "both"])
        .success()
        .stdout_is(architecture());
    // What is committed lies on the layers of the image in the list.
    rpod.run(&["run", "--name", "made", "both"]).success();
    rpod.run(&["commit", "made", "committed"]).success();
    rpod.run(&["tag", "both", "again"]).success();
    rpod.run(&["rmi", "both"])
        .success()
        .stdout_is("Untagged: both:latest\n");
    rpod.run(&["manifest", "rm", "again"])
        .refuses()
        .stderr_has("in use by container \"made\"");
    rpod.run(&["rmi", "-f", "again"])
        .success()
        .stdout_is(&format!("Untagged: again:latest\nDeleted: {id}\n"));
    rpod.run(&["manifest", "exists", "again"]).fails(1);
    rpod.run(&["start", "-a", "made"])
        .success()
        .stdout_is(architecture());
}

#[test]
fn lists_grow_and_shrink_and_two_empty_ones_are_two() {
    let rpod = Sandbox::new();
    import(&rpod, architecture(), "own");
    import(&rpod, other(), "foreign");
    rpod.run(&["manifest", "create", "one"]).success();
    rpod.run(&["manifest", "create", "two"]).success();
    let all = ["manifest", "add", "--os-version", "10.0", "one", "foreign"];
    rpod.run(&all).success();
    assert!(platforms(&inspect(&rpod, "two")).is_empty());
    let list = inspect(&rpod, "one");
    assert_eq!(list["manifests"][0]["platform"]["os.version"], "10.0");
    // Once more is no second time.
    rpod.run(&["manifest", "add", "one", "foreign", "own"])
        .success();
    assert_eq!(platforms(&inspect(&rpod, "one")), [other(), architecture()]);
    rpod.run(&["manifest", "add", "--all", "two", "one"])
        .success();
    let two = inspect(&rpod, "two");
    assert_eq!(platforms(&two), [other(), architecture()]);
    let gone = two["manifests"][0]["digest"].as_str().unwrap();
    rpod.run(&["manifest", "remove", "two", gone]).success();
    assert_eq!(platforms(&inspect(&rpod, "two")), [architecture()]);
    rpod.run(&["manifest", "remove", "two", gone])
        .refuses()
        .stderr_has("is not in the list");
    rpod.run(&["manifest", "create", "two", "own"])
        .refuses()
        .stderr_has("`--amend` adds to it");
    rpod.run(&["manifest", "create", "-a", "two", "foreign"])
        .success();
    assert_eq!(platforms(&inspect(&rpod, "two")), [architecture(), other()]);
    rpod.run(&["manifest", "create", "--amend", "own", "foreign"])
        .refuses()
        .stderr_has("an image has this name");
    rpod.run(&["manifest", "rm", "own"])
        .refuses()
        .stderr_has("it is an image and no list");
}

#[test]
fn images_of_a_registry_are_pulled_into_a_list() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    let mine = busybox("mine").platform(architecture(), "linux");
    let theirs = busybox("theirs")
        .layer(Layer::new().file("more", "x"))
        .platform(other(), "linux");
    let (mine, theirs) = (registry.push(&mine), registry.push(&theirs));
    let name = registry.name("joined");
    rpod.run(&["manifest", "create", &name, &mine, &theirs])
        .success();
    rpod.run(&["manifest", "push", "--purge", "--all", &name])
        .success();
    rpod.run(&["manifest", "exists", &name]).fails(1);
    // All images of a list at a registry.
    let fresh = Sandbox::new();
    fresh
        .run(&["manifest", "create", "--all", "copy", &name])
        .success();
    let copy = inspect(&fresh, "copy");
    assert_eq!(copy["manifests"], inspect(&fresh, &name)["manifests"]);
}

#[test]
fn docker_s_words_a_subject_and_the_long_form_of_a_list() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    list_of_two(&rpod, "both");
    rpod.run(&[
        "manifest",
        "annotate",
        "--index",
        "--annotation",
        "by=me",
        "both",
    ])
    .success();
    rpod.run(&["manifest", "annotate", "--subject", "own", "both"])
        .success();
    rpod.run(&["manifest", "annotate", "--features", "sse4", "both", "own"])
        .success();
    rpod.run(&["manifest", "annotate", "--index", "--os", "linux", "both"])
        .fails(1)
        .stderr_has("only --annotation");
    rpod.run(&["manifest", "annotate", "both"])
        .fails(1)
        .stderr_has("--index");
    let list = inspect(&rpod, "both");
    assert_eq!(list["annotations"]["by"], "me");
    assert!(list["subject"]["digest"].is_string(), "{list}");
    assert_eq!(list["manifests"][0]["platform"]["features"][0], "sse4");

    let long = rpod.run(&["manifest", "inspect", "-v", "both"]);
    let long: Value = serde_json::from_str(&long.success().stdout()).unwrap();
    for (place, platform) in [architecture(), other()].iter().enumerate() {
        let one = &long[place];
        assert_eq!(one["Descriptor"]["platform"]["architecture"], *platform);
        assert_eq!(one["OCIManifest"]["schemaVersion"], 2);
        assert!(one["Ref"].as_str().unwrap().contains("both:latest@sha256:"));
    }

    // Without its images a registry does not take it; with them it does, and then alone.
    let name = registry.name("team/both:1");
    let alone = ["manifest", "push", "--all=false", "both"];
    rpod.run(&[&alone[..], &[&name]].concat()).refuses();
    rpod.run(&["manifest", "push", "--format", "v2s2", "both", &name])
        .success();
    let pushed = inspect(&rpod, &name);
    let dockers = "application/vnd.docker.distribution.manifest";
    assert_eq!(pushed["mediaType"], format!("{dockers}.list.v2+json"));
    assert_eq!(
        pushed["manifests"][0]["mediaType"],
        format!("{dockers}.v2+json")
    );
    let long = rpod.run(&["manifest", "inspect", "-v", &name]);
    let long: Value = serde_json::from_str(&long.success().stdout()).unwrap();
    assert_eq!(long[1]["SchemaV2Manifest"]["schemaVersion"], 2);
}

#[test]
fn a_list_is_saved_and_loaded_whole() {
    let (rpod, fresh) = (Sandbox::new(), Sandbox::new());
    list_of_two(&rpod, "both");
    let digests = |rpod: &Sandbox| {
        rpod.run(&["images", "--no-trunc", "--format", "{{.ID}}", "both"])
            .success()
            .stdout()
    };
    for format in ["docker-archive", "oci-archive"] {
        let saved = rpod.run(&["save", "--format", format, "both"]);
        let saved = saved.success().stdout_bytes().to_vec();
        fresh
            .command(&["load"])
            .stdin(saved.clone())
            .run()
            .success();
        assert_eq!(digests(&fresh), digests(&rpod), "{format}");
        for architecture in [architecture(), other()] {
            let platform = format!("linux/{architecture}");
            fresh
                .run(&["run", "--rm", "--platform", &platform, "both"])
                .success()
                .stdout_is(architecture);
        }
        fresh.run(&["system", "check"]).success();
        fresh.run(&["rmi", "both"]).success();
        // Or the image of one platform alone.
        let platform = format!("linux/{}", other());
        fresh
            .command(&["load", "--platform", &platform])
            .stdin(saved)
            .run()
            .success();
        assert_eq!(fresh.inspect("both", "{{.Architecture}}"), other());
        fresh.run(&["rmi", "both"]).success();
    }
}

#[test]
fn a_list_is_drawn_as_the_image_for_this_machine() {
    let rpod = Sandbox::new();
    list_of_two(&rpod, "both");
    let own = rpod.run(&["image", "tree", "own"]).success().stdout();
    let list = rpod.run(&["image", "tree", "both"]).success().stdout();
    assert_eq!(list.matches("└── ID: ").count(), 1, "{list}");
    let top = |text: &str| text.lines().last().unwrap().to_owned();
    assert_eq!(top(&own), top(&list));
    assert!(
        top(&own).contains("Top Layer of: [both:latest own:latest]"),
        "{own}"
    );
    let foreign = rpod.run(&["image", "tree", "foreign"]).success().stdout();
    assert!(
        top(&foreign).contains("Top Layer of: [both:latest foreign:latest]"),
        "{foreign}"
    );
    let upon = rpod.run(&["image", "tree", "--whatrequires", "foreign"]);
    assert_eq!(upon.success().stdout().matches("└── ID: ").count(), 1);
}

#[test]
fn what_an_image_of_a_list_lacks_is_fetched_from_where_the_list_was_pushed() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    let name = registry.name("team/app:2.0");
    let image = busybox("tiny");
    let own = registry.push_as(&image, "team/app:own");
    let foreign = image.platform(other(), "linux");
    let foreign = registry.push_as(&foreign, "team/app:foreign");
    rpod.run(&["manifest", "create", &name, &own, &foreign])
        .success();
    rpod.run(&["manifest", "push", "--all", &name]).success();
    rpod.run(&["rmi", &own, &foreign]).success();
    let list = inspect(&rpod, &name);
    let member = list["manifests"][1]["digest"].as_str().unwrap().to_owned();
    let blobs = rpod.store().join("images/blobs/sha256");
    std::fs::remove_file(blobs.join(member.trim_start_matches("sha256:"))).unwrap();
    rpod.run(&["system", "check"])
        .fails(1)
        .stdout_has("it is not there");
    rpod.run(&["system", "check", "--repair"])
        .success()
        .stdout_has("mended: blob ");
}
