//! The ranges that the docs of `Config` give, and what else must be true of one that was read.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use derbysoft_go_auth::Config;
use derbysoft_go_auth::config::ConfigError;
use proptest::prelude::*;

use super::Files;
use test_support::{millis, secs};

/// Makes of a configuration all that can be made of it: what is accepted is within its ranges, and
/// what is rejected is reported in lines of printable text.
pub(super) fn use_up(mut config: Config, files: &Files) -> Result<&'static str, TestCaseError> {
    match config.verifier() {
        Ok(verifier) => {
            prop_assert_eq!(verifier.issuer(), &*config.issuer);
            rules_within_ranges(&config)?;
            named(&config.issuer, &config.audience)?;
        }
        Err(error) => printable(&error)?,
    }
    // But for the proxy, of which a password is withheld.
    let printed = format!("{:?}", config.proxy.take());
    prop_assert!(!printed.contains("password"), "{}", printed);
    let written = serde_json::to_string(&config).expect("JSON");
    prop_assert_eq!(
        serde_json::from_str::<Config>(&written).ok(),
        Some(config.clone())
    );

    (config.ca_file, config.client_cert, config.client_key) = (None, None, None);

    config.access_tokens = config
        .access_tokens
        .as_ref()
        .map(|file| files.instead(file));
    match config.clone().build() {
        Ok(_) => {
            within_ranges(&config)?;
            Ok("accepted")
        }
        Err(error) => {
            printable(&error)?;
            Ok("rejected")
        }
    }
}

pub(super) fn printable(error: &ConfigError) -> Result<(), TestCaseError> {
    prop_assert!(error.faults().len() > 0);
    for fault in error.faults() {
        prop_assert!(
            !fault.is_empty() && !fault.contains(char::is_control),
            "{:?}",
            fault
        );
    }
    Ok(())
}

fn named(issuer: &str, audience: &[String]) -> Result<(), TestCaseError> {
    prop_assert!(!issuer.is_empty() && !audience.is_empty());
    comparable(issuer)?;
    audience
        .iter()
        .try_for_each(|audience| comparable(audience))
}

/// What is compared with tokens byte for byte has nothing about it that none has.
fn comparable(text: &str) -> Result<(), TestCaseError> {
    let ends = [text.chars().next(), text.chars().next_back()];
    let is_odd = |end: char| end.is_whitespace() || matches!(end, '"' | '\'');
    prop_assert!(ends.iter().all(|end| end.is_some_and(|end| !is_odd(end))));
    prop_assert!(!text.contains(char::is_control), "{:?}", text);
    Ok(())
}

fn rules_within_ranges(config: &Config) -> Result<(), TestCaseError> {
    prop_assert!(config.leeway <= secs(300));
    prop_assert!(config.max_lifetime != Some(Duration::ZERO));
    for kid in &config.distrusted_keys {
        prop_assert!(kid.len() <= 256);
    }
    prop_assert!((256..=65_536).contains(&config.max_token_bytes));
    let lists = config.subjects.iter().chain(&config.distrusted_keys);
    lists.into_iter().try_for_each(|text| comparable(text))
}

/// The ranges of `Config`'s docs, for one that was built.
pub(super) fn within_ranges(config: &Config) -> Result<(), TestCaseError> {
    rules_within_ranges(config)?;
    prop_assert!((200..=599).contains(&config.ignore_status));
    let quotable = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
    prop_assert!(!config.realm.is_empty() && config.realm.chars().all(quotable));

    let served = |environment: &Option<String>| {
        config.environment.is_none() || config.environment == *environment
    };
    let mut environments = config.issuers.iter().map(|issuer| &issuer.environment);
    prop_assert!(config.environment.is_none() || environments.all(Option::is_some));
    let top = (
        &config.issuer,
        &config.audience,
        &config.jwks_url,
        &config.jwks_file,
    );
    let is_set = !top.0.is_empty() || !top.1.is_empty() || !top.2.is_empty() || top.3.is_some();
    let further = config
        .issuers
        .iter()
        .filter(|issuer| served(&issuer.environment));
    let trusted: Vec<_> = (is_set.then_some(top).into_iter())
        .chain(further.map(|it| (&it.issuer, &it.audience, &it.jwks_url, &it.jwks_file)))
        .collect();
    prop_assert!(!trusted.is_empty() || config.access_tokens.is_some());
    let names: HashSet<_> = trusted.iter().map(|(issuer, ..)| issuer).collect();
    prop_assert_eq!(names.len(), trusted.len());
    for (issuer, audience, address, file) in &trusted {
        named(issuer, audience)?;
        if let Some(file) = file {
            prop_assert!(address.is_empty() && !file.as_os_str().is_empty());
            continue;
        }
        let address = reqwest::Url::parse(address).expect("an address");
        let host = address
            .host_str()
            .unwrap_or_default()
            .trim_matches(['[', ']']);
        let near = host.parse().is_ok_and(|host: IpAddr| host.is_loopback());
        let near = near || host == "localhost" || config.danger_allow_http;
        let safe = address.scheme() == "https" || near;
        prop_assert!(safe && address.scheme().starts_with("http"), "{}", address);
        prop_assert!(address.username().is_empty() && address.fragment().is_none());
    }
    if trusted.is_empty() {
        // Nothing is fetched.
        return Ok(());
    }
    prop_assert!((secs(1)..=config.max_stale).contains(&config.refresh_interval));
    prop_assert!((millis(100)..=secs(600)).contains(&config.cooldown));
    prop_assert!((millis(10)..=secs(30)).contains(&config.key_wait));
    prop_assert!((1..=65_536).contains(&config.max_waiting));
    for timeout in [config.connect_timeout, config.fetch_timeout] {
        prop_assert!((millis(10)..=secs(60)).contains(&timeout));
    }
    prop_assert!((1024..=16 * 1024 * 1024).contains(&config.max_document_bytes));
    prop_assert!(config.max_stale <= secs(7 * 86_400));
    Ok(())
}
