//! What the users of deploy/redis/users.acl may do, and every command that they may not: each of them a test, with its control, that the
//! default user may.

use std::sync::LazyLock;
use std::time::Duration;

use keyward::domain::record::Record;
use keyward::domain::ticket::TicketId;
use keyward::domain::time::StoreTime;
use keyward::revocation::Level;
use keyward::store::redis::{RedisStore, Settings, User};
use keyward::store::{Charge, Commit, Due, Settled, Settlement, Store, StoreError, Taken};
use redis::{Connection, RedisError, cmd};

use super::super::on_redis::{each_answers, seed};
use super::super::samples::{
    DAY, changed_key, charge, commit, digest, holder, key, new_key, new_owner, owner, owner_id, put, realm, renewal, request, settlement,
    settles, subject, takes,
};
use super::{blocking, within, works, works_at};
use crate::support::check;
use crate::support::keyward::{Keyward, NewKey, Store as Where};
use crate::support::redis::{RedisServer, settings, users};
use crate::support::sentinel::{Plan, Sentinels};

const REALM: &str = "
realm: plain
hosts: [plain.test]
https: any
credentials: [{header: x-api-key}]
keys: [{prefix: pl_, alphabet: hex, length: 40}]
routes: [{prefix: /}]
";

/// One for all of these tests: none of them may change anything.
static SERVER: LazyLock<Acl> = LazyLock::new(Acl::start);

/// A server with the users that are shipped.
struct Acl {
    server: RedisServer,
    _folder: tempfile::TempDir,
}

impl Acl {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = users(folder.path());
        // What Redis itself refuses to everybody would show nothing.
        let all = ["--enable-debug-command", "yes", "--enable-module-command", "yes", "--aclfile", file.to_str().unwrap()];
        let server = RedisServer::shipped("single.conf", &all);
        for words in ["HSET kw:1:{kw}:keys:otesse key_1 before", "SADD kw:1:{kw}:rolled-back 5/0000000000000000", "SET unrelated before"] {
            server.ask::<()>(words);
        }
        Self { server, _folder: folder }
    }

    fn connection(&self, user: &str) -> Connection {
        let url = format!("{}?user={user}&pass={user}", self.server.url());
        redis::Client::open(url).unwrap().get_connection().unwrap()
    }

    fn settings(&self) -> Settings {
        let user = |name: &str| Some(User { name: name.into(), password: name.into() });
        Settings { user: user("keyward-check"), admin: user("keyward-admin"), ..settings(self.server.url()) }
    }

    fn forbids(&self, user: &str, words: &[&str]) {
        let refused: RedisError = cmd(words[0]).arg(&words[1..]).exec(&mut self.connection(user)).expect_err("it is forbidden");
        assert_eq!(refused.code(), Some("NOPERM"), "{words:?}: {refused}");
        let control: String = cmd("ACL").arg("DRYRUN").arg("default").arg(words).query(&mut self.server.connection()).unwrap();
        assert_eq!(control, "OK", "{words:?}");
    }

    /// A script that is refused inside: nothing changes. The control is the same script by the default user, on a server of its own.
    fn forbids_script(&self, user: &str, verb: &str, script: &str, names: &[&str]) {
        let run = |connection: &mut Connection| cmd(verb).arg(script).arg(names.len()).arg(names).exec(connection);
        let refused = run(&mut self.connection(user)).expect_err("it is forbidden");
        assert!(refused.code() == Some("NOPERM") || refused.to_string().contains("can't"), "{script}: {refused}");
        let record: String = self.server.ask("HGET kw:1:{kw}:keys:otesse key_1");
        assert_eq!((record.as_str(), self.server.ask::<u64>("EXISTS kw:1:{kw}:rolled-back")), ("before", 1));
        let control = Self::start();
        run(&mut control.server.connection()).unwrap();
    }
}

macro_rules! forbidden {
    ($user:literal, $module:ident: $($name:ident: $words:literal;)+) => {
        mod $module {
            $(
                #[test]
                fn $name() {
                    super::SERVER.forbids($user, &$words.split(' ').collect::<Vec<_>>());
                }
            )+
        }
    };
}

forbidden! { "keyward-check", the_user_that_checks_may_not:
    write_a_key: "HSET kw:1:{kw}:keys:otesse key_1 x";
    write_a_field_of_a_key_if_it_is_new: "HSETNX kw:1:{kw}:keys:otesse key_2 x";
    remove_a_key: "HDEL kw:1:{kw}:keys:otesse key_1";
    remove_all_keys: "DEL kw:1:{kw}:keys:otesse";
    unlink_all_keys: "UNLINK kw:1:{kw}:keys:otesse";
    let_keys_expire: "EXPIRE kw:1:{kw}:keys:otesse 1";
    let_keys_expire_at_an_instant: "PEXPIREAT kw:1:{kw}:keys:otesse 1";
    rename_keys: "RENAME kw:1:{kw}:keys:otesse kw:1:{otesse/a}";
    copy_keys_of_before: "COPY kw:1:{otesse/a} kw:1:{kw}:keys:otesse REPLACE";
    restore_keys_of_before: "RESTORE kw:1:{kw}:keys:otesse 0 x REPLACE";
    dump_keys: "DUMP kw:1:{kw}:keys:otesse";
    read_all_keys: "HGETALL kw:1:{kw}:keys:otesse";
    read_the_names_of_all_keys: "HKEYS kw:1:{kw}:keys:otesse";
    write_an_owner: "HSET kw:1:{kw}:owners:otesse acme x";
    remove_an_owner: "HDEL kw:1:{kw}:owners:otesse acme";
    write_a_digest: "HSET kw:1:{kw}:digests:otesse d x";
    remove_a_digest: "HDEL kw:1:{kw}:digests:otesse d";
    remove_all_digests: "DEL kw:1:{kw}:digests:otesse";
    read_all_digests: "HGETALL kw:1:{kw}:digests:otesse";
    write_a_list: "ZADD kw:1:{kw}:keys-by-owner:otesse 0 acme";
    add_to_the_log: "XADD kw:1:{kw}:log * mark x";
    trim_the_log: "XTRIM kw:1:{kw}:log MAXLEN 0";
    remove_from_the_log: "XDEL kw:1:{kw}:log 1-0";
    set_the_logs_last_id: "XSETID kw:1:{kw}:log 9-0";
    remove_the_log: "DEL kw:1:{kw}:log";
    add_to_the_audit_log: "XADD kw:1:{kw}:audit * note x";
    trim_the_audit_log: "XTRIM kw:1:{kw}:audit MAXLEN 0";
    read_the_audit_log: "XRANGE kw:1:{kw}:audit - +";
    set_the_position: "SET kw:1:{kw}:position 0/0000000000000000";
    remove_the_position: "DEL kw:1:{kw}:position";
    say_that_something_is_secured: "SET kw:1:{kw}:secured 9/0000000000000000";
    say_that_nothing_is_secured: "DEL kw:1:{kw}:secured";
    go_on_with_a_log_that_was_rolled_back: "DEL kw:1:{kw}:rolled-back";
    forget_what_was_rolled_back: "SREM kw:1:{kw}:rolled-back 5/0000000000000000";
    let_what_was_rolled_back_expire: "SET kw:1:{kw}:rolled-back x PX 1";
    abandon_a_place: "SADD kw:1:{kw}:abandoned 5/0000000000000000";
    remove_all_leases_at_once: "DEL kw:1:{kw}:leases";
    remove_the_longest_lease: "DEL kw:1:{kw}:lease";
    read_what_was_asked: "HGET kw:1:{kw}:request:admin_1/r fingerprint";
    forget_what_was_asked: "DEL kw:1:{kw}:request:admin_1/r";
    forget_what_was_asked_under_a_name_with_braces: "DEL kw:1:{kw}:request:admin_1/{a}b";
    forget_what_is_done_once: "DEL kw:1:{kw}:once";
    add_to_what_is_done_once: "SADD kw:1:{kw}:once x";
    let_the_log_expire_at_an_instant: "PEXPIREAT kw:1:{kw}:log 1";
    unsettle_a_ticket: "SREM kw:1:{otesse/acme}:settled:2983333 x";
    read_settled_tickets: "SMEMBERS kw:1:{otesse/acme}:settled:2983333";
    write_peppers: "HSET kw:1:{kw}:peppers 1 x";
    read_what_is_not_keywards: "GET unrelated";
    write_what_is_not_keywards: "SET unrelated x";
    run_a_script_that_says_it_writes_keys: "EVAL return{} 1 kw:1:{kw}:keys:otesse";
    flush_everything: "FLUSHALL";
    flush_the_database: "FLUSHDB";
    swap_databases: "SWAPDB 0 1";
    turn_to_another_database: "SELECT 1";
    move_to_another_database: "MOVE kw:1:{otesse/a} 1";
    migrate: "MIGRATE 127.0.0.1 1 kw:1:{kw}:keys:otesse 0 1";
    change_a_setting: "CONFIG SET maxmemory-policy allkeys-lru";
    rewrite_the_settings: "CONFIG REWRITE";
    make_the_server_follow_another: "REPLICAOF 127.0.0.1 1";
    make_the_server_follow_another_by_the_old_word: "SLAVEOF 127.0.0.1 1";
    make_a_replica_the_primary: "FAILOVER ABORT";
    pass_for_a_replica: "REPLCONF ACK 9";
    copy_everything_as_a_replica: "PSYNC ? -1";
    shut_the_server_down: "SHUTDOWN NOSAVE";
    debug: "DEBUG SLEEP 0";
    name_all_keys: "KEYS *";
    scan: "SCAN 0";
    watch_what_others_do: "MONITOR";
    make_a_user: "ACL SETUSER other on";
    read_users: "ACL LIST";
    flush_scripts: "SCRIPT FLUSH";
    kill_a_script: "SCRIPT KILL";
    load_a_function: "FUNCTION LOAD x";
    flush_functions: "FUNCTION FLUSH";
    load_a_module: "MODULE LOAD /x.so";
    end_others_connections: "CLIENT KILL TYPE normal";
    pause_others: "CLIENT PAUSE 1";
    see_others: "CLIENT LIST";
    save: "SAVE";
    rewrite_the_log_on_disk: "BGREWRITEAOF";
    publish: "PUBLISH a b";
    subscribe: "SUBSCRIBE a";
    forget_the_cluster: "CLUSTER RESET";
}

forbidden! { "keyward-admin", the_user_that_changes_may_not:
    settle_a_ticket: "SADD kw:1:{otesse/acme}:settled:2983333 x";
    let_settled_tickets_expire: "PEXPIREAT kw:1:{otesse/acme}:settled:2983333 1";
    take_of_a_window: "SET kw:1:{otesse/acme} x";
    read_a_window: "GET kw:1:{otesse/acme}";
    trim_the_log_apart_from_adding: "XTRIM kw:1:{kw}:log MAXLEN 0";
    trim_the_audit_log: "XTRIM kw:1:{kw}:audit MAXLEN 0";
    remove_from_the_audit_log: "XDEL kw:1:{kw}:audit 1-0";
    write_what_is_not_keywards: "SET unrelated x";
    flush_everything: "FLUSHALL";
    change_a_setting: "CONFIG SET appendonly no";
    make_the_server_follow_another: "REPLICAOF 127.0.0.1 1";
    pass_for_a_replica: "REPLCONF ACK 9";
    shut_the_server_down: "SHUTDOWN NOSAVE";
    debug: "DEBUG SLEEP 0";
    name_all_keys: "KEYS *";
    watch_what_others_do: "MONITOR";
    make_a_user: "ACL SETUSER other on";
    load_a_module: "MODULE LOAD /x.so";
    end_others_connections: "CLIENT KILL TYPE normal";
}

#[test]
fn the_user_that_checks_may_not_write_a_record_from_inside_a_script() {
    let write = "return redis.call('HSET', 'kw:1:{kw}:keys:otesse', 'key_1', 'x')";
    SERVER.forbids_script("keyward-check", "EVAL", write, &[]);
    SERVER.forbids_script("keyward-check", "EVAL", write, &["kw:1:{otesse/acme}"]);
    SERVER.forbids_script("keyward-check", "EVAL", write, &["kw:1:{kw}:leases"]);
    let through_a_name = "return redis.call('HSET', KEYS[1], 'key_1', 'x')";
    SERVER.forbids_script("keyward-check", "EVAL", through_a_name, &["kw:1:{kw}:keys:otesse"]);
}

#[test]
fn the_user_that_checks_may_not_go_on_after_a_rollback_from_inside_a_script() {
    for command in ["'DEL', KEYS[1]", "'SREM', KEYS[1], '5/0000000000000000'", "'SET', KEYS[1], 'x', 'PX', 1", "'PEXPIRE', KEYS[1], 1"] {
        SERVER.forbids_script("keyward-check", "EVAL", &format!("return redis.call({command})"), &["kw:1:{kw}:rolled-back"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_both_users_everything_works() {
    let acl = Acl::start();
    acl.server.ask::<()>("DEL kw:1:{kw}:rolled-back kw:1:{kw}:keys:otesse");
    let store = RedisStore::connect(&acl.settings()).unwrap();
    assert_eq!(store.check_settings().await, Ok(()));
    seed(&store).await;
    each_answers(&store).await;
    let changes = vec![new_key(&key("key_2", &[digest(2)])), new_owner(&owner("other"))];
    store.commit(&Commit { request: Some(request("admin_1", "{a}b", 1)), once: Some([1; 32]), ..commit(changes) }).await.unwrap();
    let moved = Record { revision: 2, owner: owner_id("other"), ..key("key_2", &[digest(3)]) };
    put(&store, vec![changed_key(&moved)]).await;
    let all = charge(vec![subject(Some("key_1"), &[(DAY, 5)])], 5);
    let Taken::Granted { tokens, windows, .. } = store.take(std::slice::from_ref(&all)).await.unwrap().remove(0) else { panic!("it fits") };
    store.take(&[Charge { want: 0, cost: 0, returns: keyward::store::undo(&all.subjects, tokens, &windows), ..all }]).await.unwrap();
    let now = store.now().await.unwrap();
    let ticket = |id| settlement(id, &charge(vec![subject(Some("key_1"), &[(DAY, 5)])], 1), now);
    assert_eq!(store.settle(&[ticket(1), ticket(1)]).await.unwrap(), [Settled::Done, Settled::Replayed]);
    // The server forgets its scripts: they are sent again, by whoever needs them.
    acl.server.ask::<()>("SCRIPT FLUSH");
    assert!(store.find(&realm("otesse"), &[digest(1)]).await.unwrap().holder.is_some());
    takes(&store, charge(vec![subject(None, &[(DAY, 50)])], 1)).await.unwrap();
    assert_eq!(store.settle(&[ticket(1), ticket(2)]).await.unwrap(), [Settled::Replayed, Settled::Done]);
    store.renew(&renewal(&holder("a", 2), None)).await.unwrap();
    put(&store, vec![new_key(&key("key_3", &[digest(4)]))]).await;
    let over = Record { revoked: Some(StoreTime(5)), ..key("key_4", &[digest(5)]) };
    put(&store, vec![new_key(&over)]).await;
    let due = store.due(Due::Revoked, StoreTime(9), None, 1).await.unwrap();
    assert_eq!((due.len(), store.due(Due::Revoked, StoreTime(9), due.first(), 1).await.unwrap()), (1, vec![]));
}

/// A connection is tried before it is lent again. Where a user may not do what that takes, all calls work, and each makes its own connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_both_users_connections_are_lent_again() {
    let acl = Acl::start();
    acl.server.ask::<()>("DEL kw:1:{kw}:rolled-back kw:1:{kw}:keys:otesse");
    let store = RedisStore::connect(&acl.settings()).unwrap();
    let mut watching = acl.server.connection();
    let mut made_by_ten_calls_each = async || {
        let mut made =
            || redis::cmd("INFO").arg("stats").query::<redis::InfoDict>(&mut watching).unwrap().get("total_connections_received");
        let before: Option<u64> = made();
        for _ in 0..10 {
            store.key(&realm("otesse"), &key("key_1", &[]).id).await.unwrap();
            store.holders().await.unwrap();
        }
        made().unwrap() - before.unwrap()
    };
    made_by_ten_calls_each().await;
    assert_eq!(made_by_ten_calls_each().await, 0);
    for user in ["keyward-check", "keyward-admin"] {
        cmd("ACL").arg(&["SETUSER", user, "-unwatch"]).exec(&mut acl.server.connection()).unwrap();
    }
    assert!(made_by_ten_calls_each().await >= 20);
}

/// Nobody else may come in: not even the default user.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_of_keyward_works_with_both_users_and_no_other() {
    let acl = Acl::start();
    acl.server.ask::<()>("DEL kw:1:{kw}:rolled-back kw:1:{kw}:keys:otesse");
    acl.server.ask::<()>("ACL SETUSER default off");
    let who = |name: &str| format!("{{name: {name}, password: {name}}}");
    let users = format!("redis: {{level: single, timeout: 1s, user: {}, admin: {}, url", who("keyward-check"), who("keyward-admin"));
    let realms = tempfile::tempdir().unwrap();
    std::fs::write(realms.path().join("plain.yaml"), REALM).unwrap();
    let (url, realms) = (acl.server.url(), realms.path().to_owned());
    let edit = move |config: String| config.replace("redis: {url", &users) + "check_deadline: 5s\nlease: 8s\n";
    let keyward = blocking(|| Keyward::start_edited(&realms, &Where::Redis(&url), edit));
    blocking(|| keyward.create_owner("plain", "acme", None));
    let made = blocking(|| keyward.create_key("plain", &NewKey { owner: "acme", label: "one", ..NewKey::default() }));
    let mut checks = check::connect(keyward.envoy).await;
    let mut admits = async || {
        let request = check::request("GET", "plain.test", "/", &[("x-api-key", &made.secret)]);
        check::admits(checks.check(request).await.unwrap().get_ref())
    };
    assert!(admits().await);
    blocking(|| keyward.revoke_key("plain", &made.id));
    assert!(!admits().await);
}

/// Replicas and Sentinels come in as users of theirs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_sentinel_all_four_users_do_what_they_are_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = users(folder.path());
    let arguments =
        ["--aclfile", file.to_str().unwrap(), "--masteruser", "replica", "--masterauth", "replica", "--repl-diskless-sync-delay", "0"];
    let lines = ["sentinel auth-user NAME sentinel", "sentinel auth-pass NAME sentinel"];
    let (arguments, lines) = (arguments.map(String::from).into(), lines.map(String::from).into());
    let all = blocking(|| Sentinels::with(Plan { arguments, lines, ..Plan::default() }));
    let user = |name: &str| Some(User { name: name.into(), password: name.into() });
    let (level, replicas) = (Some(Level::Replicated), 2);
    let settings = Settings { user: user("keyward-check"), admin: user("keyward-admin"), level, replicas, ..all.settings() };
    let store = RedisStore::connect(&settings).unwrap();
    works(&store, 1).await;
    let second = blocking(|| all.failover());
    blocking(|| all.until_followed(second, 2));
    within("all follow the new primary", Duration::from_secs(10), async || works_at(&store, 2, &all.nodes[second]).await).await;
}

/// What reads as it should is not written by the wrong user: each user lacks what the other has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_one_of_them_alone_only_its_part_works() {
    let acl = Acl::start();
    acl.server.ask::<()>("DEL kw:1:{kw}:rolled-back kw:1:{kw}:keys:otesse");
    let only = |user: &Option<User>| RedisStore::connect(&Settings { user: user.clone(), admin: None, ..acl.settings() }).unwrap();
    let refused =
        |said: Result<(), StoreError>| assert!(matches!(&said, Err(StoreError::Unavailable(why)) if why.contains("NOPERM")), "{said:?}");
    let (check, admin) = (only(&acl.settings().user), only(&acl.settings().admin));
    let change = commit(vec![new_owner(&owner("acme"))]);
    refused(check.commit(&change).await.map(|_| ()));
    admin.commit(&change).await.unwrap();
    let take = charge(vec![subject(None, &[(DAY, 5)])], 1);
    let settle = settlement(1, &take, check.now().await.unwrap());
    refused(takes(&admin, take.clone()).await);
    refused(settles(&admin, settle.clone()).await);
    takes(&check, take).await.unwrap();
    settles(&check, settle.clone()).await.unwrap();
    for command in ["sadd", "pexpireat"] {
        acl.server.ask::<()>(&format!("ACL SETUSER keyward-check -{command}"));
        let another = Settlement { ticket: TicketId([2; 16]), ..settle.clone() };
        let said = settles(&check, another).await;
        assert!(matches!(&said, Err(StoreError::Unavailable(why)) if why.contains("The user executing the script can't")), "{said:?}");
        acl.server.ask::<()>(&format!("ACL SETUSER keyward-check +{command}"));
    }
}
