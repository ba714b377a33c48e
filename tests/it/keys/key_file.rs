//! Keys in a file, in place of an address: `docs/guide/rotation.md`, "Keys in a file".

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use derbysoft_go_auth::keys::{FetchError, KeysState};
use derbysoft_go_auth::{Config, GoAuth, GoAuthBuilder};
use tempfile::TempDir;

use test_support::log::Lines;
use test_support::{
    World, crowd, eventually, keys, passes, ready, readyz, refresh, remember, secs, settle, state,
    verdict,
};

/// A handle that nobody used while the key left the file.
#[tokio::test]
async fn an_idle_successor_trusts_no_withdrawn_key() {
    let scene = Scene::new().await;
    let auth = scene.ready().await;
    let successor = scene.builder().successor_of(&auth).build().unwrap();
    drop(auth);
    let old = scene.lasting();
    scene.world.withdraw();
    scene.write_keys();
    scene.world.clock.advance(secs(3600));
    assert_eq!(verdict(&successor, &old).await, "unknown_key");
    assert!(passes(&successor, &scene.world.token()));
}

/// The runtime of the task that watches the file has ended, and another one goes on.
#[test]
fn a_stopped_runtime_leaves_no_withdrawn_key_trusted() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let host = runtime();
    let scene = host.block_on(Scene::new());
    let one = runtime();
    let auth = one.block_on(scene.ready());
    drop(one);
    let old = scene.lasting();
    scene.world.withdraw();
    scene.write_keys();
    scene.world.clock.advance(secs(3600));
    assert_eq!(host.block_on(verdict(&auth, &old)), "unknown_key");
}

/// The wall clock goes on while timers stand still.
#[tokio::test]
async fn a_suspended_machine_trusts_no_withdrawn_key() {
    let scene = Scene::new().await;
    let auth = scene.ready().await;
    let old = scene.lasting();
    scene.world.withdraw();
    scene.write_keys();
    let later = scene.world.time().saturating_add(secs(3600));
    scene.world.clock.step_to(later);
    assert_eq!(verdict(&auth, &old).await, "unknown_key");
}

/// GO's keys in a file, and a clock under the test's control.
struct Scene {
    world: World,
    directory: TempDir,
}

impl Scene {
    /// With GO's present keys in the file.
    async fn new() -> Self {
        let scene = Self {
            world: World::new().await,
            directory: tempfile::tempdir().expect("a directory"),
        };
        scene.write_keys();
        scene
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("keys.json")
    }

    /// Replaces the file as a whole.
    fn write(&self, content: impl AsRef<[u8]>) {
        let new = self.directory.path().join("new");
        fs::write(&new, content).expect("written");
        fs::rename(new, self.path()).expect("replaced");
    }

    fn write_keys(&self) {
        self.write(self.world.go.document());
    }

    fn builder(&self) -> GoAuthBuilder {
        GoAuth::builder()
            .issuer(self.world.go.issuer())
            .audience(self.world.go.audience())
            .jwks_file(self.path())
            .clock(self.world.clock.clone())
    }

    fn auth(&self) -> GoAuth {
        self.builder().build().expect("a good configuration")
    }

    async fn ready(&self) -> GoAuth {
        let auth = self.auth();
        ready(&auth).await.expect("the keys are there");
        auth
    }

    /// A token that outlives the test's days.
    fn lasting(&self) -> String {
        self.world.mint().expires_in(30 * 86_400).token()
    }

    /// Lets so much time pass that the file is read again, whatever came before.
    fn pass(&self) {
        self.world.clock.advance(secs(10));
    }

    /// Lets time pass until the state says that the file can't be used, and why.
    async fn fails(&self, auth: &GoAuth) -> FetchError {
        self.pass();
        eventually("the failure shows", || state(auth).last_error().is_some()).await;
        state(auth).last_error().cloned().expect("as above")
    }
}

#[tokio::test]
async fn keys_in_a_file_verify_and_nothing_is_fetched() {
    let scene = Scene::new().await;
    let auth = scene.auth();
    // The first request reads the file.
    let token = scene.world.token();
    assert_eq!(verdict(&auth, &token).await, "ok");
    remember(&auth, &token);
    assert_eq!((readyz(&auth), state(&auth)), (200, KeysState::Fresh));
    let stranger = scene.world.mint().kid("other").token();
    assert_eq!(verdict(&auth, &stranger).await, "key_pending");
    assert_eq!(scene.world.go.total_requests(), 0);
}

/// A fleet, since each draws its own moment to read.
#[tokio::test]
async fn a_replaced_key_file_counts_within_the_bound() {
    let scene = Scene::new().await;
    let date = SystemTime::now() - secs(3600);
    let dated = |path: &Path| {
        let file = fs::File::options().write(true).open(path).expect("ours");
        file.set_modified(date).expect("dated");
    };
    dated(&scene.path());
    let mut fleet = Vec::new();
    let old = scene.lasting();
    for _ in 0..8 {
        let auth = scene.ready().await;
        remember(&auth, &old);
        fleet.push(auth);
    }
    let before = scene.world.go.document();
    scene.world.withdraw();
    let after = scene.world.go.document();
    // Neither its size nor its date need to change.
    let padding = before.len().saturating_sub(after.len());
    scene.write([after, vec![b' '; padding]].concat());
    dated(&scene.path());
    scene.world.clock.advance(secs(9));
    for auth in &fleet {
        eventually("the withdrawn key is gone", || !passes(auth, &old)).await;
        assert!(passes(auth, &scene.world.token()), "the new key is there");
        assert_eq!(keys(auth), 1);
    }
}

/// As Kubernetes replaces what it mounts.
#[cfg(unix)]
#[tokio::test]
async fn a_swapped_link_counts_like_a_replaced_file() {
    use std::os::unix::fs::symlink;
    let scene = Scene::new().await;
    let in_directory = |name: &str| scene.directory.path().join(name);
    let mount = |version: &str| {
        fs::create_dir(in_directory(version)).expect("made");
        fs::write(
            in_directory(version).join("keys.json"),
            scene.world.go.document(),
        )
        .expect("written");
        symlink(version, in_directory("..tmp")).expect("a link");
        fs::rename(in_directory("..tmp"), in_directory("..data")).expect("swapped");
    };
    mount("..1");
    fs::remove_file(scene.path()).expect("ours");
    symlink("..data/keys.json", scene.path()).expect("a link");
    let auth = scene.ready().await;
    let old = scene.lasting();
    remember(&auth, &old);
    scene.world.withdraw();
    mount("..2");
    scene.world.clock.advance(secs(9));
    eventually("the withdrawn key is gone", || !passes(&auth, &old)).await;
    assert!(passes(&auth, &scene.world.token()));
}

#[tokio::test]
async fn a_new_key_is_found_by_the_first_token_of_it() {
    let scene = Scene::new().await;
    let auth = scene.ready().await;
    scene.world.go.rotate();
    scene.write_keys();
    scene.world.clock.advance(secs(3));
    let tokens = vec![scene.world.token(); 20];
    let mut verdicts = crowd(&auth, tokens);
    while let Some(verdict) = verdicts.join_next().await {
        assert_eq!(verdict.expect("it does not panic"), "ok");
    }
}

#[tokio::test]
async fn a_bad_key_file_keeps_the_old_keys() {
    let scene = Scene::new().await;
    let builder = scene.builder();
    let auth = builder.configure(|it| it.max_document_bytes = 16 * 1024);
    let auth = auth.build().expect("a good configuration");
    ready(&auth).await.expect("the keys are there");
    let token = scene.lasting();
    let path = scene.path();
    let file = format!("the key file \"{}\" can't be used: ", path.display());
    let discovery = r#"{"jwks_uri":"https://id.example/keys"}"#;
    for (content, why) in [
        (None, "it can't be read: No such file"),
        (Some(""), "the document is not a JSON Web Key Set"),
        (Some("<html>"), "the document is not a JSON Web Key Set"),
        (Some(discovery), "the document is not a JSON Web Key Set"),
        (
            Some("{\"keys\":[]}"),
            "the key set has no usable key: it is empty",
        ),
        (
            Some(&*" ".repeat(16 * 1024 + 1)),
            "it is longer than 16 KiB",
        ),
    ] {
        match content {
            Some(content) => scene.write(content),
            None => fs::remove_file(&path).expect("ours"),
        }
        let error = scene.fails(&auth).await.to_string();
        assert!(error.starts_with(&format!("{file}{why}")), "{error}");
        assert!(matches!(state(&auth), KeysState::Stale { .. }));
        assert_eq!(verdict(&auth, &token).await, "ok", "{error}");
        assert_eq!(readyz(&auth), 200);
        refresh(&auth).await.expect_err("it is no better");
        scene.write_keys();
        scene.pass();
        eventually("it is good again", || state(&auth) == KeysState::Fresh).await;
    }
}

#[tokio::test]
async fn without_a_usable_key_file_keys_end_at_max_stale() {
    let scene = Scene::new().await;
    let builder = scene.builder().configure(|it| {
        it.max_stale = secs(60);
        it.refresh_interval = secs(60);
    });
    let auth = builder.build().expect("a good configuration");
    ready(&auth).await.expect("the keys are there");
    let token = scene.lasting();
    remember(&auth, &token);
    fs::remove_file(scene.path()).expect("ours");
    scene.world.clock.advance(secs(59));
    // After one more look at the file.
    assert_eq!(verdict(&auth, &token).await, "ok");
    scene.world.clock.advance(secs(1));
    assert_eq!(verdict(&auth, &token).await, "keys_unavailable");
    assert_eq!((readyz(&auth), keys(&auth)), (503, 0));
    scene.write_keys();
    scene.pass();
    eventually("the keys are back", || readyz(&auth) == 200).await;
    assert_eq!(verdict(&auth, &token).await, "ok");
}

#[tokio::test]
async fn a_file_that_is_missing_at_the_start_may_come_later() {
    let scene = Scene::new().await;
    scene.write("");
    ready(&scene.auth())
        .await
        .expect_err("there are no keys in it");
    fs::remove_file(scene.path()).expect("ours");
    let auth = scene.auth();
    let error = ready(&auth).await.expect_err("there is no file");
    assert!(matches!(error, FetchError::File { .. }), "{error:?}");
    assert_eq!((readyz(&auth), keys(&auth)), (503, 0));
    assert_eq!(state(&auth).last_error(), Some(&error));
    let token = scene.lasting();
    assert_eq!(verdict(&auth, &token).await, "keys_unavailable");
    // However long it takes.
    for _ in 0..20 {
        scene.pass();
        settle().await;
    }
    scene.write_keys();
    scene.pass();
    eventually("the keys are there", || readyz(&auth) == 200).await;
    assert_eq!(verdict(&auth, &token).await, "ok");
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_file_that_everybody_may_write_is_not_used() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let scene = Scene::new().await;
    let link = scene.directory.path().join("link");
    symlink(scene.path(), &link).expect("a link");
    let open = || {
        let everybody = fs::Permissions::from_mode(0o646);
        fs::set_permissions(scene.path(), everybody).expect("our own");
    };
    open();
    for path in [scene.path(), link] {
        let auth = scene.builder().jwks_file(&path).build();
        let auth = auth.expect("reading is for later");
        let error = ready(&auth).await.expect_err("everybody may write it");
        assert!(error.to_string().contains("everybody can write it"));
        assert_eq!(
            verdict(&auth, &scene.world.token()).await,
            "keys_unavailable"
        );
        let builder = scene.builder().jwks_file(&path);
        let allowed = builder.configure(|it| it.danger_allow_writable_files = true);
        let allowed = allowed.build().expect("a good configuration");
        ready(&allowed).await.expect("it is allowed");
        // Whoever replaced the keys then may not do so any more.
        let strict = scene.builder().jwks_file(&path).successor_of(&allowed);
        let strict = strict.build().expect("a good configuration");
        ready(&strict).await.expect_err("everybody may write it");
        assert_eq!(keys(&strict), 0);
    }
    // Later it changes nothing.
    scene.write_keys();
    let auth = scene.ready().await;
    let old = scene.lasting();
    scene.world.withdraw();
    scene.write_keys();
    open();
    let error = scene.fails(&auth).await;
    assert!(error.to_string().contains("everybody can write it"));
    assert!(passes(&auth, &old));
}

#[tokio::test]
async fn distrusted_keys_of_a_file_verify_nothing() {
    let scene = Scene::new().await;
    let auth = scene.ready().await;
    let token = scene.lasting();
    remember(&auth, &token);
    let published = scene.world.go.published_keys();
    auth.distrust_keys(published.iter().filter_map(|key| key.kid()));
    assert!(!passes(&auth, &token));
    scene.pass();
    settle().await;
    assert_eq!(verdict(&auth, &token).await, "unknown_key");
    assert_eq!(state(&auth).last_error(), Some(&FetchError::Distrusted));
    auth.distrust_keys::<String>([]);
    assert_eq!(verdict(&auth, &token).await, "ok");
}

#[tokio::test]
async fn a_successor_goes_on_with_the_keys_of_the_same_file() {
    let scene = Scene::new().await;
    let auth = scene.ready().await;
    fs::remove_file(scene.path()).expect("ours");
    let token = scene.lasting();
    let successor = scene.builder().successor_of(&auth).build();
    let successor = successor.expect("a good configuration");
    assert_eq!(verdict(&successor, &token).await, "ok");
    let elsewhere = scene.directory.path().join("elsewhere");
    let other = scene.builder().jwks_file(elsewhere).successor_of(&auth);
    let other = other.build().expect("a good configuration");
    assert_eq!(verdict(&other, &token).await, "keys_unavailable");
}

#[tokio::test]
async fn a_file_that_stays_bad_is_reported_once() {
    let (lines, _guard) = Lines::capture();
    let scene = Scene::new().await;
    let auth = scene.ready().await;
    let warnings = || {
        let text = lines.text();
        let lines = text.lines().map(str::to_owned);
        let warnings = lines.filter(|line| line.contains("keys could not be fetched"));
        warnings.collect::<Vec<_>>()
    };
    for (content, why) in [
        ("{\"keys\":[]}", "is empty"),
        ("[]", "not a JSON Web Key Set"),
    ] {
        scene.write(content);
        lines.take();
        for _ in 0..5 {
            refresh(&auth).await.expect_err("it is no better");
        }
        let warnings = warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0].contains("WARN") && warnings[0].contains(why),
            "{warnings:?}"
        );
    }
}

#[tokio::test]
async fn each_issuer_may_have_its_own_file() {
    let (a, b) = (Scene::new().await, Scene::new().await);
    let config = Config::from_toml(&format!(
        "[[issuers]]\nissuer = {:?}\naudience = {:?}\njwks_url = {:?}\n\
         [[issuers]]\nissuer = \"b\"\naudience = {:?}\njwks_file = {:?}\n",
        a.world.go.issuer(),
        a.world.go.audience(),
        a.world.go.jwks_url(),
        b.world.go.audience(),
        b.path(),
    ));
    let builder = config.expect("a good configuration").into_builder();
    let auth = builder.clock(a.world.clock.clone()).build();
    let auth = auth.expect("a good configuration");
    ready(&auth).await.expect("both have keys");
    assert_eq!(verdict(&auth, &a.world.token()).await, "ok");
    assert_eq!(
        verdict(&auth, &b.world.mint().issuer("b").token()).await,
        "ok"
    );
    assert_eq!(a.world.go.fetches(), 1);
    assert_eq!(b.world.go.total_requests(), 0);
}
