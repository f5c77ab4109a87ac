//! All rows of a database, in a form that both kinds of database read and write.
//!
//! Tables and columns are asked from the database, so nothing has to be told here when a migration
//! adds one. What PostgreSQL knows by type (an id, an instant, JSON, a truth) is what SQLite keeps:
//! bytes, text and whole numbers.

use std::collections::BTreeSet;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Postgres, Row as _, Sqlite, TypeInfo as _, ValueRef as _};
use uuid::Uuid;

use crate::statement::within;
use crate::tx::On;
use crate::{Error, Result, Sql, Timestamp, Tx};

/// How many values one statement may have; SQLite takes 32766, PostgreSQL 65535.
const VALUES_AT_MOST: usize = 30_000;
/// How many rows go together.
const ROWS_AT_MOST: usize = 200;

/// One value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A number, or a truth as 0 or 1.
    Whole(i64),
    /// A text, an instant, or JSON.
    Text(String),
    /// Bytes, or the 16 of an id.
    Bytes(Vec<u8>),
}

/// What a column holds, in the words of PostgreSQL; SQLite keeps its values as they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    AsItComes,
    Id,
    Bytes,
    Text,
    Instant,
    Json,
    Truth,
    Whole,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    kind: Kind,
}

/// A table, and how its rows are put in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, by name.
    pub columns: Vec<Column>,
    /// The columns of its primary key.
    key: Vec<String>,
    /// The tables that its rows refer to.
    parents: BTreeSet<String>,
}

fn unreadable(table: &str, column: &str, why: &str) -> Error {
    Error::Copy(format!("{table}.{column} {why}"))
}

/// A name as SQL quotes it; ours need it no more than their digits, but nobody has to know.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Table {
    fn select(&self) -> String {
        let columns: Vec<_> = self
            .columns
            .iter()
            .map(|column| match column.kind {
                Kind::Json => format!("CAST({} AS TEXT)", quoted(&column.name)),
                _ => quoted(&column.name),
            })
            .collect();
        // The same order on both databases, whatever language PostgreSQL sorts by.
        let order: Vec<_> = self
            .key
            .iter()
            .map(|name| {
                let is_text = |column: &&Column| column.name == *name && column.kind == Kind::Text;
                match self.columns.iter().find(is_text) {
                    Some(_) => format!("{} COLLATE \"C\"", quoted(name)),
                    None => quoted(name),
                }
            })
            .collect();
        let order = if order.is_empty() {
            String::new()
        } else {
            format!(" ORDER BY {}", order.join(", "))
        };
        format!("SELECT {} FROM {}{order}", columns.join(", "), quoted(&self.name))
    }

    fn insert(&self, columns: &[&Column], rows: usize) -> String {
        let mut number = 0;
        let rows: Vec<_> = (0..rows)
            .map(|_| {
                let values: Vec<_> = columns
                    .iter()
                    .map(|column| {
                        number += 1;
                        match column.kind {
                            Kind::Json => format!("CAST(${number} AS JSONB)"),
                            _ => format!("${number}"),
                        }
                    })
                    .collect();
                format!("({})", values.join(", "))
            })
            .collect();
        let names: Vec<_> = columns.iter().map(|column| quoted(&column.name)).collect();
        format!(
            "INSERT INTO {} ({}) VALUES {}",
            quoted(&self.name),
            names.join(", "),
            rows.join(", ")
        )
    }
}

impl Tx {
    /// Returns every table, each after those that its rows refer to; what begins with an underscore
    /// belongs to the schema and is left out.
    pub async fn tables(&mut self) -> Result<Vec<Table>> {
        let names: Vec<(String,)> = self
            .query(Sql {
                sqlite: "SELECT name FROM sqlite_schema
                         WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'
                           AND name NOT LIKE '!_%' ESCAPE '!'
                         ORDER BY name",
                postgres: "SELECT CAST(table_name AS TEXT) FROM information_schema.tables
                           WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'
                             AND table_name NOT LIKE '!_%' ESCAPE '!'
                           ORDER BY CAST(table_name AS TEXT) COLLATE \"C\"",
            })
            .all()
            .await?;
        let mut tables = Vec::new();
        for (name,) in names {
            tables.push(self.table(name).await?);
        }
        Ok(parents_first(tables))
    }

    async fn table(&mut self, name: String) -> Result<Table> {
        const COLUMNS: Sql = Sql {
            sqlite: "SELECT name, type FROM pragma_table_info($1) ORDER BY name",
            postgres: "SELECT CAST(column_name AS TEXT), CAST(data_type AS TEXT)
                       FROM information_schema.columns
                       WHERE table_schema = current_schema() AND table_name = $1
                       ORDER BY CAST(column_name AS TEXT) COLLATE \"C\"",
        };
        const KEY: Sql = Sql {
            sqlite: "SELECT name FROM pragma_table_info($1) WHERE pk > 0 ORDER BY pk",
            postgres: "SELECT CAST(a.attname AS TEXT)
                       FROM pg_index AS i
                       JOIN pg_attribute AS a
                         ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
                       WHERE i.indrelid = to_regclass($1) AND i.indisprimary
                       ORDER BY array_position(CAST(i.indkey AS SMALLINT[]), a.attnum)",
        };
        const PARENTS: Sql = Sql {
            sqlite: "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list($1)",
            postgres: "SELECT DISTINCT CAST(p.relname AS TEXT)
                       FROM pg_constraint AS c JOIN pg_class AS p ON p.oid = c.confrelid
                       WHERE c.contype = 'f' AND c.conrelid = to_regclass($1)",
        };
        let mut columns = Vec::new();
        let rows: Vec<(String, String)> = self.query(COLUMNS).bind(name.clone()).all().await?;
        for (column, words) in rows {
            let kind = match (&self.on, words.as_str()) {
                (On::Reader(_) | On::Member(_), _) => Kind::AsItComes,
                (_, "uuid") => Kind::Id,
                (_, "bytea") => Kind::Bytes,
                (_, "text") => Kind::Text,
                (_, "timestamp with time zone") => Kind::Instant,
                (_, "jsonb") => Kind::Json,
                (_, "boolean") => Kind::Truth,
                (_, "bigint") => Kind::Whole,
                (_, other) => {
                    let why = format!("is of type {other}, which SQLite has not");
                    return Err(unreadable(&name, &column, &why));
                }
            };
            columns.push(Column { name: column, kind });
        }
        let key: Vec<(String,)> = self.query(KEY).bind(name.clone()).all().await?;
        let parents: Vec<(String,)> = self.query(PARENTS).bind(name.clone()).all().await?;
        Ok(Table {
            columns,
            key: key.into_iter().map(|(column,)| column).collect(),
            parents: parents
                .into_iter()
                .map(|(parent,)| parent)
                .filter(|parent| *parent != name)
                .collect(),
            name,
        })
    }

    /// Hands every row of a table to `take`, in the order of its key, without keeping any; however
    /// long it takes.
    pub async fn each_row<E: From<Error>>(
        &mut self,
        table: &Table,
        mut take: impl FnMut(Vec<Cell>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (sql, at_most) = (table.select(), self.at_most);
        match &mut self.on {
            On::Reader(reader) => {
                let query = sqlx::query(AssertSqlSafe(sql));
                let mut rows = query.fetch(reader.parts().0);
                while let Some(row) = rows.try_next().await.map_err(Error::from)? {
                    take(from_sqlite(table, &row)?)?;
                }
            }
            On::Member(_) => return Err(Error::Copy("rows are read by readers".into()).into()),
            On::Postgres(tx) => {
                let query = sqlx::query(AssertSqlSafe(sql));
                let link = tx.parts().0;
                link.begin(at_most).await?;
                let connection = link.connection()?;
                let patient =
                    sqlx::query("SET LOCAL statement_timeout = 0").execute(&mut *connection);
                within(at_most, patient).await?;
                let mut rows = query.fetch(connection);
                while let Some(row) = rows.try_next().await.map_err(Error::from)? {
                    take(from_postgres(table, &row)?)?;
                }
            }
        }
        Ok(())
    }

    /// Writes rows into a table, each with one cell per name of `columns`.
    pub async fn insert_rows(
        &mut self,
        table: &Table,
        columns: &[String],
        rows: &[Vec<Cell>],
    ) -> Result<()> {
        let mut chosen = Vec::new();
        for name in columns {
            let known = table.columns.iter().find(|column| column.name == *name);
            chosen.push(known.ok_or_else(|| unreadable(&table.name, name, "does not exist"))?);
        }
        let at_once = (VALUES_AT_MOST / chosen.len().max(1)).clamp(1, ROWS_AT_MOST);
        for rows in rows.chunks(at_once) {
            self.insert_batch(table, &chosen, rows).await?;
        }
        Ok(())
    }

    async fn insert_batch(
        &mut self,
        table: &Table,
        columns: &[&Column],
        rows: &[Vec<Cell>],
    ) -> Result<()> {
        if let Some(odd) = rows.iter().find(|row| row.len() != columns.len()) {
            let words = format!("a row of {} has {} cells", table.name, odd.len());
            return Err(Error::Copy(words));
        }
        // Whatever opens a transaction's part of the group does so with its first statement.
        let _: (i64,) = self.query("SELECT CAST(1 AS BIGINT)").one().await?;
        let sql = AssertSqlSafe(table.insert(columns, rows.len()));
        let at_most = self.at_most;
        let cells = rows.iter().flat_map(|row| columns.iter().zip(row));
        match &mut self.on {
            On::Reader(_) => Err(Error::Copy("rows are written by writers".into())),
            On::Member(member) => {
                let mut query = sqlx::query(sql);
                for (_, cell) in cells {
                    query = bind_sqlite(query, cell);
                }
                let (connection, integrity) = member.parts();
                integrity.check()?;
                integrity.tear();
                within(at_most, query.execute(connection)).await?;
                integrity.mend();
                Ok(())
            }
            On::Postgres(tx) => {
                let mut query = sqlx::query(sql);
                for (column, cell) in cells {
                    query = bind_postgres(query, table, column, cell)?;
                }
                let (link, integrity) = tx.parts();
                integrity.check()?;
                integrity.tear();
                within(at_most, query.execute(link.connection()?)).await?;
                integrity.mend();
                Ok(())
            }
        }
    }

    /// Takes every row out of a table.
    pub async fn empty(&mut self, table: &Table) -> Result<()> {
        let _: (i64,) = self.query("SELECT CAST(1 AS BIGINT)").one().await?;
        let query = AssertSqlSafe(format!("DELETE FROM {}", quoted(&table.name)));
        let at_most = self.at_most;
        match &mut self.on {
            On::Reader(_) => return Err(Error::Copy("rows are removed by writers".into())),
            On::Member(member) => {
                within(at_most, sqlx::query(query).execute(member.parts().0)).await?;
            }
            On::Postgres(tx) => {
                within(at_most, sqlx::query(query).execute(tx.parts().0.connection()?)).await?;
            }
        }
        Ok(())
    }
}

/// Puts each table behind those that it refers to; the rest stays in the order of names.
fn parents_first(mut tables: Vec<Table>) -> Vec<Table> {
    let mut sorted: Vec<Table> = Vec::new();
    while !tables.is_empty() {
        let done = |parent: &String| sorted.iter().any(|table| table.name == *parent);
        // Two that refer to each other go as they come; the database says so if it minds.
        let next = tables.iter().position(|table| table.parents.iter().all(done)).unwrap_or(0);
        sorted.push(tables.remove(next));
    }
    sorted
}

fn from_sqlite(table: &Table, row: &SqliteRow) -> Result<Vec<Cell>> {
    let mut cells = Vec::with_capacity(table.columns.len());
    for (at, column) in table.columns.iter().enumerate() {
        let kind = {
            let raw = row.try_get_raw(at)?;
            if raw.is_null() { "NULL".to_owned() } else { raw.type_info().name().to_owned() }
        };
        cells.push(match kind.as_str() {
            "NULL" => Cell::Null,
            "INTEGER" => Cell::Whole(row.try_get_unchecked(at)?),
            "TEXT" => Cell::Text(row.try_get_unchecked(at)?),
            "BLOB" => Cell::Bytes(row.try_get_unchecked(at)?),
            other => {
                let why = format!("has a value of type {other}");
                return Err(unreadable(&table.name, &column.name, &why));
            }
        });
    }
    Ok(cells)
}

fn from_postgres(table: &Table, row: &PgRow) -> Result<Vec<Cell>> {
    let mut cells = Vec::with_capacity(table.columns.len());
    for (at, column) in table.columns.iter().enumerate() {
        let cell = match column.kind {
            Kind::Id => row.try_get::<Option<Uuid>, _>(at)?.map(|id| Cell::Bytes(id.into())),
            Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(at)?.map(Cell::Bytes),
            Kind::Text | Kind::Json | Kind::AsItComes => {
                row.try_get::<Option<String>, _>(at)?.map(Cell::Text)
            }
            Kind::Instant => {
                row.try_get::<Option<Timestamp>, _>(at)?.map(|at| Cell::Text(at.to_string()))
            }
            Kind::Truth => row.try_get::<Option<bool>, _>(at)?.map(|it| Cell::Whole(it.into())),
            Kind::Whole => row.try_get::<Option<i64>, _>(at)?.map(Cell::Whole),
        };
        cells.push(cell.unwrap_or(Cell::Null));
    }
    Ok(cells)
}

fn bind_sqlite<'q>(
    query: Query<'q, Sqlite, SqliteArguments>,
    cell: &Cell,
) -> Query<'q, Sqlite, SqliteArguments> {
    match cell {
        Cell::Null => query.bind(None::<i64>),
        Cell::Whole(number) => query.bind(*number),
        Cell::Text(text) => query.bind(text.clone()),
        Cell::Bytes(bytes) => query.bind(bytes.clone()),
    }
}

fn bind_postgres<'q>(
    query: Query<'q, Postgres, PgArguments>,
    table: &Table,
    column: &Column,
    cell: &Cell,
) -> Result<Query<'q, Postgres, PgArguments>> {
    let unfit = || unreadable(&table.name, &column.name, "cannot hold what is to be written");
    Ok(match (column.kind, cell) {
        (Kind::Id, Cell::Null) => query.bind(None::<Uuid>),
        (Kind::Id, Cell::Bytes(bytes)) => query.bind(Uuid::from_slice(bytes).map_err(|_| unfit())?),
        (Kind::Bytes, Cell::Null) => query.bind(None::<Vec<u8>>),
        (Kind::Bytes, Cell::Bytes(bytes)) => query.bind(bytes.clone()),
        (Kind::Text | Kind::Json, Cell::Null) => query.bind(None::<String>),
        (Kind::Text | Kind::Json, Cell::Text(text)) => query.bind(text.clone()),
        (Kind::Instant, Cell::Null) => query.bind(None::<Timestamp>),
        (Kind::Instant, Cell::Text(text)) => {
            query.bind(text.parse::<Timestamp>().map_err(|_| unfit())?)
        }
        (Kind::Truth, Cell::Null) => query.bind(None::<bool>),
        (Kind::Truth, Cell::Whole(number)) => query.bind(*number != 0),
        (Kind::Whole, Cell::Null) => query.bind(None::<i64>),
        (Kind::Whole, Cell::Whole(number)) => query.bind(*number),
        _ => return Err(unfit()),
    })
}
