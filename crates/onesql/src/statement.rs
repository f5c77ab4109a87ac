use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Encode, Executor, FromRow, Postgres, Sqlite, Type};

use crate::beside::{Beside, Demand};
use crate::postgres::Link;
use crate::sqlite::Opening;
use crate::together::TOGETHER_AT_MOST;
use crate::watch::{Part, Watch};
use crate::{Error, Result};

/// A statement with its parameters, not yet run.
#[must_use = "a statement does nothing until it is run"]
pub struct Statement<'t, 'q> {
    on: On<'t, 'q>,
    run: Run<'t>,
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

/// Statements that were put off: they go with the next one.
#[derive(Default)]
pub(crate) struct PutOff {
    pub(crate) text: String,
    pub(crate) arguments: SqliteArguments,
    /// What the program says, of each.
    pub(crate) said: Vec<&'static str>,
    /// Whether something is demanded of one.
    pub(crate) demanding: bool,
}

/// Goes after a statement that has to change a row, on SQLite: fails if it did not, and returns nothing. Of all that
/// fails at once, without a function of our own, the absolute value of the least number is the plainest.
const DEMAND: &str = "; SELECT 0 WHERE abs(iif(changes() > 0, 0, -9223372036854775807 - 1)) > 0";

/// What is said of one that was begun beside others and is not put off.
const GOES_LATER: &str = "what goes beside others goes later";

/// How a statement is run.
struct Run<'t> {
    how: How<'t>,
    integrity: &'t mut Integrity,
    /// What goes before it, the savepoint that is opened before all of that, and the way to be put off, too;
    /// nothing of it where statements do not go together.
    put_off: Option<&'t mut Option<PutOff>>,
    opening: Option<Opening<'t>>,
    /// What goes to the server before it, on a way of its own.
    beside: Option<&'t mut Option<Beside>>,
    /// Why a parameter cannot be given.
    unencodable: Option<BoxDynError>,
}

impl<'t> Run<'t> {
    fn new(how: How<'t>, integrity: &'t mut Integrity) -> Self {
        Self { how, integrity, put_off: None, opening: None, beside: None, unencodable: None }
    }

    /// Sees `work` through. Torn is the state until it is done, for the caller may go away meanwhile.
    async fn through<T>(&mut self, work: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
        self.may_go()?;
        self.integrity.torn = true;
        if let Some(opening) = self.opening.take() {
            opening.begin();
        }
        let before = self.put_off.take().and_then(Option::take).unwrap_or_default();
        let How { sql, at_most, watch } = self.how;
        let span = watch.span(&before.said, sql);
        let outcome = watch.over(Part::Statement, span, within(at_most, work)).await;
        let outcome = outcome.map_err(|error| error.or_unmet(before.demanding))?;
        self.integrity.torn = false;
        Ok(outcome)
    }

    /// Runs it and returns how many rows it touched.
    async fn touched(&mut self, on: On<'_, '_>) -> Result<u64> {
        match on {
            On::Sqlite(connection, text, arguments) => {
                // Of several, the last is the one that was asked for.
                let last = connection
                    .execute_many(self.query(text, arguments))
                    .try_fold(0, |_, done| std::future::ready(Ok(done.rows_affected())));
                self.through(last).await
            }
            On::Postgres(link, query) => {
                self.before(link).await?;
                Ok(self.through(query.execute(link.connection()?)).await?.rows_affected())
            }
            On::Beside(..) => unreachable!("{GOES_LATER}"),
        }
    }

    /// Returns what the driver is given.
    fn query(
        &self,
        text: Cow<'static, str>,
        arguments: SqliteArguments,
    ) -> Query<'static, Sqlite, SqliteArguments> {
        let text = match (&self.opening, text) {
            (None, Cow::Borrowed(text)) => return sqlx::query_with(text, arguments),
            (None, Cow::Owned(text)) => text,
            (Some(opening), text) => {
                let [begin, savepoint] = opening.text();
                [begin, savepoint, &text].concat()
            }
        };
        sqlx::query_with(AssertSqlSafe(text), arguments)
    }

    /// Says and runs what goes to the server before it.
    async fn before(&mut self, link: &mut Link) -> Result<()> {
        let How { at_most, watch, .. } = self.how;
        if link.is_to_begin() {
            self.integrity.check()?;
            self.integrity.torn = true;
            let span = watch.span(&[], "BEGIN");
            watch.over(Part::Statement, span, link.begin(at_most)).await?;
            self.integrity.torn = false;
        }
        match self.beside.take().and_then(Option::take) {
            Some(beside) => beside.run(link.connection()?, self.integrity, at_most, watch).await,
            None => Ok(()),
        }
    }

    /// Fails if it can neither be run nor be put off.
    fn may_go(&mut self) -> Result<()> {
        self.integrity.check()?;
        let Some(error) = self.unencodable.take() else { return Ok(()) };
        self.integrity.torn = true;
        Err(sqlx::Error::Encode(error).into())
    }

    /// Puts a statement off, together with those that wait to go to the server; if they are many, they go now.
    async fn put_beside(
        mut self,
        link: &mut Link,
        arguments: PgArguments,
        demand: Demand,
    ) -> Result<()> {
        self.may_go()?;
        if let Some(beside) = &mut self.beside
            && beside.get_or_insert_default().add(self.how.sql, arguments, demand)
        {
            self.before(link).await?;
        }
        Ok(())
    }

    /// Puts a statement off, with those that were put off before.
    fn put_off(
        mut self,
        mut text: String,
        arguments: SqliteArguments,
        demand: Demand,
    ) -> Result<()> {
        self.may_go()?;
        if let Some(waiting) = self.put_off {
            let PutOff { mut said, mut demanding, .. } = waiting.take().unwrap_or_default();
            said.push(self.how.sql);
            if demand == Demand::ARow {
                text.push_str(DEMAND);
                demanding = true;
            }
            *waiting = Some(PutOff { text, arguments, said, demanding });
        }
        Ok(())
    }
}

/// The statement in the words of one driver.
enum On<'t, 'q> {
    /// For the embedded file, with what was put off before it.
    Sqlite(&'t mut SqliteConnection, Cow<'static, str>, SqliteArguments),
    /// For the server.
    Postgres(&'t mut Link, Query<'q, Postgres, PgArguments>),
    /// For the server, with the parameters of those that it goes with.
    Beside(&'t mut Link, PgArguments),
}

impl<'t, 'q> Statement<'t, 'q> {
    pub(crate) fn sqlite(
        connection: &'t mut SqliteConnection,
        integrity: &'t mut Integrity,
        how: How<'t>,
    ) -> Self {
        let on = On::Sqlite(connection, how.sql.into(), SqliteArguments::default());
        Self { on, run: Run::new(how, integrity) }
    }

    /// Starts one that what was put off goes with, and that opens a savepoint first, if there is none.
    pub(crate) fn member(
        connection: &'t mut SqliteConnection,
        integrity: &'t mut Integrity,
        put_off: &'t mut Option<PutOff>,
        opening: Option<Opening<'t>>,
        how: How<'t>,
    ) -> Self {
        let (text, arguments) = match &*put_off {
            None => (how.sql.into(), SqliteArguments::default()),
            Some(PutOff { text, arguments, .. }) => {
                let own = shifted(how.sql, arguments.len());
                ([text, "; ", &own].concat().into(), arguments.clone())
            }
        };
        let run = Run { put_off: Some(put_off), opening, ..Run::new(how, integrity) };
        Self { on: On::Sqlite(connection, text, arguments), run }
    }

    pub(crate) fn postgres(
        link: &'t mut Link,
        integrity: &'t mut Integrity,
        beside: &'t mut Option<Beside>,
        how: How<'t>,
    ) -> Self {
        let run = Run { beside: Some(beside), ..Run::new(how, integrity) };
        Self { on: On::Postgres(link, sqlx::query(how.sql)), run }
    }

    /// Starts one that goes together with those that wait.
    pub(crate) fn beside(
        link: &'t mut Link,
        integrity: &'t mut Integrity,
        beside: &'t mut Option<Beside>,
        how: How<'t>,
    ) -> Self {
        let arguments = beside.as_ref().map(|beside| beside.arguments.clone()).unwrap_or_default();
        let run = Run { beside: Some(beside), ..Run::new(how, integrity) };
        Self { on: On::Beside(link, arguments), run }
    }

    /// Gives the next parameter.
    pub fn bind(mut self, value: impl Value<'q>) -> Self {
        let added = match &mut self.on {
            On::Sqlite(_, _, arguments) => arguments.add(value),
            On::Postgres(_, query) => query.try_bind(value),
            On::Beside(_, arguments) => arguments.add(value),
        };
        if let Err(error) = added {
            self.run.unencodable = Some(error);
        }
        self
    }

    /// Gives the keys of those who are found together ([`Together`]) as the next [`TOGETHER_AT_MOST`] parameters, the last
    /// one until there are enough: a list that is always as long, without a NULL, is planned once by PostgreSQL.
    ///
    /// [`Together`]: crate::Together
    pub fn bind_together<K: Clone>(self, keys: &[K]) -> Self
    where
        Option<K>: Value<'q>,
    {
        debug_assert!((1..=TOGETHER_AT_MOST).contains(&keys.len()), "{} go together", keys.len());
        let given = keys.iter().chain(keys.last().into_iter().cycle());
        given.take(TOGETHER_AT_MOST).fold(self, |statement, key| statement.bind(Some(key.clone())))
    }

    /// Puts it off: it runs before the next statement of the transaction, or before the commit. For one that
    /// returns no rows, and whose result nobody waits for; that it failed is said by what it goes with.
    ///
    /// On SQLite both go to the connection's thread on one way, which is most of what a small statement
    /// costs. On PostgreSQL it runs at once, or with others if it was begun [beside](crate::Tx::beside) them.
    pub async fn later(self) -> Result<()> {
        self.put_off(Demand::Nothing).await
    }

    /// The same for what the transaction rests on: if it changes no row, nothing of the transaction lasts, and this, what
    /// it goes with, or the commit fails with [`Error::Unmet`].
    pub async fn later_or_undo(self) -> Result<()> {
        self.put_off(Demand::ARow).await
    }

    async fn put_off(mut self, demand: Demand) -> Result<()> {
        match self.on {
            // There is nothing to do on this database.
            On::Sqlite(..) if self.run.how.sql.is_empty() => Ok(()),
            On::Sqlite(_, text, arguments) if self.run.put_off.is_some() => {
                self.run.put_off(text.into_owned(), arguments, demand)
            }
            On::Beside(link, arguments) => self.run.put_beside(link, arguments, demand).await,
            on => {
                let is_met = self.run.touched(on).await? > 0 || demand == Demand::Nothing;
                self.run.integrity.torn |= !is_met;
                is_met.then_some(()).ok_or(Error::Unmet)
            }
        }
    }

    /// Runs it and returns how many rows it touched.
    pub async fn execute(mut self) -> Result<u64> {
        self.run.touched(self.on).await
    }

    /// Runs it and returns the first row, if there is one.
    pub async fn optional<R: Row>(mut self) -> Result<Option<R>> {
        Ok(match self.on {
            On::Sqlite(connection, text, arguments) => {
                let row = self.run.query(text, arguments).fetch_optional(connection);
                self.run.through(row).await?.map(|row| R::from_row(&row)).transpose()?
            }
            On::Postgres(link, query) => {
                self.run.before(link).await?;
                let row = query.fetch_optional(link.connection()?);
                self.run.through(row).await?.map(|row| R::from_row(&row)).transpose()?
            }
            On::Beside(..) => unreachable!("{GOES_LATER}"),
        })
    }

    /// Runs it and returns the first row; none is an error.
    pub async fn one<R: Row>(self) -> Result<R> {
        self.optional().await?.ok_or_else(|| sqlx::Error::RowNotFound.into())
    }

    /// Runs it and returns every row.
    pub async fn all<R: Row>(mut self) -> Result<Vec<R>> {
        match self.on {
            On::Sqlite(connection, text, arguments) => {
                let rows = self.run.query(text, arguments).fetch_all(connection);
                let rows = self.run.through(rows).await?;
                rows.iter().map(|row| R::from_row(row).map_err(Error::from)).collect()
            }
            On::Beside(..) => unreachable!("{GOES_LATER}"),
            On::Postgres(link, query) => {
                self.run.before(link).await?;
                let rows = self.run.through(query.fetch_all(link.connection()?)).await?;
                rows.iter().map(|row| R::from_row(row).map_err(Error::from)).collect()
            }
        }
    }
}

/// Returns `sql` with its parameters numbered from `by` + 1 on. Our texts have no `$` elsewhere.
pub(crate) fn shifted(sql: &str, by: usize) -> String {
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
