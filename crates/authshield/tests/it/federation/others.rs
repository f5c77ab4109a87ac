//! Signing in with Microsoft, Apple and GitHub, each with what is its own, and with what must not go.

use authshield::federation::Providers;
use authshield::world::World;
use reqwest::Method;
use serde_json::json;

use super::named::{Named, PERSONAL, Says, TEAM, TENANT};
use super::refusals::last_refusal;
use super::*;
use crate::support::claims;

/// When the world of the tests begins, in seconds since 1970.
const BEGIN: i64 = 1_795_334_400;

async fn start() -> (Named, TestApp) {
    let named = Named::start(BEGIN).await;
    let (microsoft, apple, github) = (named.at("ms"), named.at("apple"), named.at("gh"));
    let secret = "tarragon-41-kettle";
    let app = service(&[
        ("oauth_microsoft.client_id", "6731de76-14a6-49ae-97bc-6eba6914391e"),
        ("oauth_microsoft.client_secret", secret),
        ("oauth_microsoft.authority", &microsoft),
        ("oauth_apple.client_id", "dev.acme.sign-in"),
        ("oauth_apple.team_id", TEAM.0),
        ("oauth_apple.key_id", TEAM.1),
        ("oauth_apple.private_key", &named.p8()),
        ("oauth_apple.issuer", &apple),
        ("oauth_github.client_id", "Ov23liJ8pQ2xYz4aBcDe"),
        ("oauth_github.client_secret", secret),
        ("oauth_github.issuer", &github),
    ])
    .await;
    assert_eq!(app.world.now().as_second(), BEGIN);
    (named, app)
}

/// Attack: B05, G03, G04
/// ASVS: V6.8.1, V6.8.2, V10.5.2
#[tokio::test]
async fn g04_microsoft_proves_an_address_only_of_a_domain_that_is_the_tenants_own() {
    let (named, app) = start().await;
    let victim = app.sign_up("ann@example.org").await;
    let says = |claims: Value| named.says(Says { claims, ..Says::default() });

    // Whoever runs a tenant writes into `email` what they like, and that it was verified: nobody's account opens.
    for claims in [
        json!({ "email": "ann@example.org" }),
        json!({ "email": "ann@example.org", "email_verified": true }),
        json!({ "email": "ann@example.org", "xms_edov": false, "verified_primary_email": ["ann@example.org"] }),
        json!({ "email": null, "preferred_username": "ann@example.org", "upn": "ann@example.org" }),
    ] {
        says(claims.clone());
        let refused = enter(&app, "", "microsoft").await;
        refused.is(403, "OAUTH_EMAIL_UNVERIFIED");
    }
    assert_eq!(identities(&app, &victim).await.len(), 0);

    // Another issuer, or a tenant that is none, or one that another key signs for: not theirs.
    let other = named.at(&format!("ms/{PERSONAL}/v2.0"));
    let mut key = Says { claims: json!({ "xms_edov": true }), key: 1, ..Says::default() };
    for (claims, reason) in [
        (json!({ "iss": other }), "wrong_iss"),
        (json!({ "iss": named.at("ms/{tenantid}/v2.0") }), "foreign_key"),
        (json!({ "iss": named.at("ms/evil/v2.0"), "tid": "evil" }), "foreign_key"),
        (json!({ "tid": TENANT.to_uppercase() }), "foreign_key"),
        (json!({ "tid": null, "iss": other }), "no_tid"),
        (json!({ "nonce": "another" }), "wrong_nonce"),
    ] {
        says(claims);
        let told = Browser::default().sign_in(&app, "microsoft").await;
        assert_eq!((told.error.as_deref(), told.code), (Some("server_error"), None), "{reason}");
        assert_eq!(last_refusal(&app).await, reason);
    }
    named.says(key.clone());
    Browser::default().sign_in(&app, "microsoft").await;
    assert_eq!(last_refusal(&app).await, "foreign_key", "that of personal accounts");

    // Signing in on both sides links it, whatever it says of an address; then issuer and subject find it.
    says(
        json!({ "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ", "email": "any@example.org" }),
    );
    let code = Browser::default().sign_in(&app, "microsoft").await.code();
    let linked = app.post_as(&victim, IDENTITIES, shown(&code)).await;
    assert_eq!(linked.ok(201).body["issuer"], named.at(&format!("ms/{TENANT}/v2.0")));
    let entered = enter_as(&app, "", "microsoft").await;
    assert_eq!(entered.id, victim.id);
    assert_eq!(claims(&entered.access)["amr"], json!(["fed"]));

    // A domain that is the tenant's own proves the address; another tenant with the same is somebody else.
    says(json!({ "sub": "b", "email": "bea@example.org", "xms_edov": "1" }));
    let bea = enter_as(&app, "", "microsoft").await;
    assert_eq!(app.me(&bea).await.ok(200).body["full_name"], "Ann Lee");
    key.claims =
        json!({ "sub": "b", "tid": PERSONAL, "email": "bea@example.org", "xms_edov": true });
    named.says(key);
    enter(&app, "", "microsoft").await.is(409, "OAUTH_IDENTITY_NOT_LINKED");
}

/// Goes to Apple and returns what its page sends back, and the cookies that a browser sends along from there.
async fn to_apple(named: &Named, app: &TestApp) -> (BTreeMap<String, String>, String) {
    let mut browser = Browser::default();
    let sent = browser.ask(app, &door("apple", &[])).await;
    let cookie = sent.header("set-cookie");
    // Else it would not come along with a form of another site.
    assert!(cookie.contains("; SameSite=None") && cookie.contains("; Secure"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    browser.ask(app, sent.header("location")).await.ok(200);
    let asked = named.asked();
    let back = [("code", "c"), ("state", &*asked["state"])];
    (back.map(|(name, value)| (name.to_owned(), value.to_owned())).into(), cookie)
}

async fn post_back(
    app: &TestApp,
    name: &str,
    form: &BTreeMap<String, String>,
    cookie: &str,
) -> Reply {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = app
        .request(Method::POST, &format!("/api/v1/auth/oauth/{name}/callback"))
        .header("origin", "https://appleid.apple.com")
        .header("sec-fetch-site", "cross-site")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("cookie", cookie);
    app.send(request.body(body)).await
}

/// Attack: B05, G01, G04, G05
/// ASVS: V10.1.2, V10.2.1
#[tokio::test]
async fn g01_apple_sends_a_form_back_which_counts_once_in_the_browser_that_left() {
    let (named, app) = start().await;
    let relay = json!({
        "sub": "000792.d710.0638", "email": "dpdcnf87nu@privaterelay.appleid.com",
        "email_verified": "true", "is_private_email": "true",
    });
    named.says(Says { claims: relay, ..Says::default() });

    // The name comes along the first time, by the browser; what else it says there is of no interest.
    let (mut form, cookie) = to_apple(&named, &app).await;
    let user =
        json!({ "name": { "firstName": "Ann", "lastName": "Lee" }, "email": "root@example.org" });
    form.insert("user".to_owned(), user.to_string());
    post_back(&app, "apple", &form, "").await.is(400, "OAUTH_CALLBACK_INVALID");
    assert_eq!(last_refusal(&app).await, "foreign_browser");
    let back = post_back(&app, "apple", &form, &cookie).await;
    let code = Told::read(&back.ok(303).header("location").parse().unwrap()).code();
    post_back(&app, "apple", &form, &cookie).await.is(400, "OAUTH_CALLBACK_INVALID");
    assert_eq!(last_refusal(&app).await, "replayed");
    let ann = Person::from_pair(&redeem(&app, &code).await.ok(200).body);
    let me = app.me(&ann).await;
    let me = &me.ok(200).body;
    assert_eq!(me["email"], "dpdcnf87nu@privaterelay.appleid.com");
    assert_eq!((&me["full_name"], &me["is_verified"]), (&json!("Ann Lee"), &json!(true)));

    // Later it changes nothing; and who takes back their mind is told so.
    let (mut form, cookie) = to_apple(&named, &app).await;
    form.insert("user".to_owned(), json!({ "name": { "firstName": "Eve" } }).to_string());
    let back = post_back(&app, "apple", &form, &cookie).await;
    let code = Told::read(&back.ok(303).header("location").parse().unwrap()).code();
    assert_eq!(Person::from_pair(&redeem(&app, &code).await.ok(200).body).id, ann.id);
    assert_eq!(app.me(&ann).await.ok(200).body["full_name"], "Ann Lee");
    let (mut form, cookie) = to_apple(&named, &app).await;
    form.remove("code");
    form.insert("error".to_owned(), "user_cancelled_authorize".to_owned());
    let back = post_back(&app, "apple", &form, &cookie).await;
    let told = Told::read(&back.ok(303).header("location").parse().unwrap());
    assert_eq!(told.error.as_deref(), Some("access_denied"));

    // An address that is not verified, also as text, proves nothing.
    for verified in [json!("false"), json!(false), json!(null)] {
        let claims =
            json!({ "sub": "eve", "email": "eve@example.org", "email_verified": verified });
        named.says(Says { claims, ..Says::default() });
        let (form, cookie) = to_apple(&named, &app).await;
        let back = post_back(&app, "apple", &form, &cookie).await;
        let code = Told::read(&back.ok(303).header("location").parse().unwrap()).code();
        redeem(&app, &code).await.is(403, "OAUTH_EMAIL_UNVERIFIED");
    }

    // Nobody else's callback takes a form, and this one takes nothing else.
    let (form, cookie) = to_apple(&named, &app).await;
    post_back(&app, "github", &form, &cookie).await.is(400, "OAUTH_CALLBACK_INVALID");
    assert_eq!(last_refusal(&app).await, "posted");
    let json = app.post("/api/v1/auth/oauth/apple/callback", json!({ "state": "s" })).await;
    json.is(415, "REQUEST_UNSUPPORTED_MEDIA_TYPE");
}

/// Attack: B05, G02, G03, G04, G05
/// ASVS: V6.8.1, V10.2.2, V10.5.2
#[tokio::test]
async fn g04_github_is_believed_for_the_primary_address_if_it_was_verified() {
    let (named, app) = start().await;
    let victim = app.sign_up("ann@example.org").await;
    let octocat = |id: u64| json!({ "login": "octocat", "id": id, "name": "Mona", "email": "ann@example.org" });
    let address = |email: &str, primary: bool, verified: bool| json!({ "email": email, "primary": primary, "verified": verified, "visibility": null });
    let says = |id: u64, addresses: Value| {
        named.says(Says { github: (octocat(id), addresses), ..Says::default() });
    };

    // Public profile, an address that is not verified, or one that is not the primary: nobody's account opens.
    for addresses in [
        json!([]),
        json!([address("ann@example.org", true, false)]),
        json!([address("eve@example.net", true, false), address("ann@example.org", false, true)]),
    ] {
        says(666, addresses);
        enter(&app, "", "github").await.is(403, "OAUTH_EMAIL_UNVERIFIED");
    }
    let asked = named.asked();
    assert_eq!((&*asked["scope"], &*asked["code_challenge_method"]), ("user:email", "S256"));

    // It refuses with status 200, says that it is somebody else, tells nonsense, or is down.
    let refusal = json!({ "error": "bad_verification_code", "error_description": "expired", "access_token": "t" });
    let broken = "temporarily_unavailable";
    let with = |says: Says| Says { github: (octocat(1), json!([])), ..says };
    for (behaviour, error, reason) in [
        (with(Says { refuses: refusal, ..Says::default() }), broken, "refused"),
        (with(Says { refuses: json!({}), ..Says::default() }), broken, "malformed"),
        (with(Says { is_down: true, ..Says::default() }), broken, "failed"),
        (
            Says { github: (json!({ "id": "1" }), json!([])), ..Says::default() },
            broken,
            "malformed",
        ),
        (
            with(Says { callback: json!({ "iss": named.at("ms") }), ..Says::default() }),
            "server_error",
            "other_issuer",
        ),
        (
            with(Says { callback: json!({ "error": "access_denied" }), ..Says::default() }),
            "access_denied",
            "access_denied",
        ),
    ] {
        named.says(behaviour);
        let told = Browser::default().sign_in(&app, "github").await;
        assert_eq!((told.error.as_deref(), told.code), (Some(error), None), "{reason}");
        assert_eq!(last_refusal(&app).await, reason);
    }
    // It says of nobody when they signed in.
    says(1, json!([]));
    let back =
        Browser::default().go(&app, &door("github", &[("max_age", "60")]), APPLICATION).await;
    assert_eq!(Told::read(&back.unwrap()).error.as_deref(), Some("server_error"));
    assert_eq!(last_refusal(&app).await, "no_auth_time");

    // Verified and primary, it finds the account that proved it; then the number does, whatever the address.
    says(
        583_231,
        json!([address("x@example.org", false, true), address("Ann@example.org", true, true)]),
    );
    let ann = enter_as(&app, "", "github").await;
    assert_eq!(ann.id, victim.id);
    assert_eq!(claims(&ann.access)["amr"], json!(["fed"]));
    let known = &identities(&app, &ann).await[0];
    assert_eq!((&known["subject"], &known["issuer"]), (&json!("583231"), &json!(named.at("gh"))));
    named.says(Says {
        github: (octocat(583_231), json!([address("new@example.net", true, false)])),
        callback: json!({ "iss": named.at("gh/login/oauth") }),
        ..Says::default()
    });
    assert_eq!(enter_as(&app, "", "github").await.id, victim.id);
    // Another account there with the address, by now, is somebody else's.
    says(2, json!([address("ann@example.org", true, true)]));
    enter(&app, "", "github").await.is(409, "OAUTH_IDENTITY_NOT_LINKED");

    // What preflight asks: each of them answers.
    let providers = Providers::from_config(&app.app.config).unwrap();
    for provider in providers.all() {
        assert_eq!(provider.probe(app.world.now()).await, Ok(()), "{}", provider.name());
    }
    named.says(Says { is_down: true, ..Says::default() });
    let github = providers.get("github").unwrap();
    let failure = github.probe(app.world.now()).await.unwrap_err();
    assert_eq!((failure.stage, failure.reason), ("discovery", "failed"));
}
