//! The dashboards are what Grafana reads, and ask Prometheus for what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use crate::alerts::{FOLDER, promtool, read};
use crate::names::series;
use crate::root;

/// Returns each dashboard by the name of its file.
fn dashboards() -> BTreeMap<String, Value> {
    let entries = fs::read_dir(root().join(FOLDER).join("dashboards")).unwrap();
    let boards: BTreeMap<_, _> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let board = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), board)
        })
        .collect();
    let names: Vec<_> = boards.keys().map(String::as_str).collect();
    assert_eq!(names, ["health", "mail", "platform", "sign-in"]);
    boards
}

fn panels(board: &Value) -> impl Iterator<Item = &Value> {
    board["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
}

#[test]
fn every_dashboard_can_be_loaded_beside_the_others() {
    for (name, board) in dashboards() {
        assert_eq!(board["uid"], format!("authshield-{name}"), "{name}: links lead to the uid");
        assert!(board.get("id").is_none(), "{name}: Grafana numbers what it loads");
        assert!(board["title"].as_str().unwrap().starts_with("AuthShield: "), "{name}");
        let variables = board["templating"]["list"].as_array().unwrap();
        let names: Vec<_> = variables.iter().map(|variable| variable["name"].as_str()).collect();
        assert_eq!(names, [Some("datasource"), Some("job")], "{name}");
        assert_eq!(variables[0]["type"], "datasource", "{name}");

        let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
        for panel in board["panels"].as_array().unwrap() {
            let title = panel["title"].as_str().unwrap();
            assert!(
                ids.insert(panel["id"].as_u64().unwrap()),
                "{name}: {title} has no id of its own"
            );
            let at = |side: &str| panel["gridPos"][side].as_u64().unwrap();
            assert!(at("x") + at("w") <= 24, "{name}: {title} stands out");
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(cells.insert((x, y)), "{name}: {title} lies on another");
                }
            }
        }
        for panel in panels(&board) {
            let title = panel["title"].as_str().unwrap();
            let about = panel["description"].as_str().unwrap_or_default();
            assert!(about.ends_with('.'), "{name}: {title} does not say what it shows");
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty(), "{name}: {title} asks nothing");
            for asked in targets.iter().chain([panel]) {
                assert_eq!(asked["datasource"]["uid"], "${datasource}", "{name}: {title}");
            }
        }
    }
}

/// Returns what is asked, each with the place where it stands.
fn questions(boards: &BTreeMap<String, Value>) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for (name, board) in boards {
        for panel in panels(board) {
            let place = format!("{name}: {}", panel["title"].as_str().unwrap());
            for target in panel["targets"].as_array().unwrap() {
                let text = |key: &str| target[key].as_str().unwrap().to_owned();
                all.push((place.clone(), text("expr"), text("legendFormat")));
            }
        }
    }
    assert!(all.len() > 40, "the questions were not found");
    all
}

/// Prometheus judges each question, as the rule that it could be.
#[test]
fn every_question_of_a_dashboard_is_one_that_prometheus_understands() {
    let mut rules = "groups:\n  - name: questions\n    rules:\n".to_owned();
    for (number, (place, expr, _)) in questions(&dashboards()).into_iter().enumerate() {
        let expr = expr.replace("$__rate_interval", "5m").replace("$__range", "6h");
        assert!(expr.contains("job=~\"$job\""), "{place} asks about every installation");
        // A text in JSON is one in YAML.
        let expr = serde_json::to_string(&expr).unwrap();
        let _ = writeln!(rules, "      - record: question:{number}\n        expr: {expr}");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("questions.yaml"), rules).unwrap();
    promtool(folder.path(), &["check", "rules", "questions.yaml"]);
}

/// A legend that names a label which the series does not have is empty.
#[test]
fn every_legend_names_labels_that_are_there() {
    for (place, expr, legend) in questions(&dashboards()) {
        for label in legend.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap()) {
            let kept = expr
                .match_indices("by (")
                .any(|(at, _)| expr[at..].split(')').next().unwrap().contains(label));
            let is_plain = !expr.contains("sum") && !expr.contains("max") && label == "instance";
            assert!(kept || is_plain, "{place}: {{{{{label}}}}} is not in {expr}");
        }
    }
}

/// What nobody looks at and nobody is told of might as well not be counted.
#[test]
fn every_metric_is_on_a_dashboard_or_in_a_rule() {
    let mut text = read(&format!("{FOLDER}/alerts.yaml"));
    for (_, expr, _) in questions(&dashboards()) {
        text += &expr;
    }
    let is_shown =
        |name: &str| text.contains(&format!("{name}{{")) || text.contains(&format!("{name})"));
    let series = series();
    let families = series.keys().filter(|name| {
        // Of a histogram, one of its three series is enough.
        !["_bucket", "_sum", "_count"].iter().any(|suffix| {
            name.strip_suffix(suffix).is_some_and(|family| series.contains_key(family))
        })
    });
    for name in families {
        let shown = ["", "_bucket", "_sum", "_count"]
            .iter()
            .any(|suffix| is_shown(&format!("{name}{suffix}")));
        assert!(shown, "{name} is on no dashboard and in no rule");
    }
}
