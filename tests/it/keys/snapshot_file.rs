//! The snapshot's file: who may touch it, and what is done where somebody did.

use std::fs;
use std::path::{Path, PathBuf};

use derbysoft_go_auth::GoAuth;
use derbysoft_go_simulator::Fault;
use tempfile::TempDir;

use test_support::{World, eventually, keys, ready, readyz, refresh, secs, settle, verdict};

/// A snapshot of GO's current keys, in a directory of its own.
async fn written(world: &World) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("keys.json");
    let auth = started(world, &path);
    ready(&auth).await.expect("GO is well");
    eventually("the snapshot is written", || path.exists()).await;
    drop(auth);
    settle().await;
    (directory, path)
}

fn started(world: &World, path: &Path) -> GoAuth {
    let builder = world.builder().snapshot(path);
    builder.build().expect("a good configuration")
}

fn files(directory: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(directory.path()).expect("the directory");
    entries
        .map(|entry| {
            let name = entry.expect("an entry").file_name();
            name.into_string().expect("text")
        })
        .collect()
}

/// Asserts that a start with this file is a start without one: nothing verifies before a fetch, the
/// fetch is unconditional, and the file is replaced by it.
async fn ignored(world: &World, path: &Path, given: &str) {
    let before = world.go.fetches();
    world.go.fail_next(1, Fault::Cut);
    let auth = started(world, path);
    ready(&auth).await.expect_err(given);
    assert_eq!((readyz(&auth), keys(&auth)), (503, 0), "given {given}");
    world.go.heal();
    refresh(&auth).await.expect("GO is well");
    assert_eq!(verdict(&auth, &world.token()).await, "ok", "given {given}");
    assert_eq!(world.go.fetches(), before + 2, "given {given}");
    let requests = world.go.requests();
    let asked = requests.iter().rev().take(2);
    let whole = asked.filter(|request| request.if_none_match.is_none());
    assert_eq!(whole.count(), 2, "given {given}");
}

#[tokio::test]
async fn a_damaged_file_is_ignored_and_rewritten() {
    let world = World::new().await;
    let (directory, path) = written(&world).await;
    let good = fs::read_to_string(&path).expect("the file");
    let edited = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let kid = world.go.signing_kid();
    for (given, damaged) in [
        ("nothing in it", String::new()),
        ("half of it", good[..good.len() / 2].to_owned()),
        ("all but its last byte", good[..good.len() - 1].to_owned()),
        ("twice itself", good.clone() + &good),
        ("another version", edited("\"version\":1", "\"version\":2")),
        (
            "a negative time",
            edited("\"fetched_at\":", "\"fetched_at\":-"),
        ),
        (
            "the far future",
            edited("\"fetched_at\":", "\"fetched_at\":9"),
        ),
        ("an unknown member", edited("{", r#"{"trust":"me","#)),
        ("no document", edited("\"document\":", "\"paper\":")),
        ("an empty key set", r#"{"keys":[]}"#.to_owned()),
        (
            "a bare key document",
            String::from_utf8(world.go.document()).unwrap(),
        ),
        ("zeros", "\0".repeat(4096)),
        ("a broken document", edited(&kid, "\\\"")),
        ("more than would fit", " ".repeat(2 << 20)),
    ] {
        fs::write(&path, &damaged).expect("written");
        ignored(&world, &path, given).await;
        let what = format!("made good, given {given}");
        eventually(&what, || {
            fs::read_to_string(&path).is_ok_and(|text| text == good)
        })
        .await;
        eventually("one file", || files(&directory) == ["keys.json"]).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_others_may_write_is_ignored() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new().await;
    let (_directory, path) = written(&world).await;
    for mode in [0o666, 0o622, 0o602, 0o620, 0o777] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("our own file");
        ignored(&world, &path, &format!("mode {mode:o}")).await;
        eventually("it is ours alone again", || {
            fs::metadata(&path).is_ok_and(|file| file.permissions().mode() & 0o777 == 0o600)
        })
        .await;
    }
    for mode in [0o600, 0o644, 0o400] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("our own file");
        world.go.fail(Fault::Cut);
        let auth = started(&world, &path);
        ready(&auth).await.expect("only its owner may write it");
        world.go.heal();
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_private_and_leaves_no_other() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new().await;
    let (directory, path) = written(&world).await;
    let auth = started(&world, &path);
    for _ in 0..10 {
        world.go.rotate();
        refresh(&auth).await.unwrap();
        let mode = fs::metadata(&path).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    drop(auth);
    eventually("one file", || files(&directory) == ["keys.json"]).await;
}

#[tokio::test]
async fn keys_serve_where_no_file_can_be_written() {
    let world = World::new().await;
    let directory = tempfile::tempdir().expect("a directory");
    let taken = directory.path().join("taken");
    fs::create_dir(&taken).expect("a directory");
    for path in [taken, directory.path().join("missing/keys.json")] {
        let auth = started(&world, &path);
        ready(&auth).await.unwrap();
        refresh(&auth).await.unwrap();
        assert_eq!(verdict(&auth, &world.token()).await, "ok");
        drop(auth);
        eventually("nothing is left", || files(&directory) == ["taken"]).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_is_replaced_and_not_followed() {
    let world = World::new().await;
    let directory = tempfile::tempdir().expect("a directory");
    let target = directory.path().join("precious");
    fs::write(&target, "precious").expect("written");
    let path = directory.path().join("keys.json");
    std::os::unix::fs::symlink(&target, &path).expect("a link");
    let auth = started(&world, &path);
    ready(&auth).await.unwrap();
    eventually("the link is replaced", || {
        fs::symlink_metadata(&path).is_ok_and(|file| file.is_file())
    })
    .await;
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
}

#[cfg(unix)]
#[test]
fn a_pipe_in_its_place_delays_no_start_or_end() {
    use rustix::fs::{CWD, Mode, mkfifoat};
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("keys.json");
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).expect("a pipe");
    let (ended, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = test_support::runtime();
        runtime.block_on(async {
            let world = World::new().await;
            let auth = started(&world, &path);
            ready(&auth).await.expect("GO is well");
            assert_eq!(verdict(&auth, &world.token()).await, "ok");
        });
        drop(runtime);
        ended.send(()).expect("it is waited for");
    });
    end.recv_timeout(secs(20)).expect("it ends");
}

#[tokio::test]
async fn leftovers_of_killed_writers_are_removed() {
    let world = World::new().await;
    let (directory, path) = written(&world).await;
    let old = std::time::SystemTime::now() - secs(601);
    for number in 0..40 {
        let left = format!("keys.json.{number}.000000000000000a.tmp");
        let left = fs::File::create(path.with_file_name(left)).expect("a file");
        left.set_modified(old).expect("dated back");
    }
    let auth = started(&world, &path);
    world.go.rotate();
    refresh(&auth).await.expect("GO is well");
    eventually("one file", || files(&directory) == ["keys.json"]).await;
}

#[tokio::test]
async fn leftovers_of_a_crash_are_not_read() {
    let world = World::new().await;
    let (_directory, path) = written(&world).await;
    let half = path.with_file_name("keys.json.1.0000000000000000.tmp");
    fs::rename(&path, &half).expect("renamed");
    ignored(&world, &path, "only a temporary file").await;
}

#[tokio::test]
async fn a_snapshot_holds_public_data_alone() {
    let world = World::new().await;
    let (_directory, path) = written(&world).await;
    let text = fs::read_to_string(&path).expect("the file");
    let record: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let document = record["document"].as_str().expect("text");
    assert_eq!(document.as_bytes(), world.go.document());
    assert_eq!(record["issuer"], world.go.issuer());
    assert_eq!(record["fetched_at"], world.time().as_secs());
    assert!(record["fetched_at"].as_u64() >= Some(secs(1).as_secs()));
}
