//! WEB: the public address, with a proxy of our own in front of the running program.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Gate, Watched};
use crate::support::detection::Fault;
use crate::support::dns_server::DnsServer;
use crate::support::front::{Front, HOP, Manner, NAME, announcement};
use crate::support::{Program, Script, SmtpServer, wait_until};

const ONLY: [&str; 2] = ["--only", "WEB-1,WEB-2,WEB-3,WEB-4"];

/// What operators outside know.
const TOKEN: &str = "4d1c5bd7b5f0f4b8d2a9c3e6f1a2b3c4";

/// What is around the program.
struct Surroundings {
    front: Front,
    _dns: DnsServer,
    _relay: SmtpServer,
}

/// A program that is set up for production, behind a proxy whose certificate lasts `days`.
async fn behind(days: u32) -> (Surroundings, Program) {
    let relay = SmtpServer::start(Script::default()).await;
    let dns = DnsServer::start().await;
    dns.address(NAME, "127.0.0.1");
    let program = Program::production(&relay).await;
    let front = Front::before(program.port, days).await;
    let program = program
        .set("checks.policy", "DB-5=warn,SMTP-*=ignore,DNS-*=ignore")
        .set("public_url", &front.url())
        .set("operator_token", TOKEN)
        .set("dns.resolvers", &dns.address.to_string())
        .variable("SSL_CERT_FILE", front.authority.to_str().unwrap());
    (Surroundings { front, _dns: dns, _relay: relay }, program)
}

/// The same, set up.
async fn installed(days: u32) -> (Surroundings, Program) {
    let (around, program) = behind(days).await;
    program.run(&["init"]).await.ok();
    (around, program)
}

#[tokio::test]
async fn behind_a_proxy_that_is_in_order_all_is_well() {
    let (around, program) = behind(90).await;
    let program = program.set("trusted_proxies", HOP);
    // Nobody listens yet, and there is no database: the gate listens by itself.
    let gate = Gate::of(&program, &ONLY).await;
    gate.ends(0)
        .has("WEB-1", "pass", &["ends at"])
        .has("WEB-2", "pass", &["leads here", "x-forwarded-for: 127.0.0.1"])
        .has("WEB-3", "pass", &["behind a proxy, the client is 127.0.0.1"])
        .has("WEB-4", "skip", &["no service yet"]);

    program.run(&["init"]).await.ok();
    let watched = Watched::serve(program).await;
    for id in ["WEB-1", "WEB-2", "WEB-3", "WEB-4"] {
        watched.until(id, 0).await;
    }
    // Now the service itself is asked.
    let gate = Gate::of(&watched.program, &ONLY).await;
    gate.ends(0).has("WEB-2", "pass", &["leads to installation"]).has("WEB-3", "pass", &[]).has(
        "WEB-4",
        "pass",
        &["keys published: 1"],
    );
    // Strangers are told what they are told about any path.
    let client = &watched.server.client;
    for target in ["/api/v1/health/probe", "/api/v1/health/probe?nonce=a&at=1&mac=b"] {
        client.get(target).await.unwrap().is(404, "ROUTE_NOT_FOUND");
    }
    drop(around);
}

/// Operations 9, row 25
#[tokio::test]
async fn a_proxy_that_is_not_trusted_closes_the_gate_and_refuses_the_start() {
    let (_around, program) = installed(90).await;
    let fault = Fault::injected(25, "trusted_proxies without the proxy: the gate");
    let gate = Gate::of(&program, &ONLY).await;
    let words = [HOP, "AUTHSHIELD_TRUSTED_PROXIES=127.0.0.2", "every client has the address"];
    gate.ends(1).has("WEB-3", "fail", &words).has("WEB-2", "pass", &[]);
    fault.found_by("preflight");

    let fault = Fault::injected(25, "trusted_proxies without the proxy: the start");
    let mut server = program.launch();
    assert!(!server.ended(Duration::from_secs(30)).await.success());
    fault.found_by("serve");
    let said = server.stderr();
    for words in ["WEB-3", HOP, "AUTHSHIELD_TRUSTED_PROXIES"] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
}

/// Operations 9, row 25
#[tokio::test]
async fn a_proxy_that_hands_on_what_clients_make_up_is_found() {
    let (around, program) = installed(90).await;
    let program = program.set("trusted_proxies", HOP);
    around.front.behave(Manner::PassesOn);
    let gate = Gate::of(&program, &ONLY).await;
    gate.ends(1).has("WEB-3", "fail", &["X-Forwarded-For", "is believed to be 192.0.2."]);
    let mut server = program.launch();
    assert!(!server.ended(Duration::from_secs(30)).await.success());
    assert!(server.stderr().contains("WEB-3"), "{}", server.stderr());

    around.front.behave(Manner::Appends);
    let watched = Watched::serve(program).await;
    watched.until("WEB-3", 0).await;
    let fault = Fault::injected(25, "the proxy begins to hand on made-up addresses");
    around.front.behave(Manner::PassesOn);
    watched.until("WEB-3", 2).await;
    fault.found_by("WEB-3");
    watched.until_events(&["CHECK_FAILED/WEB-3"]).await;
    let degraded = async || {
        let reply = watched.server.client.get("/api/v1/health").await?;
        (reply.ok(200).body["status"] == "degraded").then_some(())
    };
    wait_until("health says so", Duration::from_secs(20), degraded).await;
    let outside = outside(&watched.program, &around.front).await;
    outside.ends(1).has("WEB-3", "fail", &["is believed"]);

    around.front.behave(Manner::Appends);
    watched.until("WEB-3", 0).await;
    let fault = Fault::injected(25, "the proxy no longer says whom it hears from");
    around.front.behave(Manner::Silent);
    watched.until("WEB-3", 2).await;
    fault.found_by("WEB-3");
    around.front.behave(Manner::Appends);
    watched.until("WEB-3", 0).await;
}

/// Attack: A02
#[tokio::test]
async fn a_proxy_that_announces_its_clients_is_believed_and_must_and_nobody_else_is() {
    let (around, program) = installed(90).await;
    let program = program.set("proxy_protocol", "v2");
    let wrong = program.run(&["config", "check"]).await;
    assert!(wrong.err.contains("list the proxies in `trusted_proxies`"), "{wrong:?}");

    let program = program.set("trusted_proxies", HOP);
    let gate = Gate::of(&program, &ONLY).await;
    gate.ends(1).has("WEB-2", "fail", &["not this installation", "proxy_protocol is v2"]);
    around.front.behave(Manner::Announces);
    let gate = Gate::of(&program, &ONLY).await;
    gate.ends(0).has("WEB-3", "pass", &["the client is 127.0.0.1"]);
    let watched = Watched::serve(program).await;
    for id in ["WEB-1", "WEB-2", "WEB-3"] {
        watched.until(id, 0).await;
    }
    // Who is no proxy is not listened to, and reaches the service as itself.
    let from = "203.0.113.9".parse().unwrap();
    let mut stranger = TcpStream::connect(("127.0.0.1", watched.program.port)).await.unwrap();
    let request = b"GET /api/v1/health/live HTTP/1.1\r\nHost: a\r\n\r\n";
    stranger.write_all(&[&announcement(from), &request[..]].concat()).await.unwrap();
    let mut answer = [0; 12];
    stranger.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 400");
    watched.server.client.get("/api/v1/health/live").await.unwrap().ok(200);

    around.front.behave(Manner::Appends);
    watched.until("WEB-2", 1).await;
    let said = watched.server.stdout();
    assert!(said.contains("a proxy did not announce its client"), "{said}");
}

/// Looks at it as a client does who knows the operator's token and nothing else.
async fn outside(program: &Program, front: &Front) -> Gate {
    let elsewhere = program.clone().unset("environment").unset("database.url").unset("master_key");
    Gate::of(&elsewhere, &["--from-outside", &front.url()]).await
}

#[tokio::test]
async fn whoever_is_trusted_itself_can_tell_nothing() {
    let (around, program) = installed(90).await;
    let program = program.set("trusted_proxies", "127.0.0.0/8");
    let gate = Gate::of(&program, &ONLY).await;
    gate.ends(0).has("WEB-3", "skip", &["not testable", "--from-outside"]);
    let server = program.serve().await;
    // From outside nobody comes from there, so something in between has the clients' address.
    let gate = outside(&program, &around.front).await;
    gate.ends(1).has("WEB-3", "fail", &[]).has("WEB-2", "pass", &[]);
    server.stop().await;

    let program = program.set("trusted_proxies", HOP);
    let server = program.serve().await;
    let gate = outside(&program, &around.front).await;
    gate.ends(0)
        .has("WEB-1", "pass", &[])
        .has("WEB-2", "pass", &["leads to installation"])
        .has("WEB-3", "pass", &["the client is 127.0.0.1"])
        .has("WEB-4", "pass", &["keys published"]);
    let unknown = outside(&program.clone().unset("operator_token"), &around.front).await;
    unknown.ends(0).has("WEB-1", "pass", &[]).has("WEB-2", "skip", &["operator_token"]);
    server.stop().await;
    let gate = outside(&program, &around.front).await;
    gate.ends(1).has("WEB-2", "fail", &[]);
}

/// Operations 9, row 26
#[tokio::test]
async fn a_certificate_that_ends_in_five_days_is_told() {
    let (around, program) = installed(5).await;
    let program = program.set("trusted_proxies", HOP);
    // It lived no longer, so that is not yet its end.
    Gate::of(&program, &ONLY).await.ends(0).has("WEB-1", "pass", &[]);
    around.front.renew(85, 5);
    let fault = Fault::injected(26, "a certificate with five days left: the gate");
    Gate::of(&program, &ONLY).await.ends(1).has("WEB-1", "fail", &["ends at", "public_url"]);
    fault.found_by("preflight");

    // It still holds, so a start is one.
    let watched = Watched::serve(program).await;
    let fault = Fault::injected(26, "a certificate with five days left: while running");
    watched.until("WEB-1", 2).await;
    fault.found_by("WEB-1");
    let name = |end| {
        format!("authshield_certificate_{end}_timestamp_seconds{{certificate=\"public_url\"}}")
    };
    let (from, until) = (name("not_before"), name("not_after"));
    let life = watched.metric(&until).await.unwrap() - watched.metric(&from).await.unwrap();
    assert!((life / 86_400.0 - 90.0).abs() < 0.1, "{life}");

    around.front.renew(0, 90);
    watched.until("WEB-1", 0).await;
    // One that nobody signs whom this machine trusts.
    let stranger = Front::before(watched.program.port, 90).await;
    let elsewhere = watched.program.clone().set("public_url", &stranger.url());
    let gate = Gate::of(&elsewhere, &ONLY).await;
    gate.ends(1).has("WEB-1", "fail", &["certificate"]).has("WEB-2", "skip", &["WEB-1"]);
}

#[tokio::test]
async fn a_public_address_that_leads_elsewhere_is_told_and_keeps_nobody_from_starting() {
    let (around, program) = installed(90).await;
    let program = program.set("trusted_proxies", HOP);
    let other = Program::new().await;
    let other_port = other.port;
    let other = other.serve().await;
    around.front.lead_to(other_port);
    Gate::of(&program, &ONLY).await.ends(1).has("WEB-2", "fail", &["not this installation"]);
    around.front.behave(Manner::Redirects);
    let gate = Gate::of(&program, &ONLY).await;
    gate.ends(1).has("WEB-2", "fail", &["sent on to https://www.authshield.dev/api"]);
    other.stop().await;
    // A proxy waits until we are ready before it lets anybody through.
    around.front.behave(Manner::Closed);
    Gate::of(&program, &ONLY).await.ends(0).has("WEB-2", "skip", &["503"]);
    let watched = Watched::serve(program).await;
    watched.until("WEB-2", 1).await;
    around.front.lead_to(watched.program.port);
    around.front.behave(Manner::Appends);
    watched.until("WEB-2", 0).await;
    watched.until("WEB-4", 0).await;

    let nowhere = watched.program.clone().set("public_url", "https://no.authshield.dev");
    Gate::of(&nowhere, &ONLY).await.ends(1).has("WEB-1", "fail", &["no.authshield.dev"]);
    let refused = watched.program.clone().set("public_url", &format!("https://{NAME}:1"));
    Gate::of(&refused, &ONLY).await.ends(0).has("WEB-1", "skip", &["--from-outside"]);
}

#[tokio::test]
async fn nobody_is_sent_to_a_service_before_it_was_looked_at() {
    let (around, program) = installed(90).await;
    let program = program.set("trusted_proxies", HOP);
    around.front.behave(Manner::Hangs);
    let mut server = program.launch();
    let client = server.client.clone();
    wait_until("it says that it starts", Duration::from_secs(20), async || {
        let reply = client.get("/api/v1/health/ready").await?;
        (reply.body["status"] == "starting").then_some(())
    })
    .await;
    // Whoever comes all the same is served.
    client.get("/.well-known/jwks.json").await.unwrap().ok(200);
    server.wait_ready().await;
    server.stop().await;
}
