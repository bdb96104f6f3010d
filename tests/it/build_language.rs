//! The language of Dockerfiles, as its reference has it.

use crate::build::{build, inside};
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
        &["--add-host", "named.test:10.1.2.3"],
    )
    .success();
    assert_eq!(inside(&rpod, "cat /n"), "lo ");
    assert_eq!(inside(&rpod, "cat /d"), inside(&rpod, "cat /h"));
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
