//! Faults of the system for real: a gate as a process, while its log, its files, its
//! sockets and the process itself fail. Not run by default; those of system calls need
//! strace:
//!
//! ```text
//! cargo test --package go-auth --test it -- --ignored system_faults --nocapture
//! SYSTEM_FAULTS=snapshot cargo test …
//! ```
//!
//! Each row of the [table](rows) is a fault. [A life](life) is what every row goes
//! through: keys are rotated and withdrawn, Access Tokens revoked, settings reloaded, GO's
//! key address fails; then the fault ends, all works again without a restart, and under
//! the same fault the gate ends in time.

mod fault;
mod life;
mod rows;
mod scenes;
mod stage;
mod strace;

use std::fmt::Write as _;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use rustix::process::{Resource, getrlimit, setrlimit};

use self::rows::{ROWS, SCENES};
use test_support::passive_runtime;

/// How many gates live at once. Most of the time they wait.
const AT_ONCE: usize = 8;

type Trial = (&'static str, Box<dyn Fn() + Send + Sync>);

/// What needs strace, or the rest; if its name is wanted.
fn trials(with_strace: bool) -> impl Iterator<Item = Trial> + Send {
    let wanted = std::env::var("SYSTEM_FAULTS").unwrap_or_default();
    let scenes = SCENES
        .iter()
        .filter(move |scene| scene.needs_strace == with_strace);
    let scenes = scenes.map(|scene| (scene.name, Box::new(scene.play) as Box<_>));
    let rows = ROWS
        .iter()
        .filter(move |row| row.fault.needs_strace() == with_strace);
    let rows = rows.map(|row| {
        let life = || passive_runtime().block_on(row.lives());
        (row.name, Box::new(life) as Box<_>)
    });
    let all = scenes.chain(rows);
    all.filter(move |(name, _)| name.contains(&wanted))
}

/// How long each took, and which failed.
fn stand(trials: impl Iterator<Item = Trial> + Send) -> (String, Vec<&'static str>) {
    // Strangers need many.
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    setrlimit(Resource::Nofile, files).expect("what is allowed");

    let trials = Mutex::new(trials);
    let next = || trials.lock().expect("a lock").next();
    let report = Mutex::new((String::new(), Vec::new()));
    thread::scope(|scope| {
        let one_by_one = || {
            while let Some((name, stand)) = next() {
                let begun = Instant::now();
                let trial = thread::Builder::new().name(name.to_owned());
                let stood = trial.spawn(stand).expect("a thread").join();
                let mut report = report.lock().expect("a lock");
                let seconds = begun.elapsed().as_secs();
                writeln!(report.0, "{seconds:>3} s  {name}").expect("memory");
                if stood.is_err() {
                    report.1.push(name);
                }
            }
        };
        for _ in 0..AT_ONCE {
            scope.spawn(one_by_one);
        }
    });
    report.into_inner().expect("a lock")
}

#[test]
#[ignore = "takes a minute"]
fn faults_without_strace_are_stood() {
    let (report, failed) = stand(trials(false));
    println!("{report}");
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
#[ignore = "takes two minutes and needs strace"]
fn faults_of_system_calls_are_stood() {
    if let Some(why) = passive_runtime().block_on(strace::missing()) {
        println!("faults of system calls are left out: {why}");
        return;
    }
    let (report, failed) = stand(trials(true));
    println!("{report}");
    assert!(failed.is_empty(), "{failed:#?}");
}
