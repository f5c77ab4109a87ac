//! KEY: what signs, and what is sealed.

use onesql::Sql;

use super::Gate;
use super::database::execute;
use crate::support::Program;
use crate::support::detection::Fault;

/// Another key than the one of the data folder.
const OTHER_KEY: &str = "FURBl69J9E/mg7hoIr5RHtq3GHEUYfnwSTFEvxtCB4U=";

/// Operations 9, row 30
#[tokio::test]
async fn values_that_were_sealed_under_a_lost_key_are_told() {
    let program = Program::new().await;
    program.run(&["keys", "list"]).await.ok();
    Gate::of(&program, &[]).await.has("KEY-1", "pass", &[]).has("KEY-3", "pass", &[]);
    // One value of many, as after an unfinished change of the master key.
    execute(
        &program,
        Sql {
            sqlite: "INSERT INTO secrets (name, sealed, created_at)
                     SELECT 'other', CAST(SUBSTR(sealed, 1, 1) || SUBSTR(sealed, 3) AS BLOB), created_at
                     FROM secrets LIMIT 1",
            postgres: "INSERT INTO secrets (name, sealed, created_at)
                       SELECT 'other', SUBSTR(sealed, 1, 1) || SUBSTR(sealed, 3), created_at
                       FROM secrets LIMIT 1",
        },
    )
    .await;
    let fault = Fault::injected(30, "one value is sealed under a lost key");
    let gate = Gate::of(&program, &[]).await;
    gate.ends(1).has("KEY-3", "fail", &["1 values", "AUTHSHIELD_MASTER_KEY_PREVIOUS"]);
    fault.found_by("preflight");
    gate.has("KEY-1", "pass", &[]);
    program.run(&["serve"]).await.fails(1, &["1 values", "MASTER_KEY_PREVIOUS", "[KEY-3]"]);
}

#[tokio::test]
async fn another_master_key_is_told_once() {
    let program = Program::new().await;
    program.run(&["keys", "list"]).await.ok();
    let other = program.clone().set("master_key", OTHER_KEY);
    let gate = Gate::of(&other, &[]).await;
    gate.ends(1).has("KEY-1", "fail", &["another master key"]).has("KEY-3", "skip", &[]);
    let both = program.set("master_key", OTHER_KEY);
    let own = std::fs::read_to_string(both.data().join("master.key")).unwrap();
    let both = both.set("master_key_previous", own.trim());
    Gate::of(&both, &[]).await.has("KEY-3", "pass", &["under the previous one"]);
}
