//! Many at once, on one node and on two: what must happen once happens once.

use authshield::roles;
use futures_util::future::{join, join_all};
use onesql::Sql;
use serde_json::json;

use crate::registration::UNLIMITED;
use crate::second_factor::{enable, ticket, verify};
use crate::support::{PASSWORD, Person, Reply, TestApp};

const OTHER: &str = "seven herons under glass";
const FORGOT: &str = "/api/v1/auth/forgot-password";

/// Starts two nodes that are one service.
async fn two_nodes(settings: &[(&str, &str)]) -> [TestApp; 2] {
    let mut all = vec![UNLIMITED];
    all.extend(settings);
    let one = TestApp::with(&all).await;
    let base = one.base.clone();
    all.push(("public_url", &base));
    let other = one.second_node(&all).await;
    [one, other]
}

async fn reset(app: &TestApp, token: &str, password: &str) -> Reply {
    let body = json!({ "token": token, "new_password": password });
    app.post("/api/v1/auth/reset-password", body).await
}

async fn link_for(app: &TestApp, path: &str, email: &str) -> String {
    app.mails().await; // so that the next one is the last one
    app.post(path, json!({ "email": email })).await.ok(202);
    app.token_for(email).await
}

/// Returns how many succeeded; none of the others may be the server's fault.
#[track_caller]
fn successes(replies: &[Reply]) -> usize {
    for reply in replies {
        assert!(reply.status.as_u16() < 500, "{reply:?}");
    }
    replies.iter().filter(|reply| reply.status.is_success()).count()
}

/// ASVS: V2.3.4, V15.4.2
/// Attack: B20
#[tokio::test(flavor = "multi_thread")]
async fn of_many_registrations_at_once_one_account_comes() {
    let nodes = two_nodes(&[]).await;
    for round in 0..3 {
        let email = format!("ann{round}@example.org");
        let ask = |n: usize| nodes[n % 2].register(&email, PASSWORD);
        let replies = join_all((0..32).map(ask)).await;
        assert_eq!(successes(&replies), 32);
    }
    assert_eq!(nodes[0].count("SELECT COUNT(*) FROM users").await, 3);
    assert_eq!(nodes[0].count("SELECT COUNT(*) FROM user_roles").await, 3);
    assert_eq!(nodes[0].count("SELECT COUNT(*) FROM registrations").await, 3);
    for round in 0..3 {
        let email = format!("ann{round}@example.org");
        // So many at once may contradict each other: then the link leads to where one is chosen.
        let mails = nodes[0].mails().await;
        let links = mails.iter().filter(|mail| mail.to == [email.as_str()]);
        let links: Vec<_> = links.filter_map(|mail| mail.link("token=")).collect();
        let mut worked = 0;
        for link in &links {
            let token = link.split("token=").nth(1).unwrap();
            let reply = if link.contains("/verify-email?") {
                nodes[1].verify(token).await
            } else {
                reset(&nodes[1], token, PASSWORD).await
            };
            worked += successes(&[reply]);
        }
        assert_eq!((links.len(), worked), (32, 1), "one link of each works, once");
        nodes[0].log_in(&email, PASSWORD).await.ok(200);
    }
}

/// ASVS: V2.3.4
/// Attack: B06
#[tokio::test(flavor = "multi_thread")]
async fn a_verification_link_is_used_once_however_many_try() {
    let nodes = two_nodes(&[]).await;
    for round in 0..5 {
        let email = format!("ann{round}@example.org");
        nodes[0].register(&email, PASSWORD).await.ok(202);
        let token = nodes[0].token_for(&email).await;
        let replies = join_all((0..16).map(|n| nodes[n % 2].verify(&token))).await;
        assert_eq!(successes(&replies), 1);
    }
}

/// ASVS: V2.3.4
/// Attack: B09
#[tokio::test(flavor = "multi_thread")]
async fn a_reset_link_is_used_once_however_many_try() {
    let nodes = two_nodes(&[]).await;
    nodes[0].open_account("ann@example.org").await;
    for round in 0..4 {
        let token = link_for(&nodes[0], FORGOT, "ann@example.org").await;
        let password = |n: usize| format!("{OTHER} {round} {n}");
        let tries = (0..16).map(|n| {
            let node = &nodes[n % 2];
            let (token, password) = (token.clone(), password(n));
            async move { reset(node, &token, &password).await }
        });
        let replies = join_all(tries).await;
        assert_eq!(successes(&replies), 1);
        let winner = replies.iter().position(|reply| reply.status.is_success()).unwrap();
        nodes[1].log_in("ann@example.org", &password(winner)).await.ok(200);
    }
}

/// Two links are locked by two, and each withdraws the other's: nobody may end in a deadlock.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_links_used_at_once_one_works() {
    let nodes = two_nodes(&[]).await;
    for round in 0..6 {
        let email = format!("ann{round}@example.org");
        nodes[0].register(&email, PASSWORD).await.ok(202);
        let one = nodes[0].token_for(&email).await;
        let other = link_for(&nodes[0], "/api/v1/auth/resend-verification", &email).await;
        let tries = (0..8).map(|n| nodes[n % 2].verify(if n % 4 < 2 { &one } else { &other }));
        assert_eq!(successes(&join_all(tries).await), 1);

        let one = link_for(&nodes[0], FORGOT, &email).await;
        let other = link_for(&nodes[0], FORGOT, &email).await;
        let tries =
            (0..8).map(|n| reset(&nodes[n % 2], if n % 4 < 2 { &one } else { &other }, OTHER));
        assert_eq!(successes(&join_all(tries).await), 1);
    }
}

/// Attack: B07
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_meets_a_new_registration_proves_the_right_password() {
    let nodes = two_nodes(&[]).await;
    for round in 0..8 {
        let email = format!("ann{round}@example.org");
        nodes[0].register(&email, "mallory waits in the wings").await.ok(202);
        let old = nodes[0].token_for(&email).await;
        let (verified, registered) =
            join(nodes[0].verify(&old), nodes[1].register(&email, PASSWORD)).await;
        registered.ok(202);
        successes(std::slice::from_ref(&verified));
        // A password that came after the proof does not count; before it, the two contradict each
        // other, and none does.
        let theirs = nodes[0].log_in(&email, "mallory waits in the wings").await;
        let own = nodes[0].log_in(&email, PASSWORD).await;
        if verified.status.is_success() {
            assert_eq!((theirs.status.as_u16(), own.status.as_u16()), (200, 403));
        } else {
            assert_eq!((theirs.status.as_u16(), own.status.as_u16()), (401, 403));
        }
    }
}

/// Attack: B18
#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_want_one_address_one_gets_it() {
    let nodes = two_nodes(&[]).await;
    for round in 0..5 {
        let wanted = format!("wanted{round}@example.org");
        let mut people = Vec::new();
        for name in ["ann", "bob"] {
            let person = nodes[0].sign_up(&format!("{name}{round}@example.org")).await;
            let body = json!({ "new_email": wanted, "password": PASSWORD });
            nodes[0].post_as(&person, "/api/v1/users/me/email", body).await.ok(202);
            people.push((person, nodes[0].token_for(&wanted).await));
        }
        let (one, other) = join(nodes[0].verify(&people[0].1), nodes[1].verify(&people[1].1)).await;
        assert_eq!(successes(&[one, other]), 1);
        let mut holders = 0;
        for (person, _) in &people {
            holders += usize::from(nodes[0].me(person).await.ok(200).body["email"] == wanted);
        }
        assert_eq!(holders, 1);
        // A stranger who registers it at the same moment gets nothing either.
        nodes[1].register(&wanted, OTHER).await.ok(202);
        nodes[1].log_in(&wanted, OTHER).await.is(403, "AUTH_EMAIL_NOT_VERIFIED");
        nodes[1].log_in(&wanted, PASSWORD).await.ok(200);
    }
}

/// Attack: B18
#[tokio::test(flavor = "multi_thread")]
async fn no_newcomer_keeps_an_address_from_who_proves_it() {
    let nodes = two_nodes(&[]).await;
    for round in 0..8 {
        let wanted = format!("wanted{round}@example.org");
        let ann = nodes[0].sign_up(&format!("ann{round}@example.org")).await;
        let body = json!({ "new_email": wanted, "password": PASSWORD });
        nodes[0].post_as(&ann, "/api/v1/users/me/email", body).await.ok(202);
        let token = nodes[0].token_for(&wanted).await;
        let newcomers = join_all((0..4).map(|n| nodes[n % 2].register(&wanted, OTHER)));
        let (proved, newcomers) = join(nodes[1].verify(&token), newcomers).await;
        proved.ok(200);
        assert_eq!(successes(&newcomers), 4);
        assert_eq!(nodes[0].me(&ann).await.ok(200).body["email"], wanted);
        nodes[1].log_in(&wanted, PASSWORD).await.ok(200);
    }
}

/// ASVS: V7.4.3, V15.4.1, V15.4.2
/// Attack: B02
#[tokio::test(flavor = "multi_thread")]
async fn no_session_survives_a_reset_that_it_was_opened_beside() {
    let nodes = two_nodes(&[]).await;
    nodes[0].open_account("ann@example.org").await;
    let (mut before, mut after) = (PASSWORD.to_owned(), OTHER.to_owned());
    for _ in 0..8 {
        let token = link_for(&nodes[0], FORGOT, "ann@example.org").await;
        let logins = join_all((0..6).map(|n| nodes[n % 2].log_in("ann@example.org", &before)));
        let (logins, done) = join(logins, reset(&nodes[1], &token, &after)).await;
        done.ok(204);
        successes(&logins);
        for reply in logins.iter().filter(|reply| reply.status.is_success()) {
            let thief = Person::from_pair(&reply.body);
            nodes[0].me(&thief).await.is(401, "AUTH_TOKEN_REVOKED");
            nodes[1].refresh(&thief.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
        }
        std::mem::swap(&mut before, &mut after);
    }
    let apart = "SELECT COUNT(*) - (SELECT CAST(SUM(sign_ins) AS BIGINT) FROM known_devices)
                 FROM sessions";
    assert_eq!(
        nodes[0].count(apart).await,
        0,
        "devices of sessions that opened were noted, and no others"
    );
}

/// Does as somebody who comes in between: `PostgreSQL` wants each as a statement of its own.
async fn arrange(app: &TestApp, all: &[Sql]) {
    let mut tx = app.app.store.write().await.unwrap();
    for sql in all {
        tx.query(*sql).execute().await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// What is read before the hash is relied on until the commit, and no further. The counting of a password that may be
/// wrong comes between the two.
#[tokio::test]
async fn what_changes_while_a_password_is_compared_is_read_anew() {
    let app = TestApp::with(&[]).await;
    let ann = app.sign_up("ann@example.org").await;
    let known = "SELECT CAST(SUM(sign_ins) AS BIGINT) FROM known_devices";
    assert_eq!(app.count(known).await, 1);
    enable(&app, &ann).await;
    let asked = "SELECT COUNT(*) FROM audit_events WHERE code = 'SECOND_FACTOR_ASKED'";
    ticket(&app, "ann@example.org", PASSWORD).await;
    assert_eq!(app.count(asked).await, 1);

    // The second factor is taken away: nobody is asked for it, and nothing of that they were lasts.
    let take_away = [
        Sql {
            sqlite:
                "CREATE TRIGGER meanwhile AFTER UPDATE ON password_failures WHEN NEW.failures > 0
                     BEGIN UPDATE users SET second_factor_at = NULL; END",
            postgres: "CREATE FUNCTION meanwhile() RETURNS trigger LANGUAGE plpgsql AS
                       'BEGIN UPDATE users SET second_factor_at = NULL; RETURN NEW; END'",
        },
        Sql {
            sqlite: "SELECT 1",
            postgres: "CREATE TRIGGER meanwhile AFTER UPDATE ON password_failures FOR EACH ROW
                       WHEN (NEW.failures > 0) EXECUTE FUNCTION meanwhile()",
        },
    ];
    arrange(&app, &take_away).await;
    app.log_in("ann@example.org", PASSWORD).await.ok(200);
    assert_eq!(app.count(asked).await, 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM pending_sign_ins").await, 1);
    assert_eq!(app.count(known).await, 2);

    // The device is forgotten, as by an owner who says that it was somebody else: it is a new one.
    let forget = [
        Sql { sqlite: "DROP TRIGGER meanwhile", postgres: "SELECT 1" },
        Sql {
            sqlite:
                "CREATE TRIGGER meanwhile AFTER UPDATE ON password_failures WHEN NEW.failures > 0
                     BEGIN DELETE FROM known_devices; END",
            postgres: "CREATE OR REPLACE FUNCTION meanwhile() RETURNS trigger LANGUAGE plpgsql AS
                       'BEGIN DELETE FROM known_devices; RETURN NEW; END'",
        },
    ];
    arrange(&app, &forget).await;
    app.log_in("ann@example.org", PASSWORD).await.ok(200);
    assert_eq!(app.count(known).await, 1);
}

/// The same where a code is shown: the device is forgotten after the ticket's try was counted.
#[tokio::test]
async fn a_device_that_is_forgotten_while_a_code_is_looked_at_is_new() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    let (phone, _) = enable(&app, &ann).await;
    let waiting = ticket(&app, "ann@example.org", PASSWORD).await;
    let forget = [
        Sql {
            sqlite: "CREATE TRIGGER meanwhile AFTER UPDATE OF last_step ON totp_secrets
                     BEGIN DELETE FROM known_devices; END",
            postgres: "CREATE FUNCTION meanwhile() RETURNS trigger LANGUAGE plpgsql AS
                       'BEGIN DELETE FROM known_devices; RETURN NEW; END'",
        },
        Sql {
            sqlite: "SELECT 1",
            postgres: "CREATE TRIGGER meanwhile AFTER UPDATE OF tries ON pending_sign_ins
                       FOR EACH ROW EXECUTE FUNCTION meanwhile()",
        },
    ];
    arrange(&app, &forget).await;
    verify(&app, &waiting, &phone.code(&app)).await.ok(200);
    verify(&app, &waiting, &phone.code(&app)).await.is(401, "AUTH_2FA_INVALID");
    let known = "SELECT CAST(SUM(sign_ins) AS BIGINT) FROM known_devices";
    assert_eq!(app.count(known).await, 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL").await, 2);
    assert_eq!(app.count("SELECT tries FROM pending_sign_ins").await, 1);
}

/// Attack: B04
#[tokio::test(flavor = "multi_thread")]
async fn no_pending_address_survives_a_reset_that_it_was_asked_for_beside() {
    let nodes = two_nodes(&[]).await;
    nodes[0].open_account("ann@example.org").await;
    let (mut before, mut after) = (PASSWORD.to_owned(), OTHER.to_owned());
    for round in 0..8 {
        let pair = nodes[0].log_in("ann@example.org", &before).await;
        let thief = Person::from_pair(&pair.ok(200).body);
        let token = link_for(&nodes[0], FORGOT, "ann@example.org").await;
        let new = format!("thief{round}@example.org");
        let body = json!({ "new_email": new, "password": before });
        let asked = nodes[0].post_as(&thief, "/api/v1/users/me/email", body);
        let (asked, done) = join(asked, reset(&nodes[1], &token, &after)).await;
        done.ok(204);
        successes(&[asked]);
        if nodes[0].mails_to(&new).await > 0 {
            let link = nodes[0].token_for(&new).await;
            nodes[1].verify(&link).await.is(400, "AUTH_INVALID_VERIFICATION_TOKEN");
        }
        std::mem::swap(&mut before, &mut after);
    }
}

/// ASVS: V2.3.4, V10.4.5
/// Attack: D01
#[tokio::test(flavor = "multi_thread")]
async fn one_refresh_token_used_by_many_leaves_one_chain() {
    let nodes = two_nodes(&[]).await;
    nodes[0].open_account("ann@example.org").await;
    for _ in 0..6 {
        let ann = nodes[0].sign_in("ann@example.org").await;
        let replies = join_all((0..32).map(|n| nodes[n % 2].refresh(&ann.refresh))).await;
        assert_eq!(successes(&replies), 32, "within the leeway all are answered");
        let mut children: Vec<_> =
            replies.iter().map(|reply| reply.body["refresh_token"].to_string()).collect();
        children.sort();
        children.dedup();
        assert_eq!(children.len(), 1, "all get the same successor");
        let child = Person::from_pair(&replies[0].body);
        let next = nodes[1].refresh(&child.refresh).await;
        let next = Person::from_pair(&next.ok(200).body);
        nodes[0].me(&next).await.ok(200);
        let unused = "SELECT COUNT(*) FROM refresh_tokens AS t JOIN sessions AS s
                      ON s.id = t.session_id WHERE t.used_at IS NULL AND s.ended_at IS NULL";
        assert_eq!(nodes[0].count(unused).await, 1);
        nodes[0].post_as(&next, "/api/v1/auth/logout-all", json!({})).await.ok(204);
    }
}

/// ASVS: V2.3.4, V10.4.5
/// Attack: D01
#[tokio::test(flavor = "multi_thread")]
async fn without_leeway_one_refresh_token_used_by_many_ends_the_session() {
    let nodes = two_nodes(&[("refresh.retry_leeway", "0s")]).await;
    nodes[0].open_account("ann@example.org").await;
    for _ in 0..6 {
        let ann = nodes[0].sign_in("ann@example.org").await;
        let replies = join_all((0..16).map(|n| nodes[n % 2].refresh(&ann.refresh))).await;
        assert!(successes(&replies) <= 1);
        for reply in replies.iter().filter(|reply| reply.status.is_success()) {
            let child = Person::from_pair(&reply.body);
            nodes[0].refresh(&child.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
            nodes[1].me(&child).await.is(401, "AUTH_TOKEN_REVOKED");
        }
        nodes[0].me(&ann).await.is(401, "AUTH_TOKEN_REVOKED");
    }
}

/// ASVS: V7.4.1
#[tokio::test(flavor = "multi_thread")]
async fn nothing_survives_a_sign_out_that_meets_a_refresh() {
    let nodes = two_nodes(&[]).await;
    nodes[0].open_account("ann@example.org").await;
    for round in 0..10 {
        let ann = nodes[0].sign_in("ann@example.org").await;
        let path = ["/api/v1/auth/logout", "/api/v1/auth/logout-all"][round % 2];
        let out = nodes[0].post_as(&ann, path, json!({}));
        let (out, fresh) = join(out, nodes[1].refresh(&ann.refresh)).await;
        out.ok(204);
        successes(std::slice::from_ref(&fresh));
        if fresh.status.is_success() {
            let fresh = Person::from_pair(&fresh.body);
            nodes[1].me(&fresh).await.is(401, "AUTH_TOKEN_REVOKED");
            nodes[0].refresh(&fresh.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
        }
    }
}

/// Attack: B10, B18
#[tokio::test(flavor = "multi_thread")]
async fn no_reset_link_to_an_old_address_survives_its_change() {
    let nodes = two_nodes(&[]).await;
    for round in 0..8 {
        let (old, new) = (format!("old{round}@example.org"), format!("new{round}@example.org"));
        let ann = nodes[0].sign_up(&old).await;
        let body = json!({ "new_email": new, "password": PASSWORD });
        nodes[0].post_as(&ann, "/api/v1/users/me/email", body).await.ok(202);
        let change = nodes[0].token_for(&new).await;
        let forgot = nodes[1].post(FORGOT, json!({ "email": old }));
        let (changed, asked) = join(nodes[0].verify(&change), forgot).await;
        changed.ok(200);
        asked.ok(202);
        let mails = nodes[0].mails().await;
        let links = mails.iter().filter(|mail| mail.to == [old.as_str()]);
        for link in links.filter_map(|mail| mail.link("/reset-password?token=")) {
            let token = link.split("token=").nth(1).unwrap();
            reset(&nodes[1], token, OTHER).await.is(400, "AUTH_INVALID_RESET_TOKEN");
        }
        nodes[0].log_in(&new, PASSWORD).await.ok(200);
    }
}

/// ASVS: V7.4.1
#[tokio::test(flavor = "multi_thread")]
async fn many_who_sign_out_everywhere_at_once_all_succeed() {
    let nodes = two_nodes(&[]).await;
    nodes[0].open_account("ann@example.org").await;
    for _ in 0..3 {
        let sessions = join_all((0..12).map(|n| nodes[n % 2].sign_in("ann@example.org"))).await;
        // In another order than they were opened, so that rows lie as they do after a while.
        for person in sessions.iter().rev().step_by(2) {
            nodes[0].refresh(&person.refresh).await.ok(200);
        }
        let out = sessions
            .iter()
            .enumerate()
            .map(|(n, person)| nodes[n % 2].post_as(person, "/api/v1/auth/logout-all", json!({})));
        let replies = join_all(out).await;
        assert!(successes(&replies) >= 1);
        for person in &sessions {
            nodes[1].me(person).await.is(401, "AUTH_TOKEN_REVOKED");
        }
    }
}

/// ASVS: V15.4.1
#[tokio::test(flavor = "multi_thread")]
async fn name_and_language_that_change_at_once_both_change() {
    let nodes = two_nodes(&[]).await;
    let ann = nodes[0].sign_up("ann@example.org").await;
    let path = "/api/v1/users/me";
    for round in 0..10 {
        let (name, locale) = (format!("Ann {round}"), ["de", "fr"][round % 2]);
        let (one, other) = join(
            nodes[0].patch_as(&ann, path, json!({ "full_name": name })),
            nodes[1].patch_as(&ann, path, json!({ "locale": locale })),
        )
        .await;
        assert_eq!(successes(&[one, other]), 2);
        let me = nodes[0].me(&ann).await;
        assert_eq!(
            (&me.ok(200).body["full_name"], &me.body["locale"]),
            (&json!(name), &json!(locale))
        );
    }
}

/// ASVS: V15.4.1
#[tokio::test(flavor = "multi_thread")]
async fn roles_that_are_given_at_once_are_all_given() {
    let nodes = two_nodes(&[]).await;
    let ann = nodes[0].sign_up("ann@example.org").await;
    let id = ann.id.parse().unwrap();
    for name in ["cook", "driver", "gardener", "pilot"] {
        let mut tx = nodes[0].app.store.write().await.unwrap();
        roles::create(&mut tx, name, "", nodes[0].ctx().now).await.unwrap();
        tx.commit().await.unwrap();
    }
    let (one, other) = (&nodes[0], &nodes[1]);
    let given = [(one, "cook"), (other, "driver"), (one, "gardener"), (other, "pilot")];
    let given = given.map(|(node, role)| async {
        let ctx = node.ctx();
        Box::pin(roles::grant(&node.app, &ctx, id, role.to_owned())).await
    });
    assert!(join_all(given).await.iter().all(Result::is_ok));
    let all = json!(["cook", "driver", "gardener", "pilot", "user"]);
    assert_eq!(one.me(&ann).await.ok(200).body["roles"], all);
    let (on_one, on_other) = (one.ctx(), other.ctx());
    let (cook, pilot) = join(
        roles::revoke(&one.app, &on_one, id, "cook"),
        roles::revoke(&other.app, &on_other, id, "pilot"),
    )
    .await;
    assert!(cook.is_ok() && pilot.is_ok());
    assert_eq!(other.me(&ann).await.ok(200).body["roles"], json!(["driver", "gardener", "user"]));
}

/// Whatever else happens to the account at that instant: it is gone, and nobody fell over it.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_deleted_meanwhile_is_nobodys_fault() {
    let nodes = two_nodes(&[]).await;
    for round in 0..6 {
        let email = format!("ann{round}@example.org");
        let ann = nodes[0].sign_up(&email).await;
        let others = join_all((0..4).map(|n| nodes[n % 2].sign_in(&email))).await;
        let (one, other) = (&nodes[0], &nodes[1]);
        let id = ann.id.parse().unwrap();
        let ctx = one.ctx();
        let (gone, refreshed, (asked, signed_in), (renamed, again)) = tokio::join!(
            roles::delete_user(&one.app, &ctx, id),
            join_all(others.iter().map(|person| other.refresh(&person.refresh))),
            join(other.post(FORGOT, json!({ "email": email })), other.log_in(&email, PASSWORD)),
            join(
                other.patch_as(&ann, "/api/v1/users/me", json!({ "full_name": "Ann" })),
                one.register(&email, OTHER),
            ),
        );
        gone.unwrap();
        successes(&refreshed);
        successes(&[asked, signed_in, renamed, again]);
        for person in others.iter().chain([&ann]) {
            one.me(person).await.is(401, "AUTH_TOKEN_REVOKED");
        }
    }
}
