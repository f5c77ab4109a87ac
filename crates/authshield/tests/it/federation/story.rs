//! With oidc-provider, which others wrote; the test command installs it.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::registration::disable;
use crate::second_factor;
use crate::support::{PASSWORD, claims};

/// The provider, for as long as this lives.
struct Upstream {
    issuer: String,
    process: std::process::Child,
    /// Whoever writes to nobody ends.
    _said: std::io::BufReader<std::process::ChildStdout>,
}

impl Upstream {
    /// Starts it, or says that it is not there.
    fn start() -> Option<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the test command says so in the environment"
        )]
        let Ok(folder) = std::env::var("AUTHSHIELD_TEST_UPSTREAM") else {
            eprintln!(
                "skipped: AUTHSHIELD_TEST_UPSTREAM names no provider; `cargo xtask test` installs one"
            );
            return None;
        };
        let mut process = Command::new("node")
            .arg(PathBuf::from(folder).join("server.mjs"))
            .arg(format!("{PUBLIC}/api/v1/auth/oauth/oidc/callback"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut issuer = String::new();
        let mut said = std::io::BufReader::new(process.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut said, &mut issuer).unwrap();
        Some(Self { issuer: issuer.trim().to_owned(), process, _said: said })
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Attack: B01, B12, B13, B19, G06, G07, G08
/// ASVS: V6.3.4, V6.8.4, V10.5.2
#[tokio::test]
async fn whoever_signs_in_at_a_real_provider_has_an_account_with_all_that_holds_for_others() {
    let Some(upstream) = Upstream::start() else { return };
    let app = service(&[
        ("oauth_oidc.issuer", &upstream.issuer),
        ("oauth_oidc.client_id", "authshield"),
        ("oauth_oidc.client_secret", "a secret: with % and +"),
    ])
    .await;

    // An account opens with the first sign-in, and the second one finds it.
    let ann = enter_as(&app, "ann", "oidc").await;
    let me = app.me(&ann).await;
    let me = &me.ok(200).body;
    assert_eq!((&me["email"], &me["is_verified"]), (&json!("ann@example.org"), &json!(true)));
    assert_eq!((&me["full_name"], &me["locale"]), (&json!("Ann"), &json!("de")));
    let token = claims(&ann.access);
    assert_eq!((&token["amr"], &token["acr"]), (&json!(["fed"]), &json!("aal1")));
    let subject = app.last_mail("ann@example.org").await.header("subject").unwrap();
    assert!(subject.contains("oidc"), "{subject}");
    let again = enter_as(&app, "ann", "oidc").await;
    assert_eq!(again.id, ann.id);
    let known = identities(&app, &ann).await;
    assert_eq!((known.len(), &known[0]["subject"]), (1, &json!("ann")), "{known:?}");
    assert_eq!(known[0]["issuer"], upstream.issuer);
    assert!(known[0]["last_used_at"].is_string(), "{known:?}");

    // It is the last way in, until there is a password.
    let own = format!("{IDENTITIES}/{}", known[0]["id"].as_str().unwrap());
    app.delete_as(&ann, &own).await.is(409, "AUTH_LAST_WAY_IN");
    app.post("/api/v1/auth/forgot-password", json!({ "email": "ann@example.org" })).await.ok(202);
    let token = app.token_for("ann@example.org").await;
    let reset = json!({ "token": token, "new_password": PASSWORD });
    app.post("/api/v1/auth/reset-password", reset).await.ok(204);
    // Somebody else's would go with it; the own comes back, by the address that both sides proved.
    let ann = app.sign_in("ann@example.org").await;
    assert_eq!(identities(&app, &ann).await.len(), 0);
    assert_eq!(enter_as(&app, "ann", "oidc").await.id, ann.id);
    let known = identities(&app, &ann).await;
    let own = format!("{IDENTITIES}/{}", known[0]["id"].as_str().unwrap());
    app.delete_as(&app.sign_up("carl@example.org").await, &own).await.is(404, "IDENTITY_NOT_FOUND");
    app.advance(Duration::from_mins(16));
    let later = Person::from_pair(&app.refresh(&ann.refresh).await.ok(200).body);
    app.delete_as(&later, &own).await.is(403, "AUTH_STEP_UP_REQUIRED");
    let ann = app.sign_in("ann@example.org").await;
    app.delete_as(&ann, &own).await.ok(204);
    assert_eq!(identities(&app, &ann).await.len(), 0);

    // Proved on both sides, the address finds the account; the second factor is asked for.
    let (phone, _) = second_factor::enable(&app, &ann).await;
    let due = enter(&app, "ann", "oidc").await;
    due.is(403, "AUTH_2FA_REQUIRED");
    let ticket = due.body["mfa_token"].as_str().unwrap().to_owned();
    let pair = second_factor::verify(&app, &ticket, &phone.code(&app)).await;
    let token = claims(pair.ok(200).body["access_token"].as_str().unwrap());
    assert_eq!((&token["amr"], &token["acr"]), (&json!(["fed", "otp"]), &json!("aal2")));
    assert_eq!(token["sub"], ann.id.as_str());
    let again = Person::from_pair(&pair.body);
    app.advance(Duration::from_secs(30));
    let code = json!({ "code": phone.code(&app) });
    app.post_as(&again, "/api/v1/auth/step-up", code).await.ok(204);
    let token = claims(&Person::from_pair(&app.refresh(&again.refresh).await.ok(200).body).access);
    assert_eq!(token["amr"], json!(["fed", "otp"]), "no password was shown");

    // What the provider says of an address links nothing; signing in on both sides does.
    let bob = app.sign_up("bob@example.org").await;
    enter(&app, "eve", "oidc").await.is(403, "OAUTH_EMAIL_UNVERIFIED");
    let code = Browser::of("ann").sign_in(&app, "oidc").await.code();
    app.post_as(&bob, IDENTITIES, shown(&code)).await.is(409, "OAUTH_IDENTITY_TAKEN");
    let code = Browser::of("eve").sign_in(&app, "oidc").await.code();
    app.post_as(&bob, IDENTITIES, shown(&code)).await.ok(201);
    assert_eq!(enter_as(&app, "eve", "oidc").await.id, bob.id);
    // Another identity of the same provider with the address may be whoever has it now.
    enter(&app, "bob", "oidc").await.is(409, "OAUTH_IDENTITY_NOT_LINKED");

    // All of it is the owner's to take along, and goes with the account; who comes back is somebody else.
    let export = app.post_as(&bob, "/api/v1/users/me/export", json!({})).await;
    assert_eq!(export.ok(200).body["identities"][0]["subject"], "eve");
    app.delete_as(&bob, "/api/v1/users/me").await.ok(202);
    app.advance(Duration::from_hours(15 * 24));
    authshield::own_data::carry_out(&app.app, &app.ctx()).await.unwrap();
    enter(&app, "eve", "oidc").await.is(403, "OAUTH_EMAIL_UNVERIFIED");
    let new = enter_as(&app, "bob", "oidc").await;
    assert_ne!(new.id, bob.id);
    disable(&app, &new).await;
    enter(&app, "bob", "oidc").await.is(403, "AUTH_ACCOUNT_DISABLED");

    // Whoever says no there is told so here.
    let told = Browser::default().sign_in(&app, "oidc").await;
    assert_eq!(told.error.as_deref(), Some("access_denied"));
    let events = app.events().await;
    for wanted in [
        "REGISTER_SUCCEEDED/federated",
        "IDENTITY_LINKED",
        "IDENTITY_REMOVED",
        "FEDERATION_REFUSED/email_unverified",
        "FEDERATION_REFUSED/other_identity",
        "FEDERATION_REFUSED/account_disabled",
        "FEDERATION_REFUSED/access_denied",
    ] {
        assert!(events.iter().any(|event| event == wanted), "{wanted}: {events:?}");
    }
}
