//! GO's own APIs, which distributors call with Access Tokens, and the Access Token that
//! GO calls with.

use derbysoft_go_auth::clock::UnixTime;
use http::Method;
use http::request::Parts;

use super::below;
use super::issue::{Issue, credential};
use crate::answer::Answer;
use crate::hex::random_hex;

/// An API with an Access Token of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartnerApi {
    /// BookingUSB, which the distributor calls.
    BookingUsb,
    /// ShoppingEngine, which the distributor calls.
    ShoppingEngine,
    /// AvailabilityPeer, which the distributor serves and GO calls; the simulator only
    /// issues its token.
    AvailabilityPeer,
}

/// How a credential is rejected. GO's own pages show both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PartnerRefusal {
    /// 403 `{"errorCode":"InvalidField","errorMessage":"Unauthorized token"}`, of 2025.
    #[default]
    ErrorCode,
    /// 401 `{"error":"Key not authorised"}`, older.
    KeyNotAuthorised,
}

/// The routes of GO's document "Access Token"; `{}` is one segment. It gives only paths;
/// the methods are a guess, except for `/ping`.
pub(crate) type Routes = [(Method, &'static str)];

const BOOKING_USB: &Routes = &[
    (Method::GET, "/ping"),
    (Method::GET, "/hotels/{}"),
    (Method::GET, "/hotel/{}/{}"),
    (Method::POST, "/availability"),
    (Method::POST, "/reservation/prebook"),
    (Method::POST, "/reservation/book"),
    (Method::POST, "/reservation/modify"),
    (Method::POST, "/reservation/cancel"),
    (Method::POST, "/reservations"),
    (Method::POST, "/reservation/detail"),
];

const SHOPPING_ENGINE: &Routes = &[
    (Method::GET, "/ping"),
    (Method::GET, "/hotels/{}/setup"),
    (Method::POST, "/shopping/multihotels"),
];

impl PartnerApi {
    pub(crate) const ALL: [Self; 3] = [
        Self::AvailabilityPeer,
        Self::BookingUsb,
        Self::ShoppingEngine,
    ];

    /// Its name in the settings of `go-auth`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::BookingUsb => "booking-usb",
            Self::ShoppingEngine => "shopping-engine",
            Self::AvailabilityPeer => "availability-peer",
        }
    }

    /// The base path and the routes; `None` for the API that the distributor serves.
    pub(crate) const fn served(self) -> Option<(&'static str, &'static Routes)> {
        match self {
            Self::BookingUsb => Some(("/bookingusb", BOOKING_USB)),
            Self::ShoppingEngine => Some(("/shoppingengine", SHOPPING_ENGINE)),
            Self::AvailabilityPeer => None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct PartnerApis {
    /// By API.
    tokens: [Issue<String>; 3],
    pub(crate) refusal: PartnerRefusal,
}

impl PartnerApis {
    pub(crate) fn new(now: UnixTime) -> Self {
        Self {
            tokens: std::array::from_fn(|_| Issue::new(fresh_token(), now)),
            refusal: PartnerRefusal::default(),
        }
    }

    pub(crate) fn tokens(&mut self, api: PartnerApi) -> &mut Issue<String> {
        &mut self.tokens[api as usize]
    }

    /// `None` for a path of neither API.
    pub(crate) fn answer(&mut self, head: &Parts, now: UnixTime) -> Option<Answer> {
        let (api, path, routes) = PartnerApi::ALL.into_iter().find_map(|api| {
            let (base, routes) = api.served()?;
            Some((api, below(base, head)?, routes))
        })?;
        let refusal = self.refusal;
        let token = credential(&head.headers).unwrap_or_default();
        if !self.tokens(api).accepts(|it| it == token, now) {
            return Some(refusal.answer());
        }
        let known = (routes.iter())
            .any(|(method, route)| *method == head.method && matches_route(path, route));
        Some(if !known {
            let body = r#"{"errorCode":"InvalidField","errorMessage":"Invalid Message"}"#;
            Answer::json(500, body)
        } else if path == "/ping" {
            Answer::json(200, r#""ok""#)
        } else {
            Answer::json(200, "{}")
        })
    }
}

impl PartnerRefusal {
    fn answer(self) -> Answer {
        match self {
            Self::ErrorCode => Answer::json(
                403,
                r#"{"errorCode":"InvalidField","errorMessage":"Unauthorized token"}"#,
            ),
            Self::KeyNotAuthorised => Answer::json(401, r#"{"error":"Key not authorised"}"#),
        }
    }
}

/// An Access Token: 32 hexadecimal digits.
pub(crate) fn fresh_token() -> String {
    random_hex(32)
}

fn matches_route(path: &str, route: &str) -> bool {
    let mut wanted = route.split('/');
    let all = (path.split('/')).all(|segment| match wanted.next() {
        Some("{}") => !segment.is_empty(),
        literal => literal == Some(segment),
    });
    all && wanted.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_matches_segment_by_segment() {
        for (path, route, matches) in [
            ("/ping", "/ping", true),
            ("/ping/", "/ping", false),
            ("/hotel/A/1", "/hotel/{}/{}", true),
            ("/hotel/A", "/hotel/{}/{}", false),
            ("/hotel/A/1/2", "/hotel/{}/{}", false),
            ("/hotels/", "/hotels/{}", false),
            ("/hotels/A/setup", "/hotels/{}/setup", true),
        ] {
            assert_eq!(matches_route(path, route), matches, "{path} {route}");
        }
    }

    #[test]
    fn each_api_has_a_token_of_its_own() {
        let now = UnixTime::from_secs(1_800_000_000);
        let mut apis = PartnerApis::new(now);
        let usb = apis
            .tokens(PartnerApi::BookingUsb)
            .current
            .credential
            .clone();
        let is_it = |it: &String| *it == usb;
        assert!(apis.tokens(PartnerApi::BookingUsb).accepts(is_it, now));
        assert!(!apis.tokens(PartnerApi::ShoppingEngine).accepts(is_it, now));
    }
}
