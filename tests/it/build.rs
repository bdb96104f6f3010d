//! Images from Dockerfiles: `build`, and what it keeps.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use crate::require;
use crate::support::sandbox::Output;
use crate::support::{Sandbox, eventually, probe};

/// Builds the scratch directory's `Dockerfile`, whose text is given.
pub fn build(rpod: &Sandbox, dockerfile: &str, more: &[&str]) -> Output {
    rpod.write("Dockerfile", dockerfile);
    let words: Vec<&str> = ["build", "--progress=plain", "-t", "made", "."]
        .iter()
        .chain(more)
        .copied()
        .collect();
    rpod.run(&words)
}

/// What a command in the built image prints.
pub fn inside(rpod: &Sandbox, script: &str) -> String {
    let out = rpod.run(&[
        "run",
        "--rm",
        "--entrypoint",
        "",
        "made",
        "sh",
        "-c",
        script,
    ]);
    out.success();
    out.stdout()
}

pub fn id_of(rpod: &Sandbox) -> String {
    let out = rpod.run(&["image", "inspect", "--format", "{{.Id}}", "made"]);
    out.success();
    out.line()
}

#[test]
fn build_makes_an_image_of_several_stages_that_runs() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.write("app/main", "the app");
    let out = build(
        &rpod,
        "ARG BASE=busybox\n\
         FROM $BASE as builder\n\
         WORKDIR /src\n\
         COPY . .\n\
         RUN cat app/main > /out && echo built\n\
         FROM busybox AS unneeded\n\
         RUN exit 7\n\
         FROM busybox\n\
         ENV GREETING=hello NAME=\"a b\"\n\
         ARG VERSION=1\n\
         RUN echo \"$VERSION $GREETING\" > /version\n\
         COPY --from=builder /out /data/\n\
         EXPOSE 80 53/udp\n\
         WORKDIR /data\n\
         ENTRYPOINT [\"cat\"]\n\
         CMD [\"out\"]\n",
        &["--build-arg", "VERSION=2"],
    );
    out.success();
    out.stderr_has("built").stderr_lacks("exit 7");
    rpod.run(&["run", "--rm", "made"])
        .success()
        .stdout_is("the app");
    rpod.run(&["run", "--rm", "made", "/version"])
        .success()
        .stdout_is("2 hello\n");
    assert_eq!(
        inside(&rpod, "echo $GREETING-$NAME; pwd"),
        "hello-a b\n/data\n"
    );
    let out = rpod.run(&["image", "inspect", "made"]);
    out.success();
    out.stdout_has("\"80/tcp\": {}")
        .stdout_has("\"53/udp\": {}");
}

#[test]
fn steps_run_as_the_user_they_are_told() {
    require!(probe::subordinate_ids(), "there is one id");
    let rpod = Sandbox::with(&["busybox"]);
    build(
        &rpod,
        "FROM busybox\nUSER app\nWORKDIR /home/app/w\nRUN id -un > who; ! touch /no\nUSER 0:7\nRUN id -g > group\nUSER app\n",
        &[],
    )
    .success();
    assert_eq!(
        inside(
            &rpod,
            "id -un; cat who group; stat -c %U who group /home/app/w"
        ),
        "app\napp\n7\napp\nroot\napp\n"
    );
}

#[test]
fn what_has_not_changed_is_not_built_again() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.write("a", "1");
    rpod.write("b", "1");
    let dockerfile = "FROM busybox\nCOPY a /a\nRUN cat /a; echo first-$((1+1))\nCOPY b /b\nRUN echo second-$((1+1))\n";
    build(&rpod, dockerfile, &[]).success();
    let first = id_of(&rpod);
    let out = build(&rpod, dockerfile, &[]);
    out.success();
    out.stderr_lacks("first-2")
        .stderr_lacks("second-2")
        .stderr_has("CACHED");
    assert_eq!(id_of(&rpod), first);
    // Times and another checkout change nothing; content does, from there on.
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    let file = std::fs::File::options()
        .write(true)
        .open(rpod.work().join("b"))
        .unwrap();
    file.set_modified(old).unwrap();
    build(&rpod, dockerfile, &[]).stderr_lacks("second-2");
    rpod.write("b", "2");
    let out = build(&rpod, dockerfile, &[]);
    out.success();
    out.stderr_lacks("first-2").stderr_has("second-2");
    assert_ne!(id_of(&rpod), first);
    let out = build(&rpod, dockerfile, &["--no-cache"]);
    out.success();
    out.stderr_has("first-2").stderr_has("second-2");
}

#[test]
fn the_same_files_give_the_same_image_elsewhere_and_later() {
    let dockerfile = "FROM busybox\nWORKDIR /w\nCOPY . .\nRUN echo x > new; mkdir d; ln -s new d/l; rm /bin/false\n";
    let ids: Vec<String> = (0..2)
        .map(|round| {
            let rpod = Sandbox::with(&["busybox"]);
            rpod.write("one", "1");
            rpod.write("sub/two", "2");
            if round == 1 {
                std::thread::sleep(std::time::Duration::from_millis(1100));
                rpod.write("one", "1");
            }
            build(&rpod, dockerfile, &[]).success();
            id_of(&rpod)
        })
        .collect();
    assert_eq!(ids[0], ids[1]);
}

#[test]
fn a_fault_is_shown_with_its_line_and_what_was_meant() {
    let rpod = Sandbox::with(&["busybox"]);
    let out = build(&rpod, "FROM busybox\nRUNN apk add curl\n", &[]);
    out.fails(1);
    out.stderr_has("Error: Dockerfile:2:1: unknown instruction \"RUNN\"")
        .stderr_has("     2 | RUNN apk add curl\n       | ^^^^ did you mean RUN?");
    let out = build(&rpod, "FROM busybox as builder   # the base\n", &[]);
    out.fails(1);
    out.stderr_has("Dockerfile:1:27: inline comments are not allowed");
    let out = build(&rpod, "FROM busybox\nCOPY nothing /x\n", &[]);
    out.fails(1);
    out.stderr_has("cannot copy \"nothing\" from the build context");
}

#[test]
fn a_step_that_fails_says_what_it_said_and_where_to_look() {
    let rpod = Sandbox::with(&["busybox"]);
    let out = build(
        &rpod,
        "FROM busybox\nRUN echo kept > /kept\nRUN echo last words; exit 3\n",
        &[],
    );
    out.fails(1);
    out.stderr_has("last words")
        .stderr_has("exited with status 3")
        .stderr_has("build step 3/3 failed");
    let stderr = out.stderr();
    let (_, rest) = stderr.split_once("`rpod run -it --rm ").unwrap();
    let image = rest.split(' ').next().unwrap();
    rpod.run(&["run", "--rm", image, "cat", "/kept"])
        .success()
        .stdout_is("kept\n");
}

#[test]
fn copy_puts_files_where_docker_does() {
    let rpod = Sandbox::with(&["busybox"]);
    for file in ["a.txt", "b.txt", "c.md", "dir/x", "dir/deep/y"] {
        rpod.write(file, file);
    }
    symlink("a.txt", rpod.work().join("link")).unwrap();
    symlink("../x", rpod.work().join("dir/deep/up")).unwrap();
    rpod.write("tool", "#!/bin/sh\n");
    std::fs::set_permissions(rpod.work().join("tool"), PermissionsExt::from_mode(0o750)).unwrap();
    build(
        &rpod,
        "FROM busybox\n\
         COPY a.txt /one\n\
         COPY a.txt /d1/\n\
         COPY *.txt /d2/\n\
         COPY dir /d3\n\
         COPY dir a.txt /d4/\n\
         COPY link /d5/\n\
         WORKDIR /w\n\
         COPY dir/deep .\n\
         COPY --chown=1000:7 --chmod=640 a.txt /owned\n\
         COPY --chown=app dir /named\n\
         COPY --parents dir/deep/y /p/\n\
         COPY --exclude=deep dir /e/\n\
         COPY [\"tool\", \"/bin/my tool\"]\n\
         COPY nothing*here /d1/\n\
         COPY <<first <<\"second\" /docs/\n\
         $HOME and $PATHX\nfirst\n$raw\nsecond\n",
        &[],
    )
    .success();
    let seen = inside(
        &rpod,
        "cd /; cat one; echo; ls d1 d2; ls d3 d3/deep; ls d4; cat d5/link; ls w; \
         stat -c '%u:%g %a' owned; ls e p/dir/deep; stat -c %a '/bin/my tool'; cat docs/second",
    );
    let wanted = "a.txt\nd1:\na.txt\n\nd2:\na.txt\nb.txt\nd3:\ndeep\nx\n\nd3/deep:\nup\ny\n\
                  a.txt\ndeep\nx\na.txtup\ny\n1000:7 640\ne:\nx\n\np/dir/deep:\ny\n750\n$raw\n";
    if probe::subordinate_ids() {
        assert_eq!(seen, wanted);
        assert_eq!(
            inside(&rpod, "stat -c %U:%G /named /named/x"),
            "app:app\napp:app\n"
        );
    } else {
        assert_eq!(seen.replace("0:0 640", "1000:7 640"), wanted);
    }
}

#[test]
fn links_lead_nowhere_out_of_the_context_or_the_image() {
    let rpod = Sandbox::with(&["busybox"]);
    let secret = rpod.path().join("outside");
    std::fs::create_dir_all(&secret).unwrap();
    std::fs::write(secret.join("secret"), "secret").unwrap();
    symlink(&secret, rpod.work().join("out")).unwrap();
    symlink("../outside/secret", rpod.work().join("file")).unwrap();
    for dockerfile in [
        "FROM busybox\nCOPY out /x/\n",
        "FROM busybox\nCOPY file /x\n",
    ] {
        build(&rpod, dockerfile, &[]).fails(1);
    }
    // In an image, a link is the image's own.
    rpod.write("f", "written");
    let target = secret.display();
    build(
        &rpod,
        &format!(
            "FROM busybox\nRUN mkdir -p {target}; ln -s {target} /away; ln -s ../../../../../../etc /up; ln -s /nowhere /dead\n\
             COPY f /away/\nCOPY f /up/f\nCOPY f /dead\n"
        ),
        &[],
    )
    .success();
    assert!(!secret.join("f").exists() && !Path::new("/etc/f").exists());
    assert_eq!(
        inside(&rpod, &format!("cat {target}/f /etc/f /dead")),
        "writtenwrittenwritten"
    );
}

#[test]
fn what_stands_in_the_way_is_told() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.write("f", "file");
    rpod.write("d/sub/x", "x");
    let out = build(
        &rpod,
        "FROM busybox\nRUN echo > /there\nCOPY d /there\n",
        &[],
    );
    out.fails(1);
    out.stderr_has("no directory is in its place");
    let out = build(
        &rpod,
        "FROM busybox\nRUN mkdir -p /t/sub/x/y\nCOPY d/sub /t/sub/\n",
        &[],
    );
    out.fails(1);
    out.stderr_has("a directory is there");
    // A link where a file goes is replaced, and what it led to stays.
    build(
        &rpod,
        "FROM busybox\nRUN mkdir /t; echo old > /old; ln -s /old /t/x\nCOPY d/sub /t/\n",
        &[],
    )
    .success();
    assert_eq!(inside(&rpod, "cat /old /t/x"), "old\nx");
}

#[test]
fn contexts_hold_anything() {
    let rpod = Sandbox::with(&["busybox"]);
    let name = b"plain\xff\xfe name\n";
    let path = rpod.work().join("in");
    std::fs::create_dir(&path).unwrap();
    let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(name);
    std::fs::write(path.join(name), "odd").unwrap();
    std::fs::hard_link(path.join(name), path.join("second")).unwrap();
    symlink("loop", path.join("loop")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(path.join("socket")).unwrap();
    rpod.other("mkfifo", &["in/fifo"]).run().success();
    build(&rpod, "FROM busybox\nCOPY in /in\n", &[]).success();
    assert_eq!(
        inside(
            &rpod,
            "cd /in; cat plain*; cat second; ls | wc -l; test -p fifo && echo fifo; stat -c %h second"
        ),
        "oddodd4\nfifo\n2\n"
    );
}

#[test]
fn what_dockerignore_names_is_not_in_the_context() {
    let rpod = Sandbox::with(&["busybox"]);
    for file in [
        "keep",
        "x.log",
        "sub/y.log",
        "sub/z",
        "big/deep/file",
        "big/keep/me",
    ] {
        rpod.write(file, file);
    }
    rpod.write(".dockerignore", "# comment\n**/*.log\nbig\n!big/keep\n");
    build(
        &rpod,
        "FROM busybox\nCOPY . /c\nRUN --mount=target=/m cd /m; find . -name '*.log' -o -name file | wc -l > /seen\n",
        &[],
    )
    .success();
    assert_eq!(
        inside(
            &rpod,
            "cd /c; find . -type f | grep -v ocker | sort; cat /seen"
        ),
        "./big/keep/me\n./keep\n./sub/z\n0\n"
    );
    let out = build(&rpod, "FROM busybox\nCOPY x.log /\n", &[]);
    out.fails(1);
    out.stderr_has("`.dockerignore` leaves it out");
    // A Dockerfile's own goes before the context's.
    rpod.write("Dockerfile.dockerignore", "keep\n");
    build(&rpod, "FROM busybox\nCOPY x.log /\n", &[]).success();
}

#[test]
fn a_run_has_mounts_of_every_kind() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.write("file", "from the context");
    rpod.write("token", "s3cr3t-token");
    let dockerfile = "FROM busybox AS other\nRUN echo other > /o\nFROM busybox\n\
         RUN --mount=type=bind,target=/ctx --mount=type=bind,from=other,source=/o,target=/o \
             cat /ctx/file /o > /both; ! touch /ctx/x\n\
         RUN --mount=type=bind,target=/ctx,rw echo changed > /ctx/file; echo new > /ctx/new; cat /ctx/file > /changed\n\
         RUN --mount=type=cache,target=/cache,id=c --mount=type=cache,target=/own,uid=5,mode=0700 \
             echo x >> /cache/log; wc -l < /cache/log > /lines; stat -c %a /own > /mode\n\
         RUN --mount=type=tmpfs,target=/t grep -c ' /t tmpfs' /proc/mounts > /tmpfs\n\
         RUN --mount=type=secret,id=token --mount=type=secret,id=token,env=TOKEN,target=/s \
             cat /run/secrets/token | wc -c > /length; test ${#TOKEN} = 12; test -f /s\n\
         RUN --network=none ls /sys/class/net > /links\n\
         RUN ls /ctx /cache /t /run/secrets 2>&1 | grep -c 'No such' > /left\n";
    let secret = ["--secret", "id=token,src=token"];
    build(&rpod, dockerfile, &secret).success();
    assert_eq!(
        inside(
            &rpod,
            "cat /both /changed /lines /mode /tmpfs /length /links /left"
        ),
        "from the contextother\nchanged\n1\n700\n1\n12\nlo\n4\n"
    );
    let file = std::fs::read_to_string(rpod.work().join("file")).unwrap();
    assert_eq!(file, "from the context");
    build(&rpod, dockerfile, &[&secret[..], &["--no-cache"]].concat()).success();
    assert_eq!(inside(&rpod, "cat /lines"), "2\n");
    // Nowhere in the store is what the secret said.
    let found = rpod
        .other(
            "grep",
            &["-rlE", "s3cr3t-token", rpod.store().to_str().unwrap()],
        )
        .run();
    assert_eq!(found.stdout(), "", "the secret is in the store");
    let history = rpod.run(&["image", "inspect", "made"]);
    history.stdout_lacks("s3cr3t");
}

#[test]
fn scripts_in_the_dockerfile_run() {
    let rpod = Sandbox::with(&["busybox"]);
    build(
        &rpod,
        "FROM busybox\n\
         RUN <<EOF\nset -e\necho one > /out\necho \"two $HOME\" >> /out\nEOF\n\
         RUN <<EOF\n#!/bin/busybox sh\necho \"three $0\" >> /out\nEOF\n\
         RUN cat <<EOF >> /out && echo five >> /out\nfour\nEOF\n\
         SHELL [\"/bin/busybox\", \"sh\", \"-ec\"]\n\
         RUN echo six >> /out\n",
        &[],
    )
    .success();
    assert_eq!(
        inside(&rpod, "cat /out"),
        "one\ntwo /root\nthree /dev/pipes/EOF\nfour\nfive\nsix\n"
    );
}

#[test]
fn add_unpacks_archives_and_fetches() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.write("t/in", "packed");
    for (name, flag) in [
        ("a.tar", "-cf"),
        ("a.tar.gz", "-czf"),
        ("a.tar.xz", "-cJf"),
        ("a.tar.bz2", "-cjf"),
    ] {
        rpod.other("tar", &[flag, name, "-C", "t", "."])
            .run()
            .success();
    }
    rpod.write("not.tar", "no tar");
    let served = rpod.write("served", "over http");
    let server = crate::support::web::serve(served.parent().unwrap(), "");
    let digest = "sha256:2a9dbf5fe2f2d1a3ac2e4a3f6a3d5f8d1f3e0a8d6a1f0f1a8b1a2c3d4e5f6071";
    build(
        &rpod,
        &format!(
            "FROM busybox\nADD a.tar /1/\nADD a.tar.gz /2/\nADD a.tar.xz /3/\nADD a.tar.bz2 /4/\n\
             ADD not.tar /5/\nCOPY a.tar /6/\nADD http://{server}/served /7/\nADD http://{server}/served /eight\n"
        ),
        &[],
    )
    .success();
    assert_eq!(
        inside(
            &rpod,
            "cat /1/in /2/in /3/in /4/in /5/not.tar; ls /6; cat /7/served /eight; stat -c %a /eight"
        ),
        "packedpackedpackedpackedno tara.tar\nover httpover http600\n"
    );
    let out = build(
        &rpod,
        &format!("FROM busybox\nADD --checksum={digest} http://{server}/served /\n"),
        &[],
    );
    out.fails(1);
    out.stderr_has("--checksum");
}

#[test]
fn a_repository_is_a_context_and_a_source() {
    require!(probe::program("git").is_some(), "git is not installed");
    let rpod = Sandbox::with(&["busybox"]);
    let repository = rpod.work().join("r.git");
    std::fs::create_dir(&repository).unwrap();
    rpod.write("r.git/Dockerfile", "FROM busybox\nCOPY . /c\n");
    rpod.write("r.git/sub/file", "committed");
    let git = |words: &[&str]| {
        let mut all = vec!["-C", "r.git", "-c", "user.name=t", "-c", "user.email=t@t"];
        all.extend(words);
        rpod.other("git", &all).run().success();
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "one"]);
    git(&["tag", "v1"]);
    rpod.write("r.git/sub/file", "later");
    git(&["commit", "-qam", "two"]);
    git(&["update-server-info"]);
    let server = crate::support::web::serve(&repository.join(".git"), "/r.git");
    let address = format!("http://{server}/r.git");
    rpod.run(&["build", "-t", "made", &format!("{address}#v1")])
        .success();
    assert_eq!(
        inside(&rpod, "cat /c/sub/file; ls -a /c | grep -c git || true"),
        "committed0\n"
    );
    build(
        &rpod,
        &format!("FROM busybox\nADD {address}#main:sub /s/\n"),
        &[],
    )
    .success();
    assert_eq!(inside(&rpod, "cat /s/file"), "later");
}

#[test]
fn the_dockerfile_and_the_context_come_from_anywhere() {
    let rpod = Sandbox::with(&["busybox"]);
    let text = "FROM busybox\nRUN echo stdin > /from\n";
    rpod.command(&["build", "-q", "-t", "made", "-"])
        .stdin(text)
        .run()
        .success();
    assert_eq!(inside(&rpod, "cat /from"), "stdin\n");
    rpod.write("c/file", "in the context");
    let text = "FROM busybox\nCOPY file /from\n";
    rpod.command(&["build", "-q", "-t", "made", "-f", "-", "c"])
        .stdin(text)
        .run()
        .success();
    assert_eq!(inside(&rpod, "cat /from"), "in the context");
    rpod.write("c/Containerfile", text);
    rpod.other("tar", &["-czf", "c.tgz", "-C", "c", "."])
        .run()
        .success();
    let archive = std::fs::read(rpod.work().join("c.tgz")).unwrap();
    rpod.command(&["image", "build", "-q", "-t", "made", "-"])
        .stdin(archive)
        .run()
        .success();
    assert_eq!(inside(&rpod, "cat /from"), "in the context");
    rpod.write("more/extra", "named");
    rpod.write(
        "c/D2",
        "FROM busybox\nCOPY --from=more extra /from\nCOPY --from=img /bin/cat /c\n",
    );
    rpod.run(&[
        "buildx",
        "build",
        "-q",
        "-t",
        "made",
        "-f",
        "c/D2",
        "c",
        "--build-context",
        "more=more",
        "--build-context",
        "img=docker-image://busybox",
    ])
    .success();
    assert_eq!(inside(&rpod, "cat /from; test -e /c && echo c"), "namedc\n");
}

#[test]
fn results_become_files() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.write("f", "result");
    rpod.write(
        "Dockerfile",
        "FROM scratch\nCOPY f /dir/f\nCOPY --chown=5:5 f /g\n",
    );
    rpod.run(&["build", "-o", "out", "."]).success();
    assert_eq!(
        std::fs::read_to_string(rpod.work().join("out/dir/f")).unwrap(),
        "result"
    );
    let me = rustix_uid(&rpod.work());
    assert_eq!(
        std::fs::metadata(rpod.work().join("out/g")).unwrap().uid(),
        me
    );
    let out = rpod.run(&["build", "-o", "-", "."]);
    out.success();
    std::fs::write(rpod.work().join("out.tar"), out.stdout_bytes()).unwrap();
    rpod.other("tar", &["-tf", "out.tar"])
        .run()
        .stdout_has("dir/f");
    rpod.run(&["build", "-o", "type=tar,dest=two.tar", "."])
        .success();
    rpod.other("tar", &["-xOf", "two.tar", "g"])
        .run()
        .stdout_is("result");
}

fn rustix_uid(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().uid()
}

#[test]
fn the_image_says_what_the_dockerfile_says() {
    let rpod = Sandbox::with(&["busybox"]);
    build(
        &rpod,
        "FROM busybox\n\
         LABEL one=1 \"two words\"=\"2 3\"\n\
         VOLUME /data\nSTOPSIGNAL SIGINT\nMAINTAINER someone\n\
         HEALTHCHECK --interval=5s --retries=2 CMD test -e /ok\n\
         ONBUILD RUN echo triggered > /triggered\n\
         CMD echo hello\n",
        &[
            "--label",
            "three=3",
            "--annotation",
            "a=b",
            "--iidfile",
            "iid",
            "--metadata-file",
            "meta",
        ],
    )
    .success();
    let out = rpod.run(&["image", "inspect", "made"]);
    out.success();
    for text in [
        "\"two words\": \"2 3\"",
        "\"three\": \"3\"",
        "\"/data\": {}",
        "SIGINT",
        "echo hello",
    ] {
        out.stdout_has(text);
    }
    let iid = std::fs::read_to_string(rpod.work().join("iid")).unwrap();
    assert_eq!(iid, id_of(&rpod));
    let meta = std::fs::read_to_string(rpod.work().join("meta")).unwrap();
    assert!(meta.contains(&iid), "{meta}");
    rpod.run(&["tag", "made", "parent"]).success();
    build(&rpod, "FROM parent\n", &[]).success();
    assert_eq!(inside(&rpod, "cat /triggered"), "triggered\n");
}

#[test]
fn the_forms_of_progress_are_dockers() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.write("Dockerfile", "FROM busybox\nRUN echo out\nCMD [\"sh\"]\n");
    let out = rpod.run(&["build", ".", "-t", "demo:v1", "--progress", "classic"]);
    out.success();
    for line in [
        "Sending build context to Docker daemon",
        "Step 1/3 : FROM busybox",
        "Step 2/3 : RUN echo out\n ---> Running in ",
        "\nout\n",
        "Removing intermediate container ",
        "Step 3/3 : CMD [\"sh\"]\n ---> ",
        "Successfully built ",
        "Successfully tagged demo:v1",
    ] {
        out.stderr_has(line);
    }
    let out = rpod.run(&["build", "--progress", "rawjson", "--no-cache", "."]);
    out.success();
    for line in out.stderr().lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    let out = rpod.run(&["build", "-q", "."]);
    assert!(out.line().starts_with("sha256:") && out.stderr().is_empty());
    let mut drawn = rpod
        .command(&["build", "--no-cache", "."])
        .spawn_on_terminal();
    drawn.wait_for_stdout("FINISHED");
    drawn.wait().success();
    rpod.run(&["image", "buile", "."])
        .stderr_has("did you mean `rpod image build`?");
}

#[test]
fn builds_keep_steps_until_they_are_pruned() {
    let rpod = Sandbox::with(&["busybox"]);
    let dockerfile = "FROM busybox AS a\nRUN echo a-$((1+1)) > /a\nFROM busybox\n\
                      RUN --mount=type=cache,target=/c echo b-$((1+1)) > /b\nCOPY --from=a /a /a\n";
    build(&rpod, dockerfile, &[]).success();
    let out = rpod.run(&["builder", "du", "--verbose"]);
    out.success();
    out.stdout_has("RUN echo a-").stdout_has("exec.cachemount");
    rpod.run(&["builder", "prune", "-f"]).success();
    build(&rpod, dockerfile, &[]).success();
    rpod.run(&["builder", "prune", "-af"]).success();
    let out = rpod.run(&["builder", "du", "--format", "{{.ID}}"]);
    out.success();
    out.stdout_is("");
    assert_eq!(inside(&rpod, "cat /a /b"), "a-2\nb-2\n");
    rpod.run(&["rmi", "made"]).success();
    build(&rpod, dockerfile, &[]).success();
    assert_eq!(inside(&rpod, "cat /a /b"), "a-2\nb-2\n");
}

#[test]
fn two_builds_at_once_do_the_same_work_once() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.write(
        "Dockerfile",
        "FROM busybox\nRUN sleep 1; cat /proc/sys/kernel/random/uuid > /id\n",
    );
    let builds: Vec<_> = (0..3)
        .map(|_| rpod.command(&["build", "-q", "."]).spawn())
        .collect();
    let ids: Vec<String> = builds
        .into_iter()
        .map(|build| {
            let out = build.wait();
            out.success();
            out.line()
        })
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn stages_that_do_not_need_each_other_are_built_side_by_side() {
    let rpod = Sandbox::with(&["busybox"]);
    // Each waits for the other: one after the other, neither would ever end.
    let meet = |me: &str, other: &str| {
        format!(
            "FROM busybox AS {me}\nRUN --mount=type=cache,target=/m,id=meet touch /m/{me}; \
             n=0; while ! test -e /m/{other}; do n=$((n+1)); test $n -lt 300 || exit 1; sleep 0.1; done; touch /{me}\n"
        )
    };
    build(
        &rpod,
        &format!(
            "{}{}FROM scratch\nCOPY --from=one /one /\nCOPY --from=two /two /\n",
            meet("one", "two"),
            meet("two", "one")
        ),
        &[],
    )
    .success();
}

#[test]
fn a_hundred_stages_are_one_graph() {
    let rpod = Sandbox::with(&["busybox"]);
    let mut text = "FROM busybox AS s0\nRUN echo 0 > /n\n".to_owned();
    for n in 1..100 {
        let before = n - 1;
        text.push_str(&format!(
            "FROM busybox AS s{n}\nCOPY --from=s{before} /n /before\nCOPY <<E /n\n{n}\nE\n"
        ));
    }
    build(&rpod, &text, &[]).success();
    assert_eq!(inside(&rpod, "cat /n /before"), "99\n98\n");
    let out = build(&rpod, &text, &["--target", "s50"]);
    out.success();
    out.stderr_lacks("[s51 ");
    assert_eq!(inside(&rpod, "cat /n"), "50\n");
}

#[test]
fn killed_at_any_instant_the_next_build_goes_on() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.may_leave_processes();
    rpod.write("f", "file");
    let dockerfile = "FROM busybox\nRUN echo 1 > /1\nCOPY f /f\nRUN sleep 0.05; rm /1; echo 2 > /2\n\
                      WORKDIR /x/y\nRUN --mount=type=cache,target=/c echo 3 > z\n";
    rpod.write("Dockerfile", dockerfile);
    let whole = rpod.run(&["build", "-q", "."]).took;
    let rounds = if probe::full() { 60 } else { 12 };
    for round in 0..rounds {
        let mut running = rpod.command(&["build", "-q", "--no-cache", "."]).spawn();
        std::thread::sleep(whole.mul_f64(f64::from(round) / f64::from(rounds)));
        running.signal("KILL");
        drop(running);
    }
    eventually("nothing of a killed build goes on", || {
        rpod.processes()
            .iter()
            .all(|p| !p.name.starts_with("rpod-"))
    });
    build(&rpod, dockerfile, &[]).success();
    assert_eq!(
        inside(&rpod, "cat /f /2 z; test -e /1 || echo gone"),
        "file2\n3\ngone\n"
    );
    rpod.run(&["builder", "prune", "-af"]).success();
    eventually("what was staged is swept", || {
        rpod.run(&["build", "-q", "."]).success();
        rpod.staged().is_empty()
    });
}
