//! Traps 6, 7, 9, 14, 15, 16 and 17: settings. What ships must have them right.

use std::fs;

/// The code lines of a file.
fn code(file: &str, comment: &str) -> String {
    let text = fs::read_to_string(file).unwrap();
    text.lines().map(|line| line.split(comment).next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

#[test]
fn trap_6_no_internal_redirect_which_would_check_again_without_the_key() {
    assert!(!code("deploy/envoy/envoy.yaml", "#").contains("internal_redirect"));
}

#[test]
fn trap_7_no_retries_of_a_check_each_of_which_would_be_charged() {
    let bootstrap = code("deploy/envoy/envoy.yaml", "#");
    assert_eq!(bootstrap.matches("retry_policy").count(), 1, "that of the access log's streams");
    let of_the_log = bootstrap.split("grpc_stream_retry_policy").nth(1).unwrap();
    let of_the_log = of_the_log.lines().take(3).collect::<String>();
    assert!(of_the_log.contains("retry_back_off"), "control: these are its lines");
    assert!(!of_the_log.contains("max_interval"), "Envoy would take it for a timeout of the stream");
}

#[test]
fn trap_9_no_grace_after_a_connections_age_which_would_cut_calls_in_flight() {
    let listen = code("src/server/listen.rs", "//");
    assert!(listen.contains("max_connection_age(") && !listen.contains("max_connection_age_grace"));
}

#[test]
fn trap_14_nobody_is_internal_not_even_by_an_empty_setting() {
    assert!(!code("deploy/envoy/envoy.yaml", "#").contains("internal_address_config"));
}

#[test]
fn traps_15_16_and_17_every_listener_trusts_no_client_normalises_paths_and_sets_its_timeout() {
    let bootstrap = code("deploy/envoy/envoy.yaml", "#");
    let managers = bootstrap.matches("HttpConnectionManager\n").count();
    assert!(managers >= 2, "the control of the counts below");
    for setting in
        ["use_remote_address: true", "normalize_path: true", "merge_slashes: true", "path_with_escaped_slashes_action: REJECT_REQUEST"]
    {
        assert_eq!(bootstrap.matches(setting).count(), managers, "{setting}");
    }
    assert!(bootstrap.contains("timeout: 0.25s") && bootstrap.contains("max_requests: 2048"));
}
