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

/// Statements that wait to go together.
#[derive(Default)]
pub(crate) struct Beside {
    /// Each as a named part, with its parameters numbered on.
    parts: String,
    /// The parameters of all.
    pub(crate) arguments: PgArguments,
    /// What the program says, of each.
    said: Vec<&'static str>,
}

impl Beside {
    /// Adds one, and returns whether they are as many as may go together; `arguments` are those of all before it, and
    /// its own.
    pub(crate) fn add(&mut self, sql: &'static str, arguments: PgArguments) -> bool {
        let (comma, number) = (if self.said.is_empty() { "" } else { ", " }, self.said.len());
        let own = shifted(sql, self.arguments.len());
        write!(self.parts, "{comma}part{number} AS ({own})").expect("a string takes all");
        self.arguments = arguments;
        self.said.push(sql);
        self.said.len() == AT_MOST
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
        let work = self.query().execute(connection);
        watch.over(Part::Statement, span, within(at_most, work)).await?;
        integrity.mend();
        Ok(())
    }

    fn query(self) -> Query<'static, Postgres, PgArguments> {
        let Self { parts, arguments, said } = self;
        if let [alone] = said[..] {
            return sqlx::query_with(alone, arguments);
        }
        sqlx::query_with(AssertSqlSafe(["WITH ", &parts, " SELECT 1"].concat()), arguments)
    }
}
