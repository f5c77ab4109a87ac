//! Rules of risk: what follows when a sign-in does not look like those before it, and what other rules would
//! have decided.

use std::fs;
use std::path::Path;
use std::time::Duration;

use authshield::chores;
use authshield::config::EventFormat;
use authshield::telemetry::metrics::BreachLookup;
use onesql::Json;
use reqwest::{Method, header};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::attacks::hashed;
use crate::passkeys::{add, challenge};
use crate::registration::{UNLIMITED, outside};
use crate::second_factor::enable;
use crate::support::passkey::SoftPasskey;
use crate::support::{PASSWORD, Person, Program, Reply, TestApp};

const PROXY: (&str, &str) = ("trusted_proxies", "127.0.0.1/32");
const CITIES: &str = "GeoLite2-City-Test.mmdb";
const HOME: &str = "89.160.20.128";
const LONDON: &str = "81.2.69.160";
const NOWHERE: &str = "192.0.2.1";
const ANN: &str = "ann@example.org";
const BOB: &str = "bob@example.org";
const CLEO: &str = "cleo@example.org";

/// Tries a password from an address.
async fn try_from(app: &TestApp, ip: &str, email: &str, password: &str) -> Reply {
    let body = json!({ "email": email, "password": password });
    let request = app.request(Method::POST, "/api/v1/auth/login").header("x-forwarded-for", ip);
    app.send(request.json(&body)).await
}

async fn enter_from(app: &TestApp, ip: &str, email: &str) -> Person {
    Person::from_pair(&try_from(app, ip, email, PASSWORD).await.ok(200).body)
}

async fn show_from(app: &TestApp, ip: &str, passkey: &SoftPasskey) -> Reply {
    let credential = passkey.get(&challenge(app).await);
    let request =
        app.request(Method::POST, "/api/v1/auth/passkeys/sign-in").header("x-forwarded-for", ip);
    app.send(request.json(&json!({ "credential": credential }))).await
}

/// What rules decided so far: which rule, what it asks for, what followed, and the signals.
async fn decided(app: &TestApp) -> Vec<(String, String, String, Value)> {
    let mut tx = app.app.store.read().await.unwrap();
    let rows: Vec<(String, Json<Value>)> = tx
        .query("SELECT reason, data FROM audit_events WHERE code = 'RISK_SIGNAL' ORDER BY id")
        .all()
        .await
        .unwrap();
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    rows.into_iter()
        .map(|(rule, Json(data))| {
            (rule, word(&data["action"]), word(&data["outcome"]), data["signals"].clone())
        })
        .collect()
}

/// Returns rule, action and outcome of the newest decision, and how many there are.
async fn last(app: &TestApp) -> (usize, String) {
    let all = decided(app).await;
    let words = all.last().map(|(rule, action, outcome, _)| format!("{rule} {action} {outcome}"));
    (all.len(), words.unwrap_or_default())
}

async fn failures(app: &TestApp) -> i64 {
    app.count("SELECT COUNT(*) FROM audit_events WHERE reason = 'risk_refused'").await
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story on one database, by nodes with other rules")]
async fn a_sign_in_that_does_not_look_like_those_before_it_is_recorded_doubted_or_refused() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/geoip");
    let cities = corpus.join(CITIES).to_str().unwrap().to_owned();
    let place = ("geoip.file", cities.as_str());
    let shadow = TestApp::with(&[UNLIMITED, PROXY, place]).await;
    let node = async |settings: &[(&str, &str)]| {
        let all = [&[UNLIMITED, PROXY, place], settings].concat();
        let node = shadow.second_node(&all).await;
        chores::look_at_geoip(node.app.clone()).await;
        node
    };
    chores::look_at_geoip(shadow.app.clone()).await;
    for email in [ANN, BOB, CLEO] {
        shadow.open_account(email).await;
    }
    let ann = enter_from(&shadow, HOME, ANN).await;
    let passkey = add(&shadow, &ann).await;
    enter_from(&shadow, HOME, BOB).await;
    let cleo = enter_from(&shadow, HOME, CLEO).await;
    let (phone, _) = enable(&shadow, &cleo).await;
    let asked = try_from(&shadow, HOME, CLEO, PASSWORD).await;
    let verify = json!({ "mfa_token": asked.body["mfa_token"], "code": phone.code(&shadow), "trust_device": true });
    let request = shadow.request(Method::POST, "/api/v1/auth/2fa/verify");
    let trusted = shadow.send(request.header("x-forwarded-for", HOME).json(&verify)).await;
    let trust = trusted.ok(200).body["trust_token"].clone();
    assert_eq!(last(&shadow).await.0, 0, "nothing is new to who was never here");

    // In shadow it is decided, with all numbers, and nothing follows.
    shadow.advance(Duration::from_mins(30));
    enter_from(&shadow, LONDON, BOB).await;
    let all = decided(&shadow).await;
    let [(rule, action, outcome, signals)] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!([rule, action, outcome], ["impossible_travel", "step_up", "shadow"]);
    let rules: Vec<_> = signals.as_array().unwrap().iter().map(|it| &it["rule"]).collect();
    assert_eq!(rules, ["impossible_travel", "new_country", "new_device"]);
    let travel = &signals[0];
    let [distance, radius, seconds, speed] = ["distance_km", "radius_km", "seconds", "speed_kmh"]
        .map(|name| travel[name].as_u64().unwrap());
    assert!((1200..1300).contains(&distance) && (1..500).contains(&radius), "{travel}");
    assert!(seconds.abs_diff(30 * 60) < 180, "{travel}");
    assert!(speed.abs_diff((distance - radius) * 3600 / seconds) < 20, "{travel}");
    assert_eq!(signals[1]["country"], "GB");
    // Known from now on; and what the file does not know speaks against nobody.
    enter_from(&shadow, LONDON, BOB).await;
    enter_from(&shadow, NOWHERE, BOB).await;
    assert_eq!(last(&shadow).await.0, 1);

    // Rules that count. Who has a passkey is asked for it, though no policy asks for anything.
    let strict = node(&[("risk.mode", "enforce")]).await;
    enter_from(&strict, HOME, ANN).await;
    let asked = try_from(&strict, LONDON, ANN, PASSWORD).await;
    asked.is(403, "AUTH_2FA_REQUIRED");
    assert_eq!(asked.body["factors"], json!(["passkey"]));
    assert_eq!(last(&strict).await.1, "impossible_travel step_up second_factor_asked");
    let ticket = asked.body["mfa_token"].as_str().unwrap();
    let options = strict.post("/api/v1/auth/2fa/passkey", json!({ "mfa_token": ticket })).await;
    let credential = passkey.get(&options.ok(200).body);
    let verify = json!({ "mfa_token": ticket, "credential": credential });
    let request = strict.request(Method::POST, "/api/v1/auth/2fa/verify");
    strict.send(request.header("x-forwarded-for", LONDON).json(&verify)).await.ok(200);
    // Proved there, it is known there.
    enter_from(&strict, LONDON, ANN).await;
    // Who has an app is asked for its code, as ever; who has nothing shows a code by mail.
    // A device that is trusted changes nothing of that.
    let body = json!({ "email": CLEO, "password": PASSWORD, "trust_token": trust });
    let request = strict.request(Method::POST, "/api/v1/auth/login").json(&body);
    let asked = strict.send(request.header("x-forwarded-for", LONDON)).await;
    asked.is(403, "AUTH_2FA_REQUIRED");
    assert_eq!(last(&strict).await.1, "impossible_travel step_up second_factor_asked");
    let by_curl = |app: &TestApp, ip: &str| {
        let body = json!({ "email": BOB, "password": PASSWORD });
        let request = app.request(Method::POST, "/api/v1/auth/login").json(&body);
        request.header("x-forwarded-for", ip).header(header::USER_AGENT, "curl/8.5.0")
    };
    strict.advance(Duration::from_mins(1));
    let asked = strict.send(by_curl(&strict, HOME)).await;
    asked.is(403, "AUTH_2FA_REQUIRED");
    assert_eq!(asked.body["factors"], json!(["email"]));
    assert_eq!(last(&strict).await.1, "impossible_travel step_up mail_code_asked");
    let before = last(&strict).await.0;

    // Refused is what a wrong password is; a passkey is not better, and at home nothing changes.
    let harsh = [("risk.mode", "enforce"), ("risk.new_country", "refuse")];
    let others = [
        ("password.breached_ranges", "always"),
        ("password.breached_ranges_url", "http://127.0.0.1:9/range/"),
    ];
    let harsh = node(&[harsh, others].concat()).await;
    let asked_others = || {
        let lookup = BreachLookup { at: "sign_in", outcome: "failed" };
        harsh.app.metrics.breach_lookups.get_or_create(&lookup).get()
    };
    harsh.advance(Duration::from_hours(24));
    let refused = try_from(&harsh, LONDON, CLEO, PASSWORD).await;
    // Two hashes, as a wrong one costs: else time would tell which of a list of passwords is right.
    hashed(&harsh, 2, "a right password that is refused").await;
    let wrong = try_from(&harsh, LONDON, CLEO, "four teapots in a dinghy").await;
    hashed(&harsh, 4, "a wrong password").await;
    refused.is(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(outside(&refused), outside(&wrong));
    assert_eq!(asked_others(), 0, "nor is anybody asked about one that opens nothing");
    assert_eq!(last(&harsh).await, (before + 1, "new_country refuse refused".to_owned()));
    let request = show_from(&harsh, "2001:218::1", &passkey).await;
    request.is(401, "AUTH_PASSKEY_INVALID");
    assert_eq!((last(&harsh).await.0, failures(&harsh).await), (before + 2, 2));
    show_from(&harsh, HOME, &passkey).await.ok(200);
    try_from(&harsh, HOME, CLEO, PASSWORD).await.is(403, "AUTH_2FA_REQUIRED");
    assert_eq!(asked_others(), 1);
    // A passkey is two factors: where one is asked for it was shown.
    show_from(&strict, "2001:218::1", &passkey).await.ok(200);
    let (_, proved) = last(&strict).await;
    assert!(proved.ends_with("step_up proved"), "{proved}");
    let metrics = harsh.app.metrics.encode();
    let counted = "authshield_risk_decisions_total{rule=\"new_country\",action=\"refuse\",outcome=\"refused\"} 2";
    assert!(metrics.contains(counted), "{metrics}");

    // Without a file that can be read nobody is refused.
    let nowhere = shadow.folder().join("none.mmdb");
    fs::copy(corpus.join("GeoIP2-City-Test-Broken-Double-Format.mmdb"), &nowhere).unwrap();
    let broken = [("geoip.file", nowhere.to_str().unwrap()), ("risk.new_country", "refuse")];
    let broken = node(&[&broken[..], &[("risk.mode", "enforce")]].concat()).await;
    let before = last(&broken).await.0;
    enter_from(&broken, "2001:218::2", BOB).await;
    assert_eq!(last(&broken).await.0, before);

    // What other rules would have decided, by an export and the program.
    let mut tx = shadow.app.store.read().await.unwrap();
    let all =
        authshield::audit::following(&mut tx, Uuid::nil(), Uuid::max(), 10_000).await.unwrap();
    drop(tx);
    let lines = all.iter().map(|entry| authshield::exports::write(EventFormat::Json, entry) + "\n");
    let export = shadow.folder().join("events.jsonl");
    fs::write(&export, lines.collect::<String>()).unwrap();
    let program = Program::new().await.set("geoip.file", &cities);
    let replay = async |more: &[&str]| {
        let from = ["--json", "risk", "replay", "--from", export.to_str().unwrap()];
        program.run(&[&from[..], more].concat()).await.ok().json()
    };
    let gentle = replay(&["--with", "risk.impossible_travel=record", "--examples", "1"]).await;
    assert_eq!(gentle["accounts"], 3);
    assert_eq!(gentle["rules"]["impossible_travel"]["then"]["step_up"], 0, "{gentle}");
    assert!(gentle["rules"]["impossible_travel"]["signals"].as_u64() >= Some(3), "{gentle}");
    let otherwise = gentle["rules"]["new_country"]["then"]["step_up"].as_u64().unwrap();
    assert!(otherwise >= 3 && gentle["otherwise"] == otherwise, "{gentle}");
    let examples = gentle["examples"].as_array().unwrap();
    assert!(examples.len() == 1 && examples[0]["ip_address"] == LONDON, "{gentle}");
    assert_eq!(examples[0]["signals"][0]["rule"], "impossible_travel");
    let same = replay(&["--with", "risk.new_country=record"]).await;
    let travel = same["rules"]["impossible_travel"]["then"]["step_up"].as_u64().unwrap();
    assert!(travel >= 3 && same["otherwise"] == travel, "{same}");
    let nothing = export.with_extension("other");
    fs::write(&nothing, "{}\n").unwrap();
    let read = ["risk", "replay", "--from", nothing.to_str().unwrap()];
    program.run(&read).await.fails(1, &["line 1", "is no event"]);
    let other = program.run(&["risk", "replay", "--with", "log=debug"]).await;
    assert!(other.status == Some(2) && other.err.contains("a setting of risk"), "{other:?}");
}
