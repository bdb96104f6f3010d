//! Several rpods at the same time: no lock is held too long, nothing is done
//! twice, and nothing is lost.

use crate::support::image::{Image, Layer, busybox_layer};
use crate::support::registry::{HostileRegistry, Kind, Reply};
use crate::support::{Output, Running, Sandbox};

fn all_at_once(rpod: &Sandbox, commands: &[Vec<String>]) -> Vec<Output> {
    let running: Vec<Running> = commands
        .iter()
        .map(|words| {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            rpod.command(&words).spawn()
        })
        .collect();
    running.into_iter().map(Running::wait).collect()
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[test]
fn sixteen_runs_at_once() {
    let rpod = Sandbox::with(&["busybox"]);
    let commands: Vec<_> = (0..16)
        .map(|n| words(&format!("run --rm busybox echo {n}")))
        .collect();
    for (n, output) in all_at_once(&rpod, &commands).iter().enumerate() {
        output.success().stdout_is(&format!("{n}\n"));
    }
    assert_eq!(rpod.run(&["ps", "-aq"]).success().stdout(), "");
}

#[test]
fn sixteen_containers_have_sixteen_addresses() {
    let rpod = Sandbox::with(&["busybox"]);
    let commands: Vec<_> = (0..16)
        .map(|n| words(&format!("run -d --name n{n} busybox sleep 1000")))
        .collect();
    for output in all_at_once(&rpod, &commands) {
        output.success();
    }
    let mut addresses: Vec<_> = (0..16).map(|n| rpod.address(&format!("n{n}"))).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 16);
    rpod.remove_all();
}

#[test]
fn sixteen_pulls_of_one_image_fetch_it_once() {
    let rpod = Sandbox::new();
    let image = Image::new("tiny")
        .layer(busybox_layer().gzip())
        .layer(Layer::new().file("greeting", "once").gzip())
        .cmd(&["cat", "/greeting"]);
    let registry = HostileRegistry::serve(&image, |_| Reply::Honest);
    let name = registry.name("tiny");
    let commands = vec![words(&format!("pull {name}")); 16];
    for output in all_at_once(&rpod, &commands) {
        output.success();
    }
    rpod.run(&["run", "--rm", &name])
        .success()
        .stdout_is("once");
    let fetched = registry
        .requests()
        .iter()
        .filter(|request| request.kind() == Kind::Blob && request.method == "GET")
        .count();
    assert!(fetched <= 4, "two layers were fetched {fetched} times");
}

#[test]
fn one_name_is_given_to_one_of_many() {
    let rpod = Sandbox::with(&["busybox"]);
    let commands = vec![words("create --name only busybox true"); 12];
    let outputs = all_at_once(&rpod, &commands);
    let winners = outputs
        .iter()
        .filter(|output| output.code == Some(0))
        .count();
    assert_eq!(winners, 1);
    for loser in outputs.iter().filter(|output| output.code != Some(0)) {
        loser.refuses().stderr_has("only");
    }
    assert_eq!(
        rpod.run(&["ps", "-aq"]).success().stdout().lines().count(),
        1
    );
    rpod.remove_all();
}

#[test]
fn removing_while_others_start_hurts_nobody() {
    let rpod = Sandbox::with(&["busybox"]);
    let commands: Vec<_> = (0..24)
        .map(|n| match n % 3 {
            0 => words(&format!("run --rm busybox echo {n}")),
            1 => words("ps -a"),
            _ => words("images"),
        })
        .collect();
    for output in all_at_once(&rpod, &commands) {
        output.success();
    }
}

#[test]
fn an_image_is_not_removed_under_a_start() {
    let rpod = Sandbox::with(&["busybox"]);
    for _ in 0..4 {
        let mut commands = vec![words("run --rm --pull never busybox echo alive"); 3];
        commands.push(words("rmi busybox"));
        let outputs = all_at_once(&rpod, &commands);
        for run in &outputs[..3] {
            if run.code == Some(0) {
                run.stdout_is("alive\n");
            } else {
                run.refuses().stderr_has("busybox");
            }
        }
        rpod.load(&crate::support::image::built("busybox"));
    }
}

#[test]
fn of_rmi_and_create_one_gives_way() {
    let rpod = Sandbox::new();
    let image = Image::new("tiny")
        .layer(busybox_layer())
        .cmd(&["echo", "alive"]);
    let archive = rpod.write("tiny.tar", image.docker_archive());
    let (mut kept, mut taken) = (0, 0);
    for round in 0..30 {
        rpod.load(&archive);
        let commands = [
            words("create --name one --pull never tiny"),
            words(if round % 2 == 0 {
                "rmi tiny"
            } else {
                "rmi -f tiny"
            }),
        ];
        let outputs = all_at_once(&rpod, &commands);
        let (create, rmi) = (&outputs[0], &outputs[1]);
        if create.code == Some(0) {
            // The image is there, and so is what the container is made of: only a forced
            // removal that came after it takes the image from under it.
            kept += 1;
            if rmi.code == Some(0) {
                assert_eq!(round % 2, 1, "{create}\n{rmi}");
            } else {
                rmi.refuses().stderr_has("in use by container \"one\"");
                rpod.run(&["image", "inspect", "tiny"]).success();
            }
            rpod.run(&["start", "-a", "one"])
                .success()
                .stdout_is("alive\n");
        } else {
            taken += 1;
            create.refuses().stderr_has("tiny");
            if rmi.code == Some(0) {
                rpod.run(&["image", "inspect", "tiny"]).fails(1);
            } else {
                // Each has seen the other, and both gave way: nothing has gone.
                rmi.refuses().stderr_has("in use by container \"one\"");
                rpod.run(&["image", "inspect", "tiny"]).success();
            }
        }
        rpod.run(&["system", "check"]).success();
        rpod.run(&["rm", "-f", "one"]).success();
        rpod.run(&["system", "check"]).success();
    }
    assert_eq!(kept + taken, 30);
    rpod.run(&["rmi", "-f", "tiny"]).success();
    assert_eq!(rpod.run(&["ps", "-aq"]).success().stdout(), "");
}
