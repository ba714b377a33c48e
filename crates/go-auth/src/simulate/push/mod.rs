//! `go-auth simulate push`: whether a distributor accepts GO, and nobody else.

mod attempts;
mod distributor;
mod go;
mod report;
mod text;

use std::io;

use self::attempts::{Attempt, Credential};
use self::distributor::{Answer, Distributor};
use self::go::Go;
use self::report::{PushReport, Report, Verdict};
use super::args::PushArgs;
use crate::console::{Console, Exit, Failure, block_on};
use derbysoft_go_simulator::Expected;

pub(super) fn run(args: &PushArgs, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let address = |what: &str, text: &str| {
        distributor::base(text).map_err(|fault| Failure::Usage(format!("{what} {fault}")))
    };
    let base = address("the distributor's URL", &args.distributor)?;
    let simulator = address("--simulator", &args.simulator)?;
    let system = |error: reqwest::Error| Failure::System(io::Error::other(error.to_string()));
    let sample = args.sample.push();
    let mut report = Report::new(&base, &simulator, sample);
    let to = Distributor::new(&base, sample).map_err(system)?;
    let go = Go::new(simulator).map_err(system)?;
    block_on(push(args, &go, &to, &mut report))??;
    report.conclude();
    console.say(&report, |terminal| text::text(&report, terminal))?;
    Ok(match report.verdict {
        Verdict::AsExpected => Exit::Good,
        Verdict::Unexpected => Exit::Bad,
        Verdict::Unknown => Exit::Unknown,
    })
}

/// Sends one after the other, until there is no answer.
async fn push(
    args: &PushArgs,
    go: &Go,
    to: &Distributor,
    report: &mut Report,
) -> Result<(), Failure> {
    let all = if args.access_token {
        match go.access_tokens().await {
            Ok(tokens) => attempts::of_access_tokens(&tokens),
            Err(why) => {
                report.error = Some(why);
                return Ok(());
            }
        }
    } else {
        attempts::of_jwts()
    };
    let attempts = wanted(args, all)?;
    report.pushes = attempts.iter().map(PushReport::unsent).collect();
    for (attempt, pushed) in attempts.iter().zip(&mut report.pushes) {
        for _ in 0..args.count {
            match once(attempt, go, to).await {
                Ok(answer) => pushed.record(&answer),
                Err(why) => {
                    report.error = Some(why);
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// Those that were asked for.
fn wanted(args: &PushArgs, mut attempts: Vec<Attempt>) -> Result<Vec<Attempt>, Failure> {
    let is_known = |name: &String| attempts.iter().any(|attempt| attempt.name == *name);
    if !args.token.iter().all(is_known) {
        let names: Vec<_> = attempts.iter().map(|attempt| attempt.name).collect();
        // What was given is not repeated: it may be a token.
        return Err(Failure::Usage(format!(
            "--token: unknown name, not one of {}",
            names.join(", ")
        )));
    }
    attempts.retain(|attempt| {
        if args.token.is_empty() {
            args.all || attempt.expected != Expected::Either
        } else {
            args.token.iter().any(|name| attempt.name == *name)
        }
    });
    Ok(attempts)
}

async fn once(attempt: &Attempt, go: &Go, to: &Distributor) -> Result<Answer, String> {
    let authorization = match &attempt.credential {
        Credential::None => None,
        Credential::Fixed(header) => Some(header.clone()),
        Credential::Minted { sample, bare } => {
            let token = go.token(*sample).await?;
            Some(if *bare {
                token
            } else {
                format!("Bearer {token}")
            })
        }
    };
    let answer = to.push(authorization.as_deref()).await;
    answer.map_err(|why| format!("no answer from the distributor: {why}"))
}
