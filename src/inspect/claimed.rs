//! A token's claims about itself, machine-readable.

use serde::Serialize;

use super::reading::Reading;
use super::show::cut;
use crate::clock::UnixTime;
use crate::jwt::claims::AudienceView;
use crate::jwt::json::Text;

/// The most audiences that are listed.
const MAX_AUDIENCES: usize = 32;

/// A JWT's unverified claims about itself. Texts are cut, but not escaped.
#[derive(Debug, Default, Serialize)]
pub struct Claimed {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<UnixTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<UnixTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<UnixTime>,
}

impl Claimed {
    /// `None` if nothing can be read.
    pub(super) fn of(reading: &Reading<'_>) -> Option<Self> {
        let key_id = reading.key_id().map(|kid| cut(&kid));
        let Some(claims) = reading.read_claims().map(|claims| &claims.view) else {
            return key_id.is_some().then(|| Self {
                key_id,
                ..Self::default()
            });
        };
        let text = |text: Text<'_>| cut(&text.decode());
        Some(Self {
            key_id,
            issuer: claims.issuer.map(text),
            audience: (claims.audience.into_iter())
                .flat_map(AudienceView::iter)
                .take(MAX_AUDIENCES)
                .map(text)
                .collect(),
            subject: claims.subject.map(text),
            token_id: claims.token_id.map(text),
            issued_at: claims.issued_at,
            not_before: claims.not_before,
            expires_at: claims.expires_at,
        })
    }
}
