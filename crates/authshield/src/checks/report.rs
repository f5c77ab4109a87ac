//! The result of a run: for people, and as JSON for programs.

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::finding::{Finding, Status};
use crate::kernel::Timestamp;

/// The version of the JSON form. Members are added under the same number; one that goes, or means
/// something else, raises it.
pub const SCHEMA_VERSION: u32 = 1;

/// How many checks ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// As it should be.
    pub pass: usize,
    /// Somebody should know.
    pub warn: usize,
    /// Wrong.
    pub fail: usize,
    /// Not looked at.
    pub skip: usize,
    /// The check itself broke.
    pub error: usize,
}

/// What a run of `authshield preflight` came to.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The version of the program.
    pub version: &'static str,
    /// `development` or `production`, or `elsewhere` for a service that was looked at from outside; nothing
    /// if the configuration was refused.
    pub environment: Option<&'static str>,
    /// `online` or `offline`.
    pub mode: &'static str,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: f64,
    /// The exit status of the command.
    pub exit_status: u8,
    /// How many checks ended how.
    pub counts: Counts,
    /// Every check that was run or left out, in the order of the reference page.
    pub checks: Vec<Finding>,
}

impl Report {
    /// Puts a report together. `strict` turns warnings into exit status 2.
    #[must_use]
    pub fn new(
        environment: Option<&'static str>,
        offline: bool,
        strict: bool,
        started_at: Timestamp,
        took: Duration,
        checks: Vec<Finding>,
    ) -> Self {
        let count = |status| checks.iter().filter(|finding| finding.status == status).count();
        let counts = Counts {
            pass: count(Status::Pass),
            warn: count(Status::Warn),
            fail: count(Status::Fail),
            skip: count(Status::Skip),
            error: count(Status::Error),
        };
        let exit_status = match counts {
            _ if environment.is_none() => crate::config::Refused::EXIT_STATUS,
            Counts { error: 1.., .. } => 70,
            Counts { fail: 1.., .. } => 1,
            Counts { warn: 1.., .. } if strict => 2,
            _ => 0,
        };
        Self {
            schema_version: SCHEMA_VERSION,
            version: env!("CARGO_PKG_VERSION"),
            environment,
            mode: if offline { "offline" } else { "online" },
            started_at,
            duration_ms: (took.as_secs_f64() * 1e4).round() / 10.0,
            exit_status,
            counts,
            checks,
        }
    }

    /// Returns it for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for finding in &self.checks {
            let status = match finding.status {
                Status::Fail => "FAIL",
                Status::Error => "ERROR",
                status => status.as_str(),
            };
            let Finding { id, title, observed, .. } = finding;
            let _ = writeln!(text, "{status:<5} {id:<7} {title}: {observed}");
            if matches!(finding.status, Status::Pass | Status::Skip) {
                continue;
            }
            let mut more = |name: &str, words: &str| {
                let _ = writeln!(text, "      {name:<9} {words}");
            };
            more("expected", finding.expected);
            for fact in &finding.evidence {
                more("evidence", fact);
            }
            if let Some(remedy) = &finding.remedy {
                more("remedy", remedy);
            }
            let settings: Vec<_> = finding.settings.iter().map(|it| it.variable.as_str()).collect();
            if !settings.is_empty() {
                more("settings", &settings.join(", "));
            }
        }
        let Counts { pass, warn, fail, skip, error } = self.counts;
        let _ = write!(text, "\n{pass} passed, {warn} warned, {fail} failed, {skip} skipped");
        if error > 0 {
            let _ = write!(text, ", {error} could not be run");
        }
        let _ = writeln!(text, " in {:.1} s", self.duration_ms / 1000.0);
        text
    }
}

impl Report {
    /// Returns it as JUnit XML, for systems that show results of tests.
    #[must_use]
    pub fn junit(&self) -> String {
        let Counts { fail, skip, error, .. } = self.counts;
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"authshield preflight\" \
             tests=\"{}\" failures=\"{fail}\" errors=\"{error}\" skipped=\"{skip}\" time=\"{:.3}\">\n",
            self.checks.len(),
            self.duration_ms / 1000.0,
        );
        for finding in &self.checks {
            let _ = write!(
                xml,
                "  <testcase classname=\"preflight\" name=\"{} {}\" time=\"{:.3}\">",
                finding.id,
                escaped(finding.title),
                finding.duration_ms / 1000.0
            );
            let (observed, line) = (escaped(&finding.observed), escaped(&finding.line()));
            let _ = match finding.status {
                Status::Fail => write!(xml, "<failure message=\"{observed}\">{line}</failure>"),
                Status::Error => write!(xml, "<error message=\"{observed}\">{line}</error>"),
                Status::Skip => write!(xml, "<skipped message=\"{observed}\"/>"),
                Status::Warn => write!(xml, "<system-out>warning: {line}</system-out>"),
                Status::Pass => Ok(()),
            };
            xml.push_str("</testcase>\n");
        }
        xml.push_str("</testsuite>\n");
        xml
    }
}

/// Returns `text` as it may stand in XML; control characters were taken out before.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Returns the JSON Schema of [`Report`], which the documentation has.
#[must_use]
pub fn schema() -> Value {
    let text = || json!({ "type": "string" });
    let number = || json!({ "type": "number", "minimum": 0 });
    let count = || json!({ "type": "integer", "minimum": 0 });
    let act = || json!({ "enum": ["fail", "degrade", "page", "warn", "nothing"] });
    let object = |members: Value| {
        let required: Vec<_> = members.as_object().expect("members").keys().cloned().collect();
        json!({ "type": "object", "properties": members, "required": required })
    };
    let check = object(json!({
        "id": { "type": "string", "pattern": "^[A-Z]+-[0-9]+$" },
        "title": text(),
        "status": { "enum": ["pass", "warn", "fail", "skip", "error"] },
        "policy": object(json!({ "gate": act(), "start": act(), "running": act() })),
        "expected": text(),
        "observed": text(),
        "evidence": { "type": "array", "items": text() },
        "remedy": { "type": ["string", "null"] },
        "settings": {
            "type": "array", "items": object(json!({ "name": text(), "variable": text() })),
        },
        "duration_ms": number(),
        "documentation": text(),
    }));
    let mut schema = object(json!({
        "schema_version": { "const": SCHEMA_VERSION },
        "version": text(),
        "environment": { "enum": ["development", "production", "elsewhere", null] },
        "mode": { "enum": ["online", "offline"] },
        "started_at": { "type": "string", "format": "date-time" },
        "duration_ms": number(),
        "exit_status": { "enum": [0, 1, 2, 70, 78] },
        "counts": object(json!({
            "pass": count(), "warn": count(), "fail": count(), "skip": count(), "error": count(),
        })),
        "checks": { "type": "array", "items": check },
    }));
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "What `authshield preflight --json` prints".into();
    schema
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    /// Fails unless `value` has all that `schema` demands, of the right type, and nothing else.
    fn fits(value: &Value, schema: &Value, at: &str) {
        if let Some(members) = schema["properties"].as_object() {
            let object = value.as_object().unwrap_or_else(|| panic!("{at} is no object"));
            assert!(object.keys().eq(members.keys()), "{at}: {:?}", object.keys());
            for (name, schema) in members {
                fits(&object[name], schema, &format!("{at}/{name}"));
            }
        } else if let Some(items) = schema.get("items") {
            for item in value.as_array().unwrap_or_else(|| panic!("{at} is no list")) {
                fits(item, items, &format!("{at}/*"));
            }
        } else if let Some(choices) = schema["enum"].as_array() {
            assert!(choices.contains(value), "{at}: {value}");
        } else if let Some(only) = schema.get("const") {
            assert_eq!(value, only, "{at}");
        } else {
            let kind = match value {
                Value::String(_) => "string",
                Value::Number(number) if number.is_u64() && schema["type"] == "integer" => {
                    "integer"
                }
                Value::Number(_) => "number",
                _ => "null",
            };
            let kinds = &schema["type"];
            let fine =
                kinds == kind || kinds.as_array().is_some_and(|it| it.contains(&json!(kind)));
            assert!(fine, "{at}: {value} is not {kinds}");
        }
    }

    fn report(verdicts: Vec<Verdict>, strict: bool) -> Report {
        let shown = ["CFG-1", "CFG-2", "DB-1", "DB-2"];
        let entries = super::super::all().into_iter().filter(|it| shown.contains(&it.about.id));
        let checks = entries.zip(verdicts).map(|(entry, verdict)| {
            let about = entry.about;
            Finding::new(about, about.policy, verdict, Duration::from_millis(12), str::to_owned)
        });
        let at = Timestamp::from_microsecond(1_795_334_400_000_000);
        let took = Duration::from_millis(420);
        Report::new(Some("production"), false, strict, at, took, checks.collect())
    }

    #[test]
    fn the_exit_status_says_the_worst() {
        let (pass, warn) = (|| Verdict::pass("a"), || Verdict::warn("b"));
        let (fail, error) = (|| Verdict::fail("c"), || Verdict::error("d"));
        for (verdicts, strict, status) in [
            (vec![pass(), Verdict::skip("e")], true, 0),
            (vec![pass(), warn()], false, 0),
            (vec![pass(), warn()], true, 2),
            (vec![warn(), fail()], true, 1),
            (vec![fail(), error()], true, 70),
        ] {
            let words = format!("{verdicts:?}");
            assert_eq!(report(verdicts, strict).exit_status, status, "{words}");
        }
    }

    #[test]
    fn both_forms_of_a_report() {
        let verdicts = vec![
            Verdict::pass("every name is known"),
            Verdict::warn("one value is odd").evidence("public_url is a private address"),
            Verdict::fail("nobody answers").remedy("Start it.").about(&["database.url"]),
            Verdict::skip("DB-1 is not as it should be"),
        ];
        let mut report = report(verdicts, false);
        report.version = "0.0.0";
        insta::assert_snapshot!("report_text", report.text());
        insta::assert_snapshot!("report_junit", report.junit());
        let value = serde_json::to_value(&report).unwrap();
        fits(&value, &schema(), "");
        insta::assert_snapshot!("report_json", serde_json::to_string_pretty(&value).unwrap());
    }

    #[test]
    fn generated_schema_of_the_report_is_fresh() {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/reference/preflight.schema.json");
        let schema = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            std::fs::write(path, &schema).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(written, schema, "set UPDATE_GENERATED=1 and run this test to rewrite it");
    }
}
