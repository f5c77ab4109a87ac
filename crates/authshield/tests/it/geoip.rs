//! In which country somebody is: on events, sessions and in mails; and a file that breaks stops nobody.

use std::fs;
use std::path::Path;

use authshield::chores;
use onesql::Json;
use reqwest::Method;
use serde_json::{Value, json};

use crate::registration::UNLIMITED;
use crate::support::detection::Fault;
use crate::support::smtp_server::quoted_printable;
use crate::support::{PASSWORD, Person, Program, TestApp};

const PROXY: (&str, &str) = ("trusted_proxies", "127.0.0.1/32");
const LINKOEPING: &str = "89.160.20.128";
const LONDON: &str = "81.2.69.160";
const NOWHERE: &str = "192.0.2.1";

/// Puts a file of the corpus in the place of the one that the service knows, as an operator does.
fn put(name: &str, file: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/geoip").join(name);
    let beside = file.with_extension("new");
    fs::copy(from, &beside).unwrap();
    fs::rename(beside, file).unwrap();
}

async fn sign_in_from(app: &TestApp, ip: &str) -> Person {
    let body = json!({ "email": "ann@example.org", "password": PASSWORD });
    let request = app.request(Method::POST, "/api/v1/auth/login").header("x-forwarded-for", ip);
    Person::from_pair(&app.send(request.json(&body)).await.ok(200).body)
}

/// Returns the country of the newest event with this code.
async fn told(app: &TestApp, code: &'static str) -> Value {
    let mut tx = app.app.store.read().await.unwrap();
    let (data,): (Json<Value>,) = tx
        .query("SELECT data FROM audit_events WHERE code = $1 ORDER BY id DESC LIMIT 1")
        .bind(code)
        .one()
        .await
        .unwrap();
    data.0["country"].clone()
}

async fn countries(app: &TestApp, person: &Person, path: &str) -> Vec<Value> {
    let list = app.get_as(person, path).await;
    let items = list.ok(200).body["items"].as_array().unwrap().clone();
    items.into_iter().map(|item| item["country"].clone()).collect()
}

#[tokio::test]
async fn the_country_is_on_events_sessions_and_mails_and_a_broken_file_takes_the_place_of_no_good_one()
 {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("city.mmdb");
    let app = TestApp::with(&[UNLIMITED, PROXY, ("geoip.file", file.to_str().unwrap())]).await;
    let look = async || chores::look_at_geoip(app.app.clone()).await;
    look().await;
    app.open_account("ann@example.org").await;
    let first = sign_in_from(&app, LINKOEPING).await;
    assert_eq!(told(&app, "LOGIN_SUCCEEDED").await, Value::Null);
    assert_eq!(countries(&app, &first, "/api/v1/sessions").await, [Value::Null]);
    assert!(app.app.geoip.standing().1.unwrap().contains("cannot be read"));

    put("GeoLite2-City-Test.mmdb", &file);
    look().await;
    let age = app.app.metrics.geoip_age.get();
    assert!(age > 0.0, "{age}");
    assert_eq!(countries(&app, &first, "/api/v1/sessions").await, ["SE"]);
    let ann = sign_in_from(&app, LONDON).await;
    assert_eq!(told(&app, "LOGIN_SUCCEEDED").await, "GB");
    assert_eq!(countries(&app, &ann, "/api/v1/sessions").await, ["GB", "SE"]);
    assert_eq!(countries(&app, &ann, "/api/v1/users/me/events").await[0], "GB");
    let mail = app.last_mail("ann@example.org").await;
    assert!(quoted_printable(&mail.data).contains("81.2.69.160 (GB)"), "{}", mail.data);
    sign_in_from(&app, NOWHERE).await;
    assert_eq!(told(&app, "LOGIN_SUCCEEDED").await, Value::Null);
    let mail = app.last_mail("ann@example.org").await;
    assert!(quoted_printable(&mail.data).contains("at 192.0.2.1."), "{}", mail.data);

    // A session that moves is where it was last used.
    let refresh = app.request(Method::POST, "/api/v1/auth/refresh");
    let refresh = refresh.header("x-forwarded-for", LINKOEPING);
    app.send(refresh.json(&json!({ "refresh_token": ann.refresh }))).await.ok(200);
    assert_eq!(told(&app, "REFRESH_ROTATED").await, "SE");
    assert_eq!(
        countries(&app, &first, "/api/v1/sessions").await,
        [json!(null), json!("SE"), json!("SE")]
    );

    // Whatever comes instead: what was read before still counts, and somebody is told why.
    let half = fs::read(&file).unwrap();
    for (name, words) in [
        ("GeoIP2-City-Test-Broken-Double-Format.mmdb", "no whole file"),
        ("GeoIP2-City-Test-Invalid-Node-Count.mmdb", "no whole file"),
        ("GeoLite2-ASN-Test.mmdb", "knows no countries"),
        ("", "no whole file"),
    ] {
        if name.is_empty() {
            fs::write(&file, &half[..half.len() / 2]).unwrap();
        } else {
            put(name, &file);
        }
        look().await;
        let (about, trouble) = app.app.geoip.standing();
        assert_eq!(about.unwrap().kind, "GeoLite2-City");
        assert!(trouble.as_ref().unwrap().contains(words), "{name}: {trouble:?}");
        sign_in_from(&app, LONDON).await;
        assert_eq!(told(&app, "LOGIN_SUCCEEDED").await, "GB", "{name}");
    }
    put("GeoLite2-Country-Test.mmdb", &file);
    look().await;
    assert_eq!(app.app.geoip.standing().0.unwrap().kind, "GeoLite2-Country");
    sign_in_from(&app, LINKOEPING).await;
    assert_eq!(told(&app, "LOGIN_SUCCEEDED").await, "SE");

    // Preflight says of a file that is old how old, and of one that is broken why.
    let program = Program::new().await.set("geoip.file", file.to_str().unwrap());
    let look = ["preflight", "--only", "GEO-1", "--json"];
    let fault = Fault::injected(32, "the file of countries is years old");
    let old = program.run(&look).await;
    assert!(old.out.contains("GeoLite2-Country of 20") && old.status != Some(2), "{old:?}");
    fault.found_by("GEO-1");
    put("GeoIP2-City-Test-Broken-Double-Format.mmdb", &file);
    let broken = program.run(&look).await;
    assert!(broken.out.contains("no whole file") && broken.status != Some(0), "{broken:?}");
}
