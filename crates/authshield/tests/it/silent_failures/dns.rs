//! DNS: what the world is told about our mail.

use super::{Gate, Watched};
use crate::support::detection::Fault;
use crate::support::dns_server::DnsServer;
use crate::support::{Program, Script, SmtpServer};

/// The domain of the tests' sender, and its key.
const DOMAIN: &str = "auth.example.net";
const KEY: &str = "s1._domainkey.auth.example.net";
const ONLY: [&str; 2] = ["--only", "DNS-1,DNS-2,DNS-3,DNS-4,DNS-5"];

/// Ed25519, 32 bytes.
const PUBLISHED: &str = "v=DKIM1; k=ed25519; p=CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=";

/// A domain that mailbox providers like, and a program that sends from it.
async fn healthy() -> (DnsServer, SmtpServer, Program) {
    let relay = SmtpServer::start(Script::default()).await;
    let dns = DnsServer::start().await;
    dns.texts(DOMAIN, &["v=spf1 ip4:127.0.0.0/8 include:_spf.example.org -all", "something else"])
        .texts("_spf.example.org", &["v=spf1 mx:mail.example.org ~all"])
        .mail_servers("mail.example.org", &["mx.example.org"])
        .address("mx.example.org", "192.0.2.25")
        .texts(KEY, &[PUBLISHED])
        .texts("_dmarc.example.net", &["v=DMARC1; p=reject; rua=mailto:dmarc@example.net"])
        .mail_servers(DOMAIN, &["mx.example.org"]);
    let program = Program::new()
        .await
        .mailing(&relay)
        .set("checks.policy", "DB-5=warn")
        .set("mail.dkim_selectors", "s1")
        .set("mail.sending_networks", "127.0.0.1,192.0.2.25")
        .set("dns.resolvers", &dns.address.to_string());
    (dns, relay, program)
}

#[tokio::test]
async fn a_domain_that_is_in_order_passes() {
    let (dns, _relay, program) = healthy().await;
    let gate = Gate::of(&program, &ONLY).await;
    gate.ends(0)
        .has("DNS-1", "pass", &[DOMAIN, "127.0.0.1", "192.0.2.25", "2 look-ups"])
        .has("DNS-2", "pass", &["Ed25519"])
        .has(
            "DNS-3",
            "pass",
            &["example.net", "reject", "SPF by auth", "DKIM by s1@auth.example.net"],
        )
        .has("DNS-4", "pass", &["mx.example.org"])
        .has("DNS-5", "skip", &["dns.resolvers"]);
    let unknown = program.clone().unset("mail.sending_networks");
    let gate = Gate::of(&unknown, &ONLY).await;
    gate.ends(0).has("DNS-1", "pass", &["known only with mail.sending_networks"]);
    // What an envelope of its own changes.
    dns.texts("bounce.example.org", &["v=spf1 exists:%{i}.example.org -all"])
        .mail_servers("bounce.example.org", &["mx.example.org"]);
    let gate = Gate::of(&program.set("bounce.address", "back@bounce.example.org"), &ONLY).await;
    gate.ends(0)
        .has("DNS-1", "pass", &["bounce.example.org", "mail by mail"])
        .has("DNS-3", "pass", &["aligned: DKIM by s1@auth.example.net"])
        .has("DNS-4", "pass", &["bounce.example.org has mx.example.org"]);
}

#[tokio::test]
async fn development_asks_nobody() {
    let (dns, relay, program) = healthy().await;
    let keeps = Program::new().await.set("dns.resolvers", &dns.address.to_string());
    for (program, words) in
        [(keeps, "keeps mail"), (program.unset("dns.resolvers"), "development asks nobody")]
    {
        let gate = Gate::of(&program, &ONLY).await;
        gate.ends(0);
        for id in ["DNS-1", "DNS-2", "DNS-3", "DNS-4", "DNS-5"] {
            gate.has(id, "skip", &[words]);
        }
    }
    drop(relay);
}

/// Operations 9, row 10
#[tokio::test]
async fn a_key_that_is_gone_revoked_or_weak_is_told() {
    let (dns, _relay, program) = healthy().await;
    dns.texts(KEY, &[]);
    let fault = Fault::injected(10, "the DKIM record is removed: the gate");
    let gate = Gate::of(&program, &ONLY).await;
    gate.ends(1).has("DNS-2", "fail", &["no key", KEY, "AUTHSHIELD_MAIL_DKIM_SELECTORS"]);
    fault.found_by("preflight");
    dns.texts(KEY, &["v=DKIM1; p="]);
    Gate::of(&program, &ONLY).await.ends(1).has("DNS-2", "fail", &["revoked"]);
    dns.texts(KEY, &[PUBLISHED, PUBLISHED]);
    Gate::of(&program, &ONLY).await.ends(1).has("DNS-2", "fail", &["2 records"]);
    let gate = Gate::of(&program.unset("mail.dkim_selectors"), &ONLY).await;
    gate.ends(0).has("DNS-2", "skip", &["nothing is known"]);
}

/// Operations 9, row 10
#[tokio::test]
async fn a_key_that_goes_while_it_runs_is_noticed() {
    let (dns, _relay, program) = healthy().await;
    let watched = Watched::serve(program).await;
    watched.until("DNS-2", 0).await;
    let fault = Fault::injected(10, "the DKIM record is removed: while running");
    dns.texts(KEY, &[]);
    watched.until("DNS-2", 1).await;
    fault.found_by("DNS-2");
    dns.texts(KEY, &[PUBLISHED]);
    watched.until("DNS-2", 0).await;
    watched.server.stop().await;
}

#[tokio::test]
async fn a_record_that_receivers_give_up_on_is_told() {
    let (dns, _relay, program) = healthy().await;
    let many: Vec<_> = (0..11).map(|number| format!("include:i{number}.example.org")).collect();
    let many = many.join(" ");
    for number in 0..11 {
        dns.texts(&format!("i{number}.example.org"), &["v=spf1 ip4:192.0.2.1 -all"]);
    }
    for (texts, words) in [
        (&[] as &[&str], "no SPF record"),
        (&["v=spf1 -all", "v=spf1 ip4:127.0.0.1 -all"], "2 SPF records"),
        (&["v=spf1 ip4:127.0.0.1 inlcude:example.org -all"], "inlcude"),
        (&["v=spf1 include:nowhere.example.org -all"], "nowhere.example.org has no SPF record"),
        (&["v=spf1 include:auth.example.net -all"], "too many"),
        (&["v=spf1 +all"], "whole world"),
        (&[&format!("v=spf1 {many} ip4:127.0.0.1 -all")], "11 look-ups"),
    ] {
        dns.texts(DOMAIN, texts);
        Gate::of(&program, &ONLY).await.ends(1).has("DNS-1", "fail", &[words]);
    }
    dns.texts(DOMAIN, &["v=spf1 ip4:127.0.0.1 ~all"]);
    let gate = Gate::of(&program, &ONLY).await;
    gate.ends(1).has(
        "DNS-1",
        "fail",
        &["192.0.2.25 is doubted", "AUTHSHIELD_MAIL_SENDING_NETWORKS"],
    );
}

#[tokio::test]
async fn a_policy_that_is_missing_or_not_met_is_told() {
    let (dns, _relay, program) = healthy().await;
    let foreign = program.clone().set("mail.dkim_selectors", "s1@relay.example.com");
    dns.texts("s1._domainkey.relay.example.com", &[PUBLISHED]);
    let gate = Gate::of(&foreign, &ONLY).await;
    gate.has("DNS-3", "warn", &["relay.example.com does not count"]).has("DNS-2", "pass", &[]);
    let both = foreign.set("mail.dkim_selectors", "s1@relay.example.com,s1");
    Gate::of(&both, &ONLY).await.has("DNS-3", "pass", &["DKIM by s1@auth.example.net"]);
    let neither = program.clone().unset("mail.dkim_selectors");
    let neither = neither.set("bounce.address", "back@bounce.example.org");
    let gate = Gate::of(&neither, &ONLY).await;
    gate.has("DNS-3", "warn", &["bounce.example.org of the envelope does not count"]);
    dns.texts("_dmarc.auth.example.net", &["v=DMARC1; sp=none"]);
    Gate::of(&program, &ONLY).await.ends(1).has("DNS-3", "fail", &["no policy"]);
    dns.texts("_dmarc.auth.example.net", &[]).texts("_dmarc.example.net", &[]);
    let gate = Gate::of(&program, &ONLY).await;
    gate.ends(1).has("DNS-3", "fail", &["DMARC record", "p=none"]);
}

#[tokio::test]
async fn bounces_that_reach_nobody_are_told() {
    let (dns, _relay, program) = healthy().await;
    dns.mail_servers(DOMAIN, &["."]);
    Gate::of(&program, &ONLY).await.ends(0).has("DNS-4", "warn", &["null MX"]);
    dns.mail_servers(DOMAIN, &["gone.example.org"]);
    Gate::of(&program, &ONLY).await.has("DNS-4", "warn", &["none of the mail servers"]);
    dns.mail_servers(DOMAIN, &[]);
    Gate::of(&program, &ONLY).await.has("DNS-4", "warn", &["neither an MX record nor an address"]);
}

#[tokio::test]
async fn name_servers_that_differ_or_are_silent_are_told() {
    let (dns, _relay, program) = healthy().await;
    let (other, _other_relay, _) = healthy().await;
    let both = format!("{},{}", dns.address, other.address);
    let program = program.set("dns.resolvers", &both);
    Gate::of(&program, &ONLY).await.ends(0).has("DNS-5", "pass", &["say the same"]);
    other.texts(KEY, &[]);
    // The others ask either of the two, and so may or may not find the key.
    let gate = Gate::of(&program, &ONLY).await;
    gate.has("DNS-5", "warn", &["differ about the texts of", KEY, "ed25519"]);
    // Somebody who reads and does not answer.
    let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let program = program.set("dns.resolvers", &silent.local_addr().unwrap().to_string());
    let gate = Gate::of(&program, &ONLY).await;
    gate.ends(0).has("DNS-1", "warn", &["did not answer", "AUTHSHIELD_DNS_RESOLVERS"]);
}
