//! Services that verify tokens by themselves hear of what was revoked.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use authshield::chores;
use authshield::kernel::UserId;
use authshield::revocations::{self, look};
use authshield::roles;
use authshield::world::World;
use authshield_verify::{
    CheckError, FeedError, Follow, Guard, RemoteKeys, Rules, Standing, VerifyError,
};
use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::support::{
    PASSWORD, Person, Program, Script, Server, SmtpServer, TestApp, claims, on_postgres, text,
    token_from, wait_until,
};

/// The clock of the services in the story; there is one story.
static CLOCK: AtomicI64 = AtomicI64::new(0);

/// A service behind one node.
fn service(app: &TestApp) -> Guard {
    let rules = Rules::new(app.app.issuer(), app.app.config.token.audience.clone());
    let keys = RemoteKeys::of_issuer(&app.base).unwrap();
    let feed = format!("{}/api/v1/revocations", app.base);
    // It asks when the story says so.
    let follow = Follow::default().at(feed).every(Duration::from_hours(24));
    let guard = Guard::with_keys(rules, keys).clock(|| CLOCK.load(Ordering::SeqCst));
    guard.following(follow).unwrap()
}

/// Two nodes and a service behind each.
struct Scene {
    one: TestApp,
    other: TestApp,
    guards: [Guard; 2],
}

impl Scene {
    /// Both nodes look, both services ask.
    async fn pass(&self) {
        self.one.advance(Duration::from_secs(1));
        CLOCK.store(self.one.world.now().as_second(), Ordering::SeqCst);
        for (node, guard) in [&self.one, &self.other].into_iter().zip(&self.guards) {
            look(&node.app).await.unwrap();
            guard.revocations().unwrap().refresh().await.unwrap();
        }
    }

    /// Whether both services let somebody in; they must agree.
    async fn is_in(&self, who: &Person) -> bool {
        let mut verdicts = Vec::new();
        for guard in &self.guards {
            verdicts.push(match guard.check(&who.access).await {
                Ok(_) => true,
                Err(CheckError::Refused(VerifyError::Revoked)) => false,
                Err(error) => panic!("{error:?}"),
            });
        }
        assert_eq!(verdicts[0], verdicts[1]);
        verdicts[0]
    }

    /// Fails unless exactly `out` of `all` are refused behind the next look.
    async fn only_out(&self, what: &str, out: &[&Person], stay: &[&Person]) {
        self.pass().await;
        for who in out {
            assert!(!self.is_in(who).await, "{what}: {} is still let in", who.email);
        }
        for who in stay {
            assert!(self.is_in(who).await, "{what}: {} is refused", who.email);
        }
    }
}

/// ASVS: V7.4.1, V7.4.2, V7.4.3
///
/// Everything that makes the next request fail at the service itself reaches those behind it, whichever node
/// they ask, and nothing else does.
#[tokio::test]
async fn what_ends_is_refused_by_services_that_ask_nobody() {
    let one = TestApp::with(&[("rate_limit.enabled", "false")]).await;
    let other = one.second_node(&[("rate_limit.enabled", "false")]).await;
    one.get("/api/v1/revocations").await.is(503, "SERVICE_UNAVAILABLE");
    let guards = [service(&one), service(&other)];
    let scene = Scene { one, other, guards };
    let Scene { one, other, .. } = &scene;
    scene.pass().await;

    let root = one.sign_up_admin("root@example.org").await;
    let ann = one.sign_up("ann@example.org").await;
    let bob = one.sign_up("bob@example.org").await;
    let path = |who: &Person, rest: &str| format!("/api/v1/admin/users/{}/{rest}", who.id);
    let root = Person { access: one.sign_in("root@example.org").await.access, ..root };
    scene.only_out("a sign-in", &[], &[&root, &ann, &bob]).await;

    one.post_as(&ann, "/api/v1/auth/logout", json!({})).await.ok(204);
    scene.only_out("sign-out", &[&ann], &[&bob]).await;

    let (first, second) = (one.sign_in(&ann.email).await, other.sign_in(&ann.email).await);
    other.post_as(&first, "/api/v1/auth/logout-all", json!({})).await.ok(204);
    scene.only_out("sign-out everywhere", &[&first, &second], &[&bob]).await;

    let (first, second) = (one.sign_in(&ann.email).await, one.sign_in(&ann.email).await);
    let list = one.get_as(&first, "/api/v1/sessions").await;
    let not_own = |item: &&Value| item["is_current"] == false;
    let own = list.body["items"].as_array().unwrap().iter().find(not_own).unwrap();
    let ended = format!("/api/v1/sessions/{}", own["id"].as_str().unwrap());
    other.delete_as(&first, &ended).await.ok(204);
    scene.only_out("one session", &[&second], &[&first, &bob]).await;

    other.delete_as(&root, &path(&ann, "sessions")).await.ok(204);
    scene.only_out("an administrator", &[&first], &[&root, &bob]).await;

    // A change of roles: what says something else is refused, and refreshed.
    let ann = one.sign_in(&ann.email).await;
    let body = json!({ "roles": ["moderator", "user"] });
    one.patch_as(&root, &path(&ann, "roles"), body).await.ok(200);
    scene.only_out("roles", &[&ann], &[&root, &bob]).await;
    let again = other.refresh(&ann.refresh).await;
    let ann = Person::from_pair(&again.ok(200).body);
    scene.only_out("roles that were refreshed", &[], &[&ann]).await;
    assert!(scene.guards[0].check(&ann.access).await.unwrap().has_role("moderator"));

    // A password that is changed, and one that is reset.
    let elsewhere = one.sign_in(&ann.email).await;
    let body = json!({ "current_password": PASSWORD, "new_password": "another tidal lantern 7" });
    one.post_as(&ann, "/api/v1/auth/change-password", body).await.ok(204);
    scene.only_out("a new password", &[&elsewhere], &[&ann, &bob]).await;
    // The mail about it goes first, so that the last one has the link.
    one.mails().await;
    one.post("/api/v1/auth/forgot-password", json!({ "email": ann.email })).await.ok(202);
    let body = json!({ "token": one.token_for(&ann.email).await, "new_password": PASSWORD });
    other.post("/api/v1/auth/reset-password", body).await.ok(204);
    scene.only_out("a reset", &[&ann], &[&bob]).await;

    // A refresh token that comes twice.
    let ann = one.sign_in(&ann.email).await;
    let next = Person::from_pair(&one.refresh(&ann.refresh).await.ok(200).body);
    one.refresh(&next.refresh).await.ok(200);
    one.advance(Duration::from_mins(1));
    other.refresh(&ann.refresh).await.is(401, "AUTH_REFRESH_TOKEN_REUSED");
    scene.only_out("a stolen refresh token", &[&ann, &next], &[&bob]).await;

    // An account that is disabled, and one that is deleted.
    let ann = one.sign_in(&ann.email).await;
    let id: UserId = ann.id.parse().unwrap();
    roles::set_active(&one.app, &one.ctx(), None, id, false).await.unwrap();
    scene.only_out("disabled", &[&ann], &[&bob]).await;
    roles::delete_user(&other.app, &other.ctx(), bob.id.parse().unwrap()).await.unwrap();
    scene.only_out("deleted", &[&bob], &[&root]).await;

    what_a_page_is(&scene, &[&ann, &bob, &root]).await;
    late_commits_are_not_missed(&scene).await;
    an_old_feed_lets_nobody_in(&scene, &root).await;
    what_is_old_is_forgotten(&scene).await;
    a_restore_ends_everything(&scene).await;
}

/// Cacheable, and about nobody.
async fn what_a_page_is(scene: &Scene, people: &[&Person]) {
    let Scene { one, .. } = scene;
    let page = one.get("/api/v1/revocations").await;
    assert_eq!(page.ok(200).header("content-type"), "application/jwt");
    assert_eq!(page.header("cache-control"), "public, max-age=1");
    let said = claims(&page.text);
    assert_eq!((&said["more"], &said["max_staleness"]), (&false.into(), &10.into()));
    assert!(said["ended"].as_array().unwrap().len() >= 9, "{said}");
    for who in people {
        let sid = claims(&who.access)["sid"].as_str().unwrap().to_owned();
        assert!(!said.to_string().contains(&who.id) && !said.to_string().contains(&sid));
    }
    let tag = page.header("etag").to_owned();
    let again = one.request(Method::GET, "/api/v1/revocations").header(header::IF_NONE_MATCH, tag);
    one.send(again).await.ok(304);
    let next = format!("/api/v1/revocations?after={}", said["next"].as_str().unwrap());
    assert_eq!(claims(&one.get(&next).await.text)["ended"], json!([]));
    for wrong in ["", "7", "1.-1", "x.y"] {
        let path = format!("/api/v1/revocations?after={wrong}");
        one.get(&path).await.is(422, "VALIDATION_FAILED");
    }
    // Looking again and again writes nothing.
    let places = "SELECT seq FROM revocation_feed";
    let before = one.count(places).await;
    scene.pass().await;
    assert_eq!(one.count(places).await, before);
}

/// A transaction that was begun first and commits last is behind nobody's cursor. SQLite has one writer.
async fn late_commits_are_not_missed(scene: &Scene) {
    let Scene { one, other, .. } = scene;
    if !on_postgres() {
        return;
    }
    let (cat, dan) = (one.sign_up("cat@example.org").await, one.sign_up("dan@example.org").await);
    let sid = claims(&cat.access)["sid"].as_str().unwrap().parse().unwrap();
    let mut late = other.app.store.write().await.unwrap();
    revocations::session_ended(&mut late, sid).await.unwrap();
    one.post_as(&dan, "/api/v1/auth/logout", json!({})).await.ok(204);
    scene.only_out("a transaction that commits at once", &[&dan], &[&cat]).await;
    late.commit().await.unwrap();
    scene.only_out("a transaction that commits late", &[&cat], &[]).await;
}

/// While the database is not looked at, or the clock is off, nobody is accepted and somebody is told.
async fn an_old_feed_lets_nobody_in(scene: &Scene, root: &Person) {
    let Scene { one, guards, .. } = scene;
    assert!(scene.is_in(root).await);
    let feed = guards[0].revocations().unwrap();
    let Standing { as_of, .. } = feed.standing();
    assert_eq!(as_of, Some(CLOCK.load(Ordering::SeqCst)));
    one.advance(Duration::from_secs(11));
    one.get("/api/v1/revocations").await.is(503, "SERVICE_UNAVAILABLE");
    CLOCK.fetch_add(11, Ordering::SeqCst);
    assert!(matches!(feed.refresh().await, Err(FeedError::Status(503))));
    let stale = guards[0].check(&root.access).await;
    assert!(matches!(stale, Err(CheckError::Stale(FeedError::Old { age: 11, bound: 10 }))));
    scene.pass().await;
    assert!(scene.is_in(root).await);
}

/// What no living token can be about has no row, and is on no page.
async fn what_is_old_is_forgotten(scene: &Scene) {
    let Scene { one, .. } = scene;
    one.advance(Duration::from_secs(900 + 180 + 1));
    chores::purge(&one.app, one.world.now()).await.unwrap();
    assert_eq!(one.count("SELECT COUNT(*) FROM revocations").await, 0);
    scene.pass().await;
    let said = claims(&one.get("/api/v1/revocations").await.text);
    assert_eq!((&said["ended"], &said["below"]), (&json!([]), &json!({})));
    assert_eq!(scene.guards[0].revocations().unwrap().standing().entries, 0);
}

/// After a restore, tokens of before are dead although nobody knows their sessions.
async fn a_restore_ends_everything(scene: &Scene) {
    let Scene { one, .. } = scene;
    let eve = one.sign_up("eve@example.org").await;
    scene.only_out("nothing", &[], &[&eve]).await;
    let mut tx = one.app.store.write().await.unwrap();
    let raise = "UPDATE installation SET token_epoch = token_epoch + 1";
    tx.query(raise).execute().await.unwrap();
    tx.commit().await.unwrap();
    scene.only_out("a restore", &[&eve], &[]).await;
}

/// A service with the real clock that asks one of the servers.
fn following(asked: &Server) -> Guard {
    // The `public_url` of every node.
    let rules = Rules::new("http://127.0.0.1:8080", "http://127.0.0.1:8080");
    let keys = RemoteKeys::of_issuer(&asked.client.base).unwrap();
    let feed = format!("{}/api/v1/revocations", asked.client.base);
    Guard::with_keys(rules, keys).following(Follow::default().at(feed)).unwrap()
}

async fn is_refused(guard: &Guard, token: &str) -> bool {
    matches!(guard.check(token).await, Err(CheckError::Refused(VerifyError::Revoked)))
}

/// ASVS: V7.4.2
///
/// A node that is killed right behind its answer takes nothing with it: another one tells, and itself does
/// when it is back.
#[tokio::test]
async fn what_ended_before_a_kill_is_told_by_the_other_node() {
    const SOON: Duration = Duration::from_secs(30);
    let relay = SmtpServer::start(Script::default()).await;
    let program = Program::new().await.unlimited().mailing(&relay);
    let (one, other) = (program.serve().await, program.another().serve().await);
    one.client.register("ann@example.net").await.unwrap().ok(202);
    let link = token_from(&relay, "ann@example.net", "verify-email").await;
    one.client.verify(&link).await.unwrap().ok(200);
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let pair = one.client.log_in("ann@example.net", PASSWORD).await.unwrap();
        tokens.push(text(pair.ok(200), "access_token"));
    }
    let guards = [following(&one), following(&other)];
    for guard in &guards {
        wait_until("the feed is known", SOON, async || guard.check(&tokens[0]).await.ok()).await;
    }

    one.client.log_out(&tokens[0]).await.unwrap().ok(204);
    one.kill().await;
    let told = async || is_refused(&guards[1], &tokens[0]).await.then_some(());
    wait_until("the other node tells", SOON, told).await;
    guards[1].check(&tokens[1]).await.unwrap();

    // It comes back, and so does the service behind it, which knows of what it missed.
    other.client.log_out(&tokens[1]).await.unwrap().ok(204);
    let one = program.serve().await;
    let told = async || is_refused(&guards[0], &tokens[1]).await.then_some(());
    wait_until("the node that was killed tells", SOON, told).await;
    assert!(is_refused(&guards[0], &tokens[0]).await);
    let began = Instant::now();
    let fresh = following(&one);
    fresh.revocations().unwrap().refresh().await.unwrap();
    assert!(is_refused(&fresh, &tokens[0]).await && is_refused(&fresh, &tokens[1]).await);
    fresh.check(&tokens[2]).await.unwrap();
    assert!(began.elapsed() < SOON);
}
