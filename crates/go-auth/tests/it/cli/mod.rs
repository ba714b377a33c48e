//! The command `go-auth`: the real program against the simulator over loopback, and the
//! same code within this process where hundreds of tokens are judged.

mod access_tokens;
mod advice;
mod arguments;
mod check;
mod documentation;
mod health;
mod keys;
mod keys_tls;
mod network;
mod secrecy;
mod serve;
mod settings;
mod simulate_process;
mod simulate_push;
mod terminal;
mod verdicts;
mod verify;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use go_auth::{Output, Surroundings, run};
use serde_json::Value;

use test_support::World;

/// What a run of the program gave.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ran {
    status: u8,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// Its output with `--json`.
    #[track_caller]
    fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts that this is on its standard output.
    #[track_caller]
    fn shows(&self, text: &str) {
        assert!(self.stdout.contains(text), "no {text:?}: {}", self.stdout);
    }

    /// Asserts that this is on its standard error.
    #[track_caller]
    fn reports(&self, text: &str) {
        assert!(self.stderr.contains(text), "no {text:?}: {}", self.stderr);
    }

    fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// A run that is being prepared.
struct GoAuth {
    args: Vec<String>,
    vars: Vec<(String, String)>,
    stdin: Vec<u8>,
}

/// `go-auth` with these arguments, in an empty environment.
fn go_auth(args: &[&str]) -> GoAuth {
    GoAuth {
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        vars: Vec::new(),
        stdin: Vec::new(),
    }
}

impl GoAuth {
    fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    fn var(mut self, name: &str, value: impl Into<String>) -> Self {
        self.vars.retain(|(other, _)| other != name);
        self.vars.push((name.to_owned(), value.into()));
        self
    }

    /// The variables that a distributor sets for this GO.
    fn knowing(self, world: &World) -> Self {
        self.var("GO_AUTH_ISSUER", world.go.issuer())
            .var("GO_AUTH_AUDIENCE", world.go.audience())
            .var("GO_AUTH_JWKS_URL", world.go.jwks_url())
    }

    fn stdin(mut self, stdin: impl Into<Vec<u8>>) -> Self {
        self.stdin = stdin.into();
        self
    }

    /// Runs the program.
    async fn run(self) -> Ran {
        let run = tokio::task::spawn_blocking(move || self.run_now());
        test_support::soon(run).await.expect("a run")
    }

    fn run_now(self) -> Ran {
        let mut program = Command::new(env!("CARGO_BIN_EXE_go-auth"))
            .args(self.args)
            .env_clear()
            .envs(self.vars)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        // A program that does not want it may be gone already.
        let _ = (program.stdin.take().expect("piped")).write_all(&self.stdin);
        let output = program.wait_with_output().expect("its end");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let status = output.status.code().expect("no signal");
        Ran {
            status: u8::try_from(status).expect("a status"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Runs the same code within this process.
    fn run_here(self) -> Ran {
        self.run_with(output)
    }

    /// The same, with these outputs.
    fn run_with(self, output: impl Fn(&mut Vec<u8>) -> Output<'_>) -> Ran {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let args = std::iter::once("go-auth".to_owned()).chain(self.args);
        let vars = self.vars.into_iter();
        let exit = run(Surroundings {
            args: args.map(OsString::from).collect(),
            vars: vars
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            stdin: &mut &*self.stdin,
            stdin_is_terminal: false,
            stdout: output(&mut stdout),
            stderr: output(&mut stderr),
        });
        Ran {
            status: exit.code(),
            stdout: String::from_utf8(stdout).expect("UTF-8"),
            stderr: String::from_utf8(stderr).expect("UTF-8"),
        }
    }
}

fn output(to: &mut Vec<u8>) -> Output<'_> {
    Output {
        to,
        colour: false,
        width: None,
    }
}

/// `go-auth verify` with the settings of this GO and the rules that
/// [`refused_tokens`](test_support::refused_tokens) violate.
fn strict_verify(world: &World) -> GoAuth {
    go_auth(&["verify", "--max-lifetime", "300s"])
        .knowing(world)
        .var("GO_AUTH_SUBJECTS", test_support::SUBJECT)
        .var("GO_AUTH_REQUIRED_CLAIMS", "jti")
}

/// The row of a check.
#[track_caller]
fn check<'a>(document: &'a Value, name: &str) -> &'a Value {
    let checks = document["checks"].as_array().expect("checks");
    let found = checks.iter().find(|check| check["check"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {document}"))
}

/// A file with this text, for as long as it is held.
fn file(text: impl AsRef<[u8]>) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text.as_ref()).expect("written");
    file
}

fn path(file: &impl AsRef<Path>) -> &str {
    file.as_ref().to_str().expect("UTF-8")
}
