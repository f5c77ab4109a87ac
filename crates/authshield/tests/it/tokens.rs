//! Tokens: what they say, whose keys sign them, and how a refresh token turns into the next.

use std::time::Duration;

use authshield::vault::Rotation;
use authshield::world::World;
use authshield_verify::{KeySet, Rules, Verifier, VerifyError};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::registration::{UNLIMITED, disable};
use crate::support::{Person, Reply, TestApp};

const JWKS: &str = "/.well-known/jwks.json";
const ME: &str = "/api/v1/users/me";

/// Returns header and claims of a JWT, without verifying anything.
fn parts(token: &str) -> (Value, Value) {
    let part = |n: usize| {
        let text = token.split('.').nth(n).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
    };
    (part(0), part(1))
}

async fn kids(app: &TestApp) -> Vec<String> {
    let reply = app.get(JWKS).await;
    let keys = reply.ok(200).body["keys"].as_array().unwrap().clone();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn refreshed(app: &TestApp, who: &Person) -> Person {
    Person::from_pair(&app.refresh(&who.refresh).await.ok(200).body)
}

async fn me_with(app: &TestApp, authorization: &[&str]) -> Reply {
    let mut request = app.request(Method::GET, ME);
    for value in authorization {
        let value = reqwest::header::HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request = request.header("authorization", value);
    }
    app.send(request).await
}

/// ASVS: V9.2.4
#[tokio::test]
async fn an_access_token_says_what_rfc_9068_wants_and_a_refresh_changes_no_sign_in() {
    let app = TestApp::start().await;
    let ann = app.sign_up_admin("ann@example.org").await;
    let signed_in = Person::from_pair(&app.refresh(&ann.refresh).await.ok(200).body);
    let (header, first) = parts(&signed_in.access);
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
    assert!(kids(&app).await.contains(&header["kid"].as_str().unwrap().to_owned()));
    assert_eq!(header.as_object().unwrap().len(), 3, "no jwk, no jku: {header}");

    let now = app.world.now().as_second();
    assert_eq!((&first["iss"], &first["aud"]), (&json!(app.base), &json!(app.base)));
    assert_eq!((&first["sub"], &first["client_id"]), (&json!(ann.id), &json!("authshield")));
    assert_eq!((&first["roles"], &first["amr"]), (&json!(["admin", "user"]), &json!(["pwd"])));
    assert!((now - first["iat"].as_i64().unwrap()).abs() <= 1);
    assert_eq!(first["exp"].as_i64().unwrap() - first["iat"].as_i64().unwrap(), 900);
    assert!(!first.to_string().contains("example.org"), "no address in a token");
    let sessions = app.get_as(&signed_in, "/api/v1/sessions").await;
    assert_eq!(first["sid"], sessions.ok(200).body["items"][0]["id"]);

    app.advance(Duration::from_mins(5));
    let again = refreshed(&app, &signed_in).await;
    let (_, second) = parts(&again.access);
    for same in ["iss", "sub", "aud", "sid", "client_id", "roles", "amr", "auth_time"] {
        assert_eq!(first[same], second[same], "{same}");
    }
    for other in ["jti", "iat", "exp"] {
        assert_ne!(first[other], second[other], "{other}");
    }
}

/// ASVS: V9.2.1, V9.2.3, V10.3.1
#[tokio::test]
async fn a_service_behind_us_verifies_our_tokens_from_the_key_set_alone() {
    for (algorithm, kind) in [("ES256", "EC"), ("EdDSA", "OKP"), ("RS256", "RSA")] {
        let settings =
            [("token.algorithm", algorithm), ("token.audience", "https://api.example.org")];
        let app = TestApp::with(&settings).await;
        let ann = app.sign_up("ann@example.org").await;
        let (header, _) = parts(&ann.access);
        assert_eq!(header["alg"], algorithm);
        app.me(&ann).await.ok(200);

        let set = app.get(JWKS).await;
        assert_eq!(set.ok(200).body["keys"][0]["kty"], kind);
        let keys = KeySet::from_json(&set.text).unwrap();
        let now = app.world.now().as_second();
        let verifier = |audience: &str| Verifier::new(Rules::new(&app.base, audience));
        let claims = verifier("https://api.example.org").verify(&ann.access, &keys, now).unwrap();
        assert_eq!((claims.sub.as_str(), claims.has_role("user")), (ann.id.as_str(), true));
        let other = verifier("https://other.example.org").verify(&ann.access, &keys, now);
        assert_eq!(other.unwrap_err(), VerifyError::Audience);
        let late = verifier("https://api.example.org").verify(&ann.access, &keys, now + 3600);
        assert!(late.unwrap_err().is_expired());

        // Our own API is such a service: what is meant for another opens nothing here.
        let elsewhere = [
            ("public_url", app.base.as_str()),
            ("token.algorithm", algorithm),
            ("token.audience", "https://other.example.org"),
        ];
        let node = app.second_node(&elsewhere).await;
        node.me(&ann).await.is(401, "AUTH_TOKEN_INVALID");
    }
}

/// ASVS: V11.6.1
#[tokio::test]
async fn the_key_set_may_be_kept_and_tells_no_secret() {
    let app = TestApp::start().await;
    let reply = app.get(JWKS).await;
    assert_eq!(reply.ok(200).header("cache-control"), "public, max-age=300");
    assert_eq!(reply.header("access-control-allow-origin"), "*");
    let tag = reply.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    for key in reply.body["keys"].as_array().unwrap() {
        for secret in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(key.get(secret).is_none(), "{secret} is published");
        }
        assert_eq!((&key["use"], &key["alg"]), (&json!("sig"), &json!("ES256")));
    }
    let ask = |known: &str| app.send(app.request(Method::GET, JWKS).header("if-none-match", known));
    let known = ask(&tag).await;
    assert!(known.ok(304).text.is_empty());
    assert_eq!(known.header("etag"), tag);
    ask("\"another\"").await.ok(200);
    app.app.keyring.rotate(Rotation::Announced, app.world.now()).await.unwrap();
    ask(&tag).await.ok(200);
}

/// ASVS: V7.2.1, V9.1.1, V9.1.2, V9.2.2
/// Attack: D15, D16
#[tokio::test]
async fn nothing_but_one_whole_bearer_token_of_ours_lets_anybody_in() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    let good = format!("Bearer {}", ann.access);
    me_with(&app, &[&good]).await.ok(200);
    me_with(&app, &[&format!("bearer {}", ann.access)]).await.ok(200);
    me_with(&app, &[&format!("BEARER {}", ann.access)]).await.ok(200);

    let missing = me_with(&app, &[]).await;
    missing.is(401, "AUTH_TOKEN_MISSING");
    assert_eq!(missing.header("www-authenticate"), "Bearer");
    me_with(&app, &["Basic YW5uOnNlY3JldA=="]).await.is(401, "AUTH_TOKEN_MISSING");
    me_with(&app, &["Basic %%%"]).await.is(401, "AUTH_TOKEN_MISSING");

    let none = {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt"}"#);
        format!("{header}.{}.", ann.access.split('.').nth(1).unwrap())
    };
    let mut pieces = ann.access.split('.');
    let (head, claims, signature) =
        (pieces.next().unwrap(), pieces.next().unwrap(), pieces.next().unwrap());
    let promoted = {
        let (_, mut claims) = parts(&ann.access);
        claims["roles"] = json!(["admin"]);
        format!("{head}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims.to_string()))
    };
    let flipped = {
        let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        bytes[10] ^= 1;
        format!("{head}.{claims}.{}", URL_SAFE_NO_PAD.encode(bytes))
    };
    let symmetric = {
        // The public key as the secret of an HMAC: the oldest trick there is.
        let (header, _) = parts(&ann.access);
        let header = json!({ "alg": "HS256", "typ": "at+jwt", "kid": header["kid"] });
        let signed = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header.to_string()));
        let key = hmac::Key::new(hmac::HMAC_SHA256, app.get(JWKS).await.text.as_bytes());
        let tag = hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
    };
    for token in [
        none,
        symmetric,
        promoted,
        flipped,
        format!("{head}.{claims}."),
        format!("{head}.{claims}"),
        format!("{}=", ann.access),
        format!("{}.x", ann.access),
        format!(" {}", ann.access),
        format!("{} x", ann.access),
        ann.access[1..].to_owned(),
        ann.access[..ann.access.len() - 1].to_owned(),
        ann.access.to_uppercase(),
        ann.access.replace('.', "%2E"),
        ann.refresh.clone(),
        "\u{e4}\u{f6}".to_owned(),
        "null".to_owned(),
        "a".repeat(12_000),
        ".".repeat(500),
    ] {
        let reply = me_with(&app, &[&format!("Bearer {token}")]).await;
        reply.is(401, "AUTH_TOKEN_INVALID");
        assert!(reply.header("www-authenticate").contains("error=\"invalid_token\""));
    }
    for odd in ["Bearer", "Bearer ", "Bearer  ", "", " ", &ann.access] {
        let reply = me_with(&app, &[odd]).await;
        assert_eq!(reply.status, 401, "{odd:?}");
    }
    me_with(&app, &[&good, &good]).await.is(401, "AUTH_TOKEN_INVALID");
    me_with(&app, &[&good, "Basic YW5uOnNlY3JldA=="]).await.is(401, "AUTH_TOKEN_INVALID");
    for query in ["access_token", "token"] {
        let reply = app.get(&format!("{ME}?{query}={}", ann.access)).await;
        reply.is(401, "AUTH_TOKEN_MISSING");
    }

    let huge = app.request(Method::GET, ME).header("authorization", "a".repeat(64 * 1024));
    match app.client.execute(huge.build().unwrap()).await {
        Ok(answer) => assert_eq!(answer.status(), 431),
        Err(hung_up) => assert!(hung_up.is_request(), "{hung_up:?}"),
    }
    me_with(&app, &[&good]).await.ok(200);
}

/// ASVS: V9.2.1
#[tokio::test]
async fn an_access_token_ends_when_it_says_so() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.org").await;
    app.me(&ann).await.ok(200);
    app.advance(Duration::from_secs(898));
    app.me(&ann).await.ok(200);
    app.advance(Duration::from_secs(62));
    let reply = app.me(&ann).await;
    reply.is(401, "AUTH_TOKEN_EXPIRED");
    assert!(reply.header("www-authenticate").contains("expired"));
    app.me(&refreshed(&app, &ann).await).await.ok(200);
}

#[tokio::test]
async fn a_key_is_published_before_it_signs_and_until_its_tokens_have_died() {
    let app = TestApp::with(&[UNLIMITED, ("token.key_publish_ahead", "1d")]).await;
    let node = app.second_node(&[UNLIMITED, ("public_url", &app.base)]).await;
    let ann = app.sign_up("ann@example.org").await;
    let kid = |who: &Person| parts(&who.access).0["kid"].as_str().unwrap().to_owned();
    let old = kid(&ann);
    let new = app.app.keyring.rotate(Rotation::Announced, app.world.now()).await.unwrap().unwrap();
    let mut published = kids(&app).await;
    published.sort();
    let mut expected = [old.clone(), new.clone()];
    expected.sort();
    assert_eq!(published, expected);
    let ann = refreshed(&app, &ann).await;
    assert_eq!(kid(&ann), old, "published, but not yet used");

    app.advance(Duration::from_mins(24 * 60 - 10));
    let before = refreshed(&app, &ann).await;
    assert_eq!(kid(&before), old);
    app.advance(Duration::from_mins(10));
    let after = refreshed(&app, &before).await;
    assert_eq!(kid(&after), new);
    for person in [&before, &after] {
        app.me(person).await.ok(200);
        // The other node has not looked since, and need not be told.
        node.me(person).await.ok(200);
    }
    app.advance(Duration::from_hours(1));
    app.app.keyring.rotate_if_due(app.world.now()).await.unwrap();
    assert_eq!(kids(&app).await, [new]);
}

#[tokio::test]
async fn tokens_of_a_key_that_leaked_are_dead_even_where_they_were_known() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let node = app.second_node(&[UNLIMITED, ("public_url", &app.base)]).await;
    let ann = app.sign_up("ann@example.org").await;
    app.me(&ann).await.ok(200);
    node.me(&ann).await.ok(200);
    let now = app.world.now();
    let new = app.app.keyring.rotate(Rotation::Compromised, now).await.unwrap().unwrap();
    assert_eq!(kids(&app).await, [new]);
    app.me(&ann).await.is(401, "AUTH_TOKEN_INVALID");
    node.app.keyring.rotate_if_due(now).await.unwrap();
    node.me(&ann).await.is(401, "AUTH_TOKEN_INVALID");
    let fresh = refreshed(&app, &ann).await;
    app.me(&fresh).await.ok(200);
    node.me(&fresh).await.ok(200);
}

/// ASVS: V10.4.5, V16.3.3
/// Attack: D02, D03
#[tokio::test]
async fn a_lost_answer_is_no_theft_and_a_theft_is_no_lost_answer() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let first = app.sign_up("ann@example.org").await;
    let second = refreshed(&app, &first).await;
    app.advance(Duration::from_secs(9));
    let retry = refreshed(&app, &first).await;
    assert_eq!(retry.refresh, second.refresh, "the same successor");
    app.me(&retry).await.ok(200);

    let third = refreshed(&app, &second).await;
    app.refresh(&first.refresh).await.is(401, "AUTH_REFRESH_TOKEN_REUSED");
    for person in [&first, &second, &third, &retry] {
        app.me(person).await.is(401, "AUTH_TOKEN_REVOKED");
        app.refresh(&person.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    }
    assert!(app.events().await.contains(&"REFRESH_REUSED".to_owned()));

    let first = app.sign_in("ann@example.org").await;
    let other = app.sign_in("ann@example.org").await;
    let second = refreshed(&app, &first).await;
    app.advance(Duration::from_secs(11));
    app.refresh(&first.refresh).await.is(401, "AUTH_REFRESH_TOKEN_REUSED");
    app.refresh(&second.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    app.me(&other).await.ok(200);
}

/// ASVS: V10.4.5
#[tokio::test]
async fn without_leeway_every_second_use_is_theft() {
    let app = TestApp::with(&[UNLIMITED, ("refresh.retry_leeway", "0s")]).await;
    let first = app.sign_up("ann@example.org").await;
    let second = refreshed(&app, &first).await;
    app.refresh(&first.refresh).await.is(401, "AUTH_REFRESH_TOKEN_REUSED");
    app.me(&second).await.is(401, "AUTH_TOKEN_REVOKED");
}

/// ASVS: V7.4.2
/// Attack: D07, D15
#[tokio::test]
async fn what_is_no_living_refresh_token_gets_nothing() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    app.post("/api/v1/auth/forgot-password", json!({ "email": "ann@example.org" })).await.ok(202);
    let link = app.token_for("ann@example.org").await;
    let mut typo = ann.refresh.clone();
    let last = if typo.pop() == Some('0') { '1' } else { '0' };
    typo.push(last);
    for wrong in [
        "",
        "rubbish",
        &typo,
        &link,
        &ann.access,
        &ann.refresh.to_uppercase(),
        &format!(" {}", ann.refresh),
        &format!("{}\n", ann.refresh),
        &"a".repeat(60_000),
    ] {
        app.refresh(wrong).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    }
    for body in [json!({}), json!({ "refresh_token": null }), json!({ "refresh_token": 7 })] {
        app.post("/api/v1/auth/refresh", body).await.is(422, "VALIDATION_FAILED");
    }
    let elsewhere = TestApp::with(&[UNLIMITED]).await;
    let stranger = elsewhere.sign_up("ann@example.org").await;
    app.refresh(&stranger.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    app.me(&stranger).await.is(401, "AUTH_TOKEN_INVALID");

    let old = app.sign_in("ann@example.org").await;
    app.advance(Duration::from_hours(144));
    let kept = refreshed(&app, &ann).await;
    app.advance(Duration::from_secs(86_400 + 1));
    for _ in 0..2 {
        app.refresh(&old.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    }
    let kept = refreshed(&app, &kept).await;
    disable(&app, &kept).await;
    for _ in 0..2 {
        app.refresh(&kept.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    }
}

#[tokio::test]
async fn a_program_that_refreshes_in_a_loop_is_slowed_and_loses_nothing() {
    let app = TestApp::start().await;
    let mut ann = app.sign_up("ann@example.org").await;
    let refused = loop {
        let reply = app.refresh(&ann.refresh).await;
        if reply.status != 200 {
            break reply;
        }
        ann = Person::from_pair(&reply.body);
    };
    refused.is(429, "RATE_LIMIT_EXCEEDED");
    assert!(!refused.header("retry-after").is_empty());
    app.advance(Duration::from_secs(2));
    let fresh = refreshed(&app, &ann).await;
    app.me(&fresh).await.ok(200);
}
