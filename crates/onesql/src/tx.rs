use std::time::Duration;

use crate::beside::Beside;
use crate::postgres::PgTx;
use crate::sqlite::{Member, Reader};
use crate::statement::{How, PutOff};
use crate::watch::{Part, Watch};
use crate::{Result, Sql, Statement};

/// An open transaction: what every store function takes first.
///
/// Dropped without [`Tx::commit`], nothing that was done in it happened; but for the one statement of
/// [`Store::write_once`](crate::Store::write_once) on PostgreSQL.
///
/// There it begins with the first statement that is not put off beside others.
pub struct Tx {
    pub(crate) on: On,
    pub(crate) at_most: Duration,
    watch: Watch,
    /// How many statements there may be yet, where that is limited.
    left: Option<u8>,
    /// What goes with the next statement.
    put_off: Option<PutOff>,
    /// What goes together before the next statement.
    beside: Option<Beside>,
    /// What is done once it lasts.
    then: Vec<Box<dyn FnOnce() + Send>>,
}

/// The transaction in the words of one driver.
pub(crate) enum On {
    /// Reading from the embedded file.
    Reader(Reader),
    /// Writing to the embedded file, as one of a group.
    Member(Member),
    /// On the server.
    Postgres(PgTx),
}

impl Tx {
    pub(crate) fn new(on: On, at_most: Duration, watch: Watch) -> Self {
        Self { on, at_most, watch, left: None, put_off: None, beside: None, then: Vec::new() }
    }

    /// Limits it to one statement.
    pub(crate) fn once(self) -> Self {
        Self { left: Some(1), ..self }
    }

    /// Starts a statement; parameters are `$1`, `$2`, … on both databases.
    ///
    /// # Panics
    ///
    /// At the second one of [`Store::write_once`](crate::Store::write_once).
    pub fn query<'q>(&mut self, sql: impl Into<Sql>) -> Statement<'_, 'q> {
        self.count();
        self.statement(sql.into(), false)
    }

    /// Starts one that is put off ([`Statement::later`], [`Statement::later_or_undo`]), together with the others that are
    /// started so: they run in this order, but none sees what the others do, nor in another table what was done while one
    /// of them waited for a row, and no two touch the same row. It changes
    /// rows, and has neither `WITH` nor `RETURNING`. It may be several with `;` between them; on SQLite each after the
    /// first must then go by `changes()`, since what is demanded of each on PostgreSQL is demanded there of the last.
    ///
    /// On PostgreSQL they go to the server as one, before the next statement that is not started so. Where there is
    /// none, that is the whole transaction, without ways for its begin and its end: if the commit fails then with
    /// another error than [`Error::Unmet`], it is not known whether it lasts. A connection that died just now is not
    /// noticed before that, as it is where a transaction begins.
    ///
    /// [`Error::Unmet`]: crate::Error::Unmet
    ///
    /// # Panics
    ///
    /// If it is run and not put off; and as [`Tx::query`].
    pub fn beside<'q>(&mut self, sql: impl Into<Sql>) -> Statement<'_, 'q> {
        self.count();
        self.statement(sql.into(), true)
    }

    fn count(&mut self) {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1).expect("there is one statement, and this is another");
        }
    }

    fn statement<'q>(&mut self, sql: Sql, is_beside: bool) -> Statement<'_, 'q> {
        let how = |sql| How { sql, at_most: self.at_most, watch: &self.watch };
        match &mut self.on {
            On::Reader(reader) => {
                let (connection, integrity) = reader.parts();
                Statement::sqlite(connection, integrity, how(sql.sqlite))
            }
            On::Member(member) => member.statement(&mut self.put_off, how(sql.sqlite)),
            On::Postgres(tx) => {
                let (link, integrity) = tx.parts();
                let (beside, how) = (&mut self.beside, how(sql.postgres));
                if is_beside {
                    Statement::beside(link, integrity, beside, how)
                } else {
                    Statement::postgres(link, integrity, beside, how)
                }
            }
        }
    }

    /// Does `what` once everything done in this transaction lasts; if it does not, never.
    ///
    /// It runs on the way out of [`Tx::commit`], so it must be quick.
    pub fn then(&mut self, what: impl FnOnce() + Send + 'static) {
        self.then.push(Box::new(what));
    }

    /// Makes everything done in this transaction last; when it returns, it survives a power cut.
    ///
    /// If any statement failed or was cut off, nothing lasts and the answer is [`Error::Spoiled`],
    /// on both databases.
    ///
    /// # Cancellation
    ///
    /// Whoever goes away while this runs does not learn whether it lasted.
    ///
    /// [`Error::Spoiled`]: crate::Error::Spoiled
    pub async fn commit(mut self) -> Result<()> {
        if let (On::Postgres(tx), Some(beside)) = (&mut self.on, self.beside) {
            let (link, integrity) = tx.parts();
            link.need_not_begin();
            beside.run(link.connection()?, integrity, self.at_most, &self.watch).await?;
        }
        let committed = match self.on {
            On::Reader(_) => Ok(()),
            On::Member(member) => {
                let said = self.put_off.as_ref().map(|put_off| &put_off.said[..]);
                let span = self.watch.span(said.unwrap_or_default(), "COMMIT");
                let work = member.commit(self.put_off, self.at_most);
                self.watch.over(Part::Commit, span, work).await
            }
            On::Postgres(tx) if tx.is_done()? => Ok(()),
            On::Postgres(tx) => {
                let span = self.watch.span(&[], "COMMIT");
                self.watch.over(Part::Commit, span, tx.commit(self.at_most)).await
            }
        };
        committed?;
        self.then.into_iter().for_each(|what| what());
        Ok(())
    }
}
