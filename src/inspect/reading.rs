//! A token read as far as possible, whatever is wrong with it.

use std::borrow::Cow;

use crate::authenticate::authenticator::{Issuer, Issuers};
use crate::error::Reason;
use crate::jwt::claims::ClaimsView;
use crate::jwt::json::{self, Text, Value};
use crate::jwt::jws::{Members, Segments, base64url};

/// The segments that are canonical base64url, each decoded separately.
pub(super) struct Decoded<'t> {
    /// `None` if there are not three.
    pub(super) segments: Option<Segments<'t>>,
    header: Option<Vec<u8>>,
    payload: Option<Vec<u8>>,
    signature: Option<Vec<u8>>,
}

impl<'t> Decoded<'t> {
    /// Whatever its length.
    pub(super) fn of(token: &'t [u8]) -> Self {
        let segments = Segments::split(token, usize::MAX).ok();
        let decode = |segment: fn(&Segments<'t>) -> &'t [u8]| {
            let segment = segments.as_ref().map(segment)?;
            str::from_utf8(segment).ok().and_then(base64url)
        };
        Self {
            header: decode(|segments| segments.header),
            payload: decode(|segments| segments.payload),
            signature: decode(|segments| segments.signature),
            segments,
        }
    }

    /// The segments, their names, and whether they were decoded.
    pub(super) fn each(&self) -> Option<[(&'static str, &'t [u8], bool); 3]> {
        let segments = self.segments?;
        Some([
            ("header", segments.header, self.header.is_some()),
            ("payload", segments.payload, self.payload.is_some()),
            ("signature", segments.signature, self.signature.is_some()),
        ])
    }

    /// What the signature covers, and the signature.
    pub(super) fn signed(&self) -> Option<(&'t [u8], &[u8])> {
        self.header.as_ref().and(self.payload.as_ref())?;
        Some((self.segments?.signing_input(), self.signature.as_deref()?))
    }
}

/// What a token says.
pub(super) struct Reading<'d> {
    /// `None` if the segment was not decoded.
    pub(super) header: Option<Result<Members<'d>, Reason>>,
    pub(super) claims: Option<Result<ReadClaims<'d>, Reason>>,
    header_text: &'d str,
}

/// The claims, without those of a wrong type.
#[derive(Default)]
pub(super) struct ReadClaims<'d> {
    pub(super) view: ClaimsView<'d>,
    pub(super) faults: Vec<Reason>,
    members: Vec<(String, Value<'d>)>,
}

impl<'d> Reading<'d> {
    pub(super) fn of(decoded: &'d Decoded<'_>) -> Self {
        let header = decoded.header.as_deref();
        let claims = decoded.payload.as_deref().map(|payload| {
            str::from_utf8(payload)
                .map_err(|_| Reason::ClaimsNotUtf8)
                .and_then(ReadClaims::of)
        });
        Self {
            header: header.map(Members::read),
            claims,
            header_text: header.map_or("", |text| str::from_utf8(text).unwrap_or_default()),
        }
    }

    pub(super) fn members(&self) -> Option<&Members<'d>> {
        self.header.as_ref()?.as_ref().ok()
    }

    /// The names of the header's members.
    pub(super) fn header_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let _ = json::read_object(self.header_text, |name, _| names.push(name.to_owned()));
        names
    }

    pub(super) fn key_id(&self) -> Option<Cow<'d, str>> {
        self.members()?.key_id().ok()
    }

    pub(super) fn read_claims(&self) -> Option<&ReadClaims<'d>> {
        self.claims.as_ref()?.as_ref().ok()
    }

    /// The issuer that the token claims to be from, read as the gate reads it.
    fn claimed_issuer(&self) -> Result<Text<'d>, Reason> {
        match &self.claims {
            None => Err(Reason::NotBase64url),
            Some(Err(reason)) => Err(*reason),
            Some(Ok(claims)) => claims.view.issuer.ok_or_else(|| {
                let ill_typed = claims.faults.contains(&Reason::IssType);
                if ill_typed {
                    Reason::IssType
                } else {
                    Reason::NoIss
                }
            }),
        }
    }

    /// The issuer whose rules apply to the token.
    pub(super) fn pick<'i>(&self, issuers: &'i Issuers) -> Result<&'i Issuer, Reason> {
        issuers.pick(|| self.claimed_issuer())
    }
}

impl<'d> ReadClaims<'d> {
    fn of(payload: &'d str) -> Result<Self, Reason> {
        let mut faults = Vec::new();
        let view = ClaimsView::read_with_faults(payload, |fault| faults.push(fault))?;
        let mut members = Vec::new();
        let _ = json::read_object(payload, |name, value| {
            members.push((name.to_owned(), value));
        });
        Ok(Self {
            view,
            faults,
            members,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// A claim as it is spelled.
    pub(super) fn raw(&self, name: &str) -> Option<Value<'d>> {
        let mut members = self.members.iter();
        Some(members.find(|member| member.0 == name)?.1)
    }
}
