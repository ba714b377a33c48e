//! The file of Access Tokens: what is accepted is within bounds, and no fault
//! repeats what could be a token.
#![no_main]

use derbysoft_go_auth::access_token::AccessTokens;
use derbysoft_go_auth::clock::UnixTime;
use libfuzzer_sys::fuzz_target;

const NOW: UnixTime = UnixTime::from_secs(1_793_491_200);

fuzz_target!(|text: &str| {
    match AccessTokens::from_toml(text) {
        Ok(tokens) => {
            let apis = tokens.apis().count();
            assert!(apis <= 32);
            for api in tokens.apis() {
                assert!(tokens.check("no such token of GO's", api, NOW).is_err());
            }
        }
        Err(error) => {
            let printed = error.to_string();
            assert!(error.faults().count() > 0);
            for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
                // As long as GO's, and not a word of ours.
                assert!(word.len() < 32 || !printed.contains(word), "{printed}");
            }
        }
    }
});
