//! One flush for all who write at the same time, and nobody pays for another's mistake.

use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::{Duration, Instant};

use onesql::{Error, Options, Store, Tx};
use tokio::task::{JoinHandle, JoinSet};

use crate::support::{INSERT, Place, begin_and_abandon, insert, note, notes, with_notes};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_on_disk() {
    let place = Place::sqlite();
    let store = place.open().await;
    with_notes(&store).await;

    let mut writers = JoinSet::new();
    for writer in 0..20_i64 {
        let store = store.clone();
        writers.spawn(async move {
            for turn in 0..25 {
                note(&store, writer * 25 + turn).await.unwrap();
            }
        });
    }
    writers.join_all().await;

    // What a power cut would leave: the files as they are, nobody having closed them.
    let crashed = place.folder.path().join("crashed.db");
    for suffix in ["", "-wal"] {
        std::fs::copy(
            place.folder.path().join(format!("t.db{suffix}")),
            format!("{}{suffix}", crashed.display()),
        )
        .unwrap();
    }
    let reopened = Store::open(&Options::sqlite(&crashed)).await.unwrap();
    assert_eq!(notes(&reopened).await, (0..500).collect::<Vec<_>>());
    let mut tx = reopened.glance().await.unwrap();
    let verdict: (String,) = tx.query("PRAGMA integrity_check").one().await.unwrap();
    assert_eq!(verdict.0, "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_rolls_back_takes_only_itself_away() {
    for place in Place::each().await {
        let store = place.open().await;
        with_notes(&store).await;

        let mut writers = JoinSet::new();
        for id in 0..90_i64 {
            let store = store.clone();
            writers.spawn(async move {
                let mut tx = store.write().await.unwrap();
                insert(&mut tx, id).await.unwrap();
                if id % 3 != 0 {
                    tx.commit().await.unwrap();
                }
            });
        }
        writers.join_all().await;

        let kept: Vec<i64> = (0..90).filter(|id| id % 3 != 0).collect();
        assert_eq!(notes(&store).await, kept, "on {}", store.kind());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_statement_does_not_hurt_the_group() {
    for place in Place::each().await {
        let store = place.open().await;
        with_notes(&store).await;
        note(&store, 0).await.unwrap();

        let mut writers = JoinSet::new();
        for id in 1..=60_i64 {
            let store = store.clone();
            writers.spawn(async move {
                let mut tx = store.write().await.unwrap();
                insert(&mut tx, id).await.unwrap();
                if id % 2 == 0 {
                    let error = insert(&mut tx, 0).await.unwrap_err();
                    assert!(!error.is_unavailable(), "{error:?}");
                } else {
                    tx.commit().await.unwrap();
                }
            });
        }
        writers.join_all().await;

        let kept: Vec<i64> = (0..=60).filter(|id| *id == 0 || id % 2 == 1).collect();
        assert_eq!(notes(&store).await, kept, "on {}", store.kind());
    }
}

#[tokio::test]
async fn after_a_failed_statement_nothing_of_a_transaction_lasts() {
    for place in Place::each().await {
        let store = place.open().await;
        with_notes(&store).await;
        note(&store, 1).await.unwrap();

        let mut tx = store.write().await.unwrap();
        insert(&mut tx, 2).await.unwrap();
        insert(&mut tx, 1).await.unwrap_err();
        assert!(matches!(insert(&mut tx, 3).await, Err(Error::Spoiled)), "on {}", store.kind());
        assert!(matches!(tx.commit().await, Err(Error::Spoiled)), "on {}", store.kind());

        note(&store, 4).await.unwrap();
        assert_eq!(notes(&store).await, [1, 4], "on {}", store.kind());
    }
}

#[tokio::test]
async fn who_goes_away_at_any_step_leaves_the_lane_free() {
    for place in Place::each().await {
        let store = place.open().await;
        with_notes(&store).await;

        // While waiting for the lane, in front of somebody who also waits.
        let held = store.write().await.unwrap();
        begin_and_abandon(store.write()).await;
        drop(held);
        note(&store, 1).await.unwrap();

        // When it has just been given the lane.
        begin_and_abandon(store.write()).await;
        note(&store, 2).await.unwrap();

        // In a statement; what is left of the transaction cannot be committed.
        let mut tx = store.write().await.unwrap();
        insert(&mut tx, 90).await.unwrap();
        if begin_and_abandon(insert(&mut tx, 91)).await {
            drop(tx);
        } else {
            assert!(matches!(tx.commit().await, Err(Error::Spoiled)), "on {}", store.kind());
        }
        note(&store, 3).await.unwrap();

        // Between statements.
        let mut tx = store.write().await.unwrap();
        insert(&mut tx, 92).await.unwrap();
        drop(tx);
        note(&store, 4).await.unwrap();

        let unsure = |ids: &[i64]| ids.iter().copied().filter(|id| *id != 5).collect::<Vec<_>>();
        // In the commit: whether it lasts is open, but it is all or nothing and harms nobody.
        let mut tx = store.write().await.unwrap();
        insert(&mut tx, 5).await.unwrap();
        begin_and_abandon(tx.commit()).await;
        note(&store, 6).await.unwrap();
        assert_eq!(unsure(&notes(&store).await), [1, 2, 3, 4, 6], "on {}", store.kind());
    }
}

/// However far the first statement came, with the savepoint that is opened before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_goes_away_in_the_first_statement_takes_nothing_of_others_away() {
    let place = Place::sqlite();
    let store = place.open().await;
    with_notes(&store).await;
    for id in 0..200 {
        let mut first = store.write().await.unwrap();
        insert(&mut first, id).await.unwrap();
        let second = in_line(&store).await;
        // It leaves its flush to the second.
        let first = tokio::spawn(first.commit());
        let mut second = second.await.unwrap();
        let mut statement = Box::pin(insert(&mut second, 1000 + id));
        poll_fn(|cx| Poll::Ready(_ = statement.as_mut().poll(cx))).await;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_micros(id.unsigned_abs() % 20) {}
        drop(statement);
        drop(second);
        first.await.unwrap().unwrap_or_else(|error| panic!("{id}: {error}"));
    }
    assert_eq!(notes(&store).await, (0..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_reader_that_goes_away_leaves_no_old_state_behind() {
    for mut place in Place::each().await {
        place.options.connections = 1;
        let store = place.open().await;
        with_notes(&store).await;
        for id in 0..20 {
            begin_and_abandon(store.read()).await;
            note(&store, id).await.unwrap();
            assert_eq!(notes(&store).await.last(), Some(&id), "on {}", store.kind());
        }
    }
}

#[tokio::test]
async fn an_error_in_line_does_not_keep_the_others_waiting() {
    let place = Place::sqlite();
    let store = place.open().await;
    with_notes(&store).await;

    // The first leaves its flush to the second, who is in line and then goes away.
    let mut first = store.write().await.unwrap();
    insert(&mut first, 1).await.unwrap();
    let second = tokio::spawn({
        let store = store.clone();
        async move { store.write().await.map(drop) }
    });
    tokio::task::yield_now().await;
    second.abort();
    first.commit().await.unwrap();
    assert_eq!(notes(&store).await, [1]);
}

/// Somebody is always in line, and the first is answered all the same, before the last has begun.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_does_not_go_on_for_as_long_as_somebody_is_in_line() {
    let place = Place::sqlite();
    let store = place.open().await;
    with_notes(&store).await;

    let mut first = store.write().await.unwrap();
    insert(&mut first, 1).await.unwrap();
    let second = in_line(&store).await;
    // It leaves its flush to the second.
    let first = tokio::spawn(first.commit());
    let mut second = second.await.unwrap();
    let third = in_line(&store).await;
    // Which takes longer than the first should wait for others.
    let began = Instant::now();
    let mut id = 1;
    while began.elapsed() < Duration::from_millis(30) {
        id += 1;
        insert(&mut second, id).await.unwrap();
    }
    let second = tokio::spawn(second.commit());
    let mut third = third.await.unwrap();
    // The third has its turn and does not end it: nothing but their own flush answers the two.
    let patience = Duration::from_secs(10);
    tokio::time::timeout(patience, async {
        first.await.unwrap().unwrap();
        second.await.unwrap().unwrap();
    })
    .await
    .expect("both are on disk");
    insert(&mut third, 0).await.unwrap();
    third.commit().await.unwrap();
    assert_eq!(notes(&store).await, (0..=id).collect::<Vec<_>>());
}

/// Gets in line for writing, and is there when this returns.
async fn in_line(store: &Store) -> JoinHandle<Tx> {
    let store = store.clone();
    let mut turn = Box::pin(async move { store.write().await.unwrap() });
    let waits = poll_fn(|cx| Poll::Ready(turn.as_mut().poll(cx).is_pending())).await;
    assert!(waits, "somebody else writes");
    tokio::spawn(turn)
}

#[tokio::test]
async fn the_first_statement_of_a_member_tells_what_it_touched() {
    let place = Place::sqlite();
    let store = place.open().await;
    with_notes(&store).await;
    note(&store, 1).await.unwrap();

    let mut first = store.write().await.unwrap();
    insert(&mut first, 2).await.unwrap();
    insert(&mut first, 3).await.unwrap();
    let second = tokio::spawn({
        let store = store.clone();
        async move {
            let mut tx = store.write().await.unwrap();
            let update = "UPDATE notes SET words = 'x' WHERE id > $1";
            assert_eq!(tx.query(update).bind(7_i64).execute().await.unwrap(), 0);
            assert_eq!(tx.query(update).bind(1_i64).execute().await.unwrap(), 2);
            tx.commit().await.unwrap();

            let mut tx = store.write().await.unwrap();
            let delete = "DELETE FROM notes WHERE id = $1 RETURNING words";
            let gone: (String,) = tx.query(delete).bind(3_i64).one().await.unwrap();
            assert_eq!(gone.0, "x");
            tx.commit().await.unwrap();
        }
    });
    tokio::task::yield_now().await;
    first.commit().await.unwrap();
    second.await.unwrap();
    assert_eq!(notes(&store).await, [1, 2]);
}

#[tokio::test]
async fn a_first_statement_that_makes_no_sense_hurts_only_its_own() {
    let place = Place::sqlite();
    let store = place.open().await;
    with_notes(&store).await;

    for round in 0..3_i64 {
        let mut first = store.write().await.unwrap();
        insert(&mut first, round).await.unwrap();
        let mut others = JoinSet::new();
        for act in ["mistake", "nothing", "away", "right"] {
            let store = store.clone();
            others.spawn(async move {
                let mut tx = store.write().await.unwrap();
                match act {
                    "mistake" => {
                        let error = tx.query("SELECT * FROM nowhere").execute().await.unwrap_err();
                        assert!(!error.is_unavailable(), "{error:?}");
                        assert!(matches!(tx.commit().await, Err(Error::Spoiled)));
                    }
                    "nothing" => tx.commit().await.unwrap(),
                    "away" => {
                        begin_and_abandon(insert(&mut tx, 100 + round)).await;
                    }
                    _ => {
                        insert(&mut tx, 10 + round).await.unwrap();
                        tx.commit().await.unwrap();
                    }
                }
            });
        }
        tokio::task::yield_now().await;
        first.commit().await.unwrap();
        while let Some(other) = others.join_next().await {
            other.unwrap();
        }
    }
    assert_eq!(notes(&store).await, [0, 1, 2, 10, 11, 12]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_put_off_and_fails_at_the_commit_hurts_only_its_own() {
    for place in Place::each().await {
        let store = place.open().await;
        with_notes(&store).await;
        note(&store, 0).await.unwrap();

        let mut writers = JoinSet::new();
        for id in 1..=60_i64 {
            let store = store.clone();
            writers.spawn(async move {
                let mut tx = store.write().await.unwrap();
                if id % 3 == 0 {
                    insert(&mut tx, 100 + id).await.unwrap();
                }
                // On the server it fails at once.
                let _ = tx.query(INSERT).bind(id).later().await;
                if id % 2 == 0 {
                    let _ = tx.query(INSERT).bind(0_i64).later().await;
                }
                assert_eq!(tx.commit().await.is_ok(), id % 2 != 0, "{id}");
            });
        }
        writers.join_all().await;

        let odd = |by: usize| (0..=60).step_by(by).filter(|id| id % 2 == 1);
        let kept: Vec<i64> =
            std::iter::once(0).chain(odd(1)).chain(odd(3).map(|id| 100 + id)).collect();
        assert_eq!(notes(&store).await, kept, "on {}", store.kind());
    }
}

/// A full disk ends the whole transaction when it commits, as this does.
#[tokio::test]
async fn what_ends_the_transaction_of_a_group_is_said_to_all_of_it() {
    let place = Place::sqlite();
    let store = place.open().await;
    with_notes(&store).await;
    note(&store, 1).await.unwrap();

    // Who puts it off after something else, and who puts off all there is.
    for (round, alone) in [(0, false), (1, true)] {
        let mut first = store.write().await.unwrap();
        insert(&mut first, 2).await.unwrap();
        let second = tokio::spawn({
            let store = store.clone();
            async move {
                let mut tx = store.write().await.unwrap();
                if !alone {
                    insert(&mut tx, 3).await.unwrap();
                }
                let end = "INSERT OR ROLLBACK INTO notes (id, words) VALUES ($1, 'x')";
                tx.query(end).bind(1_i64).later().await.unwrap();
                tx.commit().await.unwrap_err()
            }
        });
        tokio::task::yield_now().await;
        let first = format!("{:?}", first.commit().await.unwrap_err());
        assert_eq!(first, format!("{:?}", second.await.unwrap()));
        assert!(first.contains("UNIQUE"), "{first}");

        note(&store, 4 + round).await.unwrap();
    }
    assert_eq!(notes(&store).await, [1, 4, 5]);
}

/// What was begun within the limit is told as it ended, however long the rest takes: the disk may be slow.
#[tokio::test]
async fn what_is_being_committed_is_not_given_up() {
    let mut place = Place::sqlite();
    place.options.at_most = Duration::from_millis(200);
    let store = place.open().await;
    with_notes(&store).await;

    let mut first = store.write().await.unwrap();
    insert(&mut first, 0).await.unwrap();
    let second = tokio::spawn({
        let store = store.clone();
        async move {
            let mut tx = store.write().await.unwrap();
            let many = "INSERT INTO notes (id, words)
                        WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < $1)
                        SELECT id, 'x' FROM n";
            tx.query(many).bind(2_000_000_i64).later().await.unwrap();
            let began = Instant::now();
            (tx.commit().await, began.elapsed())
        }
    });
    tokio::task::yield_now().await;
    first.commit().await.unwrap();
    let (second, took) = second.await.unwrap();
    second.unwrap();
    assert!(took > place.options.at_most, "{took:?} is no long time");
    let count = "SELECT COUNT(*) FROM notes";
    let (count,): (i64,) = store.glance().await.unwrap().query(count).one().await.unwrap();
    assert_eq!(count, 2_000_001);
}

/// From a size on, SQLite moves what could be undone from memory into a file.
#[tokio::test]
async fn however_much_was_changed_can_be_undone_and_lasts() {
    let place = Place::sqlite();
    let store = place.open().await;
    with_notes(&store).await;
    let fill = "WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 2000)
                INSERT INTO notes (id, words) SELECT id, hex(zeroblob(500)) FROM n";
    let mut tx = store.write().await.unwrap();
    tx.query(fill).execute().await.unwrap();
    tx.commit().await.unwrap();

    let change = "UPDATE notes SET words = hex(randomblob(500))";
    let words = "SELECT group_concat(words, '') FROM (SELECT words FROM notes ORDER BY id)";
    let words = async || -> String {
        store.glance().await.unwrap().query(words).one::<(String,)>().await.unwrap().0
    };
    let before = words().await;
    for _ in 0..2 {
        let mut tx = store.write().await.unwrap();
        assert_eq!(tx.query(change).execute().await.unwrap(), 2000);
        drop(tx);
        assert!(words().await == before);
    }
    let mut tx = store.write().await.unwrap();
    tx.query(change).execute().await.unwrap();
    tx.commit().await.unwrap();
    assert!(words().await != before);
}

#[tokio::test]
async fn a_full_disk_is_said_to_all_whom_it_concerns_and_then_forgotten() {
    let place = Place::sqlite();
    let store = place.open().await;
    with_notes(&store).await;
    note(&store, 1).await.unwrap();

    // One who is done and waits for the flush, while the next fills the disk.
    let mut first = store.write().await.unwrap();
    insert(&mut first, 2).await.unwrap();
    let second = tokio::spawn({
        let store = store.clone();
        async move {
            let mut tx = store.write().await.unwrap();
            tx.query("PRAGMA max_page_count = 4").execute().await.unwrap();
            let error = tx
                .query("INSERT INTO notes (id, words) VALUES (3, hex(zeroblob(1000000)))")
                .execute()
                .await
                .unwrap_err();
            assert!(error.is_unavailable(), "{error:?}");
            assert!(matches!(insert(&mut tx, 4).await, Err(Error::Spoiled)));
        }
    });
    tokio::task::yield_now().await;
    let first = first.commit().await;
    second.await.unwrap();

    // There is room again.
    let mut tx = store.write().await.unwrap();
    tx.query("PRAGMA max_page_count = 1000000").execute().await.unwrap();
    insert(&mut tx, 5).await.unwrap();
    tx.commit().await.unwrap();

    // Whether the first went down with it is up to SQLite; that it was told the truth is up to us.
    let expected: &[i64] = if first.is_ok() { &[1, 2, 5] } else { &[1, 5] };
    assert_eq!(notes(&store).await, expected);
}

/// A growing file costs each flush more, and a log that nobody takes back fills the disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_written_over_although_somebody_always_reads_and_writes() {
    let place = Place::sqlite();
    let store = place.open().await;
    with_notes(&store).await;
    let reader = tokio::spawn({
        let store = store.clone();
        async move {
            loop {
                notes(&store).await;
            }
        }
    });
    // 80 MB, of which two megabytes last.
    for turn in 0..400_i64 {
        let mut tx = store.write().await.unwrap();
        tx.query("DELETE FROM notes WHERE id = $1").bind(turn % 10).execute().await.unwrap();
        tx.query("INSERT INTO notes (id, words) VALUES ($1, hex(zeroblob(100000)))")
            .bind(turn % 10)
            .execute()
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    reader.abort();
    let log = place.folder.path().join("t.db-wal").metadata().unwrap().len();
    assert!(log < 50_000_000, "the log has {log} bytes");
}
