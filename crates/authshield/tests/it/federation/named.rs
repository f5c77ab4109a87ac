//! Microsoft, Apple and GitHub, as their documentation says that they answer, on one address.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::prelude::BASE64_STANDARD;

use super::*;

/// What a browser sends along, or a program in a form.
type Pairs = BTreeMap<String, String>;

/// An organization at Microsoft.
pub(super) const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
/// The tenant of personal accounts there.
pub(super) const PERSONAL: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
/// The team at Apple, and its key.
pub(super) const TEAM: (&str, &str) = ("A1B2C3D4E5", "F6G7H8J9K0");

/// What it says of somebody, and how it behaves.
#[derive(Clone, Default)]
pub(super) struct Says {
    /// What ID tokens say besides or instead.
    pub(super) claims: Value,
    /// Which of Microsoft's keys signs: that of organizations, or that of personal accounts.
    pub(super) key: usize,
    /// What GitHub's API answers to `/user` and `/user/emails`.
    pub(super) github: (Value, Value),
    /// What GitHub answers instead of a token.
    pub(super) refuses: Value,
    /// What comes back besides or instead.
    pub(super) callback: Value,
    /// Whether GitHub's API is down.
    pub(super) is_down: bool,
}

#[derive(Clone)]
pub(super) struct Named {
    pub(super) base: String,
    inner: Arc<Inner>,
}

struct Inner {
    says: Mutex<Says>,
    asked: Mutex<Pairs>,
    now: i64,
    keys: [RsaKeyPair; 2],
    /// Apple knows its public half.
    team_key: EcdsaKeyPair,
}

impl Named {
    pub(super) async fn start(now: i64) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let new_key = || RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let inner = Inner {
            says: Mutex::default(),
            asked: Mutex::default(),
            now,
            keys: [new_key(), new_key()],
            team_key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
        };
        let base = format!("http://{}", listener.local_addr().unwrap());
        let named = Self { base, inner: Arc::new(inner) };
        let routes = Router::new()
            .route("/ms/{tenant}/v2.0/.well-known/openid-configuration", get(microsoft))
            .route("/ms/{tenant}/oauth2/v2.0/authorize", get(authorize))
            .route("/ms/{tenant}/oauth2/v2.0/token", post(microsoft_token))
            .route("/ms/{tenant}/discovery/v2.0/keys", get(microsoft_keys))
            .route("/apple/.well-known/openid-configuration", get(apple))
            .route("/apple/auth/authorize", get(apple_authorize))
            .route("/apple/auth/token", post(apple_token))
            .route("/apple/auth/keys", get(apple_keys))
            .route("/gh/login/oauth/authorize", get(authorize))
            .route("/gh/login/oauth/access_token", post(github_token))
            .route("/gh/api/v3/user", get(github_user))
            .route("/gh/api/v3/user/emails", get(github_emails))
            .route("/gh/api/v3/rate_limit", get(github_limit))
            .with_state(named.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        named
    }

    pub(super) fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    pub(super) fn says(&self, says: Says) {
        *self.inner.says.lock().unwrap() = says;
    }

    /// The key as Apple gives it out: a `.p8` file.
    pub(super) fn p8(&self) -> String {
        let der = self.inner.team_key.to_pkcs8v1().unwrap();
        let text = BASE64_STANDARD.encode(der.as_ref());
        let lines: Vec<_> =
            text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", lines.join("\n"))
    }

    fn now_says(&self) -> Says {
        self.inner.says.lock().unwrap().clone()
    }

    /// What the browser brought when it came last.
    pub(super) fn asked(&self) -> Pairs {
        self.inner.asked.lock().unwrap().clone()
    }

    /// Checks that who exchanges a code is who sent the browser (RFC 7636, 4.6).
    fn check(&self, form: &Pairs) {
        let asked = self.asked();
        assert_eq!(challenge(&form["code_verifier"]), asked["code_challenge"]);
        assert_eq!(
            (&form["client_id"], &form["redirect_uri"]),
            (&asked["client_id"], &asked["redirect_uri"])
        );
        assert_eq!(form["code"], "c");
    }

    fn id_token(&self, issuer: &str, more: &Value, key: usize) -> String {
        let asked = self.asked();
        let now = self.inner.now;
        let mut claims = json!({
            "iss": issuer, "aud": asked["client_id"], "sub": "7", "nonce": asked["nonce"],
            "iat": now, "exp": now + 3600,
        });
        merge(&mut claims, more);
        merge(&mut claims, &self.now_says().claims);
        let head = json!({ "typ": "JWT", "alg": "RS256", "kid": format!("k{key}") });
        let part = |value: &Value| BASE64.encode(value.to_string());
        let words = format!("{}.{}", part(&head), part(&claims));
        let pair = &self.inner.keys[key];
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), words.as_bytes(), &mut signature)
            .unwrap();
        format!("{words}.{}", BASE64.encode(signature))
    }

    fn jwk(&self, key: usize) -> Value {
        let public = self.inner.keys[key].public_key();
        let number = |bytes: &[u8]| BASE64.encode(bytes);
        json!({
            "kty": "RSA", "use": "sig", "kid": format!("k{key}"),
            "n": number(public.modulus().big_endian_without_leading_zero()),
            "e": number(public.exponent().big_endian_without_leading_zero()),
        })
    }
}

fn merge(base: &mut Value, more: &Value) {
    for (name, value) in more.as_object().into_iter().flatten() {
        base[name] = value.clone();
    }
}

fn answer(body: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], body.to_string()).into_response()
}

fn form(text: &str) -> Pairs {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// Sends the browser back with a code.
async fn authorize(State(named): State<Named>, Query(asked): Query<Pairs>) -> Response {
    let Some(state) = asked.get("state") else { return StatusCode::NOT_FOUND.into_response() };
    let mut back = json!({ "code": "c", "state": state });
    merge(&mut back, &named.now_says().callback);
    let mut url = Url::parse(&asked["redirect_uri"]).unwrap();
    for (name, value) in back.as_object().unwrap() {
        url.query_pairs_mut().append_pair(name, value.as_str().unwrap());
    }
    *named.inner.asked.lock().unwrap() = asked;
    (StatusCode::FOUND, [(header::LOCATION, url.to_string())]).into_response()
}

async fn microsoft(State(named): State<Named>, Path(tenant): Path<String>) -> Response {
    let base = named.at("ms");
    let issuer = match tenant.as_str() {
        "common" | "organizations" => "{tenantid}",
        one => one,
    };
    answer(&json!({
        "token_endpoint": format!("{base}/{tenant}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported":
            ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": format!("{base}/{tenant}/discovery/v2.0/keys"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "issuer": format!("{base}/{issuer}/v2.0"),
        "authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/authorize"),
        "userinfo_endpoint": format!("{base}/oidc/userinfo"),
    }))
}

async fn microsoft_keys(State(named): State<Named>) -> Response {
    let base = named.at("ms");
    let of = |key: usize, issuer: &str| {
        let mut jwk = named.jwk(key);
        jwk["issuer"] = json!(format!("{base}/{issuer}/v2.0"));
        jwk
    };
    answer(&json!({ "keys": [of(0, "{tenantid}"), of(1, PERSONAL), of(0, PERSONAL)] }))
}

async fn microsoft_token(State(named): State<Named>, headers: HeaderMap, text: String) -> Response {
    let mut fields = form(&text);
    let basic = headers[header::AUTHORIZATION].to_str().unwrap();
    let basic = BASE64_STANDARD.decode(basic.strip_prefix("Basic ").unwrap()).unwrap();
    let (id, secret) = str::from_utf8(&basic).unwrap().split_once(':').unwrap();
    assert_eq!(secret, "tarragon-41-kettle");
    fields.insert("client_id".to_owned(), id.to_owned());
    named.check(&fields);
    let says = named.now_says();
    let tenant = says.claims["tid"].as_str().unwrap_or(TENANT);
    let issuer = format!("{}/{tenant}/v2.0", named.at("ms"));
    let more = json!({
        "tid": tenant, "oid": "00000000-0000-0000-66f3-3332eca7ea81", "ver": "2.0",
        "name": "Ann Lee", "preferred_username": "ann@example.org",
    });
    let id_token = named.id_token(&issuer, &more, says.key);
    answer(&json!({
        "token_type": "Bearer", "scope": "openid email profile", "expires_in": 3599,
        "access_token": "t", "id_token": id_token,
    }))
}

async fn apple(State(named): State<Named>) -> Response {
    let issuer = named.at("apple");
    answer(&json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/auth/authorize"),
        "token_endpoint": format!("{issuer}/auth/token"),
        "revocation_endpoint": format!("{issuer}/auth/revoke"),
        "jwks_uri": format!("{issuer}/auth/keys"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "email", "name"],
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
    }))
}

/// Answers with a page whose form goes back.
async fn apple_authorize(State(named): State<Named>, Query(asked): Query<Pairs>) -> Response {
    assert_eq!((&*asked["response_mode"], &*asked["scope"]), ("form_post", "openid email name"));
    *named.inner.asked.lock().unwrap() = asked;
    "<form method=\"post\">".into_response()
}

async fn apple_keys(State(named): State<Named>) -> Response {
    let mut key = named.jwk(0);
    key["alg"] = json!("RS256");
    answer(&json!({ "keys": [key] }))
}

async fn apple_token(State(named): State<Named>, text: String) -> Response {
    let fields = form(&text);
    named.check(&fields);
    let issuer = named.at("apple");
    // What Apple's documentation demands of a client secret.
    let secret = &fields["client_secret"];
    let (words, signature) = secret.rsplit_once('.').unwrap();
    let public = named.inner.team_key.public_key().as_ref();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public)
        .verify(words.as_bytes(), &BASE64.decode(signature).unwrap())
        .unwrap();
    let read =
        |part: &str| -> Value { serde_json::from_slice(&BASE64.decode(part).unwrap()).unwrap() };
    let (head, claims) = words.split_once('.').unwrap();
    assert_eq!(read(head), json!({ "alg": "ES256", "kid": TEAM.1 }));
    let now = named.inner.now;
    let expected = json!({
        "iss": TEAM.0, "sub": fields["client_id"], "aud": issuer, "iat": now, "exp": now + 300,
    });
    assert_eq!(read(claims), expected);
    let more = json!({ "auth_time": now, "nonce_supported": true });
    let id_token = named.id_token(&issuer, &more, 0);
    answer(&json!({
        "access_token": "t", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r",
        "id_token": id_token,
    }))
}

async fn github_token(State(named): State<Named>, text: String) -> Response {
    let fields = form(&text);
    named.check(&fields);
    assert_eq!(fields["client_secret"], "tarragon-41-kettle");
    let says = named.now_says();
    if says.refuses.is_object() {
        return answer(&says.refuses);
    }
    answer(&json!({ "access_token": "gho_16C7", "scope": "user:email", "token_type": "bearer" }))
}

fn api(named: &Named, headers: &HeaderMap, pick: fn(&Says) -> &Value) -> Response {
    let says = named.now_says();
    if says.is_down {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    assert_eq!(headers[header::AUTHORIZATION], "Bearer gho_16C7");
    assert!(headers[header::USER_AGENT].to_str().unwrap().starts_with("authshield/"));
    answer(pick(&says))
}

async fn github_user(State(named): State<Named>, headers: HeaderMap) -> Response {
    api(&named, &headers, |says| &says.github.0)
}

async fn github_emails(State(named): State<Named>, headers: HeaderMap) -> Response {
    api(&named, &headers, |says| &says.github.1)
}

async fn github_limit(State(named): State<Named>) -> Response {
    if named.now_says().is_down {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    (StatusCode::NOT_FOUND, "Rate limiting is not enabled.").into_response()
}
