//! The description of the API: whole, and what is committed is what is served.

use std::collections::BTreeSet;

use authshield::problem::Code;
use authshield::router;
use serde_json::Value;

use crate::support::{Program, TestApp};

/// Operations without a body and without a caller have few ways to fail.
const PLAIN: [&str; 6] = [
    "/.well-known/audit-jwks.json",
    "/.well-known/jwks.json",
    "/.well-known/webauthn",
    "/api/v1/health",
    "/api/v1/health/live",
    "/api/v1/health/ready",
];

fn document() -> Value {
    serde_json::to_value(router::document()).unwrap()
}

fn operations(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, methods)| {
        methods
            .as_object()
            .unwrap()
            .iter()
            .map(move |(method, operation)| (path, method, operation))
    })
}

#[test]
fn generated_openapi_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi.json");
    let fresh = router::document().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(path, &fresh).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == fresh, "set UPDATE_GENERATED=1 and run this test to rewrite openapi.json");
}

#[tokio::test]
async fn what_is_served_is_what_is_committed() {
    let app = TestApp::with(&[("cors.origins", "https://app.example.org")]).await;
    let reply = app.get("/openapi.json").await;
    assert_eq!(reply.ok(200).body, document());
    assert_eq!(reply.body["openapi"], "3.1.0");
}

#[tokio::test]
async fn the_command_prints_it_without_any_configuration() {
    let printed = Program::embedded().run(&["openapi"]).await.json();
    assert_eq!(printed, document());
}

#[test]
fn every_operation_lists_its_codes() {
    let document = document();
    let known: BTreeSet<_> = Code::ALL.iter().map(|code| code.wire()).collect();
    for (path, method, operation) in operations(&document) {
        let name = format!("{method} {path}");
        let responses = operation["responses"].as_object().unwrap();
        let mut codes = BTreeSet::new();
        for (status, response) in responses {
            assert!(
                !response["description"].as_str().unwrap_or_default().is_empty()
                    || status.starts_with('2')
            );
            if response["content"].get("application/problem+json").is_none() {
                continue;
            }
            let words = response["description"].as_str().unwrap();
            let listed: Vec<_> = words.split('`').skip(1).step_by(2).collect();
            assert!(!listed.is_empty(), "{name} {status}");
            for code in listed {
                assert!(known.contains(code), "{name} lists {code}, which is not on the page");
                let of_code = Code::ALL.iter().find(|one| one.wire() == code).unwrap().status();
                assert_eq!(of_code.as_str(), status, "{name}: {code}");
                codes.insert(code.to_owned());
            }
        }
        let lists = |code: &str| assert!(codes.contains(code), "{name} does not list {code}");
        if !PLAIN.contains(&path.as_str()) {
            for code in
                ["RATE_LIMIT_EXCEEDED", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE", "REQUEST_TIMEOUT"]
            {
                lists(code);
            }
        }
        if operation.get("security").is_some() {
            for code in ["MISSING", "INVALID", "EXPIRED", "REVOKED"] {
                lists(&format!("AUTH_TOKEN_{code}"));
            }
            lists("AUTH_ACCOUNT_DISABLED");
        }
        if path.contains("/admin/") {
            lists("AUTH_INSUFFICIENT_PERMISSIONS");
        }
        if operation.get("requestBody").is_some() {
            for code in [
                "VALIDATION_FAILED",
                "REQUEST_BODY_TOO_LARGE",
                "REQUEST_UNSUPPORTED_MEDIA_TYPE",
                "REQUEST_MALFORMED",
            ] {
                lists(code);
            }
        }
        assert!(operation["summary"].is_string(), "{name} says nothing of itself");
        assert!(operation["operationId"].is_string(), "{name}");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{name}");
    }
}

/// Administrators have a password replaced by who reads the mail: none of them chooses or learns one.
///
/// ASVS: V6.4.6
#[test]
fn no_operation_of_administrators_takes_or_tells_a_password() {
    let document = document();
    let mut bodies = BTreeSet::new();
    for (_, _, operation) in operations(&document).filter(|(path, ..)| path.contains("/admin/")) {
        let answers = operation["responses"].as_object().unwrap().values();
        for said in answers.chain(operation.get("requestBody")) {
            let schema = said["content"]["application/json"]["schema"]["$ref"].as_str();
            bodies.extend(schema.map(|schema| schema.trim_start_matches('#')));
        }
    }
    assert!(bodies.len() > 10, "{bodies:?}");
    for body in bodies {
        let schema = document.pointer(body).unwrap();
        let parts = schema["allOf"].as_array().into_iter().flatten().chain([schema]);
        for (name, property) in parts.filter_map(|part| part["properties"].as_object()).flatten() {
            let is_secret = property["format"] == "password"
                || name.contains("password") && property["type"] != "boolean";
            assert!(!is_secret, "{body} has {name}");
        }
    }
}

#[test]
fn names_are_unique_and_every_reference_leads_somewhere() {
    let document = document();
    let mut names = BTreeSet::new();
    for (path, _, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name), "{path}: two operations are called {name}");
    }
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let text = document.to_string();
    for part in text.split("\"#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name} is not described");
    }
    for (name, schema) in schemas {
        // What comes in is read strictly, and says so.
        let comes_in = operations(&document).any(|(_, _, operation)| {
            operation["requestBody"].to_string().contains(&format!("schemas/{name}\""))
        });
        // Apple may add fields to its form, and that must keep nobody out.
        let is_strict = schema["additionalProperties"] == false || name == "ReturnForm";
        assert!(!comes_in || is_strict, "{name}");
    }
    assert!(document["components"]["securitySchemes"]["access_token"].is_object());
}
