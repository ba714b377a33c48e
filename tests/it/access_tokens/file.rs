//! Access tokens in a file: watched, swapped, kept when a new one is bad, and seen to expire.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use derbysoft_go_auth::{
    AccessToken, AccessTokenFault, AccessTokenSource, AccessTokens, AccessTokensError, Api, Clock,
    ManualClock, UnixTime,
};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::observability::Lines;
use test_support::{at_once, eventually, passive_runtime, runtime, secs, soon};

const API: Api = Api::AVAILABILITY_PEER;
const OLD: &str = "53ac0777aaaaaaaaaaaaaaaaaaaaaaaa";
const NEW: &str = "53ac0777bbbbbbbbbbbbbbbbbbbbbbbb";
const DAY: u64 = 86_400;

/// 2026-11-01T00:00:00Z, and as many days more.
fn day(days: u64) -> UnixTime {
    UnixTime::from_secs(1_793_491_200 + days * DAY)
}

fn entry(token: &str, issued: UnixTime) -> String {
    format!("[[token]]\napi = \"availability-peer\"\ntoken = \"{token}\"\nissued = {issued}\n")
}

/// A clock that only the test moves, and that tells when somebody has gone to sleep by it.
#[derive(Debug)]
struct Sleepers {
    clock: ManualClock,
    /// Until when each wanted to sleep.
    asleep: watch::Sender<Vec<Duration>>,
}

impl Clock for Sleepers {
    fn now(&self) -> UnixTime {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn sleep_until(&self, moment: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        let sleep = self.clock.sleep_until(moment);
        self.asleep.send_modify(|asleep| asleep.push(moment));
        sleep
    }
}

/// A file of tokens, and the clock by which it is watched.
struct World {
    directory: TempDir,
    clock: Arc<Sleepers>,
}

impl World {
    /// On the day of the issue of `OLD`, which is in the file.
    fn new() -> Self {
        let clock = Sleepers {
            clock: ManualClock::new(day(0)),
            asleep: watch::Sender::default(),
        };
        let world = Self {
            directory: tempfile::tempdir().expect("a directory"),
            clock: Arc::new(clock),
        };
        world.write(entry(OLD, day(0)));
        world
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("tokens.toml")
    }

    /// Replaces the file as a whole.
    fn write(&self, text: impl AsRef<[u8]>) {
        let temporary = self.directory.path().join("tokens.tmp");
        std::fs::write(&temporary, text).expect("written");
        std::fs::rename(temporary, self.path()).expect("replaced");
    }

    fn open(&self) -> Result<AccessTokenSource, AccessTokensError> {
        AccessTokenSource::file(self.path(), Arc::clone(&self.clock) as Arc<dyn Clock>)
    }

    /// In use, and watched.
    async fn source(&self) -> AccessTokenSource {
        let source = self.open().expect("a good file");
        self.first_look(&source).await;
        source
    }

    async fn first_look(&self, source: &AccessTokenSource) {
        let before = self.looks();
        let _ = verdict(source, OLD);
        self.looked(before + 1).await;
    }

    /// How often the file was looked at: the watch sleeps after each look.
    fn looks(&self) -> usize {
        self.clock.asleep.borrow().len()
    }

    async fn looked(&self, times: usize) {
        let mut asleep = self.clock.asleep.subscribe();
        let looked = asleep.wait_for(|asleep| asleep.len() >= times);
        soon(looked).await.expect("the clock is held here");
    }

    /// Lets time pass until the next look at the file has ended.
    async fn look(&self) {
        self.look_after(secs(10)).await;
    }

    async fn look_after(&self, by: Duration) {
        let before = self.looks();
        self.clock.clock.advance(by);
        self.looked(before + 1).await;
    }

    /// The same, on that day.
    async fn look_on(&self, time: UnixTime) {
        self.look_after(time.saturating_since(self.clock.now()))
            .await;
    }
}

fn verdict(source: &AccessTokenSource, token: &str) -> &'static str {
    match source.check(token, &API) {
        Ok(granted) if granted.is_previous() => "previous",
        Ok(_) => "ok",
        Err(error) => error.kind().as_str(),
    }
}

fn last_error(source: &AccessTokenSource) -> Option<String> {
    let error = source.health().file?.last_error?;
    Some(error.to_string())
}

#[tokio::test]
async fn a_new_file_is_taken_up_within_ten_seconds() {
    let world = World::new();
    let source = world.source().await;
    assert_eq!(*world.clock.asleep.borrow(), [secs(10)]);
    world.write(entry(OLD, day(0)) + &entry(NEW, day(0).saturating_add(secs(1))));
    assert_eq!(verdict(&source, NEW), "unknown_access_token");
    world.look().await;
    assert_eq!(verdict(&source, NEW), "ok");
    assert_eq!(verdict(&source, OLD), "previous");
    assert_eq!(*world.clock.asleep.borrow(), [secs(10), secs(20)]);

    world.write(entry(NEW, day(0)));
    world.look().await;
    assert_eq!(verdict(&source, OLD), "unknown_access_token");
    assert_eq!(verdict(&source, NEW), "ok");
}

#[tokio::test]
async fn a_change_that_keeps_length_and_date_is_noticed() {
    let world = World::new();
    let source = world.source().await;
    let written = |path: &Path| std::fs::metadata(path)?.modified();
    let before = written(&world.path()).expect("a date");
    let file = std::fs::File::options().write(true).open(world.path());
    let mut file = file.expect("the same file");
    std::io::Write::write_all(&mut file, entry(NEW, day(0)).as_bytes()).expect("written");
    file.set_modified(before).expect("dated back");
    assert_eq!(written(&world.path()).expect("a date"), before);
    world.look().await;
    assert_eq!(verdict(&source, NEW), "ok");
}

#[cfg(unix)]
#[tokio::test]
async fn a_volume_that_swaps_symbolic_links_is_followed() {
    use std::os::unix::fs::symlink;
    // As Kubernetes lays out a secret: tokens.toml -> ..data/tokens.toml, ..data -> ..1
    let world = World::new();
    let root = world.directory.path();
    for (version, token) in [("..1", OLD), ("..2", NEW)] {
        std::fs::create_dir(root.join(version)).expect("a directory");
        std::fs::write(root.join(version).join("tokens.toml"), entry(token, day(0)))
            .expect("written");
    }
    std::fs::remove_file(world.path()).expect("removed");
    symlink("..1", root.join("..data")).expect("linked");
    symlink("..data/tokens.toml", world.path()).expect("linked");
    let source = world.source().await;

    symlink("..2", root.join("..data_tmp")).expect("linked");
    std::fs::rename(root.join("..data_tmp"), root.join("..data")).expect("swapped");
    std::fs::remove_dir_all(root.join("..1")).expect("removed");
    world.look().await;
    assert_eq!(verdict(&source, NEW), "ok");
    assert_eq!(last_error(&source), None);
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_is_reported_once() {
    let (lines, _guard) = Lines::capture();
    let world = World::new();
    let source = world.source().await;
    for (bad, expected) in [
        ("", "there is no token"),
        ("[[token]]\napi = 1", "line 2: api is not a string"),
        ("[[token", "line 1: this is not TOML"),
        ("# \u{0}", "line 1: this is not TOML"),
    ] {
        world.write(bad);
        world.look().await;
        let reported = last_error(&source).expect("a fault");
        assert!(reported.contains(expected), "{reported}");
        // And is looked at again and again.
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
        lines.clear();
    }
    std::fs::remove_file(world.path()).expect("removed");
    world.look().await;
    let reported = last_error(&source).expect("a fault");
    assert!(reported.contains("it can't be read"), "{reported}");
    assert_eq!(verdict(&source, OLD), "ok");

    // What was good is good again, though it has not changed since it was read.
    world.write(entry(OLD, day(0)));
    world.look().await;
    assert_eq!(last_error(&source), None);
    assert_eq!(lines.text().matches("access tokens read").count(), 1);
}

#[tokio::test]
async fn the_only_token_can_be_removed() {
    let world = World::new();
    let source = world.source().await;
    // What may be half a file is not believed.
    for torn in ["", "# none", "[[token]]\n"] {
        world.write(torn);
        soon(source.reload()).await.expect_err(torn);
        assert_eq!(verdict(&source, OLD), "ok", "{torn}");
    }
    world.write(entry(OLD, day(0)) + "revoked = true\n");
    soon(source.reload()).await.expect("a good file");
    assert_eq!(verdict(&source, OLD), "access_token_revoked");
    assert_eq!(source.health().apis, []);
    world.write("token = []\n");
    soon(source.reload()).await.expect("a good file");
    assert_eq!(verdict(&source, OLD), "unknown_access_token");
    assert_eq!(last_error(&source), None);
}

#[tokio::test]
async fn a_file_with_faults_still_revokes() {
    let (lines, _guard) = Lines::capture();
    let world = World::new();
    let good = entry(OLD, day(0)) + &entry(NEW, day(0).saturating_add(secs(1)));
    world.write(&good);
    let source = world.source().await;
    assert_eq!(verdict(&source, OLD), "previous");

    let faulty = format!("{good}revoked = true\nreason = \"it is in a ticket\"\n");
    world.write(&faulty);
    world.look().await;
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
    // Not even where nothing of the file can be read any more.
    std::fs::remove_file(world.path()).expect("removed");
    world.look().await;
    assert_eq!(verdict(&source, NEW), "access_token_revoked");

    // What the file says, once it is right, is what holds: the very text of before, too.
    world.write(&good);
    world.look().await;
    assert_eq!(
        (verdict(&source, NEW), verdict(&source, OLD)),
        ("ok", "previous")
    );
    assert_eq!(last_error(&source), None);
}

#[tokio::test]
async fn a_clock_in_the_past_is_reported_and_recovers() {
    let (lines, _guard) = Lines::capture();
    let world = World::new();
    world.clock.clock.step_to(UnixTime::from_secs(DAY));
    let source = world.source().await;
    assert_eq!(verdict(&source, OLD), "not_yet_valid");
    let warned = lines.text();
    let ahead = "an access token is dated more than 24 h ahead";
    assert_eq!(warned.matches(ahead).count(), 1, "{warned}");
    assert!(warned.contains("line=1"), "{warned}");
    assert!(warned.contains("issued=2026-11-01T00:00:00Z"), "{warned}");
    let json = serde_json::to_value(source.health()).expect("JSON");
    assert_eq!(json["apis"][0]["accepted_from"], "2026-10-31T00:00:00Z");

    // The clock is set, and the file is as it was.
    world.clock.clock.step_to(day(1));
    assert_eq!(verdict(&source, OLD), "ok");
    assert_eq!(source.health().apis[0].accepted_from, None);
    world.look_on(day(180)).await;
    assert_eq!(verdict(&source, OLD), "access_token_expired");
    assert_eq!(lines.text().matches(ahead).count(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_everybody_may_replace_is_not_read() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let source = world.source().await;
    let set = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(world.directory.path(), permissions).expect("our own");
    };
    set(0o777);
    world.write(entry(NEW, day(0)));
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
    world.open().expect_err("open to everybody");
    set(0o1777);
    soon(source.reload()).await.expect("nobody can replace it");
    assert_eq!(verdict(&source, NEW), "ok");
}

#[tokio::test]
async fn a_reload_applies_the_file_or_says_why_not() {
    let world = World::new();
    let source = world.open().expect("a good file");
    world.write(entry(NEW, day(0)));
    soon(source.reload()).await.expect("a good file");
    assert_eq!(verdict(&source, NEW), "ok");
    assert_eq!(verdict(&source, OLD), "unknown_access_token");

    world.write("[[token]]");
    let error = soon(source.reload()).await.expect_err("a bad file");
    let lines: Vec<_> = error.faults().map(AccessTokenFault::line).collect();
    assert_eq!(lines, [Some(1); 3]);
    assert_eq!(error.file(), Some(&*world.path()));
    assert_eq!(last_error(&source), Some(error.to_string()));
    assert_eq!(verdict(&source, NEW), "ok");
}

#[tokio::test]
async fn an_abandoned_reload_breaks_no_later_one() {
    let world = World::new();
    let source = world.source().await;
    for n in 0..100 {
        let token = if n % 2 == 0 { NEW } else { OLD };
        world.write(entry(token, day(0)));
        // Begun, and given up.
        let _ = at_once(source.reload());
        soon(source.reload()).await.expect("a good file");
        assert_eq!(verdict(&source, token), "ok");
    }
}

#[test]
fn a_bad_file_at_the_start_names_every_fault() {
    let world = World::new();
    world.write("[[token]]\ntoken = \"short\"\n[more]\n");
    let error = world.open().expect_err("a bad file").to_string();
    let expected = format!(
        "the access tokens can't be used, of {:?}:\n\
         - line 1: api is missing\n\
         - line 1: issued is missing\n\
         - line 2: the token is shorter than 16 characters, and could be guessed\n\
         - line 3: there is no such setting; a token has api, token or sha256, issued, and revoked",
        world.path()
    );
    assert_eq!(error, expected);
}

#[test]
fn outside_a_runtime_the_first_file_serves() {
    let world = World::new();
    let source = world.open().expect("a good file");
    assert_eq!(verdict(&source, OLD), "ok");
    assert_eq!(source.health().apis.len(), 1);
    let std::task::Poll::Ready(Err(error)) = at_once(source.reload()) else {
        panic!("there is nothing to wait for");
    };
    assert!(error.to_string().contains("no tokio runtime"), "{error}");
}

#[test]
fn a_file_is_watched_from_the_next_runtime() {
    let world = World::new();
    let source = world.open().expect("a good file");
    for token in [NEW, OLD, NEW] {
        let own = passive_runtime();
        own.block_on(async {
            world.first_look(&source).await;
            world.write(entry(token, day(0)));
            world.look().await;
            assert_eq!(verdict(&source, token), "ok");
        });
    }
}

#[tokio::test]
async fn the_last_handle_ends_the_watch() {
    let world = World::new();
    let source = world.source().await;
    let other = source.clone();
    drop(source);
    world.look().await;
    drop(other);
    eventually("nobody holds the clock", || {
        Arc::strong_count(&world.clock) == 1
    })
    .await;
}

#[tokio::test]
async fn each_reminder_is_logged_once() {
    let (lines, _guard) = Lines::capture();
    let world = World::new();
    let source = world.source().await;
    let said = |text: &str| lines.text().matches(text).count();
    for (days, left) in [
        (150, "30"),
        (160, "20"),
        (170, "10"),
        (177, "3"),
        (178, "2"),
        (179, "1"),
    ] {
        world.look_on(day(days)).await;
        assert_eq!(said(&format!("days_left={left}\n")), 1, "{}", lines.text());
        for _ in 0..1_000 {
            assert_eq!(verdict(&source, OLD), "ok");
        }
        for _ in 0..3 {
            world.look().await;
        }
        assert_eq!(said("expires: generate another"), 1, "{}", lines.text());
        lines.clear();
    }
    world.look_on(day(180)).await;
    assert_eq!(said("has expired"), 1);
    assert_eq!(verdict(&source, OLD), "access_token_expired");

    // Renewed, it is well again, and says so by silence.
    lines.clear();
    world.write(entry(NEW, day(180)));
    world.look().await;
    assert_eq!(verdict(&source, NEW), "ok");
    assert_eq!(said("expire"), 0, "{}", lines.text());
}

#[tokio::test]
async fn tokens_given_in_code_have_reminders_too() {
    let (lines, _guard) = Lines::capture();
    let clock = ManualClock::new(day(155));
    let tokens = AccessTokens::new([AccessToken::new(API, OLD, day(0))]);
    let source = AccessTokenSource::fixed(tokens.expect("good"), Arc::new(clock));
    assert_eq!(verdict(&source, OLD), "ok");
    eventually("the reminder is given", || {
        lines.text().contains("days_left=25")
    })
    .await;
    source.reload().await.expect("nothing to do");
    assert_eq!(source.health().file, None);
}

#[tokio::test]
async fn health_reports_time_left_and_the_file() {
    let world = World::new();
    let issued = entry(NEW, day(100)) + &entry(OLD, day(0));
    world.write(issued + "[[token]]\napi = \"own\"\ntoken = \"0123456789abcdef\"\nissued = 2026-05-04T00:00:00Z");
    world.clock.clock.advance(day(102).saturating_since(day(0)));
    let source = world.open().expect("a good file");
    let mut health = source.health();
    let file = health.file.as_mut().expect("a file");
    assert!(file.modified.is_some());
    file.modified = Some(day(99));
    file.path = "tokens.toml".into();
    assert_eq!(
        serde_json::to_value(&health).expect("JSON"),
        serde_json::json!({
            "apis": [
                {
                    "api": "availability-peer",
                    "expires_at": "2027-08-08T00:00:00Z",
                    "seconds_left": 178 * DAY,
                    "days_left": 178,
                    "previous_accepted_until": "2027-02-16T00:00:00Z",
                },
                {
                    "api": "own",
                    "expires_at": "2026-10-31T00:00:00Z",
                    "seconds_left": 0,
                    "days_left": 0,
                },
            ],
            "file": { "path": "tokens.toml", "modified": "2027-02-08T00:00:00Z" },
        })
    );
    assert!(health.apis[1].is_expired());

    world.clock.clock.advance(secs(5 * DAY));
    assert_eq!(source.health().apis[0].previous_accepted_until, None);
}

#[tokio::test]
async fn no_output_contains_a_token_or_digest() {
    let (lines, _guard) = Lines::capture();
    let world = World::new();
    // printf %s 53ac0777bbbbbbbbbbbbbbbbbbbbbbbb | sha256sum
    let sha256 = "8ca02f5c8eff496d7a9c8729d0d382fbcedae86baeb5052c45d3d284a3d07234";
    let by_digest = entry(NEW, day(0).saturating_add(secs(1))).replace(
        &format!("token = \"{NEW}\""),
        &format!("sha256 = \"{sha256}\""),
    );
    world.write(entry(OLD, day(0)) + &by_digest);
    let source = world.open().expect("a good file");
    let mut printed = Vec::new();
    let mut print = |what: &dyn std::fmt::Debug| printed.push(format!("{what:?} {what:#?}"));
    for token in [OLD, NEW, "53ac0777cccccccccccccccccccccccc"] {
        print(&source.check(token, &API));
        print(&source.check(token, &Api::V3_RESERVATION));
    }
    for bad in [
        entry(OLD, day(0)).replace("\"53ac", "53ac"),
        entry(OLD, day(0)).replace("token = ", "tokn = "),
        entry(OLD, day(0)).replace("availability-peer", OLD),
        entry(OLD, day(0)).replace("issued = ", &format!("issued = \"{OLD}\" # ")),
        entry(OLD, day(0)).replace("api", OLD),
        format!("{OLD} = 1\n{OLD} = 2"),
        by_digest.replace("Z\n", "\n"),
        by_digest.replacen(sha256, &sha256[1..], 1),
        entry(OLD, day(0)) + &entry(OLD, day(1)),
        entry(OLD, day(9)) + "revoked = 1",
    ] {
        world.write(&bad);
        let error = soon(source.reload()).await.err();
        let error = error.unwrap_or_else(|| panic!("{bad}"));
        print(&error);
        print(&error.to_string());
    }
    print(&source);
    print(&source.health());
    print(&serde_json::to_string(&source.health()).expect("JSON"));

    for text in [printed.concat(), lines.text()] {
        for part in [
            "53ac0777",
            "aaaaaaaa",
            "bbbbbbbb",
            &sha256[..8],
            &sha256[56..],
        ] {
            assert!(!text.contains(part), "{part} is in {text}");
        }
        assert!(text.contains("issued"), "nothing was printed: {text}");
    }
}

#[test]
fn a_swap_under_load_loses_no_request() {
    let world = World::new();
    let two = [runtime(), runtime()];
    let source = world.open().expect("a good file");
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
                world.write(text);
                let _ = soon(source.reload()).await;
            }
            if load.iter().all(JoinHandle::is_finished) {
                break;
            }
        }
        for task in load {
            soon(task).await.expect("no refusal");
        }
    });
}
