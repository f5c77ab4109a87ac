//! What leaves first when more mail waits than leaves.

use serde_json::json;

use crate::registration::UNLIMITED;
use crate::support::{PASSWORD, TestApp};

/// As many as the post has in hand at once.
const HANDS: usize = 8;
/// What left among these was in the first hands. Had it waited for its turn, it had been behind 40.
const SOON: usize = 2 * HANDS;

/// A flood of registrations, and one of links for somebody who did not ask, delay neither what happened to an account
/// nor what somebody else waits for; and nothing waits for ever.
///
/// Attack: K12
#[tokio::test]
async fn k12_a_flood_of_mail_does_not_delay_what_is_urgent() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    for email in ["bob@example.org", "victim@example.org"] {
        app.open_account(email).await;
    }
    let before = app.mails().await.len();

    for n in 0..40 {
        app.register(&format!("stranger{n}@example.net"), PASSWORD).await.ok(202);
    }
    let forgot = async |email: &str| {
        let body = json!({ "email": email });
        app.post("/api/v1/auth/forgot-password", body).await.ok(202);
    };
    for _ in 0..6 {
        forgot("victim@example.org").await;
    }
    forgot("bob@example.org").await;
    let body = json!({ "current_password": PASSWORD, "new_password": "seven herons under glass" });
    app.post_as(&ann, "/api/v1/auth/change-password", body).await.ok(204);

    let mails = app.mails().await;
    let places = |to: &str| {
        let left = mails[before..].iter().enumerate();
        let mine = left.filter(|(_, mail)| mail.to.iter().any(|address| address.starts_with(to)));
        mine.map(|(place, _)| place).collect::<Vec<_>>()
    };
    let (ann, bob) = (places("ann@"), places("bob@"));
    assert_eq!((ann.len(), bob.len()), (1, 1));
    // In the first hands; but of those, one may be slow at the relay while others are taken up behind it.
    assert!(ann[0] < SOON && bob[0] < SOON, "the notice left as {ann:?}, the link as {bob:?}");
    // Three of the victim's are as urgent as anybody's; the others wait behind, and leave before all strangers did.
    let (victim, strangers) = (places("victim@"), places("stranger"));
    assert_eq!((victim.len(), strangers.len()), (6, 40));
    assert!(victim[2] < SOON + HANDS && victim[3] > HANDS, "{victim:?}");
    assert!(victim[3] < *strangers.last().unwrap(), "{victim:?} {strangers:?}");
}
