//! Logins to registries: proved, kept, found again and forgotten; and certificates.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::require;
use crate::support::authority::Authority;
use crate::support::image::{Image, Layer};
use crate::support::registry::{
    Guard, HostileRegistry, PASSWORD, Registry, Reply, USER, USER_ABROAD,
};
use crate::support::tokens::{IDENTITY, TokenServer, base64};
use crate::support::{Sandbox, eventually};

const NO_REGISTRY: &str = "docker-registry is not installed";
const NO_OPENSSL: &str = "openssl is not installed";

fn config(rpod: &Sandbox) -> Value {
    read(&rpod.home().join(".docker/config.json"))
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn login(rpod: &Sandbox, words: &[&str], password: &str) -> crate::support::Output {
    let mut all = vec!["login", "--password-stdin"];
    all.extend(words);
    rpod.command(&all).stdin(format!("{password}\n")).run()
}

#[test]
fn login_proves_a_password_keeps_it_for_docker_and_podman_and_logout_forgets_it() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::with(Guard::Password));
    let host = registry.address();
    rpod.run(&["pull", &registry.name("x")])
        .refuses()
        .stderr_has(&format!("log in first: `rpod login {host}`"));
    let wrong = login(&rpod, &["-u", USER, host], "wrong-secret");
    wrong
        .refuses()
        .stderr_has("the user name or the password is not right")
        .stderr_lacks("wrong-secret");
    assert!(!rpod.home().join(".docker").exists());
    let right = login(&rpod, &["-u", USER, host], PASSWORD);
    right.success().stdout_is("Login Succeeded\n");
    right
        .stderr_has("is kept unencrypted in")
        .stderr_lacks(PASSWORD);
    let auth = base64(format!("{USER}:{PASSWORD}").as_bytes(), false);
    assert_eq!(config(&rpod)["auths"][host], json!({ "auth": auth }));
    let mode = |path: &str| {
        let meta = std::fs::metadata(rpod.home().join(path)).unwrap();
        meta.permissions().mode() & 0o777
    };
    assert_eq!(
        (mode(".docker"), mode(".docker/config.json")),
        (0o700, 0o600)
    );
    rpod.run(&["login", "--get-login", host])
        .success()
        .stdout_is(&format!("{USER}\n"));
    rpod.run(&["login", host])
        .success()
        .stdout_is("Login Succeeded\n")
        .stderr_has("Authenticating with existing credentials...");
    rpod.run(&["pull", &registry.name("x")])
        .refuses()
        .stderr_has("no such image");
    rpod.run(&["logout", host])
        .success()
        .stdout_is(&format!("Removing login credentials for {host}\n"));
    rpod.run(&["logout", host])
        .success()
        .stdout_is(&format!("Not logged in to {host}\n"));
    rpod.run(&["login", "--get-login", host])
        .refuses()
        .stderr_has("not logged in");
    assert_eq!(config(&rpod), json!({ "auths": {} }));
}

#[test]
fn login_understands_one_dash_and_names_of_every_alphabet() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::with(Guard::Password));
    let host = registry.address();
    for words in [
        vec![format!("-username={USER_ABROAD}")],
        vec![format!("--username={USER_ABROAD}")],
        vec!["-username".to_owned(), USER_ABROAD.to_owned()],
        vec![format!("-u={USER_ABROAD}")],
    ] {
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        words.push(host);
        login(&rpod, &words, PASSWORD).success();
        rpod.run(&["login", "--get-login", host])
            .success()
            .stdout_is(&format!("{USER_ABROAD}\n"));
        rpod.run(&["logout", "--all"]).success();
    }
    let by_word = rpod.run(&["login", "-u", USER, "-p", PASSWORD, host]);
    by_word
        .success()
        .stderr_has("WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
    for (words, said) in [
        (vec!["//user"], "is no registry"),
        (
            vec!["-p", "x", "--password-stdin", "-u", "y"],
            "mutually exclusive",
        ),
        (vec!["--password-stdin"], "--username"),
        (vec!["-u", "x", host], "at a terminal"),
    ] {
        let mut all = vec!["login"];
        all.extend(words);
        rpod.run(&all).refuses().stderr_has(said);
    }
}

#[test]
fn login_asks_at_a_terminal_and_does_not_show_the_password() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::with(Guard::Password));
    let host = registry.address();
    let mut asked = rpod.command(&["login", host]).spawn_on_terminal();
    asked
        .wait_for_stdout("Username: ")
        .write(format!("{USER}\n"));
    asked.wait_for_stdout("Password: ");
    // The echo goes just after the question was asked.
    std::thread::sleep(std::time::Duration::from_millis(300));
    asked.write(format!("x\u{7f}ö\u{7f}{PASSWORD}\r"));
    asked.wait_for_stdout("Login Succeeded");
    let shown = asked.stdout_so_far();
    assert!(!shown.contains("hunter2"), "{shown}");
    eventually("login ends", || !asked.alive());
    let mut given_up = rpod
        .command(&["login", "-u", USER, host])
        .spawn_on_terminal();
    given_up.wait_for_stdout("Password: ");
    std::thread::sleep(std::time::Duration::from_millis(300));
    given_up.write("hun\u{3}");
    given_up.wait_for_stdout("given up");
    eventually("login ends", || !given_up.alive());
}

#[test]
fn a_login_goes_where_the_user_keeps_logins_and_the_rest_of_the_file_stays() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::with(Guard::Password));
    let host = registry.address();
    let before = json!({
        "auths": { "other.example": { "auth": "eDp5", "note": 1 } },
        "HttpHeaders": { "X": "y" }, "psFormat": "table",
    });
    let podmans = rpod.home().join(".config/containers/auth.json");
    std::fs::create_dir_all(podmans.parent().unwrap()).unwrap();
    std::fs::write(&podmans, before.to_string()).unwrap();
    login(&rpod, &["-u", USER, host], PASSWORD).success();
    let after = read(&podmans);
    assert_eq!(after["HttpHeaders"], before["HttpHeaders"]);
    assert_eq!(after["psFormat"], before["psFormat"]);
    assert_eq!(
        after["auths"]["other.example"],
        before["auths"]["other.example"]
    );
    assert!(after["auths"][host]["auth"].is_string(), "{after}");
    assert!(!rpod.home().join(".docker").exists());
    let elsewhere = rpod.work().join("d");
    for (variable, value, file) in [
        (
            "REGISTRY_AUTH_FILE",
            elsewhere.join("a.json"),
            elsewhere.join("a.json"),
        ),
        (
            "DOCKER_CONFIG",
            elsewhere.clone(),
            elsewhere.join("config.json"),
        ),
    ] {
        let words = ["login", "-u", USER, "--password-stdin", host];
        rpod.command(&words)
            .env(variable, &value)
            .stdin(PASSWORD)
            .run()
            .success();
        assert!(read(&file)["auths"][host]["auth"].is_string());
    }
    let named = rpod.work().join("named.json");
    let named = named.to_str().unwrap();
    login(&rpod, &["-u", USER, "--authfile", named, host], PASSWORD).success();
    rpod.run(&["logout", host]).success();
    rpod.run(&["pull", "--authfile", named, &registry.name("x")])
        .refuses()
        .stderr_has("no such image");
    let creds = format!("{USER}:{PASSWORD}");
    rpod.run(&["pull", "--creds", &creds, &registry.name("x")])
        .refuses()
        .stderr_has("no such image");
    rpod.run(&["pull", "--creds", "alice:other-secret", &registry.name("x")])
        .refuses()
        .stderr_lacks("other-secret");
    let text = std::fs::read_to_string(&podmans).unwrap();
    std::fs::write(&podmans, text.replace("eDp5", "\", \"secret-of-mine")).unwrap();
    login(&rpod, &["-u", USER, host], PASSWORD)
        .refuses()
        .stderr_has("auth.json")
        .stderr_lacks("secret-of-mine");
}

#[test]
fn podman_and_skopeo_find_our_logins_and_we_find_theirs() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::with(Guard::Password));
    require!(
        crate::support::probe::program("skopeo").is_some(),
        "skopeo is not installed"
    );
    let host = registry.address();
    login(&rpod, &["-u", USER, host], PASSWORD).success();
    rpod.other("skopeo", &["login", "--get-login", host])
        .run()
        .success()
        .stdout_is(&format!("{USER}\n"));
    rpod.run(&["logout", host]).success();
    let words = [
        "login",
        "--tls-verify=false",
        "-u",
        USER,
        "--password-stdin",
        host,
    ];
    rpod.other("skopeo", &words).stdin(PASSWORD).run().success();
    rpod.run(&["login", "--get-login", host])
        .success()
        .stdout_is(&format!("{USER}\n"));
    rpod.run(&["logout", host])
        .success()
        .stdout_has("Removing login credentials");
    rpod.other("skopeo", &["login", "--get-login", host])
        .run()
        .fails(1);
}

/// A helper that keeps what it is given in files, and writes down how it was called.
fn helper(rpod: &Sandbox) -> String {
    let directory = rpod.work().join("bin");
    let program = rpod.write(
        "bin/docker-credential-drawer",
        "#!/bin/sh\n\
         d=$HOME/drawer; mkdir -p $d; echo \"$0 $*\" >> $d/calls\n\
         input=$(cat)\n\
         case $1 in\n\
         store) printf %s \"$input\" > $d/kept ;;\n\
         get) [ -e $d/kept ] || { echo credentials not found in native keychain; exit 1; }\n\
              cat $d/kept ;;\n\
         erase) rm $d/kept ;;\n\
         list) printf '{\"x\":\"y\"}' ;;\n\
         esac\n",
    );
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(program, mode).unwrap();
    format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", directory.display())
}

#[test]
fn a_credential_helper_keeps_gives_and_forgets_the_login() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let registry = Registry::with(Guard::Password);
    let host = registry.address();
    for settings in [
        json!({ "credsStore": "drawer" }),
        json!({ "credHelpers": { host: "drawer" }, "credsStore": "other" }),
    ] {
        let rpod = Sandbox::new();
        let path = helper(&rpod);
        let file = rpod.home().join(".docker/config.json");
        std::fs::create_dir(file.parent().unwrap()).unwrap();
        std::fs::write(&file, settings.to_string()).unwrap();
        let words = ["login", "-u", USER, "--password-stdin", host];
        let done = rpod
            .command(&words)
            .env("PATH", &path)
            .stdin(PASSWORD)
            .run();
        done.success().stderr_lacks("unencrypted");
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(config(&rpod)["auths"][host], json!({}), "{text}");
        let kept = read(&rpod.home().join("drawer/kept"));
        let whole = json!({ "ServerURL": host, "Username": USER, "Secret": PASSWORD });
        assert_eq!(kept, whole);
        let pulled = rpod
            .command(&["pull", &registry.name("x")])
            .env("PATH", &path)
            .run();
        pulled.refuses().stderr_has("no such image");
        rpod.command(&["logout", host])
            .env("PATH", &path)
            .run()
            .success()
            .stdout_has("Removing login credentials");
        assert!(!rpod.home().join("drawer/kept").exists());
        let calls = std::fs::read_to_string(rpod.home().join("drawer/calls")).unwrap();
        assert!(!calls.contains("hunter2"), "{calls}");
    }
}

#[test]
fn a_helper_that_fails_is_named_and_what_it_says_is_not_repeated() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::with(Guard::Password));
    let path = helper(&rpod);
    rpod.write(
        "bin/docker-credential-drawer",
        "#!/bin/sh\ncat; cat >&2; exit 3\n",
    );
    let file = rpod.home().join(".docker/config.json");
    std::fs::create_dir(file.parent().unwrap()).unwrap();
    std::fs::write(&file, r#"{"credsStore":"drawer"}"#).unwrap();
    let words = ["login", "-u", USER, "--password-stdin", registry.address()];
    rpod.command(&words)
        .env("PATH", &path)
        .stdin(PASSWORD)
        .run()
        .refuses()
        .stderr_has("docker-credential-drawer")
        .stderr_lacks("hunter2")
        .stdout_lacks("hunter2");
}

#[test]
fn a_token_server_lets_in_and_its_identity_token_is_kept_instead_of_the_password() {
    require!(Registry::available(), "{NO_REGISTRY}");
    require!(TokenServer::available(), "{NO_OPENSSL}");
    let (rpod, tokens) = (Sandbox::new(), TokenServer::start());
    let registry = Registry::with(Guard::Tokens(&tokens));
    let host = registry.address();
    login(&rpod, &["-u", USER, host], "wrong-secret")
        .refuses()
        .stderr_has("not right")
        .stderr_lacks("wrong-secret");
    login(&rpod, &["-u", USER, host], PASSWORD).success();
    let entry = config(&rpod)["auths"][host].clone();
    let user = base64(format!("{USER}:").as_bytes(), false);
    assert_eq!(entry, json!({ "auth": user, "identitytoken": IDENTITY }));
    rpod.run(&["pull", &registry.name("a/b")])
        .refuses()
        .stderr_has("no such image");
    let last = tokens.asked().pop().unwrap();
    assert_eq!(last.method, "POST");
    assert_eq!(last.scopes, ["repository:a/b:pull"]);
    assert_eq!(last.words["grant_type"], "refresh_token");
    assert_eq!(last.words["service"], "tests");
    assert!(last.known);
    rpod.run(&["logout", host]).success();
    rpod.run(&["pull", &registry.name("a/b")])
        .refuses()
        .stderr_has("log in first");
}

#[test]
fn certificates_of_a_registry_are_found_where_docker_and_podman_have_them() {
    require!(Registry::available(), "{NO_REGISTRY}");
    require!(Authority::available(), "{NO_OPENSSL}");
    let authority = Authority::new();
    let registry = Registry::with(Guard::Tls(&authority, false));
    let name = registry.name("x");
    let place = |rpod: &Sandbox, root: &str| rpod.home().join(root).join(registry.address());
    let rpod = Sandbox::new();
    rpod.run(&["pull", &name])
        .refuses()
        .stderr_has("issued by nobody this machine trusts")
        .stderr_has("certs.d");
    rpod.run(&["pull", "--tls-verify=false", &name])
        .refuses()
        .stderr_has("no such image");
    let directory = rpod.work().join("certs");
    std::fs::create_dir(&directory).unwrap();
    std::fs::copy(authority.path("ca.crt"), directory.join("ca.crt")).unwrap();
    rpod.run(&["pull", "--cert-dir", directory.to_str().unwrap(), &name])
        .refuses()
        .stderr_has("no such image");
    for root in [
        ".config/containers/certs.d",
        ".config/docker/certs.d",
        ".docker/certs.d",
    ] {
        let rpod = Sandbox::new();
        std::fs::create_dir_all(place(&rpod, root)).unwrap();
        std::fs::copy(authority.path("ca.crt"), place(&rpod, root).join("any.crt")).unwrap();
        rpod.run(&["pull", &name])
            .refuses()
            .stderr_has("no such image");
    }
}

#[test]
fn a_certificate_of_our_own_is_shown_to_the_registry_that_wants_one() {
    require!(Registry::available(), "{NO_REGISTRY}");
    require!(Authority::available(), "{NO_OPENSSL}");
    let (rpod, authority) = (Sandbox::new(), Authority::new());
    let registry = Registry::with(Guard::Tls(&authority, true));
    let name = registry.name("x");
    let directory = rpod.home().join(".docker/certs.d").join(registry.address());
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::copy(authority.path("ca.crt"), directory.join("ca.crt")).unwrap();
    rpod.run(&["pull", &name])
        .refuses()
        .stderr_lacks("no such image");
    std::fs::copy(authority.path("guest.cert"), directory.join("me.cert")).unwrap();
    rpod.run(&["pull", &name])
        .refuses()
        .stderr_has("lacks its other half");
    std::fs::copy(authority.path("guest.key"), directory.join("me.key")).unwrap();
    rpod.run(&["pull", &name])
        .refuses()
        .stderr_has("no such image");
}

#[test]
fn a_registry_that_asks_again_and_again_is_left_and_learns_no_more() {
    let rpod = Sandbox::new();
    let image = Image::new("tiny").layer(Layer::new().file("a", "b"));
    let registry = HostileRegistry::serve(&image, |_| {
        let header = "WWW-Authenticate: Basic realm=\"x\"\r\n".to_owned();
        Reply::Status(401, header, "{}".to_owned())
    });
    let host = registry.address();
    login(&rpod, &["-u", USER, host], PASSWORD)
        .refuses()
        .stderr_has("not right")
        .stderr_lacks("hunter2");
    assert!(registry.requests().len() <= 6, "{:#?}", registry.requests());
    let creds = format!("{USER}:{PASSWORD}");
    rpod.run(&["pull", "--creds", &creds, &registry.name("tiny")])
        .refuses()
        .stderr_lacks("hunter2");
    assert!(
        registry.requests().len() <= 12,
        "{:#?}",
        registry.requests()
    );
}

#[test]
fn a_secret_is_in_no_message_no_log_and_no_other_file() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::with(Guard::Password));
    let host = registry.address();
    let name = registry.name("x");
    let coded = base64(format!("{USER}:{PASSWORD}").as_bytes(), false);
    let creds = format!("{USER}:{PASSWORD}");
    let image = Image::new("mine").layer(Layer::new().file("a", "b"));
    rpod.load(&rpod.write("mine.tar", image.docker_archive()));
    let wrong = format!("{USER}:hunter2 but wrong");
    for words in [
        &["login", "-u", "nobody", "-p", PASSWORD, host][..],
        &["login", "-u", USER, "-p", PASSWORD, host],
        &["pull", &name],
        &["pull", "--creds", &wrong, &name],
        &["push", "--creds", &wrong, "mine", &name],
        &["push", "--creds", &creds, "mine", &name],
        &["pull", "--creds", &creds, &name],
        &["search", "--list-tags", &name],
        &["manifest", "inspect", "--creds", &wrong, &name],
        &["login", "--get-login", host],
        &["info"],
        &["inspect", "mine"],
    ] {
        let said = rpod.run(&[&["--log-level=debug"], words].concat());
        for secret in ["hunter2", &coded] {
            said.stdout_lacks(secret).stderr_lacks(secret);
        }
    }
    // The one file that keeps it, and nothing else below the user's home.
    let mut kept = Vec::new();
    let mut waiting = vec![rpod.home()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                waiting.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap_or_default();
            let has = |secret: &str| bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
            if has("hunter2") || has(&coded) {
                kept.push(path);
            }
        }
    }
    assert_eq!(kept, [rpod.home().join(".docker/config.json")]);
}
