//! The alert rules fire on the fault, are silent without it, and say what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::root;

/// Where what operators load is.
pub(crate) const FOLDER: &str = "deploy/observability";

/// The tests of the rules; the week's looks at them less often, or it would take minutes.
const TESTS: [&str; 2] = ["alerts.test.yaml", "alerts.week.test.yaml"];

/// Silent failures that a rule tells: the row of section 9 of the operations page, the fault, the alert, and
/// in which minute of the rule's test the fault begins.
const TOLD: [(u8, &str, &str, u32); 5] = [
    (12, "a provider reports nothing any more", "MailFeedbackSilent", 60),
    (31, "two replicas have different configurations", "ConfigMismatch", 11),
    (32, "the file of countries gets older than 120 days", "GeoIpStale", 11),
    (35, "nobody signs in any more", "LoginSuccessCollapse", 10_200),
    (36, "the path of alerts is broken: what always comes stays away", "Watchdog", 0),
];

/// Says what found the fault of `row`, and after how many seconds: the same on every database.
pub(crate) fn found(row: u8, how: &str, finder: &str, seconds: u32) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(folder).unwrap();
    let file = folder.join("detections.jsonl");
    let mut file = fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
    for database in ["sqlite", "postgres"] {
        let line = json!({ "row": row, "database": database, "how": how, "by": finder,
                           "seconds": seconds, "at_most": seconds });
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

/// Returns the minutes of a duration as promtool writes it.
fn minutes(written: &str) -> u32 {
    let (hours, rest) = written.split_once('h').unwrap_or(("0", written));
    let minutes = rest.strip_suffix('m').unwrap_or("0");
    hours.parse::<u32>().unwrap() * 60 + minutes.parse::<u32>().unwrap()
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs promtool in `folder`; fails with what it says.
pub(crate) fn promtool(folder: &Path, arguments: &[&str]) {
    let said = Command::new("promtool").args(arguments).current_dir(folder).output();
    let said = said.expect("promtool is needed: install the package `prometheus`");
    let words = [&said.stdout[..], &said.stderr[..]].concat();
    assert!(said.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&words));
}

/// A rule that alerts, as far as it is not Prometheus's to judge.
#[derive(Debug, Default)]
struct Alert {
    name: String,
    severity: String,
    summary: String,
    runbook: String,
}

/// Reads the rules; they are laid out as ours are, and promtool knows whether they are YAML.
fn alerts() -> Vec<Alert> {
    let mut alerts = Vec::<Alert>::new();
    for line in read(&format!("{FOLDER}/alerts.yaml")).lines() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix("- alert: ") {
            alerts.push(Alert { name: name.to_owned(), ..Alert::default() });
        }
        let Some(alert) = alerts.last_mut() else { continue };
        if let Some(severity) = line.strip_prefix("labels: { severity: ") {
            severity.trim_end_matches(" }").clone_into(&mut alert.severity);
        } else if let Some(summary) = line.strip_prefix("summary: ") {
            summary.clone_into(&mut alert.summary);
        } else if let Some(runbook) = line.strip_prefix("runbook: ") {
            runbook.clone_into(&mut alert.runbook);
        }
    }
    assert!(alerts.len() > 15, "the rules were not found");
    alerts
}

#[test]
fn every_alert_fires_on_its_fault_and_is_silent_without_it() {
    let folder = root().join(FOLDER);
    promtool(&folder, &["check", "rules", "alerts.yaml"]);
    let mut arguments = vec!["test", "rules"];
    arguments.extend(TESTS);
    promtool(&folder, &arguments);

    // What promtool was asked: for each alert, whether it was to fire with a severity, and to be silent.
    let (mut fires, mut silent) = (BTreeSet::new(), BTreeSet::new());
    let mut first = BTreeMap::new();
    for file in TESTS {
        let (mut alert, mut at) = (String::new(), 0);
        for line in read(&format!("{FOLDER}/{file}")).lines() {
            let line = line.trim();
            if let Some(time) = line.strip_prefix("- eval_time: ") {
                at = minutes(time);
            }
            if let Some((_, rest)) = line.split_once("alertname: ") {
                rest.split(',').next().unwrap().clone_into(&mut alert);
                if rest.ends_with("exp_alerts: [] }") {
                    silent.insert(alert.clone());
                }
            } else if let Some((_, labels)) = line.split_once("exp_labels: { severity: ") {
                let severity = labels.split([',', ' ']).next().unwrap();
                first.entry(alert.clone()).or_insert(at);
                fires.insert((alert.clone(), severity.to_owned()));
            }
        }
    }
    for Alert { name, severity, .. } in alerts() {
        assert!(
            fires.contains(&(name.clone(), severity.clone())),
            "{name} {severity}: never fires"
        );
        assert!(silent.contains(&name) || name == "Watchdog", "{name}: is never silent");
    }
    for (row, how, alert, began) in TOLD {
        found(row, how, alert, (first[alert] - began) * 60);
    }
}

#[test]
fn every_alert_has_a_page_that_says_what_to_do() {
    let mut pages = BTreeMap::new();
    for Alert { name, severity, summary, runbook } in alerts() {
        assert!(["page", "ticket", "none"].contains(&&*severity), "{name}: severity {severity:?}");
        assert!(summary.len() > 10, "{name} has no summary");
        let page = read(&format!("docs/src/{runbook}"));
        assert!(page.starts_with(&format!("# {name}\n")), "{runbook} is not the page of {name}");
        for part in ["\n**Means.** ", "\n**See.** ", "\n**Do.** ", "\n```sh,test\n"] {
            assert!(page.replace(".**\n", ".** ").contains(part), "{runbook}: {part:?} is missing");
        }
        pages.insert(runbook, name);
    }
    for entry in fs::read_dir(root().join("docs/src/runbooks")).unwrap() {
        let page = format!("runbooks/{}", entry.unwrap().file_name().to_string_lossy());
        assert!(pages.contains_key(&page), "{page} belongs to no alert");
    }
}
