use std::future::Future;
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Encode, Execute, Executor, FromRow, Postgres, Sqlite, Type};

use crate::sqlite::Opening;
use crate::watch::{Part, Watch};
use crate::{Error, Result, Sql};

/// A statement with its parameters, not yet run.
#[must_use = "a statement does nothing until it is run"]
pub struct Statement<'t, 'q> {
    on: On<'t, 'q>,
    run: Run<'t>,
    /// How many parameters were given.
    bound: usize,
}

/// Whether a transaction is still whole.
///
/// PostgreSQL refuses everything after a failed statement and answers `COMMIT` with a roll-back that
/// looks like success; SQLite carries on, unless the disk is full: then it ends the transaction, and
/// the next statement would last by itself. So we keep the books, and both behave alike.
#[derive(Debug)]
pub(crate) struct Integrity {
    /// Whether statements belong together.
    transaction: bool,
    /// Whether a statement failed, or its end was not seen.
    torn: bool,
}

impl Integrity {
    pub(crate) fn new(transaction: bool) -> Self {
        Self { transaction, torn: false }
    }

    /// Refuses what can no longer be whole.
    pub(crate) fn check(&self) -> Result<()> {
        if self.transaction && self.torn { Err(Error::Spoiled) } else { Ok(()) }
    }

    /// Says that a statement was begun whose end was not seen.
    pub(crate) fn tear(&mut self) {
        self.torn = true;
    }

    /// Says that it ended well.
    pub(crate) fn mend(&mut self) {
        self.torn = false;
    }

    /// Returns whether the last statement failed, or its end was not seen.
    pub(crate) fn is_torn(&self) -> bool {
        self.torn
    }
}

/// What a statement is, and how it is run.
#[derive(Clone, Copy)]
pub(crate) struct How<'t> {
    /// What the program says.
    pub(crate) sql: &'static str,
    pub(crate) at_most: Duration,
    pub(crate) watch: &'t Watch,
}

/// How a statement is run.
struct Run<'t> {
    how: How<'t>,
    integrity: &'t mut Integrity,
    /// The savepoint that the statement opens first.
    opening: Option<Opening<'t>>,
    /// Why a parameter of a statement before cannot be given.
    unencodable: Option<BoxDynError>,
    /// What the program says besides, on the same way.
    then: Vec<&'static str>,
}

impl Run<'_> {
    /// Sees `work` through. Torn is the state until it is done, for the caller may go away meanwhile.
    async fn through<T>(self, work: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
        self.integrity.check()?;
        self.integrity.torn = true;
        if let Some(error) = self.unencodable {
            return Err(sqlx::Error::Encode(error).into());
        }
        if let Some(opening) = self.opening {
            opening.begin();
        }
        let How { sql, at_most, watch } = self.how;
        let span = watch.span(sql, &self.then);
        let outcome = watch.over(Part::Statement, span, within(at_most, work)).await?;
        self.integrity.torn = false;
        Ok(outcome)
    }
}

/// The statement in the words of one driver.
enum On<'t, 'q> {
    /// For the embedded file.
    Sqlite(&'t mut SqliteConnection, Query<'q, Sqlite, SqliteArguments>),
    /// For the server, with the statements that come before it.
    Postgres(&'t mut PgConnection, Vec<Bound<'q>>, Bound<'q>),
}

/// A statement for the server, with its parameters.
type Bound<'q> = Query<'q, Postgres, PgArguments>;

impl<'t, 'q> Statement<'t, 'q> {
    pub(crate) fn sqlite(
        connection: &'t mut SqliteConnection,
        integrity: &'t mut Integrity,
        how: How<'t>,
    ) -> Self {
        let run = Run { how, integrity, opening: None, unencodable: None, then: Vec::new() };
        Self { on: On::Sqlite(connection, sqlx::query(how.sql)), run, bound: 0 }
    }

    /// Starts one that opens a savepoint first; `sql` says so, and is made of what the program says.
    pub(crate) fn opening(
        connection: &'t mut SqliteConnection,
        integrity: &'t mut Integrity,
        sql: String,
        opening: Opening<'t>,
        how: How<'t>,
    ) -> Self {
        let (unencodable, then) = (None, Vec::new());
        let run = Run { how, integrity, opening: Some(opening), unencodable, then };
        Self { on: On::Sqlite(connection, sqlx::query(AssertSqlSafe(sql))), run, bound: 0 }
    }

    pub(crate) fn postgres(
        connection: &'t mut PgConnection,
        integrity: &'t mut Integrity,
        how: How<'t>,
    ) -> Self {
        let run = Run { how, integrity, opening: None, unencodable: None, then: Vec::new() };
        Self { on: On::Postgres(connection, Vec::new(), sqlx::query(how.sql)), run, bound: 0 }
    }

    /// Gives the next parameter.
    pub fn bind(self, value: impl Value<'q>) -> Self {
        let on = match self.on {
            On::Sqlite(connection, query) => On::Sqlite(connection, query.bind(value)),
            On::Postgres(connection, before, query) => {
                On::Postgres(connection, before, query.bind(value))
            }
        };
        Self { on, bound: self.bound + 1, ..self }
    }

    /// Adds a statement that runs after this one; what is given next are its parameters, from `$1`
    /// on, and the result is its result.
    ///
    /// On SQLite both go to the connection's thread on one way, which is most of what a small
    /// statement costs. So this is for the first of two whose result nobody waits for.
    pub fn and(mut self, sql: impl Into<Sql>) -> Self {
        let next = sql.into();
        let on = match self.on {
            On::Sqlite(connection, mut query) => {
                let arguments = query.take_arguments().unwrap_or_else(|error| {
                    self.run.unencodable = Some(error);
                    None
                });
                let both = [query.sql().as_str(), "; ", &shifted(next.sqlite, self.bound)].concat();
                let arguments = arguments.unwrap_or_default();
                self.run.then.push(next.sqlite);
                On::Sqlite(connection, sqlx::query_with(AssertSqlSafe(both), arguments))
            }
            On::Postgres(connection, mut before, query) => {
                before.push(query);
                self.run.then.push(next.postgres);
                On::Postgres(connection, before, sqlx::query(next.postgres))
            }
        };
        Self { on, ..self }
    }

    /// Runs it and returns how many rows it touched.
    pub async fn execute(self) -> Result<u64> {
        match self.on {
            On::Sqlite(connection, query) => {
                // What opened a savepoint before it touched no rows, whatever SQLite says.
                let last = connection
                    .execute_many(query)
                    .try_fold(0, |_, done| std::future::ready(Ok(done.rows_affected())));
                self.run.through(last).await
            }
            On::Postgres(connection, before, query) => {
                let last = async {
                    run_all(connection, before).await?;
                    query.execute(connection).await
                };
                Ok(self.run.through(last).await?.rows_affected())
            }
        }
    }

    /// Runs it and returns the first row, if there is one.
    pub async fn optional<R: Row>(self) -> Result<Option<R>> {
        Ok(match self.on {
            On::Sqlite(connection, query) => self
                .run
                .through(query.fetch_optional(connection))
                .await?
                .map(|row| R::from_row(&row))
                .transpose()?,
            On::Postgres(connection, before, query) => {
                let last = async {
                    run_all(connection, before).await?;
                    query.fetch_optional(connection).await
                };
                self.run.through(last).await?.map(|row| R::from_row(&row)).transpose()?
            }
        })
    }

    /// Runs it and returns the first row; none is an error.
    pub async fn one<R: Row>(self) -> Result<R> {
        self.optional().await?.ok_or_else(|| sqlx::Error::RowNotFound.into())
    }

    /// Runs it and returns every row.
    pub async fn all<R: Row>(self) -> Result<Vec<R>> {
        match self.on {
            On::Sqlite(connection, query) => self
                .run
                .through(query.fetch_all(connection))
                .await?
                .iter()
                .map(|row| R::from_row(row).map_err(Error::from))
                .collect(),
            On::Postgres(connection, before, query) => {
                let last = async {
                    run_all(connection, before).await?;
                    query.fetch_all(connection).await
                };
                let rows = self.run.through(last).await?;
                rows.iter().map(|row| R::from_row(row).map_err(Error::from)).collect()
            }
        }
    }
}

async fn run_all(connection: &mut PgConnection, statements: Vec<Bound<'_>>) -> sqlx::Result<()> {
    for statement in statements {
        statement.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Returns `sql` with its parameters numbered from `by` + 1 on. Our texts have no `$` elsewhere.
fn shifted(sql: &str, by: usize) -> String {
    let mut parts = sql.split('$');
    let mut shifted = String::with_capacity(sql.len() + 32);
    shifted.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, rest) = part.split_at(digits);
        let number: usize = number.parse().expect("`$` begins a parameter's number");
        shifted.push('$');
        shifted.push_str(&(number + by).to_string());
        shifted.push_str(rest);
    }
    shifted
}

/// Waits for the database, but not for ever: a peer that went silent must not hold a request.
pub(crate) async fn within<T>(
    at_most: Duration,
    work: impl Future<Output = sqlx::Result<T>>,
) -> Result<T> {
    match tokio::time::timeout(at_most, work).await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(Error::Timeout(at_most)),
    }
}

/// A value that both databases can hold.
pub trait Value<'q>:
    Encode<'q, Sqlite> + Type<Sqlite> + Encode<'q, Postgres> + Type<Postgres> + Send + 'q
{
}

impl<'q, T> Value<'q> for T where
    T: Encode<'q, Sqlite> + Type<Sqlite> + Encode<'q, Postgres> + Type<Postgres> + Send + 'q
{
}

/// A row that both databases can return; `#[derive(sqlx::FromRow)]` makes one, and tuples are rows.
pub trait Row: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> {}

impl<T> Row for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> {}
