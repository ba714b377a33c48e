use serde_json::{Value, json};

use crate::SamplePush;
use derbysoft_go_auth::clock::UnixTime;

/// 2030-01-30T23:59:59Z, so that the days reach into the next month.
const NOW: UnixTime = UnixTime::from_secs(1_896_047_999);

/// All lists of numbers, booleans or texts, with their lengths.
fn lists<'a>(value: &'a Value, found: &mut Vec<(&'a str, usize)>, name: &'a str) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                lists(value, found, name);
            }
        }
        Value::Array(elements) if elements.iter().all(Value::is_object) => {
            for element in elements {
                lists(element, found, name);
            }
        }
        Value::Array(elements) => found.push((name, elements.len())),
        _ => {}
    }
}

#[test]
fn a_push_has_the_members_of_gos_knowledge_base() {
    for sample in [SamplePush::Daily, SamplePush::Los] {
        let mut push = sample.body(NOW);
        assert_eq!(
            push["dateRange"],
            json!({ "startDate": "2030-01-31", "endDate": "2030-02-03" })
        );
        let mut found = Vec::new();
        lists(&push, &mut found, "");
        assert!(found.iter().all(|(_, days)| *days == 4), "{found:?}");
        for name in [
            "mealPlans",
            "inventories",
            "amountBeforeTax",
            "amountAfterTax",
        ] {
            assert!(found.iter().any(|(other, _)| *other == name), "{name}");
        }

        let echo = |push: &Value| push["header"]["token"].as_str().map(str::to_owned);
        assert_ne!(echo(&push), echo(&sample.body(NOW)));
        push["header"]["token"].take();
        assert_eq!(
            push["header"],
            json!({
                "supplierId": "SUPPLIER", "distributorId": "DISTRIBUTOR",
                "version": "v4", "token": null,
            })
        );
    }
}

#[test]
fn a_push_lists_days_or_lengths_of_stay() {
    let daily = SamplePush::Daily.body(NOW);
    assert_eq!(daily["dailyAris"][0]["availStatuses"]["close"][1], true);
    assert_eq!(daily["dailyAris"][0]["inventories"][1], 0);
    assert_eq!(daily.get("losAris"), None);
    let los = SamplePush::Los.body(NOW);
    let nights: Vec<_> = (los["losAris"].as_array().into_iter().flatten())
        .map(|product| {
            let price = &product["rates"]["rates"][0]["amountBeforeTax"][0];
            (product["los"].as_u64(), price.as_f64())
        })
        .collect();
    assert_eq!(nights, [(Some(1), Some(180.0)), (Some(2), Some(342.0))]);
    assert_eq!(los.get("dailyAris"), None);
}
