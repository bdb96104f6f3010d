//! `inspect`, and `--format` everywhere: the words of Go's templates that people
//! and scripts use.

use serde_json::Value;

use crate::support::Sandbox;

fn with_container() -> Sandbox {
    let rpod = Sandbox::with(&["busybox"]);
    let words = [
        "create",
        "--name",
        "web",
        "-e",
        "A=1",
        "--label",
        "tier=front",
        "-p",
        "127.0.0.1:18080:80",
    ];
    rpod.run(&[&words[..], &["busybox", "sleep", "5"]].concat())
        .success();
    rpod
}

#[test]
fn inspect_is_an_array_with_dockers_names() {
    let rpod = with_container();
    let text = rpod.run(&["inspect", "web"]).success().stdout();
    let parsed: Value = serde_json::from_str(&text).unwrap();
    let container = &parsed[0];
    assert_eq!(container["Name"], "/web");
    assert_eq!(container["State"]["Status"], "created");
    assert_eq!(container["Config"]["Labels"]["tier"], "front");
    assert_eq!(container["Config"]["Image"], "busybox");
    assert_eq!(container["Args"][0], "5");
    assert_eq!(container["Path"], "sleep");
    assert_eq!(
        container["HostConfig"]["PortBindings"]["80/tcp"][0]["HostPort"],
        "18080"
    );
    for field in [
        "Id",
        "Created",
        "Image",
        "Mounts",
        "NetworkSettings",
        "HostConfig",
    ] {
        assert!(!container[field].is_null(), "{field}: {text}");
    }
    rpod.remove_all();
}

#[test]
fn inspect_finds_images_networks_and_volumes_too() {
    let rpod = with_container();
    let image: Value =
        serde_json::from_str(&rpod.run(&["inspect", "busybox"]).success().stdout()).unwrap();
    assert_eq!(image[0]["RepoTags"][0], "busybox:latest");
    assert_eq!(image[0]["Config"]["Cmd"][0], "sh");
    let missing = rpod.run(&["inspect", "missing"]);
    assert_ne!(missing.code, Some(0));
    missing.stderr_has("missing");
    rpod.remove_all();
}

#[test]
fn format_takes_fields_ranges_conditions_and_functions() {
    let rpod = with_container();
    let cases = [
        ("{{.Name}}", "/web"),
        ("{{.State.Status}} {{.State.ExitCode}}", "created 0"),
        ("{{json .Config.Labels}}", "{\"tier\":\"front\"}"),
        ("{{range .Args}}<{{.}}>{{end}}", "<5>"),
        ("{{index .Config.Labels \"tier\"}}", "front"),
        ("{{len .Args}}", "1"),
        ("{{if .State.Running}}yes{{else}}no{{end}}", "no"),
        (
            "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}}{{end}}",
            "tier=front",
        ),
        ("{{upper .Path}}", "SLEEP"),
        ("{{join .Args \",\"}}", "5"),
        ("{{printf \"%s-%d\" .Path .State.ExitCode}}", "sleep-0"),
        (
            "{{(index (index .HostConfig.PortBindings \"80/tcp\") 0).HostPort}}",
            "18080",
        ),
        ("{{ .Path -}}  x", "sleepx"),
        ("{{.Path | upper | json}}", "\"SLEEP\""),
        ("{{eq .Path \"sleep\"}}", "true"),
        ("{{with .Config}}{{.Image}}{{end}}", "busybox"),
    ];
    for (format, expected) in cases {
        assert_eq!(rpod.inspect("web", format), expected, "{format}");
    }
    rpod.remove_all();
}

#[test]
fn a_broken_format_is_refused_with_its_place() {
    let rpod = with_container();
    for format in ["{{.Name", "{{end}}", "{{nosuch .Name}}", "{{.NoSuchField}}"] {
        let refused = rpod.run(&["inspect", "--format", format, "web"]);
        assert_ne!(refused.code, Some(0), "{refused}");
        assert!(!refused.stderr().contains("panicked"), "{refused}");
    }
    rpod.remove_all();
}

#[test]
fn lists_take_json_and_tables() {
    let rpod = with_container();
    let line = rpod.run(&["ps", "-a", "--format", "json"]).success().line();
    let parsed: Value = serde_json::from_str(&line).unwrap();
    let row = if parsed.is_array() {
        &parsed[0]
    } else {
        &parsed
    };
    assert!(row["Names"].to_string().contains("web"), "{line}");
    rpod.run(&["ps", "-a", "--format", "{{.Names}}\\t{{.Image}}"])
        .success()
        .stdout_is("web\tbusybox\n");
    let table = rpod
        .run(&["ps", "-a", "--format", "table {{.Names}}\t{{.Image}}"])
        .success()
        .stdout();
    let lines: Vec<Vec<_>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines, [["NAMES", "IMAGE"], ["web", "busybox"]]);
    rpod.run(&["images", "--format", "{{.Repository}}:{{.Tag}}"])
        .success()
        .stdout_is("busybox:latest\n");
    rpod.remove_all();
}
