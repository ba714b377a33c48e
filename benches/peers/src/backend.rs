//! The cryptography under `jsonwebtoken` 10 and 11; a process can have only one for each.
//!
//! To compare both backends in one run, the installed provider passes each check to the
//! one that is switched on. That costs a relaxed load.

use std::sync::atomic::{AtomicBool, Ordering};

static RUST_CRYPTO: AtomicBool = AtomicBool::new(false);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    AwsLc,
    RustCrypto,
}

impl Backend {
    pub(crate) fn switch_on(self) {
        RUST_CRYPTO.store(self == Self::RustCrypto, Ordering::Relaxed);
    }
}

/// Call once, before `jsonwebtoken` is used.
pub(crate) fn install() {
    install_for!(jsonwebtoken10);
    install_for!(jsonwebtoken);
}

macro_rules! install_for {
    ($version:ident) => {{
        use $version::crypto::{CryptoProvider, aws_lc, rust_crypto};
        let provider = CryptoProvider {
            verifier_factory: |algorithm, key| {
                let provider = if RUST_CRYPTO.load(Ordering::Relaxed) {
                    &rust_crypto::DEFAULT_PROVIDER
                } else {
                    &aws_lc::DEFAULT_PROVIDER
                };
                (provider.verifier_factory)(algorithm, key)
            },
            ..aws_lc::DEFAULT_PROVIDER.clone()
        };
        Box::leak(Box::new(provider))
            .install_default()
            .expect("it is the first");
    }};
}
use install_for;
