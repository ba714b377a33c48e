//! Access Tokens in a file: it is watched and swapped, and a bad one changes nothing.

use std::path::Path;
use std::sync::Arc;

use derbysoft_go_auth::access_token::AccessTokenFault;
use tokio::task::JoinHandle;

use super::watched::{API, NEW, OLD, Watched, day, entry, last_error, verdict};
use test_support::log::Lines;
use test_support::{at_once, eventually, passive_runtime, runtime, secs, soon};

#[tokio::test]
async fn a_new_file_is_taken_up_within_ten_seconds() {
    let watched = Watched::new();
    let source = watched.source().await;
    assert_eq!(*watched.clock.asleep.borrow(), [secs(10)]);
    watched.write(entry(OLD, day(0)) + &entry(NEW, day(0).saturating_add(secs(1))));
    assert_eq!(verdict(&source, NEW), "unknown_access_token");
    watched.look().await;
    assert_eq!(verdict(&source, NEW), "ok");
    assert_eq!(verdict(&source, OLD), "previous");
    assert_eq!(*watched.clock.asleep.borrow(), [secs(10), secs(20)]);

    watched.write(entry(NEW, day(0)));
    watched.look().await;
    assert_eq!(verdict(&source, OLD), "unknown_access_token");
    assert_eq!(verdict(&source, NEW), "ok");
}

#[tokio::test]
async fn a_change_that_keeps_length_and_date_is_noticed() {
    let watched = Watched::new();
    let source = watched.source().await;
    let written = |path: &Path| std::fs::metadata(path)?.modified();
    let before = written(&watched.path()).expect("a date");
    let file = std::fs::File::options().write(true).open(watched.path());
    let mut file = file.expect("the same file");
    std::io::Write::write_all(&mut file, entry(NEW, day(0)).as_bytes()).expect("written");
    file.set_modified(before).expect("dated back");
    assert_eq!(written(&watched.path()).expect("a date"), before);
    watched.look().await;
    assert_eq!(verdict(&source, NEW), "ok");
}

#[cfg(unix)]
#[tokio::test]
async fn a_volume_that_swaps_symbolic_links_is_followed() {
    use std::os::unix::fs::symlink;
    // As Kubernetes lays out a secret: tokens.toml -> ..data/tokens.toml, ..data -> ..1
    let watched = Watched::new();
    let root = watched.directory();
    for (version, token) in [("..1", OLD), ("..2", NEW)] {
        std::fs::create_dir(root.join(version)).expect("a directory");
        std::fs::write(root.join(version).join("tokens.toml"), entry(token, day(0)))
            .expect("written");
    }
    std::fs::remove_file(watched.path()).expect("removed");
    symlink("..1", root.join("..data")).expect("linked");
    symlink("..data/tokens.toml", watched.path()).expect("linked");
    let source = watched.source().await;

    symlink("..2", root.join("..data_tmp")).expect("linked");
    std::fs::rename(root.join("..data_tmp"), root.join("..data")).expect("swapped");
    std::fs::remove_dir_all(root.join("..1")).expect("removed");
    watched.look().await;
    assert_eq!(verdict(&source, NEW), "ok");
    assert_eq!(last_error(&source), None);
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_is_reported_once() {
    let (lines, _guard) = Lines::capture();
    let watched = Watched::new();
    let source = watched.source().await;
    for (bad, expected) in [
        ("", "there is no token"),
        ("[[token]]\napi = 1", "line 2: api is not a string"),
        ("[[token", "line 1: this is not TOML"),
        ("# \u{0}", "line 1: this is not TOML"),
    ] {
        watched.write(bad);
        watched.look().await;
        let reported = last_error(&source).expect("a fault");
        assert!(reported.contains(expected), "{reported}");
        // It is read again and again.
        for _ in 0..3 {
            source.reload().await.expect_err("it is still bad");
        }
        assert_eq!(verdict(&source, OLD), "ok");
        assert_eq!(
            lines.text().matches(expected).count(),
            1,
            "{}",
            lines.text()
        );
        lines.take();
    }
    std::fs::remove_file(watched.path()).expect("removed");
    watched.look().await;
    let reported = last_error(&source).expect("a fault");
    assert!(reported.contains("it can't be read"), "{reported}");
    assert_eq!(verdict(&source, OLD), "ok");

    // What was good is good again, though it has not changed since it was read.
    watched.write(entry(OLD, day(0)));
    watched.look().await;
    assert_eq!(last_error(&source), None);
    assert_eq!(lines.text().matches("access tokens read").count(), 1);
}

#[tokio::test]
async fn the_only_token_can_be_removed() {
    let watched = Watched::new();
    let source = watched.source().await;
    // What may be half a file is not applied.
    for torn in ["", "# none", "[[token]]\n"] {
        watched.write(torn);
        soon(source.reload()).await.expect_err(torn);
        assert_eq!(verdict(&source, OLD), "ok", "{torn}");
    }
    watched.write(entry(OLD, day(0)) + "revoked = true\n");
    soon(source.reload()).await.expect("a good file");
    assert_eq!(verdict(&source, OLD), "access_token_revoked");
    assert_eq!(source.health().apis, []);
    watched.write("token = []\n");
    soon(source.reload()).await.expect("a good file");
    assert_eq!(verdict(&source, OLD), "unknown_access_token");
    assert_eq!(last_error(&source), None);
}

#[tokio::test]
async fn a_file_with_faults_still_revokes() {
    let (lines, _guard) = Lines::capture();
    let watched = Watched::new();
    let good = entry(OLD, day(0)) + &entry(NEW, day(0).saturating_add(secs(1)));
    watched.write(&good);
    let source = watched.source().await;
    assert_eq!(verdict(&source, OLD), "previous");

    let faulty = format!("{good}revoked = true\nreason = \"it is in a ticket\"\n");
    watched.write(&faulty);
    watched.look().await;
    assert_eq!(verdict(&source, NEW), "access_token_revoked");
    assert_eq!(verdict(&source, OLD), "ok");
    let reported = last_error(&source).expect("a fault");
    assert!(
        reported.contains("line 10: there is no such setting"),
        "{reported}"
    );
    for _ in 0..3 {
        source.reload().await.expect_err("it is still bad");
    }
    let revoked = "access tokens revoked, though the rest of their file can't be used";
    assert_eq!(lines.text().matches(revoked).count(), 1, "{}", lines.text());
    // It stays revoked where the file can no longer be read.
    std::fs::remove_file(watched.path()).expect("removed");
    watched.look().await;
    assert_eq!(verdict(&source, NEW), "access_token_revoked");

    // Once the file is right, it decides, even with the same text as before.
    watched.write(&good);
    watched.look().await;
    assert_eq!(
        (verdict(&source, NEW), verdict(&source, OLD)),
        ("ok", "previous")
    );
    assert_eq!(last_error(&source), None);
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_everybody_may_replace_is_not_read() {
    use std::os::unix::fs::PermissionsExt;
    let watched = Watched::new();
    let source = watched.source().await;
    let set = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(watched.directory(), permissions).expect("our own");
    };
    set(0o777);
    watched.write(entry(NEW, day(0)));
    let error = soon(source.reload()).await.expect_err("open to everybody");
    assert!(
        error
            .to_string()
            .contains("everybody can write the directory"),
        "{error}"
    );
    assert_eq!(
        (verdict(&source, OLD), verdict(&source, NEW)),
        ("ok", "unknown_access_token")
    );
    watched.open().expect_err("open to everybody");
    set(0o1777);
    soon(source.reload()).await.expect("nobody can replace it");
    assert_eq!(verdict(&source, NEW), "ok");
}

#[tokio::test]
async fn a_reload_applies_the_file_or_says_why_not() {
    let watched = Watched::new();
    let source = watched.open().expect("a good file");
    watched.write(entry(NEW, day(0)));
    soon(source.reload()).await.expect("a good file");
    assert_eq!(verdict(&source, NEW), "ok");
    assert_eq!(verdict(&source, OLD), "unknown_access_token");

    watched.write("[[token]]");
    let error = soon(source.reload()).await.expect_err("a bad file");
    let lines: Vec<_> = error.faults().map(AccessTokenFault::line).collect();
    assert_eq!(lines, [Some(1); 3]);
    assert_eq!(error.file(), Some(&*watched.path()));
    assert_eq!(last_error(&source), Some(error.to_string()));
    assert_eq!(verdict(&source, NEW), "ok");
}

#[tokio::test]
async fn an_abandoned_reload_breaks_no_later_one() {
    let watched = Watched::new();
    let source = watched.source().await;
    for n in 0..100 {
        let token = if n % 2 == 0 { NEW } else { OLD };
        watched.write(entry(token, day(0)));
        // Started, and abandoned.
        let _ = at_once(source.reload());
        soon(source.reload()).await.expect("a good file");
        assert_eq!(verdict(&source, token), "ok");
    }
}

#[test]
fn a_bad_file_at_the_start_names_every_fault() {
    let watched = Watched::new();
    watched.write("[[token]]\ntoken = \"short\"\n[more]\n");
    let error = watched.open().expect_err("a bad file").to_string();
    let expected = format!(
        "the access tokens can't be used, of {:?}:\n\
         - line 1: api is missing\n\
         - line 1: issued is missing\n\
         - line 2: the token is shorter than 16 characters, and could be guessed\n\
         - line 3: there is no such setting; a token has api, token or sha256, issued, and revoked",
        watched.path()
    );
    assert_eq!(error, expected);
}

#[test]
fn outside_a_runtime_the_first_file_serves() {
    let watched = Watched::new();
    let source = watched.open().expect("a good file");
    assert_eq!(verdict(&source, OLD), "ok");
    assert_eq!(source.health().apis.len(), 1);
    let std::task::Poll::Ready(Err(error)) = at_once(source.reload()) else {
        panic!("there is nothing to wait for");
    };
    assert!(error.to_string().contains("no tokio runtime"), "{error}");
}

#[test]
fn a_file_is_watched_from_the_next_runtime() {
    let watched = Watched::new();
    let source = watched.open().expect("a good file");
    for token in [NEW, OLD, NEW] {
        let own = passive_runtime();
        own.block_on(async {
            watched.first_look(&source).await;
            watched.write(entry(token, day(0)));
            watched.look().await;
            assert_eq!(verdict(&source, token), "ok");
        });
    }
}

#[tokio::test]
async fn the_last_handle_ends_the_watch() {
    let watched = Watched::new();
    let source = watched.source().await;
    let other = source.clone();
    drop(source);
    watched.look().await;
    drop(other);
    eventually("nobody holds the clock", || {
        Arc::strong_count(&watched.clock) == 1
    })
    .await;
}

#[test]
fn a_swap_under_load_loses_no_request() {
    let watched = Watched::new();
    let two = [runtime(), runtime()];
    let source = watched.open().expect("a good file");
    let later = day(0).saturating_add(secs(1));
    let load: Vec<_> = (two.iter())
        .map(|own| {
            let source = source.clone();
            own.spawn(async move {
                let mut seen = [0; 2];
                while seen.iter().any(|times| *times < 100) {
                    let granted = source.check(OLD, &API).expect("it is in every file");
                    seen[usize::from(granted.is_previous())] += 1;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    two[0].block_on(async {
        for _ in 0..10_000 {
            for text in [
                entry(OLD, day(0)) + &entry(NEW, later),
                entry(OLD, day(0)),
                "[[token]]".to_owned(),
            ] {
                watched.write(text);
                let _ = soon(source.reload()).await;
            }
            if load.iter().all(JoinHandle::is_finished) {
                break;
            }
        }
        for task in load {
            soon(task).await.expect("no rejection");
        }
    });
}
