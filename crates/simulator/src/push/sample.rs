//! What GO pushes to distributors: availability, rates and inventory of a hotel.
//!
//! The members are those of GO's public knowledge base ("Daily Push", "Daily Rate vs. LOS
//! Rate"); names, days and prices are invented.

use std::time::Duration;

use derbysoft_go_auth::clock::UnixTime;
use serde_json::{Value, json};

use crate::hex::random_hex;

/// How many days a push covers.
const DAYS: usize = 4;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// One room at one rate for the four days from tomorrow on; the second day is sold out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SamplePush {
    /// `POST /ari/daily/push`: a price for each night.
    #[default]
    Daily,
    /// `POST /ari/los/push`: a price for each length of stay, one and two nights.
    Los,
}

impl SamplePush {
    /// Its path, below the distributor's base address.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Daily => "/ari/daily/push",
            Self::Los => "/ari/los/push",
        }
    }

    /// The body as of `now`, with a new echo token.
    pub fn body(self, now: UnixTime) -> Value {
        let day = |days: u32| {
            let time = now.saturating_add(DAY * days).to_string();
            time.split('T').next().unwrap_or_default().to_owned()
        };
        let mut push = json!({
            "header": {
                "supplierId": "SUPPLIER",
                "distributorId": "DISTRIBUTOR",
                "version": "v4",
                "token": random_hex(32),
            },
            "messageType": "Delta",
            "hotelId": "HOTEL",
            "dateRange": { "startDate": day(1), "endDate": day(4) },
            "currency": "USD",
        });
        let (member, products) = match self {
            Self::Daily => {
                let mut product = product(1.0);
                product["availStatuses"] = json!({
                    "close": [false, true, false, false],
                    "cta": [false, false, false, true],
                    "ctd": ([false; DAYS]),
                    "minStayArrival": [1, 1, 2, 1],
                    "maxStayArrival": ([14; DAYS]),
                });
                ("dailyAris", json!([product]))
            }
            Self::Los => {
                let products = [(1, 1.0), (2, 1.9)].map(|(nights, times)| {
                    let mut product = product(times);
                    product["los"] = json!(nights);
                    product
                });
                ("losAris", json!(products))
            }
        };
        push[member] = products;
        push
    }
}

/// What both samples have in common, with the price of a night multiplied by `times`.
fn product(times: f64) -> Value {
    let prices = |price: f64| [(price * times * 100.0).round() / 100.0; DAYS];
    json!({
        "roomId": "KING",
        "rateId": "BAR",
        "mealPlans": (["BB"; DAYS]),
        "inventories": [9, 0, 9, 9],
        "rates": {
            "type": "OccupancyRate",
            "rates": [{
                "adultCount": 2,
                "childCount": 0,
                "amountBeforeTax": prices(180.0),
                "amountAfterTax": prices(207.9),
            }],
        },
    })
}
