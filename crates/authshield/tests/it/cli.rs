//! The command line: what it does, what it says, how it ends.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::{PASSWORD, Program, wait_until};

const MASTER_KEY: &str = "FURBl69J9E/mg7hoIr5RHtq3GHEUYfnwSTFEvxtCB4U=";

/// Accounts of people, from the first to the last command about them.
#[tokio::test]
async fn accounts_are_kept_by_the_command_line() {
    let program = Program::new().await;
    let email = "ann@example.net";
    let create = ["user", "create", "Ann@Example.NET", "--password-stdin", "--json", "--verified"];
    let ann = program.run_with(&create, &format!("{PASSWORD}\n")).await.json();
    assert_eq!((&ann["email"], &ann["is_verified"]), (&json!(email), &json!(true)));
    let again = program.run_with(&create, PASSWORD).await;
    again.fails(1, &[email, "has an account already"]);
    let weak =
        program.run_with(&["user", "create", "b@example.net", "--password-stdin"], "12345678");
    assert_eq!(weak.await.status, Some(1));

    for (arguments, member, value) in [
        (vec!["user", "show", email], "is_active", json!(true)),
        (vec!["user", "grant", email, "moderator"], "roles", json!(["moderator", "user"])),
        (vec!["user", "revoke", email, "moderator"], "roles", json!(["user"])),
        (vec!["user", "disable", email], "is_active", json!(false)),
        (vec!["user", "enable", email], "is_active", json!(true)),
        (vec!["user", "lock", email, "--reset-password", "--reset-2fa"], "is_active", json!(false)),
        (vec!["user", "enable", email], "is_active", json!(true)),
        (vec!["user", "verify", email], "is_verified", json!(true)),
        (vec!["user", "reset-password", email], "email", json!(email)),
        (vec!["user", "delete", email, "--yes"], "email", json!(email)),
    ] {
        let listed = program.run(&["user", "list", "--json", "--email", "ann"]).await.json();
        assert_eq!(listed.as_array().map(Vec::len), Some(1), "{arguments:?}");
        let done = program.run(&[arguments.as_slice(), &["--json"]].concat()).await.json();
        assert_eq!(done[member], value, "{arguments:?}");
    }
    assert_eq!(program.run(&["user", "list", "--json"]).await.json(), json!([]));
    let gone = program.run(&["user", "show", email]).await;
    gone.fails(1, &["nobody has the address or id", email]);
}

#[tokio::test]
async fn what_cannot_be_undone_wants_a_yes() {
    let program = Program::new().await;
    program.run(&["user", "create", "ann@example.net"]).await.ok();
    program.run(&["user", "delete", "ann@example.net"]).await.fails(1, &["--yes"]);
    program.run(&["user", "show", "ann@example.net"]).await.ok();
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let program = Program::new().await;
    let create = ["user", "create", "root@example.net", "--role", "admin"];
    program.run(&create).await.ok();
    for command in [
        &["user", "revoke", "root@example.net", "admin"] as &[&str],
        &["user", "disable", "root@example.net"],
        &["user", "delete", "root@example.net", "--yes"],
    ] {
        let done = program.run(command).await;
        done.fails(1, &["administrator"]);
    }
}

#[tokio::test]
async fn roles_keys_and_mail_are_kept_by_the_command_line() {
    let program = Program::new().await;
    let roles = program.run(&["role", "list", "--json"]).await.json();
    assert_eq!(roles.as_array().map(Vec::len), Some(3));
    program.run(&["role", "create", "billing:read", "--json"]).await.json();
    program.run(&["role", "create", "billing:read"]).await.fails(1, &["already"]);
    program.run(&["role", "create", "Billing Read"]).await.fails(1, &["no name for a role"]);
    let holder = ["user", "create", "ann@example.net", "--role", "billing:read"];
    program.run(&holder).await.ok();
    program.run(&["role", "delete", "billing:read"]).await.fails(1, &["held by somebody"]);
    program.run(&["user", "revoke", "ann@example.net", "billing:read"]).await.ok();
    program.run(&["role", "delete", "billing:read", "--json"]).await.json();
    program.run(&["role", "delete", "admin"]).await.fails(1, &["built in"]);

    let keys = program.run(&["keys", "list", "--json"]).await.json();
    let first = keys[0]["kid"].as_str().unwrap().to_owned();
    let rotated = program.run(&["keys", "rotate", "--now", "--json"]).await.json();
    assert_eq!(rotated, program.run(&["keys", "list", "--json"]).await.json());
    assert!(rotated.as_array().unwrap().len() >= 2, "{rotated}");
    assert!(rotated.to_string().contains(&first), "the old key still verifies: {rotated}");
    let stolen = program.run(&["keys", "rotate", "--compromised", "--json"]).await.json();
    assert!(!stolen.to_string().contains(&first), "{stolen}");

    // Without a password somebody gets a mail; it waits for a server that sends it.
    let waiting = program.run(&["mail", "list", "--json", "--state", "queued"]).await.json();
    let id = waiting[0]["id"].as_str().unwrap();
    let shown = program.run(&["mail", "show", id, "--json"]).await.json();
    assert_eq!(shown["recipient"], "ann@example.net");
    let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";
    program.run(&["mail", "show", nobody]).await.fails(1, &["there is no mail", nobody]);
}

/// In development mail is kept, and its link can be read in three places.
#[tokio::test]
async fn kept_mail_can_be_read() {
    let program = Program::new().await;
    let server = program.serve().await;
    server.client.register("ann@example.net").await.unwrap().ok(202);
    let id = wait_until("the mail is kept", std::time::Duration::from_secs(20), async || {
        let kept = program.run(&["mail", "list", "--json", "--state", "kept"]).await.json();
        kept[0]["id"].as_str().map(ToOwned::to_owned)
    });
    let id = id.await;
    let shown = program.run(&["mail", "show", &id, "--json"]).await.json();
    let words = shown["text"].as_str().unwrap();
    let link = words.split_whitespace().find(|word| word.contains("/verify-email?token=")).unwrap();
    assert!(server.stdout().contains(link), "the link is in the log");
    let human = program.run(&["mail", "show", &id]).await.ok();
    assert!(human.out.contains(link), "{human:?}");
    let file = program.data().join("mail").join(format!("{id}.eml"));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let folder = std::fs::metadata(file.parent().unwrap()).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
}

/// ASVS: V13.3.2
#[tokio::test]
async fn what_is_stored_is_for_its_owner_alone() {
    let program = Program::embedded();
    let server = program.serve().await;
    server.client.register("ann@example.net").await.unwrap().ok(202);
    let mode = |path: &std::path::Path| {
        std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode(&program.data()), 0o700);
    let mut files = 0;
    for entry in std::fs::read_dir(program.data()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            files += 1;
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
    assert!(files >= 4, "the database, its two companions, the key");
}

#[tokio::test]
async fn the_schema_is_brought_up_to_date_by_one_command() {
    let program = Program::new().await;
    let before = program.run(&["migrate", "status", "--json"]).await.json();
    assert!(before.as_array().unwrap().iter().all(|row| row["applied"] == false), "{before}");
    let after = program.run(&["migrate", "run", "--json"]).await.json();
    assert!(after.as_array().unwrap().iter().all(|row| row["applied"] == true), "{after}");
    assert_eq!(after, program.run(&["migrate", "run", "--json"]).await.json());
    let words = program.run(&["migrate", "status"]).await.ok();
    assert!(words.out.contains("applied") && !words.out.contains("missing"), "{words:?}");
}

#[tokio::test]
async fn the_configuration_explains_itself() {
    let program = Program::embedded();
    let reference = program.run(&["config", "reference"]).await.ok().out;
    assert!(reference.contains("AUTHSHIELD_MASTER_KEY_FILE"), "{reference}");
    let schema = program.run(&["config", "schema"]).await.json();
    assert_eq!(schema["type"], "object");
    let explained = program.run(&["config", "explain", "smtp.username"]).await.ok().out;
    assert!(explained.contains("AUTHSHIELD_SMTP_USERNAME"), "{explained}");
    let unknown = program.run(&["config", "explain", "smtp.user"]).await;
    assert!(unknown.status == Some(1) && unknown.err.contains("smtp.username"), "{unknown:?}");

    program.run(&["config", "init"]).await.ok();
    let sample = std::fs::read_to_string(program.folder().join("authshield.toml")).unwrap();
    assert!(sample.contains("[smtp]"), "{sample}");
    program.run(&["config", "init"]).await.fails(1, &["authshield.toml", "exists"]);
    // A sample that says nothing changes nothing.
    let checked = program.run(&["config", "check", "--json"]).await.json();
    assert_eq!((&checked["accepted"], &checked["refusals"]), (&json!(true), &json!([])));

    std::fs::write(program.folder().join("authshield.toml"), "[password]\nmin_length = 11\n")
        .unwrap();
    let shown = program.run(&["config", "show", "--json"]).await.json();
    let shown = &shown["settings"];
    assert_eq!(shown["password.min_length"]["value"], "11");
    assert_eq!(shown["password.min_length"]["source"]["from"], "file");
    assert_eq!(shown["listen"]["source"]["from"], "environment");
    let over = ["config", "show", "--json", "--set", "password.min_length=12"];
    let shown = program.run(&over).await.json();
    assert_eq!(shown["settings"]["password.min_length"]["value"], "12");
}

/// ASVS: V13.3.1
#[tokio::test]
async fn a_secret_can_come_from_a_file_and_is_never_shown() {
    let program = Program::embedded();
    let path = program.folder().join("key");
    std::fs::write(&path, format!("{MASTER_KEY}\n")).unwrap();
    let by_file = program.clone().set("master_key_file", path.to_str().unwrap());
    for arguments in [&["config", "show"] as &[&str], &["config", "show", "--json"]] {
        let shown = by_file.run(arguments).await.ok();
        assert!(!shown.out.contains(&MASTER_KEY[..12]), "{shown:?}");
    }
    let line = by_file.run(&["config", "show"]).await.ok().out;
    assert!(line.contains("[set, 44 bytes, from "), "{line}");
    by_file.run(&["keys", "list"]).await.ok();

    let both = by_file.clone().set("master_key", MASTER_KEY).run(&["config", "check"]).await;
    assert_eq!(both.status, Some(78), "{both:?}");
    assert!(both.err.contains("are both given; keep one"), "{both:?}");
    let none = program.set("master_key_file", "nowhere").run(&["config", "check"]).await;
    assert_eq!(none.status, Some(78), "{none:?}");
    assert!(none.err.contains("nowhere") && none.err.contains("does not exist"), "{none:?}");
}

#[tokio::test]
async fn every_wrong_name_is_told_in_one_go_with_the_right_one() {
    let program = Program::embedded()
        // Written in two parts: no text of this repository may speak of a setting that is none.
        .variable(concat!("AUTHSHIELD_", "SMTP_USER"), "post")
        .set("log.format", "xml")
        .set("token.access_ttl", "soon");
    std::fs::write(program.folder().join("authshield.toml"), "[mial]\nfrom = \"x\"\n").unwrap();
    let refused = program.run(&["serve"]).await;
    assert_eq!(refused.status, Some(78), "{refused:?}");
    for words in [
        concat!(
            "AUTHSHIELD_",
            "SMTP_USER is not a setting; did you mean AUTHSHIELD_SMTP_USERNAME?"
        ),
        "mial.from",
        "AUTHSHIELD_LOG_FORMAT",
        "AUTHSHIELD_TOKEN_ACCESS_TTL",
    ] {
        assert!(refused.err.contains(words), "{words}: {}", refused.err);
    }
    assert!(!program.data().exists(), "nothing was begun");

    let checked = program.run(&["config", "check", "--json"]).await;
    assert_eq!(checked.status, Some(78));
    let verdict: Value = serde_json::from_str(&checked.out).unwrap();
    assert_eq!(verdict["accepted"], false);
    assert_eq!(verdict["refusals"].as_array().map(Vec::len), Some(4), "{verdict}");
}

/// What is well formed and yet of no use is found before anything is opened, and all of it.
#[tokio::test]
async fn what_nothing_can_be_made_of_is_refused_by_the_check_already() {
    let program = Program::embedded()
        .set("smtp.host", "relay.example.com")
        .set("smtp.ca_file", "nowhere.pem")
        .set("mail.from", "post@example.com")
        .set("export_webhook.url", "https://siem:hunter2hunter2@example.com/in")
        .set("export_webhook.secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let checked = program.run(&["config", "check"]).await;
    assert_eq!(checked.status, Some(78), "{checked:?}");
    for words in ["nowhere.pem", "export_webhook.url is not allowed"] {
        assert!(checked.err.contains(words), "{words}: {checked:?}");
    }
    assert!(!checked.err.contains("hunter2") && !program.data().exists(), "{checked:?}");
}

#[tokio::test]
async fn development_is_for_this_machine_alone() {
    let program = Program::embedded().set("listen", "0.0.0.0:39999");
    let refused = program.run(&["serve"]).await;
    assert_eq!(refused.status, Some(78), "{refused:?}");
    assert!(refused.err.contains("AUTHSHIELD_ENVIRONMENT=production"), "{refused:?}");
}

#[tokio::test]
async fn production_says_all_that_it_lacks() {
    let bare = Program::embedded().unset("public_url").unset("database.url");
    let refused = bare.set("environment", "production").run(&["serve"]).await;
    assert_eq!(refused.status, Some(78), "{refused:?}");
    for name in ["PUBLIC_URL", "MASTER_KEY", "DATABASE_URL", "SMTP_HOST", "MAIL_FROM"] {
        assert!(refused.err.contains(&format!("set AUTHSHIELD_{name}")), "{name}: {refused:?}");
    }
}

#[tokio::test]
async fn wrong_usage_is_told_apart_from_failure() {
    let program = Program::embedded();
    for arguments in [&[] as &[&str], &["srve"], &["user", "grant"], &["keys", "rotate", "--n"]] {
        let done = program.run(arguments).await;
        assert_eq!(done.status, Some(2), "{done:?}");
        assert!(done.err.contains("Usage"), "{done:?}");
    }
    for page in [&["--help"] as &[&str], &["user", "create", "--help"], &["--version"]] {
        program.run(page).await.ok();
    }
    let version = program.run(&["version", "--json"]).await.json();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert!(!program.data().exists(), "to say who one is takes no database");
}

#[tokio::test]
async fn the_health_check_asks_the_server_that_runs() {
    let program = Program::new().await;
    program.run(&["healthcheck"]).await.fails(1, &["onnection refused"]);
    let server = program.serve().await;
    assert_eq!(program.run(&["healthcheck"]).await.ok().out, "ready\n");
    assert_eq!(program.run(&["healthcheck", "--json"]).await.json(), json!({"status": "ready"}));
    server.stop().await;
}

/// The link that makes the first administrator is for the terminal: it is not in the log.
#[tokio::test]
async fn an_empty_installation_offers_its_first_administrator() {
    let program = Program::new().await;
    let server = program.serve().await;
    let said = server.stderr();
    let link = said.split_whitespace().find(|word| word.contains("/setup?token=")).unwrap();
    assert!(!server.stdout().contains(link.split("token=").nth(1).unwrap()), "{said}");
    server.stop().await;

    let create =
        ["user", "create", "root@example.net", "--password-stdin", "--role", "admin", "--verified"];
    program.run_with(&create, PASSWORD).await.ok();
    let server = program.serve().await;
    assert!(!server.stderr().contains("/setup?token="), "{}", server.stderr());
    let pair = server.client.log_in("root@example.net", PASSWORD).await.unwrap();
    assert_eq!(pair.ok(200).body["user"]["roles"], json!(["admin", "user"]));
}
