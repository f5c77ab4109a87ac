//! Statements that go to PostgreSQL together, as parts of one: the way there and back is most of what a small one
//! costs. SQLite has no need of it: there whatever is put off goes with the next statement, in order.

use std::fmt::Write;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::query::Query;
use sqlx::{Arguments, AssertSqlSafe, Postgres};

use crate::Result;
use crate::statement::{Integrity, shifted, within};
use crate::watch::{Part, Watch};

/// How many go together: the server keeps a plan for each text, and there is one for each number of them.
const AT_MOST: usize = 8;

/// What PostgreSQL says, also in its log, when a row that is demanded was not changed. Of what makes a statement fail
/// without a function of our own, a sentence that is no number is the one that explains itself.
pub(crate) const UNMET: &str = "no fault: what this rested on has changed, and it is tried again";

/// What the transaction wants of a statement.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    Nothing,
    /// That it changes one; or all is undone.
    ARow,
}

/// Statements that wait to go together.
#[derive(Default)]
pub(crate) struct Beside {
    /// Each as a named part, with its parameters numbered on.
    parts: String,
    number: usize,
    /// What the whole returns: how many rows each part changed, and so they run in this order. Where one is demanded and
    /// none was, a sentence is to be a number. That undoes a statement which is a transaction by itself, too; a condition
    /// could only be looked at when it lasts.
    returned: String,
    /// Whether something is demanded.
    demanding: bool,
    /// The parameters of all.
    pub(crate) arguments: PgArguments,
    /// What the program says, of each.
    said: Vec<&'static str>,
}

impl Beside {
    /// Adds one, and returns whether they are as many as may go together; `arguments` are those of all before it, and
    /// its own.
    pub(crate) fn add(
        &mut self,
        sql: &'static str,
        arguments: PgArguments,
        demand: Demand,
    ) -> bool {
        for own in shifted(sql, self.arguments.len()).split(';') {
            self.add_part(own, demand).expect("a string takes all");
        }
        self.arguments = arguments;
        self.said.push(sql);
        self.said.len() == AT_MOST
    }

    fn add_part(&mut self, own: &str, demand: Demand) -> std::fmt::Result {
        let (number, comma) = (self.number, if self.number == 0 { "" } else { ", " });
        self.number += 1;
        write!(self.parts, "{comma}part{number} AS ({own} RETURNING 1)")?;
        let changed = format!("(SELECT COUNT(*) FROM part{number})");
        match demand {
            Demand::Nothing => write!(self.returned, "{comma}{changed}"),
            Demand::ARow => {
                self.demanding = true;
                write!(
                    self.returned,
                    "{comma}CAST(CASE {changed} WHEN 0 THEN '{UNMET}' END AS BIGINT)"
                )
            }
        }
    }

    /// Runs them.
    pub(crate) async fn run(
        self,
        connection: &mut PgConnection,
        integrity: &mut Integrity,
        at_most: Duration,
        watch: &Watch,
    ) -> Result<()> {
        integrity.check()?;
        integrity.tear();
        let (last, before) = self.said.split_last().expect("one was added");
        let span = watch.span(before, last);
        let demanding = self.demanding;
        let work = self.query().execute(connection);
        let outcome = watch.over(Part::Statement, span, within(at_most, work)).await;
        outcome.map_err(|error| error.or_unmet(demanding))?;
        integrity.mend();
        Ok(())
    }

    fn query(self) -> Query<'static, Postgres, PgArguments> {
        let Self { parts, number, returned, demanding, arguments, said } = self;
        if let [alone] = said[..]
            && number == 1
            && !demanding
        {
            return sqlx::query_with(alone, arguments);
        }
        let text = ["WITH ", &parts, " SELECT ", &returned].concat();
        sqlx::query_with(AssertSqlSafe(text), arguments)
    }
}
