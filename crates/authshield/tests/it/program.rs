//! The program starts soon or says why not, and ends without taking anybody's answer away.

use std::net::TcpListener;
use std::time::Duration;

use onesql::{Options, Store};
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::program::MASTER_KEY;
use crate::support::smtp_server::{Reaction, valid_certificate};
use crate::support::{PASSWORD, Program, Script, SmtpServer, on_postgres, text, wait_until};

/// A password that must not be told to anybody.
const SECRET: &str = "Xk4vQ9unlikely7rMz";

#[tokio::test]
async fn a_taken_port_is_told() {
    let program = Program::embedded();
    let taken = TcpListener::bind(("127.0.0.1", program.port)).unwrap();
    let port = program.port.to_string();
    program.run(&["serve"]).await.fails(1, &["cannot listen on", &port, "AUTHSHIELD_LISTEN"]);
    let other = program.another().set("admin_listen", &format!("127.0.0.1:{port}"));
    other.run(&["serve"]).await.fails(1, &["cannot listen on", &port, "AUTHSHIELD_ADMIN_LISTEN"]);
    assert!(!program.data().exists(), "nothing was begun");
    drop(taken);
}

#[tokio::test]
async fn a_data_folder_that_is_no_folder_is_told() {
    let program = Program::embedded();
    std::fs::write(program.data(), "").unwrap();
    for command in [&["serve"] as &[&str], &["user", "list"], &["migrate", "run"]] {
        program.run(command).await.fails(1, &["data folder", "AUTHSHIELD_DATA_DIR"]);
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_told_and_kept() {
    let program = Program::embedded();
    std::fs::create_dir(program.data()).unwrap();
    let file = program.data().join("authshield.db");
    let words = "this is somebody's thesis and not a database\n".repeat(40);
    std::fs::write(&file, &words).unwrap();
    for command in [&["serve"] as &[&str], &["user", "list"], &["migrate", "status"]] {
        let said = program.run(command).await.fails(
            1,
            &["authshield.db", "AUTHSHIELD_DATABASE_URL", "move it away", "file is not a database"],
        );
        assert_eq!(said.matches("file is not a database").count(), 1, "{said}");
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), words);
}

/// ASVS: V16.5.3
#[tokio::test]
async fn another_master_key_is_told_and_changes_nothing() {
    let program = Program::new().await;
    let kids = program.run(&["keys", "list", "--json"]).await.json();
    let other = program.clone().set("master_key", MASTER_KEY);
    for command in [&["serve"] as &[&str], &["keys", "rotate"], &["user", "list"]] {
        other.run(command).await.fails(1, &["another master key", "AUTHSHIELD_MASTER_KEY"]);
    }
    assert_eq!(program.run(&["keys", "list", "--json"]).await.json(), kids);
}

#[tokio::test]
async fn a_newer_database_is_told() {
    let program = Program::new().await;
    program.run(&["migrate", "run"]).await.ok();
    let url = &program.database_url;
    let store = Store::open(&Options::parse(url).unwrap()).await.unwrap();
    let mut tx = store.write().await.unwrap();
    tx.query(
        "INSERT INTO _sqlx_migrations
             (version, description, installed_on, success, checksum, execution_time)
         SELECT 9000, 'from the future', installed_on, success, checksum, 0
         FROM _sqlx_migrations WHERE version = 1",
    )
    .execute()
    .await
    .unwrap();
    tx.commit().await.unwrap();
    for command in [&["serve"] as &[&str], &["user", "list"], &["migrate", "run"]] {
        program.run(command).await.fails(1, &["9000", "newer AuthShield"]);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_without_the_password() {
    let program = Program::embedded();
    for (url, words) in [
        ("postgres://ann:SECRET@127.0.0.1:1/shield", "onnection refused"),
        ("postgres://ann@127.0.0.1:1/shield?password=SECRET", "onnection refused"),
        ("postgres://ann:SECRET@nowhere.invalid/shield", "lookup"),
    ] {
        let program = program.clone().database(&url.replace("SECRET", SECRET));
        for command in ["serve", "migrate"] {
            let command = if command == "serve" { vec!["serve"] } else { vec![command, "run"] };
            let done = program.run(&command).await;
            assert!(!format!("{done:?}").contains(SECRET), "{done:?}");
            done.fails(1, &[words, "AUTHSHIELD_DATABASE_URL", "ann@", "shield", "server run"]);
        }
    }
}

#[tokio::test]
async fn a_wrong_password_or_name_of_the_database_is_told() {
    if !on_postgres() {
        return;
    }
    let program = Program::new().await;
    let mut url = url::Url::parse(&program.database_url).unwrap();
    let mut nowhere = url.clone();
    nowhere.set_path("/nowhere");
    let done = program.clone().database(nowhere.as_str()).run(&["serve"]).await;
    done.fails(1, &["\"nowhere\" does not exist", "create that database"]);

    url.set_password(Some(SECRET)).unwrap();
    let done = program.database(url.as_str()).run(&["serve"]).await;
    assert!(!format!("{done:?}").contains(SECRET), "{done:?}");
    done.fails(1, &["authentication failed", "right user and password"]);
}

#[tokio::test]
async fn production_migrates_only_when_told_to() {
    let relay = SmtpServer::start(Script::default()).await;
    let program = Program::production(&relay).await;
    let refused = program.run(&["serve"]).await;
    refused.fails(1, &["the database lacks", "authshield migrate run"]);
    program.run(&["user", "list"]).await.fails(1, &["authshield migrate run"]);
    program.run(&["migrate", "run"]).await.ok();
    program.run(&["init"]).await.ok();
    program.serve().await.stop().await;
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_told() {
    let program = Program::embedded();
    let good = valid_certificate();
    let broken = program.folder().join("broken.pem");
    std::fs::write(&broken, "-----BEGIN CERTIFICATE-----\nnonsense\n").unwrap();
    let broken = broken.to_str().unwrap();
    let missing = "nowhere.pem";
    let (chain, key) = (good.chain.to_str().unwrap(), good.key.to_str().unwrap());
    for (chain, key, named) in [
        (missing, key, missing),
        (broken, key, broken),
        (chain, missing, missing),
        (chain, broken, broken),
    ] {
        let program = program
            .clone()
            .set("tls.certificate_file", chain)
            .set("tls.private_key_file", key)
            .set("public_url", "https://127.0.0.1:8080");
        let said = program.run(&["serve"]).await;
        said.fails(1, &[named, "AUTHSHIELD_TLS_"]);
    }
    assert!(!program.data().exists(), "nothing was begun");
}

/// Fault: F01
#[tokio::test]
async fn it_is_ready_soon() {
    let program = Program::new().await;
    program.serve().await.stop().await;
    let server = program.serve().await;
    // Three seconds are what is promised after a crash; on an idle machine it is a fraction of one.
    assert!(server.ready < Duration::from_secs(3), "{:?}", server.ready);
    server.stop().await;
}

/// Fault: F06
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_it_finishes_what_was_begun() {
    let relay = SmtpServer::start(Script::default()).await;
    let program = Program::new().await.unlimited().mailing(&relay).set("shutdown_grace", "10s");
    let mut server = program.serve().await;
    let create = ["user", "create", "ann@example.net", "--password-stdin", "--verified"];
    program.run_with(&create, PASSWORD).await.ok();
    let pair = server.client.log_in("ann@example.net", PASSWORD).await.unwrap();
    let access = text(pair.ok(200), "access_token");

    // Crowds of clients, each request on a connection of its own, through a load balancer that sends
    // them elsewhere when it sees that the server is not ready any more.
    let elsewhere = CancellationToken::new();
    let mut clients = JoinSet::new();
    for worker in 0..16 {
        let (client, access, elsewhere) =
            (server.client.clone(), access.clone(), elsewhere.clone());
        clients.spawn(async move {
            let mut answered = 0_u32;
            while !elsewhere.is_cancelled() {
                let request = if worker % 4 == 0 {
                    let body = json!({ "email": "ann@example.net", "password": PASSWORD });
                    client.request(Method::POST, "/api/v1/auth/login").json(&body)
                } else {
                    client.request(Method::GET, "/api/v1/users/me").bearer_auth(&access)
                };
                client.try_send(request).await.expect("an answer to every request").ok(200);
                answered += 1;
            }
            answered
        });
    }
    // One client is in the middle of its request.
    let body = json!({ "email": "ann@example.net", "password": PASSWORD }).to_string();
    let mut slow = TcpStream::connect(("127.0.0.1", program.port)).await.unwrap();
    let head = format!(
        "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{}",
        body.len(),
        &body[..10],
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    wait_until("the crowd is there", Duration::from_secs(20), async || {
        (server.stdout().matches("/api/v1/users/me").count() > 100).then_some(())
    })
    .await;

    server.terminate();
    wait_until("it is not ready any more", Duration::from_secs(5), async || {
        let ready = server.client.get("/api/v1/health/ready").await.expect("still an answer");
        (ready.status == 503).then_some(())
    })
    .await;
    elsewhere.cancel();
    slow.write_all(&body.as_bytes()[10..]).await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let answered: u32 = clients.join_all().await.iter().sum();
    assert!(answered > 100, "{answered}");
    let status = server.ended(Duration::from_secs(10)).await;
    assert!(status.success(), "{status}: {}", server.stderr());
    assert!(server.stdout().contains("\"stopped\""), "{}", server.stdout());
}

/// Fault: F06
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_in_hand_is_finished() {
    let relay = SmtpServer::start(Script::default()).await;
    let program = Program::new().await.mailing(&relay).set("smtp.timeout", "10s");
    let mut server = program.serve().await;
    // The relay thinks for a while about the message, until it is let go.
    let (begun, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    relay.on(move |heard| {
        if heard.is("RCPT") {
            let _ = begun.send(());
            let _ = gate.lock().unwrap().recv_timeout(Duration::from_secs(8));
        }
        None::<Reaction>
    });
    server.client.register("ann@example.net").await.unwrap().ok(202);
    seen.recv().await.unwrap();
    server.terminate();
    wait_until("it knows", Duration::from_secs(5), async || {
        server.stdout().contains("told to stop").then_some(())
    })
    .await;
    go.send(()).unwrap();
    let status = server.ended(Duration::from_secs(10)).await;
    assert!(status.success(), "{status}");
    let mails = relay.mails().len();

    // It went then, or it goes now; it does not go twice.
    relay.behave();
    let server = program.serve().await;
    wait_until("the mail", Duration::from_secs(20), async || {
        (relay.mails().len() == 1).then_some(())
    })
    .await;
    assert!(mails <= 1);
    server.stop().await;
}
