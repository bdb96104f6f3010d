//! Templates, line by line as docker shows them.
//! Lives here: tests only.
//! Must not: touch the user's own store.
//! Called by: the test command.
//! Always true: each test says what it holds in its name.

use serde_json::{Value, json};

use super::{Mode, Template};

fn thing() -> Value {
    json!({
        "Name": "/web", "Id": "2cecb6b0fd74", "Count": 3, "Size": 1.5, "Empty": "", "None": null,
        "State": { "Running": true, "ExitCode": 0, "Status": "running" },
        "Config": { "Env": ["A=1", "B=2"], "Labels": { "a.b": "c", "d": "e" } },
        "Mounts": [{ "Source": "/x" }, { "Source": "/y" }],
    })
}

fn fill(text: &str) -> String {
    match Template::parse(text).and_then(|t| t.fill(&thing())) {
        Ok(text) => text,
        Err(error) => format!("! {error}"),
    }
}

#[test]
fn what_docker_users_type_gives_what_they_expect() {
    for (template, text) in [
        ("plain", "plain"),
        ("{{.Name}} {{ .State.Status }}", "/web running"),
        (
            "{{json .State}}",
            r#"{"ExitCode":0,"Running":true,"Status":"running"}"#,
        ),
        ("{{.Config.Env}}", "[A=1 B=2]"),
        ("{{.Config.Labels}}", "map[a.b:c d:e]"),
        ("{{.None}}", "<no value>"),
        ("{{range .Mounts}}{{.Source}},{{end}}", "/x,/y,"),
        (
            "{{range $i, $m := .Mounts}}{{$i}}={{$m.Source}} {{end}}",
            "0=/x 1=/y ",
        ),
        (
            "{{range $k, $v := .Config.Labels}}{{$k}}:{{$v}};{{end}}",
            "a.b:c;d:e;",
        ),
        ("{{range .None}}x{{else}}none{{end}}", "none"),
        ("{{if .State.Running}}up{{else}}down{{end}}", "up"),
        (
            "{{if .State.ExitCode}}bad{{else if eq .Name \"/web\"}}web{{end}}",
            "web",
        ),
        ("{{if .Nothing.At.All}}x{{else}}y{{end}}", "y"),
        ("{{with .State}}{{.Status}}{{end}}", "running"),
        (
            "{{with .Empty}}x{{else with .Name}}{{.}}{{else}}z{{end}}",
            "/web",
        ),
        (
            "{{$x := .Name}}{{range .Mounts}}{{$x}}{{$.Id | printf \"%.2s\"}} {{end}}",
            "/web2c /web2c ",
        ),
        ("{{$x := 1}}{{range .Mounts}}{{$x = 2}}{{end}}{{$x}}", "2"),
        (
            "{{range .Config.Env}}{{if eq . \"B=2\"}}{{break}}{{end}}{{.}}{{end}}",
            "A=1",
        ),
        (
            "{{index .Config.Labels \"a.b\"}} {{index .Config.Env 1}}",
            "c B=2",
        ),
        (
            "{{index .Mounts 0 \"Source\"}} {{(index .Mounts 1).Source}}",
            "/x /y",
        ),
        (
            "{{len .Mounts}} {{slice .Id 0 4}} {{slice .Config.Env 1}}",
            "2 2cec [B=2]",
        ),
        ("{{join .Config.Env \", \"}}", "A=1, B=2"),
        ("{{range split .Name \"e\"}}<{{.}}>{{end}}", "</w><b>"),
        ("{{upper .Name | lower | title}}", "/Web"),
        (
            "{{.Name | printf \"%-6s|%6s|\" .Id}}",
            "2cecb6b0fd74|  /web|",
        ),
        (
            "{{printf \"%05d %x %q %v %.1f %t %%\" .Count 255 .Name .Config.Env .Size true}}",
            "00003 ff \"/web\" [A=1 B=2] 1.5 true %",
        ),
        (
            "{{println .Count \"a\"}}{{print 1 2 \"x\" 3}}",
            "3 a\n1 2x3",
        ),
        (
            "{{and .Name .Count}} {{or .Empty \"d\"}} {{not .Empty}}",
            "3 d true",
        ),
        (
            "{{if and (gt .Count 2) (le .Count 3) (ne .Name \"x\")}}yes{{end}}",
            "yes",
        ),
        (
            "{{eq .Count 1 2 3}} {{lt \"a\" \"b\"}} {{ge 1.5 2}}",
            "true true false",
        ),
        ("a  {{- .Count -}}  b", "a3b"),
        ("a {{/* a {{ comment */ -}}  b", "a b"),
        (
            "{{\"}}\"}} {{`raw \\n`}} {{\"t\\tu\"}} {{'A'}}",
            "}} raw \\n t\tu 65",
        ),
        (
            "{{truncate .Id 4}} {{pad .Count 0 0 | len}}",
            "! cannot use the template: 1:22: pad: 3 is no text",
        ),
        ("[{{pad .Name 1 2}}]", "[ /web  ]"),
        ("{{.Config.Labels.d}}", "e"),
        ("{{json .Name}}{{json .None}}", "\"/web\"null"),
    ] {
        assert_eq!(fill(template), text, "{template}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (template, why) in [
        ("{{.Nmae}}", "1:3: there is no field \"Nmae\""),
        ("a\nb {{.State.Foo}}", "2:5: there is no field \"Foo\""),
        ("{{.Name.X}}", "1:3: /web has no fields"),
        ("{{uper .Name}}", "1:3: there is no function \"uper\""),
        ("{{Name}}", "1:3: there is no function \"Name\""),
        ("{{.Name", "1:1: this action has no closing }}"),
        ("{{}}", "1:1: an action cannot be empty"),
        ("{{if .Name}}x", "1:1: this if has no {{end}}"),
        ("{{end}}", "1:1: {{end}} has nothing to belong to"),
        ("{{range .Count}}{{end}}", "1:9: cannot range over 3"),
        ("{{$x}}", "1:3: there is no variable $x"),
        ("{{\"a}}", "no closing"),
        ("{{index .Mounts 7}}", "index: 7 is outside a list of 2"),
        ("{{lt .Name 1}}", "cannot be compared"),
        ("{{(.Name}}", "1:3: this \"(\" is not closed"),
        ("{{.Name)}}", "1:8: this \")\" closes nothing"),
        ("{{.Name .Id}}", "takes no arguments"),
        ("{{break}}", "outside a range"),
        ("{{printf \"%9999999d\" 1}}", "at most 4096"),
        ("{{1x}}", "\"1x\" is no number"),
        ("{{.Name | }}", "a value is missing"),
        ("{{template \"x\"}}", "not supported"),
    ] {
        let text = fill(template);
        assert!(
            text.starts_with("! ") && text.contains(why),
            "{template}: {text}"
        );
    }
    let deep = "(".repeat(2_000);
    assert!(fill(&format!("{{{{{deep}}}}}")).contains("nested too deeply"));
    assert!(fill(&"{{if .Name}}".repeat(2_000)).contains("nested too deeply"));
}

#[test]
fn a_mistyped_name_gets_a_suggestion() {
    let error = Template::parse("{{.Nmae}}")
        .and_then(|t| t.fill(&thing()))
        .expect_err("there is none");
    assert_eq!(error.hints(), ["did you mean `.Name`?"]);
    let error = Template::parse("{{uper .Name}}").expect_err("there is none");
    assert_eq!(error.hints(), ["did you mean `upper`?"]);
}

#[test]
fn methods_take_arguments_and_headers_ignore_functions() {
    let methods = |name: &str, arguments: &[Value]| {
        (name == "Label").then(|| json!(format!("<{}>", arguments[0].as_str().unwrap_or(""))))
    };
    let template = Template::parse("{{.Label \"a.b\"}} {{.Name | upper}}").expect("it parses");
    let text = template.run(&thing(), &methods, Mode::Value);
    assert_eq!(text.expect("it runs"), "<a.b> /WEB");
    let template = Template::parse("{{json .Names}}\t{{truncate .ID 4}}").expect("it parses");
    let headers = json!({ "Names": "NAMES", "ID": "CONTAINER ID" });
    let text = template.run(&headers, &methods, Mode::Headers);
    assert_eq!(text.expect("it runs"), "NAMES\tCONTAINER ID");
}
