//! Peers of `make bench-peers`, as they are named on its command line: what is understood, and what whoever got one wrong is told.

#[path = "../../benches/check/peer.rs"]
mod peer;

use peer::{Call, Peer, descriptors, peers};

#[test]
fn a_peer_is_its_name_its_address_its_processes_and_its_call() {
    let named = peers("limitador,127.0.0.1:8081,1234,ShouldRateLimit  opa,[::1]:9191,4321+4322+4323,Check").unwrap();
    let limitador = Peer {
        name: "limitador".into(),
        address: "127.0.0.1:8081".parse().unwrap(),
        pid: 1234,
        stores: vec![],
        call: Call::ShouldRateLimit,
    };
    let opa = Peer { name: "opa".into(), address: "[::1]:9191".parse().unwrap(), pid: 4321, stores: vec![4322, 4323], call: Call::Check };
    assert_eq!(named, [limitador, opa]);
}

#[test]
fn whoever_names_a_peer_wrongly_is_told_what_is_wrong_and_how_one_is_named() {
    for (named, told) in [
        ("", "no peer is named"),
        (" ", "no peer is named"),
        ("opa", "not four words"),
        ("opa,127.0.0.1:9191,1,Check,more", "not four words"),
        (",127.0.0.1:9191,1,Check", "the name is empty"),
        ("opa,9191,1,Check", "no host:port"),
        ("opa,127.0.0.1:99999,1,Check", "no host:port"),
        ("opa,127.0.0.1:9191,,Check", "'' is no pid"),
        ("opa,127.0.0.1:9191,1+two,Check", "'1+two' is no pid"),
        ("opa,127.0.0.1:9191,1,check", "no call 'check'"),
    ] {
        let wrong = peers(named).unwrap_err();
        assert!(wrong.contains(told) && wrong.contains("name,address,pid,call"), "{named}: {wrong}");
    }
}

#[test]
fn a_process_that_is_not_there_is_said_with_how_to_find_it() {
    let here = std::process::id();
    let peer = |pids: &str| format!("opa,127.0.0.1:9191,{pids},Check").parse::<Peer>().unwrap();
    peer(&here.to_string()).runs().unwrap();
    // above the most that Linux gives (proc(5): /proc/sys/kernel/pid_max)
    let wrong = peer(&format!("{here}+4194305")).runs().unwrap_err();
    assert!(wrong.contains("opa: no process 4194305") && wrong.contains("{{.State.Pid}}"), "{wrong}");
}

#[test]
fn descriptors_are_entries_with_commas_and_a_semicolon_ends_one() {
    let entry = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let named = descriptors("key=hot,path=/a=b;owner=acme").unwrap();
    assert_eq!(named, [vec![entry("key", "hot"), entry("path", "/a=b")], vec![entry("owner", "acme")]]);
    for wrong in ["", "key", "=hot", "key=", "key=hot;"] {
        assert!(descriptors(wrong).unwrap_err().contains("not an entry of a descriptor"), "{wrong}");
    }
}

#[test]
fn every_peer_that_the_document_names_is_understood() {
    let text = std::fs::read_to_string("docs/benchmarks-peers.md").unwrap();
    let named: Vec<&str> = text.split("PEERS=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(named.len() > 3, "the document names one for each: {named:?}");
    for named in named {
        let known = pids_known(named);
        peers(&known).unwrap_or_else(|wrong| panic!("{named}: {wrong}"));
    }
}

/// With a number wherever it has a variable of the shell.
fn pids_known(named: &str) -> String {
    named
        .split_inclusive([',', '+'])
        .map(|word| if word.starts_with('$') { format!("1{}", &word[word.len() - 1..]) } else { word.into() })
        .collect()
}
