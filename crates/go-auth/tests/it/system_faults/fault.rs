//! What fails, and how it begins and ends.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::{Resource, Signal};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::stage::{Stage, aside};
use super::strace::{Injection, Strace, connections};
use test_support::secs;
use test_support::wire::head;

/// A fault of the system.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// These system calls fail or hang, as strace has it; only those of a file or
    /// directory, where one is named.
    Calls(&'static str, &'static str, Option<Place>),
    /// A limit of the process is this one.
    Limit(Resource, u64),
    /// The log may be so many bytes longer, and no other file either.
    LogLimit(u64),
    /// The process may open so many more files, and strangers connect until it has them.
    Strangers(usize),
    /// Something is not where it was.
    Gone(Place),
    /// A pipe that nobody writes to is in a file's place.
    Pipe(Place),
    /// A directory has this mode.
    Mode(Place, u32),
    /// The process is stopped for three seconds and continued.
    Stopped,
    /// What standard error is from the start on.
    Log,
}

/// A file or directory.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Log,
    Snapshot,
    /// The directory of the snapshot.
    State,
    Tokens,
    Keys,
    Settings,
    /// That of all but the settings.
    Directory,
    /// The system's file of hosts, where names are looked up first.
    Hosts,
    /// The TCP connections that there are.
    Connections,
}

/// A fault that has begun.
pub(super) enum Begun {
    Calls(Injection, Strace),
    Limit(Resource),
    Strangers(JoinHandle<()>),
    InPlaceOf(PathBuf),
    Mode(PathBuf, Permissions),
    Log,
    Over,
}

impl Place {
    fn at(self, stage: &Stage) -> PathBuf {
        let files = &stage.files;
        match self {
            Self::Log => files.log(),
            Self::Snapshot => files.snapshot(),
            Self::State => files.state(),
            Self::Tokens => files.tokens(),
            Self::Keys => files.keys(),
            Self::Settings => stage.gate.settings(),
            Self::Directory => files.directory().to_owned(),
            Self::Hosts => PathBuf::from("/etc/hosts"),
            Self::Connections => unreachable!("they have no place"),
        }
    }
}

impl Fault {
    pub(super) const fn needs_strace(self) -> bool {
        matches!(self, Self::Calls(..))
    }

    pub(super) async fn begin(self, stage: &Stage) -> Begun {
        match self {
            Self::Calls(calls, what, place) => {
                let of = match place {
                    Some(Place::Connections) => connections(stage.gate.id()),
                    place => place.map(|place| place.at(stage)).into_iter().collect(),
                };
                let injection = Injection { calls, what, of };
                let strace = injection.begin(stage.gate.id()).await;
                Begun::Calls(injection, strace)
            }
            Self::Limit(resource, most) => {
                stage.gate.limit(resource, Some(most));
                Begun::Limit(resource)
            }
            Self::LogLimit(more) => {
                let length = fs::metadata(stage.files.log()).expect("a log").len();
                stage.gate.limit(Resource::Fsize, Some(length + more));
                Begun::Limit(Resource::Fsize)
            }
            Self::Strangers(more) => {
                let [open, _] = stage.files_and_threads();
                let most = u64::try_from(open + more).expect("a number");
                stage.gate.limit(Resource::Nofile, Some(most));
                let mut strangers = Vec::new();
                for _ in 0..2 * more {
                    let stranger = TcpStream::connect(stage.gate.address).await;
                    strangers.push(stranger.expect("it listens"));
                }
                // So that they are not closed.
                Begun::Strangers(tokio::spawn(async move {
                    loop {
                        for stranger in &strangers {
                            let _ = stranger.try_write(head("GET", "/", &[]).as_bytes());
                        }
                        tokio::time::sleep(secs(1)).await;
                    }
                }))
            }
            Self::Gone(place) => {
                let path = place.at(stage);
                fs::rename(&path, aside(&path)).expect("moved");
                Begun::InPlaceOf(path)
            }
            Self::Pipe(place) => {
                let path = place.at(stage);
                fs::rename(&path, aside(&path)).expect("moved");
                let made = Command::new("mkfifo").arg(&path).status();
                assert!(made.expect("POSIX has it").success());
                Begun::InPlaceOf(path)
            }
            Self::Mode(place, mode) => {
                let path = place.at(stage);
                let before = fs::metadata(&path).expect("it is there").permissions();
                fs::set_permissions(&path, Permissions::from_mode(mode)).expect("our own");
                Begun::Mode(path, before)
            }
            Self::Stopped => {
                stage.gate.signal(Signal::STOP);
                tokio::time::sleep(secs(3)).await;
                stage.gate.signal(Signal::CONT);
                stage.gate.signal(Signal::PIPE);
                Begun::Over
            }
            Self::Log => Begun::Log,
        }
    }
}

impl Begun {
    /// Whether something has failed by it, as far as that can be seen.
    pub(super) fn has_hit(&self) -> bool {
        match self {
            Self::Calls(injection, strace) => injection.has_hit(strace),
            _ => true,
        }
    }

    pub(super) fn end(self, stage: &Stage) {
        match self {
            Self::Calls(_, strace) => drop(strace),
            Self::Limit(resource) => stage.gate.limit(resource, None),
            Self::Strangers(strangers) => {
                strangers.abort();
                stage.gate.limit(Resource::Nofile, None);
            }
            Self::InPlaceOf(path) => {
                let _ = fs::remove_file(&path);
                fs::rename(aside(&path), path).expect("moved back");
            }
            Self::Mode(path, before) => fs::set_permissions(path, before).expect("our own"),
            Self::Log => stage.read_log(),
            Self::Over => {}
        }
    }
}
