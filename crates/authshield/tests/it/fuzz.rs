//! Requests that are almost right, and requests that are nothing: a bounded number of each, drawn
//! anew from a fixed seed. Whatever comes, the answer says what is wrong and where, or the connection
//! ends; and the next client is served.

use authshield::router;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::negative::sample;
use crate::registration::UNLIMITED;
use crate::support::{Person, Reply, TestApp, plain};

/// How long a connection may take to be answered or closed.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// What becomes of a text on its way.
#[derive(Debug, Clone)]
enum Change {
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    Cut(Index),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let words: Vec<Vec<u8>> = [
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\\",
        "\\u0000",
        "\\ud800",
        ",",
        ":",
        "null",
        "1e999",
        "-",
        "\0",
        "\r\n",
        "\u{feff}",
        " ",
        "/*",
        "\"email\":",
        "\t",
        "%00",
        "HTTP/1.1",
        "\r\n\r\n",
        "chunked",
    ]
    .iter()
    .map(|word| word.as_bytes().to_vec())
    .collect();
    let inserted = prop_oneof![select(words), vec(any::<u8>(), 1..4)];
    let change = prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, bits)| Change::Flip(at, bits)),
        (any::<Index>(), inserted).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (any::<Index>(), 1..20_usize).prop_map(|(at, count)| Change::Remove(at, count)),
        (any::<Index>(), 1..20_usize).prop_map(|(at, count)| Change::Repeat(at, count)),
        any::<Index>().prop_map(Change::Cut),
    ];
    vec(change, 1..4)
}

fn changed(text: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = text.to_vec();
    for change in changes {
        if bytes.is_empty() {
            break;
        }
        match change {
            Change::Flip(at, bits) => {
                let at = at.index(bytes.len());
                bytes[at] ^= bits;
            }
            Change::Insert(at, more) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, more.iter().copied());
            }
            Change::Remove(at, count) => {
                let at = at.index(bytes.len());
                bytes.drain(at..(at + count).min(bytes.len()));
            }
            Change::Repeat(at, count) => {
                let at = at.index(bytes.len());
                let part = bytes[at..(at + count).min(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
            Change::Cut(at) => bytes.truncate(at.index(bytes.len())),
        }
    }
    bytes
}

/// An operation that takes a body: how to ask, whether it wants a token, and a body that is right.
type Operation = (Method, String, bool, String);

fn operations(document: &Value, person: &Person) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (route, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            // The session that asks must live on.
            if schema.is_null() || route.contains("logout") {
                continue;
            }
            let reference = schema["$ref"].as_str().or(schema["oneOf"][1]["$ref"].as_str());
            let schema = reference.map_or(schema, |reference| {
                document.pointer(reference.trim_start_matches('#')).unwrap()
            });
            let body: Map<_, _> = schema["properties"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, schema)| (name.clone(), sample(document, name, schema)))
                .collect();
            let method = method.to_uppercase().parse().unwrap();
            let path = route.replace("{id}", &person.id);
            let text = Value::Object(body).to_string();
            operations.push((method, path, operation.get("security").is_some(), text));
        }
    }
    operations
}

/// Fails unless the answer is one that a client can do something with.
fn is_useful(reply: &Reply) -> Result<(), TestCaseError> {
    let status = reply.status.as_u16();
    prop_assert!((200..300).contains(&status) || (400..500).contains(&status), "{:?}", reply);
    if status < 400 {
        return Ok(());
    }
    prop_assert!(!reply.code().is_empty() && reply.body["title"].is_string(), "{:?}", reply);
    if status == 422 {
        let errors = reply.body["errors"].as_array().cloned().unwrap_or_default();
        prop_assert!(!errors.is_empty(), "{:?}", reply);
        for error in errors {
            let pointer = error["pointer"].as_str().unwrap_or("none");
            prop_assert!(pointer.is_empty() || pointer.starts_with('/'), "{:?}", reply);
            for member in ["code", "detail"] {
                prop_assert!(error[member].as_str().is_some_and(|text| !text.is_empty()));
            }
        }
    }
    Ok(())
}

fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let seed = proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm);
    TestRunner::new_with_rng(config, seed)
}

/// Fault: F45
/// ASVS: V2.2.1, V16.5.1
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_almost_right_is_answered_with_what_is_wrong() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let root = app.sign_up_admin("root@example.org").await;
    let ann = app.sign_up("ann@example.org").await;
    let document = serde_json::to_value(router::document()).unwrap();
    let operations = operations(&document, &ann);
    assert!(operations.len() >= 9, "{}", operations.len());
    let cases = (any::<Index>(), changes());
    let here = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        runner(600).run(&cases, |(which, changes)| {
            let (method, path, guarded, text) = which.get(&operations);
            let mut request = app
                .request(method.clone(), path)
                .header("content-type", "application/json")
                .body(changed(text.as_bytes(), &changes));
            if *guarded {
                request = request.bearer_auth(&root.access);
            }
            is_useful(&here.block_on(app.send(request)))
        })
    })
    .unwrap();
    app.me(&root).await.ok(200);
}

/// Says what a query has to say, wrong in some way, and where it is wrong.
/// ASVS: V1.4.2, V15.3.5, V15.3.7
#[tokio::test]
async fn what_is_wrong_with_a_query_is_pointed_at() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let root = app.sign_up_admin("root@example.org").await;
    let long = "x".repeat(300);
    for (query, pointer, code) in [
        ("limit=x", "/limit", "invalid_query"),
        ("limit=-1", "/limit", "invalid_query"),
        ("limit=70000", "/limit", "invalid_query"),
        ("limit=", "/limit", "invalid_query"),
        ("limit=1&limit=2", "/limit", "invalid_query"),
        ("is_active=maybe", "/is_active", "invalid_query"),
        ("made_up=1", "/made_up", "invalid_query"),
        ("a%2Fb~c=1", "/a~1b~0c", "invalid_query"),
        ("limit=0", "/limit", "invalid_limit"),
        ("limit=201", "/limit", "invalid_limit"),
        ("cursor=made-up", "/cursor", "invalid_cursor"),
        (&format!("email={long}"), "/email", "invalid_filter"),
        ("role=a%00b", "/role", "invalid_filter"),
    ] {
        let reply = app.get_as(&root, &format!("/api/v1/admin/users?{query}")).await;
        reply.is(422, "VALIDATION_FAILED");
        let error = &reply.body["errors"][0];
        assert_eq!((&error["pointer"], &error["code"]), (&json!(pointer), &json!(code)), "{query}");
        assert!(error["detail"].as_str().unwrap().ends_with('.'), "{reply:?}");
    }
}

/// Sends bytes as they are, and returns what comes until the connection ends.
async fn raw(app: &TestApp, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(app.base.trim_start_matches("http://")).await.unwrap();
    // Who is refused early may be cut off while still sending.
    let _ = stream.write_all(bytes).await;
    // Nothing more will come, so whatever is waited for is cut short.
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    // A reset is an end, too.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it stays open");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Fault: F44
/// ASVS: V4.2.1, V16.5.1
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_none_is_refused_and_the_next_one_served() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let body = json!({ "email": "ann@example.org", "password": "tidal lantern" }).to_string();
    let whole = [
        format!(
            "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        ),
        format!(
            "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        ),
        "GET /api/v1/admin/users?limit=5&email=a HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\
         Authorization: Bearer e30.e30.e30\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n"
            .to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0\0\0\u{8}\u{1}\u{4}\0\0\0\u{1}abcdefgh"
            .to_owned(),
    ];
    let garbage = vec(any::<u8>(), 1..400);
    let almost = (select(whole.to_vec()), changes())
        .prop_map(|(text, changes)| changed(text.as_bytes(), &changes));
    let requests = prop_oneof![1 => garbage, 5 => almost];
    let here = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        runner(400).run(&requests, |bytes| {
            let answer = here.block_on(raw(&app, &bytes));
            for line in answer.lines().filter(|line| line.starts_with("HTTP/1.")) {
                let status = line.split(' ').nth(1).unwrap_or_default();
                let refused = status.starts_with('4') || status == "505";
                prop_assert!(refused || status.starts_with('2'), "{}", answer);
            }
            Ok(())
        })
    })
    .unwrap();
    let alive = plain(&app, app.request(Method::GET, "/api/v1/health/ready")).await;
    assert_eq!(alive.status, 200);
    assert_eq!(app.count("SELECT COUNT(*) FROM sessions").await, 0);
}
