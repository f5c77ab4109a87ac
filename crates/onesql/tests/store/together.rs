//! Reads that are taken together are each the reader's own.

use onesql::{Store, Together, Tx};
use tokio::task::JoinSet;

use crate::support::{Place, note, with_notes};

type Note = (i64, String);

async fn read(tx: &mut Tx, ids: &[i64]) -> onesql::Result<Vec<Note>> {
    let (least, most) = (ids.iter().min().copied(), ids.iter().max().copied());
    tx.query("SELECT id, words FROM notes WHERE id BETWEEN $1 AND $2")
        .bind(least)
        .bind(most)
        .all()
        .await
}

fn by_id(store: &Store) -> Together<i64, Note> {
    Together::new(store.clone(), |tx, ids| Box::pin(read(tx, ids)), |(id, _)| id)
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_what_they_asked_for() {
    for place in Place::each().await {
        let store = place.open().await;
        with_notes(&store).await;
        for id in 0..50 {
            note(&store, id).await.unwrap();
        }
        let together = std::sync::Arc::new(by_id(&store));
        let mut asking = JoinSet::new();
        for round in 0..400_i64 {
            let (together, wanted) = (std::sync::Arc::clone(&together), round % 100);
            let asked = asking.spawn(async move { (wanted, together.find(wanted).await.unwrap()) });
            // Some leave before they are told.
            if round % 7 == 0 {
                asked.abort();
            }
        }
        while let Some(told) = asking.join_next().await {
            let Ok((wanted, found)) = told else { continue };
            assert_eq!(found.map(|(id, _)| id), (wanted < 50).then_some(wanted));
        }
    }
}

#[tokio::test]
async fn what_was_written_before_the_question_is_in_the_answer() {
    for place in Place::each().await {
        let store = place.open().await;
        with_notes(&store).await;
        let together = by_id(&store);
        for id in 0..100 {
            let (before, written) = tokio::join!(together.find(id - 1), note(&store, id));
            written.unwrap();
            assert!(before.unwrap().is_some() || id == 0);
            assert!(together.find(id).await.unwrap().is_some(), "{id} on {}", store.kind());
        }
    }
}

#[tokio::test]
async fn a_failure_is_told_to_all_who_waited_and_to_nobody_after() {
    for place in Place::each().await {
        let store = place.open().await;
        let together = by_id(&store);
        let (one, two) = tokio::join!(together.find(1), together.find(2));
        assert!(one.is_err() && two.is_err(), "there is no table on {}", store.kind());
        with_notes(&store).await;
        assert_eq!(together.find(1).await.unwrap(), None);
    }
}

/// A list with a NULL, or of another length, would look cheaper to PostgreSQL each time, and be planned each time.
#[tokio::test]
async fn however_many_go_together_it_is_planned_once() {
    const TOGETHER: &str = "SELECT n.id FROM notes AS n JOIN notes AS o ON o.id = n.id
             JOIN notes AS p ON p.id = o.id
         WHERE n.id IN ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         ORDER BY n.id";
    for place in Place::each().await {
        let store = place.open().await;
        with_notes(&store).await;
        for id in 0..50 {
            note(&store, id).await.unwrap();
        }
        let mut tx = store.glance().await.unwrap();
        for round in 0..40 {
            let count = if round < 20 { 1 } else { round - 19 };
            let keys: Vec<i64> = (30..30 + count).chain([90]).take(16).collect();
            let found = tx.query(TOGETHER).bind_together(&keys).all::<(i64,)>().await.unwrap();
            let there: Vec<_> = keys.iter().filter(|&&key| key < 50).map(|&key| (key,)).collect();
            assert_eq!(found, there, "on {}", store.kind());
        }
        if store.kind() == "postgres" {
            let (custom,): (i64,) = tx
                .query("SELECT custom_plans FROM pg_prepared_statements WHERE statement = $1")
                .bind(TOGETHER)
                .one()
                .await
                .unwrap();
            assert!(custom <= 5, "it was planned {custom} times; the first five always are");
        }
    }
}
