//! A provider that does what it is told, and whatever else it likes.

use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How it behaves.
#[derive(Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each lie can be told with each other one")]
pub(super) struct Behaviour {
    /// What its ID tokens say besides or instead.
    pub(super) claims: Value,
    /// What the header of its ID tokens says besides or instead.
    pub(super) header: Value,
    /// Whether something else is signed than what is sent.
    pub(super) forges: bool,
    /// What its token endpoint answers instead: status, content type, body.
    pub(super) answers: Option<(u16, &'static str, String)>,
    /// Whether it does not answer there at all.
    pub(super) is_silent: bool,
    /// What it says of itself besides or instead.
    pub(super) discovery: Value,
    /// What it sends the browser back with besides or instead; null takes away.
    pub(super) callback: Value,
    /// Whether it is down.
    pub(super) is_down: bool,
    /// Whether it keeps its keys to itself.
    pub(super) keeps_keys: bool,
    /// Of whom its userinfo speaks.
    pub(super) userinfo: Value,
}

/// Two providers, `a` and `b`, on one address.
#[derive(Clone)]
pub(super) struct Hostile {
    pub(super) base: String,
    state: Arc<Mutex<Inner>>,
}

struct Inner {
    behaviour: Behaviour,
    key: EcdsaKeyPair,
    kid: String,
    nonce: String,
    asked_for_keys: usize,
}

fn new_key() -> EcdsaKeyPair {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()
}

impl Hostile {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let inner = Inner {
            behaviour: Behaviour::default(),
            key: new_key(),
            kid: "first".to_owned(),
            nonce: String::new(),
            asked_for_keys: 0,
        };
        let base = format!("http://{}", listener.local_addr().unwrap());
        let hostile = Self { base, state: Arc::new(Mutex::new(inner)) };
        let routes = axum::Router::new()
            .route("/{tenant}/.well-known/openid-configuration", get(discovery))
            .route("/{tenant}/authorize", get(authorize))
            .route("/{tenant}/token", post(token))
            .route("/{tenant}/keys", get(keys))
            .route("/{tenant}/userinfo", get(userinfo))
            .with_state(hostile.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        hostile
    }

    pub(super) fn issuer(&self, tenant: &str) -> String {
        format!("{}/{tenant}", self.base)
    }

    pub(super) fn behaves(&self, behaviour: Behaviour) {
        self.state.lock().unwrap().behaviour = behaviour;
    }

    /// Vouches for somebody, and does nothing else that is wrong.
    pub(super) fn vouches_for(&self, claims: Value) {
        self.behaves(Behaviour { claims, ..Behaviour::default() });
    }

    /// Signs with another key from now on.
    pub(super) fn changes_keys(&self) {
        let mut inner = self.state.lock().unwrap();
        inner.key = new_key();
        "second".clone_into(&mut inner.kid);
    }

    pub(super) fn asked_for_keys(&self) -> usize {
        self.state.lock().unwrap().asked_for_keys
    }
}

fn merge(base: &mut Value, more: &Value) {
    for (name, value) in more.as_object().into_iter().flatten() {
        base[name] = value.clone();
    }
}

fn answer(body: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

async fn discovery(State(hostile): State<Hostile>, Path(tenant): Path<String>) -> Response {
    let behaviour = hostile.state.lock().unwrap().behaviour.clone();
    if behaviour.is_down {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let issuer = hostile.issuer(&tenant);
    let mut place = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "authorization_response_iss_parameter_supported": tenant == "a",
    });
    merge(&mut place, &behaviour.discovery);
    answer(&place)
}

async fn authorize(
    State(hostile): State<Hostile>,
    Path(tenant): Path<String>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Response {
    let mut inner = hostile.state.lock().unwrap();
    assert_eq!(asked["code_challenge_method"], "S256");
    inner.nonce.clone_from(&asked["nonce"]);
    let mut back = json!({
        "state": asked["state"], "code": "c", "iss": hostile.issuer(&tenant),
        "session_state": "of no interest",
    });
    merge(&mut back, &inner.behaviour.callback);
    let mut url = url::Url::parse(&asked["redirect_uri"]).unwrap();
    for (name, value) in back.as_object().unwrap() {
        if let Some(text) = value.as_str() {
            url.query_pairs_mut().append_pair(name, text);
        }
    }
    (StatusCode::FOUND, [(header::LOCATION, url.to_string())]).into_response()
}

async fn token(
    State(hostile): State<Hostile>,
    Path(tenant): Path<String>,
    form: String,
) -> Response {
    let (behaviour, id_token) = {
        let inner = hostile.state.lock().unwrap();
        (inner.behaviour.clone(), inner.id_token(&hostile.issuer(&tenant)))
    };
    assert!(
        form.contains("client_id=us&client_secret=tarragon-41-kettle")
            && form.contains("code_verifier=")
    );
    if behaviour.is_silent {
        return std::future::pending().await;
    }
    if let Some((status, kind, body)) = behaviour.answers {
        let status = StatusCode::from_u16(status).unwrap();
        // Where it would go on, if anybody followed.
        let elsewhere = (header::LOCATION, hostile.issuer("b"));
        let headers = [(header::CONTENT_TYPE, kind.to_owned()), elsewhere];
        return (status, headers, body).into_response();
    }
    answer(&json!({ "access_token": "t", "token_type": "Bearer", "id_token": id_token }))
}

async fn userinfo(State(hostile): State<Hostile>) -> Response {
    answer(&hostile.state.lock().unwrap().behaviour.userinfo)
}

async fn keys(State(hostile): State<Hostile>) -> Response {
    let keys = {
        let mut inner = hostile.state.lock().unwrap();
        inner.asked_for_keys += 1;
        let point = inner.key.public_key().as_ref();
        let key = json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": inner.kid,
            "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..]),
        });
        (!inner.behaviour.keeps_keys).then_some(key)
    };
    match keys {
        Some(key) => answer(&json!({ "keys": [key] })),
        None => std::future::pending().await,
    }
}

impl Inner {
    fn id_token(&self, issuer: &str) -> String {
        // The world of the tests begins then, and hardly moves.
        let now = self.behaviour.claims["iat"].as_i64().unwrap_or(1_795_334_400);
        let mut claims = json!({
            "iss": issuer, "aud": "us", "sub": "7", "nonce": self.nonce,
            "iat": now, "exp": now + 300,
        });
        merge(&mut claims, &self.behaviour.claims);
        let mut head = json!({ "alg": "ES256", "kid": self.kid });
        merge(&mut head, &self.behaviour.header);
        let part = |value: &Value| BASE64.encode(value.to_string());
        let words = format!("{}.{}", part(&head), part(&claims));
        let signed = if self.behaviour.forges { "something else" } else { words.as_str() };
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{words}.{}", BASE64.encode(signature))
    }
}
