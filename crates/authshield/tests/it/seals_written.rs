//! What whoever may write rows of the audit trail can do to it.

use std::time::Duration;

use authshield::seals::{self, Break, Memory, SealError};
use onesql::Sql;

use crate::seals::{UNGUARDED, both, execute, seal, verify};
use crate::support::TestApp;

/// What whoever may write rows puts in is found, and our key signs none of it.
#[tokio::test]
async fn l05_rows_that_somebody_writes_hide_nothing_and_are_not_signed() {
    let app = TestApp::with(&[("rate_limit.enabled", "false")]).await;
    let store = &app.app.store;
    app.sign_up("ann@example.org").await;
    seal(&app, &mut Memory::default()).await;
    app.advance(Duration::from_hours(3));
    app.log_in("ann@example.org", "battery staple").await.is(401, "AUTH_INVALID_CREDENTIALS");
    seal(&app, &mut Memory::default()).await;
    assert!(verify(&app, Vec::new()).await.holds());

    // An event of long ago, and a link with a number at which nobody looks.
    execute(
        store,
        Sql {
            sqlite: "INSERT INTO audit_events (id, at, code, ip_address, data) VALUES
                     (x'01900000000070008000000000000001', '2024-06-10T10:00:00.000000Z',
                      'LOGIN_SUCCEEDED', '192.0.2.6', '{}')",
            postgres: "INSERT INTO audit_events (id, at, code, ip_address, data) VALUES
                       ('01900000-0000-7000-8000-000000000001', '2024-06-10T10:00:00.000000Z',
                        'LOGIN_SUCCEEDED', '192.0.2.6', '{}')",
        },
    )
    .await;
    execute(
        store,
        Sql {
            sqlite: "INSERT INTO audit_links (seq, event_id, commitment, salt, hash) VALUES
                     (-1, x'01900000000070008000000000000001', zeroblob(32), NULL, zeroblob(32))",
            postgres: "INSERT INTO audit_links (seq, event_id, commitment, salt, hash) VALUES
                       (-1, '01900000-0000-7000-8000-000000000001', '\\x00', NULL, '\\x00')",
        },
    )
    .await;
    let report = verify(&app, Vec::new()).await;
    assert!(matches!(report.breaks[..], [Break::Inserted { .. }]), "{report:?}");

    for sql in UNGUARDED {
        execute(store, sql).await;
    }
    // A checkpoint that says that all until 2099 is sealed.
    let rows = "INSERT INTO audit_checkpoints
                SELECT number + 1, seq, hash, at, '2099-01-01T00:00:00.000000Z', epoch, 'x', 'x'
                FROM audit_checkpoints ORDER BY number DESC LIMIT 1";
    execute(store, both(rows)).await;
    let refused = seals::seal(&app.app, &mut Memory::default()).await;
    app.advance(Duration::from_mins(11));
    let refused = refused.and(seals::seal(&app.app, &mut Memory::default()).await);
    assert!(matches!(refused, Err(SealError::Foreign(Break::UnknownKey { .. }))), "{refused:?}");
    assert_eq!(app.app.metrics.audit_torn.get(), 1);
    execute(store, both("DELETE FROM audit_checkpoints WHERE kid = 'x'")).await;
    seal(&app, &mut Memory::default()).await;
    assert_eq!(app.app.metrics.audit_torn.get(), 0);

    // No checkpoint at all: whoever worked the links out anew has no other way.
    execute(store, both("DELETE FROM audit_checkpoints")).await;
    let report = verify(&app, Vec::new()).await;
    assert!(
        report.breaks.iter().any(|found| matches!(found, Break::Unsigned { .. })),
        "{report:?}"
    );
    app.log_in("ann@example.org", "battery staple").await.is(401, "AUTH_INVALID_CREDENTIALS");
    let refused = seals::seal(&app.app, &mut Memory::default()).await;
    assert!(matches!(refused, Err(SealError::Foreign(Break::Unsigned { .. }))), "{refused:?}");
    assert_eq!(app.count("SELECT COUNT(*) FROM audit_checkpoints").await, 0);
}
