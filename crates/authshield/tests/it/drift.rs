//! A configuration that changed is told by name: at the start, at a reload, between nodes.

use std::time::Duration;

use onesql::{Json, Options, Store};
use serde_json::{Value, json};

use crate::silent_failures::{Gate, Watched};
use crate::support::detection::Fault;
use crate::support::program::free_port;
use crate::support::{Client, Program, Script, SmtpServer, wait_until};

const SOON: Duration = Duration::from_secs(20);

/// Returns what the audit trail has of `code`, oldest first: the reason and the data.
async fn trail(program: &Program, code: &'static str) -> Vec<(Option<String>, Value)> {
    let store = Store::open(&Options::parse(&program.database_url).unwrap()).await.unwrap();
    let mut tx = store.glance().await.unwrap();
    let rows: Vec<(Option<String>, Json<Value>)> = tx
        .query("SELECT reason, data FROM audit_events WHERE code = $1 ORDER BY id")
        .bind(code)
        .all()
        .await
        .unwrap();
    rows.into_iter().map(|(reason, data)| (reason, data.0)).collect()
}

/// Returns the labels of `config_info`, and whether the last reload was taken over.
async fn metrics(operators: &Client) -> (String, String) {
    let text = operators.get("/metrics").await.unwrap().text;
    let line = |start: &str| {
        text.lines().find(|line| line.starts_with(start)).unwrap_or_default().to_owned()
    };
    (line("authshield_config_info{"), line("authshield_config_last_reload_successful "))
}

fn digest(info: &str) -> String {
    let (_, rest) = info.split_once("digest=\"").unwrap_or_else(|| panic!("{info}"));
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn what_changed_since_the_last_good_start_is_told_by_name() {
    let token = "4d1c5bd7b5f0f4b8d2a9c3e6";
    let program = Program::new().await.set("operator_token", token);
    let none = program.run(&["config", "history"]).await.ok();
    assert!(none.out.contains("no good start yet"), "{none:?}");
    program.serve().await.stop().await;
    program.serve().await.stop().await;
    let same = program.run(&["config", "history", "--json"]).await.json();
    assert_eq!(same["starts"].as_array().unwrap().len(), 2, "{same}");
    assert_eq!(trail(&program, "CONFIG_CHANGED").await, [], "nothing changed");

    // A start that is refused is no good start.
    let refused = program.clone().set("password.min_length", "0").run(&["serve"]).await;
    assert_eq!(refused.status, Some(78), "{refused:?}");
    let program = program.unset("operator_token").set("password.min_length", "12");
    let expected = json!({
        "set": [], "unset": ["operator_token"], "changed": ["password.min_length"],
    });
    let before = program.run(&["config", "history", "--json"]).await.json();
    assert_eq!(before["since_last_start"], expected, "{before}");
    let gate = Gate::of(&program, &["--only", "CFG-3"]).await;
    gate.ends(0).has(
        "CFG-3",
        "warn",
        &["`operator_token` became empty", "AUTHSHIELD_OPERATOR_TOKEN"],
    );
    let server = program.serve().await;
    let said = server.stdout();
    assert!(said.contains("`operator_token` became empty"), "{said}");
    let history = program.run(&["config", "history"]).await.ok().out;
    assert!(history.contains("since the last good start: nothing changed"), "{history}");
    server.stop().await;
    Gate::of(&program, &["--only", "CFG-3"]).await.ends(0).has("CFG-3", "pass", &[]);
    let told = trail(&program, "CONFIG_CHANGED").await;
    assert_eq!(told, [(Some("start".to_owned()), json!({ "changes": expected }))]);

    let after = program.run(&["config", "history", "--json"]).await.json();
    assert_eq!(after["starts"].as_array().unwrap().len(), 3, "{after}");
    assert_eq!(after["starts"][0]["changes"], expected);
    for text in [said, history, after.to_string()] {
        assert!(!text.contains(token), "{text}");
    }
}

#[tokio::test]
async fn a_reload_takes_over_what_can_change_and_refuses_what_is_wrong() {
    let port = free_port();
    let program = Program::new().await.set("admin_listen", &format!("127.0.0.1:{port}"));
    let operators = Client::new(port);
    let file = program.folder().join("authshield.toml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("[registration]\nenabled = true\n");
    let mut server = program.serve().await;
    server.client.register("ann@example.net").await.unwrap().ok(202);
    let (first, good) = metrics(&operators).await;
    assert_eq!(good, "authshield_config_last_reload_successful 1");

    write("[registration]\nenabled = false\n\n[password]\nmin_length = 12\n");
    server.hang_up();
    wait_until("registration is closed", SOON, async || {
        let reply = server.client.register("bob@example.net").await?;
        (reply.status == 403).then_some(())
    })
    .await;
    wait_until("the digest is another", SOON, async || {
        let (now, _) = metrics(&operators).await;
        (digest(&now) != digest(&first)).then_some(())
    })
    .await;
    let said = server.stdout();
    assert!(said.contains("these take a restart: `password.min_length` changed"), "{said}");
    let told = trail(&program, "CONFIG_CHANGED").await;
    let expected = json!({ "set": [], "unset": [], "changed": ["registration.enabled"] });
    assert_eq!(told, [(Some("reload".to_owned()), json!({ "changes": expected }))]);

    // Wrong, and so nothing of it: the old one stays, and the process lives.
    write(
        "[registration]\nenabled = true\n\n[password]\nmin_lenght = 12\n\n[token]\naccess_ttl = \"soon\"\n",
    );
    server.hang_up();
    wait_until("the reload is refused", SOON, async || {
        let (_, good) = metrics(&operators).await;
        (good == "authshield_config_last_reload_successful 0").then_some(())
    })
    .await;
    server.client.register("bob@example.net").await.unwrap().ok(403);
    let said = server.stdout();
    assert!(said.contains("refused, the old one stays") && said.contains("min_lenght"), "{said}");
    wait_until("the refusal is in the audit trail", SOON, async || {
        let told = trail(&program, "CONFIG_RELOAD_REFUSED").await;
        (told == [(None, json!({ "settings": ["token.access_ttl"] }))]).then_some(())
    })
    .await;

    write("[registration]\nenabled = true\n");
    server.hang_up();
    wait_until("it is taken over again", SOON, async || {
        let (now, good) = metrics(&operators).await;
        let same = digest(&now) == digest(&first);
        (good == "authshield_config_last_reload_successful 1" && same).then_some(())
    })
    .await;
    server.client.register("bob@example.net").await.unwrap().ok(202);
    server.terminate();
    assert!(server.ended(SOON).await.success());
}

#[tokio::test]
async fn the_log_says_more_after_a_reload() {
    let program = Program::new().await;
    let file = program.folder().join("authshield.toml");
    std::fs::write(&file, "log = \"error\"\n").unwrap();
    let server = program.serve().await;
    assert!(!server.stdout().contains("/api/v1/users/me"), "{}", server.stdout());
    std::fs::write(&file, "log = \"info\"\n").unwrap();
    server.hang_up();
    wait_until("requests are logged", SOON, async || {
        server.client.get("/api/v1/users/me").await?;
        server.stdout().contains("/api/v1/users/me").then_some(())
    })
    .await;
    server.stop().await;
}

/// Row 31: two replicas with different configurations have different digests; with one, the same.
#[tokio::test]
async fn replicas_that_disagree_can_be_told_apart() {
    let ports = [free_port(), free_port(), free_port()];
    let on =
        |program: Program, port: u16| program.set("admin_listen", &format!("127.0.0.1:{port}"));
    let one = on(Program::new().await, ports[0]);
    let same = on(one.another(), ports[1]);
    let other = on(one.another().set("password.min_length", "12"), ports[2]);
    let alike = [one.serve().await, same.serve().await];
    let fault = Fault::injected(31, "a third replica has another configuration");
    let odd = other.serve().await;
    let mut digests = Vec::new();
    for port in ports {
        let (info, _) = metrics(&Client::new(port)).await;
        assert!(info.contains(concat!("version=\"", env!("CARGO_PKG_VERSION"), "\"")), "{info}");
        digests.push(digest(&info));
    }
    assert!(!digests[0].is_empty());
    assert_eq!(digests[0], digests[1]);
    assert_ne!(digests[0], digests[2]);
    fault.found_by("authshield_config_info");
    for server in alike.into_iter().chain([odd]) {
        server.stop().await;
    }
}

/// A wrong password of the relay is mended without a restart; one that is half is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_password_that_is_mended_takes_effect_at_a_reload() {
    let login = Some(("post", "right-Vq7wKx2mzP"));
    let relay = SmtpServer::start(Script { login, ..Script::default() }).await;
    let program = Program::new().await.mailing(&relay).checked();
    let file = program.folder().join("authshield.toml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("[smtp]\nusername = \"post\"\npassword = \"wrong-Vq7wKx2mzP\"\n");
    let watched = Watched::serve(program).await;
    watched.server.client.register("ann@example.net").await.unwrap().ok(202);
    watched.until("SMTP-4", 2).await;
    assert!(relay.mails().is_empty());

    write("[smtp]\nusername = \"post\"\n");
    watched.server.hang_up();
    wait_until("the reload is refused", SOON, async || {
        let good = watched.metric("authshield_config_last_reload_successful").await?;
        (good < 0.5).then_some(())
    })
    .await;

    write("[smtp]\nusername = \"post\"\npassword = \"right-Vq7wKx2mzP\"\n");
    watched.server.hang_up();
    watched.until("SMTP-4", 0).await;
    assert_eq!(relay.wait_for(1).await[0].to, ["ann@example.net"]);
    let told = trail(&watched.program, "CONFIG_CHANGED").await;
    let expected = json!({ "set": [], "unset": [], "changed": ["smtp.password"] });
    assert_eq!(told, [(Some("reload".to_owned()), json!({ "changes": expected }))]);
    for secret in ["wrong-Vq7wKx2mzP", "right-Vq7wKx2mzP"] {
        assert!(!watched.server.stdout().contains(secret));
    }
    watched.server.stop().await;
}
