//! The command line as people type it: which verb, which words, which error.

use crate::cli::verbs::{self, Search};
use crate::cli::words::{Plain, plain};
use crate::cli::{failure, help};

/// Returns what clap would read, `help`, or the error with its hints, and the exit status of it.
fn typed(line: &str) -> String {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let (first, rest) = words.split_first().expect("a verb");
    let found = match verbs::find(first, rest) {
        Ok(Search::Verb(found)) => found,
        Ok(Search::Answered) => return "help".to_owned(),
        Err(error) => return shown(&error, false),
    };
    let runs = found.verb.runs;
    let command = found.verb.command(&found.called);
    let words = match plain(found.verb, &command, &found.called, &found.words) {
        Ok(Plain::Help) => return "help".to_owned(),
        Ok(Plain::Words(words)) => words,
        Err(error) => return shown(&error, runs),
    };
    let line = format!("{}: {}", found.verb.name, words.join(" "));
    let usage = found.verb.usage_of(&found.called);
    let all = std::iter::once("rpod".to_owned()).chain(words);
    match command.try_get_matches_from(all) {
        Ok(_) => line,
        Err(error) => shown(
            &crate::cli::missing(found.verb, failure::of_clap(&error, &usage)),
            runs,
        ),
    }
}

fn shown(error: &crate::error::Error, runs: bool) -> String {
    let hints: String = error.hints().iter().map(|h| format!(" | {h}")).collect();
    format!("! {} {error}{hints}", failure::status(error, runs))
}

#[test]
fn every_line_of_the_tutorials_is_understood() {
    for (line, plain) in [
        ("run busybox echo Hello", "run: -- busybox echo Hello"),
        ("run redis:5.0.7-alpine", "run: -- redis:5.0.7-alpine"),
        (
            "run -d -p 8000:80 demo:v1",
            "run: --detach --publish=8000:80 -- demo:v1",
        ),
        (
            "run --name kubia-container -p 1234:8080 -d kubia",
            "run: --name=kubia-container --publish=1234:8080 --detach -- kubia",
        ),
        (
            "run -it --rm hello -H",
            "run: --interactive --tty --rm -- hello -H",
        ),
        (
            "run -p 3386:3306 --name testmysql -e MYSQL_ROOT_PASSWORD=123456 -d mysql:5.7",
            "run: --publish=3386:3306 --name=testmysql --env=MYSQL_ROOT_PASSWORD=123456 --detach -- mysql:5.7",
        ),
        (
            "run --name testmysql -v mydb:/var/lib/mysql -d mysql:5.7",
            "run: --name=testmysql --volume=mydb:/var/lib/mysql --detach -- mysql:5.7",
        ),
        (
            "run -d -p 5000:5000 --restart=always --name registry registry:2",
            "run: --detach --publish=5000:5000 --restart=always --name=registry -- registry:2",
        ),
        ("ps", "ps: "),
        ("ps -a -q", "ps: --all --quiet"),
        ("rm 1a 2b -f -v", "rm: 1a 2b --force --volumes"),
        ("rm kubia-container", "rm: kubia-container"),
        ("stop kubia-container", "stop: kubia-container"),
        ("start kubia-container", "start: kubia-container"),
        ("inspect kubia-container", "inspect: kubia-container"),
        ("logs kubia-container", "logs: kubia-container"),
        (
            "exec -it web sh -c ls",
            "exec: --interactive --tty -- web sh -c ls",
        ),
        ("container stop registry", "stop: registry"),
        ("container rm -v registry", "rm: --volumes registry"),
        ("container ls -a", "ps: --all"),
        ("container list", "ps: "),
        ("container ps", "ps: "),
        ("container remove x", "rm: x"),
        ("container inspect x", "container inspect: x"),
        ("image ls", "images: "),
        ("image list", "images: "),
        ("image remove ubuntu:16.04", "rmi: ubuntu:16.04"),
        ("image rm -f x", "rmi: --force x"),
        ("image inspect x", "image inspect: x"),
        ("images", "images: "),
        ("rmi kubia:latest", "rmi: kubia:latest"),
        (
            "tag kubia zhangcaiwang/kubia:1.0",
            "tag: kubia zhangcaiwang/kubia:1.0",
        ),
        (
            "pull localhost:5000/my-ubuntu",
            "pull: localhost:5000/my-ubuntu",
        ),
        ("volume create mydb", "volume create: mydb"),
        ("volume list -q", "volume ls: --quiet"),
        ("volume remove mydb", "volume rm: mydb"),
        ("info", "info: "),
        ("load -i x.tar", "load: --input=x.tar"),
        ("system info", "info: "),
    ] {
        assert_eq!(typed(line), plain, "{line}");
    }
}

#[test]
fn flags_are_dockers() {
    for (line, plain) in [
        ("run --rm=false --rm x", "run: --rm -- x"),
        ("run --rm --rm=false x", "run: -- x"),
        ("run -d=true x", "run: --detach -- x"),
        ("run -it=false x", "run: --interactive -- x"),
        ("run -it --tty=0 x", "run: --interactive -- x"),
        ("run --sig-proxy=f x", "run: --sig-proxy=false -- x"),
        ("run --sig-proxy x", "run: --sig-proxy -- x"),
        ("run -dp 80:80 x", "run: --detach --publish=80:80 -- x"),
        ("run -eA=1 -e=B=2 x", "run: --env=A=1 --env=B=2 -- x"),
        (
            "run -e -x --label --rm x",
            "run: --env=-x --label=--rm -- x",
        ),
        (
            "run -h web --net host x",
            "run: --hostname=web --network=host -- x",
        ),
        ("run -- x --rm", "run: -- x --rm"),
        ("run x -- y", "run: -- x -- y"),
        ("run --name a --name b x", "run: --name=a --name=b -- x"),
        ("ps -n 3", "ps: --last=3"),
        ("ps -n -1", "ps: --last=-1"),
        (
            "ps --format {{.Names}} --filter name=x",
            "ps: --format={{.Names}} --filter=name=x",
        ),
        ("stop -t 3 x", "stop: --timeout=3 x"),
        ("stop --time=3 x", "stop: --timeout=3 x"),
        ("rm x -f", "rm: x --force"),
        ("rm -- -f", "rm: -- -f"),
        ("cp - web:/x", "cp: - web:/x"),
        ("logs web -f --tail 5", "logs: web --follow --tail=5"),
        ("run --help", "help"),
        ("rm -h", "help"),
        ("container ls --help", "help"),
        ("volume --help", "help"),
        ("volume", "help"),
    ] {
        assert_eq!(typed(line), plain, "{line}");
    }
}

#[test]
fn what_is_wrong_is_said_and_mended() {
    for (line, said) in [
        (
            "buile .",
            "! 1 rpod has no verb \"buile\" | did you mean `rpod build`?",
        ),
        (
            "image buile .",
            "! 1 rpod image has no verb \"buile\" | did you mean `rpod image build`?",
        ),
        (
            "strat x",
            "! 1 rpod has no verb \"strat\" | did you mean `rpod start`?",
        ),
        (
            "xyzzy",
            "! 1 rpod has no verb \"xyzzy\" | `rpod --help` lists the verbs",
        ),
        (
            "compose up -d",
            "! 1 rpod has no `compose` yet | `rpod --help` lists the verbs there are",
        ),
        (
            "network reload",
            "! 1 rpod has no `network reload` yet | `rpod --help` lists the verbs there are",
        ),
        (
            "image push x",
            "! 1 rpod has no `image push` yet | `rpod --help` lists the verbs there are",
        ),
        (
            "run --memory 1g x",
            "! 125 rpod has no --memory for `run` yet | leave it out; nothing else stands for it",
        ),
        (
            "run -m 1g x",
            "! 125 rpod has no -m for `run` yet | leave it out; nothing else stands for it",
        ),
        (
            "run --link-local-ip=1.2.3.4 x",
            "! 125 rpod has no --link-local-ip for `run` yet | leave it out; nothing else stands for it",
        ),
        (
            "run --nmae x y",
            "! 125 unknown flag: --nmae | did you mean `--name`?",
        ),
        (
            "run -name web x",
            "! 125 -name is no flag: a long flag begins with two dashes | did you mean `--name`?",
        ),
        (
            "pull -platform=x y",
            "! 1 -platform is no flag: a long flag begins with two dashes | did you mean `--platform=x`?",
        ),
        (
            "ps -z",
            "! 1 unknown flag: -z | `rpod ps --help` lists its flags",
        ),
        ("run --name", "! 125 --name needs a value"),
        (
            "run --rm=maybe x",
            "! 125 --rm is true or false, not \"maybe\"",
        ),
        (
            "run",
            "! 125 IMAGE is missing | usage: `rpod run [OPTIONS] IMAGE [COMMAND] [ARG...]` | try the image built into rpod: `rpod run -d -p 1234:8080 kubia`",
        ),
        (
            "rm -f -v",
            "! 1 CONTAINER is missing | usage: `rpod rm [OPTIONS] CONTAINER [CONTAINER...]`",
        ),
        (
            "container rm",
            "! 1 CONTAINER is missing | usage: `rpod container rm [OPTIONS] CONTAINER [CONTAINER...]`",
        ),
        (
            "rename a b c",
            "! 1 \"c\" is one word too many | usage: `rpod rename CONTAINER NEW_NAME`",
        ),
        (
            "exec web",
            "! 125 COMMAND is missing | usage: `rpod exec [OPTIONS] CONTAINER COMMAND [ARG...]`",
        ),
        (
            "ps -n x",
            "! 1 --last cannot be \"x\": invalid digit found in string | usage: `rpod ps [OPTIONS]`",
        ),
        (
            "completion tcsh",
            "! 1 <SHELL> cannot be \"tcsh\": one of bash, zsh, fish | usage: `rpod completion bash|zsh|fish`",
        ),
    ] {
        assert_eq!(typed(line), said, "{line}");
    }
}

#[test]
fn help_lists_what_works_and_fits_a_terminal() {
    let all = help::all();
    for verb in ["run", "ps", "volume", "kubia"] {
        assert!(all.contains(verb), "{verb}");
    }
    assert!(!all.contains("compose"), "{all}");
    assert!(all.lines().all(|line| line.chars().count() <= 80), "{all}");
    let run = verbs::named("run").expect("there is one");
    let page = help::of(&mut run.command("run"));
    assert!(page.starts_with("Usage: rpod run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nCreate"));
    assert!(page.contains("--publish-all") && page.contains("kubia"));
    assert!(!page.contains("no-healthcheck"), "{page}");
}

#[test]
fn help_texts_are_short_and_have_no_full_stop() {
    fn check(command: &clap::Command, path: &str) {
        let texts = command
            .get_arguments()
            .filter_map(|arg| Some((arg.get_id().to_string(), arg.get_help()?.to_string())))
            .chain(
                command
                    .get_about()
                    .map(|a| (path.to_owned(), a.to_string())),
            );
        for (name, text) in texts {
            assert!(text.chars().count() <= 72, "{path} {name}: {text}");
            assert!(!text.ends_with('.'), "{path} {name}: {text}");
            assert!(
                text.starts_with(|c: char| c.is_uppercase()
                    || text.starts_with("docker")
                    || !c.is_alphabetic()),
                "{path} {name}: {text}"
            );
        }
        for inner in command.get_subcommands() {
            check(inner, &format!("{path} {}", inner.get_name()));
        }
    }
    check(&help::tree(), "rpod");
    help::tree().debug_assert();
}
