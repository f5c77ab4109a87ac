//! What one database gives, the other takes, and gives back the same.

use onesql::{Cell, Store, Table, Tx};

use crate::support::Place;

/// Every kind of column, and rows that refer to each other.
async fn make(store: &Store) {
    let sqlite = [
        "CREATE TABLE zoo (id BLOB PRIMARY KEY, name TEXT NOT NULL, at TEXT, said TEXT, open INTEGER,
                           size INTEGER, face BLOB) STRICT",
        "CREATE TABLE animals (zoo BLOB NOT NULL REFERENCES zoo (id), name TEXT NOT NULL,
                               PRIMARY KEY (zoo, name)) STRICT",
    ];
    let postgres = [
        "CREATE TABLE zoo (id UUID PRIMARY KEY, name TEXT NOT NULL, at TIMESTAMPTZ, said JSONB,
                           open BOOLEAN, size BIGINT, face BYTEA)",
        "CREATE TABLE animals (zoo UUID NOT NULL REFERENCES zoo (id), name TEXT NOT NULL,
                               PRIMARY KEY (zoo, name))",
    ];
    let mut tx = store.write().await.unwrap();
    for (sqlite, postgres) in sqlite.into_iter().zip(postgres) {
        tx.query(onesql::Sql { sqlite, postgres }).execute().await.unwrap();
    }
    tx.commit().await.unwrap();
}

fn names(table: &Table) -> Vec<String> {
    table.columns.iter().map(|column| column.name.clone()).collect()
}

async fn all(tx: &mut Tx, table: &Table) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    let taken = tx.each_row(table, |row| {
        rows.push(row);
        Ok::<_, onesql::Error>(())
    });
    taken.await.unwrap();
    rows
}

#[tokio::test]
async fn rows_go_from_each_database_into_each_and_stay_the_same() {
    let text = |text: &str| Cell::Text(text.into());
    for place in Place::each().await {
        let store = place.open().await;
        make(&store).await;
        let tables = store.read().await.unwrap().tables().await.unwrap();
        let order: Vec<_> = tables.iter().map(|table| table.name.as_str()).collect();
        assert_eq!(order, ["zoo", "animals"], "parents come first");
        let zoo = &tables[0];
        assert_eq!(names(zoo), ["at", "face", "id", "name", "open", "said", "size"]);

        // More rows than go together, in the order of their key, with and without values.
        let rows: Vec<Vec<Cell>> = (0..450_u16)
            .map(|number| {
                let mut id = [0; 16];
                id[..2].copy_from_slice(&number.to_be_bytes());
                let given = number % 2 == 0;
                let or_null = |cell: Cell| if given { cell } else { Cell::Null };
                vec![
                    or_null(text("2026-11-22T08:30:00.500000Z")),
                    or_null(Cell::Bytes(vec![0, 255])),
                    Cell::Bytes(id.to_vec()),
                    text("Ä'\";--\n"),
                    or_null(Cell::Whole(1)),
                    or_null(text("{}")),
                    or_null(Cell::Whole(i64::MIN)),
                ]
            })
            .collect();
        let mut tx = store.write().await.unwrap();
        tx.insert_rows(zoo, &names(zoo), &rows).await.unwrap();
        let animal = vec![Cell::Bytes(vec![0; 16]), text("emu")];
        let columns = ["zoo".to_owned(), "name".to_owned()];
        tx.insert_rows(&tables[1], &columns, &[animal]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(all(&mut store.read().await.unwrap(), zoo).await, rows, "on {}", store.kind());

        // Who refers goes first, or nothing goes.
        let mut tx = store.write().await.unwrap();
        assert!(tx.empty(zoo).await.is_err());
        drop(tx);
        let mut tx = store.write().await.unwrap();
        tx.empty(&tables[1]).await.unwrap();
        tx.empty(zoo).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(all(&mut store.read().await.unwrap(), zoo).await, [] as [Vec<Cell>; 0]);
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_nothing_lasts() {
    for place in Place::each().await {
        let store = place.open().await;
        make(&store).await;
        let tables = store.read().await.unwrap().tables().await.unwrap();
        let (columns, id) = (["id".to_owned(), "name".to_owned()], Cell::Bytes(vec![7; 16]));
        let good = vec![id.clone(), Cell::Text("x".into())];
        for (columns, row) in [
            (vec!["id".to_owned(), "nmae".to_owned()], good.clone()),
            (columns.to_vec(), vec![id]),
            (columns.to_vec(), vec![good[0].clone(), Cell::Null]),
        ] {
            let mut tx = store.write().await.unwrap();
            tx.insert_rows(&tables[0], &columns, std::slice::from_ref(&good)).await.ok();
            assert!(tx.insert_rows(&tables[0], &columns, &[row]).await.is_err());
            drop(tx);
            let left = all(&mut store.read().await.unwrap(), &tables[0]).await;
            assert_eq!(left, [] as [Vec<Cell>; 0], "on {}", store.kind());
        }
    }
}
