//! When the database is gone, that is said within two seconds; when it is back, all is well again.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use onesql::{Error, Options, Store};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Executor};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::{
    INSERT, Line, Place, SOON, State, begin_and_abandon, insert, note, notes, with_notes,
};

/// Asserts that `attempt` fails soon, and for want of a database.
async fn assert_unavailable<T>(attempt: impl Future<Output = onesql::Result<T>>) {
    let began = Instant::now();
    let error = attempt.await.err().expect("there is no database");
    assert!(error.is_unavailable(), "{error:?}");
    assert!(began.elapsed() < SOON, "{error:?} after {:?}", began.elapsed());
}

#[test]
fn every_wait_is_shorter_than_two_seconds() {
    assert!(Options::sqlite("t.db").at_most < Duration::from_secs(2));
    assert!(Options::parse("postgres://localhost/d").unwrap().at_most < Duration::from_secs(2));
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let store =
        Store::open(&Options::parse(&format!("postgres://u:p@127.0.0.1:{port}/d")).unwrap())
            .await
            .unwrap();
    assert_unavailable(store.read()).await;
}

#[tokio::test]
async fn somebody_listens_and_never_answers() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let store =
        Store::open(&Options::parse(&format!("postgres://u:p@127.0.0.1:{port}/d")).unwrap())
            .await
            .unwrap();
    assert_unavailable(store.write()).await;
}

#[tokio::test]
async fn a_server_that_stops_is_noticed_and_found_again() {
    let Some(mut place) = Place::postgres().await else { return };
    let line = Line::to(place.server_address()).await;
    place.options = place.through(&line);
    place.options.connections = 3;
    let store = place.open().await;
    with_notes(&store).await;

    for (round, outage) in (0_i64..).zip([State::Cut, State::Silent]) {
        let id = round * 10;
        note(&store, id).await.unwrap();
        let mut tx = store.write().await.unwrap();
        insert(&mut tx, id + 1).await.unwrap();
        line.set(outage);

        // In the middle of a transaction, and anew; more often than there are connections.
        assert_unavailable(insert(&mut tx, id + 2)).await;
        drop(tx);
        let mut requests = JoinSet::new();
        for _ in 0..6 {
            let store = store.clone();
            requests.spawn(async move {
                assert_unavailable(async {
                    store.glance().await?.query("SELECT 1").execute().await
                })
                .await;
            });
        }
        requests.join_all().await;

        // It comes back. The old connections are dead, and so each is tried once in vain.
        line.set(State::Cut);
        line.set(State::Up);
        let began = Instant::now();
        while let Err(error) = note(&store, id + 3).await {
            assert!(error.is_unavailable(), "{error:?}");
            assert!(began.elapsed() < 5 * SOON, "it does not recover: {error:?}");
        }
    }
    assert_eq!(notes(&store).await, [0, 3, 10, 13]);
}

#[tokio::test]
async fn a_transaction_that_finds_its_connection_dead_begins_on_another_or_not_at_all() {
    const INSERT: &str = "INSERT INTO notes (id, words) VALUES ($1, 'x')";
    let Some(mut place) = Place::postgres().await else { return };
    let line = Line::to(place.server_address()).await;
    place.options = place.through(&line);
    let store = place.open().await;
    with_notes(&store).await;

    // The server is there again by the time at which the transaction begins.
    note(&store, 1).await.unwrap();
    let mut tx = store.write().await.unwrap();
    line.set(State::Cut);
    // So that the line sees it.
    tokio::task::yield_now().await;
    line.set(State::Up);
    tx.beside(INSERT).bind(2_i64).later().await.unwrap();
    insert(&mut tx, 3).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(notes(&store).await, [1, 2, 3]);

    // It is not: nothing more can be done, and nothing of it lasts.
    for outage in [State::Cut, State::Silent] {
        let mut tx = store.write().await.unwrap();
        line.set(outage);
        tx.beside(INSERT).bind(4_i64).later().await.unwrap();
        assert_unavailable(insert(&mut tx, 5)).await;
        assert!(matches!(insert(&mut tx, 6).await, Err(Error::Spoiled)));
        assert!(matches!(tx.commit().await, Err(Error::Spoiled)));
        // All that there is goes at once.
        let alone = async {
            let mut tx = store.write().await?;
            tx.beside(INSERT).bind(7_i64).later().await?;
            tx.commit().await
        };
        assert_unavailable(alone).await;
        line.set(State::Cut);
        line.set(State::Up);
        assert_eq!(notes(&store).await, [1, 2, 3]);
    }
}

#[tokio::test]
async fn a_client_that_goes_away_costs_no_connection() {
    let Some(mut place) = Place::postgres().await else { return };
    place.options.connections = 2;
    let store = place.open().await;
    for _ in 0..10 {
        let mut tx = store.glance().await.unwrap();
        begin_and_abandon(tx.query("SELECT pg_sleep(0.05)").execute()).await;
    }
    let mut tx = store.glance().await.unwrap();
    assert_eq!(tx.query("SELECT 1").one::<(i32,)>().await.unwrap().0, 1);
}

#[tokio::test]
async fn a_file_that_somebody_else_writes_to_is_busy_and_not_broken() {
    let place = Place::sqlite();
    let (one, other) = (place.open().await, place.open().await);
    with_notes(&one).await;

    let mut held = one.write().await.unwrap();
    insert(&mut held, 1).await.unwrap();
    // Each waits for the one before it, and then for the file.
    let attempt = |id| assert_unavailable(note(&other, id));
    tokio::join!(attempt(3), attempt(4), attempt(5));
    // Also where all there is was put off, until the commit.
    let later = async || {
        let mut tx = other.write().await?;
        tx.query(INSERT).bind(6_i64).later().await?;
        tx.commit().await
    };
    tokio::join!(assert_unavailable(later()), assert_unavailable(later()));
    held.commit().await.unwrap();
    note(&other, 2).await.unwrap();
    assert_eq!(notes(&one).await, [1, 2]);
}

#[tokio::test]
async fn a_new_file_that_somebody_writes_to_is_opened_when_they_are_done() {
    let place = Place::sqlite();
    let file = SqliteConnectOptions::new().filename(place.folder.path().join("t.db"));
    let mut other = file.create_if_missing(true).connect().await.unwrap();
    other.execute("BEGIN IMMEDIATE; CREATE TABLE theirs (id INTEGER)").await.unwrap();

    let done = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        other.execute("COMMIT").await.unwrap();
    };
    let (store, ()) = tokio::join!(place.open(), done);
    with_notes(&store).await;
    note(&store, 1).await.unwrap();
}

#[tokio::test]
async fn a_lane_that_is_held_for_too_long_is_not_waited_for() {
    let place = Place::sqlite();
    let store = place.open().await;
    with_notes(&store).await;
    let held = store.write().await.unwrap();
    assert_unavailable(store.write()).await;
    drop(held);
    note(&store, 1).await.unwrap();
}

#[tokio::test]
async fn a_mistake_is_not_an_outage() {
    for place in Place::each().await {
        let store = place.open().await;
        with_notes(&store).await;
        let mut tx = store.glance().await.unwrap();
        for mistake in ["SELECT nothing FROM notes", "SELECT FROM WHERE", "SELECT * FROM nowhere"] {
            let error = tx.query(mistake).execute().await.unwrap_err();
            assert!(matches!(error, Error::Sql(_)), "{error:?}");
            assert!(!error.is_unavailable(), "{mistake} on {}: {error:?}", store.kind());
        }
    }
}

/// A statement that nobody waits for any more must not be done later: its caller was told that it failed.
#[tokio::test]
async fn what_waited_for_a_lock_in_vain_is_not_done_later() {
    let Some(mut place) = Place::postgres().await else { return };
    place.options.at_most = Duration::from_millis(400);
    let store = place.open().await;
    with_notes(&store).await;
    note(&store, 1).await.unwrap();

    let mut holder = store.write().await.unwrap();
    let held = "SELECT id FROM notes WHERE id = 1 FOR UPDATE";
    holder.query(held).optional::<(i64,)>().await.unwrap();
    let mut waiting = store.write_once().await.unwrap();
    assert_unavailable(waiting.query("UPDATE notes SET id = 2 WHERE id = 1").execute()).await;
    drop(waiting);
    // The server gave up before us, so its connection is free for others at once.
    store.ping().await.unwrap();
    drop(holder);
    // Whoever waits for the row now comes after everybody who waited for it before.
    let mut next = store.write().await.unwrap();
    assert_eq!(next.query("UPDATE notes SET words = 'y' WHERE id = 1").execute().await.unwrap(), 1);
    next.commit().await.unwrap();
    assert_eq!(notes(&store).await, [1]);

    // Of two rows each is waited for less long than that, but not both.
    note(&store, 2).await.unwrap();
    let mut holders = Vec::new();
    for id in [1_i64, 2] {
        let mut holder = store.write().await.unwrap();
        let held = "SELECT id FROM notes WHERE id = $1 FOR UPDATE";
        holder.query(held).bind(id).optional::<(i64,)>().await.unwrap();
        holders.push(holder);
    }
    let mut waiting = store.write().await.unwrap();
    for id in [1_i64, 2] {
        let rename = waiting.beside("UPDATE notes SET words = 'z' WHERE id = $1").bind(id);
        rename.later_or_undo().await.unwrap();
    }
    let first = async {
        tokio::time::sleep(place.options.at_most * 5 / 8).await;
        drop(holders.remove(0));
    };
    tokio::join!(assert_unavailable(waiting.commit()), first);
    drop(holders);
    let mut next = store.write().await.unwrap();
    assert_eq!(
        next.query("UPDATE notes SET id = id WHERE words = 'z'").execute().await.unwrap(),
        0
    );
    next.commit().await.unwrap();
}
