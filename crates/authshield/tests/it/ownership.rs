//! Whose an address is that two people register: of who reads its mail, whatever the other did
//! before, after or meanwhile.

use std::time::Duration;

use authshield::chores;
use authshield::world::World;
use serde_json::{Value, json};

use crate::registration::{UNLIMITED, disable, outside};
use crate::support::{PASSWORD, Reply, TestApp};

const THEIRS: &str = "mallory waits in the wings";
const CHOSEN: &str = "seven herons under glass";
const RESEND: &str = "/api/v1/auth/resend-verification";

/// What happens at an address before its owner follows a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// The owner registers it.
    Ann,
    /// A stranger does.
    Mallory,
    /// Somebody asks for another mail; nobody can tell who.
    Resend,
}

use Act::{Ann, Mallory, Resend};

/// Every order of up to three acts in which both register.
fn stories() -> Vec<Vec<Act>> {
    let acts = [Ann, Mallory, Resend];
    let mut all = vec![vec![]];
    for _ in 0..3 {
        let longer = all.iter().flat_map(|story: &Vec<Act>| {
            acts.iter().map(move |act| [story.as_slice(), &[*act]].concat())
        });
        all = all.iter().cloned().chain(longer).collect();
        all.dedup();
    }
    all.retain(|story| story.contains(&Ann) && story.contains(&Mallory));
    all.sort_by_key(|story| format!("{story:?}"));
    all.dedup();
    all
}

async fn register(app: &TestApp, email: &str, password: &str, name: &str) {
    let body = json!({ "email": email, "password": password, "full_name": name });
    app.post("/api/v1/auth/register", body).await.ok(202);
}

/// Does what the page does that a link leads to: confirms, or chooses a password.
async fn follow(app: &TestApp, link: &str) -> Reply {
    let token = link.split("token=").nth(1).unwrap();
    if link.contains("/verify-email?") {
        return app.verify(token).await;
    }
    let body = json!({ "token": token, "new_password": CHOSEN });
    app.post("/api/v1/auth/reset-password", body).await
}

/// Returns the links of all mails to `email`, oldest first.
async fn links(app: &TestApp, email: &str) -> Vec<String> {
    let mails = app.mails().await;
    let to = mails.iter().filter(|mail| mail.to == [email]);
    to.filter_map(|mail| mail.link("token=")).collect()
}

/// Attack: B02, B07
#[tokio::test]
async fn whoever_reads_the_mail_gets_the_account_in_every_order_of_events() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let mut number = 0;
    for story in stories() {
        let mut sent = 1;
        let mut clicked = 0;
        while clicked < sent {
            number += 1;
            let email = format!("ann{number}@example.org");
            for act in &story {
                match act {
                    Ann => register(&app, &email, PASSWORD, "Ann").await,
                    Mallory => register(&app, &email, THEIRS, "Mallory").await,
                    Resend => {
                        app.post(RESEND, json!({ "email": email })).await.ok(202);
                    }
                }
                app.mails().await;
            }
            let links = links(&app, &email).await;
            sent = links.len();
            let at = format!("{story:?}, mail {clicked} of {sent}");
            let followed = follow(&app, &links[clicked]).await;
            let opened = followed.status.is_success();
            assert!(opened || clicked + 1 < sent, "{at}: the newest link works: {followed:?}");

            let thief = app.log_in(&email, THEIRS).await;
            assert!(!thief.status.is_success(), "{at}: {thief:?}");
            let (own, chosen) =
                (app.log_in(&email, PASSWORD).await, app.log_in(&email, CHOSEN).await);
            let owner = if own.status.is_success() { own } else { chosen };
            assert_eq!(owner.status.is_success(), opened, "{at}: {owner:?}");
            assert_ne!(owner.body["user"]["full_name"], "Mallory", "{at}");
            for other in links.iter().filter(|link| **link != links[clicked]) {
                let late = follow(&app, other).await;
                assert!(!(opened && late.status.is_success()), "{at}: a second link works");
            }
            clicked += 1;
        }
    }
    assert!(number > 30, "{number}");
}

/// A double click, or a program that tries again, contradicts nobody.
#[tokio::test]
async fn who_registers_twice_with_one_password_needs_no_other() {
    let app = TestApp::with(&[UNLIMITED]).await;
    for (email, clicked) in [("ann@example.org", 0), ("bob@example.org", 1)] {
        register(&app, email, PASSWORD, "Ann").await;
        app.mails().await;
        register(&app, email, PASSWORD, "Anna").await;
        let links = links(&app, email).await;
        assert!(links.iter().all(|link| link.contains("/verify-email?")), "{links:?}");
        follow(&app, &links[clicked]).await.ok(200);
        let pair = app.log_in(email, PASSWORD).await;
        assert_eq!(pair.ok(200).body["user"]["full_name"], "Anna");
    }
}

/// Registering and then signing in with the same password is a question, too.
///
/// ASVS: V6.3.8
/// Attack: A08
#[tokio::test]
async fn what_becomes_of_a_registration_tells_nobody_whether_the_address_has_an_account() {
    let app = TestApp::with(&[UNLIMITED]).await;
    register(&app, "unverified@example.org", PASSWORD, "Ann").await;
    app.sign_up("verified@example.org").await;
    let disabled = app.sign_up("disabled@example.org").await;
    disable(&app, &disabled).await;
    let proved = app.token_for("unverified@example.org").await;

    let mut seen = Vec::new();
    for email in ["unknown", "unverified", "verified", "disabled"] {
        let email = format!("{email}@example.org");
        let mut answers: Vec<(u16, Value, Vec<String>)> = Vec::new();
        let before = app.app.passwords.stats().hashed;
        // Twice, so that there is a registration before in every case.
        for password in [THEIRS, CHOSEN, CHOSEN] {
            answers.push(outside(&app.register(&email, password).await));
        }
        let registered = app.app.passwords.stats().hashed;
        for password in [CHOSEN, THEIRS, "neither of the two"] {
            answers.push(outside(&app.log_in(&email, password).await));
        }
        app.post(RESEND, json!({ "email": email })).await.ok(202);
        app.advance(Duration::from_hours(23));
        answers.push(outside(&app.log_in(&email, CHOSEN).await));
        app.advance(Duration::from_hours(2));
        answers.push(outside(&app.log_in(&email, CHOSEN).await));
        let hashed = app.app.passwords.stats().hashed;
        seen.push((email, answers, registered - before, hashed - registered));
    }
    let (_, answers, registering, signing_in) = seen[0].clone();
    let statuses: Vec<_> = answers.iter().map(|(status, ..)| *status).collect();
    assert_eq!(statuses, [202, 202, 202, 403, 401, 401, 403, 401]);
    for (email, theirs, hashes, verified) in &seen[1..] {
        assert_eq!(theirs, &answers, "{email}");
        assert_eq!(*hashes, registering, "{email}: registering takes another time");
        assert_eq!(*verified, signing_in, "{email}: signing in takes another time");
    }
    app.verify(&proved).await.is(400, "AUTH_INVALID_VERIFICATION_TOKEN");
    app.log_in("verified@example.org", PASSWORD).await.ok(200);
}

#[tokio::test]
async fn a_registration_that_nobody_proved_is_forgotten() {
    let app = TestApp::with(&[UNLIMITED]).await;
    register(&app, "ann@example.org", THEIRS, "Mallory").await;
    let link = links(&app, "ann@example.org").await.remove(0);
    app.advance(Duration::from_hours(24));
    follow(&app, &link).await.is(400, "AUTH_INVALID_VERIFICATION_TOKEN");
    app.log_in("ann@example.org", THEIRS).await.is(401, "AUTH_INVALID_CREDENTIALS");
    app.advance(Duration::from_secs(1));
    chores::purge(&app.app, app.world.now()).await.unwrap();
    assert_eq!(app.count("SELECT COUNT(*) FROM registrations").await, 0);

    // The owner is the first then, and nothing contradicts her.
    register(&app, "ann@example.org", PASSWORD, "Ann").await;
    let link = links(&app, "ann@example.org").await.pop().unwrap();
    assert!(link.contains("/verify-email?"), "{link}");
    follow(&app, &link).await.ok(200);
    let pair = app.log_in("ann@example.org", PASSWORD).await;
    assert_eq!(pair.ok(200).body["user"]["full_name"], "Ann");
    app.log_in("ann@example.org", THEIRS).await.is(401, "AUTH_INVALID_CREDENTIALS");
}

/// Who has no mail with a link that works can ask for one as long as they like.
#[tokio::test]
async fn a_mail_that_comes_again_keeps_the_registration_waiting() {
    let app = TestApp::with(&[UNLIMITED]).await;
    register(&app, "ann@example.org", PASSWORD, "Ann").await;
    for _ in 0..3 {
        app.advance(Duration::from_hours(20));
        app.post(RESEND, json!({ "email": "ann@example.org" })).await.ok(202);
        app.mails().await;
    }
    let link = links(&app, "ann@example.org").await.pop().unwrap();
    follow(&app, &link).await.ok(200);
    app.log_in("ann@example.org", PASSWORD).await.ok(200);

    // One that waited too long counts no more: a password has to be chosen.
    register(&app, "bob@example.org", THEIRS, "Bob").await;
    app.advance(Duration::from_hours(25));
    app.post(RESEND, json!({ "email": "bob@example.org" })).await.ok(202);
    let link = links(&app, "bob@example.org").await.pop().unwrap();
    assert!(link.contains("/reset-password?"), "{link}");
    follow(&app, &link).await.ok(204);
    app.log_in("bob@example.org", THEIRS).await.is(401, "AUTH_INVALID_CREDENTIALS");
    app.log_in("bob@example.org", CHOSEN).await.ok(200);
}

/// Attack: B18
#[tokio::test]
async fn an_address_that_nobody_proved_goes_to_who_changes_to_it_and_proves_it() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    let body = json!({ "new_email": "new@example.org", "password": PASSWORD });
    let ask = || app.post_as(&ann, "/api/v1/users/me/email", body.clone());

    // Somebody sits on the address already, or comes before the link is followed.
    register(&app, "new@example.org", THEIRS, "Mallory").await;
    app.mails().await;
    ask().await.ok(202);
    let change = app.token_for("new@example.org").await;
    register(&app, "new@example.org", CHOSEN, "Mallory").await;
    let squatted = links(&app, "new@example.org").await;
    assert_eq!(app.verify(&change).await.ok(200).body["email"], "new@example.org");

    assert_eq!(app.me(&ann).await.ok(200).body["email"], "new@example.org");
    app.log_in("new@example.org", PASSWORD).await.ok(200);
    for password in [THEIRS, CHOSEN] {
        app.log_in("new@example.org", password).await.is(401, "AUTH_INVALID_CREDENTIALS");
    }
    for link in squatted {
        assert!(!follow(&app, &link).await.status.is_success(), "{link}");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM users").await, 1);
    let events = app.events().await;
    assert!(events.contains(&"USER_DELETED/address_proved_by_another".to_owned()), "{events:?}");

    // The other way round: who proves it first has it, and the change comes too late.
    let bob = app.sign_up("bob@example.org").await;
    let body = json!({ "new_email": "free@example.org", "password": PASSWORD });
    app.post_as(&bob, "/api/v1/users/me/email", body).await.ok(202);
    let change = app.token_for("free@example.org").await;
    app.open_account("free@example.org").await;
    app.verify(&change).await.is(400, "AUTH_INVALID_VERIFICATION_TOKEN");
    assert_eq!(app.me(&bob).await.ok(200).body["email"], "bob@example.org");
}

/// An operator who disabled an account meant that its address stays out.
#[tokio::test]
async fn an_address_that_was_disabled_before_it_was_proved_goes_to_nobody() {
    let app = TestApp::with(&[UNLIMITED]).await;
    register(&app, "new@example.org", THEIRS, "Mallory").await;
    app.mails().await;
    let mut tx = app.app.store.read().await.unwrap();
    let email = "new@example.org".parse().unwrap();
    let mallory = authshield::accounts::by_email(&mut tx, &email).await.unwrap().unwrap().user.id;
    drop(tx);
    authshield::roles::set_active(&app.app, &app.ctx(), None, mallory, false).await.unwrap();
    let ann = app.sign_up("ann@example.org").await;
    let before = app.mails_to("new@example.org").await;
    let body = json!({ "new_email": "new@example.org", "password": PASSWORD });
    app.post_as(&ann, "/api/v1/users/me/email", body).await.ok(202);
    let after = app.mails_to("new@example.org").await;
    assert_eq!(after, before, "nobody writes to a disabled account");
    assert_eq!(app.me(&ann).await.ok(200).body["email"], "ann@example.org");
}
