//! The dashboard and the alerts query what exists.

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{self, Expr, LabelModifier, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};
use saphyr::{LoadableYamlNode, Yaml};
use serde_json::Value;

use test_support::contract;

const DASHBOARD: &str = include_str!("../../../examples/monitoring/grafana-dashboard.json");
const ALERTS: &str = include_str!("../../../examples/monitoring/alerts.yml");
const ALERTS_TEST: &str = include_str!("../../../examples/monitoring/alerts_test.yml");

/// The labels that Prometheus adds to every series.
const ADDED: [&str; 2] = ["job", "instance"];

/// What one expression queries.
#[derive(Debug, Default)]
struct Asked {
    selectors: Vec<VectorSelector>,
    /// Labels by which series are aggregated or matched.
    by: BTreeSet<String>,
}

impl Asked {
    fn of(expression: &str) -> Self {
        let expression = expression
            .replace("$__rate_interval", "5m")
            .replace("$job", "job");
        let parsed = parser::parse(&expression);
        let parsed = parsed.unwrap_or_else(|error| panic!("{expression}: {error}"));
        let mut asked = Self::default();
        let Ok(_) = walk_expr(&mut asked, &parsed);
        assert!(!asked.selectors.is_empty(), "{expression} queries nothing");
        asked
    }

    fn metrics(&self) -> BTreeSet<String> {
        let names = self.selectors.iter().map(|selector| {
            let name = selector.name.as_deref().expect("a name");
            base(name).0.to_owned()
        });
        names.collect()
    }

    /// The labels that all queried series have.
    fn common_labels(&self) -> BTreeSet<&'static str> {
        let of = |selector: &VectorSelector| labels(selector.name.as_deref().expect("a name"));
        let mut all = self.selectors.iter().map(of);
        let first = all.next().expect("a selector");
        all.fold(first, |common, labels| &common & &labels)
    }
}

impl ExprVisitor for Asked {
    type Error = std::convert::Infallible;

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, Self::Error> {
        let modifier = match expression {
            Expr::VectorSelector(selector) => {
                self.selectors.push(selector.clone());
                None
            }
            Expr::MatrixSelector(matrix) => {
                self.selectors.push(matrix.vs.clone());
                None
            }
            Expr::Aggregate(aggregate) => aggregate.modifier.as_ref(),
            Expr::Binary(binary) => {
                let modifier = binary.modifier.as_ref();
                modifier.and_then(|modifier| modifier.matching.as_ref())
            }
            _ => None,
        };
        if let Some(LabelModifier::Include(labels) | LabelModifier::Exclude(labels)) = modifier {
            self.by.extend(labels.labels.iter().cloned());
        }
        Ok(true)
    }
}

/// The library's, the gate's, and the one that Prometheus has of each target.
fn metrics() -> BTreeMap<&'static str, contract::MetricRow> {
    let mut all = contract::metrics();
    all.extend(contract::gate_metrics());
    let (kind, labels) = ("gauge", BTreeSet::new());
    all.insert("up", contract::MetricRow { kind, labels });
    all
}

/// The metric of a series' name, and whether it is the buckets of a histogram.
fn base(name: &str) -> (&str, bool) {
    let metrics = metrics();
    for suffix in ["_bucket", "_sum", "_count"] {
        if let Some(base) = name.strip_suffix(suffix)
            && metrics.get(base).is_some_and(|row| row.kind == "histogram")
        {
            return (base, suffix == "_bucket");
        }
    }
    let row = metrics
        .get(name)
        .unwrap_or_else(|| panic!("there is no {name}"));
    assert_ne!(row.kind, "histogram", "{name} has no series of this name");
    (name, false)
}

/// The labels that a series of this name has.
fn labels(name: &str) -> BTreeSet<&'static str> {
    let (base, is_bucket) = base(name);
    let own = metrics()[base].labels.clone();
    own.into_iter()
        .chain(ADDED)
        .chain(is_bucket.then_some("le"))
        .collect()
}

/// Asserts that some series can meet a condition on a label.
fn check(selector: &VectorSelector, matcher: &Matcher) {
    let name = selector.name.as_deref().expect("a name");
    let label = &*matcher.name;
    assert!(labels(name).contains(label), "{name} has no {label}");
    let Some(possible) = contract::values(base(name).0, label) else {
        return;
    };
    let of_outcome = selector.matchers.find_matchers("outcome");
    let possible = match (label, &of_outcome[..]) {
        ("kind", [outcome]) => contract::kinds(&outcome.value),
        _ => possible,
    };
    let wanted: Vec<_> = match matcher.op {
        MatchOp::Equal | MatchOp::NotEqual => vec![&*matcher.value],
        MatchOp::Re(_) | MatchOp::NotRe(_) => matcher.value.split('|').collect(),
    };
    for value in wanted {
        assert!(possible.contains(value), "{name}: {label} is never {value}");
    }
}

/// The names in `{{…}}` of a text, without what they are piped through.
fn placeholders(text: &str) -> Vec<&str> {
    (text.split("{{").skip(1))
        .map(|rest| rest.split("}}").next().unwrap_or_default())
        .map(|name| name.split('|').next().unwrap_or_default().trim())
        .collect()
}

/// Every expression of the dashboard, and what its legend names.
fn panels() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").clone();
    let targets = panels.iter().flat_map(|panel| {
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        assert!(panel["type"] == "row" || !targets.is_empty(), "{panel}");
        targets
    });
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    targets
        .map(|target| (text(&target["expr"]), text(&target["legendFormat"])))
        .collect()
}

struct Alert {
    name: String,
    severity: String,
    expression: String,
    texts: Vec<String>,
}

fn document(text: &str) -> Yaml<'_> {
    let mut documents = Yaml::load_from_str(text).expect("YAML");
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

fn text(value: &Yaml<'_>) -> String {
    value.as_str().expect("a text").to_owned()
}

fn alerts() -> Vec<Alert> {
    let document = document(ALERTS);
    let mut alerts = Vec::new();
    for group in document["groups"].as_sequence().expect("groups") {
        for rule in group["rules"].as_sequence().expect("rules") {
            let members = rule.as_mapping().expect("members");
            for member in members.keys() {
                let known = ["alert", "expr", "for", "labels", "annotations"];
                assert!(
                    known.contains(&member.as_str().expect("a text")),
                    "{member:?}"
                );
            }
            let annotations = &rule["annotations"];
            alerts.push(Alert {
                name: text(&rule["alert"]),
                severity: text(&rule["labels"]["severity"]),
                expression: text(&rule["expr"]),
                texts: ["summary", "description"]
                    .map(|name| text(&annotations[name]))
                    .into(),
            });
        }
    }
    alerts
}

fn check_all(asked: &Asked, expression: &str) {
    for selector in &asked.selectors {
        for matcher in &selector.matchers.matchers {
            check(selector, matcher);
        }
    }
    let common = asked.common_labels();
    for label in &asked.by {
        assert!(common.contains(&**label), "{label}: {expression}");
    }
}

#[test]
fn the_dashboard_queries_existing_metrics() {
    let panels = panels();
    let mut shown = BTreeSet::new();
    for (expression, legend) in &panels {
        let asked = Asked::of(expression);
        check_all(&asked, expression);
        shown.extend(asked.metrics());
        for label in placeholders(legend) {
            assert!(asked.by.contains(label), "{legend}: {expression}");
        }
    }
    let all: BTreeSet<_> = metrics().into_keys().map(str::to_owned).collect();
    assert_eq!(shown, all, "what there is, is shown");
}

#[test]
fn the_dashboard_can_be_imported() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    assert!(dashboard["title"].is_string() && dashboard["schemaVersion"].is_u64());
    // An id would be that of another installation.
    assert!(dashboard.get("id").is_none());
    let variables = dashboard["templating"]["list"]
        .as_array()
        .expect("variables");
    let names: Vec<_> = variables.iter().map(|variable| &variable["name"]).collect();
    assert_eq!(names, ["datasource", "job"]);
    let job = &variables[1]["query"]["query"];
    assert_eq!(job, "label_values(go_auth_requests_total, job)");
    let mut ids = BTreeSet::new();
    let mut places = BTreeMap::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{panel}");
        let at = |name: &str| panel["gridPos"][name].as_u64().expect("a number");
        assert!(at("x") + at("w") <= 24, "{panel}");
        for row in at("y")..at("y") + at("h") {
            for column in at("x")..at("x") + at("w") {
                let before = places.insert((row, column), &panel["title"]);
                assert_eq!(before, None, "two panels in one place");
            }
        }
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(target["datasource"]["uid"], "${datasource}");
        }
    }
}

#[test]
fn the_alerts_query_existing_metrics() {
    for Alert {
        expression,
        texts,
        name,
        ..
    } in alerts()
    {
        let asked = Asked::of(&expression);
        check_all(&asked, &expression);
        // An aggregate leaves the labels by which it is made, and no others.
        let left: BTreeSet<&str> = if asked.by.is_empty() {
            asked.common_labels()
        } else {
            asked.by.iter().map(String::as_str).collect()
        };
        for placeholder in texts.iter().flat_map(|text| placeholders(text)) {
            if placeholder == "$value" {
                continue;
            }
            let label = placeholder.strip_prefix("$labels.").expect("a label");
            assert!(left.contains(label), "{name}: {label}");
        }
    }
}

#[test]
fn the_alerts_are_those_that_the_page_explains() {
    let mut written = BTreeMap::<String, Vec<String>>::new();
    for alert in alerts() {
        written.entry(alert.name).or_default().push(alert.severity);
    }
    let explained = contract::rows("alert").into_iter().map(|row| {
        let severities = row[1].split(", ").map(str::to_owned).collect();
        (contract::code(row[0])[0].to_owned(), severities)
    });
    assert_eq!(written, explained.collect());
}

/// Whether they do is up to `promtool`, which `.ci/run` runs.
#[test]
fn each_alert_is_tested_to_fire_and_to_clear() {
    let document = document(ALERTS_TEST);
    let (mut firing, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for test in document["tests"].as_sequence().expect("tests") {
        let cases = test.as_mapping_get("alert_rule_test");
        for case in cases.and_then(Yaml::as_sequence).into_iter().flatten() {
            let name = text(&case["alertname"]);
            let expected = case["exp_alerts"].as_sequence().expect("a list");
            if expected.is_empty() {
                silent.insert(name.clone());
            }
            for alert in expected {
                firing.insert((name.clone(), text(&alert["exp_labels"]["severity"])));
            }
        }
    }
    for Alert { name, severity, .. } in alerts() {
        assert!(silent.contains(&name), "{name} never clears");
        let alert = (name, severity);
        assert!(firing.contains(&alert), "{alert:?} never fires");
    }
}
