//! Networks that are made, found and removed.
//! Lives here: tests only.
//! Must not: start anything.
//! Called by: the test command.
//! Always true: each test says what it holds in its name.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Request, Update, create, exists, inspect, list, prune, remove, update};
use crate::error::Kind;
use crate::ops::Session;
use crate::ops::ps::tests::{put, record, session};
use crate::spec::container::Status;

fn request(name: &str) -> Request {
    Request {
        name: name.to_owned(),
        ..Request::default()
    }
}

fn with_subnets(name: &str, subnets: &[&str]) -> Request {
    Request {
        subnets: subnets.iter().map(|s| s.parse().expect(s)).collect(),
        ..request(name)
    }
}

fn config(session: &Session, name: &str) -> serde_json::Value {
    inspect(session, name).expect("it is there")["IPAM"]["Config"].clone()
}

#[test]
fn networks_get_addresses_that_no_other_has() {
    let (_dir, session) = session();
    create(&session, &request("one")).expect("made");
    let two = Request {
        ipv6: true,
        ..request("two")
    };
    let id = create(&session, &two).expect("made");
    assert_eq!(
        config(&session, "one"),
        json!([{ "Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1" }])
    );
    assert_eq!(
        config(&session, id.short()),
        json!([
            { "Subnet": "172.19.0.0/16", "Gateway": "172.19.0.1" },
            { "Subnet": "fd00:172:18::/64", "Gateway": "fd00:172:18::1" },
        ])
    );
    remove(&session, "one").expect("removed");
    create(&session, &request("three")).expect("made");
    assert_eq!(config(&session, "three")[0]["Subnet"], "172.18.0.0/16");
}

#[test]
fn what_was_asked_is_what_is_shown() {
    let (_dir, session) = session();
    let asked = Request {
        gateways: vec![[10, 9, 0, 254].into()],
        ranges: vec!["10.9.0.128/26".parse().expect("a range")],
        reserved: BTreeMap::from([("printer".to_owned(), [10, 9, 0, 130].into())]),
        internal: true,
        labels: BTreeMap::from([("a".to_owned(), "1".to_owned())]),
        options: BTreeMap::from([("mtu".to_owned(), "1400".to_owned())]),
        ..with_subnets("own", &["10.9.0.7/24"])
    };
    create(&session, &asked).expect("made");
    let shown = inspect(&session, "own").expect("it is there");
    for (path, expected) in [
        ("/Internal", json!(true)),
        ("/Driver", json!("bridge")),
        ("/EnableIPv6", json!(false)),
        ("/Labels/a", json!("1")),
        ("/Options/mtu", json!("1400")),
        ("/IPAM/Config/0/Subnet", json!("10.9.0.0/24")),
        ("/IPAM/Config/0/Gateway", json!("10.9.0.254")),
        ("/IPAM/Config/0/IPRange", json!("10.9.0.128/26")),
        (
            "/IPAM/Config/0/AuxiliaryAddresses/printer",
            json!("10.9.0.130"),
        ),
        ("/Containers", json!({})),
    ] {
        assert_eq!(shown.pointer(path), Some(&expected), "{path}");
    }
}

#[test]
fn addresses_of_another_network_are_refused_with_its_name() {
    let (_dir, session) = session();
    create(&session, &with_subnets("lan", &["10.9.0.0/24"])).expect("made");
    for (subnet, owner) in [
        ("10.9.0.128/25", "lan"),
        ("10.0.0.0/8", "lan"),
        ("172.17.5.0/24", "bridge"),
        ("fd00:172:17::/80", "bridge"),
    ] {
        let error = create(&session, &with_subnets("mine", &[subnet])).expect_err(subnet);
        assert_eq!(error.kind(), Kind::Conflict);
        let error = error.to_string();
        let expected = format!(
            "cannot create network \"mine\": subnet {subnet} overlaps network \"{owner}\" ("
        );
        assert!(error.starts_with(&expected), "{error}");
    }
    let error = create(&session, &request("lan")).expect_err("taken");
    assert_eq!(error.kind(), Kind::Conflict);
    let ignoring = Request {
        ignore: true,
        ..request("lan")
    };
    create(&session, &ignoring).expect("there is one");
}

#[test]
fn what_makes_no_network_is_said_before_anything_is_made() {
    let (_dir, session) = session();
    let with = |change: &dyn Fn(&mut Request)| {
        let mut asked = with_subnets("mine", &["10.9.0.0/24"]);
        change(&mut asked);
        create(&session, &asked).expect_err("refused").to_string()
    };
    let option = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    for (error, why) in [
        (
            with(&|r| r.gateways = vec![[10, 8, 0, 1].into()]),
            "--gateway 10.8.0.1 is not in",
        ),
        (
            with(&|r| r.gateways = vec![[10, 9, 0, 0].into()]),
            "--gateway 10.9.0.0 is not in",
        ),
        (
            with(&|r| r.ranges = vec!["10.9.0.0/16".parse().expect("a range")]),
            "--ip-range 10.9.0.0/16 is not in 10.9.0.0/24",
        ),
        (
            with(&|r| r.options = option("colour", "red")),
            "--opt colour=red: there is no such option",
        ),
        (
            with(&|r| r.options = option("mtu", "1")),
            "--opt mtu=1: a number is meant, 68 to 65535 bytes",
        ),
        (
            with(&|r| r.bridge = Some("bridge".to_owned())),
            "\"bridge\" cannot be its device's name: it is that of network \"bridge\"",
        ),
        (
            with(&|r| r.bridge = Some("uplink".to_owned())),
            "rpod has devices of its own named so",
        ),
        (
            with(&|r| {
                r.bridge = Some("one".to_owned());
                r.options = option("com.docker.network.bridge.name", "two");
            }),
            "contradict each other",
        ),
        (
            with(&|r| {
                r.nameless = true;
                r.servers = vec![[9, 9, 9, 9].into()];
            }),
            "contradict each other",
        ),
        (
            with(&|r| r.name = "host".to_owned()),
            "a meaning of its own",
        ),
        (
            with(&|r| r.name = "../x".to_owned()),
            "cannot name a network",
        ),
        (
            with(&|r| r.subnets.push("10.10.0.0/24".parse().expect("a subnet"))),
            "one subnet of each version",
        ),
        (
            with(&|r| r.subnets = vec!["127.0.0.0/16".parse().expect("a subnet")]),
            "a meaning of their own",
        ),
        (
            with(&|r| r.subnets = vec!["10.9.0.0/31".parse().expect("a subnet")]),
            "has no room",
        ),
    ] {
        assert!(error.contains(why), "{error}");
    }
    assert!(!exists(&session, "mine").expect("looked"));
    assert!(!exists(&session, "../networks/mine").expect("looked"));
}

#[test]
fn rpods_own_three_come_first_and_stay() {
    let (_dir, session) = session();
    for name in ["zoo", "app"] {
        create(&session, &request(name)).expect("made");
    }
    let names = |filters: &[(&str, &str)]| -> Vec<String> {
        let filters: Vec<_> = filters
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let listed = list(&session, &filters).expect("listed");
        listed.into_iter().map(|one| one.name).collect()
    };
    assert_eq!(names(&[]), ["bridge", "host", "none", "app", "zoo"]);
    assert_eq!(names(&[("type", "custom")]), ["app", "zoo"]);
    assert_eq!(names(&[("driver", "null")]), ["none"]);
    assert_eq!(names(&[("name", "oo")]), ["zoo"]);
    for name in ["bridge", "host", "none"] {
        assert!(exists(&session, name).expect("looked"));
        let error = remove(&session, name).expect_err("stays").to_string();
        assert!(error.contains("it is rpod's own"), "{error}");
    }
}

#[test]
fn a_network_in_use_stays_and_names_its_users() {
    let (_dir, session) = session();
    for name in ["mynet", "other"] {
        create(&session, &request(name)).expect("made");
    }
    let places = json!([{ "network": "bridge" }, { "network": "mynet" }]);
    let db = record(&session, "db", json!({ "networks": places }));
    put(&session, &db, Status::Created);
    let error = remove(&session, "mynet").expect_err("it is in use");
    assert_eq!(
        error.to_string(),
        "cannot remove network \"mynet\": it is in use by container \"db\""
    );
    let dangling = [("dangling".to_owned(), "true".to_owned())];
    let free = list(&session, &dangling).expect("listed");
    assert_eq!(free.iter().map(|n| &n.name).collect::<Vec<_>>(), ["other"]);
    assert_eq!(prune(&session, &[]).expect("pruned"), ["other"]);
    session.store.remove_container(&db).expect("removed");
    remove(&session, "mynet").expect("removed");
    let error = remove(&session, "mynet").expect_err("it has gone");
    assert_eq!(error.kind(), Kind::NotFound);
}

#[test]
fn a_networks_name_servers_change_and_nothing_else() {
    let (_dir, session) = session();
    let asked = Request {
        servers: vec![[9, 9, 9, 9].into()],
        ..request("blue")
    };
    create(&session, &asked).expect("made");
    let before = session.store.load_network("blue").expect("there");
    let change = |add: &[u8], drop: &[u8]| {
        let all = |last: &[u8]| last.iter().map(|n| [9, 9, 9, *n].into()).collect();
        let change = Update {
            add: all(add),
            drop: all(drop),
        };
        update(&session, "blue", &change)
    };
    change(&[1, 2, 1], &[9]).expect("changed");
    let shown = inspect(&session, "blue").expect("it is there");
    assert_eq!(shown["NetworkDNSServers"], json!(["9.9.9.1", "9.9.9.2"]));
    assert_eq!(shown["DNSEnabled"], json!(true));
    let error = change(&[3], &[9]).expect_err("it has gone").to_string();
    assert!(
        error.ends_with("9.9.9.9 is none of its name servers"),
        "{error}"
    );
    let mut after = session.store.load_network("blue").expect("there");
    assert_eq!(after.servers.len(), 2);
    after.servers.clone_from(&before.servers);
    assert_eq!(after, before);
    let silent = Request {
        nameless: true,
        ..request("silent")
    };
    create(&session, &silent).expect("made");
    let shown = inspect(&session, "silent").expect("it is there");
    assert_eq!(shown["DNSEnabled"], json!(false));
    let one = Update {
        add: vec![[9, 9, 9, 9].into()],
        ..Update::default()
    };
    for (name, why) in [
        ("silent", "was made with --disable-dns"),
        ("bridge", "it is rpod's own"),
        ("host", "it is rpod's own"),
        ("nowhere", "no such network"),
    ] {
        let error = update(&session, name, &one).expect_err(name).to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn a_bridges_name_is_one_networks_alone() {
    let (_dir, session) = session();
    let named = |name: &str, bridge: &str| Request {
        bridge: Some(bridge.to_owned()),
        ..request(name)
    };
    create(&session, &named("one", "lan")).expect("made");
    let error = create(&session, &named("two", "lan")).expect_err("taken");
    let error = error.to_string();
    assert!(error.ends_with("it is that of network \"one\""), "{error}");
    remove(&session, "one").expect("removed");
    create(&session, &named("two", "lan")).expect("made");
}
