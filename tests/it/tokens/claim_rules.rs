//! Claims under a genuine signature: each rule rejects what breaks it, at its edges.

use std::time::Duration;

use derbysoft_go_auth::Config;
use derbysoft_go_auth::authenticate::{RequiredClaim, VerifyErrorKind as Kind};
use derbysoft_go_auth::clock::UnixTime;

use test_support::forge::{
    ISSUER, assert_refused, assert_refused_with, case, claiming, claims, config, judge, judge_with,
    keys, mint, paid, verifier_with,
};

#[test]
fn a_claim_of_wrong_type_or_range_is_rejected() {
    let strings = ["null", "1", "true", "{}", "[]", r#"["x"]"#];
    let times = [
        "null",
        "true",
        r#""1800000300""#,
        "[]",
        "[1800000300]",
        "{}",
        r#""""#,
        "-1",
        "-0.5",
        "-1e300",
        "253402300800",
        "253402300800.0",
        "18446744073709551615",
        "18446744073709551616",
        "9223372036854775808",
        "1e300",
        "99999999999999999999999999",
        "1e400",
        "-1e400",
    ];
    let audiences = [
        "null",
        "1",
        "true",
        "{}",
        r#"{"ZKT":1}"#,
        "[1]",
        "[null]",
        r#"["ZKT",1]"#,
        r#"[1,"ZKT"]"#,
        r#"["ZKT",null]"#,
        r#"[["ZKT"]]"#,
        r#"["ZKT",["ZKT"]]"#,
        r#"[{"ZKT":1}]"#,
    ];
    let mut cases = Vec::new();
    let mut add = |name: &str, values: &[&str]| {
        for value in values {
            let token = claiming(name, value);
            cases.push(case(format!("{name} {value}"), token, Kind::Claims));
        }
    };
    for name in ["iss", "sub", "jti"] {
        add(name, &strings);
    }
    for name in ["exp", "nbf", "iat"] {
        add(name, &times);
    }
    add("aud", &audiences);
    add("iss", &[&format!("[\"{ISSUER}\"]")]);
    add("unknown", &["1e400", r#""\ud83d""#]);
    assert_refused(&cases);
}

#[test]
fn a_close_issuer_or_audience_is_rejected() {
    let mut cases = Vec::new();
    for issuer in [
        "",
        " ",
        "https://id",
        &ISSUER[..ISSUER.len() - 1],
        &ISSUER.to_lowercase(),
        &ISSUER.to_uppercase(),
        &format!("{ISSUER}/"),
        &format!("{ISSUER} "),
        &format!(" {ISSUER}"),
        &format!("{ISSUER}\0"),
        &format!("{ISSUER}?"),
        &format!("{ISSUER}#"),
        &ISSUER.replace("https", "http"),
        &ISSUER.replace("id/", "id:443/"),
        &ISSUER.replace("id/", "id//"),
        &ISSUER.replace("84A2", "%384A2"),
        &ISSUER.replace("/.well-known/openid-configuration", ""),
        "derbysoft",
        "DerbySoft",
    ] {
        let token = mint().issuer(issuer).token();
        cases.push(case(format!("iss {issuer:?}"), token, Kind::Issuer));
    }
    for audience in [
        r#""""#,
        r#"" ""#,
        r#""zkt""#,
        r#""ZKT ""#,
        r#"" ZKT""#,
        r#""ZKTX""#,
        r#""ZK""#,
        r#""Z K T""#,
        r#""ZKT\u0000""#,
        r#""ZKT,other""#,
        r#""*""#,
        r#""[\"ZKT\"]""#,
        "[]",
        r#"["zkt"]"#,
        r#"["other","ZKT "]"#,
        r#"[""]"#,
        r#"["Z","K","T"]"#,
    ] {
        let token = claiming("aud", audience);
        cases.push(case(format!("aud {audience}"), token, Kind::Audience));
    }
    assert_refused(&cases);
}

#[test]
fn one_of_several_audiences_is_enough() {
    let both = verifier_with(|config| config.audience = vec!["ZKT".into(), "SECOND".into()]);
    for audience in [
        r#""ZKT""#,
        r#"["ZKT"]"#,
        r#"["a","ZKT"]"#,
        r#"["ZKT","ZKT"]"#,
        r#"[ "a" , "ZKT" , "b" ]"#,
        r#""Z\u004bT""#,
        r#"["SECOND"]"#,
        r#""SECOND""#,
    ] {
        judge_with(&both, &claiming("aud", audience)).expect(audience);
    }
    let verified = judge(&claiming("aud", r#"["a\"b","ZKT"]"#)).expect("one of two is ours");
    let claims = verified.claims().expect("a JWT's");
    assert_eq!(claims.audiences().collect::<Vec<_>>(), ["a\"b", "ZKT"]);
}

#[test]
fn a_required_claim_must_be_there() {
    let absent =
        ["iss", "aud", "exp"].map(|name| case(name, claiming(name, ""), Kind::MissingClaim));
    assert_refused(&absent);
    assert_refused(&[case("no claims at all", paid("{}"), Kind::MissingClaim)]);
    for (name, claim) in [
        ("nbf", RequiredClaim::Nbf),
        ("iat", RequiredClaim::Iat),
        ("jti", RequiredClaim::Jti),
        ("sub", RequiredClaim::Sub),
    ] {
        let token = claiming(name, "");
        judge(&token).expect("nobody asked for it");
        let strict = verifier_with(|config| config.required_claims = vec![claim]);
        judge_with(&strict, &mint().token()).expect("GO sends them all");
        assert_refused_with(&strict, keys(), &[case(name, token, Kind::MissingClaim)]);
    }
}

#[test]
fn a_token_must_not_outlive_the_cap() {
    let capped = verifier_with(|config| config.max_lifetime = Some(Duration::from_secs(300)));
    let times = |iat: &str, exp: &str| paid(claims(&[("iat", iat), ("exp", exp)]));
    for (iat, exp) in [
        ("1800000000", "1800000300"),
        ("1800000000.5", "1800000300.5"),
    ] {
        judge_with(&capped, &times(iat, exp)).expect("just as long as is allowed");
    }
    let cases = [
        case(
            "a second more",
            times("1800000000", "1800000301"),
            Kind::Lifetime,
        ),
        case(
            "half a second more",
            times("1800000000", "1800000300.5"),
            Kind::Lifetime,
        ),
        case(
            "from the epoch on",
            times("0", "1800000300"),
            Kind::Lifetime,
        ),
        case(
            "to the last second",
            times("1800000000", "253402300799"),
            Kind::Lifetime,
        ),
        case("no iat", claiming("iat", ""), Kind::MissingClaim),
    ];
    assert_refused_with(&capped, keys(), &cases);
    judge(&times("0", "253402300799")).expect("without a cap any lifetime");
}

#[test]
fn a_subject_off_the_list_is_rejected() {
    let listed = verifier_with(|config| config.subjects = vec!["ds-go-module".into(), "b".into()]);
    for subject in [r#""ds-go-module""#, r#""b""#, r#""\u0062""#] {
        judge_with(&listed, &claiming("sub", subject)).expect(subject);
    }
    let mut cases: Vec<_> = [
        r#""""#,
        r#""DS-GO-MODULE""#,
        r#""ds-go-module ""#,
        r#""ds-go-modul""#,
        r#""ds-go-module,b""#,
    ]
    .map(|subject| case(subject, claiming("sub", subject), Kind::Subject))
    .into();
    cases.push(case("no sub", claiming("sub", ""), Kind::Subject));
    assert_refused_with(&listed, keys(), &cases);
    judge(&claiming("sub", r#""anybody""#)).expect("without a list any subject");
}

#[test]
fn a_token_ends_at_exp_plus_leeway() {
    // exp, leeway and now in milliseconds; whether the token is still good.
    for (exp, leeway, now, good) in [
        ("1000", 0, 999_999, true),
        ("1000", 0, 1_000_000, false),
        ("1000", 30_000, 1_029_999, true),
        ("1000", 30_000, 1_030_000, false),
        ("1000", 300_000, 1_299_999, true),
        ("1000", 300_000, 1_300_000, false),
        ("1000", 500, 1_000_499, true),
        ("1000", 500, 1_000_500, false),
        ("1000.5", 0, 1_000_499, true),
        ("1000.5", 0, 1_000_500, false),
        ("1000.5", 30_000, 1_030_499, true),
        ("1000.5", 30_000, 1_030_500, false),
        ("1e3", 0, 999_999, true),
        ("1e3", 0, 1_000_000, false),
        ("1000.0", 0, 1_000_000, false),
        ("0", 0, 0, false),
        ("0", 30_000, 29_999, true),
        ("0", 30_000, 30_000, false),
        ("253402300799", 0, 253_402_300_798_999, true),
        ("253402300799", 0, 253_402_300_799_000, false),
    ] {
        let token = paid(claims(&[("exp", exp), ("nbf", "")]));
        let given = format!("exp {exp}, leeway {leeway}, now {now}");
        let kind = (!good).then_some(Kind::Expired);
        assert_eq!(at(&token, leeway, now), kind, "{given}");
    }
}

#[test]
fn a_token_begins_at_nbf_minus_leeway() {
    for (nbf, leeway, now, good) in [
        ("1000", 0, 999_999, false),
        ("1000", 0, 1_000_000, true),
        ("1000", 30_000, 969_999, false),
        ("1000", 30_000, 970_000, true),
        ("1000", 300_000, 699_999, false),
        ("1000", 300_000, 700_000, true),
        ("1000", 250, 999_749, false),
        ("1000", 250, 999_750, true),
        ("1000.5", 0, 1_000_499, false),
        ("1000.5", 0, 1_000_500, true),
        ("1e3", 0, 999_999, false),
        ("0", 0, 0, true),
        ("253402300799", 0, 1_000_000, false),
    ] {
        let token = paid(claims(&[("nbf", nbf), ("exp", "253402300799")]));
        let given = format!("nbf {nbf}, leeway {leeway}, now {now}");
        let kind = (!good).then_some(Kind::NotYetValid);
        assert_eq!(at(&token, leeway, now), kind, "{given}");
    }
}

/// The verdict on a token with this leeway at this time, both in milliseconds.
fn at(token: &str, leeway: u64, now: u64) -> Option<Kind> {
    let verifier = verifier_with(|config| config.leeway = Duration::from_millis(leeway));
    let now = UnixTime::checked_from_epoch(Duration::from_millis(now)).expect("before 9999");
    let error = verifier.verify(token, keys(), now).err()?;
    Some(error.kind())
}

#[test]
fn a_leeway_above_five_minutes_is_a_fault() {
    let with = |leeway: Duration| {
        let mut config: Config = config();
        config.leeway = leeway;
        config.verifier().is_ok()
    };
    assert_eq!(config().leeway, Duration::from_secs(30), "the default");
    assert!(with(Duration::ZERO) && with(Duration::from_secs(300)));
    assert!(!with(Duration::from_millis(300_001)) && !with(Duration::MAX));
}
