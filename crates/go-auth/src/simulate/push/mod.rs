//! `go-auth simulate push`: whether a distributor accepts GO, and nobody else.

mod attempts;
mod distributor;
mod go;
mod report;
mod text;

use std::io;

use self::distributor::{Answer, Distributor};
use self::go::Go;
use self::report::{Credential, PushReport, Report, Verdict};
use super::args::{PushArgs, Sample};
use crate::console::{Console, Exit, Failure, block_on};
use derbysoft_go_simulator::{Expected, SamplePush};

pub(super) fn run(args: &PushArgs, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let address = |what: &str, text: &str| {
        distributor::base(text).map_err(|fault| Failure::Usage(format!("{what} {fault}")))
    };
    let base = address("the distributor's URL", &args.distributor)?;
    let simulator = address("--simulator", &args.simulator)?;
    let system = |why: String| Failure::System(io::Error::other(why));
    let sample = match args.sample {
        Sample::Daily => SamplePush::Daily,
        Sample::Los => SamplePush::Los,
    };
    let to = Distributor::new(&base, sample).map_err(system)?;
    let go = Go::new(simulator.clone()).map_err(system)?;
    let (pushes, error) = block_on(push(args, &go, &to))??;
    let report = Report::of(&base, &simulator, sample, pushes, error);
    console.say(&report, |terminal| text::text(&report, terminal))?;
    Ok(match report.verdict {
        Verdict::AsExpected => Exit::Good,
        Verdict::Unexpected => Exit::Bad,
        Verdict::Unknown => Exit::Unknown,
    })
}

/// Sends one after the other, until there is no answer: then says why.
async fn push(
    args: &PushArgs,
    go: &Go,
    to: &Distributor,
) -> Result<(Vec<PushReport>, Option<String>), Failure> {
    let all = if args.access_token {
        match go.access_tokens().await {
            Ok(tokens) => attempts::of_access_tokens(&tokens),
            Err(why) => return Ok((Vec::new(), Some(why))),
        }
    } else {
        attempts::of_jwts()
    };
    let mut pushes = wanted(args, all)?;
    for push in &mut pushes {
        for _ in 0..args.count {
            match once(&push.credential, go, to).await {
                Ok(answer) => push.record(&answer),
                Err(why) => return Ok((pushes, Some(why))),
            }
        }
    }
    Ok((pushes, None))
}

/// Those that were asked for.
fn wanted(args: &PushArgs, mut pushes: Vec<PushReport>) -> Result<Vec<PushReport>, Failure> {
    let is_known = |name: &String| pushes.iter().any(|push| push.name == *name);
    if !args.token.iter().all(is_known) {
        let names: Vec<_> = pushes.iter().map(|push| push.name).collect();
        // What was given is not repeated: it may be a token.
        return Err(Failure::Usage(format!(
            "--token: unknown name, not one of {}",
            names.join(", ")
        )));
    }
    pushes.retain(|push| {
        if args.token.is_empty() {
            args.all || push.expected != Expected::Either
        } else {
            args.token.iter().any(|name| push.name == *name)
        }
    });
    Ok(pushes)
}

async fn once(credential: &Credential, go: &Go, to: &Distributor) -> Result<Answer, String> {
    let authorization = match credential {
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
