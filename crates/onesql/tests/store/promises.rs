//! What holds for every transaction, whichever database it is on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use onesql::{Error, Json, Sql, Timestamp, Tx};

use crate::support::{Place, insert, note, notes, with_notes};

#[tokio::test]
async fn a_read_cannot_write() {
    for place in Place::each().await {
        let store = place.open().await;
        with_notes(&store).await;
        note(&store, 1).await.unwrap();

        for attempt in [
            "INSERT INTO notes (id, words) VALUES (2, 'x')",
            "UPDATE notes SET words = 'x'",
            "DELETE FROM notes",
            "DROP TABLE notes",
            "CREATE TABLE more (id INTEGER)",
        ] {
            let mut tx = store.read().await.unwrap();
            assert!(tx.query(attempt).execute().await.is_err(), "{attempt} on {}", store.kind());
        }
        assert_eq!(notes(&store).await, [1], "on {}", store.kind());
    }
}

#[tokio::test]
async fn a_read_sees_one_state_throughout() {
    for place in Place::each().await {
        let store = place.open().await;
        with_notes(&store).await;

        let mut tx = store.read().await.unwrap();
        let count = "SELECT COUNT(*) FROM notes";
        let before: (i64,) = tx.query(count).one().await.unwrap();
        note(&store, 1).await.unwrap();
        let after: (i64,) = tx.query(count).one().await.unwrap();
        assert_eq!((before, after), ((0,), (0,)), "on {}", store.kind());
        drop(tx);
        assert_eq!(notes(&store).await, [1], "on {}", store.kind());
    }
}

#[tokio::test]
async fn a_glance_may_go_on_after_a_mistake() {
    for place in Place::each().await {
        let store = place.open().await;
        with_notes(&store).await;
        let mut tx = store.glance().await.unwrap();
        assert!(tx.query("SELECT nothing FROM notes").optional::<(i64,)>().await.is_err());
        let count: (i64,) = tx.query("SELECT COUNT(*) FROM notes").one().await.unwrap();
        assert_eq!(count, (0,), "on {}", store.kind());
    }
}

#[tokio::test]
async fn one_statement_is_a_transaction_by_itself() {
    const TAKE: &str = "INSERT INTO notes (id, words) SELECT $1, 'x' WHERE $1 > 1";
    for place in Place::each().await {
        let store = place.open().await;
        with_notes(&store).await;
        let lasting = Arc::new(AtomicU32::new(0));
        for (id, changed) in [(1_i64, 0), (2, 1)] {
            let mut tx = store.write_once().await.unwrap();
            assert_eq!(tx.query(TAKE).bind(id).execute().await.unwrap(), changed);
            let told = Arc::clone(&lasting);
            tx.then(move || _ = told.fetch_add(1, Ordering::Relaxed));
            if changed == 1 {
                tx.commit().await.unwrap();
            }
        }
        assert_eq!(lasting.load(Ordering::Relaxed), 1, "on {}", store.kind());

        let mut tx = store.write_once().await.unwrap();
        tx.query(TAKE).bind(3_i64).later().await.unwrap();
        tx.commit().await.unwrap();

        let mut tx = store.write_once().await.unwrap();
        assert!(tx.query(TAKE).bind(3_i64).execute().await.is_err(), "on {}", store.kind());
        assert!(matches!(tx.commit().await, Err(Error::Spoiled)), "on {}", store.kind());
        assert_eq!(notes(&store).await, [2, 3], "on {}", store.kind());

        let two = tokio::spawn(async move {
            let mut tx = store.write_once().await.unwrap();
            tx.query(TAKE).bind(4_i64).execute().await.unwrap();
            tx.query(TAKE).bind(5_i64).execute().await.unwrap();
        });
        assert!(
            two.await.unwrap_err().is_panic(),
            "a second statement would be another transaction"
        );
    }
}

#[tokio::test]
async fn two_statements_go_together_and_the_result_is_that_of_the_second() {
    for place in Place::each().await {
        let store = place.open().await;
        with_notes(&store).await;
        let kind = store.kind();
        for number in 1..=2 {
            note(&store, number).await.unwrap();
        }

        let mut tx = store.write().await.unwrap();
        let insert = "INSERT INTO notes (id, words) VALUES ($1, $2)";
        tx.query(insert).bind(3_i64).bind("x").later().await.unwrap();
        tx.query(insert).bind(4_i64).bind("x").later().await.unwrap();
        let update = tx.query("UPDATE notes SET words = $2 WHERE id <= $1").bind(2_i64).bind("y");
        assert_eq!(update.execute().await.unwrap(), 2, "on {kind}");
        let third = tx.query("UPDATE notes SET words = $2 WHERE id = $1").bind(3_i64).bind("z");
        third.later().await.unwrap();
        let words = tx.query("SELECT words FROM notes WHERE id >= $1 ORDER BY id LIMIT $2");
        let words = words.bind(2_i64).bind(2_i64).all::<(String,)>().await;
        assert_eq!(words.unwrap(), [("y".to_owned(),), ("z".to_owned(),)], "on {kind}");
        tx.query("DELETE FROM notes WHERE id = $1").bind(4_i64).later().await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(notes(&store).await, [1, 2, 3], "on {kind}");

        // Nothing lasts if one of them fails, whichever, or if nobody commits.
        for (first, second) in [(1_i64, 4_i64), (4, 1)] {
            let mut tx = store.write().await.unwrap();
            let put_off = tx.query(insert).bind(first).bind("x").later().await;
            let next = tx.query(insert).bind(second).bind("x").execute().await;
            assert!(put_off.is_err() || next.is_err(), "on {kind}");
            assert!(tx.commit().await.is_err(), "on {kind}");
        }
        let mut tx = store.write().await.unwrap();
        let put_off = tx.query(insert).bind(1_i64).bind("x").later().await;
        assert!(put_off.is_err() || tx.commit().await.is_err(), "on {kind}");
        for is_followed in [true, false] {
            let mut tx = store.write().await.unwrap();
            tx.query(insert).bind(5_i64).bind("x").later().await.unwrap();
            if is_followed {
                let none = tx.query("DELETE FROM notes WHERE id = $1").bind(9_i64).execute().await;
                assert_eq!(none.unwrap(), 0, "on {kind}");
            }
            drop(tx);
        }
        // Nor does it without a next one that was made and never run.
        let mut tx = store.write().await.unwrap();
        tx.query(insert).bind(6_i64).bind("x").later().await.unwrap();
        drop(tx.query("DELETE FROM notes"));
        tx.commit().await.unwrap();
        assert_eq!(notes(&store).await, [1, 2, 3, 6], "on {kind}");

        // Where a database has nothing to do, the other one does it.
        let mut tx = store.write().await.unwrap();
        let locked = Sql { sqlite: "", postgres: "SELECT id FROM notes WHERE id = $1 FOR UPDATE" };
        tx.query(insert).bind(7_i64).bind("x").later().await.unwrap();
        tx.query(locked).bind(7_i64).later().await.unwrap();
        tx.query("DELETE FROM notes WHERE id = $1").bind(6_i64).later().await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(notes(&store).await, [1, 2, 3, 7], "on {kind}");
    }
}

#[tokio::test]
async fn what_goes_beside_others_is_done_before_the_next_statement_and_lasts_with_it_or_not_at_all()
{
    const INSERT: &str = "INSERT INTO notes (id, words) VALUES ($1, $2)";
    for place in Place::each().await {
        let store = place.open().await;
        with_notes(&store).await;
        let kind = store.kind();
        let insert = async |tx: &mut Tx, id: i64| {
            tx.beside(INSERT).bind(id).bind("x").later().await.unwrap();
        };

        let mut tx = store.write().await.unwrap();
        for id in 1..=3 {
            insert(&mut tx, id).await;
        }
        let update = tx.query("UPDATE notes SET words = $2 WHERE id >= $1").bind(2_i64).bind("y");
        assert_eq!(update.execute().await.unwrap(), 2, "on {kind}");
        let rename = "UPDATE notes SET words = $2 WHERE id = $1 AND words = $3";
        tx.beside(rename).bind(3_i64).bind("z").bind("y").later().await.unwrap();
        let words = tx.query("SELECT words FROM notes ORDER BY id").all::<(String,)>().await;
        let words: Vec<_> = words.unwrap().into_iter().map(|(word,)| word).collect();
        assert_eq!(words, ["x", "y", "z"], "on {kind}");
        insert(&mut tx, 4).await;
        tx.beside("DELETE FROM notes WHERE id = $1").bind(1_i64).later().await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(notes(&store).await, [2, 3, 4], "on {kind}");

        // One that is there already, alone and among others; before a statement and before the commit.
        for others in [0, 2] {
            for is_followed in [true, false] {
                let mut tx = store.write().await.unwrap();
                for id in (10..).take(others).chain([4]) {
                    insert(&mut tx, id).await;
                }
                if is_followed {
                    let next = tx.query("DELETE FROM notes WHERE id = $1").bind(2_i64);
                    assert!(next.execute().await.is_err(), "on {kind}");
                }
                assert!(tx.commit().await.is_err(), "on {kind}");
            }
        }
        let mut tx = store.write().await.unwrap();
        insert(&mut tx, 5).await;
        drop(tx);
        assert_eq!(notes(&store).await, [2, 3, 4], "on {kind}");

        let mut tx = store.write_once().await.unwrap();
        insert(&mut tx, 6).await;
        let lasts = Arc::new(AtomicU32::new(0));
        let told = Arc::clone(&lasts);
        tx.then(move || _ = told.fetch_add(1, Ordering::Relaxed));
        tx.commit().await.unwrap();
        assert_eq!(lasts.load(Ordering::Relaxed), 1, "on {kind}");
        let mut tx = store.write_once().await.unwrap();
        insert(&mut tx, 6).await;
        assert!(tx.commit().await.is_err(), "on {kind}");
        assert_eq!(notes(&store).await, [2, 3, 4, 6], "on {kind}");
    }
}

#[tokio::test]
async fn what_a_transaction_rests_on_undoes_all_of_it_if_it_is_not_so() {
    const INSERT: &str = "INSERT INTO notes (id, words) VALUES ($1, $2)";
    const RENAME: &str = "UPDATE notes SET words = $2 WHERE id = $1";
    // Two for one set of parameters: the note $1, if there is $3.
    const BOTH: Sql = Sql {
        sqlite: "INSERT INTO notes (id, words) VALUES ($1, $2);
                 UPDATE notes SET words = $2 WHERE id = $3 AND changes() = 1",
        postgres: "INSERT INTO notes (id, words) VALUES ($1, $2);
                   UPDATE notes SET words = $2 WHERE id = $3",
    };
    for place in Place::each().await {
        let store = place.open().await;
        with_notes(&store).await;
        let kind = store.kind();
        let insert =
            async |tx: &mut Tx, id: i64| tx.beside(INSERT).bind(id).bind("x").later().await;
        note(&store, 1).await.unwrap();

        // Alone, among others, and among so many that they do not go together; with an ordinary one before or after.
        for (others, before, after) in [
            (0, false, false),
            (2, false, false),
            (20, false, false),
            (2, true, false),
            (2, false, true),
        ] {
            for (rests_on, is_met) in [(1_i64, true), (99, false)] {
                let mut tx = store.write().await.unwrap();
                let ended = async {
                    if before {
                        tx.query(INSERT).bind(50_i64).bind("x").execute().await?;
                    }
                    for id in 10..10 + others / 2 {
                        insert(&mut tx, id).await?;
                    }
                    tx.beside(RENAME).bind(rests_on).bind("y").later_or_undo().await?;
                    for id in 10 + others / 2..10 + others {
                        insert(&mut tx, id).await?;
                    }
                    if after {
                        tx.query(INSERT).bind(51_i64).bind("x").execute().await?;
                    }
                    Ok::<_, Error>(())
                };
                let ended = ended.await;
                let told = Arc::new(AtomicU32::new(0));
                let heard = Arc::clone(&told);
                tx.then(move || _ = heard.fetch_add(1, Ordering::Relaxed));
                let of = format!("{others} others on {kind}: {ended:?}");
                let ended = match (ended, tx.commit().await) {
                    (Ok(()), committed) => committed,
                    (Err(error), Err(Error::Spoiled)) => Err(error),
                    (Err(_), committed) => panic!("{of}, and then {committed:?}"),
                };
                assert_eq!(told.load(Ordering::Relaxed), u32::from(is_met), "{of}");
                if !is_met {
                    assert!(matches!(ended, Err(Error::Unmet)), "{of}");
                    assert_eq!(notes(&store).await, [1], "{of}");
                    continue;
                }
                ended.unwrap();
                let mut all = vec![1];
                all.extend(10..10 + others);
                all.extend(before.then_some(50).into_iter().chain(after.then_some(51)));
                assert_eq!(notes(&store).await, all, "{of}");
                let mut tx = store.write().await.unwrap();
                tx.query("DELETE FROM notes WHERE id > 1").execute().await.unwrap();
                tx.commit().await.unwrap();
            }
        }

        // Each of two must change a row, whichever is not met.
        let both = async |id: i64, other: i64| {
            let mut tx = store.write().await?;
            tx.beside(BOTH).bind(id).bind("z").bind(other).later_or_undo().await?;
            insert(&mut tx, id + 1).await?;
            tx.commit().await
        };
        assert!(matches!(both(2, 99).await, Err(Error::Unmet)), "on {kind}");
        assert_eq!(notes(&store).await, [1], "on {kind}");
        both(2, 1).await.unwrap();
        assert_eq!(notes(&store).await, [1, 2, 3], "on {kind}");
        // What fails for another reason says so.
        let error = both(2, 1).await.unwrap_err();
        assert!(error.is_unique_violation(), "on {kind}: {error:?}");
        // One that is not put beside others is as good, and fails at once where it is run at once.
        let mut tx = store.write().await.unwrap();
        let alone = tx.query(RENAME).bind(99_i64).bind("z").later_or_undo().await;
        let ended = (alone, tx.commit().await);
        assert!(
            matches!(ended, (Err(Error::Unmet), Err(Error::Spoiled)) | (Ok(()), Err(Error::Unmet))),
            "on {kind}: {ended:?}"
        );
    }
}

#[tokio::test]
async fn an_instant_comes_back_as_it_went() {
    for place in Place::each().await {
        let store = place.open().await;
        let mut tx = store.write().await.unwrap();
        tx.query(Sql {
            sqlite: "CREATE TABLE moments (n INTEGER NOT NULL, at TEXT, note TEXT) STRICT",
            postgres: "CREATE TABLE moments (n BIGINT NOT NULL, at TIMESTAMPTZ, note JSONB)",
        })
        .execute()
        .await
        .unwrap();
        let moments: Vec<Timestamp> = [
            0,
            1,
            999_999,
            946_684_799_999_999, // the last microsecond before PostgreSQL begins to count
            946_684_800_000_000,
            1_795_334_400_000_000,
            1_795_334_400_500_001,
            i64::MAX, // clamped to the end of the calendar
        ]
        .into_iter()
        .map(Timestamp::from_microsecond)
        .collect();
        for (n, at) in (0_i64..).zip(&moments) {
            tx.query("INSERT INTO moments (n, at, note) VALUES ($1, $2, $3)")
                .bind(n)
                .bind(*at)
                .bind(Json(at))
                .execute()
                .await
                .unwrap();
        }
        tx.query("INSERT INTO moments (n, at) VALUES ($1, $2)")
            .bind(99_i64)
            .bind(None::<Timestamp>)
            .execute()
            .await
            .unwrap();
        tx.commit().await.unwrap();

        let mut tx = store.read().await.unwrap();
        let back: Vec<(Timestamp, Json<Timestamp>)> =
            tx.query("SELECT at, note FROM moments WHERE n < 99 ORDER BY at").all().await.unwrap();
        let (columns, documents): (Vec<_>, Vec<_>) =
            back.into_iter().map(|(at, Json(note))| (at, note)).unzip();
        assert_eq!(columns, moments, "on {}", store.kind());
        assert_eq!(documents, moments, "on {}", store.kind());

        let none: (Option<Timestamp>,) =
            tx.query("SELECT at FROM moments WHERE n = 99").one().await.unwrap();
        assert_eq!(none.0, None, "on {}", store.kind());

        let noon = Timestamp::from_microsecond(1_795_334_400_000_000);
        let later: (i64,) = tx
            .query("SELECT COUNT(*) FROM moments WHERE at > $1 AND at <= $2")
            .bind(noon)
            .bind(noon + Duration::from_secs(1))
            .one()
            .await
            .unwrap();
        assert_eq!(later.0, 1, "on {}", store.kind());
    }
}

#[tokio::test]
async fn what_is_returned_was_also_done() {
    for place in Place::each().await {
        let store = place.open().await;
        with_notes(&store).await;
        let mut tx = store.write().await.unwrap();
        for id in 1..=3 {
            insert(&mut tx, id).await.unwrap();
        }
        // Only the first row is asked for, yet the whole statement takes effect.
        let first: Option<(i64,)> =
            tx.query("UPDATE notes SET words = 'done' RETURNING id").optional().await.unwrap();
        assert!(first.is_some(), "on {}", store.kind());
        tx.commit().await.unwrap();

        let mut tx = store.glance().await.unwrap();
        let done: (i64,) =
            tx.query("SELECT COUNT(*) FROM notes WHERE words = 'done'").one().await.unwrap();
        assert_eq!(done.0, 3, "on {}", store.kind());
    }
}
