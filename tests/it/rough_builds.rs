//! Builds that are made difficult: full disks, kills, large and odd contexts, links
//! that lead away, secrets. `RPOD_TEST_FULL=1` makes them larger.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use crate::require;
use crate::support::{Sandbox, probe};

#[test]
fn a_disk_that_is_full_in_any_phase_stops_a_build_and_breaks_nothing() {
    require!(probe::user_namespaces(), "user namespaces are forbidden");
    let rpod = Sandbox::new();
    let archive = crate::support::image::built("busybox");
    let program = rpod.program().to_str().unwrap();
    rpod.write("context/data", vec![7; 3 << 20]);
    rpod.write("context/tree/a/b", "b");
    rpod.write(
        "context/Dockerfile",
        "FROM busybox AS one\n\
         COPY data /data\n\
         RUN head -c 2000000 /dev/zero > /more; cp /data /again\n\
         FROM busybox\n\
         COPY tree /tree\n\
         RUN head -c 1000000 /dev/zero > /zero\n\
         COPY --from=one /again /more /there/\n\
         RUN ls /there > /list\n",
    );
    // All in one small file system. What is free differs, so that it is full while
    // files are copied, hashed, written by a program, put into a blob, recorded.
    let script = r#"
        mount -t tmpfs -o size=96m,mode=700 tmpfs "$HOME"
        "$RPOD" load -q -i "$ARCHIVE" > /dev/null
        full=0
        for free in 0 16 48 200 1000 2000 3100 3600 5000 7000 9000 12000 14000 15500 17000; do
            have=$(df -k --output=avail "$HOME" | tail -n 1)
            [ "$have" -le "$free" ] || head -c "$(( (have - free) * 1024 ))" /dev/zero > "$HOME/filler"
            if ! "$RPOD" build -q -t made context > /dev/null 2> "$HOME.err"; then
                full=$((full + 1))
                grep -qi -e 'no space left' -e 'I/O error' "$HOME.err" || { cat "$HOME.err"; exit 90; }
            fi
            rm -f "$HOME/filler"
            "$RPOD" system check > "$HOME.check" 2>&1 || { cat "$HOME.check"; exit 91; }
        done
        [ "$full" -ge 5 ] || { echo "only $full builds met a full disk"; exit 92; }
        "$RPOD" build -q -t made context > /dev/null
        "$RPOD" build --progress=plain -t made context 2>&1 | grep -c CACHED
        "$RPOD" run --rm --network none made sh -c 'cat /list; wc -c < /there/again; cat /tree/a/b'
        "$RPOD" images -q > /dev/null
        # A child that stays behind deletes what was taken away.
        for try in $(seq 100); do
            [ "$(ls -A "$HOME/.local/share/rpod/tmp")" ] || break
            sleep 0.1
        done
        ls -A "$HOME/.local/share/rpod/tmp"
    "#;
    rpod.other("unshare", &["-Urm", "sh", "-ec", script])
        .env("RPOD", program)
        .env("ARCHIVE", &archive)
        .timeout(120)
        .run()
        .success()
        .stdout_is("8\nagain\nmore\n3145728\nb");
}

#[test]
fn a_context_of_many_files_is_built_and_one_change_is_seen() {
    let rpod = Sandbox::with(&["busybox"]);
    let count = if probe::full() { 200_000 } else { 20_000 };
    for n in 0..count {
        let (directory, name) = (n / 1000, n % 1000);
        if name == 0 {
            std::fs::create_dir_all(rpod.work().join(format!("in/d{directory}/deep"))).unwrap();
        }
        let below = if name % 7 == 0 { "deep/" } else { "" };
        let path = format!("in/d{directory}/{below}f{name}");
        std::fs::write(rpod.work().join(path), n.to_string()).unwrap();
    }
    rpod.write("Dockerfile", "FROM busybox\nWORKDIR /all\nCOPY in .\n");
    rpod.write(".dockerignore", "in/*/f999\n");
    let build = || {
        rpod.command(&["build", "-q", "-t", "made", "."])
            .timeout(300)
            .run()
    };
    let first = build().success().line();
    assert_eq!(build().success().line(), first);
    rpod.write("in/d7/f8", "changed");
    assert_ne!(build().success().line(), first);
    let script = "find /all -type f | wc -l; cat /all/d7/f8 /all/d3/deep/f7";
    let left = count - count / 1000;
    rpod.command(&[
        "run",
        "--rm",
        "--network",
        "none",
        "made",
        "sh",
        "-c",
        script,
    ])
    .timeout(120)
    .run()
    .success()
    .stdout_is(&format!("{left}\nchanged3007"));
}

#[test]
fn what_cannot_be_read_is_named_or_left_out() {
    require!(!probe::is_root(), "root reads everything");
    let rpod = Sandbox::with(&["busybox"]);
    // Somebody else's file, in a directory of somebody else's.
    let build = |text: &str| {
        let file = rpod.write("Dockerfile", format!("FROM busybox\n{text}\n"));
        rpod.run(&[
            "build",
            "-q",
            "-t",
            "made",
            "-f",
            file.to_str().unwrap(),
            "/etc",
        ])
    };
    build("COPY shadow /x")
        .refuses()
        .stderr_has("cannot read \"shadow\" in the build context")
        .stderr_has(".dockerignore");
    // What a step does not copy is not read.
    build("COPY passwd /x").success();
    // One's own is read, whatever its permissions are, and keeps them.
    let own = rpod.write("own", "mine");
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o000)).unwrap();
    rpod.write("Dockerfile", "FROM busybox\nCOPY own /own\n");
    rpod.run(&["build", "-q", "-t", "made", "."]).success();
    rpod.run(&["run", "--rm", "made", "stat", "-c", "%a %s", "/own"])
        .success()
        .stdout_is("0 4\n");
}

#[test]
fn directories_too_deep_and_links_in_circles_end() {
    let rpod = Sandbox::with(&["busybox"]);
    let mut path = rpod.work().join("deep");
    for _ in 0..400 {
        path.push("d");
    }
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(path.join("end"), "end").unwrap();
    std::fs::create_dir(rpod.work().join("circle")).unwrap();
    symlink("b", rpod.work().join("circle/a")).unwrap();
    symlink("a", rpod.work().join("circle/b")).unwrap();
    symlink(".", rpod.work().join("circle/self")).unwrap();
    symlink("../circle", rpod.work().join("circle/up")).unwrap();
    rpod.write(
        "Dockerfile",
        "FROM busybox\nCOPY deep /deep\nCOPY circle /circle\n",
    );
    rpod.run(&["build", "-q", "-t", "made", "."]).success();
    let script = "find /deep -name end | wc -l; cd /circle; for l in a b self up; do echo $(readlink $l); done | tr '\\n' ' '";
    rpod.run(&["run", "--rm", "made", "sh", "-c", script])
        .success()
        .stdout_is("1\nb a . ../circle ");
    rpod.write("Dockerfile", "FROM busybox\nCOPY circle/a /x\n");
    rpod.run(&["build", "-q", "."])
        .refuses()
        .stderr_has("cannot copy \"circle/a\"");
    let mut path = rpod.work().join("deep");
    for _ in 0..3 {
        path = path.join("d/".repeat(200));
        std::fs::create_dir_all(&path).unwrap();
    }
    rpod.write("Dockerfile", "FROM busybox\nCOPY deep /deep\n");
    rpod.run(&["build", "-q", "."])
        .refuses()
        .stderr_has("directories in each other");
}

#[test]
fn links_of_a_stage_end_in_the_stage() {
    let rpod = Sandbox::with(&["busybox"]);
    let outside = rpod.path().join("outside");
    std::fs::write(&outside, "of the machine").unwrap();
    let up = "../".repeat(30);
    rpod.write(
        "Dockerfile",
        format!(
            "FROM busybox AS s\n\
             RUN ln -s {path} /absolute && ln -s {up}{path} /relative && ln -s /proc/self/root /magic \\\n\
              && mkdir -p /d/e && ln -s /d /link && echo in > /d/e/f && ln -s {up} /top\n\
             FROM busybox\n\
             COPY --from=s /link/e /e\n\
             COPY --from=s /top/d/e/f /f\n\
             COPY --from=s /d/../../../d/e/f /g\n",
            path = outside.display()
        ),
    );
    rpod.run(&["build", "-q", "-t", "made", "."]).success();
    rpod.run(&["run", "--rm", "made", "cat", "/e/f", "/f", "/g"])
        .success()
        .stdout_is("in\nin\nin\n");
    let text = std::fs::read_to_string(rpod.work().join("Dockerfile")).unwrap();
    for name in ["absolute", "relative", "magic/etc/passwd"] {
        rpod.write(
            "Dockerfile",
            format!("{text}COPY --from=s /{name} /stolen\n"),
        );
        rpod.run(&["build", "-q", "."]).refuses();
    }
}

#[test]
fn a_secret_stays_nowhere_also_when_the_step_fails() {
    let rpod = Sandbox::with(&["busybox"]);
    let secret = "5ecret-of-the-test";
    rpod.write("token", secret);
    let mount = "--mount=type=secret,id=token --mount=type=secret,id=token,env=TOKEN";
    for (command, works) in [
        ("test -n $TOKEN && test -s /run/secrets/token", true),
        ("exit 4", false),
    ] {
        rpod.write(
            "Dockerfile",
            format!(
                "FROM busybox\nRUN {mount} {command}\n\
                 RUN --mount=type=secret,id=token,target=/etc/deep/er/token,mode=0444 test -s /etc/deep/er/token\n"
            ),
        );
        for form in ["plain", "rawjson", "classic"] {
            let words = ["build", "--no-cache", "--progress", form, "-t", "made"];
            let more = ["--secret", "id=token,src=token", "."];
            let out = rpod.run(&[&words[..], &more[..]].concat());
            assert_eq!(out.code == Some(0), works, "{}", out.stderr());
            out.stdout_lacks(secret).stderr_lacks(secret);
        }
    }
    rpod.run(&["history", "--no-trunc", "made"])
        .success()
        .stdout_lacks(secret);
    let archive = rpod.work().join("made.tar");
    rpod.run(&["save", "-q", "-o", archive.to_str().unwrap(), "made"])
        .success();
    for place in [rpod.store(), archive] {
        // In the own namespace, where files of other ids can be read as well.
        let words = ["unshare", "grep", "-rl", secret, place.to_str().unwrap()];
        let found = rpod.run(&words);
        assert_eq!(found.stdout(), "", "the secret is in the store");
        assert_eq!(
            found.code,
            Some(1),
            "grep looked through all of it: {}",
            found.stderr()
        );
    }
    // Nor does its mount point.
    rpod.run(&["run", "--rm", "made", "ls", "/etc/deep", "/run/secrets"])
        .stderr_has("No such file");
}

#[test]
fn killed_while_it_copies_the_next_build_is_whole() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.may_leave_processes();
    for n in 0..3000 {
        rpod.write(&format!("in/d{}/f{n}", n % 30), n.to_string());
    }
    rpod.write(
        "Dockerfile",
        "FROM busybox AS a\nCOPY in /in\nFROM busybox\nCOPY --from=a /in /in\nRUN find /in -type f | wc -l > /count\n",
    );
    let build = ["build", "-q", "-t", "made", "."];
    let whole = rpod.run(&build).took;
    let rounds = if probe::full() { 60 } else { 10 };
    for round in 0..rounds {
        rpod.run(&["builder", "prune", "-af"]).success();
        let mut running = rpod.command(&build).spawn();
        std::thread::sleep(
            whole.mul_f64(f64::from(round) / f64::from(rounds)) + Duration::from_millis(2),
        );
        running.signal("KILL");
        drop(running);
        rpod.run(&["system", "check"]).success();
    }
    rpod.run(&build).success();
    rpod.run(&["run", "--rm", "made", "cat", "/count"])
        .success()
        .stdout_is("3000\n");
    rpod.run(&["system", "check"]).success();
    rpod.run(&["builder", "prune", "-af"]).success();
    crate::support::eventually("what was staged is swept", || {
        rpod.run(&build).success();
        rpod.staged().is_empty()
    });
}
