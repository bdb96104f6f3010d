//! The language of Dockerfiles, as its reference has it.

use crate::build::{build, inside};
use crate::outbound;
use crate::require;
use crate::support::{Sandbox, probe};

/// What `image inspect` says of the built image.
fn said(rpod: &Sandbox, format: &str) -> String {
    let out = rpod.run(&["image", "inspect", "--format", format, "made"]);
    out.success();
    out.line()
}

#[test]
fn variables_are_expanded_with_every_modifier() {
    let rpod = Sandbox::with(&["busybox"]);
    build(
        &rpod,
        "FROM busybox\n\
         ARG F=foo.tar.gz EMPTY=\n\
         ENV A=${F#*.} B=${F##*.} C=${F%.*} D=${F%%.*} G=${F/o/0} H=${F//o/0}\n\
         ENV I=${U:-d} J=${EMPTY:-d} K=${EMPTY-d}x L=${F:+set} M=${U:+set}x N=${U-d} O=${U+set}x P=\\$F Q='$F' R=\"$F\"\n\
         ENV S=one\n\
         ENV S=two T=$S\n\
         RUN echo \"$A $B $C $D $G $H $I $J $K $L $M $N $O $P $Q $R $S $T\" > /out\n",
        &[],
    )
    .success();
    assert_eq!(
        inside(&rpod, "cat /out"),
        "tar.gz gz foo.tar foo f0o.tar.gz f00.tar.gz d d x set x d x $F $F foo.tar.gz two one\n"
    );
    for (word, message) in [
        ("${U:?is needed}", "is needed"),
        ("${U?is needed}", "is needed"),
    ] {
        let out = build(&rpod, &format!("FROM busybox\nENV A={word}\n"), &[]);
        out.refuses();
        out.stderr_has("Dockerfile:2:").stderr_has(message);
    }
}

#[test]
fn arguments_have_scopes() {
    let rpod = Sandbox::with(&["busybox"]);
    let dockerfile = "ARG BASE=busybox OUTER=outer\n\
         FROM $BASE AS first\n\
         ARG OUTER\n\
         ARG INNER=inner\n\
         RUN echo \"$OUTER $INNER\" > /a\n\
         FROM first\n\
         RUN echo \"<$OUTER><$INNER>\" > /b\n\
         ARG TARGETOS TARGETARCH\n\
         ENV INNER=env\n\
         ARG INNER=arg\n\
         RUN echo \"$TARGETOS $INNER $HTTP_PROXY\" > /c\n";
    build(
        &rpod,
        dockerfile,
        &[
            "--build-arg",
            "OUTER=given",
            "--build-arg",
            "HTTP_PROXY=http://proxy.test",
        ],
    )
    .success();
    assert_eq!(
        inside(&rpod, "cat /a /b /c"),
        "given inner\n<><>\nlinux env http://proxy.test\n"
    );
    let out = rpod.run(&["history", "--no-trunc", "made"]);
    out.success();
    out.stdout_has("OUTER=given").stdout_lacks("proxy.test");
    let out = build(&rpod, dockerfile, &["--build-arg", "NOBODY=1"]);
    out.success();
    out.stderr_has("\"NOBODY\" was not used");
}

#[test]
fn directives_stand_before_everything_else() {
    let rpod = Sandbox::with(&["busybox"]);
    build(
        &rpod,
        "# syntax=docker/dockerfile:1\n# escape=`\nFROM busybox\nRUN echo a `\n  b\\\\c > /out\n",
        &[],
    )
    .success();
    assert_eq!(inside(&rpod, "cat /out"), "a b\\c\n");
    let unwise = "FROM busybox\nCMD echo hello\n";
    build(&rpod, unwise, &[])
        .success()
        .stderr_has("(JSONArgsRecommended)");
    let out = rpod.run(&["build", "--check", "."]);
    out.fails(1);
    out.stderr_has("Dockerfile has 1 warning");
    let out = build(&rpod, &format!("# check=error=true\n{unwise}"), &[]);
    out.fails(1);
    let skipped = format!("# check=skip=JSONArgsRecommended;error=true\n{unwise}");
    build(&rpod, &skipped, &[])
        .success()
        .stderr_lacks("JSONArgsRecommended");
}

#[test]
fn settings_are_inherited_and_taken_back() {
    let rpod = Sandbox::with(&["busybox"]);
    build(
        &rpod,
        "FROM busybox AS base\n\
         SHELL [\"/bin/sh\", \"-ec\"]\n\
         HEALTHCHECK --interval=1m --timeout=3s --start-period=2s --start-interval=1s --retries=4 CMD test -e /ok\n\
         STOPSIGNAL SIGINT\n\
         USER 5:6\n\
         WORKDIR /one\n\
         WORKDIR two\n\
         FROM base\n\
         RUN false; true || touch /never\n",
        &[],
    )
    .fails(1);
    let base = "FROM busybox AS base\nHEALTHCHECK --interval=1m --retries=4 CMD test -e /ok\n\
                STOPSIGNAL SIGINT\nWORKDIR /one\nWORKDIR two\nCMD [\"base\"]\n";
    build(&rpod, &format!("{base}FROM base\n"), &[]).success();
    let health = said(&rpod, "{{json .Config.Healthcheck}}");
    assert!(
        health.contains("60000000000")
            && health.contains("\"Retries\":4")
            && health.contains("CMD-SHELL"),
        "{health}"
    );
    assert_eq!(
        said(&rpod, "{{.Config.StopSignal}} {{.Config.WorkingDir}}"),
        "SIGINT /one/two"
    );
    build(
        &rpod,
        &format!("{base}FROM base\nHEALTHCHECK NONE\nENTRYPOINT [\"own\"]\n"),
        &[],
    )
    .success();
    assert!(said(&rpod, "{{json .Config.Healthcheck}}").contains("NONE"));
    // A new entry point takes the base's words away.
    assert_eq!(said(&rpod, "{{json .Config.Cmd}}"), "null");
}

#[test]
fn triggers_fire_once_in_the_child() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.write("f", "context");
    build(
        &rpod,
        "FROM busybox\nONBUILD COPY f /f\nONBUILD RUN cat /f > /g; echo fired >> /count\nONBUILD ENV E=on\n",
        &[],
    )
    .success();
    rpod.run(&["tag", "made", "parent"]).success();
    build(&rpod, "FROM parent\nRUN echo child:$E >> /count\n", &[]).success();
    assert_eq!(
        inside(&rpod, "cat /g; echo; cat /count"),
        "context\nfired\nchild:on\n"
    );
    rpod.run(&["tag", "made", "child"]).success();
    build(&rpod, "FROM child\n", &[]).success();
    assert_eq!(inside(&rpod, "cat /count"), "fired\nchild:on\n");
}

#[test]
fn a_run_has_the_network_hosts_and_rights_that_were_said() {
    let rpod = Sandbox::with(&["busybox"]);
    let links = "ls /sys/class/net | tr '\\n' ' '";
    build(
        &rpod,
        &format!("FROM busybox\nRUN {links} > /d\nRUN --network=none {links} > /n\nRUN --network=host {links} > /h\nRUN grep -c named.test /etc/hosts > /a\n"),
        &["--add-host", "named.test:10.1.2.3", "--allow", "network.host"],
    )
    .success();
    assert_eq!(inside(&rpod, "cat /n"), "lo ");
    let machine: Vec<String> = std::fs::read_dir("/sys/class/net")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let seen = inside(&rpod, "cat /h");
    for name in &machine {
        assert!(
            seen.split(' ').any(|one| one == name),
            "{name} is not in {seen}"
        );
    }
    if probe::tun() {
        assert_eq!(inside(&rpod, "cat /d"), "eth0 lo ");
    } else {
        assert_eq!(inside(&rpod, "cat /d"), seen);
    }
    assert_eq!(inside(&rpod, "cat /a"), "1\n");
    assert_eq!(
        inside(&rpod, "grep -c named.test /etc/hosts || true"),
        "0\n"
    );
    build(
        &rpod,
        &format!("FROM busybox\nRUN {links} > /d\n"),
        &["--network", "none"],
    )
    .success();
    assert_eq!(inside(&rpod, "cat /d"), "lo ");
    let insecure = "FROM busybox\nRUN --security=insecure grep CapEff /proc/self/status > /caps\n";
    let out = build(&rpod, insecure, &[]);
    out.refuses();
    out.stderr_has("--allow security.insecure");
    build(&rpod, insecure, &["--allow", "security.insecure"]).success();
    let caps = inside(&rpod, "cat /caps");
    build(&rpod, &insecure.replace("--security=insecure ", ""), &[]).success();
    assert_ne!(inside(&rpod, "cat /caps"), caps);
    rpod.write("shared/file", "from here");
    build(
        &rpod,
        "FROM busybox\nRUN cat /v/file > /out; df -k /dev/shm | tail -n 1 | awk '{print $2}' >> /out; ulimit -n >> /out\n",
        &["-v", &format!("{}:/v:ro", rpod.work().join("shared").display()), "--shm-size", "2m", "--ulimit", "nofile=99"],
    )
    .success();
    assert_eq!(
        inside(&rpod, "cat /out; ls / | grep -c '^v$' || true"),
        "from here2048\n99\n0\n"
    );
}

#[test]
fn a_run_has_ports_and_a_loopback_of_its_own_and_a_way_out() {
    require!(probe::tun(), "no /dev/net/tun");
    let rpod = Sandbox::with(&["busybox"]);
    let port = outbound::http("0.0.0.0", b"from outside\n".to_vec());
    // Both serve the port at the same time: each waits until the other has begun.
    let serve = |own: &str, other: &str| {
        format!(
            "RUN --mount=type=cache,id=meet,target=/meet mkdir /w && echo {own} > /w/index.html \\\n\
             && httpd -p 8080 -h /w && touch /meet/{own} \\\n\
             && for n in $(seq 100); do [ -e /meet/{other} ] && break; sleep 0.1; done \\\n\
             && [ -e /meet/{other} ] && wget -qO /said http://127.0.0.1:8080/\n"
        )
    };
    let file = format!(
        "FROM busybox AS one\n{}FROM busybox AS two\n{}FROM busybox\n\
         COPY --from=one /said /one\nCOPY --from=two /said /two\n\
         RUN wget -qO /out http://host.docker.internal:{port}/\n\
         RUN ! wget -qO /in http://127.0.0.1:{port}/\n",
        serve("one", "two"),
        serve("two", "one"),
    );
    build(&rpod, &file, &["--jobs", "2"]).success();
    assert_eq!(
        inside(&rpod, "cat /one /two /out"),
        "one\ntwo\nfrom outside\n"
    );
    let loopback =
        |flag: &str| format!("FROM busybox\nRUN {flag} wget -qO /in http://127.0.0.1:{port}/\n");
    build(&rpod, &loopback(""), &["--network", "host"]).success();
    assert_eq!(inside(&rpod, "cat /in"), "from outside\n");
    let out = build(&rpod, &loopback("--network=host"), &[]);
    out.refuses();
    out.stderr_has("--allow network.host");
    build(
        &rpod,
        &loopback("--network=host"),
        &["--allow", "network.host"],
    )
    .success();
    assert_eq!(inside(&rpod, "cat /in"), "from outside\n");
}

#[test]
fn rights_and_places_of_a_run_can_be_changed() {
    let rpod = Sandbox::with(&["busybox", "debian"]);
    let text = "FROM nowhere.example/none\nRUN id -G > /groups; grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status > /kept; test ! -e /etc/hosts\n";
    let (groups, have) = match probe::subordinate_ids() {
        true => (["--group-add=2000", "--group-add=app"], "0 1000 2000\n"),
        false => (["--group-add=0", "--group-add=root"], "0\n"),
    };
    let flags = [
        "--from=busybox",
        groups[0],
        groups[1],
        "--security-opt=seccomp=unconfined",
        "--security-opt=no-new-privileges",
        "--no-hosts",
        "--provenance=false",
        "--sbom",
        "false",
        "--attest=type=provenance,disabled=true",
        "--builder=default",
        "--isolation=rootless",
        "--call=build",
        "--retry=1",
        "--retry-delay=1s",
    ];
    build(&rpod, text, &flags).success();
    assert_eq!(inside(&rpod, "cat /groups"), have);
    // Where there is one id, a filter answers changes of ids in any case: 2.
    let single = inside(
        &rpod,
        "wc -l < /proc/self/uid_map; awk '{n += $3} END {print n}' /proc/self/uid_map",
    ) == "1\n1\n";
    assert_eq!(
        inside(&rpod, "cat /kept | tr -d '\\t'"),
        format!("NoNewPrivs:1\nSeccomp:{}\n", if single { 2 } else { 0 })
    );
    for (flag, hint) in [
        ("--provenance=mode=max", "--provenance=false"),
        ("--sbom=true", "--sbom=false"),
        ("--attest=type=sbom", "disabled=true"),
        ("--builder=remote", "leave --builder out"),
        ("--isolation=hyperv", "rootless"),
        ("--memory=1k", "6m is the least"),
        ("--memory-swap=64m", "--memory"),
        ("--cpuset-cpus=a", "0-2,4"),
    ] {
        let out = build(&rpod, text, &[flag]);
        out.refuses();
        out.stderr_has(hint);
    }
}

#[test]
fn what_a_step_can_tell_of_the_settings_makes_another_step_of_it() {
    let rpod = Sandbox::with(&["busybox"]);
    let text = "FROM busybox\nRUN ulimit -n > /out; df -k /dev/shm | tail -n 1 | awk '{print $2}' >> /out; grep -c far /etc/hosts >> /out; true\n";
    let made = |flags: &[&str]| {
        let out = build(&rpod, text, &[flags, &["--progress=plain"]].concat());
        out.success();
        // The first step is the base, which is always there.
        (
            inside(&rpod, "cat /out"),
            out.stderr().contains("#2 CACHED"),
        )
    };
    let is = |out: &str, cached: bool| (out.to_owned(), cached);
    assert_eq!(
        made(&["--ulimit=nofile=100:200"]),
        is("100\n65536\n0\n", false)
    );
    assert_eq!(
        made(&["--ulimit=nofile=101:200"]),
        is("101\n65536\n0\n", false)
    );
    let more = [
        "--ulimit=nofile=100:200",
        "--shm-size=8m",
        "--add-host=far:10.1.2.3",
    ];
    assert_eq!(made(&more[..2]), is("100\n8192\n0\n", false));
    assert_eq!(made(&more), is("100\n8192\n1\n", false));
    assert_eq!(
        made(&[more[0], more[1], "--add-host=far:10.1.2.4"]),
        is("100\n8192\n1\n", true)
    );
    assert_eq!(made(&more[..1]), is("100\n65536\n0\n", true));
}

#[test]
fn a_base_for_another_machine_is_told_of() {
    let rpod = Sandbox::with(&["busybox"]);
    let foreign = ["--platform=linux/s390x", "-t", "foreign"];
    build(&rpod, "FROM scratch\nCOPY Dockerfile /\n", &foreign).success();
    let text = "FROM foreign\nCOPY Dockerfile /\n";
    let warned = |out: &crate::support::Output| out.stderr().contains("(InvalidBaseImagePlatform)");
    let out = build(&rpod, text, &[]);
    out.success();
    out.stderr_has("Dockerfile:1:6: the image \"foreign\" is for linux/s390x, and the stage for ");
    assert!(warned(&out));
    assert!(!warned(
        build(&rpod, text, &["--platform=linux/s390x"]).success()
    ));
    let skipped = format!("# check=skip=InvalidBaseImagePlatform\n{text}");
    assert!(!warned(build(&rpod, &skipped, &[]).success()));
    let out = build(&rpod, &format!("# check=error=true\n{text}"), &[]);
    out.refuses();
    out.stderr_has("the image \"foreign\" is for linux/s390x");
}

#[test]
fn limits_that_cannot_be_kept_are_refused_before_anything_is_built() {
    let mounted = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    require!(
        !mounted
            .lines()
            .any(|line| line.contains(" /sys/fs/cgroup ") && line.contains(" - cgroup2 ")),
        "there are cgroups of version 2"
    );
    let rpod = Sandbox::with(&["busybox"]);
    for flag in [
        "--memory=64m",
        "-c=512",
        "--cpu-quota=50000",
        "--cgroup-parent=a",
    ] {
        let out = build(&rpod, "FROM busybox\nRUN echo ran >&2\n", &[flag]);
        out.refuses();
        out.stderr_has("no cgroups of version 2");
        assert!(!out.stderr().contains("ran"), "{out}");
    }
}

#[test]
fn an_agent_is_passed_on_to_the_steps_that_ask() {
    let rpod = Sandbox::with(&["busybox"]);
    let socket = rpod.work().join("agent");
    let _agent = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let dockerfile = "FROM busybox\n\
         RUN --mount=type=ssh test -S $SSH_AUTH_SOCK\n\
         RUN --mount=type=ssh,id=other,target=/sock test -S /sock\n\
         RUN test -z \"$SSH_AUTH_SOCK\"\n";
    let other = format!("other={}", socket.display());
    let out = rpod.write("Dockerfile", dockerfile);
    assert!(out.exists());
    rpod.command(&["build", "--ssh", "default", "--ssh", &other, "."])
        .env("SSH_AUTH_SOCK", &socket)
        .run()
        .success();
    let required = "FROM busybox\nRUN --mount=type=ssh,required=true true\n";
    let out = build(&rpod, required, &[]);
    out.refuses();
    out.stderr_has("rpod build --ssh default");
}

#[test]
fn a_shell_opens_where_a_step_failed() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.write(
        "Dockerfile",
        "FROM busybox\nRUN echo half > /done; exit 4\n",
    );
    let mut running = rpod
        .command(&["build", "--progress=plain", "--debug-shell", "."])
        .spawn_on_terminal();
    running.wait_for_stdout("this is a shell where it ran");
    running.write("echo see-$(cat /done)\n");
    running.wait_for_stdout("see-half");
    running.write("exit\n");
    running.wait().fails(1);
}

#[test]
fn archives_compressed_with_zstd_are_unpacked_and_links_stand_alone() {
    require!(probe::program("zstd").is_some(), "zstd is not installed");
    let rpod = Sandbox::with(&["busybox"]);
    rpod.write("t/in", "packed");
    rpod.other("tar", &["-cf", "a.tar", "-C", "t", "."])
        .run()
        .success();
    rpod.other("zstd", &["-q", "a.tar", "-o", "a.tar.zst"])
        .run()
        .success();
    build(
        &rpod,
        "FROM busybox\nADD --link a.tar.zst /z/\nCOPY --link --chown=3:4 t/in /x/y/\n",
        &[],
    )
    .success();
    assert_eq!(inside(&rpod, "cat /z/in /x/y/in"), "packedpacked");
    // A linked layer does not depend on what is below it.
    let out = build(
        &rpod,
        "FROM busybox\nRUN touch /new\nADD --link a.tar.zst /z/\nCOPY --link --chown=3:4 t/in /x/y/\n",
        &[],
    );
    out.success();
    assert!(out.stderr().matches("CACHED").count() >= 3);
    assert_eq!(inside(&rpod, "cat /z/in; ls /new"), "packed/new\n");
}

#[test]
fn what_is_wrong_is_shown_where_it_is_with_what_was_meant() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.write("package.json", "{}");
    for (dockerfile, place, words) in [
        (
            "FROM busybox\nENTRYPONT a\n",
            "2:1:",
            "did you mean ENTRYPOINT?",
        ),
        ("FROM busybox\nCOPY --chwon=1 a b\n", "2:6:", "--chown"),
        (
            "FROM busybox\nRUN --mont=type=tmpfs,target=/x a\n",
            "2:5:",
            "--mount",
        ),
        ("FROM busybox\nCOPY a\n", "2:", "COPY"),
        ("FROM busybox\nWORKDIR\n", "2:", "WORKDIR"),
        (
            "FROM busybox\nWORKDIR /x  # where\n",
            "2:",
            "inline comments",
        ),
        (
            "FROM busybox\nCOPY . /home   # all\n",
            "2:",
            "inline comments",
        ),
        (
            "FROM busybox AS build\nFROM busybox\nCOPY --from=biuld /a /b\n",
            "3:",
            "did you mean the stage \"build\"?",
        ),
        (
            "FROM busybox\nSTOPSIGNAL SIGNOTHING\n",
            "2:12:",
            "is no signal",
        ),
        (
            "FROM busybox\nCOPY packag.json /\n",
            "",
            "did you mean \"package.json\"?",
        ),
    ] {
        let out = build(&rpod, dockerfile, &["--pull=missing"]);
        out.refuses();
        out.stderr_has(place).stderr_has(words);
    }
    rpod.run(&["build", "--target", "biuld", "."]).fails(1);
}

#[test]
fn what_python_compiles_is_not_out_of_date() {
    let rpod = Sandbox::with(&["python"]);
    let script = "import importlib.util,py_compile,struct; \
                  print(struct.unpack('<I', open(importlib.util.cache_from_source('/m.py'),'rb').read()[4:8])[0])";
    build(
        &rpod,
        &format!("FROM python\nCOPY <<E /m.py\nx = 1\nE\nRUN python3 -m py_compile /m.py\nRUN python3 -c \"{script}\" > /kind; test -n \"$SOURCE_DATE_EPOCH\"\n"),
        &[],
    )
    .success();
    // 3: the content of the source is looked at, and not its time.
    assert_eq!(inside(&rpod, "cat /kind; echo $SOURCE_DATE_EPOCH"), "3\n\n");
    build(
        &rpod,
        "FROM python\nRUN test -z \"$SOURCE_DATE_EPOCH\"\n",
        &["--rewrite-timestamp=false"],
    )
    .success();
}

#[test]
fn each_check_says_what_is_unwise_where_it_is() {
    let rpod = Sandbox::new();
    rpod.write(".dockerignore", "*.log\n");
    let check = |text: &str| {
        rpod.write("Dockerfile", text);
        rpod.run(&["build", "--check", "."])
    };
    for (text, said) in [
        (
            "FROM x as y\n",
            "1:8: \"as\" and \"FROM\" have letters of different cases (FromAsCasing)\n     1 | FROM x as y\n       |        ^^\n",
        ),
        (
            "FROM x AS Y\n",
            "1:11: the stage's name \"Y\" is better in lower case (StageNameCasing)\n     1 | FROM x AS Y\n       |           ^\n",
        ),
        (
            "FROM x AS scratch\n",
            "1:11: the stage's name \"scratch\" has a meaning of its own (ReservedStageName)\n     1 | FROM x AS scratch\n       |           ^^^^^^^\n",
        ),
        (
            "FROM x\nRUN a\ncopy a b\n",
            "3:1: \"copy\" has letters of another case than the others (ConsistentInstructionCasing)\n     3 | copy a b\n       | ^^^^\n",
        ),
        (
            "FROM x AS a\nFROM y AS a\n",
            "2:11: an earlier stage is called \"a\" as well (DuplicateStageName)\n     2 | FROM y AS a\n       |           ^\n",
        ),
        (
            "FROM $X\n",
            "1:6: no ARG before FROM declares \"X\" (UndefinedArgInFrom)\n     1 | FROM $X\n       |      ^^\n",
        ),
        (
            "ARG X\nFROM x:$X\n",
            "2:6: \"x:$X\" is no image unless its ARG is given: give it a default (InvalidDefaultArgInFrom)\n     2 | FROM x:$X\n       |      ^^^^\n",
        ),
        (
            "FROM --platform=linux/arm64 x\n",
            "1:17: the stage is always built for \"linux/arm64\", whatever the image is for (FromPlatformFlagConstDisallowed)\n     1 | FROM --platform=linux/arm64 x\n       |                 ^^^^^^^^^^^\n",
        ),
        (
            "FROM --platform=$TARGETPLATFORM x\n",
            "1:17: without --platform it is the same: it is the platform that is built for (RedundantTargetPlatform)\n     1 | FROM --platform=$TARGETPLATFORM x\n       |                 ^^^^^^^^^^^^^^^\n",
        ),
        (
            "FROM x\nENV a b\n",
            "2:1: write ENV NAME=VALUE: the form with a blank holds one pair only (LegacyKeyValueFormat)\n     2 | ENV a b\n       | ^^^\n",
        ),
        (
            "FROM x\nCOPY a ./x.log /\n",
            "2:8: \"x.log\" is left out of the context by .dockerignore (CopyIgnoredFile)\n     2 | COPY a ./x.log /\n       |        ^^^^^^^\n",
        ),
        (
            "FROM x\nMAINTAINER me\n",
            "2:1: MAINTAINER is deprecated: use LABEL org.opencontainers.image.authors (MaintainerDeprecated)\n     2 | MAINTAINER me\n       | ^^^^^^^^^^\n",
        ),
        (
            "FROM x\nCMD a b\n",
            "2:1: CMD is run by a shell, which signals do not reach beyond: write it as a list, [\"program\", \"word\"] (JSONArgsRecommended)\n     2 | CMD a b\n       | ^^^\n",
        ),
        (
            "FROM x\nCMD [\"a\"]\nCMD [\"b\"]\n",
            "2:1: only the last CMD of a stage counts, not this one (MultipleInstructionsDisallowed)\n     2 | CMD [\"a\"]\n       | ^^^\n",
        ),
        (
            "FROM x\nWORKDIR a\n",
            "2:9: WORKDIR \"a\" depends on the base image's working directory (WorkdirRelativePath)\n     2 | WORKDIR a\n       |         ^\n",
        ),
        (
            "FROM x\nENV DB_PASSWORD=1\n",
            "2:1: what ARG and ENV hold can be read in the image: give \"DB_PASSWORD\" with RUN --mount=type=secret (SecretsUsedInArgOrEnv)\n     2 | ENV DB_PASSWORD=1\n       | ^^^\n",
        ),
        (
            "FROM x\nEXPOSE 80/TCP\n",
            "2:8: the protocol of \"80/TCP\" is better in lower case (ExposeProtoCasing)\n     2 | EXPOSE 80/TCP\n       |        ^^^^^^\n",
        ),
        (
            "FROM x\nEXPOSE 80:80\n",
            "2:8: EXPOSE publishes nothing: of \"80:80\" only the port inside counts (ExposeInvalidFormat)\n     2 | EXPOSE 80:80\n       |        ^^^^^\n",
        ),
        (
            "FROM x\nARG NAME=1\nCOPY $NAMF /\n",
            "3:6: the variable \"NAMF\" is not set here; did you mean \"NAME\"? (UndefinedVar)\n     3 | COPY $NAMF /\n       |      ^^^^^\n",
        ),
        (
            "FROM x\nRUN a \\\n\n  b\n",
            "3:1: an empty line in a continued instruction (NoEmptyContinuation)\n     3 | \n       | ^\n",
        ),
        (
            "# chek=skip=all\nFROM x\n",
            "1:1: \"chek\" is no directive: perhaps \"check\" is meant (InvalidDirective)\n     1 | # chek=skip=all\n       | ^^^^^^^^^^^^^^^\n",
        ),
    ] {
        let out = check(text);
        out.refuses();
        assert_eq!(
            out.stderr(),
            format!("warning: Dockerfile:{said}Error: Dockerfile has 1 warning\n"),
            "{text}"
        );
    }
    // A good one is silent, and nothing is built or pulled for any of them.
    let out = check("FROM x\nRUN true\n");
    out.success();
    assert_eq!(out.stderr(), "");
}

#[test]
fn a_step_that_fails_is_shown_in_its_file_with_what_was_perhaps_meant() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.write("f", "");
    for (text, place, line, hint) in [
        (
            "COPY ../x /x",
            "2:1: build step 2/2 failed: cannot copy",
            "     2 | COPY ../x /x\n       | ^^^^\n",
            "no path leads out of the context",
        ),
        (
            "RUN ['ls']",
            "2:1: build step 2/2 failed: `RUN ['ls']` exited with status 127",
            "     2 | RUN ['ls']\n       | ^^^\n",
            "in double quotes",
        ),
        (
            "RUN exit 3",
            "2:1: build step 2/2 failed: `RUN exit 3` exited with status 3",
            "     2 | RUN exit 3\n       | ^^^\n",
            "look around in the state before it",
        ),
        (
            "COPY --chown=nobodyx f /",
            "2:1: build step 2/2 failed: cannot give files to \"nobodyx\"",
            "     2 | COPY --chown=nobodyx f /\n       | ^^^^\n",
            "--chown=1000:1000",
        ),
        (
            "ADD --checksum=sha256:abc f /",
            "2:16: --checksum is for what is fetched",
            "       |                ^^^^^^^^^^\n",
            "",
        ),
    ] {
        let out = build(&rpod, &format!("FROM busybox\n{text}\n"), &[]);
        out.refuses();
        out.stderr_has(&format!("Error: Dockerfile:{place}"))
            .stderr_has(line)
            .stderr_has(hint);
    }
    let out = build(&rpod, "ARG V\nFROM busybox:$V\n", &[]);
    out.refuses();
    out.stderr_has("Error: Dockerfile:2:6: \"busybox:\" is no image name")
        .stderr_has("give its ARG a default");
    // An image's trigger stands in no file here.
    build(&rpod, "FROM busybox\nONBUILD RUN exit 5\n", &[]).success();
    rpod.run(&["tag", "made", "parent"]).success();
    let out = build(&rpod, "# upon it\nFROM parent\n", &[]);
    out.refuses();
    out.stderr_has("Error: Dockerfile:2:1: build step")
        .stderr_has("     2 | FROM parent\n");
    // As docker: what is written as for a publication is its inner port.
    build(
        &rpod,
        "FROM busybox\nEXPOSE 80:8080 127.0.0.1:1:53/udp\n",
        &[],
    )
    .success();
    assert_eq!(
        said(&rpod, "{{json .Config.ExposedPorts}}"),
        "{\"53/udp\":{},\"8080/tcp\":{}}"
    );
}
