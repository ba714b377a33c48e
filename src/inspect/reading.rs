//! A token read as far as possible, whatever is wrong with it.

use std::borrow::Cow;

use crate::authenticate::authenticator::{Issuer, Issuers};
use crate::error::Reason;
use crate::jwt::claims::ClaimsView;
use crate::jwt::json::{self, Text, Value};
use crate::jwt::jws::{Members, Segments, base64url};

/// Whether this may be the first segment of a JWT: a JSON object in base64url.
pub fn is_jwt_header(segment: &[u8]) -> bool {
    let decoded = str::from_utf8(segment).ok().and_then(base64url);
    decoded.is_some_and(|text| {
        let text = text.trim_ascii();
        text.starts_with(b"{") && text.ends_with(b"}")
    })
}

/// A token's segments, each decoded separately.
pub(super) struct Decoded<'t> {
    /// `None` if there are not three.
    pub(super) segments: Option<Segments<'t>>,
    /// Header, payload and signature, those that are canonical base64url.
    pub(super) parts: [Option<Vec<u8>>; 3],
}

impl<'t> Decoded<'t> {
    /// Whatever its length.
    pub(super) fn of(token: &'t [u8]) -> Self {
        let segments = Segments::split(token, usize::MAX).ok();
        let decode = |segment| str::from_utf8(segment).ok().and_then(base64url);
        let parts = segments.map(|it| [it.header, it.payload, it.signature].map(decode));
        Self {
            segments,
            parts: parts.unwrap_or_default(),
        }
    }

    /// What the signature covers, and the signature.
    pub(super) fn signed(&self) -> Option<(&'t [u8], &[u8])> {
        let [Some(_), Some(_), Some(signature)] = &self.parts else {
            return None;
        };
        Some((self.segments?.signing_input(), signature))
    }
}

/// What a token says.
pub(super) struct Reading<'d> {
    /// `None` if the segment was not decoded.
    pub(super) header: Option<Result<Members<'d>, Reason>>,
    pub(super) claims: Option<Result<ReadClaims<'d>, Reason>>,
}

/// The claims, without those of a wrong type.
#[derive(Default)]
pub(super) struct ReadClaims<'d> {
    pub(super) view: ClaimsView<'d>,
    pub(super) faults: Vec<Reason>,
    /// By name, as they are spelled.
    pub(super) members: Vec<(String, Value<'d>)>,
}

impl<'d> Reading<'d> {
    pub(super) fn of(decoded: &'d Decoded<'_>) -> Self {
        let [header, payload, _] = decoded.parts.each_ref().map(Option::as_deref);
        let claims = payload.map(|payload| {
            let payload = str::from_utf8(payload).map_err(|_| Reason::ClaimsNotUtf8)?;
            let mut faults = Vec::new();
            let view = ClaimsView::read_with_faults(payload, |fault| faults.push(fault))?;
            Ok(ReadClaims {
                view,
                faults,
                members: members(payload),
            })
        });
        Self {
            header: header.map(Members::read),
            claims,
        }
    }

    pub(super) fn members(&self) -> Option<&Members<'d>> {
        self.header.as_ref()?.as_ref().ok()
    }

    pub(super) fn key_id(&self) -> Option<Cow<'d, str>> {
        self.members()?.key_id().ok()
    }

    pub(super) fn read_claims(&self) -> Option<&ReadClaims<'d>> {
        self.claims.as_ref()?.as_ref().ok()
    }

    /// The issuer whose rules apply to the token, which is read as the gate reads it.
    pub(super) fn pick<'i>(&self, issuers: &'i Issuers) -> Result<&'i Issuer, Reason> {
        let picked = issuers.pick(|| match &self.claims {
            None => Err(Reason::NotBase64url),
            Some(Err(reason)) => Err(*reason),
            Some(Ok(claims)) => claims.issuer(),
        });
        picked.map(|(_, issuer)| issuer)
    }
}

impl<'d> ReadClaims<'d> {
    fn issuer(&self) -> Result<Text<'d>, Reason> {
        let ill_typed = self.faults.contains(&Reason::IssType);
        self.view.issuer.ok_or(if ill_typed {
            Reason::IssType
        } else {
            Reason::NoIss
        })
    }

    /// A claim as it is spelled.
    pub(super) fn raw(&self, name: &str) -> Option<Value<'d>> {
        let mut members = self.members.iter();
        Some(members.find(|member| member.0 == name)?.1)
    }
}

/// The members of an object, as far as it can be read.
pub(super) fn members(object: &str) -> Vec<(String, Value<'_>)> {
    let mut members = Vec::new();
    let _ = json::read_object(object, |name, value| {
        members.push((name.to_owned(), value));
    });
    members
}
