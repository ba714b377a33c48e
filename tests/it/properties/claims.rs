//! Claims × clock × leeway: the verdict is that of a model in whole numbers.

use std::time::Duration;

use derbysoft_go_auth::authenticate::{
    RequiredClaim, Verifier, VerifyError, VerifyErrorKind as Kind,
};
use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_simulator::SignatureKind;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use test_support::forge::{AUDIENCE, ISSUER, NOW, keys, mint, verifier_with};
use test_support::property::{Tally, report, try_all};

/// Times and spans in the model: nanoseconds, from 1970 on.
type Nanos = i128;

const SECOND: Nanos = 1_000_000_000;
/// The last moment of the year 9999, at which the calendar of a token ends.
const LAST: Nanos = 253_402_300_800 * SECOND - 1;

/// Times in tokens are whole eighths of a second, which a double holds exactly, however it is
/// spelled.
const EIGHTH: Nanos = SECOND / 8;

/// What a token says, `None` where it does not.
#[derive(Debug, Clone)]
struct Claims {
    iss: Option<&'static str>,
    aud: Option<Audience>,
    sub: Option<&'static str>,
    jti: bool,
    /// In eighths of a second; some off the calendar.
    exp: Option<i64>,
    nbf: Option<i64>,
    iat: Option<i64>,
}

#[derive(Debug, Clone)]
enum Audience {
    One(&'static str),
    Many(Vec<&'static str>),
}

/// By which key a token says it is signed, and whether it is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Signed {
    Well,
    Badly,
    ByNobody,
}

#[derive(Debug, Clone)]
struct Rules {
    audiences: Vec<&'static str>,
    subjects: Vec<&'static str>,
    required: Vec<RequiredClaim>,
    leeway: Nanos,
    max_lifetime: Option<Nanos>,
}

/// The kind of the rejection, and of a missing claim its name.
type Verdict = Option<(Kind, Option<&'static str>)>;

impl Claims {
    /// `exp`, `nbf` and `iat`.
    fn times(&self) -> [Option<Nanos>; 3] {
        [self.exp, self.nbf, self.iat]
            .map(|eighths| eighths.map(|eighths| Nanos::from(eighths) * EIGHTH))
    }

    /// As a token has them: members in a random order, strings and numbers in a random spelling.
    fn payload(&self, taste: u64) -> String {
        let mut rng = fastrand::Rng::with_seed(taste);
        let mut members = Vec::new();
        for (name, text) in [("iss", self.iss), ("sub", self.sub)] {
            members.extend(text.map(|text| (name, spell(text, &mut rng))));
        }
        members.extend(self.jti.then(|| ("jti", "\"j\"".to_owned())));
        members.extend(self.aud.as_ref().map(|audience| {
            let text = match audience {
                Audience::One(one) => spell(one, &mut rng),
                Audience::Many(many) => {
                    let many: Vec<_> = many.iter().map(|one| spell(one, &mut rng)).collect();
                    format!("[{}]", many.join(" , "))
                }
            };
            ("aud", text)
        }));
        for (name, eighths) in [("exp", self.exp), ("nbf", self.nbf), ("iat", self.iat)] {
            members.extend(eighths.map(|eighths| (name, number(eighths, &mut rng))));
        }
        rng.shuffle(&mut members);
        let members: Vec<_> = (members.iter())
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", members.join(","))
    }

    /// The rules of `Policy` in their order, in whole numbers.
    fn judged(&self, rules: &Rules, signed: Signed, now: Nanos) -> Verdict {
        let rejected = |kind| Some((kind, None));
        let missing = |name| Some((Kind::MissingClaim, Some(name)));
        if signed == Signed::Badly {
            return rejected(Kind::Signature);
        }
        let [exp, nbf, iat] = self.times();
        if [exp, nbf, iat]
            .into_iter()
            .flatten()
            .any(|time| !(0..=LAST).contains(&time))
        {
            return rejected(Kind::Claims);
        }
        match self.iss {
            None => return missing("iss"),
            Some(iss) if iss != ISSUER => return rejected(Kind::Issuer),
            Some(_) => {}
        }
        let ours = |audience: &&str| rules.audiences.contains(audience);
        match &self.aud {
            None => return missing("aud"),
            Some(Audience::One(one)) if ours(one) => {}
            Some(Audience::Many(many)) if many.iter().any(ours) => {}
            Some(_) => return rejected(Kind::Audience),
        }
        let Some(exp) = exp else {
            return missing("exp");
        };
        // No token outlives the calendar.
        if now >= (exp + rules.leeway).min(LAST) {
            return rejected(Kind::Expired);
        }
        if nbf.is_some_and(|nbf| now + rules.leeway < nbf) {
            return rejected(Kind::NotYetValid);
        }
        if signed == Signed::ByNobody {
            return rejected(Kind::UnknownKey);
        }
        for claim in &rules.required {
            match claim {
                RequiredClaim::Nbf if nbf.is_none() => return missing("nbf"),
                RequiredClaim::Iat if iat.is_none() => return missing("iat"),
                RequiredClaim::Jti if !self.jti => return missing("jti"),
                RequiredClaim::Sub if self.sub.is_none() => return missing("sub"),
                _ => {}
            }
        }
        match (rules.max_lifetime, iat) {
            (Some(_), None) => return missing("iat"),
            (Some(cap), Some(iat)) if exp - iat > cap => return rejected(Kind::Lifetime),
            _ => {}
        }
        let welcome = |sub: &str| rules.subjects.contains(&sub);
        if !rules.subjects.is_empty() && !self.sub.is_some_and(welcome) {
            return rejected(Kind::Subject);
        }
        None
    }

    /// Where a verdict may change: the ends of the token, widened by the leeway, to the nanosecond.
    fn edges(&self, rules: &Rules) -> Vec<Nanos> {
        let [exp, nbf, _] = self.times();
        let ends = [
            exp.map(|exp| exp + rules.leeway),
            nbf.map(|nbf| nbf - rules.leeway),
        ];
        ends.into_iter()
            .flatten()
            .flat_map(|end| [end - 1, end, end + 1])
            .chain([0, LAST - 1, LAST])
            .filter(|moment| (0..=LAST).contains(moment))
            .collect()
    }
}

/// A JSON string, with and without escapes.
fn spell(text: &str, rng: &mut fastrand::Rng) -> String {
    let spelled: String = text
        .chars()
        .map(|c| match rng.u8(..16) {
            0 => format!("\\u{:04x}", u32::from(c)),
            1 if c == '/' => "\\/".to_owned(),
            _ => c.to_string(),
        })
        .collect();
    format!("\"{spelled}\"")
}

/// A JSON number of as many eighths: as an integer where it is one, a fraction, with an exponent.
fn number(eighths: i64, rng: &mut fastrand::Rng) -> String {
    let (sign, size) = (if eighths < 0 { "-" } else { "" }, eighths.unsigned_abs());
    let (whole, thousandths) = (u128::from(size / 8), u128::from(size % 8) * 125);
    match rng.u8(..4) {
        0 => format!("{sign}{whole}.{thousandths:03}"),
        1 => format!("{sign}{}e-3", whole * 1000 + thousandths),
        2 => format!("{sign}{whole}.{thousandths:03}000E+0"),
        _ if thousandths == 0 => format!("{sign}{whole}"),
        _ => format!(
            "{sign}{whole}.{}",
            format!("{thousandths:03}").trim_end_matches('0')
        ),
    }
}

/// Eighths of a second, most of them within 400 s of `center` seconds, and few off the calendar.
fn eighths(center: u64) -> impl Strategy<Value = i64> {
    let center = center.cast_signed() * 8;
    let last = 253_402_300_800 * 8;
    prop_oneof![
        30 => center - 3200..center + 3200,
        10 => (-400..400_i64).prop_map(move |seconds| center + seconds * 8),
        1 => select(vec![0, last - 1]),
        1 => 0..last,
        1 => select(vec![-1, last, i64::MAX / 8 * 8]),
    ]
}

const AUDIENCES: [&str; 4] = [AUDIENCE, "ZKT-2", "zkt", "other"];
const SUBJECTS: [&str; 3] = ["ds-go-module", "ds-go", "\u{e9}"];

fn claims() -> impl Strategy<Value = Claims> {
    use proptest::option::weighted;
    let issuer = prop_oneof![19 => Just(ISSUER), 1 => select(vec!["", &ISSUER[1..]])];
    let audience = || prop_oneof![4 => select(&AUDIENCES[..]), 1 => Just("")];
    let audience = prop_oneof![
        6 => Just(Audience::One(AUDIENCE)),
        1 => audience().prop_map(Audience::One),
        3 => vec(audience(), 0..4).prop_map(Audience::Many),
    ];
    let subject = prop_oneof![8 => select(&SUBJECTS[..]), 1 => Just("")];
    (
        (weighted(0.97, issuer), weighted(0.97, audience)),
        (weighted(0.6, subject), any::<bool>()),
        weighted(0.97, eighths(NOW + 300)),
        weighted(0.5, eighths(NOW - 300)),
        weighted(0.7, eighths(NOW)),
    )
        .prop_map(|((iss, aud), (sub, jti), exp, nbf, iat)| Claims {
            iss,
            aud,
            sub,
            jti,
            exp,
            nbf,
            iat,
        })
}

/// Rules of which each lets a good part of the [`claims`] pass; the cap, too, which is most often
/// a nanosecond off the life of the token or none.
fn rules(claims: &Claims) -> impl Strategy<Value = Rules> + use<> {
    const REQUIRED: [RequiredClaim; 4] = [
        RequiredClaim::Nbf,
        RequiredClaim::Iat,
        RequiredClaim::Jti,
        RequiredClaim::Sub,
    ];
    let [exp, _, iat] = claims.times();
    let life = exp.zip(iat).map_or(0, |(exp, iat)| exp - iat);
    let cap = prop_oneof![
        2 => Just(None),
        2 => (-1..=1_i128).prop_map(move |off| Some((life + off).max(1))),
        1 => (1..800 * SECOND).prop_map(Some),
    ];
    let leeway = prop_oneof![select(vec![0, 30 * SECOND, 300 * SECOND]), 0..=300 * SECOND,];
    (
        prop_oneof![3 => Just(vec![AUDIENCE]), 1 => subsequence(AUDIENCES.to_vec(), 1..=3)],
        prop_oneof![2 => Just(Vec::new()), 3 => subsequence(SUBJECTS.to_vec(), 1..=2)],
        prop_oneof![Just(Vec::new()), vec(select(&REQUIRED[..]), 1..=2)],
        leeway,
        cap,
    )
        .prop_map(
            |(audiences, subjects, required, leeway, max_lifetime)| Rules {
                audiences,
                subjects,
                required,
                leeway,
                max_lifetime,
            },
        )
}

impl Rules {
    fn verifier(&self) -> Verifier {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        verifier_with(|config| {
            config.audience = owned(&self.audiences);
            config.subjects = owned(&self.subjects);
            config.required_claims.clone_from(&self.required);
            config.leeway = duration(self.leeway);
            config.max_lifetime = self.max_lifetime.map(duration);
        })
    }
}

fn duration(nanos: Nanos) -> Duration {
    let secs = u64::try_from(nanos / SECOND).expect("not negative");
    let nanos = u32::try_from(nanos % SECOND).expect("below a second");
    Duration::new(secs, nanos)
}

fn verdict(error: &VerifyError) -> (Kind, Option<&'static str>) {
    let claim = error.detail().strip_prefix("the token has no ");
    (error.kind(), claim)
}

#[test]
fn any_claims_get_the_verdict_of_the_model() {
    let tally = Tally::default();
    let signed = prop_oneof![
        10 => Just(Signed::Well),
        1 => Just(Signed::Badly),
        1 => Just(Signed::ByNobody),
    ];
    let moments = || {
        let now = Nanos::from(NOW) * SECOND;
        vec(
            prop_oneof![5 => now - 400 * SECOND..now + 400 * SECOND, 1 => 0..=LAST],
            4,
        )
    };
    let values = (claims(), signed, any::<u64>()).prop_flat_map(move |(claims, signed, taste)| {
        let rules = vec((rules(&claims), moments()), 3);
        (Just(claims), Just(signed), Just(taste), rules)
    });
    try_all("claims", 384, values, |(claims, signed, taste, rules)| {
        let mint = mint().raw_payload(claims.payload(taste));
        let token = match signed {
            Signed::Well => mint.token(),
            Signed::Badly => mint.signature(SignatureKind::Corrupted).token(),
            Signed::ByNobody => mint.kid("nobody's").token(),
        };
        for (rules, moments) in rules {
            let verifier = rules.verifier();
            for now in moments.into_iter().chain(claims.edges(&rules)) {
                let moment = UnixTime::checked_from_epoch(duration(now)).expect("a moment");
                let judged = verifier.verify(&token, keys(), moment);
                let judged = judged.err().as_ref().map(verdict);
                let expected = claims.judged(&rules, signed, now);
                prop_assert_eq!(judged, expected, "at {}, {:?}", now, rules);
                tally.count(expected.map_or("accepted".to_owned(), |(kind, claim)| {
                    claim.map_or(kind.to_string(), |claim| format!("no {claim}"))
                }));
            }
        }
        Ok(())
    });
    let kinds = [
        "signature",
        "claims",
        "issuer",
        "audience",
        "expired",
        "not_yet_valid",
        "unknown_key",
        "lifetime",
        "subject",
    ];
    let missing = [
        "no iss", "no aud", "no exp", "no nbf", "no iat", "no jti", "no sub",
    ];
    tally.assert_each(&[&kinds[..], &missing].concat(), 1);
    tally.assert_each(&["accepted"], tally.all() / 40);
    report("claims × clock × leeway", tally.all());
}
